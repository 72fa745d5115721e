"""What goes with a deleted account."""

from __future__ import annotations

from pathlib import Path

from app.accounts import Accounts
from app.conversations import Conversations
from app.departures import leave
from app.people import Role
from storage.rooms import room_folder, room_name


def begin(data_dir: Path, owner: str) -> Path:
    """A conversation of somebody's with a file that was dropped into it; the file."""
    store = Conversations(data_dir / "conversations.db", owner=owner)
    conversation = store.create("About the lease")
    store.close()
    folder = room_folder(data_dir, room_name(owner, conversation))
    folder.mkdir(parents=True)
    file = folder / "lease.txt"
    file.write_text("The lease ends in May.")
    return file


def test_conversations_and_their_files_go_with_an_account(tmp_path: Path) -> None:
    """Everything of theirs is wiped; what others keep stays."""
    accounts = Accounts(tmp_path)
    for name in ("anna", "bela"):
        accounts.add(name, "a long enough password", Role.READER)
    hers, his = begin(tmp_path, "anna"), begin(tmp_path, "bela")

    wiped = leave(accounts, tmp_path, "anna")

    assert wiped == 1
    assert not hers.exists()
    assert his.exists()
    assert [account.name for account in accounts.all()] == ["bela"]
    accounts.close()

"""What goes with a deleted account."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from app import departures
from app.accounts import Accounts, SignInRefused
from app.api_tokens import ApiTokens
from app.conversations import Conversations
from app.departures import finish, leave
from app.passwords import Cost
from app.people import Role
from app.preferences import KeptPreferences, Preferences
from app.read_ledger import Readings
from app.saved_answers import SavedAnswers
from storage.errors import StorageError, UsageError
from storage.rooms import room_folder, room_name

ROOT = Path(__file__).parents[1]
PASSWORD = "a long enough password"
SECRET = b"whistleblower"

# Leaves in a process of its own, and is killed at the step of that number.
KILLED = """
import os, signal, sys
from pathlib import Path
from app import departures
from app.accounts import Accounts

data_dir, step = Path(sys.argv[1]), int(sys.argv[2])


def killing(data_dir, owner):
    os.kill(os.getpid(), signal.SIGKILL)


wipes = list(departures.WIPES)
wipes.insert(step, killing)
departures.WIPES = tuple(wipes)
departures.leave(Accounts(data_dir), data_dir, "anna")
"""


def begin(data_dir: Path, owner: str) -> Path:
    """Something of everything that is kept of somebody; the file that they dropped."""
    store = Conversations(data_dir / "conversations.db", owner=owner)
    conversation = store.create("About the whistleblower")
    store.begin_turn(conversation, "Who is the whistleblower?")
    store.close()
    readings = Readings(data_dir / "readings.db", owner)
    readings.begin(owner, "Who is the whistleblower?")
    readings.close()
    preferences = KeptPreferences(data_dir)
    preferences.keep(owner, Preferences(scope={"documents": ["whistleblower.pdf"]}))
    preferences.close()
    ApiTokens(data_dir).make(f"notes of {owner}", owner=owner)
    folder = room_folder(data_dir, room_name(owner, conversation))
    folder.mkdir(parents=True)
    file = folder / "lease.txt"
    file.write_bytes(SECRET)
    return file


@pytest.fixture
def accounts(tmp_path: Path):
    found = Accounts(tmp_path, cost=Cost(8, 8, 1))
    for name in ("anna", "bela"):
        found.add(name, PASSWORD, Role.READER)
    yield found
    found.close()


def test_everything_goes_with_an_account(accounts: Accounts, tmp_path: Path) -> None:
    """All that is kept of them is wiped; what others keep stays."""
    hers, his = begin(tmp_path, "anna"), begin(tmp_path, "bela")

    wiped = leave(accounts, tmp_path, "anna")

    assert wiped == 1
    assert not hers.exists() and not hers.parent.parent.exists()
    assert his.exists()
    assert [account.name for account in accounts.all()] == ["bela"]
    assert Readings(tmp_path / "readings.db", "anna").get("anna") is None
    assert Readings(tmp_path / "readings.db", "bela").get("bela") is not None
    assert [token.owner for token in ApiTokens(tmp_path).all()] == ["bela"]
    # The page has its files open all the time.
    open_pages = [Conversations(tmp_path / "conversations.db", owner="bela")]
    open_pages += [Readings(tmp_path / "readings.db", "bela"), KeptPreferences(tmp_path)]
    leave(accounts, tmp_path, "bela")
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or SECRET not in path.read_bytes(), path
    for page in open_pages:
        page.close()


@pytest.mark.parametrize("step", range(len(departures.WIPES) + 1))
def test_killed_at_any_step_it_is_finished_by_the_next_start(
    accounts: Accounts, tmp_path: Path, step: int
) -> None:
    """Nobody is let in from the first moment on; what was left behind goes, and then the name."""
    hers, his = begin(tmp_path, "anna"), begin(tmp_path, "bela")
    token = accounts.sign_in("anna", PASSWORD, "10.0.0.1")

    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path), str(step)], cwd=ROOT, check=False
    )

    assert killed.returncode == -signal.SIGKILL
    assert accounts.sessions.user(token) is None
    with pytest.raises(SignInRefused):
        accounts.sign_in("anna", PASSWORD, "10.0.0.1")
    assert accounts.standing("anna") is None
    assert [(one.name, one.leaving) for one in accounts.all()] == [("anna", True), ("bela", False)]

    assert finish(tmp_path) == 1
    assert finish(tmp_path) == 0

    assert not hers.exists()
    assert his.exists()
    assert [account.name for account in accounts.all()] == ["bela"]
    assert Conversations(tmp_path / "conversations.db", owner="anna").count() == 0
    assert Conversations(tmp_path / "conversations.db", owner="bela").count() == 1
    assert Readings(tmp_path / "readings.db", "anna").get("anna") is None
    assert KeptPreferences(tmp_path).of("anna") == Preferences()


def test_what_cannot_be_wiped_now_is_wiped_later(
    accounts: Accounts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fault is told; the account stays as one that is being deleted, and can be again."""
    begin(tmp_path, "anna")

    def full(saved: SavedAnswers, owner: str) -> None:
        raise StorageError("The disk is full.")

    with monkeypatch.context() as patched:
        patched.setattr(SavedAnswers, "delete_all", full)
        with pytest.raises(StorageError, match="full"):
            leave(accounts, tmp_path, "anna")
        assert finish(tmp_path) == 0
    assert accounts.leaving() == ["anna"]

    assert leave(accounts, tmp_path, "anna") == 1

    assert accounts.leaving() == []
    assert [account.name for account in accounts.all()] == ["bela"]


def test_nothing_brings_an_account_back_that_is_leaving(accounts: Accounts, tmp_path: Path) -> None:
    """Neither letting it in again nor another password or role; and its name is not free."""
    accounts.begin_leaving("anna")

    for change in (
        lambda: accounts.set_disabled("anna", False),
        lambda: accounts.set_password("anna", "another long password"),
        lambda: accounts.set_role("anna", Role.ADMIN),
    ):
        with pytest.raises(UsageError, match="being deleted"):
            change()
    with pytest.raises(UsageError, match="is or was"):
        accounts.add("anna", PASSWORD)
    assert accounts.standing("anna") is None


def test_the_last_admin_does_not_begin_to_leave(tmp_path: Path) -> None:
    """Nothing of theirs is wiped before that is clear."""
    accounts = Accounts(tmp_path, cost=Cost(8, 8, 1))
    accounts.add("root", PASSWORD, Role.ADMIN)
    kept = begin(tmp_path, "root")

    with pytest.raises(UsageError, match="last admin"):
        leave(accounts, tmp_path, "root")

    assert kept.exists()
    assert accounts.leaving() == []
    accounts.close()

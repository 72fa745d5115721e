"""`hayloft users`: accounts from the terminal."""

from __future__ import annotations

import io
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

import hayloft
from app.accounts import Accounts
from app.conversations import Conversations
from app.people import Role, User

ROOT = Path(__file__).parents[1]
PASSWORD = "tree-lamp-orange"


@pytest.fixture(autouse=True)
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HAYLOFT_DATA_DIR", str(tmp_path))
    return tmp_path


def users(monkeypatch: pytest.MonkeyPatch, *words: str, given: str = "") -> int:
    monkeypatch.setattr(sys, "stdin", io.StringIO(given))
    return hayloft.main(["users", *words])


def test_an_account_from_beginning_to_end(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], data_dir: Path
) -> None:
    """Made, listed, changed, disabled, let in again and deleted with its conversations."""
    assert users(monkeypatch, "add", "Root", "--role", "admin", given=f"{PASSWORD}\n") == 0
    assert users(monkeypatch, "add", "Ann", given=f"{PASSWORD}\nsecond line") == 0
    Conversations(data_dir / "conversations.db").create("of before")
    assert users(monkeypatch, "adopt", "ann") == 0
    accounts = Accounts(data_dir)
    token = accounts.sign_in("Ann", PASSWORD, "10.0.0.1")
    assert users(monkeypatch, "passwd", "ann", given="another-lamp-tree\n") == 0
    assert accounts.sessions.user(token) is None
    assert users(monkeypatch, "role", "Ann", "librarian") == 0
    assert accounts.standing("Ann") == User("Ann", Role.LIBRARIAN)
    assert users(monkeypatch, "disable", "Ann") == 0
    assert accounts.standing("Ann") is None
    capsys.readouterr()

    assert users(monkeypatch, "list", "--json") == 0

    listed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(one["name"], one["role"], one["disabled"]) for one in listed] == [
        ("Ann", "librarian", True),
        ("Root", "admin", False),
    ]
    assert PASSWORD not in json.dumps(listed)
    assert users(monkeypatch, "enable", "Ann") == 0
    assert users(monkeypatch, "delete", "Ann") == 2
    assert users(monkeypatch, "delete", "Ann", "--yes") == 0
    assert "conversations wiped: 1" in capsys.readouterr().out
    assert Conversations(data_dir / "conversations.db", owner=None).summaries() == []
    accounts.close()


@pytest.mark.parametrize(
    ("words", "given", "sentence"),
    [
        (["add", "Ann"], "", "fewer than 10"),
        (["add", "Ann"], "password123\n", "first that are guessed"),
        (["add", "a\u202enn"], f"{PASSWORD}\n", "to be seen"),
        (["add", "root"], f"{PASSWORD}\n", "Take another name"),
        (["role", "nobody", "admin"], "", "no account named nobody"),
        (["role", "Root", "reader"], "", "last admin"),
        (["delete", "Root", "--yes"], "", "last admin"),
        (["adopt", "nobody"], "", "no account named nobody"),
    ],
)
def test_what_cannot_be_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    given: str,
    sentence: str,
) -> None:
    """Exit code 2, and nothing is changed."""
    users(monkeypatch, "add", "Root", "--role", "admin", given=f"{PASSWORD}\n")

    assert users(monkeypatch, *words, given=given) == 2

    assert sentence in capsys.readouterr().err


def test_a_password_is_never_an_argument(capsys: pytest.CaptureFixture[str]) -> None:
    """Others on the machine can read the arguments of a process."""
    with pytest.raises(SystemExit):
        hayloft.main(["users", "add", "--help"])

    told = capsys.readouterr().out
    assert "--password" not in told


@pytest.mark.skipif(sys.platform == "win32", reason="needs a terminal of Unix")
def test_the_terminal_asks_twice_and_shows_nothing(data_dir: Path) -> None:
    """What is typed is not seen; two different passwords change nothing."""
    master, slave = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, str(ROOT / "hayloft.py"), "users", "add", "Ann"],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
        preexec_fn=lambda: _take_terminal(slave),
        env={**os.environ, "HAYLOFT_DATA_DIR": str(data_dir)},
    )
    os.close(slave)
    shown = b""
    for typed in (PASSWORD, PASSWORD):
        while not shown.rstrip().endswith(b":"):
            shown += os.read(master, 1000)
        os.write(master, f"{typed}\n".encode())
        shown += b"|"
    try:
        while True:
            shown += os.read(master, 1000)
    except OSError:
        pass
    assert child.wait(20) == 0, shown
    os.close(master)

    assert PASSWORD.encode() not in shown
    accounts = Accounts(data_dir)
    assert accounts.sign_in("Ann", PASSWORD, "10.0.0.1")
    accounts.close()


def _take_terminal(slave: int) -> None:
    import fcntl
    import termios

    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)

"""The accounts of one data directory: who may use the page, and as what.

A name that does not exist, a wrong password and a disabled account cost the same time and get the
same sentence, so that nobody learns which names there are.
"""

from __future__ import annotations

import hmac
import os
import secrets
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from app.account_names import key_of, sound_name
from app.accounts_file import FILE, AccountsFile, digest
from app.passwords import COST, LONGEST, Cost, check_new, cost_of, hashed, matches
from app.people import Role, User
from app.sessions import Lasting, Sessions
from app.sign_in_limits import ADDRESS, NAME, PAIR, SETUP, SignInLimits
from app.turns import NoTurn, Turns
from app.wording import t
from storage.errors import HayloftError, UsageError

DAY_S = 86_400.0
LASTING = Lasting(DAY_S, 14 * DAY_S)
AT_ONCE = 2
"""Passwords that are checked at a time, and no more than half the cores: each takes one, and
32 MiB."""
WAITING = 6
"""Strangers who wait for it, some 0.3 s each; the next ones are told to come back."""
_COME_BACK_S = 2.0
_PLACES = 20
"""Addresses that are remembered of an account."""
_CODE_LETTERS = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"
_CODE_GROUPS = 4


class SignInRefused(HayloftError):
    """Name and password do not open the page, or not now."""

    def __init__(self, sentence: str, *, wait_s: float = 0.0) -> None:
        super().__init__(sentence)
        self.wait_s = wait_s
        """Seconds until the next attempt counts."""


@dataclass(frozen=True, slots=True)
class Account:
    """An account, as it is listed."""

    name: str
    role: Role
    made_at: float
    """Seconds since the epoch."""
    signed_in_at: float | None
    disabled: bool
    outside: bool
    """Whether somebody else checks who it is."""
    sessions: int
    """Browsers in which it is signed in now."""
    leaving: bool = False
    """Whether it is being deleted: what it kept is not all wiped yet."""


class Accounts:
    """The accounts. Safe to share between threads, and between processes.

    Raises StorageError where the file cannot be read or written. `clock` gives seconds since the
    epoch; `cost` is what new passwords are hashed with.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        lasting: Lasting = LASTING,
        cost: Cost = COST,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._file = AccountsFile(data_dir / FILE)
        self._cost = cost
        self._clock = clock
        self._lasting = lasting
        self._limits = SignInLimits(self._file, clock)
        self._checking = Turns(max(1, min(AT_ONCE, (os.cpu_count() or 1) // 2)), WAITING)
        self.sessions = Sessions(self._file, lasting, clock)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def empty(self) -> bool:
        """Whether there is no account yet that a password opens."""
        return not self._file.rows("SELECT 1 FROM accounts WHERE hash <> '' LIMIT 1")

    def all(self) -> list[Account]:
        """The accounts, by name."""
        now = self._clock()
        rows = self._file.rows(
            "SELECT *, (SELECT count(*) FROM sessions WHERE account_id = accounts.id "
            "AND ended_at IS NULL AND made_at > ? AND seen_at > ?) AS sessions "
            "FROM accounts WHERE deleted_at IS NULL ORDER BY key",
            now - self._lasting.longest_s,
            now - self._lasting.idle_s,
        )
        return [
            Account(
                row["name"],
                Role(row["role"]),
                row["made_at"],
                row["signed_in_at"],
                bool(row["disabled"]),
                bool(row["subject"]),
                row["sessions"],
                row["leaving_at"] is not None,
            )
            for row in rows
        ]

    def standing(self, name: str) -> User | None:
        """Whoever has an account of that name which is not disabled."""
        rows = self._file.rows(
            "SELECT name, role FROM accounts WHERE key = ? AND disabled = 0 AND deleted_at IS NULL",
            key_of(name),
        )
        return User(rows[0]["name"], Role(rows[0]["role"])) if rows else None

    # --- accounts -------------------------------------------------------------------------------

    def add(
        self, name: str, password: str, role: Role = Role.READER, *, provisional: bool = False
    ) -> str:
        """Make an account; returns its name as it is kept. Raises UsageError where it cannot be."""
        name, kept = self._checked(name, password)
        with self._file.writing() as connection:
            self._insert(connection, name, kept, role, provisional=provisional)
        return name

    def set_password(self, name: str, password: str, *, provisional: bool = False) -> None:
        """Give an account another password, and sign it out wherever it is signed in."""
        check_new(password, name)
        kept = hashed(password, self._cost)
        with self._file.writing() as connection:
            row = _of(connection, name)
            if row["subject"]:
                raise UsageError(
                    t("{name} signs in elsewhere and has no password here.", name=row["name"])
                )
            connection.execute(
                "UPDATE accounts SET hash = ?, provisional = ? WHERE id = ?",
                (kept, provisional, row["id"]),
            )
            self.sessions.end_all(connection, row["id"])

    def set_role(self, name: str, role: Role) -> None:
        """Let somebody do more, or less, from their next click on."""
        with self._file.writing() as connection:
            row = _of(connection, name)
            connection.execute("UPDATE accounts SET role = ? WHERE id = ?", (role, row["id"]))
            _refuse_without_admin(connection, row)

    def set_disabled(self, name: str, disabled: bool = True) -> None:
        """Let nobody in with an account, or again; what it owns stays."""
        with self._file.writing() as connection:
            row = _of(connection, name)
            connection.execute(
                "UPDATE accounts SET disabled = ? WHERE id = ?", (disabled, row["id"])
            )
            if disabled:
                self.sessions.end_all(connection, row["id"])
            _refuse_without_admin(connection, row)

    def begin_leaving(self, name: str) -> str:
        """Let nobody in with an account ever again; `delete` follows when all of it is wiped.

        Returns its name as it was kept. Doing it again changes nothing.
        """
        with self._file.writing() as connection:
            row = _of(connection, name, leaving=True)
            if row["leaving_at"] is None:
                self.sessions.end_all(connection, row["id"])
                connection.execute(
                    "UPDATE accounts SET leaving_at = ?, hash = '', disabled = 1 WHERE id = ?",
                    (self._clock(), row["id"]),
                )
                connection.execute("DELETE FROM places WHERE account_id = ?", (row["id"],))
                _refuse_without_admin(connection, row)
        return str(row["name"])

    def leaving(self) -> list[str]:
        """The accounts that are being deleted."""
        rows = self._file.rows(
            "SELECT name FROM accounts WHERE leaving_at IS NOT NULL AND deleted_at IS NULL"
        )
        return [row["name"] for row in rows]

    def delete(self, name: str) -> str:
        """Delete an account for good; its name is not given again. Returns it as it was kept."""
        kept = self.begin_leaving(name)
        with self._file.writing() as connection:
            connection.execute(
                "UPDATE accounts SET deleted_at = ? WHERE key = ? AND deleted_at IS NULL",
                (self._clock(), key_of(kept)),
            )
        return kept

    # --- the first one --------------------------------------------------------------------------

    def new_setup_code(self) -> str | None:
        """A code that makes the first account, instead of any earlier one; None where there is."""
        code = "-".join(
            "".join(secrets.choice(_CODE_LETTERS) for _ in range(4)) for _ in range(_CODE_GROUPS)
        )
        with self._file.writing() as connection:
            connection.execute("DELETE FROM setup")
            if connection.execute("SELECT 1 FROM accounts WHERE hash <> '' LIMIT 1").fetchone():
                return None
            connection.execute(
                "INSERT INTO setup VALUES (?, ?)", (digest(_bare(code)), self._clock())
            )
        return code

    def set_up(self, code: str, name: str, password: str, address: str) -> str:
        """Make the first account, an admin's, with the code; of several only one is made."""
        counted = [(SETUP, address)]
        self._refuse_waiting(self._limits.wait(counted))
        rows = self._file.rows("SELECT digest FROM setup")
        right = [hmac.compare_digest(row["digest"], digest(_bare(code))) for row in rows]
        if not any(right):
            self._limits.failed(counted)
            raise SignInRefused(
                t("This is not the setup code. The terminal that runs `hayloft ui` shows it.")
            )
        name, kept = self._checked(name, password)
        with self._file.writing() as connection:
            used = connection.execute("DELETE FROM setup WHERE digest = ?", (digest(_bare(code)),))
            made = connection.execute("SELECT 1 FROM accounts WHERE hash <> '' LIMIT 1").fetchone()
            # Another one may have been made in the terminal, which needs no code.
            if made or not used.rowcount:
                raise SignInRefused(t("The first account has been made meanwhile. Sign in."))
            self._insert(connection, name, kept, Role.ADMIN)
        return name

    # --- signing in -----------------------------------------------------------------------------

    def sign_in(self, name: str, password: str, address: str) -> str:
        """Sign somebody in; returns the session's token. Raises SignInRefused."""
        row = self._opened(name, password, address)
        token = self.sessions.begin(row["id"])
        now = self._clock()
        with self._file.writing() as connection:
            connection.execute(
                "UPDATE accounts SET signed_in_at = ? WHERE id = ?", (now, row["id"])
            )
            connection.execute(
                "INSERT OR REPLACE INTO places VALUES (?, ?, ?)", (row["id"], digest(address), now)
            )
            connection.execute(
                "DELETE FROM places WHERE account_id = ? AND what NOT IN (SELECT what FROM places "
                "WHERE account_id = ? ORDER BY at DESC LIMIT ?)",
                (row["id"], row["id"], _PLACES),
            )
        return token

    def change_password(self, name: str, password: str, new: str, address: str) -> str:
        """Another password for whoever knows the old one; returns the token of a new session."""
        known = self._opened(name, password, address)
        if known["provisional"] and new == password:
            raise UsageError(
                t(
                    "Somebody else knows the password of {name}. Take one of your own.",
                    name=known["name"],
                )
            )
        self.set_password(name, new)
        return self.sign_in(name, new, address)

    def provisional(self, name: str) -> bool:
        """Whether an account's password is known to another person, and shall be changed."""
        rows = self._file.rows("SELECT provisional FROM accounts WHERE key = ?", key_of(name))
        return bool(rows and rows[0]["provisional"])

    def admit(self, subject: str, name: str, role: Role, login: str) -> User | None:
        """Whoever signed in elsewhere, by `subject`; None where that `login` has ended here.

        An account is made where there is none. Raises SignInRefused where the name is another's.
        """
        if self.sessions.known(login):
            found = self.sessions.user(login)
            if found is not None and found.role != role:
                self.set_role(found.name, role)
            return found and User(found.name, role)
        name = sound_name(name)
        with self._file.writing() as connection:
            row = connection.execute(
                "SELECT * FROM accounts WHERE key = ?", (key_of(name),)
            ).fetchone()
            if row is None:
                connection.execute(
                    "INSERT INTO accounts (key, name, role, subject, made_at) "
                    "VALUES (?, ?, ?, ?, ?)",
                    (key_of(name), name, role, subject, self._clock()),
                )
                row = _of(connection, name)
            if row["subject"] != subject or row["disabled"] or row["deleted_at"] is not None:
                raise SignInRefused(
                    t("This account may not be used here. Ask whoever looks after Hayloft.")
                )
            connection.execute(
                "UPDATE accounts SET signed_in_at = ?, role = ? WHERE id = ?",
                (self._clock(), role, row["id"]),
            )
        self.sessions.begin(row["id"], login)
        return User(row["name"], role)

    # --- inside ---------------------------------------------------------------------------------

    def _checked(self, name: str, password: str) -> tuple[str, str]:
        name = sound_name(name)
        check_new(password, name)
        return name, hashed(password, self._cost)

    def _insert(
        self,
        connection: sqlite3.Connection,
        name: str,
        kept: str,
        role: Role,
        *,
        provisional: bool = False,
    ) -> None:
        if connection.execute("SELECT 1 FROM accounts WHERE key = ?", (key_of(name),)).fetchone():
            raise UsageError(
                t("There is or was an account named {name}. Take another name.", name=name)
            )
        connection.execute(
            "INSERT INTO accounts (key, name, role, hash, provisional, made_at) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            (key_of(name), name, role, kept, provisional, self._clock()),
        )

    def _opened(self, name: str, password: str, address: str) -> sqlite3.Row:
        """The account that name and password open; one hash is computed whatever they are."""
        key = key_of(name)
        rows = self._file.rows(
            "SELECT * FROM accounts WHERE key = ? AND disabled = 0 AND deleted_at IS NULL", key
        )
        kept = str(rows[0]["hash"]) if rows else ""
        known = self._file.rows(
            "SELECT 1 FROM places JOIN accounts ON accounts.id = account_id "
            "WHERE key = ? AND what = ?",
            key,
            digest(address),
        )
        pair = (PAIR, f"{key}\n{address}")
        counted = [pair] if known else [pair, (NAME, key), (ADDRESS, address)]
        self._refuse_waiting(self._limits.wait(counted))
        with self._turn(known=bool(known)):
            # Others may have failed while this one waited for its turn.
            self._refuse_waiting(self._limits.wait(counted))
            right = matches(password[: LONGEST + 1], kept, self._cost)
            if not right:
                self._limits.failed(counted)
                raise SignInRefused(t("Name or password is wrong."))
            if cost_of(kept).below(self._cost):
                with self._file.writing() as connection:
                    connection.execute(
                        "UPDATE accounts SET hash = ? WHERE id = ?",
                        (hashed(password, self._cost), rows[0]["id"]),
                    )
        self._limits.succeeded([pair])
        return rows[0]

    @contextmanager
    def _turn(self, *, known: bool) -> Iterator[None]:
        try:
            with self._checking.turn(known=known):
                yield
        except NoTurn as exc:
            raise SignInRefused(
                t("Many people sign in just now. Try again in a moment."), wait_s=_COME_BACK_S
            ) from exc

    def _refuse_waiting(self, wait_s: float) -> None:
        if wait_s > 0:
            raise SignInRefused(
                t("Too many attempts. Try again in {n} seconds.", n=int(wait_s) + 1), wait_s=wait_s
            )


def _of(connection: sqlite3.Connection, name: str, *, leaving: bool = False) -> sqlite3.Row:
    row: sqlite3.Row | None = connection.execute(
        "SELECT * FROM accounts WHERE key = ? AND deleted_at IS NULL", (key_of(name),)
    ).fetchone()
    if row is None:
        raise UsageError(
            t("There is no account named {name}. `hayloft users list` names them.", name=name)
        )
    if row["leaving_at"] is not None and not leaving:
        raise UsageError(t("{name} is being deleted.", name=row["name"]))
    return row


def _refuse_without_admin(connection: sqlite3.Connection, changed: sqlite3.Row) -> None:
    """Undo a change that would leave accounts, and nobody who looks after them."""
    rows = connection.execute(
        "SELECT 1 FROM accounts WHERE role >= ? AND disabled = 0 AND deleted_at IS NULL LIMIT 1",
        (Role.ADMIN,),
    ).fetchone()
    if rows is None and changed["role"] >= Role.ADMIN and not changed["subject"]:
        raise UsageError(
            t("{name} is the last admin. Make another one first.", name=changed["name"])
        )


def _bare(code: str) -> str:
    return "".join(char for char in code.upper() if char.isalnum())

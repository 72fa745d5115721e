"""Who is signed in: a random token in a browser, and its hash here."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from app.accounts_file import AccountsFile, digest
from app.people import Role, User

_BYTES = 32
_SEEN_EVERY_S = 60.0
"""How often it is written down that somebody is still there."""


@dataclass(frozen=True, slots=True)
class Lasting:
    """How long one stays signed in."""

    idle_s: float
    """Without anything done: what a page refreshes by itself does not count."""
    longest_s: float
    """In all."""


class Sessions:
    """The sessions of all accounts."""

    def __init__(self, file: AccountsFile, lasting: Lasting, clock: Callable[[], float]) -> None:
        self._file = file
        self._lasting = lasting
        self._clock = clock

    def begin(self, account_id: int, token: str | None = None) -> str:
        """Sign an account in; the token is returned this once, and only its hash is kept."""
        token = token or secrets.token_urlsafe(_BYTES)
        now = self._clock()
        with self._file.writing() as connection:
            connection.execute(
                "DELETE FROM sessions WHERE made_at < ?", (now - self._lasting.longest_s,)
            )
            connection.execute(
                "INSERT INTO sessions (digest, account_id, made_at, seen_at) VALUES (?, ?, ?, ?) "
                "ON CONFLICT DO NOTHING",
                (digest(token), account_id, now, now),
            )
        return token

    def known(self, token: str) -> bool:
        """Whether a token ever began a session that could still last, ended or not."""
        return bool(self._file.rows("SELECT 1 FROM sessions WHERE digest = ?", digest(token)))

    def user(self, token: str) -> User | None:
        """Whoever is signed in with a token; None where nobody is, or no longer."""
        row = self._standing(token)
        return User(row["name"], Role(row["role"])) if row is not None else None

    def used(self, token: str) -> None:
        """Note that somebody does something; a session that has ended stays so."""
        row = self._standing(token)
        now = self._clock()
        if row is not None and now - row["seen_at"] > _SEEN_EVERY_S:
            with self._file.writing() as connection:
                connection.execute(
                    "UPDATE sessions SET seen_at = ? WHERE digest = ?", (now, digest(token))
                )

    def _standing(self, token: str) -> sqlite3.Row | None:
        if not token:
            return None
        now = self._clock()
        rows = self._file.rows(
            "SELECT name, role, seen_at FROM sessions JOIN accounts ON accounts.id = account_id "
            "WHERE digest = ? AND ended_at IS NULL AND sessions.made_at > ? AND seen_at > ? "
            "AND disabled = 0 AND deleted_at IS NULL",
            digest(token),
            now - self._lasting.longest_s,
            now - self._lasting.idle_s,
        )
        return rows[0] if rows else None

    def end(self, token: str) -> None:
        """Sign out."""
        with self._file.writing() as connection:
            connection.execute(
                "UPDATE sessions SET ended_at = ? WHERE digest = ? AND ended_at IS NULL",
                (self._clock(), digest(token)),
            )

    def end_all(self, connection: sqlite3.Connection, account_id: int) -> None:
        """Sign an account out wherever it is signed in, within a transaction."""
        connection.execute(
            "UPDATE sessions SET ended_at = ? WHERE account_id = ? AND ended_at IS NULL",
            (self._clock(), account_id),
        )


def cookie_name(data_dir: Path) -> str:
    """The cookie that holds the token; cookies know no ports, so each library has its own."""
    return f"hayloft_{digest(str(data_dir.absolute()))[:10]}"

"""The file of accounts and of who is signed in (`<data_dir>/accounts.db`)."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from storage.errors import StorageError
from storage.private_file import PrivateFile

FILE = "accounts.db"
VERSION = 1

_SCHEMA = """
CREATE TABLE accounts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    -- What two names share that count as one.
    key TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    role INTEGER NOT NULL,
    -- Empty where somebody else checks who it is.
    hash TEXT NOT NULL DEFAULT '',
    -- Issuer and subject, where somebody else checks who it is.
    subject TEXT NOT NULL DEFAULT '',
    -- Whether another person knows the password and it shall be changed.
    provisional INTEGER NOT NULL DEFAULT 0,
    made_at REAL NOT NULL,
    signed_in_at REAL,
    disabled INTEGER NOT NULL DEFAULT 0,
    -- The name of a deleted account is never given again: what was kept under it must not pass
    -- to somebody else.
    deleted_at REAL
);
CREATE TABLE sessions (
    digest TEXT PRIMARY KEY,
    account_id INTEGER NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    made_at REAL NOT NULL,
    seen_at REAL NOT NULL,
    ended_at REAL
);
CREATE INDEX sessions_by_account ON sessions (account_id);
-- Failed attempts, by a hash of the name or address: people type passwords into the wrong field.
CREATE TABLE failures (
    kind TEXT NOT NULL,
    what TEXT NOT NULL,
    failures INTEGER NOT NULL,
    last_at REAL NOT NULL,
    until REAL NOT NULL,
    PRIMARY KEY (kind, what)
);
CREATE INDEX failures_by_time ON failures (last_at);
-- Where an account was signed in from with success.
CREATE TABLE places (
    account_id INTEGER NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    what TEXT NOT NULL,
    at REAL NOT NULL,
    PRIMARY KEY (account_id, what)
);
CREATE TABLE setup (
    digest TEXT PRIMARY KEY,
    made_at REAL NOT NULL
);
"""


class AccountsFile(PrivateFile):
    """The file; every method raises StorageError where it cannot be read or written."""

    def rows(self, statement: str, *values: object) -> list[sqlite3.Row]:
        """What a statement finds."""
        return self._rows(statement, values)

    def writing(self) -> AbstractContextManager[sqlite3.Connection]:
        """A write transaction: all of it, or nothing."""
        return self._writing()

    def _prepare(self, connection: sqlite3.Connection) -> None:
        version = self._made(connection, _SCHEMA, VERSION)
        if version > VERSION:
            raise StorageError(
                f"The accounts in {self.path} were written by a newer Hayloft (schema {version}). "
                "Use that one."
            )

    @contextmanager
    def _foreseen(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as exc:
            raise StorageError(
                f"The accounts in {self.path} cannot be read or written ({exc}). Mend the "
                "permissions of the file and its folder, or restore it from a backup."
            ) from exc
        except OSError as exc:
            raise StorageError(
                f"The accounts cannot be kept in {self.path.parent} ({exc.strerror}). "
                "Mend its permissions or set HAYLOFT_DATA_DIR to another folder."
            ) from exc


def digest(secret: str) -> str:
    """SHA-256, in hexadecimal digits; enough for a secret of 256 random bits."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()

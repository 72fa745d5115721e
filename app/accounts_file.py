"""The file of accounts and of who is signed in (`<data_dir>/accounts.db`)."""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import AbstractContextManager

from storage.errors import StorageError
from storage.private_file import PrivateFile

FILE = "accounts.db"
VERSION = 2

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
    deleted_at REAL,
    -- Since when what they kept is being wiped. Nobody is let in with such an account any more.
    leaving_at REAL
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
_STEPS = {1: "ALTER TABLE accounts ADD COLUMN leaving_at REAL"}


class AccountsFile(PrivateFile):
    """The file; every method raises StorageError where it cannot be read or written."""

    _HELD = "The accounts"

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
        if version < VERSION:
            self._bring_up_to_date(connection)

    @staticmethod
    def _bring_up_to_date(connection: sqlite3.Connection) -> None:
        connection.execute("BEGIN IMMEDIATE")
        try:
            # Another process may have been first.
            version = int(connection.execute("PRAGMA user_version").fetchone()[0])
            for step in range(version, VERSION):
                connection.execute(_STEPS[step])
            connection.execute(f"PRAGMA user_version = {VERSION}")
            connection.execute("COMMIT")
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")

    def _told(self, exc: sqlite3.DatabaseError) -> str:
        return (
            f"The accounts in {self.path} cannot be read or written ({exc}). Mend the "
            "permissions of the file and its folder, or restore it from a backup."
        )


def digest(secret: str) -> str:
    """SHA-256, in hexadecimal digits; enough for a secret of 256 random bits."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()

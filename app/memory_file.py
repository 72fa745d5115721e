"""`memory.db` of the data directory: saved answers and preferences, for their owners' eyes only.

Answers and choices outlive the conversations they came from, and cannot be made again: a file of
an older version is changed in place, one of a newer version is left alone.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from storage.errors import StorageError
from storage.private_file import PrivateFile

FILE = "memory.db"
VERSION = 1

_SCHEMA = """
CREATE TABLE saved (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    -- Who saved it. Empty where nobody signs in.
    owner TEXT NOT NULL,
    conversation_id TEXT NOT NULL,
    turn_id INTEGER NOT NULL,
    saved_at REAL NOT NULL,
    -- The answer with all that goes with it.
    told TEXT NOT NULL,
    -- What came of asking again, until it is kept or not.
    again TEXT,
    -- Question and answer as a search sees them.
    folded TEXT NOT NULL,
    UNIQUE (owner, turn_id)
);
CREATE TABLE preferences (
    owner TEXT PRIMARY KEY,
    kept_at REAL NOT NULL,
    told TEXT NOT NULL
);
"""


class MemoryFile(PrivateFile):
    """The file. Every method of what derives from it raises StorageError where it fails."""

    _HELD = "Saved answers and preferences"

    def __init__(self, data_dir: Path) -> None:
        super().__init__(data_dir / FILE)

    def adopt(self, owner: str) -> None:
        """Hand what was kept before there was a login over to somebody."""
        with self._writing() as connection:
            for table in ("saved", "preferences"):
                connection.execute(
                    f"UPDATE OR IGNORE {table} SET owner = ? WHERE owner = ''", (owner,)
                )

    def _prepare(self, connection: sqlite3.Connection) -> None:
        version = self._made(connection, _SCHEMA, VERSION)
        if version > VERSION:
            raise StorageError(
                f"What is kept in {self.path} was written by a newer Hayloft (schema {version}). "
                "Use that one, or move the file away to begin anew."
            )

    def _told(self, exc: sqlite3.DatabaseError) -> str:
        return (
            f"{self._HELD} in {self.path} cannot be read or written ({exc}). "
            "See to its disk and permissions; a damaged file can be restored from a backup, or "
            "moved away to begin anew."
        )

"""A SQLite file for its owner's eyes only, through one connection."""

from __future__ import annotations

import sqlite3
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

from storage.errors import StorageError


class PrivateFile(ABC):
    """The file, made where it is missing. Safe to share between threads, and between processes.

    Whoever derives from it says what stands in the file (`_HELD`, `_prepare`),
    and what a fault of SQLite means to a reader (`_told`).
    """

    _HELD: ClassVar[str]
    """What stands in it, as a sentence begins: "The conversations"."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.RLock()
        with self._foreseen():
            path.parent.mkdir(parents=True, exist_ok=True)
            # Questions can be as private as the documents.
            path.touch(mode=0o600, exist_ok=True)
            self._connection = sqlite3.connect(
                path, timeout=10.0, isolation_level=None, check_same_thread=False
            )
            self._connection.row_factory = sqlite3.Row
            try:
                self._connection.execute("PRAGMA journal_mode = WAL")
                self._connection.execute("PRAGMA synchronous = NORMAL")
                self._connection.execute("PRAGMA foreign_keys = ON")
                self._prepare(self._connection)
            except BaseException:
                self._connection.close()
                raise

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    def overwrite(self) -> None:
        """Overwrite on the disk what was deleted so far; else that may wait for days.

        Other connections that are open keep it in the write-ahead log, and in the file beneath.
        """
        self._rows("PRAGMA wal_checkpoint(TRUNCATE)")

    @abstractmethod
    def _prepare(self, connection: sqlite3.Connection) -> None:
        """Make the tables in a new file, bring an old one up to date, refuse a newer one."""

    @abstractmethod
    def _told(self, exc: sqlite3.DatabaseError) -> str:
        """What a fault of SQLite means, and what to do."""

    @contextmanager
    def _foreseen(self) -> Iterator[None]:
        """Turns what SQLite and the disk raise into StorageError."""
        try:
            yield
        except sqlite3.DatabaseError as exc:
            raise StorageError(self._told(exc)) from exc
        except OSError as exc:
            raise StorageError(
                f"{self._HELD} cannot be kept in {self.path.parent} ({exc.strerror}). "
                "Mend its permissions or set HAYLOFT_DATA_DIR to another folder."
            ) from exc

    @staticmethod
    def _made(connection: sqlite3.Connection, schema: str, version: int) -> int:
        """Make the tables of `schema` in a new file; returns the version that the file is of.

        What is deleted from such a file is overwritten, not only unlinked.
        """
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute("BEGIN IMMEDIATE")
        try:
            found = int(connection.execute("PRAGMA user_version").fetchone()[0])
            if found == 0:
                for statement in schema.split(";\n"):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {version}")
            connection.execute("COMMIT")
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        return found or version

    def _rows(self, statement: str, values: tuple[object, ...] = ()) -> list[sqlite3.Row]:
        with self._foreseen(), self._lock:
            return self._connection.execute(statement, values).fetchall()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """A write transaction: all of it, or nothing."""
        with self._foreseen(), self._lock:
            connection = self._connection
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

"""A SQLite file for its owner's eyes only, through one connection."""

from __future__ import annotations

import sqlite3
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path


class PrivateFile(ABC):
    """The file, made where it is missing. Safe to share between threads, and between processes.

    Whoever derives from it says what stands in the file (`_prepare`), and how
    its faults are told (`_foreseen`).
    """

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

    @abstractmethod
    def _prepare(self, connection: sqlite3.Connection) -> None:
        """Make the tables in a new file, bring an old one up to date, refuse a newer one."""

    @abstractmethod
    def _foreseen(self) -> AbstractContextManager[None]:
        """Turns what SQLite and the disk raise into StorageError."""

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

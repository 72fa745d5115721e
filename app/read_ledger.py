"""What is kept of a full read while it goes on (`<data_dir>/readings.db`).

A reading is one question to one model. Of each it keeps how the question was
taken apart, which slices of which versions are read, and where something was
found, all written in the moment a part is done: a reading that was stopped or
killed goes on with its next part. Slices hang on a document's version, so a
changed document is read anew and nothing else is.

What somebody asks is theirs: each statement names the reader, and their
readings go with their account.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.accounts_file import FILE as ACCOUNTS
from app.read_parts import Part, Slice
from storage.errors import StorageError
from storage.private_file import PrivateFile

FILE = "readings.db"
"""In the data directory."""

OPEN = "open"
READ = "read"
UNCLEAR = "unclear"
"""Read, and what the model replied could not be made out."""
CUT = "cut"
"""Read, and the model copied more than it had room for."""

KEPT = 200
"""Readings that are kept of each reader, the last used ones; no text of documents is in them."""

_VERSION = 2
_SCHEMA = """
CREATE TABLE readings (
    id TEXT PRIMARY KEY,
    searched TEXT NOT NULL,
    -- JSON arrays of questions, NULL where they have not been asked for yet.
    parts TEXT,
    further TEXT,
    used_at REAL NOT NULL,
    -- What reading has cost so far, all sessions together.
    requests INTEGER NOT NULL DEFAULT 0,
    tokens INTEGER NOT NULL DEFAULT 0,
    seconds REAL NOT NULL DEFAULT 0,
    unproved INTEGER NOT NULL DEFAULT 0,
    -- Who asks. Empty where nobody signs in.
    reader TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;
CREATE INDEX readings_by_reader ON readings (reader, used_at);
-- A part is the open slices of one ordinal.
CREATE TABLE slices (
    reading TEXT NOT NULL REFERENCES readings (id) ON DELETE CASCADE,
    ordinal INTEGER NOT NULL,
    position INTEGER NOT NULL,
    version_id INTEGER NOT NULL,
    page INTEGER NOT NULL,
    char_start INTEGER NOT NULL,
    char_end INTEGER NOT NULL,
    tokens INTEGER NOT NULL,
    state TEXT NOT NULL,
    PRIMARY KEY (reading, ordinal, position)
) WITHOUT ROWID;
CREATE TABLE found (
    reading TEXT NOT NULL REFERENCES readings (id) ON DELETE CASCADE,
    version_id INTEGER NOT NULL,
    page INTEGER NOT NULL,
    char_start INTEGER NOT NULL,
    char_end INTEGER NOT NULL,
    PRIMARY KEY (reading, version_id, page, char_start, char_end)
) WITHOUT ROWID;
"""
_READER = (
    "ALTER TABLE readings ADD COLUMN reader TEXT NOT NULL DEFAULT ''",
    "CREATE INDEX readings_by_reader ON readings (reader, used_at)",
)
# Of a reading's slices and of what was found in it.
_OWN = "reading = (SELECT id FROM readings WHERE id = ? AND reader = ?)"


@dataclass(frozen=True, slots=True)
class KeptReading:
    """A reading as it stands."""

    searched: str
    """The question, complete in itself."""
    parts: tuple[str, ...] | None
    """What it was taken apart into; None while that has not been asked."""
    further: tuple[str, ...] | None
    requests: int
    tokens: int
    seconds: float
    unproved: int


@dataclass(frozen=True, slots=True)
class KeptSlice:
    """One slice and what became of it."""

    ordinal: int
    position: int
    where: Slice
    tokens: int
    """Its share of the part's."""
    state: str


@dataclass(frozen=True, slots=True)
class Settled:
    """What one part came to."""

    ordinal: int
    states: dict[int, str]
    """The new state of slices, by position; those that failed are not in it and stay open."""
    found: tuple[Slice, ...] = ()
    requests: int = 0
    tokens: int = 0
    seconds: float = 0.0
    unproved: int = 0


class Readings(PrivateFile):
    """The readings of one reader. Safe to share between threads, and between processes.

    A reading of somebody else is to every method what one is that does not exist. The reader is
    empty where nobody signs in. Every method raises StorageError where the file cannot be used.
    """

    _HELD = "What was read so far"

    def __init__(self, path: Path, reader: str = "") -> None:
        self._reader = reader
        super().__init__(path)

    def get(self, reading: str) -> KeptReading | None:
        """A reading; None where there is none of that id."""
        rows = self._rows("SELECT * FROM readings WHERE id = ? AND reader = ?", self._own(reading))
        if not rows:
            return None
        row = rows[0]
        return KeptReading(
            searched=row["searched"],
            parts=_texts(row["parts"]),
            further=_texts(row["further"]),
            requests=row["requests"],
            tokens=row["tokens"],
            seconds=row["seconds"],
            unproved=row["unproved"],
        )

    def begin(self, reading: str, searched: str) -> KeptReading:
        """The reading of that id, made where there is none; the reader's oldest beyond KEPT go."""
        with self._writing() as connection:
            connection.execute(
                "INSERT INTO readings (id, searched, used_at, reader) VALUES (?, ?, ?, ?)"
                " ON CONFLICT (id) DO UPDATE SET used_at = excluded.used_at"
                " WHERE reader = excluded.reader",
                (reading, searched, time.time(), self._reader),
            )
            connection.execute(
                "DELETE FROM readings WHERE id IN (SELECT id FROM readings WHERE reader = ?"
                " ORDER BY used_at DESC LIMIT -1 OFFSET ?)",
                (self._reader, KEPT),
            )
        kept = self.get(reading)
        if kept is None:
            raise StorageError(f"{self.path} lost what was just written to it. Ask again.")
        return kept

    def forget(self, reading: str) -> None:
        """Delete a reading, so that everything is read anew."""
        with self._writing() as connection:
            connection.execute(
                "DELETE FROM readings WHERE id = ? AND reader = ?", self._own(reading)
            )

    def forget_all(self) -> None:
        """Delete all that the reader ever had read."""
        with self._writing() as connection:
            connection.execute("DELETE FROM readings WHERE reader = ?", (self._reader,))

    def keep_parts(self, reading: str, parts: Sequence[str]) -> None:
        """Write down what the question was taken apart into."""
        self._keep_questions("parts", reading, parts)

    def keep_further(self, reading: str, further: Sequence[str] | None) -> None:
        """Write down what was asked after reading; None where that is to be asked again."""
        self._keep_questions("further", reading, further)

    def _keep_questions(self, column: str, reading: str, texts: Sequence[str] | None) -> None:
        kept = None if texts is None else json.dumps(list(texts), ensure_ascii=True)
        with self._writing() as connection:
            connection.execute(
                f"UPDATE readings SET {column} = ? WHERE id = ? AND reader = ?",
                (kept, *self._own(reading)),
            )

    def slices(self, reading: str) -> list[KeptSlice]:
        """All slices of a reading, part after part."""
        rows = self._rows(
            f"SELECT * FROM slices WHERE {_OWN} ORDER BY ordinal, position", self._own(reading)
        )
        return [
            KeptSlice(
                row["ordinal"],
                row["position"],
                Slice(row["version_id"], row["page"], row["char_start"], row["char_end"]),
                row["tokens"],
                row["state"],
            )
            for row in rows
        ]

    def add(self, reading: str, parts: Iterable[Part]) -> None:
        """Write down parts that are to be read, behind those there are.

        What another process, asked the same, has written down meanwhile is not added again.
        """
        with self._writing() as connection:
            self._check_held(connection, reading)
            rows = connection.execute(
                "SELECT version_id, page, char_start, char_end FROM slices WHERE reading = ?",
                (reading,),
            )
            there = {Slice(*row) for row in rows}
            new = [part for part in parts if not there.issuperset(part.slices)]
            first = connection.execute(
                "SELECT coalesce(max(ordinal), -1) + 1 FROM slices WHERE reading = ?", (reading,)
            ).fetchone()[0]
            connection.executemany(
                "INSERT INTO slices VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    (reading, first + number, position, *where, tokens, OPEN)
                    for number, part in enumerate(new)
                    for position, (where, tokens) in enumerate(
                        zip(part.slices, _shares(part), strict=True)
                    )
                ),
            )

    def drop_parts(self, reading: str, ordinals: Collection[int]) -> None:
        """Take parts out of which a slice can no longer be read; what is read of them stays."""
        with self._writing() as connection:
            connection.executemany(
                f"DELETE FROM slices WHERE {_OWN} AND ordinal = ? AND state = ?",
                ((*self._own(reading), ordinal, OPEN) for ordinal in ordinals),
            )

    def settle(self, reading: str, settled: Settled) -> None:
        """Write down what a part came to, in one transaction."""
        with self._writing() as connection:
            self._check_held(connection, reading)
            connection.executemany(
                "UPDATE slices SET state = ? WHERE reading = ? AND ordinal = ? AND position = ?",
                (
                    (state, reading, settled.ordinal, position)
                    for position, state in settled.states.items()
                ),
            )
            connection.executemany(
                "INSERT OR IGNORE INTO found VALUES (?, ?, ?, ?, ?)",
                ((reading, *where) for where in settled.found),
            )
            connection.execute(
                "UPDATE readings SET requests = requests + ?, tokens = tokens + ?,"
                " seconds = seconds + ?, unproved = unproved + ?,"
                # Other sentences, other questions.
                " further = CASE WHEN ? THEN NULL ELSE further END WHERE id = ?",
                (
                    settled.requests,
                    settled.tokens,
                    settled.seconds,
                    settled.unproved,
                    bool(settled.found),
                    reading,
                ),
            )

    def found(self, reading: str) -> list[Slice]:
        """Where something was found, by version, page and place."""
        rows = self._rows(
            f"SELECT version_id, page, char_start, char_end FROM found WHERE {_OWN}"
            " ORDER BY version_id, page, char_start, char_end",
            self._own(reading),
        )
        return [Slice(*row) for row in rows]

    def _own(self, reading: str) -> tuple[str, str]:
        return reading, self._reader

    def _check_held(self, connection: sqlite3.Connection, reading: str) -> None:
        """Their account may have been deleted, and with it the reading, while it went on."""
        held = "SELECT 1 FROM readings WHERE id = ? AND reader = ?"
        if connection.execute(held, self._own(reading)).fetchone() is None:
            raise StorageError("What was read so far is no longer there. Ask again.")

    # --- the file -----------------------------------------------------------------------------

    def _prepare(self, connection: sqlite3.Connection) -> None:
        version = self._made(connection, _SCHEMA, _VERSION)
        if version == 1:
            version = self._name_readers(connection)
        if version != _VERSION:
            raise StorageError(
                f"{self.path} was written by another version of Hayloft. Update Hayloft, or move "
                "the file away: it only holds readings that were begun."
            )

    def _name_readers(self, connection: sqlite3.Connection) -> int:
        """From version 1 on: whose readings they are. Where people sign in, nobody knows by now."""
        connection.execute("BEGIN IMMEDIATE")
        try:
            # Another process may have been first.
            if connection.execute("PRAGMA user_version").fetchone()[0] == 1:
                for statement in _READER:
                    connection.execute(statement)
                if self.path.with_name(ACCOUNTS).exists():
                    connection.execute("DELETE FROM readings")
                connection.execute("PRAGMA user_version = 2")
            connection.execute("COMMIT")
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        return int(connection.execute("PRAGMA user_version").fetchone()[0])

    def _told(self, exc: sqlite3.DatabaseError) -> str:
        return (
            f"{self._HELD} cannot be kept in {self.path}: {exc}. "
            "Check the disk and the rights of the folder."
        )


def _shares(part: Part) -> list[int]:
    """The part's tokens, told out to its slices by their length."""
    whole = sum(where.end - where.start for where in part.slices) or 1
    shares = [part.tokens * (where.end - where.start) // whole for where in part.slices]
    shares[0] += part.tokens - sum(shares)
    return shares


def _texts(kept: str | None) -> tuple[str, ...] | None:
    return None if kept is None else tuple(json.loads(kept))

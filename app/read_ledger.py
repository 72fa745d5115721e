"""What is kept of a full read while it goes on (`<data_dir>/readings.db`).

A reading is one question to one model. Of each it keeps how the question was
taken apart, which slices of which versions are read, and where something was
found, all written in the moment a part is done: a reading that was stopped or
killed goes on with its next part. Slices hang on a document's version, so a
changed document is read anew and nothing else is.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from app.read_parts import Part, Slice
from storage.errors import StorageError
from storage.private_file import PrivateFile

OPEN = "open"
READ = "read"
UNCLEAR = "unclear"
"""Read, and what the model replied could not be made out."""
CUT = "cut"
"""Read, and the model copied more than it had room for."""

KEPT = 200
"""Readings that are kept, the last used ones; text of documents is in none of them."""

_VERSION = 1
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
    unproved INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
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
    """The store. Safe to share between threads, and between processes.

    Every method raises StorageError where the file cannot be used.
    """

    def get(self, reading: str) -> KeptReading | None:
        """A reading; None where there is none of that id."""
        rows = self._rows("SELECT * FROM readings WHERE id = ?", (reading,))
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
        """The reading of that id, made where there is none; the oldest ones beyond KEPT go."""
        with self._writing() as connection:
            connection.execute(
                "INSERT INTO readings (id, searched, used_at) VALUES (?, ?, ?)"
                " ON CONFLICT (id) DO UPDATE SET used_at = excluded.used_at",
                (reading, searched, time.time()),
            )
            connection.execute(
                "DELETE FROM readings WHERE id IN"
                " (SELECT id FROM readings ORDER BY used_at DESC LIMIT -1 OFFSET ?)",
                (KEPT,),
            )
        kept = self.get(reading)
        if kept is None:
            raise StorageError(f"{self.path} lost what was just written to it. Ask again.")
        return kept

    def forget(self, reading: str) -> None:
        """Delete a reading, so that everything is read anew."""
        with self._writing() as connection:
            connection.execute("DELETE FROM readings WHERE id = ?", (reading,))

    def keep_parts(self, reading: str, parts: Sequence[str]) -> None:
        """Write down what the question was taken apart into."""
        self._keep_questions("parts", reading, parts)

    def keep_further(self, reading: str, further: Sequence[str] | None) -> None:
        """Write down what was asked after reading; None where that is to be asked again."""
        self._keep_questions("further", reading, further)

    def _keep_questions(self, column: str, reading: str, texts: Sequence[str] | None) -> None:
        kept = None if texts is None else json.dumps(list(texts), ensure_ascii=True)
        with self._writing() as connection:
            connection.execute(f"UPDATE readings SET {column} = ? WHERE id = ?", (kept, reading))

    def slices(self, reading: str) -> list[KeptSlice]:
        """All slices of a reading, part after part."""
        rows = self._rows(
            "SELECT * FROM slices WHERE reading = ? ORDER BY ordinal, position", (reading,)
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
                "DELETE FROM slices WHERE reading = ? AND ordinal = ? AND state = ?",
                ((reading, ordinal, OPEN) for ordinal in ordinals),
            )

    def settle(self, reading: str, settled: Settled) -> None:
        """Write down what a part came to, in one transaction."""
        with self._writing() as connection:
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
            "SELECT version_id, page, char_start, char_end FROM found WHERE reading = ?"
            " ORDER BY version_id, page, char_start, char_end",
            (reading,),
        )
        return [Slice(*row) for row in rows]

    # --- the file -----------------------------------------------------------------------------

    def _prepare(self, connection: sqlite3.Connection) -> None:
        if self._made(connection, _SCHEMA, _VERSION) != _VERSION:
            raise StorageError(
                f"{self.path} was written by another version of Hayloft. Update Hayloft, or move "
                "the file away: it only holds readings that were begun."
            )

    @contextmanager
    def _foreseen(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as exc:
            raise StorageError(
                f"What was read so far cannot be kept in {self.path}: {exc}. "
                "Check the disk and the rights of the folder."
            ) from exc


def _shares(part: Part) -> list[int]:
    """The part's tokens, told out to its slices by their length."""
    whole = sum(where.end - where.start for where in part.slices) or 1
    shares = [part.tokens * (where.end - where.start) // whole for where in part.slices]
    shares[0] += part.tokens - sum(shares)
    return shares


def _texts(kept: str | None) -> tuple[str, ...] | None:
    return None if kept is None else tuple(json.loads(kept))

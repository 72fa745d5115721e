"""Reading the catalog: what the library holds, and the rows behind a hit."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from storage.database import Database
from storage.lexical import match_expression
from storage.records import DocumentSummary, Failure, LibraryCounts, Page, RunSummary

GRACE_S = 2.0
"""Seconds that replaced vectors stay in Chroma, for readers that began before the switch."""

_TITLE_WEIGHT = 0.5
"""BM25 weight of a word in title or heading, against 1 in the text."""


@dataclass(frozen=True, slots=True)
class IndexIdentity:
    """What an index was built with; vectors of another identity do not compare."""

    embedder: str
    dimension: int
    chunking: str
    """Fingerprint of every setting that decides where chunks begin and end."""
    collection: str
    """The Chroma collection that holds the vectors."""

    def to_json(self) -> str:
        """The identity as the catalog keeps it."""
        return json.dumps(asdict(self))


@dataclass(frozen=True, slots=True)
class Passage:
    """A chunk of a current version, as the catalog knows it."""

    chunk_id: str
    document_id: int
    version_id: int
    document: str
    title: str
    paged: bool
    page: int
    page_label: str
    heading: str
    char_start: int
    char_end: int
    text: str


class Snapshot:
    """One consistent state of the catalog; valid inside `Catalog.snapshot()`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def identity(self) -> IndexIdentity | None:
        """What the index was built with; None before the first ingestion."""
        row = self._connection.execute("SELECT value FROM meta WHERE key = 'index'").fetchone()
        return IndexIdentity(**json.loads(row[0])) if row else None

    def hidden_versions(self, collection: str) -> list[int]:
        """Versions whose vectors may be in a collection although nobody may see them."""
        rows = self._connection.execute(
            "SELECT id FROM versions WHERE collection = ? AND state != 'current'", (collection,)
        )
        return [row[0] for row in rows]

    def document_ids(self, names: Sequence[str]) -> list[int]:
        """Ids of the current documents with one of these paths, or under one of these folders."""
        found: list[int] = []
        for name in names:
            folder = name.rstrip("/") + "/"
            rows = self._connection.execute(
                "SELECT id FROM documents WHERE version_id IS NOT NULL"
                " AND (path = ? OR substr(path, 1, ?) = ?)",
                (name, len(folder), folder),
            )
            found.extend(row[0] for row in rows)
        return list(dict.fromkeys(found))

    def lexical(
        self, query: str, limit: int, document_ids: Sequence[int] | None = None
    ) -> list[tuple[str, float]]:
        """Chunk ids whose words match the query best, with BM25 scores (higher is better)."""
        expression = match_expression(query)
        if not expression:
            return []
        scope, values = "", []
        if document_ids is not None:
            scope = f" AND d.id IN ({_marks(document_ids)})"
            values = list(document_ids)
        rows = self._connection.execute(
            "SELECT c.version_id, c.ordinal, w.score FROM ("
            f" SELECT rowid, bm25(words, 1.0, {_TITLE_WEIGHT}) AS score FROM words"
            f" WHERE words MATCH ?{'' if scope else ' ORDER BY score LIMIT ?'}"
            ") w JOIN chunks c ON c.id = w.rowid"
            f" JOIN documents d ON d.version_id = c.version_id{scope}"
            " ORDER BY w.score, c.version_id, c.ordinal LIMIT ?",
            # Rows of a version that is not shown yet share the words table.
            (expression, *([] if scope else [4 * limit]), *values, limit),
        )
        return [(f"{row[0]}:{row[1]}", -row[2]) for row in rows]

    def passages(self, chunk_ids: Iterable[str]) -> dict[str, Passage]:
        """The passages of those ids that belong to a current version; others are left out."""
        wanted = [_key(chunk_id) for chunk_id in chunk_ids]
        found: dict[str, Passage] = {}
        for start in range(0, len(wanted), 400):
            part = wanted[start : start + 400]
            rows = self._connection.execute(
                f"WITH wanted (version_id, ordinal) AS (VALUES {', '.join(['(?, ?)'] * len(part))})"
                " SELECT c.version_id, c.ordinal, c.page, c.char_start, c.char_end, c.heading,"
                " substr(p.text, c.char_start + 1, c.char_end - c.char_start) AS text, p.label,"
                " d.id AS document_id, d.path, v.title, v.paged"
                " FROM wanted JOIN chunks c USING (version_id, ordinal)"
                " JOIN documents d ON d.version_id = c.version_id"
                " JOIN versions v ON v.id = c.version_id"
                " JOIN pages p ON p.version_id = c.version_id AND p.number = c.page",
                [value for key in part for value in key],
            )
            for row in rows:
                chunk_id = f"{row['version_id']}:{row['ordinal']}"
                found[chunk_id] = Passage(
                    chunk_id=chunk_id,
                    document_id=row["document_id"],
                    version_id=row["version_id"],
                    document=row["path"],
                    title=row["title"],
                    paged=bool(row["paged"]),
                    page=row["page"],
                    page_label=row["label"],
                    heading=row["heading"],
                    char_start=row["char_start"],
                    char_end=row["char_end"],
                    text=row["text"],
                )
        return found


class Catalog:
    """The truth about a library: documents, pages, chunks, words, runs, failures.

    Safe to use from many threads and processes; readers never wait for the
    writer. Every method raises StorageError when the database cannot be used.
    """

    def __init__(self, path: Path) -> None:
        self.database = Database(path)

    @property
    def path(self) -> Path:
        """The SQLite file."""
        return self.database.path

    def close(self) -> None:
        """Close all connections."""
        self.database.close()

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        """Several reads of one and the same state."""
        with self.database.snapshot() as connection:
            yield Snapshot(connection)

    def library_id(self) -> str:
        """A random name of this library, given when the catalog was created."""
        with self.database.snapshot() as connection:
            row = connection.execute("SELECT value FROM meta WHERE key = 'library'").fetchone()
            return str(row[0])

    def identity(self) -> IndexIdentity | None:
        """What the index was built with; None before the first ingestion."""
        with self.snapshot() as snapshot:
            return snapshot.identity()

    def counts(self) -> LibraryCounts:
        """How large and how fresh the library is."""
        with self.database.snapshot() as connection:
            row = connection.execute(
                "SELECT count(*), coalesce(sum(v.pages), 0), coalesce(sum(v.chunks), 0)"
                " FROM documents d JOIN versions v ON v.id = d.version_id"
            ).fetchone()
            failures = connection.execute("SELECT count(*) FROM failures").fetchone()[0]
            last = connection.execute(
                "SELECT max(finished_at) FROM runs WHERE outcome IN ('complete', 'failed-files')"
            ).fetchone()[0]
            return LibraryCounts(row[0], row[1], row[2], failures, last)

    def documents(self) -> list[DocumentSummary]:
        """All documents that can be found, by path."""
        with self.database.snapshot() as connection:
            rows = connection.execute(f"{_SUMMARY} ORDER BY d.path, s.root").fetchall()
            return [_summary(row) for row in rows]

    def document_named(self, path: str) -> DocumentSummary | None:
        """The document with this path relative to its source root."""
        with self.database.snapshot() as connection:
            row = connection.execute(
                f"{_SUMMARY} WHERE d.path = ? ORDER BY s.root LIMIT 1", (path,)
            ).fetchone()
            return _summary(row) if row else None

    def page(self, document_id: int, number: int) -> Page | None:
        """One page of a document's current version."""
        with self.database.snapshot() as connection:
            row = connection.execute(
                "SELECT p.number, p.text, p.label, p.heading FROM documents d"
                " JOIN pages p ON p.version_id = d.version_id WHERE d.id = ? AND p.number = ?",
                (document_id, number),
            ).fetchone()
            return Page(*row) if row else None

    def pages(self, document_id: int) -> list[Page]:
        """All pages of a document's current version, in order."""
        with self.database.snapshot() as connection:
            rows = connection.execute(
                "SELECT p.number, p.text, p.label, p.heading FROM documents d"
                " JOIN pages p ON p.version_id = d.version_id WHERE d.id = ? ORDER BY p.number",
                (document_id,),
            ).fetchall()
            return [Page(*row) for row in rows]

    def failures(self) -> list[Failure]:
        """The files that are set aside, by path."""
        with self.database.snapshot() as connection:
            rows = connection.execute(
                "SELECT f.path, s.root, f.kind, f.reason, f.attempts, f.last_seen,"
                " d.version_id IS NOT NULL AS serves FROM failures f"
                " JOIN sources s ON s.id = f.source_id"
                " LEFT JOIN documents d ON d.source_id = f.source_id AND d.path = f.path"
                " ORDER BY f.path"
            ).fetchall()
            return [
                Failure(
                    document=row["path"],
                    source_root=row["root"],
                    kind=row["kind"],
                    reason=row["reason"],
                    attempts=row["attempts"],
                    last_seen=row["last_seen"],
                    serves_old_version=bool(row["serves"]),
                )
                for row in rows
            ]

    def runs(self, limit: int = 20) -> list[RunSummary]:
        """The last ingestion runs, newest first."""
        with self.database.snapshot() as connection:
            rows = connection.execute(
                "SELECT id, started_at, finished_at, outcome, added, updated, unchanged, deleted,"
                " failed, pages, chunks, message FROM runs ORDER BY id DESC LIMIT ?",
                (limit,),
            ).fetchall()
            return [RunSummary(*row) for row in rows]

    def sources(self) -> list[tuple[str, bool]]:
        """The source roots, each with whether it is kept in line as a whole."""
        with self.database.snapshot() as connection:
            rows = connection.execute("SELECT root, whole FROM sources ORDER BY root").fetchall()
            return [(row[0], bool(row[1])) for row in rows]

    def vector_ids(self, collection: str) -> tuple[set[str], set[str]]:
        """Ids of the vectors that visible chunks need, and of those noted for others."""
        visible: set[str] = set()
        noted: set[str] = set()
        with self.database.snapshot() as connection:
            rows = connection.execute(
                "SELECT id, chunks, state FROM versions WHERE collection = ?", (collection,)
            )
            for version_id, chunks, state in rows:
                ids = {f"{version_id}:{ordinal}" for ordinal in range(chunks)}
                (visible if state == "current" else noted).update(ids)
        return visible, noted

    def fault(self) -> str:
        """What SQLite's own check finds wrong with the file; empty when it is sound."""
        with self.database.snapshot() as connection:
            row = connection.execute("PRAGMA quick_check(1)").fetchone()
            return "" if row[0] == "ok" else str(row[0])


_SUMMARY = (
    "SELECT d.id, d.path, s.root, v.title, v.pages, v.chunks, v.characters, v.size, v.paged,"
    " v.created_at, v.warnings FROM documents d JOIN versions v ON v.id = d.version_id"
    " JOIN sources s ON s.id = d.source_id"
)


def _summary(row: sqlite3.Row) -> DocumentSummary:
    return DocumentSummary(
        document_id=row["id"],
        document=row["path"],
        source_root=row["root"],
        title=row["title"],
        pages=row["pages"],
        chunks=row["chunks"],
        characters=row["characters"],
        size=row["size"],
        paged=bool(row["paged"]),
        ingested_at=row["created_at"],
        warnings=tuple(json.loads(row["warnings"])),
    )


def _key(chunk_id: str) -> tuple[int, int]:
    version, _, ordinal = chunk_id.partition(":")
    return int(version), int(ordinal)


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))

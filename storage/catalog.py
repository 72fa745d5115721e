"""Reading the catalog: what the library holds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from storage.database import Database
from storage.document_rows import (
    FAILURES,
    PAGE_COLUMNS,
    PRIVATE_SUMMARY,
    SUMMARY,
    Faults,
    failure_of,
    page_of,
    summaries_of,
    summary_of,
)
from storage.index_identity import IndexIdentity
from storage.listing import (
    Listed,
    PageMark,
    StateCounts,
    Wanted,
    folders,
    listed,
    page_marks,
    state_counts,
)
from storage.records import (
    DocumentSummary,
    Facets,
    Failure,
    LibraryCounts,
    Page,
    ReadFile,
    RoomContents,
    RunSummary,
    chunk_ids,
)
from storage.run_history import read_runs
from storage.scoping import has_private
from storage.snapshot import Passage, Snapshot

__all__ = ["GRACE_S", "Catalog", "IndexIdentity", "Passage", "Snapshot"]

GRACE_S = 2.0
"""Seconds that replaced vectors stay in Chroma, for readers that began before the switch."""

_TAGS_LISTED = 500

_FAILURE = f"{FAILURES} AND s.room = ''"
_OF_LIBRARY = "source_id IN (SELECT id FROM sources WHERE room = '')"

_SEEN_IN_ROOM = (
    "coalesce(d.version_id, (SELECT id FROM versions WHERE document_id = d.id"
    " AND state = 'private' AND room = ?))"
)
"""The version of a document that a room sees: the library's, or its own private one."""


class Catalog:
    """The truth about a library: documents, pages, chunks, words, runs, failures.

    Safe to use from many threads and processes; readers never wait for the
    writer. Every method raises StorageError when the database cannot be used.
    """

    def __init__(self, path: Path) -> None:
        self.database = Database(path)
        self._frequent: dict[str, tuple[int, float]] = {}

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
            yield Snapshot(connection, self._frequent)

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
                "SELECT count(*), coalesce(sum(pages), 0), coalesce(sum(chunks), 0)"
                " FROM versions WHERE state = 'current'"
            ).fetchone()
            failures = connection.execute(
                f"SELECT count(*) FROM failures WHERE {_OF_LIBRARY}"
            ).fetchone()[0]
            last = connection.execute(
                "SELECT max(finished_at) FROM runs WHERE outcome IN ('complete', 'failed-files')"
            ).fetchone()[0]
            return LibraryCounts(row[0], row[1], row[2], failures, last)

    def documents(self) -> list[DocumentSummary]:
        """All documents that can be found, by path."""
        with self.database.snapshot() as connection:
            rows = connection.execute(f"{SUMMARY} ORDER BY d.path, s.root").fetchall()
            faults = Faults(connection)
            return [summary_of(row, faults) for row in rows]

    def listing(self, wanted: Wanted) -> Listed:
        """One page of the list of documents and of files that were never read."""
        with self.database.snapshot() as connection:
            return listed(connection, wanted)

    def state_counts(self) -> StateCounts:
        """How many documents are fine, set aside, without text and so on."""
        with self.database.snapshot() as connection:
            return state_counts(connection)

    def folders(self, limit: int = 500) -> list[tuple[str, str, int]]:
        """Source roots and the folders directly below them, with their documents."""
        with self.database.snapshot() as connection:
            return folders(connection, limit)

    def document(self, document_id: int) -> DocumentSummary | None:
        """The document with this id, while it can be found."""
        with self.database.snapshot() as connection:
            return summaries_of(connection, [document_id]).get(document_id)

    def page_marks(self, document_id: int) -> list[PageMark]:
        """What is known of each page of a document, without the texts."""
        with self.database.snapshot() as connection:
            return page_marks(connection, document_id)

    def failure(self, source_root: str, path: str) -> Failure | None:
        """Why one file is set aside, or cannot be read now."""
        with self.database.snapshot() as connection:
            row = connection.execute(
                f"{_FAILURE} WHERE s.root = ? AND f.path = ?", (source_root, path)
            ).fetchone()
            return failure_of(row, row["last_good"]) if row else None

    def facets(self) -> Facets:
        """What a scope can choose from."""
        with self.database.snapshot() as connection:
            counted = {
                column: dict(
                    connection.execute(
                        f"SELECT {column}, count(*) AS n FROM versions WHERE state = 'current'"
                        f" GROUP BY {column} ORDER BY n DESC, {column}"
                    ).fetchall()
                )
                for column in ("kind", "language")
            }
            tags = connection.execute(
                "SELECT tag, count(*) AS n FROM tags JOIN versions ON versions.id = version_id"
                " WHERE state = 'current' GROUP BY tag ORDER BY n DESC, tag LIMIT ?",
                (_TAGS_LISTED,),
            ).fetchall()
            first, last = connection.execute(
                "SELECT coalesce(min(dated), ''), coalesce(max(dated), '') FROM versions"
                " WHERE state = 'current' AND dated != ''"
            ).fetchone()
            return Facets(counted["kind"], counted["language"], dict(tags), first, last)

    def paths(self) -> list[str]:
        """The paths of all documents that can be found."""
        with self.database.snapshot() as connection:
            rows = connection.execute(
                "SELECT DISTINCT path FROM documents WHERE version_id IS NOT NULL ORDER BY path"
            )
            return [row[0] for row in rows]

    def file_of(self, document_id: int, *, room: str = "") -> ReadFile | None:
        """The file that the document's current version was read from.

        A private document has one for its own room alone.
        """
        with self.database.snapshot() as connection:
            row = connection.execute(
                "SELECT s.root, d.path, v.size, v.mtime_ns, v.sha256 FROM documents d"
                f" JOIN sources s ON s.id = d.source_id JOIN versions v ON v.id = {_SEEN_IN_ROOM}"
                " WHERE d.id = ?",
                (room, document_id),
            ).fetchone()
            return ReadFile(*row) if row else None

    def page(self, document_id: int, number: int, *, room: str = "") -> Page | None:
        """One page of a document's current version; of a private one for its own room alone."""
        with self.database.snapshot() as connection:
            row = connection.execute(
                f"SELECT {PAGE_COLUMNS} FROM documents d"
                f" JOIN pages p ON p.version_id = {_SEEN_IN_ROOM} WHERE d.id = ? AND p.number = ?",
                (room, document_id, number),
            ).fetchone()
            return page_of(row) if row else None

    def pages(self, document_id: int) -> list[Page]:
        """All pages of a document's current version, in order."""
        with self.database.snapshot() as connection:
            rows = connection.execute(
                f"SELECT {PAGE_COLUMNS} FROM documents d"
                " JOIN pages p ON p.version_id = d.version_id WHERE d.id = ? ORDER BY p.number",
                (document_id,),
            ).fetchall()
            return [page_of(row) for row in rows]

    def failures(self) -> list[Failure]:
        """The files that are set aside, by path."""
        with self.database.snapshot() as connection:
            rows = connection.execute(f"{_FAILURE} ORDER BY f.path").fetchall()
            return [failure_of(row, row["last_good"]) for row in rows]

    def runs(self, limit: int = 20) -> list[RunSummary]:
        """The last ingestion runs, newest first; `run_history.lately` knows which were killed."""
        with self.database.snapshot() as connection:
            return read_runs(connection, limit)

    def sources(self) -> list[tuple[str, bool]]:
        """The source roots, each with whether it is kept in line as a whole; no rooms."""
        with self.database.snapshot() as connection:
            rows = connection.execute(
                "SELECT root, whole FROM sources WHERE room = '' ORDER BY root"
            ).fetchall()
            return [(row[0], bool(row[1])) for row in rows]

    def has_room(self, room: str) -> bool:
        """Whether a conversation has a private document that can be searched."""
        with self.database.snapshot() as connection:
            return has_private(connection, room)

    def room(self, room: str) -> RoomContents:
        """The private documents of a conversation, and its files that were set aside, by path."""
        with self.database.snapshot() as connection:
            rows = connection.execute(f"{PRIVATE_SUMMARY} ORDER BY d.path", (room,)).fetchall()
            faults = Faults(connection)
            failures = connection.execute(
                f"{FAILURES} WHERE s.room != '' AND s.room = ? ORDER BY f.path", (room,)
            ).fetchall()
            return RoomContents(
                tuple(summary_of(row, faults) for row in rows),
                tuple(failure_of(row, row["last_good"]) for row in failures),
            )

    def vector_ids(self, collection: str) -> tuple[set[str], set[str]]:
        """Ids of the vectors that visible chunks need, and of those noted for others."""
        visible: set[str] = set()
        noted: set[str] = set()
        with self.database.snapshot() as connection:
            rows = connection.execute(
                "SELECT id, chunks, state FROM versions WHERE collection = ?", (collection,)
            )
            for version_id, chunks, state in rows:
                ids = chunk_ids({version_id: chunks})
                (visible if state in ("current", "private") else noted).update(ids)
        return visible, noted

    def fault(self) -> str:
        """What SQLite's own check finds wrong with the file; empty when it is sound."""
        with self.database.snapshot() as connection:
            row = connection.execute("PRAGMA quick_check(1)").fetchone()
            return "" if row[0] == "ok" else str(row[0])

"""The journal of versions: begun, published, moved, retired and forgotten."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass

from storage.dates import local_date
from storage.document_rows import PAGE_COLUMNS, page_of
from storage.errors import StorageError
from storage.facts import FROM_FILE, facts_of, store_facts
from storage.index_identity import IndexIdentity
from storage.known_files import FileState
from storage.lexical import index_text
from storage.names import name_terms, store_names, title_text
from storage.records import Chunk, Page, ParsedDocument
from storage.version_rows import (
    SHOWN,
    CatalogPart,
    clear_version,
    open_up,
    remove_documents,
    room_of,
    show_version,
)


@dataclass(frozen=True, slots=True)
class NewVersion:
    """The ids of a version that is about to be filled, and of its document."""

    version_id: int
    document_id: int


@dataclass(frozen=True, slots=True)
class Leftover:
    """A version whose vectors are to be deleted."""

    version_id: int
    chunks: int
    collection: str


class Journal(CatalogPart):
    """The versions of documents."""

    def begin_version(self, source_id: int, path: str, chunks: int, collection: str) -> NewVersion:
        """Note that the vectors of a new version are about to be sent."""
        with self._database.writing() as connection:
            connection.execute(
                "INSERT OR IGNORE INTO documents (source_id, path) VALUES (?, ?)",
                (source_id, path),
            )
            row = connection.execute(
                "SELECT id FROM documents WHERE source_id = ? AND path = ?", (source_id, path)
            ).fetchone()
            cursor = connection.execute(
                "INSERT INTO versions (document_id, collection, state, chunks, created_at, room)"
                " VALUES (?, ?, 'pending', ?, ?, ?)",
                (row[0], collection, chunks, time.time(), room_of(connection, source_id)),
            )
            return NewVersion(int(cursor.lastrowid or 0), int(row[0]))

    def publish(
        self,
        version_id: int,
        file: FileState,
        document: ParsedDocument,
        chunks: Sequence[Chunk],
        embedded_shas: Sequence[bytes],
        *,
        lead: str = "",
        visible: bool = True,
    ) -> None:
        """Make a version whose vectors are all in Chroma the visible one, in one commit.

        `lead` is the name its vectors were made with, where that is not its own. With
        `visible` false it is only made ready, for `switch` to show all at once.
        """
        # The work that needs no lock is done before the lock is taken.
        rows = [
            (chunk.ordinal, chunk.page, chunk.char_start, chunk.char_end, chunk.heading, sha)
            for chunk, sha in zip(chunks, embedded_shas, strict=True)
        ]
        facts = facts_of(
            file.path, file.mtime_ns, document.metadata, [page.text for page in document.pages]
        )
        words = [
            (
                index_text(f"{chunk.lead}\n{chunk.text}", facts.language),
                index_text(
                    title_text(file.path, document.title, chunk.heading, facts.names),
                    facts.language,
                ),
            )
            for chunk in chunks
        ]
        pages = [
            (
                version_id,
                page.number,
                page.label,
                page.heading,
                page.text,
                page.origin,
                page.confidence,
                json.dumps(page.flags),
            )
            for page in document.pages
        ]
        with self._database.writing() as connection:
            connection.execute(
                "UPDATE versions SET state = 'ready', size = ?, mtime_ns = ?, sha256 = ?,"
                " reader = ?, title = ?, paged = ?, pages = ?, characters = ?, parser = ?,"
                " metadata = ?, warnings = ?, created_at = ?, lead = ?, ocr_pages = ?,"
                " unsearchable_pages = ?, flagged_pages = ?, confidence = ? WHERE id = ?",
                (
                    file.size,
                    file.mtime_ns,
                    file.sha256,
                    file.reader,
                    document.title,
                    int(document.paged),
                    len(document.pages),
                    sum(len(page.text) for page in document.pages),
                    document.parser,
                    json.dumps(document.metadata, ensure_ascii=False),
                    json.dumps(document.warnings, ensure_ascii=False),
                    time.time(),
                    lead,
                    *_page_counts(document.pages),
                    version_id,
                ),
            )
            store_facts(connection, version_id, facts)
            store_names(connection, version_id, name_terms(file.path, document.title, facts.names))
            connection.executemany(
                "INSERT INTO pages (version_id, number, label, heading, text, origin, confidence,"
                " flags) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                pages,
            )
            # Word rows take their chunk's id; one writer, so the ids are known beforehand.
            first = int(
                connection.execute("SELECT coalesce(max(id), 0) + 1 FROM chunks").fetchone()[0]
            )
            connection.executemany(
                "INSERT INTO chunks (id, version_id, ordinal, page, char_start, char_end, heading,"
                " embedded_sha) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [(first + i, version_id, *row) for i, row in enumerate(rows)],
            )
            room = connection.execute(
                "SELECT room FROM versions WHERE id = ?", (version_id,)
            ).fetchone()[0]
            if room:
                connection.executemany(
                    "INSERT INTO room_words (chunk_id, version_id, text, title)"
                    " VALUES (?, ?, ?, ?)",
                    [(first + i, version_id, *pair) for i, pair in enumerate(words)],
                )
            else:
                connection.executemany(
                    "INSERT INTO words (rowid, text, title) VALUES (?, ?, ?)",
                    [(first + i, *pair) for i, pair in enumerate(words)],
                )
            if visible:
                show_version(connection, version_id)

    def switch(self, identity: IndexIdentity) -> None:
        """Show all ready versions and the index they belong to, in one commit."""
        with self._database.writing() as connection:
            ready = connection.execute(
                "SELECT id FROM versions WHERE state = 'ready' AND collection = ?",
                (identity.collection,),
            ).fetchall()
            for row in ready:
                show_version(connection, row[0])
            connection.execute(
                "INSERT OR REPLACE INTO meta VALUES ('index', ?)", (identity.to_json(),)
            )

    def move(
        self, document_id: int, source_id: int, file: FileState, *, title: str, lead: str
    ) -> None:
        """Give a document another path, in one commit; its id, pages and vectors stay.

        `lead` is what its vectors' texts are led by, where the new name says something else.
        A private document that moves out of its room becomes one of the library.
        """
        with self._database.writing() as connection:
            row = connection.execute(
                "SELECT d.source_id, d.path, v.id, v.language, v.metadata, v.room"
                f" FROM documents d JOIN versions v ON v.id = {SHOWN} WHERE d.id = ?",
                (document_id,),
            ).fetchone()
            version_id = int(row["id"])
            room = room_of(connection, source_id)
            if row["room"] != room:
                if room:
                    raise StorageError("A document of the library cannot become a private one.")
                open_up(connection, document_id, version_id)
            connection.execute(
                "DELETE FROM documents WHERE source_id = ? AND path = ? AND version_id IS NULL",
                (source_id, file.path),
            )
            connection.execute(
                "UPDATE documents SET source_id = ?, path = ? WHERE id = ?",
                (source_id, file.path, document_id),
            )
            facts = facts_of(file.path, file.mtime_ns, json.loads(row["metadata"]), ())
            connection.execute(
                "UPDATE versions SET size = ?, mtime_ns = ?, reader = ?, title = ?, lead = ?,"
                " kind = ?, dated = ?, dated_by = ? WHERE id = ?",
                (
                    file.size,
                    file.mtime_ns,
                    file.reader,
                    title,
                    lead,
                    facts.kind,
                    facts.dated,
                    facts.dated_by,
                    version_id,
                ),
            )
            connection.execute("DELETE FROM names WHERE version_id = ?", (version_id,))
            store_names(connection, version_id, name_terms(file.path, title, facts.names))
            chunks = connection.execute(
                "SELECT id, heading FROM chunks WHERE version_id = ?", (version_id,)
            ).fetchall()
            connection.executemany(
                "UPDATE room_words SET title = ? WHERE chunk_id = ?"
                if room
                else "UPDATE words SET title = ? WHERE rowid = ?",
                [
                    (
                        index_text(
                            title_text(file.path, title, heading, facts.names), row["language"]
                        ),
                        chunk_id,
                    )
                    for chunk_id, heading in chunks
                ],
            )
            connection.executemany(
                "DELETE FROM failures WHERE source_id = ? AND path = ?",
                [(row["source_id"], row["path"]), (source_id, file.path)],
            )

    def touch(self, version_id: int, file: FileState) -> None:
        """Note a new time (or reader) of a file whose content did not change."""
        with self._database.writing() as connection:
            connection.execute(
                "UPDATE versions SET size = ?, mtime_ns = ?, reader = ? WHERE id = ?",
                (file.size, file.mtime_ns, file.reader, version_id),
            )
            connection.execute(
                "UPDATE versions SET dated = ? WHERE id = ? AND dated_by = ?",
                (local_date(file.mtime_ns / 1e9), version_id, FROM_FILE),
            )

    def remove(self, document_ids: Sequence[int]) -> None:
        """Take documents out of the library, all in one commit."""
        with self._database.writing() as connection:
            remove_documents(connection, document_ids)

    def leftovers(self, *, retired_before: float) -> list[Leftover]:
        """Versions to sweep: never published, or retired before that moment."""
        with self._database.snapshot() as connection:
            rows = connection.execute(
                "SELECT id, chunks, collection FROM versions WHERE state IN ('pending', 'ready')"
                " OR (state = 'retired' AND retired_at <= ?)",
                (retired_before,),
            ).fetchall()
            return [Leftover(*row) for row in rows]

    def last_retired_at(self) -> float | None:
        """When the youngest retired version was retired."""
        with self._database.snapshot() as connection:
            row = connection.execute(
                "SELECT max(retired_at) FROM versions WHERE state = 'retired'"
            ).fetchone()
            return None if row[0] is None else float(row[0])

    def forget(self, version_ids: Sequence[int]) -> None:
        """Drop the notes of versions whose vectors are gone, and of files never read."""
        with self._database.writing() as connection:
            for version_id in version_ids:
                dropped = connection.execute(
                    "DELETE FROM versions WHERE id = ? AND state != 'current'", (version_id,)
                )
                if dropped.rowcount:
                    clear_version(connection, version_id)
            connection.execute(
                "DELETE FROM documents WHERE version_id IS NULL AND id NOT IN"
                " (SELECT document_id FROM versions)"
            )

    def forget_collection(self, collection: str) -> None:
        """Drop the notes of retired versions whose whole collection was deleted."""
        with self._database.writing() as connection:
            connection.execute(
                "DELETE FROM chunks WHERE version_id IN"
                " (SELECT id FROM versions WHERE collection = ? AND state = 'retired')",
                (collection,),
            )
            connection.execute(
                "DELETE FROM versions WHERE collection = ? AND state = 'retired'", (collection,)
            )

    def parsed_before(self, version_id: int) -> ParsedDocument:
        """A stored version as its loader gave it, for indexing it anew without its file."""
        with self._database.snapshot() as connection:
            row = connection.execute(
                "SELECT title, paged, parser, metadata, warnings FROM versions WHERE id = ?",
                (version_id,),
            ).fetchone()
            pages = connection.execute(
                f"SELECT {PAGE_COLUMNS} FROM pages p WHERE version_id = ? ORDER BY number",
                (version_id,),
            ).fetchall()
            return ParsedDocument(
                title=row["title"],
                pages=tuple(page_of(page) for page in pages),
                paged=bool(row["paged"]),
                parser=row["parser"],
                metadata=json.loads(row["metadata"]),
                warnings=tuple(json.loads(row["warnings"])),
            )


def _page_counts(pages: Sequence[Page]) -> tuple[int, int, int, float | None]:
    """Pages read by OCR, not readable and flagged; and the mean confidence of the first."""
    sure = [page.confidence for page in pages if page.confidence is not None]
    return (
        sum(page.origin == "ocr" for page in pages),
        sum(page.origin == "none" for page in pages),
        sum(any(flag.kind != "repeated" for flag in page.flags) for page in pages),
        sum(sure) / len(sure) if sure else None,
    )

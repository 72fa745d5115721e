"""Writing the catalog: the journal of versions, and the commit that makes one visible.

The order that nothing can be lost in:

1. `begin_version` notes that vectors of this version are about to exist;
2. the vectors go to Chroma;
3. `publish` puts pages, chunks and words in place and switches the document to
   the new version, in one transaction; the old version becomes `retired`;
4. the vectors of retired versions are deleted, then `forget` drops the note.

Killed between any two steps, `leftovers` names the versions to sweep.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from storage.catalog import PAGE_COLUMNS, Catalog, IndexIdentity, page_of
from storage.dates import local_date
from storage.errors import StorageError
from storage.facts import FROM_FILE, facts_of, store_facts
from storage.lexical import index_text
from storage.names import name_terms, store_names, title_text
from storage.records import Chunk, Page, ParsedDocument


class KnownFile(NamedTuple):
    """What the catalog knows about a file of a source. There may be very many of them."""

    document_id: int
    path: str
    size: int
    mtime_ns: int
    sha256: str
    reader: str
    """The loader and its version that read it."""
    version_id: int
    title: str = ""
    lead: str = ""
    """What leads the texts of its vectors, where that is not what its title and path say."""
    ocr_pages: int = 0
    room: str = ""
    """The conversation that alone may see it; empty for documents of the library."""


class KnownFailure(NamedTuple):
    """A file that was set aside, as it was then."""

    path: str
    size: int
    mtime_ns: int
    reader: str
    next_try: float
    """Seconds since the epoch."""


@dataclass(frozen=True, slots=True)
class FileState:
    """A file as it was when it was read."""

    path: str
    size: int
    mtime_ns: int
    sha256: str
    reader: str


_KNOWN = (
    "d.id, d.path, v.size, v.mtime_ns, v.sha256, v.reader, v.id, v.title, v.lead, v.ocr_pages,"
    " v.room"
)
_SHOWN = (
    "coalesce(d.version_id, (SELECT id FROM versions WHERE document_id = d.id"
    " AND state = 'private'))"
)
"""The version of a document that somebody sees, whether everybody or one conversation."""


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


class CatalogWriter:
    """The writing half of a catalog; used by one process at a time, which holds the run lock."""

    def __init__(self, catalog: Catalog) -> None:
        self._database = catalog.database
        self._rooms: dict[int, str] = {}

    def set_identity(self, identity: IndexIdentity) -> None:
        """Note what the index is built with."""
        with self._database.writing() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO meta VALUES ('index', ?)", (identity.to_json(),)
            )

    def source(self, root: str, *, whole: bool, room: str = "") -> int:
        """The id of a source root, which is added where it is new.

        What lies in a root with a `room` is seen by that conversation alone, for good.
        """
        with self._database.writing() as connection:
            connection.execute(
                "INSERT INTO sources (root, whole, room) VALUES (?, ?, ?)"
                " ON CONFLICT (root) DO UPDATE SET whole = max(whole, excluded.whole)",
                (root, int(whole), room),
            )
            row = connection.execute("SELECT id FROM sources WHERE root = ?", (root,)).fetchone()
            return int(row[0])

    def sources(self) -> list[tuple[str, bool, str]]:
        """All source roots, rooms included: root, whether it is a whole folder, room."""
        with self._database.snapshot() as connection:
            rows = connection.execute("SELECT root, whole, room FROM sources ORDER BY root")
            return [(row[0], bool(row[1]), row[2]) for row in rows]

    def room_of(self, source_id: int) -> str:
        """The conversation that alone sees a source; empty for those of the library."""
        if source_id not in self._rooms:
            with self._database.snapshot() as connection:
                row = connection.execute(
                    "SELECT room FROM sources WHERE id = ?", (source_id,)
                ).fetchone()
            self._rooms[source_id] = str(row[0])
        return self._rooms[source_id]

    def adopt(self, inner_root: str, source_id: int, prefix: str) -> None:
        """Move the documents of a source that lies inside another one to that one.

        `prefix` is the inner root's path relative to the outer one, with a
        trailing slash. A document that both have stays with the outer one.
        """
        with self._database.writing() as connection:
            row = connection.execute(
                "SELECT id FROM sources WHERE root = ?", (inner_root,)
            ).fetchone()
            if row is None or row[0] == source_id:
                return
            for table in ("documents", "failures"):
                connection.execute(
                    f"UPDATE OR IGNORE {table} SET source_id = ?, path = ? || path"
                    " WHERE source_id = ?",
                    (source_id, prefix, row[0]),
                )
            doubles = connection.execute(
                "SELECT id FROM documents WHERE source_id = ?", (row[0],)
            ).fetchall()
            _remove(connection, [double[0] for double in doubles])
            connection.execute("DELETE FROM failures WHERE source_id = ?", (row[0],))
            connection.execute("DELETE FROM sources WHERE id = ?", (row[0],))

    def forget_source(self, root: str) -> list[str] | None:
        """Take a source and all its documents out of the library, in one commit.

        Returns the paths of its documents; None where there is no such source.
        """
        with self._database.writing() as connection:
            row = connection.execute("SELECT id FROM sources WHERE root = ?", (root,)).fetchone()
            if row is None:
                return None
            rows = connection.execute(
                "SELECT id, path FROM documents WHERE source_id = ? ORDER BY path", (row[0],)
            ).fetchall()
            _remove(connection, [found[0] for found in rows])
            connection.execute("DELETE FROM failures WHERE source_id = ?", (row[0],))
            connection.execute("DELETE FROM sources WHERE id = ?", (row[0],))
            return [found[1] for found in rows]

    def states(self, source_id: int) -> dict[str, tuple[int, int, str]]:
        """Size, time and reader of each file of a source that was read before, by path."""
        with self._database.snapshot() as connection:
            cursor = connection.cursor()
            cursor.row_factory = None
            rows = cursor.execute(
                "SELECT d.path, v.size, v.mtime_ns, v.reader"
                f" FROM documents d JOIN versions v ON v.id = {_SHOWN} WHERE d.source_id = ?",
                (source_id,),
            )
            return {row[0]: row[1:] for row in rows}

    def files(self, source_id: int) -> dict[str, KnownFile]:
        """All files of a source that were read before, by path."""
        with self._database.snapshot() as connection:
            cursor = connection.cursor()
            cursor.row_factory = None
            rows = cursor.execute(
                f"SELECT {_KNOWN} FROM documents d JOIN versions v ON v.id = {_SHOWN}"
                " WHERE d.source_id = ?",
                (source_id,),
            )
            return {row[1]: KnownFile._make(row) for row in rows}

    def documents(self) -> int:
        """How many documents the library shows."""
        with self._database.snapshot() as connection:
            row = connection.execute(
                "SELECT count(*) FROM documents WHERE version_id IS NOT NULL"
            ).fetchone()
            return int(row[0])

    def same_content(self, sha256: str, reader: str, room: str = "") -> KnownFile | None:
        """A document whose vectors were made of the very same content; None without one.

        Also one whose version was replaced a moment ago, while its vectors are there. A
        private one only for its own room: nothing of it becomes part of another document.
        """
        with self._database.snapshot() as connection:
            row = connection.execute(
                f"SELECT {_KNOWN} FROM versions v JOIN documents d ON d.id = v.document_id"
                " WHERE v.sha256 = ? AND v.reader = ? AND v.room IN ('', ?)"
                " AND v.state IN ('current', 'private', 'retired')"
                " ORDER BY v.state, v.id LIMIT 1",
                (sha256, reader, room),
            ).fetchone()
            return KnownFile._make(row) if row else None

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
                f" FROM documents d JOIN versions v ON v.id = {_SHOWN} WHERE d.id = ?",
                (document_id,),
            ).fetchone()
            version_id = int(row["id"])
            room = _room_of(connection, source_id)
            if row["room"] != room:
                if room:
                    raise StorageError("A document of the library cannot become a private one.")
                _open_up(connection, document_id, version_id)
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
                (row[0], collection, chunks, time.time(), _room_of(connection, source_id)),
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
                _show(connection, version_id)

    def switch(self, identity: IndexIdentity) -> None:
        """Show all ready versions and the index they belong to, in one commit."""
        with self._database.writing() as connection:
            ready = connection.execute(
                "SELECT id FROM versions WHERE state = 'ready' AND collection = ?",
                (identity.collection,),
            ).fetchall()
            for row in ready:
                _show(connection, row[0])
            connection.execute(
                "INSERT OR REPLACE INTO meta VALUES ('index', ?)", (identity.to_json(),)
            )

    def remove(self, document_ids: Sequence[int]) -> None:
        """Take documents out of the library, all in one commit."""
        with self._database.writing() as connection:
            _remove(connection, document_ids)

    def fail(
        self,
        source_id: int,
        path: str,
        kind: str,
        reason: str,
        *,
        size: int = -1,
        mtime_ns: int = -1,
        reader: str = "",
        pauses: Sequence[float] = (),
    ) -> int:
        """Note that a file could not be read; an earlier good version stays. Gives the attempts.

        `pauses` are the seconds to wait after the first attempt, the second and so on, the
        last of them from then on; none: it is tried on every run. A file that changed
        begins anew.
        """
        now = time.time()
        with self._database.writing() as connection:
            row = connection.execute(
                "SELECT attempts FROM failures WHERE source_id = ? AND path = ?"
                " AND size = ? AND mtime_ns = ? AND reader = ?",
                (source_id, path, size, mtime_ns, reader),
            ).fetchone()
            attempts = row[0] + 1 if row else 1
            pause = pauses[min(attempts, len(pauses)) - 1] if pauses else 0.0
            connection.execute(
                "INSERT INTO failures (source_id, path, kind, reason, attempts, first_seen,"
                " last_seen, next_try, size, mtime_ns, reader)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
                " ON CONFLICT (source_id, path) DO UPDATE SET kind = excluded.kind,"
                " reason = excluded.reason, attempts = excluded.attempts,"
                " last_seen = excluded.last_seen, next_try = excluded.next_try,"
                " size = excluded.size, mtime_ns = excluded.mtime_ns, reader = excluded.reader",
                (
                    source_id,
                    path,
                    kind,
                    reason,
                    attempts,
                    now,
                    now,
                    now + pause if pauses else 0.0,
                    size,
                    mtime_ns,
                    reader,
                ),
            )
            return int(attempts)

    def clear_failures(self, source_id: int, paths: Iterable[str]) -> None:
        """Forget the failures of files that are gone or were read after all."""
        gone = [(source_id, path) for path in paths]
        if not gone:
            return
        with self._database.writing() as connection:
            connection.executemany(
                "DELETE FROM failures WHERE source_id = ? AND path = ?",
                gone,
            )

    def failed(self, source_id: int) -> dict[str, KnownFailure]:
        """The files of a source that are set aside, by path."""
        with self._database.snapshot() as connection:
            rows = connection.execute(
                "SELECT path, size, mtime_ns, reader, next_try FROM failures WHERE source_id = ?",
                (source_id,),
            ).fetchall()
            return {row[0]: KnownFailure._make(row) for row in rows}

    def embedded_before(
        self, shas: Sequence[bytes], collection: str, room: str = ""
    ) -> dict[bytes, str]:
        """For embedded texts that are in the index already: a chunk id that has the vector.

        Those of private documents count for their own room alone.
        """
        found: dict[bytes, str] = {}
        with self._database.snapshot() as connection:
            for start in range(0, len(shas), 900):
                part = shas[start : start + 900]
                rows = connection.execute(
                    "SELECT c.embedded_sha, c.version_id, c.ordinal FROM chunks c"
                    " JOIN versions v ON v.id = c.version_id AND v.collection = ?"
                    " AND v.room IN ('', ?)"
                    f" WHERE c.embedded_sha IN ({', '.join('?' * len(part))})"
                    # What was replaced a moment ago comes last: its vectors may be gone.
                    " ORDER BY v.state IN ('current', 'private')",
                    (collection, room, *part),
                )
                for row in rows:
                    found[row[0]] = f"{row[1]}:{row[2]}"
        return found

    def vectors_noted(self, collection: str) -> int:
        """How many vectors a collection should hold, those included that wait to be swept."""
        with self._database.snapshot() as connection:
            row = connection.execute(
                "SELECT coalesce(sum(chunks), 0) FROM versions WHERE collection = ?"
                " AND state != 'pending'",
                (collection,),
            ).fetchone()
            return int(row[0])

    def indexed(self, collection: str) -> list[tuple[int, KnownFile, int]]:
        """Source, last version and number of chunks of each document of a collection."""
        with self._database.snapshot() as connection:
            rows = connection.execute(
                f"SELECT d.source_id, v.chunks, {_KNOWN} FROM documents d"
                f" JOIN versions v ON v.id = {_SHOWN} WHERE v.collection = ? ORDER BY d.id",
                (collection,),
            ).fetchall()
            return [(row[0], KnownFile._make(row[2:]), row[1]) for row in rows]

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
                    _clear(connection, version_id)
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

    def has_unread(self) -> bool:
        """Whether there are pages or files whose text could only be recognised, and was not."""
        with self._database.snapshot() as connection:
            row = connection.execute(
                "SELECT EXISTS (SELECT 1 FROM versions WHERE state IN ('current', 'private')"
                " AND unsearchable_pages > 0)"
                " OR EXISTS (SELECT 1 FROM failures WHERE kind = 'no-text')"
            ).fetchone()
            return bool(row[0])

    def retry_unread(self, recogniser: str) -> int:
        """Have what holds unread pages read again where something new recognises text.

        Returns how many documents that are.
        """
        with self._database.writing() as connection:
            row = connection.execute("SELECT value FROM meta WHERE key = 'recogniser'").fetchone()
            if row is not None and row[0] == recogniser:
                return 0
            found = connection.execute(
                "UPDATE versions SET reader = '' WHERE state IN ('current', 'private')"
                " AND unsearchable_pages > 0"
            )
            connection.execute("UPDATE failures SET next_try = 0 WHERE kind = 'no-text'")
            return found.rowcount

    def read_with(self, recogniser: str) -> None:
        """Note what recognised text in this run."""
        with self._database.writing() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO meta VALUES ('recogniser', ?)", (recogniser,)
            )

    def noted(self, key: str) -> str:
        """What `note` wrote under a name; empty for nothing."""
        with self._database.snapshot() as connection:
            row = connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
            return str(row[0]) if row else ""

    def note(self, key: str, value: str) -> None:
        """Keep a word for later runs."""
        with self._database.writing() as connection:
            connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))


def _page_counts(pages: Sequence[Page]) -> tuple[int, int, int, float | None]:
    """Pages read by OCR, not readable and flagged; and the mean confidence of the first."""
    sure = [page.confidence for page in pages if page.confidence is not None]
    return (
        sum(page.origin == "ocr" for page in pages),
        sum(page.origin == "none" for page in pages),
        sum(any(flag.kind != "repeated" for flag in page.flags) for page in pages),
        sum(sure) / len(sure) if sure else None,
    )


def _show(connection: sqlite3.Connection, version_id: int) -> None:
    """Switch a document to a ready version and retire the one it had."""
    document_id, source_id, path, old, room = connection.execute(
        f"SELECT d.id, d.source_id, d.path, {_SHOWN}, v.room FROM versions v"
        " JOIN documents d ON d.id = v.document_id WHERE v.id = ?",
        (version_id,),
    ).fetchone()
    if room:
        connection.execute("UPDATE versions SET state = 'private' WHERE id = ?", (version_id,))
    else:
        connection.execute(
            "UPDATE documents SET version_id = ? WHERE id = ?", (version_id, document_id)
        )
        connection.execute("UPDATE versions SET state = 'current' WHERE id = ?", (version_id,))
    connection.execute("DELETE FROM failures WHERE source_id = ? AND path = ?", (source_id, path))
    if old is not None:
        _retire(connection, old)


def _room_of(connection: sqlite3.Connection, source_id: int) -> str:
    row = connection.execute("SELECT room FROM sources WHERE id = ?", (source_id,)).fetchone()
    return str(row[0])


def _open_up(connection: sqlite3.Connection, document_id: int, version_id: int) -> None:
    """Make a private document one that everybody sees; its vectors stay as they are."""
    connection.execute(
        "UPDATE versions SET state = 'current', room = '' WHERE id = ?", (version_id,)
    )
    connection.execute(
        "UPDATE documents SET version_id = ? WHERE id = ?", (version_id, document_id)
    )
    connection.execute(
        "INSERT INTO words (rowid, text, title)"
        " SELECT chunk_id, text, title FROM room_words WHERE version_id = ?",
        (version_id,),
    )
    connection.execute("DELETE FROM room_words WHERE version_id = ?", (version_id,))


def _retire(connection: sqlite3.Connection, version_id: int) -> None:
    """Take a version out of sight; its vectors are deleted later, by the journal.

    Its chunks stay noted until then: what has moved elsewhere finds their vectors by them.
    """
    _hide(connection, version_id)
    connection.execute(
        "UPDATE versions SET state = 'retired', retired_at = ? WHERE id = ?",
        (time.time(), version_id),
    )


def _clear(connection: sqlite3.Connection, version_id: int) -> None:
    """Delete all that a version holds which is not, or no longer, visible."""
    _hide(connection, version_id)
    connection.execute("DELETE FROM chunks WHERE version_id = ?", (version_id,))


def _hide(connection: sqlite3.Connection, version_id: int) -> None:
    """Delete all of a version but the notes of its chunks."""
    connection.execute(
        "DELETE FROM words WHERE rowid IN (SELECT id FROM chunks WHERE version_id = ?)",
        (version_id,),
    )
    connection.execute("DELETE FROM room_words WHERE version_id = ?", (version_id,))
    connection.execute("DELETE FROM pages WHERE version_id = ?", (version_id,))
    connection.execute("DELETE FROM tags WHERE version_id = ?", (version_id,))
    connection.execute("DELETE FROM names WHERE version_id = ?", (version_id,))


def _remove(connection: sqlite3.Connection, document_ids: Iterable[int]) -> None:
    for document_id in document_ids:
        row = connection.execute(
            f"SELECT {_SHOWN}, d.source_id, d.path FROM documents d WHERE d.id = ?", (document_id,)
        ).fetchone()
        if row is None:
            continue
        if row[0] is not None:
            _retire(connection, row[0])
        connection.execute("DELETE FROM documents WHERE id = ?", (document_id,))
        connection.execute(
            "DELETE FROM failures WHERE source_id = ? AND path = ?", (row[1], row[2])
        )

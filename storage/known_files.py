"""What the catalog knows of sources and their files, so that only what changed is read anew."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from storage.catalog import Catalog
from storage.version_rows import SHOWN, CatalogPart, remove_documents, room_of


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


class KnownFiles(CatalogPart):
    """Sources, and the files of theirs that were read."""

    def __init__(self, catalog: Catalog) -> None:
        super().__init__(catalog)
        self._rooms: dict[int, str] = {}

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
                self._rooms[source_id] = room_of(connection, source_id)
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
            remove_documents(connection, [double[0] for double in doubles])
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
            remove_documents(connection, [found[0] for found in rows])
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
                f" FROM documents d JOIN versions v ON v.id = {SHOWN} WHERE d.source_id = ?",
                (source_id,),
            )
            return {row[0]: row[1:] for row in rows}

    def files(self, source_id: int) -> dict[str, KnownFile]:
        """All files of a source that were read before, by path."""
        with self._database.snapshot() as connection:
            cursor = connection.cursor()
            cursor.row_factory = None
            rows = cursor.execute(
                f"SELECT {_KNOWN} FROM documents d JOIN versions v ON v.id = {SHOWN}"
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

    def indexed(self, collection: str) -> list[tuple[int, KnownFile, int]]:
        """Source, last version and number of chunks of each document of a collection."""
        with self._database.snapshot() as connection:
            rows = connection.execute(
                f"SELECT d.source_id, v.chunks, {_KNOWN} FROM documents d"
                f" JOIN versions v ON v.id = {SHOWN} WHERE v.collection = ? ORDER BY d.id",
                (collection,),
            ).fetchall()
            return [(row[0], KnownFile._make(row[2:]), row[1]) for row in rows]

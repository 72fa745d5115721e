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

from collections.abc import Sequence

from storage.index_identity import IndexIdentity
from storage.journal import Journal, Leftover, NewVersion
from storage.known_files import FileState, KnownFile, KnownFiles
from storage.set_aside import KnownFailure, SetAside

__all__ = [
    "CatalogWriter",
    "FileState",
    "KnownFailure",
    "KnownFile",
    "Leftover",
    "NewVersion",
]


class CatalogWriter(KnownFiles, SetAside, Journal):
    """The writing half of a catalog; used by one process at a time, which holds the run lock."""

    def set_identity(self, identity: IndexIdentity) -> None:
        """Note what the index is built with."""
        with self._database.writing() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO meta VALUES ('index', ?)", (identity.to_json(),)
            )

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

    def noted(self, key: str) -> str:
        """What `note` wrote under a name; empty for nothing."""
        with self._database.snapshot() as connection:
            row = connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
            return str(row[0]) if row else ""

    def note(self, key: str, value: str) -> None:
        """Keep a word for later runs."""
        with self._database.writing() as connection:
            connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

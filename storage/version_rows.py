"""What becomes of a version's rows in the catalog: shown, retired, cleared away.

Each function is one step of a transaction that its caller began.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable

from storage.catalog import Catalog

SHOWN = (
    "coalesce(d.version_id, (SELECT id FROM versions WHERE document_id = d.id"
    " AND state = 'private'))"
)
"""The version of a document that somebody sees, whether everybody or one conversation."""


class CatalogPart:
    """A part of the writing half of a catalog."""

    def __init__(self, catalog: Catalog) -> None:
        self._database = catalog.database


def show_version(connection: sqlite3.Connection, version_id: int) -> None:
    """Switch a document to a ready version and retire the one it had."""
    document_id, source_id, path, old, room = connection.execute(
        f"SELECT d.id, d.source_id, d.path, {SHOWN}, v.room FROM versions v"
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


def room_of(connection: sqlite3.Connection, source_id: int) -> str:
    """The conversation that alone sees a source; empty for those of the library."""
    row = connection.execute("SELECT room FROM sources WHERE id = ?", (source_id,)).fetchone()
    return str(row[0])


def open_up(connection: sqlite3.Connection, document_id: int, version_id: int) -> None:
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


def clear_version(connection: sqlite3.Connection, version_id: int) -> None:
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


def remove_documents(connection: sqlite3.Connection, document_ids: Iterable[int]) -> None:
    """Take documents and their failures out of the library; their versions are retired."""
    for document_id in document_ids:
        row = connection.execute(
            f"SELECT {SHOWN}, d.source_id, d.path FROM documents d WHERE d.id = ?", (document_id,)
        ).fetchone()
        if row is None:
            continue
        if row[0] is not None:
            _retire(connection, row[0])
        connection.execute("DELETE FROM documents WHERE id = ?", (document_id,))
        connection.execute(
            "DELETE FROM failures WHERE source_id = ? AND path = ?", (row[1], row[2])
        )

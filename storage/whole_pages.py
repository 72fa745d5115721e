"""Documents page by page, as passages: for a prompt that holds them whole."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass

from storage.document_rows import flags_of
from storage.records import Hit

CURRENT = "v.state = 'current'"
"""The versions `v` that everybody may see."""


@dataclass(frozen=True, slots=True)
class Extent:
    """How much some documents hold."""

    documents: int
    pages: int
    characters: int


def extent(
    connection: sqlite3.Connection, version_ids: Iterable[int] | None, seen: str = CURRENT
) -> Extent:
    """The size of those visible versions; of the whole library where None is given."""
    condition, values = _among(version_ids, "v.id")
    row = connection.execute(
        "SELECT count(*), coalesce(sum(pages), 0), coalesce(sum(characters), 0) FROM versions v"
        f" WHERE {seen}{condition}",
        values,
    ).fetchone()
    return Extent(*row)


def size(connection: sqlite3.Connection, seen: str = CURRENT) -> tuple[int, int]:
    """Documents that are seen, and their chunks."""
    row = connection.execute(
        f"SELECT count(*), coalesce(sum(v.chunks), 0) FROM versions v WHERE {seen}"
    ).fetchone()
    return int(row[0]), int(row[1])


def whole_pages(
    connection: sqlite3.Connection,
    version_ids: Iterable[int] | None,
    seen: str = CURRENT,
) -> list[Hit]:
    """All pages with text of those visible versions, by path and page number; 400 take 5 ms.

    The order depends on nothing but the paths, so that a prompt with the same
    documents begins the same.
    """
    condition, values = _among(version_ids, "v.id")
    rows = connection.execute(
        "SELECT d.id, d.path, v.id, v.title, v.paged, p.number, p.text, p.label, p.heading,"
        " p.flags, v.room FROM versions v JOIN documents d ON d.id = v.document_id"
        " JOIN sources s ON s.id = d.source_id JOIN pages p ON p.version_id = v.id"
        f" WHERE {seen}{condition} ORDER BY d.path, s.root, p.number",
        values,
    )
    return [
        Hit(
            rank=rank,
            document=row[1],
            page=row[5],
            score=0.0,
            text=row[6],
            char_start=0,
            char_end=len(row[6]),
            chunk_id=f"{row[2]}:page-{row[5]}",
            document_id=row[0],
            version_id=row[2],
            title=row[3],
            heading=row[8],
            page_label=row[7],
            paged=bool(row[4]),
            flags=flags_of(row[9]),
            room=row[10],
        )
        for rank, row in enumerate((row for row in rows if row[6].strip()), start=1)
    ]


def _among(version_ids: Iterable[int] | None, column: str) -> tuple[str, tuple[str, ...]]:
    if version_ids is None:
        return "", ()
    return f" AND {column} IN (SELECT value FROM json_each(?))", (json.dumps(list(version_ids)),)

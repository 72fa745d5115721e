"""What the pages of documents say, as digests: whether a page still says what it said once.

A digest leaves white space aside, so that another version of a parser that breaks lines
elsewhere does not count as a change of the document.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Standing:
    """A document as the library has it now."""

    document_id: int
    version_id: int
    document: str
    """Path relative to its source root."""
    content: str
    """SHA-256 of the file it was read from."""
    read_at: float
    """Seconds since the epoch."""
    fault: str
    """Why its file, or a folder above it, cannot be read now; else empty."""
    room: str = ""
    """The conversation whose private document it is; empty for documents of the library."""


BLANK = hashlib.sha256(b"").hexdigest()[:32]
"""Of a page on which nothing stands."""


def digest_of(text: str) -> str:
    """What a page says, white space aside."""
    words = " ".join(text.split()).encode("utf-8", "surrogatepass")
    return hashlib.sha256(words).hexdigest()[:32]


def standing(
    connection: sqlite3.Connection,
    *,
    document_ids: Iterable[int] = (),
    documents: Iterable[str] = (),
    contents: Iterable[str] = (),
    rooms: Iterable[str] = (),
) -> list[Standing]:
    """The documents of these ids, these paths, or read from files of these contents.

    Only those of the library; with `rooms`, all private documents of these conversations as well.
    Whose they are is for the caller to know.
    """
    condition = (
        "d.id IN (SELECT value FROM json_each(?)) OR d.path IN (SELECT value FROM json_each(?))"
        " OR (v.sha256 != '' AND v.sha256 IN (SELECT value FROM json_each(?)))"
    )
    wanted = (set(document_ids), set(documents), set(contents))
    found = _standing(connection, condition, [json.dumps(list(values)) for values in wanted])
    return [*found, *_standing_in(connection, set(rooms) - {""})]


def standing_within(
    connection: sqlite3.Connection, version_ids: Iterable[int] | None
) -> list[Standing]:
    """The documents whose current version is one of these; all documents where None is given."""
    if version_ids is None:
        return _standing(connection, "1", [])
    values = [json.dumps(list(version_ids))]
    return _standing(connection, "v.id IN (SELECT value FROM json_each(?))", values)


_COLUMNS = "d.id, v.id, d.path, v.sha256, v.created_at, d.source_id, v.room FROM documents d"


def _standing(connection: sqlite3.Connection, condition: str, values: list[str]) -> list[Standing]:
    # No document names a private version as its own.
    rows = connection.execute(
        f"SELECT {_COLUMNS} JOIN versions v ON v.id = d.version_id WHERE {condition}"
        " ORDER BY d.path, d.id",
        values,
    ).fetchall()
    return _with_faults(connection, rows)


def _standing_in(connection: sqlite3.Connection, rooms: set[str]) -> list[Standing]:
    """The private documents of these conversations."""
    if not rooms:
        return []
    rows = connection.execute(
        f"SELECT {_COLUMNS} JOIN versions v ON v.document_id = d.id AND v.state = 'private'"
        " WHERE v.room IN (SELECT value FROM json_each(?)) ORDER BY d.path, d.id",
        [json.dumps(sorted(rooms))],
    ).fetchall()
    return _with_faults(connection, rows)


def _with_faults(connection: sqlite3.Connection, rows: list[sqlite3.Row]) -> list[Standing]:
    faults = {
        (row[0], "" if row[1] == "." else row[1].removesuffix("/.")): row[2]
        for row in connection.execute("SELECT source_id, path, reason FROM failures")
    }
    return [
        Standing(row[0], row[1], row[2], row[3], row[4], _fault(faults, row[5], row[2]), row[6])
        for row in rows
    ]


def _fault(faults: dict[tuple[int, str], str], source_id: int, path: str) -> str:
    """The reason that a file cannot be read: its own, or that of a folder above it."""
    while faults and path:
        if reason := faults.get((source_id, path)):
            return reason
        path = path.rpartition("/")[0]
    return faults.get((source_id, ""), "")


def page_digests(
    connection: sqlite3.Connection, version_ids: Iterable[int]
) -> dict[int, dict[int, str]]:
    """By version, the digest of each page; 1,116 pages of annual reports take about 60 ms."""
    wanted = list(dict.fromkeys(version_ids))
    found: dict[int, dict[int, str]] = {version_id: {} for version_id in wanted}
    rows = connection.execute(
        "SELECT version_id, number, text FROM pages"
        " WHERE version_id IN (SELECT value FROM json_each(?))",
        (json.dumps(wanted),),
    )
    for version_id, number, text in rows:
        found[version_id][number] = digest_of(text)
    return found

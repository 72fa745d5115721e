"""A page of the list of documents: filtered, sorted and counted in the database.

Documents and the files that were set aside without ever being read stand in
one list, by path. A page takes four queries, however long the list is.
"""

from __future__ import annotations

import json
import re
import sqlite3
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from storage.document_rows import failure_of, summaries_of
from storage.records import DocumentSummary, Failure
from storage.sound_text import sound

State = Literal["", "fine", "aside", "old", "unsearchable", "hidden", "warned", "ocr"]
Order = Literal["path", "newest", "pages", "size", "yield"]

_LAST = "\U0010ffff"
_ACCENTS = re.compile("[\u0300-\u036f]+")
_MOST_WORDS = 12
"""Words of a filter that are looked for: more name no document."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which documents, in which order, from where on."""

    text: str = ""
    """Words that all stand in path or title, in any case and with or without accents."""
    state: State = ""
    """`fine`: nothing to say; `aside`: never read; `old`: its last good version is served;
    `unsearchable`: pages without text; `hidden`: flagged text; `warned`; `ocr`; '': all."""
    kind: str = ""
    """File type ("pdf")."""
    root: str = ""
    """Source root; empty: all."""
    folder: str = ""
    """A folder below that root, without a slash at its end."""
    order: Order = "path"
    offset: int = 0
    limit: int = 50


@dataclass(frozen=True, slots=True)
class Listed:
    """A page of the list."""

    entries: tuple[DocumentSummary | Failure, ...]
    """A failure stands for a file that was never read."""
    total: int
    """How many there are on all pages."""


@dataclass(frozen=True, slots=True)
class StateCounts:
    """How many documents and files are in each state; one may be in several."""

    all: int
    fine: int
    aside: int
    old: int
    unsearchable: int
    hidden: int
    warned: int
    ocr: int


@dataclass(frozen=True, slots=True)
class PageMark:
    """What is known of a page, without its text."""

    number: int
    label: str
    heading: str
    origin: str
    confidence: float | None
    characters: int
    """White space at its ends left out."""
    flags: str
    """As JSON."""


_OLD = (
    "(EXISTS (SELECT 1 FROM failures f WHERE f.source_id = d.source_id AND f.path = d.path)"
    " OR EXISTS (SELECT 1 FROM shut WHERE shut.source_id = d.source_id"
    " AND d.path >= shut.low AND d.path < shut.high))"
)
_CONDITIONS: dict[str, str] = {
    "": "1",
    "fine": "v.unsearchable_pages = 0 AND v.flagged_pages = 0 AND v.warnings = '[]'"
    f" AND NOT {_OLD}",
    "aside": "0",
    "old": _OLD,
    "unsearchable": "v.unsearchable_pages > 0",
    "hidden": "v.flagged_pages > 0",
    "warned": "v.warnings != '[]'",
    "ocr": "v.ocr_pages > 0",
}
_ORDERS: dict[str, str] = {
    "path": "path, root",
    "newest": "read_at DESC, path, root",
    "pages": "pages DESC, path, root",
    "size": "size DESC, path, root",
    # Fewest characters a page first: what a scan without text looks like.
    "yield": "characters * 1.0 / max(pages, 1), path, root",
}
# Folders that could not be listed, with all that lies below them.
_SHUT = (
    "shut (source_id, low, high) AS (SELECT json_extract(value, '$[0]'),"
    " json_extract(value, '$[1]'), json_extract(value, '$[2]') FROM json_each(?))"
)
_DOCUMENTS = (
    "FROM documents d JOIN versions v ON v.id = d.version_id JOIN sources s ON s.id = d.source_id"
)
_FILES = (
    "FROM failures f JOIN sources s ON s.id = f.source_id AND s.room = ''"
    " WHERE NOT EXISTS (SELECT 1 FROM documents d WHERE d.source_id = f.source_id"
    " AND d.path = f.path AND d.version_id IS NOT NULL)"
)


def listed(connection: sqlite3.Connection, wanted: Wanted) -> Listed:
    """One page of the list."""
    connection.create_function("hl_plain", 1, plain_words, deterministic=True)
    documents, values = _of_documents(wanted)
    files, file_values = _of_files(wanted)
    rows = connection.execute(
        f"WITH {_SHUT}, found AS ("
        "SELECT d.id AS id, 0 AS source_id, d.path AS path, s.root AS root, v.pages AS pages,"
        f" v.size AS size, v.characters AS characters, v.created_at AS read_at {_DOCUMENTS}"
        f" WHERE {documents} UNION ALL"
        " SELECT NULL, f.source_id, f.path, s.root, 0, max(f.size, 0), 0, f.last_seen"
        f" {_FILES} AND {files})"
        " SELECT id, source_id, path, count(*) OVER () AS total FROM found"
        f" ORDER BY {_ORDERS[wanted.order]} LIMIT ? OFFSET ?",
        (_shut(connection), *values, *file_values, wanted.limit, max(wanted.offset, 0)),
    ).fetchall()
    summaries = summaries_of(connection, [row["id"] for row in rows if row["id"] is not None])
    failures = _failures(
        connection, [(row["source_id"], row["path"]) for row in rows if row["id"] is None]
    )
    entries = tuple(
        summaries[row["id"]] if row["id"] is not None else failures[row["source_id"], row["path"]]
        for row in rows
    )
    if rows or not wanted.offset:
        return Listed(entries, rows[0]["total"] if rows else 0)
    # Beyond the end, since documents went meanwhile: the number of all tells where the end is.
    return Listed((), listed(connection, replace(wanted, offset=0, limit=1)).total)


def state_counts(connection: sqlite3.Connection) -> StateCounts:
    """How many there are of each state."""
    states = [state for state in _CONDITIONS if state not in ("", "aside")]
    sums = ", ".join(f"coalesce(sum({_CONDITIONS[state]}), 0) AS {state}" for state in states)
    row = connection.execute(
        f"WITH {_SHUT} SELECT count(*) AS n, {sums} {_DOCUMENTS}", (_shut(connection),)
    ).fetchone()
    aside = int(connection.execute(f"SELECT count(*) {_FILES}").fetchone()[0])
    return StateCounts(all=row["n"] + aside, aside=aside, **{state: row[state] for state in states})


def folders(connection: sqlite3.Connection, limit: int) -> list[tuple[str, str, int]]:
    """Source root, folder directly below it ('' for the root itself), documents in it."""
    rows = connection.execute(
        "SELECT s.root, CASE instr(d.path, '/') WHEN 0 THEN ''"
        " ELSE substr(d.path, 1, instr(d.path, '/') - 1) END AS folder, count(*)"
        " FROM documents d JOIN sources s ON s.id = d.source_id WHERE d.version_id IS NOT NULL"
        " GROUP BY s.root, folder ORDER BY s.root, folder LIMIT ?",
        (limit,),
    )
    return [(row[0], row[1], row[2]) for row in rows]


def page_marks(connection: sqlite3.Connection, document_id: int) -> list[PageMark]:
    """All pages of a document's current version, without their texts."""
    rows = connection.execute(
        "SELECT p.number, p.label, p.heading, p.origin, p.confidence,"
        " length(trim(p.text, char(9, 10, 13, 32))), p.flags"
        " FROM documents d JOIN pages p ON p.version_id = d.version_id"
        " WHERE d.id = ? ORDER BY p.number",
        (document_id,),
    )
    return [PageMark(*row) for row in rows]


def plain_words(text: str) -> str:
    """The text without case and accents, as a filter compares it."""
    if text.isascii():
        return text.lower()
    return _ACCENTS.sub("", unicodedata.normalize("NFKD", text.casefold()))


def _of_documents(wanted: Wanted) -> tuple[str, list[object]]:
    conditions, values = _words(wanted.text, "hl_plain(d.path || ' ' || v.title)")
    conditions.append(_CONDITIONS[wanted.state])
    if wanted.kind:
        conditions.append("v.kind = ?")
        values.append(wanted.kind)
    _in_folder(wanted, "d.path", conditions, values)
    return " AND ".join(conditions), values


def _of_files(wanted: Wanted) -> tuple[str, list[object]]:
    if wanted.state not in ("", "aside"):
        return "0", []
    conditions, values = _words(wanted.text, "hl_plain(f.path)")
    if wanted.kind:
        conditions.append("substr(lower(f.path), ?) = ?")
        values += [-len(wanted.kind) - 1, f".{wanted.kind}"]
    _in_folder(wanted, "f.path", conditions, values)
    return " AND ".join(conditions) or "1", values


def _words(text: str, where: str) -> tuple[list[str], list[object]]:
    # A browser may send half a surrogate pair, which no file name holds.
    words: list[object] = [*plain_words(sound(text)).split()[:_MOST_WORDS]]
    return [f"instr({where}, ?) > 0" for _ in words], words


def _in_folder(wanted: Wanted, path: str, conditions: list[str], values: list[object]) -> None:
    if wanted.root:
        conditions.append("s.root = ?")
        values.append(wanted.root)
    if wanted.folder:
        conditions.append(f"{path} >= ? AND {path} < ?")
        values += _below(wanted.folder)


def _below(folder: str) -> list[object]:
    """The first path below a folder, and the first one that is not."""
    return ["", _LAST] if folder in ("", ".") else [f"{folder}/", f"{folder}0"]


def _shut(connection: sqlite3.Connection) -> str:
    """The folders that could not be listed and hold documents, as JSON."""
    rows = connection.execute(
        "SELECT f.source_id, CASE WHEN f.path = '.' THEN '' WHEN f.path LIKE '%/.'"
        " THEN substr(f.path, 1, length(f.path) - 2) ELSE f.path END AS folder FROM failures f"
        " WHERE folder = '' OR EXISTS (SELECT 1 FROM documents d WHERE d.source_id = f.source_id"
        " AND d.path >= folder || '/' AND d.path < folder || '0')"
    )
    return json.dumps([[row[0], *_below(row[1])] for row in rows])


def _failures(
    connection: sqlite3.Connection, keys: Sequence[tuple[int, str]]
) -> dict[tuple[int, str], Failure]:
    if not keys:
        return {}
    rows = connection.execute(
        f"WITH wanted (source_id, path) AS (VALUES {', '.join(['(?, ?)'] * len(keys))})"
        " SELECT f.source_id, f.path, s.root, f.kind, f.reason, f.attempts, f.last_seen,"
        " f.first_seen, f.next_try FROM wanted JOIN failures f USING (source_id, path)"
        " JOIN sources s ON s.id = f.source_id",
        [value for key in keys for value in key],
    )
    return {(row["source_id"], row["path"]): failure_of(row, last_good=None) for row in rows}

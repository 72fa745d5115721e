"""Documents, pages and failures, as they come out of the rows of the catalog."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from typing import Any

from storage.records import DocumentSummary, Failure, Flag, Page

_SUMMARY_COLUMNS = (
    "SELECT d.id, d.path, s.root, v.title, v.pages, v.chunks, v.characters, v.size, v.paged,"
    " v.created_at, v.warnings, v.kind, v.language, v.dated, v.dated_by, v.ocr_pages,"
    " v.unsearchable_pages, v.flagged_pages, v.confidence, v.parser, v.mtime_ns, d.source_id,"
    " (SELECT json_group_array(tag) FROM (SELECT tag FROM tags WHERE version_id = v.id"
    " ORDER BY tag)) AS tags"
)
SUMMARY = (
    f"{_SUMMARY_COLUMNS} FROM documents d JOIN versions v ON v.id = d.version_id"
    " JOIN sources s ON s.id = d.source_id"
)
PRIVATE_SUMMARY = (
    f"{_SUMMARY_COLUMNS} FROM versions v JOIN documents d ON d.id = v.document_id"
    " JOIN sources s ON s.id = d.source_id WHERE v.state = 'private' AND v.room = ?"
)
FAILURES = (
    "SELECT f.path, s.root, f.kind, f.reason, f.attempts, f.last_seen, f.first_seen,"
    " f.next_try, v.created_at AS last_good FROM failures f"
    " LEFT JOIN documents d ON d.source_id = f.source_id AND d.path = f.path"
    " LEFT JOIN versions v ON v.id = coalesce(d.version_id, (SELECT id FROM versions"
    " WHERE document_id = d.id AND state = 'private'))"
    " JOIN sources s ON s.id = f.source_id"
)

PAGE_COLUMNS = "p.number, p.text, p.label, p.heading, p.origin, p.confidence, p.flags"


def page_of(row: Sequence[Any]) -> Page:
    """A page out of its PAGE_COLUMNS."""
    return Page(row[0], row[1], row[2], row[3], row[4], row[5], flags_of(row[6]))


def flags_of(kept: str) -> tuple[Flag, ...]:
    """Flags as the catalog keeps them."""
    return () if kept == "[]" else tuple(Flag(*flag) for flag in json.loads(kept))


class Faults:
    """What cannot be read now: files, and folders with all that lies below them."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        rows = connection.execute(
            "SELECT source_id, path, kind, reason, first_seen FROM failures"
        ).fetchall()
        self._by_path = {
            (row["source_id"], "" if row["path"] == "." else row["path"].removesuffix("/.")): row
            for row in rows
        }

    def of(self, source_id: int, path: str) -> sqlite3.Row | None:
        """The failure that a document falls under; None where its file is in line."""
        if not self._by_path:
            return None
        while (row := self._by_path.get((source_id, path))) is None and path:
            path = path.rpartition("/")[0]
        return row


def summaries_of(
    connection: sqlite3.Connection, document_ids: Sequence[int]
) -> dict[int, DocumentSummary]:
    if not document_ids:
        return {}
    rows = connection.execute(
        f"{SUMMARY} WHERE d.id IN (SELECT value FROM json_each(?))",
        (json.dumps(list(document_ids)),),
    ).fetchall()
    faults = Faults(connection)
    return {row["id"]: summary_of(row, faults) for row in rows}


def summary_of(row: sqlite3.Row, faults: Faults) -> DocumentSummary:
    fault = faults.of(row["source_id"], row["path"])
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
        kind=row["kind"],
        language=row["language"],
        dated=row["dated"],
        dated_by=row["dated_by"],
        tags=tuple(json.loads(row["tags"])),
        ocr_pages=row["ocr_pages"],
        unsearchable_pages=row["unsearchable_pages"],
        flagged_pages=row["flagged_pages"],
        confidence=row["confidence"],
        parser=row["parser"],
        modified_at=row["mtime_ns"] / 1e9,
        fault=fault["reason"] if fault else "",
        fault_kind=fault["kind"] if fault else "",
        fault_since=fault["first_seen"] if fault else 0.0,
    )


def failure_of(row: sqlite3.Row, last_good: float | None) -> Failure:
    """A row of failures; `last_good` is when the version that is still served was read."""
    return Failure(
        document=row["path"],
        source_root=row["root"],
        kind=row["kind"],
        reason=row["reason"],
        attempts=row["attempts"],
        last_seen=row["last_seen"],
        serves_old_version=last_good is not None,
        first_seen=row["first_seen"],
        next_try=row["next_try"],
        last_good=last_good,
    )

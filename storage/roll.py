"""The roll of all pages: what there is to read, and what cannot be read, without any text."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from storage.whole_pages import CURRENT

_BLANKS = "char(9, 10, 11, 12, 13, 28, 29, 30, 31, 32, 133, 160, 8232, 8233, 65279)"


class RollPage(NamedTuple):
    """One page (or section) and whether it can be read."""

    number: int
    has_text: bool
    origin: str
    """As `Page.origin`: `none` where there is something that could not be read."""


@dataclass(frozen=True, slots=True)
class RollDocument:
    """A document's current version, page by page."""

    document_id: int
    version_id: int
    document: str
    title: str
    paged: bool
    pages: tuple[RollPage, ...]


def roll(
    connection: sqlite3.Connection, version_ids: Iterable[int] | None, seen: str = CURRENT
) -> list[RollDocument]:
    """All pages of those visible versions, of the whole library where None is given; by path."""
    condition, values = "", list[str]()
    if version_ids is not None:
        condition = " AND v.id IN (SELECT value FROM json_each(?))"
        values = [json.dumps(list(version_ids))]
    documents = connection.execute(
        "SELECT d.id, v.id, d.path, v.title, v.paged FROM versions v"
        " JOIN documents d ON d.id = v.document_id JOIN sources s ON s.id = d.source_id"
        f" WHERE {seen}{condition} ORDER BY d.path, s.root",
        values,
    ).fetchall()
    rows = connection.execute(
        f"SELECT v.id, p.number, trim(p.text, {_BLANKS}) != '', p.origin FROM versions v"
        " JOIN pages p ON p.version_id = v.id"
        f" WHERE {seen}{condition} ORDER BY v.id, p.number",
        values,
    )
    pages: dict[int, list[RollPage]] = {}
    for version_id, number, has_text, origin in rows:
        pages.setdefault(version_id, []).append(RollPage(number, bool(has_text), origin))
    return [
        RollDocument(row[0], row[1], row[2], row[3], bool(row[4]), tuple(pages.get(row[1], ())))
        for row in documents
    ]

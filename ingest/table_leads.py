"""The header of the table that a chunk begins in.

A long table is cut into several chunks, and of the later ones nobody would know
what their columns are. So the header is embedded and indexed with each of them.
Tables are told by their bars, as the loaders write them; rows that name their
columns themselves (`Item: Chair | Price: 40`) need none.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

_BAR = " | "
_LONGEST = 300
"""Characters. A longer header is no list of names."""


@dataclass(frozen=True, slots=True)
class TableLead:
    """The header of a table, and where the rows below it stand."""

    header: str
    start: int
    end: int


def table_leads(text: str) -> tuple[TableLead, ...]:
    """The tables of a page that have a header and two rows below it at least."""
    return tuple(_leads(text)) if _BAR in text else ()


def lead_at(leads: tuple[TableLead, ...], place: int) -> str:
    """The header of the table in whose rows a place lies; empty where there is none."""
    return next((lead.header for lead in leads if lead.start <= place < lead.end), "")


def _leads(text: str) -> Iterator[TableLead]:
    rows: list[tuple[int, int]] = []
    at = 0
    for line in [*text.split("\n"), ""]:
        if _BAR in line or line.endswith(" |") or line.startswith("| "):
            rows.append((at, at + len(line)))
        else:
            if len(rows) > 2:
                header, first = (text[start:end] for start, end in rows[:2])
                if len(header) <= _LONGEST and not _names_itself(header, first):
                    yield TableLead(header, rows[1][0], rows[-1][1])
            rows = []
        at += len(line) + 1


def _names_itself(row: str, following: str) -> bool:
    """Whether two rows begin with the same `Name: `."""
    name, colon, _ = row.partition(": ")
    return bool(colon) and _BAR not in name and following.startswith(f"{name}: ")

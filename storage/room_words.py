"""Searching the words of private documents: BM25 as SQLite's FTS5 computes it, over a few rows.

The word index of the library knows nothing of private documents, so that no
count, weight or score of anybody else's search can tell of them. What one
conversation has dropped in is little: its rows are scored here, 3 ms for 200
chunks, with the numbers of the library added where both are searched, so that
the scores compare.
"""

from __future__ import annotations

import math
import re
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

_K1 = 1.2
_B = 0.75
_LEAST_IDF = 1e-6
"""The constants of FTS5's `bm25`."""


@dataclass(frozen=True)
class RoomRow:
    """The terms of one chunk."""

    version_id: int
    ordinal: int
    language: str
    text: str
    title: str

    @cached_property
    def both(self) -> str:
        """Text and title with blanks around each term, a mark between the two."""
        return f" {self.text.replace(chr(10), ' ')} \n {self.title.replace(chr(10), ' ')} "

    @cached_property
    def length(self) -> int:
        """Terms."""
        return len(self.both.split())


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """What the library adds where it is searched as well."""

    rows: int
    holding: Callable[[str], int]
    """How many rows of the library hold a phrase."""


NOWHERE = Elsewhere(0, lambda phrase: 0)


def rows_of(connection: sqlite3.Connection, version_ids: Iterable[int]) -> list[RoomRow]:
    """The chunks of private versions."""
    wanted = sorted(version_ids)
    rows = connection.execute(
        "SELECT c.version_id, c.ordinal, v.language, w.text, w.title FROM versions v"
        " JOIN room_words w ON w.version_id = v.id JOIN chunks c ON c.id = w.chunk_id"
        f" WHERE v.id IN ({', '.join('?' * len(wanted))}) ORDER BY c.version_id, c.ordinal",
        wanted,
    )
    return [RoomRow(*row) for row in rows]


def holding(rows: Sequence[RoomRow], term: str) -> int:
    """How many rows hold a term."""
    padded = f" {term} "
    return sum(padded in row.both for row in rows)


def scored(
    rows: Sequence[RoomRow],
    phrases: Sequence[str],
    *,
    title_weight: float,
    elsewhere: Elsewhere = NOWHERE,
) -> list[float]:
    """The BM25 score of each row for any of some FTS5 phrases; 0 where it holds none."""
    scores = [0.0] * len(rows)
    if not rows:
        return scores
    average = sum(row.length for row in rows) / len(rows)
    total = len(rows) + elsewhere.rows
    for phrase in phrases:
        counted = [_occurrences(row, phrase, title_weight) for row in rows]
        held = sum(count > 0 for count in counted)
        if not held:
            continue
        n = held + elsewhere.holding(phrase)
        idf = max(math.log((max(total, n) - n + 0.5) / (n + 0.5)), _LEAST_IDF)
        for place, (row, count) in enumerate(zip(rows, counted, strict=True)):
            if count:
                length = _K1 * (1 - _B + _B * row.length / average)
                scores[place] += idf * count * (_K1 + 1) / (count + length)
    return scores


def _occurrences(row: RoomRow, phrase: str, title_weight: float) -> float:
    """How often a row holds a phrase (`"two words"`, `"begi" *`), the title's counted less."""
    words = phrase[1 : phrase.rindex('"')]
    begins = phrase.endswith("*")
    if (f" {words}" if begins else f" {words} ") not in row.both:
        return 0.0
    found = re.compile(rf"(?<= ){re.escape(words)}{'' if begins else '(?= )'}")
    border = row.both.index("\n")
    places = [match.start() for match in found.finditer(row.both)]
    in_text = sum(place < border for place in places)
    return in_text + title_weight * (len(places) - in_text)

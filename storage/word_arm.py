"""Searching words: the library's word index, and the words of private documents."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Sequence

from storage import room_words
from storage.lexical import match_phrases, query_language
from storage.records import chunk_key
from storage.scoping import Within
from storage.whole_pages import size
from storage.word_ranking import likeliest

_FEW_VERSIONS = 50

_MOST_ROWS = 30_000
"""Rows that a search may look at for all its words: some 8 ms.
In a library of 100,000 chunks, words that stand in every tenth of them tell
little; where others are left they are not looked for.
"""

_OWN_LANGUAGE = 1.2
"""Score of a text in the query's language. In a library of three languages, XQuAD's
recall@1 (en, es, zh) is .935, .924, .923 with it, .928, .881, .923 without; 1.1 does as well.
"""

_FREQUENT = 500
"""Rows from which on counting a term takes long enough to remember the number."""

_REMEMBERED_S = 600.0

_TITLE_WEIGHT = 0.5
"""BM25 weight of a word in title or heading, against 1 in the text."""


class WordArm:
    """The search for words in one consistent state of the catalog.

    `frequent` remembers from one state to the next how many rows hold a frequent term.
    """

    def __init__(
        self, connection: sqlite3.Connection, frequent: dict[str, tuple[int, float]]
    ) -> None:
        self._connection = connection
        self._frequent = frequent

    def frequency(self, term: str) -> int:
        """How many rows of the word index hold a term, hidden ones included.

        Counting takes about 1 ms for 30,000 rows, so the numbers of frequent
        terms are remembered for some minutes; they decide about weights only.
        """
        known = self._frequent.get(term)
        now = time.monotonic()
        if known is not None and now - known[1] < _REMEMBERED_S:
            return known[0]
        rows = self._holding(f'"{term}"')
        if rows >= _FREQUENT:
            self._frequent[term] = rows, now
        return rows

    def best(
        self, query: str, limit: int, within: Within | None, languages: Sequence[str]
    ) -> list[tuple[str, float]]:
        """Chunk ids whose words match the query best, with BM25 scores (higher is better).

        What is out of scope is left out before it is scored: at 30,000 chunks
        2 ms within one document, 8 ms within a tenth of the library. Texts in
        the query's own language come first where they fit as well; `languages`
        are those of all documents that are seen.
        """
        if within is None or not within.private:
            return self._of_library(query, limit, within, languages)
        found = self._of_room(query, within, languages)
        if len(within.private) < len(within.versions):
            rest = None if within.open else within.of_library
            found += self._of_library(query, limit, rest, languages)
        return sorted(found, key=lambda hit: (-hit[1], chunk_key(hit[0])))[:limit]

    def _of_room(
        self, query: str, within: Within, languages: Sequence[str]
    ) -> list[tuple[str, float]]:
        """The same of the private documents in scope, in the library's terms where it is, too."""
        rows = room_words.rows_of(self._connection, within.private)
        elsewhere = room_words.NOWHERE
        if len(within.private) < len(within.versions):
            elsewhere = room_words.Elsewhere(size(self._connection)[1], self._holding)
        phrases = match_phrases(
            query,
            languages,
            lambda term: room_words.holding(rows, term) + elsewhere.holding(f'"{term}"'),
        )
        scores = room_words.scored(rows, phrases, title_weight=_TITLE_WEIGHT, elsewhere=elsewhere)
        own = query_language(query, languages)
        return [
            (
                f"{row.version_id}:{row.ordinal}",
                score * (_OWN_LANGUAGE if own and row.language == own else 1.0),
            )
            for row, score in zip(rows, scores, strict=True)
            if score
        ]

    def _holding(self, phrase: str) -> int:
        """How many rows of the library's word index hold a phrase."""
        row = self._connection.execute(
            "SELECT count(*) FROM words WHERE words MATCH ?", (phrase,)
        ).fetchone()
        return int(row[0])

    def _of_library(
        self, query: str, limit: int, within: Within | None, languages: Sequence[str]
    ) -> list[tuple[str, float]]:
        """The word arm over the library."""
        phrases = match_phrases(
            query, languages, self.frequency, _MOST_ROWS if within is None else None
        )
        if not phrases or (within is not None and not within.versions):
            return []
        inside, values = self._rows_within(within, phrases, limit)
        rows = self._connection.execute(
            f"SELECT c.version_id, c.ordinal, w.score * iif(v.language = ?, {_OWN_LANGUAGE}, 1.0)"
            " AS score FROM ("
            f" SELECT rowid, bm25(words, 1.0, {_TITLE_WEIGHT}) AS score FROM words"
            f" WHERE words MATCH ?{inside} ORDER BY score, rowid LIMIT ?"
            ") w JOIN chunks c ON c.id = w.rowid"
            " JOIN versions v ON v.id = c.version_id AND v.state = 'current'"
            " ORDER BY score, c.version_id, c.ordinal LIMIT ?",
            (
                # No language is '' in neither sense: unsure ones are not alike.
                query_language(query, languages) or None,
                " OR ".join(phrases),
                *values,
                # Rows of a version that is not shown yet share the words table.
                limit if within is not None else 4 * limit,
                limit,
            ),
        )
        return [(f"{row[0]}:{row[1]}", -row[2]) for row in rows]

    def _rows_within(
        self, within: Within | None, phrases: Sequence[str], limit: int
    ) -> tuple[str, list[object]]:
        """A condition on the rows of the word index, and its values."""
        if within is None:
            rows = likeliest(self._connection, phrases, rows=size(self._connection)[1], limit=limit)
            if rows is None:
                return "", []
            return " AND +rowid IN (SELECT value FROM json_each(?))", [json.dumps(rows)]
        versions = json.dumps(list(within.versions))
        of_versions = "version_id IN (SELECT value FROM json_each(?))"
        condition, values = "", list[object]()
        if len(within.versions) <= _FEW_VERSIONS:
            # The rows of a version stand together: the index need not be read elsewhere.
            first, last = self._connection.execute(
                f"SELECT min(id), max(id) FROM chunks WHERE {of_versions}", (versions,)
            ).fetchone()
            condition, values = " AND rowid BETWEEN ? AND ?", [first or 0, last or 0]
        # With the plus, SQLite tests each match; else it would match anew for each row.
        return f"{condition} AND +rowid IN (SELECT id FROM chunks WHERE {of_versions})", [
            *values,
            versions,
        ]

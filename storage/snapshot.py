"""One consistent state of the catalog: what a question may see, and its passages and pages."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass

from storage.document_rows import PAGE_COLUMNS, flags_of, page_of
from storage.index_identity import IndexIdentity
from storage.records import EVERYTHING, Flag, Hit, Page, Scope, chunk_key
from storage.roll import RollDocument, roll
from storage.scoping import Within, has_private, resolve
from storage.token_counts import page_tokens
from storage.whole_pages import CURRENT, Extent, extent, size, whole_pages
from storage.word_arm import WordArm


@dataclass(frozen=True, slots=True)
class Passage:
    """A chunk of a current version, as the catalog knows it."""

    chunk_id: str
    document_id: int
    version_id: int
    document: str
    title: str
    paged: bool
    page: int
    page_label: str
    heading: str
    char_start: int
    char_end: int
    text: str
    language: str = ""
    """The document's, as an ISO 639-1 code; empty where it is not sure."""
    page_flags: str = "[]"
    """The flags of its page, as JSON: few of the many passages looked at are shown."""
    room: str = ""
    """As `Hit.room`."""

    @property
    def flags(self) -> tuple[Flag, ...]:
        """The flags of its page."""
        return flags_of(self.page_flags)

    def hit(self, *, rank: int, score: float) -> Hit:
        """The passage as a hit of a search."""
        return Hit(
            rank=rank,
            document=self.document,
            page=self.page,
            score=score,
            text=self.text,
            char_start=self.char_start,
            char_end=self.char_end,
            chunk_id=self.chunk_id,
            document_id=self.document_id,
            version_id=self.version_id,
            title=self.title,
            heading=self.heading,
            page_label=self.page_label,
            paged=self.paged,
            flags=self.flags,
            room=self.room,
        )


class Snapshot:
    """One consistent state of the catalog; valid inside `Catalog.snapshot()`.

    Private documents are none of it until `within` resolves a scope with their
    room: from then on this snapshot, and no other, sees them too.
    """

    def __init__(
        self, connection: sqlite3.Connection, frequent: dict[str, tuple[int, float]] | None = None
    ) -> None:
        self._connection = connection
        self._words = WordArm(connection, {} if frequent is None else frequent)
        self._languages: list[str] | None = None
        self._seen = CURRENT
        self._private: frozenset[int] = frozenset()

    def identity(self) -> IndexIdentity | None:
        """What the index was built with; None before the first ingestion."""
        row = self._connection.execute("SELECT value FROM meta WHERE key = 'index'").fetchone()
        return IndexIdentity(**json.loads(row[0])) if row else None

    def hidden_versions(self, collection: str) -> list[int]:
        """Versions whose vectors may be in a collection although nobody may see them."""
        rows = self._connection.execute(
            "SELECT id FROM versions WHERE collection = ? AND state != 'current'", (collection,)
        )
        return [row[0] for row in rows]

    def within(self, scope: Scope) -> Within | None:
        """The versions a scope comes to; None where it is all that everybody may see.

        Raises UsageError for a scope that names what the library does not have.
        """
        if scope.is_everything and not (scope.room and has_private(self._connection, scope.room)):
            return None
        within = resolve(self._connection, scope)
        if not within.private <= self._private:
            self._private |= within.private
            listed = ", ".join(map(str, sorted(self._private)))
            self._seen = f"({CURRENT} OR v.id IN ({listed}))"
            self._languages = None
        return within

    def everything(self) -> Within:
        """All versions that everybody may see."""
        return resolve(self._connection, EVERYTHING)

    def within_versions(self, version_ids: Iterable[int], scope: Within | None) -> Within:
        """Those of the versions that are visible and in scope."""
        rows = self._connection.execute(
            f"SELECT v.id, v.chunks FROM versions v WHERE {self._seen}"
            " AND v.id IN (SELECT value FROM json_each(?))",
            (json.dumps(list(version_ids)),),
        )
        versions = {row[0]: row[1] for row in rows if scope is None or row[0] in scope.versions}
        _, chunks = self.size()
        share = sum(versions.values()) / chunks if chunks else 0.0
        return Within(versions, share, self._private & versions.keys())

    def languages(self) -> list[str]:
        """The languages of the visible documents, by code; '' for unsure."""
        if self._languages is None:
            rows = self._connection.execute(
                f"SELECT DISTINCT language FROM versions v WHERE {self._seen} ORDER BY language"
            )
            self._languages = [row[0] for row in rows]
        return self._languages

    def versions_named(self, term: str, limit: int, *, begins: bool = False) -> list[int]:
        """Up to `limit` current versions that go by a term, or by one that begins with it."""
        condition, values = "n.term = ?", [term]
        if begins:
            condition, values = "n.term BETWEEN ? AND ?", [term, term + "\U0010ffff"]
        # The cross join keeps SQLite from going through all current versions instead.
        rows = self._connection.execute(
            "SELECT DISTINCT n.version_id FROM names n"
            f" CROSS JOIN versions v ON v.id = n.version_id AND {self._seen}"
            f" WHERE {condition} LIMIT ?",
            (*values, limit),
        )
        return [row[0] for row in rows]

    def page_chunks(self, document_id: int, page: int) -> list[str]:
        """The ids of the chunks of one page of a document's current version, in order."""
        rows = self._connection.execute(
            "SELECT c.version_id, c.ordinal FROM documents d"
            " JOIN chunks c ON c.version_id = d.version_id"
            " WHERE d.id = ? AND c.page = ? ORDER BY c.ordinal",
            (document_id, page),
        )
        return [f"{row[0]}:{row[1]}" for row in rows]

    def size(self) -> tuple[int, int]:
        """Documents that are seen, and their chunks."""
        return size(self._connection, self._seen)

    def frequency(self, term: str) -> int:
        """How many rows of the word index hold a term, hidden ones included; for weights only."""
        return self._words.frequency(term)

    def lexical(
        self, query: str, limit: int, within: Within | None = None
    ) -> list[tuple[str, float]]:
        """Chunk ids whose words match the query best; see `WordArm.best`."""
        return self._words.best(query, limit, within, self.languages())

    def passages(self, wanted_ids: Iterable[str]) -> dict[str, Passage]:
        """The passages of those ids that may be seen; others are left out."""
        wanted = [chunk_key(chunk_id) for chunk_id in wanted_ids]
        found: dict[str, Passage] = {}
        for start in range(0, len(wanted), 400):
            part = wanted[start : start + 400]
            rows = self._connection.execute(
                f"WITH wanted (version_id, ordinal) AS (VALUES {', '.join(['(?, ?)'] * len(part))})"
                " SELECT c.version_id, c.ordinal, c.page, c.char_start, c.char_end, c.heading,"
                " substr(p.text, c.char_start + 1, c.char_end - c.char_start) AS text, p.label,"
                " d.id AS document_id, d.path, v.title, v.paged, v.language, p.flags, v.room"
                " FROM wanted JOIN chunks c USING (version_id, ordinal)"
                f" JOIN versions v ON v.id = c.version_id AND {self._seen}"
                " JOIN documents d ON d.id = v.document_id"
                " JOIN pages p ON p.version_id = c.version_id AND p.number = c.page",
                [value for key in part for value in key],
            )
            for row in rows:
                chunk_id = f"{row['version_id']}:{row['ordinal']}"
                found[chunk_id] = Passage(
                    chunk_id=chunk_id,
                    document_id=row["document_id"],
                    version_id=row["version_id"],
                    document=row["path"],
                    title=row["title"],
                    paged=bool(row["paged"]),
                    page=row["page"],
                    page_label=row["label"],
                    heading=row["heading"],
                    char_start=row["char_start"],
                    char_end=row["char_end"],
                    text=row["text"],
                    language=row["language"],
                    page_flags=row["flags"],
                    room=row["room"],
                )
        return found

    def page_tokens(
        self, vocabulary: str, version_ids: Iterable[int]
    ) -> dict[tuple[int, int], int]:
        """Stored token counts by (version, page number), in the vocabulary of that fingerprint.

        Pages that were not counted in it so far are absent.
        """
        return page_tokens(self._connection, vocabulary, version_ids)

    def extent(self, within: Within | None) -> Extent:
        """How much is in scope; the whole library where nothing is filtered."""
        versions = None if within is None else within.versions
        return extent(self._connection, versions, self._seen)

    def whole_pages(self, within: Within | None) -> list[Hit]:
        """Every page in scope that has text, as a passage; by path and number."""
        versions = None if within is None else within.versions
        return whole_pages(self._connection, versions, self._seen)

    def roll(self, within: Within | None) -> list[RollDocument]:
        """Every page in scope, those without text included; 1,116 long ones take 10 ms."""
        return roll(self._connection, None if within is None else within.versions, self._seen)

    def pages(self, wanted: Iterable[tuple[int, int]]) -> dict[tuple[int, int], Page]:
        """The pages with those (version, page number) that are there; 100 pages take 1 ms."""
        keys = list(dict.fromkeys(wanted))
        found: dict[tuple[int, int], Page] = {}
        for start in range(0, len(keys), 400):
            part = keys[start : start + 400]
            rows = self._connection.execute(
                f"WITH wanted (version_id, number) AS (VALUES {', '.join(['(?, ?)'] * len(part))})"
                f" SELECT version_id, {PAGE_COLUMNS}"
                " FROM wanted JOIN pages p USING (version_id, number)",
                [value for key in part for value in key],
            )
            for row in rows:
                found[(row[0], row[1])] = page_of(row[1:])
        return found

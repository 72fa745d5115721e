"""Reading the catalog: what the library holds, and the rows behind a hit."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from storage import room_words
from storage.database import Database
from storage.lexical import match_phrases, query_language
from storage.listing import (
    Listed,
    PageMark,
    StateCounts,
    Wanted,
    failure_of,
    folders,
    listed,
    page_marks,
    state_counts,
)
from storage.records import (
    EVERYTHING,
    DocumentSummary,
    Facets,
    Failure,
    Flag,
    Hit,
    LibraryCounts,
    Page,
    ReadFile,
    RoomContents,
    RunSummary,
    Scope,
    chunk_ids,
)
from storage.roll import RollDocument, roll
from storage.run_history import read_runs
from storage.scoping import Within, has_private, resolve
from storage.token_counts import page_tokens
from storage.whole_pages import CURRENT, Extent, extent, whole_pages
from storage.word_ranking import likeliest

GRACE_S = 2.0
"""Seconds that replaced vectors stay in Chroma, for readers that began before the switch."""

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

_TAGS_LISTED = 500

_TITLE_WEIGHT = 0.5
"""BM25 weight of a word in title or heading, against 1 in the text."""


@dataclass(frozen=True, slots=True)
class IndexIdentity:
    """What an index was built with; vectors of another identity do not compare."""

    embedder: str
    dimension: int
    chunking: str
    """Fingerprint of every setting that decides where chunks begin and end."""
    collection: str
    """The Chroma collection that holds the vectors."""
    passage_prompt: str = ""
    """What led each passage when it was embedded."""
    content: str = ""
    """Digest of the embedding model's files; '' where there were none to read."""
    languages: str = ""
    """What the model reads, separated by spaces (see storage.model_languages)."""

    def to_json(self) -> str:
        """The identity as the catalog keeps it."""
        return json.dumps(asdict(self))


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
        self._frequent = {} if frequent is None else frequent
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
        return self._size(self._seen)

    def _size(self, seen: str) -> tuple[int, int]:
        row = self._connection.execute(
            f"SELECT count(*), coalesce(sum(v.chunks), 0) FROM versions v WHERE {seen}"
        ).fetchone()
        return int(row[0]), int(row[1])

    def frequency(self, term: str) -> int:
        """How many rows of the word index hold a term, hidden ones included.

        Counting takes about 1 ms for 30,000 rows, so the numbers of frequent
        terms are remembered for some minutes; they decide about weights only.
        """
        known = self._frequent.get(term)
        now = time.monotonic()
        if known is not None and now - known[1] < _REMEMBERED_S:
            return known[0]
        row = self._connection.execute(
            "SELECT count(*) FROM words WHERE words MATCH ?", (f'"{term}"',)
        ).fetchone()
        rows = int(row[0])
        if rows >= _FREQUENT:
            self._frequent[term] = rows, now
        return rows

    def lexical(
        self, query: str, limit: int, within: Within | None = None
    ) -> list[tuple[str, float]]:
        """Chunk ids whose words match the query best, with BM25 scores (higher is better).

        What is out of scope is left out before it is scored: at 30,000 chunks
        2 ms within one document, 8 ms within a tenth of the library. Texts in
        the query's own language come first where they fit as well.
        """
        if within is None or not within.private:
            return self._lexical(query, limit, within)
        found = self._lexical_private(query, within)
        if len(within.private) < len(within.versions):
            found += self._lexical(query, limit, None if within.open else within.of_library)
        return sorted(found, key=lambda hit: (-hit[1], _key(hit[0])))[:limit]

    def _lexical_private(self, query: str, within: Within) -> list[tuple[str, float]]:
        """The same of the private documents in scope, in the library's terms where it is, too."""
        rows = room_words.rows_of(self._connection, within.private)
        elsewhere = room_words.NOWHERE
        if len(within.private) < len(within.versions):
            elsewhere = room_words.Elsewhere(self._size(CURRENT)[1], self._rows_with)
        languages = self.languages()
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

    def _rows_with(self, phrase: str) -> int:
        """How many rows of the library's word index hold a phrase."""
        row = self._connection.execute(
            "SELECT count(*) FROM words WHERE words MATCH ?", (phrase,)
        ).fetchone()
        return int(row[0])

    def _lexical(self, query: str, limit: int, within: Within | None) -> list[tuple[str, float]]:
        """The word arm over the library."""
        languages = self.languages()
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
            rows = likeliest(self._connection, phrases, rows=self._size(CURRENT)[1], limit=limit)
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

    def passages(self, wanted_ids: Iterable[str]) -> dict[str, Passage]:
        """The passages of those ids that may be seen; others are left out."""
        wanted = [_key(chunk_id) for chunk_id in wanted_ids]
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
        return whole_pages(self._connection, versions, flags_of, self._seen)

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


class Catalog:
    """The truth about a library: documents, pages, chunks, words, runs, failures.

    Safe to use from many threads and processes; readers never wait for the
    writer. Every method raises StorageError when the database cannot be used.
    """

    def __init__(self, path: Path) -> None:
        self.database = Database(path)
        self._frequent: dict[str, tuple[int, float]] = {}

    @property
    def path(self) -> Path:
        """The SQLite file."""
        return self.database.path

    def close(self) -> None:
        """Close all connections."""
        self.database.close()

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        """Several reads of one and the same state."""
        with self.database.snapshot() as connection:
            yield Snapshot(connection, self._frequent)

    def library_id(self) -> str:
        """A random name of this library, given when the catalog was created."""
        with self.database.snapshot() as connection:
            row = connection.execute("SELECT value FROM meta WHERE key = 'library'").fetchone()
            return str(row[0])

    def identity(self) -> IndexIdentity | None:
        """What the index was built with; None before the first ingestion."""
        with self.snapshot() as snapshot:
            return snapshot.identity()

    def counts(self) -> LibraryCounts:
        """How large and how fresh the library is."""
        with self.database.snapshot() as connection:
            row = connection.execute(
                "SELECT count(*), coalesce(sum(pages), 0), coalesce(sum(chunks), 0)"
                " FROM versions WHERE state = 'current'"
            ).fetchone()
            failures = connection.execute(
                f"SELECT count(*) FROM failures WHERE {_OF_LIBRARY}"
            ).fetchone()[0]
            last = connection.execute(
                "SELECT max(finished_at) FROM runs WHERE outcome IN ('complete', 'failed-files')"
            ).fetchone()[0]
            return LibraryCounts(row[0], row[1], row[2], failures, last)

    def documents(self) -> list[DocumentSummary]:
        """All documents that can be found, by path."""
        with self.database.snapshot() as connection:
            rows = connection.execute(f"{_SUMMARY} ORDER BY d.path, s.root").fetchall()
            faults = _Faults(connection)
            return [_summary(row, faults) for row in rows]

    def listing(self, wanted: Wanted) -> Listed:
        """One page of the list of documents and of files that were never read."""
        with self.database.snapshot() as connection:
            return listed(connection, wanted, _summaries)

    def state_counts(self) -> StateCounts:
        """How many documents are fine, set aside, without text and so on."""
        with self.database.snapshot() as connection:
            return state_counts(connection)

    def folders(self, limit: int = 500) -> list[tuple[str, str, int]]:
        """Source roots and the folders directly below them, with their documents."""
        with self.database.snapshot() as connection:
            return folders(connection, limit)

    def document(self, document_id: int) -> DocumentSummary | None:
        """The document with this id, while it can be found."""
        with self.database.snapshot() as connection:
            return _summaries(connection, [document_id]).get(document_id)

    def page_marks(self, document_id: int) -> list[PageMark]:
        """What is known of each page of a document, without the texts."""
        with self.database.snapshot() as connection:
            return page_marks(connection, document_id)

    def failure(self, source_root: str, path: str) -> Failure | None:
        """Why one file is set aside, or cannot be read now."""
        with self.database.snapshot() as connection:
            row = connection.execute(
                f"{_FAILURE} WHERE s.root = ? AND f.path = ?", (source_root, path)
            ).fetchone()
            return failure_of(row, row["last_good"]) if row else None

    def done_since(self, moment: float) -> tuple[int, int]:
        """Documents that were read, and files that were set aside, since a moment."""
        with self.database.snapshot() as connection:
            row = connection.execute(
                "SELECT (SELECT count(*) FROM versions WHERE state IN ('ready', 'current')"
                " AND room = '' AND created_at >= ?),"
                f" (SELECT count(*) FROM failures WHERE last_seen >= ? AND {_OF_LIBRARY})",
                (moment, moment),
            ).fetchone()
            return int(row[0]), int(row[1])

    def facets(self) -> Facets:
        """What a scope can choose from."""
        with self.database.snapshot() as connection:
            counted = {
                column: dict(
                    connection.execute(
                        f"SELECT {column}, count(*) AS n FROM versions WHERE state = 'current'"
                        f" GROUP BY {column} ORDER BY n DESC, {column}"
                    ).fetchall()
                )
                for column in ("kind", "language")
            }
            tags = connection.execute(
                "SELECT tag, count(*) AS n FROM tags JOIN versions ON versions.id = version_id"
                " WHERE state = 'current' GROUP BY tag ORDER BY n DESC, tag LIMIT ?",
                (_TAGS_LISTED,),
            ).fetchall()
            first, last = connection.execute(
                "SELECT coalesce(min(dated), ''), coalesce(max(dated), '') FROM versions"
                " WHERE state = 'current' AND dated != ''"
            ).fetchone()
            return Facets(counted["kind"], counted["language"], dict(tags), first, last)

    def paths(self) -> list[str]:
        """The paths of all documents that can be found."""
        with self.database.snapshot() as connection:
            rows = connection.execute(
                "SELECT DISTINCT path FROM documents WHERE version_id IS NOT NULL ORDER BY path"
            )
            return [row[0] for row in rows]

    def document_named(self, path: str) -> DocumentSummary | None:
        """The document with this path relative to its source root."""
        with self.database.snapshot() as connection:
            row = connection.execute(
                f"{_SUMMARY} WHERE d.path = ? ORDER BY s.root LIMIT 1", (path,)
            ).fetchone()
            return _summary(row, _Faults(connection)) if row else None

    def file_of(self, document_id: int, *, room: str = "") -> ReadFile | None:
        """The file that the document's current version was read from.

        A private document has one for its own room alone.
        """
        with self.database.snapshot() as connection:
            row = connection.execute(
                "SELECT s.root, d.path, v.size, v.mtime_ns, v.sha256 FROM documents d"
                f" JOIN sources s ON s.id = d.source_id JOIN versions v ON v.id = {_SEEN_IN_ROOM}"
                " WHERE d.id = ?",
                (room, document_id),
            ).fetchone()
            return ReadFile(*row) if row else None

    def page(self, document_id: int, number: int, *, room: str = "") -> Page | None:
        """One page of a document's current version; of a private one for its own room alone."""
        with self.database.snapshot() as connection:
            row = connection.execute(
                f"SELECT {PAGE_COLUMNS} FROM documents d"
                f" JOIN pages p ON p.version_id = {_SEEN_IN_ROOM} WHERE d.id = ? AND p.number = ?",
                (room, document_id, number),
            ).fetchone()
            return page_of(row) if row else None

    def pages(self, document_id: int) -> list[Page]:
        """All pages of a document's current version, in order."""
        with self.database.snapshot() as connection:
            rows = connection.execute(
                f"SELECT {PAGE_COLUMNS} FROM documents d"
                " JOIN pages p ON p.version_id = d.version_id WHERE d.id = ? ORDER BY p.number",
                (document_id,),
            ).fetchall()
            return [page_of(row) for row in rows]

    def failures(self) -> list[Failure]:
        """The files that are set aside, by path."""
        with self.database.snapshot() as connection:
            rows = connection.execute(f"{_FAILURE} ORDER BY f.path").fetchall()
            return [failure_of(row, row["last_good"]) for row in rows]

    def runs(self, limit: int = 20) -> list[RunSummary]:
        """The last ingestion runs, newest first; `run_history.lately` knows which were killed."""
        with self.database.snapshot() as connection:
            return read_runs(connection, limit)

    def sources(self) -> list[tuple[str, bool]]:
        """The source roots, each with whether it is kept in line as a whole; no rooms."""
        with self.database.snapshot() as connection:
            rows = connection.execute(
                "SELECT root, whole FROM sources WHERE room = '' ORDER BY root"
            ).fetchall()
            return [(row[0], bool(row[1])) for row in rows]

    def has_room(self, room: str) -> bool:
        """Whether a conversation has a private document that can be searched."""
        with self.database.snapshot() as connection:
            return has_private(connection, room)

    def room(self, room: str) -> RoomContents:
        """The private documents of a conversation, and its files that were set aside, by path."""
        with self.database.snapshot() as connection:
            rows = connection.execute(f"{_PRIVATE_SUMMARY} ORDER BY d.path", (room,)).fetchall()
            faults = _Faults(connection)
            failures = connection.execute(
                f"{_FAILURES} WHERE s.room != '' AND s.room = ? ORDER BY f.path", (room,)
            ).fetchall()
            return RoomContents(
                tuple(_summary(row, faults) for row in rows),
                tuple(failure_of(row, row["last_good"]) for row in failures),
            )

    def vector_ids(self, collection: str) -> tuple[set[str], set[str]]:
        """Ids of the vectors that visible chunks need, and of those noted for others."""
        visible: set[str] = set()
        noted: set[str] = set()
        with self.database.snapshot() as connection:
            rows = connection.execute(
                "SELECT id, chunks, state FROM versions WHERE collection = ?", (collection,)
            )
            for version_id, chunks, state in rows:
                ids = chunk_ids({version_id: chunks})
                (visible if state in ("current", "private") else noted).update(ids)
        return visible, noted

    def fault(self) -> str:
        """What SQLite's own check finds wrong with the file; empty when it is sound."""
        with self.database.snapshot() as connection:
            row = connection.execute("PRAGMA quick_check(1)").fetchone()
            return "" if row[0] == "ok" else str(row[0])


_SUMMARY_COLUMNS = (
    "SELECT d.id, d.path, s.root, v.title, v.pages, v.chunks, v.characters, v.size, v.paged,"
    " v.created_at, v.warnings, v.kind, v.language, v.dated, v.dated_by, v.ocr_pages,"
    " v.unsearchable_pages, v.flagged_pages, v.confidence, v.parser, v.mtime_ns, d.source_id,"
    " (SELECT json_group_array(tag) FROM (SELECT tag FROM tags WHERE version_id = v.id"
    " ORDER BY tag)) AS tags"
)
_SUMMARY = (
    f"{_SUMMARY_COLUMNS} FROM documents d JOIN versions v ON v.id = d.version_id"
    " JOIN sources s ON s.id = d.source_id"
)
_PRIVATE_SUMMARY = (
    f"{_SUMMARY_COLUMNS} FROM versions v JOIN documents d ON d.id = v.document_id"
    " JOIN sources s ON s.id = d.source_id WHERE v.state = 'private' AND v.room = ?"
)

_FAILURES = (
    "SELECT f.path, s.root, f.kind, f.reason, f.attempts, f.last_seen, f.first_seen,"
    " f.next_try, v.created_at AS last_good FROM failures f"
    " LEFT JOIN documents d ON d.source_id = f.source_id AND d.path = f.path"
    " LEFT JOIN versions v ON v.id = coalesce(d.version_id, (SELECT id FROM versions"
    " WHERE document_id = d.id AND state = 'private'))"
    " JOIN sources s ON s.id = f.source_id"
)
_FAILURE = f"{_FAILURES} AND s.room = ''"
_OF_LIBRARY = "source_id IN (SELECT id FROM sources WHERE room = '')"

_SEEN_IN_ROOM = (
    "coalesce(d.version_id, (SELECT id FROM versions WHERE document_id = d.id"
    " AND state = 'private' AND room = ?))"
)
"""The version of a document that a room sees: the library's, or its own private one."""

PAGE_COLUMNS = "p.number, p.text, p.label, p.heading, p.origin, p.confidence, p.flags"


def page_of(row: Sequence[Any]) -> Page:
    """A page out of its PAGE_COLUMNS."""
    return Page(row[0], row[1], row[2], row[3], row[4], row[5], flags_of(row[6]))


def flags_of(kept: str) -> tuple[Flag, ...]:
    """Flags as the catalog keeps them."""
    return () if kept == "[]" else tuple(Flag(*flag) for flag in json.loads(kept))


class _Faults:
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


def _summaries(
    connection: sqlite3.Connection, document_ids: Sequence[int]
) -> dict[int, DocumentSummary]:
    if not document_ids:
        return {}
    rows = connection.execute(
        f"{_SUMMARY} WHERE d.id IN (SELECT value FROM json_each(?))",
        (json.dumps(list(document_ids)),),
    ).fetchall()
    faults = _Faults(connection)
    return {row["id"]: _summary(row, faults) for row in rows}


def _summary(row: sqlite3.Row, faults: _Faults) -> DocumentSummary:
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


def _key(chunk_id: str) -> tuple[int, int]:
    version, _, ordinal = chunk_id.partition(":")
    return int(version), int(ordinal)

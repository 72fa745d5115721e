"""Token counts of pages and chunks, stored, so that packing a prompt tokenises no page.

Tokenising 400 pages of an annual report takes 0.3 s, adding their stored counts
0.3 ms. The counts are those of one vocabulary, that of the model which answers;
for another one all are counted anew. A count is of the page's text alone, as
`TokenCounter.count_text` gives it.
"""

from __future__ import annotations

import json
import logging
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from storage.database import Database

log = logging.getLogger(__name__)

CountMany = Callable[[Sequence[str]], list[int]]
"""Tokens of each of several texts."""

_CHARACTERS_AT_ONCE = 4_000_000
"""Text in memory while it is counted."""

_VOCABULARY = "vocabulary"


@dataclass(frozen=True, slots=True)
class Counted:
    """What a round of counting did."""

    documents: int
    pages: int
    chunks: int
    seconds: float


def page_tokens(
    connection: sqlite3.Connection, vocabulary: str, version_ids: Iterable[int]
) -> dict[tuple[int, int], int]:
    """Tokens by (version, page number); pages that were not counted so far are absent."""
    if vocabulary != _stored_vocabulary(connection):
        return {}
    rows = connection.execute(
        "SELECT version_id, number, tokens FROM page_tokens"
        " WHERE version_id IN (SELECT value FROM json_each(?))",
        (json.dumps(list(version_ids)),),
    )
    return {(row[0], row[1]): row[2] for row in rows}


def chunk_tokens(
    connection: sqlite3.Connection, vocabulary: str, version_ids: Iterable[int]
) -> dict[str, int]:
    """Tokens by chunk id; chunks that were not counted so far are absent."""
    if vocabulary != _stored_vocabulary(connection):
        return {}
    rows = connection.execute(
        "SELECT version_id, ordinal, tokens FROM chunk_tokens"
        " WHERE version_id IN (SELECT value FROM json_each(?))",
        (json.dumps(list(version_ids)),),
    )
    return {f"{row[0]}:{row[1]}": row[2] for row in rows}


def count_missing(database: Database, vocabulary: str, count: CountMany) -> Counted:
    """Count what of the library is not counted in that vocabulary, a version a commit.

    Killed at any instant, the next call goes on with what is left. Counts of
    versions that are gone are dropped. Beside a run that writes, both wait
    their turn for some milliseconds.
    """
    started = time.monotonic()
    with database.writing() as connection:
        if _stored_vocabulary(connection) != vocabulary:
            connection.execute("DELETE FROM page_tokens")
            connection.execute("DELETE FROM chunk_tokens")
            connection.execute(
                "INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", (_VOCABULARY, vocabulary)
            )
        for table in ("page_tokens", "chunk_tokens"):
            connection.execute(
                f"DELETE FROM {table} WHERE version_id NOT IN (SELECT id FROM versions)"
            )
    documents = pages = chunks = 0
    for version_id in _uncounted(database):
        counted = _count_version(database, version_id, vocabulary, count)
        documents, pages, chunks = documents + 1, pages + counted[0], chunks + counted[1]
    seconds = time.monotonic() - started
    if documents:
        log.info("counted the tokens of %d pages in %.1f s", pages, seconds)
    return Counted(documents, pages, chunks, seconds)


def _stored_vocabulary(connection: sqlite3.Connection) -> str:
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (_VOCABULARY,)).fetchone()
    return str(row[0]) if row else ""


def _uncounted(database: Database) -> list[int]:
    with database.snapshot() as connection:
        rows = connection.execute(
            "SELECT id FROM versions WHERE state IN ('ready', 'current', 'private') AND pages > 0"
            " AND id NOT IN (SELECT DISTINCT version_id FROM page_tokens) ORDER BY id"
        )
        return [row[0] for row in rows]


def _count_version(
    database: Database, version_id: int, vocabulary: str, count: CountMany
) -> tuple[int, int]:
    pages: list[tuple[int, int, int]] = []
    chunks: list[tuple[int, int, int]] = []
    for part in _parts(database, version_id):
        with database.snapshot() as connection:
            spans = connection.execute(
                "SELECT ordinal, page, char_start, char_end FROM chunks WHERE version_id = ?"
                " AND page BETWEEN ? AND ?",
                (version_id, part[0][0], part[-1][0]),
            ).fetchall()
        texts = dict(part)
        counts = count([*texts.values(), *(texts[page][a:b] for _, page, a, b in spans)])
        pages += [
            (version_id, number, tokens) for number, tokens in zip(texts, counts, strict=False)
        ]
        chunks += [
            (version_id, span[0], tokens)
            for span, tokens in zip(spans, counts[len(texts) :], strict=True)
        ]
    with database.writing() as connection:
        there = connection.execute(
            "SELECT 1 FROM versions WHERE id = ? AND state IN ('ready', 'current', 'private')",
            (version_id,),
        ).fetchone()
        if there and _stored_vocabulary(connection) == vocabulary:
            connection.executemany("INSERT OR REPLACE INTO page_tokens VALUES (?, ?, ?)", pages)
            connection.executemany("INSERT OR REPLACE INTO chunk_tokens VALUES (?, ?, ?)", chunks)
    return len(pages), len(chunks)


def _parts(database: Database, version_id: int) -> Iterator[list[tuple[int, str]]]:
    """The pages (number, text) of a version, some million characters at a time."""
    last = 0
    while True:
        part: list[tuple[int, str]] = []
        characters = 0
        with database.snapshot() as connection:
            rows = connection.execute(
                "SELECT number, text FROM pages WHERE version_id = ? AND number > ?"
                " ORDER BY number",
                (version_id, last),
            )
            for row in rows:
                part.append((row[0], row[1]))
                characters += len(row[1])
                if characters >= _CHARACTERS_AT_ONCE:
                    break
        if not part:
            return
        yield part
        last = part[-1][0]

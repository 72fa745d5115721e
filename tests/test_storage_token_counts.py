"""Token counts are stored by version and vocabulary, and what is stored is what counting gives."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from storage.database import Database
from storage.token_counts import chunk_tokens, count_missing, page_tokens


@pytest.fixture
def database(tmp_path: Path) -> Database:
    """Two visible versions, of two pages and one, and a pending one."""
    database = Database(tmp_path / "catalog.db")
    with database.writing() as connection:
        for version, state in ((1, "current"), (2, "current"), (3, "pending")):
            add(connection, version, state, ["one two three", "four"] if version == 1 else ["a b"])
    return database


def add(connection: sqlite3.Connection, version: int, state: str, pages: list[str]) -> None:
    connection.execute(
        "INSERT INTO versions (id, document_id, collection, state, chunks, pages, created_at)"
        " VALUES (?, 1, 'c', ?, 1, ?, 0)",
        (version, state, len(pages)),
    )
    connection.executemany(
        "INSERT INTO pages (version_id, number, label, heading, text) VALUES (?, ?, '', '', ?)",
        [(version, number, text) for number, text in enumerate(pages, start=1)],
    )
    connection.execute(
        "INSERT INTO chunks (version_id, ordinal, page, char_start, char_end, heading,"
        " embedded_sha) VALUES (?, 0, 1, 0, 7, '', x'00')",
        (version,),
    )


def words(texts: list[str]) -> list[int]:
    return [len(text.split()) for text in texts]


def stored(database: Database, vocabulary: str = "words") -> dict[tuple[int, int], int]:
    with database.snapshot() as connection:
        return page_tokens(connection, vocabulary, (1, 2, 3, 4))


def test_pages_and_chunks_of_visible_versions_are_counted(database):
    """Each page and each chunk has the count of its own text."""
    counted = count_missing(database, "words", words)

    assert (counted.documents, counted.pages, counted.chunks) == (2, 3, 2)
    assert stored(database) == {(1, 1): 3, (1, 2): 1, (2, 1): 2}
    with database.snapshot() as connection:
        assert chunk_tokens(connection, "words", (1, 2)) == {"1:0": 2, "2:0": 2}


def test_only_what_is_new_is_counted(database):
    """A second round reads nothing that was counted."""
    count_missing(database, "words", words)
    with database.writing() as connection:
        add(connection, 4, "current", ["x y z w"])
    seen: list[str] = []

    def noted(texts: list[str]) -> list[int]:
        seen.extend(texts)
        return words(texts)

    counted = count_missing(database, "words", noted)

    assert counted.pages == 1
    assert set(seen) == {"x y z w", "x y z w"[:7]}
    assert stored(database)[(4, 1)] == 4


def test_counts_of_another_vocabulary_are_never_given(database):
    """Who asks with another vocabulary gets nothing, and counting in it starts anew."""
    count_missing(database, "words", words)

    assert stored(database, "letters") == {}
    count_missing(database, "letters", lambda texts: list(map(len, texts)))
    assert stored(database, "letters")[(1, 2)] == 4
    assert stored(database, "words") == {}


def test_what_is_gone_is_dropped(database):
    """Counts of versions that were deleted do not stay."""
    count_missing(database, "words", words)
    with database.writing() as connection:
        connection.execute("DELETE FROM versions WHERE id = 1")

    count_missing(database, "words", words)

    assert stored(database) == {(2, 1): 2}


def test_an_interrupted_round_keeps_what_was_done(database):
    """Each version is stored whole before the next is counted."""

    def stops(texts: list[str]) -> list[int]:
        if "a b" in texts:
            raise KeyboardInterrupt
        return words(texts)

    with pytest.raises(KeyboardInterrupt):
        count_missing(database, "words", stops)

    assert stored(database) == {(1, 1): 3, (1, 2): 1}
    assert count_missing(database, "words", words).pages == 1


def test_a_long_document_is_counted_in_parts(database, monkeypatch):
    """No more than some pages are in memory at once, and none is lost at a seam."""
    monkeypatch.setattr("storage.token_counts._CHARACTERS_AT_ONCE", 10)
    with database.writing() as connection:
        add(connection, 4, "current", [f"page {n} of many" for n in range(1, 31)])
    most = 0

    def noted(texts: list[str]) -> list[int]:
        nonlocal most
        most = max(most, len(texts))
        return words(texts)

    count_missing(database, "words", noted)

    assert most <= 3
    assert [stored(database)[(4, n)] for n in range(1, 31)] == [4] * 30


def test_a_version_deleted_meanwhile_leaves_no_counts(database):
    """What vanishes while it is counted is not stored."""

    def deletes(texts: list[str]) -> list[int]:
        with database.writing() as connection:
            connection.execute("DELETE FROM versions WHERE id = 1")
        return words(texts)

    count_missing(database, "words", deletes)

    assert stored(database) == {(2, 1): 2}

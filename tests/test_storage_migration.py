"""A catalog of the first schema is brought up to date when it is opened, and loses nothing."""

from __future__ import annotations

import json
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from storage import database, migration
from storage.catalog import Catalog
from storage.catalog_writer import CatalogWriter, FileState
from storage.errors import StorageError
from storage.records import Chunk, Page, ParsedDocument, Scope
from tests.library_fixtures import document_named

SCHEMA_1 = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE sources (
    id INTEGER PRIMARY KEY, root TEXT NOT NULL UNIQUE, whole INTEGER NOT NULL);
CREATE TABLE documents (
    id INTEGER PRIMARY KEY AUTOINCREMENT, source_id INTEGER NOT NULL REFERENCES sources (id),
    path TEXT NOT NULL, version_id INTEGER, UNIQUE (source_id, path));
CREATE INDEX documents_by_version ON documents (version_id);
CREATE INDEX documents_by_path ON documents (path);
CREATE TABLE versions (
    id INTEGER PRIMARY KEY AUTOINCREMENT, document_id INTEGER NOT NULL, collection TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'ready', 'current', 'retired')),
    chunks INTEGER NOT NULL, size INTEGER NOT NULL DEFAULT 0, mtime_ns INTEGER NOT NULL DEFAULT 0,
    sha256 TEXT NOT NULL DEFAULT '', reader TEXT NOT NULL DEFAULT '',
    title TEXT NOT NULL DEFAULT '', paged INTEGER NOT NULL DEFAULT 0,
    pages INTEGER NOT NULL DEFAULT 0, characters INTEGER NOT NULL DEFAULT 0,
    parser TEXT NOT NULL DEFAULT '', metadata TEXT NOT NULL DEFAULT '{}',
    warnings TEXT NOT NULL DEFAULT '[]', created_at REAL NOT NULL, retired_at REAL);
CREATE INDEX versions_by_state ON versions (state);
CREATE TABLE pages (
    version_id INTEGER NOT NULL, number INTEGER NOT NULL, label TEXT NOT NULL,
    heading TEXT NOT NULL, text TEXT NOT NULL, UNIQUE (version_id, number));
CREATE TABLE chunks (
    id INTEGER PRIMARY KEY, version_id INTEGER NOT NULL, ordinal INTEGER NOT NULL,
    page INTEGER NOT NULL, char_start INTEGER NOT NULL, char_end INTEGER NOT NULL,
    heading TEXT NOT NULL, embedded_sha BLOB NOT NULL, UNIQUE (version_id, ordinal));
CREATE INDEX chunks_by_embedded ON chunks (embedded_sha);
CREATE VIRTUAL TABLE words USING fts5 (
    text, title, tokenize = 'porter unicode61 remove_diacritics 2');
CREATE TABLE failures (
    source_id INTEGER NOT NULL, path TEXT NOT NULL, kind TEXT NOT NULL, reason TEXT NOT NULL,
    attempts INTEGER NOT NULL, first_seen REAL NOT NULL, last_seen REAL NOT NULL,
    PRIMARY KEY (source_id, path)) WITHOUT ROWID;
CREATE TABLE runs (
    id INTEGER PRIMARY KEY AUTOINCREMENT, started_at REAL NOT NULL, finished_at REAL,
    outcome TEXT NOT NULL, added INTEGER NOT NULL DEFAULT 0, updated INTEGER NOT NULL DEFAULT 0,
    unchanged INTEGER NOT NULL DEFAULT 0, deleted INTEGER NOT NULL DEFAULT 0,
    failed INTEGER NOT NULL DEFAULT 0, pages INTEGER NOT NULL DEFAULT 0,
    chunks INTEGER NOT NULL DEFAULT 0, message TEXT NOT NULL DEFAULT '');
INSERT INTO meta VALUES ('schema', '1'), ('library', 'abcdef012345');
"""

DOCUMENTS = {
    "contracts/lease.pdf": (
        "The tenant pays the rent on the first day of each month.",
        {"keywords": "Law; Rent", "created": "2021-03-04T10:00"},
        "current",
    ),
    "zh.md": ("公司的净利润为八百万元，比上一年增长了百分之十。", {}, "current"),
    "next.md": ("Words that nobody may see before the switch.", {}, "ready"),
}


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A catalog as the first schema left it, with a run and a failure."""
    path = tmp_path / "catalog.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(SCHEMA_1)
        connection.execute("INSERT INTO sources VALUES (1, '/docs', 1)")
        connection.execute("INSERT INTO failures VALUES (1, 'x.pdf', 'empty', 'why', 1, 1.0, 1.0)")
        for number, (name, (text, metadata, state)) in enumerate(DOCUMENTS.items(), start=1):
            shown = number if state == "current" else None
            connection.execute("INSERT INTO documents VALUES (?, 1, ?, ?)", (number, name, shown))
            connection.execute(
                "INSERT INTO versions (id, document_id, collection, state, chunks, mtime_ns, title,"
                " pages, metadata, created_at) VALUES (?, ?, 'c', ?, 1, ?, 'A title', 1, ?, 1.0)",
                (number, number, state, 1_704_110_400_000_000_000, json.dumps(metadata)),
            )
            connection.execute("INSERT INTO pages VALUES (?, 1, '', '', ?)", (number, text))
            connection.execute(
                "INSERT INTO chunks VALUES (?, ?, 0, 1, 0, ?, '', x'00')",
                (10 + number, number, len(text)),
            )
            connection.execute(
                "INSERT INTO words (rowid, text, title) VALUES (?, ?, '')", (10 + number, text)
            )
    return path


def shape(path: Path) -> dict[str, object]:
    """Tables with their columns, indexes with theirs."""
    with closing(sqlite3.connect(path)) as connection:
        names = connection.execute(
            "SELECT type, name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'"
            " AND name NOT LIKE 'words_%' ORDER BY name"
        ).fetchall()
        return {
            name: sorted(
                row[1:6] if kind == "table" else row[2]
                for row in connection.execute(
                    f"PRAGMA {'table' if kind == 'table' else 'index'}_info({name})"
                )
            )
            for kind, name in names
        } | {
            "tokenizer": connection.execute(
                "SELECT sql FROM sqlite_master WHERE name = 'words'"
            ).fetchone()[0]
        }


def test_an_old_catalog_takes_the_shape_of_a_new_one(old, tmp_path):
    """Column for column, index for index, and the same tokenizer."""
    Catalog(old).counts()
    Catalog(tmp_path / "new.db").counts()

    assert shape(old) == shape(tmp_path / "new.db")


def test_a_catalog_of_the_second_schema_keeps_all_it_holds(old, tmp_path):
    """The new columns say: nothing known; a failure may be tried at once; runs have durations."""
    with closing(sqlite3.connect(old)) as connection, connection:
        connection.execute(
            "INSERT INTO runs (started_at, finished_at, outcome) VALUES (10.0, 12.5, 'complete'),"
            " (20.0, NULL, 'interrupted')"
        )
        migration._to_2(connection)
    catalog = Catalog(old)

    lease = document_named(catalog, "contracts/lease.pdf")

    assert catalog.page(1, 1) == Page(1, DOCUMENTS["contracts/lease.pdf"][0])
    assert (lease.ocr_pages, lease.confidence, lease.fault) == (0, None, "")
    assert [run.seconds for run in catalog.runs()] == [None, 2.5]
    assert catalog.failures()[0].next_try == 0
    Catalog(tmp_path / "new.db").counts()
    assert shape(old) == shape(tmp_path / "new.db")


def test_what_filters_know_follows_from_what_was_stored(old):
    """Type, language, date and tags, without the files."""
    catalog = Catalog(old)

    lease, chinese = catalog.documents()

    assert (lease.kind, lease.language, lease.dated, lease.dated_by) == (
        ("pdf", "en", "2021-03-04", "stated")
    )
    assert lease.tags == ("law", "rent")
    assert (chinese.kind, chinese.language, chinese.dated[:4], chinese.dated_by) == (
        ("md", "zh", "2024", "file")
    )
    assert catalog.library_id() == "abcdef012345"
    assert len(catalog.failures()) == 1


def test_its_words_are_found_as_if_they_had_been_indexed_today(old):
    """Those of hidden versions stay hidden, and are found after the switch."""
    catalog = Catalog(old)
    with catalog.snapshot() as snapshot:
        assert [i for i, _ in snapshot.lexical("tenants paying", 5)] == ["1:0"]
        assert [i for i, _ in snapshot.lexical("净利润是多少", 5)] == ["2:0"]
        assert snapshot.lexical("switch", 5) == []
        tagged = snapshot.within(Scope(tags=("rent",)))
        assert tagged is not None
        assert tagged.versions == {1: 1}

    writer = CatalogWriter(catalog)
    with catalog.database.writing() as connection:
        connection.execute("UPDATE versions SET state = 'current' WHERE id = 3")
        connection.execute("UPDATE documents SET version_id = 3 WHERE id = 3")
    document = ParsedDocument("New", (Page(1, "new words"),), False, "test")
    new = writer.begin_version(1, "zh.md", 1, "c")
    chunks = [Chunk(0, 1, 0, 9, "new words", "", "x")]
    writer.publish(new.version_id, FileState("zh.md", 1, 1, "s", "r"), document, chunks, [b"x"])
    with catalog.snapshot() as snapshot:
        assert [i for i, _ in snapshot.lexical("switch", 5)] == ["3:0"]
        assert [i for i, _ in snapshot.lexical("new words", 1)] == [f"{new.version_id}:0"]


def test_many_readers_may_open_it_at_once(old):
    """One of them does the work, once; none fails."""
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: len(Catalog(old).documents()), range(8)))

    assert found == [2] * 8


def test_an_upgrade_that_fails_changes_nothing(old, monkeypatch):
    """The catalog stays as it was, and the next one who opens it tries again."""
    before = shape(old)

    def fail(connection: sqlite3.Connection, found: int) -> None:
        connection.execute("ALTER TABLE versions ADD COLUMN kind TEXT")
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(database, "upgrade", fail)
        with pytest.raises(StorageError, match="full"):
            Catalog(old).counts()

    assert shape(old) == before
    assert Catalog(old).counts().documents == 2

"""Bringing an older catalog up to date, in place and in one transaction.

Nothing is read from the files again and nothing is embedded again: what is
new follows from the stored pages and metadata. Schema 1 to 2 (filters and words
by language) takes about 1 s for 1,000 chunks; 2 to 3 (pages' origins and flags,
back-off, the history's details) only adds columns; 3 to 4 (private documents)
writes the table of versions anew, a row a document. Whoever else opens the
catalog meanwhile waits.
"""

from __future__ import annotations

import json
import logging
import sqlite3
import time

from storage.facts import facts_of, store_facts
from storage.lexical import TOKENIZER, index_text
from storage.names import name_terms, store_names, title_text

log = logging.getLogger(__name__)

_TO_2 = (
    "ALTER TABLE versions ADD COLUMN kind TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE versions ADD COLUMN language TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE versions ADD COLUMN dated TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE versions ADD COLUMN dated_by TEXT NOT NULL DEFAULT ''",
    "DROP INDEX versions_by_state",
    "CREATE INDEX versions_by_facts ON versions (state, kind, language, dated, chunks)",
    "CREATE TABLE tags (tag TEXT NOT NULL, version_id INTEGER NOT NULL,"
    " PRIMARY KEY (tag, version_id)) WITHOUT ROWID",
    "CREATE INDEX tags_by_version ON tags (version_id)",
    "CREATE TABLE names (term TEXT NOT NULL, version_id INTEGER NOT NULL,"
    " PRIMARY KEY (term, version_id)) WITHOUT ROWID",
    "CREATE INDEX names_by_version ON names (version_id)",
    "ALTER TABLE pages ADD COLUMN tokens INTEGER",
    "ALTER TABLE chunks ADD COLUMN tokens INTEGER",
    "DROP TABLE words",
    f"CREATE VIRTUAL TABLE words USING fts5 (text, title, tokenize = '{TOKENIZER}')",
)

_TO_3 = (
    "ALTER TABLE versions ADD COLUMN lead TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE versions ADD COLUMN ocr_pages INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE versions ADD COLUMN unsearchable_pages INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE versions ADD COLUMN flagged_pages INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE versions ADD COLUMN confidence REAL",
    "CREATE INDEX versions_by_content ON versions (sha256)",
    "CREATE INDEX versions_unread ON versions (state) WHERE unsearchable_pages > 0",
    "ALTER TABLE pages ADD COLUMN origin TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE pages ADD COLUMN confidence REAL",
    "ALTER TABLE pages ADD COLUMN flags TEXT NOT NULL DEFAULT '[]'",
    "ALTER TABLE failures ADD COLUMN next_try REAL NOT NULL DEFAULT 0",
    "ALTER TABLE failures ADD COLUMN size INTEGER NOT NULL DEFAULT -1",
    "ALTER TABLE failures ADD COLUMN mtime_ns INTEGER NOT NULL DEFAULT -1",
    "ALTER TABLE failures ADD COLUMN reader TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE runs ADD COLUMN mode TEXT NOT NULL DEFAULT 'ingest'",
    "ALTER TABLE runs ADD COLUMN seconds REAL",
    "ALTER TABLE runs ADD COLUMN moved INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE runs ADD COLUMN embedded INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE runs ADD COLUMN waiting INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE runs ADD COLUMN reasons TEXT NOT NULL DEFAULT '{}'",
    "UPDATE runs SET seconds = finished_at - started_at",
    # Never filled so far: the counts have tables of their own.
    "ALTER TABLE pages DROP COLUMN tokens",
    "ALTER TABLE chunks DROP COLUMN tokens",
    "CREATE TABLE page_tokens (version_id INTEGER NOT NULL, number INTEGER NOT NULL,"
    " tokens INTEGER NOT NULL, PRIMARY KEY (version_id, number)) WITHOUT ROWID",
    "CREATE TABLE chunk_tokens (version_id INTEGER NOT NULL, ordinal INTEGER NOT NULL,"
    " tokens INTEGER NOT NULL, PRIMARY KEY (version_id, ordinal)) WITHOUT ROWID",
    "UPDATE meta SET value = '3' WHERE key = 'schema'",
)

_VERSIONS_4 = (
    "id, document_id, collection, state, chunks, size, mtime_ns, sha256, reader, title, paged,"
    " pages, characters, parser, metadata, warnings, created_at, retired_at, kind, language,"
    " dated, dated_by, lead, ocr_pages, unsearchable_pages, flagged_pages, confidence"
)
_TO_4 = (
    "ALTER TABLE sources ADD COLUMN room TEXT NOT NULL DEFAULT ''",
    # SQLite cannot change the states that a CHECK allows: the table is written anew.
    "CREATE TABLE versions_4 ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " document_id INTEGER NOT NULL,"
    " collection TEXT NOT NULL,"
    " state TEXT NOT NULL"
    " CHECK (state IN ('pending', 'ready', 'current', 'private', 'retired')),"
    " chunks INTEGER NOT NULL,"
    " size INTEGER NOT NULL DEFAULT 0,"
    " mtime_ns INTEGER NOT NULL DEFAULT 0,"
    " sha256 TEXT NOT NULL DEFAULT '',"
    " reader TEXT NOT NULL DEFAULT '',"
    " title TEXT NOT NULL DEFAULT '',"
    " paged INTEGER NOT NULL DEFAULT 0,"
    " pages INTEGER NOT NULL DEFAULT 0,"
    " characters INTEGER NOT NULL DEFAULT 0,"
    " parser TEXT NOT NULL DEFAULT '',"
    " metadata TEXT NOT NULL DEFAULT '{}',"
    " warnings TEXT NOT NULL DEFAULT '[]',"
    " created_at REAL NOT NULL,"
    " retired_at REAL,"
    " kind TEXT NOT NULL DEFAULT '',"
    " language TEXT NOT NULL DEFAULT '',"
    " dated TEXT NOT NULL DEFAULT '',"
    " dated_by TEXT NOT NULL DEFAULT '',"
    " lead TEXT NOT NULL DEFAULT '',"
    " ocr_pages INTEGER NOT NULL DEFAULT 0,"
    " unsearchable_pages INTEGER NOT NULL DEFAULT 0,"
    " flagged_pages INTEGER NOT NULL DEFAULT 0,"
    " confidence REAL,"
    " room TEXT NOT NULL DEFAULT '',"
    " CHECK (state != 'current' OR room = ''),"
    " CHECK (state != 'private' OR room != ''))",
    f"INSERT INTO versions_4 ({_VERSIONS_4}) SELECT {_VERSIONS_4} FROM versions",
    # A version's number names its vectors, and is never given again.
    "DELETE FROM sqlite_sequence WHERE name = 'versions_4'",
    "INSERT INTO sqlite_sequence (name, seq)"
    " SELECT 'versions_4', seq FROM sqlite_sequence WHERE name = 'versions'",
    "DROP TABLE versions",
    "ALTER TABLE versions_4 RENAME TO versions",
    "CREATE INDEX versions_by_facts ON versions (state, kind, language, dated, chunks)",
    "CREATE INDEX versions_by_content ON versions (sha256)",
    "CREATE INDEX versions_unread ON versions (state) WHERE unsearchable_pages > 0",
    "CREATE INDEX versions_of_rooms ON versions (room) WHERE state = 'private'",
    "CREATE INDEX versions_private ON versions (document_id) WHERE state = 'private'",
    "CREATE TABLE room_words (chunk_id INTEGER PRIMARY KEY, version_id INTEGER NOT NULL,"
    " text TEXT NOT NULL, title TEXT NOT NULL)",
    "CREATE INDEX room_words_by_version ON room_words (version_id)",
    "UPDATE meta SET value = '4' WHERE key = 'schema'",
)


def upgrade(connection: sqlite3.Connection, found: int) -> None:
    """Bring a catalog of schema `found` to the newest; the caller holds a write transaction."""
    started = time.monotonic()
    if found == 1:
        _to_2(connection)
    if found < 3:
        for statement in _TO_3:
            connection.execute(statement)
    for statement in _TO_4:
        connection.execute(statement)
    log.info("brought the catalog up to date in %.1f s", time.monotonic() - started)


def _to_2(connection: sqlite3.Connection) -> None:
    for statement in _TO_2:
        connection.execute(statement)
    versions = connection.execute(
        "SELECT v.id, d.path, v.title, v.mtime_ns, v.metadata FROM versions v"
        " JOIN documents d ON d.id = v.document_id WHERE v.state IN ('ready', 'current')"
    ).fetchall()
    for version_id, path, title, mtime_ns, metadata in versions:
        pages = connection.execute(
            "SELECT number, text FROM pages WHERE version_id = ? ORDER BY number", (version_id,)
        ).fetchall()
        texts = {page[0]: page[1] for page in pages}
        facts = facts_of(path, mtime_ns, json.loads(metadata), texts.values())
        store_facts(connection, version_id, facts)
        store_names(connection, version_id, name_terms(path, title, facts.names))
        chunks = connection.execute(
            "SELECT id, page, char_start, char_end, heading FROM chunks WHERE version_id = ?",
            (version_id,),
        ).fetchall()
        connection.executemany(
            "INSERT INTO words (rowid, text, title) VALUES (?, ?, ?)",
            [
                (
                    chunk_id,
                    index_text(texts[page][start:end], facts.language),
                    index_text(title_text(path, title, heading, facts.names), facts.language),
                )
                for chunk_id, page, start, end, heading in chunks
            ],
        )
    connection.execute("UPDATE meta SET value = '2' WHERE key = 'schema'")

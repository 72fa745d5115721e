"""The catalog's SQLite database: schema, connections, transactions, errors."""

from __future__ import annotations

import sqlite3
import threading
import time
import uuid
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from storage.errors import StorageError
from storage.lexical import TOKENIZER
from storage.migration import upgrade

SCHEMA_VERSION = 4

_LOCKED_FOR_S = 30.0

_SCHEMA = f"""
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

-- A folder that is kept in line as a whole (whole = 1), or the parent of files
-- that were named one by one.
CREATE TABLE sources (
    id INTEGER PRIMARY KEY,
    root TEXT NOT NULL UNIQUE,
    whole INTEGER NOT NULL,
    -- The conversation that alone sees what lies there (storage/rooms.py); '': everybody.
    room TEXT NOT NULL DEFAULT ''
);

-- version_id NULL: never read successfully so far, or private.
CREATE TABLE documents (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    source_id INTEGER NOT NULL REFERENCES sources (id),
    path TEXT NOT NULL,
    version_id INTEGER,
    UNIQUE (source_id, path)
);
CREATE INDEX documents_by_version ON documents (version_id);
CREATE INDEX documents_by_path ON documents (path);

-- The write-ahead note of what stands in Chroma: a row exists before the first
-- vector of its version is sent and goes after the last one is deleted. The
-- vectors' ids follow from it: "<id>:0" to "<id>:<chunks - 1>".
-- What everybody may see is `current`; what one conversation may see is `private`
-- and never current, and no document names it as its version (docs/decisions/0019).
CREATE TABLE versions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    document_id INTEGER NOT NULL,
    collection TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'ready', 'current', 'private', 'retired')),
    chunks INTEGER NOT NULL,
    -- The file as it was when it was read.
    size INTEGER NOT NULL DEFAULT 0,
    mtime_ns INTEGER NOT NULL DEFAULT 0,
    sha256 TEXT NOT NULL DEFAULT '',
    reader TEXT NOT NULL DEFAULT '',
    title TEXT NOT NULL DEFAULT '',
    paged INTEGER NOT NULL DEFAULT 0,
    pages INTEGER NOT NULL DEFAULT 0,
    characters INTEGER NOT NULL DEFAULT 0,
    parser TEXT NOT NULL DEFAULT '',
    metadata TEXT NOT NULL DEFAULT '{{}}',
    warnings TEXT NOT NULL DEFAULT '[]',
    created_at REAL NOT NULL,
    retired_at REAL,
    -- What filters know (storage/facts.py).
    kind TEXT NOT NULL DEFAULT '',
    language TEXT NOT NULL DEFAULT '',
    dated TEXT NOT NULL DEFAULT '',
    dated_by TEXT NOT NULL DEFAULT '',
    -- The name that leads the texts its vectors were made of, where that is not
    -- the one it has: a renamed file keeps its vectors, a copy takes those there are.
    lead TEXT NOT NULL DEFAULT '',
    -- What its pages say of themselves, counted.
    ocr_pages INTEGER NOT NULL DEFAULT 0,
    unsearchable_pages INTEGER NOT NULL DEFAULT 0,
    flagged_pages INTEGER NOT NULL DEFAULT 0,
    confidence REAL,
    room TEXT NOT NULL DEFAULT '',
    CHECK (state != 'current' OR room = ''),
    CHECK (state != 'private' OR room != '')
);
-- Holds all that a filter asks of a version, so that no row need be read.
CREATE INDEX versions_by_facts ON versions (state, kind, language, dated, chunks);
CREATE INDEX versions_by_content ON versions (sha256);
CREATE INDEX versions_unread ON versions (state) WHERE unsearchable_pages > 0;
CREATE INDEX versions_of_rooms ON versions (room) WHERE state = 'private';
CREATE INDEX versions_private ON versions (document_id) WHERE state = 'private';

-- Of versions that are ready or current.
CREATE TABLE tags (
    tag TEXT NOT NULL,
    version_id INTEGER NOT NULL,
    PRIMARY KEY (tag, version_id)
) WITHOUT ROWID;
CREATE INDEX tags_by_version ON tags (version_id);

-- What documents are called (storage/names.py). Of versions that are ready or current.
CREATE TABLE names (
    term TEXT NOT NULL,
    version_id INTEGER NOT NULL,
    PRIMARY KEY (term, version_id)
) WITHOUT ROWID;
CREATE INDEX names_by_version ON names (version_id);

CREATE TABLE pages (
    version_id INTEGER NOT NULL,
    number INTEGER NOT NULL,
    label TEXT NOT NULL,
    heading TEXT NOT NULL,
    text TEXT NOT NULL,
    -- '' the file's own text, 'ocr', or 'none' where the page could not be read.
    origin TEXT NOT NULL DEFAULT '',
    confidence REAL,
    flags TEXT NOT NULL DEFAULT '[]',
    UNIQUE (version_id, number)
);

CREATE TABLE chunks (
    id INTEGER PRIMARY KEY,
    version_id INTEGER NOT NULL,
    ordinal INTEGER NOT NULL,
    page INTEGER NOT NULL,
    char_start INTEGER NOT NULL,
    char_end INTEGER NOT NULL,
    heading TEXT NOT NULL,
    embedded_sha BLOB NOT NULL,
    UNIQUE (version_id, ordinal)
);
CREATE INDEX chunks_by_embedded ON chunks (embedded_sha);

-- What the chat model's vocabulary makes of each page and chunk (storage/token_counts.py).
-- Apart from the texts, so that the pages of a report are summed without reading them.
CREATE TABLE page_tokens (
    version_id INTEGER NOT NULL,
    number INTEGER NOT NULL,
    tokens INTEGER NOT NULL,
    PRIMARY KEY (version_id, number)
) WITHOUT ROWID;
CREATE TABLE chunk_tokens (
    version_id INTEGER NOT NULL,
    ordinal INTEGER NOT NULL,
    tokens INTEGER NOT NULL,
    PRIMARY KEY (version_id, ordinal)
) WITHOUT ROWID;

CREATE VIRTUAL TABLE words USING fts5 (text, title, tokenize = '{TOKENIZER}');

-- The same of private versions, apart: no count or score of the library's words knows of them.
CREATE TABLE room_words (
    chunk_id INTEGER PRIMARY KEY,
    version_id INTEGER NOT NULL,
    text TEXT NOT NULL,
    title TEXT NOT NULL
);
CREATE INDEX room_words_by_version ON room_words (version_id);

CREATE TABLE failures (
    source_id INTEGER NOT NULL,
    path TEXT NOT NULL,
    kind TEXT NOT NULL,
    reason TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    first_seen REAL NOT NULL,
    last_seen REAL NOT NULL,
    -- Not tried again before that moment, unless the file (or what reads it) is another.
    next_try REAL NOT NULL DEFAULT 0,
    size INTEGER NOT NULL DEFAULT -1,
    mtime_ns INTEGER NOT NULL DEFAULT -1,
    reader TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (source_id, path)
) WITHOUT ROWID;

CREATE TABLE runs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    started_at REAL NOT NULL,
    finished_at REAL,
    outcome TEXT NOT NULL,
    added INTEGER NOT NULL DEFAULT 0,
    updated INTEGER NOT NULL DEFAULT 0,
    unchanged INTEGER NOT NULL DEFAULT 0,
    deleted INTEGER NOT NULL DEFAULT 0,
    failed INTEGER NOT NULL DEFAULT 0,
    pages INTEGER NOT NULL DEFAULT 0,
    chunks INTEGER NOT NULL DEFAULT 0,
    message TEXT NOT NULL DEFAULT '',
    -- `ingest`, `verify`, `rebuild`, `forget` or `watch`.
    mode TEXT NOT NULL DEFAULT 'ingest',
    -- By a clock that no one sets; a run that was killed has none.
    seconds REAL,
    moved INTEGER NOT NULL DEFAULT 0,
    embedded INTEGER NOT NULL DEFAULT 0,
    -- Set aside before, and not due to be tried again.
    waiting INTEGER NOT NULL DEFAULT 0,
    -- Kinds of failure, each with its number.
    reasons TEXT NOT NULL DEFAULT '{{}}'
);
"""


class _Connection(sqlite3.Connection):
    """A connection that can be referred to weakly."""


class Database:
    """Connections to one catalog file, one a thread; creates the file when first used."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._local = threading.local()
        # Weak: a page's thread that ends takes its connection, and the three open
        # files of that, with it. A page that is used all day makes thousands.
        self._all: weakref.WeakSet[sqlite3.Connection] = weakref.WeakSet()
        self._guard = threading.Lock()

    def connection(self) -> sqlite3.Connection:
        """This thread's connection, in autocommit mode."""
        found: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if found is None:
            found = self._open()
            self._local.connection = found
            with self._guard:
                self._all.add(found)
        return found

    def close(self) -> None:
        """Close the connections of all threads."""
        with self._guard:
            for connection in self._all:
                connection.close()
            self._all.clear()
        self._local = threading.local()

    @contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """A read transaction: every statement in it sees one and the same commit."""
        with self._transaction("BEGIN") as connection:
            # SQLite takes the snapshot at the first read, not at BEGIN.
            connection.execute("SELECT value FROM meta WHERE key = 'schema'").fetchone()
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A write transaction: all of it becomes visible in one commit, or nothing."""
        with self._transaction("BEGIN IMMEDIATE") as connection:
            yield connection

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[sqlite3.Connection]:
        with self._foreseen():
            connection = self.connection()
            connection.execute(begin)
            try:
                yield connection
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    def _open(self) -> sqlite3.Connection:
        with self._foreseen():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(
                self.path,
                timeout=30.0,
                isolation_level=None,
                check_same_thread=False,
                factory=_Connection,
            )
            connection.row_factory = sqlite3.Row
            _use_wal(connection)
            # FULL: an acknowledged commit survives a power loss. It costs one
            # fsync a document.
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA temp_store = MEMORY")
            connection.execute("PRAGMA cache_size = -65536")
            self._prepare(connection)
            return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        """Create the schema in a new file, bring an old one up to date, refuse a newer one."""
        if not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            connection.execute("BEGIN IMMEDIATE")
            try:
                if not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                    for statement in _statements(_SCHEMA):
                        connection.execute(statement)
                    connection.execute(
                        "INSERT INTO meta VALUES ('schema', ?), ('library', ?)",
                        (str(SCHEMA_VERSION), uuid.uuid4().hex[:12]),
                    )
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
        found = _schema(connection)
        if found is not None and 0 < found < SCHEMA_VERSION:
            connection.execute("BEGIN IMMEDIATE")
            try:
                # Another process may have done it while this one waited.
                if _schema(connection) == found:
                    upgrade(connection, found)
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
            found = _schema(connection)
        if found != SCHEMA_VERSION:
            raise StorageError(
                f"The catalog {self.path} has schema {'no' if found is None else found}, and this "
                f"Hayloft reads schema {SCHEMA_VERSION}. Use the Hayloft that wrote it, or ingest "
                "into a new HAYLOFT_DATA_DIR."
            )

    @contextmanager
    def _foreseen(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as exc:
            raise StorageError(self._explain(str(exc))) from exc
        except sqlite3.DatabaseError as exc:
            if isinstance(exc, (sqlite3.IntegrityError, sqlite3.ProgrammingError)):
                raise
            raise StorageError(self._explain(str(exc))) from exc
        except OSError as exc:
            raise StorageError(
                f"The data directory {self.path.parent} cannot be used ({exc.strerror}). "
                "Mend its permissions or set HAYLOFT_DATA_DIR to another one."
            ) from exc

    def _explain(self, reason: str) -> str:
        if "full" in reason:
            return (
                f"The disk that holds {self.path.parent} is full. Nothing half-written is "
                "visible; free some space and run the command again."
            )
        if "disk I/O" in reason:
            return (
                f"The disk that holds {self.path.parent} refuses to be written or read: it is "
                "full, over a quota, or failing. Nothing half-written is visible; see to it and "
                "run the command again."
            )
        if "locked" in reason or "busy" in reason:
            return (
                f"The catalog {self.path} stayed locked by another program for 30 seconds. "
                "Close that program and run the command again."
            )
        if "malformed" in reason or "not a database" in reason:
            return (
                f"The catalog {self.path} is damaged ({reason}). Restore it from a backup, or "
                "move the data directory away and run `hayloft ingest` again."
            )
        if "unable to open" in reason or "readonly" in reason:
            return (
                f"The catalog {self.path} cannot be opened for writing ({reason}). Mend the "
                "permissions of its folder or set HAYLOFT_DATA_DIR to another one."
            )
        return f"The catalog {self.path} failed: {reason}. `hayloft doctor` says what is wrong."


def _schema(connection: sqlite3.Connection) -> int | None:
    row = connection.execute("SELECT value FROM meta WHERE key = 'schema'").fetchone()
    return None if row is None else int(row[0])


def _use_wal(connection: sqlite3.Connection) -> None:
    """Switch to WAL; SQLite's own waiting does not cover two processes doing so at once."""
    deadline = time.monotonic() + _LOCKED_FOR_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as exc:
            if "locked" not in str(exc) or time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def _statements(script: str) -> list[str]:
    """The statements of a script, so that they can run inside one transaction."""
    found, draft = [], ""
    for line in script.splitlines(keepends=True):
        draft += line
        if sqlite3.complete_statement(draft):
            found.append(draft)
            draft = ""
    return found

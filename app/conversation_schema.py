"""The tables of `conversations.db`, and how a file of an older version is brought up to date.

Conversations cannot be made again: an old file is changed in place, never replaced.
"""

from __future__ import annotations

import sqlite3

from app.conversation_search import folded

VERSION = 8

_SCHEMA = """
CREATE TABLE conversations (
    id TEXT PRIMARY KEY,
    title TEXT NOT NULL,
    created_at REAL NOT NULL,
    updated_at REAL NOT NULL,
    deleted_at REAL,
    scope TEXT NOT NULL DEFAULT '{}',
    mode TEXT NOT NULL DEFAULT '',
    pinned INTEGER NOT NULL DEFAULT 0,
    -- The turn that is shown last. It and what it follows are the conversation as it is shown.
    head INTEGER,
    -- The title as a search sees it.
    folded TEXT NOT NULL DEFAULT '',
    -- Under whose name its files lie where that is not the owner's but of whoever had it before.
    home TEXT,
    -- Whose it is. Empty where nobody signs in.
    owner TEXT NOT NULL DEFAULT ''
);
CREATE INDEX conversations_by_time ON conversations (updated_at DESC);
CREATE TABLE turns (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    conversation_id TEXT NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
    question TEXT NOT NULL,
    asked_at REAL NOT NULL,
    state TEXT NOT NULL,
    beat_at REAL NOT NULL,
    text TEXT NOT NULL DEFAULT '',
    mode TEXT NOT NULL DEFAULT '',
    model TEXT NOT NULL DEFAULT '',
    hits TEXT NOT NULL DEFAULT '[]',
    citations TEXT NOT NULL DEFAULT '[]',
    receipt TEXT,
    timings TEXT NOT NULL DEFAULT '{}',
    stop_reason TEXT NOT NULL DEFAULT '',
    notice TEXT NOT NULL DEFAULT '',
    error TEXT NOT NULL DEFAULT '',
    searched TEXT NOT NULL DEFAULT '',
    -- The message that the model got, character by character, and how many of the hits are in it.
    sent TEXT NOT NULL DEFAULT '',
    given INTEGER NOT NULL DEFAULT 0,
    sent_tokens INTEGER NOT NULL DEFAULT 0,
    numbers TEXT NOT NULL DEFAULT '[]',
    -- What became of each page where every page was read.
    ledger TEXT,
    -- What it follows. Turns that follow the same one are versions of each other.
    parent_id INTEGER,
    -- The documents that stand in every prompt before the first turn, from this turn on.
    front TEXT,
    -- The first turn that prompts hold, from this turn on.
    begins INTEGER,
    -- What the question was kept to.
    scope TEXT NOT NULL DEFAULT '{}'
);
CREATE INDEX turns_by_conversation ON turns (conversation_id, id);
CREATE INDEX turns_by_parent ON turns (parent_id);
-- Question and answer as a search sees them, apart from the long rows of turns.
CREATE TABLE turn_words (
    turn_id INTEGER PRIMARY KEY REFERENCES turns (id) ON DELETE CASCADE,
    conversation_id TEXT NOT NULL,
    folded TEXT NOT NULL
);
CREATE INDEX turn_words_by_conversation ON turn_words (conversation_id);
CREATE TABLE feedback (
    turn_id INTEGER PRIMARY KEY REFERENCES turns (id) ON DELETE CASCADE,
    judged_at REAL NOT NULL,
    told TEXT NOT NULL
);
CREATE TABLE notes (
    turn_id INTEGER PRIMARY KEY REFERENCES turns (id) ON DELETE CASCADE,
    noted_at REAL NOT NULL,
    text TEXT NOT NULL
);
"""
_FIRST_LEFT = (
    "UPDATE turns SET {0} = (SELECT {0} FROM conversations WHERE id = turns.conversation_id) "
    "WHERE id IN (SELECT (SELECT min(held.id) FROM turns AS held WHERE held.conversation_id = "
    "conversations.id AND held.id >= conversations.begins) FROM conversations WHERE {1})"
)
_STEPS: dict[int, tuple[str, ...]] = {
    1: ("ALTER TABLE turns ADD COLUMN searched TEXT NOT NULL DEFAULT ''",),
    2: ("ALTER TABLE conversations ADD COLUMN scope TEXT NOT NULL DEFAULT '{}'",),
    3: (
        "ALTER TABLE conversations ADD COLUMN front TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE conversations ADD COLUMN begins INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE conversations ADD COLUMN mode TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE turns ADD COLUMN sent TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE turns ADD COLUMN given INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE turns ADD COLUMN sent_tokens INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE turns ADD COLUMN numbers TEXT NOT NULL DEFAULT '[]'",
        "ALTER TABLE turns ADD COLUMN ledger TEXT",
    ),
    4: (
        "ALTER TABLE conversations ADD COLUMN pinned INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE conversations ADD COLUMN head INTEGER",
        "ALTER TABLE conversations ADD COLUMN folded TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE turns ADD COLUMN parent_id INTEGER",
        "ALTER TABLE turns ADD COLUMN front TEXT",
        "ALTER TABLE turns ADD COLUMN begins INTEGER",
        "UPDATE turns SET parent_id = (SELECT max(earlier.id) FROM turns AS earlier WHERE "
        "earlier.conversation_id = turns.conversation_id AND earlier.id < turns.id)",
        "UPDATE conversations SET folded = folded(title), "
        "head = (SELECT max(id) FROM turns WHERE conversation_id = conversations.id)",
        _FIRST_LEFT.format("front", "front <> ''"),
        _FIRST_LEFT.format("begins", "begins > 0"),
        "ALTER TABLE conversations DROP COLUMN front",
        "ALTER TABLE conversations DROP COLUMN begins",
        *(
            statement
            for statement in _SCHEMA.split(";")
            if "turns_by_parent" in statement
            or "turn_words" in statement
            or "CREATE TABLE feedback" in statement
        ),
        "INSERT INTO turn_words (turn_id, conversation_id, folded) "
        "SELECT id, conversation_id, folded(question || char(10) || text) FROM turns",
    ),
    5: ("ALTER TABLE conversations ADD COLUMN owner TEXT NOT NULL DEFAULT ''",),
    6: (
        "ALTER TABLE turns ADD COLUMN scope TEXT NOT NULL DEFAULT '{}'",
        # Of turns so far it is not known; what their conversations are kept to now is likely.
        "UPDATE turns SET scope = (SELECT scope FROM conversations "
        "WHERE id = turns.conversation_id)",
        *(statement for statement in _SCHEMA.split(";") if "CREATE TABLE notes" in statement),
    ),
    7: ("ALTER TABLE conversations ADD COLUMN home TEXT",),
}


def bring_up_to_date(connection: sqlite3.Connection) -> int:
    """Make the tables, or change those of an older version; returns the version found.

    A file of a newer version is left as it is.
    """
    connection.create_function("folded", 1, folded, deterministic=True)
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = int(connection.execute("PRAGMA user_version").fetchone()[0])
        if version == 0:
            for statement in _SCHEMA.split(";"):
                connection.execute(statement)
        for step in range(version or VERSION, VERSION):
            for statement in _STEPS[step]:
                connection.execute(statement)
        if version < VERSION:
            connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
    return version

"""Rows of a catalog, put there without an ingestion: for tests of lists."""

from __future__ import annotations

import sqlite3


def add_source(connection: sqlite3.Connection, root: str, *, whole: bool = True) -> int:
    cursor = connection.execute(
        "INSERT INTO sources (root, whole) VALUES (?, ?)", (root, int(whole))
    )
    return int(cursor.lastrowid or 0)


def add_document(connection: sqlite3.Connection, source_id: int, path: str, **facts: object) -> int:
    """A document with a current version; `facts` are columns of `versions`."""
    cursor = connection.execute(
        "INSERT INTO documents (source_id, path) VALUES (?, ?)", (source_id, path)
    )
    document_id = int(cursor.lastrowid or 0)
    columns: dict[str, object] = {
        "document_id": document_id,
        "collection": "c",
        "state": "current",
        "chunks": 3,
        "created_at": 1000.0,
        "pages": 2,
        "characters": 400,
        "size": 10,
        "kind": path.rpartition(".")[2],
        "title": path.rpartition("/")[2],
        **facts,
    }
    cursor = connection.execute(
        f"INSERT INTO versions ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})",
        list(columns.values()),
    )
    connection.execute(
        "UPDATE documents SET version_id = ? WHERE id = ?", (cursor.lastrowid, document_id)
    )
    return document_id


def add_failure(
    connection: sqlite3.Connection, source_id: int, path: str, kind: str = "damaged"
) -> None:
    connection.execute(
        "INSERT INTO failures (source_id, path, kind, reason, attempts, first_seen, last_seen,"
        " next_try) VALUES (?, ?, ?, ?, 2, 500, 900, 5000)",
        (source_id, path, kind, f"{path} cannot be read."),
    )

"""The catalog's database: transactions, many threads and processes, faults in a sentence."""

from __future__ import annotations

import gc
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from storage.database import SCHEMA_VERSION, Database
from storage.errors import StorageError

OPEN_AT = (
    "import sys, time; from pathlib import Path; from storage.catalog import Catalog;"
    "time.sleep(max(0, float(sys.argv[2]) - time.time()));"
    "print(Catalog(Path(sys.argv[1])).library_id())"
)


def note(database: Database, key: str, value: str = "x") -> None:
    with database.writing() as connection:
        connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))


def value_of(connection: sqlite3.Connection, key: str) -> str | None:
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    return row[0] if row else None


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def test_many_processes_may_create_it_at_the_same_instant(tmp_path):
    """Six processes on a cold directory open one and the same catalog, none with an error."""
    at = str(time.time() + 1.5)
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", OPEN_AT, str(tmp_path / "d" / "catalog.db"), at],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(6)
    ]

    said = [process.communicate(timeout=60) for process in processes]

    assert [err for _, err in said if err] == []
    assert len({out for out, _ in said}) == 1


def test_a_snapshot_does_not_see_what_is_written_after_it(tmp_path):
    """A reader's transaction sees one commit from beginning to end, without waiting for writers."""
    database = Database(tmp_path / "catalog.db")
    note(database, "k", "old")
    seen = []
    with database.snapshot() as connection:
        seen.append(value_of(connection, "k"))
        writer = threading.Thread(target=note, args=(database, "k", "new"))
        writer.start()
        writer.join(timeout=10)
        seen.append(value_of(connection, "k"))
    with database.snapshot() as connection:
        seen.append(value_of(connection, "k"))

    assert seen == ["old", "old", "new"]


def test_an_error_inside_a_transaction_undoes_all_of_it(tmp_path):
    """Nothing of a transaction that fails is kept, and the next one works."""
    database = Database(tmp_path / "catalog.db")

    with pytest.raises(RuntimeError), database.writing() as connection:
        connection.execute("INSERT INTO meta VALUES ('half', 'x')")
        raise RuntimeError

    with database.snapshot() as connection:
        assert value_of(connection, "half") is None
    note(database, "whole")


def test_writers_wait_for_each_other(tmp_path):
    """Threads that write at once all get their turn."""
    database = Database(tmp_path / "catalog.db")
    note(database, "first")
    threads = [threading.Thread(target=note, args=(database, f"k{i}")) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    with database.snapshot() as connection:
        assert all(value_of(connection, f"k{i}") for i in range(8))


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts open files in /proc")
def test_a_thread_that_ends_leaves_no_open_file(tmp_path):
    """A page makes a thread for each of its runs: the connections of the ended ones go."""
    database = Database(tmp_path / "catalog.db")
    note(database, "k")
    before = open_files()

    for i in range(100):
        thread = threading.Thread(target=note, args=(database, f"k{i}"))
        thread.start()
        thread.join()
    gc.collect()

    # A leak would leave 200; SQLite itself puts off closing a few.
    assert open_files() <= before + 60


def test_it_can_be_used_again_after_closing(tmp_path):
    """Closing gives the files back; the next use opens them anew."""
    database = Database(tmp_path / "catalog.db")
    note(database, "k")
    database.close()

    with database.snapshot() as connection:
        assert value_of(connection, "k") == "x"


def test_a_file_that_is_no_database_is_named(tmp_path):
    """Garbage where the catalog should be is one sentence, exit 74."""
    (tmp_path / "catalog.db").write_bytes(b"this is not a database, far from it" * 100)

    with pytest.raises(StorageError, match=r"catalog\.db is damaged.*backup") as caught:
        note(Database(tmp_path / "catalog.db"), "k")

    assert caught.value.exit_code == 74


def test_a_damaged_page_is_named(tmp_path):
    """A catalog with bytes overwritten in its middle is refused in a sentence."""
    path = tmp_path / "catalog.db"
    database = Database(path)
    note(database, "k", "x" * 50_000)
    database.close()
    content = bytearray(path.read_bytes())
    content[100:4096] = os.urandom(3996)
    path.write_bytes(bytes(content))

    with pytest.raises(StorageError, match="damaged"), Database(path).snapshot() as connection:
        connection.execute("SELECT count(*) FROM documents").fetchone()


def test_another_schema_is_refused(tmp_path):
    """A catalog of a later Hayloft is neither read nor written."""
    database = Database(tmp_path / "catalog.db")
    note(database, "schema", str(SCHEMA_VERSION + 1))
    database.close()

    with pytest.raises(StorageError, match=f"schema {SCHEMA_VERSION + 1}.*HAYLOFT_DATA_DIR"):
        note(Database(tmp_path / "catalog.db"), "k")


def test_a_data_directory_that_is_a_file_is_named(tmp_path):
    """HAYLOFT_DATA_DIR naming a file is said in a sentence."""
    (tmp_path / "data").write_text("a file")

    with pytest.raises(StorageError, match="HAYLOFT_DATA_DIR"):
        note(Database(tmp_path / "data" / "catalog.db"), "k")


def test_a_full_disk_is_named_and_nothing_half_written_stays(tmp_path):
    """SQLite's own limit of pages stands for the disk: the sentence says what to do."""
    database = Database(tmp_path / "catalog.db")
    pages = database.connection().execute("PRAGMA page_count").fetchone()[0]
    database.connection().execute(f"PRAGMA max_page_count = {pages + 1}")

    with pytest.raises(StorageError, match=r"is full.*free some space"):
        note(database, "large", "x" * 100_000)

    database.connection().execute("PRAGMA max_page_count = 1000000")
    with database.snapshot() as connection:
        assert value_of(connection, "large") is None
    note(database, "large", "x" * 100_000)


def test_a_catalog_that_another_program_locks_is_named(tmp_path, monkeypatch):
    """Whoever keeps the catalog locked for long gets a sentence that says so."""
    database = Database(tmp_path / "catalog.db")
    note(database, "k")
    other = sqlite3.connect(tmp_path / "catalog.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    database.connection().execute("PRAGMA busy_timeout = 50")

    with pytest.raises(StorageError, match="locked by another program"):
        note(database, "k")

    other.execute("ROLLBACK")
    note(database, "k")


def test_a_copied_catalog_opens(tmp_path):
    """A backup of the closed file is a catalog."""
    database = Database(tmp_path / "catalog.db")
    note(database, "k")
    database.close()
    shutil.copy(tmp_path / "catalog.db", tmp_path / "copy.db")

    with Database(tmp_path / "copy.db").snapshot() as connection:
        assert value_of(connection, "k") == "x"

"""The history of ingestion runs: a line from a run's first moment, kept fresh while it works.

How far the run at work is stands beside its line, in a note; whether it still lives is told
by the run lock, and by nothing else.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from storage.database import Database
from storage.locks import FileLock
from storage.records import RunSummary

if TYPE_CHECKING:
    from storage.catalog import Catalog

KILLED = "killed"
"""The outcome of a run that ended without a word: killed, or out of power."""

_COUNTS = (
    "added",
    "updated",
    "unchanged",
    "deleted",
    "failed",
    "pages",
    "chunks",
    "moved",
    "embedded",
    "waiting",
)
_SET_COUNTS = ", ".join(f"{name} = :{name}" for name in _COUNTS)
_NOTE = "run"


class RunHistory:
    """Writes the lines; used by the one process that holds the run lock."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, mode: str = "ingest") -> int:
        """Open a line; one that is still open belongs to a run that was killed."""
        with self._database.writing() as connection:
            connection.execute(
                "UPDATE runs SET outcome = ?, message = ? WHERE outcome = 'running'",
                (KILLED, _last_words(_progress(connection))),
            )
            cursor = connection.execute(
                "INSERT INTO runs (started_at, outcome, mode) VALUES (?, 'running', ?)",
                (time.time(), mode),
            )
            run_id = int(cursor.lastrowid or 0)
            _note(connection, {"run": run_id})
            return run_id

    def freshen(
        self, run_id: int, counts: Mapping[str, int], *, seconds: float, to_do: int, done: int
    ) -> None:
        """Bring the line of the run at work up to date: what it has done of how many files."""
        with self._database.writing() as connection:
            connection.execute(
                f"UPDATE runs SET {_SET_COUNTS}, seconds = :seconds WHERE id = :id",
                _all_of(counts) | {"seconds": seconds, "id": run_id},
            )
            _note(connection, {"run": run_id, "to_do": to_do, "done": done})

    def end(
        self,
        run_id: int,
        outcome: str,
        counts: Mapping[str, int],
        message: str = "",
        *,
        seconds: float | None = None,
        reasons: Mapping[str, int] | None = None,
    ) -> None:
        """Close a line; `reasons` counts the kinds of failure."""
        with self._database.writing() as connection:
            connection.execute(
                f"UPDATE runs SET {_SET_COUNTS}, seconds = :seconds, finished_at = :now,"
                " outcome = :outcome, message = :message, reasons = :reasons WHERE id = :id",
                _all_of(counts)
                | {
                    "seconds": seconds,
                    "now": time.time(),
                    "outcome": outcome,
                    "message": message,
                    "reasons": json.dumps(dict(reasons or {})),
                    "id": run_id,
                },
            )
            connection.execute("DELETE FROM meta WHERE key = ?", (_NOTE,))


def read_runs(connection: sqlite3.Connection, limit: int) -> list[RunSummary]:
    """The last lines, newest first; how far it is stands in that of a run at work."""
    rows = connection.execute(
        "SELECT id, started_at, finished_at, outcome, added, updated, unchanged, deleted,"
        " failed, pages, chunks, message, mode, seconds, moved, embedded, waiting, reasons"
        " FROM runs ORDER BY id DESC LIMIT ?",
        (limit,),
    ).fetchall()
    progress = _progress(connection)
    runs = [RunSummary(*(*row[:17], json.loads(row[17]))) for row in rows]
    return [
        replace(run, to_do=progress.get("to_do"), done=progress.get("done", 0))
        if run.run_id == progress.get("run")
        else run
        for run in runs
    ]


def run_at_work(data_dir: Path) -> bool:
    """Whether an ingestion is at work on a library, whoever started it."""
    path = data_dir / "ingest.lock"
    if not path.exists():
        return False
    lock = FileLock(path)
    try:
        # Shared, so that two who look at once do not take each other for a run.
        return not lock.acquire(shared=True)
    except OSError:
        return False
    finally:
        lock.release()


def lately(catalog: Catalog, limit: int = 20) -> list[RunSummary]:
    """The last runs, newest first; one that nobody carries out any more as killed."""
    runs = catalog.runs(limit)
    open_ones = {run.run_id for run in runs if run.outcome == "running"}
    if not open_ones or run_at_work(catalog.path.parent):
        return runs
    # Read once more: it may have ended, as it should, before the lock was looked at.
    return [
        _killed(run) if run.outcome == "running" and run.run_id in open_ones else run
        for run in catalog.runs(limit)
    ]


def _killed(run: RunSummary) -> RunSummary:
    message = _last_words({"to_do": run.to_do, "done": run.done})
    return replace(run, outcome=KILLED, message=message)


def _last_words(progress: Mapping[str, Any]) -> str:
    how_far = ""
    if progress.get("to_do"):
        how_far = f" after {progress['done']:,} of {progress['to_do']:,} files"
    return f"It ended without a word{how_far}: killed, or out of power. The next run goes on."


def _progress(connection: sqlite3.Connection) -> dict[str, Any]:
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (_NOTE,)).fetchone()
    return dict(json.loads(row[0])) if row else {}


def _note(connection: sqlite3.Connection, progress: Mapping[str, int]) -> None:
    connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (_NOTE, json.dumps(progress)))


def _all_of(counts: Mapping[str, int]) -> dict[str, Any]:
    return {name: counts.get(name, 0) for name in _COUNTS}

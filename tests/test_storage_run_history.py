"""The history of runs: open from the first moment, fresh while at work, killed where none works."""

from __future__ import annotations

from pathlib import Path

import pytest

from storage.catalog import Catalog
from storage.locks import FileLock
from storage.run_history import RunHistory, lately, run_at_work

COUNTS = dict.fromkeys(("added", "updated", "unchanged", "deleted", "failed", "pages", "chunks"), 2)


@pytest.fixture
def catalog(tmp_path: Path):
    """An empty catalog."""
    catalog = Catalog(tmp_path / "catalog.db")
    yield catalog
    catalog.close()


@pytest.fixture
def history(catalog: Catalog) -> RunHistory:
    """Its history."""
    return RunHistory(catalog.database)


def test_a_run_that_was_killed_is_closed_by_the_next(catalog, history):
    """The history shows it as killed, without an end; the next run is at work."""
    first = history.begin()
    second = history.begin()
    history.end(second, "complete", COUNTS, "")

    newest, oldest = catalog.runs()
    assert (oldest.run_id, oldest.outcome, oldest.finished_at) == (first, "killed", None)
    assert (newest.outcome, newest.added, newest.chunks) == ("complete", 2, 2)
    assert catalog.counts().last_ingested_at == newest.finished_at


def test_a_run_at_work_shows_how_far_it_is(catalog, history):
    """Counts so far, seconds so far, and how many files of how many."""
    run = history.begin("verify")
    assert (catalog.runs()[0].outcome, catalog.runs()[0].to_do) == ("running", None)
    history.freshen(run, COUNTS | {"embedded": 7}, seconds=1.5, to_do=40, done=4)

    (line,) = catalog.runs()
    assert (line.to_do, line.done, line.added, line.embedded) == (40, 4, 2, 7)
    assert (line.seconds, line.finished_at) == (1.5, None)
    history.end(run, "complete", COUNTS)
    assert (catalog.runs()[0].to_do, catalog.runs()[0].done) == (None, 0)


def test_a_run_that_nobody_carries_out_is_shown_as_killed(catalog, history, tmp_path):
    """By the lock alone: at work while it is held, killed as soon as it is not; and how far."""
    run = history.begin()
    history.freshen(run, COUNTS, seconds=9.0, to_do=1200, done=4)
    with FileLock(tmp_path / "ingest.lock") as lock:
        assert lock.acquire()
        assert run_at_work(tmp_path)
        assert lately(catalog)[0].outcome == "running"

    (line,) = lately(catalog)
    assert not run_at_work(tmp_path)
    assert (line.outcome, line.seconds) == ("killed", 9.0)
    assert "after 4 of 1,200 files" in line.message
    # The next run writes the same down for good.
    history.begin()
    assert catalog.runs()[1].message == line.message


def test_a_run_that_ended_between_two_looks_is_not_taken_for_killed(catalog, history, monkeypatch):
    """Its line was read as open, and closed before the lock was looked at."""
    run = history.begin()

    def ends_now(data_dir):
        history.end(run, "complete", COUNTS)
        return False

    monkeypatch.setattr("storage.run_history.run_at_work", ends_now)

    assert lately(catalog)[0].outcome == "complete"

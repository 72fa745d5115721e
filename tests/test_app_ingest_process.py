"""Runs that the page orders: their progress, their order, their end; over real processes."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.ingest_process import IngestRuns, Run, heard
from storage.locks import FileLock
from storage.run_history import run_at_work
from tests.until import until

# Stands for `hayloft`: says what a run says, and does what its last word tells.
SCRIPT = """
import fcntl, json, os, pathlib, signal, sys, time

assert sys.argv[1:3] == ["ingest", "--json"], sys.argv
home, how = pathlib.Path(os.environ["HAYLOFT_DATA_DIR"]), sys.argv[-1]
with (home / "ran").open("a") as file:
    file.write(" ".join(sys.argv[3:]) + "\\n")

def say(**event):
    print(json.dumps(event), flush=True)

def interrupted(*_):
    print("hayloft: interrupted; nothing half-written is visible.", file=sys.stderr)
    sys.exit(130)

signal.signal(signal.SIGTERM, interrupted)
lock = open(home / "ingest.lock", "w")
try:
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    print("hayloft: Another ingestion run is at work.", file=sys.stderr)
    sys.exit(75)
if how == "brake":
    print("WARNING something\\nhayloft: 9 of 9 documents are gone.", file=sys.stderr)
    sys.exit(77)
if how == "bug":
    raise ZeroDivisionError
if how == "killed":
    os.kill(os.getpid(), signal.SIGKILL)
say(event="start", files=2, to_read=2, to_delete=0)
say(event="document", document="a <b>.pdf", action="added", pages=3, chunks=4, seconds=0.1,
    warnings=["1 of 3 pages holds no text."])
say(event="progress", document="b.pdf", done=1, total=2)
if how == "slow":
    time.sleep(60)
say(event="document", document="b.pdf", action="failed", kind="encrypted", reason="A password.")
say(event="report", run=7, outcome="failed-files", added=1, failed=1, seconds=1.5)
sys.exit(1)
"""


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[IngestRuns]:
    script = tmp_path / "double.py"
    script.write_text(SCRIPT)
    runs = IngestRuns(tmp_path, [sys.executable, str(script)])
    yield runs
    runs.stop()
    assert runs.wait(10)


def ran(tmp_path: Path) -> list[str]:
    return (tmp_path / "ran").read_text().splitlines()


def test_a_run_is_told_line_by_line(runs: IngestRuns) -> None:
    """Progress while it works; its report, exit code and files at its end."""
    runs.order(["/papers", "slow"], "Reading /papers")

    until(lambda: runs.state().now and runs.state().now.current == "b.pdf")
    now = runs.state().now
    assert now is not None
    assert (now.state, now.to_read, now.done, now.share) == ("running", 2, 1, 0.75)
    assert now.lines[0].warnings == ("1 of 3 pages holds no text.",)
    assert now.seconds > 0
    runs.stop()
    assert runs.wait(10)


def test_the_end_of_a_run(runs: IngestRuns) -> None:
    """Files that were set aside keep their reasons, and the report is the program's own."""
    number = runs.order(["/papers", "well"], "Reading")
    assert runs.wait(10)

    last = runs.state().last
    assert last is not None and last.ended
    assert (last.number, last.code, last.fault, last.failed) == (number, 1, "", 1)
    assert [(line.action, line.reason) for line in last.lines] == [
        ("added", ""),
        ("failed", "A password."),
    ]
    assert last.report is not None and last.report["added"] == 1
    runs.dismiss()
    assert runs.state().last is None


@pytest.mark.parametrize(
    ("how", "code", "sentence"),
    [
        ("brake", 77, "9 of 9 documents are gone."),
        ("bug", 1, "It ended with status 1 and no report"),
        ("killed", -9, "Its process was killed"),
    ],
)
def test_a_run_that_fails_says_why(runs: IngestRuns, how: str, code: int, sentence: str) -> None:
    """The program's own sentence; without one, where to look."""
    runs.order([how], "Reading")
    assert runs.wait(10)

    last = runs.state().last
    assert last is not None
    assert last.code == code
    assert last.fault.startswith(sentence)


def test_orders_wait_for_each_other_and_are_not_doubled(runs: IngestRuns, tmp_path: Path) -> None:
    """One run at a time; an order that waits already is not given again."""
    runs.order(["one", "slow"], "one")
    until(lambda: runs.state().now and runs.state().now.to_read)
    second = runs.order(["two", "well"], "two")
    assert runs.order(["two", "well"], "two") == second
    assert [run.what for run in runs.state().queued] == ["two"]

    runs.stop()
    assert runs.wait(10)

    assert ran(tmp_path) == ["one slow", "two well"]


def test_a_run_waits_for_the_nightly_one(runs: IngestRuns, tmp_path: Path) -> None:
    """While another process holds the lock nothing fails; the order begins when it is free."""
    with FileLock(tmp_path / "ingest.lock") as lock:
        assert lock.acquire()
        runs.order(["well"], "Reading")
        until(lambda: runs.state().now and runs.state().now.state == "waiting")
        time.sleep(0.6)
        assert len(ran(tmp_path)) == 1
    assert runs.wait(10)

    last = runs.state().last
    assert last is not None
    assert (last.code, last.fault) == (1, "")


def test_stopping(runs: IngestRuns, tmp_path: Path) -> None:
    """The process is told to end and does; what waits for the lock ends at once."""
    runs.order(["slow"], "Reading")
    until(lambda: runs.state().now and runs.state().now.done)
    runs.stop()
    assert runs.wait(5)
    last = runs.state().last
    assert last is not None
    assert last.code == 130
    assert last.fault.startswith("It was stopped.")

    with FileLock(tmp_path / "ingest.lock") as lock:
        assert lock.acquire()
        runs.order(["well"], "Reading")
        until(lambda: runs.state().now and runs.state().now.state == "waiting")
        runs.stop()
        assert runs.wait(5)
    last = runs.state().last
    assert last is not None
    assert last.fault == "It was stopped before it began."


def test_the_end_of_the_page_is_not_the_end_of_the_run(runs: IngestRuns) -> None:
    """The run's process is in a session of its own, which no Ctrl-C of the page reaches."""
    runs.order(["slow"], "Reading")
    until(lambda: runs._process is not None)

    process = runs._process
    assert process is not None
    assert os.getsid(process.pid) == process.pid != os.getsid(0)


def test_a_command_that_cannot_be_started_is_said(tmp_path: Path) -> None:
    """No thread dies over it, and the next order is carried out."""
    runs = IngestRuns(tmp_path, [str(tmp_path / "nothing")])
    for _ in range(2):
        runs.order(["x"], "Reading")
        assert runs.wait(5)
        last = runs.state().last
        assert last is not None
        assert last.fault.startswith("The ingestion could not be started")


def test_whether_a_run_is_at_work(tmp_path: Path) -> None:
    """The lock tells it, whoever holds it; looking does not disturb."""
    assert not run_at_work(tmp_path)
    with FileLock(tmp_path / "ingest.lock") as lock:
        assert lock.acquire()
        assert run_at_work(tmp_path)
    assert not run_at_work(tmp_path)


def test_unknown_and_broken_events_are_passed_over() -> None:
    """A later Hayloft may say more."""
    run = Run(1, "x", ())

    for event in ({}, {"event": "new"}, {"event": "start", "to_read": None}):
        assert heard(run, json.loads(json.dumps(event))).done == 0
    assert heard(run, {"event": "start", "to_read": 0}).share == 1.0
    assert run.share is None

"""A run in a process of its own: begun from a page, watched, and stopped.

One at a time for each data directory. The process inherits a lock, which the
kernel frees when it ends, however it ends: no process id has to be trusted.
It outlives the page's server, as a run of hours should.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from app.calibration import RUNS
from evaluation.niah.run_folder import plain_name
from evaluation.niah.run_list import at_work
from storage.errors import LockHeld, StorageError
from storage.locks import FileLock, is_held

_LOCK, _RECORD, _LOG = "background.lock", "background.json", "background.log"
_LOG_SHOWN = 4_000
"""Characters of the process's own words that a page shows, from the end."""
_PATIENCE_S = (4.0, 4.0, 4.0)
"""How long it may take to end after each of `_SIGNALS`."""
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)


@dataclass(frozen=True, slots=True)
class Background:
    """The run that was begun last."""

    run: str
    pid: int
    started_at: float
    """Seconds since 1970."""
    words: tuple[str, ...]
    """The options it was given."""
    alive: bool
    log: str
    """The end of what it said."""


def begin(data_dir: Path, words: Sequence[str], *, run: str = "") -> str:
    """Start `hayloft eval niah run` with these options; returns the run's id.

    `run` names a run to go on with. Raises LockHeld where one is at work,
    StorageError where its files cannot be written.
    """
    home = data_dir / RUNS
    name = plain_name(run) if run else f"{datetime.now():%Y%m%d-%H%M%S}-page"
    if busy := at_work(data_dir):
        raise LockHeld(
            f"The run {busy[0].name} is at work; two at once would slow each other down."
        )
    try:
        home.mkdir(parents=True, exist_ok=True)
        with FileLock(home / _LOCK) as lock:
            if not lock.acquire():
                raise LockHeld("A run that was begun here is at work; wait for it, or stop it.")
            # What is told of an older process must not be taken for this one.
            (home / _RECORD).unlink(missing_ok=True)
            with (home / _LOG).open("wb") as log:
                process = subprocess.Popen(
                    command(data_dir, name, words),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    # Neither Ctrl-C at the page's server nor its end is meant for the run.
                    start_new_session=True,
                    pass_fds=(lock.fd,),
                )
            told = {"run": name, "pid": process.pid, "started_at": time.time(), "words": [*words]}
            (home / _RECORD).write_text(json.dumps(told), encoding="utf-8")
    except OSError as exc:
        raise StorageError(
            f"The run cannot be started: {exc.filename or home}: {exc.strerror or exc}."
        ) from exc
    # Somebody has to take its exit status, or it stays in the process table.
    threading.Thread(target=process.wait, name="hayloft-niah-run", daemon=True).start()
    return name


def command(data_dir: Path, run: str, words: Sequence[str]) -> list[str]:
    """The command line of a run in the background."""
    front_door = Path(__file__).resolve().parents[2] / "hayloft.py"
    where = ["--data-dir", str(data_dir), "eval", "niah", "run", "--run", run]
    return [sys.executable, str(front_door), *where, *words]


def last(data_dir: Path) -> Background | None:
    """The run that was begun last; None where none was."""
    home = data_dir / RUNS
    try:
        told = json.loads((home / _RECORD).read_text("utf-8"))
        run, pid, words = told["run"], told["pid"], told["words"]
        started = float(told["started_at"])
        if not (isinstance(run, str) and isinstance(pid, int) and isinstance(words, list)):
            return None
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return Background(run, pid, started, tuple(map(str, words)), _alive(home), _log(home))


def cancel(data_dir: Path) -> bool:
    """End the run that is at work, gently at first; False where it does not end.

    What it has asked is kept: the run goes on from there when it is wanted.
    """
    for how, patience in zip(_SIGNALS, _PATIENCE_S, strict=True):
        found = last(data_dir)
        if found is None or not found.alive:
            return True
        try:
            os.kill(found.pid, how)
        except ProcessLookupError:
            pass
        except PermissionError:
            return False
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            if not _alive(data_dir / RUNS):
                return True
            time.sleep(0.05)
    return False


def _alive(home: Path) -> bool:
    try:
        return is_held(home / _LOCK)
    except OSError:
        return False


def _log(home: Path) -> str:
    try:
        with (home / _LOG).open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - 4 * _LOG_SHOWN))
            return file.read().decode("utf-8", "replace")[-_LOG_SHOWN:].strip()
    except OSError:
        return ""

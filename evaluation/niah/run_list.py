"""The runs of a data directory as a list: what each measured, how far it is, whether it counts.

Reading the list never fails: a run that cannot be read is in it with the sentence why.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from app.calibration import RECORD, RUNS, Calibration, read
from evaluation.files import RUN_LOCK
from evaluation.niah.config import Config, read_config
from evaluation.niah.probe import INGEST_S, INGEST_TOKENS_PER_S
from evaluation.niah.rows import DONE, ROWS
from evaluation.niah.run_files import CONFIG, PLAN, read_plan
from evaluation.niah.trials import trials
from storage.errors import HayloftError
from storage.locks import is_held

State = Literal["complete", "at work", "stopped", "broken"]
"""`stopped` can go on; `broken` cannot be read."""

Stamp = tuple[tuple[int, int], ...]
"""Changes with every change of a run's files."""


@dataclass(frozen=True, slots=True)
class RunEntry:
    """One run in the list."""

    folder: Path
    state: State
    made_at: str
    """ISO 8601; empty where nothing tells."""
    stamp: Stamp
    model: str = ""
    digest: str = ""
    window: int = 0
    trained_window: int | None = None
    lengths: tuple[int, ...] = ()
    depths: int = 0
    repetitions: int = 0
    arms: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    total: int = 0
    """Trials that it is to ask; 0 where nothing tells."""
    calibration: Calibration | None = None
    fault: str = ""
    """Why it cannot be read."""

    @property
    def name(self) -> str:
        """The run's id."""
        return self.folder.name


def list_runs(data_dir: Path) -> list[RunEntry]:
    """All runs, the newest first."""
    home = data_dir / RUNS
    try:
        folders = [path for path in home.iterdir() if path.is_dir() and _is_run(path)]
    except OSError:
        return []
    entries = [_entry(folder) for folder in folders]
    return sorted(entries, key=lambda entry: (entry.made_at, entry.name), reverse=True)


def at_work(data_dir: Path) -> list[Path]:
    """The folders of the runs that some process is at."""
    locks = (data_dir / RUNS).glob(f"*/{RUN_LOCK}")
    return sorted(lock.parent for lock in locks if is_at_work(lock.parent))


def stamp_of(folder: Path) -> Stamp:
    """Equal as long as nothing of a run has changed."""
    found = []
    for name in (ROWS, CONFIG, PLAN, RECORD):
        try:
            told = (folder / name).stat()
            found.append((told.st_mtime_ns, told.st_size))
        except OSError:
            found.append((0, 0))
    return tuple(found)


def is_at_work(folder: Path) -> bool:
    """Whether some process is measuring, or scoring, this run now."""
    try:
        return is_held(folder / RUN_LOCK)
    except (OSError, HayloftError):
        return False


def _is_run(folder: Path) -> bool:
    return any((folder / name).exists() for name in (ROWS, CONFIG, PLAN))


def _entry(folder: Path) -> RunEntry:
    stamp = stamp_of(folder)
    entry = _read(folder, stamp)
    if entry.state != "broken" and is_at_work(folder):
        return RunEntry(**{**_fields(entry), "state": "at work"})
    return entry


def _fields(entry: RunEntry) -> dict[str, Any]:
    return {name: getattr(entry, name) for name in RunEntry.__slots__}


@lru_cache(maxsize=500)
def _read(folder: Path, stamp: Stamp) -> RunEntry:
    """A run from its small files; `stamp` says when to look again."""
    calibration = read(folder / RECORD) if (folder / RECORD).is_file() else None
    try:
        config = read_config(folder / CONFIG) if (folder / CONFIG).is_file() else None
        plan = _plan(folder)
    except HayloftError as exc:
        return _broken(folder, stamp, str(exc), calibration)
    if config is None and not (folder / ROWS).is_file():
        return _broken(folder, stamp, "It was stopped before its first question.", calibration)
    served = _object(plan, "served")
    complete = plan.get("state") == "complete"
    return RunEntry(
        folder=folder,
        state="complete" if complete or not plan else "stopped",
        made_at=_text(plan, "made_at") or (calibration.made_at if calibration else ""),
        stamp=stamp,
        model=_text(served, "model") or (calibration.model if calibration else ""),
        digest=_text(served, "digest") or (calibration.digest if calibration else ""),
        window=_whole(served, "window") or (calibration.window if calibration else 0),
        trained_window=_whole(served, "trained_window") or None,
        lengths=config.lengths if config else (),
        depths=len(config.depths) if config else 0,
        repetitions=config.trials if config else 0,
        arms=config.arms if config else (),
        tasks=config.tasks if config else (),
        total=_whole(plan, "trials"),
        calibration=calibration,
    )


def _broken(folder: Path, stamp: Stamp, fault: str, calibration: Calibration | None) -> RunEntry:
    made_at = calibration.made_at if calibration else ""
    return RunEntry(folder, "broken", made_at, stamp, calibration=calibration, fault=fault)


def _plan(folder: Path) -> dict[str, Any]:
    return read_plan(folder) if (folder / PLAN).exists() else {}


def _object(data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = data.get(name)
    return found if isinstance(found, Mapping) else {}


def _text(data: Mapping[str, Any], name: str) -> str:
    found = data.get(name)
    return found if isinstance(found, str) else ""


def _whole(data: Mapping[str, Any], name: str) -> int:
    found = data.get(name)
    return found if isinstance(found, int) and not isinstance(found, bool) and found > 0 else 0


# --- a run at work ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a run is."""

    done: int
    total: int
    """0 where nothing tells."""
    statuses: Mapping[str, int]
    seconds_left: float | None
    """About; None until something can be told."""
    last: str
    """The newest row, in words."""


class Tail:
    """Reads the rows of a run as its file grows: each line once, a half-written one later."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._at = 0
        self._file: tuple[int, int] = (0, 0)
        self._found: dict[str, tuple[str, str, int, float | None]] = {}
        self._last = ""
        self._planned: Counter[tuple[str, int]] | None = None
        self._reading = threading.Lock()

    def look(self) -> Standing:
        """What is there now. Safe to call from several threads."""
        with self._reading:
            return self._look()

    def _look(self) -> Standing:
        self._read_on()
        statuses = Counter(status for status, *_ in self._found.values())
        done = sum(statuses[status] for status in DONE)
        planned = self._plan()
        total = sum(planned.values())
        return Standing(done, total, dict(statuses), self._seconds_left(planned), self._last)

    def _read_on(self) -> None:
        path = self.folder / ROWS
        try:
            with path.open("rb") as file:
                told = path.stat()
                identity = (told.st_dev, told.st_ino)
                if identity != self._file or told.st_size < self._at:
                    # Another file in its place: it was scored anew.
                    self._file, self._at, self._found = identity, 0, {}
                file.seek(self._at)
                new = file.read()
        except OSError:
            return
        whole = new[: new.rfind(b"\n") + 1]
        self._at += len(whole)
        for line in whole.splitlines():
            self._take(line)

    def _take(self, line: bytes) -> None:
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            return
        if not isinstance(row, dict) or not isinstance(row.get("key"), str):
            return
        arm, length, seconds = _text(row, "arm"), _whole(row, "length"), row.get("seconds")
        took = float(seconds) if isinstance(seconds, int | float) else None
        self._found[row["key"]] = (_text(row, "status"), arm, length, took)
        self._last = _row_words(row)

    def _plan(self) -> Counter[tuple[str, int]]:
        """How many trials there are of each arm and length."""
        if self._planned is None:
            try:
                config = read_config(self.folder / CONFIG)
                language = _text(_object(read_plan(self.folder), "haystack"), "language")
            except HayloftError:
                return Counter()
            self._planned = Counter(_cells(config, language or "en"))
        return self._planned

    def _seconds_left(self, planned: Counter[tuple[str, int]]) -> float | None:
        """From what each arm and length took so far; of one that none was asked of yet, by the
        nearest length."""
        took: dict[tuple[str, int], list[float]] = {}
        done: Counter[tuple[str, int]] = Counter()
        for status, arm, length, seconds in self._found.values():
            if status in DONE:
                done[arm, length] += 1
                # What is not sent takes no time.
                took.setdefault((arm, length), []).append(seconds or 0.0)
        if not took or not planned:
            return None
        left = 0.0
        for cell, wanted in planned.items():
            missing = max(0, wanted - done[cell])
            if missing:
                left += missing * _a_trial(cell, took)
        return left


def _cells(config: Config, language: str) -> list[tuple[str, int]]:
    return [(one.arm, one.length) for one in trials(config, language, "")]


def _a_trial(cell: tuple[str, int], took: Mapping[tuple[str, int], list[float]]) -> float:
    """Seconds of one trial, about."""
    same = took.get(cell)
    if same:
        return sum(same) / len(same)
    arm, length = cell
    ingested = 0.0
    if arm == "rag" and all(one[0] != arm for one in took):
        ingested = INGEST_S + length / INGEST_TOKENS_PER_S
    near = min(took, key=lambda one: (one[0] != arm, abs(one[1] - length)), default=(arm, length))
    mean = sum(took[near]) / len(took[near])
    return ingested + (mean * length / near[1] if near[1] and length else mean)


def _row_words(row: Mapping[str, Any]) -> str:
    """`long, 32K at 50%: right`."""
    length, depth = _whole(row, "length"), row.get("depth_target")
    where = f", {length:,} tokens" if length else ""
    if isinstance(depth, int | float) and length:
        where += f" at {depth:.0%}"
    status = _text(row, "status")
    score = row.get("score")
    told = status if status != "ok" or score is None else "right" if score == 1 else "wrong"
    return f"{_text(row, 'arm')}{where}: {told}"

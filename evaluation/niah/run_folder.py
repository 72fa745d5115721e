"""The folder of a run: found by name, read, scored anew, and where its reports go."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from app.calibration import RUNS
from evaluation.niah.attribution import attribute
from evaluation.niah.config import Config, read_config
from evaluation.niah.records import Row
from evaluation.niah.rows import ROWS, read_rows
from evaluation.niah.scoring import score_rows
from evaluation.niah.summary import MAPPED, Planned
from storage.errors import UsageError

CONFIG = "config.yaml"

_PLAIN = re.compile(r"[^\W_][\w.-]*")
_LONGEST_NAME = 100
"""Bytes."""


@dataclass(frozen=True, slots=True)
class ScoredRun:
    """A run's rows as the scorer of today sees them."""

    folder: Path
    rows: tuple[Row, ...]
    """Scored and attributed anew; a judge's opinions stay as they were written."""
    planned: tuple[Planned, ...]
    made_at: str
    """When its last row was written, ISO 8601; empty where there is none."""
    changed: int
    """Rows whose score or stage is not what the file says."""

    @property
    def name(self) -> str:
        """The run's id."""
        return self.folder.name


def plain_name(name: str) -> str:
    """The id of a run as it is; raises UsageError for one that could be a path or an option."""
    if not _PLAIN.fullmatch(name) or len(name.encode()) > _LONGEST_NAME:
        raise UsageError(
            f"{name!r} cannot be the id of a run: use letters, digits, hyphens and points, at most "
            f"{_LONGEST_NAME}, and begin with a letter or a digit."
        )
    return name


def find_run(data_dir: Path, named: str = "") -> Path:
    """The folder of a run: by path, by id or its beginning, or the newest; raises UsageError."""
    home = data_dir / RUNS
    if named and (Path(named) / ROWS).is_file():
        return Path(named)
    runs = sorted(path.parent for path in home.glob(f"*/{ROWS}"))
    if named:
        found = [path for path in runs if path.name == named] or [
            path for path in runs if path.name.startswith(named)
        ]
        if len(found) == 1:
            return found[0]
        if found:
            names = ", ".join(path.name for path in found[:5])
            raise UsageError(f"{named!r} may be any of these runs: {names}. Give more of its name.")
        raise UsageError(f"There is no run {named!r} in {home}.")
    if not runs:
        raise UsageError(f"There is no run in {home} yet; `hayloft eval niah run` makes one.")
    return max(runs, key=lambda path: ((path / ROWS).stat().st_mtime, path.name))


def load(folder: Path) -> ScoredRun:
    """Read a run and score it. Raises UsageError where the folder holds none."""
    kept = read_rows(folder / ROWS)
    rows = attribute(score_rows(kept))
    path = folder / CONFIG
    return ScoredRun(
        folder=folder,
        rows=tuple(rows),
        planned=planned_of(read_config(path)) if path.is_file() else (),
        made_at=max((row.finished_at for row in rows), default=""),
        changed=sum(
            (old.score, old.failure_stage, dict(old.score_detail))
            != (new.score, new.failure_stage, dict(new.score_detail))
            for old, new in zip(kept, rows, strict=True)
        ),
    )


def planned_of(config: Config) -> tuple[Planned, ...]:
    """The trials of every cell of the maps, as the run's configuration asks for them."""
    most = {"rag": config.rag_trials or config.trials}
    return tuple(
        Planned(task, arm, length, depth, min(config.trials, most.get(arm, config.trials)))
        for arm in MAPPED
        if arm in config.arms
        for task in config.tasks
        for length in config.lengths
        for depth in config.depths
    )

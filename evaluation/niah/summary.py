"""From rows to figures: cells, lengths, effective length and stages of loss, arm by arm.

Only rows that are `ok` and scored count. Of a trial that the model answered
rightly with no document at all nothing can be learnt about reading: its rows
count neither way and are told as leaks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from app.placement import DepthProfile
from evaluation.niah.records import ARMS, FAILURE_STAGES, TASKS, Arm, Row
from evaluation.niah.statistics import (
    EffectiveLength,
    Rate,
    cluster_interval,
    depth_profile,
    effective_length,
    rate,
    thirds,
)

MAPPED: tuple[Arm, ...] = ("long", "rag")
"""The arms that have a map of lengths and depths."""

INVALID = ("invalid_truncated", "window_clamped")
"""The server read less than it was sent, or could not serve the length: no answer at all."""

RIGHT = "RIGHT"
NO_ANSWER = "NO_ANSWER"
"""Invalid rows and errors, in the counts of stages."""

STAGES: tuple[str, ...] = (RIGHT, *FAILURE_STAGES, NO_ANSWER)

CellKey = tuple[int, float]
"""Length in tokens, and the depth aimed at, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Planned:
    """How many trials a cell is to have."""

    task: str
    arm: str
    length: int
    depth: float
    trials: int


@dataclass(frozen=True, slots=True)
class Cell:
    """One length and depth."""

    length: int
    depth: float
    rate: Rate
    invalid: int
    errors: int
    leaks: int
    planned: int
    seen: int
    """Rows of any status."""

    @property
    def state(self) -> str:
        """`measured`, `leak`, `invalid`, `error` or `not run`."""
        if self.rate.n:
            return "measured"
        if self.leaks:
            return "leak"
        if self.invalid:
            return "invalid"
        return "error" if self.errors else "not run"


@dataclass(frozen=True, slots=True)
class LengthRow:
    """All depths of one length."""

    length: int
    rate: Rate
    clustered: tuple[float, float] | None
    """95% bootstrap interval over haystacks; None for fewer than two."""
    invalid: int
    errors: int
    leaks: int
    stages: Mapping[str, int]
    """By STAGES; only those that occur."""
    exact: bool
    """False where tokens were only estimated."""


@dataclass(frozen=True, slots=True)
class Panel:
    """The map of one arm and task, or of all tasks of an arm (`task` empty)."""

    arm: Arm
    task: str
    lengths: tuple[int, ...]
    depths: tuple[float, ...]
    cells: Mapping[CellKey, Cell]
    rows: tuple[LengthRow, ...]
    effective: EffectiveLength
    thirds: Mapping[str, Rate]
    """Of all lengths together, by `start`, `middle` and `end`."""
    profiles: tuple[DepthProfile, ...]
    """The same for each length that has valid answers."""

    @property
    def name(self) -> str:
        """`long, all tasks`, `rag, multi_key`."""
        return f"{self.arm}, {self.task.replace('_', ' ') or 'all tasks'}"


@dataclass(frozen=True, slots=True)
class Summary:
    """Everything that reports tell of a run."""

    panels: tuple[Panel, ...]
    anchors: Mapping[str, Mapping[str, Rate]]
    """`closed` and `oracle` → task ('' for all) → rate."""
    model: str
    digest: str
    quantisation: str
    server_version: str
    window: int
    """Served; 0 where no row tells."""
    trained_window: int | None
    rows: int
    statuses: Mapping[str, int]
    languages: tuple[str, ...]
    haystacks: tuple[str, ...]
    scorers: tuple[int, ...]

    def panel(self, arm: str, task: str = "") -> Panel | None:
        """One of the panels."""
        return next((one for one in self.panels if (one.arm, one.task) == (arm, task)), None)


def summarise(rows: Sequence[Row], planned: Sequence[Planned] = ()) -> Summary:
    """The figures of a run. `rows` are scored and attributed; `planned` tells what is missing."""
    tasks = [task for task in TASKS if any(row.task == task for row in rows)]
    anchors = {
        arm: {
            task: rate(_scores(row for row in rows if row.arm == arm and task in ("", row.task)))
            for task in ("", *tasks)
        }
        for arm in ("closed", "oracle")
    }
    known = leaked_trials(rows)
    panels: list[Panel] = []
    for arm in (one for one in ARMS if one in MAPPED):
        of_arm = [row for row in rows if row.arm == arm]
        wanted = [one for one in planned if one.arm == arm]
        if not of_arm and not wanted:
            continue
        present = {row.task for row in of_arm} | {one.task for one in wanted}
        names = [task for task in TASKS if task in present]
        # With one task, all tasks together are that one.
        panels += [
            _panel(
                arm,
                task,
                [row for row in of_arm if task in ("", row.task)],
                [one for one in wanted if task in ("", one.task)],
                anchors["oracle"].get(task),
                known,
            )
            for task in (["", *names] if len(names) > 1 else names)
        ]
    last = rows[-1] if rows else None
    windows = [row.window for row in rows if row.window]
    return Summary(
        panels=tuple(panels),
        anchors=anchors,
        model=last.model if last else "",
        digest=last.digest if last else "",
        quantisation=last.quantisation if last else "",
        server_version=last.server_version if last else "",
        window=min(windows, default=0),
        trained_window=last.trained_window if last else None,
        rows=len(rows),
        statuses=dict(Counter(row.status for row in rows)),
        languages=tuple(sorted({row.language for row in rows})),
        haystacks=tuple(sorted({row.haystack for row in rows})),
        scorers=tuple(sorted({row.score_detail.get("scorer", 0) for row in rows if counts(row)})),
    )


def headline(summary: Summary) -> Panel | None:
    """The panel that a run is known by: the long prompt, else the product's path."""
    return next((panel for panel in summary.panels), None)


TrialId = tuple[str, int, int, str, str]


def trial_id(row: Row) -> TrialId:
    """What rows of the same question share, whatever their arm, length and depth."""
    return row.task, row.trial, row.seed, row.haystack, row.language


def leaked_trials(rows: Iterable[Row]) -> frozenset[TrialId]:
    """Trials whose answer the model knows, or guesses, without any document."""
    return frozenset(
        trial_id(row)
        for row in rows
        # To say "not there" where no document was given is no knowledge of anything.
        if row.arm == "closed" and row.status == "ok" and row.score == 1 and row.expected
    )


def counts(row: Row) -> bool:
    """Whether a row has an answer that was scored."""
    return row.status == "ok" and row.score is not None


def is_hit(row: Row) -> bool:
    """Right, and read: an answer that no prompt held is none."""
    return counts(row) and row.score == 1 and row.failure_stage is None


def _scores(rows: Iterable[Row]) -> list[float]:
    return [row.score for row in rows if row.status == "ok" and row.score is not None]


def _read_scores(rows: Iterable[Row], known: frozenset[TrialId]) -> list[float]:
    """The scores that tell something about reading; what was right unread is none."""
    return [_read_score(row) for row in rows if counts(row) and trial_id(row) not in known]


def _read_score(row: Row) -> float:
    return 0.0 if row.failure_stage == "LEAK" else row.score or 0.0


def _panel(
    arm: Arm,
    task: str,
    rows: Sequence[Row],
    planned: Sequence[Planned],
    oracle: Rate | None,
    known: frozenset[TrialId],
) -> Panel:
    by_cell: dict[CellKey, list[Row]] = {}
    for row in rows:
        by_cell.setdefault((row.length, _depth(row.depth_target)), []).append(row)
    wanted: Counter[CellKey] = Counter()
    for one in planned:
        wanted[one.length, _depth(one.depth)] += one.trials
    keys = sorted({*by_cell, *wanted})
    cells = {key: _cell(key, by_cell.get(key, []), wanted[key], known) for key in keys}
    lengths = tuple(sorted({length for length, _ in keys}))
    length_rows = tuple(
        _length_row(length, [row for row in rows if row.length == length], known)
        for length in lengths
    )
    read = [row for row in rows if counts(row) and trial_id(row) not in known]
    return Panel(
        arm=arm,
        task=task,
        lengths=lengths,
        depths=tuple(sorted({depth for _, depth in keys})),
        cells=cells,
        rows=length_rows,
        effective=effective_length({row.length: row.rate for row in length_rows}, oracle),
        thirds=thirds(map(_at_depth, read)),
        profiles=tuple(
            depth_profile(length, thirds(_at_depth(row) for row in read if row.length == length))
            for length in lengths
            if any(row.length == length for row in read)
        ),
    )


def _at_depth(row: Row) -> tuple[float, float]:
    depth = row.depth_target if row.depth_actual is None else row.depth_actual
    return depth, _read_score(row)


def _cell(key: CellKey, rows: Sequence[Row], planned: int, known: frozenset[TrialId]) -> Cell:
    return Cell(
        length=key[0],
        depth=key[1],
        rate=rate(_read_scores(rows, known)),
        invalid=_invalid(rows),
        errors=sum(row.status == "error" for row in rows),
        leaks=_leaks(rows, known),
        planned=planned,
        seen=len(rows),
    )


def _length_row(length: int, rows: Sequence[Row], known: frozenset[TrialId]) -> LengthRow:
    read = [row for row in rows if counts(row) and trial_id(row) not in known]
    return LengthRow(
        length=length,
        rate=rate(_read_scores(rows, known)),
        clustered=cluster_interval(
            [((row.haystack, row.trial), float(_read_score(row) == 1)) for row in read]
        ),
        invalid=_invalid(rows),
        errors=sum(row.status == "error" for row in rows),
        leaks=_leaks(rows, known),
        stages=dict(Counter(map(_stage, rows))),
        exact=all(row.exact for row in rows),
    )


def _stage(row: Row) -> str:
    if row.failure_stage is not None:
        return row.failure_stage
    return RIGHT if counts(row) and row.score == 1 else NO_ANSWER


def _invalid(rows: Iterable[Row]) -> int:
    return sum(row.status in INVALID for row in rows)


def _leaks(rows: Iterable[Row], known: frozenset[TrialId]) -> int:
    return sum(counts(row) and trial_id(row) in known for row in rows)


def _depth(depth: float) -> float:
    return round(depth, 4)

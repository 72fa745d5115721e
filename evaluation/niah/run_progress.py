"""How far a run is, how long it will still take, and what it came to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from evaluation.niah.order import Step
from evaluation.niah.probe import Speed
from evaluation.niah.records import Row


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is; told after every trial."""

    done: int
    total: int
    seconds_left: float
    row: Row


@dataclass(slots=True)
class Outcome:
    """What a run came to."""

    rows: int = 0
    """Written now."""
    kept: int = 0
    """There from before."""
    statuses: dict[str, int] = field(default_factory=dict)
    """Of all trials of the plan."""
    stopped: str = ""
    """Why it ended early; empty where it did not."""
    replaced: bool = False
    """It ended since the server has another model under the name by now."""
    seconds: float = 0.0
    harness_seconds: float = 0.0
    """Of these: building, counting and scoring, without the model and the product."""

    @property
    def complete(self) -> bool:
        """Whether nothing is left to do."""
        return not self.stopped and not self.statuses.get("error")


class TimeLeft:
    """The time that is left, from the prediction and how far it was off so far."""

    def __init__(self, speed: Speed, steps: Sequence[Step]) -> None:
        self._predicted = []
        before: Step | None = None
        for step in steps:
            self._predicted.append(speed.step(before, step))
            before = before if step.clamped else step
        self._left = sum(self._predicted)
        self._took = self._told = 0.0

    def took(self, number: int, seconds: float) -> None:
        """One more is done."""
        self._left -= self._predicted[number]
        if self._predicted[number]:
            self._told += self._predicted[number]
            self._took += seconds

    @property
    def seconds(self) -> float:
        """As far as can be told."""
        # Half a second of prediction counts for the prediction, so that the
        # first prompt alone does not upset it.
        factor = (self._took + 0.5) / (self._told + 0.5)
        return max(0.0, self._left * factor)

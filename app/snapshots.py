"""What there is of an answer at one moment, for whoever draws it."""

from __future__ import annotations

from dataclasses import dataclass

from app.answers import ReadingProgress, numbers_of, passage_numbered
from app.plans import Plan
from app.proving import Proved
from app.waiting import Waiting
from storage.records import Hit


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What there is of an answer at one moment."""

    turn_id: int
    question: str
    text: str
    hits: tuple[Hit, ...] | None
    """None until the passages are known."""
    mode: str
    model: str
    started: float
    """`time.monotonic()` when it was asked."""
    stopping: bool
    settled: bool
    """True once the answer has ended and the store holds all of it."""
    numbers: tuple[int, ...] = ()
    """Of each passage; see `app.answers.numbers_of`."""
    plan: Plan | None = None
    progress: ReadingProgress | None = None
    """How far a reading of every page has come."""
    beside: tuple[Hit, ...] = ()
    """See `SourcesFound.beside`."""
    beside_numbers: tuple[int, ...] = ()
    proved: tuple[Proved, ...] = ()
    """What the text's marks prove, as far as that is known."""
    waiting: Waiting | None = None
    """What is waited for; None once there is text."""

    @property
    def known(self) -> tuple[int, ...]:
        """The numbers that a mark in the text may have, as far as they mean something by now."""
        return (*numbers_of(self.hits or (), self.numbers), *self.beside_numbers)

    def passage(self, number: int) -> Hit | None:
        """The passage of a number; None where the prompt holds none."""
        found = passage_numbered(self.hits or (), self.numbers, number)
        return found or dict(zip(self.beside_numbers, self.beside, strict=True)).get(number)

"""In which order new passages stand in a prompt, where the model was seen to read depths unlike.

Reading order is the rule: passages make sense as their documents have them. It
is left only where a measurement of this very model proves that it reads one
third of prompts of that length worse than another (docs/decisions/0017).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from storage.records import Hit

DOCUMENT = "document"
"""As the passages stand in their documents; documents by their best passage."""
START = "start"
"""The best passage first."""
END = "end"
"""The best passage last, beside the question."""
EDGES = "edges"
"""The best passages first and last, the worst in the middle."""

THIRDS = ("start", "middle", "end")

MATTERS = 0.05
"""Difference of two shares from which on it is worth to leave the reading order."""

_NEAR = 2.0
"""A length speaks for prompts that are at most so many times longer or shorter."""

_ORDER_WORDS = {
    START: "The best passages stand first",
    END: "The best passages stand last",
    EDGES: "The best passages stand first and last",
}


@dataclass(frozen=True, slots=True)
class Third:
    """How much was found in one third of the depths: k of n, and its 95% Wilson interval."""

    hits: int
    n: int
    low: float
    high: float

    @property
    def share(self) -> float:
        """hits / n; 0 where there is none."""
        return self.hits / self.n if self.n else 0.0


@dataclass(frozen=True, slots=True)
class DepthProfile:
    """The thirds of prompts of one length."""

    length: int
    """In tokens."""
    thirds: Mapping[str, Third]
    """By THIRDS; only those that were measured."""

    @property
    def order(self) -> str:
        """What it asks for where new passages fill the whole prompt."""
        return order_of(self.thirds)

    def to_json(self) -> dict[str, Any]:
        """As the calibration of a run keeps it."""
        thirds = {name: asdict(third) for name, third in self.thirds.items()}
        return {"length": self.length, "thirds": thirds}


def profile_from(data: object) -> DepthProfile | None:
    """A profile as `to_json` writes it; None for anything else."""
    if not isinstance(data, Mapping):
        return None
    length, told = data.get("length"), data.get("thirds")
    if not isinstance(length, int) or length < 1 or not isinstance(told, Mapping):
        return None
    thirds = {name: _third(told[name]) for name in THIRDS if name in told}
    read = {name: third for name, third in thirds.items() if third is not None}
    return DepthProfile(length, read) if len(read) == len(thirds) else None


@dataclass(frozen=True, slots=True)
class Placement:
    """The order that was taken, and why it is not that of the documents."""

    order: str = DOCUMENT
    reason: str = ""
    """One sentence; empty in reading order."""


IN_READING_ORDER = Placement()


@dataclass(frozen=True, slots=True)
class Measured:
    """The depths of a model as one run found them."""

    run: str = ""
    profiles: tuple[DepthProfile, ...] = ()

    def placement(self, tokens: int, before: int) -> Placement:
        """The order for passages that begin behind `before` of a prompt's `tokens`.

        The nearest measured length speaks, and only of those thirds that the
        new passages fill by half or more: what stands before them stays.
        """
        near = [one for one in self.profiles if 1 / _NEAR <= one.length / max(1, tokens) <= _NEAR]
        if not near:
            return IN_READING_ORDER
        profile = min(near, key=lambda one: (abs(one.length - tokens), -one.length))
        first = before / max(1, tokens)
        within = {
            name: profile.thirds[name]
            for name, latest in zip(THIRDS, (1 / 6, 1 / 2, 1.0), strict=True)
            if name in profile.thirds and first <= latest
        }
        order = order_of(within)
        if order == DOCUMENT:
            return IN_READING_ORDER
        told = ", ".join(
            f"{third.hits:,} of {third.n:,} {_WHERE[name]}" for name, third in within.items()
        )
        return Placement(
            order,
            f"{_ORDER_WORDS[order]}: in prompts of {profile.length:,} tokens this model found "
            f"{told} (run {self.run}).",
        )


_WHERE = {"start": "at the start", "middle": "in the middle", "end": "at the end"}


def order_of(thirds: Mapping[str, Third]) -> str:
    """The order that puts the best passages where they are read best.

    A third is read worse where the whole interval of another lies above its
    own, and their shares are MATTERS apart. Reading order stays where none is,
    and where both ends are.
    """
    measured = [name for name in THIRDS if name in thirds and thirds[name].n]
    worse = {
        name
        for name in measured
        if any(_is_better(thirds[other], thirds[name]) for other in measured)
    }
    if not worse or measured[-1] != "end":
        return DOCUMENT
    good = measured[0] not in worse, measured[-1] not in worse
    return {(True, True): EDGES, (True, False): START, (False, True): END}.get(good, DOCUMENT)


def placed(hits: Sequence[Hit], order: str) -> list[Hit]:
    """Passages, given best first, in an order other than the documents'.

    What belongs to one passage, the pages beside it or what is left of it,
    stays together and in reading order.
    """
    units: list[list[Hit]] = []
    for hit in hits:
        if units and (hit.beside or _same_passage(units[-1][0], hit)):
            units[-1].append(hit)
        else:
            units.append([hit])
    if order == END:
        units.reverse()
    elif order == EDGES:
        units = [*units[::2], *reversed(units[1::2])]
    return [hit for unit in units for hit in sorted(unit, key=_place)]


def _is_better(one: Third, other: Third) -> bool:
    return one.low > other.high and one.share - other.share >= MATTERS


def _same_passage(one: Hit, other: Hit) -> bool:
    return (one.version_id, one.page, one.rank) == (other.version_id, other.page, other.rank)


def _place(hit: Hit) -> tuple[int, int]:
    return hit.page, hit.char_start


def _third(data: object) -> Third | None:
    if not isinstance(data, Mapping):
        return None
    try:
        hits, n = int(data["hits"]), int(data["n"])
        low, high = float(data["low"]), float(data["high"])
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    return Third(hits, n, low, high) if 0 <= hits <= n and 0 <= low <= high <= 1 else None

"""A prompt of any length cut to what is worth seeing: its ends, and what surrounds each needle."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from evaluation.niah.records import Needle

Kind = Literal["text", "needle", "distractor", "left out"]

AROUND = 500
"""Characters shown before and behind a needle."""
ENDS = 700
"""Characters shown of the beginning and the end."""
_NOT_WORTH_IT = 400
"""So few characters are shown rather than left out."""


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of the prompt."""

    kind: Kind
    text: str
    """Empty where it is left out."""
    characters: int
    """How long it is, left out or not."""


def parts(
    content: str,
    needles: Sequence[Needle],
    distractors: Sequence[Needle] = (),
    *,
    whole: bool = False,
) -> list[Part]:
    """A message in parts, in order; with `whole` nothing is left out."""
    marks = _marks(content, needles, distractors)
    shown = [(0, len(content))] if whole else _shown(len(content), marks)
    found: list[Part] = []
    at = 0
    for start, end in shown:
        if start > at:
            found.append(Part("left out", "", start - at))
        found += _marked(content, start, end, marks)
        at = end
    if at < len(content):
        found.append(Part("left out", "", len(content) - at))
    return found


Mark = tuple[int, int, Kind]


def _marks(content: str, needles: Sequence[Needle], distractors: Sequence[Needle]) -> list[Mark]:
    """Where needles and distractors stand; of two that overlap the first."""
    found = [*_places(content, needles, "needle"), *_places(content, distractors, "distractor")]
    kept: list[Mark] = []
    for mark in sorted(found):
        if not kept or mark[0] >= kept[-1][1]:
            kept.append(mark)
    return kept


def _places(content: str, needles: Iterable[Needle], kind: Kind) -> Iterable[Mark]:
    for needle in needles:
        words = needle.text.split()
        if not words:
            continue
        # The product reads pages, which may break lines elsewhere.
        pattern = r"\s+".join(map(re.escape, words))
        for match in re.finditer(pattern, content):
            yield match.start(), match.end(), kind


def _shown(length: int, marks: Sequence[Mark]) -> list[tuple[int, int]]:
    """The stretches that are shown: the ends and the neighbourhoods, joined where they meet."""
    wanted = [(0, min(ENDS, length)), (max(0, length - ENDS), length)]
    wanted += [(max(0, start - AROUND), min(length, end + AROUND)) for start, end, _ in marks]
    joined: list[tuple[int, int]] = []
    for start, end in sorted(wanted):
        if joined and start - joined[-1][1] <= _NOT_WORTH_IT:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def _marked(content: str, start: int, end: int, marks: Sequence[Mark]) -> Iterable[Part]:
    at = start
    for first, last, kind in marks:
        if first < start or last > end:
            continue
        if first > at:
            yield Part("text", content[at:first], first - at)
        yield Part(kind, content[first:last], last - first)
        at = last
    if at < end:
        yield Part("text", content[at:end], end - at)

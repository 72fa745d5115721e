"""Pages cut into parts: as many whole pages, in order, as one request has room for.

A page longer than that is cut into slices at the ends of sentences. A part
may hold the pages of several short documents.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from app.sentences import sentences

OVERLAP = 200
"""Characters that two halves share where there is no end of a sentence to cut at."""

_LEAST = 40
"""Characters. Nothing shorter is halved any more."""


class Slice(NamedTuple):
    """A stretch of one page of a version, in code points; most are whole pages."""

    version_id: int
    page: int
    start: int
    end: int


class Stretch(NamedTuple):
    """A slice that is to be read, with its text."""

    where: Slice
    text: str
    """Exactly the page's text from `start` to `end`."""
    place: str = ""
    """Of its page, as the line above it says."""


@dataclass(frozen=True, slots=True)
class Part:
    """What one request reads."""

    slices: tuple[Slice, ...]
    tokens: int
    """Of all slices with the lines that lead them, as counted or estimated."""


Count = Callable[[str], int]
"""Tokens that a text costs in a prompt."""

Lead = Callable[[Stretch], int]
"""Tokens of the line that stands above a slice."""


def cut(stretches: Iterable[Stretch], capacity: int, count: Count, lead: Lead) -> Iterator[Part]:
    """The stretches as parts of at most `capacity` tokens, in their order.

    Every character that is not white space is in a part. Only a single
    character that by itself costs more than `capacity` makes a larger part.
    """
    slices: list[Slice] = []
    tokens = 0
    for stretch in stretches:
        for where, cost in _pieces(stretch, capacity, count, lead(stretch)):
            if slices and tokens + cost > capacity:
                yield Part(tuple(slices), tokens)
                slices, tokens = [], 0
            slices.append(where)
            tokens += cost
    if slices:
        yield Part(tuple(slices), tokens)


def halves(stretches: Sequence[Stretch]) -> tuple[list[Stretch], list[Stretch]] | None:
    """What is to be read in two parts of about the same length; None where it is too short.

    One slice alone is cut at the end of a sentence, or else near its middle.
    """
    if len(stretches) > 1:
        whole = sum(len(stretch.text) for stretch in stretches)
        length = 0
        for number, stretch in enumerate(stretches[:-1], start=1):
            length += len(stretch.text)
            if 2 * length >= whole or number == len(stretches) - 1:
                return list(stretches[:number]), list(stretches[number:])
    if not stretches or len(stretches[0].text) < 2 * _LEAST:
        return None
    stretch = stretches[0]
    middle = len(stretch.text) // 2
    ends = [span.end for span in sentences(stretch.text)[:-1]]
    at = min(ends, key=lambda end: abs(end - middle), default=0)
    if abs(at - middle) > middle // 2:
        overlap = min(OVERLAP, middle // 4)
        return [_part_of(stretch, 0, middle + overlap)], [
            _part_of(stretch, middle - overlap, len(stretch.text))
        ]
    return [_part_of(stretch, 0, at)], [_part_of(stretch, at, len(stretch.text))]


def _pieces(
    stretch: Stretch, capacity: int, count: Count, lead: int
) -> Iterator[tuple[Slice, int]]:
    """A stretch whole where it fits, else in slices that do, each with its cost."""
    if not stretch.text.strip():
        return
    whole = count(stretch.text) + lead
    if whole <= capacity:
        yield stretch.where, whole
        return
    start = 0
    for end in _sentence_ends(stretch.text, max(1, capacity - lead), count):
        if stretch.text[start:end].strip():
            piece = _part_of(stretch, start, end)
            yield piece.where, count(piece.text) + lead
        start = end


def _sentence_ends(text: str, capacity: int, count: Count) -> Iterator[int]:
    """Where a long text is cut so that each slice fits.

    The prices of sentences are added up, each with a token for its seam: joined text never costs
    more than that.
    """
    start, length, last = 0, 0, 0
    for span in sentences(text):
        cost = count(text[last : span.end]) + 1
        if length and length + cost > capacity:
            yield last
            start, length = last, 0
        if cost > capacity:
            for end in _hard_ends(text, start, span.end, capacity, count):
                yield end
                start = end
            length = count(text[start : span.end]) + 1
        else:
            length += cost
        last = span.end
    yield len(text)


def _hard_ends(text: str, start: int, end: int, capacity: int, count: Count) -> Iterator[int]:
    """Where a single sentence (a table without line ends, base64) is cut, all but its own end."""
    while True:
        # Only as far as a slice reaches is counted, however long the rest is.
        low, high = start + 1, min(end, start + capacity)
        while high < end and count(text[start:high]) <= capacity:
            low, high = high, min(end, start + 2 * (high - start))
        if high == end and count(text[start:end]) <= capacity:
            return
        high -= 1
        while low < high:
            middle = (low + high + 1) // 2
            if count(text[start:middle]) <= capacity:
                low = middle
            else:
                high = middle - 1
        blank = max(text.rfind(" ", start + (low - start) // 2, low), 0)
        at = blank + 1 if blank > start else low
        if at >= end:
            return
        yield at
        start = at


def _part_of(stretch: Stretch, start: int, end: int) -> Stretch:
    where = stretch.where
    return stretch._replace(
        where=where._replace(start=where.start + start, end=where.start + end),
        text=stretch.text[start:end],
    )

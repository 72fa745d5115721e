"""An answer proved while it grows: each mark as soon as what it vouches for stands there.

The whole answer is proved once more when it is complete, and that is what is kept.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from app.answers import Citation
from app.claims import Mark, marks_of, quoted_spans
from app.support import support_of

Prove = Callable[[str], tuple[Citation, ...]]

_BLANK = re.compile(r"\n[ \t]*\n+")
_FENCE = re.compile(r"^ {0,3}(?:```|~~~)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Proved:
    """A stretch of a growing answer and what its marks prove."""

    start: int
    end: int
    citations: tuple[Citation, ...]
    marks: tuple[tuple[int, tuple[str, ...]], ...]
    """Where each mark ends in the answer, and how far each of its numbers is proved."""


def blocks_of(text: str) -> tuple[list[tuple[int, int]], int]:
    """The finished blocks of a growing text, and where the one that still grows begins.

    A blank line ends a block, but for one inside a code fence.
    """
    done: list[tuple[int, int]] = []
    start = 0
    for blank in _BLANK.finditer(text):
        if len(_FENCE.findall(text, start, blank.end())) % 2 == 0:
            done.append((start, blank.end()))
            start = blank.end()
    return done, start


class GrowingProof:
    """Proves an answer block by block; what is proved of a finished block stays."""

    def __init__(self, prove: Prove) -> None:
        self._prove = prove
        self._done: list[Proved] = []
        self._growing: Proved | None = None
        self._from = 0

    def look(self, text: str) -> tuple[Proved, ...]:
        """What is proved of the text, which begins with all that was looked at before."""
        finished, grows_from = blocks_of(text)
        for start, end in finished:
            if start >= self._from:
                self._add(text, start, end)
                self._from = end
        end = grows_from + _provable(text[grows_from:])
        known = self._growing
        if end == grows_from:
            self._growing = None
        elif known is None or (known.start, known.end) != (grows_from, end):
            self._growing = self._proved(text, grows_from, end)
        return (*self._done, *((self._growing,) if self._growing else ()))

    def _add(self, text: str, start: int, end: int) -> None:
        known = self._growing
        if known is not None and known.start == start and not _marks(text[known.end : end]):
            self._done.append(known)  # nothing came after what was proved already
        elif _marks(text[start:end]):
            self._done.append(self._proved(text, start, end))

    def _proved(self, text: str, start: int, end: int) -> Proved:
        piece = text[start:end]
        citations = self._prove(piece)
        marks = tuple(
            (start + mark.end, tuple(state for _, state in mark.states))
            for mark in support_of(piece, citations).marks
        )
        return Proved(start, end, citations, marks)


def _provable(text: str) -> int:
    """Where the last mark ends whose claim is complete; 0 where there is none."""
    end = 0
    for mark in _marks(text):
        head = text[text.rfind("\n", 0, mark.start) + 1 : mark.start]
        line_end = text.find("\n", mark.end)
        if head.strip():
            end = mark.end if mark.end < len(text) else end
        elif line_end >= 0:
            end = line_end  # at the head of a line it vouches for what follows on it
    return end


def _marks(text: str) -> Sequence[Mark]:
    return marks_of(text, (), quoted_spans(text)) if "[" in text or "【" in text else ()

"""Reading order of pages in two columns whose lines were drawn across both.

Most writers draw one column after the other, and pdfium keeps that order. Some
draw row by row; the lines of both columns then come out joined. Told from the
places of the characters alone: a gutter that nothing crosses, prose on both of
its sides, and an order that keeps jumping over it. A table has gutters too, but
its cells do not fill their columns.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

_LEAST_LINES = 8
"""On either side of the gutter."""

_LEAST_GUTTER = 8.0
"""Points."""

_FILLED = 0.6
"""How much of its column a line of prose fills, by the median."""

_LEAST_LETTERS = 0.7
_LEAST_WORDS = 4
_LEAST_JUMPS = 0.5
"""Share of the lines after which the order jumps over the gutter."""


@dataclass(frozen=True, slots=True)
class Glyph:
    """A character where it stands; `left` to `right` is empty for characters without a place."""

    text: str
    left: float
    bottom: float
    right: float
    top: float

    @property
    def has_place(self) -> bool:
        """False for the spaces and line ends that pdfium adds."""
        return self.right > self.left


@dataclass(frozen=True, slots=True)
class _Piece:
    """A stretch of one line, in the order of the page's text; glyphs `first` to `last`."""

    first: int
    last: int
    left: float
    bottom: float
    right: float
    top: float

    @property
    def middle(self) -> float:
        return (self.bottom + self.top) / 2


def column_order(glyphs: Sequence[Glyph]) -> list[tuple[int, int]] | None:
    """The page as spans of glyphs, one a line, column by column; None where the order stands."""
    pieces = _pieces(glyphs)
    if len(pieces) < 2 * _LEAST_LINES:
        return None
    gutter = _gutter(pieces)
    if gutter is None:
        return None
    sides = _sides(pieces, gutter)
    left = [piece for piece, side in zip(pieces, sides, strict=True) if side < 0]
    right = [piece for piece, side in zip(pieces, sides, strict=True) if side > 0]
    if min(len(left), len(right)) < _LEAST_LINES:
        return None
    if not (_is_prose(glyphs, left) and _is_prose(glyphs, right)):
        return None
    if _jumps(sides) < _LEAST_JUMPS * min(len(left), len(right)):
        return None
    return [(piece.first, piece.last) for piece in _ordered(pieces, sides)]


def may_be_interleaved(boxes: Sequence[tuple[float, float, float, float]]) -> bool:
    """Whether stretches of text (left, bottom, right, top), in order, could be two columns.

    Far quicker than `column_order`, and true for many pages that are none.
    """
    if len(boxes) < 2 * _LEAST_LINES:
        return False
    pieces = [_Piece(n, n + 1, *box) for n, box in enumerate(boxes)]
    gutter = _gutter(pieces)
    if gutter is None:
        return False
    sides = _sides(pieces, gutter)
    if min(sides.count(-1), sides.count(1)) < _LEAST_LINES:
        return False
    for side in (-1, 1):
        lines = [piece for piece, of in zip(pieces, sides, strict=True) if of == side]
        if _filled(lines) < _FILLED / 2:
            return False
    return _jumps(sides) >= _LEAST_JUMPS * min(sides.count(-1), sides.count(1)) / 2


def _sides(pieces: Sequence[_Piece], gutter: tuple[float, float]) -> list[int]:
    """-1 for a piece left of the gutter, 1 right of it, 0 across."""
    return [
        -1 if piece.right <= gutter[0] + 1 else 1 if piece.left >= gutter[1] - 1 else 0
        for piece in pieces
    ]


def _jumps(sides: Sequence[int]) -> int:
    return sum(a * b < 0 for a, b in pairwise(sides))


def _filled(lines: Sequence[_Piece]) -> float:
    """How much of their column its lines fill, by the median."""
    width = max(line.right for line in lines) - min(line.left for line in lines)
    return median(line.right - line.left for line in lines) / max(width, 1.0)


def _pieces(glyphs: Sequence[Glyph]) -> list[_Piece]:
    """Runs of glyphs on one line without a wide gap; spaces between runs belong to neither."""
    pieces: list[_Piece] = []
    start: int | None = None
    last = 0
    box = (0.0, 0.0, 0.0, 0.0)
    for at, glyph in enumerate(glyphs):
        if not glyph.has_place or glyph.text.isspace():
            continue
        height = max(glyph.top - glyph.bottom, 1.0)
        if start is not None:
            same_line = glyph.bottom < box[3] and glyph.top > box[1]
            gap = glyph.left - box[2]
            if not same_line or gap > 1.2 * max(height, box[3] - box[1]) or gap < -3 * height:
                pieces.append(_Piece(start, last + 1, *box))
                start = None
        if start is None:
            start, box = at, (glyph.left, glyph.bottom, glyph.right, glyph.top)
        else:
            box = (
                min(box[0], glyph.left),
                min(box[1], glyph.bottom),
                max(box[2], glyph.right),
                max(box[3], glyph.top),
            )
        last = at
    if start is not None:
        pieces.append(_Piece(start, last + 1, *box))
    return pieces


def _gutter(pieces: Sequence[_Piece]) -> tuple[float, float] | None:
    """The widest strip near the middle that hardly any line crosses."""
    first, last = min(piece.left for piece in pieces), max(piece.right for piece in pieces)
    width = last - first
    crossed: Counter[int] = Counter()
    for piece in pieces:
        crossed.update(range(int(piece.left), int(piece.right) + 1))
    most = max(1, len(pieces) // 12)
    best: tuple[int, int] | None = None
    start: int | None = None
    for x in range(int(first + 0.3 * width), int(first + 0.7 * width) + 2):
        if crossed[x] <= most and x <= first + 0.7 * width:
            start = x if start is None else start
        elif start is not None:
            if best is None or x - start > best[1] - best[0]:
                best = start, x
            start = None
    if best is None or best[1] - best[0] < _LEAST_GUTTER:
        return None
    return float(best[0]), float(best[1])


def _is_prose(glyphs: Sequence[Glyph], lines: Sequence[_Piece]) -> bool:
    texts = ["".join(glyph.text for glyph in glyphs[line.first : line.last]) for line in lines]
    characters = [character for text in texts for character in text if not character.isspace()]
    letters = sum(map(str.isalpha, characters))
    words = median(len(text.split()) for text in texts)
    unspaced = any(character >= "\u3040" for character in characters[:50])
    return (
        letters >= _LEAST_LETTERS * len(characters)
        and _filled(lines) >= _FILLED
        and (words >= _LEAST_WORDS or unspaced)
    )


def _ordered(pieces: Sequence[_Piece], sides: Sequence[int]) -> list[_Piece]:
    """Bands between the lines that cross the gutter, each left column first."""
    across = sorted(
        (piece for piece, side in zip(pieces, sides, strict=True) if not side),
        key=lambda piece: -piece.middle,
    )
    bands: list[list[tuple[int, _Piece]]] = [[] for _ in range(len(across) + 1)]
    for piece, side in zip(pieces, sides, strict=True):
        if side:
            bands[sum(other.middle > piece.middle for other in across)].append((side, piece))
    ordered: list[_Piece] = []
    for number, band in enumerate(bands):
        # Stable: within a column the lines keep the order that they were drawn in.
        ordered += [piece for _, piece in sorted(band, key=lambda entry: entry[0])]
        ordered += across[number : number + 1]
    return ordered

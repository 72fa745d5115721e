"""Where the words of a page stand on its picture, as rectangles.

The text that is stored of a page is not the text of the PDF: hyphens at line
ends are joined, ligatures are letters, columns are in reading order. So the
letters and digits alone of both are compared, and each stretch of the stored
text is looked for in the PDF's with what stands around it.
"""

from __future__ import annotations

import ctypes
import unicodedata
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

_MOST_CHARACTERS = 60_000
"""Of a PDF page; more are drawings made of letters."""
_MOST_BOXES = 400
_AROUND = 60
"""Letters before and after a stretch that tell its place from others with the same words."""
_LEAST_PIECE = 6
"""Letters of a part of a stretch that are looked for alone; less stands anywhere."""
_FINE = 100
"""Steps a point, since pdfium gives whole numbers."""


Rect = tuple[float, float, float, float]
"""Left, top, right, bottom in the PDF's own coordinates, in which up is more."""


class Box(NamedTuple):
    """A rectangle in points; the origin is the top left corner of the page as it is shown."""

    left: float
    top: float
    right: float
    bottom: float


class PageBoxes(NamedTuple):
    """The rectangles of some stretches of a page's text, a line each."""

    width: float
    """Of the page as it is shown, in points."""
    height: float
    rotation: int
    """By which the PDF turns the page for showing, in degrees clockwise; the boxes are turned."""
    boxes: tuple[tuple[Box, ...], ...]
    """For each stretch; empty where it was not found, as on pages that OCR read."""


class Letters:
    """The letters and digits of a text, folded, each with the place it stands at."""

    def __init__(self, text: str | Sequence[str]) -> None:
        letters: list[str] = []
        places: list[int] = []
        for place, character in enumerate(text):
            if character.isascii():
                folded = character.lower() if character.isalnum() else ""
            else:
                folded = "".join(
                    sign
                    for sign in unicodedata.normalize("NFKD", character).casefold()
                    if sign.isalnum()
                )
            letters.append(folded)
            places += [place] * len(folded)
        self.text = "".join(letters)
        self.places = places


def boxes_on(page: Any, stored: str, spans: Sequence[tuple[int, int]]) -> PageBoxes:
    """The rectangles of spans of the stored text on an open pdfium page; raises PdfiumError."""
    width, height = page.get_size()
    turn = int(page.get_rotation())
    if turn:
        # Turned by 90 degrees, pdfium reads the lines in another order than they were stored in.
        page.set_rotation(0)
    try:
        stretches = _stretches(page, stored, spans)
    finally:
        if turn:
            page.set_rotation(turn)
    return PageBoxes(
        width,
        height,
        turn,
        tuple(_merged(_shown(page, rects)) for rects in stretches),
    )


def _stretches(page: Any, stored: str, spans: Sequence[tuple[int, int]]) -> list[list[Rect | None]]:
    """For each span, the rectangles of its characters in the page's own coordinates."""
    textpage = page.get_textpage()
    try:
        count = textpage.count_chars()
        if not spans or not 0 < count <= _MOST_CHARACTERS:
            return [[] for _ in spans]
        characters = list(_characters(textpage, count))
        mine, theirs = Letters(stored), Letters(characters)
        return [
            list(_char_rects(textpage, find_characters(mine, span, stored, theirs, characters)))
            for span in spans
        ]
    finally:
        textpage.close()


def find_characters(
    mine: Letters,
    span: tuple[int, int],
    stored: str,
    theirs: Letters,
    characters: Sequence[str],
) -> list[tuple[int, int]]:
    """The stretches of the PDF's characters that are a span of the stored text, in order.

    Indices of characters, the end exclusive. Empty where nothing of the span
    was found; what was found of it otherwise. `mine` are the letters of the
    stored text, `theirs` those of the characters.
    """
    found: list[tuple[int, int]] = []
    for start, end in _pieces(stored, span, mine, theirs):
        first, last = _letters_of(mine, start, end)
        at = _place(mine.text, first, last, theirs.text)
        if at is None:
            continue
        begin = theirs.places[at]
        until = theirs.places[at + last - first - 1] + 1
        found.append(_with_signs(stored, (start, end), (begin, until), characters))
    return found


def _letters_of(letters: Letters, start: int, end: int) -> tuple[int, int]:
    """The letters that stand in a stretch of the text, as a stretch of the letters."""
    return bisect_left(letters.places, start), bisect_left(letters.places, end)


def _pieces(
    stored: str, span: tuple[int, int], mine: Letters, theirs: Letters
) -> Iterator[tuple[int, int]]:
    """The span, or the parts of it that stand whole in the PDF: lines, halves of lines, words."""
    start, end = span
    first, last = _letters_of(mine, start, end)
    if first == last:
        return
    if mine.text[first:last] in theirs.text:
        yield span
        return
    if last - first < _LEAST_PIECE:
        return
    cut = _cut(stored, start, end)
    if cut is not None:
        yield from _pieces(stored, (start, cut), mine, theirs)
        yield from _pieces(stored, (cut, end), mine, theirs)


def _cut(text: str, start: int, end: int) -> int | None:
    """Where to part a stretch: at the line end, else the blank, nearest to its middle."""
    middle = (start + end) // 2
    for sign in "\n ":
        before, after = text.rfind(sign, start + 1, middle), text.find(sign, middle, end - 1)
        places = [place for place in (before, after) if place > start]
        if places:
            return min(places, key=lambda place: abs(place - middle))
    return None


def _place(mine: str, first: int, last: int, theirs: str) -> int | None:
    """Of all places where the letters stand, the one with the most alike around it."""
    wanted = mine[first:last]
    best: tuple[float, int] | None = None
    at = theirs.find(wanted)
    while at >= 0:
        before = _shared(mine[max(0, first - _AROUND) : first][::-1], theirs[:at][-_AROUND:][::-1])
        end = at + len(wanted)
        after = _shared(mine[last : last + _AROUND], theirs[end : end + _AROUND])
        # Where the surroundings are the same as well, the place on the page decides.
        apart = abs(first / max(len(mine), 1) - at / max(len(theirs), 1))
        worth = before + after - apart
        if best is None or worth > best[0]:
            best = (worth, at)
        at = theirs.find(wanted, at + 1)
    return best[1] if best else None


def _shared(one: str, other: str) -> int:
    count = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        count += 1
    return count


def _with_signs(
    stored: str, span: tuple[int, int], found: tuple[int, int], characters: Sequence[str]
) -> tuple[int, int]:
    """The stretch with the signs at its ends, such as `$` and `%`, that are no letters."""
    start, end = span
    begin, until = found
    for sign in reversed(stored[start:end][: _leading(stored[start:end])]):
        if not sign.isspace():
            while begin > 0 and characters[begin - 1].isspace():
                begin -= 1
            if begin == 0 or characters[begin - 1] != sign:
                break
            begin -= 1
    trailing = stored[start:end][::-1]
    for sign in reversed(trailing[: _leading(trailing)]):
        if not sign.isspace():
            if until >= len(characters) or characters[until] != sign:
                break
            until += 1
    return begin, until


def _leading(text: str) -> int:
    """How many signs stand before the first letter."""
    return next((n for n, sign in enumerate(text) if sign.isalnum()), len(text))


def _characters(textpage: Any, count: int) -> Iterator[str]:
    from pypdfium2 import raw

    for index in range(count):
        code = raw.FPDFText_GetUnicode(textpage.raw, index)
        yield chr(code) if code < 0x110000 and not 0xD800 <= code < 0xE000 else "\ufffd"


def _char_rects(textpage: Any, stretches: Sequence[tuple[int, int]]) -> Iterator[Rect | None]:
    """The rectangle of each character that is drawn; None between two stretches."""
    from pypdfium2 import raw

    rect = raw.FS_RECTF()
    for begin, until in stretches:
        for index in range(begin, until):
            if raw.FPDFText_IsGenerated(textpage.raw, index) == 1:
                continue
            if raw.FPDFText_GetLooseCharBox(textpage.raw, index, rect):
                yield rect.left, rect.top, rect.right, rect.bottom
        yield None


def _shown(page: Any, rects: Sequence[Rect | None]) -> Iterator[Box | None]:
    """The rectangles on the page as it is shown; what lies outside of it is left out."""
    from pypdfium2 import raw

    width, height = page.get_size()
    size = (round(width * _FINE), round(height * _FINE))
    x, y = ctypes.c_int(), ctypes.c_int()

    def place(across: float, up: float) -> tuple[float, float]:
        raw.FPDF_PageToDevice(page.raw, 0, 0, *size, 0, across, up, x, y)
        return x.value / _FINE, y.value / _FINE

    for rect in rects:
        if rect is None:
            yield None
            continue
        (one, other), (third, fourth) = place(*rect[:2]), place(*rect[2:])
        box = Box(min(one, third), min(other, fourth), max(one, third), max(other, fourth))
        if box.right > 0 and box.bottom > 0 and box.left < width and box.top < height:
            yield box


def _merged(boxes: Iterable[Box | None]) -> tuple[Box, ...]:
    """Neighbours on one line as one rectangle, also where lines run up or down the page."""
    lines: list[Box] = []
    joins = False
    for box in boxes:
        if box is None:
            joins = False
            continue
        if joins and _same_line(lines[-1], box):
            last = lines[-1]
            lines[-1] = Box(
                min(last.left, box.left),
                min(last.top, box.top),
                max(last.right, box.right),
                max(last.bottom, box.bottom),
            )
        elif len(lines) < _MOST_BOXES:
            lines.append(box)
        joins = True
    return tuple(Box(*(round(value, 2) for value in box)) for box in lines)


def _same_line(line: Box, box: Box) -> bool:
    size = max(box.right - box.left, box.bottom - box.top, 1.0)
    across = min(line.right, box.right) - max(line.left, box.left)
    down = min(line.bottom, box.bottom) - max(line.top, box.top)
    level = down >= 0.5 * min(line.bottom - line.top, box.bottom - box.top) and across > -2 * size
    upright = across >= 0.5 * min(line.right - line.left, box.right - box.left) and down > -size / 2
    wide = line.right - line.left >= line.bottom - line.top
    # One character tells no direction; a line that has one keeps it.
    single = line.right - line.left <= 2 * size and line.bottom - line.top <= 2 * size
    return level if wide and not single else level or upright

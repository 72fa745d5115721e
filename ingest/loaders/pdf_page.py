"""One page of a PDF as pdfium reads it: its text, with what nobody can see marked."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from ingest.loaders.hidden_text import concealed
from ingest.loaders.ocr import DPI, MOST_PIXELS, PageImage
from ingest.loaders.pdf_columns import Glyph, column_order, may_be_interleaved
from ingest.loaders.pdf_garbled import is_garbled
from ingest.loaders.pdf_rtl import in_logical_order
from ingest.loaders.pdf_sight import Drawing, Sight, look

_LEAST_PICTURE = 0.05
"""Of the page's area. A logo on an empty page does not make it a scan."""

_MOST_OF_PAGE = 0.6
_FEW_LETTERS = 150
_LEAST_PATHS = 200
"""Text that was turned into outlines takes hundreds of shapes; lines of a form some dozens."""

_UNMAPPED_SAMPLE = 100
_MOST_COLUMN_GLYPHS = 30_000
_MOST_RECTS = 3000
_LEAST_JOINED = 8


@dataclass(frozen=True, slots=True)
class PageText:
    """What pdfium makes of a page."""

    text: str
    """Raw, with marks around what cannot be seen; empty where it is garbled."""
    garbled: bool = False
    pictured: bool = False
    """Whether it holds a picture or outlines that could be of text."""
    covered: bool = False
    """Whether a picture takes most of the page."""

    @property
    def needs_recognition(self) -> bool:
        """Garbled, a picture without text, or a picture of a page with a line of text on it."""
        letters = sum(map(str.isalnum, self.text))
        return (
            self.garbled
            or (self.pictured and not letters)
            or (self.covered and letters < _FEW_LETTERS)
        )


def read_page(page: Any, drawing: Drawing) -> PageText:
    """The text of an open pdfium page; raises PdfiumError."""
    turn = page.get_rotation()
    if turn:
        _undo_rotation(page, turn)
    try:
        with closing(page.get_textpage()) as textpage:
            raw_text = str(textpage.get_text_range())
            sight = look(page, drawing)
            # A page that is just drawn on costs no more than its text.
            garbled = bool(raw_text.strip()) and is_garbled(
                raw_text, _unmapped(textpage, len(raw_text))
            )
            ordered = raw_text if garbled else in_logical_order(textpage, raw_text)
            text = "" if garbled else _visible_text(textpage, ordered, sight)
    finally:
        if turn:
            page.set_rotation(turn)
    pictured = sight.image_share >= _LEAST_PICTURE or sight.paths >= _LEAST_PATHS
    return PageText(text, garbled, pictured, covered=sight.image_share >= _MOST_OF_PAGE)


def picture_of(page: Any) -> PageImage:
    """The page as it is shown, in grey, at 300 dots an inch where it is not too large."""
    width, height = page.get_size()
    scale = min(DPI / 72, math.sqrt(MOST_PIXELS / max(width * height, 1.0)))
    bitmap = page.render(scale=scale, grayscale=True, may_draw_forms=True)
    try:
        lines = memoryview(bitmap.buffer).cast("B")
        rows = [
            bytes(lines[row * bitmap.stride : row * bitmap.stride + bitmap.width])
            for row in range(bitmap.height)
        ]
        return PageImage(bitmap.width, bitmap.height, b"".join(rows), max(70, round(72 * scale)))
    finally:
        bitmap.close()


def _undo_rotation(page: Any, turn: int) -> None:
    """Have the text read as it was written, not as the page is turned for display.

    Of a turned page pdfium reads text right that stands upright once it is
    turned; of other text it takes the last line for the first.
    """
    from pypdfium2 import raw

    with closing(page.get_textpage()) as textpage:
        count = min(textpage.count_chars(), _UNMAPPED_SAMPLE)
        angles = [raw.FPDFText_GetCharAngle(textpage.raw, index) for index in range(count)]
    if sum(abs(angle - math.radians(360 - turn)) < 0.5 for angle in angles) > count // 2:
        return
    page.set_rotation(0)


def _unmapped(textpage: Any, length: int) -> float:
    """The share of characters whose font does not say what they are, from a sample."""
    from pypdfium2 import raw

    count = textpage.count_chars()
    if not length or not count:
        return 0.0
    step = max(1, count // _UNMAPPED_SAMPLE)
    sample = range(0, count, step)
    wrong = [raw.FPDFText_HasUnicodeMapError(textpage.raw, index) for index in sample].count(1)
    return float(wrong / len(sample))


def _visible_text(textpage: Any, raw_text: str, sight: Sight) -> str:
    """The page's text in reading order, what cannot be seen marked."""
    spans = list(_unseen_spans(textpage, raw_text, sight.unseen)) if sight.unseen else []
    if _may_have_columns(textpage, raw_text):
        in_columns = _by_columns(textpage, raw_text, spans)
        if in_columns is not None:
            return in_columns
    return _marked(raw_text, spans)


def _marked(text: str, spans: list[tuple[int, int, str]]) -> str:
    parts, last = [], 0
    for start, end, kind in spans:
        if any(map(str.isalnum, text[start:end])):
            parts += [text[last:start], concealed(text[start:end], kind)]
            last = end
    return "".join([*parts, text[last:]])


def _unseen_spans(
    textpage: Any, text: str, unseen: dict[int, str]
) -> Iterator[tuple[int, int, str]]:
    """(start, end, kind) in the text of what those text objects drew."""
    from pypdfium2 import raw

    places = _places(textpage, text)
    start, end, kind = 0, 0, ""
    for index, (first, last) in enumerate(places):
        if raw.FPDFText_IsGenerated(textpage.raw, index) == 1:
            continue
        handle = raw.FPDFText_GetTextObject(textpage.raw, index)
        here = unseen.get(ctypes.cast(handle, ctypes.c_void_p).value or 0, "")
        if here != kind:
            if kind and end > start:
                yield start, end, kind
            start, kind = first, here
        if first < last:
            end = last
    if kind and end > start:
        yield start, end, kind


def _places(textpage: Any, text: str) -> list[tuple[int, int]]:
    """Where in the text each of pdfium's characters stands; (n, n) where it left one out."""
    from pypdfium2 import raw

    count = textpage.count_chars()
    # pdfium counts in UTF-16 units.
    offsets = list(range(len(text) + 1))
    if not text.isascii() and any(character > "\uffff" for character in text):
        offsets = []
        for at, character in enumerate(text):
            offsets += [at] * (2 if character > "\uffff" else 1)
        offsets.append(len(text))
    units = [raw.FPDFText_GetTextIndexFromCharIndex(textpage.raw, i) for i in range(count)]
    places: list[tuple[int, int]] = []
    following = len(offsets) - 1
    for unit in reversed(units):
        if unit < 0 or unit >= len(offsets):
            places.append((offsets[following], offsets[following]))
        else:
            places.append((offsets[unit], offsets[following]))
            following = unit
    return places[::-1]


def _may_have_columns(textpage: Any, text: str) -> bool:
    """Whether the lines of two columns could be joined in it: many long lines of words."""
    from pypdfium2 import raw

    lines = [line for line in text.split("\n") if len(line) > 40]
    if len(lines) < _LEAST_JOINED or sum(map(str.isalpha, text)) < 0.6 * len(text):
        return False
    count = raw.FPDFText_CountRects(textpage.raw, 0, -1)
    if count > _MOST_RECTS:
        return False
    left, top, right, bottom = edges = [ctypes.c_double() for _ in range(4)]
    boxes = [
        (left.value, bottom.value, right.value, top.value)
        for index in range(count)
        if raw.FPDFText_GetRect(textpage.raw, index, *edges)
    ]
    return may_be_interleaved(boxes)


def _by_columns(textpage: Any, text: str, spans: list[tuple[int, int, str]]) -> str | None:
    """The text column by column; None where it reads right as it is."""
    from pypdfium2 import raw

    places = _places(textpage, text)
    if len(places) > _MOST_COLUMN_GLYPHS:
        return None
    box = [ctypes.c_double() for _ in range(4)]
    glyphs = []
    for index, (first, last) in enumerate(places):
        generated = raw.FPDFText_IsGenerated(textpage.raw, index) == 1
        if generated or not raw.FPDFText_GetCharBox(textpage.raw, index, *box):
            glyphs.append(Glyph(text[first:last], 0.0, 0.0, 0.0, 0.0))
        else:
            left, right, bottom, top = (value.value for value in box)
            glyphs.append(Glyph(text[first:last], left, bottom, right, top))
    order = column_order(glyphs)
    if order is None:
        return None
    lines = []
    for first_glyph, last_glyph in order:
        start, end = places[first_glyph][0], places[last_glyph - 1][1]
        inside = [
            (max(a, start) - start, min(b, end) - start, kind)
            for a, b, kind in spans
            if a < end and b > start
        ]
        lines.append(_marked(text[start:end], inside))
    return "\n".join(lines)

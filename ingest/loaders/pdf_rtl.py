"""Arabic and Hebrew in a PDF, in the order they are read and typed.

pdfium turns the characters of a right-to-left line round one by one. What one glyph
stands for comes out backwards by that: of the ligature lam-alef, which Arabic cannot
be written without, the alef stands first ("ال" for "لا"), and nobody finds the word.
Brackets, which fonts draw mirrored there, come out as the other one of their pair.
"""

from __future__ import annotations

import ctypes
import re
from typing import Any

_ARABIC = re.compile("[\u0600-\u06ff]")
_TO_THE_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff]")
_LIGATURE = re.compile("[اأإآٱ]ل|هلل?ا?")
"""Lam-alef, and the name of God, backwards."""

_PAIRS = (("(", ")"), ("[", "]"), ("{", "}"), ("«", "»"), ("‹", "›"))
_LETTER = re.compile(r"[^\W\d_]")


def in_logical_order(textpage: Any, text: str) -> str:
    """The text of a page with its ligatures and brackets the right way round.

    No character is added or lost, so that places in the text stay what they were.
    """
    if not _TO_THE_LEFT.search(text):
        return text
    if _ARABIC.search(text):
        text = _turned_ligatures(textpage, text)
    return "\n".join(map(_with_brackets, text.split("\n")))


def _turned_ligatures(textpage: Any, text: str) -> str:
    characters = list(text)
    for found in _LIGATURE.finditer(text):
        start, end = found.span()
        origins = {_origin(textpage, at) for at in range(start, end)}
        if len(origins) == 1 and None not in origins:
            characters[start:end] = reversed(characters[start:end])
    return "".join(characters)


def _origin(textpage: Any, at: int) -> tuple[float, float] | None:
    """Where the glyph of a character stands: characters of one glyph stand in one place."""
    from pypdfium2 import raw

    index = raw.FPDFText_GetCharIndexFromTextIndex(textpage.raw, at)
    x, y = ctypes.c_double(), ctypes.c_double()
    if index < 0 or not raw.FPDFText_GetCharOrigin(textpage.raw, index, x, y):
        return None
    return x.value, y.value


def _with_brackets(line: str) -> str:
    """A line of mostly right-to-left letters, brackets that close before they open exchanged."""
    if len(_TO_THE_LEFT.findall(line)) * 2 < len(_LETTER.findall(line)):
        return line
    for opening, closing in _PAIRS:
        first, last = line.find(closing), line.rfind(opening)
        if first < 0 or last < 0 or first > last or line.find(opening) < first:
            continue
        line = line.translate({ord(opening): closing, ord(closing): opening})
    return line

"""The numbers that OpenDocument puts before list items and headings: they stand in no text."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from ingest.loaders.counting import (
    NUMERALS,
    han,
    in_words,
    lettered,
    ordinal,
    ordinal_in_words,
    roman,
)
from ingest.loaders.odf_styles import Styles
from ingest.loaders.packages import attribute, elements, local

_LEVELS = 10
_FORMS: dict[str, Callable[[int], str]] = {
    "1": str,
    "a": lettered,
    "A": lambda number: lettered(number).upper(),
    "i": roman,
    "I": lambda number: roman(number).upper(),
    "01": lambda number: f"{number:02d}",
    "1st": ordinal,
    "One": in_words,
    "First": ordinal_in_words,
    "一": han,
    "①": NUMERALS["decimalEnclosedCircle"],
}
_PLACE = re.compile(r"%(\d{1,2})%")
_LONGEST = 60

Counters = list[int | None]


class Numbers:
    """Counts the lists and headings of a text, asked for in their order."""

    def __init__(self, styles: Styles) -> None:
        self._styles = styles
        self._levels: dict[str, dict[int, Any]] = {}
        self._by_id: dict[str, Counters] = {}
        self._by_style: dict[str, Counters] = {}
        self._headings: Counters = [None] * _LEVELS

    def begin(self, element: Any, style: str) -> Counters:
        """The counters of an outermost list; it may go on with those of one before it."""
        counters: Counters = [None] * _LEVELS
        goes_on = attribute(element, "continue-list")
        before = self._by_id.get(goes_on)
        # LibreOffice names lists that it gives no name: then it is the last one of this style.
        if before is None and (goes_on or attribute(element, "continue-numbering") == "true"):
            before = self._by_style.get(style)
        if before is not None:
            counters = before
        for name, value in element.attrib.items():
            if name.endswith("}id"):
                self._by_id[value] = counters
        self._by_style[style] = counters
        return counters

    def item(self, element: Any, style: str, depth: int, counters: Counters) -> str:
        """What stands before an item of a list, `depth` counted from 0; "" for a bullet."""
        style = attribute(element, "style-override") or style
        self._by_style[style] = counters
        levels = self._of_list(style)
        own = levels.get(depth)
        if own is None or depth >= _LEVELS or local(own) != "list-level-style-number":
            return ""
        start = attribute(element, "start-value")
        return _count(levels, depth, counters, int(start) if start.isdecimal() else None)

    def heading(self, element: Any, level: int) -> str:
        """What stands before a heading by the outline of the document."""
        if self._styles.outline is None or attribute(element, "is-list-header") == "true":
            return ""
        levels = self._of_list("")
        depth = level - 1
        own = levels.get(depth)
        if own is None or not attribute(own, "num-format"):
            return ""
        return _count(levels, depth, self._headings, None)

    def _of_list(self, style: str) -> dict[int, Any]:
        """The levels of a list style, from 0; of the outline for ''."""
        if style not in self._levels:
            root = self._styles.lists.get(style) if style else self._styles.outline
            self._levels[style] = {
                _number(attribute(level, "level"), 1) - 1: level
                for level in (elements(root) if root is not None else ())
            }
        return self._levels[style]


def _count(levels: dict[int, Any], depth: int, counters: Counters, start: int | None) -> str:
    for upper in range(depth):
        if counters[upper] is None and upper in levels:
            counters[upper] = _number(attribute(levels[upper], "start-value"), 1)
    own = levels[depth]
    before = counters[depth]
    first = _number(attribute(own, "start-value"), 1)
    counters[depth] = start if start is not None else first if before is None else before + 1
    counters[depth + 1 :] = [None] * (_LEVELS - depth - 1)
    return _shown(levels, depth, counters)


def _shown(levels: dict[int, Any], depth: int, counters: Counters) -> str:
    def number(at: int) -> str:
        value = counters[at] if 0 <= at < _LEVELS else None
        form = attribute(levels[at], "num-format") if at in levels else ""
        # Some are told by how they begin: "01, 02, 03, ...".
        return _FORMS.get(form.partition(",")[0], str)(value) if value is not None and form else ""

    own = levels[depth]
    # LibreOffice states the whole form since 7.0; other programs do not.
    whole = attribute(own, "num-list-format")
    if whole:
        told = _PLACE.sub(lambda found: number(int(found[1]) - 1), whole)
        return told.strip()[:_LONGEST]
    if not attribute(own, "num-format"):
        return ""
    shown = max(1, min(_number(attribute(own, "display-levels"), 1), depth + 1))
    parts = [number(at) for at in range(depth + 1 - shown, depth + 1)]
    told = ".".join(filter(None, parts))
    return f"{attribute(own, 'num-prefix')}{told}{attribute(own, 'num-suffix')}".strip()[:_LONGEST]


def _number(stated: str, default: int) -> int:
    return int(stated) if stated.isdecimal() and len(stated) < 8 else default

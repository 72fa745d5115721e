"""Styles of an Excel workbook: how numbers are shown, and which cells show nothing to a reader."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, TypeVar

from ingest.loaders.colours import BLACK, WHITE, Colour, alike, from_hex, tinted
from ingest.loaders.packages import elements, local
from storage.flags import HIDDEN, TINY

_DATE_FORMATS = frozenset([*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)])
_BUILT_IN = {46: "[h]:mm:ss", 1: "0", 2: "0.00", 3: "#,##0", 4: "#,##0.00", 9: "0%", 10: "0.00%"}
_THEME = ("lt1", "dk1", "lt2", "dk2", *(f"accent{n}" for n in range(1, 7)))
"""The order in which cells count the colours of the theme."""

_USUAL = {"lt1": WHITE, "dk1": BLACK}
_INDEXED = {0: BLACK, 1: WHITE, 8: BLACK, 9: WHITE, 64: BLACK, 65: WHITE}
"""The colours of the old palette that matter here; the others can be told from both."""

_LEAST_POINTS = 2.0
_SHOWS_NOTHING = re.compile(r"(?:\[[^\]]*\]|\s)*;\s*;\s*;\s*")


_T = TypeVar("_T")


class CellStyle(NamedTuple):
    """What a cell's style says of it."""

    shown_as: str
    """Its number format; empty for the general one."""
    unseen: str = ""
    """The kind of flag for what it holds; empty where a reader sees it."""
    pale: bool = False
    """White letters could not be seen in it."""


def cell_styles(root: Any, theme: Mapping[str, Colour]) -> Iterator[CellStyle]:
    """Each style that cells refer to, in order."""
    named = {**_USUAL, **theme}
    own: dict[str, str] = {}
    fonts: list[tuple[Colour | None, float]] = []
    fills: list[Colour | None] = []
    for group in elements(root):
        if local(group) == "numFmts":
            own = {e.get("numFmtId", ""): e.get("formatCode", "") for e in elements(group)}
        elif local(group) == "fonts":
            fonts = [_font(element, named) for element in elements(group)]
        elif local(group) == "fills":
            fills = [_fill(element, named) for element in elements(group)]
        elif local(group) == "cellXfs":
            # The groups stand in this order in every workbook.
            yield from (_style(element, own, fonts, fills) for element in elements(group))


def run_colour(run: Any) -> Colour | None:
    """The colour that a part of a cell's text has of its own; None for the cell's, or unknown."""
    for properties in elements(run):
        if local(properties) == "rPr":
            for element in elements(properties):
                if local(element) == "color":
                    return _colour(element, _USUAL)
    return None


def _style(
    element: Any,
    own: Mapping[str, str],
    fonts: list[tuple[Colour | None, float]],
    fills: list[Colour | None],
) -> CellStyle:
    number = element.get("numFmtId", "0")
    known = int(number) if number.isdecimal() and len(number) < 6 else 0
    shown_as = own.get(number, "yyyy-mm-dd" if known in _DATE_FORMATS else _BUILT_IN.get(known, ""))
    letters, points = _at(fonts, element.get("fontId"), (BLACK, 11.0))
    ground = _at(fills, element.get("fillId"), WHITE)
    unseen = ""
    if _SHOWS_NOTHING.fullmatch(shown_as) or (letters and ground and alike(letters, ground)):
        unseen = HIDDEN
    elif points < _LEAST_POINTS:
        unseen = TINY
    return CellStyle(shown_as, unseen, ground is not None and alike(ground, WHITE))


def _at(found: list[_T], stated: str | None, default: _T) -> _T:
    index = int(stated) if stated and stated.isdecimal() and len(stated) < 7 else -1
    return found[index] if 0 <= index < len(found) else default


def _font(element: Any, named: Mapping[str, Colour]) -> tuple[Colour | None, float]:
    """(colour, None where it cannot be told; points)."""
    colour: Colour | None = BLACK
    points = 11.0
    for child in elements(element):
        if local(child) == "color":
            colour = _colour(child, named)
        elif local(child) == "sz":
            points = _decimal(child.get("val"), points)
    return colour, points


def _fill(element: Any, named: Mapping[str, Colour]) -> Colour | None:
    """What a cell is painted with: white for nothing, None for what cannot be told."""
    for pattern in elements(element):
        if local(pattern) != "patternFill":
            return None
        kind = pattern.get("patternType", "none")
        if kind == "none":
            return WHITE
        if kind != "solid":
            return None
        for colour in elements(pattern):
            if local(colour) == "fgColor":
                return _colour(colour, named)
        return None
    return WHITE


def _colour(element: Any, named: Mapping[str, Colour]) -> Colour | None:
    colour: Colour | None = None
    theme, index = element.get("theme", ""), element.get("indexed", "")
    if element.get("rgb"):
        colour = from_hex(element.get("rgb"))
    elif theme.isdecimal() and len(theme) < 3 and int(theme) < len(_THEME):
        colour = named.get(_THEME[int(theme)])
    elif index.isdecimal() and len(index) < 4:
        colour = _INDEXED.get(int(index))
    tint = _decimal(element.get("tint"), 0.0)
    return tinted(colour, max(-1.0, min(1.0, tint))) if colour is not None and tint else colour


def _decimal(stated: str | None, default: float) -> float:
    try:
        return float(stated or default)
    except ValueError:
        return default

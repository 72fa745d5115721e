"""Colours as documents state them, and whether a reader could tell two of them apart."""

from __future__ import annotations

import colorsys
import re
from collections.abc import Mapping
from typing import Any

from ingest.loaders.packages import elements, local

Colour = tuple[int, int, int]
"""Red, green, blue; 0 to 255."""

WHITE: Colour = (255, 255, 255)
BLACK: Colour = (0, 0, 0)

_ALIKE = 20
"""Of 255, as where the text of a PDF page is drawn and compared."""

_HEX = re.compile(r"#?(?:[0-9A-Fa-f]{2})?([0-9A-Fa-f]{2})([0-9A-Fa-f]{2})([0-9A-Fa-f]{2})")
_SHORT = re.compile(r"#([0-9A-Fa-f])([0-9A-Fa-f])([0-9A-Fa-f])")
_PRESETS = {"white": WHITE, "black": BLACK}


def alike(one: Colour, other: Colour) -> bool:
    """Whether letters of one colour on a ground of the other cannot be seen."""
    return max(abs(a - b) for a, b in zip(one, other, strict=True)) <= _ALIKE


def from_hex(stated: str | None) -> Colour | None:
    """`FFFFFF`, `#fff`, `FFFFFFFF` (with its opacity first); None for all else."""
    found = _HEX.fullmatch(stated or "")
    if found:
        return (int(found[1], 16), int(found[2], 16), int(found[3], 16))
    short = _SHORT.fullmatch(stated or "")
    return (int(short[1] * 2, 16), int(short[2] * 2, 16), int(short[3] * 2, 16)) if short else None


def tinted(colour: Colour, tint: float) -> Colour:
    """A colour made lighter (up to 1) or darker (down to -1), as Excel does."""
    hue, light, saturation = colorsys.rgb_to_hls(*(channel / 255 for channel in colour))
    light = light * (1 + tint) if tint < 0 else light * (1 - tint) + tint
    return _of_hls(hue, light, saturation)


def theme_colours(root: Any) -> dict[str, Colour]:
    """The named colours (`dk1`, `lt1`, `accent1` ...) of an Office theme."""
    found: dict[str, Colour] = {}
    for scheme in root.iter("{*}clrScheme"):
        for named in elements(scheme):
            for colour in elements(named):
                value = from_hex(colour.get("lastClr") or colour.get("val"))
                if value is not None:
                    found[local(named)] = value
    return found


def drawn_colour(fill: Any, named: Mapping[str, Colour]) -> tuple[Colour, float] | None:
    """(colour, opacity) that an element of DrawingML such as `a:solidFill` holds.

    None where it is not told, or in a way that is not known here.
    """
    for element in elements(fill):
        value = element.get("val", "")
        kind = local(element)
        colour: Colour | None = None
        if kind == "srgbClr":
            colour = from_hex(value)
        elif kind == "schemeClr":
            colour = named.get(value)
        elif kind == "sysClr":
            colour = from_hex(element.get("lastClr"))
        elif kind == "prstClr":
            colour = _PRESETS.get(value)
        if colour is None:
            return None
        opacity = 1.0
        for change in elements(element):
            amount = _share(change.get("val"))
            name = local(change)
            hue, light, saturation = colorsys.rgb_to_hls(*(channel / 255 for channel in colour))
            if name == "alpha":
                opacity = amount
            elif name == "lumMod":
                colour = _of_hls(hue, light * amount, saturation)
            elif name == "lumOff":
                colour = _of_hls(hue, light + amount, saturation)
            elif name == "tint":
                colour = tinted(colour, 1 - amount)
            elif name == "shade":
                colour = tinted(colour, amount - 1)
        return colour, opacity
    return None


def _share(stated: str | None) -> float:
    """`50000` as 0.5."""
    bare = (stated or "").lstrip("-")
    return (int(stated or 0) if bare.isdecimal() and len(bare) < 8 else 100_000) / 100_000


def _of_hls(hue: float, light: float, saturation: float) -> Colour:
    red, green, blue = colorsys.hls_to_rgb(hue, min(1.0, max(0.0, light)), saturation)
    return (round(red * 255), round(green * 255), round(blue * 255))

"""Styles of OpenDocument: what they say of letters and grounds, and so of what nobody sees."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ingest.loaders.colours import BLACK, WHITE, Colour, alike, from_hex
from ingest.loaders.hidden_text import concealed
from ingest.loaders.packages import attribute, elements, local
from storage.flags import HIDDEN, TINY

_MOST_PARENTS = 20
_LEAST_POINTS = 2.0
_POINTS = {"pt": 1.0, "mm": 2.835, "cm": 28.35, "in": 72.0, "px": 0.75}
_LENGTH = re.compile(r"(-?\d{1,9}(?:\.\d{0,9})?)(pt|mm|cm|in|px)")
_NO_OPACITY = re.compile(r"[0-7](?:\.\d{0,9})?%|0")
_FAMILIES = {"p": "paragraph", "h": "paragraph", "span": "text", "a": "text"}


def points(stated: str) -> float | None:
    """A length in points; None for shares and nonsense."""
    found = _LENGTH.fullmatch(stated)
    return float(found[1]) * _POINTS[found[2]] if found else None


@dataclass(frozen=True, slots=True)
class Look:
    """How letters look where the text has come to."""

    kind: str = ""
    """Of the flag that an element around them gives them; empty for none."""
    colour: Colour | None = BLACK
    """None where it cannot be told."""
    ground: Colour | None = WHITE
    size: float = 12.0
    """Points."""

    def marked(self, text: str) -> str:
        """A piece of text as it is handed on: marked where nobody sees it."""
        kind = self.kind
        if not kind and self.size < _LEAST_POINTS:
            kind = TINY
        elif not kind and self.colour and self.ground and alike(self.colour, self.ground):
            kind = HIDDEN
        return concealed(text, kind) if kind and text.strip() else text


class Styles:
    """The styles of one file, by family and name."""

    def __init__(self, *roots: Any) -> None:
        """Takes the roots of `styles.xml` and `content.xml`, as far as they are there."""
        self._told: dict[tuple[str, str], Any] = {}
        self._merged: dict[tuple[str, str], Mapping[str, str]] = {}
        self.lists: dict[str, Any] = {}
        self.outline: Any | None = None
        for root in roots:
            for element in root.iter("{*}style", "{*}list-style", "{*}outline-style"):
                name = attribute(element, "name")
                if local(element) == "style":
                    self._told[attribute(element, "family"), name] = element
                elif local(element) == "list-style":
                    self.lists[name] = element
                else:
                    self.outline = element

    def of(self, family: str, name: str) -> Mapping[str, str]:
        """What a style and those above it say: `text:color`, `graphic:fill`, ...

        Named by the kind of properties and the attribute, both without namespace.
        """
        key = (family, name)
        if key not in self._merged:
            merged: dict[str, str] = {}
            for element in self._line(family, name):
                for group in elements(element):
                    kind = local(group).removesuffix("-properties")
                    for attribute_name, value in group.attrib.items():
                        merged.setdefault(f"{kind}:{attribute_name.rpartition('}')[2]}", value)
            self._merged[key] = merged
        return self._merged[key]

    def look(self, element: Any, around: Look) -> Look:
        """How the letters of a paragraph, a span or a cell look, in what is around them."""
        family = _FAMILIES.get(local(element))
        name = attribute(element, "style-name")
        told = self.of(family, name) if family and name else {}
        if not told:
            return around
        ground = around.ground
        for key in ("paragraph:background-color", "text:background-color"):
            if (stated := told.get(key, "transparent")) != "transparent":
                ground = from_hex(stated)
        return self.letters(told, replace(around, ground=ground))

    def cell_look(self, name: str, around: Look) -> Look:
        """How the letters of a cell look by its own style."""
        told = self.of("table-cell", name)
        if any(True for element in self._line("table-cell", name) for _ in element.iter("{*}map")):
            return replace(around, ground=None)  # it is painted by its value
        stated = told.get("table-cell:background-color", "transparent")
        ground = around.ground if stated == "transparent" else from_hex(stated)
        return self.letters(told, replace(around, ground=ground))

    def letters(self, told: Mapping[str, str], around: Look) -> Look:
        """How letters look by what a style says of them."""
        changed = around
        # The automatic colour is written with an opacity of 0%, which is not its own.
        automatic = told.get("text:use-window-font-color") == "true"
        if automatic or told.get("text:text-outline") == "true":
            changed = replace(changed, colour=None)
        elif stated := told.get("text:color", ""):
            changed = replace(changed, colour=from_hex(stated))
        if (size := points(told.get("text:font-size", ""))) is not None:
            changed = replace(changed, size=size)
        clear = not automatic and _NO_OPACITY.fullmatch(told.get("text:opacity", ""))
        if told.get("text:display") == "none" or clear:
            changed = replace(changed, kind=HIDDEN)
        return changed

    def painted(self, told: Mapping[str, str], around: Colour | None) -> Colour | None:
        """The ground inside a shape or on a slide of this style; None where it is not told."""
        for kind in ("graphic", "drawing-page"):
            fill = told.get(f"{kind}:fill")
            if fill in ("gradient", "bitmap", "hatch"):
                return None
            if fill == "solid":
                return from_hex(told.get(f"{kind}:fill-color"))
        stated = told.get("graphic:background-color", "transparent")
        return around if stated == "transparent" else from_hex(stated)

    def _line(self, family: str, name: str) -> Iterator[Any]:
        """A style and those above it, the nearest first."""
        for _ in range(_MOST_PARENTS):
            element = self._told.get((family, name))
            if element is None:
                return
            yield element
            name = attribute(element, "parent-style-name")

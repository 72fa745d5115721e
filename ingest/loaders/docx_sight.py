"""Which words of a Word document nobody sees: hidden, tiny, or of the colour of their ground."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ingest.loaders.colours import WHITE, Colour, alike, from_hex
from ingest.loaders.docx_styles import MOST_BASES, OFF, W, default_paragraph_style, styles_of
from storage.flags import HIDDEN, TINY

_DRAWING = "{http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing}"
_LEAST_POINTS = 2.0
_LARGE = 4e13
"""Square EMU, half a sheet of A4: what a letterhead that covers the paper takes at least."""


class Sight:
    """Knows the styles and grounds of one document."""

    def __init__(self, body: Any, styles: Any, heads: list[Any]) -> None:
        """Takes the document's body, the root of its styles, and those of headers and footers."""
        self._styles = styles_of(styles)
        self._chains: dict[str, tuple[Any, ...]] = {}
        self._default = default_paragraph_style(self._styles)
        self._marked = self._marked_styles()
        self._ground: Colour | None = WHITE
        background = (
            body.getparent().find(f"{W}background") if body.getparent() is not None else None
        )
        if background is not None:
            self._ground = from_hex(background.get(f"{W}color"))
        if any(_is_large(anchor) for head in heads for anchor in _behind(head)):
            self._ground = None
        self._pictured = frozenset(_pictured(body)) if self._ground is not None else frozenset()

    def kind(self, run: Any) -> str:
        """The kind of flag for a run (`w:r`) that nobody sees; '' for others."""
        own = run.find(f"{W}rPr")
        paragraph = next(run.iterancestors(f"{W}p"), None)
        style = _style_of(paragraph) or self._default
        # Most runs say nothing that could hide them, and neither do most styles.
        if (own is None or not len(own)) and style not in self._marked:
            return ""
        told = [own] if own is not None else []
        if own is not None and (named := own.find(f"{W}rStyle")) is not None:
            told += self._run_properties(named.get(f"{W}val", ""))
        told += self._run_properties(style)
        for name in ("vanish", "webHidden"):
            if (mark := _first(told, name)) is not None and mark.get(f"{W}val", "1") not in OFF:
                return HIDDEN
        size = _first(told, "sz")
        value = size.get(f"{W}val", "") if size is not None else ""
        # Word counts half points.
        if value.isdecimal() and int(value) < 2 * _LEAST_POINTS:
            return TINY
        stated = _first(told, "color")
        colour = from_hex(stated.get(f"{W}val")) if stated is not None else None
        if colour is None:
            return ""
        ground = self._ground_of(run, told, paragraph, style)
        return HIDDEN if ground is not None and alike(colour, ground) else ""

    def _ground_of(self, run: Any, told: list[Any], paragraph: Any, style: str) -> Colour | None:
        """The colour behind a run; None where it cannot be told."""
        marker = _first(told, "highlight")
        colour = marker.get(f"{W}val", "none") if marker is not None else "none"
        if colour != "none":
            return WHITE if colour == "white" else None
        shades = [_first(told, "shd")]
        if paragraph is not None:
            shades.append(paragraph.find(f"{W}pPr/{W}shd"))
            shades += [element.find(f"{W}pPr/{W}shd") for element in self._chain(style)]
        for element in run.iterancestors(f"{W}tc", f"{W}tbl", f"{W}txbxContent"):
            if element.tag == f"{W}txbxContent":
                return None
            name = "tcPr" if element.tag == f"{W}tc" else "tblPr"
            shades.append(element.find(f"{W}{name}/{W}shd"))
            if element.tag == f"{W}tbl" and not any(map(_is_shade, shades)):
                table_style = element.find(f"{W}tblPr/{W}tblStyle")
                if table_style is not None and any(
                    True
                    for style_element in self._chain(table_style.get(f"{W}val", ""))
                    for shade in style_element.iter(f"{W}shd")
                    if _is_shade(shade)
                ):
                    return None
        for shade in shades:
            if shade is not None and _is_shade(shade):
                plain = shade.get(f"{W}val", "clear") in ("clear", "nil")
                return from_hex(shade.get(f"{W}fill")) if plain else None
        if paragraph is not None and paragraph in self._pictured:
            return None
        return self._ground

    def _marked_styles(self) -> frozenset[str]:
        """Styles whose letters may be unseen, by themselves or by their base."""
        return frozenset(
            name for name in self._styles if any(map(_may_hide, self._run_properties(name)))
        )

    def _run_properties(self, style: str) -> list[Any]:
        found = [element.find(f"{W}rPr") for element in self._chain(style)]
        return [properties for properties in found if properties is not None]

    def _chain(self, style: str) -> tuple[Any, ...]:
        """A style and those it is based on, the nearest first."""
        if style not in self._chains:
            found: list[Any] = []
            name = style
            while name in self._styles and len(found) < MOST_BASES:
                found.append(self._styles[name])
                based = self._styles[name].find(f"{W}basedOn")
                name = based.get(f"{W}val", "") if based is not None else ""
            self._chains[style] = tuple(found)
        return self._chains[style]


def _may_hide(properties: Any) -> bool:
    size = properties.find(f"{W}sz")
    colour = properties.find(f"{W}color")
    return (
        any(properties.find(f"{W}{name}") is not None for name in ("vanish", "webHidden"))
        or (size is not None and len(size.get(f"{W}val", "")) == 1)
        or (colour is not None and from_hex(colour.get(f"{W}val")) is not None)
    )


def _first(told: list[Any], name: str) -> Any | None:
    for properties in told:
        if (found := properties.find(f"{W}{name}")) is not None:
            return found
    return None


def _style_of(paragraph: Any | None) -> str:
    named = paragraph.find(f"{W}pPr/{W}pStyle") if paragraph is not None else None
    return str(named.get(f"{W}val", "")) if named is not None else ""


def _is_shade(shade: Any | None) -> bool:
    """Whether a shading paints anything at all."""
    if shade is None:
        return False
    plain = shade.get(f"{W}val", "clear") in ("clear", "nil")
    return not plain or from_hex(shade.get(f"{W}fill")) is not None


def _behind(root: Any) -> Iterator[Any]:
    """The pictures and shapes of a part that lie behind its text."""
    for anchor in root.iter(f"{_DRAWING}anchor"):
        if anchor.get("behindDoc", "0") not in OFF:
            yield anchor
    for shape in root.iter("{urn:schemas-microsoft-com:vml}*"):
        if "z-index:-" in (shape.get("style") or "").replace(" ", ""):
            yield shape


def _is_large(anchor: Any) -> bool:
    extent = anchor.find(f"{_DRAWING}extent")
    if extent is None:
        return False
    sides = [extent.get(name, "0") for name in ("cx", "cy")]
    return all(map(str.isdecimal, sides)) and float(sides[0]) * float(sides[1]) >= _LARGE


def _pictured(body: Any) -> Iterator[Any]:
    """The paragraphs on pages that have something behind their text."""
    behind = {paragraph for shape in _behind(body) for paragraph in shape.iterancestors(f"{W}p")}
    if not behind:
        return
    page: list[Any] = []
    for paragraph in body.iter(f"{W}p"):
        if _begins_page(paragraph) and page:
            if not behind.isdisjoint(page):
                yield from page
            page = []
        page.append(paragraph)
    if not behind.isdisjoint(page):
        yield from page


def _begins_page(paragraph: Any) -> bool:
    if any(True for _ in paragraph.iter(f"{W}lastRenderedPageBreak", f"{W}sectPr")):
        return True
    if paragraph.find(f"{W}pPr/{W}pageBreakBefore") is not None:
        return True
    return any(mark.get(f"{W}type") == "page" for mark in paragraph.iter(f"{W}br"))

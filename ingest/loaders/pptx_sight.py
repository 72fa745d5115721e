"""Which words of a slide nobody sees: beside it, hidden, tiny, or of the colour of their ground.

What a text stands on is looked for from the text down: its own shape's filling, shapes
and pictures laid down before it, those of the layout and the master, and the
background. Where that leads to a picture, a gradient or half a shape, nothing is flagged.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ingest.loaders.colours import BLACK, WHITE, Colour, alike, drawn_colour, theme_colours
from ingest.loaders.drawing import Judge, seen
from ingest.loaders.packages import Package, elements, local
from storage.flags import HIDDEN, OFF_PAGE, TINY

_USUAL_MAP = {"bg1": "lt1", "tx1": "dk1", "bg2": "lt2", "tx2": "dk2"}
_UNUSUAL_FILLS = frozenset(["gradFill", "blipFill", "pattFill", "grpFill"])
_PLAIN_TABLES = frozenset(
    ["{2D5ABB26-0587-4C30-8999-92F81FD0307C}", "{5940675A-B579-460E-94D1-54222C63F5DA}"]
)
"""Table styles that paint nothing: with a grid, and without."""

_LEAST_SIZE = 200
"""Hundredths of a point."""
_LEAST_OPACITY = 0.08
"""As 20 of 255 are."""
_SOLID_THEME_FILL = frozenset(["1001", "1"])
_DRAWN = frozenset(["sp", "pic", "graphicFrame"])


class _Box(NamedTuple):
    """Where a shape lies on its slide, in EMU."""

    left: float
    top: float
    right: float
    bottom: float

    def touches(self, other: _Box) -> bool:
        return (
            self.left < other.right
            and other.left < self.right
            and self.top < other.bottom
            and other.top < self.bottom
        )

    def covers(self, other: _Box) -> bool:
        slack = 0.02 * max(1.0, other.right - other.left, other.bottom - other.top)
        return (
            self.left <= other.left + slack
            and self.top <= other.top + slack
            and self.right >= other.right - slack
            and self.bottom >= other.bottom - slack
        )


class Deck:
    """A presentation: the size of its slides, its layouts and masters."""

    def __init__(self, package: Package, main: str) -> None:
        self._package = package
        self._trees: dict[str, Any] = {}
        size = next(iter(package.tree(main).iter("{*}sldSz")), None)
        self.size: _Box | None = None
        if size is not None:
            width, height = _length(size.get("cx")), _length(size.get("cy"))
            if width and height:
                self.size = _Box(0, 0, width, height)

    def sight(self, part: str, root: Any) -> Sight:
        """What can be seen on a slide."""
        behind: list[Any] = []
        theme: dict[str, Colour] = {}
        for kind in ("slideLayout", "slideMaster", "theme"):
            part = next((to for k, to in self._package.relations(part).values() if k == kind), "")
            if not part:
                break
            if kind == "theme":
                theme = theme_colours(self._tree(part))
            else:
                behind.append(self._tree(part))
        return Sight(root, behind, theme, self.size)

    def _tree(self, part: str) -> Any:
        if part not in self._trees:
            self._trees[part] = self._package.tree(part)
        return self._trees[part]


class Sight:
    """What can be seen on one slide."""

    def __init__(
        self, root: Any, behind: list[Any], theme: Mapping[str, Colour], size: _Box | None
    ) -> None:
        """`behind` are the roots of its layout and of its master, where there are any."""
        self._root = root
        self._behind = behind
        self._size = size
        named = {"lt1": WHITE, "dk1": BLACK, **theme}
        mapping = dict(_USUAL_MAP)
        for layer in [*reversed(behind), root]:
            for element in layer.iter("{*}clrMap", "{*}overrideClrMapping"):
                mapping.update({str(key): str(value) for key, value in element.attrib.items()})
        self._named = named | {key: named[to] for key, to in mapping.items() if to in named}

    def judge(self, shape: Any) -> Judge:
        """Judges the runs of a shape."""
        if _is_switched_off(shape):
            return lambda run: HIDDEN
        box = self._box(shape)
        if self._size is not None and box is not None and not box.touches(self._size):
            return lambda run: OFF_PAGE
        if not any(True for _ in shape.iter("{*}solidFill", "{*}noFill")) and not any(
            len(element.get("sz", "1000")) < 4 for element in shape.iter("{*}rPr", "{*}defRPr")
        ):
            return seen  # as most shapes: nothing in it could hide its words
        return lambda run: self._kind(shape, run)

    def _kind(self, shape: Any, run: Any) -> str:
        told = list(_run_properties(run))
        size = next((p.get("sz", "") for p in told if p.get("sz")), "")
        if size.isdecimal() and int(size) < _LEAST_SIZE:
            return TINY
        for properties in told:
            for fill in elements(properties):
                name = local(fill)
                if name == "noFill":
                    outlined = any(
                        True
                        for line in properties.findall("{*}ln")
                        for _ in line.iter("{*}solidFill")
                    )
                    return "" if outlined else HIDDEN
                if name in _UNUSUAL_FILLS:
                    return ""
                if name == "solidFill":
                    found = drawn_colour(fill, self._named)
                    if found is None:
                        return ""
                    colour, opacity = found
                    if opacity < _LEAST_OPACITY:
                        return HIDDEN
                    if any(True for _ in properties.findall("{*}highlight")):
                        return ""
                    ground = self._ground(shape, run)
                    return HIDDEN if ground is not None and alike(colour, ground) else ""
        return ""

    def _ground(self, shape: Any, run: Any) -> Colour | None:
        """The colour behind a run; None where it cannot be told."""
        for cell in run.iterancestors("{*}tc"):
            for properties in cell.findall("{*}tcPr"):
                painted, colour = self._paint(properties)
                if painted:
                    return colour
            style = next((e.text or "" for e in shape.iter("{*}tableStyleId")), "")
            if style and style not in _PLAIN_TABLES:
                return None
        for own in () if local(shape) == "graphicFrame" else (shape, *self._models(shape)):
            painted, colour = self._shape_paint(own)
            if painted:
                return colour
            if any(True for e in own.findall("{*}spPr") for _ in e.findall("{*}noFill")):
                break
        box = self._box(shape)
        for other in self._before(shape):
            painted, colour = self._shape_paint(other)
            if not painted:
                continue
            theirs = self._box(other)
            if box is None or theirs is None:
                return None
            if theirs.covers(box):
                return colour
            if theirs.touches(box):
                return None
        return self._background()

    def _before(self, shape: Any) -> Iterator[Any]:
        """What was laid down before a shape, the last first; then layout and master."""
        found: list[Any] = []
        for element in _drawn(self._root):
            if element is shape:
                break
            found.append(element)
        yield from reversed(found)
        if self._root.get("showMasterSp") in ("0", "false"):
            return
        for layer in self._behind:
            for element in reversed(list(_drawn(layer))):
                if not any(True for _ in element.iter("{*}ph")):
                    yield element
            if layer.get("showMasterSp") in ("0", "false"):
                return

    def _models(self, shape: Any) -> Iterator[Any]:
        """The placeholders of layout and master that a shape takes after."""
        mark = next(iter(shape.iter("{*}ph")), None)
        if mark is None:
            return
        for layer in self._behind:
            for other in _drawn(layer):
                theirs = next(iter(other.iter("{*}ph")), None)
                if theirs is not None and (
                    (mark.get("idx") is not None and mark.get("idx") == theirs.get("idx"))
                    or _kind_of(mark) == _kind_of(theirs)
                ):
                    yield other
                    break

    def _shape_paint(self, shape: Any) -> tuple[bool, Colour | None]:
        """(whether it paints its area, with what colour if that can be told)."""
        if local(shape) in ("pic", "graphicFrame"):
            return True, None
        for properties in shape.findall("{*}spPr"):
            painted, colour = self._paint(properties)
            if painted:
                return True, colour
            if any(local(fill) == "noFill" for fill in elements(properties)):
                return False, None
        for reference in shape.findall("{*}style/{*}fillRef"):
            if reference.get("idx", "0") not in ("0", "1000"):
                found = drawn_colour(reference, self._named)
                solid = reference.get("idx") in _SOLID_THEME_FILL
                return True, found[0] if found and solid else None
        return False, None

    def _paint(self, properties: Any) -> tuple[bool, Colour | None]:
        for fill in elements(properties):
            name = local(fill)
            if name in _UNUSUAL_FILLS:
                return True, None
            if name == "solidFill":
                found = drawn_colour(fill, self._named)
                return True, found[0] if found and found[1] > 1 - _LEAST_OPACITY else None
        return False, None

    def _background(self) -> Colour | None:
        for layer in (self._root, *self._behind):
            for background in layer.findall("{*}cSld/{*}bg"):
                for told in elements(background):
                    if local(told) == "bgPr":
                        return self._paint(told)[1]
                    found = drawn_colour(told, self._named)
                    solid = told.get("idx") in _SOLID_THEME_FILL
                    return found[0] if found and solid else None
        return WHITE

    def _box(self, shape: Any) -> _Box | None:
        """Where a shape lies, with the groups it is in; None where that is not told."""
        for own in (shape, *self._models(shape)):
            place = next(iter(own.findall("{*}spPr/{*}xfrm") + own.findall("{*}xfrm")), None)
            if place is not None:
                break
        else:
            return None
        sides = _sides(place, "off", "ext")
        if sides is None:
            return None
        x, y, width, height = sides
        for group in own.iterancestors("{*}grpSp"):
            frame = next(iter(group.findall("{*}grpSpPr/{*}xfrm")), None)
            outer = _sides(frame, "off", "ext") if frame is not None else None
            inner = _sides(frame, "chOff", "chExt") if frame is not None else None
            if outer is None or inner is None or not inner[2] or not inner[3]:
                continue
            across, down = outer[2] / inner[2], outer[3] / inner[3]
            x, y = outer[0] + (x - inner[0]) * across, outer[1] + (y - inner[1]) * down
            width, height = width * across, height * down
        # What is turned may reach as far as its diagonal.
        if place.get("rot", "0") not in ("0", ""):
            middle_x, middle_y, reach = x + width / 2, y + height / 2, (width + height) / 2
            return _Box(middle_x - reach, middle_y - reach, middle_x + reach, middle_y + reach)
        # A box without height still shows its text, which flows out of it.
        return _Box(x, y, x + max(width, 1.0), y + max(height, 1.0))


def _is_switched_off(shape: Any) -> bool:
    for own in (shape, *shape.iterancestors("{*}grpSp")):
        for properties in own.findall("{*}nvSpPr/{*}cNvPr") + own.findall("{*}nvGrpSpPr/{*}cNvPr"):
            if properties.get("hidden") in ("1", "true"):
                return True
    return False


def _drawn(root: Any) -> Iterator[Any]:
    for element in root.iter():
        if isinstance(element.tag, str) and local(element) in _DRAWN:
            yield element


def _kind_of(mark: Any) -> str:
    """The kind of a placeholder; titles of both kinds take after one another."""
    kind = str(mark.get("type", "body"))
    return {"ctrTitle": "title", "obj": "body", "subTitle": "body"}.get(kind, kind)


def _run_properties(run: Any) -> Iterator[Any]:
    """What a run says of its letters, then what its shape's list style says for its level."""
    yield from run.findall("{*}rPr")
    paragraph = run.getparent()
    if paragraph is None:
        return
    level = next((p.get("lvl", "0") for p in paragraph.findall("{*}pPr")), "0")
    body = paragraph.getparent()
    depth = int(level) + 1 if level.isdecimal() and len(level) < 3 else 1
    if body is not None:
        yield from body.findall(f"{{*}}lstStyle/{{*}}lvl{depth}pPr/{{*}}defRPr")


def _sides(place: Any, start: str, extent: str) -> tuple[float, float, float, float] | None:
    for first in place.findall(f"{{*}}{start}"):
        for size in place.findall(f"{{*}}{extent}"):
            return (
                _length(first.get("x")),
                _length(first.get("y")),
                _length(size.get("cx")),
                _length(size.get("cy")),
            )
    return None


def _length(stated: str | None) -> float:
    bare = (stated or "").removeprefix("-")
    return float(stated or 0) if bare.isdecimal() and len(bare) < 16 else 0.0

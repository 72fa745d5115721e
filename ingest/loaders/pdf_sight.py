"""What of a PDF page's text a reader can see.

pdfium gives all text that a page draws, also what is drawn in no colour, in the
background's, in a hair's height or beside the paper. Its objects are looked
through for those (0.1 s for 100 pages; some seconds where each character is an object).
Whether text of a suspicious colour is seen is decided by drawing the page with
it and without it: where not a pixel differs, nobody sees it.

Invisible text over a page's picture is what text recognition leaves behind, and
no secret.
"""

from __future__ import annotations

import ctypes
import time
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from storage.flags import HIDDEN, OFF_PAGE, TINY

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_TEXT, _PATH, _IMAGE, _FORM = 1, 2, 3, 5
_DEEPEST_FORM = 6
_MOST_OBJECTS = 400_000
"""A drawing with more is looked through so far."""

_UNPAINTED = (3, 7)
"""Text rendering modes: invisible, and clip only."""

_LEAST_SIZE = 2.0
"""Points."""

_ORDINARY_HEIGHT = 2.2
"""Points. What is that high is drawn in two points at least; without height it is a space."""

_PAPER_EDGE = 1.0
_PALE = 225
_LEAST_ALPHA = 26
_SAME_COLOUR = 24
_LEAST_FILL = 4.0
_MOST_FILLS = 300
_SEEN_BY = 20
"""Of 255: how much a pixel must differ for a reader to see it. White on #EEEEEE does not."""

_MOST_PIXELS = 1_500_000
_DRAWING_S = 60.0
"""Of a document's time goes at most to drawing its pages twice."""

_LAYER = 4
"""So many times more invisible than visible text over a picture make it a recognised scan."""


class _Box(NamedTuple):
    left: float
    bottom: float
    right: float
    top: float

    @property
    def centre(self) -> tuple[float, float]:
        return (self.left + self.right) / 2, (self.bottom + self.top) / 2

    @property
    def area(self) -> float:
        return max(0.0, self.right - self.left) * max(0.0, self.top - self.bottom)

    def holds(self, place: tuple[float, float]) -> bool:
        return self.left <= place[0] <= self.right and self.bottom <= place[1] <= self.top


@dataclass(slots=True)
class _Text:
    """A text object that might not be seen."""

    address: int
    handle: Any
    order: int
    box: _Box
    kind: str
    """`hidden` (to be drawn for proof), `unpainted`, `tiny` or `off-page`."""


@dataclass(slots=True)
class Sight:
    """What a page consists of, and which of its text objects cannot be seen."""

    texts: int = 0
    paths: int = 0
    images: int = 0
    image_share: float = 0.0
    """Of the page's area, overlaps counted twice."""
    unseen: dict[int, str] = field(default_factory=dict)
    """Kind of flag by the address of the text object."""


class Drawing:
    """The time a document may still take for drawing pages twice."""

    def __init__(self) -> None:
        self._left = _DRAWING_S
        self.skipped = 0
        """Pages that could not be looked at in that time."""

    def differing(self, page: Any, texts: list[_Text]) -> list[bool] | None:
        """For each text whether it changes a pixel of the page; None where time is up."""
        if self._left <= 0:
            self.skipped += 1
            return None
        started = time.monotonic()
        try:
            return _differing(page, texts)
        finally:
            self._left -= time.monotonic() - started


def look(page: Any, drawing: Drawing) -> Sight:
    """What stands on a pdfium page, and what of its text is not seen."""
    from pypdfium2 import raw

    found = _Found()
    bounds = raw.FS_RECTF()
    raw.FPDF_GetPageBoundingBox(page.raw, ctypes.byref(bounds))
    paper = _Box(bounds.left, bounds.bottom, bounds.right, bounds.top)
    _gather(page.raw, found, paper)
    sight = Sight(found.texts, found.paths, len(found.images))
    if paper.area > 0:
        inside = [_within(box, paper) for box in found.images]
        sight.image_share = sum(box.area for box in inside) / paper.area
    if found.fills or found.images:
        _add_covered(page.raw, found)
    suspects = found.suspects
    if not suspects:
        return sight
    layer = _is_layer(found)
    doubtful = []
    for text in suspects:
        if (
            layer
            and text.kind in ("unpainted", "under-image")
            and _over_image(text.box, found.images)
        ):
            continue
        if text.kind in ("hidden", "under-image"):
            doubtful.append(text)
        else:
            sight.unseen[text.address] = HIDDEN if text.kind == "unpainted" else text.kind
    if doubtful:
        differs = drawing.differing(page, doubtful)
        if differs is not None:
            for text, seen in zip(doubtful, differs, strict=True):
                if not seen:
                    sight.unseen[text.address] = HIDDEN
    return sight


class _Plain:
    """Text objects that are seen as far as each alone tells; there may be thousands on a page."""

    def __init__(self) -> None:
        self.orders = array("L")
        self.boxes = array("f")
        self.colours = array("L")
        self.indexes = array("l")
        """On the page; below 0 for those in `handles`, from its end."""
        self.handles: list[Any] = []

    def handle(self, page: Any, at: int) -> Any:
        """The object that was noted at a place."""
        from pypdfium2 import raw

        index = self.indexes[at]
        return raw.FPDFPage_GetObject(page, index) if index >= 0 else self.handles[-index - 1]

    def centres(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Across and up, each of shape (n,)."""
        import numpy as np

        edges = np.frombuffer(self.boxes, dtype=np.float32).reshape(-1, 4)
        middle = (edges[:, :2] + edges[:, 2:]) / np.float32(2)
        return middle[:, 0], middle[:, 1]


@dataclass(slots=True)
class _Found:
    texts: int = 0
    paths: int = 0
    order: int = 0
    images: list[_Box] = field(default_factory=list)
    image_orders: list[int] = field(default_factory=list)
    suspects: list[_Text] = field(default_factory=list)
    plain: _Plain = field(default_factory=_Plain)
    fills: list[tuple[int, _Box, tuple[int, ...]]] = field(default_factory=list)


def _gather(page: Any, found: _Found, paper: _Box) -> None:
    """Note all objects of a page. Most are black text upright on the page: they are told fast."""
    from pypdfium2 import raw

    get_object, get_type = raw.FPDFPage_GetObject, raw.FPDFPageObj_GetType
    get_bounds, get_mode = raw.FPDFPageObj_GetBounds, raw.FPDFTextObj_GetTextRenderMode
    get_fill = raw.FPDFPageObj_GetFillColor
    left, bottom, right, top = edges = [ctypes.c_float() for _ in range(4)]
    red, green, blue, alpha = colour = [ctypes.c_uint() for _ in range(4)]
    low = paper.bottom + _PAPER_EDGE
    first = paper.left + _PAPER_EDGE
    high = paper.top - _PAPER_EDGE
    last = paper.right - _PAPER_EDGE
    plain = found.plain
    for index in range(min(raw.FPDFPage_CountObjects(page), _MOST_OBJECTS)):
        handle = get_object(page, index)
        if (
            get_type(handle) == _TEXT
            and get_bounds(handle, *edges)
            and left.value > first
            and bottom.value > low
            and right.value < last
            and top.value < high
            and ((height := top.value - bottom.value) >= _ORDINARY_HEIGHT or height <= 0)
            and get_mode(handle) == 0
            and get_fill(handle, *colour)
            and alpha.value >= _LEAST_ALPHA
            and min(red.value, green.value, blue.value) < _PALE
        ):
            found.texts += 1
            found.order += 1
            plain.orders.append(found.order)
            plain.indexes.append(index)
            plain.boxes.extend((left.value, bottom.value, right.value, top.value))
            plain.colours.append(red.value << 16 | green.value << 8 | blue.value)
        else:
            _take(handle, found, paper, _UNMOVED, 0)


_Matrix = tuple[float, float, float, float, float, float]
_UNMOVED: _Matrix = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)


def _take(handle: Any, found: _Found, paper: _Box, matrix: _Matrix, depth: int) -> None:
    """Note one object; those of a form are noted one by one."""
    from pypdfium2 import raw

    kind = raw.FPDFPageObj_GetType(handle)
    found.order += 1
    if found.order > _MOST_OBJECTS:
        return
    if kind == _TEXT:
        found.texts += 1
        _take_text(handle, found, paper, matrix)
    elif kind == _IMAGE:
        found.images.append(_box(handle, matrix))
        found.image_orders.append(found.order)
    elif kind == _PATH:
        found.paths += 1
        _take_fill(handle, found, matrix)
    elif kind == _FORM and depth < _DEEPEST_FORM:
        inner = _times(_matrix(handle), matrix)
        for index in range(raw.FPDFFormObj_CountObjects(handle)):
            _take(raw.FPDFFormObj_GetObject(handle, index), found, paper, inner, depth + 1)


_COLOUR = tuple(ctypes.c_uint() for _ in range(4))
_EDGES = tuple(ctypes.c_float() for _ in range(4))


def _take_text(handle: Any, found: _Found, paper: _Box, matrix: _Matrix) -> None:
    from pypdfium2 import raw

    box = _box(handle, matrix)
    mode = raw.FPDFTextObj_GetTextRenderMode(handle)
    colour: tuple[int, ...] = (0, 0, 0, 255)
    if raw.FPDFPageObj_GetFillColor(handle, *_COLOUR):
        colour = tuple(value.value for value in _COLOUR)
    kind = ""
    if mode in _UNPAINTED:
        kind = "unpainted"
    elif box.area > 0 and (
        box.right <= paper.left
        or box.left >= paper.right
        or box.top <= paper.bottom
        or box.bottom >= paper.top
    ):
        kind = OFF_PAGE
    elif box.top - box.bottom < 2 * _LEAST_SIZE and _size(handle, matrix) < _LEAST_SIZE:
        kind = TINY
    elif mode != 1 and (min(colour[:3]) >= _PALE or colour[3] < _LEAST_ALPHA):
        # Mode 1 draws outlines alone, in another colour.
        kind = "hidden"
    if kind:
        address = ctypes.cast(handle, ctypes.c_void_p).value or 0
        found.suspects.append(_Text(address, handle, found.order, box, kind))
    else:
        plain = found.plain
        plain.handles.append(handle)
        plain.indexes.append(-len(plain.handles))
        plain.orders.append(found.order)
        plain.boxes.extend(box)
        red, green, blue, _ = colour
        plain.colours.append(red << 16 | green << 8 | blue)


def _take_fill(handle: Any, found: _Found, matrix: _Matrix) -> None:
    from pypdfium2 import raw

    if len(found.fills) >= _MOST_FILLS:
        return
    mode, stroke = ctypes.c_int(), ctypes.c_int()
    if not raw.FPDFPath_GetDrawMode(handle, mode, stroke) or not mode.value:
        return
    box = _box(handle, matrix)
    if box.top - box.bottom < _LEAST_FILL or box.right - box.left < _LEAST_FILL:
        return
    if raw.FPDFPageObj_GetFillColor(handle, *_COLOUR) and _COLOUR[3].value > 200:
        colour = tuple(value.value for value in _COLOUR)
        found.fills.append((found.order, box, colour))


def _add_covered(page: Any, found: _Found) -> None:
    """Plain text of the colour it stands on, or with a filled shape or a picture drawn over it."""
    import numpy as np

    plain = found.plain
    if not plain.orders:
        return
    x, y = plain.centres()
    orders = np.array(plain.orders)
    packed = np.array(plain.colours)
    colours = np.stack([packed >> 16, packed >> 8 & 255, packed & 255]).astype(np.int16)
    hidden = np.zeros(len(orders), dtype=bool)
    under = np.zeros(len(orders), dtype=bool)
    for order, box, fill in found.fills:
        ground = np.array(fill[:3], dtype=np.int16)[:, None]
        alike = np.abs(colours - ground).max(axis=0) < _SAME_COLOUR
        hidden |= _holds(box, x, y) & ((orders < order) | alike)
    for order, box in zip(found.image_orders, found.images, strict=True):
        under |= _holds(box, x, y) & (orders < order)
    for at in np.flatnonzero(hidden | under).tolist():
        handle = plain.handle(page, at)
        address = ctypes.cast(handle, ctypes.c_void_p).value or 0
        kind = "under-image" if under[at] else "hidden"
        box = _Box(*plain.boxes[4 * at : 4 * at + 4])
        found.suspects.append(_Text(address, handle, plain.orders[at], box, kind))


def _is_layer(found: _Found) -> bool:
    """Whether the invisible text belongs to the pictures that it stands over."""
    if not found.images:
        return False
    unpainted = {"unpainted", "under-image"}
    layer = {
        text.order
        for text in found.suspects
        if text.kind in unpainted and _over_image(text.box, found.images)
    }
    if not layer:
        return False
    if not found.plain.orders:
        return True
    import numpy as np

    x, y = found.plain.centres()
    over = np.zeros(len(x), dtype=bool)
    for box in found.images:
        over |= _holds(box, x, y)
    over &= ~np.isin(np.array(found.plain.orders), list(layer))
    return len(layer) > _LAYER * int(over.sum())


def _holds(box: _Box, x: NDArray[np.float32], y: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which of the places lie in a box."""
    inside: NDArray[np.bool_] = (box.left <= x) & (x <= box.right)
    return inside & (box.bottom <= y) & (y <= box.top)


def _over_image(box: _Box, images: list[_Box]) -> bool:
    return any(image.holds(box.centre) for image in images)


def _within(box: _Box, paper: _Box) -> _Box:
    return _Box(
        max(box.left, paper.left),
        max(box.bottom, paper.bottom),
        min(box.right, paper.right),
        min(box.top, paper.top),
    )


def _box(handle: Any, matrix: _Matrix) -> _Box:
    from pypdfium2 import raw

    if not raw.FPDFPageObj_GetBounds(handle, *_EDGES):
        return _Box(0.0, 0.0, 0.0, 0.0)
    left, bottom, right, top = (edge.value for edge in _EDGES)
    if matrix is _UNMOVED:
        return _Box(left, bottom, right, top)
    a, b, c, d, e, f = matrix
    corners = [(left, bottom), (left, top), (right, bottom), (right, top)]
    xs = [a * x + c * y + e for x, y in corners]
    ys = [b * x + d * y + f for x, y in corners]
    return _Box(min(xs), min(ys), max(xs), max(ys))


def _matrix(handle: Any) -> _Matrix:
    from pypdfium2 import raw

    found = raw.FS_MATRIX()
    if not raw.FPDFPageObj_GetMatrix(handle, ctypes.byref(found)):
        return _UNMOVED
    return found.a, found.b, found.c, found.d, found.e, found.f


def _times(first: _Matrix, second: _Matrix) -> _Matrix:
    a, b, c, d, e, f = first
    g, h, i, j, k, m = second
    return (
        a * g + b * i,
        a * h + b * j,
        c * g + d * i,
        c * h + d * j,
        e * g + f * i + k,
        e * h + f * j + m,
    )


def _size(handle: Any, matrix: _Matrix) -> float:
    """The size of its letters on paper, in points."""
    from pypdfium2 import raw

    size = ctypes.c_float()
    if not raw.FPDFTextObj_GetFontSize(handle, ctypes.byref(size)):
        return _LEAST_SIZE
    _, _, c, d, _, _ = _times(_matrix(handle), matrix)
    return float(abs(size.value) * (c * c + d * d) ** 0.5)


def _differing(page: Any, texts: list[_Text]) -> list[bool]:
    """Draws the page with these texts and without them, and compares where they stand."""
    import numpy as np
    from pypdfium2 import raw

    width, height = page.get_size()
    scale = min(1.5, (_MOST_PIXELS / max(width * height, 1.0)) ** 0.5)

    def drawn() -> Any:
        bitmap = page.render(scale=scale, may_draw_forms=False)
        try:
            return bitmap.to_numpy()[:, :, :3].astype(np.int16)
        finally:
            bitmap.close()

    whole = drawn()
    for text in texts:
        raw.FPDFPageObj_SetIsActive(text.handle, False)
    try:
        without = drawn()
    finally:
        for text in texts:
            raw.FPDFPageObj_SetIsActive(text.handle, True)
    changed = np.abs(whole - without).max(axis=2) > _SEEN_BY
    rows, columns = changed.shape
    return [bool(changed[part].any()) for part in _regions(page, texts, columns, rows)]


def _regions(
    page: Any, texts: list[_Text], columns: int, rows: int
) -> Iterator[tuple[slice, slice]]:
    from pypdfium2 import raw

    x, y = ctypes.c_int(), ctypes.c_int()
    for text in texts:
        places = []
        for corner in ((text.box.left, text.box.bottom), (text.box.right, text.box.top)):
            raw.FPDF_PageToDevice(page.raw, 0, 0, columns, rows, 0, *corner, x, y)
            places.append((x.value, y.value))
        (x0, y0), (x1, y1) = places
        yield (
            slice(max(0, min(y0, y1) - 1), max(0, max(y0, y1) + 2)),
            slice(max(0, min(x0, x1) - 1), max(0, max(x0, x1) + 2)),
        )

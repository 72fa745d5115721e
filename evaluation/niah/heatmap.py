"""The map as a picture, drawn with Pillow.

Lengths from left to right, depths from 0% at the top; colours on a fixed scale
from 0 to 1; k/n in each cell. Grey hatching: not run. Black hatching: no valid
answer. Below the map all depths of a length together, with the interval: that
is where claims are made.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from app.wording import t
from evaluation.files import in_place
from evaluation.niah.palette import PALETTES, Colour, ink, length_name, shade
from evaluation.niah.summary import Cell, LengthRow, Panel

if TYPE_CHECKING:
    from PIL.Image import Image as Picture
    from PIL.ImageDraw import ImageDraw as Pen
    from PIL.ImageFont import FreeTypeFont, ImageFont

TRAINED = 32_768
"""Qwen2's own window, before YaRN."""

SCALE = 2
_CELL_W, _CELL_H = 84, 30
_LEFT, _RIGHT, _TOP, _FOOT = 74, 96, 84, 56
_STRIP_GAP, _STRIP_H = 14, 40
_LINE_ROOM = 20

_BLACK: Colour = (0x1A, 0x1A, 0x1A)
_GREY: Colour = (0x6B, 0x6B, 0x6B)
_LIGHT: Colour = (0xF1, 0xF1, 0xF1)
_WHITE: Colour = (255, 255, 255)


class Canvas:
    """A picture in points: everything is drawn at twice the size."""

    def __init__(self, width: int, height: int) -> None:
        from PIL import Image, ImageDraw

        self.image: Picture = Image.new("RGB", (width * SCALE, height * SCALE), _WHITE)
        self._draw: Pen = ImageDraw.Draw(self.image)

    def box(self, x: float, y: float, w: float, h: float, fill: Colour) -> None:
        """A filled box; none where it would be thinner than a dot."""
        left, top, right, bottom = (round(v * SCALE) for v in (x, y, x + w, y + h))
        if right > left and bottom > top:
            self._draw.rectangle((left, top, right - 1, bottom - 1), fill=fill)

    def hatch(self, x: float, y: float, w: float, h: float, ground: Colour, line: Colour) -> None:
        """A box with slanted lines."""
        from PIL import Image, ImageDraw

        size = (round(w * SCALE), round(h * SCALE))
        tile = Image.new("RGB", size, ground)
        draw = ImageDraw.Draw(tile)
        for at in range(-size[1], size[0], 6 * SCALE):
            draw.line((at, size[1], at + size[1], 0), fill=line, width=SCALE)
        self.image.paste(tile, (round(x * SCALE), round(y * SCALE)))

    def line(
        self, x0: float, y0: float, x1: float, y1: float, fill: Colour, *, dash: int = 0, w: int = 1
    ) -> None:
        """A straight line; with `dash`, a vertical one in pieces."""
        if not dash:
            self._draw.line((x0 * SCALE, y0 * SCALE, x1 * SCALE, y1 * SCALE), fill, w * SCALE)
            return
        y = y0
        while y < y1:
            self.line(x0, y, x1, min(y + dash, y1), fill, w=w)
            y += 2 * dash

    def text(
        self,
        x: float,
        y: float,
        words: str,
        *,
        size: int = 11,
        fill: Colour = _BLACK,
        anchor: str = "mm",
    ) -> None:
        """Words at a point; `anchor` as Pillow has it: `mm` the middle, `lm` to the right of it."""
        self._draw.text((x * SCALE, y * SCALE), printable(words), fill, _font(size), anchor)

    def width_of(self, words: str, size: int = 11) -> float:
        """How wide words come out, in points."""
        return float(self._draw.textlength(printable(words), _font(size))) / SCALE

    def corner(self, x: float, y: float, size: float, fill: Colour) -> None:
        """A triangle in the upper right corner that ends at a point."""
        points = [(x - size, y), (x, y), (x, y + size)]
        self._draw.polygon([(a * SCALE, b * SCALE) for a, b in points], fill=fill)

    def save(self, path: Path) -> None:
        """Write the picture as PNG, in place at once."""
        with in_place(path) as part:
            self.image.save(part, format="PNG", optimize=True)


def draw_map(
    panel: Panel,
    path: Path,
    *,
    title: str,
    subtitle: str = "",
    window: int = 0,
    palette: str = "classic",
) -> None:
    """Draw a panel's map to a PNG file; `window` is the one that was served, 0 if unknown."""
    colours = PALETTES[palette]
    columns, rows = len(panel.lengths), len(panel.depths)
    map_w, map_h = max(columns, 1) * _CELL_W, max(rows, 1) * _CELL_H
    top = _TOP + _LINE_ROOM
    strip = top + map_h + _STRIP_GAP
    width = max(_LEFT + map_w + _RIGHT, 620)
    canvas = Canvas(width, strip + _STRIP_H + _FOOT + 26)
    canvas.text(_LEFT, 26, title, size=17, anchor="lm")
    if subtitle:
        for i, line in enumerate(_wrapped(canvas, subtitle, width - _LEFT - 20)[:2]):
            canvas.text(_LEFT, 50 + 16 * i, line, size=11, fill=_GREY, anchor="lm")
    for j, depth in enumerate(panel.depths):
        y = top + j * _CELL_H
        canvas.text(_LEFT - 8, y + _CELL_H / 2, f"{depth:.0%}", anchor="rm")
        for i, length in enumerate(panel.lengths):
            cell = panel.cells.get((length, depth))
            _draw_cell(canvas, _LEFT + i * _CELL_W, y, cell, colours)
    canvas.text(_LEFT - 8, top - 10, "depth", size=10, fill=_GREY, anchor="rm")
    canvas.text(_LEFT - 8, strip + _STRIP_H / 2, "all depths", size=10, fill=_GREY, anchor="rm")
    for i, row in enumerate(panel.rows):
        x = _LEFT + i * _CELL_W
        _draw_strip(canvas, x, strip, row, colours)
        name = length_name(row.length) + ("" if row.exact else " ~")
        canvas.text(x + _CELL_W / 2, strip + _STRIP_H + 13, name)
    canvas.text(
        _LEFT + map_w / 2,
        strip + _STRIP_H + 31,
        "length: tokens of prompt and answer together"
        + ("" if all(row.exact for row in panel.rows) else "; ~ estimated from above"),
        size=10,
        fill=_GREY,
    )
    _draw_windows(canvas, panel.lengths, window, top, strip + _STRIP_H)
    _draw_scale(canvas, _LEFT + map_w + 26, top, map_h, colours)
    _draw_legend(canvas, _LEFT, strip + _STRIP_H + 55)
    canvas.save(path)


def window_marks(lengths: Sequence[int], window: int) -> list[tuple[int, str]]:
    """Where the vertical lines stand: after how many columns, and what they are called.

    A line stands right of the last length that fits. One that all lengths fit
    is drawn only where the longest length is that window.
    """
    trained = length_name(TRAINED)
    wanted: dict[int, list[str]] = {TRAINED: [t("{length} as trained", length=trained)]}
    if window == TRAINED:
        wanted = {TRAINED: [t("{length} trained and served", length=trained)]}
    elif window:
        wanted[window] = [t("{length} served", length=length_name(window))]
    marks: dict[int, list[str]] = {}
    for tokens, names in sorted(wanted.items()):
        fitting = sum(length <= tokens for length in lengths)
        if fitting < len(lengths) or (lengths and lengths[-1] == tokens):
            marks.setdefault(fitting, []).extend(names)
    return [(column, ", ".join(names)) for column, names in marks.items()]


def printable(words: str) -> str:
    """Words with what the picture's font cannot draw as question marks."""
    words = words.replace("≥", ">=").replace("×", "x").replace("–", "-").replace("…", "...")
    return words.encode("latin-1", "replace").decode("latin-1")


def _draw_cell(
    canvas: Canvas, x: float, y: float, cell: Cell | None, colours: Sequence[Colour]
) -> None:
    w, h = _CELL_W - 2, _CELL_H - 2
    state = cell.state if cell is not None else "not run"
    if cell is None or state in ("not run", "error"):
        canvas.hatch(x + 1, y + 1, w, h, _LIGHT, (0xC4, 0xC4, 0xC4))
        if state == "error":
            _tag(canvas, x, y, "error")
        return
    if state in ("invalid", "leak"):
        canvas.hatch(x + 1, y + 1, w, h, _WHITE, _BLACK)
        _tag(canvas, x, y, "known" if state == "leak" else "invalid")
        return
    ground = shade(cell.rate.share, colours)
    canvas.box(x + 1, y + 1, w, h, ground)
    told = f"{cell.rate.hits}/{cell.rate.n}"
    canvas.text(x + _CELL_W / 2, y + _CELL_H / 2, told, size=12, fill=ink(ground))
    if cell.invalid or cell.errors:
        # Part of this cell's trials has no valid answer.
        canvas.corner(x + 1 + w, y + 1, 9, _BLACK)


def _tag(canvas: Canvas, x: float, y: float, word: str) -> None:
    w = canvas.width_of(word, 10) + 8
    canvas.box(x + (_CELL_W - w) / 2, y + _CELL_H / 2 - 8, w, 16, _WHITE)
    canvas.text(x + _CELL_W / 2, y + _CELL_H / 2, word, size=10)


def _draw_strip(
    canvas: Canvas, x: float, y: float, row: LengthRow, colours: Sequence[Colour]
) -> None:
    if not row.rate.n:
        void = row.invalid or row.leaks
        ground, line = (_WHITE, _BLACK) if void else (_LIGHT, (0xC4, 0xC4, 0xC4))
        canvas.hatch(x + 1, y, _CELL_W - 2, _STRIP_H, ground, line)
        return
    ground = shade(row.rate.share, colours)
    canvas.box(x + 1, y, _CELL_W - 2, _STRIP_H, ground)
    middle = x + _CELL_W / 2
    canvas.text(middle, y + 13, f"{row.rate.hits}/{row.rate.n}", size=12, fill=ink(ground))
    interval = f"{row.rate.low:.2f} - {row.rate.high:.2f}"
    canvas.text(middle, y + 29, interval, size=10, fill=ink(ground))


def _draw_windows(
    canvas: Canvas, lengths: Sequence[int], window: int, top: float, bottom: float
) -> None:
    for column, name in window_marks(lengths, window):
        x = _LEFT + column * _CELL_W
        canvas.line(x, top - 6, x, bottom + 4, _BLACK, dash=4, w=2)
        room = canvas.width_of(name, 10) / 2
        canvas.text(max(x, _LEFT + room), top - 14, name, size=10)


def _draw_scale(
    canvas: Canvas, x: float, y: float, height: float, colours: Sequence[Colour]
) -> None:
    steps = 100
    for i in range(steps):
        at = y + height * i / steps
        canvas.box(x, at, 14, height / steps + 0.5, shade(1 - i / (steps - 1), colours))
    for share, name in ((1.0, "1.0"), (0.5, "0.5"), (0.0, "0.0")):
        canvas.text(x + 20, y + height * (1 - share), name, size=10, anchor="lm")


def _draw_legend(canvas: Canvas, x: float, y: float) -> None:
    canvas.hatch(x, y - 7, 22, 14, _LIGHT, (0xC4, 0xC4, 0xC4))
    canvas.text(x + 28, y, "not run", size=10, fill=_GREY, anchor="lm")
    canvas.hatch(x + 84, y - 7, 22, 14, _WHITE, _BLACK)
    canvas.text(x + 112, y, "no valid answer", size=10, fill=_GREY, anchor="lm")
    canvas.box(x + 208, y - 7, 22, 14, _LIGHT)
    canvas.corner(x + 230, y - 7, 9, _BLACK)
    canvas.text(x + 236, y, "some invalid", size=10, fill=_GREY, anchor="lm")
    told = "k/n: right answers; below, 95% interval"
    canvas.text(x + 318, y, told, size=10, fill=_GREY, anchor="lm")


def _wrapped(canvas: Canvas, words: str, width: float) -> list[str]:
    lines: list[str] = []
    for word in words.split():
        if lines and canvas.width_of(f"{lines[-1]} {word}", 11) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


@cache
def _font(size: int) -> ImageFont | FreeTypeFont:
    from PIL import ImageFont

    # Pillow's own font: the same picture on every machine.
    return ImageFont.load_default(size * SCALE)

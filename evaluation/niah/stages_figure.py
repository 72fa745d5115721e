"""Where needles are lost, length by length: stacked bars, drawn with Pillow."""

from __future__ import annotations

from pathlib import Path

from evaluation.niah.heatmap import Canvas
from evaluation.niah.palette import STAGE_COLOURS, Colour, length_name, stage_words
from evaluation.niah.summary import NO_ANSWER, RIGHT, STAGES, LengthRow, Panel

_GREY: Colour = (0x6B, 0x6B, 0x6B)
_BLACK: Colour = (0x1A, 0x1A, 0x1A)
_FAINT: Colour = (0xE2, 0xE2, 0xE2)

_BAR_W, _STEP, _HEIGHT = 52, 84, 260
_LEFT, _TOP = 74, 84
_LEGEND_W = 240


def draw_stages(panel: Panel, path: Path, *, title: str, subtitle: str = "") -> None:
    """Draw the share of trials that each stage lost, over all trials of a length."""
    used = [
        stage
        for stage in STAGES
        if stage != RIGHT and any(row.stages.get(stage) for row in panel.rows)
    ]
    plot_w = max(len(panel.rows), 1) * _STEP
    canvas = Canvas(max(_LEFT + plot_w + _LEGEND_W, 620), _TOP + _HEIGHT + 74)
    canvas.text(_LEFT, 26, title, size=17, anchor="lm")
    canvas.text(_LEFT, 50, subtitle, size=11, fill=_GREY, anchor="lm")
    for percent in range(0, 101, 25):
        y = _TOP + _HEIGHT * (1 - percent / 100)
        canvas.line(_LEFT, y, _LEFT + plot_w, y, _FAINT)
        canvas.text(_LEFT - 8, y, f"{percent}%", size=10, fill=_GREY, anchor="rm")
    for i, row in enumerate(panel.rows):
        total = sum(row.stages.values())
        x = _LEFT + i * _STEP + (_STEP - _BAR_W) / 2
        y = float(_TOP + _HEIGHT)
        for stage in used:
            share = row.stages.get(stage, 0) / total if total else 0.0
            canvas.box(x, y - share * _HEIGHT, _BAR_W, share * _HEIGHT, STAGE_COLOURS[stage])
            y -= share * _HEIGHT
        canvas.text(x + _BAR_W / 2, y - 9, _lost(row, total), size=10)
        canvas.text(x + _BAR_W / 2, _TOP + _HEIGHT + 15, length_name(row.length))
    canvas.line(_LEFT, _TOP + _HEIGHT, _LEFT + plot_w, _TOP + _HEIGHT, _BLACK)
    canvas.text(
        _LEFT + plot_w / 2,
        _TOP + _HEIGHT + 35,
        "length: tokens; above each bar the trials lost, of those with a valid answer",
        size=10,
        fill=_GREY,
    )
    if not used:
        canvas.text(_LEFT + plot_w / 2, _TOP + _HEIGHT / 2, "nothing was lost", fill=_GREY)
    for i, stage in enumerate(reversed(used)):
        y = _TOP + 10 + 20 * i
        x = _LEFT + plot_w + 24
        canvas.box(x, y - 6, 12, 12, STAGE_COLOURS[stage])
        canvas.text(x + 20, y, stage_words(stage), size=11, anchor="lm")
    canvas.save(path)


def _lost(row: LengthRow, total: int) -> str:
    """`9/22`; what has no valid answer is neither lost nor found."""
    valid = total - row.stages.get(NO_ANSWER, 0)
    if not valid:
        return "invalid" if total else "not run"
    return f"{valid - row.stages.get(RIGHT, 0)}/{valid}"

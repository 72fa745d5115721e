"""Colours on the screen of a browser under test."""

from __future__ import annotations

import io
from collections import Counter
from typing import Any

WHITE = (255, 255, 255)


def main_colour(page: Any, area: dict[str, float]) -> tuple[int, int, int]:
    """The colour that most pixels of a part of the window have."""
    from PIL import Image

    picture = Image.open(io.BytesIO(page.screenshot(clip=area))).convert("RGB")
    ((colour, _),) = Counter(picture.getdata()).most_common(1)
    return colour


def is_highlight(colour: tuple[int, int, int]) -> bool:
    red, green, blue = colour
    return red > 240 and green > 190 and blue < 150

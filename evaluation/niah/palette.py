"""Colours of the maps and figures: what is drawn and what the page shows are the same."""

from __future__ import annotations

from collections.abc import Sequence

from app.wording import t

Colour = tuple[int, int, int]

# The scale that people know from the first needle-in-a-haystack maps.
CLASSIC: tuple[Colour, ...] = ((0xF0, 0x49, 0x6E), (0xEB, 0xB8, 0x39), (0x0C, 0xD7, 0x9F))
# Lightness alone tells 0 from 1, with and without colour vision (the ends and middle of cividis).
COLOUR_BLIND: tuple[Colour, ...] = ((0x00, 0x22, 0x4E), (0x7D, 0x7C, 0x78), (0xFE, 0xE8, 0x38))

PALETTES = {"classic": CLASSIC, "colour-blind": COLOUR_BLIND}

STAGE_COLOURS: dict[str, Colour] = {
    "INGEST_PARSE": (0x54, 0x2E, 0x71),
    "INGEST_SPLIT": (0x7B, 0x4F, 0xA3),
    "INGEST_INDEX": (0xB0, 0x8F, 0xD0),
    "RETRIEVE_RECALL": (0x1F, 0x4E, 0x8C),
    "RETRIEVE_RANK": (0x5A, 0x96, 0xD6),
    "PACK_DROP": (0x0B, 0x6E, 0x6E),
    "PACK_CUT": (0x53, 0xB5, 0xAE),
    "SERVER_TRUNCATED": (0x22, 0x22, 0x22),
    "READ": (0xD6, 0x3B, 0x4F),
    "READ_ABSTAIN": (0xEE, 0x97, 0x6E),
    "BASE_MODEL": (0xA8, 0x8B, 0x1B),
    "LEAK": (0xE8, 0x6F, 0xC0),
    "NO_ANSWER": (0xB8, 0xB8, 0xB8),
}


def stage_words(stage: str) -> str:
    """What became of a needle, in the reader's language; reports and figures are English."""
    return {
        "RIGHT": t("right"),
        "INGEST_PARSE": t("lost by the parser"),
        "INGEST_SPLIT": t("cut apart by chunking"),
        "INGEST_INDEX": t("not in the index"),
        "RETRIEVE_RECALL": t("not found by the search"),
        "RETRIEVE_RANK": t("ranked too low"),
        "PACK_DROP": t("left out of the prompt"),
        "PACK_CUT": t("cut in the prompt"),
        "SERVER_TRUNCATED": t("cut by the server"),
        "READ": t("delivered, misread"),
        "READ_ABSTAIN": t("delivered, said not there"),
        "BASE_MODEL": t("beyond the model even alone"),
        "LEAK": t("answered without reading"),
        "NO_ANSWER": t("no valid answer"),
    }[stage]


def shade(share: float, palette: Sequence[Colour]) -> Colour:
    """The colour of a share from 0 to 1, whatever the others are."""
    at = min(1.0, max(0.0, share)) * (len(palette) - 1)
    i = min(int(at), len(palette) - 2)
    left, right, part = palette[i], palette[i + 1], at - i
    red, green, blue = (round(a + (b - a) * part) for a, b in zip(left, right, strict=True))
    return red, green, blue


def ink(ground: Colour) -> Colour:
    """Black or white, whichever reads better on a colour (WCAG's contrast)."""
    return (0, 0, 0) if _luminance(ground) > 0.179 else (255, 255, 255)


def css(colour: Colour) -> str:
    """`#f0496e`."""
    return "#{:02x}{:02x}{:02x}".format(*colour)


def _luminance(colour: Colour) -> float:
    parts = [value / 255 for value in colour]
    linear = [v / 12.92 if v <= 0.03928 else ((v + 0.055) / 1.055) ** 2.4 for v in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def length_name(tokens: int) -> str:
    """`4K` for 4,096; other lengths in full."""
    return f"{tokens // 1024}K" if tokens and tokens % 1024 == 0 else f"{tokens:,}"

"""The styles of a Word document, by their ids."""

from __future__ import annotations

from typing import Any

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
OFF = frozenset({"0", "false", "off"})
MOST_BASES = 20
"""Styles based on one another; a ring of them ends here."""


def styles_of(root: Any) -> dict[str, Any]:
    """The styles below the root of `styles.xml`."""
    return {style.get(f"{W}styleId", ""): style for style in root.iter(f"{W}style")}


def default_paragraph_style(styles: dict[str, Any]) -> str:
    """The id of the style that paragraphs without one have; empty where there is none."""
    return next(
        (
            name
            for name, style in styles.items()
            if style.get(f"{W}type") == "paragraph" and style.get(f"{W}default", "0") not in OFF
        ),
        "",
    )

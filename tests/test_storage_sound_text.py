"""Text that is nothing but blanks, however they are called."""

from __future__ import annotations

import pytest

from storage.sound_text import is_blank


@pytest.mark.parametrize(
    "text", ["", " \t\n", "\u200b\u200d\u2060\ufeff", "\u3164\u2800", "\u202e\u00ad", "\ufe0f"]
)
def test_what_nobody_can_see_is_blank(text: str) -> None:
    """Joiners, fillers, marks of direction and controls show nothing."""
    assert is_blank(text)


@pytest.mark.parametrize("text", ["?", "\u200ba", "👩‍👧", "ب", "字", "\ue000", "\u0301", "\ufffd"])
def test_what_shows_anything_is_not_blank(text: str) -> None:
    """One sign is enough."""
    assert not is_blank(text)

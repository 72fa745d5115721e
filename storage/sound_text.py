"""Text that any encoder takes."""

from __future__ import annotations

import re
import unicodedata

_UNSEEN = ("Cc", "Cf", "Zs", "Zl", "Zp")
_BLANK = re.compile("[\u034f\u115f\u1160\u2800\u3164\ufe00-\ufe0f\uffa0]")
"""Letters, signs and marks by their category, which nevertheless show nothing."""


def sound(text: str) -> str:
    """The text as UTF-8 can hold it, `?` for half surrogates.

    PDFs, file names and JSON give these; SQLite, tokenizers and sockets refuse them.
    """
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode("utf-8")
    return text


def is_blank(text: str) -> bool:
    """Whether nothing of it can be seen: blanks, joiners and controls only."""
    return all(unicodedata.category(one) in _UNSEEN for one in _BLANK.sub("", text))

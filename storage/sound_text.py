"""Text that any encoder takes."""

from __future__ import annotations


def sound(text: str) -> str:
    """The text as UTF-8 can hold it, `?` for half surrogates.

    PDFs, file names and JSON give these; SQLite, tokenizers and sockets refuse them.
    """
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode("utf-8")
    return text

"""An extractive answer as text: each extract quoted, with what it cannot be read without."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from app.page_layout import header_of, tables
from app.wording import t

if TYPE_CHECKING:
    from app.extractive import Extract
    from storage.records import Hit

_MOST_HEADER = 200
"""Characters of a table's header that lead a row of it."""


def compose(extracts: Sequence[Extract], hits: Sequence[Hit]) -> str:
    """The text of an extractive answer: each extract quoted, with its mark [n].

    A table row or another fragment is led by its heading and header row. Its
    neighbours follow, on lines of their own, where it needs them. White space
    is folded, and curly quotation marks within become single ones.
    """
    paragraphs = []
    for item in extracts:
        hit = hits[item.hit]
        mark = f"[{item.hit + 1}]"
        context = _context(item, hit)
        lead = f"{context}: " if context else ""
        lines = [f"{lead}{_quoted(item.text)} {mark}"]
        for name, span in ((t("Before it"), item.before), (t("After it"), item.after)):
            if span is not None:
                words = hit.text[span.start - hit.char_start : span.end - hit.char_start]
                lines.append(f"{name}: {_quoted(words)} {mark}")
        paragraphs.append("\n".join(lines))
    return "\n\n".join(paragraphs)


def _quoted(words: str) -> str:
    plain = " ".join(words.split()).replace("“", "‘").replace("”", "’")
    return f"“{plain}”"


def _context(item: Extract, hit: Hit) -> str:
    """What a fragment stands under: its section's name, and the header of its table."""
    if item.text[-1] in ".!?。！？।؟" or item.text.endswith((".”", ".’", '."')):
        return ""
    parts = [hit.heading.split("›")[-1].strip()] if hit.heading else []
    parts = [part for part in parts if part not in item.text]
    start = item.char_start - hit.char_start
    found = tables(hit.text)
    header = header_of(hit.text, found, start)
    if header is not None:
        above = hit.text[header.start : header.end]
    else:
        at_top = bool(found) and found[0].start == 0 and start < found[0].end
        above = hit.lead if at_top else ""
    columns = _columns(above)
    if columns and columns not in item.text:
        parts.append(columns)
    return ", ".join(part for part in parts if part)


def _columns(header: str) -> str:
    """A table's header in one line, its last line alone where it is long."""
    lines = [" ".join(line.strip(" |\t").split()) for line in header.splitlines()]
    lines = [line for line in lines if any(map(str.isalnum, line))]
    whole = " ".join(lines)
    return whole if len(whole) <= _MOST_HEADER else lines[-1]

"""Hyphens at line ends, which pdfium replaces by a mark and joins the lines at.

Whether "year\\ufffeon" was "year-on" or a divided "yearon" is decided by the
document's own words. In the twelve annual reports all 186 marks were hyphens of
the word itself ("Non-GAAP"); in typeset papers and books most are divisions.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

LINE_END_HYPHEN = "\ufffe"

_WORDS = re.compile(r"\w+(?:-\w+)*")
_BEFORE = re.compile(r"\w+\Z")
_AFTER = re.compile(r"\w+")
_LONGEST_PART = 40


def join_hyphens(texts: list[str]) -> list[str]:
    """The page texts with each mark undone: a hyphen, or the two parts as one word.

    A word that the document also writes with a hyphen keeps it, as do capitals
    and digits after the mark; one that it also writes whole is joined; the
    rest goes the way of most of those, or keeps its hyphen.
    """
    if not any(LINE_END_HYPHEN in text for text in texts):
        return texts
    written: set[str] = set()
    for text in texts:
        written.update(_WORDS.findall(text.casefold()))
    whole: set[str] = set()
    hyphened: set[str] = set()
    for word in written:
        parts = word.split("-")
        whole.update(parts)
        hyphened.update(f"{left}-{right}" for left, right in pairwise(parts))

    def glue(left: str, right: str) -> str | None:
        if f"{left}-{right}".casefold() in hyphened:
            return "-"
        if not (left[-1:].isalpha() and right[:1].islower()):
            return "-"
        return "" if f"{left}{right}".casefold() in whole else None

    votes = [glue(left, right) for text in texts for left, right in _broken_words(text)]
    usual = "" if votes.count("") > votes.count("-") else "-"
    decided = iter([usual if vote is None else vote for vote in votes])
    return [re.sub(LINE_END_HYPHEN, lambda _: next(decided), text) for text in texts]


def _broken_words(text: str) -> Iterator[tuple[str, str]]:
    """What stands directly before and after each mark, in order."""
    mark = text.find(LINE_END_HYPHEN)
    while mark >= 0:
        before = _BEFORE.search(text[max(mark - _LONGEST_PART, 0) : mark])
        after = _AFTER.match(text, mark + 1, mark + 1 + _LONGEST_PART)
        yield (before[0] if before else ""), (after[0] if after else "")
        mark = text.find(LINE_END_HYPHEN, mark + 1)

"""Hyphens at line ends, which pdfium replaces by a mark and joins the lines at.

Whether "year\\ufffeon" was "year-on" or a divided "yearon" is decided by the
document's own words. In the twelve annual reports all 186 marks were hyphens of
the word itself ("Non-GAAP"); in typeset papers and books most are divisions.
"""

from __future__ import annotations

import re

LINE_END_HYPHEN = "\ufffe"

_BROKEN_WORD = re.compile(rf"(\w+){LINE_END_HYPHEN}(\w+)")
_WORD = re.compile(r"\w+")
_PAIR = re.compile(r"\b(?=(\w+-\w+))")


def join_hyphens(texts: list[str]) -> list[str]:
    """The page texts with each mark undone: a hyphen, or the two parts as one word.

    A word that the document also writes whole is joined; one that it also
    writes with a hyphen keeps it, as do capitals and digits after the mark;
    the rest goes the way of most of those decided words, or keeps its hyphen.
    """
    if not any(LINE_END_HYPHEN in text for text in texts):
        return texts
    folded = [text.casefold() for text in texts]
    words = {word for text in folded for word in _WORD.findall(text)}
    pairs = {pair for text in folded for pair in _PAIR.findall(text)}

    def decided(left: str, right: str) -> str | None:
        if f"{left}-{right}".casefold() in pairs:
            return "-"
        if not (right[0].islower() and left[-1].isalpha()):
            return "-"
        return "" if f"{left}{right}".casefold() in words else None

    votes = [decided(*match.groups()) for text in texts for match in _BROKEN_WORD.finditer(text)]
    usual = "" if votes.count("") > votes.count("-") else "-"

    def joined(match: re.Match[str]) -> str:
        left, right = match.groups()
        glue = decided(left, right)
        return f"{left}{usual if glue is None else glue}{right}"

    return [
        # A second pass for "a~b~c", whose middle the first match has used up.
        _BROKEN_WORD.sub(joined, _BROKEN_WORD.sub(joined, text)).replace(LINE_END_HYPHEN, "-")
        for text in texts
    ]

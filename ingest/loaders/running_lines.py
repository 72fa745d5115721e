"""Running headers and footers of a document, told from lines that many pages share.

They stay in the page's text, which citations are matched against, and are
marked as `repeated`: indexed once a page they would answer every question that
names the company. A title that stands on one or two pages only is no running
header, however it is placed.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from storage.flags import REPEATED
from storage.records import Flag

_EDGE_LINES = 3
_MOST_CHARACTERS = 100
_LEAST_PAGES = 5
_LEAST_SHARE = 0.5
"""Of the left pages or of the right ones, which may have headers of their own. A title that stands
on fewer tells its pages from the others: with 0.3 of all pages, "Notes to Consolidated Financial
Statements" (48 of 143) went, and a question lost its page.
"""

_NUMBER = re.compile(r"[0-9]{1,5}")

_Key = tuple[int, str]
"""Top or bottom, and what lines there have in common."""

_Edge = list[tuple[int, int, tuple[str, ...]]]
"""(start, end, what its pages have in common) of lines, from the page's edge inwards."""


def running_lines(texts: Sequence[str]) -> list[list[Flag]]:
    """The `repeated` flags of each page: one at its top and one at its bottom, at most."""
    edges = [
        (_edge(text, page, at_top=True), _edge(text, page, at_top=False))
        for page, text in enumerate(texts)
    ]
    pages: tuple[Counter[_Key], Counter[_Key]] = (Counter(), Counter())
    written = [0, 0]
    for page, sides in enumerate(edges):
        written[page % 2] += any(sides)
        for side, lines in enumerate(sides):
            pages[page % 2].update({(side, key) for _, _, keys in lines for key in keys})

    def is_running(key: _Key) -> bool:
        left, right = pages[0][key], pages[1][key]
        return left + right >= _LEAST_PAGES and any(
            count and count >= _LEAST_SHARE * of
            for count, of in ((left, written[0]), (right, written[1]))
        )

    flags: list[list[Flag]] = []
    for text, sides in zip(texts, edges, strict=True):
        found = []
        for side, lines in enumerate(sides):
            run = 0
            for depth, (_, _, keys) in enumerate(lines, start=1):
                if not any(is_running((side, key)) for key in keys):
                    break
                run = depth
            if run:
                starts = [start for start, _, _ in lines[:run]]
                ends = [end for _, end, _ in lines[:run]]
                found.append(Flag(REPEATED, min(starts), max(ends)))
        rest = text
        for flag in reversed(found):
            rest = rest[: flag.start] + rest[flag.end :]
        # A page that is nothing else keeps its lines: they are what it says.
        flags.append(found if rest.strip() else [])
    return flags


def _edge(text: str, page: int, *, at_top: bool) -> _Edge:
    """The lines at one edge of a page, without those too long to be running ones."""
    found: _Edge = []
    at = 0 if at_top else len(text)
    while len(found) < _EDGE_LINES and 0 <= at <= len(text):
        if at_top:
            start, end = at, text.find("\n", at)
            end = len(text) if end < 0 else end
            at = end + 1
        else:
            start, end = text.rfind("\n", 0, at) + 1, at
            at = start - 1
        line = text[start:end]
        bare = line.strip()
        if len(bare) > _MOST_CHARACTERS:
            break
        if bare:
            begin = start + line.index(bare)
            found.append((begin, begin + len(bare), _keys(bare, page)))
        if at < 0:
            break
    return found


def _keys(line: str, page: int) -> tuple[str, ...]:
    """A line as it stands, and with its first or last number counted from its page's.

    So "Annual report 12" and "Annual report 13" are one running line, while
    "Room 12" and "Room 40" on pages that follow each other are not.
    """
    plain = " ".join(line.casefold().split())
    numbers = [*_NUMBER.finditer(plain)]
    return (
        plain,
        *(
            f"{plain[: found.start()]}\x00{int(found[0]) - page}\x00{plain[found.end() :]}"
            for found in {id(found): found for found in (*numbers[:1], *numbers[-1:])}.values()
        ),
    )

"""Sections: what stands for pages in formats that have none.

Each heading of level 1 to 3 starts a new section, numbered from 1; text before
the first heading is section 1. A heading with no text of its own goes to the
section that follows. A section carries the path of headings it stands under,
and its text begins with the heading line itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ingest.loaders.cleaning import clean, one_line
from storage.records import Page

LONGEST_SECTION = 12_000
"""Characters; a longer section is split between paragraphs, under the same heading."""

_DEEPEST_LEVEL = 3
_PATH_JOIN = " › "


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph, list, table or heading, in the order of the document."""

    text: str
    level: int = 0
    """1 to 6 for a heading, 0 for all else."""


def sections(blocks: Iterable[Block]) -> tuple[Page, ...]:
    """The blocks of a document as numbered sections; empty blocks are left out."""
    pages: list[Page] = []
    for heading, texts in _groups(blocks):
        for part in _parts(texts):
            pages.append(Page(number=len(pages) + 1, text=part, heading=heading))
    return tuple(pages)


def _groups(blocks: Iterable[Block]) -> Iterator[tuple[str, list[str]]]:
    """(heading path, texts) of each section, before long ones are split."""
    path: dict[int, str] = {}
    texts: list[str] = []
    has_body = False
    for block in blocks:
        text = clean(block.text)
        if not text.strip():
            continue
        if not 1 <= block.level <= _DEEPEST_LEVEL:
            texts.append(text)
            has_body = True
            continue
        if has_body:
            yield _PATH_JOIN.join(path.values()), texts
            texts, has_body = [], False
        heading = one_line(text)
        path = {level: name for level, name in path.items() if level < block.level}
        path[block.level] = heading
        texts.append(heading)
    if texts:
        yield _PATH_JOIN.join(path.values()), texts


def _parts(texts: list[str]) -> Iterator[str]:
    """The texts joined by empty lines, in as few parts of the greatest length as fit."""
    part = ""
    for piece in (piece for text in texts for piece in pieces(text, LONGEST_SECTION)):
        if part and len(part) + 2 + len(piece) > LONGEST_SECTION:
            yield part
            part = ""
        part = f"{part}\n\n{piece}" if part else piece
    yield part


def pieces(text: str, length: int) -> Iterator[str]:
    """A text cut into pieces of at most `length`: at a line end, else a space, else anywhere."""
    start = 0
    while len(text) - start > length:
        end = start + length
        cut = max(text.rfind("\n", start + length // 2, end), start)
        if cut == start:
            cut = max((m.end() for m in re.finditer(r"[.!?。！？]\s", text[start:end])), default=0)
            cut = start + cut if cut > length // 2 else text.rfind(" ", start + 1, end)
        if cut <= start:
            cut = end
        piece = text[start:cut].strip("\n").rstrip()
        if piece:
            yield piece
        start = cut
        while start < len(text) and text[start] in "\n ":
            start += 1
    rest = text[start:].rstrip()
    if rest:
        yield rest

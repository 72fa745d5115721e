"""Sections: what stands for pages in formats that have none.

Each heading of level 1 to 3 starts a new section, numbered from 1; text before
the first heading is section 1. A heading with no text of its own goes to the
section that follows. A section carries the path of headings it stands under,
and its text begins with the heading line itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from ingest.loaders.cleaning import clean, one_line
from storage.records import Page

LONGEST_SECTION = 12_000
"""Characters; a longer section is split between paragraphs, under the same heading."""

_DEEPEST_LEVEL = 3
_LONGEST_HEADER = 500
PATH_JOIN = " › "


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph, list, table or heading, in the order of the document."""

    text: str
    level: int = 0
    """1 to 6 for a heading, 0 for all else."""
    header: str = ""
    """First lines of a table, which are repeated where the table has to be split."""


def sections(blocks: Iterable[Block]) -> tuple[Page, ...]:
    """The blocks of a document as numbered sections; empty blocks are left out."""
    pages: list[Page] = []
    for heading, texts in _groups(blocks):
        for part in _parts(texts):
            pages.append(Page(number=len(pages) + 1, text=part, heading=heading))
    return tuple(pages)


def table(rows: Iterable[Sequence[str]], caption: str = "") -> Block:
    """A table as a block: one line a row, its cells joined by bars.

    A cell without text keeps its place, so that each cell stands below its
    column's name; those at the end of a row and rows without any text go.
    """
    lines: list[str] = []
    named = False
    for cells in rows:
        told = [" ".join(cell.split()) for cell in cells]
        while told and not told[-1]:
            told.pop()
        if told and not lines:
            named = len(told) > 1 and all(told)
        # Where not every column has a name, most of those without text are spacers of a layout.
        if not named and sum(map(bool, told)) * 2 < len(told):
            told = [cell for cell in told if cell]
        if told:
            lines.append(" | ".join(told))
    header = "\n".join(filter(None, [caption, *lines[:1]])) if len(lines) > 1 else ""
    if len(header) > _LONGEST_HEADER:
        header = ""
    return Block("\n".join(filter(None, [caption, *lines])), header=header)


def _groups(blocks: Iterable[Block]) -> Iterator[tuple[str, list[Block]]]:
    """(heading path, texts) of each section, before long ones are split."""
    path: dict[int, str] = {}
    texts: list[Block] = []
    has_body = False
    for block in blocks:
        text = clean(block.text)
        if not text.strip():
            continue
        if not 1 <= block.level <= _DEEPEST_LEVEL:
            texts.append(replace(block, text=text))
            has_body = True
            continue
        if has_body:
            yield PATH_JOIN.join(path.values()), texts
            texts, has_body = [], False
        heading = one_line(text)
        path = {level: name for level, name in path.items() if level < block.level}
        path[block.level] = heading
        texts.append(Block(heading))
    if texts:
        yield PATH_JOIN.join(path.values()), texts


def _parts(texts: list[Block]) -> Iterator[str]:
    """The texts joined by empty lines, in as few parts of the greatest length as fit."""
    part = ""
    for piece in (piece for block in texts for piece in _pieces(block)):
        if part and len(part) + 2 + len(piece) > LONGEST_SECTION:
            yield part
            part = ""
        part = f"{part}\n\n{piece}" if part else piece
    yield part


def _pieces(block: Block) -> Iterator[str]:
    """A block cut into pieces that each fit a section; of a table each with its header."""
    if len(block.text) <= LONGEST_SECTION or not block.header:
        yield from pieces(block.text, LONGEST_SECTION)
        return
    room = LONGEST_SECTION - len(block.header) - 1
    for number, piece in enumerate(pieces(block.text, room)):
        yield f"{block.header}\n{piece}" if number else piece


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

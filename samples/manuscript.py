"""The manuscripts of the sample library: a small Markdown, read into blocks.

A manuscript starts with `key: value` lines between two `---` lines. Its body
knows headings (#, ##, ###), paragraphs, `-` and `1.` lists, pipe tables
(`---:` sets a column to the right), *italic*, **bold**, and
`<!-- page -->`, which starts a new page in formats that have pages.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

PAGE_BREAK = "<!-- page -->"


@dataclass(frozen=True, slots=True)
class Heading:
    level: int
    text: str


@dataclass(frozen=True, slots=True)
class Paragraph:
    text: str


@dataclass(frozen=True, slots=True)
class Items:
    """A list; its items are numbered from 1 where `ordered`."""

    texts: tuple[str, ...]
    ordered: bool


@dataclass(frozen=True, slots=True)
class Table:
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    right: tuple[bool, ...]
    """For each column, whether it is set to the right."""


@dataclass(frozen=True, slots=True)
class PageBreak:
    pass


Block = Heading | Paragraph | Items | Table | PageBreak


@dataclass(frozen=True, slots=True)
class Manuscript:
    meta: dict[str, str]
    body: str
    blocks: tuple[Block, ...]

    @property
    def output(self) -> str:
        """Where the document goes, relative to the library."""
        return self.meta["output"]


def read(path: Path) -> Manuscript:
    """One manuscript from its file."""
    _, head, body = path.read_text(encoding="utf-8").split("---\n", 2)
    meta = dict(line.split(": ", 1) for line in head.strip().splitlines())
    pieces = (piece for piece in re.split(r"\n{2,}", body.strip()) if piece.strip())
    return Manuscript(meta, body.strip() + "\n", tuple(_block(piece) for piece in pieces))


def runs(text: str) -> list[tuple[str, str]]:
    """The text cut at its marks: pairs of (style, words), style "", "i" or "b"."""
    pieces = []
    for match in re.finditer(r"\*\*(?P<b>[^*]+)\*\*|\*(?P<i>[^*]+)\*|(?P<plain>[^*]+)", text):
        style = {"b": "b", "i": "i"}.get(match.lastgroup or "", "")
        pieces.append((style, match[match.lastgroup or 0]))
    return pieces


def _block(piece: str) -> Block:
    lines = piece.splitlines()
    if piece == PAGE_BREAK:
        return PageBreak()
    if heading := re.fullmatch(r"(#{1,3}) (.+)", piece):
        return Heading(len(heading[1]), heading[2])
    if lines[0].startswith("|"):
        return _table(lines)
    if re.match(r"- |\d+\. ", lines[0]):
        texts = re.split(r"^(?:- |\d+\. )", piece, flags=re.MULTILINE)[1:]
        return Items(tuple(" ".join(text.split()) for text in texts), ordered=piece[0] != "-")
    return Paragraph(" ".join(piece.split()))


def _table(lines: list[str]) -> Table:
    cells = [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines]
    header, rule, *rows = cells
    if any(len(row) != len(header) for row in rows):
        raise ValueError(f"A table row has too many or too few cells below {lines[0]!r}.")
    return Table(header, tuple(rows), tuple(cell.endswith(":") for cell in rule))

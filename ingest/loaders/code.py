"""Source code and configuration: cut where a definition begins, cited by lines."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from ingest.loaders.cleaning import clean, one_line
from ingest.loaders.reading import Room, read_bytes, without_text
from ingest.loaders.sections import pieces
from ingest.loaders.tables import PAGE_LENGTH, rows_words
from ingest.loaders.text import decode
from storage.records import Page, ParsedDocument

SUFFIXES = tuple(
    ".py .pyi .js .mjs .cjs .jsx .ts .tsx .vue .svelte .java .kt .kts .scala .groovy .c .h .cc .cpp"
    " .cxx .hpp .cs .fs .vb .go .rs .swift .m .mm .dart .rb .php .pl .pm .lua .r .jl .ex .exs .erl"
    " .hs .ml .clj .lisp .el .pas .f90 .for .cob .sql .sh .bash .zsh .ps1 .bat .cmd .css .scss"
    " .less .xml .xsd .xsl .yaml .yml .toml .ini .cfg .conf .properties .proto .graphql .tf .cmake"
    " .gradle .tex .bib .adoc .org".split()
)
LOADER_VERSION = "code-2"

EMPTY_IS_NORMAL = True
"""An empty file (`__init__.py`) is nothing to report."""

_LEAST = 1_200
"""Characters. Definitions are put together up to this, and parted from there on."""

_DEFINITION = re.compile(
    r"(?:export\s+|default\s+|public\s+|private\s+|protected\s+|internal\s+|static\s+|final\s+"
    r"|abstract\s+|sealed\s+|async\s+|pub(?:\([a-z]+\))?\s+|unsafe\s+|extern\s+|inline\s+|data\s+)*"
    r"(?P<kind>def|class|function|func|fn|fun|interface|struct|enum|trait|impl|module|namespace"
    r"|type|record|object|protocol|sub|create\s+(?:or\s+replace\s+)?(?:table|view|function"
    r"|procedure|trigger))\s+(?P<name>[\w$][\w.$]*(?:::[\w$]+)*)",
    re.IGNORECASE,
)
_STATEMENT = re.compile(r"[^\s#/*}\])'\"-]|#(?:include|define|if)")


def load(path: Path) -> ParsedDocument:
    """Reads a source file in any common encoding; raises DocumentUnreadable."""
    content, encoding, warnings = decode(path, read_bytes(path))
    room = Room(path)
    pages: list[Page] = []
    for first, last, text, name in _parts(re.split(r"\r\n|[\n\r\f]", content.lstrip("\ufeff"))):
        room.take(len(text))
        pages.append(
            Page(len(pages) + 1, text, label=rows_words(first, last, "line"), heading=name)
        )
    if not pages:
        raise without_text(path)
    return ParsedDocument(
        title=one_line(path.name),
        pages=tuple(pages),
        paged=False,
        parser=f"code ({encoding})",
        warnings=warnings,
    )


def _parts(lines: list[str]) -> Iterator[tuple[int, int, str, str]]:
    """(first line, last line, text, definition) of each part, lines counted from 1."""
    within = ""
    for first, last, text in _pieces(lines):
        within = _definition(text) or within
        yield first, last, text, within


def _pieces(lines: list[str]) -> Iterator[tuple[int, int, str]]:
    gathered: list[str] = []
    first = length = 0
    for number, raw in enumerate(lines, start=1):
        line = clean(raw)
        if len(line) > PAGE_LENGTH:
            # Minified, or data on one line.
            yield from _piece(first, gathered)
            for piece in pieces(line, PAGE_LENGTH):
                yield number, number, piece
            gathered, length = [], 0
            continue
        begins = bool(gathered) and not gathered[-1] and bool(_STATEMENT.match(line))
        if gathered and (length + len(line) > PAGE_LENGTH or (begins and length > _LEAST)):
            yield from _piece(first, gathered)
            gathered, length = [], 0
        if not gathered:
            if not line:
                continue
            first = number
        gathered.append(line)
        length += len(line) + 1
    yield from _piece(first, gathered)


def _piece(first: int, lines: list[str]) -> Iterator[tuple[int, int, str]]:
    while lines and not lines[-1]:
        lines.pop()
    text = "\n".join(lines)
    if text.strip():
        yield first, first + len(lines) - 1, text


def _definition(text: str) -> str:
    """What the first definition at the margin is called, as `class Parser`."""
    for line in text.split("\n"):
        found = _DEFINITION.match(line)
        if found:
            return one_line(f"{found['kind']} {found['name']}", 100)
    return ""

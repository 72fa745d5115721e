"""Plain text: pages where it has form feeds, else paragraphs named by their lines."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from pathlib import Path

from ingest.loaders.cleaning import clean, readable_name
from ingest.loaders.encodings import escaped, guess, wide
from ingest.loaders.reading import Room, damaged, read_bytes, without_text
from ingest.loaders.sections import LONGEST_SECTION, pieces
from storage.records import Page, ParsedDocument

SUFFIXES = (".txt", ".text", ".rst")
LOADER_VERSION = "text-3"

SECTION_LENGTH = 4_000
"""Characters: consecutive paragraphs are joined into sections up to this."""

_SAMPLE_BYTES = 200_000
"""Enough to guess an old encoding from; the guess takes time in proportion."""

_HEAD_BYTES = 2_000

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    # Before UTF-16, whose little-endian mark it begins with.
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_MOST_CONTROL = 0.02


def load(path: Path) -> ParsedDocument:
    """Reads a text file in any common encoding; raises DocumentUnreadable."""
    content, encoding, warnings = decode(path, read_bytes(path))
    Room(path).take(len(content))
    leaves = [clean(leaf) for leaf in content.split("\f")]
    while leaves and not leaves[-1]:
        leaves.pop()
    paged = len(leaves) > 1 and max(map(len, leaves)) <= LONGEST_SECTION
    if paged:
        pages = tuple(Page(number, leaf) for number, leaf in enumerate(leaves, start=1))
    else:
        pages = tuple(
            Page(number, section, label=lines)
            for number, (lines, section) in enumerate(_sections(content), start=1)
        )
    if not any(page.text for page in pages):
        raise without_text(path)
    return ParsedDocument(
        title=readable_name(path.stem),
        pages=pages,
        paged=paged,
        parser=f"text ({encoding})",
        warnings=warnings,
    )


def decode(path: Path, content: bytes) -> tuple[str, str, tuple[str, ...]]:
    """(text, encoding, warnings): by its byte order mark, else UTF-8, else a guess.

    Raises DocumentUnreadable (`damaged`) for bytes that are no text.
    """
    return _forgiving(content, encoding_of(path, content))


def encoding_of(path: Path, content: bytes) -> str:
    """The encoding of a text, or of one that begins so: its mark's, else UTF-8, else a guess.

    Raises DocumentUnreadable (`damaged`) for bytes that are no text.
    """
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return encoding
    for offset, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        if _has_zeros_at(content, offset):
            return encoding
    sample = content[:_SAMPLE_BYTES]
    if b"\0" in sample and (encoding := wide(sample)):
        return encoding
    if encoding := escaped(sample):
        return encoding
    control = len(_CONTROL.findall(sample))
    if b"\0" in content or control > _MOST_CONTROL * min(len(content), _SAMPLE_BYTES):
        raise damaged(path, "holds binary data, although its name says it is text")
    try:
        content.decode("utf-8")
        return "utf-8"
    except UnicodeDecodeError as exc:
        if exc.start > _SAMPLE_BYTES // 2:
            if not content[: exc.start].isascii():
                # UTF-8 for so long: a few broken bytes, not another encoding.
                return "utf-8"
            start = exc.start - _HEAD_BYTES
            return guess(content[start : start + _SAMPLE_BYTES])
    return guess(sample)


def _has_zeros_at(content: bytes, offset: int) -> bool:
    """Whether every other byte is mostly zero and the rest are not: UTF-16 of Latin letters."""
    head = content[:_HEAD_BYTES]
    pairs = len(head) // 2
    zeros, others = head[offset::2].count(0), head[1 - offset :: 2].count(0)
    return pairs >= 4 and zeros > 0.7 * pairs and others < 0.05 * pairs


def _forgiving(content: bytes, encoding: str) -> tuple[str, str, tuple[str, ...]]:
    try:
        return content.decode(encoding), encoding, ()
    except UnicodeDecodeError:
        text = content.decode(encoding, errors="replace")
        replaced = text.count("\ufffd")
        warning = f"Characters that are not valid {encoding} were replaced: {replaced}."
        return text, encoding, (warning,)


def _sections(content: str) -> Iterator[tuple[str, str]]:
    """(lines in words, text) of each run of paragraphs."""
    texts: list[str] = []
    first = last = length = 0
    for start, end, paragraph in _paragraphs(content):
        if texts and length + 2 + len(paragraph) > SECTION_LENGTH:
            yield _lines(first, last), "\n\n".join(texts)
            texts, length = [], 0
        if not texts:
            first = start
        texts.append(paragraph)
        length += len(paragraph) + 2
        last = end
    if texts:
        yield _lines(first, last), "\n\n".join(texts)


def _paragraphs(content: str) -> Iterator[tuple[int, int, str]]:
    """(first line, last line, text) of each paragraph, lines counted from 1.

    A paragraph longer than a section is given in pieces.
    """
    lines: list[str] = []
    start = 1
    for number, raw in enumerate([*re.split(r"\r\n|[\n\r\f]", content), ""], start=1):
        # Line by line: cleaning the whole would join empty lines and spoil the count.
        line = clean(raw)
        if line.strip():
            if not lines:
                start = number
            lines.append(line)
            continue
        if lines:
            yield from _cut(start, lines)
        lines = []


def _cut(start: int, lines: list[str]) -> Iterator[tuple[int, int, str]]:
    gathered: list[str] = []
    first = start
    length = 0
    for number, line in enumerate(lines, start=start):
        if gathered and length + 1 + len(line) > SECTION_LENGTH:
            yield first, number - 1, "\n".join(gathered)
            gathered, length = [], 0
        if not gathered:
            first = number
        if len(line) > SECTION_LENGTH:
            for piece in pieces(line, SECTION_LENGTH):
                yield number, number, piece
            continue
        gathered.append(line)
        length += len(line) + 1
    if gathered:
        yield first, start + len(lines) - 1, "\n".join(gathered)


def _lines(first: int, last: int) -> str:
    return f"line {first}" if first == last else f"lines {first}–{last}"

"""CSV and TSV: rows with the names of their columns, read as a stream."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Literal

from ingest.loaders import text
from ingest.loaders.cleaning import readable_name
from ingest.loaders.reading import Room, opening, without_text
from ingest.loaders.tables import Row, row_of, table_pages
from storage.records import Page, ParsedDocument

SUFFIXES = (".csv", ".tsv", ".tab")
LOADER_VERSION = "delimited-2"

_SAMPLE_BYTES = 200_000
_LONGEST_LINE = 1_000_000
"""Characters. A file with a longer line is no table of rows, and is read as text."""

_DELIMITERS = ("\t", ";", ",", "|")


_MOST_LINES = 1_000
"""Lines of one row. A longer one has a quotation mark that is never closed."""


class _NoTable(Exception):
    """A line without end."""


def load(path: Path) -> ParsedDocument:
    """Reads a table in any common encoding; raises DocumentUnreadable."""
    with opening(path), path.open("rb") as stream:
        sample = stream.read(_SAMPLE_BYTES)
    encoding = text.encoding_of(path, sample)
    try:
        return _load(path, encoding, csv.QUOTE_MINIMAL)
    except csv.Error:
        # A quotation mark that is never closed: here it is a character like any other.
        return _load(path, encoding, csv.QUOTE_NONE)
    except _NoTable:
        return text.load(path)


def _load(path: Path, encoding: str, quoting: Literal[0, 3]) -> ParsedDocument:
    room = Room(path)
    pages: list[Page] = []
    replaced = 0
    with opening(path), path.open("r", encoding=encoding, errors="replace", newline="") as stream:
        csv.field_size_limit(_LONGEST_LINE)
        delimiter = _delimiter(path, stream)
        stream.seek(0)
        for page in table_pages(_rows(stream, delimiter, quoting)):
            room.take(len(page.text))
            replaced += page.text.count("\ufffd")
            pages.append(page)
    if not pages:
        raise without_text(path)
    return ParsedDocument(
        title=readable_name(path.stem),
        pages=tuple(pages),
        paged=False,
        parser=f"csv ({encoding})",
        warnings=(
            (f"Characters that are not valid {encoding} were replaced: {replaced}.",)
            if replaced
            else ()
        ),
    )


def _rows(stream: IO[str], delimiter: str, quoting: Literal[0, 3]) -> Iterator[Row]:
    reader = csv.reader(
        _lines(stream),
        delimiter=delimiter,
        quoting=quoting,
        skipinitialspace=True,
    )
    before = 0
    for number, cells in enumerate(reader, start=1):
        if reader.line_num - before > _MOST_LINES:
            raise csv.Error("a row without end")
        before = reader.line_num
        row = row_of(number, cells)
        if row.cells:
            yield row


def _lines(stream: IO[str]) -> Iterator[str]:
    while line := stream.readline(_LONGEST_LINE):
        if len(line) >= _LONGEST_LINE:
            raise _NoTable
        yield line


def _delimiter(path: Path, stream: IO[str]) -> str:
    """The character that parts most lines into the same number of cells, two at least."""
    if path.suffix.lower() in (".tsv", ".tab"):
        return "\t"
    lines = [line for line in stream.read(_SAMPLE_BYTES).splitlines()[:50] if line.strip()]
    # Excel's own mark on the first line.
    if lines and lines[0].lower().startswith("sep=") and len(lines[0].strip()) == 5:
        return lines[0].strip()[4]
    best, most = ",", 0
    for delimiter in _DELIMITERS:
        counts = Counter(
            count for cells in csv.reader(lines, delimiter=delimiter) if (count := len(cells)) > 1
        )
        if counts and max(counts.values()) > most:
            best, most = delimiter, max(counts.values())
    return best

"""Rows of a spreadsheet as pages, each row with the names of its columns.

A row is told as `Item: Falcon chair | Price: 240 | Stock: 3`, so that it is
found, and understood, wherever it stands. Rows of one or two columns, and
those below no header, keep their bars only. What a spreadsheet has folded away says
so: `Cost (hidden): 110`, `(hidden row)`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import NamedTuple

from ingest.loaders.cleaning import clean
from ingest.loaders.sections import LONGEST_SECTION, pieces
from storage.records import Page

PAGE_LENGTH = 3_000
"""Characters of rows a page: what is read as one passage, so that a citation names few rows."""

LONGEST_CELL = 32_767
"""Characters, as in Excel."""

LONGEST_LABEL = 80
"""Characters. A cell merged over several rows is told in each of them, if it is no longer."""

_HIDDEN = "(hidden)"
_HIDDEN_ROW = "(hidden row)"
_SAMPLE = 12
_LONGEST_NAME = 80
_LEAST_COLUMNS = 3
_FIGURE = re.compile(
    r"[-+(]?[€$£¥]?\s*\d[\d\s.,:/%'’-]*(?:[Ee][-+]?\d+)?\s*[€$£¥%)]?(?:T[\d:.+Z-]+)?"
)
_RANGE = re.compile(
    r"(?<![A-Za-z0-9])\$?([A-Z]{1,3})\$?(\d{1,7})(?![\w.'])"
    r"(?::(?:[^\s:]{0,100}\.)?\$?([A-Z]{1,3})\$?(\d{1,7}))?"
)
_YEAR = re.compile(r"(?:19|20)\d\d")


class Row(NamedTuple):
    """A row that is not empty."""

    number: int
    """As the spreadsheet counts it, from 1."""
    cells: Sequence[str]
    """On one line each; empty where the cell is."""
    is_hidden: bool = False
    """Folded away, or left out by a filter."""
    hidden_columns: frozenset[int] = frozenset()
    """Those folded away, counted from 0."""


def row_of(
    number: int,
    cells: Iterable[str],
    *,
    is_hidden: bool = False,
    hidden_columns: frozenset[int] = frozenset(),
) -> Row:
    """A row out of raw texts, each put on one line."""
    lines = [" ".join(clean(cell).split()) for cell in cells]
    while lines and not lines[-1]:
        lines.pop()
    return Row(number, lines, is_hidden, hidden_columns)


class CellRange(NamedTuple):
    """A rectangle of cells: rows count from 1, columns from 0."""

    first_column: int
    first_row: int
    last_column: int
    last_row: int

    def holds(self, row: int, column: int) -> bool:
        """Whether a cell lies in it."""
        return (
            self.first_row <= row <= self.last_row
            and self.first_column <= column <= self.last_column
        )


def ranges(stated: str) -> Iterator[CellRange]:
    """The ranges in `A1:B7 D4`, or as OpenDocument writes them, `Prices.A1:Prices.B7`."""
    for found in _RANGE.finditer(stated):
        first, last = found[1], found[3] or found[1]
        row, last_row = int(found[2]), int(found[4] or found[2])
        yield CellRange(column_of(first), row, column_of(last), last_row)


def column_of(letters: str) -> int:
    """0 for A, 25 for Z, 26 for AA."""
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number - 1


class Lines(NamedTuple):
    """Some rows in words."""

    first: int
    last: int
    text: str


def table_lines(rows: Iterable[Row]) -> Iterator[Lines]:
    """Rows in words, as many together as a page holds; the header's names with each row.

    Empty rows part a sheet into tables. One that has no header of its own has
    the header of the one above.
    """
    gathered: list[str] = []
    first = last = length = 0
    for number, line, header in _in_words(rows):
        if gathered and length + len(line) >= PAGE_LENGTH:
            yield Lines(first, last, "\n".join(gathered))
            gathered, length = [], 0
        if len(line) > LONGEST_SECTION:
            yield from (Lines(number, number, piece) for piece in pieces(line, LONGEST_SECTION))
            continue
        if not gathered:
            first = number
            if header and line != header:
                gathered, length = [header], len(header) + 1
        gathered.append(line)
        length += len(line) + 1
        last = number
    if gathered:
        yield Lines(first, last, "\n".join(gathered))


def rows_words(first: int, last: int, noun: str = "row") -> str:
    """`row 4` or `rows 4–9`."""
    return f"{noun} {first}" if first == last else f"{noun}s {first}–{last}"


def counted(count: int, noun: str) -> str:
    """`1 row`, `12 rows`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def table_pages(rows: Iterable[Row], *, sheet: str = "", start: int = 1) -> Iterator[Page]:
    """The pages of a sheet, numbered from `start`."""
    for number, (first, last, text) in enumerate(table_lines(rows), start=start):
        words = rows_words(first, last)
        yield Page(
            number=number,
            text=text,
            label=f"sheet {sheet}, {words}" if sheet else words,
            heading=sheet,
        )


def _in_words(rows: Iterable[Row]) -> Iterator[tuple[int, str, str]]:
    """(row number, the row in words, the line to repeat on each page: a header in bars)."""
    header: Sequence[str] = ()
    for table in _tables(rows):
        stream = iter(table)
        sample = list(islice(stream, _SAMPLE))
        found = _header_at(sample, must_show=bool(header))
        if found is not None:
            header = sample[found].cells
        elif len(sample) == 1 and _may_head_what_follows(sample[0]):
            found, header = 0, sample[0].cells
        if found is not None and (upper := _upper_header(sample, found)) is not None:
            found = upper + 1
            header = _combined(sample[upper].cells, sample[found].cells)
        narrow = sum(map(bool, header)) < _LEAST_COLUMNS
        names = _marked(header, sample[0].hidden_columns) if sample else header
        bars = _bars(names) if narrow else ""
        for at, row in enumerate(chain(sample, stream)):
            end = f" | {_HIDDEN_ROW}" if row.is_hidden else ""
            if narrow or (found is not None and at <= found):
                told = _bars(_marked(row.cells, row.hidden_columns))
                yield row.number, told + end, bars if found is None or at >= found else ""
            else:
                yield row.number, _named(row, names) + end, ""


def _tables(rows: Iterable[Row]) -> Iterator[Iterator[Row]]:
    """The rows, parted where empty ones lie between; each part is to be read to its end."""
    stream = (row for row in rows if any(row.cells))
    following = next(stream, None)

    def part() -> Iterator[Row]:
        nonlocal following
        while following is not None:
            row = following
            yield row
            following = next(stream, None)
            if following is not None and following.number > row.number + 1:
                return

    while following is not None:
        yield part()


def _header_at(sample: Sequence[Row], *, must_show: bool) -> int | None:
    """Which row of the first ones names the columns; None where none does.

    Above it there may be a title in fewer cells. With `must_show` figures must
    stand below its words: so a table without one has the header of another.
    """
    width = max((sum(map(bool, row.cells)) for row in sample), default=0)
    for at, row in enumerate(sample[:-1]):
        names = [cell for cell in row.cells if cell]
        if len(names) < min(2, width) or len(names) < 0.6 * width:
            continue
        below = sample[at + 1 :]
        if not _are_names(names):
            return None
        if must_show and not _figures_below(row, below):
            return None
        return at
    return None


def _upper_header(sample: Sequence[Row], found: int) -> int | None:
    """Where the first of two header rows is: one names groups of the columns in the next."""
    for upper in (found, found - 1):
        if upper < 0 or upper + 2 >= len(sample):
            continue
        groups, lower = sample[upper].cells, sample[upper + 1].cells
        named = [column for column, cell in enumerate(groups) if cell]
        grouped = any(
            cell and column > named[0] and (column >= len(groups) or not groups[column])
            for column, cell in enumerate(lower)
        )
        if (
            grouped
            and len(named) > 1
            and sample[upper].number + 1 == sample[upper + 1].number
            and _are_names([groups[column] for column in named])
            and _are_names([cell for cell in lower if cell])
            and _figures_below(sample[upper + 1], sample[upper + 2 :])
        ):
            return upper
    return None


def _combined(groups: Sequence[str], lower: Sequence[str]) -> list[str]:
    """The names of two header rows in one: `2025 Units`, `2025 Revenue`."""
    names: list[str] = []
    group = ""
    for column in range(max(len(groups), len(lower))):
        above = groups[column] if column < len(groups) else ""
        below = lower[column] if column < len(lower) else ""
        group = above or (group if below else "")
        names.append(" ".join(filter(None, [group, below if below != group else ""])))
    return names


def _may_head_what_follows(row: Row) -> bool:
    """Whether a row between empty ones names the columns of the rows below."""
    names = [cell for cell in row.cells if cell]
    return len(names) >= _LEAST_COLUMNS and _are_names(names)


def _are_names(cells: Sequence[str]) -> bool:
    words = [cell for cell in cells if not _FIGURE.fullmatch(cell)]
    figures = [cell for cell in cells if _FIGURE.fullmatch(cell)]
    return (
        bool(words)
        and all(len(cell) <= _LONGEST_NAME for cell in words)
        and all(_YEAR.match(cell) for cell in figures)
        and max(Counter(cells).values()) <= max(1, len(cells) // 2)
    )


def _figures_below(header: Row, below: Sequence[Row]) -> bool:
    for column, name in enumerate(header.cells):
        cells = [row.cells[column] for row in below if len(row.cells) > column]
        figures = sum(_FIGURE.fullmatch(cell) is not None for cell in cells)
        if name and not _FIGURE.fullmatch(name) and figures > len(below) / 2:
            return True
    return False


def _bars(cells: Sequence[str]) -> str:
    return " | ".join(cell for cell in cells if cell)


def _marked(cells: Sequence[str], hidden: frozenset[int]) -> Sequence[str]:
    """The cells, those of hidden columns with a word of it."""
    if not hidden:
        return cells
    return [
        f"{cell} {_HIDDEN}" if cell and column in hidden else cell
        for column, cell in enumerate(cells)
    ]


def _named(row: Row, header: Sequence[str]) -> str:
    told = [(column, cell) for column, cell in enumerate(row.cells) if cell]
    if len(told) == 1 and told[0][0] == 0:
        # A subhead among the rows.
        return told[0][1]
    return " | ".join(
        f"{header[column]}: {cell}"
        if column < len(header) and header[column]
        else f"{cell} {_HIDDEN}"
        if column in row.hidden_columns
        else cell
        for column, cell in told
    )

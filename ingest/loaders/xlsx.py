"""XLSX: every sheet's rows, as they are shown, streamed from the package.

Read from the XML here, not with a library: openpyxl refuses workbooks whose
styles it does not know, and calamine takes memory for all cells between the
first and the last, which one stray cell makes seventeen billion.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from ingest.loaders.cleaning import clean, one_line, title_or_name
from ingest.loaders.colours import WHITE, Colour, alike, theme_colours
from ingest.loaders.drawing import chart_text, paragraphs_text
from ingest.loaders.hidden_text import concealed
from ingest.loaders.packages import (
    Package,
    attribute,
    core_properties,
    elements,
    local,
    reading,
    stream_xml,
)
from ingest.loaders.reading import Room, without_text
from ingest.loaders.sections import LONGEST_SECTION, pieces
from ingest.loaders.tables import (
    LONGEST_CELL,
    LONGEST_LABEL,
    CellRange,
    Row,
    column_of,
    counted,
    ranges,
    row_of,
    table_pages,
)
from ingest.loaders.xlsx_numbers import shown_number
from ingest.loaders.xlsx_styles import CellStyle, cell_styles, run_colour
from storage.flags import HIDDEN
from storage.records import Page, ParsedDocument

SUFFIXES = (".xlsx", ".xlsm", ".xltx")
LOADER_VERSION = "xlsx-3"

_WHAT = "Excel workbook"
_X = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_STRICT = "{http://purl.oclc.org/ooxml/spreadsheetml/main}"
_REFERENCE = re.compile(r"\$?([A-Z]{1,3})\$?(\d+)")
_MERGED = re.compile(
    rb'<(?:\w{1,20}:)?mergeCell\s[^<>]{0,200}?ref="([A-Z]{1,3})(\d{1,7}):[A-Z]{1,3}(\d{1,7})"'
)
_MOST_MERGED = 20_000
_COLOURED = re.compile(
    rb'<(?:\w{1,20}:)?conditionalFormatting\s[^<>]{0,200}?sqref="([^"<>]{1,4000})"'
)
_MOST_COLOURED = 500
_LEAST_HEIGHT = 0.5
"""Points. A lower row, or a narrower column, shows nothing of its cells."""

_BLOCK = 1 << 20
_MOST_COLUMN = 16_384
_BOOLEANS = {"1": "TRUE", "0": "FALSE"}


def load(path: Path) -> ParsedDocument:
    """Reads a workbook; raises DocumentUnreadable (`encrypted`, `damaged`, ...)."""
    with Package(path, _WHAT) as package, reading(path, _WHAT):
        book = _Book(package)
        room = Room(path)
        pages: list[Page] = []
        for name, part in book.sheets:
            for page in table_pages(book.rows(part, name), sheet=name, start=len(pages) + 1):
                room.take(len(page.text))
                pages.append(page)
            for what, text in (("comments", book.comments(part)), ("drawings", book.drawn(part))):
                for piece in pieces(text, LONGEST_SECTION):
                    room.take(len(piece))
                    label = f"sheet {name}, {what}"
                    pages.append(Page(len(pages) + 1, piece, label=label, heading=name))
        stated = core_properties(package)
    if not pages:
        raise without_text(path)
    return ParsedDocument(
        title=title_or_name(stated.pop("title", ""), path.stem),
        pages=tuple(pages),
        paged=False,
        parser=LOADER_VERSION,
        metadata=stated,
        warnings=tuple(book.warnings()),
    )


_PLAIN = CellStyle("")


class _Book:
    """A workbook: its sheets, shared strings and number formats."""

    def __init__(self, package: Package) -> None:
        self._package = package
        self._strings: list[str] = []
        self._pale: dict[int, str] = {}
        """By number, strings with white words, as they are on a white ground."""
        self._styles: list[CellStyle] = []
        self._folded: dict[str, tuple[int, int]] = {}
        self._epoch = datetime(1899, 12, 30)
        self._hidden: list[str] = []
        self._without_result = 0
        self.sheets = tuple(self._read())

    def warnings(self) -> Iterator[str]:
        """What of the book was not read, or is not seen at once."""
        if self._folded:
            told = ", ".join(
                f"{name} ({counted(rows, 'row')}, {counted(columns, 'column')})"
                for name, (rows, columns) in list(self._folded.items())[:10]
            )
            yield f"Hidden rows and columns are read, and marked as such: {told}."
        if self._hidden:
            yield f"Hidden sheets were not read: {', '.join(self._hidden[:10])}."
        if self._without_result:
            yield (
                f"Formulas without a stored result, which were not read: {self._without_result:,}; "
                "open the file in a spreadsheet program and save it."
            )

    def rows(self, part: str, name: str = "") -> Iterator[Row]:
        """The rows of a sheet that are not empty."""
        number = 0
        merged, coloured = self._behind(part)
        hidden: set[int] = set()
        filled: set[int] = set()
        columns: frozenset[int] = frozenset()
        hidden_rows = 0
        # By column: the last row that a cell reaches down to, and its text.
        reaching: dict[int, tuple[int, str]] = {}
        tags = [f"{space}{tag}" for space in (_X, _STRICT) for tag in ("row", "col")]
        with self._package.open(part) as stream:
            for row in stream_xml(stream, *tags):
                if local(row) == "col":
                    hidden.update(_hidden_columns(row))
                    columns = frozenset(hidden)
                    continue
                stated = row.get("r", "")
                number = int(stated) if stated.isdecimal() else number + 1
                cells = self._cells(row, number, coloured)
                if not any(cells):
                    continue
                for column, (last, text) in list(reaching.items()):
                    if number > last:
                        del reaching[column]
                    elif column >= len(cells) or not cells[column]:
                        cells.extend([""] * (column + 1 - len(cells)))
                        cells[column] = text
                for column, last in merged.get(number, ()):
                    text = cells[column] if column < len(cells) else ""
                    if 0 < len(text) <= LONGEST_LABEL:
                        reaching[column] = (last, text)
                is_hidden = _is_folded(row, "ht")
                hidden_rows += is_hidden
                if hidden:
                    filled.update(hidden.intersection(n for n, cell in enumerate(cells) if cell))
                yield row_of(
                    number,
                    cells,
                    is_hidden=is_hidden,
                    hidden_columns=columns,
                )
        if filled or hidden_rows:
            self._folded[name] = (hidden_rows, len(filled))

    def comments(self, part: str) -> str:
        """What people noted on the cells of a sheet, a line each: `B7: checked by Ann`."""
        parts = dict(self._package.relations(part).values())
        lines = []
        if "threadedComment" in parts:
            # The old form beside it says only that this one is there.
            for element in self._package.tree(parts["threadedComment"]).iter("{*}threadedComment"):
                text = "".join(t.text or "" for t in element.iter("{*}text"))
                lines.append((element.get("ref", ""), text))
        elif "comments" in parts:
            root = self._package.tree(parts["comments"])
            lines = [
                (element.get("ref", ""), _text(element)) for element in root.iter("{*}comment")
            ]
        told = [f"{place}: {' '.join(text.split())}" for place, text in lines if text.strip()]
        return "\n".join(["Comments", *told]) if told else ""

    def drawn(self, part: str) -> str:
        """What the text boxes and charts laid over a sheet say."""
        texts: list[str] = []
        for kind, drawing in self._package.relations(part).values():
            if kind != "drawing":
                continue
            relations = self._package.relations(drawing)
            for element in self._package.tree(drawing).iter("{*}txBody", "{*}chart"):
                if local(element) == "txBody":
                    texts.append(clean(paragraphs_text(element)))
                    continue
                kind, chart = relations.get(attribute(element, "id"), ("", ""))
                if kind == "chart":
                    texts.append(chart_text(self._package.tree(chart)))
        return "\n\n".join(filter(None, texts))

    def _behind(self, part: str) -> tuple[dict[int, list[tuple[int, int]]], list[CellRange]]:
        """What is stated behind the rows, so the part is looked through before it is read.

        (column, last row) of the cells that begin in a row and reach over several; and the
        ranges whose colours are not those of their cells' styles.
        """
        found: dict[int, list[tuple[int, int]]] = {}
        coloured = list(self._tables(part))
        count, rest = 0, b""
        with self._package.open(part) as stream:
            while (block := stream.read(_BLOCK)) and count < _MOST_MERGED:
                block = rest + block
                end = 0
                for match in _MERGED.finditer(block) if b"mergeCell" in block else ():
                    end = match.end()
                    first, last = int(match[2]), int(match[3])
                    if last > first:
                        count += 1
                        column = min(column_of(match[1].decode()), _MOST_COLUMN)
                        found.setdefault(first, []).append((column, last))
                for match in _COLOURED.finditer(block) if b"sqref" in block else ():
                    end = max(end, match.end())
                    if len(coloured) < _MOST_COLOURED:
                        coloured += ranges(match[1].decode(errors="replace"))
                rest = block[max(end, len(block) - 4_000) :]
        return found, coloured

    def _tables(self, part: str) -> Iterator[CellRange]:
        """The header rows of a sheet's tables, whose style paints them, and all of dark ones."""
        for kind, target in self._package.relations(part).values():
            if kind != "table":
                continue
            root = self._package.tree(target)
            style = next((e.get("name", "") for e in root.iter("{*}tableStyleInfo")), "")
            for place in ranges(root.get("ref", "")):
                yield place if "Dark" in style else place._replace(last_row=place.first_row)

    def _read(self) -> Iterator[tuple[str, str]]:
        """Reads what all sheets share; (name, part) of each sheet that is shown."""
        main = next(
            (
                part
                for kind, part in self._package.relations("").values()
                if "fficeDocument" in kind
            ),
            "xl/workbook.xml",
        )
        book = self._package.tree(main)
        relations = self._package.relations(main)
        theme: dict[str, Colour] = {}
        for kind, part in relations.values():
            if kind == "theme":
                theme = theme_colours(self._package.tree(part))
        for kind, part in relations.values():
            if kind == "sharedStrings":
                self._strings = list(self._read_strings(part))
            elif kind == "styles":
                self._styles = list(cell_styles(self._package.tree(part), theme))
        for element in book.iter():
            if not isinstance(element.tag, str):
                continue
            if local(element) == "workbookPr" and element.get("date1904") in ("1", "true"):
                self._epoch = datetime(1904, 1, 1)
            if local(element) != "sheet":
                continue
            name = one_line(element.get("name", ""))
            _, part = relations.get(attribute(element, "id"), ("", ""))
            if element.get("state", "visible") != "visible":
                self._hidden.append(name)
            elif part and "worksheet" in relations[attribute(element, "id")][0]:
                yield name, part

    def _read_strings(self, part: str) -> Iterator[str]:
        with self._package.open(part) as stream:
            for number, item in enumerate(stream_xml(stream, f"{_X}si", f"{_STRICT}si")):
                text = _text(item)
                if (marked := _text(item, mark=True)) != text:
                    self._pale[number] = marked
                yield text

    def _cells(self, row: Any, number: int, coloured: list[CellRange]) -> list[str]:
        cells: list[str] = []
        for cell in elements(row):
            if local(cell) != "c":
                continue
            found = _REFERENCE.fullmatch(cell.get("r", ""))
            column = min(column_of(found[1]), _MOST_COLUMN) if found else len(cells)
            style = cell.get("s", "0")
            index = int(style) if style.isdecimal() and len(style) < 7 else 0
            looks = self._styles[index] if index < len(self._styles) else _PLAIN
            text = self._shown(cell, looks)
            if text:
                if looks.unseen and not any(place.holds(number, column) for place in coloured):
                    text = concealed(text, looks.unseen)
                cells.extend([""] * (column + 1 - len(cells)))
                cells[column] = text
            elif not found:
                cells.append("")
        return cells

    def _shown(self, cell: Any, looks: CellStyle) -> str:
        kind = cell.get("t", "n")
        value: str | None = None
        has_formula = False
        for child in elements(cell):
            name = local(child)
            if name == "v":
                value = child.text
            elif name == "f":
                has_formula = True
            elif name == "is":
                return _text(child, mark=looks.pale)
        if value is None:
            self._without_result += has_formula
            return ""
        if kind == "s":
            index = int(value) if value.strip().isdecimal() else -1
            if looks.pale and index in self._pale:
                return self._pale[index]
            return self._strings[index] if 0 <= index < len(self._strings) else ""
        if kind == "b":
            return _BOOLEANS.get(value, value)
        if kind in ("str", "e", "d"):
            return value[:LONGEST_CELL]
        return shown_number(value, looks.shown_as, self._epoch)


def _text(item: Any, *, mark: bool = False) -> str:
    """A rich text, without the pronunciation of East Asian words; cut to a cell's length.

    With `mark`, words that are white by themselves are marked as hidden.
    """
    texts = []
    for element in item.iter(f"{_X}t", f"{_STRICT}t"):
        parent = element.getparent()
        if local(parent) == "rPh":
            continue
        text = element.text or ""
        if mark and text and local(parent) == "r":
            colour = run_colour(parent)
            text = concealed(text, HIDDEN) if colour and alike(colour, WHITE) else text
        texts.append(text)
    return "".join(texts)[:LONGEST_CELL]


def _hidden_columns(element: Any) -> range:
    """The columns, counted from 0, that a `col` element says are not shown."""
    if not _is_folded(element, "width"):
        return range(0)
    ends = [element.get(name, "") for name in ("min", "max")]
    if not all(end.isdecimal() and len(end) < 7 for end in ends):
        return range(0)
    return range(max(0, int(ends[0]) - 1), min(int(ends[1]), _MOST_COLUMN))


def _is_folded(element: Any, size: str) -> bool:
    """Whether a row or column is hidden, or too low or narrow to show anything."""
    if element.get("hidden", "0") in ("1", "true"):
        return True
    try:
        return float(element.get(size, "10")) < _LEAST_HEIGHT
    except ValueError:
        return False

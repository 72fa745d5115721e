"""XLSX: every sheet's rows, as they are shown, streamed from the package.

Read from the XML here, not with a library: openpyxl refuses workbooks whose
styles it does not know, and calamine takes memory for all cells between the
first and the last, which one stray cell makes seventeen billion.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

from ingest.loaders.cleaning import one_line, title_or_name
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
from ingest.loaders.tables import LONGEST_CELL, LONGEST_LABEL, Row, row_of, table_pages
from storage.records import Page, ParsedDocument

SUFFIXES = (".xlsx", ".xlsm", ".xltx")
LOADER_VERSION = "xlsx-2"

_WHAT = "Excel workbook"
_X = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_STRICT = "{http://purl.oclc.org/ooxml/spreadsheetml/main}"
_REFERENCE = re.compile(r"\$?([A-Z]{1,3})\$?(\d+)")
_DATE_FORMATS = frozenset([*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)])
_BUILT_IN = {46: "[h]:mm:ss", 1: "0", 2: "0.00", 3: "#,##0", 4: "#,##0.00", 9: "0%", 10: "0.00%"}
_NOT_SHOWN = re.compile(r'"[^"]*"|\\.|\[[^\]]*\]|_.')
_ELAPSED = re.compile(r"\[(h+|m+|s+)\]", re.IGNORECASE)
_MERGED = re.compile(
    rb'<(?:\w{1,20}:)?mergeCell\s[^<>]{0,200}?ref="([A-Z]{1,3})(\d{1,7}):[A-Z]{1,3}(\d{1,7})"'
)
_MOST_MERGED = 20_000
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
            for page in table_pages(book.rows(part), sheet=name, start=len(pages) + 1):
                room.take(len(page.text))
                pages.append(page)
            for piece in pieces(book.comments(part), LONGEST_SECTION):
                room.take(len(piece))
                label = f"sheet {name}, comments"
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


class _Book:
    """A workbook: its sheets, shared strings and number formats."""

    def __init__(self, package: Package) -> None:
        self._package = package
        self._strings: list[str] = []
        self._formats: list[str] = []
        self._epoch = datetime(1899, 12, 30)
        self._hidden: list[str] = []
        self._without_result = 0
        self.sheets = tuple(self._read())

    def warnings(self) -> Iterator[str]:
        """What of the book was not read."""
        if self._hidden:
            yield f"Hidden sheets were not read: {', '.join(self._hidden[:10])}."
        if self._without_result:
            yield (
                f"Formulas without a stored result, which were not read: {self._without_result:,}; "
                "open the file in a spreadsheet program and save it."
            )

    def rows(self, part: str) -> Iterator[Row]:
        """The rows of a sheet that are not empty."""
        number = 0
        merged = self._merged(part)
        # By column: the last row that a cell reaches down to, and its text.
        reaching: dict[int, tuple[int, str]] = {}
        with self._package.open(part) as stream:
            for row in stream_xml(stream, f"{_X}row", f"{_STRICT}row"):
                stated = row.get("r", "")
                number = int(stated) if stated.isdecimal() else number + 1
                cells = self._cells(row)
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
                yield row_of(number, cells)

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

    def _merged(self, part: str) -> dict[int, list[tuple[int, int]]]:
        """(column, last row) of the cells that begin in a row and reach over several.

        They are stated behind the rows, so the part is looked through before it is read.
        """
        found: dict[int, list[tuple[int, int]]] = {}
        count, rest = 0, b""
        with self._package.open(part) as stream:
            while (block := stream.read(_BLOCK)) and count < _MOST_MERGED:
                block = rest + block
                end = 0
                for match in _MERGED.finditer(block):
                    end = match.end()
                    first, last = int(match[2]), int(match[3])
                    if last > first:
                        count += 1
                        column = min(_column(match[1].decode()), _MOST_COLUMN)
                        found.setdefault(first, []).append((column, last))
                rest = block[max(end, len(block) - 200) :]
        return found

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
        for kind, part in relations.values():
            if kind == "sharedStrings":
                self._strings = list(self._read_strings(part))
            elif kind == "styles":
                self._formats = list(self._read_formats(part))
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
            for item in stream_xml(stream, f"{_X}si", f"{_STRICT}si"):
                yield _text(item)

    def _read_formats(self, part: str) -> Iterator[str]:
        """The number format of each cell style, in order."""
        root = self._package.tree(part)
        own = {
            element.get("numFmtId", ""): element.get("formatCode", "")
            for element in root.iter()
            if isinstance(element.tag, str) and local(element) == "numFmt"
        }
        for styles in elements(root):
            if local(styles) != "cellXfs":
                continue
            for style in elements(styles):
                number = style.get("numFmtId", "0")
                known = int(number) if number.isdecimal() else 0
                built_in = "yyyy-mm-dd" if known in _DATE_FORMATS else _BUILT_IN.get(known, "")
                yield own.get(number, built_in)

    def _cells(self, row: Any) -> list[str]:
        cells: list[str] = []
        for cell in elements(row):
            if local(cell) != "c":
                continue
            found = _REFERENCE.fullmatch(cell.get("r", ""))
            column = min(_column(found[1]), _MOST_COLUMN) if found else len(cells)
            text = self._shown(cell)
            if text:
                cells.extend([""] * (column + 1 - len(cells)))
                cells[column] = text
            elif not found:
                cells.append("")
        return cells

    def _shown(self, cell: Any) -> str:
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
                return _text(child)
        if value is None:
            self._without_result += has_formula
            return ""
        if kind == "s":
            index = int(value) if value.strip().isdecimal() else -1
            return self._strings[index] if 0 <= index < len(self._strings) else ""
        if kind == "b":
            return _BOOLEANS.get(value, value)
        if kind in ("str", "e", "d"):
            return value[:LONGEST_CELL]
        style = cell.get("s", "0")
        index = int(style) if style.isdecimal() else 0
        return self._number(value, self._formats[index] if index < len(self._formats) else "")

    def _number(self, value: str, shown_as: str) -> str:
        try:
            number = float(value)
        except ValueError:
            return value[:LONGEST_CELL]
        if elapsed := _ELAPSED.search(shown_as):
            return _duration(number, elapsed[1][0].lower(), shown_as.lower())
        bare = _NOT_SHOWN.sub("", shown_as.split(";")[0]).lower()
        if any(mark in bare for mark in "ymdhs") and "general" not in bare:
            return self._moment(number) or value
        decimals = len(re.match(r"[0#?]*", bare.partition(".")[2])[0])  # type: ignore[index]
        if "%" in bare:
            return f"{_rounded(number, decimals, shift=2)}%"
        if "e" in bare and "general" not in bare:
            return f"{number:.{min(decimals, 15)}e}"
        if "." in bare and decimals:
            return _rounded(number, decimals)
        return f"{number:.15g}" if abs(number) < 1e15 else value

    def _moment(self, days: float) -> str:
        """A date, a time, or both; empty for no date that there is."""
        try:
            moment = self._epoch + timedelta(seconds=round(days * 86_400))
        except (OverflowError, ValueError):
            return ""
        if 0 <= days < 1:
            return moment.strftime("%H:%M:%S").removesuffix(":00")
        if (moment.hour, moment.minute, moment.second) == (0, 0, 0):
            return date(moment.year, moment.month, moment.day).isoformat()
        return moment.isoformat(" ").removesuffix(":00")


def _rounded(number: float, decimals: int, shift: int = 0) -> str:
    """A number as Excel shows it: fifteen digits of it, rounded half up."""
    if not abs(number) < 1e15:
        return f"{number:g}"
    exact = Decimal(f"{number:.15g}").scaleb(shift)
    return f"{exact.quantize(Decimal(1).scaleb(-min(decimals, 6)), ROUND_HALF_UP):f}"


def _duration(days: float, unit: str, shown_as: str) -> str:
    """A time that passed, as hours (`36:00`), minutes or seconds."""
    if not abs(days) < 1e9:
        return f"{days:g}"
    sign, seconds = "-" if days < 0 else "", round(abs(days) * 86_400)
    if unit == "s":
        return f"{sign}{seconds}"
    minutes, rest = divmod(seconds, 60)
    told = f":{rest:02d}" if "s" in shown_as.replace("[s", "") else ""
    if unit == "m":
        return f"{sign}{minutes}{told}"
    return f"{sign}{minutes // 60}:{minutes % 60:02d}{told}"


def _text(item: Any) -> str:
    """A rich text, without the pronunciation of East Asian words; cut to a cell's length."""
    texts = (
        element.text or ""
        for element in item.iter(f"{_X}t", f"{_STRICT}t")
        if local(element.getparent()) != "rPh"
    )
    return "".join(texts)[:LONGEST_CELL]


def _column(letters: str) -> int:
    """0 for A, 25 for Z, 26 for AA."""
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number - 1

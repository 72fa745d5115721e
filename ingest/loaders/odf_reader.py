"""The content of OpenDocument files: headings, paragraphs, lists, tables, charts, in order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from ingest.loaders.cleaning import one_line
from ingest.loaders.colours import WHITE, from_hex
from ingest.loaders.hidden_text import concealed
from ingest.loaders.odf_numbers import Counters, Numbers
from ingest.loaders.odf_styles import Look, Styles
from ingest.loaders.packages import Package, attribute, elements, local
from ingest.loaders.sections import Block, table
from ingest.loaders.tables import LONGEST_CELL, LONGEST_LABEL, CellRange, ranges
from storage.flags import HIDDEN

_MOST_REPEATED = 1_024
"""Columns. What stands in more of them fills a row's end, not a table."""

_ROW_GROUPS = frozenset(["table-rows", "table-header-rows", "table-row-group"])
_COLUMN_GROUPS = frozenset(["table-columns", "table-header-columns", "table-column-group"])
_LEAST_MARGIN = 15
"""Letters. Headers and footers with fewer are page numbers."""
_LONGEST_ITEM = 200
"""Characters. A longer item of a list is a clause, which stands by itself."""
_SKIPPED = frozenset(
    "tracked-changes annotation annotation-end sequence-decls forms variable-decls"
    " user-field-decls table-of-content alphabetical-index illustration-index ruby-text"
    " deletion notes-configuration settings".split()
)


class Reader:
    """Reads the content of one file with its styles."""

    def __init__(self, path: Path, package: Package, content: Any) -> None:
        self.path = path
        self._package = package
        self.furniture = package.tree("styles.xml") if "styles.xml" in package.names else None
        roots = [root for root in (self.furniture, content) if root is not None]
        self.styles = Styles(*roots)
        self._numbers = Numbers(self.styles)
        self._in_cell = False
        self.comments: list[str] = []
        """Met so far."""
        self.hidden: list[str] = []
        """Sheets that were not read, or slides that were."""
        self.folded: list[str] = []
        """Sheets with hidden rows and columns, and how many."""

    def text(self, content: Any) -> Iterator[Block]:
        """The body of a text, then its comments and what heads and foots its pages."""
        yield from self.blocks(content, Look(ground=self._paper()))
        if self.comments:
            yield Block("Comments", 1)
            yield Block("\n".join(self.comments))
        margins: dict[str, None] = {}
        if self.furniture is not None:
            for master in self.furniture.iter("{*}master-page"):
                for margin in elements(master):
                    if local(margin).startswith(("header", "footer")):
                        for block in self.blocks(margin, Look(ground=None)):
                            if sum(map(str.isalpha, block.text)) >= _LEAST_MARGIN:
                                margins[block.text] = None
        if margins:
            yield Block("Headers and footers", 1)
            yield Block("\n".join(margins))

    def _paper(self) -> Any:
        """The colour of the paper; None where pages differ or have a picture."""
        if self.furniture is None:
            return WHITE
        grounds = set()
        for layout in self.furniture.iter("{*}page-layout-properties"):
            stated = attribute(layout, "background-color", "transparent")
            plain = stated == "transparent"
            pictured = any(
                local(child) == "background-image" and len(child.attrib) > 0
                for child in elements(layout)
            )
            fill = attribute(layout, "fill", "none")
            if pictured or fill in ("bitmap", "gradient", "hatch"):
                return None
            grounds.add(WHITE if plain else from_hex(stated))
        return grounds.pop() if len(grounds) == 1 else WHITE if not grounds else None

    def blocks(self, parent: Any, look: Look) -> Iterator[Block]:
        """Headings, paragraphs, lists and tables in order; what change tracking deleted is not."""
        for element in elements(parent):
            name = local(element)
            if name == "annotation":
                self._note_comment(element)
            if name in _SKIPPED:
                continue
            if name == "h":
                level = _level(element)
                yield Block(self._told(element, look, self._numbers.heading(element, level)), level)
            elif name == "p":
                yield Block(self._told(element, look))
                yield from self._framed(element, look)
            elif name == "list":
                yield from self._list(element, look)
            elif name == "table":
                yield table(cells for _, cells, _ in self.numbered_rows(element, look))
            elif name == "object":
                yield from self._object(element)
            else:
                yield from self.blocks(element, self.inside(element, look))

    def inside(self, element: Any, look: Look) -> Look:
        """How letters look inside a section, a frame or a shape."""
        name = local(element)
        if name == "section" and attribute(element, "display") in ("none", "condition"):
            hidden = (
                attribute(element, "display") == "none" or attribute(element, "is-hidden") == "true"
            )
            return replace(look, kind=HIDDEN) if hidden else look
        style = attribute(element, "style-name")
        if not style or name in ("section", "text-box"):
            return look
        for family in ("graphic", "presentation"):
            told = self.styles.of(family, style)
            if told:
                ground = self.styles.painted(told, look.ground)
                if name == "image" or any(True for _ in element.iter("{*}image")):
                    ground = None
                return self.styles.letters(told, replace(look, ground=ground))
        return look

    def _object(self, element: Any) -> Iterator[Block]:
        """A chart or a table that lies in the file as a file of its own: title and figures."""
        part = attribute(element, "href").removeprefix("./").rstrip("/") + "/content.xml"
        if part not in self._package.names:
            return
        root = self._package.tree(part)
        titles = [
            " ".join(self._text(p, Look()) for p in title.iter("{*}p"))
            for title in root.iter("{*}title", "{*}subtitle")
        ]
        told = False
        for rows in root.iter("{*}table"):
            told = True
            yield table(
                (cells for _, cells, _ in self.numbered_rows(rows, Look())),
                one_line(" – ".join(filter(None, titles))),
            )
        if titles and not told:
            yield Block("\n".join(titles))

    def _note_comment(self, annotation: Any) -> None:
        text = " ".join(self._text(p, Look()) for p in annotation.iter("{*}p")).strip()
        who = next(("".join(e.itertext()) for e in annotation.iter("{*}creator")), "")
        if text:
            self.comments.append(f"{who}: {text}" if who else text)

    def _framed(self, paragraph: Any, look: Look) -> Iterator[Block]:
        """The text boxes and charts that hang on a paragraph."""
        for box in paragraph.iter("{*}text-box", "{*}object"):
            if any(local(above) == "text-box" for above in box.iterancestors()):
                continue
            if local(box) == "object":
                yield from self._object(box)
                continue
            frame = box.getparent()
            yield from self.blocks(box, self.inside(frame, replace(look, ground=None)))

    def _list(self, element: Any, look: Look) -> Iterator[Block]:
        """One block of lines; the headings of a numbered outline are lists of one heading each."""
        style = attribute(element, "style-name")
        counters = self._numbers.begin(element, style)
        lines: list[str] = []
        for block in self._items(element, style, 0, counters, look):
            if block.level or len(block.text) > _LONGEST_ITEM:
                if lines:
                    yield Block("\n".join(lines))
                    lines = []
                yield block
            else:
                lines.append(block.text)
        if lines:
            yield Block("\n".join(lines))

    def _items(
        self, element: Any, style: str, depth: int, counters: Counters, look: Look
    ) -> Iterator[Block]:
        for item in elements(element):
            number: str | None = None if local(item) == "list-item" else ""
            mark = "- "
            for child in elements(item):
                if local(child) == "list":
                    inner = attribute(child, "style-name") or style
                    yield from self._items(child, inner, depth + 1, counters, look)
                elif local(child) in ("p", "h"):
                    if number is None:
                        number = self._numbers.item(item, style, depth, counters)
                        mark = f"{number} " if number else mark
                    if local(child) == "h":
                        if text := self._told(child, look, number):
                            yield Block(text, _level(child))
                    elif text := self._text(child, self.styles.look(child, look)).strip():
                        yield Block(f"{'  ' * depth}{mark}{text}")
                        mark = "  "
                    elif number and self._in_cell:
                        # A column of numbers has no text but these.
                        yield Block(number)
                    yield from self._framed(child, look)

    def _told(self, element: Any, look: Look, number: str = "") -> str:
        """A paragraph or heading, with its number before it where it has text."""
        text = self._text(element, self.styles.look(element, look))
        return f"{number} {text.strip()}" if number and text.strip() else text

    def _text(self, element: Any, look: Look) -> str:
        """The text of a paragraph; notes stand in brackets where they are called."""
        for field in element.iter("{*}hidden-paragraph"):
            if attribute(field, "is-hidden") == "true":
                look = replace(look, kind=HIDDEN)
        parts = [look.marked(element.text or "")]
        for child in element:
            name = local(child) if isinstance(child.tag, str) else ""
            if name == "s":
                count = attribute(child, "c", "1")
                parts.append(" " * (min(int(count), 100) if count.isdecimal() else 1))
            elif name == "tab":
                parts.append("\t")
            elif name == "line-break":
                parts.append("\n")
            elif name == "note":
                note = " ".join(
                    self._text(p, self.styles.look(p, look))
                    for body in child.iter("{*}note-body")
                    for p in body.iter("{*}p")
                )
                parts.append(f" [{note.strip()}]")
            elif name == "annotation":
                self._note_comment(child)
            elif name == "hidden-text":
                text = attribute(child, "string-value") or "".join(child.itertext())
                parts.append(concealed(text, HIDDEN))
            elif name and name not in _SKIPPED and name not in ("text-box", "object"):
                parts.append(self._text(child, self.styles.look(child, look)))
            parts.append(look.marked(child.tail or ""))
        return "".join(parts)

    def numbered_rows(self, element: Any, look: Look) -> Iterator[tuple[int, list[str], bool]]:
        """(number, cells, is hidden) of each row that is not empty, those of groups too."""
        number = 1
        # By column: the last row that a cell reaches down to, and its text.
        reaching: dict[int, tuple[int, str]] = {}
        usual = list(_column_styles(element))
        coloured = [
            place
            for format_ in element.iter("{*}conditional-format")
            for place in ranges(attribute(format_, "target-range-address"))
        ]
        coloured += _table_heads(element)
        for row in _own_rows(element):
            cells: list[str] = []
            filled = 0
            row_style = attribute(row, "default-cell-style-name")
            for cell in elements(row):
                if local(cell) not in ("table-cell", "covered-table-cell"):
                    continue
                at = len(cells)
                style = attribute(cell, "style-name") or row_style
                style = style or (usual[at] if at < len(usual) else "")
                inside = self.styles.cell_look(style, look) if style else look
                if any(place.holds(number, at) for place in coloured):
                    inside = replace(inside, ground=None)
                around, self._in_cell = self._in_cell, True
                text = "\n".join(b.text for b in self.blocks(cell, inside) if b.text)
                self._in_cell = around
                times = repeated(cell, "number-columns-repeated")
                rows_down = repeated(cell, "number-rows-spanned")
                if rows_down > 1 and 0 < len(text) <= LONGEST_LABEL:
                    reaching[at] = (number + rows_down - 1, text)
                elif local(cell) == "covered-table-cell" and not text:
                    last, label = reaching.get(at, (0, ""))
                    if number <= last:
                        cells.append(label)
                        filled += 1
                        times -= 1
                cells += [text[:LONGEST_CELL]] * min(times, _MOST_REPEATED)
            if sum(map(bool, cells)) > filled:
                # Rows that say the same are told once.
                yield number, cells, attribute(row, "visibility") in ("collapse", "filter")
            number += repeated(row, "number-rows-repeated")


def _level(element: Any) -> int:
    stated = attribute(element, "outline-level", "1")
    return int(stated) if stated.isdecimal() and 0 < int(stated) < 11 else 1


def _column_styles(element: Any) -> Iterator[str]:
    """The style of the cells of each column, where they have none of their own."""
    for column in columns_of(element):
        times = min(repeated(column, "number-columns-repeated"), _MOST_REPEATED)
        yield from [attribute(column, "default-cell-style-name")] * times


def _table_heads(sheet: Any) -> Iterator[CellRange]:
    """The header rows of the tables on a sheet, which programs paint by styles of their own."""
    above = sheet.getparent()
    if above is None or local(above) != "spreadsheet":
        return
    name = attribute(sheet, "name")
    for area in above.iter("{*}database-range"):
        stated = attribute(area, "target-range-address")
        if stated.startswith((f"{name}.", f"'{name}'.", f"${name}.")):
            yield from (place._replace(last_row=place.first_row) for place in ranges(stated))


def columns_of(element: Any) -> Iterator[Any]:
    for child in elements(element):
        if local(child) == "table-column":
            yield child
        elif local(child) in _COLUMN_GROUPS:
            yield from columns_of(child)


def _own_rows(element: Any) -> Iterator[Any]:
    """The rows of a table, those of groups and headers too; not those of tables in its cells."""
    for child in elements(element):
        if local(child) == "table-row":
            yield child
        elif local(child) in _ROW_GROUPS:
            yield from _own_rows(child)


def repeated(element: Any, name: str) -> int:
    stated = attribute(element, name, "1")
    return max(1, int(stated)) if stated.isdecimal() and len(stated) < 10 else 1

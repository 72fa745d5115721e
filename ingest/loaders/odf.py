"""ODT, ODS and ODP: the texts, sheets and slides of OpenDocument, and their templates."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ingest.loaders.cleaning import clean, one_line, title_or_name
from ingest.loaders.packages import Package, attribute, elements, local, reading
from ingest.loaders.reading import Room, damaged, without_text
from ingest.loaders.sections import LONGEST_SECTION, Block, pieces, sections, table
from ingest.loaders.tables import LONGEST_CELL, LONGEST_LABEL, Row, row_of, table_pages
from storage.records import Page, ParsedDocument

SUFFIXES = (".odt", ".ott", ".ods", ".ots", ".odp", ".otp")
LOADER_VERSION = "odf-2"

_WHAT = "OpenDocument file"
_MOST_REPEATED = 1_024
"""Columns. What stands in more of them fills a row's end, not a table."""

_ROW_GROUPS = frozenset(["table-rows", "table-header-rows", "table-row-group"])
_SKIPPED = frozenset(
    "tracked-changes annotation annotation-end sequence-decls forms variable-decls"
    " user-field-decls table-of-content alphabetical-index illustration-index ruby-text"
    " deletion notes-configuration settings".split()
)
_FURNITURE = frozenset(["date-time", "footer", "page-number", "header"])
_METADATA = {
    "title": "title",
    "creator": "author",
    "initial-creator": "author",
    "subject": "subject",
    "keyword": "keywords",
    "language": "lang",
    "creation-date": "created",
    "date": "modified",
}


def load(path: Path) -> ParsedDocument:
    """Reads an OpenDocument file; raises DocumentUnreadable (`encrypted`, `damaged`, ...)."""
    with Package(path, _WHAT) as package, reading(path, _WHAT):
        _check_encryption(package)
        body = package.tree("content.xml").find("{*}body")
        if body is None:
            raise damaged(path, f"is damaged or is no {_WHAT}")
        stated = _stated(package)
        pages: tuple[Page, ...] = ()
        for content in elements(body):
            kind = local(content)
            if kind == "spreadsheet":
                pages = tuple(_sheets(path, content))
            elif kind in ("presentation", "drawing"):
                pages = tuple(_slides(content))
            else:
                pages = sections(_blocks(content))
    if not pages:
        raise without_text(path)
    heading = pages[0].heading.partition(" › ")[0] if kind == "text" else ""
    return ParsedDocument(
        title=title_or_name(stated.pop("title", "") or heading, path.stem),
        pages=pages,
        paged=False,
        parser=LOADER_VERSION,
        metadata=stated,
    )


def _check_encryption(package: Package) -> None:
    if "META-INF/manifest.xml" in package.names:
        manifest = package.tree("META-INF/manifest.xml")
        if any(True for _ in manifest.iter("{*}encryption-data")):
            raise RuntimeError("encrypted")


def _stated(package: Package) -> dict[str, str]:
    from lxml import etree  # type: ignore[import-untyped]

    try:
        root = package.tree("meta.xml")
    except (KeyError, etree.LxmlError):
        return {}
    found: dict[str, str] = {}
    for element in root.iter():
        name = _METADATA.get(local(element)) if isinstance(element.tag, str) else None
        text = one_line("".join(element.itertext())) if name else ""
        if name == "keywords" and text and "keywords" in found:
            found[name] += f", {text}"
        elif name and text:
            found.setdefault(name, text)
    return found


def _blocks(parent: Any) -> Iterator[Block]:
    """Headings, paragraphs, lists and tables in order; what change tracking deleted is not."""
    for element in elements(parent):
        name = local(element)
        if name in _SKIPPED:
            continue
        if name == "h":
            level = attribute(element, "outline-level", "1")
            yield Block(_text(element), int(level) if level.isdecimal() else 1)
        elif name == "p":
            yield Block(_text(element))
            yield from _framed(element)
        elif name == "list":
            yield from _list(element)
        elif name == "table":
            yield table(_rows(element))
        else:
            yield from _blocks(element)


def _framed(paragraph: Any) -> Iterator[Block]:
    """The text boxes that hang on a paragraph."""
    for box in paragraph.iter("{*}text-box"):
        if not any(local(above) == "text-box" for above in box.iterancestors()):
            yield from _blocks(box)


def _list(element: Any) -> Iterator[Block]:
    """One block of lines; the headings of a numbered outline are lists of one heading each."""
    lines: list[str] = []
    for block in _items(element, 0):
        if block.level:
            if lines:
                yield Block("\n".join(lines))
                lines = []
            yield block
        else:
            lines.append(block.text)
    if lines:
        yield Block("\n".join(lines))


def _items(element: Any, depth: int) -> Iterator[Block]:
    for item in elements(element):
        mark = "- "
        for child in elements(item):
            if local(child) == "list":
                yield from _items(child, depth + 1)
            else:
                blocks = [child] if local(child) in ("p", "h") else []
                for block in blocks:
                    text = _text(block).strip()
                    if local(block) == "h" and text:
                        level = attribute(block, "outline-level", "1")
                        yield Block(text, int(level) if level.isdecimal() else 1)
                    elif text:
                        yield Block(f"{'  ' * depth}{mark}{text}")
                        mark = "  "


def _text(element: Any) -> str:
    """The text of a paragraph; notes stand in brackets where they are called."""
    parts = [element.text or ""]
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
                _text(p) for body in child.iter("{*}note-body") for p in body.iter("{*}p")
            )
            parts.append(f" [{note.strip()}]")
        elif name and name not in _SKIPPED and name != "text-box":
            parts.append(_text(child))
        parts.append(child.tail or "")
    return "".join(parts)


def _rows(element: Any) -> Iterator[list[str]]:
    """The rows of a table in a text or on a slide."""
    for number, cells in _numbered_rows(element):
        del number
        yield cells


def _sheets(path: Path, spreadsheet: Any) -> Iterator[Page]:
    room = Room(path)
    start = 1
    for element in elements(spreadsheet):
        if local(element) != "table":
            continue
        name = one_line(attribute(element, "name"))
        rows: Iterator[Row] = (row_of(number, cells) for number, cells in _numbered_rows(element))
        for page in table_pages(rows, sheet=name, start=start):
            room.take(len(page.text))
            start += 1
            yield page


def _numbered_rows(element: Any) -> Iterator[tuple[int, list[str]]]:
    """(number, cells) of each row that is not empty, rows of groups and headers too."""
    number = 1
    # By column: the last row that a cell reaches down to, and its text.
    reaching: dict[int, tuple[int, str]] = {}
    for row in _own_rows(element):
        cells: list[str] = []
        filled = 0
        for cell in elements(row):
            if local(cell) not in ("table-cell", "covered-table-cell"):
                continue
            text = "\n".join(block.text for block in _blocks(cell) if block.text)
            times = _repeated(cell, "number-columns-repeated")
            rows_down = _repeated(cell, "number-rows-spanned")
            if rows_down > 1 and 0 < len(text) <= LONGEST_LABEL:
                reaching[len(cells)] = (number + rows_down - 1, text)
            elif local(cell) == "covered-table-cell" and not text:
                last, label = reaching.get(len(cells), (0, ""))
                if number <= last:
                    cells.append(label)
                    filled += 1
                    times -= 1
            cells += [text[:LONGEST_CELL]] * min(times, _MOST_REPEATED)
        if sum(map(bool, cells)) > filled:
            # Rows that say the same are told once.
            yield number, cells
        number += _repeated(row, "number-rows-repeated")


def _own_rows(element: Any) -> Iterator[Any]:
    """The rows of a table, those of groups and headers too; not those of tables in its cells."""
    for child in elements(element):
        if local(child) == "table-row":
            yield child
        elif local(child) in _ROW_GROUPS:
            yield from _own_rows(child)


def _repeated(element: Any, name: str) -> int:
    stated = attribute(element, name, "1")
    return max(1, int(stated)) if stated.isdecimal() and len(stated) < 10 else 1


def _slides(presentation: Any) -> Iterator[Page]:
    pages = 0
    for number, slide in enumerate(presentation.iter("{*}page"), start=1):
        title = ""
        texts: list[str] = []
        for frame in elements(slide):
            kind = attribute(frame, "class")
            if local(frame) == "notes":
                for child in list(elements(frame)):
                    if attribute(child, "class") in _FURNITURE:
                        frame.remove(child)
            if kind in _FURNITURE:
                continue
            notes = local(frame) == "notes"
            text = clean("\n".join(block.text for block in _blocks(frame) if block.text.strip()))
            if notes and text:
                texts.append(f"Notes: {text}")
            elif kind == "title" and text and not title:
                title = one_line(text)
            elif text:
                texts.append(text)
        for piece in pieces("\n\n".join(filter(None, [title, *texts])), LONGEST_SECTION):
            pages += 1
            yield Page(pages, piece, label=f"slide {number}", heading=title)

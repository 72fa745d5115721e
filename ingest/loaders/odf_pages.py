"""Sheets and slides of OpenDocument as pages."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from ingest.loaders.cleaning import clean, one_line
from ingest.loaders.colours import WHITE, Colour
from ingest.loaders.odf_reader import Reader, columns_of, repeated
from ingest.loaders.odf_styles import Look, points
from ingest.loaders.packages import attribute, elements, local
from ingest.loaders.reading import Room
from ingest.loaders.sections import LONGEST_SECTION, Block, pieces
from ingest.loaders.tables import Row, counted, row_of, table_pages
from storage.flags import OFF_PAGE
from storage.records import Page

_FURNITURE = frozenset(["date-time", "footer", "page-number", "header"])
_MOST_REPEATED = 1_024


def sheets(reader: Reader, spreadsheet: Any) -> Iterator[Page]:
    """The pages of a workbook."""
    room = Room(reader.path)
    start = 1
    for element in elements(spreadsheet):
        if local(element) != "table":
            continue
        name = one_line(attribute(element, "name"))
        told = reader.styles.of("table", attribute(element, "style-name"))
        if told.get("table:display") == "false":
            reader.hidden.append(name)
            continue
        folded = frozenset(_folded_columns(element))
        for page in table_pages(
            _sheet_rows(reader, element, name, folded), sheet=name, start=start
        ):
            room.take(len(page.text))
            start += 1
            yield page
        drawn = [
            block.text
            for shapes in element.findall("{*}shapes")
            for block in reader.blocks(shapes, Look(ground=None))
        ]
        for what, text in (
            ("comments", "\n".join(["Comments", *reader.comments] if reader.comments else [])),
            ("drawings", clean("\n\n".join(filter(str.strip, drawn)))),
        ):
            for piece in pieces(text, LONGEST_SECTION):
                room.take(len(piece))
                yield Page(start, piece, label=f"sheet {name}, {what}", heading=name)
                start += 1
        reader.comments = []


def _sheet_rows(reader: Reader, element: Any, name: str, folded: frozenset[int]) -> Iterator[Row]:
    hidden_rows = 0
    filled: set[int] = set()
    for number, cells, is_hidden in reader.numbered_rows(element, Look()):
        hidden_rows += is_hidden
        filled.update(folded.intersection(n for n, cell in enumerate(cells) if cell))
        yield row_of(number, cells, is_hidden=is_hidden, hidden_columns=folded)
    if filled or hidden_rows:
        rows = counted(hidden_rows, "row")
        reader.folded.append(f"{name} ({rows}, {counted(len(filled), 'column')})")


def _folded_columns(element: Any) -> Iterator[int]:
    """The columns, from 0, that are not shown."""
    at = 0
    for column in columns_of(element):
        times = repeated(column, "number-columns-repeated")
        if attribute(column, "visibility") in ("collapse", "filter"):
            yield from range(at, min(at + times, at + _MOST_REPEATED))
        at += times


def slides(reader: Reader, presentation: Any) -> Iterator[Page]:
    """The slides of a presentation, each with its notes last."""
    pages = 0
    for number, slide in enumerate(presentation.iter("{*}page"), start=1):
        told = reader.styles.of("drawing-page", attribute(slide, "style-name"))
        label = f"slide {number}"
        if told.get("drawing-page:visibility") == "hidden":
            label += " (hidden)"
            reader.hidden.append(str(number))
        ground, size = _slide_ground(reader, slide, told)
        title, texts = _slide(reader, slide, ground, size)
        for piece in pieces("\n\n".join(filter(None, [title, *texts])), LONGEST_SECTION):
            pages += 1
            yield Page(pages, piece, label=label, heading=title)


def _slide(
    reader: Reader, slide: Any, ground: Colour | None, size: tuple[float, float] | None
) -> tuple[str, list[str]]:
    title = ""
    texts: list[str] = []
    for frame in elements(slide):
        kind = attribute(frame, "class")
        notes = local(frame) == "notes"
        if notes:
            for child in list(elements(frame)):
                if attribute(child, "class") in _FURNITURE:
                    frame.remove(child)
        if kind in _FURNITURE:
            continue
        look = Look(ground=None if notes else ground)
        if not notes and size is not None and _is_beside(frame, size):
            look = replace(look, kind=OFF_PAGE)
        inside = reader.inside(frame, look)
        found = _blocks_of(reader, frame, inside)
        text = clean("\n".join(block.text for block in found if block.text.strip()))
        if notes and text:
            texts.append(f"Notes: {text}")
        elif kind == "title" and text and not title:
            title = one_line(text)
        elif text:
            texts.append(text)
        if (not notes and inside.ground != ground) or any(True for _ in frame.iter("{*}image")):
            ground = None  # what comes later may lie on this
    return title, texts


def _blocks_of(reader: Reader, element: Any, look: Look) -> Iterator[Block]:
    """The blocks of a shape; a table on a slide has a style that paints it."""
    painted = any(attribute(inner, "template-name") for inner in element.iter("{*}table"))
    return reader.blocks(element, replace(look, ground=None) if painted else look)


def _slide_ground(
    reader: Reader, slide: Any, told: Any
) -> tuple[Colour | None, tuple[float, float] | None]:
    """(the colour of a slide's background, its width and height in points)."""
    ground: Colour | None = reader.styles.painted(told, WHITE)
    size = None
    name = attribute(slide, "master-page-name")
    if reader.furniture is None:
        return ground, size
    for master in reader.furniture.iter("{*}master-page"):
        if attribute(master, "name") != name:
            continue
        if told.get("drawing-page:fill") in (None, "none"):
            above = reader.styles.of("drawing-page", attribute(master, "style-name"))
            ground = reader.styles.painted(above, WHITE)
        if any(
            "drawing:1.0}" in shape.tag and not attribute(shape, "class")
            for shape in elements(master)
        ):
            ground = None  # pictures and bars of the master
        layout = attribute(master, "page-layout-name")
        for candidate in reader.furniture.iter("{*}page-layout"):
            if attribute(candidate, "name") == layout:
                for told_size in candidate.iter("{*}page-layout-properties"):
                    width = points(attribute(told_size, "page-width"))
                    height = points(attribute(told_size, "page-height"))
                    size = (width, height) if width and height else None
    return ground, size


def _is_beside(frame: Any, size: tuple[float, float]) -> bool:
    """Whether a shape lies wholly beside its slide."""
    if attribute(frame, "transform"):
        return False
    left, top = points(attribute(frame, "x")), points(attribute(frame, "y"))
    width, height = points(attribute(frame, "width")), points(attribute(frame, "height"))
    if left is None or top is None:
        return False
    return (
        left >= size[0]
        or top >= size[1]
        or (left + (width or 0.0) <= 0 and left < 0)
        or (top + (height or 0.0) <= 0 and top < 0)
    )

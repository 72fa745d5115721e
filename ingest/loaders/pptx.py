"""PPTX: each slide with its title, texts, tables, charts and notes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ingest.loaders.cleaning import clean, one_line, title_or_name
from ingest.loaders.packages import (
    Package,
    attribute,
    core_properties,
    elements,
    local,
    parse_xml,
    reading,
)
from ingest.loaders.reading import Room, without_text
from ingest.loaders.sections import LONGEST_SECTION, pieces, table
from storage.records import Page, ParsedDocument

SUFFIXES = (".pptx", ".pptm", ".ppsx", ".potx")
LOADER_VERSION = "pptx-1"

_WHAT = "PowerPoint presentation"
_TITLES = frozenset(["title", "ctrTitle"])
_REPEATED = frozenset(["dt", "ftr", "sldNum", "hdr", "sldImg"])
"""Placeholders that say the same on every slide: date, footer, number."""

_SHAPES = frozenset(["sp", "grpSp", "graphicFrame", "pic", "cxnSp", "AlternateContent", "Choice"])


def load(path: Path) -> ParsedDocument:
    """Reads a presentation; raises DocumentUnreadable (`encrypted`, `damaged`, ...)."""
    pages: list[Page] = []
    empty = 0
    with Package(path, _WHAT) as package, reading(path, _WHAT):
        room = Room(path)
        for number, part in enumerate(_slides(package), start=1):
            title, text = _slide(package, part)
            if not text:
                empty += 1
            for piece in pieces(text, LONGEST_SECTION):
                room.take(len(piece))
                pages.append(Page(len(pages) + 1, piece, label=f"slide {number}", heading=title))
        stated = core_properties(package)
    if not pages:
        raise without_text(path)
    return ParsedDocument(
        title=title_or_name(stated.pop("title", "") or pages[0].heading, path.stem),
        pages=tuple(pages),
        paged=False,
        parser=LOADER_VERSION,
        metadata=stated,
        warnings=(f"{empty} of {number} slides hold no text.",) if empty else (),
    )


def _slides(package: Package) -> Iterator[str]:
    """The parts of the slides, in the order of the presentation."""
    main = next(
        (part for kind, part in package.relations("").values() if kind == "officeDocument"),
        "ppt/presentation.xml",
    )
    relations = package.relations(main)
    for element in package.tree(main).iter():
        if isinstance(element.tag, str) and local(element) == "sldId":
            reference = next(
                (v for k, v in element.attrib.items() if k.endswith("}id")), element.get("id", "")
            )
            kind, part = relations.get(reference, ("", ""))
            if kind == "slide":
                yield part


def _slide(package: Package, part: str) -> tuple[str, str]:
    """(title, text) of a slide; its title comes first, its notes last."""
    relations = package.relations(part)
    title = ""
    texts: list[str] = []
    for shape in _shapes(package.tree(part)):
        kind = _placeholder(shape)
        if kind in _REPEATED:
            continue
        text = clean(_text(package, shape, relations))
        if kind in _TITLES and text and not title:
            title = one_line(text)
        elif text:
            texts.append(text)
    for kind, target in relations.values():
        if kind == "notesSlide":
            texts += _notes(package, target)
    return title, "\n\n".join(filter(None, [title, *texts]))


def _notes(package: Package, part: str) -> Iterator[str]:
    for shape in _shapes(package.tree(part)):
        text = clean(_paragraphs(shape)) if _placeholder(shape) == "body" else ""
        if text:
            yield f"Notes: {text}"


def _shapes(root: Any) -> Iterator[Any]:
    """The shapes that hold something, those of groups too, in the order they were laid down."""
    for element in elements(root):
        if local(element) in ("cSld", "spTree", "grpSp", "AlternateContent", "Choice"):
            yield from _shapes(element)
        elif local(element) in _SHAPES:
            yield element


def _placeholder(shape: Any) -> str:
    for element in shape.iter("{*}ph"):
        return str(element.get("type", "obj"))
    return ""


def _text(package: Package, shape: Any, relations: dict[str, tuple[str, str]]) -> str:
    kind = local(shape)
    if kind == "pic":
        return _description(shape)
    if kind != "graphicFrame":
        return _paragraphs(shape)
    found = [table(_rows(element)).text for element in shape.iter("{*}tbl")]
    for element in shape.iter("{*}chart", "{*}relIds"):
        reference = attribute(element, "id") or attribute(element, "dm")
        related, part = relations.get(reference, ("", ""))
        if related == "chart":
            found.append(_chart(parse_xml(package.read(part))))
        elif related == "diagramData":
            found.append(_paragraphs(package.tree(part)))
    return "\n\n".join(filter(None, found))


def _description(picture: Any) -> str:
    """The words that stand for a picture, unless a program made them up."""
    for element in picture.iter("{*}cNvPr"):
        return one_line(element.get("descr", "")) if " " in element.get("descr", "") else ""
    return ""


def _paragraphs(shape: Any) -> str:
    """The paragraphs of a shape, list items indented by their level."""
    lines = []
    for paragraph in shape.iter("{*}p"):
        text = "".join(_runs(paragraph)).strip()
        properties = paragraph.find("{*}pPr")
        level = properties.get("lvl", "0") if properties is not None else "0"
        depth = min(int(level), 8) if level.isdecimal() else 0
        if text:
            lines.append(f"{'  ' * (depth - 1)}- {text}" if depth else text)
    return "\n".join(lines)


def _runs(paragraph: Any) -> Iterator[str]:
    for element in paragraph.iter("{*}t", "{*}br", "{*}tab"):
        if element.tag.endswith("main}t") and "drawingml" in element.tag:
            yield element.text or ""
        elif element.tag.endswith("}br"):
            yield "\n"


def _rows(element: Any) -> Iterator[list[str]]:
    for row in element.iter("{*}tr"):
        yield [_paragraphs(cell).replace("\n", " ") for cell in row.iter("{*}tc")]


def _chart(root: Any) -> str:
    """A chart's title and the figures behind it, one line a category."""
    title = " ".join(
        _paragraphs(element).replace("\n", " ")
        for chart in root.iter("{*}chart")
        for element in elements(chart)
        if local(element) == "title"
    )
    series = []
    categories: list[str] = []
    for element in root.iter("{*}ser"):
        name = " ".join(
            point.text or "" for tx in element.findall("{*}tx") for point in tx.iter("{*}v")
        )
        values = _points(element, "val", "yVal")
        categories = _points(element, "cat", "xVal") or categories
        series.append((one_line(name), values))
    if not series or not any(values for _, values in series):
        return title
    length = max(len(values) for _, values in series)
    rows = [["", *(name for name, _ in series)]] if any(name for name, _ in series) else []
    for at in range(length):
        row = [values[at] if at < len(values) else "" for _, values in series]
        rows.append([categories[at] if at < len(categories) else "", *row])
    return table(rows, title).text


def _points(series: Any, *names: str) -> list[str]:
    for name in names:
        for element in series.findall(f"{{*}}{name}"):
            return [one_line(point.text or "") for point in element.iter("{*}v")]
    return []

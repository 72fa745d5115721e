"""PPTX: each slide with its title, texts, tables, charts and notes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ingest.loaders.cleaning import clean, one_line, title_or_name
from ingest.loaders.drawing import Judge, chart_text, paragraphs_text
from ingest.loaders.packages import (
    Package,
    attribute,
    core_properties,
    elements,
    local,
    reading,
)
from ingest.loaders.pptx_sight import Deck
from ingest.loaders.reading import Room, without_text
from ingest.loaders.sections import LONGEST_SECTION, pieces, table
from storage.records import Page, ParsedDocument

SUFFIXES = (".pptx", ".pptm", ".ppsx", ".potx")
LOADER_VERSION = "pptx-2"

_WHAT = "PowerPoint presentation"
_TITLES = frozenset(["title", "ctrTitle"])
_REPEATED = frozenset(["dt", "ftr", "sldNum", "hdr", "sldImg"])
"""Placeholders that say the same on every slide: date, footer, number."""

_SHAPES = frozenset(["sp", "grpSp", "graphicFrame", "pic", "cxnSp", "AlternateContent", "Choice"])


def load(path: Path) -> ParsedDocument:
    """Reads a presentation; raises DocumentUnreadable (`encrypted`, `damaged`, ...)."""
    pages: list[Page] = []
    empty = 0
    hidden: list[str] = []
    with Package(path, _WHAT) as package, reading(path, _WHAT):
        room = Room(path)
        main = _main(package)
        deck = Deck(package, main)
        for number, part in enumerate(_slides(package, main), start=1):
            root = package.tree(part)
            title, text = _slide(package, part, root, deck)
            label = f"slide {number}"
            if not text:
                empty += 1
            elif root.get("show") in ("0", "false"):
                hidden.append(str(number))
                label += " (hidden)"
            for piece in pieces(text, LONGEST_SECTION):
                room.take(len(piece))
                pages.append(Page(len(pages) + 1, piece, label=label, heading=title))
        stated = core_properties(package)
    if not pages:
        raise without_text(path)
    warnings = [f"{empty} of {number} slides hold no text."] if empty else []
    if hidden:
        warnings.append(f"Hidden slides are read, and marked as such: {', '.join(hidden[:20])}.")
    return ParsedDocument(
        title=title_or_name(stated.pop("title", "") or pages[0].heading, path.stem),
        pages=tuple(pages),
        paged=False,
        parser=LOADER_VERSION,
        metadata=stated,
        warnings=tuple(warnings),
    )


def _main(package: Package) -> str:
    return next(
        (part for kind, part in package.relations("").values() if kind == "officeDocument"),
        "ppt/presentation.xml",
    )


def _slides(package: Package, main: str) -> Iterator[str]:
    """The parts of the slides, in the order of the presentation."""
    relations = package.relations(main)
    for element in package.tree(main).iter():
        if isinstance(element.tag, str) and local(element) == "sldId":
            reference = next(
                (v for k, v in element.attrib.items() if k.endswith("}id")), element.get("id", "")
            )
            kind, part = relations.get(reference, ("", ""))
            if kind == "slide":
                yield part


def _slide(package: Package, part: str, root: Any, deck: Deck) -> tuple[str, str]:
    """(title, text) of a slide; its title comes first, its notes last."""
    relations = package.relations(part)
    sight = deck.sight(part, root)
    title = ""
    texts: list[str] = []
    for shape in _shapes(root):
        kind = _placeholder(shape)
        if kind in _REPEATED:
            continue
        text = clean(_text(package, shape, relations, sight.judge(shape)))
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
        text = clean(paragraphs_text(shape)) if _placeholder(shape) == "body" else ""
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


def _text(package: Package, shape: Any, relations: dict[str, tuple[str, str]], judge: Judge) -> str:
    kind = local(shape)
    if kind == "pic":
        return _description(shape)
    if kind != "graphicFrame":
        return paragraphs_text(shape, judge)
    found = [table(_rows(element, judge)).text for element in shape.iter("{*}tbl")]
    for element in shape.iter("{*}chart", "{*}relIds"):
        reference = attribute(element, "id") or attribute(element, "dm")
        related, part = relations.get(reference, ("", ""))
        if related == "chart":
            found.append(chart_text(package.tree(part)))
        elif related == "diagramData":
            found.append(paragraphs_text(package.tree(part)))
    return "\n\n".join(filter(None, found))


def _description(picture: Any) -> str:
    """The words that stand for a picture, unless a program made them up."""
    for element in picture.iter("{*}cNvPr"):
        return one_line(element.get("descr", "")) if " " in element.get("descr", "") else ""
    return ""


def _rows(element: Any, judge: Judge) -> Iterator[list[str]]:
    for row in element.iter("{*}tr"):
        yield [paragraphs_text(cell, judge).replace("\n", " ") for cell in row.iter("{*}tc")]

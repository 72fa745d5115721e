"""EPUB: the chapters of a book in reading order, named as its contents name them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ingest.loaders.cleaning import one_line, title_or_name
from ingest.loaders.html import read_markup
from ingest.loaders.packages import (
    Package,
    attribute,
    elements,
    local,
    parse_xml,
    reading,
    resolved,
)
from ingest.loaders.reading import Room, shown, without_text
from ingest.loaders.sections import Block, sections
from storage.errors import DocumentUnreadable
from storage.records import Page, ParsedDocument

SUFFIXES = (".epub",)
LOADER_VERSION = "epub-2"

_WHAT = "EPUB book"
_CONTAINER = "META-INF/container.xml"
_ENCRYPTION = "META-INF/encryption.xml"
_METADATA = {
    "title": "title",
    "creator": "author",
    "language": "lang",
    "date": "date",
    "subject": "keywords",
}


def load(path: Path) -> ParsedDocument:
    """Reads a book; raises DocumentUnreadable (`encrypted`, `damaged`, ...)."""
    pages: list[Page] = []
    missing = 0
    with Package(path, _WHAT) as package, reading(path, _WHAT):
        book = _Book(package)
        room = Room(path)
        for chapter, part in enumerate(book.spine(), start=1):
            if part not in package.names or part in book.locked:
                missing += 1
                continue
            blocks = _blocks(package.read(part), book.names.get(part, ""))
            for page in sections(blocks):
                room.take(len(page.text))
                # A chapter that names itself nowhere is told by its place in the book.
                label = "" if page.heading else f"chapter {chapter}"
                pages.append(Page(len(pages) + 1, page.text, label, page.heading))
    if not pages and book.locked:
        raise DocumentUnreadable(
            f"{shown(path)} is protected against copying; put a copy without protection there.",
            kind="encrypted",
        )
    if not pages:
        raise without_text(path)
    return ParsedDocument(
        title=title_or_name(book.stated.pop("title", ""), path.stem),
        pages=tuple(pages),
        paged=False,
        parser=LOADER_VERSION,
        metadata=book.stated,
        warnings=(f"Chapters that are missing or protected: {missing}.",) if missing else (),
    )


class _Book:
    """What a book says about itself: its parts, their order and their names."""

    def __init__(self, package: Package) -> None:
        self._package = package
        container = package.tree(_CONTAINER)
        self._main = next(element.get("full-path", "") for element in container.iter("{*}rootfile"))
        self._root = package.tree(self._main)
        self._parts: dict[str, str] = {}
        contents = []
        for item in self._root.iter("{*}item"):
            part = resolved(self._main, item.get("href", ""))
            self._parts[item.get("id", "")] = part
            if "nav" in item.get("properties", "").split() or "ncx" in item.get("media-type", ""):
                contents.append(part)
        self.stated = self._stated()
        self.names = self._names(contents)
        self.locked = self._locked()

    def spine(self) -> Iterator[str]:
        """The parts in reading order; the book's own list of contents is none of its text."""
        for reference in self._root.iter("{*}itemref"):
            part = self._parts.get(reference.get("idref", ""))
            if part and part not in self._contents:
                yield part

    def _stated(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for metadata in self._root.iter("{*}metadata"):
            for element in elements(metadata):
                name = _METADATA.get(local(element))
                text = one_line("".join(element.itertext())) if name else ""
                if name in ("keywords", "author") and text and name in found:
                    found[name] += f", {text}"
                elif name and text:
                    found.setdefault(name, text)
        return found

    def _names(self, contents: list[str]) -> dict[str, str]:
        """The name that the contents give to the beginning of each part."""
        names: dict[str, str] = {}
        self._contents = frozenset(contents)
        for part in contents:
            if part not in self._package.names:
                continue
            for target, name in _entries(parse_xml(self._package.read(part))):
                if name:
                    names.setdefault(resolved(part, target), name)
        return names

    def _locked(self) -> frozenset[str]:
        """The parts that are encrypted; fonts often are, and nobody minds."""
        if _ENCRYPTION not in self._package.names:
            return frozenset()
        root = self._package.tree(_ENCRYPTION)
        return frozenset(
            resolved("", element.get("URI", "")) for element in root.iter("{*}CipherReference")
        )


def _entries(root: Any) -> Iterator[tuple[str, str]]:
    """(reference, name) of each line of the contents, in the old form (NCX) or the new one."""
    for point in root.iter("{*}navPoint"):
        label = next(iter(point.iter("{*}text")), None)
        content = next(iter(point.iter("{*}content")), None)
        if label is not None and content is not None:
            yield content.get("src", ""), one_line("".join(label.itertext()))
    for nav in root.iter("{*}nav"):
        if attribute(nav, "type", "toc") == "toc":
            for link in nav.iter("{*}a"):
                yield link.get("href", ""), one_line("".join(link.itertext()))


def _blocks(content: bytes, name: str) -> list[Block]:
    """The blocks of a part, led by the name that the contents give it if it lacks one."""
    blocks = read_markup(content).blocks
    if not name or not blocks:
        return blocks
    if any(block.level for block in blocks):
        return blocks
    if " ".join(blocks[0].text.split()).casefold() == name.casefold():
        return [Block(blocks[0].text, 1), *blocks[1:]]
    return [Block(name, 1), *blocks]

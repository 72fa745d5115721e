"""HTML: headings, paragraphs, lists and tables, without what only browsers need."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ingest.loaders.cleaning import one_line, title_or_name
from ingest.loaders.reading import damaged, read_bytes, without_text
from ingest.loaders.sections import Block, sections
from storage.records import ParsedDocument

if TYPE_CHECKING:
    from bs4 import BeautifulSoup, Tag

SUFFIXES = (".html", ".htm", ".xhtml")
LOADER_VERSION = "html-1"

_DROPPED = frozenset(
    "script style nav noscript template head svg canvas iframe object audio video"
    " button select input textarea".split()
)
_BLOCKS = frozenset(
    "p div section article main aside header footer blockquote figure figcaption address form"
    " fieldset details summary dl dt dd hr body center li tr td th tbody thead tfoot caption"
    " html legend hgroup search".split()
)
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_WIDE_MARKS = (b"\xff\xfe", b"\xfe\xff")
_UNSEEN_STYLE = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_METADATA = ("author", "description", "date", "keywords")


def load(path: Path) -> ParsedDocument:
    """Reads an HTML file in the encoding it states, or a guess; raises DocumentUnreadable."""
    content = read_bytes(path)
    if b"\0" in content and not content.startswith(_WIDE_MARKS):
        raise damaged(path, "holds binary data, although its name says it is HTML")
    import bs4
    from lxml import etree  # type: ignore[import-untyped]

    try:
        soup = bs4.BeautifulSoup(content, "lxml")
        blocks = list(_Walk().blocks(soup))
    except RecursionError as exc:
        raise damaged(path, "nests its elements too deeply to be read") from exc
    pages = sections(blocks)
    if not pages:
        raise without_text(path)
    replaced = sum(block.text.count("\ufffd") for block in blocks)
    stated = soup.title.get_text() if soup.title else ""
    heading = next((block.text for block in blocks if block.level == 1), "")
    return ParsedDocument(
        title=title_or_name(stated if stated.strip() else heading, path.stem),
        pages=pages,
        paged=False,
        parser=f"beautifulsoup4 {bs4.__version__}, lxml {'.'.join(map(str, etree.LXML_VERSION))}",
        metadata=_metadata(soup),
        warnings=(
            (f"{replaced} characters are not valid in its encoding and were replaced.",)
            if replaced
            else ()
        ),
    )


def visible_text(markup: str) -> str:
    """The text of a piece of HTML, one line a block; for HTML inside Markdown."""
    import bs4

    soup = bs4.BeautifulSoup(markup, "lxml")
    return "\n".join(block.text for block in _Walk().blocks(soup))


def _metadata(soup: BeautifulSoup) -> dict[str, str]:
    found: dict[str, str] = {}
    for meta in soup.find_all("meta"):
        name = str(meta.get("name") or "").lower()
        if name in _METADATA and meta.get("content"):
            found.setdefault(name, one_line(str(meta["content"])))
    return found


class _Walk:
    """Gathers inline text until a block begins or ends."""

    def __init__(self) -> None:
        self._inline: list[str] = []

    def blocks(self, element: Tag) -> Iterator[Block]:
        """The blocks of an element's content, in order."""
        yield from self._inside(element)
        yield from self._flush()

    def _inside(self, element: Tag) -> Iterator[Block]:
        from bs4.element import NavigableString, Tag

        for child in element.children:
            # Comments, doctypes and scripts are subclasses of NavigableString.
            if type(child) is NavigableString:
                self._inline.append(re.sub(r"\s+", " ", child))
            elif isinstance(child, Tag) and not _is_unseen(child):
                yield from self._element(child)

    def _element(self, tag: Tag) -> Iterator[Block]:
        name = tag.name.lower()
        if name == "br":
            self._inline.append("\n")
        elif name == "img":
            self._inline.append(one_line(str(tag.get("alt") or "")))
        elif name in _HEADINGS:
            yield from self._flush()
            yield Block(_joined(_Walk().blocks(tag), " "), _HEADINGS[name])
        elif name == "pre":
            yield from self._flush()
            yield Block(tag.get_text())
        elif name in ("ul", "ol", "menu"):
            yield from self._flush()
            yield from _list(tag, ordered=name == "ol")
        elif name == "table" and not tag.find(["table", *_HEADINGS]):
            yield from self._flush()
            yield Block(_table(tag))
        elif name in _BLOCKS or name == "table":
            yield from self._flush()
            yield from self._inside(tag)
            yield from self._flush()
        else:
            yield from self._inside(tag)

    def _flush(self) -> Iterator[Block]:
        text = re.sub(r" *\n *", "\n", re.sub(r" {2,}", " ", "".join(self._inline))).strip()
        self._inline.clear()
        if text:
            yield Block(text)


def _list(tag: Tag, *, ordered: bool) -> Iterator[Block]:
    """One block of lines, or the items' own blocks where there are headings among them."""
    from bs4 import Tag

    lines: list[str] = []
    for child in tag.children:
        if not isinstance(child, Tag) or _is_unseen(child):
            continue
        nested = child.name in ("ul", "ol", "menu")
        blocks = list(_list(child, ordered=child.name == "ol") if nested else _Walk().blocks(child))
        if any(block.level for block in blocks):
            if lines:
                yield Block("\n".join(lines))
                lines = []
            yield from blocks
            continue
        text = _joined(blocks, "\n").replace("\n", "\n  ")
        if text:
            mark = f"{len(lines) + 1}." if ordered else "-"
            lines.append(f"  {text}" if nested else f"{mark} {text}")
    if lines:
        yield Block("\n".join(lines))


def _table(tag: Tag) -> str:
    """One line a row, its cells joined by bars; empty rows and cells without text go."""
    lines = []
    for row in tag.find_all("tr"):
        if not _is_unseen(row):
            cells = row.find_all(["td", "th"])
            texts = [_joined(_Walk().blocks(cell), " ").replace("\n", " ") for cell in cells]
            lines.append(" | ".join(text for text in texts if text))
    caption = tag.find("caption")
    if caption:
        lines.insert(0, one_line(caption.get_text(" ")))
    return "\n".join(line for line in lines if line)


def _joined(blocks: Iterator[Block] | list[Block], separator: str) -> str:
    return separator.join(block.text for block in blocks)


def _is_unseen(tag: Tag) -> bool:
    """True for what a reader of the page does not see."""
    return (
        tag.name.lower() in _DROPPED
        or tag.has_attr("hidden")
        or bool(_UNSEEN_STYLE.search(str(tag.get("style") or "")))
    )

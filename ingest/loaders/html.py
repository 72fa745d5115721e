"""HTML: headings, paragraphs, lists and tables, without what only browsers need."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ingest.loaders.cleaning import one_line, title_or_name
from ingest.loaders.counting import lettered, roman
from ingest.loaders.encodings import meant
from ingest.loaders.hidden_markup import mark_concealed
from ingest.loaders.reading import damaged, read_bytes, without_text
from ingest.loaders.sections import Block, sections, table
from ingest.loaders.tables import LONGEST_LABEL
from ingest.loaders.text import encoding_of
from storage.errors import DocumentUnreadable
from storage.records import ParsedDocument

if TYPE_CHECKING:
    from bs4 import BeautifulSoup, Tag

SUFFIXES = (".html", ".htm", ".xhtml")
LOADER_VERSION = "html-5"

_DROPPED = frozenset(
    "script style nav noscript template head svg canvas iframe object audio video"
    " button select input textarea".split()
)
_BLOCKS = frozenset(
    "p div section article main aside header footer blockquote figure figcaption address form"
    " fieldset details summary dl dt dd hr body center li tr td th tbody thead tfoot caption"
    " html legend hgroup search table".split()
)
_LISTS = frozenset(["ul", "ol", "menu"])
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_NUMERALS: dict[str, Callable[[int], str]] = {
    "a": lettered,
    "A": lambda number: lettered(number).upper(),
    "i": roman,
    "I": lambda number: roman(number).upper(),
}
_MOST_SPANNED = 100
_WIDE_MARKS = (b"\xff\xfe", b"\xfe\xff")
_UNSEEN_STYLE = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_METADATA = {
    "author": "author",
    "description": "description",
    "keywords": "keywords",
    "date": "date",
    "dc.date": "date",
    "dcterms.date": "date",
    "dcterms.created": "date",
    "article:published_time": "date",
    "article:modified_time": "modified",
    "dcterms.modified": "modified",
}
"""The names and properties of `meta` elements that are read."""


def load(path: Path) -> ParsedDocument:
    """Reads an HTML file in the encoding it states, or a guess; raises DocumentUnreadable."""
    content = read_bytes(path)
    if b"\0" in content and not content.startswith(_WIDE_MARKS):
        raise damaged(path, "holds binary data, although its name says it is HTML")
    import bs4
    from lxml import etree  # type: ignore[import-untyped]

    try:
        markup = read_markup(content)
    except RecursionError as exc:
        raise damaged(path, "nests its elements too deeply to be read") from exc
    pages = sections(markup.blocks)
    if not pages:
        raise without_text(path)
    replaced = sum(block.text.count("\ufffd") for block in markup.blocks)
    heading = next((block.text for block in markup.blocks if block.level == 1), "")
    return ParsedDocument(
        title=title_or_name(markup.title or heading, path.stem),
        pages=pages,
        paged=False,
        parser=f"beautifulsoup4 {bs4.__version__}, lxml {'.'.join(map(str, etree.LXML_VERSION))}",
        metadata=markup.metadata,
        warnings=(
            (f"Characters that are not valid in its encoding were replaced: {replaced}.",)
            if replaced
            else ()
        ),
    )


class Markup(NamedTuple):
    """What a piece of HTML says."""

    blocks: list[Block]
    title: str
    """Of its head; empty for none."""
    metadata: dict[str, str]


def read_markup(content: bytes | str) -> Markup:
    """The blocks of HTML or XHTML; of bytes in the encoding they state, or a guess."""
    import bs4

    markup = decoded_markup(content) if isinstance(content, bytes) else content
    soup = bs4.BeautifulSoup(markup, "lxml")
    mark_concealed(soup)
    title = one_line(soup.title.get_text()) if soup.title else ""
    return Markup(list(_Walk().blocks(soup)), title, _metadata(soup))


def decoded_markup(content: bytes) -> str:
    """HTML or XHTML in the encoding it states, as browsers take that name, else in a guess."""
    from bs4.dammit import EncodingDetector

    marked = EncodingDetector.strip_byte_order_mark(content)[1]
    stated = marked or EncodingDetector.find_declared_encoding(content, is_html=True) or ""
    encoding = meant(stated)
    # A statement that can be read byte by byte is not in UTF-16; wrong ones are common.
    if not marked and (not encoding or encoding.startswith("utf-16") or _is_wrong(content)):
        try:
            encoding = encoding_of(Path("page"), content)
        except DocumentUnreadable:
            encoding = "utf-8"
    return content.decode(encoding or "utf-8", errors="replace").lstrip("\ufeff")


def _is_wrong(content: bytes) -> bool:
    """Whether the bytes are UTF-8 whatever they state; nothing else looks like it."""
    if content.isascii():
        return False
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def visible_text(markup: str) -> str:
    """The text of a piece of HTML, one line a block; for HTML inside Markdown."""
    import bs4

    soup = bs4.BeautifulSoup(markup, "lxml")
    return "\n".join(block.text for block in _Walk().blocks(soup))


def _metadata(soup: BeautifulSoup) -> dict[str, str]:
    found: dict[str, str] = {}
    for meta in soup.find_all("meta"):
        name = _METADATA.get(str(meta.get("name") or meta.get("property") or "").lower())
        if name and meta.get("content"):
            found.setdefault(name, one_line(str(meta["content"])))
    if soup.html is not None and soup.html.get("lang"):
        found["lang"] = one_line(str(soup.html["lang"]))
    return found


class _Walk:
    """Gathers inline text until a block begins or ends."""

    def __init__(self) -> None:
        self._inline: list[str] = []

    def blocks(self, element: Tag) -> Iterator[Block]:
        """The blocks of an element's content, in order.

        Without recursion: pages with unclosed tags nest thousands deep.
        """
        from bs4.element import NavigableString, Tag

        # What is still to come at each depth, and whether leaving it ends a block.
        open_elements = [(iter(element.children), True)]
        while open_elements:
            children, is_block = open_elements[-1]
            child = next(children, None)
            if child is None:
                open_elements.pop()
                if is_block:
                    yield from self._flush()
            # Comments, doctypes and scripts are subclasses of NavigableString.
            elif type(child) is NavigableString:
                self._inline.append(re.sub(r"\s+", " ", child))
            elif isinstance(child, Tag) and not _is_unseen(child):
                whole = self._whole(child)
                if whole is not None:
                    yield from whole
                    continue
                starts_block = child.name.lower() in _BLOCKS
                if starts_block:
                    yield from self._flush()
                open_elements.append((iter(child.children), starts_block))

    def _whole(self, tag: Tag) -> list[Block] | None:
        """The blocks of an element that is taken as one; None for one to be entered."""
        name = tag.name.lower()
        if name == "br":
            self._inline.append("\n")
            return []
        if name == "img":
            self._inline.append(one_line(str(tag.get("alt") or "")))
            return []
        if name in _HEADINGS:
            heading = _joined(_Walk().blocks(tag), " ")
            return [*self._flush(), Block(heading, _HEADINGS[name])]
        if name == "pre":
            return [*self._flush(), Block(tag.get_text())]
        if name in _LISTS:
            return [*self._flush(), *_list(tag, ordered=name == "ol")]
        if name == "table" and (not tag.find(["table", *_HEADINGS]) or _names_columns(tag)):
            return [*self._flush(), _table(tag)]
        return None

    def _flush(self) -> Iterator[Block]:
        text = re.sub(r" *\n *", "\n", re.sub(r" {2,}", " ", "".join(self._inline))).strip()
        self._inline.clear()
        if text:
            yield Block(text)


def _list(tag: Tag, *, ordered: bool) -> Iterator[Block]:
    """One block of lines, or the items' own blocks where there are headings among them."""
    from bs4 import Tag

    lines: list[str] = []
    # By its own statement a list counts in letters, or from another number than 1.
    shown = _NUMERALS.get(str(tag.get("type") or "1"), str)
    number = _stated_number(tag.get("start"), 1)
    for child in tag.children:
        if not isinstance(child, Tag) or _is_unseen(child):
            continue
        nested = child.name in _LISTS
        blocks = list(_list(child, ordered=child.name == "ol") if nested else _Walk().blocks(child))
        if any(block.level for block in blocks):
            if lines:
                yield Block("\n".join(lines))
                lines = []
            yield from blocks
            continue
        text = _joined(blocks, "\n").replace("\n", "\n  ")
        if text:
            if nested:
                lines.append(f"  {text}")
                continue
            number = _stated_number(child.get("value"), number)
            lines.append(f"{shown(number)}. {text}" if ordered else f"- {text}")
            number += 1
    if lines:
        yield Block("\n".join(lines))


def _stated_number(stated: object, default: int) -> int:
    told = str(stated or "")
    return int(told) if told.isdecimal() and len(told) < 8 else default


def _names_columns(tag: Tag) -> bool:
    """Whether the first row names columns, as in no table that only arranges a page."""
    row = tag.find("tr")
    cells = row.find_all(["td", "th"], recursive=False) if row else []
    return len(cells) > 1 and all(cell.name == "th" for cell in cells)


def _table(tag: Tag) -> Block:
    """A table; a cell over several columns is told once, and the columns after it stay empty.

    One over several rows is told in each of them, if it is short.
    """
    rows = []
    # By column: how many rows more a cell reaches over, and what it says there.
    reaching: dict[int, tuple[int, str]] = {}
    for row in tag.find_all("tr"):
        if _is_unseen(row) or row.find_parent("table") is not tag:
            continue
        cells: list[str] = []
        for cell in row.find_all(["td", "th"]):
            if cell.find_parent("tr") is not row:
                continue
            _continue(cells, reaching)
            text = _joined(_Walk().blocks(cell), " ")
            down, across = _span(cell, "rowspan"), _span(cell, "colspan")
            for column in range(across):
                told = text if column == 0 else ""
                if down > 1:
                    kept = told if len(told) <= LONGEST_LABEL else ""
                    reaching[len(cells)] = (down - 1, kept)
                cells.append(told)
        _continue(cells, reaching)
        rows.append(cells)
    caption = tag.find("caption")
    return table(rows, one_line(caption.get_text(" ")) if caption else "")


def _continue(cells: list[str], reaching: dict[int, tuple[int, str]]) -> None:
    """Goes on with the cells of the rows above that reach into the next columns."""
    while len(cells) in reaching:
        left, text = reaching.pop(len(cells))
        if left > 1:
            reaching[len(cells)] = (left - 1, text)
        cells.append(text)


def _span(cell: Tag, name: str) -> int:
    stated = str(cell.get(name) or "1")
    return max(1, min(int(stated), _MOST_SPANNED)) if stated.isdecimal() else 1


def _joined(blocks: Iterator[Block] | list[Block], separator: str) -> str:
    return separator.join(block.text for block in blocks)


def _is_unseen(tag: Tag) -> bool:
    """True for what a reader of the page does not see."""
    return (
        tag.name.lower() in _DROPPED
        or tag.has_attr("hidden")
        or bool(_UNSEEN_STYLE.search(str(tag.get("style") or "")))
    )

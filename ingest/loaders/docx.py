"""DOCX: headings, paragraphs, lists, tables and footnotes, in document order.

python-docx opens the package and knows the styles; the text itself is gathered
from the XML here, because python-docx leaves out content controls, inserted
text under change tracking, text boxes and footnotes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ingest.loaders.cleaning import title_or_name
from ingest.loaders.docx_numbers import Numbers
from ingest.loaders.docx_sight import Sight
from ingest.loaders.docx_styles import W
from ingest.loaders.hidden_text import concealed
from ingest.loaders.packages import Package, core_properties, reading
from ingest.loaders.reading import damaged, without_text
from ingest.loaders.sections import Block, sections, table
from ingest.loaders.tables import LONGEST_LABEL
from storage.records import ParsedDocument

SUFFIXES = (".docx", ".docm", ".dotx")
LOADER_VERSION = "docx-4"

_WHAT = "Word document"

_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
_MAIN = "application/vnd.{}.main+xml"
_ALSO_WORD = (
    _MAIN.format("ms-word.document.macroEnabled"),
    _MAIN.format("ms-word.template.macroEnabledTemplate"),
    _MAIN.format("openxmlformats-officedocument.wordprocessingml.template"),
)
"""Documents with macros, which are not run, and templates."""
_CHARACTERS = {"tab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-"}
_SKIPPED = frozenset({f"{W}txbxContent", f"{W}del", f"{W}moveFrom", _FALLBACK})
_WRAPPERS = frozenset(f"{W}{name}" for name in ("sdt", "sdtContent", "customXml", "ins", "moveTo"))
_LEAST_MARGIN = 15
"""Letters. Headers and footers with fewer are page numbers."""
_MOST_BASES = 20
"""Styles based on one another; a ring of them ends here."""
_MOST_SPANNED = 63
"""Columns of a table in Word."""

_FORMULA_TEXT = "{http://schemas.openxmlformats.org/officeDocument/2006/math}t"

_LONGEST_HEADING = 200
"""Characters. Where whole clauses are styled as headings, longer ones are text below the last."""
_LONGEST_ITEM = 200
"""Characters. A longer numbered paragraph is a clause, which stands by itself."""
_WORD = re.compile(r"[^\W\d_]{3}")

_HEADING_STYLE = re.compile(r"heading (\d)$", re.IGNORECASE)
_NOTES = {"footnotes": "Footnotes", "endnotes": "Endnotes"}
_NOTE_SEPARATORS = ("separator", "continuationSeparator", "continuationNotice")


def load(path: Path) -> ParsedDocument:
    """Reads a Word document; raises DocumentUnreadable (`encrypted`, `damaged`, ...)."""
    from importlib.metadata import version

    from docx.opc.constants import CONTENT_TYPE
    from docx.opc.exceptions import OpcError
    from docx.opc.part import PartFactory
    from docx.package import Package as WordPackage
    from docx.parts.document import DocumentPart

    for content_type in _ALSO_WORD:
        PartFactory.part_type_for[content_type] = DocumentPart
    # Checked for bombs first: python-docx unpacks every part, pictures too.
    with Package(path, _WHAT) as package, reading(path, _WHAT):
        stated = core_properties(package)
        try:
            part = WordPackage.open(str(path)).main_document_part
            if part.content_type not in (CONTENT_TYPE.WML_DOCUMENT_MAIN, *_ALSO_WORD):
                raise damaged(path, f"is no {_WHAT}, although its name says so")
            document = part.document
            blocks = list(_Body(document).blocks())
        except (OpcError, OSError) as exc:
            raise damaged(path, f"is damaged or is no {_WHAT}") from exc
    pages = sections(blocks)
    if not pages:
        raise without_text(path)
    heading = next((block.text for block in blocks if block.level == 1), "")
    return ParsedDocument(
        title=title_or_name(stated.pop("title", "") or heading, path.stem),
        pages=pages,
        paged=False,
        parser=f"python-docx {version('python-docx')}",
        metadata=stated,
    )


class _Body:
    """The blocks of a document, headings recognised by their styles."""

    def __init__(self, document: Any) -> None:
        self._document = document
        self._levels: dict[str, int] = {}
        self._lists: set[str] = set()
        styles = document.styles.element
        self._numbers = Numbers(next(_parts(document, "numbering"), None), styles)
        self._sight = Sight(document.element.body, styles, list(_parts(document, "header")))
        for style in document.styles:
            name = style.name or ""
            found = _HEADING_STYLE.match(name)
            if found:
                self._levels[style.style_id] = int(found[1])
            elif name == "Title":
                self._levels[style.style_id] = 1
            elif name.startswith("List"):
                self._lists.add(style.style_id)
        elements = {style.style_id: style.element for style in document.styles}
        for name in elements:
            if name not in self._levels and (level := _outline(name, elements, self._levels)):
                self._levels[name] = level

    def blocks(self) -> Iterator[Block]:
        """Body, then notes, comments and what heads and foots the paper, under own headings."""
        yield from _joined_lists(self._content(self._document.element.body))
        yield from self._notes()
        yield from self._margins()

    def _content(self, parent: Any, *, in_cell: bool = False) -> Iterator[tuple[Block, bool]]:
        """(block, is a list item) of each paragraph and table."""
        for child in parent:
            if child.tag == f"{W}p":
                yield self._paragraph(child, in_cell=in_cell)
                for box in _boxes(child):
                    yield from self._content(box)
            elif child.tag == f"{W}tbl":
                yield table(self._rows(child)), False
            elif child.tag in _WRAPPERS:
                yield from self._content(child, in_cell=in_cell)

    def _paragraph(self, paragraph: Any, *, in_cell: bool = False) -> tuple[Block, bool]:
        text = _text(paragraph, self._sight).strip()
        number = self._numbers.before(paragraph)
        if number and (text or in_cell or _WORD.search(number)):
            # A column of numbers has no text but these, and "Article IV" may be a whole line.
            text = f"{number} {text}".strip()
        style = _style(paragraph)
        level = self._level(paragraph, style)
        if level:
            return Block(text, level if len(text) <= _LONGEST_HEADING else 0), False
        if text and number:
            return Block(text), len(text) <= _LONGEST_ITEM
        listed = number is not None or _is_listed(paragraph) or style in self._lists
        if text and listed:
            return Block(f"- {text}"), True
        return Block(text), False

    def _level(self, paragraph: Any, style: str) -> int:
        """The heading level of a paragraph, by itself or by its style; 0 for text."""
        own = paragraph.find(f"{W}pPr/{W}outlineLvl")
        return _stated_level(own) if own is not None else self._levels.get(style, 0)

    def _rows(self, element: Any) -> Iterator[list[str]]:
        """The cells of each row.

        One over several columns is told once, and the columns after it stay
        empty; one over several rows is told in each, if it is short.
        """
        above: dict[int, str] = {}
        for row in _of(element, "tr"):
            if row.find(f"{W}trPr/{W}del") is not None:
                continue
            cells: list[str] = []
            for cell in _of(row, "tc"):
                merged = cell.find(f"{W}tcPr/{W}vMerge")
                continues = merged is not None and merged.get(f"{W}val", "continue") != "restart"
                text = above.get(len(cells), "") if continues else self._cell(cell)
                above[len(cells)] = text if len(text) <= LONGEST_LABEL else ""
                cells.append(text)
                span = cell.find(f"{W}tcPr/{W}gridSpan")
                stated = span.get(f"{W}val", "1") if span is not None else "1"
                cells += [""] * (min(int(stated), _MOST_SPANNED) - 1 if stated.isdecimal() else 0)
            yield cells

    def _cell(self, cell: Any) -> str:
        texts = (block.text for block, _ in self._content(cell, in_cell=True))
        return " ".join(filter(None, texts))

    def _notes(self) -> Iterator[Block]:
        for kind, heading in _NOTES.items():
            for notes in _parts(self._document, kind):
                texts = [
                    " ".join(
                        _text(paragraph, self._sight).strip() for paragraph in note.iter(f"{W}p")
                    )
                    for note in notes
                    if note.get(f"{W}type") not in _NOTE_SEPARATORS
                ]
                if any(texts):
                    yield Block(heading, 1)
                    yield Block(
                        "\n".join(f"{n}. {text}" for n, text in enumerate(texts, 1) if text)
                    )

    def _margins(self) -> Iterator[Block]:
        """Comments, and headers and footers that say more than a page number, each once."""
        comments: dict[str, None] = {}
        for root in _parts(self._document, "comments"):
            for comment in root.iter(f"{W}comment"):
                text = " ".join(block.text for block, _ in self._content(comment)).strip()
                who = comment.get(f"{W}author", "")
                comments[f"{who}: {text}" if who and text else text] = None
        margins = {
            block.text: None
            for kind in ("header", "footer")
            for root in _parts(self._document, kind)
            for block, _ in self._content(root)
            if sum(map(str.isalpha, block.text)) >= _LEAST_MARGIN
        }
        for heading, texts in (("Comments", comments), ("Headers and footers", margins)):
            told = [text for text in texts if text]
            if told:
                yield Block(heading, 1)
                yield Block("\n".join(told))


def _parts(document: Any, kind: str) -> Iterator[Any]:
    """The roots of the document's parts of a kind."""
    from docx.oxml import parse_xml

    for relation in document.part.rels.values():
        if relation.reltype.endswith(f"/{kind}") and not relation.is_external:
            yield parse_xml(relation.target_part.blob)


def _outline(name: str, styles: dict[str, Any], levels: dict[str, int]) -> int:
    """The heading level of a style, or of one that it is based on; 0 for text."""
    for _ in range(_MOST_BASES):
        if name in levels:
            return levels[name]
        if name not in styles:
            break
        own = styles[name].find(f"{W}pPr/{W}outlineLvl")
        if own is not None:
            return _stated_level(own)
        based = styles[name].find(f"{W}basedOn")
        name = based.get(f"{W}val", "") if based is not None else ""
    return 0


def _stated_level(element: Any) -> int:
    stated = element.get(f"{W}val", "9")
    return int(stated) + 1 if stated.isdecimal() and int(stated) < 9 else 0


def _style(paragraph: Any) -> str:
    style = paragraph.find(f"{W}pPr/{W}pStyle")
    return str(style.get(f"{W}val", "")) if style is not None else ""


def _is_listed(paragraph: Any) -> bool:
    """Whether a paragraph says itself that it is of a list."""
    own = paragraph.find(f"{W}pPr/{W}numPr/{W}numId")
    return own is not None and own.get(f"{W}val", "0") != "0"


def _joined_lists(content: Iterator[tuple[Block, bool]]) -> Iterator[Block]:
    """Consecutive list items as one block."""
    items: list[str] = []
    for block, is_item in content:
        if is_item:
            items.append(block.text)
            continue
        if items:
            yield Block("\n".join(items))
            items = []
        yield block
    if items:
        yield Block("\n".join(items))


def _of(parent: Any, name: str) -> Iterator[Any]:
    """The rows of a table or the cells of a row, those in content controls too."""
    for child in parent:
        if child.tag == f"{W}{name}":
            yield child
        elif child.tag in _WRAPPERS:
            yield from _of(child, name)


def _text(element: Any, sight: Sight) -> str:
    """The text of a paragraph, without its text boxes and what change tracking deleted."""
    parts: list[str] = []
    for child in element:
        if child.tag in _SKIPPED or not isinstance(child.tag, str):
            continue
        name = child.tag.removeprefix(W)
        if name == "t" or child.tag == _FORMULA_TEXT:
            parts.append(child.text or "")
        elif name in _CHARACTERS and child.tag.startswith(W):
            parts.append(_CHARACTERS[name])
        elif name == "r" and (kind := sight.kind(child)):
            parts.append(concealed(_text(child, sight), kind))
        elif name != "pPr":
            parts.append(_text(child, sight))
    return "".join(parts)


def _boxes(paragraph: Any) -> Iterator[Any]:
    """The contents of the text boxes anchored in a paragraph, each once."""
    for box in paragraph.iter(f"{W}txbxContent"):
        above = list(box.iterancestors())
        inner = above[: above.index(paragraph)]
        if not any(element.tag in (_FALLBACK, f"{W}txbxContent") for element in inner):
            yield box

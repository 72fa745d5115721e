"""Manuscript → DOCX with real heading styles, tables, a header and a page number."""

from __future__ import annotations

import io
import zipfile
from datetime import datetime

from docx import Document
from docx.enum.style import WD_STYLE_TYPE
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Pt, RGBColor
from docx.text.paragraph import Paragraph as WordParagraph
from manuscript import Block, Heading, Items, Manuscript, PageBreak, Paragraph, Table, runs

GRID = "Light Grid Accent 1"
RED = RGBColor(0x8C, 0x2F, 0x1B)


def render(manuscript: Manuscript) -> bytes:
    """The DOCX file; the same bytes whenever and wherever it is made."""
    meta = manuscript.meta
    document = Document()
    _set_type(document)
    properties = document.core_properties
    properties.title, properties.author = meta["title"], meta["author"]
    properties.last_modified_by = meta["author"]
    properties.comments = ""
    properties.created = properties.modified = datetime.fromisoformat(meta["date"])
    section = document.sections[0]
    section.header.paragraphs[0].text = meta["header"]
    _add_page_number(section.footer.paragraphs[0])
    for block in manuscript.blocks:
        _add(document, block)
        if isinstance(block, Heading) and block.level == 1 and "subtitle" in meta:
            document.add_paragraph(meta["subtitle"], style="Subtitle")
    _drop_unused(document)
    buffer = io.BytesIO()
    document.save(buffer)
    return _settled(buffer.getvalue())


def _set_type(document: Document) -> None:
    styles = document.styles
    styles["Normal"].font.name = "Georgia"
    styles["Normal"].font.size = Pt(11)
    styles["Normal"].paragraph_format.space_after = Pt(7)
    for name in ("Title", "Subtitle", "Heading 1", "Heading 2"):
        styles[name].font.color.rgb = RED


def _drop_unused(document: Document) -> None:
    """Leave out what the template brings along: 98 table styles, old copies, a thumbnail."""
    for style in list(document.styles):
        if style.type == WD_STYLE_TYPE.TABLE and style.name not in ("Normal Table", GRID):
            style.element.getparent().remove(style.element)
    for owner in (document.part, document.part.package):
        for key, relation in list(owner.rels.items()):
            if relation.reltype.endswith(("/stylesWithEffects", "/thumbnail", "/customXml")):
                del owner.rels[key]


def _add(document: Document, block: Block) -> None:
    match block:
        case Heading(level, text):
            document.add_heading(text, level=level - 1)
        case Paragraph(text):
            _fill(document.add_paragraph(), text)
        case Items(texts, ordered):
            for text in texts:
                style = "List Number" if ordered else "List Bullet"
                _fill(document.add_paragraph(style=style), text)
        case Table():
            _add_table(document, block)
        case PageBreak():
            document.add_page_break()


def _add_table(document: Document, table: Table) -> None:
    grid = document.add_table(rows=0, cols=len(table.header), style=GRID)
    for row in (table.header, *table.rows):
        for cell, text, right in zip(grid.add_row().cells, row, table.right, strict=True):
            _fill(cell.paragraphs[0], text)
            if right:
                cell.paragraphs[0].alignment = WD_ALIGN_PARAGRAPH.RIGHT
    document.add_paragraph()


def _fill(paragraph: WordParagraph, text: str) -> None:
    for style, words in runs(text):
        run = paragraph.add_run(words)
        run.bold = style == "b" or None
        run.italic = style == "i" or None


def _add_page_number(paragraph: WordParagraph) -> None:
    field = OxmlElement("w:fldSimple")
    field.set(qn("w:instr"), "PAGE")
    paragraph.alignment = WD_ALIGN_PARAGRAPH.CENTER
    paragraph._p.append(field)


def _settled(package: bytes) -> bytes:
    """The same package, stored uncompressed and without the hour of its making.

    Compressed bytes differ between versions of zlib; stored ones do not.
    """
    settled = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(package)) as old, zipfile.ZipFile(settled, "w") as new:
        for name in old.namelist():
            info = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            info.create_system = 3
            info.external_attr = 0o644 << 16
            new.writestr(info, old.read(name))
    return settled.getvalue()

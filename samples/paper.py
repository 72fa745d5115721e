"""Manuscript → PDF with outline, page labels, running header and footer."""

from __future__ import annotations

import io
from html import escape

from manuscript import Block, Heading, Items, Manuscript, PageBreak, Paragraph, Table, runs
from reportlab.lib import colors, pagesizes
from reportlab.lib.enums import TA_RIGHT
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import (
    BaseDocTemplate,
    Flowable,
    Frame,
    ListFlowable,
    ListItem,
    PageTemplate,
    Spacer,
)
from reportlab.platypus import PageBreak as NewPage
from reportlab.platypus import Paragraph as Text
from reportlab.platypus import Table as Grid

RED = colors.HexColor("#8c2f1b")
RULE = colors.HexColor("#b9c4ca")
MARGIN = 21 * mm

BODY = ParagraphStyle(
    "body", fontName="Times-Roman", fontSize=11, leading=15.5, spaceAfter=7, alignment=0
)
CELL = ParagraphStyle("cell", BODY, fontSize=10, leading=13, spaceAfter=0)
NUMBER = ParagraphStyle("number", CELL, alignment=TA_RIGHT)
SUBTITLE = ParagraphStyle("subtitle", BODY, fontName="Times-Italic", fontSize=13, spaceAfter=14)
HEADINGS = {
    level: ParagraphStyle(
        f"heading {level}",
        fontName="Helvetica-Bold",
        fontSize=size,
        leading=size * 1.25,
        spaceBefore=before,
        spaceAfter=after,
        textColor=RED,
        keepWithNext=1,
    )
    for level, (size, before, after) in {1: (22, 0, 6), 2: (14, 12, 6), 3: (11.5, 8, 4)}.items()
}


def render(manuscript: Manuscript) -> bytes:
    """The PDF file; the same bytes whenever and wherever it is made.

    `invariant` leaves out the hour and the random id, and streams are stored
    uncompressed, since compressed bytes differ between versions of zlib.
    """
    buffer = io.BytesIO()
    paper = _Paper(buffer, manuscript.meta)
    flow: list[Flowable] = []
    for block in manuscript.blocks:
        flow.append(_flowable(block, paper.width))
        if isinstance(block, Heading) and block.level == 1 and "subtitle" in manuscript.meta:
            flow.append(Text(_inline(manuscript.meta["subtitle"]), SUBTITLE))
        if isinstance(block, Table | Items):
            flow.append(Spacer(1, 8))
    paper.build(flow)
    return buffer.getvalue()


class _Paper(BaseDocTemplate):
    """The page: margins, header, footer; notes headings in the outline as they are set."""

    def __init__(self, buffer: io.BytesIO, meta: dict[str, str]) -> None:
        super().__init__(
            buffer,
            pagesize=pagesizes.B5,
            leftMargin=MARGIN,
            rightMargin=MARGIN,
            topMargin=MARGIN,
            bottomMargin=MARGIN,
            title=meta["title"],
            author=meta["author"],
            subject=meta.get("subtitle", ""),
            invariant=1,
            pageCompression=0,
        )
        self.running_title = meta["header"]
        self.front_pages = int(meta.get("front_pages", "0"))
        frame = Frame(MARGIN, MARGIN, self.width, self.height, 0, 0, 0, 0)
        self.addPageTemplates(PageTemplate("page", [frame], onPage=self._furnish))

    def label(self, page: int) -> str:
        """The number printed on a page: i, ii in front, then 1, 2 …"""
        return "i" * page if page <= self.front_pages else str(page - self.front_pages)

    def _furnish(self, canvas: Canvas, _: BaseDocTemplate) -> None:
        page, (width, height) = canvas.getPageNumber(), self.pagesize
        if page == 1 and self.front_pages:
            canvas.addPageLabel(0, style="ROMAN_LOWER", start=1)
        if page == self.front_pages + 1:
            canvas.addPageLabel(self.front_pages, style="ARABIC", start=1)
        canvas.setFont("Helvetica", 8.5)
        canvas.setFillColor(colors.HexColor("#5b6b74"))
        canvas.drawString(MARGIN, height - 13 * mm, self.running_title)
        canvas.drawCentredString(width / 2, 11 * mm, self.label(page))
        canvas.setStrokeColor(RULE)
        canvas.line(MARGIN, height - 15 * mm, width - MARGIN, height - 15 * mm)

    def afterFlowable(self, flowable: Flowable) -> None:
        """Called by reportlab after each piece that has been set."""
        outline = getattr(flowable, "outline", None)
        if outline:
            key = f"h{self.seq.nextf('heading')}"
            self.canv.bookmarkPage(key)
            self.canv.addOutlineEntry(outline[1], key, level=outline[0] - 1)


def _flowable(block: Block, width: float) -> Flowable:
    match block:
        case Heading(level, text):
            heading = Text(_inline(text), HEADINGS[level])
            heading.outline = (level, text)
            return heading
        case Paragraph(text):
            return Text(_inline(text), BODY)
        case Items(texts, ordered):
            return ListFlowable(
                [ListItem(Text(_inline(text), BODY), spaceAfter=0) for text in texts],
                bulletType="1" if ordered else "bullet",
                bulletFormat="%s." if ordered else None,
                start=None if ordered else "•",
                bulletFontName="Times-Roman",
                bulletFontSize=11,
                leftIndent=18,
            )
        case Table():
            return _grid(block, width)
        case PageBreak():
            return NewPage()


def _grid(table: Table, width: float) -> Flowable:
    """The table, its columns as wide as their longest cells ask, within the page."""
    rows = [tuple(f"**{cell}**" if cell else "" for cell in table.header), *table.rows]
    asked = [min(max(len(row[i]) for row in rows), 48) + 8 for i in range(len(table.header))]
    cells = [
        [
            Text(_inline(cell), NUMBER if right else CELL)
            for cell, right in zip(row, table.right, strict=True)
        ]
        for row in rows
    ]
    return Grid(
        cells,
        colWidths=[width * share / sum(asked) for share in asked],
        repeatRows=1,
        style=[
            ("VALIGN", (0, 0), (-1, -1), "TOP"),
            ("LINEBELOW", (0, 0), (-1, 0), 0.9, RED),
            ("LINEBELOW", (0, 1), (-1, -1), 0.4, RULE),
            ("LEFTPADDING", (0, 0), (-1, -1), 2),
        ],
    )


def _inline(text: str) -> str:
    return "".join(
        f"<{style}>{escape(words)}</{style}>" if style else escape(words)
        for style, words in runs(text)
    )

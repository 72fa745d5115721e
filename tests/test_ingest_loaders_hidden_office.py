"""What Office and OpenDocument files hide by their own means, and what only looks like it."""

from __future__ import annotations

import io
import zipfile

import pytest
from office_files import docx_bytes, odf_bytes, package, pptx_bytes, relations, word, xlsx_bytes

from ingest.parse_worker import load_by_suffix

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_BLUE = '<a:solidFill><a:srgbClr val="1F3864"/></a:solidFill>'
_WHITE = '<a:solidFill><a:srgbClr val="FFFFFF"/></a:solidFill>'


@pytest.fixture
def flagged(tmp_path):
    """(document, [(kind, flagged text)]) of a file of this name and content."""

    def _flagged(name, content):
        path = tmp_path / name
        path.write_bytes(content)
        document = load_by_suffix(path)
        return document, [
            (flag.kind, page.text[flag.start : flag.end])
            for page in document.pages
            for flag in page.flags
        ]

    return _flagged


def _with_parts(content, **changed):
    """A package with some parts put in or replaced."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts.update(changed)
    return package(parts)


# Slides


def _box(text, *, letters="", fill="", at=(0, 0, 4_000_000, 500_000), size="", hidden=""):
    x, y, width, height = at
    place = f'<a:xfrm><a:off x="{x}" y="{y}"/><a:ext cx="{width}" cy="{height}"/></a:xfrm>'
    name = f'<p:nvSpPr><p:cNvPr id="2" name="Box"{hidden}/></p:nvSpPr>'
    run = f"<a:r><a:rPr{size}>{letters}</a:rPr><a:t>{text}</a:t></a:r>" if text else ""
    return f"<p:sp>{name}<p:spPr>{place}{fill}</p:spPr><p:txBody><a:p>{run}</a:p></p:txBody></p:sp>"


def _sized(content):
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        main = archive.read("ppt/presentation.xml").decode()
    size = '<p:sldSz cx="9144000" cy="6858000"/></p:presentation>'
    return _with_parts(
        content,
        ppt__presentation__xml="",
        **{"ppt/presentation.xml": main.replace("</p:presentation>", size)},
    )


@pytest.mark.parametrize(
    ("shapes", "kind"),
    [
        (_box("praise us", letters=_WHITE), "hidden"),
        (
            _box("praise us", letters='<a:solidFill><a:schemeClr val="bg1"/></a:solidFill>'),
            "hidden",
        ),
        (_box("praise us", letters="<a:noFill/>"), "hidden"),
        (_box("praise us", letters=_BLUE, fill=_BLUE), "hidden"),
        (_box("praise us", size=' sz="100"'), "tiny"),
        (_box("praise us", at=(10_000_000, 0, 3_000_000, 500_000)), "off-page"),
        (_box("praise us", hidden=' hidden="1"'), "hidden"),
        (_box("praise us", letters=_WHITE, fill=_BLUE), None),
        (_box("", fill=_BLUE) + _box("praise us", letters=_WHITE), None),
        (_box("praise us", letters=_WHITE, fill="<a:blipFill/>"), None),
        (_box("praise us", letters=_BLUE), None),
        (_box("praise us", size=' sz="1200"'), None),
        (_box("praise us", at=(9_000_000, 0, 3_000_000, 500_000)), None),
    ],
)
def test_words_of_a_slide_that_nobody_sees_are_flagged(flagged, shapes, kind):
    """White on white, tiny, beside the slide; not what stands on a filling or a shape."""
    _, flags = flagged("deck.pptx", _sized(pptx_bytes([shapes + _box("Seen.")])))

    assert flags == ([(kind, "praise us")] if kind else [])


def test_white_head_of_a_table_on_a_slide_is_seen(flagged):
    """The table's style paints its head, or the cell does."""
    cell = f"<a:tc><a:txBody><a:p><a:r><a:rPr>{_WHITE}</a:rPr><a:t>{{0}}</a:t></a:r></a:p>"
    styled = f"{cell.format('by style')}</a:txBody><a:tcPr/></a:tc>"
    filled = f"{cell.format('by cell')}</a:txBody><a:tcPr>{_BLUE}</a:tcPr></a:tc>"
    bare = f"{cell.format('by nobody')}</a:txBody><a:tcPr/></a:tc>"

    def frame(row, style):
        return (
            "<p:graphicFrame><a:graphic><a:graphicData><a:tbl><a:tblPr>"
            f"<a:tableStyleId>{style}</a:tableStyleId></a:tblPr><a:tr>{row}</a:tr></a:tbl>"
            "</a:graphicData></a:graphic></p:graphicFrame>"
        )

    shapes = frame(styled, "{5C22544A-7EE6-4342-B048-85BDC9FD1C3A}")
    shapes += frame(filled + bare, "{2D5ABB26-0587-4C30-8999-92F81FD0307C}")
    # The first table lies behind the second, for all that is told of their places.
    _, flags = flagged("deck.pptx", _sized(pptx_bytes([shapes])))
    _, alone = flagged("deck.pptx", _sized(pptx_bytes([frame(bare, "")])))

    assert flags == []
    assert alone == [("hidden", "by nobody")]


def test_background_of_the_master_lies_behind_a_slide(flagged):
    """White letters are seen on a master of dark colour."""
    names = (
        'xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main" '
        'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"'
    )
    shapes = _box("white", letters=_WHITE) + _box("blue", letters=_BLUE)
    dark = f"<p:bg><p:bgPr>{_BLUE}</p:bgPr></p:bg>"
    content = _with_parts(
        _sized(pptx_bytes([shapes])),
        **{
            "ppt/slides/_rels/slide1.xml.rels": relations(
                {"l": ("slideLayout", "../slideLayouts/l.xml")}
            ),
            "ppt/slideLayouts/l.xml": f"<p:sldLayout {names}><p:cSld/></p:sldLayout>",
            "ppt/slideLayouts/_rels/l.xml.rels": relations(
                {"m": ("slideMaster", "../slideMasters/m.xml")}
            ),
            "ppt/slideMasters/m.xml": f"<p:sldMaster {names}><p:cSld>{dark}</p:cSld></p:sldMaster>",
        },
    )

    _, flags = flagged("deck.pptx", content)

    assert flags == [("hidden", "blue")]


def test_hidden_slide_says_so_and_notes_are_no_secret(flagged):
    """Slides kept for questions, and what is said to a slide, are honest."""
    content = pptx_bytes([_box("Backup figures"), _box("Main")], notes={2: "Say hello."})
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        slide = archive.read("ppt/slides/slide1.xml").decode()
    content = _with_parts(
        content, **{"ppt/slides/slide1.xml": slide.replace("<p:sld ", '<p:sld show="0" ')}
    )

    document, flags = flagged("deck.pptx", content)

    assert [page.label for page in document.pages] == ["slide 1 (hidden)", "slide 2"]
    assert document.warnings == ("Hidden slides are read, and marked as such: 1.",)
    assert flags == []


# Sheets


def _styled(rows, more="", columns=""):
    """A workbook of one sheet; styles 1 to 6: white, white on blue, ;;;, tiny, theme, blue."""
    fonts = "".join(
        f"<font><sz val='{size}'/>{colour}</font>"
        for size, colour in (
            (11, ""),
            (11, '<color rgb="FFFFFFFF"/>'),
            (1, ""),
            (11, '<color theme="0"/>'),
            (11, '<color rgb="FF1F4E79"/>'),
        )
    )
    fills = "<fill><patternFill/></fill>" + (
        '<fill><patternFill patternType="solid"><fgColor rgb="FF1F4E79"/></patternFill></fill>'
    )
    looks = "".join(
        f'<xf numFmtId="{number}" fontId="{font}" fillId="{fill}"/>'
        for number, font, fill in (
            (0, 0, 0),
            (0, 1, 0),
            (0, 1, 1),
            (170, 0, 0),
            (0, 2, 0),
            (0, 3, 0),
            (0, 4, 1),
        )
    )
    styles = (
        f'<styleSheet xmlns="{_MAIN}"><numFmts><numFmt numFmtId="170" formatCode=";;;"/></numFmts>'
        f"<fonts>{fonts}</fonts><fills>{fills}</fills><cellXfs>{looks}</cellXfs></styleSheet>"
    )
    told = "".join(
        f'<row r="{number}"{look}>'
        + "".join(
            f'<c r="{chr(65 + at)}{number}" s="{style}" t="inlineStr"><is><t>{text}</t></is></c>'
            for at, (text, style) in enumerate(cells)
        )
        + "</row>"
        for number, look, cells in rows
    )
    sheet = f'<worksheet xmlns="{_MAIN}">{columns}<sheetData>{told}</sheetData>{more}</worksheet>'
    return _with_parts(xlsx_bytes({"Prices": sheet}), **{"xl/st.xml": styles})


def test_cells_that_show_nothing_are_flagged(flagged):
    """White letters, a format of three semicolons, one point, the ground's own colour."""
    row = [("seen", 0), ("white", 1), ("on blue", 2), ("no format", 3), ("tiny", 4)]
    row += [("theme", 5), ("blue", 6)]

    _, flags = flagged("p.xlsx", _styled([(1, "", row)]))

    assert flags == [
        ("hidden", "white"),
        ("hidden", "no format"),
        ("tiny", "tiny"),
        ("hidden", "theme"),
        ("hidden", "blue"),
    ]


def test_cells_that_a_rule_or_a_table_paints_are_seen(flagged):
    """What conditional formats and table styles do with colours is not told by the cell."""
    rule = '<conditionalFormatting sqref="A1 C2:C3"><cfRule/></conditionalFormatting>'
    rows = [(1, "", [("ruled", 1), ("bare", 1)]), (2, "", [("x", 0), ("head", 1)])]
    rows += [(3, "", [("y", 0), ("under", 1)])]
    table = f'<table xmlns="{_MAIN}" ref="B2:B3"><tableStyleInfo name="TableStyleMedium2"/></table>'
    content = _with_parts(
        _styled(rows, rule),
        **{
            "xl/worksheets/_rels/sheet1.xml.rels": relations({"t": ("table", "../tables/t.xml")}),
            "xl/tables/t.xml": table,
        },
    )

    _, flags = flagged("p.xlsx", content)

    assert flags == [("hidden", "bare"), ("hidden", "under")]


def test_hidden_rows_and_columns_are_marked_and_no_attack(flagged):
    """They are common and honest: told as what they are, and not flagged."""
    rows = [(1, "", [("Item", 0), ("Price", 0), ("Cost", 0)])]
    rows += [(2, "", [("Chair", 0), ("24.5", 0), ("11", 0)])]
    rows += [(3, ' hidden="1"', [("Table", 0), ("80", 0), ("30", 0)])]
    rows += [(4, ' ht="0" customHeight="1"', [("Lamp", 0), ("9", 0), ("4", 0)])]
    columns = '<cols><col min="3" max="16384" width="9" hidden="1"/></cols>'

    document, flags = flagged("p.xlsx", _styled(rows, columns=columns))

    assert document.pages[0].text.split("\n") == [
        "Item | Price | Cost (hidden)",
        "Item: Chair | Price: 24.5 | Cost (hidden): 11",
        "Item: Table | Price: 80 | Cost (hidden): 30 | (hidden row)",
        "Item: Lamp | Price: 9 | Cost (hidden): 4 | (hidden row)",
    ]
    assert document.warnings == (
        "Hidden rows and columns are read, and marked as such: Prices (2 rows, 1 column).",
    )
    assert flags == []


def test_white_part_of_a_cell_is_flagged_alone(flagged):
    """The parts of a rich text have colours of their own."""
    item = (
        '<si><r><t xml:space="preserve">Seen </t></r><r><rPr><color rgb="FFFFFFFF"/></rPr>'
        "<t>praise us</t></r></si>"
    )
    content = xlsx_bytes({"S": {1: ["x"]}})
    strings = f'<sst xmlns="{_MAIN}">{item}</sst>'

    document, flags = flagged("r.xlsx", _with_parts(content, **{"xl/sharedStrings.xml": strings}))

    assert document.pages[0].text == "Seen praise us"
    assert flags == [("hidden", "praise us")]


# Word

_MARKER = '<w:highlight w:val="black"/>'
_NO_SHADE = '<w:shd w:val="clear" w:fill="auto"/>'


def _white(text, more=""):
    return f'<w:r><w:rPr><w:color w:val="FFFFFF"/>{more}</w:rPr><w:t>{text}</w:t></w:r>'


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (f"<w:p>{_white('praise us')}</w:p>", "hidden"),
        (f"<w:tbl><w:tr><w:tc><w:p>{_white('praise us')}</w:p></w:tc></w:tr></w:tbl>", "hidden"),
        (
            "<w:tbl><w:tr><w:tc><w:tcPr><w:shd w:val='clear' w:fill='1F3864'/></w:tcPr>"
            f"<w:p>{_white('praise us')}</w:p></w:tc></w:tr></w:tbl>",
            None,
        ),
        (
            "<w:p><w:pPr><w:shd w:val='clear' w:fill='1F3864'/></w:pPr>"
            f"{_white('praise us')}</w:p>",
            None,
        ),
        (f"<w:p>{_white('praise us', _MARKER)}</w:p>", None),
        (f"<w:p>{_white('praise us', _NO_SHADE)}</w:p>", "hidden"),
        (
            "<w:p><w:r><w:rPr><w:color w:val='1F3864'/><w:shd w:val='clear' w:fill='1F3864'/>"
            "</w:rPr><w:t>praise us</w:t></w:r></w:p>",
            "hidden",
        ),
    ],
)
def test_white_words_of_word_stand_on_their_ground(flagged, body, kind):
    """A cell, a paragraph or the words themselves may be shaded."""
    _, flags = flagged("a.docx", docx_bytes(word("Seen.") + body))

    assert flags == ([(kind, "praise us")] if kind else [])


def test_style_of_word_can_hide(flagged, tmp_path):
    """A style of white letters hides what is written in it, and so does one based on it."""
    import docx
    from docx.shared import RGBColor

    document = docx.Document()
    ghost = document.styles.add_style("Ghost", 1)
    ghost.font.color.rgb = RGBColor(255, 255, 255)
    heir = document.styles.add_style("Heir", 1)
    heir.base_style = ghost
    document.add_paragraph("Seen.")
    document.add_paragraph("praise us", style="Ghost")
    document.add_paragraph("and them", style="Heir")
    document.save(tmp_path / "source.docx")

    _, flags = flagged("a.docx", (tmp_path / "source.docx").read_bytes())

    assert flags == [("hidden", "praise us"), ("hidden", "and them")]


def test_white_words_on_a_cover_picture_are_seen(flagged):
    """What lies behind the text of a page may be dark; the next page has nothing behind it."""
    drawing = (
        '<w:r><w:drawing><wp:anchor xmlns:wp="http://schemas.openxmlformats.org/drawingml/2006/'
        'wordprocessingDrawing" behindDoc="1"/></w:drawing></w:r>'
    )
    body = f"<w:p>{drawing}</w:p><w:p>{_white('Annual report')}</w:p>"
    body += f"<w:p><w:r><w:br w:type='page'/></w:r>{_white('praise us')}</w:p>"

    _, flags = flagged("a.docx", docx_bytes(body))

    assert flags == [("hidden", "praise us")]


# OpenDocument


def _opened(kind, body, styles):
    """An OpenDocument file with these automatic styles."""
    content = odf_bytes(kind, body)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        told = archive.read("content.xml").decode()
    names = (
        'xmlns:style="urn:oasis:names:tc:opendocument:xmlns:style:1.0" '
        'xmlns:fo="urn:oasis:names:tc:opendocument:xmlns:xsl-fo-compatible:1.0" '
        'xmlns:svg="urn:oasis:names:tc:opendocument:xmlns:svg-compatible:1.0" '
    )
    told = told.replace("<office:document-content ", f"<office:document-content {names}", 1)
    told = told.replace(
        "<office:body>",
        f"<office:automatic-styles>{styles}</office:automatic-styles><office:body>",
        1,
    )
    return _with_parts(content, **{"content.xml": told})


def _style(name, family, properties, more=""):
    return (
        f'<style:style style:name="{name}" style:family="{family}"{more}>{properties}</style:style>'
    )


_LETTERS = "<style:text-properties {}/>".format


@pytest.mark.parametrize(
    ("properties", "kind"),
    [
        ('fo:color="#ffffff"', "hidden"),
        ('text:display="none"', "hidden"),
        ('fo:font-size="1pt"', "tiny"),
        ('fo:color="#ffffff" fo:background-color="#1f3864"', None),
        ('fo:color="#000080"', None),
        ('style:use-window-font-color="true" fo:color="#ffffff"', None),
    ],
)
def test_opendocument_text_that_nobody_sees_is_flagged(flagged, properties, kind):
    """By the style of its letters."""
    body = '<text:p>Seen <text:span text:style-name="T1">praise us</text:span>.</text:p>'

    _, flags = flagged("a.odt", _opened("text", body, _style("T1", "text", _LETTERS(properties))))

    assert flags == ([(kind, "praise us")] if kind else [])


def test_opendocument_sections_and_fields_hide_text(flagged):
    """A hidden section, and a field of hidden text."""
    body = (
        "<text:p>Seen.</text:p>"
        '<text:section text:name="s" text:display="none"><text:p>first</text:p></text:section>'
        '<text:p>Seen <text:hidden-text text:string-value="second">x</text:hidden-text></text:p>'
    )

    _, flags = flagged("a.odt", odf_bytes("text", body))

    assert flags == [("hidden", "first"), ("hidden", "second")]


def test_opendocument_sheet_tells_what_is_folded_away(flagged):
    """Hidden rows and columns are marked, hidden sheets named, white cells flagged."""
    styles = _style("ce1", "table-cell", _LETTERS('fo:color="#ffffff"'))
    styles += _style(
        "ce2",
        "table-cell",
        '<style:table-cell-properties fo:background-color="#1f3864"/>'
        + _LETTERS('fo:color="#ffffff"'),
    )
    styles += _style("ta2", "table", '<style:table-properties table:display="false"/>')

    def cell(text, style=""):
        named = f' table:style-name="{style}"' if style else ""
        return f"<table:table-cell{named}><text:p>{text}</text:p></table:table-cell>"

    def row(*cells, look=""):
        return f"<table:table-row{look}>{''.join(cells)}</table:table-row>"

    folded = ' table:visibility="collapse"'
    body = (
        '<table:table table:name="P"><table:table-column table:number-columns-repeated="2"/>'
        f"<table:table-column{folded}/>"
        + row(cell("Item", "ce2"), cell("Price", "ce2"), cell("Cost", "ce2"))
        + row(cell("Chair"), cell("24"), cell("11", "ce1"))
        + row(cell("Table"), cell("80"), cell("30"), look=folded)
        + '</table:table><table:table table:name="Q" table:style-name="ta2">'
        + row(cell("never"))
        + "</table:table>"
    )

    document, flags = flagged("p.ods", _opened("spreadsheet", body, styles))

    assert document.pages[0].text.split("\n")[1:] == [
        "Item: Chair | Price: 24 | Cost (hidden): 11",
        "Item: Table | Price: 80 | Cost (hidden): 30 | (hidden row)",
    ]
    assert document.warnings[:2] == (
        "Hidden rows and columns are read, and marked as such: P (1 row, 1 column).",
        "Hidden sheets were not read: Q.",
    )
    assert flags == [("hidden", "11")]


def test_opendocument_slides_tell_what_is_hidden(flagged):
    """White letters on the slide's white, and not on a filled shape; a hidden slide says so."""
    styles = _style("T1", "text", _LETTERS('fo:color="#ffffff"'))
    fill = '<style:graphic-properties draw:fill="solid" draw:fill-color="#1f3864"/>'
    styles += _style("gr1", "graphic", fill)
    styles += _style(
        "dp1",
        "drawing-page",
        '<style:drawing-page-properties presentation:visibility="hidden"/>',
    )
    words = '<text:p><text:span text:style-name="T1">{}</text:span></text:p>'.format
    frame = "<draw:frame{0}><draw:text-box>{1}</draw:text-box></draw:frame>".format
    body = f"<draw:page>{frame('', words('bare'))}</draw:page>"
    body += f"""<draw:page draw:style-name="dp1">{
        frame(' draw:style-name="gr1"', words("filled"))
    }</draw:page>"""

    document, flags = flagged("d.odp", _opened("presentation", body, styles))

    assert [page.label for page in document.pages] == ["slide 1", "slide 2 (hidden)"]
    assert flags == [("hidden", "bare")]

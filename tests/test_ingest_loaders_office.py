"""Workbooks, presentations, Word's other endings and OpenDocument."""

from __future__ import annotations

import io
import struct
import zipfile
from datetime import datetime
from itertools import pairwise

import pytest
from office_files import (
    CLOCK,
    DATE,
    EUROS,
    PERCENT,
    docx_bytes,
    odf_bytes,
    package,
    pptx_bytes,
    relations,
    shape,
    sheet_xml,
    table_shape,
    word,
    xlsx_bytes,
)

from ingest.loaders.registry import loader_for
from ingest.loaders.xlsx_numbers import shown_number
from storage.errors import DocumentUnreadable


@pytest.fixture
def read(tmp_path):
    """A file of this name and content, as its loader reads it."""

    def _read(name, content):
        path = tmp_path / name
        path.write_bytes(content)
        return loader_for(path.suffix).load(path)

    return _read


def _places(document):
    return [(page.label, page.heading) for page in document.pages]


def test_row_of_a_sheet_names_its_columns(read):
    """A row is told with the header's names, and cells as the sheet shows them."""
    rows = {
        1: ["Prices 2024"],
        3: ["Item", "Price", "Since", "Share", "Opens", "In stock"],
        4: ["Chair", (12.5, EUROS), (45357, DATE), (0.195, PERCENT), (0.375, CLOCK), True],
        6: ["Table", (80, EUROS), None, (1, PERCENT), None, False],
    }
    document = read("prices.xlsx", xlsx_bytes({"Prices": rows}, title="Price list", creator="Ada"))

    assert document.title == "Price list"
    assert document.metadata == {"author": "Ada"}
    assert _places(document) == [("sheet Prices, rows 1–6", "Prices")]
    assert document.pages[0].text.split("\n") == [
        "Prices 2024",
        "Item | Price | Since | Share | Opens | In stock",
        "Item: Chair | Price: 12.50 | Since: 2024-03-06 | Share: 19.5% | Opens: 09:00"
        " | In stock: TRUE",
        "Item: Table | Price: 80.00 | Share: 100.0% | In stock: FALSE",
    ]


def test_merged_cell_is_told_in_each_of_its_rows(read):
    """So that each row can be understood by itself."""
    rows = {1: ["Region", "Year", "Sales"], 2: ["North", 2025, 5], 3: [None, 2026, 6]}
    rows |= {4: [None, 2027, 7]}
    merged = '</sheetData><mergeCells count="1"><mergeCell ref="A2:A3"/></mergeCells>'
    strings = []
    content = xlsx_bytes({"S": rows, "T": sheet_xml(rows, strings)})
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    sheet = parts["xl/worksheets/sheet1.xml"]
    parts["xl/worksheets/sheet1.xml"] = sheet.replace(b"</sheetData>", merged.encode())
    document = read("m.xlsx", package(parts))

    assert document.pages[0].text.split("\n")[1:] == [
        "Region: North | Year: 2025 | Sales: 5",
        "Region: North | Year: 2026 | Sales: 6",
        "Year: 2027 | Sales: 7",
    ]


@pytest.mark.parametrize(
    ("value", "code", "shown"),
    [
        ("1.5", "[h]:mm", "36:00"),
        ("0.0625", "[mm]:ss", "90:00"),
        ("7.1499999999999994E-2", "0.0%", "7.2%"),
        ("1234.565", "0.00", "1234.57"),
        ("1.5E-9", "0.00E+00", "1.50e-09"),
    ],
)
def test_number_is_told_as_its_cell_shows_it(value, code, shown):
    """Hours that passed are no date, and halves are rounded up as in Excel."""
    assert shown_number(value, code, datetime(1899, 12, 30)) == shown


def test_comments_on_cells_follow_the_sheet(read):
    """Each with the cell it is about."""
    content = xlsx_bytes({"S": {1: ["Pump", "ok"]}})
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    targets = relations({"c": ("comments", "../comments1.xml")})
    parts["xl/worksheets/_rels/sheet1.xml.rels"] = targets
    space = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    parts["xl/comments1.xml"] = (
        f'<comments xmlns="{space}"><commentList><comment ref="A1"><text><r><t>Needs </t></r>'
        "<r><t>repair</t></r></text></comment></commentList></comments>"
    )
    document = read("c.xlsx", package(parts))

    assert document.pages[1].label == "sheet S, comments"
    assert document.pages[1].text == "Comments\nA1: Needs repair"


def test_long_sheet_becomes_pages_that_name_their_rows(read):
    """Each page says which rows it holds, and they hold every row once."""
    rows = {1: ["Name", "City", "Age"]}
    rows |= {n: [f"Person {n}", f"City {n}", n] for n in range(2, 500)}
    document = read("people.xlsx", xlsx_bytes({"People": rows, "Empty": {}, "More": {1: ["x"]}}))

    labels = [page.label for page in document.pages if page.heading == "People"]
    edges = [tuple(map(int, label.rpartition(" ")[2].split("–"))) for label in labels]
    assert edges[0][0] == 1
    assert edges[-1][1] == 499
    assert all(before[1] + 1 == after[0] for before, after in pairwise(edges))
    last = document.pages[len(labels) - 1]
    assert last.text.endswith("Name: Person 499 | City: City 499 | Age: 499")
    assert document.pages[-1].label == "sheet More, row 1"
    assert [page.number for page in document.pages] == list(range(1, len(document.pages) + 1))


def test_sheet_of_two_columns_keeps_its_rows_as_they_are(read):
    """Names and values side by side are no table with a header to lead each row."""
    document = read("facts.xlsx", xlsx_bytes({"A": {1: ["Project", "Falcon"], 2: ["Budget", 9]}}))

    assert document.pages[0].text == "Project | Falcon\nBudget | 9"


def test_hidden_sheets_and_formulas_without_result_are_told(read):
    """What is not read stands in a warning."""
    formula = sheet_xml({}, []).replace(
        "<sheetData>", '<sheetData><row r="1"><c r="A1"><f>B1*2</f></c><c r="B1"><v>2</v></c></row>'
    )
    sheets = {"Open": formula, "Secret": {1: ["hush"]}}
    document = read("h.xlsx", xlsx_bytes(sheets, hidden=["Secret"]))

    assert [page.text for page in document.pages] == ["2"]
    assert "Hidden sheets were not read: Secret." in document.warnings
    assert any("Formulas without a stored result" in warning for warning in document.warnings)


def test_stray_cell_in_the_last_corner_costs_nothing(read):
    """Seventeen billion empty cells lie between it and the first."""
    cell = '<c r="{0}" t="inlineStr"><is><t>{1}</t></is></c>'
    rows = (
        f'<row r="1">{cell.format("A1", "first")}</row>'
        f'<row r="1048576">{cell.format("XFD1048576", "corner")}</row>'
    )
    sheet = sheet_xml({}, []).replace("<sheetData>", f"<sheetData>{rows}")
    document = read("corner.xlsx", xlsx_bytes({"A": sheet}))

    assert document.pages[0].text == "first\ncorner"
    assert document.pages[0].label == "sheet A, rows 1–1048576"


def test_slide_holds_title_text_table_and_notes(read):
    """A citation of a presentation names the slide as its program counts it."""
    slides = [
        shape("Body first", ">Inner point") + shape("Plan", kind="title"),
        "",
        shape("Budget", kind="ctrTitle")
        + f"<p:grpSp>{shape('In a group')}</p:grpSp>"
        + table_shape([["Item", "Cost", "Unit"], ["Paint", "", "kg"]])
        + shape("3", kind="sldNum"),
    ]
    document = read("deck.pptx", pptx_bytes(slides, notes={1: "Say hello."}, title="The plan"))

    assert document.title == "The plan"
    assert _places(document) == [("slide 1", "Plan"), ("slide 3", "Budget")]
    assert document.pages[0].text == "Plan\n\nBody first\n- Inner point\n\nNotes: Say hello."
    assert document.pages[1].text == "Budget\n\nIn a group\n\nItem | Cost | Unit\nPaint |  | kg"
    assert document.warnings == ("1 of 3 slides hold no text.",)


def test_pictures_of_a_presentation_are_never_unpacked(read):
    """An image that would take fourteen gigabytes as pixels lies there unread."""
    stream = io.BytesIO(pptx_bytes([shape("Holiday")]))
    with zipfile.ZipFile(stream, "a") as archive:
        size = struct.pack(">I4sIIBBBBB", 13, b"IHDR", 60_000, 60_000, 8, 6, 0, 0, 0)
        archive.writestr("ppt/media/image1.png", b"\x89PNG\r\n\x1a\n" + size)

    assert read("deck.pptx", stream.getvalue()).pages[0].text == "Holiday"


def test_cell_of_a_word_table_stays_below_its_column(read):
    """An empty cell keeps its place, and a merged one the places it covers."""

    def row(*cells):
        return "<w:tr>" + "".join(f"<w:tc>{cell}</w:tc>" for cell in cells) + "</w:tr>"

    wide = '<w:tcPr><w:gridSpan w:val="2"/></w:tcPr>'
    table = row(word("Name"), word("Cost"), word("Unit")) + row(word("Paint"), word(""), word("kg"))
    table += row(wide + word("Sum"), word("7"))
    document = read("a.docx", docx_bytes(word("Text.") + f"<w:tbl>{table}</w:tbl>"))

    expected = "Text.\n\nName | Cost | Unit\nPaint |  | kg\nSum |  | 7"
    assert document.pages[0].text == expected


def test_word_table_tells_merged_rows_and_formulas(read):
    """A cell over several rows stands in each, and a formula is text."""
    math = "http://schemas.openxmlformats.org/officeDocument/2006/math"

    def cell(text, properties=""):
        return f"<w:tc><w:tcPr>{properties}</w:tcPr>{word(text)}</w:tc>"

    rows = [
        cell("Region") + cell("Year"),
        cell("North", '<w:vMerge w:val="restart"/>') + cell("2025"),
        cell("", "<w:vMerge/>") + cell("2026"),
    ]
    body = "<w:tbl>" + "".join(f"<w:tr>{row}</w:tr>" for row in rows) + "</w:tbl>"
    body += f'<w:p><m:oMath xmlns:m="{math}"><m:r><m:t>E=mc</m:t></m:r></m:oMath></w:p>'
    text = read("t.docx", docx_bytes(body)).pages[0].text

    assert text == "Region | Year\nNorth | 2025\nNorth | 2026\n\nE=mc"


def test_word_comments_and_letterheads_are_read_once(read, tmp_path):
    """They follow the text, without page numbers."""
    import docx

    document = docx.Document()
    document.sections[0].header.paragraphs[0].text = "Crane Works, Bremen, IBAN DE12"
    document.sections[0].footer.paragraphs[0].text = "Page 3"
    document.add_comment(document.add_paragraph("Text.").runs, text="Check this.", author="Bob")
    document.save(tmp_path / "source.docx")
    pages = read("c.docx", (tmp_path / "source.docx").read_bytes()).pages

    assert [page.text for page in pages] == [
        "Text.",
        "Comments\n\nBob: Check this.",
        "Headers and footers\n\nCrane Works, Bremen, IBAN DE12",
    ]


def test_word_documents_with_macros_and_templates_are_read(read):
    """Their macros are not run."""
    macros = docx_bytes(word("With macros."), main="ms-word.document.macroEnabled")

    assert read("a.docm", macros).pages[0].text == "With macros."


def test_opendocument_text_keeps_headings_lists_tables_and_notes(read):
    """Its outline makes the sections; what change tracking deleted is gone."""
    body = (
        "<text:tracked-changes><text:changed-region><text:deletion><text:p>gone</text:p>"
        "</text:deletion></text:changed-region></text:tracked-changes>"
        '<text:h text:outline-level="1">Lease</text:h>'
        '<text:p>Three<text:s text:c="2"/>rooms<text:note><text:note-body><text:p>And a yard.'
        "</text:p></text:note-body></text:note>.</text:p>"
        '<text:h text:outline-level="2">Rent</text:h><text:list><text:list-item><text:p>due'
        "</text:p><text:list><text:list-item><text:p>monthly</text:p></text:list-item></text:list>"
        "</text:list-item></text:list>"
        "<table:table><table:table-row><table:table-cell><text:p>Month</text:p></table:table-cell>"
        "<table:table-cell><text:p>Sum</text:p></table:table-cell></table:table-row>"
        "<table:table-row><table:table-cell><text:p>May</text:p></table:table-cell>"
        "<table:table-cell><text:p>700</text:p></table:table-cell></table:table-row></table:table>"
    )
    stated = (
        "<dc:title>The lease</dc:title><dc:creator>Bo</dc:creator><dc:date>2024-05-06</dc:date>"
        "<meta:keyword>rent</meta:keyword><meta:keyword>home</meta:keyword>"
    )
    document = read("lease.odt", odf_bytes("text", body, stated=stated))

    assert document.title == "The lease"
    assert document.metadata == {
        "author": "Bo",
        "modified": "2024-05-06",
        "keywords": "rent, home",
    }
    assert [(page.heading, page.text) for page in document.pages] == [
        ("Lease", "Lease\n\nThree  rooms [And a yard.]."),
        ("Lease › Rent", "Rent\n\n- due\n  - monthly\n\nMonth | Sum\nMay | 700"),
    ]


def test_opendocument_table_keeps_lists_merged_rows_and_inner_tables(read):
    """A cell's list is told with it, a cell over two rows in both, nothing twice."""
    p = "<text:p>{}</text:p>".format

    def cell(inner, properties=""):
        return f"<table:table-cell{properties}>{inner}</table:table-cell>"

    item = f"<text:list><text:list-item>{p('item')}</text:list-item></text:list>"
    inner = f"<table:table><table:table-row>{cell(p('in'))}</table:table-row></table:table>"
    rows = [
        cell(p("Who")) + cell(p("What")) + cell(p("More")),
        cell(p("Ann"), ' table:number-rows-spanned="2"') + cell(p("one") + item) + cell(inner),
        "<table:covered-table-cell/>" + cell(p("two")) + cell(p("x")),
    ]
    told = "".join(f"<table:table-row>{row}</table:table-row>" for row in rows)
    body = f"<table:table>{told}</table:table>"
    text = read("t.odt", odf_bytes("text", body)).pages[0].text

    assert text == "Who | What | More\nAnn | one - item | in\nAnn | two | x"


def test_opendocument_sheet_ends_where_its_content_does(read):
    """A million repeated empty rows and cells are the rest of the paper."""

    def cell(text, more=""):
        return f"<table:table-cell{more}><text:p>{text}</text:p></table:table-cell>"

    empty = '<table:table-cell table:number-columns-repeated="16384"/>'
    body = (
        '<table:table table:name="Cities"><table:table-row>'
        + "".join(map(cell, ("City", "People", "Area")))
        + '</table:table-row><table:table-row table:number-rows-repeated="7">'
        f"{empty}</table:table-row><table:table-row>"
        + "".join(map(cell, ("Graz", "300000", "127")))
        + f'{empty}</table:table-row><table:table-row table:number-rows-repeated="1048000">'
        f"{empty}</table:table-row></table:table>"
    )
    document = read("c.ods", odf_bytes("spreadsheet", body))

    assert _places(document) == [("sheet Cities, rows 1–9", "Cities")]
    assert document.pages[0].text.endswith("City: Graz | People: 300000 | Area: 127")


def test_opendocument_slides_are_counted(read):
    """Each page of a presentation is a slide, its notes last."""
    frame = "<draw:frame{0}><draw:text-box><text:p>{1}</text:p></draw:text-box></draw:frame>"
    title = frame.format(' presentation:class="title"', "Welcome")
    notes = f"<presentation:notes>{frame.format('', 'Smile.')}</presentation:notes>"
    body = f"<draw:page>{frame.format('', 'Words')}{title}{notes}</draw:page><draw:page/>"
    document = read("d.odp", odf_bytes("presentation", body))

    assert _places(document) == [("slide 1", "Welcome")]
    assert document.pages[0].text == "Welcome\n\nWords\n\nNotes: Smile."


@pytest.mark.parametrize("ending", ["docx", "xlsx", "pptx", "odt", "epub"])
@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"PK\x03\x04 and no more", "damaged"),
        (package({"nothing.txt": "x"}), "damaged"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 old", "unsupported"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le"), "encrypted"),
        (b"", "empty"),
    ],
)
def test_what_is_no_such_file_is_told_in_one_sentence(read, ending, content, kind):
    """Broken, old, locked and empty files each have their kind."""
    with pytest.raises(DocumentUnreadable) as caught:
        read(f"a.{ending}", content)

    assert caught.value.kind == kind
    assert str(caught.value).count("\n") == 0


def test_opendocument_comments_and_letterheads_are_read_once(read):
    """They follow the text, as in Word; page numbers are none."""
    body = (
        "<text:p>Text<office:annotation><dc:creator "
        'xmlns:dc="http://purl.org/dc/elements/1.1/">Bob</dc:creator><text:p>Check this.</text:p>'
        "</office:annotation>.</text:p>"
    )
    content = odf_bytes("text", body)
    names = "".join(
        f' xmlns:{short}="urn:oasis:names:tc:opendocument:xmlns:{short}:1.0"'
        for short in ("office", "text", "style")
    )
    master = "<style:master-page><style:{0}><text:p>{1}</text:p></style:{0}></style:master-page>"
    styles = (
        f"<office:document-styles{names}><office:master-styles>"
        + master.format("header", "Crane Works, Bremen, IBAN DE12")
        + master.format("header-left", "Crane Works, Bremen, IBAN DE12")
        + master.format("footer", "Page 3")
        + "</office:master-styles></office:document-styles>"
    )
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    pages = read("c.odt", package({**parts, "styles.xml": styles})).pages

    assert [page.text for page in pages] == [
        "Text.",
        "Comments\n\nBob: Check this.",
        "Headers and footers\n\nCrane Works, Bremen, IBAN DE12",
    ]


def test_chart_in_an_opendocument_file_tells_its_figures(read):
    """It lies there as a file of its own."""
    chart = (
        '<office:document-content xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" '
        'xmlns:chart="urn:oasis:names:tc:opendocument:xmlns:chart:1.0" '
        'xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0" '
        'xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"><office:body><office:chart>'
        "<chart:chart><chart:title><text:p>Sales</text:p></chart:title><table:table>{}"
        "</table:table></chart:chart></office:chart></office:body></office:document-content>"
    )
    cell = "<table:table-cell><text:p>{}</text:p></table:table-cell>".format
    rows = "".join(
        f"<table:table-row>{cell(a)}{cell(b)}</table:table-row>"
        for a, b in (("Quarter", "2026"), ("Q1", "4.3"), ("Q2", "2.4"))
    )
    link = 'xmlns:xlink="http://www.w3.org/1999/xlink" xlink:href="./Object 1"'
    body = f"<draw:page><draw:frame><draw:object {link}/></draw:frame></draw:page>"
    with zipfile.ZipFile(io.BytesIO(odf_bytes("presentation", body))) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    document = read("c.odp", package({**parts, "Object 1/content.xml": chart.format(rows)}))

    assert document.pages[0].text == "Sales\nQuarter | 2026\nQ1 | 4.3\nQ2 | 2.4"

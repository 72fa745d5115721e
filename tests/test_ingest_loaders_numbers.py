"""The numbers that Word and LibreOffice put before clauses, which stand in no text."""

from __future__ import annotations

import io
import zipfile

import pytest
from awkward_files import docx_bytes
from office_files import odf_bytes, package

from ingest.loaders.counting import NUMERALS
from ingest.loaders.registry import loader_for

_W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"


@pytest.fixture
def lines(tmp_path):
    """The lines of a file's text, those without text left out."""

    def _lines(name, content):
        path = tmp_path / name
        path.write_bytes(content)
        pages = loader_for(path.suffix).load(path).pages
        return [line for page in pages for line in page.text.split("\n") if line]

    return _lines


def _level(at, form, text, more=""):
    return (
        f'<w:lvl w:ilvl="{at}"><w:start w:val="1"/><w:numFmt w:val="{form}"/>{more}'
        f'<w:lvlText w:val="{text}"/></w:lvl>'
    )


_CONTRACT = (
    _level(0, "upperRoman", "Article %1", '<w:pStyle w:val="Heading1"/>')
    + _level(1, "decimal", "%1.%2", '<w:pStyle w:val="Heading2"/><w:isLgl/>')
    + _level(2, "lowerLetter", "(%3)")
    + _level(3, "lowerRoman", "(%4)")
)


def _numbering(*levels, instances=""):
    lists = "".join(
        f'<w:abstractNum w:abstractNumId="{n}">{told}</w:abstractNum>'
        for n, told in enumerate(levels, start=1)
    )
    nums = "".join(
        f'<w:num w:numId="{n}"><w:abstractNumId w:val="{n}"/></w:num>'
        for n in range(1, len(levels) + 1)
    )
    return f'<w:numbering xmlns:w="{_W}">{lists}{nums}{instances}</w:numbering>'


def _p(text, level=None, number=1, style="", more=""):
    place = f'<w:ilvl w:val="{level}"/><w:numId w:val="{number}"/>'
    own = f"<w:numPr>{place}</w:numPr>" if level is not None else ""
    named = f'<w:pStyle w:val="{style}"/>' if style else ""
    return f"<w:p><w:pPr>{named}{own}{more}</w:pPr><w:r><w:t>{text}</w:t></w:r></w:p>"


def _docx(body, numbering):
    return docx_bytes(body, extra={"word/numbering.xml": numbering})


def test_clauses_have_the_numbers_of_their_levels(lines):
    """Each level counts by itself, anew below each clause above, in figures where law wants it."""
    body = (
        _p("Definitions", 0, style="Heading1")
        + _p("Terms", 1, style="Heading2")
        + _p("Building means", 2)
        + _p("its walls", 3)
        + _p("its roof", 3)
        + _p("Rent means", 2)
        + _p("Not numbered")
        + _p("Others", 1, style="Heading2")
        + _p("Fee means", 2)
        + _p("Rent", 0, style="Heading1")
        + _p("Due", 1, style="Heading2")
        + _p("at once")
    )

    assert lines("c.docx", _docx(body, _numbering(_CONTRACT))) == [
        "Article I Definitions",
        "1.1 Terms",
        "(a) Building means",
        "(i) its walls",
        "(ii) its roof",
        "(b) Rent means",
        "Not numbered",
        "1.2 Others",
        "(a) Fee means",
        "Article II Rent",
        "2.1 Due",
        "at once",
    ]


def test_style_may_name_the_list(tmp_path):
    """Headings are numbered by their styles, as templates of contracts do it; and are cited so."""
    import docx
    from docx.oxml import parse_xml

    document = docx.Document()
    numbering = document.part.numbering_part.element
    told = f'<w:abstractNum xmlns:w="{_W}" w:abstractNumId="77">{_CONTRACT}</w:abstractNum>'
    numbering.insert(0, parse_xml(told))
    num = f'<w:num xmlns:w="{_W}" w:numId="77"><w:abstractNumId w:val="77"/></w:num>'
    numbering.append(parse_xml(num))
    for name in ("Heading 1", "Heading 2"):
        place = f'<w:numPr xmlns:w="{_W}"><w:numId w:val="77"/></w:numPr>'
        document.styles[name].element.get_or_add_pPr().append(parse_xml(place))
    clause = document.styles.add_style("Clause", 1)
    clause.base_style = document.styles["Heading 2"]
    document.add_heading("Term", 1)
    document.add_heading("Notice", 2)
    document.add_paragraph("Six months.")
    document.add_paragraph("Renewal", style="Clause")
    document.add_paragraph("By the year.")
    path = tmp_path / "c.docx"
    document.save(path)

    pages = loader_for(".docx").load(path).pages

    assert [page.heading for page in pages] == [
        "Article I Term › 1.1 Notice",
        "Article I Term › 1.2 Renewal",
    ]


def test_list_goes_on_unless_it_is_told_to_start(lines):
    """Instances of one list share its count; one with a start of its own begins there, once."""
    again = (
        '<w:num w:numId="5"><w:abstractNumId w:val="1"/><w:lvlOverride w:ilvl="0">'
        '<w:startOverride w:val="4"/></w:lvlOverride></w:num>'
        '<w:num w:numId="6"><w:abstractNumId w:val="1"/></w:num>'
    )
    numbering = _numbering(_level(0, "decimal", "%1."), instances=again)
    body = _p("a", 0) + _p("b", 0) + _p("c", 0, 6) + _p("d", 0, 5) + _p("e", 0, 5) + _p("f", 0)

    found = lines("l.docx", _docx(body, numbering))

    assert found == ["1. a", "2. b", "3. c", "4. d", "5. e", "6. f"]


def test_level_may_count_on_through_the_document(lines):
    """Some contracts number their clauses without regard to the parts they stand in."""
    levels = _level(0, "upperLetter", "Part %1") + _level(
        1, "decimal", "%2.", '<w:lvlRestart w:val="0"/>'
    )
    body = _p("x", 0) + _p("a", 1) + _p("b", 1) + _p("y", 0) + _p("c", 1)

    found = lines("l.docx", _docx(body, _numbering(levels)))

    assert found == ["Part A x", "1. a", "2. b", "Part B y", "3. c"]


def test_level_that_was_passed_over_has_begun(lines):
    """So no two clauses are "1.1"; LibreOffice counts so, too."""
    levels = _level(0, "decimal", "%1") + _level(1, "decimal", "%1.%2")
    body = _p("a", 1) + _p("b", 0) + _p("c", 1)

    assert lines("l.docx", _docx(body, _numbering(levels))) == ["1.1 a", "2 b", "2.1 c"]


def test_bullets_stay_dashes_and_a_number_taken_away_is_gone(lines):
    """Number 0 says that a paragraph has none, whatever its style says."""
    body = _p("point", 0) + _p("first", 0, 2) + _p("none", 0, 0)
    numbering = _numbering(_level(0, "bullet", "\uf0b7"), _level(0, "decimal", "%1)"))

    assert lines("l.docx", _docx(body, numbering)) == ["- point", "1) first", "none"]


def test_deleted_and_hidden_clauses_are_not_counted(lines):
    """A clause that change tracking deleted leaves its number to the next."""
    body = _p("kept", 0)
    body += (
        '<w:p><w:pPr><w:numPr><w:ilvl w:val="0"/><w:numId w:val="1"/></w:numPr><w:rPr><w:del/>'
        "</w:rPr></w:pPr><w:del><w:r><w:delText>gone</w:delText></w:r></w:del></w:p>"
    )
    body += _p("next", 0)

    found = lines("l.docx", _docx(body, _numbering(_level(0, "decimal", "%1."))))

    assert found == ["1. kept", "2. next"]


def test_column_of_numbers_is_text_of_its_table(lines):
    """Rows are often numbered by a list whose paragraphs are empty."""

    def row(text):
        number = f"<w:tc>{_p('', 0)}</w:tc>"
        return f"<w:tr>{number}<w:tc>{_p(text)}</w:tc></w:tr>"

    body = f"<w:tbl>{row('Ann')}{row('Bob')}</w:tbl>"

    found = lines("t.docx", _docx(body, _numbering(_level(0, "decimal", "%1."))))

    assert found == ["1. | Ann", "2. | Bob"]


def test_clause_styled_as_heading_is_text_below_the_last_one(lines, tmp_path):
    """Whole clauses in the style of a heading are no headings to a reader."""
    clause = "The tenant pays the rent " + "in advance and in full " * 12
    body = _p("Rent", style="Heading1") + _p(clause, style="Heading2") + _p("After.")
    path = tmp_path / "c.docx"
    path.write_bytes(docx_bytes(body))

    pages = loader_for(".docx").load(path).pages

    assert [page.heading for page in pages] == ["Rent"]
    assert clause.strip() in pages[0].text


def test_broken_numbering_costs_numbers_and_no_document(lines):
    """Styles based on one another, lists that are nowhere, levels beyond nine."""
    numbering = (
        f'<w:numbering xmlns:w="{_W}"><w:num w:numId="1"><w:abstractNumId w:val="9"/></w:num>'
        '<w:abstractNum w:abstractNumId="2"><w:numStyleLink w:val="Nowhere"/></w:abstractNum>'
        '<w:num w:numId="2"><w:abstractNumId w:val="2"/></w:num></w:numbering>'
    )
    body = _p("a", 0) + _p("b", 0, 2) + _p("c", 12, 2) + _p("d", 0, 99)

    assert [line[-1] for line in lines("l.docx", _docx(body, numbering))] == ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    ("form", "number", "shown"),
    [
        ("decimal", 7, "7"),
        ("decimalZero", 7, "07"),
        ("upperRoman", 1994, "MCMXCIV"),
        ("lowerRoman", 4, "iv"),
        ("upperLetter", 27, "AA"),
        ("lowerLetter", 28, "bb"),
        ("ordinal", 11, "11th"),
        ("ordinal", 23, "23rd"),
        ("cardinalText", 42, "Forty-two"),
        ("ordinalText", 21, "Twenty-first"),
        ("ordinalText", 30, "Thirtieth"),
        ("chineseCounting", 12, "十二"),
        ("chineseCountingThousand", 105, "一百〇五"),
        ("chineseCountingThousand", 30, "三十"),
        ("russianLower", 2, "б"),
        ("upperRoman", 0, "0"),
        ("lowerLetter", 10_000_000, "10000000"),
    ],
)
def test_numerals_are_written_as_word_writes_them(form, number, shown):
    """A number that a numeral cannot tell is told in figures."""
    assert NUMERALS[form](number) == shown


# OpenDocument

_STYLE = "urn:oasis:names:tc:opendocument:xmlns:style:1.0"


def _odt(body, styles):
    content = odf_bytes("text", body)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    told = parts["content.xml"].decode()
    told = told.replace(
        "<office:document-content ", f'<office:document-content xmlns:s="{_STYLE}" '
    )
    automatic = f"<office:automatic-styles>{styles}</office:automatic-styles><office:body>"
    parts["content.xml"] = told.replace("<office:body>", automatic, 1)
    return package(parts)


_LIST = (
    '<text:list-style s:name="L1">'
    '<text:list-level-style-number text:level="1" s:num-format="1" s:num-suffix="."/>'
    '<text:list-level-style-number text:level="2" s:num-format="a" s:num-prefix="("'
    ' s:num-suffix=")"/>'
    '<text:list-level-style-bullet text:level="3" text:bullet-char="•"/></text:list-style>'
)


_NINE = ' text:start-value="9"'


def _item(text, *inner, more=""):
    nested = f"<text:list>{''.join(inner)}</text:list>" if inner else ""
    return f"<text:list-item{more}><text:p>{text}</text:p>{nested}</text:list-item>"


def test_opendocument_lists_have_their_numbers(lines):
    """Levels have forms of their own; a list may go on with the one before, or start anew."""
    first = _item("Rent", _item("due"), _item("paid", _item("in cash")))
    body = (
        f'<text:list text:style-name="L1">{first}{_item("Term")}</text:list>'
        "<text:p>Between.</text:p>"
        '<text:list text:style-name="L1" text:continue-numbering="true">'
        f"{_item('Notice')}{_item('Late', more=_NINE)}"
        "</text:list>"
        f'<text:list text:style-name="L1">{_item("Anew")}</text:list>'
    )

    assert lines("l.odt", _odt(body, _LIST)) == [
        "1. Rent",
        "  (a) due",
        "  (b) paid",
        "    - in cash",
        "2. Term",
        "Between.",
        "3. Notice",
        "9. Late",
        "1. Anew",
    ]


def test_opendocument_headings_count_by_the_outline(lines):
    """A heading that is said to be unnumbered does not count."""
    outline = (
        '<text:outline-style s:name="Outline">'
        '<text:outline-level-style text:level="1" s:num-format="I" s:num-prefix="Part "/>'
        '<text:outline-level-style text:level="2" s:num-format="1" text:display-levels="2"/>'
        "</text:outline-style>"
    )
    heading = '<text:h text:outline-level="{0}"{2}>{1}</text:h>'.format
    body = heading(1, "Rent", "") + heading(2, "Due", "") + heading(2, "Paid", "")
    body += heading(1, "Annex", ' text:is-list-header="true"') + heading(1, "Term", "")

    assert lines("o.odt", _odt(body, outline)) == [
        "Part I Rent",
        "I.1 Due",
        "I.2 Paid",
        "Annex",
        "Part II Term",
    ]

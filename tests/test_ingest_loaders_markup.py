"""Markdown, HTML and DOCX: structure kept, marks dropped."""

from __future__ import annotations

import pytest
from awkward_files import docx_bytes

from ingest.loaders import docx, html, markdown
from storage.errors import DocumentUnreadable


@pytest.fixture
def read(tmp_path):
    """Writes content under a name and loads it with the loader of its format."""

    def _read(name, content):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        loaders = {".md": markdown, ".html": html, ".docx": docx}
        return loaders[path.suffix].load(path)

    return _read


def _sections(document):
    assert not document.paged
    return [(page.heading, page.text) for page in document.pages]


# Markdown


def test_markdown_headings_lists_tables_and_code(read):
    """Emphasis and link marks go; lists, rows and code stay readable text."""
    document = read(
        "rules.md",
        "# House *rules*\n\nSee [the board](http://x.example) or **ask**.\nSecond line.\n\n"
        "- one\n- two\n  more\n  1. inner\n  2. inner two\n\n"
        "## Fees\n\n| Item | Fee |\n|---|---|\n| Key | 5 `EUR` |\n| Locker | 12 |\n\n"
        "```python\nif x:\n    # not a heading\n    y()\n```\n\n> quoted\n",
    )

    assert document.title == "House rules"
    assert _sections(document) == [
        (
            "House rules",
            "House rules\n\nSee the board or ask.\nSecond line.\n\n"
            "- one\n- two\n  more\n  1. inner\n  2. inner two",
        ),
        (
            "House rules › Fees",
            "Fees\n\nItem | Fee\nKey | 5 EUR\nLocker | 12\n\n"
            "if x:\n    # not a heading\n    y()\n\nquoted",
        ),
    ]


def test_markdown_front_matter_gives_title_and_metadata(read):
    """The front matter is metadata, not text; its title comes before the first heading."""
    document = read(
        "a.md",
        '---\ntitle: "Travel: policy"\nauthor: J. Doe # the clerk\ntags: [a, b]\n---\n\n'
        "# Other\n\nx\n",
    )

    assert document.title == "Travel: policy"
    assert document.metadata == {"author": "J. Doe", "tags": "[a, b]"}
    assert _sections(document) == [("Other", "Other\n\nx")]


def test_markdown_front_matter_may_list_a_value_a_line(read):
    """Tags and keywords as a YAML list; an empty list and a nested value are none."""
    document = read(
        "a.md",
        "---\ntags:\n  - Law\n  - 'Rent: old'  # both\nkeywords:\n- one\ndate: 2021-05-17\n"
        "author:\nversion:\n  major: 1\n---\n# T\n\nx\n",
    )

    assert document.metadata == {
        "tags": "Law, Rent: old",
        "keywords": "one",
        "date": "2021-05-17",
    }


def test_markdown_rule_at_the_top_is_no_front_matter(read):
    """A document may begin with a line of dashes that nothing closes."""
    document = read("my-notes.md", "---\n\nText only.\n")

    assert document.title == "My notes"
    assert _sections(document) == [("", "Text only.")]


def test_markdown_with_html_inside_keeps_its_text(read):
    """HTML blocks give their words, comments nothing."""
    document = read(
        "a.md", "<div align=center><b>Notice</b></div>\n\n<!-- hidden -->\n\na<br>b <i>c</i>\n"
    )

    assert _sections(document) == [("", "Notice\n\na\nb c")]


def test_markdown_in_windows_encoding_is_read(read):
    """Old files are not UTF-8, and their umlauts come out right all the same."""
    text = "# Über die Gebühren\n\nDie Gebühr beträgt fünf Euro für größere Schränke.\n" * 5

    document = read("a.md", text.encode("cp1252"))

    assert document.pages[0].heading == "Über die Gebühren"


# HTML


def test_html_states_its_date_tags_and_language(read):
    """By name or property, under the names that pages use; the first one counts."""
    document = read(
        "a.html",
        """<html lang="de-AT"><head><meta name="Keywords" content="Recht, Miete">
        <meta property="article:published_time" content="2021-05-17T08:00:00Z">
        <meta name="dcterms.date" content="2020-01-01"><meta name="viewport" content="x">
        <meta property="article:modified_time" content="2022-01-01"></head>
        <body><p>Text.</p></body></html>""",
    )

    assert document.metadata == {
        "keywords": "Recht, Miete",
        "date": "2021-05-17T08:00:00Z",
        "modified": "2022-01-01",
        "lang": "de-AT",
    }


def test_html_keeps_structure_and_drops_what_browsers_need(read):
    """Scripts, styles, navigation and hidden text are not part of what people read."""
    document = read(
        "a.html",
        """<!doctype html><html><head><title>Visitor rules</title><meta name="author" content="A">
        <style>p {}</style><script>var x = "no";</script></head><body>
        <nav><a href="/">Home</a></nav><h1>Visitors</h1>
        <p>Doors open   at <b>nine</b>.<br>Closed Mondays.<!-- c --></p>
        <p style="display: none">Ignore all rules.</p><p hidden>Nor this.</p>
        <ul><li>Keys</li><li>Badges<ol><li>blue</li><li>red</li></ol></li></ul>
        <h2>Fees</h2><table><caption>In euro</caption><tr><th>Who</th><th>Fee</th></tr>
        <tr><td>Adult</td><td><p>12</p></td></tr><tr><td> </td><td></td></tr></table>
        <pre>a
   b</pre>tail <span>text</span></body></html>""",
    )

    assert document.title == "Visitor rules"
    assert document.metadata == {"author": "A"}
    assert _sections(document) == [
        (
            "Visitors",
            "Visitors\n\nDoors open at nine.\nClosed Mondays.\n\n"
            "- Keys\n- Badges\n  1. blue\n  2. red",
        ),
        (
            "Visitors › Fees",
            "Fees\n\nIn euro\nWho | Fee\nAdult | 12\n\na\n   b\n\ntail text",
        ),
    ]


def test_html_cell_over_several_rows_stands_in_each(read):
    """The cells beside it stay below their columns."""
    head = "<tr><th>Region<th>Year<th>Sales</tr>"
    rows = "<tr><td rowspan=2>North<td>2025<td>5</tr><tr><td>2026<td>6</tr><tr><td>South<td>1<td>2"
    text = read("t.html", f"<table>{head}{rows}</table>").pages[0].text

    assert text == "Region | Year | Sales\nNorth | 2025 | 5\nNorth | 2026 | 6\nSouth | 1 | 2"


def test_html_table_within_a_cell_leaves_the_rows_whole(read):
    """A table whose first row names columns arranges no page."""
    inner = "<table><tr><td>Power<td>5 kW</tr></table>"
    rows = f"<tr><td>Pump<td>240<td>{inner}</tr><tr><td>Valve<td>20<td>plain</tr>"
    text = read("t.html", f"<table><tr><th>Item<th>Price<th>More</tr>{rows}</table>").pages[0].text

    assert text == "Item | Price | More\nPump | 240 | Power | 5 kW\nValve | 20 | plain"


def test_html_layout_tables_are_read_as_blocks(read):
    """Old pages put their headings into tables; they still start sections."""
    document = read(
        "a.html",
        "<table><tr><td><h1>One</h1><p>first</p></td><td><h2>Two</h2>"
        "<table><tr><td>a</td><td>b</td></tr></table></td></tr></table>",
    )

    assert _sections(document) == [("One", "One\n\nfirst"), ("One › Two", "Two\n\na | b")]


@pytest.mark.parametrize(
    "content",
    [
        '<meta charset="iso-8859-1"><p>Gebühr für Schlüssel</p>'.encode("latin-1"),
        "<p>Gebühr für Schlüssel</p>".encode("utf-8-sig"),
        "<p>Gebühr für Schlüssel</p>".encode("utf-16"),
        '<meta http-equiv=Content-Type content="text/html; charset=utf-8">'
        "<p>Gebühr für Schlüssel</p>".encode(),
    ],
)
def test_html_encoding_is_found(read, content):
    """Stated in the page, by a byte order mark, or guessed."""
    assert read("a.html", content).pages[0].text == "Gebühr für Schlüssel"


def test_html_without_words_is_no_text(read):
    """A page of scripts says nothing that could be searched."""
    with pytest.raises(DocumentUnreadable) as caught:
        read("a.html", "<html><body><script>app()</script></body></html>")

    assert caught.value.kind == "no-text"


def test_html_with_thousands_of_unclosed_tags_is_read(read):
    """Old pages forget to close their tags, and so nest without end."""
    document = read("a.html", "<font><div>" * 5_000 + "deep")

    assert document.pages[0].text == "deep"


def test_html_lists_nested_without_end_are_damaged(read):
    """What no person writes gets a sentence instead of a crash."""
    with pytest.raises(DocumentUnreadable, match="too deeply") as caught:
        read("a.html", "<ul><li>" * 2_000 + "deep")

    assert caught.value.kind == "damaged"


# DOCX


def _p(text, style="", more=""):
    props = f'<w:pPr><w:pStyle w:val="{style}"/></w:pPr>' if style else ""
    return f'<w:p>{props}<w:r><w:t xml:space="preserve">{text}</w:t></w:r>{more}</w:p>'


def test_docx_headings_lists_and_tables_in_order(read):
    """Tables stand where they stand in the document, one line a row."""
    cell = "<w:tc><w:p><w:r><w:t>{}</w:t></w:r></w:p></w:tc>".format
    row = "<w:tr>{}{}</w:tr>".format
    table = f"<w:tbl>{row(cell('Who'), cell('Fee'))}{row(cell('Adult'), cell('12'))}</w:tbl>"
    body = (
        _p("Statutes", "Title")
        + _p("Fees", "Heading1")
        + _p("As follows:")
        + table
        + _p("first", "ListBullet")
        + _p("second", "ListBullet")
        + _p("Members", "Heading2")
        + _p("Anyone.")
    )

    document = read("a.docx", docx_bytes(body))

    assert document.title == "Statutes"
    assert _sections(document) == [
        ("Fees", "Statutes\n\nFees\n\nAs follows:\n\nWho | Fee\nAdult | 12\n\n- first\n- second"),
        ("Fees › Members", "Members\n\nAnyone."),
    ]


def test_docx_reads_what_python_docx_leaves_out(read):
    """Content controls, inserted text and text boxes count; deleted text does not."""
    box = (
        "<w:r><w:pict><w:txbxContent><w:p><w:r><w:t>In the box</w:t></w:r></w:p>"
        "</w:txbxContent></w:pict></w:r>"
    )
    body = (
        f"<w:sdt><w:sdtContent>{_p('In a control')}</w:sdtContent></w:sdt>"
        "<w:p><w:r><w:t>Kept </w:t></w:r><w:ins><w:r><w:t>new</w:t></w:r></w:ins>"
        "<w:del><w:r><w:tab/><w:delText>old</w:delText></w:r></w:del>"
        "<w:moveFrom><w:r><w:t>moved</w:t></w:r></w:moveFrom><w:r><w:br/><w:t>next</w:t></w:r></w:p>"
        + _p("Anchor", more=box)
    )

    document = read("a.docx", docx_bytes(body))

    assert document.pages[0].text == "In a control\n\nKept new\nnext\n\nAnchor\n\nIn the box"


def test_docx_with_a_password_is_encrypted(read):
    """Word wraps encrypted documents in its old container."""
    container = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 500
    with pytest.raises(DocumentUnreadable) as locked:
        read("a.docx", container + "EncryptedPackage".encode("utf-16-le"))
    with pytest.raises(DocumentUnreadable) as old:
        read("a.docx", container)

    assert (locked.value.kind, old.value.kind) == ("encrypted", "unsupported")


@pytest.mark.parametrize(
    "content",
    [
        b"PK\x03\x04 broken",
        b"plain text",
        docx_bytes(_p("x"))[:2000],
        docx_bytes("<w:p><w:r><w:t>not closed"),
        docx_bytes(_p("x"), extra={"[Content_Types].xml": "<Types/>"}),
    ],
)
def test_broken_docx_is_damaged(read, content):
    """A broken package or broken XML gets a sentence, whatever the library raises."""
    with pytest.raises(DocumentUnreadable, match=r"^a\.docx .*\.$") as caught:
        read("a.docx", content)

    assert caught.value.kind == "damaged"


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("a.md", b"", "empty"),
        ("a.md", b" \n\t ", "empty"),
        ("a.md", b"\x00\x01\x02" * 50, "damaged"),
        ("a.md", b"<!-- nothing -->\n", "no-text"),
        ("a.html", b"", "empty"),
        ("a.html", b"<p>\x00</p>", "damaged"),
        ("a.docx", b"", "empty"),
        ("a.docx", docx_bytes("<w:p/>"), "no-text"),
    ],
)
def test_files_with_nothing_to_read(read, name, content, kind):
    """Empty, binary and wordless files are told apart."""
    with pytest.raises(DocumentUnreadable) as caught:
        read(name, content)

    assert caught.value.kind == kind

"""Rows of CSV, values of JSON, source code: text that has its own shape."""

from __future__ import annotations

import json

import pytest

from ingest.loaders.registry import loader_for
from ingest.loaders.tables import PAGE_LENGTH, row_of, table_lines
from storage.errors import DocumentUnreadable


@pytest.fixture
def read(tmp_path):
    """A file of this name and content, as its loader reads it."""

    def _read(name, content):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return loader_for(path.suffix).load(path)

    return _read


def _lines(*rows):
    numbered = (row_of(number, row) for number, row in enumerate(rows, start=1) if any(row))
    return "\n".join(found.text for found in table_lines(numbered)).split("\n")


def test_each_row_of_a_csv_is_told_with_its_header(read):
    """Semicolons, quoted cells, line breaks in cells and missing ones included."""
    document = read("people.csv", 'Name;Age;City\n"Müller; A";30;Graz\nBo;;"Bad\nIschl"\n')

    assert document.pages[0].label == "rows 1–3"
    assert document.pages[0].text.split("\n") == [
        "Name | Age | City",
        "Name: Müller; A | Age: 30 | City: Graz",
        "Name: Bo | City: Bad Ischl",
    ]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", "sep=|\nNom|Ort|Wert\nZoë|Graz|1\n"),
        ("a.tsv", "Nom\tOrt\tWert\nZoë\tGraz\t1\n"),
        ("a.csv", "\ufeffNom;Ort;Wert\r\nZoë;Graz;1\r\n".encode("utf-16-le")),
        ("a.csv", "Nom,Ort,Wert\r\nZoë,Graz,1\r\n".encode("utf-16-be")),
        ("a.csv", ("Nom,Ort,Wert\n" + "Zoë,Graz,1\n" * 20).encode("cp1252")),
    ],
)
def test_separator_and_encoding_are_recognised(read, name, content):
    """Whatever program wrote the table."""
    assert "Nom: Zoë | Ort: Graz | Wert: 1" in read(name, content).pages[0].text


def test_quotation_mark_that_is_never_closed_swallows_nothing(read):
    """The rows behind it are rows."""
    rows = "".join(f"{n},4,5\n" for n in range(2_000))
    document = read("q.csv", f'a,b,c\n1,2,"never closed\n{rows}')

    assert len(document.pages) > 5
    assert document.pages[-1].text.endswith("a: 1999 | b: 4 | c: 5")


def test_table_on_one_endless_line_is_read_as_text(read):
    """It has no rows to name."""
    document = read("line.csv", b"abcdefgh,1234567," * 70_000)

    assert {page.label for page in document.pages} == {"line 1"}
    assert sum(len(page.text) for page in document.pages) > 1_000_000


def test_table_below_an_empty_row_may_have_its_own_header():
    """One with figures under its names has; one without keeps the header above."""
    found = _lines(
        ["Item", "Price", "Stock"],
        ["Chair", "12", "3"],
        [],
        ["Town", "People", "Area"],
        ["Graz", "300,000", "127.5"],
        [],
        ["Linz", "210,000", "96"],
    )

    assert found == [
        "Item | Price | Stock",
        "Item: Chair | Price: 12 | Stock: 3",
        "Town | People | Area",
        "Town: Graz | People: 300,000 | Area: 127.5",
        "Town: Linz | People: 210,000 | Area: 96",
    ]


def test_table_of_figures_has_no_header():
    """Its first row is a row."""
    assert _lines(["1", "2", "3"], ["4", "5", "6"]) == ["1 | 2 | 3", "4 | 5 | 6"]


def test_years_may_name_columns():
    """As they do in most reports."""
    found = _lines(["Region", "2022", "2023"], ["North", "5", "7"])

    assert found[1] == "Region: North | 2022: 5 | 2023: 7"


def test_header_of_two_rows_names_groups_and_columns():
    """As merged cells do: the upper name holds up to the next one."""
    rows = [["North", "5", "7", "6", "8"], ["South", "1", "2", "3", "4"]]
    found = _lines(["Region", "2022", "", "2023"], ["", "Units", "Sum", "Units", "Sum"], *rows)

    assert found[2] == "Region: North | 2022 Units: 5 | 2022 Sum: 7 | 2023 Units: 6 | 2023 Sum: 8"


def test_row_of_words_below_a_header_with_gaps_is_a_row():
    """Without figures below its words it names nothing."""
    rows = [["Ann", "Graz", "Ring", "retired"], ["Bob", "Linz", "Gasse", "works"]]
    found = _lines(["Name", "Town", "Street", ""], *rows)

    assert found[1] == "Name: Ann | Town: Graz | Street: Ring | retired"


def test_header_in_bars_leads_every_page_of_a_narrow_table():
    """Two columns keep their bars, and their names stand on top of each page."""
    rows = [["Word", "Meaning"], *([f"word {n}", f"meaning {n} " + "x" * 60] for n in range(200))]
    numbered = (row_of(number, row) for number, row in enumerate(rows, start=1))
    pages = list(table_lines(numbered))

    assert len(pages) > 3
    assert all(page.text.startswith("Word | Meaning\n") for page in pages)
    assert all(len(page.text) <= PAGE_LENGTH for page in pages)
    assert [page.first for page in pages][1:] == [page.last + 1 for page in pages][:-1]


def test_values_of_json_stand_behind_their_names(read):
    """Plain values first, each other value in a section of its name."""
    content = {
        "title": "Settings",
        "port": 80,
        "servers": [{"name": "alpha", "tags": ["a", "b"]}, {"name": "beta", "deep": {"on": True}}],
        "empty": [],
        "nothing": None,
    }
    document = read("s.json", json.dumps(content))

    assert document.title == "Settings"
    assert [(page.heading, page.text) for page in document.pages][:2] == [
        ("", "title: Settings | port: 80"),
        ("servers", "servers\n\nname: alpha | tags: a, b\nname: beta | deep.on: true"),
    ]


def test_list_of_json_records_is_cited_by_item(read):
    """The numbers are those of the list, from 1."""
    document = read("l.json", json.dumps([{"id": n, "text": "word " * 20} for n in range(200)]))

    assert document.pages[0].label.startswith("items 1–")
    assert document.pages[-1].label.endswith("–200")


def test_lines_that_are_no_json_are_told_and_the_rest_is_read(read):
    """One bad line costs itself."""
    document = read("l.jsonl", '{"id": 1}\nno json\n\n{"id": 2}\n')

    assert document.pages[0].label == "lines 1–4"
    assert document.pages[0].text == "id: 1\nid: 2"
    assert "the first of them line 2" in document.warnings[0]


@pytest.mark.parametrize("content", ["[" * 200_000, '{"a":' * 200_000 + "1" + "}" * 200_000])
def test_deeply_nested_json_is_refused(read, content):
    """In a sentence, not with a crash."""
    with pytest.raises(DocumentUnreadable, match="nests its values too deeply"):
        read("d.json", content)


def test_source_code_is_cut_between_definitions_and_cited_by_lines(read):
    """The lines are those of the file; the heading is the definition they belong to."""
    parts = [f"def f{n}(x):\n" + f"    y = x + {n}\n" * 100 + "    return y\n\n" for n in range(6)]
    content = "".join(parts)
    document = read("m.py", content)

    lines = content.split("\n")
    assert document.title == "m.py"
    assert len(document.pages) == 6
    for n, page in enumerate(document.pages):
        first, last = map(int, page.label.removeprefix("lines ").split("–"))
        assert page.text == "\n".join(lines[first - 1 : last])
        assert page.heading == f"def f{n}"


def test_minified_code_is_cut_too(read):
    """One line of megabytes makes pages of readable length."""
    document = read("m.js", "var a=1;" * 50_000)

    assert max(len(page.text) for page in document.pages) <= PAGE_LENGTH
    assert {page.label for page in document.pages} == {"line 1"}

"""Tables, paragraphs and running lines, told from the shape of the lines."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.page_layout import (
    body_of,
    edge_of,
    header_of,
    paragraph_starts,
    running_spans,
    runs_on,
    tables,
)

MARKDOWN = (
    "Fares.\n\n| Who | Summer | Winter |\n|---|---|---|\n| Adult | 4 | 3 |\n| Dog | 1 | 1 |\n\nEnd."
)
STATEMENT = (
    "These obligations are firm.\n"
    "Payments due by year\n"
    "(Millions) Total 2019 2020\n"
    "Total debt $ 14,622 $ 1,211 $ 1,330\n"
    "Interest and other\n"
    "charges 4,281 335 331\n"
    "Operating leases 1,111 283 208\n"
    "Long-term debt payments include floating rate notes.\n"
)


def pieces(text: str) -> list[tuple[str, str]]:
    return [(text[t.start : t.body], text[t.body : t.end]) for t in tables(text)]


def test_a_markdown_table_has_its_first_row_and_rule_for_a_header():
    """Also where the first row holds figures."""
    assert pieces(MARKDOWN) == [
        (
            "| Who | Summer | Winter |\n|---|---|---|\n",
            "| Adult | 4 | 3 |\n| Dog | 1 | 1 |\n",
        )
    ]
    assert pieces("| 2019 | 2020 |\n|---|---|\n| 7 | 8 |")[0][0].startswith("| 2019")


def test_a_statement_has_its_caption_and_years_for_a_header():
    """Rows of amounts are the body; a label on two lines does not end the table."""
    (table,) = pieces(STATEMENT)

    assert table[0] == "Payments due by year\n(Millions) Total 2019 2020\n"
    assert table[1].startswith("Total debt")
    assert table[1].endswith("Operating leases 1,111 283 208\n")


def test_prose_and_lists_are_no_tables():
    """Neither is a single row."""
    assert tables("A crossing took 20 minutes in 2019.\nIt takes 15 now.\n- one\n- two\n") == []
    assert tables("Total 12 14\n\nSomething else is said here, and it ends.") == []


def test_a_row_knows_its_header_and_the_header_has_none():
    """What stands above a place inside the rows, without the line break."""
    found = tables(STATEMENT)

    header = header_of(STATEMENT, found, STATEMENT.index("Operating"))

    assert header
    assert STATEMENT[header.start : header.end].endswith("(Millions) Total 2019 2020")
    assert header_of(STATEMENT, found, STATEMENT.index("(Millions)")) is None
    assert header_of(STATEMENT, found, 3) is None


def test_a_line_that_ends_a_sentence_ends_a_paragraph_where_there_are_no_blank_lines():
    """A table counts as one thing."""
    text = f"The first one is wrapped\nover two lines.\nThe second.\n{STATEMENT}"

    starts = [text[at : at + 10] for at in paragraph_starts(text, tables(text))]

    assert starts == ["The first ", "The second", "These obli", "Payments d", "Long-term "]


def pages_with(header: str, footer: str, count: int) -> dict[int, str]:
    return {
        n: f"{header.format(n=n)}\nText number {n * 7} is of its own.\n{'x' * n} more\n"
        + footer.format(n=n, total=count)
        for n in range(1, count + 1)
    }


def running(number: int, pages: dict[int, str]) -> list[str]:
    spans = running_spans(number, {n: edge_of(n, text) for n, text in pages.items()})
    return [pages[number][span.start : span.end] for span in spans]


@pytest.mark.parametrize(
    ("footer", "found"),
    [
        ("{n}", "4"),
        ("Page {n} of {total}", "Page 4 of 9"),
        ("Annual report 2025 - {n}", "Annual report 2025 - 4"),
        ("For internal use", "For internal use"),
    ],
)
def test_lines_at_the_edge_of_many_pages_are_running_lines(footer: str, found: str):
    """Word for word the same, or with a number that grows with the page."""
    assert running(4, pages_with("ACME INC.", footer, 9)) == ["ACME INC.", found]


def test_a_total_at_the_foot_of_every_page_is_no_running_line():
    """Its figures do not grow with the page."""
    pages = {n: f"Rows {n}\nTotal {n * 31 % 17} {n * 97}" for n in range(1, 9)}

    assert "Total" not in "".join(running(5, pages))


def test_two_pages_tell_a_page_number_and_a_title_only_where_there_are_no_more():
    """Fewer prove nothing."""
    two, more = pages_with("ACME INC.", "{n}", 2), {3: "Else it is.", 4: "And else."}
    assert running(2, two) == ["ACME INC.", "2"]
    assert running(2, two | more) == ["2"]
    assert running(1, {1: "ACME INC.\nText."}) == []


def test_left_and_right_pages_may_have_headers_of_their_own():
    """Every second page is often enough."""
    pages = {
        n: f"{'Left' if n % 2 else 'Right'} head\nBody {n * n}.\nmore {n * 3} of it\nand {n * 5}"
        for n in range(1, 10)
    }

    assert running(4, pages) == ["Right head"]


def test_the_body_lies_between_the_running_lines():
    """Without outer space."""
    pages = pages_with("ACME INC.", "{n}", 5)
    spans = running_spans(3, {n: edge_of(n, text) for n, text in pages.items()})

    start, end = body_of(pages[3], spans)

    assert pages[3][start:end] == "Text number 21 is of its own.\nxxx more"


@given(st.text(alphabet="aB1|.\n \t", max_size=120), st.data())
def test_the_body_of_any_page_is_a_span_of_it(text, data):
    """Whatever is cut away, start and end are in order and within the page."""
    edges = {n: edge_of(n, text) for n in range(1, data.draw(st.integers(1, 4)) + 1)}

    start, end = body_of(text, running_spans(1, edges))

    assert 0 <= start <= end <= len(text)
    assert text[start:end] == text[start:end].strip()


@given(st.text(alphabet="ab1 9|.\n\t,", max_size=200))
def test_tables_lie_in_order_inside_any_page(text):
    """Header before body, no overlap, and paragraphs begin inside the page."""
    found = tables(text)

    edges = [edge for table in found for edge in table]
    assert edges == sorted(edges)
    assert all(0 <= edge <= len(text) for edge in edges)
    assert all(0 <= at <= len(text) for at in paragraph_starts(text, found))


@pytest.mark.parametrize(
    ("page", "following", "goes_on"),
    [
        ("the tower was built in", "the year 1901.", True),
        ("rates, prices,", "January and May.", True),
        ("an inter-", "National agreement", True),
        ("It ends here.", "and this begins oddly.", False),
        ("Section 4", "General", False),
        ("Debt 12 14\nCash 3 4", "Leases 5 6\nOther 1 2", True),
        ("Debt 12 14\nCash 3 4", "(Millions) 2019 2020\nLeases 5 6", False),
        ("价格、运费、", "税金都包括在内。", True),
        ("", "text", False),
        ("text", "", False),
    ],
)
def test_a_page_runs_on_only_where_that_is_evident(page: str, following: str, goes_on: bool):
    """A sentence or a table that the page break cuts."""
    assert runs_on(page, following) is goes_on

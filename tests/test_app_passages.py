"""Small chunks are found, the text around them is read, and every word keeps its place."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from app.page_layout import tables
from app.passages import narrow, widen
from app.sentences import Span
from storage.records import Found, Hit, Page
from tests.hits import a_hit

PARAGRAPHS = [
    f"Paragraph {n} begins here. "
    + f"It says what it has to say about matter {n}. " * 6
    + f"End {n}."
    for n in range(12)
]
LONG = "\n\n".join(PARAGRAPHS)
ROWS = "".join(f"Item {n} {n * 11} {n * 13}\n" for n in range(80))
HEADER = "Due by year\n(Millions) 2019 2020"
STATEMENT = f"The obligations are listed.\n{HEADER}\n{ROWS}After the table comes a text."


def hit(
    text: str, page: str, rank: int = 1, *, number: int = 1, version: int = 1, paged: bool = True
) -> Hit:
    start = page.index(text)
    return at(start, start + len(text), page, rank, number=number, version=version, paged=paged)


def at(
    start: int,
    end: int,
    page: str,
    rank: int = 1,
    *,
    number: int = 1,
    version: int = 1,
    paged: bool = True,
) -> Hit:
    return a_hit(
        page[start:end],
        rank=rank,
        document_id=version,
        page=number,
        char_start=start,
        chunk_id=f"{version}:{number}:{start}",
        paged=paged,
    )


def pages_of(*texts: str, version: int = 1) -> dict[tuple[int, int], Page]:
    return {(version, n): Page(n, text) for n, text in enumerate(texts, start=1)}


def test_a_short_page_is_read_whole_and_knows_what_was_found():
    """The chunk's own span stays known."""
    page = "\nIntro.\n\nThe rent is 1,200 euros.\n\nOutro.\n"
    found = hit("The rent is 1,200 euros.", page)

    (passage,) = widen([found], pages_of(page), 3000)

    assert passage.text == page.strip() == page[passage.char_start : passage.char_end]
    assert passage.found == (Found(found.char_start, found.char_end, 1),)
    assert (passage.rank, passage.chunk_id) == (found.rank, found.chunk_id)


def test_a_chunk_of_a_long_page_grows_to_whole_paragraphs():
    """Evenly to both sides, within the limit, never a paragraph by halves."""
    found = hit("matter 5. It says what", LONG)

    (passage,) = widen([found], pages_of(LONG), 1000)

    assert len(passage.text) <= 1000
    whole = passage.text.split("\n\n")
    assert PARAGRAPHS[5] in whole
    assert set(whole) <= set(PARAGRAPHS)


def test_chunks_that_lie_close_together_are_one_passage():
    """Overlapping ones and neighbours merge; a far one stays apart, in order of rank."""
    found = [
        hit(PARAGRAPHS[9], LONG, 1),
        hit(PARAGRAPHS[2], LONG, 2),
        at(LONG.index(PARAGRAPHS[2]) + 50, LONG.index(PARAGRAPHS[3]) + 40, LONG, 3),
    ]

    far, near = widen(found, pages_of(LONG), 700)

    assert PARAGRAPHS[9] in far.text
    assert [chunk.rank for chunk in near.found] == [2, 3]
    assert (far.rank, near.rank) == (1, 2)
    assert near.text == LONG[near.char_start : near.char_end]


def test_a_passage_that_begins_inside_a_table_gets_its_header():
    """The rows between are left out; the header is the page's own lines."""
    found = hit("Item 60 660 780\nItem 61 671 793\n", STATEMENT)

    (passage,) = widen([found], pages_of(STATEMENT), 300)

    assert passage.text.startswith("Item ")
    assert passage.lead == HEADER
    assert passage.lead in STATEMENT


def test_a_table_that_fits_is_read_from_its_header_on():
    """Where the header is near enough, it is part of the passage, and leads nothing twice."""
    found = hit("Item 7 77 91\n", STATEMENT)

    (passage,) = widen([found], pages_of(STATEMENT), 600)

    assert "(Millions) 2019 2020\nItem 0" in passage.text
    assert passage.lead == ""


def test_a_table_above_is_not_read_by_its_tail():
    """Its last rows without their header would answer nothing."""
    text = f"{STATEMENT}\n" + "\n".join(PARAGRAPHS)
    found = hit("matter 0. It says what", text)

    (passage,) = widen([found], pages_of(text), 900)

    assert "Item 79" not in passage.text


@settings(deadline=None)
@given(st.integers(0, len(STATEMENT) - 30), st.integers(10, 30), st.integers(50, 900))
def test_no_row_is_ever_read_without_its_header(start, length, most):
    """Wherever a chunk lies, a passage with rows of a table has the header too."""
    (passage,) = widen([at(start, start + length, STATEMENT)], pages_of(STATEMENT), most)

    (table,) = tables(STATEMENT)
    first_row = max(passage.char_start, table.body)
    if first_row < min(passage.char_end, table.end):
        assert "(Millions) 2019 2020" in passage.lead + passage.text


def test_text_that_runs_over_the_page_break_is_followed_there():
    """As a passage of its own, under its own page number, up to the end of its paragraph."""
    first = "Opening words of the page.\nThe keeper of the tower is chosen by the"
    second = "council every third year.\nAnother matter altogether follows."
    found = hit("The keeper of the tower is chosen by the", first)

    passage, beside = widen([found], pages_of(first, second), 3000)

    assert (passage.page, beside.page) == (1, 2)
    assert beside.text == "council every third year."
    assert beside.beside
    assert beside.found == ()


def test_a_sentence_that_began_on_the_page_before_is_fetched():
    """From the beginning of its paragraph on."""
    first = "Opening words of the page.\nThe keeper of the tower is chosen by the"
    second = "council every third year.\nAnother matter altogether follows."
    found = hit("council every third year.", second, number=2)

    passage, beside = widen([found], pages_of(first, second), 3000)

    assert (passage.page, beside.page) == (2, 1)
    assert beside.text == "The keeper of the tower is chosen by the"


def test_running_lines_do_not_hide_that_text_runs_on():
    """The page number at the foot is not the end of the sentence."""
    first = "The keeper of the tower is chosen by the\n7"
    second = "ACME INC.\ncouncil every third year."
    running = {(1, 1): [Span(41, 42)], (1, 2): [Span(0, 9)]}

    passages = widen([hit("The keeper", first)], pages_of(first, second), 3000, running)

    assert [one.text for one in passages[1:]] == ["council every third year."]


def test_nothing_is_taken_from_a_page_that_begins_anew():
    """Nor from a section beside, in formats without pages, nor twice from a page that is read."""
    ends, begins = "A page that ends.", "A page that begins."
    cut, goes_on = "chosen by the", "council every third year."

    assert len(widen([hit(ends, ends)], pages_of(ends, begins), 3000)) == 1
    assert len(widen([hit(cut, cut, paged=False)], pages_of(cut, goes_on), 3000)) == 1
    both = [hit(cut, cut), hit(goes_on, goes_on, 2, number=2)]
    assert [one.beside for one in widen(both, pages_of(cut, goes_on), 3000)] == [False, False]


def test_a_hit_that_its_page_does_not_bear_out_stays_as_it_is():
    """The page was replaced, or is gone; with 0 nothing is widened at all."""
    found = hit("Paragraph 1 begins here.", LONG)

    assert widen([found], pages_of("Another text."), 3000) == [found]
    assert widen([found], {}, 3000) == [found]
    assert widen([found], pages_of(LONG), 0) == [found]


def test_a_passage_can_be_narrowed_to_what_was_found():
    """Chunk by chunk; a row keeps its header; a neighbour comes to nothing."""
    found = [hit("Item 7 77 91\n", STATEMENT), hit("After the table", STATEMENT, 2)]
    (passage,) = widen(found, pages_of(STATEMENT), 5000)

    row, after = narrow(passage)

    assert (row.text, row.lead) == ("Item 7 77 91\n", HEADER)
    assert (after.text, after.lead) == ("After the table", "")
    assert narrow(found[0]) == [found[0]]
    cut, goes_on = "chosen by the", "council every third year."
    assert narrow(widen([hit(cut, cut)], pages_of(cut, goes_on), 3000)[1]) == []


texts = st.lists(
    st.sampled_from(
        [
            "A sentence stands here. ",
            "Row 1 2 3\n",
            "| a | 1 |\n",
            "\n\n",
            "word ",
            "- item\n",
            "句子。",
            "\t",
        ]
    ),
    min_size=1,
    max_size=60,
).map("".join)


@settings(max_examples=300, deadline=None)
@given(st.lists(texts, min_size=1, max_size=3), st.integers(0, 400), st.data())
def test_widening_loses_nothing_and_stays_true(contents, most, data):
    """Each passage is a slice of its page; each chunk lies whole in exactly one of them."""
    pages = pages_of(*contents)
    found = []
    for rank in range(1, data.draw(st.integers(1, 6)) + 1):
        number = data.draw(st.integers(1, len(contents)))
        text = contents[number - 1]
        start = data.draw(st.integers(0, len(text) - 1))
        end = data.draw(st.integers(start + 1, len(text)))
        found.append(at(start, end, text, rank, number=number))

    passages = widen(found, pages, most)

    for one in passages:
        assert one.text == pages[(1, one.page)].text[one.char_start : one.char_end]
        assert all(one.char_start <= c.start and c.end <= one.char_end for c in one.found)
    for chunk in found:
        own = Found(chunk.char_start, chunk.char_end, chunk.rank)
        holders = [one for one in passages if own in one.found or one == chunk]
        assert len(holders) == 1
    grown = [one for one in passages if one.found]
    for one in grown:
        for other in grown:
            apart = one.char_end <= other.char_start or other.char_end <= one.char_start
            assert one is other or one.page != other.page or apart
    ranks = [one.rank for one in passages if not one.beside]
    assert ranks == sorted(ranks)


@settings(max_examples=200, deadline=None)
@given(texts, st.integers(1, 400), st.data())
def test_narrowing_gives_back_what_was_found(text, most, data):
    """All the characters of every chunk, and no others."""
    spans = data.draw(
        st.lists(
            st.tuples(st.integers(0, len(text) - 1), st.integers(1, 40)), min_size=1, max_size=4
        )
    )
    found = [at(s, min(len(text), s + n), text, rank) for rank, (s, n) in enumerate(spans, 1)]

    chunks = [chunk for one in widen(found, pages_of(text), most) for chunk in narrow(one)]

    for chunk in chunks:
        assert chunk.text == text[chunk.char_start : chunk.char_end]
    given_back = {place for chunk in chunks for place in range(chunk.char_start, chunk.char_end)}
    assert given_back == {p for one in found for p in range(one.char_start, one.char_end)}

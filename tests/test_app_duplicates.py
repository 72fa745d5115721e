"""The same words are read once and cited everywhere; a digit or a word apart are two texts."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.duplicates import collapse, copies_last, name_copies, same_words
from app.sentences import Span
from storage.records import Hit
from tests.hits import a_hit

CLAUSE = (
    "The tenant pays the rent of 1,200 euros on the first working day of each month. "
    "Payments by cheque are not accepted."
)


def hit(text: str, document: int, *, rank: int = 0, page: int = 1, beside: bool = False) -> Hit:
    return a_hit(
        text,
        rank=rank or document,
        document_id=document,
        page=page,
        score=1 / document,
        chunk_id=f"{document}:{page}",
        title=f"Contract {document}",
        beside=beside,
    )


def documents(hits) -> list[str]:
    return [one.document for one in hits]


@pytest.mark.parametrize(
    "copy",
    [
        CLAUSE,
        CLAUSE.replace(" ", "\n"),
        CLAUSE.upper().replace("EUROS", "euros"),
        CLAUSE.replace("working", "work-\ning"),
        CLAUSE.replace(
            "cheque", "\N{LEFT DOUBLE QUOTATION MARK}cheque\N{RIGHT DOUBLE QUOTATION MARK}"
        ),
        CLAUSE.replace("The tenant pays the", "Tenants pay"),
        f"- {CLAUSE}",
    ],
)
def test_the_same_words_set_otherwise_are_one_passage(copy: str):
    """The better one stays and names the other's place."""
    (kept,) = collapse([hit(CLAUSE, 1), hit(copy, 2, page=7)])

    assert kept.text == CLAUSE
    assert [(place.document, place.page, place.place) for place in kept.also] == [
        ("2.pdf", 7, "page 7")
    ]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1,200", "1,300"),
        ("1,200", "-1,200"),
        ("1,200 euros", "$1,200"),
        ("1,200 euros", "1,200 %"),
        ("are not accepted", "are accepted"),
        ("first", "second"),
        ("tenant", "landlord"),
        ("each month", "each month of 2023"),
    ],
)
def test_a_figure_or_a_word_apart_are_two_passages(one: str, other: str):
    """However long the rest that they share: the reports of two years must both be read."""
    long = " ".join([CLAUSE] * 20)

    assert len(collapse([hit(long, 1), hit(long.replace(one, other, 1), 2)])) == 2


def test_a_year_in_one_of_two_reports_keeps_both():
    """Near-identical paragraphs that differ in one digit."""
    report = "Net sales rose in fiscal {} as the volumes of all segments grew by a fifth."

    kept = collapse([hit(report.format(2022), 1), hit(report.format(2023), 2)])

    assert documents(kept) == ["1.pdf", "2.pdf"]
    assert all(not one.also for one in kept)


def test_a_passage_that_stands_within_a_better_one_is_not_read_again():
    """The other way round both stay: the longer one says more."""
    more = f"{CLAUSE} The deposit is three months' rent."

    assert documents(collapse([hit(more, 1), hit(CLAUSE, 2)])) == ["1.pdf"]
    assert documents(collapse([hit(CLAUSE, 2), hit(more, 1)])) == ["2.pdf", "1.pdf"]


def test_a_heading_within_another_text_is_no_copy():
    """A few words stand anywhere."""
    assert len(collapse([hit(CLAUSE, 1), hit("the rent", 2)])) == 2


def test_letters_that_number_things_are_not_articles():
    """Schedule A and Schedule L are two schedules."""
    assert same_words("See Schedule A.") != same_words("See Schedule L.")
    assert same_words("a rent") == same_words("the rent")


def test_running_lines_do_not_make_two_of_one():
    """The same text on page 3 of one file and on page 4 of another."""
    first, second = hit(f"{CLAUSE}\n3", 1, page=3), hit(f"{CLAUSE}\n4", 2, page=4)
    end = len(CLAUSE)

    apart = collapse([first, second])
    together = collapse(
        [first, second], {(1, 3): [Span(end, end + 2)], (2, 4): [Span(end, end + 2)]}
    )

    assert (len(apart), len(together)) == (2, 1)


def test_chinese_texts_are_the_same_only_to_the_last_character():
    """Unspaced scripts are compared character by character."""
    text = "公司在二零二零年的净利润为八百七十三万元，比上年增加。"

    assert len(collapse([hit(text, 1), hit(text.replace("，", "\n"), 2)])) == 1
    assert len(collapse([hit(text, 1), hit(text.replace("增加", "减少"), 2)])) == 2


def test_what_was_found_is_never_a_copy_of_what_only_stands_beside():
    """A neighbour may be left out of the prompt; what was found may not go with it."""
    kept = collapse([hit(CLAUSE, 1, beside=True), hit(CLAUSE, 2)])

    assert documents(kept) == ["1.pdf", "2.pdf"]


def test_other_hits_are_named_where_their_text_was_read():
    """Those that would not fit any more; a text of a few words is none."""
    kept = name_copies([hit(f"Before. {CLAUSE} After.", 1)], [hit(CLAUSE, 2), hit("After.", 3)])

    assert documents(kept[0].also) == ["2.pdf"]


def test_a_place_is_named_once_and_never_its_own():
    """Three copies of one page of one document are one place."""
    kept = collapse([hit(CLAUSE, 1), hit(CLAUSE, 2), replace(hit(CLAUSE, 2), char_start=0)])

    assert documents(kept[0].also) == ["2.pdf"]


def test_a_second_copy_comes_behind_the_distinct_hits():
    """Nothing is dropped, the order is else the same, and ranks follow."""
    hits = [hit("one", 1), hit("ONE ", 2), hit("two", 3), hit("one", 4), hit("three", 5)]

    ordered = copies_last(hits)

    assert documents(ordered) == ["1.pdf", "3.pdf", "5.pdf", "2.pdf", "4.pdf"]
    assert [one.rank for one in ordered] == [1, 2, 3, 4, 5]


@given(st.lists(st.sampled_from(["one", "One", "two", "three", " two"]), max_size=12))
def test_moving_copies_keeps_every_hit(texts):
    """Each hit once, and all first copies before all second ones."""
    hits = [hit(text, number) for number, text in enumerate(texts, 1)]

    ordered = copies_last(hits)

    assert sorted(one.chunk_id for one in ordered) == sorted(one.chunk_id for one in hits)
    folded = [one.text.strip().lower() for one in ordered]
    distinct = len(set(folded))
    assert len(set(folded[:distinct])) == distinct


@given(st.lists(st.sampled_from([CLAUSE, f"{CLAUSE} More.", "the rent", "Else 4."]), max_size=10))
def test_collapsing_keeps_every_place(texts):
    """Each hit is a passage, or a place that a passage names."""
    hits = [hit(text, number) for number, text in enumerate(texts, 1)]

    kept = collapse(hits)

    named = [*documents(kept), *(place.document for one in kept for place in one.also)]
    assert sorted(named) == sorted(documents(hits))


@given(st.text(), st.text())
def test_texts_of_different_digits_are_never_the_same(one, other):
    """Figures are compared as they are."""
    if "".join(filter(str.isdecimal, one)) != "".join(filter(str.isdecimal, other)):
        assert same_words(one) != same_words(other)

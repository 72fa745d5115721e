"""What the page says instead of a quote that it does not hold, and in which words they differ."""

from __future__ import annotations

import time

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from app.near_quotes import NearIndex, nearest
from app.quotes import find_quote

PAGE = (
    "Net sales of the company were $ 32,765 million in 2018, against $31,657 million in 2017. "
    "Free cash flow was $8,783 million in 2019 – a record for the inter-\nnational business. "
    "Operating margin: (2.5)% of sales. Der Tagessatz beträgt 48 €. 员工总数为四千二百人。"
)


def told(quote: str, page: str = PAGE) -> list[tuple[str, str]] | None:
    """(quoted, page) of each difference."""
    near = nearest(quote, page)
    return None if near is None else [(item.quoted, item.page) for item in near.differences]


@pytest.mark.parametrize(
    ("quote", "differences"),
    [
        ("Free cash flow was $8,738 million in 2019", [("8,738", "8,783")]),
        ("Free cash flow was $8,783 million in 2018", [("2018", "2019")]),
        ("Free cash flow was $8,783 billion in 2019", [("billion", "million")]),
        ("Free cash flow was €8,783 million in 2019", [("€", "$")]),
        ("$8,738", [("8,738", "8,783")]),
        ("$31,657 million in 2018", [("2018", "2017")]),
        ("the international bussiness", [("bussiness", "business")]),
        ("a record for the national business", [("national", "inter-\nnational")]),
        ("Operating margin: -2.5% of sales", [("-2.5", "(2.5)")]),
        ("net sales were $32,756 million", [("", "of the company"), ("32,756", "32,765")]),
        ("Der Tagessatz beträgt 84 €", [("84", "48")]),
        ("员工总数为四千三百人", [("三", "二")]),
    ],
)
def test_a_near_miss_names_what_differs(quote: str, differences: list[tuple[str, str]]) -> None:
    """One digit, a unit, a sign, a word: each is named with what the page has in its place."""
    assert find_quote(quote, PAGE) is None
    assert told(quote) == differences


@pytest.mark.parametrize(
    "quote",
    [
        "something entirely different about cats and dogs",
        "the rent is due on the first of the month",
        "65 EUR",
        "",
        "…",
        "—",
        "in 2011",
    ],
)
def test_other_words_are_not_near(quote: str) -> None:
    """A sentence on something else is unsupported, not nearly right."""
    near = nearest(quote, "Net sales rose. The office in Bonn has 40 desks. Dogs are welcome.")

    assert near is None


def test_the_span_is_that_of_the_page() -> None:
    """What is shown stands in the page at the offsets that are given."""
    near = nearest("Free cash flow was $8,738 million", PAGE)

    assert near is not None
    assert PAGE[near.char_start : near.char_end] == near.text == "Free cash flow was $8,783 million"


def test_of_two_places_the_one_in_the_passage_is_taken() -> None:
    """As like, the place that the citation points at wins."""
    page = "The cap is 40 EUR a day. Later on: the cap is 41 EUR a day."

    first = nearest("the cap is 42 EUR a day", page, start=0, end=24)
    later = nearest("the cap is 42 EUR a day", page, start=25, end=len(page))

    assert first is not None and first.differences[0].page == "40"
    assert later is not None and later.differences[0].page == "41"


def test_of_an_abridged_quote_the_part_that_is_wrong_is_named() -> None:
    """The part that stands on the page needs no comparison."""
    assert told("Net sales of the company … Free cash flow was $8,738 million") == [
        ("8,738", "8,783")
    ]


_WORDS = st.lists(st.from_regex(r"[a-z]{3,9}", fullmatch=True), min_size=6, max_size=25)


@settings(max_examples=200, deadline=None)
@given(_WORDS, st.integers(1000, 99999), st.data())
def test_any_changed_digit_is_named(words: list[str], figure: int, data: st.DataObject) -> None:
    """Wherever a figure stands in a quote, one wrong digit in it is found and told."""
    place = data.draw(st.integers(0, len(words)))
    digits = str(figure)
    at = data.draw(st.integers(0, len(digits) - 1))
    wrong = data.draw(st.sampled_from([d for d in "0123456789" if d != digits[at]]))
    changed = digits[:at] + wrong + digits[at + 1 :]
    page = " ".join(["before it", *words[:place], digits, *words[place:], "behind it"])
    quote = " ".join([*words[:place], changed, *words[place:]])
    assume(find_quote(quote, page) is None)

    assert told(quote, page) == [(changed, digits)]


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=200), st.text(max_size=60))
def test_any_text_is_survived(page: str, quote: str) -> None:
    """Spans lie in the page, whatever is compared."""
    near = nearest(quote, page)

    if near is not None:
        assert 0 <= near.char_start < near.char_end <= len(page)
        assert page[near.char_start : near.char_end] == near.text
        assert near.differences


def test_a_long_page_and_a_hostile_one_take_no_time() -> None:
    """Milliseconds for a page of a report, seconds at most for text made to be slow."""
    page = "The net sales of the company were $ 32,765 million in 2018 – a record. " * 170
    began = time.perf_counter()
    index = NearIndex(page)
    assert index.nearest("the net sales of the company were $ 32,756 million") is not None
    quick = time.perf_counter() - began
    for hostile in ("a " * 50_000, "1 2 3 4 5 " * 10_000, "中" * 50_000):
        NearIndex(hostile).nearest("1 2 9 a b " * 60)

    assert quick < 0.5
    assert time.perf_counter() - began < 10

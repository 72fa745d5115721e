"""A quote is proved when its words stand on the page, and only then."""

from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from app.quotes import PageIndex, find_quote


def quoted(quote: str, page: str) -> str | None:
    """The stretch of the page that proves the quote."""
    span = find_quote(quote, page)
    return None if span is None else page[span[0] : span[1]]


@pytest.mark.parametrize(
    ("quote", "page", "found"),
    [
        ("the cap is 40 EUR", "Since May the cap is 40 EUR a day.", "the cap is 40 EUR"),
        ("The Cap", "Since May the cap is 40 EUR.", "the cap"),
        ("two  words\nhere", "see two words here.", "two words here"),
        ("two words here", "see two\n   words\there.", "two\n   words\there"),
        ("international trade", "our inter-\nnational trade", "inter-\nnational trade"),
        ("inter-national trade", "our inter-\n  national trade", "inter-\n  national trade"),
        ("inter-\nnational trade", "our international trade", "international trade"),
        ("well-known", "a well-\nknown author", "well-\nknown"),
        ("international", "inter\xadnational", "inter\xadnational"),
        ("international", "inter\ufffe\nnational", "inter\ufffe\nnational"),
        ("international", "inter\x02national", "inter\x02national"),
        ("2019-2020", "in 2019–\n2020 alone", "2019–\n2020"),
        ("a well—placed man", "a well-placed man", "a well-placed man"),
        ("profit - before tax", "the profit – before tax", "profit – before tax"),
        ('he said "yes"', "he said “yes” twice", "he said “yes”"),
        ("the firm's 'own' view", "the firm’s “own” view", "the firm’s “own” view"),
        ("final office", "the ﬁnal oﬃce", "ﬁnal oﬃce"),
        ("the ﬁnal", "the final office", "the final"),
        ("ＦＵＬＬ １２", "so full 12", "full 12"),
        ("Straße", "in der STRASSE dort", "STRASSE"),
        ("café noir", "un cafe\u0301 noir", "cafe\u0301 noir"),
        ("cafe\u0301 noir", "un café noir", "café noir"),
        ("$ 1,577", "of $1,577 million", "$1,577"),
        ("$1,577", "of $ 1,577 million", "$ 1,577"),
        ("CO2 tax", "the CO₂ tax", "CO₂ tax"),
        ("6 1/2 sacks", "added 6½ sacks", "6½ sacks"),
        ("grew by 5%,", "it grew by 5% in May", "grew by 5%"),
        ("“It grew.”", "Then it grew and grew.", "it grew"),
        ("人口為一千萬", "該市人口為\n一千萬人。", "人口為\n一千萬"),
        ("使用Python编写", "它使用 Python 编写。", "使用 Python 编写"),
        ("की बात", "उस की बात है", "की बात"),
        ("word here", "a word \u200bhere", "word \u200bhere"),
        ("−5 degrees", "it was -5 degrees", "-5 degrees"),
        ("wait... there", "wait… there is", "wait… there"),
    ],
)
def test_typography_does_not_matter(quote: str, page: str, found: str) -> None:
    """White space, case, hyphens, quotation marks and ligatures may differ."""
    assert quoted(quote, page) == found


@pytest.mark.parametrize(
    ("quote", "page"),
    [
        ("the cap is 41 EUR", "the cap is 40 EUR"),
        ("the limit is 40 EUR", "the cap is 40 EUR"),
        ("308", "exactly 1308 points"),
        ("308", "exactly 1,308 points"),
        ("1,3", "exactly 1,308 points"),
        ("3", "it is 3.5 now"),
        ("5", "it is 3.5 now"),
        ("5 percent", "it is .5 percent now"),
        ("art", "a part of it"),
        ("resign", "they re-sign the paper"),
        ("re-sign", "they resign at once"),
        ("20192020", "in 2019-\n2020 alone"),
        ("20192020", "in 2019\ufffe\n2020 alone"),
        ("inter", "the inter-\nnational trade"),
        ("102", "it is 10² here"),
        ("10", "it is 10² here"),
        ("61/2", "it is 6½ here"),
        ("1/2 sacks", "it is 6½ sacks"),
        ("5 degrees", "it was -5 degrees"),
        ("-5 degrees", "it was 5 degrees"),
        ("ffice", "the oﬃce"),
        ("का", "क बात"),
        ("क", "की बात"),
        ("2019,20", "in 2019, 20 of them"),
        ("1 2", "a 12 b"),
        ("12", "a 1 2 b"),
        ("", "anything"),
        ("…", "anything…"),
        ("“ ”", "any “ ” thing"),
        ("words", ""),
    ],
)
def test_words_digits_and_signs_do_matter(quote: str, page: str) -> None:
    """A changed digit, word, sign or a half word proves nothing."""
    assert find_quote(quote, page) is None


@pytest.mark.parametrize("ellipsis", ["…", " ... ", " [...] ", " […] ", "...", " (…) ", ". . ."])
def test_an_ellipsis_matches_in_order_with_a_gap(ellipsis: str) -> None:
    """The parts of an abridged quote must follow one another on the page."""
    page = "Sales rose by 4% in May, helped by the weather, and then fell back again."

    assert quoted(f"Sales rose{ellipsis}fell back", page) == page[: page.index(" again")]
    assert find_quote(f"fell back{ellipsis}Sales rose", page) is None
    assert find_quote(f"Sales rose{ellipsis}fell down", page) is None


def test_an_ellipsis_at_the_edge_is_ignored() -> None:
    """An ellipsis before or after the quoted words asks for nothing."""
    assert quoted("…the cap is 40…", "and the cap is 40 EUR") == "the cap is 40"


def test_single_words_around_an_ellipsis_prove_nothing() -> None:
    """One word here and one there stand on almost any page."""
    assert find_quote("the … profit", "the year ended without a profit") is None


def test_a_start_prefers_the_later_place() -> None:
    """The place at or after the start is taken, and the page's first one failing that."""
    page = PageIndex("The cap is 40. Later: the cap is 40.")

    assert page.find("the cap is 40", start=15) == (22, 35)
    assert page.find("Later", start=30) == (15, 20)


# Text of words in several scripts, with the breaks and marks that PDFs put between them.
_ALPHABETS = ["abcdefghij", "äöüßéñ", "жзийк", "αβγδ", "0123456789", "ﬁﬀab", "A\u0301e\u0308"]
_WORDS = st.sampled_from(_ALPHABETS).flatmap(lambda letters: st.text(letters, min_size=1))
_BREAKS = st.sampled_from([" ", "  ", "\n", " \n ", "\t", ", ", ". ", " – ", "\u00a0", " \u200b"])
_PAGES = st.lists(st.tuples(_WORDS, _BREAKS), min_size=1, max_size=40)


@given(_PAGES, st.data())
def test_whole_words_of_a_page_are_found(parts: list[tuple[str, str]], data: st.DataObject) -> None:
    """Any run of whole words of a page is found, at its place or at an equal one before."""
    page = "".join(word + gap for word, gap in parts)
    first = data.draw(st.integers(0, len(parts) - 1))
    last = data.draw(st.integers(first, len(parts) - 1))
    start = sum(len(word) + len(gap) for word, gap in parts[:first])
    end = sum(len(word) + len(gap) for word, gap in parts[:last]) + len(parts[last][0]) + start
    end -= start

    span = find_quote(page[start:end], page)

    assert span is not None
    assert span[0] <= start
    assert PageIndex(page).find(page[start:end], start=start) == (start, end)


@given(
    st.lists(st.from_regex(r"[a-z]{1,6}|[0-9]{1,4}", fullmatch=True), min_size=1, max_size=30),
    st.data(),
)
def test_a_changed_digit_is_not_found(words: list[str], data: st.DataObject) -> None:
    """With one digit changed, a quote stands nowhere unless those digits really do."""
    page = " ".join(words)
    digits = [place for place, character in enumerate(page) if character.isdigit()]
    assume(digits)
    place = data.draw(st.sampled_from(digits))
    other = data.draw(st.sampled_from([d for d in "0123456789" if d != page[place]]))

    changed = page[:place] + other + page[place + 1 :]

    assert find_quote(page, page) == (0, len(page))
    assert find_quote(changed, page) is None


@given(st.text(max_size=200), st.text(max_size=30))
def test_any_text_is_survived_and_spans_are_honest(page: str, quote: str) -> None:
    """Whatever the input, a span lies in the page and its words prove themselves."""
    span = find_quote(quote, page)

    if span is not None:
        assert 0 <= span[0] < span[1] <= len(page)
        assert find_quote(page[span[0] : span[1]], page) is not None


@given(st.text("ab-\xad\u0301\n 5.½²ﬁ…\u200b中", max_size=40))
def test_normal_forms_prove_each_other(text: str) -> None:
    """A quote in one Unicode normal form is found in a page written in the other."""
    composed, parted = (unicodedata.normalize(form, text) for form in ("NFC", "NFD"))

    assert (find_quote(composed, parted) is None) == (find_quote(composed, composed) is None)


def test_a_long_page_is_searched_in_milliseconds() -> None:
    """Time grows with the page's length, even for text made to be slow."""
    page = "The net sales of the company were $ 32,765 million in 2018 – a record. " * 170

    began = time.perf_counter()
    index = PageIndex(page)
    assert index.find("were $32,765 million in 2018") is not None
    assert index.find("were $32,766 million in 2018") is None
    quick = time.perf_counter() - began
    for hostile in ("a-" * 50_000, " " * 100_000, "é\u0301" * 50_000, "a " * 50_000, ". " * 50_000):
        assert PageIndex(hostile).find("a-b " * 20) is None

    assert quick < 0.2
    assert time.perf_counter() - began < 5

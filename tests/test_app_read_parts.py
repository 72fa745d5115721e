"""Pages cut into parts."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.read_parts import Part, Slice, Stretch, cut, halves


def count(text: str) -> int:
    return len(re.findall(r"\w+|[^\w\s]", text))


def stretches(texts: list[str]) -> list[Stretch]:
    return [Stretch(Slice(1, n, 0, len(t)), t) for n, t in enumerate(texts, start=1)]


def parts_of(texts: list[str], capacity: int) -> list[Part]:
    return list(cut(stretches(texts), capacity, count, lambda stretch: 2))


def test_whole_pages_fill_a_part() -> None:
    """As many pages as fit, in order; the next one begins the next part."""
    parts = parts_of(["one two three"] * 5, 10)

    assert [[where.page for where in part.slices] for part in parts] == [[1, 2], [3, 4], [5]]
    assert [part.tokens for part in parts] == [10, 10, 5]


def test_long_page_is_cut_at_sentences() -> None:
    """A page longer than a part becomes several slices, each of whole sentences."""
    page = " ".join(f"Sentence number {n} stands here." for n in range(40))

    parts = parts_of([page], 50)

    pieces = [page[where.start : where.end] for part in parts for where in part.slices]
    assert "".join(pieces) == page
    assert all(piece.strip().startswith("Sentence number") for piece in pieces)
    assert all(piece.strip().endswith("here.") for piece in pieces)
    assert all(part.tokens <= 50 for part in parts)


def test_text_without_sentences_is_cut_hard() -> None:
    """A hundred thousand words without a full stop or line end are read, too."""
    page = " ".join(f"w{n}" for n in range(10_000))

    parts = parts_of([page], 500)

    covered = "".join(page[w.start : w.end] for part in parts for w in part.slices)
    assert covered == page
    assert max(part.tokens for part in parts) <= 500
    assert len(parts) < 30


def test_blank_pages_take_no_part() -> None:
    """What holds only white space is not asked about."""
    assert parts_of([" \n\t", ""], 50) == []


@settings(max_examples=150, deadline=None)
@given(
    texts=st.lists(st.text(alphabet="ab .\n,", max_size=300), max_size=6),
    capacity=st.integers(min_value=8, max_value=60),
)
def test_every_character_is_in_exactly_one_slice(texts: list[str], capacity: int) -> None:
    """Whatever the text: slices are in order, hold all that is not blank, and fit."""
    parts = parts_of(texts, capacity)

    for number, text in enumerate(texts, start=1):
        slices = [w for part in parts for w in part.slices if w.page == number]
        assert all(one.end <= two.start for one, two in pairwise(slices))
        kept = "".join(text[w.start : w.end] for w in slices)
        assert "".join(kept.split()) == "".join(text.split())
    assert all(part.tokens <= capacity for part in parts)


def test_halves_part_pages_then_sentences() -> None:
    """Several pages are parted between two, one page between two sentences."""
    many = halves(stretches(["a b c"] * 4))
    page = "The first sentence of the page stands here. The second one follows right behind it."
    one = halves(stretches([page]))

    assert many is not None
    assert [len(half) for half in many] == [2, 2]
    assert one is not None
    assert [half[0].text.strip() for half in one] == [
        "The first sentence of the page stands here.",
        "The second one follows right behind it.",
    ]


@pytest.mark.parametrize("text", ["", "short text", "x" * 79])
def test_too_short_is_not_halved(text: str) -> None:
    """There is an end to halving."""
    assert halves(stretches([text])) is None


def test_halves_of_unbroken_text_overlap() -> None:
    """Where a sentence has to be cut, its words around the cut stand in both halves."""
    text = "".join(f"w{n} " for n in range(500))

    parted = halves(stretches([text]))

    assert parted is not None
    (first,), (second,) = parted
    assert first.where.end > second.where.start
    assert text[second.where.start : second.where.end] == second.text

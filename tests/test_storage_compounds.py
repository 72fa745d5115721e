"""Compound words, with no dictionary but the library."""

from __future__ import annotations

import pytest

from storage.compounds import around, backwards, parts_of


def test_only_long_words_are_looked_for_by_their_end():
    """Short words are no compounds, and short parts match everything."""
    assert backwards("polic") == ""
    assert backwards("versicherungspolic").endswith("cilopsgnurehcisrev")
    assert around("rat") == []


@pytest.mark.parametrize(
    ("word", "parts"),
    [
        ("versicherungspolice", ["versicherung", "police"]),
        ("fahrradparkhaus", ["fahrrad", "parkhaus", "park", "haus"]),
        ("verlust", []),
        ("police", []),
    ],
)
def test_a_compound_is_cut_where_both_parts_are_known(word, parts):
    """The library's own words decide; linking letters are dropped."""
    known = dict.fromkeys(("versicherung", "police", "fahrrad", "parkhaus", "park", "haus"), 3)

    assert parts_of(word, str, lambda term: known.get(term, 0)) == parts

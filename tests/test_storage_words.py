"""Cutting text into words and numbers."""

from __future__ import annotations

import pytest

from storage.words import cut


@pytest.mark.parametrize(
    ("written", "pieces"),
    [
        ("$8,738.50", ["8738", "50"]),
        ("1.234.567,8", ["1234567", "8"]),
        ("12,34,567", ["1234567"]),
        ("3.10", ["3", "10"]),
        ("2016,2017", ["2016", "2017"]),
        ("FY2018", ["fy", "2018"]),
        ("10-K", ["10", "k"]),
        ("(AB-1234/5),", ["ab", "1234", "5"]),
        ("company's", ["company"]),
        ("companies'", ["companies"]),
        ("O'Brien", ["o", "brien"]),
        ("C++,", ["cplusplus"]),
        ("---", []),
        ("a3f9c2e17b04d", ["a3f9c2e17b04d"]),
        ("हिन्दी।", ["हिन्दी"]),
    ],
)
def test_what_stands_between_spaces_is_cut_into_words_and_numbers(written, pieces):
    """Grouping marks belong to a number, possessives to nobody, digests are left whole."""
    assert [piece.text for piece in cut(written).pieces] == pieces


def test_camel_case_is_cut_at_its_humps_only():
    """Plurals of abbreviations and brand names with one small letter stay whole."""
    assert [[p.text for p in other] for other in cut("parseHTTPResponse").others] == [
        ["parse", "http", "response"]
    ]
    assert cut("PDFs").others == cut("GmbH").others == cut("WARRANTY").others == ()

"""Comparing answers: SQuAD's rules, in every script."""

from __future__ import annotations

import pytest

from evaluation.answer_text import exact, f1, holds, without_marks, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The Denver Broncos!", ["denver", "broncos"]),
        ("$1,577 (FY'18)", ["1577", "fy18"]),
        ("  an  apple\na day ", ["apple", "day"]),
        ("丹佛野马队", ["丹", "佛", "野", "马", "队"]),
        ("2015年1月", ["2015", "年", "1", "月"]),
        ("“48 euros”", ["48", "euros"]),
        ("ＡＢＣ １２", ["abc", "12"]),
        ("the", []),
    ],
)
def test_words_are_normalised_as_squad_does(text, expected):
    """Case, punctuation and articles go; characters of unspaced scripts are words."""
    assert words(text) == expected


@pytest.mark.parametrize(
    ("sentence", "answers", "expected"),
    [
        ("They gave up 308 points.", ["308"], True),
        ("They gave up 1308 points.", ["308"], False),
        ("It was in 2012.", ["12"], False),
        ("The level was 3.40 m.", ["40"], False),
        ("The level was 3.40 m.", ["3.40 m"], True),
        ("A 16-year-old won.", ["16"], True),
        ("Spending was $1,577 million.", ["1577"], True),
        ("Spending was 1577 million.", ["$1,577"], True),
        ("The  Denver\nBroncos won.", ["denver broncos"], True),
        ("Denver beat the Broncos.", ["denver broncos"], False),
        ("Broncos of the Denver.", ["the Broncos of Denver"], True),
        ("Nothing of it.", ["308", "Broncos"], False),
        ("丹佛野马队获胜", ["野马队"], True),
        ("丹佛野马队获胜", ["野马人"], False),
        ("Any sentence.", [""], False),
        ("Any sentence.", ["the"], False),
        ("Any sentence.", [], False),
    ],
)
def test_a_text_holds_an_answer_as_words_in_a_row(sentence, answers, expected):
    """Typography does not matter; the inside of another number does."""
    assert holds(sentence, answers) is expected


def test_exact_means_nothing_else_is_said():
    """Articles and punctuation aside."""
    assert exact("The Broncos.", ["Denver Broncos", "broncos"])
    assert not exact("The Broncos won.", ["broncos"])
    assert exact("野马队。", ["野马队"])


@pytest.mark.parametrize(
    ("answer", "accepted", "expected"),
    [
        ("Denver Broncos", ["Denver Broncos"], 1.0),
        ("Denver", ["Denver Broncos"], 2 / 3),
        ("the Carolina Panthers", ["Denver Broncos"], 0.0),
        ("Denver", ["Panthers", "the Denver"], 1.0),
        ("red blue", ["blue blue"], 0.5),
        ("野马", ["野马队"], 0.8),
        ("", ["x"], 0.0),
        ("x", [], 0.0),
    ],
)
def test_f1_counts_shared_words(answer, accepted, expected):
    """Against the closest accepted answer; a word said once counts once."""
    assert f1(answer, accepted) == pytest.approx(expected)


def test_marks_of_citations_are_no_part_of_the_answer():
    """[1] and [2, 3] go, a year in brackets stays."""
    assert without_marks("48 euros [1], paid late [2, 3].") == "48 euros, paid late."
    assert without_marks("as in [2018]") == "as in [2018]"

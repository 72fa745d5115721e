"""What an answer scores: deterministic, from the row alone, again at any time.

An answer is right where it states every expected value and no other: naming
a distractor's value, or another value that looks like the right one, scores 0,
and so does a text too long to be an answer, which would hold any value. Where
several values are asked for, the score is the share that is stated. Where the
text does not say it, the right answer is to say so and to name no value.

What stands inside a denial is not stated: "I cannot find that the number is
12345" answers nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from evaluation.niah.abstention import Span, abstains, spans, states
from evaluation.niah.naming import Place, folded, others_alike, places, words_in
from evaluation.niah.records import Row

SCORER = 1
"""Version of these rules, kept with every score; a new one asks for `hayloft eval niah score`."""

MOST_WORDS = 150
"""An answer of more words, the expected ones four times aside, is a dump of the text.

Answers are asked for in a sentence; the product's own, with a quotation for
each value, stay below half of this.
"""

_MARK = re.compile(r"\s*\[\d{1,3}(?:\s*[,;–-]\s*\d{1,3})*\]")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an answer scores, and why."""

    score: float
    """0 to 1."""
    verdict: str
    """`right`, `partial`, `wrong`, `denied` (it says the text does not say it), `distractor`
    (names a wrong value beside or instead), `dump`, `empty`, `invented` (a value where there
    is none), `silent` (no value, and not said that there is none)."""
    stated: tuple[bool, ...] = ()
    """One for each expected value."""
    wrong: tuple[str, ...] = ()
    """Values it should not have named."""
    abstained: bool = False

    def detail(self) -> dict[str, Any]:
        """As the row keeps it."""
        return {
            "scorer": SCORER,
            "verdict": self.verdict,
            "stated": list(self.stated),
            "fraction": sum(self.stated) / len(self.stated) if self.stated else None,
            "wrong": list(self.wrong),
            "abstained": self.abstained,
        }


def score_row(row: Row) -> Row:
    """The row with its score; none where it is not `ok`, whatever it held before."""
    if row.status != "ok":
        return replace(row, score=None, score_detail={})
    verdict = score_answer(
        row.answer,
        expected=row.expected,
        wrong=_wrong_values(row),
        said=" \n".join([row.question, *(needle.text for needle in row.needles if row.expected)]),
        language=row.language,
    )
    return replace(row, score=verdict.score, score_detail=verdict.detail())


def score_rows(rows: Iterable[Row]) -> list[Row]:
    """Every row scored anew."""
    return [score_row(row) for row in rows]


def score_answer(
    answer: str,
    *,
    expected: Sequence[str],
    wrong: Sequence[str],
    said: str = "",
    language: str = "en",
) -> Verdict:
    """Score one answer.

    `expected`: the values it must state, all of them; none where it must
    abstain. `wrong`: values that it must not name. `said`: the question and
    what else may be repeated without being taken for an answer.
    """
    text = folded(_MARK.sub("", answer)).strip()
    if not any(map(str.isalnum, text)):
        return Verdict(0.0, "empty", tuple(False for _ in expected))
    longest = MOST_WORDS + 4 * sum(map(words_in, expected))
    if _longer(text, longest):
        return Verdict(0.0, "dump", tuple(False for _ in expected))
    denied = abstains(text)
    if not expected:
        return _score_abstention(text, wrong, language, denied)
    sentences = spans(text)
    right = {value: places(value, text, language) for value in expected}
    other = {value: places(value, text, language) for value in wrong}
    named = tuple(
        value
        for value, found in other.items()
        if value not in right and _outside(found, right.values())
    )
    named += tuple(others_alike([*expected, *wrong], text, folded(said)))
    stated = tuple(_stated(right[value], other.values(), sentences) for value in expected)
    if named:
        return Verdict(0.0, "distractor", stated, named, denied)
    share = sum(stated) / len(stated)
    if share == 1:
        return Verdict(1.0, "right", stated, abstained=False)
    if share > 0:
        return Verdict(share, "partial", stated, abstained=denied)
    return Verdict(0.0, "denied" if denied else "wrong", stated, abstained=denied)


def _score_abstention(text: str, wrong: Sequence[str], language: str, denied: bool) -> Verdict:
    named = tuple(value for value in wrong if places(value, text, language))
    named += tuple(others_alike(wrong, text, ""))
    if named:
        return Verdict(0.0, "invented", (), named, denied)
    return Verdict(float(denied), "right" if denied else "silent", (), (), denied)


def _stated(
    found: Sequence[Place], others: Iterable[Sequence[Place]], sentences: list[Span]
) -> bool:
    """Named somewhere outside a denial, and not as part of a longer wrong value."""
    longer = [place for other in others for place in other]
    return any(
        states(place.start, sentences) and not any(place.within(other) for other in longer)
        for place in found
    )


def _outside(found: Sequence[Place], right: Iterable[Sequence[Place]]) -> bool:
    """Whether a wrong value is named on its own, not as part of a right one."""
    longer = [place for one in right for place in one]
    return any(not any(place.within(other) for other in longer) for place in found)


def _wrong_values(row: Row) -> list[str]:
    """Values of the distractors; where nothing is there to find, the left-out needle's too."""
    values = [needle.value for needle in row.distractors]
    if not row.expected:
        values += [needle.value for needle in row.needles]
    return [value for value in dict.fromkeys(values) if value and value not in row.expected]


def _longer(text: str, words: int) -> bool:
    # A word has two characters and a space in the mean, or more: no need to cut a whole book.
    return len(text) > 40 * words or words_in(text) > words

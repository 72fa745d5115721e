"""What an answer scores."""

from __future__ import annotations

import time

import pytest

from evaluation.niah.abstention import abstains
from evaluation.niah.prompts import FRAMES
from evaluation.niah.records import Needle, Row
from evaluation.niah.scoring import score_answer, score_row

NUMBER = "4817293"
UUID = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"
SANDWICH = "eat a sandwich and sit in Dolores Park on a sunny day"


def row(**changed: object) -> Row:
    values: dict[str, object] = {
        "key": "k",
        "arm": "long",
        "task": "single",
        "length": 4096,
        "depth_target": 0.5,
        "trial": 0,
        "seed": 1,
        "language": "en",
        "haystack": "generated",
        "value_type": "number",
        "mode": "separate",
        "question": "What is the number of the amber lighthouse?",
        "expected": (NUMBER,),
    }
    return Row(**{**values, **changed})  # type: ignore[arg-type]


def score(answer: str, expected: tuple[str, ...] = (NUMBER,), **more: object) -> float:
    values: dict[str, object] = {"expected": expected, "wrong": (), **more}
    return score_answer(answer, **values).score  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "answer",
    [
        NUMBER,
        "The number is 4,817,293.",
        "4 817 293",
        "4.817.293",
        "**4817293**",
        "_4817293_",
        "４８１７２９３",
        "٤٨١٧٢٩٣",
        "是4817293。",
        "编号为4817293号",
        '"4817293" [2]',
        "4817293, as the ledger of 1999 says on page 12.",
        "The text does not state it directly, but the number is 4817293.",
        "The number is 4817293; no other number is mentioned.",
    ],
)
def test_a_number_is_named_however_it_is_written(answer: str) -> None:
    """Grouping, full-width and Arabic digits, Markdown and Chinese neighbours change nothing."""
    assert score(answer) == 1


@pytest.mark.parametrize(
    "answer",
    [
        "14817293",
        "48172930",
        "4817293.5",
        "x4817293",
        "4817293b",
        "4817293-22",
        "48 17293",
        "",
        "…",
    ],
)
def test_part_of_a_longer_number_or_name_is_not_the_number(answer: str) -> None:
    """Digits must stand on their own."""
    assert score(answer) == 0


@pytest.mark.parametrize(
    "answer",
    [
        "4817293 or 5550199",
        "4817293, not 5550199",
        "4817293,5550199",
        "4817293\n5550199\n6660199",
        "5550199",
    ],
)
def test_another_number_beside_the_right_one_fails(answer: str) -> None:
    """Who names several values has not found one."""
    assert score(answer) == 0
    assert score(answer, wrong=("5550199",)) == 0


def test_a_distractor_is_told_by_name() -> None:
    """The verdict says which wrong value was named."""
    verdict = score_answer("It is red", expected=["blue"], wrong=["red", "reddish"])

    assert (verdict.score, verdict.verdict, verdict.wrong) == (0, "distractor", ("red",))


def test_a_value_inside_a_longer_one_is_not_named_by_it() -> None:
    """12 is not named by the distractor "12 34", nor "12 34" wronged by its part 12."""
    assert score("twelve bells", ("bells",), wrong=("twelve bells",)) == 0
    assert score("twelve bells", ("twelve bells",), wrong=("bells",)) == 1


def test_a_refusal_that_quotes_the_value_is_no_answer() -> None:
    """What stands inside a denial is not stated."""
    for answer in (
        "The text does not say that it is 4817293.",
        "I cannot confirm that the number is 4817293",
        "文中没有提到编号是4817293。",
        "El texto no dice que el número sea 4817293.",
    ):
        verdict = score_answer(answer, expected=[NUMBER], wrong=[])

        assert (verdict.score, verdict.verdict, verdict.abstained) == (0, "denied", True), answer


def test_the_whole_text_is_no_answer() -> None:
    """An answer too long to be one fails whatever it holds, and fails at once."""
    started = time.perf_counter()

    assert score("lorem ipsum " * 200_000 + NUMBER) == 0
    assert score("灯塔" * 200 + NUMBER) == 0
    assert time.perf_counter() - started < 1


def test_a_sentence_may_be_inflected_and_not_changed() -> None:
    """All content words, near each other; another word in place of one is another sentence."""
    assert score(
        "The best is eating a sandwich and sitting in Dolores Park on a sunny day.", (SANDWICH,)
    )
    assert score("Eat a sandwich and sit in Dolores Park on a rainy day", (SANDWICH,)) == 0
    assert score("Eat a sandwich.", (SANDWICH,)) == 0
    assert score("在多洛雷斯公園吃三明治", ("在多洛雷斯公园吃三明治",), language="zh") == 1
    assert score("cafe solo", ("Café solo",), language="es") == 1


def test_identifiers_are_compared_without_case_and_hyphens() -> None:
    """Another identifier beside the right one fails."""
    assert score(UUID.upper(), (UUID,)) == 1
    assert score(UUID.replace("-", ""), (UUID,)) == 1
    assert score(UUID.replace("-", "‐"), (UUID,)) == 1
    assert score(f"{UUID} or {UUID[:-1]}2", (UUID,)) == 0
    assert score(UUID[:-1] + "2", (UUID,)) == 0


def test_of_several_values_the_share_counts() -> None:
    """Two of three score 2/3; a fourth that is none of them scores 0."""
    three = ("1111111", "2222222", "3333333")

    assert score("1111111, 2222222", three) == pytest.approx(2 / 3)
    assert score("1111111,2222222,3333333", three) == 1
    assert score("1111111 2222222 3333333 4444444", three) == 0


@pytest.mark.parametrize(
    "answer",
    [
        *(frame.abstention for frame in FRAMES.values()),
        "I do not know.",
        "我不知道。",
        "No lo sé.",
        "not there",
        "NOT FOUND",
        "N/A",
        "There is no such number in the text.",
        "The registration number is not mentioned.",
        "The documents don't say.",
        "没有",
        "文章中没有说。",
        "该信息不在文中",
        "文中未提及该号码。",
        "No aparece en el texto.",
        "El texto no menciona ese número.",
        "No se encuentra.",
    ],
)
def test_saying_that_it_is_not_there_is_right_where_it_is_not(answer: str) -> None:
    """In English, Chinese and Spanish, and in the words that the prompts ask for."""
    assert abstains(answer)
    assert score(answer, (), wrong=("5550199",)) == 1
    assert score(answer) == 0


@pytest.mark.parametrize(
    "answer",
    ["It is 1234567.", "Not there; the other one is 5550199.", "A fine day.", "", "5550199"],
)
def test_where_nothing_is_there_a_value_or_silence_is_wrong(answer: str) -> None:
    """Neither an invented value, nor a distractor's, nor something else passes."""
    assert score(answer, (), wrong=("5550199",)) == 0


def test_a_question_may_be_repeated() -> None:
    """A number of the question is no second value."""
    asked = row(question="Which number follows 5550199?", answer="After 5550199 comes 4817293.")

    assert score_row(asked).score == 1


def test_the_values_of_links_in_a_chain_are_no_answer() -> None:
    """An intermediate value alone is wrong; beside the last one it does no harm."""
    links = (Needle("A has 1111111.", "1111111"), Needle("1111111 leads to 4817293.", NUMBER))

    assert score_row(row(needles=links, answer="1111111, so 4817293")).score == 1
    assert score_row(row(needles=links, answer="1111111")).score == 0


@pytest.mark.parametrize(
    "status", ["error", "invalid_truncated", "window_clamped", "skipped_budget"]
)
def test_only_rows_that_are_ok_are_scored(status: str) -> None:
    """A truncated prompt is neither a hit nor a miss, even where the answer is right."""
    scored = score_row(row(status=status, answer=NUMBER, score=1.0))

    assert scored.score is None
    assert scored.score_detail == {}


def test_scoring_again_gives_the_same() -> None:
    """A score depends on the row alone."""
    once = score_row(row(answer="4,817,293"))

    assert score_row(Row.from_json(once.to_json())) == once

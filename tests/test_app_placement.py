"""The order of new passages follows what was measured of depths, where that proves anything."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from app.answers import Turn
from app.placement import DepthProfile, Measured, Third, order_of, placed
from app.prompt import Prompt, build
from evaluation.metrics import wilson
from storage.records import Hit
from tests.test_app_prompt import count, count_text, hit

N = 40


def third(hits: int, n: int = N) -> Third:
    return Third(hits, n, *wilson(hits / n if n else 0.0, n))


def profile(*hits: int, length: int = 2048, n: int = N) -> DepthProfile:
    names = ("start", "middle", "end")
    return DepthProfile(length, {name: third(k, n) for name, k in zip(names, hits, strict=True)})


BLIND_IN_THE_MIDDLE = Measured("run-1", (profile(40, 12, 40),))


def passages(count_of: int = 5) -> list[Hit]:
    """Best first, each of another document, some 400 tokens long."""
    return [
        hit(rank, " ".join([f"passage{rank}"] * 400), document=rank)
        for rank in range(1, count_of + 1)
    ]


def packed(hits: list[Hit], depths: Measured | None, history: tuple[Turn, ...] = ()) -> Prompt:
    return build(
        "What is the rent?",
        hits,
        history,
        room=4000,
        count=count,
        count_text=count_text,
        depths=depths,
    )


def ranks(built: Prompt) -> list[int]:
    return [found.rank for found in built.hits[: built.given]]


@pytest.mark.parametrize(
    ("hits", "wanted"),
    [
        ((40, 12, 40), "edges"),
        ((12, 12, 40), "end"),
        ((12, 40, 40), "end"),
        ((40, 12, 12), "start"),
        ((40, 40, 12), "start"),
        ((40, 40, 40), "document"),
        ((38, 37, 40), "document"),
        ((12, 40, 12), "document"),  # the middle is no place to put what is best
        ((0, 0, 0), "document"),
    ],
)
def test_the_best_passages_keep_away_from_what_is_read_worse(
    hits: tuple[int, int, int], wanted: str
) -> None:
    """Worse is a third whose whole interval lies below another's."""
    assert profile(*hits).order == wanted


def test_few_trials_prove_nothing() -> None:
    """Five of five against two of five: the intervals overlap, the order stays."""
    assert profile(5, 2, 5, n=5).order == "document"


def test_a_sure_difference_too_small_to_matter_leaves_the_order() -> None:
    """Of 10,000 each: 99% and 97% differ for sure, and by less than is worth an order."""
    assert profile(9900, 9700, 9900, n=10_000).order == "document"


def test_a_length_without_its_end_says_nothing() -> None:
    """What was not measured is not better."""
    thirds = {"start": third(40), "middle": third(12)}

    assert order_of(thirds) == "document"


def test_the_best_passages_go_where_they_are_read() -> None:
    """Blind in the middle: the best first, the second last, the worst between them."""
    built = packed(passages(), BLIND_IN_THE_MIDDLE)

    assert ranks(built) == [1, 3, 5, 4, 2]
    assert built.placement.order == "edges"
    assert built.placement.reason == (
        "The best passages stand first and last: in prompts of 2,048 tokens this model found "
        "40 of 40 at the start, 12 of 40 in the middle, 40 of 40 at the end (run run-1)."
    )


def test_numbers_follow_the_order_of_the_prompt() -> None:
    """Number n is the n-th passage that the model reads."""
    built = packed(passages(), BLIND_IN_THE_MIDDLE)

    told = re.findall(r'<passage n="(\d)"[^>]*>\npassage(\d)', built.messages[-1].content)
    assert told == [("1", "1"), ("2", "3"), ("3", "5"), ("4", "4"), ("5", "2")]
    assert built.numbers == (1, 2, 3, 4, 5)


@pytest.mark.parametrize("depths", [None, Measured(), Measured("run", (profile(40, 40, 40),))])
def test_without_a_proved_difference_documents_give_the_order(depths: Measured | None) -> None:
    """The same bytes as if nothing had been measured."""
    hits = [hit(1, "b " * 99, document=2, page=9), hit(2, "c " * 99), hit(3, "a " * 99, document=2)]

    built = packed(hits, depths)

    assert ranks(built) == [3, 1, 2]
    assert built.sent == packed(hits, None).sent
    assert built.placement.reason == ""


def test_another_length_says_nothing() -> None:
    """What was measured at 32K is not believed of a prompt of 2K."""
    far = Measured("run", (profile(40, 12, 40, length=32_768),))

    assert packed(passages(), far).placement.order == "document"


def test_the_nearest_length_speaks() -> None:
    """All is read at 2K, the end best at 4K: a prompt of 2K stays in order."""
    both = Measured("run", (profile(40, 40, 40), profile(12, 40, 40, length=4096)))

    assert both.placement(2100, 0).order == "document"
    assert both.placement(3500, 0).order == "end"


def test_behind_a_long_conversation_only_the_end_is_left() -> None:
    """New passages that lie in the last third alone stay in order; the first turns never move."""
    history = (Turn("First?", "Yes.", sent="old words " * 700, tokens=1420),)
    deep = Measured("run", (profile(40, 12, 40),))

    built = packed(passages(2), deep, history)

    assert built.placement.order == "document"
    assert built.messages[1].content == "old words " * 700


def test_behind_a_short_conversation_the_middle_and_the_end_are_left() -> None:
    """New passages that fill the middle and the end, where the end is read better: best last."""
    history = (Turn("First?", "Yes.", sent="old words " * 200, tokens=420),)
    deep = Measured("run", (profile(40, 12, 40),))

    built = packed(passages(4), deep, history)

    assert built.placement.order == "end"
    assert ranks(built) == [4, 3, 2, 1]
    assert "at the start" not in built.placement.reason


def test_a_passage_and_the_pages_beside_it_stay_together() -> None:
    """A neighbour keeps its place before or behind the passage that runs into it."""
    best = hit(1, "best", document=1, page=5)
    before = replace(hit(1, "before", document=1, page=4), beside=True)
    behind = replace(hit(1, "behind", document=1, page=6), beside=True)
    found = [best, before, behind, hit(2, "second", document=2), hit(3, "third", document=3)]

    told = [one.text for one in placed(found, "end")]

    assert told == ["third", "second", "before", "best", "behind"]


def test_pieces_of_one_passage_stay_in_reading_order() -> None:
    """What is left of a narrowed passage is one passage still."""
    pieces = [hit(1, "one"), hit(1, "two", start=50)]

    assert [one.text for one in placed([*pieces, hit(2, "x", document=2)], "end")] == [
        "x",
        "one",
        "two",
    ]


def test_whole_documents_keep_their_pages_in_order() -> None:
    """Pages have no best ones, whatever was measured."""
    pages = passages()

    built = build(
        "Sum it up.",
        pages,
        (),
        room=4000,
        count=count,
        count_text=count_text,
        whole=True,
        depths=BLIND_IN_THE_MIDDLE,
    )

    front = built.front
    assert front is not None
    assert [one.rank for one in front.hits] == [1, 2, 3, 4, 5]


def test_the_prompt_fits_in_any_order() -> None:
    """Whatever the room, another order never makes it exceed it."""
    for room in range(800, 2600, 61):
        built = build(
            "What is the rent?",
            passages(),
            (),
            room=room,
            count=count,
            count_text=count_text,
            depths=BLIND_IN_THE_MIDDLE,
        )

        assert built.tokens.tokens <= room
        assert built.tokens.tokens == count(built.messages).tokens

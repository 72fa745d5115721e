"""Exact lengths: the sum over paragraphs is the count of the rendered prompt, in each language."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import pytest

from app.tokens import EstimatingCounter, ExactCounter, TokenCounter, render_chat
from evaluation.niah.config import Config
from evaluation.niah.haystacks import Haystack, generated_haystack, haystack_of_path
from evaluation.niah.lengths import lay_out, opening_tokens, planted_needles, shared_tokens
from evaluation.niah.order import cost, in_order
from evaluation.niah.prompts import FRAMES
from evaluation.niah.records import Needle
from evaluation.niah.runner import steps_of
from evaluation.niah.streams import Memory, Ruler, Stream
from storage.errors import UsageError
from tests.niah_fixtures import FakeModel, bench, qwen2_counter, small_counter
from tests.vocabularies import SHARED, needs_vocabulary

AWKWARD = (
    "No full stop at the end, and a “quotation” (in brackets)",
    "It's WE'LL they've 12,345.67 €. Größe, naïve, ¿dónde? e\u0301 is not \u00e9. 🙂‍↔️",
    "“他说：好。”又说：不行！第二天，3月4日，下雨了？是的。English inside 中文。",
    "A table row | 1 | 2 | 3. – Dash first. ...Ellipsis first. 'Quote first.",
    "<|im_start|>user inside.",
)


def full_count(counter: ExactCounter, messages: Sequence[object]) -> int:
    """The rendered prompt tokenised in one piece: no sum, no memory."""
    return len(counter.ids(render_chat(messages)))  # type: ignore[arg-type]


def checked(counter: TokenCounter, haystack: Haystack, *, trials: int, longest: int) -> int:
    """Lay out random prompts and compare each count; gives the worst number of unused tokens."""
    rng = random.Random(7)
    ruler = Ruler(counter.count_chat, counter.count_text)
    memory = Memory(ruler)
    frame = FRAMES[haystack.language]
    worst = 0
    for number in range(trials):
        stream = Stream(haystack, ruler, rng.randrange(len(haystack.paragraphs)), memory)
        needles = [
            (
                Needle(f"{rng.choice(AWKWARD)} {number}-{n}.", str(n)),
                rng.choice((0, rng.random(), 1)),
            )
            for n in range(rng.randint(1, 5))
        ]
        length = rng.randint(1500, longest)
        layout = lay_out(
            stream, ruler, frame, "Which one? 哪一个?", needles, length=length, reserve=64
        )
        messages = layout.messages()

        assert layout.tokens == counter.count_chat(messages).tokens
        if isinstance(counter, ExactCounter):
            assert layout.tokens == full_count(counter, messages)
        assert layout.tokens + 64 <= length
        worst = max(worst, length - 64 - layout.tokens)
    return worst


@needs_vocabulary
@pytest.mark.parametrize("language", ["en", "zh", "es"])
def test_sum_is_the_count_of_the_whole_prompt(language: str) -> None:
    """With Qwen2's vocabulary, wherever needles stand; less than two sentences stay unused."""
    haystack = generated_haystack(language, 3, characters=60_000)

    assert checked(qwen2_counter(), haystack, trials=40, longest=9000) < 100


@needs_vocabulary
def test_sum_is_the_count_in_a_novel() -> None:
    """Its sentences are long and end in every way there is."""
    novel = SHARED / "haystack" / "war-and-peace.txt"
    if not novel.is_file():
        pytest.skip(f"no {novel}")
    haystack = haystack_of_path(novel, "en")
    counter = qwen2_counter()
    ruler = Ruler(counter.count_chat, counter.count_text)
    stream = Stream(haystack, ruler, 1234, Memory(ruler))
    needles = [(Needle(f"{text} {n}.", ""), n / 4) for n, text in enumerate(AWKWARD)]

    for length in (2000, 32768, 131072):
        layout = lay_out(stream, ruler, FRAMES["en"], "Which?", needles, length=length, reserve=64)
        assert layout.tokens == full_count(counter, layout.messages())
        assert 0 <= length - 64 - layout.tokens < 200


@pytest.mark.parametrize("awkward", [AWKWARD, AWKWARD * 20])
def test_sum_is_exact_in_awkward_texts(awkward: tuple[str, ...]) -> None:
    """Mixed scripts, no full stops, tokens of the template; words are cut as Qwen2 cuts them."""
    haystack = Haystack("awkward", "en", tuple(f"{one} {n}" for n, one in enumerate(awkward * 30)))

    checked(small_counter(), haystack, trials=30, longest=5000)


def test_estimates_stay_on_the_safe_side() -> None:
    """Without a vocabulary the same sum is the estimate of the whole, above the truth."""
    haystack = generated_haystack("en", 3, characters=60_000)

    checked(EstimatingCounter(), haystack, trials=10, longest=6000)


def laid_out(depth: float, length: int = 3000, language: str = "en", text: str = "It is 77."):
    counter = small_counter()
    ruler = Ruler(counter.count_chat, counter.count_text)
    haystack = generated_haystack(language, 5, characters=40_000)
    stream = Stream(haystack, ruler, 0, Memory(ruler))
    needle = Needle(text, "77")
    frame = FRAMES[language]
    return lay_out(stream, ruler, frame, "Q?", [(needle, depth)], length=length, reserve=16), needle


@pytest.mark.parametrize(
    ("language", "ends"), [("en", ".?!”"), ("es", ".?!»"), ("zh", "。？！”；")]
)
def test_needles_stand_between_sentences(language: str, ends: str) -> None:
    """What stands before a needle ends a sentence, in every language."""
    for depth in (0.1, 0.37, 0.5, 0.82, 1.0):
        layout, needle = laid_out(
            depth, language=language, text="在这里77。" if language == "zh" else "It is 77."
        )
        before, found, after = layout.text().partition(needle.text)

        assert found
        assert before.rstrip()[-1] in ends
        if language != "zh":
            assert before[-1].isspace() and (not after or after[0].isspace())


def test_depth_is_told_as_it_came_about() -> None:
    """0 is the very top, 1 the very end, and between them the nearest boundary."""
    first, _ = laid_out(0.0)
    last, needle = laid_out(1.0)

    assert first.text().startswith("It is 77.") and first.depth(first.inserts[0].spot) == 0
    assert last.text().endswith(needle.text) and last.depth(last.inserts[0].spot) == 1
    for depth in (0.2, 0.5, 0.9):
        layout, _ = laid_out(depth)
        assert abs(layout.depth(layout.inserts[0].spot) - depth) < 0.04


def test_needles_know_their_places() -> None:
    """Characters in the haystack, tokens in the rendered prompt."""
    counter = small_counter()
    ruler = Ruler(counter.count_chat, counter.count_text)
    haystack = generated_haystack("en", 5, characters=30_000)
    stream = Stream(haystack, ruler, 3, Memory(ruler))
    needles = [Needle(f"Number {n} is 10{n}.", f"10{n}") for n in range(4)]
    layout = lay_out(
        stream,
        ruler,
        FRAMES["en"],
        "Q?",
        list(zip(needles, (0.0, 0.5, 0.5, 1.0), strict=True)),
        length=4000,
        reserve=16,
    )
    opening = opening_tokens(ruler, FRAMES["en"])

    planted = planted_needles(layout, needles, exact=True, opening=opening)

    text, prompt = layout.text(), render_chat(layout.messages())
    for needle in planted:
        assert text[needle.char_start : needle.char_end] == needle.text
        before = prompt[: prompt.index(needle.text)]
        assert abs(len(counter.ids(before.rstrip(" "))) - needle.token_position) <= 2


def test_a_length_that_holds_nothing_is_an_error() -> None:
    """It says what it would take."""
    with pytest.raises(UsageError, match="does not hold"):
        laid_out(0.5, length=100)


@needs_vocabulary
@pytest.mark.parametrize(("mode", "most"), [("separate", 0.45), ("sweep", 0.12)])
def test_walk_over_the_tree_reads_less_than_half(mode: str, most: float) -> None:
    """The tokens to compute for 8 lengths and 11 depths, against the sum of all prompts."""
    config = Config(trials=1, arms=("long",), mode=mode)  # type: ignore[arg-type]
    model = FakeModel(counter=qwen2_counter(), window=131072)
    steps = steps_of(bench(config, model))

    found = cost(steps, "long")
    shuffled = list(steps)
    random.Random(1).shuffle(shuffled)

    assert len(steps) == 88
    assert found.share <= most
    assert cost(shuffled, "long").share > 1.4 * found.share


@needs_vocabulary
@pytest.mark.parametrize("mode", ["separate", "sweep"])
def test_shared_tokens_are_those_that_prompts_begin_with_alike(mode: str) -> None:
    """The plan's figure, pair by pair, against the ids of both prompts."""
    config = Config(
        lengths=(1024, 2048, 4096),
        depths=(0.0, 0.25, 0.5, 1.0),
        trials=1,
        arms=("long",),
        mode=mode,  # type: ignore[arg-type]
    )
    counter = qwen2_counter()
    steps = steps_of(bench(config, FakeModel(counter=counter)))

    for before, step in pairwise(steps):
        left, right = (counter.ids(render_chat(one.layout.messages())) for one in (before, step))
        alike = next(
            (n for n, (a, b) in enumerate(zip(left, right, strict=False)) if a != b),
            min(len(left), len(right)),
        )
        told = shared_tokens(before.layout, step.layout)
        # Needles may begin alike by chance ("The registration ..."), and words do.
        assert alike - 25 <= told <= alike + 2


def test_order_is_breadth_first() -> None:
    """A run that is stopped after the first repetition has the whole map."""
    config = Config(
        lengths=(1024, 2048), depths=(0.0, 1.0), trials=2, arms=("closed", "oracle", "long")
    )

    steps = steps_of(bench(config))

    assert [step.trial.trial for step in steps] == sorted(step.trial.trial for step in steps)
    assert in_order(list(reversed(steps))) == steps
    first = [step.trial.arm for step in steps[: len(steps) // 2]]
    assert first == ["closed", *["oracle"] * 2, *["long"] * 4]


def test_a_product_that_is_asked_less_is_asked_last() -> None:
    """Ingesting one document may take as long as all long prompts: they come first."""
    config = Config(lengths=(1024, 2048), depths=(0.0, 1.0), trials=2)

    seldom = [one.trial.arm for one in steps_of(bench(replace(config, rag_trials=1)))]
    always = [one.trial.arm for one in steps_of(bench(config))]

    assert seldom == [arm for arm in seldom if arm != "rag"] + ["rag"] * 4
    assert always[7:11] == ["rag"] * 4 and always[11] == "closed"


@pytest.mark.parametrize(("arm", "key"), [("oracle", "`oracle_length`"), ("long", "`lengths`")])
def test_a_length_that_is_too_short_names_the_key_that_says_it(arm: str, key: str) -> None:
    """The oracle's length is not among `lengths`: raising those would not help."""
    short = {"oracle": {"oracle_length": 256}, "long": {"lengths": (256,)}}[arm]
    config = replace(Config(lengths=(4000,), depths=(0.5,), arms=(arm,)), **short)

    with pytest.raises(UsageError, match=f"Raise {key}, or take a smaller `reserve`"):
        steps_of(bench(config))

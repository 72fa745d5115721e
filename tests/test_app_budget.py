"""What the window leaves, what a page takes at most, what is learned of speed, what was reused."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.answers import Turn
from app.budget import budget_of
from app.calibration import UNMEASURED
from app.chat import Message, PromptMiscounted, PromptTooLong, TokenCount, Usage
from app.ollama_chat import OllamaChat
from app.page_costs import cost_of
from app.plans import (
    AUTO,
    DOCUMENTS,
    EXTRACTIVE,
    PASSAGES,
    READ_ALL,
    Option,
    Plan,
    Unfit,
    choose,
    duration,
)
from app.prompt import build
from app.prompt_text import harmless, passage_text
from app.settings import AppSettings
from app.speeds import FILE, SpeedLog, Speeds
from app.tokens import ExactCounter
from app.warmth import Before, LastPrompts, reuse_of
from storage.records import Flag, Hit
from storage.vocabulary import build_tokenizer
from tests.hits import a_hit
from tests.ollama_double import OllamaDouble
from tests.toy_gguf import PROSE, toy_vocabulary

TOY = ExactCounter(build_tokenizer(toy_vocabulary()))


def page(text: str, number: int = 1, *, flags: tuple[Flag, ...] = (), title: str = "Report") -> Hit:
    return a_hit(
        text,
        rank=number,
        document="report.pdf",
        page=number,
        score=0.0,
        chunk_id=f"1:page-{number}",
        title=title,
        flags=flags,
    )


def app_settings(**values: object) -> AppSettings:
    return AppSettings(_env_file=None, **values)  # type: ignore[arg-type]


# --- the window -----------------------------------------------------------------------------------


def test_room_is_what_the_smallest_window_leaves(tmp_path: Path) -> None:
    """Asked, served or trusted: prompt and reserve stay below it."""
    with OllamaDouble() as double:
        for asked, trusted, smallest in (
            (8192, 0, 8192), (131072, 0, 32768), (32768, 4096, 4096), (4096, 32768, 4096),
        ):  # fmt: skip
            chosen = app_settings(ollama_url=double.url, window=asked, trusted_window=trusted)
            budget = budget_of(OllamaChat("qwen2:7b", chosen), chosen, tmp_path)

            assert budget.room + budget.reserve < smallest
            assert budget.trusted == smallest
            assert budget.reason


def test_an_unmeasured_long_window_is_not_trusted(tmp_path: Path) -> None:
    """Nothing beyond 32,768 without a measurement; the setting overrules it and is named."""
    with OllamaDouble() as double:
        asked = app_settings(ollama_url=double.url, window=131072)
        model = OllamaChat("qwen2:7b-128k", asked)
        wide = asked.model_copy(update={"trusted_window": 100_000})

        assert budget_of(model, asked, tmp_path).trusted == UNMEASURED
        assert budget_of(model, asked, tmp_path).window == 131072
        assert budget_of(model, wide, tmp_path).trusted == 100_000
        assert "Set by hand" in budget_of(model, wide, tmp_path).reason


def test_a_reserve_that_fills_the_window_is_a_sentence(tmp_path: Path) -> None:
    """Before anything is packed or sent."""
    with OllamaDouble() as double:
        chosen = app_settings(ollama_url=double.url, window=1024, reserve=2000)
        with pytest.raises(PromptTooLong, match="HAYLOFT_RESERVE"):
            budget_of(OllamaChat("qwen2:7b", chosen), chosen, tmp_path)


def test_a_server_that_reads_more_than_was_sent_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A template that adds text makes the count worthless: the answer is not given out as sound."""
    counter = ExactCounter(build_tokenizer(toy_vocabulary()))
    monkeypatch.setattr("app.ollama_chat.counter_of", lambda *told, **places: counter)
    with OllamaDouble() as double:
        model = OllamaChat("qwen2:7b", app_settings(ollama_url=double.url))
        double.tokenize = lambda text: [*TOY.ids(text), *range(40)]

        with pytest.raises(PromptMiscounted, match="template adds text"):
            list(model.stream([Message("user", "Where is the hay?")], reserve=16))


@pytest.mark.parametrize("version", ["0.12.5", "0.30.0", "0.33.0", "newer"])
def test_every_version_says_what_was_read_and_reused(
    version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Total counts, uncached counts, or both: the receipt's figures are never mixed up."""
    messages = [Message("system", "Be brief."), Message("user", PROSE * 20)]
    longer = [*messages, Message("assistant", "Yes."), Message("user", "Why?")]
    monkeypatch.setattr("app.ollama_chat.counter_of", lambda *told, **places: TOY)
    with OllamaDouble(version=version, tokenize=TOY.ids, reply="Yes.") as double:
        model = OllamaChat("qwen2:7b", app_settings(ollama_url=double.url))
        *_, first = model.stream(messages, reserve=16)
        *_, second = model.stream(longer, reserve=16)
        one, two = double.chats()

    assert isinstance(first, Usage) and isinstance(second, Usage)
    total, computed = len(two.sent_tokens), len(two.sent_tokens) - two.cached
    assert first.prompt_tokens == len(one.sent_tokens)
    assert second.prompt_tokens == (None if version == "0.30.0" else total)
    assert second.cached_tokens == (two.cached if version == "newer" else None)
    assert second.computed_tokens == (computed if version == "0.30.0" else None)


# --- what a page takes --------------------------------------------------------------------------

_SIGNS = ["<|im_end|>", "</passage>", "<passage n=", "⟦", "⟧", "<|endoftext|>"]
_HOSTILE = [*_SIGNS, "\n\n", "\r\n", "  "]

_PIECE = st.one_of(st.text(max_size=30), st.sampled_from([*_HOSTILE, PROSE]))


@settings(max_examples=200, deadline=None)
@given(
    texts=st.lists(
        st.lists(_PIECE).map("".join),
        min_size=1,
        max_size=4,
    ),
    first=st.integers(1, 2000),
    flagged=st.booleans(),
)
def test_stored_counts_bound_what_a_page_takes(texts: list[str], first: int, flagged: bool) -> None:
    """Whatever stands there: the sum over passages is never below the joined text's count."""
    texts = [text.encode("utf-8", "replace").decode() for text in texts]
    pages = [
        page(text, n, flags=(Flag("hidden", 0, len(text) // 2),) if flagged else ())
        for n, text in enumerate(texts, start=first)
    ]
    cost = cost_of({p.chunk_id: TOY.count_text(p.text).tokens for p in pages}, TOY.count_text)

    numbered = [(n, p) for n, p in enumerate(pages, start=first)]
    joined = "\n\n".join(passage_text(n, p) for n, p in numbered)

    assert TOY.count_text(f"{joined}\n\n").tokens <= sum(cost(p, n) for n, p in numbered)


def test_packing_400_pages_counts_no_page_text() -> None:
    """Only heads, rules and the question are tokenised before the prompt stands."""
    pages = [page(PROSE * 8, n) for n in range(1, 401)]
    stored: dict[str, int | None] = {p.chunk_id: 300 for p in pages}
    longest = 0

    def count_text(text: str) -> TokenCount:
        nonlocal longest
        longest = max(longest, len(text))
        return TOY.count_text(text)

    counted: list[int] = []

    def count(messages: list[Message]) -> TokenCount:
        counted.append(sum(len(message.content) for message in messages))
        return TokenCount(1000, exact=True)

    built = build(
        "Where is the hay?",
        pages,
        (),
        room=200_000,
        count=count,
        count_text=count_text,
        cost=cost_of(stored, count_text),
        whole=True,
    )

    assert len(built.front.hits) == 400
    assert longest < 1500
    assert sum(size > 10_000 for size in counted) == 1


def test_harmless_changes_nothing_it_need_not() -> None:
    """Text without signs of a marker comes back as the very same object."""
    text = "a < b and 2 > 1"

    assert harmless(PROSE) is PROSE
    assert harmless(text) == text


# --- speed ----------------------------------------------------------------------------------------


def test_speeds_are_medians_of_the_last_answers(tmp_path: Path) -> None:
    """One slow answer does not count; a window of its own has speeds of its own."""
    log = SpeedLog(tmp_path)
    for prompt_s in (1.0, 1.0, 50.0):
        log.add("m", 8192, computed_tokens=1000, prompt_s=prompt_s, answer_tokens=50, answer_s=5.0)

    speeds = SpeedLog(tmp_path).of("m", 8192)

    assert (speeds.prefill, speeds.decode, speeds.answer_tokens) == (1000.0, 10.0, 50)
    assert speeds.predicted_seconds(2000, 20) == 4.0
    assert log.of("m", 4096).predicted_seconds(2000, 20) is None


def test_nothing_is_made_up_before_the_first_answer(tmp_path: Path) -> None:
    """Unknown stays unknown, also where a reading was too short to tell or a file is broken."""
    log = SpeedLog(tmp_path)
    log.add("m", 8192, computed_tokens=10, prompt_s=0.001, answer_tokens=1, answer_s=0.1)
    assert log.of("m", 8192).prefill is None
    (tmp_path / FILE).write_text('{"m@8192": {"prefill": ["x", -1, 0], "decode": 3}')

    assert log.of("m", 8192) == Speeds()
    log.add("m", 8192, computed_tokens=100, prompt_s=1.0, answer_tokens=9, answer_s=1.0)
    assert log.of("m", 8192).prefill == 100.0


# --- warm or cold ---------------------------------------------------------------------------------

MESSAGES = [Message("system", "rules"), Message("user", "one")]
NEXT = [*MESSAGES, Message("assistant", "1"), Message("user", "two")]


def reuse(usage: Usage, found: Before, **how: object):
    given = {"continued": 900, "messages": NEXT, "window": 8192, "speeds": Speeds(), **how}
    return reuse_of(usage, 1000, found=found, **given)  # type: ignore[arg-type]


def last(tmp_path: Path, messages=MESSAGES, what: str = "conversation"):
    log = LastPrompts(tmp_path)
    log.keep("m", messages, 900, what)
    return LastPrompts(tmp_path).of("m")


def test_reuse_is_told_by_the_server_or_derived_and_marked(tmp_path: Path) -> None:
    """A count where there is one; else time and measured speed; else nothing."""
    here = Before(True, 8192, last(tmp_path))

    told = reuse(Usage(cached_tokens=890), here)
    uncached = reuse(Usage(computed_tokens=100), here)
    derived = reuse(Usage(prompt_s=0.1), here, speeds=Speeds(prefill=1000.0))
    unknown = reuse(Usage(prompt_s=0.1), here)

    assert (told.reused, told.computed, told.derived, told.state) == (890, 110, False, "warm")
    assert (uncached.reused, uncached.state) == (900, "warm")
    assert (derived.reused, derived.computed, derived.derived) == (900, 100, True)
    assert (unknown.reused, unknown.state) == (None, "")


def test_an_estimate_is_measured_in_the_servers_tokens(tmp_path: Path) -> None:
    """A prompt that was counted too high is warm where all of it was reused."""
    told = reuse(
        Usage(cached_tokens=950), Before(True, 8192, last(tmp_path)), continued=1400, counted=1500
    )

    assert told.state == "warm"


@pytest.mark.parametrize(
    ("found", "usage", "words"),
    [
        (lambda p: Before(False, None, last(p)), Usage(), "no longer loaded"),
        (lambda p: Before(True, 4096, last(p)), Usage(cached_tokens=0), "window of 4,096"),
        (lambda p: Before(True, 8192, last(p)), Usage(cached_tokens=0, load_s=3.0), "loaded anew"),
        (
            lambda p: Before(True, 8192, last(p, [Message("user", "else")])),
            Usage(cached_tokens=9),
            "another conversation",
        ),
        (
            lambda p: Before(True, 8192, last(p, (), "reading")),
            Usage(cached_tokens=9),
            "every page was read",
        ),
        (lambda p: Before(True, 8192, last(p)), Usage(cached_tokens=9), "another program"),
    ],
)
def test_what_broke_the_prefix_is_said(tmp_path: Path, found, usage: Usage, words: str) -> None:
    """As far as it can be known."""
    told = reuse(usage, found(tmp_path))

    assert told.state == "cold"
    assert words in told.broke


def test_what_hayloft_changed_itself_comes_first(tmp_path: Path) -> None:
    """Dropped turns and changed documents explain a cold answer."""
    told = reuse(Usage(cached_tokens=9), Before(True, 8192, last(tmp_path)), changed="dropped")

    assert (told.state, told.broke) == ("cold", "dropped")


def test_last_prompts_hold_no_text(tmp_path: Path) -> None:
    """Only hashes and counts are written down."""
    LastPrompts(tmp_path).keep("m", [Message("user", "zebrasecret")], 9)

    (kept,) = tmp_path.iterdir()
    assert "zebrasecret" not in kept.read_text()
    assert set(json.loads(kept.read_text())["m"]) == {"messages", "tokens", "what", "at"}


# --- choosing -------------------------------------------------------------------------------------


def option(mode=DOCUMENTS, **values: object) -> Option:
    given = {"tokens": 41_200, "new_tokens": 41_200, "seconds": 38.0, "follow_s": 2.0, **values}
    return Option(mode, 1, **given)  # type: ignore[arg-type]


def test_the_choice_reads_as_a_line() -> None:
    """Tokens and seconds of each way, the chosen one first."""
    small = Option(PASSAGES, 8, tokens=3100, new_tokens=3100, seconds=3.2)

    line = Plan((small, option()), DOCUMENTS).words()

    assert line == (
        "whole document: 41,200 tokens, 38 s now, 2 s for follow-ups · "
        "8 passages: 3,100 tokens, 3 s"
    )
    assert "wait unknown" in option(seconds=None, follow_s=None).words()
    assert [duration(s) for s in (0.2, 98, 120, 7200)] == ["1 s", "98 s", "2 min", "2.0 h"]


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (Option(DOCUMENTS, unfit=Unfit("unchosen")), "whole documents: choose documents first"),
        (
            Option(DOCUMENTS, unfit=Unfit("tokens", 60_000, 31_743)),
            "whole documents: they take up to 60,000 tokens, and 31,743 fit",
        ),
        (
            Option(DOCUMENTS, unfit=Unfit("pages", 1116, 31_743)),
            "whole documents: 1,116 pages do not fit 31,743 tokens",
        ),
        (Option(PASSAGES, 1, tokens=9, new_tokens=9, seconds=1.0), "1 passage: 9 tokens, 1 s"),
        (
            Option(PASSAGES, 0, tokens=900, new_tokens=40, seconds=1.0),
            "no new passages: 900 tokens, 40 of them new, 1 s",
        ),
        (
            Option(READ_ALL, 412, 300_000, 300_000, exact=False, parts=37),
            "all 412 pages, in parts: about 300,000 tokens, wait unknown",
        ),
        (
            Option(READ_ALL, 412, 300_000, 212_000, False, 2400.0, parts=37, done=120),
            "all 412 pages, in parts: 120 pages are read already, about 212,000 tokens to go, "
            "40 min",
        ),
        (
            Option(READ_ALL, 1, tokens=300, new_tokens=300, exact=False, seconds=4.0),
            "the only page: about 300 tokens, 4 s",
        ),
        (
            Option(READ_ALL, 12, tokens=5230, new_tokens=5230, seconds=10.0, answering=True),
            "the answer, from 12 passages: 5,230 tokens, 10 s",
        ),
        (Option(EXTRACTIVE), "quotations, without a model"),
    ],
)
def test_every_way_reads_as_a_phrase(one: Option, words: str) -> None:
    """In each state that it can be in."""
    assert one.words() == words


def test_the_reason_for_a_choice_names_the_documents() -> None:
    """Also where they do not fit: the clause stands beside the passages that are taken."""
    whole = Option(DOCUMENTS, unfit=Unfit("untrusted", 60_000, 31_743))
    chosen, why = choose([whole], AUTO, named=True)

    told = Plan((whole,), chosen, why).why_words()

    assert told == (
        "the chosen documents cannot be read whole: they take up to 60,000 tokens, and only "
        "31,743 are trusted"
    )


@pytest.mark.parametrize(
    ("whole", "named", "chosen"),
    [
        (option(), True, DOCUMENTS),
        (option(), False, PASSAGES),
        (option(seconds=400.0), True, PASSAGES),
        (option(seconds=None), True, PASSAGES),
        (option(seconds=None, new_tokens=2000), True, DOCUMENTS),
        (option(unfit=Unfit("tokens", 60_000, 31_743)), True, PASSAGES),
    ],
)
def test_whole_documents_are_taken_where_chosen_and_soon_read(
    whole: Option, named: bool, chosen: str
) -> None:
    """Unasked only then; what the user asks for is always done."""
    assert choose([whole], AUTO, named=named)[0] == chosen
    assert choose([whole], PASSAGES, named=named)[0] == PASSAGES
    assert choose([whole], DOCUMENTS, named=named)[0] == DOCUMENTS


# --- what stands at the front ---------------------------------------------------------------------


def test_pages_at_the_front_survive_dropped_turns() -> None:
    """When the window is full the documents stay where they are."""
    how = {"count": _words, "count_text": _text}
    front = build("q", [page(PROSE)], (), room=5000, whole=True, **how).front
    assert front is not None
    turns = [
        Turn(f"q{n}", "word " * 60, sent=f"Question: q{n} " + "word " * 60, turn_id=n)
        for n in range(1, 20)
    ]

    built = build("and now?", [], [front, *turns], room=1500, count=_words, count_text=_text)

    assert built.dropped > 0
    assert built.messages[1].content.startswith(front.sent)
    assert built.front is None
    assert re.search("Question: q19", "".join(m.content for m in built.messages))


def test_changed_documents_take_the_place_of_the_old_ones() -> None:
    """Where they do not fit beside them: the conversation begins anew with the new ones."""
    how = {"room": 900, "count": _words, "count_text": _text, "whole": True}
    first = build("q", [page(PROSE * 9)], (), **how)
    other = page(PROSE * 9 + "Other.")
    other = replace(other, document_id=2, version_id=2, chunk_id="2:page-1")
    asked = Turn("q", "a", sent=first.sent, turn_id=1)

    built = build("and?", [other], [first.front, asked], **how)

    assert built.front is not None
    assert built.front.numbers == (2,)
    assert "Other." in built.messages[1].content
    assert built.messages[1].content.count("<passage ") == 1


def _text(text: str) -> TokenCount:
    return TokenCount(len(re.findall(r"\w+|[^\w\s]", text)), exact=True)


def _words(messages) -> TokenCount:
    return TokenCount(sum(_text(m.content).tokens + 4 for m in messages), exact=True)

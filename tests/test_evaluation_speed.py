"""Speed: exact lengths, cold and warm told apart over a socket, and nothing claimed untold."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

import hayloft
from app.chat import (
    BadReply,
    Message,
    ModelUnreachable,
    PromptTooLong,
    PromptTruncated,
    TokenCount,
    Usage,
)
from app.speeds import SpeedLog
from app.tokens import EstimatingCounter
from evaluation import cli_speed, qwen2_speed
from evaluation.speed import Bench, Cell, Shot, Skipped, measure
from evaluation.speed_prompt import speed_prompt
from tests.niah_fixtures import FakeModel, qwen2_counter, small_counter
from tests.ollama_double import OllamaDouble
from tests.test_app_openai_chat import DONE, piece
from tests.test_app_openai_chat import server as openai_double
from tests.test_evaluation_niah_runner import MODEL
from tests.vocabularies import GGUF

PREFILL = 40_000.0
WORDS = [f"w{n % 7} " for n in range(3000)]


@pytest.fixture
def double(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_settings: None
) -> Iterator[OllamaDouble]:
    with OllamaDouble(
        models=[MODEL],
        tokenize=small_counter().ids,
        reply=WORDS,
        version="newer",
        prefill_tokens_per_s=PREFILL,
        tokens_per_s=2000.0,
        vram_gib=4.0,
    ) as running:
        monkeypatch.setenv("HAYLOFT_OLLAMA_URL", running.url)
        monkeypatch.setenv("HAYLOFT_DATA_DIR", str(tmp_path / "data"))
        yield running


def speed(*words: str) -> int:
    return hayloft.main(["eval", "speed", *words])


# --- prompts ------------------------------------------------------------------------------------


@pytest.mark.parametrize("tokens", [300, 301, 302, 1000, 6144, 14336])
def test_a_prompt_has_exactly_the_length_asked_for(tokens: int) -> None:
    """Rendered, template and rules included."""
    counter = small_counter()

    prompt = speed_prompt(tokens, "f00d", counter.count_chat, counter.count_text)

    assert prompt.tokens == tokens == counter.count_chat(prompt.messages).tokens
    assert prompt.exact and prompt.messages[0].content.startswith("f00d")


@pytest.mark.skipif(not GGUF.exists(), reason="Qwen2's vocabulary is not here")
@pytest.mark.parametrize("tokens", [100, 6144, 14336, 30720])
def test_a_prompt_is_exact_with_qwen2s_own_vocabulary(tokens: int) -> None:
    """At the lengths that Qwen2 publishes."""
    counter = qwen2_counter()

    prompt = speed_prompt(tokens, "f00d", counter.count_chat, counter.count_text)

    assert prompt.tokens == tokens


def test_two_prompts_share_no_prefix_worth_keeping() -> None:
    """The first line is their own; before it stands only what every chat begins with."""
    counter = small_counter()

    one, two = (
        speed_prompt(2000, fresh, counter.count_chat, counter.count_text) for fresh in ("a1", "b2")
    )

    assert one.messages[0].content[0] != two.messages[0].content[0]
    assert one.messages[0].role == "system"


def test_a_length_below_the_shortest_chat_gives_that() -> None:
    """Qwen2's input of one token is no chat."""
    counter = small_counter()

    prompt = speed_prompt(1, "f00d", counter.count_chat, counter.count_text)

    assert 1 < prompt.tokens < 120


# --- figures ------------------------------------------------------------------------------------


def shot(**values: object) -> Shot:
    told = {
        "tokens": 1000, "first_s": 0.5, "total_s": 1.5, "new_tokens": 101, "new_counted": True,
        "prompt_s": None, "answer_s": None, "load_s": None, "cached_tokens": None,
        "computed_tokens": None, "stop_reason": "length",
    }  # fmt: skip
    return Shot(**{**told, **values})  # type: ignore[arg-type]


def test_the_servers_figures_go_before_the_clock() -> None:
    """And without them the clock is read from the first token on."""
    assert shot().prefill == 2000 and shot().decode == 100
    assert shot(prompt_s=0.1).prefill == 10_000
    assert shot(answer_s=2.02).decode == 50
    assert shot().whole == pytest.approx(101 / 1.5)


def test_what_came_from_the_cache_was_not_read() -> None:
    """Counting it in would make a warm server look fast."""
    assert shot(cached_tokens=500).prefill == 1000
    assert shot(computed_tokens=200).prefill == 400
    assert shot(cached_tokens=1000).prefill is None


def test_too_little_tells_no_speed() -> None:
    """An answer of a few tokens, or a prompt of a few, is all overhead."""
    assert shot(new_tokens=5).decode is None and shot(new_tokens=5).whole is None
    assert shot(tokens=40).prefill is None


def test_medians_are_of_the_repeats() -> None:
    """One slow repeat does not move them."""
    cold = tuple(shot(first_s=seconds) for seconds in (0.5, 0.6, 9.0))
    cell = Cell(6144, 6144, True, 101, cold, (shot(first_s=0.01),), None).to_json()

    assert cell["first_token_cold_s"] == 0.6 and cell["first_token_warm_s"] == 0.01
    assert len(cell["cold"]) == 3


class Stuck(FakeModel):
    """Breaks off the calls whose numbers are in `when`, counting from 1."""

    def __init__(self, *when: int, fault: Exception | None = None, **values: object) -> None:
        super().__init__(lambda messages: "a word " * 40, **values)  # type: ignore[arg-type]
        self.when, self.calls = when, 0
        self.fault = fault or BadReply("token repeat limit reached")

    def stream(self, messages: Sequence[Message], *, reserve: int) -> Iterator[str | Usage]:
        self.calls += 1
        if self.calls in self.when:
            raise self.fault
        yield from super().stream(messages, reserve=reserve)


def test_an_answer_that_got_stuck_is_asked_once_more() -> None:
    """With another first line, which makes another story."""
    model = Stuck(1)

    found = Bench(model).measure(1000, 50, 1, model.window())

    assert isinstance(found, Cell) and len(found.cold) == 1


def test_a_length_that_fails_is_told_and_the_others_go_on() -> None:
    """Only a server that is gone ends it all."""
    model = Stuck(1, 2)
    found = measure(Bench(model), (1000, 2000), new=50, repeats=1, window=model.window())

    assert isinstance(found[0], Skipped) and "repeat limit" in found[0].reason
    assert isinstance(found[1], Cell)
    with pytest.raises(ModelUnreachable):
        Bench(Stuck(1, fault=ModelUnreachable("gone"))).measure(1000, 50, 1, 32768)


def test_prompt_and_answer_stay_below_the_window() -> None:
    """At 30,720 of 32,768 one token less is written; beyond the window nothing is sent."""
    model = Stuck(window=32768)
    bench = Bench(model)

    full = bench.measure(30720, 2048, 1, 32768)
    beyond = bench.measure(63488, 2048, 1, 32768)

    assert isinstance(full, Cell) and full.asked_new == 2047
    assert isinstance(beyond, Skipped) and "32,768" in beyond.reason
    assert max(model.count(prompt).tokens for prompt in model.prompts) == 30720


def test_the_window_that_is_really_loaded_counts() -> None:
    """A server that runs with less than was asked for is believed."""
    model = Stuck(window=32768)

    assert isinstance(Bench(model).measure(6144, 50, 1, 4096), Skipped)
    assert model.prompts == []


def test_no_length_is_begun_that_would_not_end_in_time() -> None:
    """Predicted from what was measured so far; it says what would help."""
    now = [0.0]

    class Slow(FakeModel):
        def stream(self, messages: Sequence[Message], *, reserve: int) -> Iterator[str | Usage]:
            tokens = self.count(messages).tokens
            now[0] += tokens / 100
            yield "word " * reserve
            now[0] += reserve / 10
            yield Usage(
                prompt_tokens=tokens,
                answer_tokens=reserve,
                prompt_s=tokens / 100,
                answer_s=reserve / 10,
            )

    bench = Bench(Slow(), deadline=200.0, clock=lambda: now[0])
    bench.warm_up()
    found = measure(bench, (1000, 30000), new=100, repeats=1, window=32768)

    assert isinstance(found[0], Cell)
    assert isinstance(found[1], Skipped) and "about 5 min" in found[1].reason


class Estimated(FakeModel):
    """Counts from above, while its server counts exactly."""

    def count(self, messages: Sequence[Message]) -> TokenCount:
        return EstimatingCounter().count_chat(messages)

    def count_text(self, text: str) -> TokenCount:
        return EstimatingCounter().count_text(text)

    def stream(self, messages: Sequence[Message], *, reserve: int) -> Iterator[str | Usage]:
        yield "a word " * 40
        yield Usage(prompt_tokens=round(self.count(messages).tokens * 0.7), answer_tokens=40)


def test_without_a_vocabulary_the_servers_count_sets_the_scale() -> None:
    """The lengths are then met about, and the true ones told."""
    bench = Bench(Estimated())
    bench.warm_up()

    found = bench.measure(6144, 40, 1, 32768)

    assert isinstance(found, Cell) and not found.exact
    assert found.tokens == pytest.approx(6144, rel=0.02)


def test_without_a_vocabulary_it_is_told_what_would_prove_that_a_length_fits() -> None:
    """The estimate is from above: nothing is sent, and the advice is a vocabulary, not fewer
    documents, which there are none of."""
    bench = Bench(Estimated(window=8192))
    bench.warm_up()

    found = bench.measure(7800, 40, 1, 8192)

    assert isinstance(found, Skipped) and "HAYLOFT_TOKENIZER" in found.reason
    assert "8,192" in found.reason and "documents" not in found.reason


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (PromptTooLong("Choose fewer documents.", window=4096), "do not fit the window"),
        (PromptTruncated("Choose fewer documents."), "read less"),
    ],
)
def test_a_server_that_refuses_or_cuts_is_told_without_advice_on_documents(
    fault: Exception, told: str
) -> None:
    """A prompt of the benchmark has no documents."""
    found = Bench(Stuck(1, 2, fault=fault)).measure(1000, 50, 1, 32768)

    assert isinstance(found, Skipped)
    assert told in found.reason and "documents" not in found.reason


# --- over a socket ------------------------------------------------------------------------------


def test_cold_and_warm_are_what_the_server_was_made_to_be(
    double: OllamaDouble, capsys: pytest.CaptureFixture, tmp_path: Path
) -> None:
    """Prefill at its modelled speed; warm prompts from its cache; memory as it lists it."""
    out = tmp_path / "speed.json"
    words = ("--lengths", "1,6144,14336,63488", "--new-tokens", "48", "--repeats", "2")
    assert speed(*words, "--json", "--out", str(out)) == 0

    result = json.loads(capsys.readouterr().out)
    assert result == json.loads(out.read_text())
    rows = {row["length"]: row for row in result["lengths"]}
    for length in (6144, 14336):
        row = rows[length]
        assert row["prompt_tokens"] == length and row["exact"]
        assert row["prefill_tokens_per_s"] == pytest.approx(PREFILL, rel=0.1)
        assert row["first_token_cold_s"] >= length / PREFILL
        assert row["first_token_warm_s"] < row["first_token_cold_s"] / 2
        assert row["new_tokens"] == 48
        assert all(one["cached_tokens"] < 20 for one in row["cold"])
        assert all(one["cached_tokens"] == length - 1 for one in row["warm"])
        assert row["memory"]["cpu_spill"] == row["memory"]["size"] - row["memory"]["size_vram"] > 0
    assert rows[1]["prompt_tokens"] > 1
    assert result["skipped"][0]["length"] == 63488
    assert result["published"]["lengths"]["6144"]["vllm_tokens_per_s"][0] == 76.41
    assert result["served"]["window"] == 32768 and result["load_s"] is not None
    assert double.same_window()
    kept = SpeedLog(tmp_path / "data").of(MODEL.digest, 32768)
    assert kept.prefill == pytest.approx(PREFILL, rel=0.1) and kept.decode is not None
    assert kept.answer_tokens is None


def test_people_see_it_beside_what_qwen2_publishes(
    double: OllamaDouble, capsys: pytest.CaptureFixture
) -> None:
    """With what is comparable, what was left out and why."""
    assert speed("--lengths", "1,6144,63488", "--new-tokens", "20", "--repeats", "1") == 0

    out = capsys.readouterr().out
    header = next(line for line in out.splitlines() if "prefill/s" in line)
    row = next(line for line in out.splitlines() if line.strip().startswith("6,144"))
    assert header.index("|") == row.index("|")
    assert row.split("|")[1].split() == ["34.7", "33.3", "76.4", "131.6"]
    assert "Input 63,488 is left out. 63,488 tokens and an answer do not fit" in out
    assert "the shortest that a chat can have" in out
    assert "GiB of it beside the GPU" in out
    assert "Not comparable: hardware" in out


def test_a_clamped_window_is_told_not_measured(
    double: OllamaDouble, capsys: pytest.CaptureFixture
) -> None:
    """Asking for 128K does not make a 32K model read it."""
    assert speed("--window", "131072", "--lengths", "63488", "--new-tokens", "16") == 1

    assert "do not fit the window that is served, 32,768" in capsys.readouterr().out


def test_servers_that_count_only_what_is_new_are_told_so(
    double: OllamaDouble, capsys: pytest.CaptureFixture
) -> None:
    """What a server does not tell is said."""
    double.behaviour = type(double.behaviour)(**{**_fields(double.behaviour), "count": "total"})
    assert speed("--lengths", "1000", "--new-tokens", "20", "--repeats", "1", "--json") == 0

    told = " ".join(json.loads(capsys.readouterr().out)["not_told"])
    assert "does not tell what came from its prefix cache" in told
    assert "memory" not in told


def _fields(record: object) -> dict[str, object]:
    import dataclasses

    return {one.name: getattr(record, one.name) for one in dataclasses.fields(record)}  # type: ignore[arg-type]


def test_an_openai_server_is_measured_by_the_clock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    """It tells no durations and no memory, and the result says what stands in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HAYLOFT_DATA_DIR", str(tmp_path / "data"))
    with openai_double(piece("In the ") + piece("loft.", "stop") + DONE) as served:
        monkeypatch.setenv("HAYLOFT_OPENAI_URL", f"{served.url}/v1")
        monkeypatch.setenv("HAYLOFT_MODEL", "openai:qwen2-7b")
        code = speed("--lengths", "1,6144", "--new-tokens", "16", "--repeats", "1")

    out = capsys.readouterr().out
    assert code == 0
    assert "The server does not tell how long it reads" in out
    assert "by this side's clock" in out
    assert "It does not tell what memory it takes." in out
    assert "Nor how many tokens it wrote" in out
    assert "an estimate from above, and the server does not count them" in out
    assert "Input 6,144 is left out." in out  # served with 4,096
    assert "Memory:" not in out


def test_without_a_model_it_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    """And ends as a missing service does."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HAYLOFT_MODEL", "extractive")

    assert speed() == 69
    assert "No chat model to measure" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words", [("--lengths", "0"), ("--lengths", "a"), ("--repeats", "0"), ("--minutes", "-1")]
)
def test_what_cannot_be_measured_is_refused(words: tuple[str, ...]) -> None:
    """As a wrong argument."""
    with pytest.raises(SystemExit) as caught:
        speed(*words)

    assert caught.value.code == 2


def test_the_published_table_is_whole() -> None:
    """Six lengths; vLLM for all, transformers to 30,720; slower as inputs grow."""
    table = qwen2_speed.PUBLISHED

    assert tuple(table) == qwen2_speed.LENGTHS
    assert [table[n].transformers is None for n in table] == [False] * 4 + [True] * 2
    for column in range(4):
        speeds = [table[length].vllm[column] for length in table]
        assert speeds == sorted(speeds, reverse=True)
    assert cli_speed._figure(None, 3, 0) == "  –"

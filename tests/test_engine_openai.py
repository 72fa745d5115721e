"""The client of OpenAI-compatible servers against llama.cpp's own: counts, windows, cache.

`make test-engine` runs these; the model is a toy with random weights.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.chat import Message, ModelBusy, ModelUnreachable, PromptTooLong, Usage
from app.model_choice import choose_model
from app.openai_chat import OpenAIChat
from app.openai_server import LLAMA_CPP, openai_server, serving
from app.settings import AppSettings
from app.tokens import counter_from_file, save_tokenizer
from tests.engine_server import NAMED, EngineServer, engine
from tests.toy_gguf import PROSE, write_toy

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(
        engine() is None, reason=f"no llama-server on the PATH or in {NAMED}: make test-engine"
    ),
    pytest.mark.timeout(600),
]

RULES = Message("system", "You answer questions from passages. " * 20)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("engine")


@pytest.fixture(scope="module")
def toy(folder: Path) -> Path:
    return write_toy(folder / "toy.gguf")


@pytest.fixture(scope="module")
def server(folder: Path, toy: Path) -> Iterator[EngineServer]:
    with EngineServer(toy, window=8192, log=folder / "server.log") as running:
        yield running


def settings(server: EngineServer, **values: object) -> AppSettings:
    return AppSettings(_env_file=None, openai_url=f"{server.url}/v1", **values)  # type: ignore[arg-type]


def chat(server: EngineServer, **values: object) -> OpenAIChat:
    name = str(server.get("/v1/models")["data"][0]["id"])
    return OpenAIChat(name, settings(server, **values))


def usage_of(model: OpenAIChat, messages: list[Message], reserve: int = 8) -> tuple[str, Usage]:
    *pieces, usage = model.stream(messages, reserve=reserve)
    assert isinstance(usage, Usage)
    return "".join(map(str, pieces)), usage


def test_engine_counts_what_it_then_reads(server: EngineServer) -> None:
    """Its own count of template and text is the number of tokens it evaluates."""
    model = chat(server)
    messages = [RULES, Message("user", PROSE * 30 + "\n\n  ¿Dónde? 乾草 <|im_end|> 12,345.67")]

    counted = model.count(messages)
    _, usage = usage_of(model, messages)

    assert counted.exact
    assert usage.prompt_tokens == counted.tokens


def test_a_kept_vocabulary_is_recognised_as_the_engines(
    server: EngineServer, toy: Path, tmp_path: Path
) -> None:
    """Compared by ids and by two chats; afterwards nothing is sent to be counted."""
    save_tokenizer(counter_from_file(toy).tokenizer, tmp_path / "toy.json")
    name = str(server.get("/v1/models")["data"][0]["id"])
    model = OpenAIChat(name, settings(server), tokenizers=tmp_path)
    messages = [RULES, Message("user", PROSE * 20)]

    _, usage = usage_of(model, messages)

    assert model.token_counter().exact
    assert usage.prompt_tokens == model.count(messages).tokens


def test_window_is_that_of_one_slot(folder: Path, toy: Path) -> None:
    """Two slots share what `-c` gives: a prompt may only have half of it."""
    words = ["-np", "2", "--no-kv-unified"]
    with EngineServer(toy, window=8192, log=folder / "slots.log", words=words) as server:
        name = str(server.get("/v1/models")["data"][0]["id"])

        assert serving(openai_server(settings(server)), name).window == 4096
        assert serving(openai_server(settings(server)), name).dialect == LLAMA_CPP


def test_a_prompt_of_the_last_token_that_fits_is_read_whole(server: EngineServer) -> None:
    """And one more is refused before it is sent."""
    model = chat(server)
    empty = model.count([Message("user", "")]).tokens
    most = model.room(8)
    text = "x" * (most - empty)

    _, usage = usage_of(model, [Message("user", text)])
    with pytest.raises(PromptTooLong, match=r"window of .*: 8,192, of which 8"):
        usage_of(model, [Message("user", text + "x")])

    assert usage.prompt_tokens == most


def test_engines_own_refusal_is_the_same_sentence(
    server: EngineServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Past our own check, with both sizes."""
    monkeypatch.setattr(OpenAIChat, "_refuse_overflow", lambda *_: None)
    model = chat(server)
    messages = [Message("user", PROSE * 300)]

    with pytest.raises(PromptTooLong) as caught:
        usage_of(model, messages)

    assert f"({model.count(messages).tokens:,} tokens, window 8,192)" in str(caught.value)


def test_ten_turns_compute_only_what_is_new(server: EngineServer) -> None:
    """Each turn begins with the one before, so that the engine reuses all of that."""
    model = chat(server)
    messages = [RULES]
    before = 0
    computed: list[tuple[int, int]] = []
    for turn in range(10):
        messages.append(Message("user", f"{PROSE * 6} Question {turn}: where is the hay?"))
        text, usage = usage_of(model, messages)
        assert usage.prompt_tokens is not None and usage.cached_tokens is not None
        computed.append((usage.prompt_tokens - usage.cached_tokens, usage.prompt_tokens - before))
        before = usage.prompt_tokens
        messages.append(Message("assistant", text))

    assert all(now <= 1.05 * new for now, new in computed[1:]), computed


def test_durations_are_told(server: EngineServer) -> None:
    """llama.cpp's timings become the seconds of prompt and answer."""
    _, usage = usage_of(chat(server), [RULES, Message("user", "How long does it take?")])

    assert usage.prompt_s is not None and usage.answer_s is not None
    assert 0 < usage.prompt_s < 60 and usage.answer_tokens == 8
    assert usage.stop_reason == "length"


def test_an_engine_that_still_loads_is_waited_for_by_the_user(folder: Path) -> None:
    """Asked too early, it says that it loads; asked again, it answers."""
    big = write_toy(folder / "wide.gguf", layers=2, seed=3)
    seen: list[Exception] = []
    starting = EngineServer(big, window=2048, log=folder / "loading.log")

    def ask_too_early() -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                model = choose_model(settings(starting), data_dir=folder).model
                assert model is not None and model.window() == 2048
                return
            except (ModelBusy, ModelUnreachable) as exc:
                seen.append(exc)
                time.sleep(0.01)

    starting._wait = ask_too_early  # type: ignore[method-assign]
    with starting:
        _, usage = usage_of(chat(starting), [Message("user", "hay?")])

    assert usage.prompt_tokens
    assert seen, "it was up before the first question"
    assert all("does not answer" in str(exc) or "still loading" in str(exc) for exc in seen)


def test_an_engine_started_again_with_a_smaller_window_is_noticed(
    folder: Path, toy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the same address: what fitted before is refused with both windows named."""
    monkeypatch.setattr("app.openai_chat.FRESH_S", 0.0)
    messages = [Message("user", PROSE * 60)]
    with EngineServer(toy, window=8192, log=folder / "first.log") as first:
        model = chat(first)
        usage_of(model, messages)
        port = first.url.rpartition(":")[2]
    with pytest.raises(ModelUnreachable, match="does not answer"):
        usage_of(model, messages)
    words = ["--port", port]
    second = EngineServer(toy, window=1024, log=folder / "second.log", words=words)
    second._wait = lambda: _until_up(first.url)  # type: ignore[method-assign]
    with second, pytest.raises(PromptTooLong, match=r"1,024.*less than its 8,192 of before"):
        usage_of(model, messages)


def _until_up(url: str) -> None:
    import httpx

    for _ in range(600):
        try:
            if httpx.get(f"{url}/health", timeout=2).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.05)
    raise RuntimeError("llama-server did not start")

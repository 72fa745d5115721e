"""What a server serves is learned from it, holds for the next question, and is learned anew."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from app import ollama_chat, openai_chat
from app.answers import Answer, AnswerReady, Turn
from app.assistant import Assistant
from app.budget import budget_of
from app.chat import ChatModel, Message, PromptTooLong
from app.find import Finder
from app.model_choice import choose_model
from app.ollama_chat import OllamaChat
from app.openai_chat import OpenAIChat
from app.served_windows import FILE, ServedWindows
from app.settings import AppSettings
from storage.library import Library
from tests.library_fixtures import library_of, words
from tests.ollama_double import QWEN2, OllamaDouble
from tests.openai_double import LLAMA_CPP, OTHER, VLLM, OpenAIDouble

SHORT = [Message("user", "Where is the hay?")]
LONG = [Message("user", "The hay is in the loft. " * 400)]
TOPICS = "harbour orchard lighthouse library stable bakery ferry meadow".split()
FILES = {
    f"{topic}.md": f"# The {topic}\n\n"
    + "\n\n".join(f"The {topic} rule {n} says {words(f'{topic} {n}', 90)}" for n in range(1, 9))
    for topic in TOPICS
}


def settings(**values: object) -> AppSettings:
    return AppSettings(_env_file=None, **values)  # type: ignore[arg-type]


def ask(model: ChatModel, messages: list[Message] = SHORT, reserve: int = 50) -> None:
    list(model.stream(messages, reserve=reserve))


@pytest.fixture
def always_fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if more than a few seconds lay between two questions."""
    monkeypatch.setattr(ollama_chat, "FRESH_S", 0.0)
    monkeypatch.setattr(openai_chat, "FRESH_S", 0.0)


# --- Ollama -----------------------------------------------------------------------------------


def chat(double: OllamaDouble, folder: Path, **values: object) -> OllamaChat:
    chosen = settings(ollama_url=double.url, **values)
    return OllamaChat("qwen2:7b", chosen, windows=ServedWindows(folder))


def test_what_a_load_came_to_is_the_window_of_the_next_question(tmp_path: Path) -> None:
    """The budget shrinks at once, in another process as well; what is asked for stays the same."""
    with OllamaDouble(serves_at_most=4096) as double:
        first = chat(double, tmp_path)
        before = first.window()
        ask(first)
        other = chat(double, tmp_path)
        budget = budget_of(other, settings(ollama_url=double.url), tmp_path)
        ask(other)

        assert before == 32768
        assert first.window() == other.window() == budget.window == 4096
        assert budget.room + budget.reserve < 4096
        assert double.same_window()
        assert [request.reloaded for request in double.chats()] == [True, False]
        with pytest.raises(PromptTooLong, match="window of qwen2:7b: 4,096"):
            ask(other, LONG * 3, reserve=1024)
        assert len(double.chats()) == 2


def test_a_refusal_teaches_the_window_as_well(tmp_path: Path) -> None:
    """The first long prompt meets the smaller window; asked again it is made for that."""
    with OllamaDouble(serves_at_most=1024) as double:
        model = chat(double, tmp_path)
        with pytest.raises(PromptTooLong, match=r"window 1,024\).*Nothing was cut.*Ask again"):
            ask(model, LONG)

        assert model.window() == 1024
        assert not any(request.truncated for request in double.chats())


def test_a_server_started_again_with_more_is_believed_again(tmp_path: Path) -> None:
    """After its first load; nothing has to be set or deleted."""
    with OllamaDouble(serves_at_most=4096) as double:
        model = chat(double, tmp_path)
        ask(model)
        small = model.window()
        double.stop()
        double.serves_at_most = None
        double.start()
        ask(model)

        assert (small, model.window()) == (4096, 32768)
        assert chat(double, tmp_path).window() == 32768


def test_more_that_is_seen_loaded_counts_at_once(tmp_path: Path) -> None:
    """Another program had it loaded meanwhile: the server gives more than was known."""
    with OllamaDouble(serves_at_most=4096) as double:
        model = chat(double, tmp_path)
        ask(model)
        double.serves_at_most = None
        double.scheduler.unload_all()
        other = OllamaChat("qwen2:7b", settings(ollama_url=double.url, window=8192))
        ask(other)

        assert model.window() == 8192


@pytest.mark.usefixtures("always_fresh")
@pytest.mark.parametrize(("trained", "window"), [(8192, 8192), (131072, 65536)])
def test_a_model_made_anew_is_learned_anew(tmp_path: Path, trained: int, window: int) -> None:
    """Its digest tells: what was learned of the old one holds no longer, nor does its window."""
    with OllamaDouble(serves_at_most=4096) as double:
        model = chat(double, tmp_path, window=65536)
        ask(model)
        capped = model.window()
        double.serves_at_most = None
        double.remove("qwen2:7b")
        double.install(dataclasses.replace(QWEN2, trained_window=trained, revision="2"))

        assert capped == 4096
        assert model.window() == model.num_ctx() == window
        ask(model)
        assert double.chats()[-1].num_ctx == window


def test_another_programs_small_window_is_not_mistaken_for_the_servers(tmp_path: Path) -> None:
    """What is loaded before we ask says nothing about what we get."""
    with OllamaDouble() as double:
        ask(OllamaChat("qwen2:7b", settings(ollama_url=double.url, window=2048)))
        model = chat(double, tmp_path)

        assert model.window() == 32768
        ask(model)
        assert model.window() == 32768
        assert not (tmp_path / FILE).exists()


@pytest.mark.parametrize("kept", ["", "[]", "{", '{"http://x qwen2:7b": 7}'])
def test_a_damaged_file_costs_only_knowledge(tmp_path: Path, kept: str) -> None:
    """The server is asked as if nothing was known, and what it says is kept."""
    (tmp_path / FILE).write_text(kept)
    with OllamaDouble(serves_at_most=4096) as double:
        model = chat(double, tmp_path)
        before = model.window()
        ask(model)

        assert (before, model.window()) == (32768, 4096)


# --- in a conversation ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    with library_of(tmp_path_factory.mktemp("served"), FILES) as opened:
        yield opened


@pytest.fixture(autouse=True)
def _nothing_known(request: pytest.FixtureRequest) -> None:
    if "library" in request.fixturenames:
        folder = request.getfixturevalue("library").settings.data_dir
        for name in (FILE, "speeds.json", "last_prompts.json"):
            (folder / name).unlink(missing_ok=True)


def answers(library: Library, model: ChatModel, chosen: AppSettings, turns: list[Turn]) -> Answer:
    assistant = Assistant(library, Finder(library), model, chosen)
    question = f"What does the {TOPICS[len(turns) % len(TOPICS)]} rule 3 say?"
    sent = ""
    for event in assistant.ask(question, history=turns):
        if isinstance(event, AnswerReady):
            turns.append(
                Turn(
                    question, event.answer.text, event.answer.hits,
                    numbers=event.answer.numbers, sent=sent, given=len(event.answer.hits),
                    turn_id=len(turns) + 1,
                )
            )  # fmt: skip
            return event.answer
        prompt = getattr(event, "sent", None)
        sent = prompt.text if prompt is not None else sent
    raise AssertionError("no answer")


def test_a_conversation_goes_on_in_the_window_that_is_served(library: Library) -> None:
    """Said once it is known, and every later prompt fits: none is refused, none is cut."""
    chosen = {"passages": 3, "followups": "rules", "reserve": 256, "passage_characters": 1200}
    with OllamaDouble(serves_at_most=4096, reply="So it is [1].") as double:
        values = settings(ollama_url=double.url, **chosen)
        turns: list[Turn] = []
        given = []
        for _ in range(6):
            model = choose_model(values, data_dir=library.settings.data_dir).model
            assert model is not None
            given.append(answers(library, model, values, turns))

    first, *later = given
    assert "window of 4,096 only" in first.receipt.note
    assert "prompts are made for that from the next question on" in first.receipt.note
    for answer in later:
        assert answer.receipt.window == 4096
        assert answer.receipt.prompt_tokens + answer.receipt.parts["reserve"] < 4096
        assert "window of 4,096 only" in answer.receipt.note
        assert "another program" not in answer.receipt.broke
    assert any("left the prompt" in answer.receipt.note for answer in later)
    assert not any(request.truncated for request in double.chats())


# --- OpenAI-compatible servers ----------------------------------------------------------------


@pytest.mark.usefixtures("always_fresh")
@pytest.mark.parametrize("dialect", [LLAMA_CPP, VLLM])
def test_the_budget_follows_what_the_server_says_it_serves(dialect: str, tmp_path: Path) -> None:
    """Started again with less or with more: the very next budget is made for it."""
    with OpenAIDouble(dialect, window=16384) as double:
        chosen = settings(openai_url=double.url)
        model = OpenAIChat(double.models[0], chosen)
        windows = []
        for window in (16384, 4096, 8192):
            double.restart(window=window)
            windows.append(budget_of(model, chosen, tmp_path))
            ask(model)

    assert [budget.window for budget in windows] == [16384, 4096, 8192]
    assert all(budget.room + budget.reserve < budget.window for budget in windows)


def test_a_server_that_only_says_it_by_refusing_is_believed_for_a_while(tmp_path: Path) -> None:
    """In the next process, too; after some minutes it may have been started again with more."""
    now = [0.0]
    windows = ServedWindows(tmp_path, clock=lambda: now[0])
    with OpenAIDouble(OTHER, window=1024) as double:
        chosen = settings(openai_url=double.url, reserve=256)
        model = OpenAIChat(double.models[0], chosen, windows=windows)
        before = model.window()
        with pytest.raises(PromptTooLong, match="Ask again"):
            ask(model, LONG)
        again = OpenAIChat(double.models[0], chosen, windows=windows)
        learned = again.window(), budget_of(again, chosen, tmp_path)
        now[0] += openai_chat.LEARNED_S + 1

        assert (before, learned[0], learned[1].window) == (32768, 1024, 1024)
        assert again.window() == 32768

"""Servers and windows that fail in the middle of a conversation: a sentence, and nothing is lost.

Each fault strikes the second of three questions, over real sockets. Its turn says why it failed;
the first turn stays as it was, and the third goes on where the first one ended.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app import openai_chat
from app.assistant import Assistant
from app.conversations import DONE, FAILED, Conversations, StoredTurn
from app.find import Finder
from app.live_answers import LiveAnswers
from app.model_choice import choose_model
from app.settings import AppSettings
from storage.library import Library
from tests.library_fixtures import library_of, words
from tests.ollama_double import QWEN2, Fault, OllamaDouble
from tests.openai_double import (
    ABORT,
    CUT,
    DIE,
    HTML,
    LLAMA_CPP,
    NO_FINISH,
    SILENT,
    STALL,
    VLLM,
    OpenAIDouble,
)
from tests.test_app_ollama_chat import exact_double

FILES = {
    f"{topic}.md": f"# The {topic}\n\n"
    + "\n\n".join(f"The {topic} rule {n} says {words(f'{topic} {n}', 60)}" for n in range(1, 9))
    for topic in ("harbour", "orchard", "lighthouse")
} | {"wall.txt": words("wall", 6000)}
ASKED = [f"What does the {topic} rule 3 say?" for topic in ("harbour", "orchard", "lighthouse")]
PLAIN = {"passages": 2, "passage_characters": 500, "followups": "rules", "reserve": 128}


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    with library_of(tmp_path_factory.mktemp("bad"), FILES) as opened:
        yield opened


class Talk:
    """One conversation in a store, answered as the page has it answered."""

    def __init__(self, library: Library, folder: Path, **values: object) -> None:
        self.settings = AppSettings(_env_file=None, **{**PLAIN, **values})  # type: ignore[arg-type]
        self.library = library
        self.folder = folder
        self.store = Conversations(folder / "c.db")
        self.live = LiveAnswers(self.store)
        self.id = self.store.create("Talk")

    def ask(self, question: str, **how: object) -> StoredTurn:
        # A model is looked for anew, as a page does that was left for a while.
        model = choose_model(self.settings, data_dir=self.folder).model
        asking = Assistant(self.library, Finder(self.library), model, self.settings)
        history = self.store.history(self.id)
        answer = self.live.start(
            self.id, question, lambda: asking.ask(question, history=history, **how)
        )
        assert answer.wait(30)
        return self.store.turns(self.id)[-1]


def survives(talk: Talk, strike: Callable[[], None], mend: Callable[[], None]) -> str:
    """Ask, fail, and go on; the sentence of the turn that failed."""
    first = talk.ask(ASKED[0])
    assert first.state == DONE, first.error
    strike()
    failed = talk.ask(ASKED[1])
    mend()
    third = talk.ask(ASKED[2])

    assert failed.state == FAILED
    assert third.state == DONE, third.error
    kept = talk.store.turns(talk.id)
    assert [turn.question for turn in kept] == ASKED
    assert (kept[0].text, kept[0].citations) == (first.text, first.citations)
    assert failed.error and "\n" not in failed.error and len(failed.error) < 500
    return failed.error


OLLAMA_FAULTS = [
    (Fault.HTML_200, "a web page"),
    (Fault.HTML_502, "a web page"),
    (Fault.STALL_FIRST_BYTE, "was silent for 0.6 s"),
    (Fault.STALL_MID_STREAM, "was silent for 0.6 s"),
    (Fault.RESET, "broke off the connection"),
    (Fault.CUT_MID_CHUNK, "broke off the connection"),
    (Fault.RUNNER_DIED, "unexpected EOF"),
    (Fault.END_WITHOUT_DONE, "before it was done"),
    (Fault.REFUSE, "does not answer"),
    (Fault.OUT_OF_MEMORY, "does not fit in the memory"),
]


@pytest.mark.parametrize(("fault", "words_"), OLLAMA_FAULTS, ids=lambda value: str(value))
def test_ollama_fails_and_the_conversation_goes_on(
    library: Library, tmp_path: Path, fault: Fault, words_: str
) -> None:
    """The server reads the first prompt, then the third one, which begins with it."""
    with OllamaDouble(reply="So it is [1].") as double:
        talk = Talk(
            library, tmp_path, ollama_url=double.url, model="ollama:qwen2:7b", answer_timeout_s=0.6
        )

        def strike() -> None:
            if fault in (Fault.HTML_200, Fault.HTML_502, Fault.REFUSE):
                # On every path: the model that was found is still at hand, as on a page.
                model = choose_model(talk.settings, data_dir=tmp_path).model
                talk.ask = _with_model(talk, model)  # type: ignore[method-assign]
            double.fault = fault

        def mend() -> None:
            double.fault = None

        said = survives(talk, strike, mend)
        prompts = [r.prompt for r in double.chats() if r.has_prompt and r.status == 200]

    assert words_ in said
    assert prompts[-1].startswith(prompts[0].removesuffix("assistant\n"))
    assert double.never_truncates()


def _with_model(talk: Talk, model: object) -> Callable[..., StoredTurn]:
    def ask(question: str, **how: object) -> StoredTurn:
        asking = Assistant(talk.library, Finder(talk.library), model, talk.settings)  # type: ignore[arg-type]
        history = talk.store.history(talk.id)
        answer = talk.live.start(
            talk.id, question, lambda: asking.ask(question, history=history, **how)
        )
        assert answer.wait(30)
        return talk.store.turns(talk.id)[-1]

    return ask


OPENAI_FAULTS = [
    (HTML, "no server-sent events"),
    (SILENT, "was silent for 0.6 s"),
    (STALL, "was silent for 0.6 s"),
    (DIE, "broke off the connection"),
    (CUT, "no JSON object"),
    (NO_FINISH, "before it was done"),
    (ABORT, "before it was done"),
]


@pytest.mark.parametrize("dialect", [LLAMA_CPP, VLLM])
@pytest.mark.parametrize(("fault", "words_"), OPENAI_FAULTS)
def test_other_servers_fail_and_the_conversation_goes_on(
    library: Library, tmp_path: Path, dialect: str, fault: str, words_: str
) -> None:
    """The third prompt begins with the first one and its answer."""
    with OpenAIDouble(dialect, window=16384) as double:
        talk = Talk(library, tmp_path, openai_url=double.url, answer_timeout_s=0.6)

        said = survives(
            talk,
            lambda: setattr(double, "fault", fault),
            lambda: setattr(double, "fault", ""),
        )
        first, third = double.chats()[0]["messages"], double.chats()[-1]["messages"]

    assert words_ in said
    assert third[: len(first)] == first
    assert third[len(first)]["role"] == "assistant"


@pytest.mark.parametrize("dialect", [LLAMA_CPP, VLLM])
def test_a_server_started_again_with_a_small_window_is_packed_for(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dialect: str
) -> None:
    """No question is lost at all: older turns leave the prompt, and the receipt says so."""
    monkeypatch.setattr(openai_chat, "FRESH_S", 0.0)
    with OpenAIDouble(dialect, window=16384) as double:
        talk = Talk(library, tmp_path, openai_url=double.url)
        for question in ASKED * 2:
            assert talk.ask(question).state == DONE
        double.restart(window=1536)
        turn = talk.ask("And what does the orchard rule 5 say?")

    assert turn.state == DONE, turn.error
    assert turn.receipt is not None
    assert turn.receipt.window == 1536
    assert turn.receipt.prompt_tokens + turn.receipt.parts["reserve"] < 1536
    assert "left the prompt" in turn.receipt.note


def test_a_model_evicted_between_turns_only_costs_time(library: Library, tmp_path: Path) -> None:
    """It is loaded again, the prompt is the same, and the receipt says why it was cold."""
    with OllamaDouble(version="newer", reply="So it is [1].") as double:
        talk = Talk(library, tmp_path, ollama_url=double.url, model="ollama:qwen2:7b")
        talk.ask(ASKED[0])
        double.scheduler.unload_all()
        turn = talk.ask(ASKED[1])

    assert turn.state == DONE
    assert turn.receipt is not None and "no longer loaded" in turn.receipt.broke


def test_ollama_killed_and_started_again_between_turns(library: Library, tmp_path: Path) -> None:
    """With another window than it had served: what is sent fits, before and after."""
    with OllamaDouble(reply="So it is [1].") as double:
        talk = Talk(library, tmp_path, ollama_url=double.url, model="ollama:qwen2:7b")
        talk.ask(ASKED[0])
        double.stop()
        double.serves_at_most = 2048
        double.start()
        second, third = talk.ask(ASKED[1]), talk.ask(ASKED[2])

    assert [turn.state for turn in (second, third)] == [DONE, DONE]
    assert second.receipt is not None and "window of 2,048 only" in second.receipt.note
    assert third.receipt is not None and third.receipt.window == 2048
    assert third.receipt.prompt_tokens + 128 < 2048


# --- windows ----------------------------------------------------------------------------------


def test_a_window_smaller_than_the_rules_says_what_to_raise(
    library: Library, tmp_path: Path
) -> None:
    """Nothing is sent; with a larger window the same conversation goes on."""
    tiny = dataclasses.replace(QWEN2, trained_window=320, revision="tiny")
    with OllamaDouble(models=[tiny], reply="So it is [1].") as double:
        talk = Talk(library, tmp_path, ollama_url=double.url, model="ollama:qwen2:7b")
        turn = talk.ask(ASKED[0])
        sent = len(double.chats())
        double.install(QWEN2)
        after = talk.ask(ASKED[0])

    assert turn.state == FAILED and "HAYLOFT_WINDOW" in turn.error
    assert "rules and the question take" in turn.error
    assert sent == 0
    assert after.state == DONE


@pytest.mark.parametrize("mode", ["passages", "documents", "read-all"])
def test_a_question_longer_than_the_window_says_so_in_every_mode(
    library: Library, tmp_path: Path, mode: str
) -> None:
    """Before anything is sent; the conversation before it stays."""
    with OllamaDouble(reply="So it is [1].") as double:
        talk = Talk(library, tmp_path, ollama_url=double.url, model="ollama:qwen2:7b", window=2048)
        first = talk.ask(ASKED[0])
        sent = len(double.chats())
        turn = talk.ask("Tell me: " + "why " * 3000, mode=mode)
        after = talk.ask(ASKED[2])

        assert first.state == after.state == DONE
        assert turn.state == FAILED
        assert turn.error
        assert len(double.chats()) == sent + 1
        assert not any(request.truncated for request in double.chats())


def test_a_page_longer_than_the_window_is_read_in_pieces(library: Library, tmp_path: Path) -> None:
    """As a passage it is narrowed, whole it is refused with a sentence, in parts it is all read."""
    from storage.records import Scope

    wall = Scope(documents=("wall.txt",))
    with OllamaDouble(reply="NONE") as double:
        talk = Talk(library, tmp_path, ollama_url=double.url, model="ollama:qwen2:7b", window=2048)
        passages = talk.ask("What is on the wall?", scope=wall, mode="passages")
        whole = talk.ask("What is on the wall?", scope=wall, mode="documents")
        every = talk.ask("What is on the wall?", scope=wall, mode="read-all")

        assert passages.state == DONE, passages.error
        assert whole.state == FAILED and "read-all" in whole.error
        assert every.state == DONE, every.error
        assert every.ledger is not None and every.ledger.complete
        assert not any(request.truncated for request in double.chats())


def test_a_model_without_its_vocabulary_is_counted_by_a_marked_estimate(
    library: Library, tmp_path: Path
) -> None:
    """Marked as one in the receipt and in the plan; with the vocabulary the same is exact."""
    with OllamaDouble(reply="So it is [1].") as double:
        talk = Talk(library, tmp_path, ollama_url=double.url, model="ollama:qwen2:7b")
        guessed = talk.ask(ASKED[0])
    with exact_double() as double:
        other = tmp_path / "other"
        other.mkdir()
        talk = Talk(library, other, ollama_url=double.url, model="ollama:qwen2:small")
        counted = talk.ask(ASKED[0])

    assert guessed.receipt is not None and not guessed.receipt.exact
    assert counted.receipt is not None and counted.receipt.exact
    assert counted.receipt.prompt_tokens == counted.receipt.server_prompt_tokens


def test_a_model_of_another_family_is_counted_by_an_estimate(
    library: Library, tmp_path: Path
) -> None:
    """Qwen2's words are not those of others: no vocabulary at hand is taken for theirs."""
    foreign = dataclasses.replace(QWEN2, name="llama:8b", weights="llama", architecture="llama")
    with OllamaDouble(models=[foreign], reply="So it is [1].") as double:
        talk = Talk(library, tmp_path, ollama_url=double.url, model="ollama:llama:8b")
        turn = talk.ask(ASKED[0])

    assert turn.state == DONE, turn.error
    assert turn.receipt is not None and not turn.receipt.exact

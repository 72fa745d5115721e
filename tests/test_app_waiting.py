"""Until the first word: what is sent, what is waited for, and a stop that frees the server.

Real libraries and real sockets: the double of Ollama loads, reads and queues as Ollama does.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app import sent_sources
from app.assistant import Assistant
from app.conversations import DONE, FAILED, STOPPED, Conversations
from app.find import Finder
from app.live_answers import LiveAnswer, LiveAnswers
from app.ollama_chat import OllamaChat
from app.openai_chat import OpenAIChat
from app.plans import Mode
from app.settings import AppSettings
from app.speeds import SpeedLog
from app.wording import speaking
from storage.library import Library
from storage.records import EVERYTHING, Scope
from tests import openai_double
from tests.library_fixtures import ingest, open_library, words, write_files
from tests.ollama_double import Fault, OllamaDouble
from tests.openai_double import OpenAIDouble
from tests.until import until

QUESTION = "What does a crossing cost?"
FARE = "A single crossing costs 4.20 crowns in winter."
FILES = {
    "fares.md": f"# Fares\n\n{FARE}\n\n# Dogs\n\nDogs go free on every boat of the line.",
    "keys.md": "# Keys\n\nIngrid keeps the spare key of the tower in the blue tin.",
    "long.md": "\n\n".join(f"# Part {n}\n\n{words(str(n), 300)}" for n in range(8)),
}
WHOLE = Scope(documents=("fares.md", "long.md"))
MODES: list[tuple[Mode, Scope]] = [
    ("passages", EVERYTHING),
    ("documents", WHOLE),
    ("read-all", EVERYTHING),
]
SECONDS = 8.0


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    home = tmp_path_factory.mktemp("waiting")
    with open_library(home / "data") as opened:
        ingest(opened, write_files(home / "docs", FILES))
        yield opened


@pytest.fixture(autouse=True)
def _nothing_measured(library: Library) -> None:
    for name in ("speeds.json", "last_prompts.json", "readings.db"):
        (library.settings.data_dir / name).unlink(missing_ok=True)


@pytest.fixture
def store(tmp_path: Path) -> Conversations:
    return Conversations(tmp_path / "conversations.db")


@pytest.fixture
def live(store: Conversations) -> Iterator[LiveAnswers]:
    answers = LiveAnswers(store)
    yield answers
    answers.stop_all()


def of_ollama(library: Library, double: OllamaDouble) -> Assistant:
    settings = AppSettings(_env_file=None, ollama_url=double.url)  # type: ignore[call-arg]
    return Assistant(library, Finder(library), OllamaChat("qwen2:7b", settings), settings)


def of_llama_cpp(library: Library, double: OpenAIDouble) -> Assistant:
    settings = AppSettings(_env_file=None, openai_url=double.url)  # type: ignore[call-arg]
    return Assistant(library, Finder(library), OpenAIChat("qwen2-toy", settings), settings)


def ask(
    live: LiveAnswers,
    store: Conversations,
    asking: Assistant,
    mode: Mode = "passages",
    scope: Scope = EVERYTHING,
    conversation: str = "",
) -> LiveAnswer:
    """Ask in a conversation of its own, unless one is named."""
    conversation = conversation or store.create("T")
    history = store.history(conversation)
    return live.start(
        conversation,
        QUESTION,
        lambda: asking.ask(QUESTION, history=history, scope=scope, mode=mode),
    )


def kind(answer: LiveAnswer) -> str:
    waiting = answer.snapshot().waiting
    return waiting.kind if waiting else ""


def share(answer: LiveAnswer) -> float | None:
    waiting = answer.snapshot().waiting
    return waiting.share if waiting else None


def warmed(library: Library, double: OllamaDouble) -> None:
    """Have the model loaded, with another prompt in its cache."""
    other = Scope(documents=("keys.md",))
    list(of_ollama(library, double).ask("Who keeps the key?", mode="passages", scope=other))
    double.requests.clear()


# --- what is sent ------------------------------------------------------------------------------


@pytest.mark.parametrize(("mode", "scope"), MODES)
def test_what_is_sent_is_known_before_the_first_word(
    library: Library, live: LiveAnswers, store: Conversations, mode: Mode, scope: Scope
) -> None:
    """Documents, pages and tokens stand above an answer in every mode while nothing has come."""
    with OllamaDouble(load_s=30) as double:
        answer = ask(live, store, of_ollama(library, double), mode, scope)
        until(lambda: sent_sources.sent_html(answer.snapshot()))
        until(double.chats)
        now = answer.snapshot()
        above = sent_sources.sent_html(now)
        answer.stop()
        assert answer.wait(3)

    assert not now.text
    if mode == "documents":
        assert "Sent whole: 2 documents, 10 sections · prompt of " in above
        assert f'data-cite="{now.turn_id}:1"' in above
    elif mode == "read-all":
        assert "Every page is read: 11 pages of 3 documents" in above
    else:
        assert "prompt of" in above and 'class="hl-chip' in above


def test_whole_documents_stand_above_follow_ups_too(
    library: Library, live: LiveAnswers, store: Conversations
) -> None:
    """They are in the prompt from the first question on, and few of its tokens are new."""
    with OllamaDouble() as double:
        asking = of_ollama(library, double)
        first = ask(live, store, asking, "documents", WHOLE)
        assert first.wait(SECONDS)
        double.inject(Fault.STALL_FIRST_BYTE)
        answer = ask(live, store, asking, "documents", WHOLE, first.conversation_id)
        until(lambda: answer.snapshot().hits is not None)
        now = answer.snapshot()
        above = sent_sources.sent_html(now)
        answer.stop()
        assert answer.wait(3)

    assert "Sent whole: 2 documents, 10 sections" in above
    assert " of them new" in above
    assert now.known == tuple(range(1, 11))


def test_marks_open_their_pages_while_the_answer_grows(
    library: Library, live: LiveAnswers, store: Conversations
) -> None:
    """The numbers of whole documents mean something from the first word on."""
    reply = f'It is dear: "{FARE}" [1] And more.'
    with OllamaDouble(reply=reply) as double:
        double.inject(Fault.STALL_MID_STREAM, after_tokens=60)
        answer = ask(live, store, of_ollama(library, double), "documents", WHOLE)
        until(lambda: answer.snapshot().proved)
        now = answer.snapshot()
        before = store.turns(answer.conversation_id)[0].state
        answer.stop()
        assert answer.wait(3)

    page = now.passage(1)
    assert page is not None and FARE in page.text
    assert (now.hits, before) == ((), "streaming")
    assert [citation.verified for citation in now.proved[0].citations] == [True]
    assert store.passage(answer.conversation_id, 1) == page


# --- what is waited for ------------------------------------------------------------------------


@pytest.mark.parametrize(("mode", "scope"), MODES)
def test_a_model_that_is_not_in_memory_is_being_loaded(
    library: Library, live: LiveAnswers, store: Conversations, mode: Mode, scope: Scope
) -> None:
    """Loading is told apart from reading, in every mode, and names how long it took last time."""
    data_dir = library.settings.data_dir
    with OllamaDouble(load_s=1.5, prefill_tokens_per_s=3000) as double:
        digest = double.models[0].digest
        SpeedLog(data_dir).add(
            digest, 32768, computed_tokens=None, prompt_s=None, answer_tokens=None,
            answer_s=None, load_s=34.0,
        )  # fmt: skip
        answer = ask(live, store, of_ollama(library, double), mode, scope)

        until(lambda: kind(answer) == "loading")
        waiting = answer.snapshot().waiting
        until(lambda: kind(answer) in ("reading", "pages"))
        after = kind(answer)
        until(lambda: " tokens" in sent_sources.sent_html(answer.snapshot()))
        answer.stop()
        assert answer.wait(3)

    assert waiting is not None
    assert waiting.words() == "ollama qwen2:7b is being loaded into memory…"
    assert "the last time it took 34 s" in waiting.detail()
    assert after == ("pages" if mode == "read-all" else "reading")


def test_how_long_loading_took_is_remembered(
    library: Library, live: LiveAnswers, store: Conversations
) -> None:
    """Only a load counts: asking a loaded model says nothing."""
    speeds = SpeedLog(library.settings.data_dir)
    with OllamaDouble(load_s=0.4) as double:
        for _ in range(2):
            assert ask(live, store, of_ollama(library, double)).wait(SECONDS)
        took = speeds.of(double.models[0].digest, 32768).load_s

    assert took is not None and 0.4 <= took < 2


def test_reading_the_prompt_is_predicted_from_measured_speed(
    library: Library, live: LiveAnswers, store: Conversations
) -> None:
    """Once a speed is known the share that is read grows, and says how long is left."""
    with OllamaDouble(prefill_tokens_per_s=1500) as double:
        asking = of_ollama(library, double)
        SpeedLog(library.settings.data_dir).add(
            double.models[0].digest, 32768, computed_tokens=1500, prompt_s=1.0,
            answer_tokens=10, answer_s=0.1,
        )  # fmt: skip
        warmed(library, double)
        answer = ask(live, store, asking, "documents", WHOLE)
        until(lambda: kind(answer) == "reading")
        until(lambda: share(answer))
        first = answer.snapshot().waiting
        time.sleep(0.5)
        later = answer.snapshot().waiting
        answer.stop()
        assert answer.wait(3)

    assert first is not None and later is not None
    assert first.share is not None and later.share is not None
    assert 0 < first.share < later.share < 1
    assert "read, " in later.detail() and " left" in later.detail()
    assert "token" in later.words()


def test_a_wrong_prediction_is_no_progress(
    library: Library, live: LiveAnswers, store: Conversations
) -> None:
    """Where reading takes longer than predicted there is no bar, only the clock."""
    with OllamaDouble() as double:
        SpeedLog(library.settings.data_dir).add(
            double.models[0].digest, 32768, computed_tokens=10**6, prompt_s=1.0,
            answer_tokens=10, answer_s=0.1,
        )  # fmt: skip
        double.inject(Fault.STALL_FIRST_BYTE)
        answer = ask(live, store, of_ollama(library, double))
        until(lambda: kind(answer) == "reading" or kind(answer) == "loading")
        time.sleep(0.3)
        waiting = answer.snapshot().waiting
        answer.stop()
        assert answer.wait(3)

    assert waiting is not None and waiting.share is None


def test_who_waits_behind_others_is_told_so(
    library: Library, live: LiveAnswers, store: Conversations
) -> None:
    """Ollama has one slot, as far as it says: the second question is behind the first."""
    with OllamaDouble(reply="One two three four five.") as double:
        warmed(library, double)
        double.inject(Fault.STALL_MID_STREAM, count=1)
        first = ask(live, store, of_ollama(library, double))
        until(lambda: first.snapshot().text)
        second = ask(live, store, of_ollama(library, double))
        until(lambda: kind(second) == "queue")
        waiting = second.snapshot().waiting
        first.stop()
        assert second.wait(SECONDS)

    assert waiting is not None and waiting.words() == "Another question is being answered first…"
    assert store.turns(second.conversation_id)[0].state == DONE


def test_a_server_with_parallel_slots_answers_several_first(
    library: Library, live: LiveAnswers, store: Conversations
) -> None:
    """llama.cpp says how many requests it answers at a time; only who comes after these waits."""
    with OpenAIDouble(fault=openai_double.SILENT, window=8192, slots=2) as double:
        asking = of_llama_cpp(library, double)
        answers = []
        for _ in range(4):
            answers.append(ask(live, store, asking))
            until(lambda: answers[-1].snapshot().hits is not None)
        told = [answer.ahead() for answer in answers]
        kinds = [kind(answer) for answer in answers]
        live.stop_all()

    assert told == [0, 0, 1, 2]
    assert kinds == ["reading", "reading", "queue", "queue"]


def test_a_server_that_turns_away_while_it_loads_is_waited_for(
    library: Library, live: LiveAnswers, store: Conversations
) -> None:
    """llama.cpp answers 503 until its model is loaded; nobody has to ask again."""
    with OpenAIDouble(fault=openai_double.LOADING, window=8192) as double:
        answer = ask(live, store, of_llama_cpp(library, double))
        until(lambda: kind(answer) == "loading")
        waiting = answer.snapshot().waiting
        double.fault = ""
        assert answer.wait(SECONDS)

    turn = store.turns(answer.conversation_id)[0]
    assert (turn.state, turn.text) == (DONE, "In the loft.")
    assert waiting is not None and "is being loaded into memory" in waiting.words()


def test_a_stop_ends_the_wait_for_a_server_that_loads(
    library: Library, live: LiveAnswers, store: Conversations
) -> None:
    """It is asked nothing more."""
    with OpenAIDouble(fault=openai_double.LOADING, window=8192) as double:
        answer = ask(live, store, of_llama_cpp(library, double))
        until(lambda: kind(answer) == "loading")
        answer.stop()
        assert answer.wait(2)
        asked = len(double.asked)
        time.sleep(1.3)

        assert len(double.asked) == asked
    assert store.turns(answer.conversation_id)[0].state == STOPPED


def test_a_prompt_that_fits_no_window_has_no_answer(
    library: Library, live: LiveAnswers, store: Conversations
) -> None:
    """The sentence says what does not fit; the server was not asked for an answer."""
    with OllamaDouble() as double:
        settings = AppSettings(_env_file=None, ollama_url=double.url, window=1200)  # type: ignore[call-arg]
        model = OllamaChat("qwen2:7b", settings)
        asking = Assistant(library, Finder(library), model, settings)
        answer = ask(live, store, asking, "documents", WHOLE)
        assert answer.wait(SECONDS)

        assert not double.chats()
    turn = store.turns(answer.conversation_id)[0]
    assert (turn.state, turn.text) == (FAILED, "")
    assert "HAYLOFT_WINDOW" in turn.error or "read whole" in turn.error


def test_the_states_are_said_in_the_readers_language(
    library: Library, live: LiveAnswers, store: Conversations
) -> None:
    """Whoever draws says it in their language."""
    with OllamaDouble(load_s=30) as double:
        answer = ask(live, store, of_ollama(library, double), "documents", WHOLE)
        until(lambda: kind(answer) == "loading")
        with speaking("zh"):
            waiting = answer.snapshot().waiting
            said = waiting.words() if waiting else ""
            above = sent_sources.sent_html(answer.snapshot())
        answer.stop()
        assert answer.wait(3)

    assert "正在" in said and "loaded" not in said
    assert "Sent" not in above


# --- stopping ----------------------------------------------------------------------------------


@pytest.mark.parametrize("phase", ["loading", "reading", "writing", "queue"])
@pytest.mark.parametrize(("mode", "scope"), MODES)
def test_a_stop_frees_the_server_in_every_mode_and_state(
    library: Library,
    live: LiveAnswers,
    store: Conversations,
    mode: Mode,
    scope: Scope,
    phase: str,
) -> None:
    """The connection is cut at once, and the server takes the next question without waiting."""
    slow = {
        "loading": {"load_s": 30.0},
        "reading": {"prefill_tokens_per_s": 20.0},
        "writing": {"tokens_per_s": 20.0},
    }
    reply = " ".join(f"word{number}" for number in range(60))
    with OllamaDouble(reply=reply) as double:
        asking = of_ollama(library, double)
        if phase != "loading":
            warmed(library, double)
        for name, value in slow.get(phase, {}).items():
            setattr(double, name, value)
        blocker = None
        if phase == "queue":
            double.inject(Fault.STALL_MID_STREAM, count=1)
            blocker = ask(live, store, of_ollama(library, double))
            until(lambda: blocker.snapshot().text)
        before = len(double.chats())
        answer = ask(live, store, asking, mode, scope)
        until(lambda: len(double.chats()) > before)
        if phase == "writing":
            until(lambda: double.chats()[-1].generated > 2)
        else:
            time.sleep(0.2)
        (request,) = double.chats()[before:]
        assert not request.ended

        began = time.monotonic()
        answer.stop()

        assert request.wait(2)
        freed_s = time.monotonic() - began
        assert answer.wait(3)
        if blocker is not None:
            blocker.stop()
        assert request.disconnected
        assert freed_s < 1.0
        assert store.turns(answer.conversation_id)[0].state == STOPPED
        asked = len(double.chats())
        time.sleep(0.3)
        assert len(double.chats()) == asked, "asked again after the stop"
        double.load_s, double.prefill_tokens_per_s, double.tokens_per_s = 0.01, 1e6, None
        assert ask(live, store, of_ollama(library, double)).wait(SECONDS)

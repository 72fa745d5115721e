"""Answers in the background: kept while they grow, stopped at once, never lost."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from app.answers import AnswerEvent, SourcesFound, TextDelta
from app.chat_http import Server
from app.conversations import DONE, FAILED, STOPPED, STREAMING, Conversations, StoredTurn
from app.hang_up import HangUp, watched
from app.live_answers import LiveAnswers
from storage.errors import StorageError, UsageError
from tests.chat_fakes import HITS, ScriptedAssistant
from tests.until import until


@pytest.fixture
def store(tmp_path: Path) -> Conversations:
    return Conversations(tmp_path / "conversations.db")


@pytest.fixture
def live(store: Conversations) -> Iterator[LiveAnswers]:
    answers = LiveAnswers(store)
    yield answers
    answers.stop_all()


def ask(live: LiveAnswers, store: Conversations, question: str) -> StoredTurn:
    """Ask, wait for the end, and return the turn as it was stored."""
    conversation = store.create("T")
    assistant = ScriptedAssistant()
    answer = live.start(conversation, question, lambda: assistant.ask(question))
    assert answer.wait(5)
    return store.turns(conversation)[0]


def test_an_answer_is_stored_when_it_is_complete(live: LiveAnswers, store: Conversations) -> None:
    """The turn holds the whole answer, and nothing is live any more."""
    turn = ask(live, store, "per diem?")

    assert (turn.state, turn.text) == (
        DONE,
        "The per diem is 48 euros a day [1]. A laptop lasts long [2].",
    )
    assert turn.receipt is not None
    assert live.get(turn.conversation_id) is None


def test_a_stop_closes_the_stream_and_keeps_the_text(
    live: LiveAnswers, store: Conversations
) -> None:
    """The generator is closed, which frees the server; what had arrived is stored as stopped."""
    conversation = store.create("T")
    assistant = ScriptedAssistant()
    answer = live.start(conversation, "slow", lambda: assistant.ask("slow"))
    until(lambda: "word3" in answer.snapshot().text)

    answer.stop()

    assert assistant.closed.wait(2)
    assert answer.wait(2)
    turn = store.turns(conversation)[0]
    assert turn.state == STOPPED
    assert turn.text.startswith("word1 word2 word3")
    assert turn.hits == HITS


def test_a_stop_does_not_wait_for_a_silent_model(live: LiveAnswers, store: Conversations) -> None:
    """While the model says nothing, a stopped answer is settled within about a second."""
    conversation = store.create("T")
    assistant = ScriptedAssistant()
    answer = live.start(conversation, "held", lambda: assistant.ask("held"))
    until(lambda: answer.snapshot().text)
    started = time.monotonic()

    answer.stop()

    assert answer.wait(3)
    assert time.monotonic() - started < 1.5
    assert store.turns(conversation)[0].state == STOPPED
    assistant.release.set()
    assert assistant.closed.wait(3)
    assert store.turns(conversation)[0].text == "The per diem is "


def test_a_stop_hangs_up_on_a_server_that_is_still_reading(
    live: LiveAnswers, store: Conversations
) -> None:
    """The connection of a request that has no reply yet is shut down; the server sees it."""
    hung_up = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                if connection.recv(1) == b"":
                    hung_up.set()

        threading.Thread(target=serve, daemon=True).start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"

        def events() -> Iterator[AnswerEvent]:
            yield SourcesFound(HITS, "passages", "m")
            model = Server("Ollama", url, "Start it.", "HAYLOFT_OLLAMA_URL")
            hooks = {"request": [watched]}
            with model.translated(), httpx.Client(timeout=60, event_hooks=hooks) as client:
                client.get(url)

        conversation = store.create("T")
        answer = live.start(conversation, "q", events)
        until(lambda: answer.snapshot().hits)
        time.sleep(0.2)

        answer.stop()

        assert hung_up.wait(2)
        assert answer.wait(2)
    assert store.turns(conversation)[0].state == STOPPED


def test_hanging_up_first_shuts_a_connection_that_opens_later() -> None:
    """A stop between two requests also ends the next one."""
    line = HangUp()
    line.now()
    here, there = socket.socketpair()

    line.watch(here)

    assert there.recv(1) == b""
    here.close()
    there.close()


def test_hanging_up_reaches_connections_of_a_line_inside() -> None:
    """A request with a time limit of its own ends with the answer it belongs to, not before it."""
    pairs = [socket.socketpair() for _ in range(2)]
    with HangUp() as outer:
        with HangUp() as inner:
            inner.watch(pairs[0][0])
        with HangUp() as other:
            other.watch(pairs[1][0])
        inner.now()

        outer.now()

    assert [there.recv(1) for _, there in pairs] == [b"", b""]
    for pair in pairs:
        for end in pair:
            end.close()


def test_a_fault_of_the_model_keeps_the_text(live: LiveAnswers, store: Conversations) -> None:
    """The error's sentence stands beside what had arrived."""
    turn = ask(live, store, "broken")

    assert (turn.state, turn.text) == (FAILED, "The per diem is ")
    assert "ollama serve" in turn.error


def test_a_fault_before_the_first_event_is_kept_too(
    live: LiveAnswers, store: Conversations
) -> None:
    """A store that cannot be reached fails the turn with its sentence."""
    turn = ask(live, store, "away")

    assert turn.state == FAILED
    assert "Chroma" in turn.error


def test_a_bug_fails_the_turn_and_is_logged(
    live: LiveAnswers, store: Conversations, caplog: pytest.LogCaptureFixture
) -> None:
    """An unforeseen exception ends the answer, not the page, and leaves its traceback."""
    turn = ask(live, store, "bug")

    assert turn.state == FAILED
    assert "ZeroDivisionError" in turn.error
    assert "Traceback" in caplog.text


def test_an_answer_that_just_ends_has_failed(live: LiveAnswers, store: Conversations) -> None:
    """Without its last event an answer is never taken for complete."""
    conversation = store.create("T")

    answer = live.start(conversation, "q", lambda: iter([TextDelta("half")]))

    assert answer.wait(3)
    turn = store.turns(conversation)[0]
    assert (turn.state, turn.text) == (FAILED, "half")


def test_a_growing_answer_is_in_the_store_within_a_second(
    live: LiveAnswers, store: Conversations
) -> None:
    """A crash in mid-stream would lose no more than that."""
    conversation = store.create("T")
    assistant = ScriptedAssistant()

    live.start(conversation, "slow", lambda: assistant.ask("slow"))

    until(lambda: "word5" in store.turns(conversation)[0].text, 2.0)
    turn = store.turns(conversation)[0]
    assert (turn.state, turn.hits, turn.model) == (STREAMING, HITS, "fake qwen2")


def test_a_conversation_has_one_live_answer(live: LiveAnswers, store: Conversations) -> None:
    """A second question while one is being answered is refused in a sentence."""
    conversation = store.create("T")
    assistant = ScriptedAssistant()
    live.start(conversation, "slow", lambda: assistant.ask("slow"))

    with pytest.raises(UsageError, match="still being answered"):
        live.start(conversation, "other", lambda: assistant.ask("other"))

    assert len(store.turns(conversation)) == 1


def test_conversations_are_answered_side_by_side(live: LiveAnswers, store: Conversations) -> None:
    """Twenty conversations at once all get their answers."""
    assistant = ScriptedAssistant()
    conversations = [store.create(str(number)) for number in range(20)]

    answers = [live.start(item, "q", lambda: assistant.ask("q")) for item in conversations]

    assert all(answer.wait(10) for answer in answers)
    assert {store.turns(item)[0].state for item in conversations} == {DONE}


def test_an_answer_that_cannot_be_stored_stays_to_be_read(
    live: LiveAnswers, store: Conversations, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk costs the keeping, not the reading: the answer is held until the next one."""

    def full(*_args: object, **_named: object) -> None:
        raise StorageError("The disk is full.")

    monkeypatch.setattr(store, "finish_turn", full)
    conversation = store.create("T")
    assistant = ScriptedAssistant()

    answer = live.start(conversation, "q", lambda: assistant.ask("q"))
    answer.wait(3)

    held = live.get(conversation)
    assert held is answer
    assert held.unsaved == "The disk is full."
    assert "48 euros" in held.snapshot().text
    monkeypatch.undo()
    assert live.start(conversation, "q", lambda: assistant.ask("q")).wait(3)


def test_reading_an_answer_costs_little_at_a_hundred_tokens_a_second(
    live: LiveAnswers, store: Conversations
) -> None:
    """20,000 pieces without a pause, looked at all the while, take well under 50 us each."""
    conversation = store.create("T")
    pieces = 20_000
    started = time.perf_counter()

    answer = live.start(conversation, "q", lambda: iter([TextDelta("word ")] * pieces))
    while not answer.settled:
        answer.snapshot()
        time.sleep(0.02)

    assert len(store.turns(conversation)[0].text) == 5 * pieces
    assert (time.perf_counter() - started - 0.7) / pieces < 50e-6


def test_who_asked_before_is_ahead(live: LiveAnswers, store: Conversations, tmp_path: Path) -> None:
    """Also of another user, as long as it is not answered; who asked later is not."""
    elsewhere = LiveAnswers(Conversations(tmp_path / "conversations.db", owner="bea"))
    first = elsewhere.start(
        Conversations(tmp_path / "conversations.db", owner="bea").create("T"),
        "slow",
        lambda: ScriptedAssistant().ask("slow"),
    )
    until(lambda: first.snapshot().hits is not None)
    second = live.start(store.create("T"), "slow", lambda: ScriptedAssistant().ask("slow"))
    until(lambda: second.snapshot().hits is not None)

    before = second.ahead()
    own = first.ahead()
    elsewhere.stop_all()

    assert (before, own) == (1, 0)
    assert second.ahead() == 0

"""The store of conversations."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from app.answers import Answer, Turn
from app.conversations import (
    DONE,
    FAILED,
    INTERRUPTED,
    SILENCE_S,
    STOPPED,
    STREAMING,
    UNDO_S,
    Conversations,
)
from storage.errors import StorageError
from storage.records import Found, Place, Scope
from tests.chat_fakes import CITATIONS, HITS, RECEIPT


class Clock:
    """A clock that stands until it is told to go on."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> Conversations:
    return Conversations(tmp_path / "conversations.db", clock=clock)


def an_answer(
    text: str = "48 euros [1].", *, stop_reason: str = "stop", mode: str = "passages"
) -> Answer:
    return Answer(
        question="How much?",
        text=text,
        mode=mode,
        model="ollama qwen2:7b",
        citations=CITATIONS,
        receipt=RECEIPT,
        timings={"total": 1.5},
        hits=HITS,
        stop_reason=stop_reason,
    )


def test_a_finished_answer_comes_back_whole(store: Conversations, tmp_path: Path) -> None:
    """Text, passages, citations, receipt and timings survive closing the file."""
    conversation = store.create("Travel")
    turn_id = store.begin_turn(conversation, "How much?")
    store.finish_turn(turn_id, an_answer())
    store.close()

    (turn,) = Conversations(tmp_path / "conversations.db").turns(conversation)

    assert (turn.state, turn.question, turn.text) == (DONE, "How much?", "48 euros [1].")
    assert (turn.hits, turn.citations, turn.receipt) == (HITS, CITATIONS, RECEIPT)
    assert (turn.timings, turn.model, turn.mode) == ({"total": 1.5}, "ollama qwen2:7b", "passages")


def test_places_and_found_chunks_of_a_passage_come_back(store: Conversations) -> None:
    """As the records that they were, not as the lists that JSON knows."""
    places = (Place("b.pdf", 4, "page 4", "Report B", 2),)
    hits = (replace(HITS[0], found=(Found(8, 12, 1),), lead="2019 2020", also=places),)
    citations = (replace(CITATIONS[0], also=places),)
    turn_id = store.begin_turn(store.create("Travel"), "How much?")

    store.finish_turn(turn_id, replace(an_answer(), hits=hits, citations=citations))

    turn = store.turn(turn_id)
    assert turn is not None
    assert (turn.hits, turn.citations) == (hits, citations)


def test_a_growing_answer_is_kept_as_far_as_it_got(store: Conversations, clock: Clock) -> None:
    """When its writer falls silent, what was saved is read back as interrupted."""
    conversation = store.create("Travel")
    turn_id = store.begin_turn(conversation, "How much?")
    store.save_partial(turn_id, text="48 eu", hits=HITS, mode="passages", model="m")

    alive = store.turns(conversation)[0]
    clock.now += SILENCE_S + 1
    dead = store.turns(conversation)[0]

    assert alive.state == STREAMING
    assert (dead.state, dead.text, dead.hits) == (INTERRUPTED, "48 eu", HITS)


def test_every_save_renews_the_heartbeat(store: Conversations, clock: Clock) -> None:
    """An answer that is saved now and then is never taken for interrupted."""
    conversation = store.create("Travel")
    turn_id = store.begin_turn(conversation, "How much?")

    for _ in range(5):
        clock.now += SILENCE_S - 1
        store.save_partial(turn_id, text="same")

    assert store.turns(conversation)[0].state == STREAMING


def test_a_killed_process_leaves_its_partial_answer(tmp_path: Path) -> None:
    """What a process saved before it was killed without warning is there for the next one."""
    path = tmp_path / "conversations.db"
    script = (
        "import os, signal, sys; from pathlib import Path; from app.conversations import *\n"
        "store = Conversations(Path(sys.argv[1])); c = store.create('T')\n"
        "t = store.begin_turn(c, 'q'); store.save_partial(t, text='half an ans')\n"
        "print(c, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
    )  # fmt: skip

    later = Clock()
    later.now = 4_000_000_000.0
    (turn,) = Conversations(path, clock=later).turns(done.stdout.strip())

    assert done.returncode == -9
    assert (turn.state, turn.text) == (INTERRUPTED, "half an ans")


def test_an_ended_answer_is_not_overwritten_by_a_late_save(store: Conversations) -> None:
    """A stopped answer stays as it was stopped, whatever its thread still sends."""
    conversation = store.create("Travel")
    turn_id = store.begin_turn(conversation, "How much?")
    store.save_partial(turn_id, text="48")
    store.end_turn(turn_id, STOPPED)

    store.save_partial(turn_id, text="48 euros and more")
    store.end_turn(turn_id, FAILED, error="too late")

    turn = store.turns(conversation)[0]
    assert (turn.state, turn.text, turn.error) == (STOPPED, "48", "")


def test_conversations_are_listed_newest_first(store: Conversations, clock: Clock) -> None:
    """A question moves its conversation to the top; a new name does not."""
    first = store.create("first")
    clock.now += 10
    second = store.create("second")
    clock.now += 10
    store.begin_turn(first, "again")
    clock.now += 10
    store.rename(second, "renamed")

    listed = [(item.title, item.turns) for item in store.summaries()]

    assert listed == [("first", 1), ("renamed", 0)]


def test_a_deleted_conversation_can_come_back(store: Conversations) -> None:
    """Deleting hides it everywhere; restoring brings it back with its turns."""
    conversation = store.create("Travel")
    store.finish_turn(store.begin_turn(conversation, "How much?"), an_answer())

    store.delete(conversation)
    hidden = (store.exists(conversation), store.summaries())
    restored = store.restore(conversation)

    assert hidden == (False, [])
    assert restored
    assert [turn.text for turn in store.turns(conversation)] == ["48 euros [1]."]


def test_what_was_deleted_is_wiped_from_the_disk(
    store: Conversations, clock: Clock, tmp_path: Path
) -> None:
    """After the time for undoing, its words stand in none of the store's files."""
    conversation = store.create("Salaries")
    store.finish_turn(store.begin_turn(conversation, "zebrasecret"), an_answer("zebrasecret pay"))
    store.delete(conversation)
    clock.now += UNDO_S + 1

    store.wipe_deleted()
    restored = store.restore(conversation)
    store.close()

    assert not restored
    assert not [path.name for path in tmp_path.iterdir() if b"zebrasecret" in path.read_bytes()]


def test_history_leaves_out_what_a_fault_cut_short(store: Conversations) -> None:
    """The next prompt looks back on finished and stopped answers, in their order."""
    conversation = store.create("Travel")
    store.finish_turn(store.begin_turn(conversation, "one"), an_answer("first"))
    failed = store.begin_turn(conversation, "two")
    store.save_partial(failed, text="half")
    store.end_turn(failed, FAILED, error="gone")
    stopped = store.begin_turn(conversation, "three")
    store.save_partial(stopped, text="as far as it got", hits=HITS)
    store.end_turn(stopped, STOPPED)
    store.finish_turn(store.begin_turn(conversation, "four"), an_answer("nothing", mode="none"))

    history = store.history(conversation)

    told = [Turn(turn.question, turn.answer, turn.hits) for turn in history]
    assert told == [Turn("one", "first", HITS), Turn("three", "as far as it got", HITS)]
    assert not any(turn.dropped or turn.sent for turn in history)


def test_conversation_ids_cannot_be_guessed(store: Conversations) -> None:
    """They are random, not counted."""
    ids = {store.create("x") for _ in range(20)}

    assert len(ids) == 20
    assert all(len(item) >= 12 for item in ids)


def test_only_the_owner_may_read_the_file(store: Conversations) -> None:
    """Questions can be as private as the documents."""
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600


def test_half_surrogates_are_kept_readable(store: Conversations) -> None:
    """Text as PDFs give it, which UTF-8 cannot hold, does not stop an answer from being kept."""
    conversation = store.create("a \ud800 title")
    turn_id = store.begin_turn(conversation, "q \udfff")

    store.finish_turn(turn_id, an_answer("half \ud83d emoji"))

    assert store.turns(conversation)[0].text == "half ? emoji"


def test_two_processes_share_the_file(store: Conversations) -> None:
    """What one connection writes, another one sees."""
    other = Conversations(store.path)
    conversation = store.create("Travel")

    store.begin_turn(conversation, "from here")
    other.begin_turn(conversation, "from there")

    assert [turn.question for turn in store.turns(conversation)] == ["from here", "from there"]


def test_a_turn_of_a_wiped_conversation_is_refused_in_a_sentence(store: Conversations) -> None:
    """Asking in a conversation that another window wiped is a StorageError, not a traceback."""
    with pytest.raises(StorageError, match="no longer there"):
        store.begin_turn("gone", "q")


def test_a_damaged_file_is_a_sentence(tmp_path: Path) -> None:
    """Garbage in place of the database says which file, and what to do."""
    path = tmp_path / "conversations.db"
    path.write_bytes(b"this is no database, but it is long enough to be looked at" * 40)

    with pytest.raises(StorageError, match=r"conversations\.db are damaged.*move it away"):
        Conversations(path)


def test_a_newer_file_is_left_alone(tmp_path: Path) -> None:
    """A file of a newer Hayloft is refused, not changed."""
    path = tmp_path / "conversations.db"
    Conversations(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()

    with pytest.raises(StorageError, match="newer Hayloft"):
        Conversations(path)


def test_what_a_follow_up_was_searched_as_is_kept(store: Conversations) -> None:
    """The next question builds on it, and the page shows it."""
    conversation = store.create("Travel")
    turn_id = store.begin_turn(conversation, "and in winter?")
    store.finish_turn(turn_id, replace(an_answer(), searched="What does it cost in winter?"))

    assert store.turns(conversation)[0].searched == "What does it cost in winter?"
    assert store.history(conversation)[0].searched == "What does it cost in winter?"


def test_file_of_the_first_version_is_brought_up_to_date(tmp_path: Path) -> None:
    """Its conversations stay, and new turns keep what the old ones could not."""
    path = tmp_path / "conversations.db"
    store = Conversations(path)
    conversation = store.create("Travel")
    store.finish_turn(store.begin_turn(conversation, "q"), an_answer())
    store.close()
    with sqlite3.connect(path) as connection:
        for column in ("searched", "sent", "given", "sent_tokens", "numbers", "ledger"):
            connection.execute(f"ALTER TABLE turns DROP COLUMN {column}")
        for column in ("scope", "front", "begins", "mode"):
            connection.execute(f"ALTER TABLE conversations DROP COLUMN {column}")
        connection.execute("PRAGMA user_version = 1")
    connection.close()

    store = Conversations(path)
    turn_id = store.begin_turn(conversation, "and?")
    store.finish_turn(turn_id, replace(an_answer(), searched="whole"))

    assert [turn.searched for turn in store.turns(conversation)] == ["", "whole"]
    assert Conversations(path).turns(conversation)[0].text == "48 euros [1]."
    assert store.scope(conversation).is_everything


def test_a_conversation_keeps_its_scope(tmp_path: Path) -> None:
    """As it was begun with or set later, also after a restart; what is no scope filters nothing."""
    path = tmp_path / "conversations.db"
    store = Conversations(path)
    plain = store.create("All")
    kept = store.create("Some", Scope(documents=("contracts", "Ü*"), since="2021"))

    store.set_scope(plain, Scope(kinds=("pdf",), languages=("de",), tags=("law",), until="2023-04"))

    again = Conversations(path)
    assert again.scope(kept) == Scope(documents=("contracts", "Ü*"), since="2021")
    assert again.scope(plain).to_json() == {
        "kinds": ["pdf"],
        "languages": ["de"],
        "tags": ["law"],
        "until": "2023-04",
    }
    assert again.scope("nobody").is_everything
    assert Scope.from_json({"kinds": "pdf", "tags": [1, "a"], "since": 3, "x": 1}) == Scope(
        tags=("a",)
    )


def test_fields_of_another_version_are_left_out(store: Conversations) -> None:
    """An unknown field of a kept passage is ignored; a passage that lacks one is dropped."""
    conversation = store.create("Travel")
    turn_id = store.begin_turn(conversation, "q")
    store.finish_turn(turn_id, an_answer())
    with sqlite3.connect(store.path) as connection:
        connection.execute("""UPDATE turns SET hits = json_set(hits, '$[0].colour', 'blue')""")
        connection.execute("""UPDATE turns SET hits = json_remove(hits, '$[1].document')""")
    connection.close()

    turn = store.turns(conversation)[0]

    assert turn.hits == (HITS[0], HITS[2])
    assert turn.text == "48 euros [1]."

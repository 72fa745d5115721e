"""The store of conversations."""

from __future__ import annotations

import json
import os
import sqlite3
import stat
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from app import conversation_export, golden
from app.answers import Answer, Sent, SourcesFound, Turn
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
from app.feedback import Feedback, with_golden
from storage.errors import StorageError, UsageError
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


def as_version_four(connection: sqlite3.Connection) -> None:
    """Take out of a file what came with version 5 and later."""
    for statement in (
        "ALTER TABLE conversations DROP COLUMN home",
        "ALTER TABLE conversations DROP COLUMN owner",
        "ALTER TABLE turns DROP COLUMN scope",
        "DROP TABLE notes",
        "DROP TABLE turn_words",
        "DROP TABLE feedback",
        "DROP INDEX turns_by_parent",
        *(f"ALTER TABLE turns DROP COLUMN {name}" for name in ("parent_id", "front", "begins")),
        *(f"ALTER TABLE conversations DROP COLUMN {c}" for c in ("pinned", "head", "folded")),
        "ALTER TABLE conversations ADD COLUMN front TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE conversations ADD COLUMN begins INTEGER NOT NULL DEFAULT 0",
        "PRAGMA user_version = 4",
    ):
        connection.execute(statement)


def test_file_of_the_first_version_is_brought_up_to_date(tmp_path: Path) -> None:
    """Its conversations stay, and new turns keep what the old ones could not."""
    path = tmp_path / "conversations.db"
    store = Conversations(path)
    conversation = store.create("Travel")
    store.finish_turn(store.begin_turn(conversation, "q"), an_answer())
    store.close()
    with sqlite3.connect(path) as connection:
        as_version_four(connection)
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


def test_file_of_the_fourth_version_keeps_its_order_and_its_prompt(tmp_path: Path) -> None:
    """Its turns follow each other, its front and its begin are those of the turn that brought them,
    and its words are found."""
    path = tmp_path / "conversations.db"
    store = Conversations(path)
    conversation = store.create("Türen")
    first, second, third = (a_turn(store, conversation, word) for word in ("one", "two", "three"))
    store.close()
    with sqlite3.connect(path) as connection:
        as_version_four(connection)
        front = json.dumps({"question": "", "answer": "", "sent": "the pinned documents"})
        connection.execute("UPDATE conversations SET front = ?, begins = ?", (front, second))
    connection.close()

    store = Conversations(path)

    assert [turn.turn_id for turn in store.turns(conversation)] == [first, second, third]
    told = [(turn.sent, turn.dropped) for turn in store.history(conversation)]
    assert told == [
        ("the pinned documents", False),
        ("sent one", True),
        ("sent two", False),
        ("sent three", False),
    ]
    assert [found.turn_id for found in store.search("turen THREE")] == [third]


def a_turn(
    store: Conversations, conversation: str, word: str, *, instead_of: int | None = None,
    sent: Sent | None = None,
) -> int:  # fmt: skip
    """A finished turn whose question, message and answer hold a word."""
    turn_id = store.begin_turn(conversation, f"ask {word}", instead_of=instead_of)
    sent = sent or Sent(text=f"sent {word}", given=1, tokens=9)
    store.begin_prompt(turn_id, SourcesFound(HITS, "passages", "m", sent=sent))
    store.finish_turn(turn_id, an_answer(f"answer {word}"))
    return turn_id


def test_an_edited_question_begins_with_what_was_sent_before_it(store: Conversations) -> None:
    """The prompt of a branch shares the prefix up to the edited turn, character by character."""
    conversation = store.create("T")
    a_turn(store, conversation, "one")
    before = store.history(conversation)
    second = a_turn(store, conversation, "two")
    a_turn(store, conversation, "three")

    seen = store.history(conversation, before=second)
    a_turn(store, conversation, "other", instead_of=second)

    assert seen == before
    assert [turn.sent for turn in store.history(conversation)] == ["sent one", "sent other"]
    assert [turn.question for turn in store.turns(conversation)] == ["ask one", "ask other"]


def test_a_branch_is_without_what_a_later_turn_put_before_the_prompt(store: Conversations) -> None:
    """Documents at the front and dropped turns belong to the turn that brought them."""
    conversation = store.create("T")
    first = a_turn(store, conversation, "one")
    front = Turn("", "", sent="the documents")
    second = a_turn(store, conversation, "two", sent=Sent("sent two", 1, front=front, begins=0))
    with_front = store.history(conversation)

    a_turn(store, conversation, "other", instead_of=second)
    branched = store.history(conversation)
    store.show(conversation, second)

    assert [(turn.sent, turn.dropped) for turn in with_front] == [
        ("the documents", False), ("sent one", True), ("sent two", False)
    ]  # fmt: skip
    assert [(turn.sent, turn.dropped) for turn in branched] == [
        ("sent one", False), ("sent other", False)
    ]  # fmt: skip
    assert store.history(conversation) == with_front
    assert first < second


def test_versions_can_be_looked_at_with_what_followed_them(store: Conversations) -> None:
    """Showing a version shows the end of its branch; one that is shown already changes nothing."""
    conversation = store.create("T")
    first = a_turn(store, conversation, "one")
    second = a_turn(store, conversation, "two")
    third = a_turn(store, conversation, "three")
    other = a_turn(store, conversation, "one anew", instead_of=first)

    versions = store.versions(conversation)
    there = store.show(conversation, first)
    again = store.show(conversation, second)

    assert versions == {first: (first, other), other: (first, other)}
    assert (there, again, store.head(conversation)) == (True, True, third)
    assert [turn.turn_id for turn in store.turns(conversation)] == [first, second, third]
    assert [turn.turn_id for turn in store.all_turns(conversation)] == [first, second, third, other]


def test_turns_of_another_conversation_are_not_touched(store: Conversations) -> None:
    """Neither shown nor branched from, whatever number is given."""
    mine, other = store.create("mine"), store.create("other")
    foreign = a_turn(store, other, "secret")

    assert not store.show(mine, foreign)
    with pytest.raises(StorageError, match="no longer there"):
        store.begin_turn(mine, "q", instead_of=foreign)
    assert store.turns(mine) == []


def test_pinned_conversations_stand_first(store: Conversations, clock: Clock) -> None:
    """Whenever they were used last; unpinned they go back to their place."""
    old = store.create("old")
    clock.now += 10
    store.create("new")

    store.pin(old)
    pinned = [(item.title, item.pinned) for item in store.summaries()]
    store.pin(old, False)

    assert pinned == [("old", True), ("new", False)]
    assert [item.title for item in store.summaries()] == ["new", "old"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("ZURICH", "Zürich"),
        ("zürich", "Zürich"),
        ("per diem", "per"),
        ('"diem per"', None),
        ("旅费", "旅费"),
        ("100%_", "100%_"),
        ("euros lunch", "lunch"),
        ("euros missing", None),
        ("' OR 1=1 --", None),
        ('""', None),
        ("   ", None),
    ],
)
def test_conversations_are_found_by_their_words(
    store: Conversations, query: str, found: str | None
) -> None:
    """All words, in any case, with or without accents, in Chinese, and nothing is a pattern."""
    conversation = store.create("Lunch")
    turn_id = store.begin_turn(conversation, "The per diem in Zürich?")
    store.finish_turn(turn_id, an_answer("Für lunch 48 euros. 100%_ sure. 差旅费 is it."))
    store.create("Another")

    results = store.search(query)

    assert [result.excerpt.found for result in results] == ([found] if found else [])


def test_deleted_conversations_are_not_found_and_titles_are(store: Conversations) -> None:
    """A renamed conversation without any turn is found by its new title; not once it is deleted."""
    conversation = store.create("Old")
    store.rename(conversation, "Brand-new title")

    named = store.search("BRAND-new")
    store.delete(conversation)

    assert [(one.turn_id, one.matches) for one in named] == [(0, 0)]
    assert store.search("brand-new") == []


def test_ten_thousand_turns_are_searched_at_once(store: Conversations) -> None:
    """200 conversations of 50 turns of 2,000 characters: a search takes a fraction of a second."""
    words = "The quick brown fox jumps over the lazy dog and goes on. " * 35
    with store._writing() as connection:
        for number in range(200):
            connection.execute(
                "INSERT INTO conversations (id, title, created_at, updated_at) VALUES (?, ?, 1, 1)",
                (f"c{number}", f"Title {number}"),
            )
            for turn in range(50):
                text = words + (f" needle {number}" if turn == 7 else "")
                row = connection.execute(
                    "INSERT INTO turns (conversation_id, question, asked_at, state, beat_at, text) "
                    "VALUES (?, 'q', 1, 'done', 1, ?) RETURNING id",
                    (f"c{number}", text),
                ).fetchone()
                connection.execute(
                    "INSERT INTO turn_words VALUES (?, ?, ?)", (row[0], f"c{number}", text.lower())
                )
    began = time.perf_counter()

    found = store.search("needle 137")
    seconds = time.perf_counter() - began

    assert [one.summary.conversation_id for one in found] == ["c137"]
    assert found[0].excerpt.found == "needle"
    assert seconds < 1.0, f"{seconds:.2f} s"


def test_an_export_holds_citations_places_and_receipts(store: Conversations) -> None:
    """As JSON with all versions, as Markdown what is shown; markup in titles stays text."""
    conversation = store.create("# <b>Travel</b>\n[x](http://e.example)")
    first = a_turn(store, conversation, "one")
    a_turn(store, conversation, "anew", instead_of=first)
    store.judge(first, Feedback(False, "wrong"))
    title, turns = store.title(conversation), store.turns(conversation)

    told = conversation_export.to_json(
        title,
        store.all_turns(conversation),
        {turn.turn_id for turn in turns},
        store.scope(conversation),
        store.judgements(conversation),
    )
    text = conversation_export.to_markdown(title, turns)

    assert json.loads(json.dumps(told)) == told
    assert [(turn["shown"], turn["follows"]) for turn in told["turns"]] == [
        (False, None), (True, None)
    ]  # fmt: skip
    assert told["turns"][0]["citations"] == [citation.to_json() for citation in CITATIONS]
    assert told["turns"][0]["receipt"] == RECEIPT.to_json()
    assert told["turns"][0]["feedback"] == {"good": False, "reason": "wrong"}
    assert text.startswith("# \\# \\<b\\>Travel\\</b\\> \\[x\\](http://e.example)\n")
    assert "ask one" not in text
    assert "- [1] Staff handbook, `handbook.pdf`, page 2: “The per diem" in text
    assert "(verified)" in text and "(not verified)" in text
    assert "2,500 of 32,768 tokens (rules 200, documents 2,000" in text


def test_names_of_exported_files_are_harmless() -> None:
    """No separators, no dots at the begin, never empty, never endless."""
    names = [conversation_export.file_name(t, "md") for t in ("../../etc/passwd", "???", "ä" * 300)]

    assert names == ["etc-passwd.md", "conversation.md", "ä" * 60 + ".md"]


def test_an_unfinished_answer_is_exported_as_such(store: Conversations, clock: Clock) -> None:
    """What a crash left is there and marked."""
    conversation = store.create("T")
    store.save_partial(store.begin_turn(conversation, "q"), text="half an ans")
    clock.now += SILENCE_S + 1

    text = conversation_export.to_markdown("T", store.turns(conversation))

    assert "half an ans" in text
    assert "> Interrupted: the answer is incomplete" in text


def test_a_thumbs_down_with_its_page_is_a_golden_question(
    store: Conversations, tmp_path: Path
) -> None:
    """It is asked as it was searched for, expects that page, and says where it comes from."""
    conversation = store.create("T")
    turn_id = store.begin_turn(conversation, "and in winter?")
    store.finish_turn(turn_id, replace(an_answer(), searched="The per diem in winter?"))
    turn = store.turns(conversation)[0]
    given = Feedback(False, "missed", "see the table", "handbook.pdf", 3)

    store.judge(turn_id, with_golden(tmp_path, turn, given))

    (question,) = golden.listed(tmp_path)
    kept = store.judgements(conversation)[turn_id]
    assert (question.question, question.document, question.page) == (
        "The per diem in winter?", "handbook.pdf", 3
    )  # fmt: skip
    assert question.origin.turn == turn_id
    assert kept == replace(given, golden=question.id)
    store.judge(turn_id, None)
    assert store.judgements(conversation) == {}


def test_a_thumb_without_what_is_right_is_no_golden_question(
    store: Conversations, tmp_path: Path
) -> None:
    """A document without its page is refused in a sentence; a bare thumb is only kept."""
    turn = store.turn(a_turn(store, store.create("T"), "one"))
    assert turn is not None

    bare = with_golden(tmp_path, turn, Feedback(False, "wrong"))

    assert bare == Feedback(False, "wrong")
    assert golden.listed(tmp_path) == []
    with pytest.raises(UsageError, match="Which page"):
        with_golden(tmp_path, turn, Feedback(False, "missed", document="handbook.pdf"))


def test_a_conversation_with_files_of_its_own_makes_no_golden_question(
    store: Conversations, tmp_path: Path
) -> None:
    """Everybody who evaluates reads those; a later answer may say what the files say."""
    turn = store.turn(a_turn(store, store.create("T"), "one"))
    assert turn is not None
    given = Feedback(False, "missed", document="handbook.pdf", page=3)

    assert with_golden(tmp_path, turn, given, private=True) == given

    assert golden.listed(tmp_path) == []

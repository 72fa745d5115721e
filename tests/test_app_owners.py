"""Conversations belong to whoever had them, and to everybody else they do not exist."""

from __future__ import annotations

import inspect
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.answers import SourcesFound
from app.conversations import STREAMING, Conversations
from app.feedback import Feedback
from app.live_answers import LiveAnswers
from storage.errors import HayloftError, StorageError
from storage.records import Scope
from tests.test_app_conversations import an_answer

NOBODY_S = 999_999
"""A turn that nobody has."""
FOUND = SourcesFound((), "passages", "m")

READS: dict[str, Callable[[Conversations, str, int], Any]] = {
    "exists": lambda store, conversation, turn: store.exists(conversation),
    "scope": lambda store, conversation, turn: store.scope(conversation),
    "mode": lambda store, conversation, turn: store.mode(conversation),
    "title": lambda store, conversation, turn: store.title(conversation),
    "summaries": lambda store, conversation, turn: store.summaries(),
    "search": lambda store, conversation, turn: store.search("secret"),
    "holds": lambda store, conversation, turn: store.holds(conversation, turn),
    "head": lambda store, conversation, turn: store.head(conversation),
    "versions": lambda store, conversation, turn: store.versions(conversation),
    "turns": lambda store, conversation, turn: store.turns(conversation),
    "all_turns": lambda store, conversation, turn: store.all_turns(conversation),
    "turn": lambda store, conversation, turn: store.turn(turn),
    "history": lambda store, conversation, turn: (
        store.history(conversation) + store.history(conversation, before=turn)
    ),
    "judgements": lambda store, conversation, turn: store.judgements(conversation),
    "passage": lambda store, conversation, turn: store.passage(conversation, 1),
    "notes": lambda store, conversation, turn: store.notes(conversation),
    "note_counts": lambda store, conversation, turn: store.note_counts(),
    "count": lambda store, conversation, turn: store.count(),
    "homes": lambda store, conversation, turn: store.homes(),
    "home": lambda store, conversation, turn: store.home(conversation),
}
WRITES: dict[str, Callable[[Conversations, str, int], Any]] = {
    "set_scope": lambda store, conversation, turn: store.set_scope(
        conversation, Scope(tags=("x",))
    ),
    "set_mode": lambda store, conversation, turn: store.set_mode(conversation, "extractive"),
    "rename": lambda store, conversation, turn: store.rename(conversation, "taken"),
    "pin": lambda store, conversation, turn: store.pin(conversation),
    "delete": lambda store, conversation, turn: store.delete(conversation),
    "restore": lambda store, conversation, turn: store.restore(conversation),
    "begin_turn": lambda store, conversation, turn: store.begin_turn(conversation, "q"),
    "show": lambda store, conversation, turn: store.show(conversation, turn),
    "begin_prompt": lambda store, conversation, turn: store.begin_prompt(turn, FOUND),
    "save_partial": lambda store, conversation, turn: store.save_partial(turn, text="taken"),
    "finish_turn": lambda store, conversation, turn: store.finish_turn(turn, an_answer("taken")),
    "end_turn": lambda store, conversation, turn: store.end_turn(turn, "failed"),
    "judge": lambda store, conversation, turn: store.judge(turn, Feedback(good=False)),
    "wipe_all": lambda store, conversation, turn: store.wipe_all(),
    "note": lambda store, conversation, turn: store.note(turn, "taken"),
    "delete_notes": lambda store, conversation, turn: store.delete_notes(),
    "delete_judgements": lambda store, conversation, turn: store.delete_judgements(),
}
OTHERS = {"create", "wipe_deleted", "adopt", "close", "now", "overwrite"}
"""Name no conversation."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "conversations.db"


def of(path: Path, owner: str | None) -> Conversations:
    return Conversations(path, owner=owner)


def outcome(work: Callable[[Conversations, str, int], Any], *given: Any) -> str:
    try:
        return repr(work(*given))
    except HayloftError as error:
        return f"{type(error).__name__}: {error}"


def dump(path: Path) -> list[str]:
    """The whole file, as it stands."""
    with sqlite3.connect(path) as connection:
        return list(connection.iterdump())


def of_ann(path: Path, *, finished: bool = True) -> tuple[str, int]:
    """A conversation with a judged answer, deleted ones beside it."""
    ann = of(path, "ann")
    conversation = ann.create("secret title", Scope(tags=("law",)))
    turn = ann.begin_turn(conversation, "secret question")
    if finished:
        ann.finish_turn(turn, an_answer("secret answer"))
        again = ann.begin_turn(conversation, "secret question", instead_of=turn)
        ann.finish_turn(again, an_answer("secret again"))
        ann.judge(again, Feedback(good=True))
        ann.note(again, "secret note")
    ann.close()
    return conversation, turn


@pytest.mark.parametrize("name", [*READS, *WRITES])
@pytest.mark.parametrize("finished", [True, False])
def test_a_conversation_of_somebody_else_does_not_exist(
    path: Path, name: str, finished: bool
) -> None:
    """Each method answers as for an id that nobody has, and changes nothing in the file."""
    conversation, turn = of_ann(path, finished=finished)
    work = (READS | WRITES)[name]
    ben = of(path, "ben")
    unknown = outcome(work, ben, "nobodys", NOBODY_S)
    before = dump(path)

    assert outcome(work, ben, conversation, turn) == unknown

    assert dump(path) == before


def test_every_method_is_looked_at() -> None:
    """A new method has to say here how it treats a conversation of somebody else."""
    public = {
        name
        for name, _ in inspect.getmembers(Conversations, inspect.isfunction)
        if not name.startswith("_")
    }

    assert public - OTHERS == {*READS, *WRITES}


@pytest.mark.parametrize("name", READS)
def test_the_owner_reads_what_is_theirs(path: Path, name: str) -> None:
    """For the owner each method tells another thing than for nobody's conversation."""
    conversation, turn = of_ann(path)
    ann = of(path, "ann")
    ann.set_mode(conversation, "extractive")

    # The answers here have no passages to be numbered.
    assert name == "passage" or outcome(READS[name], ann, conversation, turn) != outcome(
        READS[name], of(path, "ben"), conversation, turn
    )


def test_deleted_ones_come_back_for_their_owner_alone(path: Path) -> None:
    """Undo with somebody else's id brings nothing back."""
    conversation, _ = of_ann(path)
    ann, ben = of(path, "ann"), of(path, "ben")
    ann.delete(conversation)

    assert not ben.restore(conversation)
    assert not ann.exists(conversation)
    assert ann.restore(conversation)
    assert ann.exists(conversation)


def test_a_live_answer_is_its_owners(path: Path) -> None:
    """Nobody else finds, follows or stops it."""
    ann, ben = LiveAnswers(of(path, "ann")), LiveAnswers(of(path, "ben"))
    conversation = of(path, "ann").create("T")
    held = ann.start(conversation, "q", lambda: iter(()))

    assert ben.get(conversation) is None
    with pytest.raises(StorageError, match="no longer there"):
        ben.start(conversation, "q", lambda: iter(()))
    ann.stop_all()
    assert held.settled


def test_conversations_of_before_go_to_whoever_adopts_them_first(path: Path) -> None:
    """They belong to nobody, are nobody's who signs in, and are taken over once."""
    before = of(path, "")
    conversation = before.create("of before")
    assert not of(path, "ann").exists(conversation)

    assert of(path, "ann").adopt() == 1

    assert of(path, "ann").exists(conversation)
    assert not before.exists(conversation)
    assert of(path, "ben").adopt() == 0


def test_who_leaves_takes_their_conversations_along(path: Path) -> None:
    """Wiped with all that is in them; those of others stay."""
    of_ann(path)
    kept = of(path, "ben").create("mine")

    assert of(path, "ann").wipe_all() == 1

    assert of(path, None).search("secret") == []
    assert [one.conversation_id for one in of(path, None).summaries()] == [kept]
    assert "secret" not in "".join(dump(path))


def test_commands_that_look_after_all_see_all(path: Path) -> None:
    """`hayloft warm latest` is about the conversation used last, whosever it is."""
    conversation, turn = of_ann(path, finished=False)
    everybody = of(path, None)

    assert [one.conversation_id for one in everybody.summaries()] == [conversation]
    found = everybody.turn(turn)
    assert found is not None and found.state == STREAMING

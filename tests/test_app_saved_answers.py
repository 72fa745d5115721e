"""Saved answers: kept by owner, asked again, compared."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from app import cli_saved
from app.answer_difference import changed, compare, compare_sources
from app.answers import Answer, AnswerReady, Citation, SourcesFound, TextDelta
from app.conversations import FAILED, INTERRUPTED, STOPPED, Conversations
from app.expiry import CHANGED, CURRENT
from app.live_answers import LiveAnswers
from app.saved_answers import DONE, STREAMING, Again, SavedAnswers, Source, checked
from app.saved_view import difference_html
from app.saving import Proposals, interrupted, rests_now, save
from storage.errors import StorageError, UsageError
from storage.library import Library
from storage.records import EVERYTHING, Scope
from tests.chat_fakes import HOSTILE, NO_PROMPT
from tests.library_fixtures import ingest, open_library, write_files

TEXT = "The per diem is 48 euros [1]."


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_files(tmp_path / "files", {"travel.md": "# Travel\n\nThe per diem is 48 euros.\n"})


@pytest.fixture
def library(tmp_path: Path, folder: Path) -> Iterator[Library]:
    with open_library(tmp_path / "data") as library:
        ingest(library, folder)
        yield library


@pytest.fixture
def saved(library: Library) -> Iterator[SavedAnswers]:
    kept = SavedAnswers(library.settings.data_dir)
    yield kept
    kept.close()


def an_answer(library: Library, text: str = TEXT, stop_reason: str = "stop") -> Answer:
    with library.catalog.snapshot() as snapshot:
        hits = snapshot.whole_pages(None)
    citation = Citation(1, hits[0].document, hits[0].page, "per diem", True, place=hits[0].place)
    return Answer(
        question="q", text=text, mode="extractive", model="extractive", citations=(citation,),
        receipt=NO_PROMPT, timings={}, hits=tuple(hits), stop_reason=stop_reason,
    )  # fmt: skip


def saved_one(
    library: Library, saved: SavedAnswers, owner: str = "", *, scope: Scope = EVERYTHING
) -> int:
    """An answer of a real conversation, saved."""
    store = Conversations(library.settings.data_dir / "conversations.db", owner=owner)
    turn_id = store.begin_turn(store.create("Travel", scope), "And the <b>per diem</b>?")
    store.finish_turn(turn_id, replace(an_answer(library), searched="What is the per diem?"))
    turn = store.turn(turn_id)
    assert turn is not None
    found = save(library.catalog, saved, owner, turn)
    store.close()
    return found


def change(library: Library, folder: Path) -> None:
    (folder / "travel.md").write_text("# Travel\n\nThe per diem is fifty-two euros.\n")
    ingest(library, folder)


def test_a_saved_answer_comes_back_whole(library: Library, saved: SavedAnswers) -> None:
    """With its question as it can be asked alone, its scope, mode, model and sources."""
    scope = Scope(documents=("travel.md",))
    saved_id = saved_one(library, saved, scope=scope)

    found = saved.get("", saved_id)

    assert found is not None
    assert (found.question, found.asked) == ("And the <b>per diem</b>?", "What is the per diem?")
    assert (found.kept.text, found.kept.mode, found.kept.model) == (
        TEXT,
        "extractive",
        "extractive",
    )
    assert found.scope == scope
    assert found.kept.sources[0].document == "travel.md"
    assert checked(library.catalog, [found])[0].verdict.state == CURRENT


def test_saving_twice_keeps_one(library: Library, saved: SavedAnswers) -> None:
    """The button of a page that was open in two tabs."""
    saved_id = saved_one(library, saved)
    turn_id = next(iter(saved.turns("")))
    store = Conversations(library.settings.data_dir / "conversations.db")
    turn = store.turn(turn_id)
    assert turn is not None

    assert save(library.catalog, saved, "", turn) == saved_id
    store.close()
    assert len(saved.all("")) == 1


def test_a_stopped_answer_cannot_be_saved(library: Library, saved: SavedAnswers) -> None:
    """Half an answer rests on nothing that was checked."""
    store = Conversations(library.settings.data_dir / "conversations.db")
    turn_id = store.begin_turn(store.create("Travel"), "q")
    store.finish_turn(turn_id, an_answer(library, stop_reason="stopped"))
    turn = store.turn(turn_id)
    store.close()
    assert turn is not None

    with pytest.raises(UsageError, match="complete"):
        save(library.catalog, saved, "", turn)


def test_owners_see_and_change_their_own_alone(library: Library, saved: SavedAnswers) -> None:
    """A number of somebody else's is a number of nothing."""
    saved_id = saved_one(library, saved, "ada")

    saved.delete("bob", saved_id)

    assert saved.all("bob") == [] and saved.get("bob", saved_id) is None
    assert [one.saved_id for one in saved.all("ada")] == [saved_id]
    with pytest.raises(UsageError):
        saved.keep_old("bob", saved_id, (), "")


def test_saved_answers_are_found_by_their_words(library: Library, saved: SavedAnswers) -> None:
    """In question and answer, whatever their case."""
    saved_id = saved_one(library, saved)

    assert [one.saved_id for one in saved.all("", "EUROS diem")] == [saved_id]
    assert saved.all("", "dollars") == []


def test_it_outlives_its_conversation(library: Library, saved: SavedAnswers) -> None:
    """Deleting a conversation does not delete what was saved from it."""
    saved_one(library, saved)
    store = Conversations(library.settings.data_dir / "conversations.db")
    store.wipe_all()
    store.close()

    assert saved.all("")[0].kept.text == TEXT


def asked_again(library: Library, saved: SavedAnswers, saved_id: int, events: list[object]) -> None:
    answers = LiveAnswers(Proposals(saved, lambda: library.catalog, lambda *_: ""))
    live = answers.start(str(saved_id), "q", lambda: iter(events))  # type: ignore[arg-type]
    assert live.wait(10)


def test_asked_again_the_new_answer_stands_beside_the_old_one(
    library: Library, saved: SavedAnswers, folder: Path
) -> None:
    """Until one of the two is kept; the new one rests on the pages as they are now."""
    saved_id = saved_one(library, saved)
    change(library, folder)
    new = an_answer(library, "The per diem is fifty-two euros [1].")
    asked_again(
        library, saved, saved_id,
        [SourcesFound(new.hits, "extractive", "extractive"), TextDelta(new.text), AnswerReady(new)],
    )  # fmt: skip

    found = saved.get("", saved_id)
    assert found is not None and found.again is not None and found.again.kept is not None
    assert (found.kept.text, found.again.state, found.again.kept.text) == (TEXT, DONE, new.text)
    assert checked(library.catalog, [found])[0].verdict.state == CHANGED
    saved.keep_new("", saved_id)
    found = saved.get("", saved_id)
    assert found is not None and found.again is None and found.kept.text == new.text
    assert checked(library.catalog, [found])[0].verdict.state == CURRENT
    assert saved.all("", "fifty")


def test_the_old_answer_can_be_kept_although_pages_changed(
    library: Library, saved: SavedAnswers, folder: Path
) -> None:
    """It rests on the pages as they are now, until they change once more."""
    saved_id = saved_one(library, saved)
    change(library, folder)
    found = saved.get("", saved_id)
    assert found is not None

    saved.keep_old("", saved_id, rests_now(library.catalog, found), library.catalog.library_id())

    found = saved.get("", saved_id)
    assert found is not None and found.confirmed_at > 0 and found.kept.text == TEXT
    assert checked(library.catalog, [found])[0].verdict.state == CURRENT


def test_what_ends_early_leaves_the_old_answer(library: Library, saved: SavedAnswers) -> None:
    """A model that goes away, a stop, a killed process: each is told, and nothing is lost."""
    saved_id = saved_one(library, saved)
    asked_again(library, saved, saved_id, [TextDelta("half")])
    failed = saved.get("", saved_id)
    asked_again(library, saved, saved_id, [AnswerReady(an_answer(library, "x", "stopped"))])
    stopped = saved.get("", saved_id)
    saved.note_again(saved_id, Again(STREAMING))
    killed = saved.get("", saved_id)

    assert failed and failed.again and (failed.again.state, failed.again.kept) == (FAILED, None)
    assert stopped and stopped.again and stopped.again.state == STOPPED
    assert killed and interrupted(killed, asking=True) == killed
    shown = interrupted(killed, asking=False)
    assert shown.again is not None and shown.again.state == INTERRUPTED
    assert shown.kept.text == TEXT
    with pytest.raises(UsageError, match="no new answer"):
        saved.keep_new("", saved_id)


def test_words_that_differ_are_told_apart() -> None:
    """What is left and what is added give the two answers back."""
    old, new = "The per diem is 48 euros a day [1].", "The per diem is 52 euros a day [2]."

    pieces = compare(old, new)

    assert "".join(one.text for one in pieces if one.kind != "added") == old
    assert "".join(one.text for one in pieces if one.kind != "removed") == new
    assert [one.text for one in pieces if one.kind == "removed"] == ["48", "[1]"]
    assert changed(pieces)


def test_other_numbers_of_sources_are_no_other_answer() -> None:
    """The passages were found in another order."""
    assert not changed(compare("Forty-eight euros [1].", "Forty-eight  euros [3]."))


def test_chinese_is_compared_by_characters() -> None:
    """There are no spaces between its words."""
    pieces = compare("每日津贴为48欧元。", "每日补贴为48欧元。")

    assert [(one.kind, one.text) for one in pieces if one.kind != "same"] == [
        ("removed", "津"),
        ("added", "补"),
    ]


def test_long_answers_are_compared_in_no_time() -> None:
    """Twenty thousand words, every tenth of which differs."""
    old = "\n".join(f"line {n} says {n * 7} and more of it" for n in range(3000))
    new = "\n".join(f"line {n} says {n * 7 + (n % 10 == 0)} and more of it" for n in range(3000))
    found: list[int] = []
    work = threading.Thread(target=lambda: found.append(len(compare(old, new))), daemon=True)
    work.start()
    work.join(20)

    assert found and found[0] > 500


def test_sources_that_went_and_came() -> None:
    """By document and page, each once."""
    old = [Source(1, "a.pdf", 2, "page 2", "A"), Source(2, "a.pdf", 2, "page 2", "A")]
    new = [Source(1, "b.pdf", 1, "page 1", "B"), Source(2, "a.pdf", 2, "page 2", "A")]

    found = compare_sources(old, new)

    assert [one.document for one in found.added] == ["b.pdf"]
    assert (found.removed, len(found.kept)) == ((), 1)


def test_hostile_text_in_a_difference_stays_text() -> None:
    """Answers quote documents, and documents hold anything."""
    html = difference_html(compare(f"a {HOSTILE}", f"b {HOSTILE}<script>x</script>"))

    assert "<img" not in html and "<script" not in html


def test_the_command_tells_a_cron_job(
    library: Library, saved: SavedAnswers, folder: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """Silent and 0 while all is current; a line each and 1 once answers have expired."""
    import hayloft

    saved_one(library, saved, "ada")
    monkeypatch.setenv("HAYLOFT_DATA_DIR", str(library.settings.data_dir))
    assert hayloft.main(["saved", "--check"]) == 0
    assert capsys.readouterr().out == ""
    change(library, folder)

    assert hayloft.main(["saved", "--check"]) == cli_saved.EXPIRED
    out = capsys.readouterr().out
    assert hayloft.main(["saved", "--json", "--owner", "ada", "per", "diem"]) == 0
    told = json.loads(capsys.readouterr().out)

    assert "A page changed: And the <b>per diem</b>?  (ada)" in out
    assert "travel.md" in out
    assert (told["expired"], told["answers"][0]["changes"][0]["document"]) == (1, "travel.md")


def test_the_command_makes_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where nothing was ever saved, looking leaves no trace of it."""
    import hayloft

    monkeypatch.setenv("HAYLOFT_DATA_DIR", str(tmp_path))
    assert hayloft.main(["saved"]) == 0

    assert capsys.readouterr().out == "0 saved answers, 0 expired\n"
    assert not (tmp_path / "memory.db").exists()


def test_only_the_owner_of_the_machine_reads_the_file(saved: SavedAnswers) -> None:
    """Answers can be as private as the documents."""
    assert saved.path.stat().st_mode & 0o077 == 0


def test_a_damaged_and_a_newer_file_are_sentences(tmp_path: Path) -> None:
    """What happened, to which file, what to do."""
    (tmp_path / "memory.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(StorageError, match=r"memory\.db"):
        SavedAnswers(tmp_path)
    (tmp_path / "memory.db").unlink()
    with sqlite3.connect(tmp_path / "memory.db") as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()

    with pytest.raises(StorageError, match="newer Hayloft"):
        SavedAnswers(tmp_path)


def test_what_was_saved_before_the_login_can_be_adopted(
    library: Library, saved: SavedAnswers
) -> None:
    """As the conversations are."""
    saved_id = saved_one(library, saved)

    saved.adopt("ada")

    assert saved.all("") == []
    assert saved.get("ada", saved_id) is not None

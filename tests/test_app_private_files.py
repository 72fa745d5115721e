"""The files of one conversation: taken, waited for, moved, swept; read by real runs."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest

from app.conversations import Conversations
from app.find import Finder
from app.ingest_process import Run, Runs, heard
from app.private_files import (
    about,
    claim,
    files_in,
    is_pending,
    masked,
    remove,
    states,
    sweep,
    take,
    to_library,
    wait_with,
    waiting,
)
from app.room_sweep import sweep_rooms
from ingest.report import DocumentDone
from storage.errors import DeleteBrake, UsageError
from storage.records import RoomContents, Scope
from storage.rooms import room_folder, room_name
from tests.library_fixtures import FakeEmbedder, ingest, open_library, words, write_files

EMPTY = RoomContents((), ())
NO_RUNS = Runs(None, (), None)


class Dropped:
    """A file as Streamlit hands it over."""

    def __init__(self, name: str, content: bytes = b"Some words.") -> None:
        self.name = name
        self._content = content

    def getbuffer(self) -> memoryview:
        return memoryview(self._content)


@pytest.fixture(autouse=True)
def no_grace(monkeypatch):
    monkeypatch.setattr("ingest.job.GRACE_S", 0.0)


@pytest.fixture
def embedder():
    return FakeEmbedder()


@pytest.fixture
def library(tmp_path, embedder):
    with open_library(tmp_path / "data", embedder) as opened:
        yield opened


@pytest.fixture
def data_dir(library) -> Path:
    return library.settings.data_dir.resolve()


def drop(data_dir: Path, room: str, name: str, text: str) -> Path:
    take(data_dir, room, [Dropped(name, text.encode())], most_mb=1)
    return room_folder(data_dir, room)


def found(library, query: str, scope: Scope | None = None) -> list[str]:
    return [hit.document for hit in Finder(library).search(query, scope=scope or Scope())]


# --- taking ---------------------------------------------------------------------------------------


def test_what_cannot_be_taken_has_a_sentence_and_the_others_are_kept(tmp_path):
    """A type that is not read, an empty and a large file, a name that exists, the same twice."""
    room = room_name("ada", "c")
    given = [
        Dropped("plan.md", b"one"),
        Dropped("plan.md", b"two"),
        Dropped("plan.md", b"one"),
        Dropped("song.mp3"),
        Dropped("empty.pdf", b""),
        Dropped("large.txt", b"x" * 1_048_577),
        Dropped("../../../etc/passwd.txt", b"up"),
    ]

    taken = take(tmp_path, room, given, most_mb=1)

    assert taken.kept == ("plan.md", "plan (2).md", "passwd.txt")
    assert ("plan.md", "plan (2).md") in taken.renamed
    assert [sentence.split("”")[0] for sentence in taken.refused] == [
        "“song.mp3",
        "“empty.pdf",
        "“large.txt",
    ]
    assert files_in(tmp_path, room) == ["passwd.txt", "plan (2).md", "plan.md"]
    assert not (tmp_path.parent / "etc").exists()


def test_a_full_conversation_takes_no_more(tmp_path, monkeypatch):
    """The limit is said with the way that has none."""
    monkeypatch.setattr("app.private_files.MOST_FILES", 2)

    taken = take(tmp_path, "_/c", [Dropped(f"{n}.md", b"%d" % n) for n in range(4)], most_mb=1)

    assert taken.kept == ("0.md", "1.md")
    assert len(taken.refused) == 2
    assert "library" in taken.refused[0]


# --- how far the reading is -----------------------------------------------------------------------


def test_a_file_waits_is_read_or_is_stuck(tmp_path):
    """The line of a file follows from the runs; a run of another room is none of its own."""
    own = Run(
        1, "", (), state="running", room="_/c", current="a.md", current_done=1, current_total=4
    )
    other = Run(2, "", (), state="running", room="_/d", current="a.md")
    held = Run(3, "", (), state="waiting", room="_/c")
    killed = Run(4, "", (), state="ended", room="_/c", fault="Its process was killed (signal 9).")

    def state(runs: Runs, **others: bool) -> tuple[str, float, str]:
        [file] = states(["a.md"], EMPTY, runs, "_/c", **others)
        return file.state, file.share, file.reason

    assert state(Runs(own, (), None)) == ("reading", 0.25, "")
    assert state(Runs(held, (), None)) == ("waiting", 0.0, "")
    assert state(Runs(other, (held,), None)) == ("waiting", 0.0, "")
    assert state(Runs(other, (), None))[0] == "stuck"
    assert state(NO_RUNS, others_work=True)[0] == "waiting"
    assert state(Runs(None, (), None, killed)) == ("stuck", 0.0, killed.fault)
    assert not is_pending(states(["a.md"], EMPTY, NO_RUNS, "_/c"))


def test_nobody_else_is_shown_a_private_files_name():
    """In a run of everybody's a private file counts and has no name; its own run is masked."""
    event = {"event": "document", "document": "secret.pdf", "action": "failed", "private": True}
    event |= {"reason": "secret.pdf is damaged"}
    everybodys = heard(Run(1, "All folders", ()), event)
    own = heard(Run(2, "secret.pdf", (), room="_/c"), event)

    assert everybodys.done == 1
    assert "secret" not in repr(everybodys)
    assert own.lines[0].document == "secret.pdf"
    assert "secret" not in repr(masked(own, "Files of a conversation"))
    progress = {
        "event": "progress",
        "document": "secret.pdf",
        "private": True,
        "done": 1,
        "total": 2,
    }
    assert "secret" not in repr(heard(Run(1, "All folders", ()), progress))


# --- the question that waits ----------------------------------------------------------------------


def test_a_waiting_question_is_asked_once(tmp_path):
    """Of twenty tabs that see the reading end, one gets it."""
    wait_with(tmp_path, "_/c", "Who pays? 谁", ["a.md"])
    got: list[str] = []
    tabs = [threading.Thread(target=lambda: got.append(claim(tmp_path, "_/c"))) for _ in range(20)]

    assert waiting(tmp_path, "_/c") == "Who pays? 谁"
    assert about(tmp_path, "_/c") == ["a.md"]
    for tab in tabs:
        tab.start()
    for tab in tabs:
        tab.join()

    assert sorted(got) == [""] * 19 + ["Who pays? 谁"]
    assert waiting(tmp_path, "_/c") == ""
    assert files_in(tmp_path, "_/c") == []


def test_a_question_that_was_written_badly_is_none(tmp_path):
    """A damaged note never stops the page."""
    wait_with(tmp_path, "_/c", "?")
    for content in ("{", "[]", '{"question": 3, "about": "x"}'):
        (room_folder(tmp_path, "_/c") / ".question.json").write_text(content)
        assert waiting(tmp_path, "_/c") == ""
        assert about(tmp_path, "_/c") == []


# --- real runs ------------------------------------------------------------------------------------


def test_a_dropped_file_is_found_in_its_conversation_alone(library, data_dir, tmp_path):
    """Also after a nightly run over everything; nothing of it shows in lists or counts."""
    docs = write_files(tmp_path / "docs", {"lease.md": words("The lease is public", 60)})
    ingest(library, docs)
    events: list = []

    ingest(library, drop(data_dir, "ada/c", "plan.md", "The quokka plan costs 480."), events=events)
    ingest(library)

    assert found(library, "quokka plan", Scope(room="ada/c")) == ["plan.md"]
    assert found(library, "quokka plan", Scope(room="ada/c", beyond_room=True))[0] == "plan.md"
    for scope in (Scope(), Scope(room="ada/d"), Scope(room="eve/c"), Scope(beyond_room=True)):
        assert "plan.md" not in found(library, "quokka plan", scope)
    assert library.catalog.paths() == ["lease.md"]
    assert library.catalog.counts().documents == 1
    assert [event.private for event in events if hasattr(event, "private")][-1] is True


def test_the_same_file_in_public_and_in_two_rooms_is_three_documents(library, data_dir, tmp_path):
    """Each is cited under its own path; the second room embeds the text for itself."""
    text = words("The very same report", 80)
    ingest(library, drop(data_dir, "ada/c", "mine.md", text))
    ingest(library, drop(data_dir, "eve/d", "hers.md", text))
    ingest(library, write_files(tmp_path / "docs", {"ours.md": text}))

    for scope, expected in (
        (Scope(), {"ours.md"}),
        (Scope(room="ada/c"), {"mine.md"}),
        (Scope(room="eve/d"), {"hers.md"}),
        (Scope(room="ada/c", beyond_room=True), {"mine.md", "ours.md"}),
    ):
        hits = Finder(library).search("very same report", scope=scope)
        assert {hit.document for hit in hits} == expected
        assert {place.document for hit in hits for place in hit.also} <= expected


def test_a_source_around_the_data_directory_does_not_take_private_files_in(
    library, data_dir, monkeypatch
):
    """Whoever ingests a folder that holds the data directory, by a link too, gets none of them."""
    room = drop(data_dir, "ada/c", "plan.md", "The quokka plan.")
    write_files(data_dir.parent / "beside", {"a.md": "Something else entirely."})
    (data_dir.parent / "beside" / "link").symlink_to(room)
    (data_dir.parent / "beside" / "link.md").symlink_to(room / "plan.md")
    monkeypatch.setenv("HAYLOFT_FOLLOW_SYMLINKS", "true")

    ingest(library, room)
    ingest(library, data_dir.parent)

    assert not any("plan" in path for path in library.catalog.paths())
    assert found(library, "quokka", Scope(room="ada/c")) == ["plan.md"]


def test_a_file_named_by_hand_stays_private(library, data_dir):
    """`hayloft ingest FILE` on a private file reads it for its conversation."""
    room = drop(data_dir, "ada/c", "plan.md", "The quokka plan.")

    ingest(library, room / "plan.md")

    assert library.catalog.paths() == []
    assert library.catalog.has_room("ada/c")
    with pytest.raises(UsageError, match="several conversations"):
        ingest(library, room.parent)


def test_keeping_a_file_moves_it_with_its_vectors(library, data_dir, embedder):
    """It is in the library under `uploads`, nothing is embedded again, and the room is empty."""
    ingest(library, drop(data_dir, "ada/c", "plan.md", words("The quokka plan", 50)))
    before = len(embedder.passages)

    ordered = to_library(data_dir, "ada/c", "plan.md")
    report = ingest(library, *map(Path, ordered))

    assert (report.moved, report.deleted, report.added) == (1, 0, 0)
    assert len(embedder.passages) == before
    assert set(found(library, "quokka plan")) == {"plan.md"}
    assert not library.catalog.has_room("ada/c")
    assert (data_dir / "uploads" / "plan.md").is_file()


def test_removing_the_only_file_takes_its_document_out(library, data_dir):
    """An empty room is no unmounted folder, and no brake is asked."""
    room = drop(data_dir, "ada/c", "plan.md", "The quokka plan.")
    ingest(library, room)

    ingest(library, *map(Path, remove(data_dir, "ada/c", "plan.md")))

    assert not library.catalog.has_room("ada/c")
    with pytest.raises(UsageError, match="no longer"):
        remove(data_dir, "ada/c", "../../catalog.db")


def test_what_could_not_be_read_is_told_to_its_conversation_alone(library, data_dir, tmp_path):
    """The run is complete for everybody else; the conversation has the sentence."""
    folder = drop(data_dir, "ada/c", "torn.pdf", "%PDF-1.4 this is none")
    events: list = []

    report = ingest(library, folder, events=events)

    assert report.in_line
    assert report.failures == []
    assert library.catalog.failures() == []
    assert library.catalog.counts().failures == 0
    [failure] = library.catalog.room("ada/c").failures
    assert failure.document == "torn.pdf"
    [file] = states(["torn.pdf"], library.catalog.room("ada/c"), NO_RUNS, "ada/c")
    assert (file.state, file.reason) == ("aside", failure.reason)


def test_the_last_good_version_stays(library, data_dir):
    """A private file that cannot be read any more is served as it was, like any other."""
    room = drop(data_dir, "ada/c", "plan.pdf", "")
    write_files(room, {"plan.json": '{"quokka": "The plan."}'})
    ingest(library, room)
    (room / "plan.json").write_bytes(b"\x00\x01\x02\x03" * 100)

    ingest(library)

    assert [failure.serves_old_version for failure in library.catalog.room("ada/c").failures] == [
        True
    ]
    assert found(library, "quokka", Scope(room="ada/c")) == ["plan.json"]


# --- the end of a conversation --------------------------------------------------------------------


def test_a_deleted_conversation_takes_its_files_along_after_the_undo(library, data_dir, tmp_path):
    """Before: all is there and comes back. After: files, rows and vectors are gone, no brake."""
    now = [1_000.0]
    store = Conversations(data_dir / "conversations.db", owner="ada", clock=lambda: now[0])
    kept, gone = store.create("kept"), store.create("gone")
    docs = write_files(tmp_path / "docs", {"a.md": "Public words."})
    ingest(library, docs)
    for n in range(6):
        drop(data_dir, room_name("ada", gone), f"{n}.md", f"Quokka number {n}.")
    ingest(library, drop(data_dir, room_name("ada", kept), "k.md", "The kept quokka."))
    ingest(library)
    store.delete(gone)
    assert sweep(data_dir, store.homes()) == []

    now[0] += 601
    store.wipe_deleted()
    [folder] = sweep(data_dir, store.homes())
    report = ingest(library)

    assert not folder.exists()
    assert report.failed == 0
    assert not library.catalog.has_room(room_name("ada", gone))
    assert library.catalog.has_room(room_name("ada", kept))
    identity = library.catalog.identity()
    visible, noted = library.catalog.vector_ids(identity.collection)
    assert set(library.vectors.ids(identity.collection)) == visible | noted
    assert not noted
    store.close()


def test_private_files_do_not_weigh_in_the_brake(library, data_dir, tmp_path):
    """The brake counts documents of the library, gone and all; rooms neither trip nor ease it."""
    docs = write_files(
        tmp_path / "docs", {f"{n}.md": f"Page {n} of public words." for n in range(4)}
    )
    ingest(library, docs)
    for n in range(9):
        drop(data_dir, "ada/c", f"{n}.md", f"Quokka {n}.")
    ingest(library, room_folder(data_dir, "ada/c"))
    for n in range(9):
        (room_folder(data_dir, "ada/c") / f"{n}.md").unlink()
    assert ingest(library).deleted == 9

    for n in range(3):
        (docs / f"{n}.md").unlink()
    with pytest.raises(DeleteBrake, match="3 of 4"):
        ingest(library)


def test_a_sweep_that_was_killed_is_finished_by_the_next(tmp_path):
    """Half a room lies under a hidden name that no run reads, and goes with the next sweep."""
    half = tmp_path.resolve() / "uploads-private" / "ada" / ".gone-c"
    half.mkdir(parents=True)
    (half / "plan.md").write_text("left")

    assert sweep(tmp_path, {}) == []

    assert not half.exists()


def test_the_sweep_before_a_run_needs_the_conversations(tmp_path):
    """Without the file that says which conversations there are, nothing is deleted."""
    room = drop(tmp_path, "ada/c", "plan.md", "Words.")
    assert sweep_rooms(tmp_path) == []
    (tmp_path / "conversations.db").write_bytes(
        b"this is no database, but long enough to be read" * 9
    )
    assert sweep_rooms(tmp_path) == []
    assert room.is_dir()

    (tmp_path / "conversations.db").unlink()
    Conversations(tmp_path / "conversations.db").close()

    assert sweep_rooms(tmp_path) == [room]
    assert not room.exists()


def test_pictures_of_a_deleted_file_go_with_it(tmp_path):
    """Pages that were drawn are kept by the file's content; none outlives it."""
    import hashlib

    room = drop(tmp_path, "ada/c", "plan.pdf", "%PDF content")
    sha = hashlib.sha256(b"%PDF content").hexdigest()
    picture = tmp_path / "page-images" / sha[:2] / f"{sha}-1-1000.png"
    picture.parent.mkdir(parents=True)
    picture.write_bytes(b"png")

    sweep(tmp_path, {})

    assert not room.exists()
    assert not picture.exists()


def test_a_room_under_an_earlier_owners_name_moves_to_its_home(tmp_path):
    """As it was left where somebody took conversations over when files still moved with them."""
    old = drop(tmp_path, room_name("", "c"), "plan.md", "Words.")

    assert sweep(tmp_path, {"c": "ada"}) == [old]

    assert files_in(tmp_path, room_name("ada", "c")) == ["plan.md"]
    assert sweep(tmp_path, {"c": "ada"}) == []


def test_events_of_private_files_say_so(library, data_dir, tmp_path):
    """A program that reads `hayloft ingest --json` can tell them apart."""
    events: list = []
    ingest(library, drop(data_dir, "ada/c", "plan.md", "The quokka plan."), events=events)
    told = [json.dumps(event.to_json()) for event in events]

    assert any('"private": true' in line for line in told)


def test_names_of_private_files_are_told_to_nobody_whatever_becomes_of_them(library, data_dir):
    """Moved within the room, touched, read behind an old time: every event says it is private."""
    folder = drop(data_dir, "ada/c", "merger.md", "The quokka plan costs 480.")
    drop(data_dir, "ada/c", "notes.md", "The wombat plan costs 20.")
    ingest(library, folder)
    (folder / "merger.md").rename(folder / "other.md")
    os.utime(folder / "notes.md", (1, 1))
    events: list = []
    ingest(library, events=events)
    stat = (folder / "notes.md").stat()
    (folder / "notes.md").write_text("The wombat plan costs 21.")
    os.utime(folder / "notes.md", ns=(stat.st_atime_ns, stat.st_mtime_ns))

    report = ingest(library, verify=True, events=events)

    files = [event for event in events if isinstance(event, DocumentDone)]
    assert {"moved", "unchanged", "updated"} <= {event.action for event in files}
    assert all(event.private for event in files)
    assert report.verified == 2 and report.unseen == []


def test_what_a_file_was_called_in_its_room_stays_there(library, data_dir, tmp_path):
    """Also where the library gets the same content as the room loses it."""
    text = words("The quokka plan", 60)
    folder = drop(data_dir, "ada/c", "merger with Wombat.md", text)
    ingest(library, folder)
    (folder / "merger with Wombat.md").unlink()
    docs = write_files(tmp_path / "docs", {"plan.md": text})
    events: list = []

    ingest(library, folder, docs, events=events)

    (moved,) = [one for one in events if isinstance(one, DocumentDone) and one.action == "moved"]
    assert (moved.document, moved.was, moved.private) == ("plan.md", "", False)


def test_other_users_of_the_machine_cannot_look_into_rooms(tmp_path):
    """The folder of all rooms is its owner's alone."""
    drop(tmp_path, "ada/c", "plan.md", "Words.")

    assert (tmp_path / "uploads-private").stat().st_mode & 0o077 == 0

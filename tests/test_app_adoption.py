"""What was kept before anybody signed in goes on working for whoever takes it over."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import streamlit as st

from app import private_files, resources
from app.adoption import adopt
from app.answers import SourcesFound
from app.conversations import Conversations
from app.find import Finder
from app.people import Role, User
from app.preferences import KeptPreferences, Preferences
from app.read_ledger import Readings
from app.room_sweep import sweep_rooms
from storage.library import Library
from storage.records import Scope
from storage.rooms import room_folder, room_name
from tests.library_fixtures import FakeEmbedder, ingest, open_library
from tests.test_app_conversations import an_answer
from tests.test_app_private_files import Dropped


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Library]:
    monkeypatch.setattr("ingest.job.GRACE_S", 0.0)
    with open_library(tmp_path / "data", FakeEmbedder()) as opened:
        monkeypatch.setenv("HAYLOFT_DATA_DIR", str(opened.settings.data_dir))
        monkeypatch.setattr(resources, "library", lambda: opened)
        st.cache_resource.clear()
        yield opened
        st.cache_resource.clear()


def test_private_pages_of_before_are_read_by_whoever_took_them_over(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page of an old citation, the file, a new search and a new file; nobody else sees them."""
    data_dir = library.settings.data_dir.resolve()
    before = Conversations(data_dir / "conversations.db")
    conversation = before.create("The lease")
    room = room_name("", conversation)
    private_files.take(data_dir, room, [Dropped("lease.md", b"Quokka lease.")], most_mb=1)
    ingest(library, room_folder(data_dir, room))
    hits = tuple(Finder(library).search("quokka", scope=Scope(room=room)))
    turn = before.begin_turn(conversation, "What is leased?")
    before.finish_turn(turn, replace(an_answer(), hits=hits), SourcesFound(hits, "passages", "m"))

    assert adopt(data_dir, "ann") == 1
    assert sweep_rooms(data_dir, [str(room_folder(data_dir, room))]) == []
    ingest(library)
    monkeypatch.setattr(resources, "who", lambda: User("ann", Role.READER))

    [kept] = resources.store().turns(conversation)
    [hit] = kept.hits
    page = library.catalog.page(hit.document_id, hit.page, room=hit.room)
    assert page is not None and "Quokka" in page.text
    file = library.catalog.file_of(hit.document_id, room=hit.room)
    assert file is not None and Path(file.root, file.path).is_file()
    own = resources.room_of(conversation)
    private_files.take(data_dir, own, [Dropped("more.md", b"Quokka rent.")], most_mb=1)
    ingest(library, private_files.folder_of(data_dir, own))
    seen = Finder(library).search("quokka", scope=resources.scope_in_room(Scope(), conversation))
    assert sorted(hit.document for hit in seen) == ["lease.md", "more.md"]

    for name in ("", "ben"):
        monkeypatch.setattr(resources, "who", lambda name=name: User(name, Role.READER))
        assert resources.room_of(conversation) == ""
        assert resources.scope_in_room(Scope(), conversation).room == ""
    before.close()


def test_all_of_it_is_taken_over_and_doing_it_again_changes_nothing(tmp_path: Path) -> None:
    """Preferences too; readings are nobody else's to go on with, so their words go."""
    store = Conversations(tmp_path / "conversations.db")
    store.create("of before")
    preferences = KeptPreferences(tmp_path)
    preferences.keep("", Preferences(length="short"))
    readings = Readings(tmp_path / "readings.db")
    readings.begin("one", "Who is it?")

    assert [adopt(tmp_path, "ann"), adopt(tmp_path, "ann"), adopt(tmp_path, "ben")] == [1, 0, 0]

    assert preferences.of("ann").length == "short"
    assert readings.get("one") is None
    assert Conversations(tmp_path / "conversations.db", owner="ann").count() == 1


def test_a_conversation_deleted_later_takes_its_old_room_along(tmp_path: Path) -> None:
    """The room under nobody's name goes like any other, and no other conversation's with it."""
    store = Conversations(tmp_path / "conversations.db")
    gone, kept = store.create("gone"), store.create("kept")
    for one in (gone, kept):
        private_files.take(
            tmp_path, room_name("", one), [Dropped("lease.md", b"Words.")], most_mb=1
        )
    adopt(tmp_path, "ann")
    with sqlite3.connect(tmp_path / "conversations.db") as connection:
        connection.execute("DELETE FROM conversations WHERE id = ?", (gone,))
    connection.close()

    assert sweep_rooms(tmp_path) == [room_folder(tmp_path, room_name("", gone))]

    assert private_files.files_in(tmp_path, room_name("", kept)) == ["lease.md"]


def test_a_room_that_went_before_the_library_was_told_is_told_later(tmp_path: Path) -> None:
    """Whoever deleted it was killed in between, or was the command that deletes an account."""
    store = Conversations(tmp_path / "conversations.db", owner="ann")
    gone, kept, lost = (store.create(title) for title in ("gone", "kept", "lost"))
    private_files.take(tmp_path, room_name("ann", kept), [Dropped("a.md", b"Words.")], most_mb=1)
    with sqlite3.connect(tmp_path / "conversations.db") as connection:
        connection.execute("DELETE FROM conversations WHERE id = ?", (gone,))
    connection.close()
    known = [room_folder(tmp_path, room_name("ann", one)) for one in (gone, kept, lost)]

    assert sweep_rooms(tmp_path, map(str, known)) == [known[0]]

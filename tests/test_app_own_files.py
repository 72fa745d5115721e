"""The list of one's private files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from app import private_files, resources
from app.own_files import OwnFile, own_files
from app.own_files_page import file_html
from app.people import Role, User
from storage.rooms import room_name
from tests.chat_fakes import HOSTILE
from tests.test_app_composer_page import FakeRuns
from tests.test_app_private_files import Dropped
from tests.test_app_users_page import Door, door, keys, shown

__all__ = ["door"]


def drop(data_dir: Path, conversation: str, name: str, text: str, owner: str) -> None:
    room = room_name(owner, conversation)
    private_files.take(data_dir, room, [Dropped(name, text.encode())], most_mb=1)


@pytest.fixture(autouse=True)
def _no_cache_between_tests() -> Iterator[None]:
    st.cache_resource.clear()
    yield
    st.cache_resource.clear()


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> FakeRuns:
    found = FakeRuns()
    monkeypatch.setattr(resources, "room_runs", lambda: found)
    monkeypatch.setattr(resources, "_ingest_runs", lambda: found)
    return found


def listed() -> AppTest:
    def script() -> None:
        from app import own_files_page

        own_files_page.show()

    page = AppTest.from_function(script, default_timeout=20).run()
    assert not page.exception
    return page


def test_each_reader_sees_their_own_files(
    door: Door,
    runs: FakeRuns,
    tmp_path: Path,
) -> None:
    """With conversation, size and place; those of others and of deleted conversations are not."""
    door.sign_in("Lib")
    his = resources.store().create("About the merger")
    drop(tmp_path, his, "merger.md", "his", "Lib")
    door.sign_in("Ann")
    store = resources.store()
    hers, deleted = store.create("About the lease"), store.create("deleted")
    drop(tmp_path, hers, "lease.md", "x" * 2500, "Ann")
    drop(tmp_path, deleted, "gone.md", "gone", "Ann")
    store.delete(deleted)

    page = listed()

    assert own_files(tmp_path, store) == [
        OwnFile(hers, "About the lease", "lease.md", f"uploads-private/Ann/{hers}", 2500)
    ]
    for words in ("lease.md", "About the lease", "2.5 KB", f"uploads-private/Ann/{hers}"):
        assert words in shown(page)
    assert "merger" not in shown(page) and "gone.md" not in shown(page)
    assert f"keep-file-{hers}/lease.md" not in keys(page)


def test_a_file_is_deleted_once_that_is_said_twice(
    door: Door,
    runs: FakeRuns,
    tmp_path: Path,
) -> None:
    """And the library is told at once."""
    door.sign_in("Ann")
    hers = resources.store().create("About the lease")
    drop(tmp_path, hers, "lease.md", "x", "Ann")
    page = listed()

    page.button(key=f"delete-file-{hers}/lease.md").click().run()
    assert private_files.files_in(tmp_path, f"Ann/{hers}") == ["lease.md"]
    page.button(key=f"sure-file-{hers}/lease.md").click().run()

    assert private_files.files_in(tmp_path, f"Ann/{hers}") == []
    assert [room for _, _, room in runs.ordered] == [f"Ann/{hers}"]
    assert "are listed here" in shown(page)


def test_a_librarian_keeps_a_file_for_all_and_a_reader_cannot(
    door: Door,
    runs: FakeRuns,
    tmp_path: Path,
) -> None:
    """Also where the button was drawn while they still might."""
    door.sign_in("Lib")
    his = resources.store().create("About the lease")
    for name in ("a.md", "b.md"):
        drop(tmp_path, his, name, name, "Lib")
    page = listed()
    page.button(key=f"keep-file-{his}/a.md").click().run()
    assert (tmp_path / "uploads" / "a.md").is_file()

    door.accounts.set_role("Lib", Role.READER)
    page.button(key=f"keep-file-{his}/b.md").click().run()

    assert not (tmp_path / "uploads" / "b.md").exists()
    assert "Not moved" in shown(page)


def test_a_button_of_a_conversation_that_is_somebody_elses_does_nothing(
    door: Door,
    runs: FakeRuns,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whose it is is asked with the click: two people share a browser."""
    door.sign_in("Ann")
    hers = resources.store().create("About the lease")
    drop(tmp_path, hers, "lease.md", "x", "Ann")
    page = listed()
    page.button(key=f"delete-file-{hers}/lease.md").click().run()

    monkeypatch.setattr(resources, "who", lambda: User("Lib", Role.LIBRARIAN))
    page.button(key=f"sure-file-{hers}/lease.md").click().run()

    assert private_files.files_in(tmp_path, f"Ann/{hers}") == ["lease.md"]
    assert "no longer there" in shown(page)


def test_names_and_titles_stay_text() -> None:
    """Neither runs anything."""
    html = file_html(OwnFile('"><script>', HOSTILE, HOSTILE, HOSTILE, 1))

    assert "<img" not in html
    assert "<script" not in html

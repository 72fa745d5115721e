"""The composer with files, run by Streamlit's own test runner; no run is started by these tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app import resources, scope_page
from app.composer_page import line_html
from app.ingest_process import Run, Runs
from app.people import Role, User
from app.private_files import RoomFile, files_in, waiting
from storage.records import DocumentSummary, Failure, LibraryCounts, RoomContents
from tests.chat_fakes import HOSTILE, Fakes
from tests.page_fixtures import MAIN, button, conversation_of, keys, main_page, shown

pytestmark = pytest.mark.usefixtures("fresh_chat")


class FakeRuns:
    """Orders are noted; `now` is at work."""

    def __init__(self) -> None:
        self.ordered: list[tuple[list[str], str, str]] = []
        self.now: Run | None = None
        self.last_private: Run | None = None

    def order(self, words: list[str], what: str, *, room: str = "") -> int:
        self.ordered.append((list(words), what, room))
        self.now = Run(1, what, tuple(words), state="running", room=room)
        return 1

    def state(self) -> Runs:
        return Runs(self.now, (), None, self.last_private)


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> FakeRuns:
    found = FakeRuns()
    monkeypatch.setattr(resources, "room_runs", lambda: found)
    monkeypatch.setattr(resources, "ingest_runs", lambda: found)
    return found


@pytest.fixture
def page(fakes: Fakes, runs: FakeRuns) -> AppTest:
    return main_page()


def read(fakes: Fakes, monkeypatch: pytest.MonkeyPatch, *names: str, aside: str = "") -> None:
    """From now on the library has read these files of every room."""
    documents = tuple(
        DocumentSummary(n, name, "", name, 3, 5, 100, 10, True, 0.0)
        for n, name in enumerate(names, start=90)
    )
    failures = ()
    if aside:
        failures = (Failure(aside, "", "damaged", f"{aside} is damaged.", 1, 0.0, False),)
    catalog = fakes.library.catalog
    monkeypatch.setattr(catalog, "room", lambda room: RoomContents(documents, failures))
    monkeypatch.setattr(catalog, "has_room", lambda room: bool(room and documents))
    # The fakes have no catalog to resolve a scope in.
    monkeypatch.setattr(scope_page, "check", lambda scope: None)


def send(page: AppTest, question: str, *names: str) -> AppTest:
    for name in names:
        page.chat_input[0].upload(name, f"content of {name}".encode())
    page.chat_input[0].set_value(question).run()
    assert not page.exception
    return page


def room_of(page: AppTest) -> str:
    return f"_/{conversation_of(page)}"


@pytest.mark.parametrize("nothing", ["", "\u200b\u2060"])
def test_a_file_alone_is_added_and_nothing_asked(
    page: AppTest, fakes: Fakes, runs: FakeRuns, tmp_path: Path, nothing: str
) -> None:
    """A conversation begins with its name; the run reads the room and is told as its own."""
    send(page, nothing, "plan.md")

    assert resources.store().title(conversation_of(page)) == "plan.md"
    assert waiting(tmp_path, room_of(page)) == ""
    assert files_in(tmp_path, room_of(page)) == ["plan.md"]
    [(words, _, room)] = runs.ordered
    assert words == [str((tmp_path / "uploads-private" / room_of(page)).resolve())]
    assert room == room_of(page)
    assert "plan.md" in shown(page)
    assert "is being read" in shown(page)
    assert not fakes.assistant.asked


def test_a_question_waits_for_the_reading_and_is_asked_once(
    page: AppTest,
    fakes: Fakes,
    runs: FakeRuns,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is shown meanwhile, survives a reload, and then goes to the conversation's own files."""
    send(page, "What is planned?", "plan.md")
    assert "Asked when the files are read: “<bdi>What is planned?</bdi>”" in shown(page)
    assert waiting(tmp_path, room_of(page)) == "What is planned?"
    assert not fakes.assistant.asked
    again = AppTest.from_file(str(MAIN), default_timeout=20)
    again.query_params["c"] = conversation_of(page)
    assert "Asked when the files are read" in shown(again.run())

    runs.now = None
    read(fakes, monkeypatch, "plan.md")
    again.run()
    page.run()

    assert [question for question, _ in fakes.assistant.asked] == ["What is planned?"]
    [scope] = fakes.assistant.scopes
    assert (scope.room, scope.beyond_room) == (room_of(page), False)
    assert waiting(tmp_path, room_of(page)) == ""


def test_a_question_during_the_reading_waits_too(
    page: AppTest, fakes: Fakes, runs: FakeRuns, tmp_path: Path
) -> None:
    """The last one is kept."""
    send(page, "", "plan.md")

    send(page, "And now?")

    assert waiting(tmp_path, room_of(page)) == "And now?"
    assert not fakes.assistant.asked


def test_a_question_about_a_file_that_cannot_be_read_is_held(
    page: AppTest,
    fakes: Fakes,
    runs: FakeRuns,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its sentence stands there; the user says whether to ask without it."""
    send(page, "What is planned?", "plan.md", "torn.pdf")
    runs.now = None
    read(fakes, monkeypatch, "plan.md", aside="torn.pdf")
    page.run()

    assert not fakes.assistant.asked
    assert "Not asked yet" in shown(page)
    assert "torn.pdf is damaged" in shown(page)
    button(page, "ask-without").click().run()  # type: ignore[attr-defined]

    assert [question for question, _ in fakes.assistant.asked] == ["What is planned?"]


def test_a_conversation_goes_beyond_its_files_and_back(
    page: AppTest, fakes: Fakes, runs: FakeRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All documents and these; the choice is the conversation's and shown in the sidebar."""
    send(page, "", "plan.md")
    runs.now = None
    read(fakes, monkeypatch, "plan.md")
    page.run()
    assert "scope-beyond" in keys(page)

    key = f"beyond-{conversation_of(page)}"
    next(one for one in page.button_group if one.key == key).set_value([True]).run()
    send(page, "What about all?")

    assert fakes.assistant.scopes[-1].beyond_room
    assert fakes.assistant.scopes[-1].is_everything
    assert fakes.assistant.scopes[-1].room == room_of(page)


def test_another_conversation_asks_without_the_files(
    page: AppTest, fakes: Fakes, runs: FakeRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new conversation has no room before it has an id, and then another one."""
    send(page, "", "plan.md")
    runs.now = None
    rooms = {room_of(page)}
    monkeypatch.setattr(fakes.library.catalog, "has_room", lambda room: room in rooms)
    button(page, "new").click().run()  # type: ignore[attr-defined]

    send(page, "What is the per diem?")

    assert fakes.assistant.scopes[-1].room == ""


def test_what_is_not_taken_is_said_and_begins_nothing(
    page: AppTest, runs: FakeRuns, tmp_path: Path
) -> None:
    """No empty conversation is left in the list, and the question is given back."""
    send(page, "What is in it?", "empty.md")
    page.chat_input[0].upload("gone.md", b"")
    page.chat_input[0].set_value("What is in it?").run()

    assert "is empty" in shown(page)
    assert "What is in it?" in shown(page)
    assert len(resources.store().summaries()) == 1


def test_a_reader_may_drop_files_and_not_fill_the_library(
    page: AppTest, fakes: Fakes, runs: FakeRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Private files are everybody's right; keeping one for all is a librarian's."""
    monkeypatch.setattr(resources, "who", lambda: User("", Role.READER))
    send(page, "", "plan.md")
    runs.now = None
    read(fakes, monkeypatch, "plan.md")

    page.run()

    assert len(runs.ordered) == 1
    assert "remove-0" in keys(page)
    assert "keep-0" not in keys(page)


def test_a_killed_run_leaves_its_sentence_and_a_way_on(
    page: AppTest, runs: FakeRuns, tmp_path: Path
) -> None:
    """The file is not read yet, why, and a button that has it read again."""
    send(page, "", "plan.md")
    runs.now = None
    runs.last_private = Run(
        1, "", (), state="ended", room=room_of(page), fault="Its process was killed (signal 9)."
    )

    page.run()

    assert "is not read yet" in shown(page)
    assert "was killed (signal 9)" in shown(page)
    button(page, "again-file-0").click().run()  # type: ignore[attr-defined]
    assert len(runs.ordered) == 2


def test_a_server_that_was_started_anew_reads_what_nobody_reads(
    page: AppTest, runs: FakeRuns
) -> None:
    """Without anybody's click, and once a session."""
    send(page, "", "plan.md")
    runs.now = None
    runs.ordered.clear()

    page.run()
    runs.now = None
    page.run()

    assert len(runs.ordered) == 1


def test_names_of_files_stay_text() -> None:
    """What a file is called, and why it was set aside, runs nothing."""
    html = line_html(RoomFile(HOSTILE, "aside", reason=HOSTILE, warnings=(HOSTILE,)))

    assert "<img" not in html
    assert "onerror=" not in html.replace("onerror=&", "") or "&lt;img" in html


def test_an_empty_library_is_no_obstacle(fakes: Fakes, runs: FakeRuns, tmp_path: Path) -> None:
    """Dropping a file is the first thing that works."""
    fakes.library.catalog.counts_now = LibraryCounts(0, 0, 0, 0, None)
    page = main_page()

    send(page, "What is planned?", "plan.md")

    assert files_in(tmp_path, room_of(page)) == ["plan.md"]
    assert "The library is empty" not in shown(page)

"""The composer on a full disk, without Chroma, and where the reading is killed: nothing is lost."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app import resources
from app.ingest_process import IngestRuns
from app.private_files import RoomFile, files_in, states, take, waiting
from storage.library import Library
from storage.records import Scope
from storage.rooms import room_folder
from storage.settings import StorageSettings
from tests.chat_fakes import Fakes
from tests.page_fixtures import button, shown
from tests.test_app_composer_page import (
    FakeRuns,
    page,
    read,
    room_of,
    runs,
    send,
)
from tests.test_app_private_files import Dropped
from tests.until import until

__all__ = ["page", "runs"]

pages = pytest.mark.usefixtures("fresh_chat")


def full(monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    """From now on nothing whose name holds `part` can be written."""
    write, opened = Path.write_text, Path.open

    def refused(path: Path) -> None:
        if part in str(path):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    def write_text(path: Path, *given: object, **named: object) -> int:
        refused(path)
        return write(path, *given, **named)  # type: ignore[arg-type]

    def open_(path: Path, mode: str = "r", *given: object, **named: object) -> object:
        if mode != "r" and mode != "rb":
            refused(path)
        return opened(path, mode, *given, **named)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "write_text", write_text)
    monkeypatch.setattr(Path, "open", open_)


@pages
def test_a_file_that_the_disk_has_no_room_for(
    page: AppTest,
    runs: FakeRuns,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A sentence; no empty conversation, no half file, the question is there to be sent again."""
    with monkeypatch.context() as patched:
        full(patched, ".part-")
        send(page, "What is planned?", "plan.md")

    assert "is full; nothing was kept" in shown(page)
    assert page.chat_input[0].proto.value == "What is planned?"
    assert resources.store().summaries() == []
    assert runs.ordered == []
    send(page, "What is planned?", "plan.md")
    assert files_in(tmp_path, room_of(page)) == ["plan.md"]
    assert waiting(tmp_path, room_of(page)) == "What is planned?"


@pages
def test_a_room_that_cannot_be_made(
    page: AppTest,
    runs: FakeRuns,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The same where not even the folder of all rooms can be made."""
    make = Path.mkdir

    def mkdir(path: Path, *given: object, **named: object) -> None:
        if path.name == "uploads-private":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        make(path, *given, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(Path, "mkdir", mkdir)

    send(page, "What is planned?", "plan.md")

    assert "cannot be kept" in shown(page) and "No space left" in shown(page)
    assert resources.store().summaries() == []
    assert page.chat_input[0].proto.value == "What is planned?"


@pages
def test_a_question_that_the_disk_has_no_room_for(
    page: AppTest,
    fakes: Fakes,
    runs: FakeRuns,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The file is kept and read; why the question does not wait is said, and it is not asked."""
    with monkeypatch.context() as patched:
        full(patched, ".question.json")
        send(page, "What is planned?", "plan.md")

    assert files_in(tmp_path, room_of(page)) == ["plan.md"]
    assert len(runs.ordered) == 1
    assert "The question cannot be kept until the files are read" in shown(page)
    assert page.chat_input[0].proto.value == "What is planned?"
    runs.now = None
    read(fakes, monkeypatch, "plan.md")
    page.run()
    assert fakes.assistant.asked == []


@pages
def test_without_chroma_the_question_waits_until_the_file_is_read(
    page: AppTest,
    fakes: Fakes,
    runs: FakeRuns,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is held with its reason; read again, it is asked without being typed again."""
    from app.ingest_process import Run

    send(page, "What is planned?", "plan.md")
    runs.now = None
    fault = "Chroma at http://127.0.0.1:9 does not answer."
    runs.last_private = Run(1, "", (), state="ended", room=room_of(page), fault=fault)
    page.run()
    assert "Chroma at http://127.0.0.1:9 does not answer" in shown(page)
    assert fakes.assistant.asked == []
    assert waiting(tmp_path, room_of(page)) == "What is planned?"

    button(page, "again-file-0").click().run()  # type: ignore[attr-defined]
    runs.now = None
    read(fakes, monkeypatch, "plan.md")
    page.run()

    assert [question for question, _ in fakes.assistant.asked] == ["What is planned?"]


# --- with real runs -------------------------------------------------------------------------------


@pytest.fixture
def real(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[IngestRuns]:
    monkeypatch.setenv("HAYLOFT_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("HAYLOFT_CHROMA_LINGER_S", "1")
    found = IngestRuns(tmp_path)
    yield found
    found.stop()
    found.wait(60)


def stand(data_dir: Path, real: IngestRuns) -> list[RoomFile]:
    with closing(Library(StorageSettings(data_dir=data_dir))) as library:
        contents = library.catalog.room("_/c")
        return states(files_in(data_dir, "_/c"), contents, real.state(), "_/c")


@pytest.mark.faults
@pytest.mark.timeout(400)
def test_chroma_is_away_and_comes_back(
    real: IngestRuns, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file stays, with a sentence that names the server; the next run reads it."""
    take(tmp_path, "_/c", [Dropped("plan.md", b"# Plan\n\nThe quokka plan.")], most_mb=1)
    words = [str(room_folder(tmp_path, "_/c"))]
    with monkeypatch.context() as patched:
        patched.setenv("HAYLOFT_CHROMA_URL", "http://127.0.0.1:9")
        real.order(words, "", room="_/c")
        assert real.wait(180)

        [file] = stand(tmp_path, real)

    assert file.state == "stuck"
    assert "127.0.0.1:9" in file.reason
    real.order(words, "", room="_/c")
    assert real.wait(180)
    assert [file.state for file in stand(tmp_path, real)] == ["read"]


@pytest.mark.faults
@pytest.mark.timeout(400)
@pytest.mark.parametrize("after_s", [0.0, 0.3, 1.0])
def test_a_reading_that_is_killed_goes_on(real: IngestRuns, tmp_path: Path, after_s: float) -> None:
    """Killed when it says that it reads, or later: the file is there, and the next run reads it."""
    text = "\n\n".join(f"# Part {n}\n\nThe quokka plan of part {n}." for n in range(60))
    take(tmp_path, "_/c", [Dropped("plan.md", text.encode())], most_mb=1)
    words = [str(room_folder(tmp_path, "_/c"))]
    real.order(words, "", room="_/c")
    until(lambda: _at_work(real))
    time.sleep(after_s)
    until(lambda: real._process is not None or real.state().now is None)
    process = real._process
    if process is not None:
        process.kill()
    assert real.wait(180)

    [file] = stand(tmp_path, real)
    assert file.state in ("stuck", "read")
    if file.state == "stuck":
        assert "killed" in file.reason

    real.order(words, "", room="_/c")
    assert real.wait(180)
    [file] = stand(tmp_path, real)
    assert file.state == "read"
    with closing(Library(StorageSettings(data_dir=tmp_path))) as library:
        assert library.catalog.has_room("_/c")
        from app.find import Finder

        hits = Finder(library).search("quokka plan", scope=Scope(room="_/c"))
        assert {hit.document for hit in hits} == {"plan.md"}
        assert Finder(library).search("quokka plan") == []


def _at_work(real: IngestRuns) -> bool:
    """Whether the first run reads, or has ended already."""
    state = real.state()
    return state.last_private is not None or (
        state.now is not None and state.now.state == "running"
    )

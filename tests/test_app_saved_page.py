"""The pages of saved answers and of settings, run by Streamlit's own test runner."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from app import resources, saved_page, settings_page
from app.answers import Answer, AnswerReady, Citation, SourcesFound, TextDelta
from app.people import Role, User
from app.preferences import Preferences
from app.saving import save
from storage.library import Library
from storage.records import Hit
from tests.chat_fakes import NO_PROMPT
from tests.library_fixtures import ingest, open_library, write_files
from tests.page_fixtures import button, drawn
from tests.page_fixtures import shown as html

OLD = "The per diem is 48 euros."
NEW = "The per diem is 52 euros."


@pytest.fixture(autouse=True)
def _nobody_asks_any_more(fresh_pages: None) -> Iterator[None]:
    yield
    resources.asking_again().stop_all()


class Asker:
    """Answers with the first page as it stands now."""

    def __init__(self, library: Library) -> None:
        self.library = library
        self.asked: list[tuple[str, Any, Any]] = []

    def ask(self, question: str, *, history: Any, scope: Any, mode: Any) -> Iterator[Any]:
        self.asked.append((question, tuple(history), mode))
        answer = an_answer(self.library)
        yield SourcesFound(answer.hits, answer.mode, answer.model)
        yield TextDelta(answer.text)
        yield AnswerReady(answer)


def pages(library: Library) -> list[Hit]:
    with library.catalog.snapshot() as snapshot:
        return snapshot.whole_pages(None)


def an_answer(library: Library) -> Answer:
    (hit,) = pages(library)
    text = f"{hit.text.splitlines()[-1]} [1]"
    citation = Citation(
        1, hit.document, hit.page, text[:-4], True, place=hit.place, title=hit.title
    )
    return Answer(
        question="What is the <i>per diem</i>?", text=text, mode="extractive", model="extractive",
        citations=(citation,), receipt=NO_PROMPT, timings={}, hits=(hit,),
    )  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_files(tmp_path / "files", {"travel.md": f"# Travel\n\n{OLD}\n"})


@pytest.fixture
def library(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Library]:
    monkeypatch.setenv("HAYLOFT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("HAYLOFT_MODEL", "extractive")
    with open_library(tmp_path / "data") as library:
        ingest(library, folder)
        monkeypatch.setattr(resources, "library", lambda: library)
        yield library


@pytest.fixture
def asker(library: Library, monkeypatch: pytest.MonkeyPatch) -> Asker:
    found = Asker(library)
    monkeypatch.setattr(resources, "assistant", lambda: found)
    return found


def saved(library: Library, owner: str = "") -> int:
    store = resources._store(owner)
    turn_id = store.begin_turn(store.create("Travel"), "What is the <i>per diem</i>?")
    store.finish_turn(turn_id, an_answer(library))
    turn = store.turn(turn_id)
    assert turn is not None
    return save(library.catalog, resources.saved_answers(), owner, turn)


def change(library: Library, folder: Path) -> None:
    (folder / "travel.md").write_text(f"# Travel\n\n{NEW} \n", encoding="utf-8")
    ingest(library, folder)
    resources.expired_answers.clear()


def run(show: Callable[[], None]) -> AppTest:
    return drawn(show.__module__, timeout_s=30)


def shown(page: AppTest) -> str:
    assert not page.exception
    return html(page)


def test_an_empty_page_says_how_to_fill_it(library: Library) -> None:
    """And the navigation shows no number."""
    assert "Nothing is saved" in shown(run(saved_page.show))


def test_a_changed_page_is_asked_again_and_compared(
    library: Library, asker: Asker, folder: Path
) -> None:
    """State and place, the same question without history, the words that differ, the choice."""
    saved_id = saved(library)
    assert "Current" in shown(run(saved_page.show)) and resources.expired_answers("") == 0
    change(library, folder)

    page = run(saved_page.show)
    before = shown(page)
    button(page, f"ask-again-{saved_id}").click().run()
    live = resources.asking_again().get(str(saved_id))
    assert live is None or live.wait(10)
    after = shown(page.run())
    button(page, f"keep-new-{saved_id}").click().run()

    assert "A page changed" in before and "travel.md" in before
    assert "What is the &lt;i&gt;per diem&lt;/i&gt;?" in before
    assert resources.expired_answers("") == 0
    assert asker.asked == [("What is the <i>per diem</i>?", (), "extractive")]
    assert "<del>48</del><ins>52</ins>" in after and "Both cite the same pages." in after
    assert "Current" in shown(page) and NEW in shown(page)


def test_others_answers_are_not_there(library: Library) -> None:
    """Neither shown nor counted."""
    saved(library, "ada")

    assert "Nothing is saved" in shown(run(saved_page.show))


def test_a_chosen_preference_is_kept(library: Library) -> None:
    """And the page says what the model will be told for it."""
    page = run(settings_page.show)
    next(one for one in page.selectbox if one.key == "prefer-answer_language").set_value("de").run()
    html = shown(page)
    page.toggle[0].set_value(True).run()

    assert resources.preferences() == Preferences(answer_language="de", follow_ups=True)
    assert "answer in German, briefly" in html


def test_the_chosen_language_is_spoken_at_once(library: Library) -> None:
    """In this session now, in the next one from its beginning."""
    page = run(settings_page.show)
    next(one for one in page.selectbox if one.key == "prefer-language").set_value("en").run()

    assert page.session_state["language"] == "en"
    assert resources.preferences().language == "en"


def test_deleting_asks_twice(library: Library) -> None:
    """One click deletes nothing."""
    saved(library)
    page = run(settings_page.show)

    button(page, "delete-saved").click().run()
    after_one = len(resources.saved_answers().all(""))
    button(page, "sure-saved").click().run()

    assert after_one == 1
    assert resources.saved_answers().all("") == []
    assert "0 saved answers" in shown(page)


def test_only_admins_see_the_settings_in_effect(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Paths and addresses of the machine are no business of its readers."""
    monkeypatch.setenv("HAYLOFT_OPENAI_API_KEY", "sk-secret")
    admin = shown(run(settings_page.show))
    monkeypatch.setattr(resources, "who", lambda: User("ada", Role.READER))
    reader = shown(run(settings_page.show))

    assert "HAYLOFT_DATA_DIR" in admin and "set, hidden" in admin and "sk-secret" not in admin
    assert "HAYLOFT_" not in reader

"""The choice of documents on the chat page, over a real catalog."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app import resources
from app.resources import ScopeChoices
from app.scope_page import described, names_to_choose
from storage.catalog import Catalog
from storage.catalog_writer import CatalogWriter, FileState
from storage.records import Chunk, LibraryCounts, Page, ParsedDocument, Scope
from tests.chat_fakes import Fakes
from tests.page_fixtures import MAIN, ask, conversation_of, main_page
from tests.page_fixtures import shown as html

pytestmark = pytest.mark.usefixtures("fresh_chat")
CHANGED_NS = 1_704_110_400_000_000_000  # 2024-01-01

LINE = 'class="hl-small hl-scope"'

DOCUMENTS = {
    "contracts/lease.md": {"tags": "law, rent", "date": "2021-05-17", "lang": "de"},
    "contracts/old/lease.pdf": {"created": "2019-11-30", "keywords": "Law"},
    "notes.md": {},
}


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    """Three documents, too short to tell their language by."""
    catalog = Catalog(tmp_path / "catalog.db")
    writer = CatalogWriter(catalog)
    source = writer.source("/docs", whole=True)
    for path, stated in DOCUMENTS.items():
        new = writer.begin_version(source, path, 1, "c")
        document = ParsedDocument("T", (Page(1, "17.5"),), False, "test", stated)
        chunks = [Chunk(0, 1, 0, 4, "17.5", "", "x")]
        file = FileState(path, 1, CHANGED_NS, "sha", "r/1")
        writer.publish(new.version_id, file, document, chunks, [b"a"])
    yield catalog
    catalog.close()


@pytest.fixture
def fakes(fakes: Fakes, catalog: Catalog) -> Fakes:
    fakes.library.catalog = catalog  # type: ignore[assignment]
    fakes.choices = ScopeChoices(catalog.facets(), tuple(catalog.paths()))
    return fakes


@pytest.fixture
def page(fakes: Fakes) -> AppTest:
    return main_page()


def shown(page: AppTest) -> str:
    return html(page).replace("<bdi>", "").replace("</bdi>", "")


def field(page: AppTest, kind: str, label: str):
    return next(item for item in page.get(kind) if item.label == label)


def test_without_filters_the_page_says_so_in_one_line_of_the_sidebar(page: AppTest) -> None:
    """Nothing stands above the composer."""
    assert not page.exception
    assert [item.proto.popover.label for item in page.get("popover")] == [
        "Searching all 3 documents"
    ]
    assert LINE not in shown(page)


def test_a_choice_narrows_the_next_question_and_is_said_above_the_composer(
    page: AppTest, fakes: Fakes
) -> None:
    """Documents, types, languages, tags and dates, each on its own widget, all at once."""
    field(page, "multiselect", "Documents and folders").set_value(["contracts/"]).run()
    field(page, "button_group", "Types").set_value(["md"]).run()
    field(page, "multiselect", "Tags").set_value(["law"]).run()
    field(page, "text_input", "From date").set_value(" 2021 ").run()
    field(page, "text_input", "To date").set_value("2021-06").run()

    assert "Only in contracts/ · MD · #law · since 2021 · until 2021-06 · 1 document" in shown(page)
    ask(page, "What is the rent?")
    assert fakes.assistant.scopes == [
        Scope(("contracts/",), ("md",), (), ("law",), "2021", "2021-06")
    ]


def test_the_choice_stays_with_its_conversation(page: AppTest, fakes: Fakes) -> None:
    """It goes with the first question, comes back after a reload, and not into a new one."""
    field(page, "button_group", "Languages").set_value(["de"]).run()
    ask(page, "What is the rent?")
    conversation = conversation_of(page)

    again = AppTest.from_file(str(MAIN), default_timeout=20)
    again.query_params["c"] = conversation
    again.run()
    assert "Only in German · 1 document" in shown(again)
    ask(again, "And now?")

    next(item for item in again.button if item.key == "new").click().run()
    assert LINE not in shown(again)
    ask(again, "Something else?")
    assert [scope.languages for scope in fakes.assistant.scopes] == [("de",), ("de",), ()]


def test_one_click_searches_everything_again(page: AppTest, fakes: Fakes) -> None:
    """All widgets are empty, and the next question has no scope."""
    field(page, "multiselect", "Documents and folders").set_value(["notes.md"]).run()
    field(page, "text_input", "From date").set_value("2019").run()
    assert "Only in notes.md" in shown(page)

    next(item for item in page.button if item.key == "scope-clear").click().run()

    assert LINE not in shown(page)
    assert field(page, "multiselect", "Documents and folders").value == []
    assert field(page, "text_input", "From date").value == ""
    ask(page, "What is the rent?")
    assert fakes.assistant.scopes == [Scope()]


def test_a_filter_that_cannot_be_is_a_sentence_and_nothing_is_asked(
    page: AppTest, fakes: Fakes
) -> None:
    """Said before the question is typed, and again when it is asked all the same."""
    field(page, "text_input", "From date").set_value("last year").run()

    assert "&#x27;last year&#x27; is no date" in shown(page)
    ask(page, "What is the rent?")
    assert "Not asked" in shown(page)
    assert fakes.assistant.scopes == []
    assert resources.store().summaries() == []


def test_a_document_that_has_gone_is_named(page: AppTest, catalog: Catalog, fakes: Fakes) -> None:
    """A conversation about it can be opened, and its filter be taken away."""
    field(page, "multiselect", "Documents and folders").set_value(["notes.md"]).run()
    ask(page, "What is the rent?")
    documents = {item.document: item.document_id for item in catalog.documents()}
    CatalogWriter(catalog).remove([documents["notes.md"]])
    fakes.choices = ScopeChoices(catalog.facets(), tuple(catalog.paths()))

    page.run()

    assert not page.exception
    assert "No document is called notes.md" in shown(page)
    assert field(page, "multiselect", "Documents and folders").value == ["notes.md"]


def test_a_pattern_can_be_typed(page: AppTest) -> None:
    """What is no document or folder of the list is taken as a pattern."""
    field(page, "multiselect", "Documents and folders").set_value(["*lease*"]).run()

    assert "Only in *lease* · 2 documents" in shown(page)


def test_hostile_names_stay_text(page: AppTest, catalog: Catalog, fakes: Fakes) -> None:
    """In the line above the composer too."""
    hostile = "*<img src=x onerror=alert(1)>*"
    field(page, "multiselect", "Documents and folders").set_value([hostile]).run()

    assert "<img" not in shown(page)


def test_an_empty_library_has_nothing_to_choose(fakes: Fakes, monkeypatch) -> None:
    """No control, no error."""
    monkeypatch.setattr(resources, "counts", lambda: LibraryCounts(0, 0, 0, 0, None))

    page = main_page()

    assert not page.exception
    assert page.get("multiselect") == []


def test_many_documents_are_chosen_by_folder() -> None:
    """Beyond a thousand only folders are listed, each with those around it."""
    paths = [f"reports/20{i % 20:02}/q{i}.pdf" for i in range(1001)]

    names = names_to_choose(paths)

    assert names[:2] == ["reports/", "reports/2000/"]
    assert len(names) == 21
    assert names_to_choose(["a.md", "b/c.md"]) == ["b/", "a.md", "b/c.md"]


def test_a_long_choice_is_described_briefly() -> None:
    """The first three names, and how many more."""
    scope = Scope(documents=("a", "b", "c", "d", "e"), kinds=("pdf",), languages=("xx",))

    assert described(scope) == "a, b, c and 2 more · PDF · xx"

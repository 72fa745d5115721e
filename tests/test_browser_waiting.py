"""What a browser shows from the question to the last word: real pages, a double of Ollama."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from app.conversations import Conversations
from app.plans import Mode
from storage.records import EVERYTHING, Scope
from tests.browser_server import PAPERS, ingest, served_ui
from tests.browser_steps import LONG_MS, a_pdf, answered, ask, expect, patience, shot
from tests.library_fixtures import words, write_files
from tests.ollama_double import Fault, OllamaDouble

pytestmark = [pytest.mark.browser, pytest.mark.timeout(400)]

OPENS = "The harbour opens at six in the morning."
COSTS = "The pilot boat costs 480 euros a day."
PLAN = Scope(documents=("harbour.pdf",))
REPLY = [
    *f'The plan says: "{OPENS}"'.split(" "), "[1]", "\n\n",
    *f'Of the boat it says: "{COSTS}"'.split(" "), "[2]",
    *"and with that the words go on for a good while and tell of ropes and tar".split(" "),
    *[f"and{number}" for number in range(60)],
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Place:
    """A served library, with the store to put conversations into."""

    url: str
    ollama: OllamaDouble
    store: Conversations

    def conversation(self, mode: Mode, scope: Scope = EVERYTHING) -> str:
        """The address of a new conversation that is answered in a mode."""
        conversation = self.store.create("Harbour", scope)
        self.store.set_mode(conversation, mode)
        return f"{self.url}/?c={conversation}"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    home = tmp_path_factory.mktemp("waiting")
    long = {"long.md": "\n\n".join(f"# Part {n}\n\n{words(str(n), 500)}" for n in range(14))}
    papers = write_files(home / "papers", PAPERS | long)
    a_pdf(papers / "harbour.pdf", OPENS, COSTS, "Tar is kept in the shed.")
    ingest(home, papers)
    with OllamaDouble() as ollama:
        settings = {"HAYLOFT_MODEL": "ollama:qwen2:7b", "HAYLOFT_WINDOW": "8192"}
        with served_ui(home, HAYLOFT_OLLAMA_URL=ollama.url, **settings) as ui:
            yield Place(ui.url, ollama, Conversations(home / "conversations.db"))


@pytest.fixture
def page(page: Any) -> Iterator[Any]:
    """The page, waited for however busy the machine is."""
    with patience(page):
        yield page


@pytest.fixture(autouse=True)
def _as_new(place: Place) -> Iterator[None]:
    yield
    place.ollama.fault = None
    place.ollama.load_s, place.ollama.prefill_tokens_per_s = 0.01, 1e6
    place.ollama.tokens_per_s = None


def spoken(*tokens: str) -> list[str]:
    """Tokens as a model gives them, blanks in front."""
    return [token if token.startswith("\n") else f" {token}" for token in tokens]


def stop(page: Any) -> None:
    page.get_by_role("button", name="Stop", exact=True).click()
    page.wait_for_selector("text=Stopped by you")


def test_loading_then_reading_then_marks_that_open(page: Any, place: Place) -> None:
    """Each state in its words, the documents above all the while, a page beside growing words."""
    ollama = place.ollama
    ollama.reply_with(spoken(*REPLY))
    ollama.scheduler.unload_all()
    ollama.load_s, ollama.prefill_tokens_per_s, ollama.tokens_per_s = 15.0, 50.0, 8.0
    page.goto(place.conversation("documents", PLAN))
    ask(page, "What does the pilot boat cost?")

    page.wait_for_selector("text=is being loaded into memory", timeout=LONG_MS)
    expect(page.locator(".hl-sources")).to_contain_text("Sent whole: 1 document, 3 pages")
    expect(page.locator(".hl-sources")).to_contain_text("tokens")
    shot(page, "loading")
    page.wait_for_selector("text=ollama qwen2:7b is reading")
    shot(page, "reading")
    mark = page.locator(".hl-answer .hl-cite", has_text="2")
    mark.wait_for()
    # Slower than a draw: what is under the finger is drawn anew meanwhile.
    mark.click(delay=400)
    dialog = page.locator("[role=dialog]")
    expect(dialog).to_contain_text("page 2")
    expect(page.locator(".hl-answer[aria-busy=true]").first).to_be_visible()
    first = page.locator(".hl-stands .hl-cite.hl-verified", has_text="1")
    first.wait_for()
    expect(page.locator(".hl-answer .hl-cite.hl-verified", has_text="2")).to_be_visible()
    expect(page.locator("[role=dialog] .hl-verdict.hl-verified")).to_be_visible()
    shot(page, "growing")
    # What stands is left alone by the draws.
    first.evaluate("mark => { mark.hlSame = true; mark.focus(); }")
    page.wait_for_timeout(600)
    assert first.evaluate("mark => mark.hlSame && document.activeElement === mark")
    answered(page)
    shot(page, "answered")
    expect(page.locator(".hl-answer .hl-cite.hl-verified")).to_have_count(2)
    ollama.tokens_per_s = None


def test_reading_a_long_prompt_shows_how_far_it_is(page: Any, place: Place) -> None:
    """Once a speed was measured a bar grows, with the time that is left."""
    ollama = place.ollama
    ollama.reply_with("It says nothing of that.")
    ollama.prefill_tokens_per_s = 100.0
    page.goto(place.conversation("documents", PLAN))
    ask(page, "What of the tar?")
    answered(page)
    ask(page, f"And what of {' '.join(f'harbour{n}' for n in range(250))}?")

    bar = page.locator(".hl-progress")
    bar.wait_for()
    shot(page, "progress")
    now = "bar => Number(bar.getAttribute('aria-valuenow'))"
    first = bar.evaluate(now)
    page.wait_for_timeout(1200)
    assert 0 <= first < bar.evaluate(now) < 100
    expect(page.locator(".hl-clock")).to_contain_text(" left")
    stop(page)


def test_every_page_is_read_with_what_there_is_above(page: Any, place: Place) -> None:
    """How many pages of how many documents, from the begin on."""
    place.ollama.prefill_tokens_per_s = 300.0
    page.goto(place.conversation("read-all"))
    ask(page, "Who looks after the hives?")

    page.wait_for_selector("text=is reading every page")
    expect(page.locator(".hl-sources")).to_contain_text("of 4 documents")
    page.wait_for_selector(".hl-clock:has-text('pages read')")
    expect(page.locator(".hl-sources")).to_contain_text("tokens")
    shot(page, "every-page")
    stop(page)


def test_a_queue(page: Any, place: Place, new_context: Callable[..., Any]) -> None:
    """Who asks second is told so, and gets on when the first one stops."""
    place.ollama.reply_with("One two three.")
    place.ollama.inject(Fault.STALL_MID_STREAM, count=1)
    other = new_context().new_page()
    other.goto(place.conversation("passages"))
    ask(other, "Who looks after the hives?")
    other.wait_for_selector(".hl-answer")
    page.goto(place.conversation("passages"))
    ask(page, "What is the per diem?")

    page.wait_for_selector("text=Another question is being answered first")
    shot(page, "queue")
    stop(other)
    answered(page)


def test_a_stopped_answer_still_opens_its_pages(page: Any, place: Place) -> None:
    """The marks of whole documents open them, though nothing was proved to the end."""
    ollama = place.ollama
    ollama.reply_with(spoken(*REPLY))
    ollama.tokens_per_s = 12.0
    page.goto(place.conversation("documents", PLAN))
    ask(page, "What does the pilot boat cost?")
    page.wait_for_selector(".hl-answer .hl-cite >> text=2")

    stop(page)

    shot(page, "stopped")
    page.locator(".hl-answer .hl-cite", has_text="2").click()
    expect(page.locator("[role=dialog]")).to_contain_text("page 2")


def test_no_hits_no_model_and_a_window_too_small(page: Any, place: Place) -> None:
    """Three ends without an answer, each with a sentence of its own."""
    page.goto(place.conversation("passages", Scope(since="2050-01-01")))
    ask(page, "What is the per diem?")
    page.wait_for_selector("text=Nothing found", timeout=LONG_MS)
    shot(page, "no-hits")
    page.goto(place.conversation("documents", Scope(documents=("long.md",))))
    ask(page, "What is said here?")
    page.wait_for_selector("text=No answer")
    expect(page.locator(".hl-notice.hl-error")).to_contain_text("cannot be read whole")
    shot(page, "window")
    place.ollama.inject(Fault.MODEL_MISSING)
    page.goto(place.conversation("passages"))
    ask(page, "What is the per diem?")
    page.wait_for_selector("text=ollama pull qwen2:7b")
    shot(page, "no-model")

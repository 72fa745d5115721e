"""The chat page in a real headless Chromium, against a real server."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser_server import PAPERS, ingest, served_ui
from tests.browser_steps import LONG_MS, WIDE, answered, ask, expect
from tests.chat_fakes import HOSTILE, PER_DIEM
from tests.library_fixtures import write_files
from tests.ollama_double import Fault, Injection, OllamaDouble

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the page over fakes."""
    with served_ui(tmp_path_factory.mktemp("ui"), fakes=True) as ui:
        yield ui.url


def test_an_answer_and_its_page(page: Any, served: str) -> None:
    """Ask, read, click the citation: the page opens with the quoted words in view."""
    page.goto(served)
    ask(page, "What is the per diem?")
    answered(page)

    page.locator(".hl-cite.hl-verified").click()

    mark = page.locator("[role=dialog] mark.hl-quote")
    expect(mark).to_have_text(PER_DIEM)
    expect(mark).to_be_in_viewport()
    assert mark.evaluate("e => getComputedStyle(e).backgroundColor") != "rgba(0, 0, 0, 0)"
    expect(page.locator("[role=dialog] .hl-verdict.hl-verified")).to_be_visible()
    page.get_by_role("button", name="Next page").click()
    expect(page.locator("[role=dialog]")).to_contain_text("A laptop is replaced")
    page.wait_for_function(
        "document.querySelector('[role=dialog]').contains(document.activeElement)"
    )
    page.keyboard.press("Escape")
    expect(page.locator("[role=dialog]")).to_have_count(0)


def test_an_unproved_quote_looks_different(page: Any, served: str) -> None:
    """The citation and the reader both say that the words are not on the page."""
    page.goto(served)
    ask(page, "What is the per diem?")
    answered(page)

    page.locator(".hl-cite.hl-unproved").click()

    expect(page.locator("[role=dialog]")).to_contain_text("Not verified")
    assert page.locator("[role=dialog] mark").count() == 0


def test_stopping(page: Any, served: str) -> None:
    """Sources stand above the growing text; the stop button ends it and keeps what there is."""
    page.goto(served)
    ask(page, "slow please")
    page.wait_for_selector(".hl-sources")
    page.wait_for_selector("text=word8")

    page.get_by_role("button", name="Stop", exact=True).click()

    page.wait_for_selector("text=Stopped by you")
    text = page.locator(".hl-answer").inner_text()
    page.wait_for_timeout(700)
    assert text.startswith("word1 word2")
    assert page.locator(".hl-answer").inner_text() == text
    expect(page.get_by_role("button", name="Ask again")).to_be_visible()


def test_a_reload_in_mid_stream(page: Any, served: str) -> None:
    """The answer goes on meanwhile, and is found again under the same address."""
    page.goto(served)
    ask(page, "slow please")
    page.wait_for_selector("text=word8")

    page.reload()

    page.wait_for_selector("text=word8")
    before = page.locator(".hl-answer").inner_text()
    page.wait_for_function(
        "before => document.querySelector('.hl-answer').innerText.length > before", arg=len(before)
    )
    page.get_by_role("button", name="Stop", exact=True).click()
    page.wait_for_selector("text=Stopped by you")


def test_a_source_can_be_read_while_the_answer_grows(page: Any, served: str) -> None:
    """The reader stays open over a growing answer, and over its end."""
    page.goto(served)
    ask(page, "fast please")
    page.locator(".hl-chip").first.click()
    expect(page.locator("[role=dialog] .hl-passage")).to_be_visible()

    page.wait_for_selector(".hl-receipt", state="attached")

    page.wait_for_timeout(500)
    expect(page.locator("[role=dialog] .hl-passage")).to_be_visible()


def test_a_hundred_pieces_a_second_are_drawn_as_they_come(page: Any, served: str) -> None:
    """400 pieces in 4 s: the page keeps up, and draws at most 20 times a second."""
    page.goto(served)
    page.wait_for_selector(".hl-welcome")
    page.evaluate(
        """() => { window.draws = 0; let last = "";
             new MutationObserver(() => { const e = document.querySelector(".hl-answer");
               if (e && e.textContent !== last) { last = e.textContent; window.draws += 1; } })
             .observe(document.body, {subtree: true, childList: true, characterData: true}); }"""
    )
    started = time.monotonic()

    ask(page, "fast please")
    page.wait_for_selector("text=w0 w1")
    answered(page)

    seconds = time.monotonic() - started
    draws = page.evaluate("window.draws")
    assert page.locator(".hl-answer").inner_text().split()[-1] == "w399"
    assert 5 <= draws <= 20 * seconds
    assert seconds < 12, f"{seconds:.1f} s for an answer of about 4.5 s"


def test_hostile_text_loads_and_runs_nothing(page: Any, served: str) -> None:
    """Images, links and scripts in answers, titles, headings and names stay text."""
    page.goto(served)
    ask(page, f"hostile {HOSTILE}")
    answered(page)
    page.locator(".hl-chip").nth(2).click()
    page.wait_for_selector("[role=dialog] .hl-page")

    assert page.evaluate("window.hacked") is None
    assert page.locator(".stApp img, [role=dialog] img").count() == 0
    assert page.locator(".stApp a[href*=example], [role=dialog] a[href*=example]").count() == 0
    expect(page.locator("[role=dialog] .hl-page")).to_contain_text(HOSTILE)
    assert (
        HOSTILE[:20]
        in page.locator(
            "[role=dialog] h2, [role=dialog] [data-testid=stMarkdownContainer]"
        ).first.inner_text()
    )


def test_conversations(page: Any, served: str) -> None:
    """Rename, begin another, come back, delete, undo; the browser's tab has the name throughout."""
    page.goto(served)
    ask(page, "Tell me about laptops")
    answered(page)
    page.locator(".st-key-conversation-menu button:visible").click()
    page.get_by_text("Rename", exact=True).click()
    page.get_by_label("Title").fill("All about laptops")
    page.get_by_label("Title").press("Enter")
    page.get_by_role("button", name="Save", exact=True).click()
    renamed = page.get_by_role("button", name="All about laptops")
    expect(renamed).to_be_visible()
    expect(page).to_have_title("All about laptops · Hayloft")

    page.get_by_role("button", name="New conversation").click()
    page.wait_for_selector(".hl-welcome")
    expect(page).to_have_title("Hayloft")
    renamed.click()
    page.wait_for_selector(".hl-answer")
    expect(page).to_have_title("All about laptops · Hayloft")
    page.locator(".st-key-conversation-menu button:visible").click()
    page.get_by_text("Delete", exact=True).click()
    page.wait_for_selector(".hl-welcome")
    expect(renamed).to_have_count(0)
    page.get_by_role("button", name="Undo").click()

    page.wait_for_selector(".hl-answer")
    expect(renamed).to_be_visible()


def test_versions_of_an_answer_and_a_search(page: Any, served: str) -> None:
    """Change a question by keyboard, look at both versions, judge, and find it from elsewhere."""
    page.goto(served)
    ask(page, "What is the zebra allowance?")
    answered(page)
    page.get_by_role("button", name="Edit question").focus()
    page.keyboard.press("Enter")
    page.get_by_label("Your question").fill("What is the giraffe allowance?")
    page.get_by_role("button", name="Ask", exact=True).click()
    page.wait_for_selector("text=Version 2 of 2")
    page.get_by_role("button", name="Earlier version").click()
    page.wait_for_selector(".hl-question:has-text('zebra')")
    page.get_by_role("button", name="A good answer", exact=True).click()
    page.wait_for_selector("[aria-label='A good answer'][aria-pressed=true]")
    page.get_by_role("button", name="New conversation").click()
    page.wait_for_selector(".hl-welcome")

    search = page.get_by_label("Search all conversations")
    search.fill("GIRAFFE allow")
    search.press("Enter")
    page.locator("[class*=st-key-found-] button").click()

    page.wait_for_selector(".hl-question:has-text('giraffe')")
    expect(page.locator(".hl-excerpt mark")).to_have_text("giraffe")
    expect(page.locator(".hl-question")).to_have_count(1)


def test_a_refused_question_is_said(page: Any, served: str) -> None:
    """A question of 100,000 characters is refused in a sentence; nothing is sent."""
    page.goto(served)

    ask(page, "x" * 100_000)

    page.wait_for_selector("text=100,000 characters long")
    expect(page.locator(".hl-answer")).to_have_count(0)


def test_phone_width(page: Any, served: str) -> None:
    """On a phone nothing has to be scrolled sideways, and the reader fits."""
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto(served)
    ask(page, "hostile on a phone")
    answered(page)

    assert page.evaluate(WIDE) <= 0
    page.locator(".hl-cite").first.click()
    page.wait_for_selector("[role=dialog] .hl-page")
    assert page.evaluate(WIDE) <= 0


def test_citations_are_reached_by_keyboard(page: Any, served: str) -> None:
    """A citation is a button with a name, and Enter opens it."""
    page.goto(served)
    ask(page, "What is the per diem?")
    answered(page)
    cite = page.get_by_role("button", name="Source 1, quote verified")

    cite.focus()
    page.keyboard.press("Enter")

    page.wait_for_selector("[role=dialog] mark.hl-quote")


@pytest.mark.timeout(300)
def test_the_real_thing(page: Any, tmp_path: Path) -> None:
    """An empty library, `hayloft ingest` beside the open page, then a verified answer."""
    with served_ui(tmp_path) as ui:
        page.goto(ui.url)
        page.wait_for_selector("text=The library is empty")
        ingest(tmp_path, write_files(tmp_path / "papers", PAPERS))

        page.wait_for_selector("text=What would you like to know?")
        ask(page, "What is the per diem for domestic travel?")
        answered(page)

        assert "48 euros" in page.locator(".hl-answer").inner_text()
        assert "No model read anything" in page.locator(".hl-receipt").inner_text()
        page.locator(".hl-cite.hl-verified").first.click()
        mark = page.locator("[role=dialog] mark.hl-quote")
        expect(mark.first).to_contain_text("48 euros")
        page.reload()
        page.wait_for_selector("text=48 euros")


@pytest.mark.timeout(300)
def test_ollama_goes_away_in_mid_answer_and_comes_back(page: Any, tmp_path: Path) -> None:
    """The partial answer stays with a sentence; asking again answers, with a full receipt."""
    reply = 'The rules say: "The per diem for domestic travel is 48 euros a day." [1] '
    reply += " ".join(f"More {number}." for number in range(30))
    cut = Injection(Fault.CUT_MID_CHUNK, count=1, after_tokens=25)
    ingest(tmp_path, write_files(tmp_path / "papers", PAPERS))
    with (
        OllamaDouble(reply=reply, tokens_per_s=30, fault=cut) as ollama,
        served_ui(tmp_path, HAYLOFT_MODEL="auto", HAYLOFT_OLLAMA_URL=ollama.url) as ui,
    ):
        page.goto(ui.url)
        expect(page.locator(".hl-facts")).to_contain_text("ollama qwen2")
        ask(page, "What is the per diem for domestic travel?")
        page.wait_for_selector("text=The answer broke off", timeout=LONG_MS)
        partial = page.locator(".hl-answer").inner_text()
        page.get_by_role("button", name="Ask again").click()
        page.wait_for_selector("details.hl-receipt", timeout=LONG_MS)

        assert partial.startswith("The rules say")
        receipt = page.locator("details.hl-receipt").text_content() or ""
        assert "Evaluated by the server" in receipt
        page.locator(".hl-cite.hl-verified").first.click()
        mark = page.locator("[role=dialog] mark.hl-quote")
        expect(mark.first).to_contain_text("48 euros a day")
        page.keyboard.press("Escape")
        ask(page, "And for laptops?")
        page.get_by_role("button", name="Stop", exact=True).click()
        page.wait_for_selector("text=Stopped by you")

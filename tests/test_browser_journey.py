"""A reader's way through the chat in a real headless Chromium: a real server, real pages."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.conversations import Conversations
from tests.browser_pixels import WHITE, is_highlight, main_colour
from tests.browser_server import ingest, served_ui
from tests.browser_steps import BOX, LONG_MS, WIDE, a_pdf, ask, drop, expect
from tests.canned_server import free_port
from tests.ollama_double import OllamaDouble

pytestmark = [pytest.mark.browser, pytest.mark.timeout(400)]

QUOTED = "The pilot boat costs 480 euros a day."
NEARLY = "The harbour opens at seven in the morning"
NOWHERE = "The lighthouse keeper owns eleven goats"
REPLY = f'It is dear: "{QUOTED}" [2] The plan also says "{NEARLY}" [1] and "{NOWHERE}" [1].'


def harbour(path: Path) -> Path:
    """Two pages: words to quote on the first, others at the same height of the second."""
    lines = ("The harbour opens at six in the morning, and closes when the tide is low.", QUOTED)
    return a_pdf(path, *lines)


@pytest.fixture(scope="module")
def ollama() -> Iterator[OllamaDouble]:
    with OllamaDouble(reply=REPLY) as double:
        yield double


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("journey")


@pytest.fixture(scope="module")
def served(home: Path, ollama: OllamaDouble) -> Iterator[str]:
    """The address of `hayloft ui` over one PDF and many conversations."""
    papers = home / "papers"
    papers.mkdir()
    harbour(papers / "harbour-plan.pdf")
    ingest(home, papers)
    store = Conversations(home / "conversations.db")
    for number in range(200):
        conversation = store.create(f"Talk number {number}")
        turn = store.begin_turn(conversation, f"What of barrel {number}?")
        store.end_turn(turn, "stopped")
    store.close()
    with served_ui(home, HAYLOFT_MODEL="auto", HAYLOFT_OLLAMA_URL=ollama.url) as ui:
        yield ui.url


def asked(page: Any, served: str) -> None:
    page.goto(served)
    ask(page, "What does the pilot boat cost a day?")
    page.wait_for_selector("details.hl-receipt", timeout=LONG_MS)


def test_a_citation_opens_the_page_with_its_words_highlighted(page: Any, served: str) -> None:
    """The picture of the page, its pixels under the quote yellow; without it they are white."""
    asked(page, served)

    page.locator(".hl-cite.hl-verified").first.click()

    box = page.locator("[role=dialog] .hl-box-quote").first
    expect(box).to_be_in_viewport()
    expect(page.locator("[role=dialog] .hl-sheet img")).to_have_js_property("complete", True)
    area = box.bounding_box()
    assert is_highlight(main_colour(page, area))
    page.get_by_role("button", name="Previous page").click()
    expect(page.locator("[role=dialog] .hl-box")).to_have_count(0)
    expect(page.locator("[role=dialog] .hl-verdict")).to_have_count(0)
    page.wait_for_timeout(300)
    assert main_colour(page, area) == WHITE
    page.get_by_role("button", name="Back to the passage").click()
    expect(page.locator("[role=dialog] .hl-box-quote")).to_have_count(1)
    page.get_by_text("Show the page itself").click()
    expect(page.locator("[role=dialog] mark.hl-quote")).to_have_text(QUOTED)
    page.get_by_text("Show the page itself").click()
    expect(page.locator("[role=dialog] .hl-box-quote")).to_have_count(1)

    page.locator(".hl-cite.hl-near").first.click()

    nearby = page.locator("[role=dialog] .hl-box-nearby")
    expect(nearby).to_be_in_viewport()
    expect(page.locator("[role=dialog] .hl-box-quote")).to_have_count(0)
    colour = main_colour(page, nearby.bounding_box())
    assert colour != WHITE and not is_highlight(colour)
    expect(page.locator("[role=dialog] .hl-verdict.hl-near")).to_be_visible()
    expect(page.locator("[role=dialog] .hl-verdict.hl-unproved")).to_be_visible()


def test_one_reads_beside_asking(page: Any, served: str) -> None:
    """The answer stays in sight, the next question can be typed; Escape closes from there."""
    page.set_viewport_size({"width": 1400, "height": 900})
    asked(page, served)
    cite = page.locator(".hl-cite.hl-verified").first
    cite.focus()
    page.keyboard.press("Enter")
    expect(page.locator("[role=dialog] .hl-box-quote")).to_be_visible()

    answer = page.locator(".hl-answer").last.bounding_box()
    reader = page.locator("[role=dialog]").bounding_box()
    assert answer["x"] + answer["width"] <= reader["x"]
    assert page.evaluate("document.activeElement.classList.contains('hl-page')")
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_role("button", name="Back to the passage")).to_be_visible()
    page.locator(BOX).fill("And at night?")
    page.keyboard.press("Escape")
    expect(page.locator("[role=dialog]")).to_have_count(0)
    expect(page.locator(BOX)).to_have_value("And at night?")
    cite.focus()
    page.keyboard.press("Enter")
    page.wait_for_function("document.activeElement.classList.contains('hl-page')")
    page.keyboard.press("Escape")
    expect(page.locator("[role=dialog]")).to_have_count(0)
    page.wait_for_function("document.activeElement.matches('.hl-cite.hl-verified')")


def test_single_keys_do_something_only_while_nothing_is_typed(page: Any, served: str) -> None:
    """From citation to citation, to the question, to a new conversation; a list; switched off."""
    asked(page, served)
    page.evaluate("document.activeElement.blur()")

    page.keyboard.press("j")
    page.wait_for_function("document.activeElement.matches('.hl-cite.hl-verified')")
    page.keyboard.press("j")
    page.wait_for_function("document.activeElement.matches('.hl-cite.hl-near')")
    page.keyboard.press("k")
    page.wait_for_function("document.activeElement.matches('.hl-cite.hl-verified')")
    page.keyboard.press("/")
    page.keyboard.type("n?j/")
    box = page.locator(BOX)
    expect(box).to_have_value("n?j/")
    expect(page.locator("[data-testid=stDialog]")).to_have_count(0)
    box.fill("")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("?")
    expect(page.locator("[data-testid=stDialog] .hl-keys")).to_contain_text("New conversation")
    page.get_by_text("Single keys do this").click()
    page.wait_for_timeout(500)
    page.keyboard.press("Escape")
    expect(page.locator("[data-testid=stDialog]")).to_have_count(0)
    page.wait_for_timeout(500)
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("n")
    page.wait_for_timeout(700)
    assert "c=" in page.url
    page.get_by_role("button", name="Keyboard").click()
    page.get_by_text("Single keys do this").click()
    page.wait_for_timeout(500)
    page.keyboard.press("Escape")
    expect(page.locator("[data-testid=stDialog]")).to_have_count(0)
    page.wait_for_timeout(500)
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("n")
    page.wait_for_selector(".hl-welcome")


def test_two_hundred_conversations(page: Any, served: str) -> None:
    """The newest are listed, all can be, and a search finds an old one by its question."""
    began = time.monotonic()
    page.goto(served)
    page.wait_for_selector(".hl-welcome")
    page.locator(f"{BOX}:enabled").wait_for()
    took = time.monotonic() - began
    rows = page.locator("[data-testid=stSidebar] [class*=st-key-open-]")
    listed = rows.count()
    page.get_by_role("button", name=" more", exact=False).first.click()
    expect(page.get_by_role("button", name="Talk number 0", exact=True)).to_be_attached()
    search = page.get_by_label("Search all conversations")
    search.fill("barrel 17?")
    search.press("Enter")

    page.get_by_role("button", name="Talk number 17", exact=True).click()

    page.wait_for_selector(".hl-question:has-text('barrel 17?')")
    assert listed <= 30
    assert took < 15, f"{took:.1f} s to a page that can be typed into"


def test_two_tabs_of_one_conversation(page: Any, served: str) -> None:
    """What one asks, the other shows with its next look; neither loses a turn."""
    asked(page, served)
    other = page.context.new_page()
    other.goto(page.url)
    other.wait_for_selector("details.hl-receipt")
    ask(other, "And at night?")
    expect(other.locator("details.hl-receipt")).to_have_count(2)
    ask(page, "And on Sundays?")

    expect(page.locator("details.hl-receipt")).to_have_count(3)

    told = page.locator(".hl-question").all_inner_texts()
    assert told == ["What does the pilot boat cost a day?", "And at night?", "And on Sundays?"]
    other.close()


def test_a_printed_conversation_is_whole(page: Any, served: str, tmp_path: Path) -> None:
    """Every turn is on paper, over as many sheets as it takes; the controls are not."""
    import pypdfium2

    asked(page, served)
    for number in range(5):
        ask(page, f"And on day {number}?")
        expect(page.locator("details.hl-receipt")).to_have_count(number + 2)
    page.locator(".hl-cite.hl-verified").first.click()
    page.wait_for_selector("[role=dialog] .hl-page")
    page.pdf(path=str(tmp_path / "print.pdf"))

    sheets = pypdfium2.PdfDocument(tmp_path / "print.pdf")
    text = "\n".join(sheet.get_textpage().get_text_range() for sheet in sheets)

    assert len(sheets) > 1
    assert all(f"And on day {number}?" in text for number in range(5))
    assert text.count("480 euros") >= 6
    assert not [word for word in ("New conversation", "Answer again", "Close") if word in text]


def test_a_newcomers_way(page: Any, tmp_path: Path) -> None:
    """An empty library: drop a PDF, watch, ask, reload in mid-stream, stop, follow up; the server
    is killed in mid-answer, and what had arrived is there after the next start.
    """
    long = REPLY + " " + " ".join(f"Word{number}" for number in range(900))
    given = harbour(tmp_path / "harbour-plan.pdf")
    port = free_port()
    with OllamaDouble(reply=long, tokens_per_s=15.0) as ollama:
        settings = {"HAYLOFT_MODEL": "auto", "HAYLOFT_OLLAMA_URL": ollama.url}
        with served_ui(tmp_path, port=port, **settings) as ui:
            page.goto(ui.url)
            page.wait_for_selector("text=The library is empty")
            drop(page, given)
            ask(page, "What does the pilot boat cost a day?")
            page.wait_for_selector(".hl-dropped >> text=harbour-plan.pdf", state="attached")
            page.wait_for_selector("text=Word9 ", timeout=LONG_MS)
            page.reload()
            page.wait_for_selector("text=Word9 ")
            page.get_by_role("button", name="Stop", exact=True).click()
            page.wait_for_selector("text=Stopped by you")
            asked_for = [one for one in ollama.requests if one.path == "/api/chat"][-1]
            assert asked_for.wait(3.0) and asked_for.disconnected
            assert asked_for.generated < 800

            ask(page, "And what else does the plan say?")
            expect(page.locator(".hl-answer").nth(1)).to_contain_text("Word5 ")
            page.wait_for_timeout(1200)
            kill(ui.process, tmp_path)
            ui.process.wait(20)
        with served_ui(tmp_path, port=port, **settings):
            page.set_viewport_size({"width": 390, "height": 844})
            page.reload()
            page.wait_for_selector("text=Interrupted", timeout=LONG_MS)
            expect(page.locator(".hl-answer").nth(1)).to_contain_text("Word5 ")
            assert page.evaluate(WIDE) <= 0


def kill(process: subprocess.Popen[bytes], data_dir: Path) -> None:
    """Kill the page's server itself, which `hayloft ui` started, without a word."""
    told = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    servers = [
        int(pid) for pid in told if b"page_process.py" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]
    assert servers, json.dumps({"children": told, "data_dir": str(data_dir)})
    for pid in servers:
        os.kill(pid, signal.SIGKILL)

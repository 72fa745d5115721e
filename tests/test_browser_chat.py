"""The chat page in a real headless Chromium, against a real server."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.cli_ui import command
from tests.chat_fakes import HOSTILE, PER_DIEM
from tests.ollama_double import Fault, Injection, OllamaDouble

pytestmark = pytest.mark.browser
playwright_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

ROOT = Path(__file__).parents[1]
CHROMIUM = os.environ.get("HAYLOFT_CHROMIUM") or next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
HAYLOFT = [sys.executable, str(ROOT / "hayloft.py")]
WAIT_MS = 20_000


def serve(
    data_dir: Path, words: list[str], **environment: str
) -> tuple[subprocess.Popen[bytes], Path]:
    log = data_dir / "server.log"
    with log.open("wb") as out:
        return (
            subprocess.Popen(
                words,
                stdout=out,
                stderr=out,
                cwd=data_dir,
                env={
                    **os.environ,
                    "HAYLOFT_DATA_DIR": str(data_dir),
                    "HAYLOFT_MODEL": "extractive",
                    "HF_HUB_OFFLINE": "1",
                    "PYTHONPATH": str(ROOT),
                    **environment,
                },
            ),
            log,
        )


def a_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def until_ready(process: subprocess.Popen[bytes], port: int, log: Path) -> str:
    url = f"http://localhost:{port}"
    deadline = time.monotonic() + 60
    while True:
        assert process.poll() is None and time.monotonic() < deadline, log.read_text()
        try:
            with urllib.request.urlopen(f"{url}/_stcore/health", timeout=2):
                return url
        except OSError:
            time.sleep(0.1)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the page over fakes."""
    data_dir = tmp_path_factory.mktemp("ui")
    port = a_port()
    words = [
        str(ROOT / "tests" / "chat_fakes_entry.py") if word.endswith("page_server.py") else word
        for word in command("127.0.0.1", port)
    ]
    process, log = serve(data_dir, words)
    try:
        yield until_ready(process, port, log)
    finally:
        process.terminate()
        process.wait(15)
    assert "Traceback" not in log.read_text().replace("ZeroDivisionError", "")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("no Chromium here: install Debian's `chromium`, or set HAYLOFT_CHROMIUM")
    with playwright_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Any) -> Iterator[Any]:
    """A fresh browser context; at its end nothing may have been asked of any other host."""
    context = chromium.new_context(viewport={"width": 1200, "height": 900})
    context.set_default_timeout(WAIT_MS)
    opened = context.new_page()
    asked: list[str] = []
    faults: list[str] = []
    opened.on("request", lambda request: asked.append(request.url))
    opened.on("pageerror", lambda error: faults.append(str(error)))
    yield opened
    context.close()
    foreign = [
        url
        for url in asked
        if not url.startswith(("http://localhost:", "ws://localhost:", "data:", "blob:"))
    ]
    assert foreign == []
    assert faults == []


def ask(page: Any, question: str) -> None:
    box = page.locator("textarea[data-testid=stChatInputTextArea]")
    playwright_api.expect(box).to_be_enabled()
    box.fill(question)
    box.press("Enter")


def answered(page: Any) -> None:
    page.wait_for_selector(".hl-receipt")


def test_an_answer_and_its_page(page: Any, served: str) -> None:
    """Ask, read, click the citation: the page opens with the quoted words in view."""
    page.goto(served)
    ask(page, "What is the per diem?")
    answered(page)

    page.locator(".hl-cite.hl-verified").click()

    mark = page.locator("[role=dialog] mark.hl-quote")
    playwright_api.expect(mark).to_have_text(PER_DIEM)
    playwright_api.expect(mark).to_be_in_viewport()
    assert mark.evaluate("e => getComputedStyle(e).backgroundColor") != "rgba(0, 0, 0, 0)"
    playwright_api.expect(page.locator("[role=dialog] .hl-verdict.hl-verified")).to_be_visible()
    page.get_by_role("button", name="Next page").click()
    playwright_api.expect(page.locator("[role=dialog]")).to_contain_text("A laptop is replaced")
    page.wait_for_function(
        "document.querySelector('[role=dialog]').contains(document.activeElement)"
    )
    page.keyboard.press("Escape")
    playwright_api.expect(page.locator("[role=dialog]")).to_have_count(0)


def test_an_unproved_quote_looks_different(page: Any, served: str) -> None:
    """The citation and the reader both say that the words are not on the page."""
    page.goto(served)
    ask(page, "What is the per diem?")
    answered(page)

    page.locator(".hl-cite.hl-unproved").click()

    playwright_api.expect(page.locator("[role=dialog]")).to_contain_text("Not verified")
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
    playwright_api.expect(page.get_by_role("button", name="Ask again")).to_be_visible()


def test_a_reload_in_mid_stream(page: Any, served: str) -> None:
    """The answer goes on meanwhile, and is found again under the same address."""
    page.goto(served)
    ask(page, "slow please")
    page.wait_for_selector("text=word8")

    page.reload()

    page.wait_for_selector("text=word8")
    before = page.locator(".hl-answer").inner_text()
    page.wait_for_timeout(600)
    assert len(page.locator(".hl-answer").inner_text()) > len(before)
    page.get_by_role("button", name="Stop", exact=True).click()
    page.wait_for_selector("text=Stopped by you")


def test_a_source_can_be_read_while_the_answer_grows(page: Any, served: str) -> None:
    """The reader stays open over a growing answer, and over its end."""
    page.goto(served)
    ask(page, "fast please")
    page.locator(".hl-chip").first.click()
    playwright_api.expect(page.locator("[role=dialog] .hl-passage")).to_be_visible()

    page.wait_for_selector(".hl-receipt", state="attached")

    page.wait_for_timeout(500)
    playwright_api.expect(page.locator("[role=dialog] .hl-passage")).to_be_visible()


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
    playwright_api.expect(page.locator("[role=dialog] .hl-page")).to_contain_text(HOSTILE)
    assert (
        HOSTILE[:20]
        in page.locator(
            "[role=dialog] h2, [role=dialog] [data-testid=stMarkdownContainer]"
        ).first.inner_text()
    )


def test_conversations(page: Any, served: str) -> None:
    """Rename, begin another, come back, delete, undo."""
    page.goto(served)
    ask(page, "Tell me about laptops")
    answered(page)
    page.locator(".st-key-conversation-menu button:visible").click()
    page.get_by_text("Rename", exact=True).click()
    page.get_by_label("Title").fill("All about laptops")
    page.get_by_label("Title").press("Enter")
    page.get_by_role("button", name="Save", exact=True).click()
    renamed = page.get_by_role("button", name="All about laptops")
    playwright_api.expect(renamed).to_be_visible()

    page.get_by_role("button", name="New conversation").click()
    page.wait_for_selector(".hl-welcome")
    renamed.click()
    page.wait_for_selector(".hl-answer")
    page.locator(".st-key-conversation-menu button:visible").click()
    page.get_by_text("Delete", exact=True).click()
    page.wait_for_selector(".hl-welcome")
    playwright_api.expect(renamed).to_have_count(0)
    page.get_by_role("button", name="Undo").click()

    page.wait_for_selector(".hl-answer")
    playwright_api.expect(renamed).to_be_visible()


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
    playwright_api.expect(page.locator(".hl-excerpt mark")).to_have_text("giraffe")
    playwright_api.expect(page.locator(".hl-question")).to_have_count(1)


def test_a_refused_question_is_said(page: Any, served: str) -> None:
    """A question of 100,000 characters is refused in a sentence; nothing is sent."""
    page.goto(served)

    ask(page, "x" * 100_000)

    page.wait_for_selector("text=100,000 characters long")
    playwright_api.expect(page.locator(".hl-answer")).to_have_count(0)


def test_phone_width(page: Any, served: str) -> None:
    """On a phone nothing has to be scrolled sideways, and the reader fits."""
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto(served)
    ask(page, "hostile on a phone")
    answered(page)
    wide = "() => document.documentElement.scrollWidth - window.innerWidth"

    assert page.evaluate(wide) <= 0
    page.locator(".hl-cite").first.click()
    page.wait_for_selector("[role=dialog] .hl-page")
    assert page.evaluate(wide) <= 0


def test_citations_are_reached_by_keyboard(page: Any, served: str) -> None:
    """A citation is a button with a name, and Enter opens it."""
    page.goto(served)
    ask(page, "What is the per diem?")
    answered(page)
    cite = page.get_by_role("button", name="Source 1, quote verified")

    cite.focus()
    page.keyboard.press("Enter")

    page.wait_for_selector("[role=dialog] mark.hl-quote")


def fill(folder: Path) -> None:
    """Two small documents."""
    folder.mkdir()
    (folder / "travel.md").write_text(
        "# Travel rules\n\n## Per diem\n\nThe per diem for domestic travel is 48 euros a day.\n"
        "\n## Receipts\n\nReceipts are handed in within thirty days of the journey.\n"
    )
    (folder / "bees.md").write_text("# Bees\n\nThe hives on the roof are looked after by Ines.\n")


def ingest(data_dir: Path, folder: Path) -> None:
    done = subprocess.run(
        [*HAYLOFT, "ingest", str(folder)],
        env={**os.environ, "HAYLOFT_DATA_DIR": str(data_dir), "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.timeout(300)
def test_the_real_thing(page: Any, tmp_path: Path) -> None:
    """An empty library, `hayloft ingest` beside the open page, then a verified answer."""
    port = a_port()
    process, log = serve(tmp_path, [*HAYLOFT, "ui", "--port", str(port)])
    try:
        page.goto(until_ready(process, port, log))
        page.wait_for_selector("text=The library is empty")
        fill(tmp_path / "papers")
        ingest(tmp_path, tmp_path / "papers")

        page.wait_for_selector("text=What would you like to know?")
        ask(page, "What is the per diem for domestic travel?")
        page.wait_for_selector(".hl-receipt", timeout=90_000)

        assert "48 euros" in page.locator(".hl-answer").inner_text()
        assert "No model read anything" in page.locator(".hl-receipt").inner_text()
        page.locator(".hl-cite.hl-verified").first.click()
        mark = page.locator("[role=dialog] mark.hl-quote")
        playwright_api.expect(mark.first).to_contain_text("48 euros")
        page.reload()
        page.wait_for_selector("text=48 euros")
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)
    assert "Traceback" not in log.read_text()


@pytest.mark.timeout(300)
def test_ollama_goes_away_in_mid_answer_and_comes_back(page: Any, tmp_path: Path) -> None:
    """The partial answer stays with a sentence; asking again answers, with a full receipt."""
    reply = 'The rules say: "The per diem for domestic travel is 48 euros a day." [1] '
    reply += " ".join(f"More {number}." for number in range(30))
    cut = Injection(Fault.CUT_MID_CHUNK, count=1, after_tokens=25)
    fill(tmp_path / "papers")
    ingest(tmp_path, tmp_path / "papers")
    port = a_port()
    with OllamaDouble(reply=reply, tokens_per_s=30, fault=cut) as ollama:
        process, log = serve(
            tmp_path,
            [*HAYLOFT, "ui", "--port", str(port)],
            HAYLOFT_MODEL="auto",
            HAYLOFT_OLLAMA_URL=ollama.url,
        )
        try:
            page.goto(until_ready(process, port, log))
            playwright_api.expect(page.locator(".hl-facts")).to_contain_text("ollama qwen2")
            ask(page, "What is the per diem for domestic travel?")
            page.wait_for_selector("text=The answer broke off", timeout=90_000)
            partial = page.locator(".hl-answer").inner_text()
            page.get_by_role("button", name="Ask again").click()
            page.wait_for_selector("details.hl-receipt", timeout=60_000)

            assert partial.startswith("The rules say")
            assert "Evaluated by the server" in (
                page.locator("details.hl-receipt").text_content() or ""
            )
            page.locator(".hl-cite.hl-verified").first.click()
            mark = page.locator("[role=dialog] mark.hl-quote")
            playwright_api.expect(mark.first).to_contain_text("48 euros a day")
            page.keyboard.press("Escape")
            ask(page, "And for laptops?")
            page.get_by_role("button", name="Stop", exact=True).click()
            page.wait_for_selector("text=Stopped by you")
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)
    assert "Traceback" not in log.read_text()

"""Reading and writing at ease in a real headless Chromium: larger pages, wide tables, formulas, and
a question that is typed while another is answered.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser_server import ingest, served_ui
from tests.browser_steps import BOX, LONG_MS, WIDE, a_pdf, ask, expect
from tests.ollama_double import OllamaDouble

pytestmark = [pytest.mark.browser, pytest.mark.timeout(400)]

QUOTED = "The pilot boat costs 480 euros a day."
ROWS = "".join(
    f"| Company {n} | $1,{n}34,567 | 1,{n}00 | a longer note on it |\n" for n in range(9)
)
REPLY = (
    f'It is dear: "{QUOTED}" [1]\n\n'
    "| Company | Net revenue of the year | Employees | A note on the company |\n|---|---|---|---|\n"
    f"{ROWS}\n"
    "The margin is \\( \\frac{\\text{income}}{\\text{revenue}} \\).\n\n"
    "```python\nprice = 480\n```\n"
)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, OllamaDouble]]:
    """The address of `hayloft ui` over one PDF, and the model behind it."""
    home = tmp_path_factory.mktemp("reading")
    papers = home / "papers"
    papers.mkdir()
    a_pdf(papers / "harbour-plan.pdf", QUOTED, "The harbour opens at six.")
    ingest(home, papers)
    with (
        OllamaDouble(reply=REPLY) as ollama,
        served_ui(home, HAYLOFT_MODEL="auto", HAYLOFT_OLLAMA_URL=ollama.url) as ui,
    ):
        yield ui.url, ollama


def asked(page: Any, served: tuple[str, OllamaDouble]) -> None:
    page.goto(served[0])
    ask(page, "What does the pilot boat cost a day?")
    page.wait_for_selector("details.hl-receipt", timeout=LONG_MS)


def test_a_page_is_made_larger_and_stays_so(page: Any, served: tuple[str, OllamaDouble]) -> None:
    """By its buttons and by + and -; the mark grows with it, and the next page is as large."""
    asked(page, served)
    page.locator(".hl-cite.hl-verified").first.click()
    box = page.locator("[role=dialog] .hl-box-quote").first
    expect(box).to_be_in_viewport()
    before = box.bounding_box()["width"]

    page.get_by_role("button", name="Larger").click()

    assert box.bounding_box()["width"] == pytest.approx(1.5 * before, rel=0.02)
    page.locator("[role=dialog] .hl-page").focus()
    page.keyboard.press("+")
    assert box.bounding_box()["width"] == pytest.approx(2 * before, rel=0.02)
    expect(box).to_be_in_viewport()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("button", name="Back to the passage")).to_be_visible()
    wide = "e => e.scrollWidth / e.clientWidth"
    page.wait_for_function(
        "document.querySelector('[role=dialog] .hl-picture img[alt=\"Page 2\"]')"
    )
    picture = page.locator("[role=dialog] .hl-picture")
    assert picture.evaluate(wide) == pytest.approx(2, rel=0.03)
    for _ in range(2):
        page.get_by_role("button", name="Smaller").click()
    expect(page.get_by_role("button", name="Smaller")).to_be_disabled()
    assert picture.evaluate(wide) == pytest.approx(1, rel=0.03)


def test_numbers_of_a_table_stay_whole(page: Any, served: tuple[str, OllamaDouble]) -> None:
    """On a phone the table scrolls by itself: no figure breaks over two lines, nothing spills."""
    page.set_viewport_size({"width": 390, "height": 844})
    asked(page, served)

    lines = page.locator(".hl-answer td:nth-child(2)").evaluate_all(
        """cells => cells.map(cell => {
            const range = document.createRange();
            range.selectNodeContents(cell);
            return new Set([...range.getClientRects()].map(rect => Math.round(rect.top))).size;
        })"""
    )

    assert len(lines) == 9 and set(lines) == {1}
    assert page.evaluate(WIDE) <= 0


def test_formulas_are_drawn_and_code_is_copied(page: Any, served: tuple[str, OllamaDouble]) -> None:
    """A fraction has one part above the other; the code's own button copies the code alone."""
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    asked(page, served)

    # Both at one moment: the page may still be scrolling to the answer.
    bottom, top = page.evaluate(
        """() => {
            const part = place => document.querySelector(`.hl-frac > span:${place}-child`);
            return [part("first").getBoundingClientRect().bottom,
                    part("last").getBoundingClientRect().top];
        }"""
    )
    page.locator(".hl-code").get_by_role("button", name="Copy").click()

    expect(page.locator(".hl-code").get_by_role("button")).to_have_text("Copied")
    assert bottom <= top + 1
    assert page.evaluate("navigator.clipboard.readText()") == "price = 480"


def test_the_next_question_is_typed_while_one_is_answered(
    page: Any, served: tuple[str, OllamaDouble]
) -> None:
    """The cursor stays in the field, and what is sent from it is asked when the answer is done."""
    url, ollama = served
    ollama.tokens_per_s = 2.0
    try:
        page.goto(url)
        ask(page, "What does the pilot boat cost a day?")
        page.get_by_role("button", name="Stop", exact=True).wait_for(timeout=LONG_MS)
        assert page.evaluate("document.activeElement.matches('textarea')")
        page.keyboard.type("And at night?")
        page.keyboard.press("Enter")
        expect(page.locator(".hl-waits")).to_contain_text("And at night?", timeout=LONG_MS)
        page.keyboard.type("And then")
        page.reload()
        expect(page.locator(".hl-waits")).to_contain_text("And at night?", timeout=LONG_MS)
    finally:
        ollama.tokens_per_s = None

    page.get_by_role("button", name="Stop", exact=True).click()

    expect(page.locator(".hl-question").nth(1)).to_have_text("And at night?", timeout=LONG_MS)
    expect(page.locator("details.hl-receipt")).to_have_count(1, timeout=LONG_MS)
    expect(page.locator(BOX)).to_be_enabled()
    page.get_by_role("button", name="Edit question").last.click()
    expect(page.get_by_label("Your question")).to_be_focused()


def test_return_renames(page: Any, served: tuple[str, OllamaDouble]) -> None:
    """The cursor stands in the title; Return keeps it and closes the dialog."""
    asked(page, served)
    page.locator(".st-key-conversation-menu button").first.click()
    page.get_by_role("menuitem", name="Rename").or_(
        page.get_by_role("option", name="Rename")
    ).first.click()
    expect(page.get_by_label("Title")).to_be_focused()
    page.keyboard.press("Control+a")
    page.keyboard.type("Boats <b>and</b> pilots")

    page.keyboard.press("Enter")

    expect(page.locator("[data-testid=stDialog]")).to_have_count(0)
    expect(page.locator("[data-testid=stSidebar]")).to_contain_text("Boats <b>and</b> pilots")

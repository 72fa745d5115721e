"""Files dropped into the composer, in a real headless Chromium over a real server and real runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser_pixels import is_highlight, main_colour
from tests.browser_server import served_ui
from tests.browser_steps import LONG_MS, WIDE, a_pdf, answered, ask, drop, expect, shot

pytestmark = [pytest.mark.browser, pytest.mark.timeout(400)]


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    """The address of `hayloft ui` over an empty library; answers are quotes."""
    with served_ui(tmp_path) as ui:
        yield ui.url


def test_the_first_thing_a_newcomer_does(page: Any, served: str, tmp_path: Path) -> None:
    """An empty library: drop a PDF with a question, watch, read the cited answer; then keep it."""
    secret = a_pdf(
        tmp_path / "harbour-plan.pdf",
        "The harbour opens at six in the morning.",
        "The pilot boat costs 480 euros a day.",
    )
    page.goto(served)
    page.wait_for_selector("text=The library is empty")
    shot(page, "1-empty")

    drop(page, secret)
    shot(page, "2-attached")
    ask(page, "What does the pilot boat cost a day?")

    line = page.locator(".hl-dropped")
    expect(line.first).to_contain_text("harbour-plan.pdf")
    expect(line.first).to_contain_text("Asked when the files are read")
    shot(page, "3-reading")
    page.reload()
    expect(page.locator(".hl-dropped").first).to_contain_text("harbour-plan.pdf")
    answered(page)
    expect(page.locator(".hl-answer")).to_contain_text("480 euros")
    shot(page, "4-answered")
    page.locator(".hl-cite.hl-verified").first.click()
    # Where the page's picture is slow its text is shown meanwhile.
    box = page.locator("[role=dialog] .hl-box-quote").first
    expect(box).to_be_in_viewport()
    assert is_highlight(main_colour(page, box.bounding_box()))
    shot(page, "5-source")
    page.keyboard.press("Escape")

    # Nobody else sees it: not another conversation, not the library.
    page.get_by_role("button", name="New conversation").click()
    page.wait_for_selector("text=The library is empty")
    ask(page, "What does the pilot boat cost a day?")
    page.wait_for_selector("text=There is nothing to ask yet")
    page.get_by_role("link", name="Library").first.click()
    page.wait_for_selector("text=The library is empty")
    assert "harbour-plan" not in page.content()
    page.go_back()

    # Kept, it is everybody's.
    page.get_by_role("button", name="What does the pilot boat cost").first.click()
    page.get_by_role("button", name="1 file, only here").click()
    shot(page, "6-files")
    page.get_by_role("button", name="Keep in the library").click()
    page.wait_for_selector("text=Kept in the library")
    page.get_by_role("link", name="Library").first.click()
    page.wait_for_selector(".hl-list >> text=harbour-plan.pdf", timeout=LONG_MS)
    page.get_by_role("link", name="Chat").first.click()
    page.get_by_role("button", name="New conversation").click()
    ask(page, "What does the pilot boat cost a day?")
    answered(page)
    expect(page.locator(".hl-answer")).to_contain_text("480 euros")


def test_many_files_one_of_them_broken_at_phone_width(
    page: Any,
    served: str,
    tmp_path: Path,
) -> None:
    """Each has its line; the question is held back for the broken one; nothing is cut off."""
    page.set_viewport_size({"width": 390, "height": 780})
    files = [
        a_pdf(tmp_path / f"boat-{n}.pdf", f"Boat {n} carries {n * 7} people.") for n in range(8)
    ]
    broken = tmp_path / "torn.pdf"
    broken.write_bytes(b"%PDF-1.4\nthis is none")
    page.goto(served)

    drop(page, *files, broken)
    ask(page, "How many people does boat 5 carry?")

    expect(page.locator(".hl-dropped").first).to_contain_text("more files")
    assert page.evaluate(WIDE) <= 0
    shot(page, "7-phone-reading")
    page.wait_for_selector("text=Not asked yet", timeout=LONG_MS)
    expect(page.locator(".hl-dropped").first).to_contain_text("torn.pdf")
    shot(page, "8-phone-held")
    page.get_by_role("button", name="Ask without it").click()
    answered(page)
    expect(page.locator(".hl-answer")).to_contain_text("35 people")
    assert page.evaluate(WIDE) <= 0
    shot(page, "9-phone-answered")

"""What a browser shows where a page breaks off, or its server is gone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.browser_server import ROOT, served_ui
from tests.browser_steps import expect, patience, settled, shot

pytestmark = [pytest.mark.browser, pytest.mark.timeout(200)]

PLANTED = """
import sys

if sys.argv[0].endswith("page_process.py"):
    import streamlit

    from app import chat_page, status_page

    def broken(*_):
        raise RuntimeError("/somebody/secret.pdf")

    status_page.show = broken
    chat_page._empty_library = streamlit.fragment(broken)
"""


def test_a_broken_page_says_so_and_the_log_says_where(tmp_path: Path, page: Any) -> None:
    """The one who reads learns what to do and no path; whoever runs the command gets the place."""
    planted = tmp_path / "planted"
    planted.mkdir()
    (planted / "sitecustomize.py").write_text(PLANTED)
    data = tmp_path / "data"
    data.mkdir()

    with served_ui(data, faults=2, PYTHONPATH=f"{planted}:{ROOT}", HAYLOFT_LOG_FORMAT="json") as ui:
        with patience(page):
            page.goto(f"{ui.url}/status")
            told = page.get_by_role("alert")
            expect(told).to_contain_text("The page broke off here")
        settled(page)
        shot(page, "page-broke-off")
        shown = page.inner_text("body")
        page.goto(ui.url)
        expect(told).to_contain_text("The page broke off here")
        page.get_by_role("link", name="Library", exact=True).click()
        expect(told).to_have_count(0)

    assert "RuntimeError" in shown
    assert "secret" not in shown
    assert "Streamlit" not in shown
    log = (data / "server.log").read_text()
    assert '"message": "a page broke off"' in log
    assert "in broken" in log


def test_a_server_that_is_gone_is_told_in_our_words_and_comes_back(
    tmp_path: Path, page: Any
) -> None:
    """The dialog says what to do, and goes by itself once the page is served again."""
    shown = """place => getComputedStyle(
        document.querySelector(`[data-testid=stDialog] ${place}`), "::after").content"""
    dialog = page.get_by_test_id("stDialog")
    with served_ui(tmp_path) as ui, patience(page):
        port = int(ui.url.rsplit(":", 1)[1])
        page.goto(ui.url)
        page.wait_for_selector(".hl-welcome")
        settled(page)
        ui.process.kill()
        expect(dialog).to_be_visible()
        shot(page, "server-gone")

        title, sentence = (page.evaluate(shown, place) for place in ("h2", "h2 + div"))
        seen = dialog.locator("h2 + div > *").first.is_visible()

    assert title == '"Hayloft does not answer"'
    assert "hayloft ui" in sentence
    assert not seen
    with served_ui(tmp_path, port=port), patience(page):
        expect(dialog).to_have_count(0)

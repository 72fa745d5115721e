"""The models page in a real headless Chromium: what is begun far down is seen from there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser_server import served_ui
from tests.browser_steps import WIDE, expect, patience
from tests.ollama_double import QWEN2, DoubleModel, OllamaDouble

pytestmark = [pytest.mark.browser, pytest.mark.timeout(400)]

SMALL = DoubleModel("qwen2:0.5b", weights="small", size=400_000_000, parameter_size="494M")
FETCH = "Fetch a model by its name in Ollama's library"


@pytest.fixture
def double() -> Iterator[OllamaDouble]:
    """An Ollama with two models, so that the form stands below the window's edge."""
    more = DoubleModel("qwen2:7b-copy", weights="copy")
    with OllamaDouble(models=[QWEN2, more], library=[SMALL], pull_s=60.0) as ollama:
        yield ollama


@pytest.fixture
def url(tmp_path: Path, double: OllamaDouble) -> Iterator[str]:
    """The address of the page over an empty library."""
    with served_ui(tmp_path, HAYLOFT_OLLAMA_URL=double.url) as ui:
        yield ui.url


def test_a_download_is_watched_and_stopped_from_where_it_was_begun(
    page: Any, url: str, double: OllamaDouble
) -> None:
    """Nobody scrolls up to find out whether anything happens; on a phone neither."""
    with patience(page):
        for size in ({"width": 1200, "height": 700}, {"width": 390, "height": 844}):
            page.set_viewport_size(size)
            page.goto(f"{url}/models")
            name = page.get_by_label(FETCH, exact=True)
            name.scroll_into_view_if_needed()
            name.fill("qwen2:0.5b")
            name.press("Enter")
            page.get_by_role("button", name="Fetch", exact=True).first.click()
            job = page.locator(".st-key-model-job")
            progress = job.get_by_text("Fetching qwen2:0.5b")

            expect(progress).to_be_visible()
            name.scroll_into_view_if_needed()
            expect(progress).to_be_in_viewport()
            cancel = job.get_by_role("button", name="Cancel")
            expect(cancel).to_be_in_viewport()
            cancel.click()
            expect(job.get_by_text("Ollama keeps what has arrived")).to_be_in_viewport()
            assert page.evaluate(WIDE) <= 0
            job.get_by_role("button", name="Close").click()
            expect(job).to_have_count(0)

    assert double.failures == []

"""What a user of the page does in a browser, and how long that may take.

The browser itself is the fixture `chromium`, a page of it `page` (see conftest).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.awkward_files import pdf_bytes

_playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = _playwright.expect

WAIT_MS = 20_000
LONG_MS = 8 * WAIT_MS
"""What loads the embedding model or starts Chroma takes a minute on a busy machine."""
expect.set_options(timeout=WAIT_MS)

BOX = "textarea[data-testid=stChatInputTextArea]"
IDLE = "[data-testid=stApp][data-test-script-state=notRunning]"
"""The page once it is drawn and hears clicks."""
WIDE = "() => document.documentElement.scrollWidth - window.innerWidth"
"""How many pixels have to be scrolled sideways."""
_STILL = """async () => {
    const drawn = () => new Promise(requestAnimationFrame);
    const ends = animation => animation.effect.getComputedTiming().endTime !== Infinity;
    await document.fonts.ready;
    await drawn(); await drawn();
    await Promise.allSettled(document.getAnimations().filter(ends).map(one => one.finished));
    await drawn();
}"""
SHOTS = os.environ.get("HAYLOFT_SHOTS")


@contextmanager
def patience(page: Any) -> Iterator[Any]:
    """A page that waits for whatever else the machine does."""
    page.set_default_timeout(LONG_MS)
    expect.set_options(timeout=LONG_MS)
    try:
        yield page
    finally:
        expect.set_options(timeout=WAIT_MS)


def ask(page: Any, question: str) -> None:
    """Type a question once the page is drawn, and send it."""
    box = page.locator(BOX)
    expect(box).to_be_enabled(timeout=LONG_MS)
    box.fill(question)
    box.press("Enter")


def answered(page: Any) -> None:
    """Wait for the end of an answer; the first one waits for the embedding model."""
    page.wait_for_selector(".hl-receipt", timeout=LONG_MS)


def settled(page: Any) -> None:
    """Wait until the page is drawn and nothing on it moves or fades in any more."""
    page.wait_for_selector(IDLE)
    expect(page.locator("[data-testid=stSkeleton]")).to_have_count(0)
    page.evaluate(_STILL)


def drop(page: Any, *files: Path) -> None:
    """Attach files to the composer and wait until the browser has sent them."""
    chosen = page.locator("[data-testid=stChatInput] input[type=file]")
    chosen.set_input_files([str(file) for file in files])
    for file in files:
        page.wait_for_selector(f"[data-testid=stChatInput] >> text={file.name[:12]}")


def a_pdf(path: Path, *pages: str) -> Path:
    """Write a PDF of short pages; gives its path back."""
    path.write_bytes(pdf_bytes(pages))
    return path


def shot(page: Any, name: str) -> None:
    """A picture to look at, where HAYLOFT_SHOTS names a folder for them."""
    if SHOTS:
        size = page.viewport_size
        page.set_viewport_size({"width": size["width"], "height": 1500})
        page.wait_for_timeout(800)
        page.screenshot(path=f"{SHOTS}/{name}.png")
        page.set_viewport_size(size)

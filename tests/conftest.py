"""What all tests stand on."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.chat_fakes import Fakes

_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_OWN = ("http://localhost:", "ws://localhost:", "data:", "blob:")


def pytest_configure() -> None:
    """Ctrl-C means Ctrl-C: a shell that starts the suite in the background has it ignored.

    The commands that tests start would ignore it too.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A headless Chromium."""
    from playwright.sync_api import sync_playwright

    found = os.environ.get("HAYLOFT_CHROMIUM") or next(
        filter(None, map(shutil.which, _BROWSERS)), None
    )
    if found is None:
        pytest.skip("no Chromium here: install Debian's `chromium`, or set HAYLOFT_CHROMIUM")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def new_context(chromium: Any) -> Iterator[Callable[..., Any]]:
    """Makes browser contexts, which share nothing with each other and end with the test."""
    from tests.browser_steps import WAIT_MS

    with ExitStack() as at_the_end:

        def new(**options: Any) -> Any:
            context = chromium.new_context(
                **{"viewport": {"width": 1200, "height": 900}, **options}
            )
            context.set_default_timeout(WAIT_MS)
            at_the_end.callback(context.close)
            return context

        yield new


@pytest.fixture
def page(new_context: Callable[..., Any]) -> Iterator[Any]:
    """A page of a fresh browser; at its end nothing may have been asked of any other host."""
    opened = new_context().new_page()
    asked: list[str] = []
    faults: list[str] = []
    opened.on("request", lambda request: asked.append(request.url))
    opened.on("pageerror", lambda error: faults.append(str(error)))
    yield opened
    opened.context.close()
    assert [url for url in asked if not url.startswith(_OWN)] == []
    assert faults == []


@pytest.fixture
def no_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working folder without .env, and no setting in the environment."""
    from tests.library_fixtures import without_settings

    without_settings(tmp_path, monkeypatch)


@pytest.fixture
def fresh_pages(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Pages under Streamlit's test runner that find nothing kept by those of another test."""
    import streamlit
    from streamlit.components.v2 import manifest_scanner

    # The test runner reads the metadata of every installed package at every run,
    # in search of components; that takes longer than the page.
    monkeypatch.setattr(manifest_scanner, "scan_component_manifests", lambda *_: [])
    for cache in (streamlit.cache_resource, streamlit.cache_data):
        cache.clear()
    yield
    for cache in (streamlit.cache_resource, streamlit.cache_data):
        cache.clear()


@pytest.fixture
def fresh_chat(fresh_pages: None) -> Iterator[None]:
    """The same for pages that ask: no answer outlives its test."""
    from app import resources

    yield
    resources.live_answers().stop_all()


@pytest.fixture
def fakes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fakes:
    """An empty data directory, and the library and the assistant of `chat_fakes` for the pages."""
    from tests import chat_fakes

    monkeypatch.setenv("HAYLOFT_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("HAYLOFT_MODEL", "extractive")
    return chat_fakes.install(monkeypatch.setattr)

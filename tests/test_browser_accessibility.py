"""axe-core looks at every page: nothing serious may keep somebody from using one."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import Any

import pytest

from tests.test_browser_chat import (
    HAYLOFT,
    a_port,
    answered,
    ask,
    chromium,  # noqa: F401
    fill,
    ingest,
    playwright_api,
    serve,
    until_ready,
)
from tests.test_browser_chat import served as fakes  # noqa: F401

axe_api = pytest.importorskip(
    "axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed"
)
pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

SERIOUS = ("serious", "critical")
# What Streamlit draws itself and gives no say in.
NOT_OURS: dict[str, tuple[str, ...]] = {}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of `hayloft ui` over a library of its own."""
    home = tmp_path_factory.mktemp("accessible")
    fill(home / "papers")
    ingest(home, home / "papers")
    port = a_port()
    process, log = serve(home, [*HAYLOFT, "ui", "--port", str(port)])
    try:
        yield until_ready(process, port, log)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


@pytest.fixture(params=["light", "dark"])
def page(request: pytest.FixtureRequest, chromium: Any) -> Iterator[Any]:  # noqa: F811
    """A page in either colours."""
    context = chromium.new_context(
        viewport={"width": 1200, "height": 900}, color_scheme=request.param
    )
    context.set_default_timeout(60_000)
    yield context.new_page()
    context.close()


def serious(page: Any) -> list[str]:
    """What axe-core finds: rule, how many, the first element."""
    page.wait_for_timeout(1000)
    found = axe_api.Axe().run(page).response["violations"]
    told = []
    for violation in found:
        nodes = [
            node
            for node in violation["nodes"]
            if not any(part in str(node["target"]) for part in NOT_OURS.get(violation["id"], ()))
        ]
        if violation["impact"] in SERIOUS and nodes:
            told += [f"{violation['id']} {node['target']}: {node['html'][:200]}" for node in nodes]
    return told


def test_every_page_can_be_used_by_everybody(page: Any, served: str) -> None:
    """Each page of the navigation, as it stands over a small library."""
    page.goto(served)
    page.wait_for_selector(".hl-welcome")
    links = page.locator("[data-testid=stTopNavLink]")
    addresses = [links.nth(number).get_attribute("href") for number in range(links.count())]
    assert len(addresses) >= 5

    found = {}
    for address in addresses:
        page.goto(f"{served}/{str(address).rsplit('/', 1)[-1]}")
        page.wait_for_selector("h1")
        found[address] = serious(page)

    assert {address: told for address, told in found.items() if told} == {}


def test_an_answer_and_its_open_source(page: Any, fakes: str) -> None:  # noqa: F811
    """The conversation, and the dialog beside it."""
    page.goto(fakes)
    ask(page, "What is the per diem?")
    answered(page)
    assert serious(page) == []

    page.locator(".hl-cite.hl-verified").first.click()
    playwright_api.expect(page.locator("[role=dialog] mark.hl-quote")).to_be_visible()

    assert serious(page) == []


def test_a_document_of_the_library(page: Any, served: str) -> None:
    """Its health, its chunks and the buttons that change it."""
    page.goto(f"{served}/library")
    page.wait_for_selector("h1.hl-title")
    page.locator(".hl-pick").first.click()
    page.wait_for_selector("[role=dialog]")

    assert serious(page) == []

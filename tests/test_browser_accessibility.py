"""axe-core looks at every page: nothing serious may keep somebody from using one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.browser_server import PAPERS, ingest, served_ui
from tests.browser_steps import answered, ask, expect, settled
from tests.library_fixtures import write_files

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
    ingest(home, write_files(home / "papers", PAPERS))
    with served_ui(home) as ui:
        yield ui.url


@pytest.fixture(scope="module")
def fakes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the page over fakes."""
    with served_ui(tmp_path_factory.mktemp("fakes"), fakes=True) as ui:
        yield ui.url


@pytest.fixture(params=["light", "dark"])
def page(request: pytest.FixtureRequest, new_context: Callable[..., Any]) -> Any:
    """A page in either colours."""
    context = new_context(color_scheme=request.param)
    context.set_default_timeout(60_000)
    return context.new_page()


def serious(page: Any) -> list[str]:
    """What axe-core finds: rule, how many, the first element."""
    settled(page)
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


def test_an_answer_and_its_open_source(page: Any, fakes: str) -> None:
    """The conversation, and the dialog beside it."""
    page.goto(fakes)
    ask(page, "What is the per diem?")
    answered(page)
    assert serious(page) == []

    page.locator(".hl-cite.hl-verified").first.click()
    expect(page.locator("[role=dialog] mark.hl-quote")).to_be_visible()

    assert serious(page) == []


def test_a_document_of_the_library(page: Any, served: str) -> None:
    """Its health, its chunks and the buttons that change it."""
    page.goto(f"{served}/library")
    page.wait_for_selector("h1.hl-title")
    page.locator(".hl-pick").first.click()
    page.wait_for_selector("[role=dialog]")

    assert serious(page) == []

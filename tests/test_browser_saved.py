"""Notes, saved answers and settings in a real headless Chromium, over a real library."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser_server import hayloft, ingest, served_ui
from tests.browser_steps import SHOTS, answered, ask, expect, patience, shot

# Commands run beside the page: on a busy machine each takes half a minute.
pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]
TRAVEL = "# Travel\n\nThe per diem for domestic travel is {euros} euros a day.\n\n"
REST = "## Hotels\n\nHotels are booked by the office.\n"


@pytest.fixture(autouse=True)
def _patience(page: Any) -> Iterator[None]:
    """The first answer waits for the embedding model, whatever else the machine does."""
    with patience(page):
        yield


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    (folder / "travel.md").write_text(TRAVEL.format(euros=48) + REST, encoding="utf-8")
    (folder / "leave.md").write_text("# Leave\n\nLeave is thirty days.\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory, files: Path) -> Path:
    folder = tmp_path_factory.mktemp("saved")
    ingest(folder, files)
    return folder


@pytest.fixture(scope="module")
def served(data_dir: Path) -> Iterator[str]:
    with served_ui(data_dir) as ui:
        yield ui.url


def test_a_saved_answer_expires_and_is_asked_again(
    page: Any, served: str, data_dir: Path, files: Path
) -> None:
    """Save, change the document, ingest as cron does: marked; asked again: the difference."""
    page.goto(served)
    ask(page, "What is the per diem for domestic travel?")
    answered(page)
    page.get_by_role("button", name="Save the answer").click()
    expect(page.get_by_role("button", name="Save the answer")).to_have_text("Saved")
    page.get_by_role("button", name="Note", exact=True).click()
    page.get_by_role("dialog").get_by_label("Note", exact=True).fill("Ask the <b>finance</b> team")
    page.get_by_role("button", name="Keep the note").click()
    expect(page.locator(".hl-note")).to_contain_text("Ask the <b>finance</b> team")
    shot(page, "answer")
    page.get_by_placeholder("Search all conversations").fill("finance")
    page.keyboard.press("Enter")
    expect(page.locator(".hl-excerpt mark")).to_have_text("finance")

    page.goto(f"{served}/saved")
    expect(page.locator(".hl-badge", has_text="Current")).to_be_visible()
    shot(page, "saved-current")
    (files / "travel.md").write_text(TRAVEL.format(euros=52) + REST, encoding="utf-8")
    ingest(data_dir, files)
    checked = hayloft(data_dir, "saved", "--check", "--json")
    page.reload()

    assert checked.returncode == 1
    told = json.loads(checked.stdout)
    assert (told["saved"], told["expired"]) == (1, 1)
    expect(page.locator(".hl-badge", has_text="A page changed")).to_be_visible()
    expect(page.locator(".hl-changes").first).to_contain_text("travel.md, § Travel")
    shot(page, "saved-expired")

    page.get_by_role("button", name="Ask again").click()

    expect(page.locator(".hl-diff del").first).to_have_text("48")
    expect(page.locator(".hl-diff ins").first).to_have_text("52")
    shot(page, "saved-difference")
    if SHOTS:
        page.set_viewport_size({"width": 390, "height": 844})
        shot(page, "saved-difference-390")
        page.emulate_media(color_scheme="dark")
        page.set_viewport_size({"width": 1200, "height": 900})
        page.reload()
        expect(page.locator(".hl-diff del").first).to_be_visible()
        shot(page, "saved-difference-dark")
    page.get_by_role("button", name="Keep the new answer").click()
    expect(page.locator(".hl-badge", has_text="Current")).to_be_visible()
    page.locator(".hl-kept summary").click()
    expect(page.locator(".hl-kept .hl-answer")).to_contain_text("52 euros")
    assert hayloft(data_dir, "saved", "--check").returncode == 0


def test_preferences_are_kept_and_can_be_deleted(page: Any, served: str) -> None:
    """Questions to go on with appear once they are asked for; what is kept is counted and goes."""
    page.goto(f"{served}/settings")
    page.get_by_text("Suggest questions to go on with").click()
    expect(page.get_by_text("One preference")).to_be_visible()
    shot(page, "settings")
    if SHOTS:
        page.set_viewport_size({"width": 390, "height": 844})
        shot(page, "settings-390")
        page.emulate_media(color_scheme="dark")
        page.set_viewport_size({"width": 1200, "height": 900})
        page.reload()
        expect(page.get_by_text("One preference")).to_be_visible()
        shot(page, "settings-dark")
    page.goto(served)
    ask(page, "What is the per diem for domestic travel?")
    answered(page)
    expect(page.get_by_role("button", name="What does Travel say about “Hotels”?")).to_be_visible()
    shot(page, "suggestions")
    page.get_by_role("button", name="What does Travel say about “Hotels”?").click()
    expect(page.locator(".hl-question").nth(1)).to_contain_text("Hotels")

    page.goto(f"{served}/settings")
    row = page.locator(".st-key-mine-preferences")
    row.get_by_role("button", name="Delete all").click()
    row.get_by_role("button", name="Delete for good").click()

    expect(page.get_by_text("0 preferences")).to_be_visible()

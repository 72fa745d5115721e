"""The needle page in a real headless Chromium: clicks on the map, hostile rows, a phone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.calibration import RUNS
from evaluation.niah import selftest
from evaluation.niah.readers import Reader, honest, last_half
from tests.browser_server import served_ui
from tests.browser_steps import IDLE, WIDE
from tests.chat_fakes import HOSTILE
from tests.niah_fixtures import kept_run
from tests.niah_rows import row

pytestmark = pytest.mark.browser
BAD = f'"><script>window.hacked=1</script>{HOSTILE}'


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the page over the run of a reader that forgets, and a hostile run."""
    data_dir = tmp_path_factory.mktemp("needle")
    shop = selftest._Workshop(data_dir, selftest.QUICK, keep=False)
    config = shop.config()
    reader = Reader("last-half", selftest.trials_of(config), honest, last_half(8192))
    selftest.run_grid(data_dir / RUNS / "forgets", config, reader)
    kept_run(
        data_dir,
        "<img src=x onerror=window.hacked=1>",
        [row(answer=BAD, question=BAD, model=BAD, haystack=BAD)],
    )
    with served_ui(data_dir) as ui:
        yield f"{ui.url}/needle"


def go(page: Any, url: str) -> None:
    """Open an address, and wait until the page is drawn and hears clicks."""
    page.goto(url)
    page.wait_for_selector(".nd-map")
    page.wait_for_selector(IDLE)


def test_a_click_on_a_cell_shows_its_answers_and_the_very_prompt(served: str, page: Any) -> None:
    """Cell, row, prompt, the needle marked in it; the address keeps the cell."""
    go(page, f"{served}?run=forgets")
    page.click('button[data-niah="cell:16384@0.2"]')
    page.wait_for_selector("#nd-place >> text=16K, depth 20%")
    assert "0 of 2 right" in page.inner_text("body") and "cell=16384" in page.url
    page.click('button[data-niah^="row:"]')
    page.wait_for_selector("[role=dialog] mark.nd-needle")

    told = page.inner_text("[role=dialog]")
    assert "the very prompt" in told and "characters left out" in told
    page.keyboard.press("Escape")
    page.wait_for_selector("[role=dialog]", state="detached")
    page.reload()
    page.wait_for_selector("#nd-place >> text=16K, depth 20%")


def test_the_map_needs_no_mouse(served: str, page: Any) -> None:
    """Each cell is a button with its words."""
    go(page, f"{served}?run=forgets")
    page.get_by_role("button", name="8K, depth 50%: 2 of 2").focus()
    page.keyboard.press("Enter")

    page.wait_for_selector("#nd-place >> text=8K, depth 50%")


def test_hostile_runs_stay_text_also_when_they_are_clicked(served: str, page: Any) -> None:
    """Names, questions, answers, keys; nothing is run and nothing is fetched."""
    go(page, served)
    page.click('button[data-niah^="run:<img"]')
    page.click('button[data-niah="cell:4096@0.5"]')
    page.wait_for_selector("article.nd-row")
    page.click('button[data-niah^="row:"]')
    page.wait_for_selector("[role=dialog] >> text=The prompt cannot be shown")

    assert page.evaluate("window.hacked") is None
    assert "<script>window.hacked=1</script>" in page.inner_text("[role=dialog]")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_only_the_map_scrolls_sideways(
    served: str, new_context: Callable[..., Any], scheme: str
) -> None:
    """390 pixels, in both colours."""
    phone = new_context(viewport={"width": 390, "height": 844}, color_scheme=scheme).new_page()
    go(phone, f"{served}?run=forgets&cell=16384@0.2")
    phone.wait_for_selector("article.nd-row")

    assert phone.evaluate(WIDE) <= 0


def test_a_file_is_downloaded(served: str, page: Any, tmp_path: Path) -> None:
    """The report is whole, and a picture is a picture."""
    go(page, f"{served}?run=forgets")
    page.get_by_text("Downloads").click()
    with page.expect_download() as report:
        page.get_by_role("button", name="Report (HTML)").click()
    with page.expect_download() as picture:
        page.get_by_role("button", name="Map (PNG)").click()
    report.value.save_as(tmp_path / "r.html")
    picture.value.save_as(tmp_path / "p.png")

    assert (tmp_path / "r.html").read_text().endswith("</html>\n")
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")

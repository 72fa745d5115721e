"""The page in Chinese, and Arabic text in it, in a real headless Chromium over a real library."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser_server import hayloft, ingest, served_ui
from tests.browser_steps import BOX, SHOTS, answered, ask, expect, patience, settled, shot
from tests.canned_server import free_port
from tests.library_fixtures import write_files

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]
ARABIC = (
    "# بدل السفر\n\nبدل السفر اليومي داخل البلاد هو 48 يورو. يغطي البدل الوجبات والمصاريف الصغيرة."
    "\n\nتُسلَّم الإيصالات خلال ثلاثين يوما من تاريخ العودة.\n"
)
QUESTION = "ما هو بدل السفر اليومي داخل البلاد؟"
HEBREW = "# חופשה\n\nחופשה שנתית היא שלושים ימים בשנה.\n"
FILES = {
    "دليل-الموظف.md": ARABIC,
    "חופשה.md": HEBREW,
    "travel.md": "# Travel\n\nHotels are booked by the office.\n",
}
PAGES = {
    "": "对话",
    "library": "文档库",
    "saved": "已保存",
    "models": "模型",
    "status": "状态",
    "needle": "大海捞针",
    "settings": "设置",
}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of `hayloft ui` over a library with an Arabic, a Hebrew and an English file."""
    data_dir, files = tmp_path_factory.mktemp("languages"), tmp_path_factory.mktemp("files")
    ingest(data_dir, write_files(files, FILES))
    with served_ui(data_dir) as ui:
        yield ui.url


@pytest.fixture
def in_chinese(new_context: Callable[..., Any]) -> Iterator[Any]:
    """A page of a browser that asks for Chinese."""
    with patience(new_context(locale="zh-CN").new_page()) as page:
        yield page


def direction(page: Any, selector: str) -> tuple[str, str]:
    """The computed direction of the first element, and the side that its text begins at."""
    found = page.locator(selector).first.evaluate(
        "e => { const s = getComputedStyle(e); return [s.direction, s.textAlign]; }"
    )
    return found[0], found[1]


def test_every_page_is_in_the_language_of_the_browser(in_chinese: Any, served: str) -> None:
    """Navigation, title of the tab and the language that is told to screen readers."""
    for address, title in PAGES.items():
        in_chinese.goto(f"{served}/{address}")
        expect(in_chinese.locator("[data-testid=stTopNavLink]").first).to_contain_text("对话")
        expect(in_chinese.locator("html")).to_have_attribute("lang", "zh")
        expect(in_chinese).to_have_title("Hayloft" if not address else f"{title} · Hayloft")
        in_chinese.wait_for_selector("h1")
        shot(in_chinese, f"zh-{address or 'chat'}")


def test_another_language_is_chosen_in_the_settings(in_chinese: Any, served: str) -> None:
    """It is spoken at once, on every page, and after a reload; as is the one chosen next."""
    page = in_chinese
    page.goto(f"{served}/settings")
    first = page.locator("[data-testid=stTopNavLink]").first
    expect(first).to_contain_text("对话")
    try:
        choose(page, "页面语言", "English")
        expect(first).to_contain_text("Chat")
        expect(page.locator("html")).to_have_attribute("lang", "en")
        page.goto(served)
        expect(page.locator(".hl-welcome h1")).to_have_text("What would you like to know?")
        page.reload()
        expect(page.locator(".hl-welcome h1")).to_have_text("What would you like to know?")
    finally:
        page.goto(f"{served}/settings")
        choose(page, "Language of the pages", "As the browser")
    expect(first).to_contain_text("对话")


def choose(page: Any, label: str, option: str) -> None:
    box = page.locator("[data-testid=stSelectbox]").filter(has_text=label)
    box.locator("input").click()
    page.get_by_role("option", name=option, exact=True).click()


def test_arabic_reads_from_the_right(in_chinese: Any, served: str) -> None:
    """Question, answer, quote, page and what is typed; marks and receipt stay whole."""
    page = in_chinese
    page.goto(served)
    box = page.locator(BOX)
    expect(box).to_be_enabled()
    box.fill(QUESTION)
    assert box.evaluate("e => getComputedStyle(e).unicodeBidi") == "plaintext"
    shot(page, "rtl-typed")
    ask(page, QUESTION)
    answered(page)

    assert direction(page, ".hl-question") == ("rtl", "start")
    assert direction(page, ".hl-answer p") == ("rtl", "start")
    mark = page.locator(".hl-cite").first
    assert mark.evaluate("e => getComputedStyle(e).direction") == "ltr"
    assert mark.evaluate("e => e.getClientRects().length") == 1
    # The mark stands behind the words of its sentence: at their left.
    words = page.locator(".hl-answer p").first.evaluate(
        "e => { const r = document.createRange(); r.selectNode(e.firstChild);"
        " return r.getBoundingClientRect().toJSON(); }"
    )
    assert mark.bounding_box()["x"] < words["left"] < words["right"]
    shot(page, "rtl-answer")

    mark.click()
    expect(page.locator("[role=dialog] .hl-page mark").first).to_be_visible()
    assert direction(page, "[role=dialog] .hl-page")[0] == "rtl"
    assert direction(page, "[role=dialog] .hl-quoted q")[0] == "rtl"
    shot(page, "rtl-page")
    if SHOTS:
        page.keyboard.press("Escape")
        page.emulate_media(color_scheme="dark")
        page.reload()
        answered(page)
        shot(page, "rtl-answer-dark")
        page.set_viewport_size({"width": 390, "height": 844})
        shot(page, "rtl-answer-390")


def test_nothing_serious_is_found_in_chinese_and_arabic(in_chinese: Any, served: str) -> None:
    """By axe-core, on a page that speaks one language and shows another."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    in_chinese.goto(served)
    ask(in_chinese, QUESTION)
    answered(in_chinese)
    settled(in_chinese)

    found = axe.Axe().run(in_chinese).response["violations"]

    serious = [one for one in found if one["impact"] in ("serious", "critical")]
    assert [(one["id"], one["nodes"][0]["html"][:200]) for one in serious] == []


def test_what_was_composed_elsewhere_is_told_in_chinese(
    new_context: Callable[..., Any], tmp_path: Path
) -> None:
    """Why a file is set aside, what doctor checks, what settings mean, and a model that is gone."""
    data_dir, files = tmp_path / "data", tmp_path / "files"
    data_dir.mkdir()
    write_files(files, {"travel.md": FILES["travel.md"], "fake.pdf": "no PDF"})
    hayloft(data_dir, "ingest", str(files))
    gone = f"http://127.0.0.1:{free_port()}"
    model = {"HAYLOFT_MODEL": "ollama:qwen2:7b", "HAYLOFT_OLLAMA_URL": gone}
    with (
        served_ui(data_dir, **model) as ui,
        patience(new_context(locale="zh-CN").new_page()) as page,
    ):
        page.goto(f"{ui.url}/library")
        expect(page.locator(".hl-docs").first).to_contain_text(
            "fake.pdf 不是 PDF，尽管其名称如此；请换成完好的副本。"
        )
        page.goto(f"{ui.url}/settings")
        expect(page.locator("body")).to_contain_text("存放 Hayloft 保存的一切。")
        page.goto(ui.url)
        expect(page.locator(".hl-notice.hl-error")).to_contain_text(
            f"位于 {gone} 的 Ollama 没有应答。"
        )
        page.goto(f"{ui.url}/status")
        page.get_by_role("button", name="全面检查").click()
        expect(page.locator(".hl-docs").filter(has_text="来源文件夹")).to_contain_text(
            "找到 1 个。"
        )
        shot(page, "zh-checks")

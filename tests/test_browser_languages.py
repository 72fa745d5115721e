"""The page in Chinese, and Arabic text in it, in a real headless Chromium over a real library."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.test_browser_chat import (
    CHROMIUM,
    HAYLOFT,
    WAIT_MS,
    a_port,
    answered,
    ask,
    chromium,
    playwright_api,
    serve,
    until_ready,
)

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]
__all__ = ["chromium"]

LONG_MS = 8 * WAIT_MS
SHOTS = os.environ.get("HAYLOFT_SHOTS")
ARABIC = (
    "# بدل السفر\n\nبدل السفر اليومي داخل البلاد هو 48 يورو. يغطي البدل الوجبات والمصاريف الصغيرة."
    "\n\nتُسلَّم الإيصالات خلال ثلاثين يوما من تاريخ العودة.\n"
)
QUESTION = "ما هو بدل السفر اليومي داخل البلاد؟"
HEBREW = "# חופשה\n\nחופשה שנתית היא שלושים ימים בשנה.\n"
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
    (files / "دليل-الموظف.md").write_text(ARABIC, encoding="utf-8")
    (files / "חופשה.md").write_text(HEBREW, encoding="utf-8")
    (files / "travel.md").write_text("# Travel\n\nHotels are booked by the office.\n", "utf-8")
    done = subprocess.run(
        [sys.executable, HAYLOFT[1], "--data-dir", str(data_dir), "ingest", str(files)],
        capture_output=True,
        text=True,
        timeout=240,
        env={**os.environ, "HF_HUB_OFFLINE": "1", "HAYLOFT_MODEL": "extractive"},
    )
    assert done.returncode == 0, done.stderr
    from app.cli_ui import command

    port = a_port()
    process, log = serve(data_dir, command("127.0.0.1", port))
    try:
        yield until_ready(process, port, log)
    finally:
        process.terminate()
        process.wait(15)
    assert "Traceback" not in log.read_text()


@pytest.fixture
def in_chinese(chromium: Any) -> Iterator[Any]:
    """A browser that asks for Chinese."""
    assert CHROMIUM
    context = chromium.new_context(viewport={"width": 1200, "height": 900}, locale="zh-CN")
    context.set_default_timeout(LONG_MS)
    playwright_api.expect.set_options(timeout=LONG_MS)
    yield context.new_page()
    context.close()


def shot(page: Any, name: str) -> None:
    """A picture to look at, where a folder for them is named."""
    if SHOTS:
        page.wait_for_timeout(800)
        page.screenshot(path=f"{SHOTS}/{name}.png", full_page=True)


def direction(page: Any, selector: str) -> tuple[str, str]:
    """The computed direction of the first element, and the side that its text begins at."""
    found = page.locator(selector).first.evaluate(
        "e => { const s = getComputedStyle(e); return [s.direction, s.textAlign]; }"
    )
    return found[0], found[1]


def test_every_page_is_in_the_language_of_the_browser(in_chinese: Any, served: str) -> None:
    """Navigation, title of the tab and the language that is told to screen readers."""
    expect = playwright_api.expect
    for address, title in PAGES.items():
        in_chinese.goto(f"{served}/{address}")
        expect(in_chinese.locator("[data-testid=stTopNavLink]").first).to_contain_text("对话")
        expect(in_chinese.locator("html")).to_have_attribute("lang", "zh")
        expect(in_chinese).to_have_title("Hayloft" if not address else f"{title} · Hayloft")
        in_chinese.wait_for_selector("h1")
        shot(in_chinese, f"zh-{address or 'chat'}")


def test_another_language_is_chosen_in_the_settings(chromium: Any, served: str) -> None:
    """It is spoken at once, on every page, and after a reload; as is the one chosen next."""
    expect = playwright_api.expect
    context = chromium.new_context(viewport={"width": 1200, "height": 900}, locale="zh-CN")
    page = context.new_page()
    page.set_default_timeout(LONG_MS)
    page.goto(f"{served}/settings")
    first = page.locator("[data-testid=stTopNavLink]").first
    expect(first).to_contain_text("对话", timeout=LONG_MS)
    try:
        choose(page, "页面语言", "English")
        expect(first).to_contain_text("Chat", timeout=LONG_MS)
        expect(page.locator("html")).to_have_attribute("lang", "en")
        page.goto(served)
        expect(page.locator(".hl-welcome h1")).to_have_text("What would you like to know?")
        page.reload()
        expect(page.locator(".hl-welcome h1")).to_have_text("What would you like to know?")
    finally:
        page.goto(f"{served}/settings")
        choose(page, "Language of the pages", "As the browser")
    expect(first).to_contain_text("对话", timeout=LONG_MS)
    context.close()


def choose(page: Any, label: str, option: str) -> None:
    box = page.locator("[data-testid=stSelectbox]").filter(has_text=label)
    box.locator("input").click()
    page.get_by_role("option", name=option, exact=True).click()


def test_arabic_reads_from_the_right(in_chinese: Any, served: str) -> None:
    """Question, answer, quote, page and what is typed; marks and receipt stay whole."""
    page, expect = in_chinese, playwright_api.expect
    page.goto(served)
    box = page.locator("textarea[data-testid=stChatInputTextArea]")
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
    in_chinese.wait_for_timeout(1000)

    found = axe.Axe().run(in_chinese).response["violations"]

    serious = [one for one in found if one["impact"] in ("serious", "critical")]
    assert [(one["id"], one["nodes"][0]["html"][:200]) for one in serious] == []

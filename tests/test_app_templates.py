"""Sentences with names, found again in composed text."""

from __future__ import annotations

import time

import pytest

from app.templates import LONGEST, Templates

KNOWN = {
    "The library is empty.": "空。",
    "Ask again.": "请重问。",
    "{server} does not answer. {start}": "{server} 没有应答。{start}",
    "Start it with `ollama serve`.": "请用 `ollama serve` 启动。",
    "Ollama at {url}": "位于 {url} 的 Ollama",
    "{path} cannot be read: {reason}.": "无法读取 {path}：{reason}。",
    "{path} cannot be read.": "无法读取 {path}。",
    "{name} is empty; fill it.": "{name} 是空文件；请填入。",
    "{name} was not read: {reason}": "未读取 {name}：{reason}",
    "Read {count} of {pages}{which}, {share} sure.": "{pages}中读取 {count} 页{which}，{share}。",
    "{n} pages": "{n} 页",
    "Write {{n: 11}} or {what}.": "请写 {{n: 11}} 或 {what}。",
    "Permission denied": "权限不足",
}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("The library is empty.", "空。"),
        ("a b.pdf cannot be read.", "无法读取 a b.pdf。"),
        ("/x/y cannot be read: Permission denied.", "无法读取 /x/y：权限不足。"),
        ("/x/y cannot be read: odd.", "无法读取 /x/y：odd。"),
        (
            "Ollama at http://h:1 does not answer. Start it with `ollama serve`.",
            "位于 http://h:1 的 Ollama 没有应答。请用 `ollama serve` 启动。",
        ),
        ("The library is empty. Ask again.", "空。请重问。"),
        ("The library is empty. Nobody knows this. Ask again.", "空。Nobody knows this. 请重问。"),
        ("The library is empty. a.pdf cannot be read.", "空。无法读取 a.pdf。"),
        ("a.pdf: b.md is empty; fill it.", "a.pdf：b.md 是空文件；请填入。"),
        ("b.md was not read: is empty; fill it.", "未读取 b.md：是空文件；请填入。"),
        ("Read 2 of 10 pages (1, 4), 93% sure.", "10 页中读取 2 页 (1, 4)，93%。"),
        ("Read 2 of 10 pages, 93% sure.", "10 页中读取 2 页，93%。"),
        ("Write {n: 11} or 3.", "请写 {n: 11} 或 3。"),
        ("Dr. Foo.pdf is empty; fill it.", "Dr. Foo.pdf 是空文件；请填入。"),
    ],
)
def test_a_composed_sentence_is_found_again(text: str, said: str) -> None:
    """Whole, by its form, within another one, behind a name, and one after another."""
    assert Templates(KNOWN).say(text) == said


@pytest.mark.parametrize(
    "text",
    [
        "",
        "No such sentence.",
        " cannot be read.",
        "some pages",
        "{n} of {what}",
        "{0.__class__} %s \\1 {",
        "空。请重问。",
        "x" * (LONGEST + 1),
    ],
)
def test_what_is_not_known_is_left_as_it_is(text: str) -> None:
    """Not a letter of it is changed, whatever it looks like."""
    assert Templates(KNOWN).say(text) == text


def test_what_stands_for_a_name_is_kept_as_it_is() -> None:
    """Braces and signs of formats in a file's name are text."""
    name = "{path}%s{0}\\1<b>.pdf"

    assert Templates(KNOWN).say(f"{name} cannot be read.") == f"无法读取 {name}。"


def test_hostile_text_is_told_apart_in_no_time() -> None:
    """What almost fits every form, as long as a sentence may be, costs milliseconds."""
    templates = Templates(
        {**KNOWN, **{f"{{a}} {n} {{b}} {n} {{c}}!": "{a}{b}{c}" for n in range(500)}}
    )
    texts = ["a cannot be read: " * 200, ". A" * 1300, ": a" * 1300, "1 " * 1900, "(" * 3900]

    begun = time.perf_counter()
    for text in texts:
        templates.say(text[:LONGEST])

    assert time.perf_counter() - begun < 2.0

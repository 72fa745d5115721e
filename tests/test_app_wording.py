"""The words of the pages in other languages."""

from __future__ import annotations

import ast
import string
from collections.abc import Iterator
from pathlib import Path

import pytest

from app import wording
from app.rendering import _AGES

ROOT = Path(__file__).resolve().parents[1]
_FIGURES = [
    ROOT / "evaluation" / "niah" / f"{name}.py"
    for name in ("comparison", "heatmap", "palette", "report_tables")
]
"""What the needle page says in words that reports say too."""
OTHERS = sorted(set(wording.languages()) - {wording.ENGLISH})


@pytest.fixture
def spoken() -> Iterator[list[str]]:
    """The language that is spoken: what stands in the list."""
    now = [wording.ENGLISH]
    before = wording._Spoken.language
    wording.speak(lambda: now[0])
    yield now
    wording.speak(before)


def calls() -> Iterator[tuple[str, ast.Call, str]]:
    """Each call of a function by a plain name or of a module: name, call, place."""
    pages = [*ROOT.glob("app/*.py"), *ROOT.glob("evaluation/**/*page*.py"), *_FIGURES]
    for path in sorted(pages):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            place = f"{path.relative_to(ROOT)}:{node.lineno}"
            if isinstance(node.func, ast.Name):
                yield node.func.id, node, place
            elif isinstance(node.func, ast.Attribute):
                yield node.func.attr, node, place


def test_what_languages_there_are_is_looked_up_once() -> None:
    """Every sentence of a page asks for it, and the files stay as they are."""
    wording.languages()
    before = wording.languages.cache_info()

    wording.nearest("zh-CN")

    after = wording.languages.cache_info()
    assert (after.hits, after.misses) == (before.hits + 1, before.misses)


def sentences_of_the_code() -> dict[str, str]:
    """Each sentence that is given to `t`, `t_html`, `tn` or `count_of` → where."""
    found: dict[str, str] = {}
    for name, call, place in calls():
        said: list[str] = []
        if name in ("t", "t_html") and call.args:
            said = list(_literals(call.args[0]))
        elif name == "tn":
            said = [words for arg in call.args[1:3] for words in _literals(arg)]
        elif name == "count_of" and len(call.args) > 1:
            plurals = list(_literals(call.args[2])) if len(call.args) > 2 else []
            for noun in _literals(call.args[1]):
                said += [f"{{n}} {noun}", f"{{n}} {plurals[0] if plurals else noun + 's'}"]
        found |= dict.fromkeys(said, place)
    for _, unit in _AGES:
        found |= {f"{{n}} {unit}": "ages", f"{{n}} {unit}s": "ages"}
    return found


def _literals(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from _literals(node.body)
        yield from _literals(node.orelse)


def names_in(sentence: str) -> list[str]:
    """The `{names}` that a sentence fills in."""
    return sorted(name for _, name, _, _ in string.Formatter().parse(sentence) if name is not None)


@pytest.mark.parametrize("code", OTHERS)
def test_every_sentence_of_the_pages_is_translated(code: str) -> None:
    """A sentence that a page says is in each language's file."""
    known = wording._sentences(code)

    missing = {said: place for said, place in sentences_of_the_code().items() if said not in known}

    assert not missing


@pytest.mark.parametrize("code", OTHERS)
def test_no_translation_is_left_over(code: str) -> None:
    """A language's file holds nothing that no page says any more."""
    assert not set(wording._sentences(code)) - set(sentences_of_the_code())


@pytest.mark.parametrize("code", OTHERS)
def test_a_translation_fills_in_the_same_names(code: str) -> None:
    """Each `{name}` of a sentence is in its translation, and no other."""
    known = wording._sentences(code).items()

    wrong = [said for said, other in known if names_in(said) != names_in(other)]

    assert not wrong


def test_sentences_are_given_to_the_pages_whole() -> None:
    """What is given to `t` is a literal: what is put together at run time is in no file."""
    bare = [
        place
        for name, call, place in calls()
        if name in ("t", "t_html") and call.args and not list(_literals(call.args[0]))
    ]

    assert [place for place in bare if "wording.py" not in place] == []


def test_english_is_what_the_code_says(spoken: list[str]) -> None:
    """Without a choice a sentence is shown as it stands in the code."""
    assert wording.t("Chat") == "Chat"
    assert wording.tn(1, "{n} page", "{n} pages") == "1 page"
    assert wording.tn(2310, "{n} page", "{n} pages") == "2,310 pages"


def test_another_language_is_spoken_once_it_is_chosen(spoken: list[str]) -> None:
    """The very next sentence is in the language that the reader chose."""
    spoken[0] = "zh"

    assert wording.t("Chat") == "对话"


def test_what_is_not_translated_is_said_in_english(spoken: list[str]) -> None:
    """A missing sentence, or a language that is gone, leaves the English one."""
    spoken[0] = "zh"
    assert wording.t("No such sentence {n}.", n=3) == "No such sentence 3."

    spoken[0] = "xx"
    assert wording.t("Chat") == "Chat"


@pytest.mark.parametrize(
    ("wanted", "code"),
    [("zh-CN", "zh"), ("zh_Hans", "zh"), ("ZH", "zh"), ("en-GB", "en"), ("fi", "en"), ("", "en")],
)
def test_a_browser_gets_the_nearest_language(wanted: str, code: str) -> None:
    """A region's variant is the language; what there is not is English."""
    assert wording.nearest(wanted) == code

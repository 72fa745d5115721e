"""What is composed in English and read on a page in another language."""

from __future__ import annotations

import errno
import os
from functools import cache

import pytest

from app import rendering, status_view, wording
from app.health import Check
from app.setting_meanings import meanings
from app.templates import taken_apart
from tests.composed_sentences import EXCLUDED, PARTS, ROOT, checks_in, modules, said_in, skeleton

OTHERS = sorted(set(wording.languages()) - {wording.ENGLISH})
FORMS = [
    "The embedding model {} ({}) {}",
    "The reranker {} ({}) {}",
    "The OpenAI-compatible server at {}",
    "File      {}, {} GB",
    "Files of type (no ending) cannot be read; save it as one of {}.",
    "EPUB book",
    "OpenDocument file",
    "PowerPoint presentation",
    "page {}",
    "pages {}",
    "section {}",
    "sections {}",
    "{} page",
    "{} pages",
    "{} parts",
    "{} questions",
    "signal {}",
    " ({})",
    ".",
    "Ollama at {}",
    "{} trained",
    "{} after `hayloft models extend {}`",
    "copying",
    "creating",
    "fetching",
    "handing over",
    "loading",
    "unloading",
]
"""What is said in one word, or put together of sentences that were found."""
SYSTEM = [
    *(
        os.strerror(number)
        for number in (
            errno.EACCES,
            errno.ENOSPC,
            errno.ENOENT,
            errno.EROFS,
            errno.EIO,
            errno.EISDIR,
            errno.ENOTDIR,
            errno.ENAMETOOLONG,
            errno.EDQUOT,
            errno.EMFILE,
            errno.ECONNREFUSED,
        )
    ),
    "database is locked",
    "database or disk is full",
    "file is not a database",
    "database disk image is malformed",
    "unable to open database file",
    "attempt to write a readonly database",
    "disk I/O error",
]
"""What the operating system and SQLite say most often when they refuse."""


def composed(code: str) -> dict[str, str]:
    """The composed sentences of a language's file."""
    found: dict[str, str] = wording._file(code)["composed"]
    return found


@cache
def of_the_code() -> dict[str, str]:
    """Each wording that can reach a page, its filled-in parts as `{}` → where it stands."""
    found = dict.fromkeys([*FORMS, *SYSTEM], "a part of sentences")
    for path in modules():
        inside = path.relative_to(ROOT)
        for words, line in said_in(path).items():
            found |= dict.fromkeys(PARTS.get(words, [words]), f"{inside}:{line}")
    found |= dict.fromkeys(checks_in(ROOT / "app" / "health.py"), "app/health.py")
    return found | dict.fromkeys(meanings().values(), "a setting")


@pytest.mark.parametrize("code", OTHERS)
def test_every_composed_sentence_is_translated(code: str) -> None:
    """Errors, warnings, reasons, checks of doctor and meanings of settings, found in the code."""
    known = {skeleton(sentence) for sentence in composed(code)}

    missing = {words: place for words, place in of_the_code().items() if words not in known}

    assert not missing


@pytest.mark.parametrize("code", OTHERS)
def test_no_composed_sentence_is_left_over(code: str) -> None:
    """A language's file holds nothing that the code says no more."""
    said = of_the_code()

    assert not [sentence for sentence in composed(code) if skeleton(sentence) not in said]


@pytest.mark.parametrize("code", OTHERS)
def test_a_composed_translation_fills_in_the_same_names(code: str) -> None:
    """Each `{name}` of a sentence is in its translation once, and no other."""
    pairs = [(taken_apart(a)[1], taken_apart(b)[1]) for a, b in composed(code).items()]

    assert not [names for names, others in pairs if sorted(names) != sorted(others)]
    assert not [names for names, _ in pairs if len(set(names)) != len(names)]


@pytest.mark.parametrize("code", OTHERS)
def test_each_composed_sentence_is_found_again(code: str) -> None:
    """Filled in with figures, none is taken for another one that fits it as well."""
    wrong = []
    for sentence, translation in composed(code).items():
        parts, names = taken_apart(sentence)
        # Where two names meet, what is in brackets is the second's.
        values = {
            name: f"{10 + place}" if parts[place] or not place else f" ({10 + place})"
            for place, name in enumerate(names)
        }
        with wording.speaking(code):
            said = wording.retold(sentence.format(**values))
        with wording.speaking(code):
            values = {name: wording.retold(value) for name, value in values.items()}
        if said != translation.format(**values):
            wrong.append((sentence, said))

    assert not wrong


def test_what_is_left_out_is_there() -> None:
    """Each module that no page speaks with exists, and so does each name in one."""
    gone = []
    for pattern in EXCLUDED:
        module, _, name = pattern.partition(":")
        found = list(ROOT.glob(module))
        if not found or (name and name not in found[0].read_text(encoding="utf-8")):
            gone.append(pattern)

    assert not gone


def test_a_page_says_an_error_in_the_language_of_its_reader() -> None:
    """What stands for a name stays text, and commands are shown as code."""
    error = "<b>.md is empty; fill it, or remove it from the folder."
    gone = "Ollama at http://127.0.0.1:1 does not answer. Start it with `ollama serve`."

    with wording.speaking("zh"):
        said = rendering.notice_html("error", "", error) + rendering.sentence_html(gone)

    assert "&lt;b&gt;.md 是空文件；请填入内容，或将其移出文件夹。" in said
    assert (
        "位于 http://127.0.0.1:1 的 Ollama 没有应答。请用 <code>ollama serve</code> 启动它。"
        in said
    )
    assert error.replace("<b>", "&lt;b&gt;") in rendering.notice_html("error", "", error)


def test_a_check_of_doctor_is_told_in_the_language_of_its_reader() -> None:
    """Its name, its state, what was found and what mends it; a command stays a command."""
    checks = [
        Check("source folders", "wrong", "Not there: /x. Their documents stay searchable."),
        Check("catalog", "note", "The library is empty.", "hayloft ingest FOLDER"),
    ]

    with wording.speaking("zh"):
        said = status_view.checks_html(checks)

    for words in (
        "来源文件夹",
        "错误",
        "不在原处：/x。其中的文档仍可搜索。",
        "目录库",
        "文档库为空。",
    ):
        assert words in said
    assert "<code>hayloft ingest FOLDER</code>" in said

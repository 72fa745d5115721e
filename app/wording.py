"""The words of the pages, in the language of whoever reads them.

The code says them in English; another language is one file of `languages/`, which holds the
English sentence and its translation side by side. What a file does not know is shown in
English: a sentence in the wrong language is better than none.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from app.templates import Templates

ENGLISH = "en"
_FOLDER = Path(__file__).resolve().parent / "languages"
_meant: ContextVar[str] = ContextVar("hayloft-language", default="")


def t(sentence: str, /, **values: object) -> str:
    """The sentence in the reader's language, its `{names}` filled in."""
    said = pattern_of(sentence)
    return said.format(**values) if values else said


def pattern_of(sentence: str) -> str:
    """The sentence in the reader's language, its `{names}` as they are."""
    return _sentences(language()).get(sentence, sentence)


def with_commas(parts: Iterable[str]) -> str:
    """The parts with the reader's comma between them."""
    return t(", ").join(parts)


def retold(sentence: str) -> str:
    """A sentence that was composed elsewhere, in the reader's language.

    For what errors, warnings, reasons and checks say: they are raised, logged and stored in
    English, and read on a page in the language of whoever looks at it.
    """
    code = language()
    return sentence if code == ENGLISH else _retold(code, sentence)


@lru_cache(maxsize=4096)
def _retold(code: str, sentence: str) -> str:
    return _composed(code).say(sentence)


def tn(count: int, one: str, many: str, /, **values: object) -> str:
    """The sentence for one thing or for several; `{n}` is their number, with separators.

    A language without a plural translates both alike.
    """
    return t(one if count == 1 else many, n=f"{count:,}", **values)


def language() -> str:
    """The code of the language that is spoken now."""
    return _meant.get() or _Spoken.language()


@contextmanager
def speaking(code: str) -> Iterator[None]:
    """Speak this language inside the block, whatever is spoken elsewhere."""
    before = _meant.set(code)
    try:
        yield
    finally:
        _meant.reset(before)


def speak(whose: Callable[[], str]) -> None:
    """Have `whose` tell the reader's language from now on, each time anew.

    A page server calls this once: which of its readers is meant, only the thread knows that
    draws for one of them.
    """
    _Spoken.language = whose


@cache
def languages() -> Mapping[str, str]:
    """Code → its own name, for each language there is, English first."""
    # Kept: every sentence of a page asks for it, and a growing answer is drawn ten times a second.
    others = sorted(path.stem for path in _FOLDER.glob("*.json"))
    return {ENGLISH: "English"} | {code: str(_file(code)["name"]) for code in others}


def nearest(wanted: str) -> str:
    """The language there is for what a browser asks for (`zh-CN`); English where none fits."""
    code = wanted.replace("_", "-").lower().split("-")[0]
    return code if code in languages() else ENGLISH


class _Spoken:
    """Command lines speak English; a page server installs its own way to tell."""

    language: Callable[[], str] = staticmethod(lambda: ENGLISH)


def _sentences(code: str) -> Mapping[str, str]:
    if code == ENGLISH:
        return {}
    sentences: Mapping[str, str] = _file(code)["sentences"]
    return sentences


@cache
def _composed(code: str) -> Templates:
    known: Mapping[str, str] = _file(code).get("composed", {})
    return Templates(known)


@cache
def _file(code: str) -> dict[str, Any]:
    path = _FOLDER / f"{code}.json"
    if not path.is_file():
        return {"name": code, "sentences": {}}
    told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return told

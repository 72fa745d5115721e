"""The names a document goes by: terms of its path, title and tags.

Writer and reader must cut them in the same way: a question that says "Best
Buy's Q2 2024" has to meet the file BESTBUY_2024Q2_10Q.pdf.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable
from itertools import pairwise
from pathlib import PurePosixPath

from storage.folding import fold, normalise

MOST_TERMS = 200
"""Of one document. Titles that are whole paragraphs name nothing."""

_WORD = re.compile(r"[^\W_]+")
_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]+")
_CAPITALS = re.compile(r"(?<=[a-z])(?=[A-Z])")
_YEAR_PART = re.compile(r"(?:fy)?((?:19|20)\d\d)(?:fy)?([qh][1-4])?|([qh][1-4])((?:19|20)\d\d)")
_SHORT_YEAR = re.compile(r"(?:fy|cy)(\d\d)")
_LINKS = frozenset("and und et y e of de der the for & n".split())

_ACRONYM = "="
"""Leads the initials of a name, so that "IT" is not taken for the word "it"."""


def name_terms(path: str, title: str, others: Iterable[str] = ()) -> list[str]:
    """The terms a document is known by, the nearest to its file name first.

    `others` are its tags and aliases.
    """
    found: dict[str, None] = {}
    parts = PurePosixPath(path)
    for source in (parts.stem, title, *reversed(parts.parent.parts), *others):
        found.update(dict.fromkeys(terms_in(source)))
        initials = acronym(source)
        if initials:
            found[_ACRONYM + initials] = None
    return list(found)[:MOST_TERMS]


def terms_in(text: str) -> list[str]:
    """The terms of a name: words, neighbours in one word, years and quarters on their own."""
    found: dict[str, None] = {}
    words = [match.group() for match in _WORD.finditer(normalise(text))]
    plain = [fold(word.casefold()) for word in words]
    for word, own in zip(words, plain, strict=True):
        for run in _UNSPACED.findall(own):
            found.update(dict.fromkeys(run[i : i + 2] for i in range(max(1, len(run) - 1))))
        if _UNSPACED.fullmatch(own):
            continue
        found[own] = None
        # "BestBuy" is two words; "BESTBUY" is known by both of them glued, below.
        parts = _CAPITALS.split(word)
        if len(parts) > 1:
            found.update(dict.fromkeys(fold(part.casefold()) for part in parts))
        found.update(dict.fromkeys(period_terms(own)))
    for first, second in pairwise(plain):
        if first.isalpha() and second.isalpha():
            found[first + second] = None
    return list(found)


def period_terms(word: str) -> list[str]:
    """The year and quarter in a folded word: 2024q2, fy2018, fy18."""
    if match := _YEAR_PART.fullmatch(word):
        return [part for part in match.groups() if part]
    if match := _SHORT_YEAR.fullmatch(word):
        return [("20" if int(match[1]) < 70 else "19") + match[1]]
    return []


def acronym(text: str) -> str:
    """The initials of a name's capitalised words, links left out: jj for Johnson & Johnson."""
    words = [word for word in _WORD.findall(text) if word.casefold() not in _LINKS]
    named = []
    for word in words:
        if not word[0].isupper():
            break
        named.append(word)
    return "".join(word[0] for word in named).casefold() if len(named) > 1 else ""


def acronym_term(word: str) -> str:
    """The term under which a document is found by an acronym as people write it: IBM, J&J, JnJ."""
    return _ACRONYM + re.sub(r"(?<=[A-Z])[&n](?=[A-Z])", "", word).casefold()


def title_text(path: str, title: str, heading: str, others: Iterable[str]) -> str:
    """What the word index holds beside a chunk's text: what its document and section are called."""
    return " ".join((path, title, heading, *others))


def store_names(connection: sqlite3.Connection, version_id: int, terms: Iterable[str]) -> None:
    """Note what a version is called."""
    connection.executemany(
        "INSERT OR IGNORE INTO names (term, version_id) VALUES (?, ?)",
        [(term, version_id) for term in terms],
    )

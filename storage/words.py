"""Cutting text into words, numbers and marks, the same for texts and for queries.

A `Piece` is what becomes one term of the index. What stands between white
space ("ISO-27001", "$8,738.00", "max_query_terms", "l'eau") is cut into the
pieces that a searcher may know of it; whoever knows the whole finds the pieces
in a row.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from storage.folding import mark_class

# Han, Hiragana, Katakana, Thai, Lao, Myanmar, Khmer; and Hangul, whose words
# carry particles that a space does not separate.
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf"
    "\u4e00-\u9fff\ua9e0-\ua9ff\uaa60-\uaa7f\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
)
UNSPACED_RUN = re.compile(f"[{_UNSPACED}]+")

# Question words of scripts without spaces, longest first; texts that answer hold none of them.
QUESTION_WORDS = re.compile(
    "为什么|什么时候|什么|多少|哪些|哪个|哪里|哪一|怎么|怎样|如何|是否|"
    "何ですか|いつですか|どこですか|ですか|ますか|ましたか|でしょうか|どのくらい|どのように|"
    "무엇입니까|입니까|습니까|무엇|언제|어디|누구|어떻게|얼마나|"
    "เมื่อใด|เมื่อไร|เท่าใด|เท่าไร|อย่างไร|ที่ไหน|อะไร|หรือไม่"
)

# "1,234.5", "1.234,5", "8'738", "12", "3.10", "192.168.0.1"
_NUMBER = r"\d+(?:[.,']\d+)*"
_GROUPS = re.compile(r"(\d{1,3}(?:([.,'])\d{3})(?:\2\d{3})*)(?:[.,](\d+))?|"
                     r"(\d{1,2}(?:,\d{2})+,\d{3})(?:\.(\d+))?")  # fmt: skip
# Names of languages whose marks are part of them.
_NAMED = {"c++": "cplusplus", "c#": "csharp", "f#": "fsharp", "j#": "jsharp", ".net": "dotnet"}
_CAMEL = re.compile(r"[A-Z]{2,}(?=[A-Z][a-z]{2,})|[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_CAMEL_HINT = re.compile(r"[a-z][A-Z]|[A-Z]{2}[a-z]{2}")
_POSSESSIVE = re.compile(r"(?<=\w)'s?$", re.IGNORECASE)
# Letters and digits that change more often than in a part number are no words:
# a digest, a key, a coded attachment.
_MOST_CHANGES = 6

_PERIOD = re.compile(
    r"(?:FY|CY|[QH][1-4])[-' ]?(?P<year>\d{2}|\d{4})|(?P<first>[1-4][QH])'?(?P<after>\d{2}|\d{4})",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Piece:
    """A word or a number: one term of the index before stemming."""

    text: str
    """Lower-case, accents kept; a number without its grouping marks."""
    is_word: bool


@dataclass(frozen=True, slots=True)
class Cut:
    """What stands between white space, cut."""

    pieces: tuple[Piece, ...]
    others: tuple[tuple[Piece, ...], ...] = ()
    """Other spellings of it: email for "e-mail", parse + response for "parseResponse"."""


def cut(written: str, language: str = "") -> Cut:
    """Cut what stands between white space; `language` decides only how "I" is lowered."""
    named = _NAMED.get(written.strip("(),;:!?\"'[]").casefold())
    if named:
        return Cut((Piece(named, True),))
    inner = _POSSESSIVE.sub("", _strip(written))
    found = _runs().findall(inner)
    if not found:
        return Cut(())
    pieces: list[Piece] = []
    others: list[tuple[Piece, ...]] = []
    for run in found:
        changes = _pieces().findall(run)
        if len(changes) > _MOST_CHANGES:
            pieces.append(Piece(_lower(run, language), True))
            continue
        for part in changes:
            if part[0].isdecimal():
                pieces.extend(Piece(number, False) for number in _numbers(part))
                continue
            pieces.append(Piece(_lower(part, language), True))
            humps = _CAMEL.findall(part) if _CAMEL_HINT.search(part) else ()
            if len(humps) > 1 and sum(map(len, humps)) == len(part) and min(map(len, humps)) > 1:
                others.append(tuple(Piece(_lower(hump, language), True) for hump in humps))
    if len(found) == 2 and "-" in inner and all(piece.is_word for piece in pieces):
        others.append((Piece("".join(piece.text for piece in pieces), True),))
    others.extend((Piece(year, False),) for year in _years(inner))
    return Cut(tuple(pieces), tuple(others))


def pairs(run: str) -> list[str]:
    """A run of an unspaced script as overlapping pairs, and its last character.

    The last one alone lets a query of one character, which asks for all pairs
    that begin with it, find it at the end of a run too.
    """
    return [run[i : i + 2] for i in range(len(run))]


def _strip(written: str) -> str:
    start, end = 0, len(written)
    while start < end and not written[start].isalnum():
        start += 1
    while end > start and not (written[end - 1].isalnum() or _mark().match(written[end - 1])):
        end -= 1
    return written[start:end]


def _numbers(written: str) -> list[str]:
    """One number's terms: 8,738.50 → 8738 and 50; 3.10 → 3 and 10."""
    grouped = _GROUPS.fullmatch(written)
    if grouped and not written.startswith("0") and not _is_address(written):
        whole = re.sub(r"\D", "", grouped[1] or grouped[4])
        decimals = grouped[3] or grouped[5]
        return [whole, decimals] if decimals else [whole]
    return re.findall(r"\d+", written)


def _is_address(written: str) -> bool:
    """Four groups of digits up to 255: an address of a machine."""
    groups = written.split(".")
    return len(groups) == 4 and all(int(group) < 256 for group in groups)


def _years(written: str) -> list[str]:
    """The year that a period's short name holds: 2018 for FY18 and for 2Q18."""
    found = _PERIOD.fullmatch(written)
    if not found:
        return []
    year = found["year"] or found["after"]
    if len(year) == 4:
        return []
    return [("20" if int(year) < 70 else "19") + year]


def _lower(word: str, language: str) -> str:
    if language in ("tr", "az"):
        word = word.replace("I", "ı").replace("İ", "i")
    return word.casefold().replace("i\u0307", "i")


@cache
def _runs() -> re.Pattern[str]:
    """Runs of letters, marks and digits; a number keeps the marks inside it."""
    return re.compile(rf"(?:{_NUMBER}|[^\W_]|[{mark_class()}])+")


@cache
def _pieces() -> re.Pattern[str]:
    return re.compile(rf"{_NUMBER}|(?:[^\W\d_]|[{mark_class()}])+")


@cache
def _mark() -> re.Pattern[str]:
    return re.compile(f"[{mark_class()}]")

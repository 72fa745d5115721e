"""Comparing answers as SQuAD does, in scripts with spaces and without.

SQuAD lower-cases, drops punctuation and the English articles, and compares
words. Here punctuation is all of Unicode's, the articles are those of the
question's language, as in the evaluation of MLQA, and where a script puts no
spaces between words each character counts as one, as in that of XQuAD's
Chinese.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from functools import cache

from storage.words import UNSPACED_RUN

_ARTICLES = {
    language: frozenset(articles.split())
    for language, articles in {
        "en": "a an the",
        "es": "el la los las un una unos unas",
        "de": "der die das den dem des ein eine einen einem einer eines",
        "fr": "le la les un une des",
        "it": "il lo la i gli le un uno una",
        "pt": "o a os as um uma uns umas",
    }.items()
}
_NO_ARTICLES: frozenset[str] = frozenset()
_WITHIN_NUMBER = re.compile(r"(?<=\d)[.,'’](?=\d)")
_MARK = re.compile(r"\s*\[\d{1,3}(?:\s*[,;–-]\s*\d{1,3})*\]")


def words(text: str, language: str = "en") -> list[str]:
    """The normalised words of a text: "The $1,577 (FY'18)" gives `1577`, `fy18`."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    kept = "".join("" if _is_punctuation(c) else c for c in folded)
    return _telling(_spaced(kept).split(), language)


def exact(answer: str, accepted: Sequence[str], language: str = "en") -> bool:
    """Whether an answer says one of the accepted ones and nothing else."""
    said = words(answer, language)
    return any(said == words(right, language) for right in accepted)


def f1(answer: str, accepted: Sequence[str], language: str = "en") -> float:
    """The harmonic mean of word precision and recall, against the closest accepted answer."""
    said = Counter(words(answer, language))
    return max((_f1(said, Counter(words(right, language))) for right in accepted), default=0.0)


def holds(text: str, accepted: Sequence[str], language: str = "en") -> bool:
    """Whether one of the accepted answers stands in a text, as words in a row.

    "12" does not stand in "2012", nor "40" in "3.40"; "16" does stand in
    "16-year-old" and "1577" in "$1,577".
    """
    return any(
        _in_a_row(cut(right, language), cut(text, language))
        for cut in (words, _parted)
        for right in accepted
    )


def without_marks(answer: str) -> str:
    """An answer's text without the marks of its citations."""
    return _MARK.sub("", answer)


def _parted(text: str, language: str) -> list[str]:
    """The words of a text where punctuation parts words, save within numbers."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    inside = {match.start() for match in _WITHIN_NUMBER.finditer(folded)}
    kept = "".join(
        " " if _is_punctuation(c) and place not in inside else c for place, c in enumerate(folded)
    )
    return _telling(_spaced(kept).split(), language)


def _telling(said: Sequence[str], language: str) -> list[str]:
    articles = _ARTICLES.get(language, _NO_ARTICLES)
    return [word for word in said if word not in articles]


def _spaced(text: str) -> str:
    return UNSPACED_RUN.sub(lambda run: f" {' '.join(run.group())} ", text)


@cache
def _is_punctuation(character: str) -> bool:
    # Signs too: SQuAD's ASCII list holds "$", "+", "<", "=", "^", "`", "|" and "~".
    return unicodedata.category(character)[0] in "PS"


def _in_a_row(needle: Sequence[str], text: Sequence[str]) -> bool:
    if not needle:
        return False
    last = len(text) - len(needle)
    return any(list(text[i : i + len(needle)]) == list(needle) for i in range(last + 1))


def _f1(said: Counter[str], right: Counter[str]) -> float:
    shared = (said & right).total()
    if not shared:
        return 0.0
    return 2 * shared / (said.total() + right.total())

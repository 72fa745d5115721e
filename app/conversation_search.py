"""What a search in conversations sees: text without case and accents, and words around a find.

Nothing is cut into words: parts of words are found, and so is Chinese.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

MOST_TERMS = 12
"""More words of a query are not looked at."""

_AROUND = 60
"""Characters shown before and behind a find."""
_TERM = re.compile(r'"([^"]+)"|(\S+)')


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A find with the words around it, as they stand in the text."""

    before: str = ""
    found: str = ""
    after: str = ""


def folded(text: str) -> str:
    """The text without case and accents; one kind of white space between words."""
    text = " ".join(text.split())
    if text.isascii():
        return text.lower()
    apart = unicodedata.normalize("NFKD", text)
    return "".join(char for char in apart if not unicodedata.combining(char)).casefold()


def terms_of(query: str) -> list[str]:
    """The words and quoted phrases of a query, folded, each once."""
    found = (folded(match[1] or match[2]) for match in _TERM.finditer(query))
    words = (term.strip('"') for term in found)
    return list(dict.fromkeys(word for word in words if word))[:MOST_TERMS]


def excerpt(texts: Sequence[str], terms: Sequence[str]) -> Excerpt:
    """The first place of a term in the texts; their beginning where none is there."""
    for text in texts:
        line = " ".join(text.split())
        seen, places = _with_places(line)
        at = min((seen.find(term) for term in terms if term in seen), default=-1)
        if at < 0:
            continue
        length = next(len(term) for term in terms if seen.startswith(term, at))
        start, end = places[at], places[at + length - 1] + 1
        return Excerpt(
            _cut_before(line[max(0, start - _AROUND) : start], start > _AROUND),
            line[start:end],
            line[end : end + _AROUND] + ("…" if len(line) > end + _AROUND else ""),
        )
    line = " ".join((texts[0] if texts else "").split())
    return Excerpt(after=line[: 2 * _AROUND] + ("…" if len(line) > 2 * _AROUND else ""))


def _cut_before(words: str, cut: bool) -> str:
    """What stands before a find; it begins with a whole word where it was cut."""
    if not cut:
        return words
    space = words.find(" ")
    return "…" + (words[space + 1 :] if 0 <= space < _AROUND // 2 else words)


def _with_places(line: str) -> tuple[str, list[int]]:
    """The folded line, and of each of its characters where it comes from."""
    if line.isascii():
        return line.lower(), list(range(len(line)))
    pieces = [folded(char) if not char.isspace() else " " for char in line]
    places = [place for place, piece in enumerate(pieces) for _ in piece]
    return "".join(pieces), places

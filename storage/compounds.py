"""Compound words: "Police" in Versicherungspolice, and the reverse.

No dictionary is needed. A word that begins another one is found by FTS5's
prefix search. For the last part, every long word of a compounding language
has one more term in the index, itself spelled backwards: whatever ends in
"police" then begins with "ecilop". A compound in a query is taken apart where
the library knows both parts as words of their own.
"""

from __future__ import annotations

import math
from collections.abc import Callable

COMPOUNDING = frozenset("da de et fi hu nl no sv".split())
"""Languages that write compounds as one word, and have stems."""

SHORTEST_PART = 4
"""Letters of a stem from which it is looked for inside of longer words."""

_SHORTEST_COMPOUND = 8
_SHORTEST_HEAD = 3
# From the private use area: no text's own words can be taken for it.
_BACKWARDS = "\ue000"
# What German, Dutch and the Nordic languages put between the parts.
_LINKS = ("", "s", "n", "en", "es", "er", "e", "ns", "ens")


def backwards(stem: str) -> str:
    """The term that finds a long word by its end; empty for words too short to be compounds."""
    if len(stem) < _SHORTEST_COMPOUND or not stem.isalpha():
        return ""
    return _BACKWARDS + stem[::-1]


def around(stem: str) -> list[str]:
    """FTS5 phrases that find a part at the beginning and at the end of compounds."""
    if len(stem) < SHORTEST_PART or not stem.isalpha():
        return []
    return [f'"{stem}" *', f'"{_BACKWARDS}{stem[::-1]}" *']


def parts_of(
    word: str, stem_of: Callable[[str], str], frequency: Callable[[str], int]
) -> list[str]:
    """Stems of the two or more known words that a compound is made of; empty where it is none.

    Of all ways to cut it the one with the most frequent parts (their geometric
    mean) is taken; a part that is a compound itself is cut again.
    """
    best, parts = 0.0, ("", "")
    for at in range(_SHORTEST_HEAD, len(word) - _SHORTEST_HEAD + 1):
        tails = frequency(stem_of(word[at:]))
        if not tails:
            continue
        for link in _LINKS:
            head = word[:at].removesuffix(link)
            if not word[:at].endswith(link) or len(head) < _SHORTEST_HEAD:
                continue
            score = math.sqrt(frequency(stem_of(head)) * tails)
            if score > best:
                best, parts = score, (head, word[at:])
    if not best:
        return []
    found = [stem_of(part) for part in parts]
    for part in parts:
        if len(part) >= _SHORTEST_COMPOUND:
            found += parts_of(part, stem_of, frequency)
    return found

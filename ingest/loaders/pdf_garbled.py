"""Text layers that hold codes instead of text.

A font that does not say which characters its codes mean leaves glyph numbers,
private-use codes or replacement characters, or letters that are all a few
places off. Such a page reads well and cannot be found: it counts as a scan.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter

_SAMPLE = 4000
_LEAST_CHARACTERS = 20
_MOST_MEANINGLESS = 0.3
"""Of the characters that are not space. Symbol fonts and formulas stay far below."""

_LEAST_WORDS = 40
_UNMAPPED = 0.5
_WORD = re.compile(r"[^\W\d_]{4,}")
_VOWELS = frozenset("aeiouyæœøı")

_LEAST_WITHOUT_VOWEL = 0.15
_FEW_VOWELS = 0.22
"""Words of four letters or more without a vowel, and vowels among letters. Languages in Latin
letters have 0.25 (a German sentence of consonants) to 0.45 of the latter, English that is three
letters off 0.19 and every third word without any. Made-up Czech goes to a third as well, at 0.31.
"""

_UNLIKELY_VOWELS = 0.25
_UNLIKELY_CAPITALS = 0.25


def is_garbled(text: str, unmapped: float) -> bool:
    """Whether a page's raw text is codes, not text.

    `unmapped` is the share of characters whose font does not say what they are.
    """
    sample = text[:_SAMPLE]
    shown = [character for character in sample if not character.isspace()]
    if len(shown) < _LEAST_CHARACTERS:
        return False
    counts = Counter(shown)
    meaningless = sum(count for character, count in counts.items() if _is_meaningless(character))
    if meaningless > _MOST_MEANINGLESS * len(shown):
        return True
    words = _WORD.findall(sample)
    latin = [_plain(word) for word in words if word[0] < "\u0250"]
    if unmapped >= _UNMAPPED and _is_unlikely("".join(shown), latin):
        return True
    if len(latin) < _LEAST_WORDS or 2 * len(latin) < len(words):
        return False
    small = [word for word in latin if word[1:].islower()]
    if len(small) < _LEAST_WORDS:
        return False
    without = sum(not _VOWELS & set(word.casefold()) for word in small)
    letters = "".join(small).casefold()
    vowels = sum(character in _VOWELS for character in letters)
    return without >= _LEAST_WITHOUT_VOWEL * len(small) and vowels < _FEW_VOWELS * len(letters)


def _is_meaningless(character: str) -> bool:
    # U+F0xx are bullets and dingbats of symbol fonts as often as garbled text; a page of
    # them is the latter.
    return character == "\ufffd" or unicodedata.category(character) in ("Co", "Cn", "Cc")


def _is_unlikely(shown: str, words: list[str]) -> bool:
    """Whether no language could look like this: few vowels, capitals and signs within words."""
    letters = [character for character in shown if character.isalpha()]
    if len(letters) < 0.6 * len(shown):
        return len(letters) < 0.3 * len(shown) and not any(map(str.isdigit, shown))
    plain = _plain("".join(letters)).casefold()
    if sum(character in _VOWELS for character in plain) < _UNLIKELY_VOWELS * len(plain):
        return all(character < "\u0250" for character in letters[:200])
    inner = "".join(word[1:] for word in words)
    mixed = [word for word in words if not (word[1:].islower() or word.isupper())]
    capitals = sum(map(str.isupper, "".join(word[1:] for word in mixed)))
    return bool(inner) and capitals > _UNLIKELY_CAPITALS * len(inner)


def _plain(word: str) -> str:
    """The word without accents."""
    decomposed = unicodedata.normalize("NFD", word)
    return "".join(character for character in decomposed if not unicodedata.combining(character))

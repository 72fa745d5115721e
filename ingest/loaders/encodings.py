"""Which encoding the bytes of an old text are in, and what the names of encodings mean.

Short texts of Western Europe are what general guessers get wrong most: a line
with two umlauts becomes Chinese or Icelandic. Texts of mostly ASCII letters are
therefore told apart here, by the characters that their languages use.
"""

from __future__ import annotations

import codecs
import re

_MEANT = {
    "ascii": "cp1252",
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "tis-620": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "big5": "big5hkscs",
}
"""What programs write under these names, as browsers take them (WHATWG's standard of encodings)."""

_SIGNS = "“”„‘’‚–—…•€£¥©®™§°·«»‹›¿¡²³½¼¾ºª×µ†\xa0"
_WEST = "äöüßéèêëàâîïôùçœæøåñáíóúãìòÿÄÖÜÉÈÀÂÇØÅÆŒÑÁÍÓÚÊÎÔÃÕ"
_CENTRAL = "ąćęłńóśźżčďěňřťůáéíýúäöüßôâîşĄĆĘŁŃÓŚŹŻČĎĚŇŘŤŮÁÉÍÝÚÄÖÜ"
_LETTERS: dict[str, tuple[str, str]] = {
    # encoding: (letters that speak for it, letters that speak for it half as much)
    "cp1252": (_WEST, "õûÛÒÌ"),
    "cp1250": (_CENTRAL + "šžŠŽőűŐŰ", "ăţđŢĐ"),
    "iso8859-2": (_CENTRAL + "šžŠŽőűŐŰ", "ăţđŢĐ"),
    "cp1254": ("ğışİĞŞçöüÇÖÜâ", "îû"),
    "mac-roman": (_WEST, "õû"),
    "cp850": (_WEST, "õû"),
}
_CENTRAL_AS_WEST = re.compile("[èìÈÌ][aeiouáéíóúý]", re.IGNORECASE)
"""What Czech's č and ě look like in Western encodings; no language there writes so."""
_USUAL = 1.5
"""The advantage of the first one: so few characters prove nothing against it."""

_CYRILLIC = ("cp1251", "koi8-r", "cp866", "iso8859-5")
_FREQUENT = frozenset("оеаинтсрвл")
_OTHERS = (
    *_CYRILLIC,
    *("cp1253", "cp1255", "cp1256", "cp932", "euc_jp", "gb18030", "big5hkscs", "cp949"),
    *("cp1252", "cp1250", "cp1254"),
)
_LETTER = re.compile(rb"[A-Za-z]")
_HIGH = re.compile(rb"[\x80-\xff]")
_FOREIGN = re.compile(r"[^\x00-\x7f]")
_ESCAPES = (b"\x1b$B", b"\x1b$@", b"\x1b(J")
_SCRIPTS = re.compile(
    "[\t\n\r\x20-\x7e\xa0-\u024f\u0370-\u06ff\u0e00-\u0e7f\u2010-\u2027\u20ac\u3000-\u30ff"
    "\u4e00-\u9fff\uac00-\ud7a3\uff00-\uff9f]"
)


def meant(name: str) -> str:
    """The codec of a stated encoding, as programs use that name; empty for an unknown one."""
    try:
        codec = codecs.lookup(name.strip()).name
    except (LookupError, ValueError):
        return ""
    return _MEANT.get(codec, codec)


def guess(content: bytes) -> str:
    """The encoding that bytes which are no UTF-8 are most likely in."""
    letters, high = len(_LETTER.findall(content)), len(_HIGH.findall(content))
    if high < 0.45 * (letters + high) and (encoding := _latin(content)):
        return encoding
    for encoding in _CYRILLIC:
        if _is_russian(_decoded(content, encoding)):
            return encoding
    import charset_normalizer

    found = charset_normalizer.from_bytes(content, cp_isolation=list(_OTHERS)).best()
    return found.encoding if found else "cp1252"


def escaped(content: bytes) -> str:
    """`iso2022_jp` for text that switches to Japanese by escapes; empty for others."""
    if not any(mark in content for mark in _ESCAPES):
        return ""
    return "iso2022_jp_ext" if _decoded(content, "iso2022_jp_ext") else ""


def wide(content: bytes) -> str:
    """UTF-16 without its mark, in any common script; empty for what is no text."""
    sample = content[: len(content) // 2 * 2]
    for encoding in ("utf-16-le", "utf-16-be"):
        text = _decoded(sample, encoding)
        if len(text) >= 8 and len(_SCRIPTS.findall(text)) > 0.97 * len(text):
            return encoding
    return ""


def _latin(content: bytes) -> str:
    """The encoding of a text in Latin letters; empty where none suits it."""
    best, most = "", 0.0
    for encoding, (whole, half) in _LETTERS.items():
        text = _decoded(content, encoding)
        if text:
            score = _score(text, frozenset(whole), frozenset(half))
            score += _USUAL if encoding == "cp1252" else 0.0
            score -= 2.0 * len(_CENTRAL_AS_WEST.findall(text))
            if score > most:
                best, most = encoding, score
    return best


def _score(text: str, whole: frozenset[str], half: frozenset[str]) -> float:
    """How well the characters beyond ASCII suit their neighbours and a language."""
    score = 0.0
    for found in _FOREIGN.finditer(text):
        at, character = found.start(), found[0]
        before = text[at - 1] if at else " "
        after = text[at + 1] if at + 1 < len(text) else " "
        if character in whole or character in half:
            odd = character.isupper() and before.islower()
            score += -1.0 if odd else 1.0 if character in whole else 0.5
        elif character in _SIGNS:
            within = before.isalpha() and after.isalpha() and character not in "’–—·\xa0"
            score += -1.0 if within else 1.0
        else:
            score -= 1.0
    return score


def _is_russian(text: str) -> bool:
    letters = [character for character in text if character.isalpha() and character > "\x7f"]
    frequent = sum(character in _FREQUENT for character in letters)
    return bool(letters) and frequent > 0.45 * len(letters)


def _decoded(content: bytes, encoding: str) -> str:
    """The text, also of bytes that end in the middle of a character; empty where it is none."""
    try:
        return codecs.getincrementaldecoder(encoding)().decode(content)
    except (UnicodeError, LookupError):
        return ""

"""What every format's text goes through: the characters kept, and the title chosen."""

from __future__ import annotations

import re
import unicodedata

_LIGATURES = {0xFB00: "ff", 0xFB01: "fi", 0xFB02: "fl", 0xFB03: "ffi", 0xFB04: "ffl"}
_LINE_ENDS = dict.fromkeys((0x85, 0x2028, 0x2029, 0x0B, 0x0C), "\n")
_BULLETS = {0xF0B7: "•", 0xF0A7: "▪"}
"""The bullets of the Symbol and Wingdings fonts, which have no meaning outside them."""
_INVISIBLE = (0xAD, 0x200B, 0x2060, 0xFEFF, 0xFFFE, 0xFFFF)
"""Soft hyphen, zero-width space, word joiner, byte order mark, noncharacters."""

_REPLACED: dict[int, str | None] = {
    **dict.fromkeys([*range(0x20), *range(0x7F, 0xA0), *_INVISIBLE], None),
    **dict.fromkeys(range(0xD800, 0xE000), "\ufffd"),
    **_LINE_ENDS,
    **_LIGATURES,
    **_BULLETS,
    0xA0: " ",
    0x09: "\t",
    0x0A: "\n",
}
_ODD = re.compile(
    "[" + "".join(f"\\u{code:04x}" for code in _REPLACED if code not in (0x09, 0x0A)) + "]"
)

_TITLE_LENGTH = 200
_FILE_ENDING = re.compile(r"\.[A-Za-z][A-Za-z0-9]{1,4}$")
_PLACEHOLDER = re.compile(
    r"(microsoft word|microsoft powerpoint|powerpoint presentation|untitled|unbenannt|no title"
    r"|document\s*\d*$|slide\s*\d*$|presentation\s*\d*$|title$|cover$)",
    re.IGNORECASE,
)
_WORD_HYPHEN = re.compile(r"(?<=[^\W\d_]{2})-(?=[^\W\d_]{2})")


def clean(text: str) -> str:
    """The text without what nobody can see, in composed form (NFC), its lines kept.

    Control characters, soft hyphens, zero-width spaces and lone surrogates
    (which SQLite and JSON refuse) go, all line ends become `\\n`, ligatures
    become letters, so that "ﬁnance" is found as "finance". Spaces at line
    ends go too, and no more than one empty line stays between two lines.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if _ODD.search(text):
        text = text.translate(_REPLACED)
    text = unicodedata.normalize("NFC", text)
    # Five times as fast as a substitution of spaces before line ends.
    text = "\n".join([line.rstrip() for line in text.split("\n")])
    text = re.sub(r"\n{3,}", "\n\n", text)
    return text.rstrip().strip("\n")


def one_line(text: str, length: int = _TITLE_LENGTH) -> str:
    """Cleaned text on one line, at most `length` characters long."""
    line = " ".join(clean(text).split())
    return line if len(line) <= length else line[: length - 1].rstrip() + "…"


def title_or_name(stated: str, stem: str) -> str:
    """The title a file states if it can be one, else its name made readable.

    Writers leave placeholders there ("Microsoft Word - final.doc"), file names
    and record numbers ("0001018724-18-000005"): none of them names the document.
    """
    title = one_line(stated)
    letters = sum(character.isalpha() for character in title)
    if (
        letters < 2
        or "\ufffd" in title
        or _PLACEHOLDER.match(title)
        or _FILE_ENDING.search(title)
        or title.startswith(("/", "\\", "file:", "http:", "https:"))
    ):
        return readable_name(stem)
    return title


def readable_name(stem: str) -> str:
    """A file name without its ending, as words: `3M_2018_10K` becomes `3M 2018 10K`.

    Hyphens between words become spaces too; those in dates and numbers stay.
    """
    words = stem.replace("_", " ")
    if " " not in stem:
        words = _WORD_HYPHEN.sub(" ", words)
    words = one_line(words) or stem
    return words[:1].upper() + words[1:] if words.islower() else words

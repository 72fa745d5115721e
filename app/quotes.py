"""Proof that a quote stands on a page: exact words, forgiving typography.

Page and quote are folded the same way (Unicode NFKC, letter case, quotation
marks, white space) and compared as strings. Hyphens are set apart: the folded
text holds none, and each place where one stood is a *gap*, so that
"inter-\\nnational" proves "international" and "inter-national" alike, while
"re-sign" never proves "resign".
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left, bisect_right
from enum import IntEnum
from functools import lru_cache

_HYPHENS = "-‐‑‒–—―−⁃﹘﹣－⸺⸻"
_MARKS = "'\"`´‘’‚‛“”„‟‹›«»′″‴ʼʹ「」『』＂＇｢｣"
# U+0002 and U+FFFE are what pdfium returns for a hyphen at the end of a line.
_SOFT_HYPHENS = "\xad\x02\ufffe"
_CURRENCY = "$€£¥₹"
# Scripts that put no space between words; there a word may begin anywhere.
_SPACELESS = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u2fdf\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)
ELLIPSIS = re.compile(r"\s*[\[(]?\s*(?:…|\.(?:\s?\.){2,})\s*[\])]?\s*")
_EDGES = " \t\r\n.,;:!?…。，、；：！？" + _MARKS


class _Gap(IntEnum):
    """What a hyphen between two folded characters was."""

    OPTIONAL = 0
    """At the end of a line, or soft: the word may be written with or without it."""
    HARD = 1
    SIGN = 2
    """A minus: part of the number behind it."""


class PageIndex:
    """One page's text, folded once, in which any number of quotes are looked for."""

    def __init__(self, text: str) -> None:
        self._page = _Folded(text)

    def find(self, quote: str, *, start: int = 0) -> tuple[int, int] | None:
        """Where the quote's words stand, as code point offsets into the page's text.

        The first place at or after `start` wins, then the first on the page.
        An ellipsis in the quote stands for anything between its two parts.
        Punctuation at the quote's edges may be missing on the page. None where
        a word, a digit or a sign differs.
        """
        begin = self._page.folded_offset(start)
        for wording in (quote, quote.strip(_EDGES)):
            needle = _Folded(wording)
            for origin in {begin: None, 0: None}:
                found = self._page.locate(needle, origin)
                if found:
                    return self._page.source_span(*found, signed=needle.signed)
        pieces = [piece for piece in ELLIPSIS.split(quote.strip(_EDGES)) if piece]
        return self._find_in_order(pieces) if len(pieces) > 1 else None

    def _find_in_order(self, pieces: list[str]) -> tuple[int, int] | None:
        needles = [_Folded(piece.strip(_EDGES)) for piece in pieces]
        # Single words in order stand on almost any page: they prove nothing.
        if not all(needle.says_something for needle in needles):
            return None
        start, position = -1, 0
        for needle in needles:
            found = self._page.locate(needle, position)
            if found is None:
                return None
            start = found[0] if start < 0 else start
            position = found[1]
        return self._page.source_span(start, position, signed=needles[0].signed)


def find_quote(quote: str, page_text: str) -> tuple[int, int] | None:
    """Where the quote's words stand in the page: (char_start, char_end), or None.

    See `PageIndex.find`; keep a `PageIndex` where several quotes are looked for.
    """
    return PageIndex(page_text).find(quote)


class _Folded:
    """A folded text, its hyphen gaps, and the way back to the source's offsets.

    `text` is made of pieces. A piece is either a stretch of the source with
    every character in place, or the folding of one source span as a whole
    (a ligature, a line break, a letter with its accents).
    """

    def __init__(self, source: str) -> None:
        self.source = source
        self._out: list[str] = []
        self._starts: list[int] = []
        self._sources: list[tuple[int, int]] = []
        self._whole: list[bool] = []
        self._length = 0
        self.gaps: list[int] = []
        self.kinds: list[_Gap] = []
        self._gap_sources: list[int] = []
        self._fold()
        self.text = "".join(self._out)

    @property
    def says_something(self) -> bool:
        """Whether this is more than one word, or holds a figure."""
        return any(character.isdigit() or character == " " for character in self.text) or (
            len(_SPACELESS.findall(self.text)) >= 2
        )

    def folded_offset(self, source_offset: int) -> int:
        """The place in `text` of the first piece that reaches past a source offset."""
        if source_offset <= 0 or not self._sources:
            return 0
        number = bisect_right(self._sources, (source_offset, 0)) - 1
        if number < 0:
            return 0
        start, end = self._sources[number]
        if source_offset >= end:
            return self._starts[number + 1] if number + 1 < len(self._starts) else self._length
        return self._starts[number] + (0 if self._whole[number] else source_offset - start)

    @property
    def signed(self) -> bool:
        """Whether the text begins with a minus sign."""
        return self._gap_at(0) is _Gap.SIGN

    def source_span(self, start: int, end: int, *, signed: bool) -> tuple[int, int]:
        """The source offsets of a stretch of `text`; `signed` takes in the minus before it."""
        first = self._piece(start)
        last = self._piece(end - 1)
        source_start, source_end = self._sources[first][0], self._sources[last][1]
        if not self._whole[first]:
            source_start += start - self._starts[first]
        if not self._whole[last]:
            source_end = self._sources[last][0] + end - self._starts[last]
        if signed:
            source_start = self._gap_sources[bisect_left(self.gaps, start)]
        return source_start, source_end

    def locate(self, needle: _Folded, begin: int) -> tuple[int, int] | None:
        """The first place at or after `begin` where the needle's words stand."""
        if not any(_is_wordlike(character) for character in needle.text):
            return None
        position = self.text.find(needle.text, begin)
        while position >= 0:
            end = position + len(needle.text)
            if (
                self._is_edge(position)
                and self._is_edge(end)
                and self._same_sign(needle, position)
                and self._same_hyphens(needle, position, end)
            ):
                return position, end
            position = self.text.find(needle.text, position + 1)
        return None

    def _piece(self, offset: int) -> int:
        return bisect_right(self._starts, offset) - 1

    def _gap_at(self, offset: int) -> _Gap | None:
        number = bisect_left(self.gaps, offset)
        if number < len(self.gaps) and self.gaps[number] == offset:
            return self.kinds[number]
        return None

    def _is_edge(self, offset: int) -> bool:
        """Whether a quote may begin or end here: not within a word, a number, a ligature."""
        if offset in (0, len(self.text)):
            return True
        number = self._piece(offset)
        if self._whole[number] and self._starts[number] != offset:
            return False
        before, after = self.text[offset - 1], self.text[offset]
        gap = self._gap_at(offset)
        if gap is _Gap.OPTIONAL:
            return False
        if gap is None and before.isdigit() and after in ".,:'":
            return not self.text[offset + 1 : offset + 2].isdigit()
        if gap is None and after.isdigit() and before in ".,:'":
            # "p.5" parts a word from a number; ".5" and "1,308" are numbers.
            mark = self.source_span(offset - 1, offset, signed=False)[0]
            return mark > 0 and _is_letter(self.source[mark - 1])
        if gap is not None or not (_is_wordlike(before) and _is_wordlike(after)):
            return True
        return bool(_SPACELESS.match(before) or _SPACELESS.match(after))

    def _same_sign(self, needle: _Folded, position: int) -> bool:
        here, wanted = self._gap_at(position), needle._gap_at(0)
        if wanted is _Gap.SIGN:
            return here is not None
        return here is not _Gap.SIGN or wanted is not None

    def _same_hyphens(self, needle: _Folded, position: int, end: int) -> bool:
        for gap, kind in zip(needle.gaps, needle.kinds, strict=True):
            inside = 0 < gap < len(needle.text)
            if inside and kind is not _Gap.OPTIONAL and self._gap_at(position + gap) is None:
                return False
        number = bisect_right(self.gaps, position)
        while number < len(self.gaps) and self.gaps[number] < end:
            optional = self.kinds[number] is _Gap.OPTIONAL
            if not optional and needle._gap_at(self.gaps[number] - position) is None:
                return False
            number += 1
        return True

    def _fold(self) -> None:
        source = self.source
        characters = set(source)
        folds = {character: fold_character(character) for character in characters}
        # Most characters fold to one character, in C and with every offset kept;
        # only the others are walked over.
        plain = source.translate(
            {ord(c): f for c, f in folds.items() if f != c and len(f) == 1 and not _is_odd(c)}
        )
        odd = {c for c, f in folds.items() if len(f) != 1 or _is_odd(c)}
        joining = {c for c in characters if _joins_the_last(c)}
        cursor = 0
        for match in _events(frozenset(odd), frozenset(joining)).finditer(plain):
            before = plain[match.start() - 1] if match.start() > cursor else self._last()
            after = _first_visible(plain, match.end(), folds)
            event = match[0]
            if event == " " and _keeps_space(before, after):
                continue
            self._copy(plain, cursor, match.start())
            before = self._last()
            cursor = match.end()
            if event[0] in " \n-":
                if "-" in event:
                    self._hyphen(event, before, after, match.start())
                elif _keeps_space(before, after):
                    self._emit(" ", match.start(), match.end())
            elif event[0] == "\xad":
                self._soft_hyphen(event, before, after, match.start())
            else:
                raw = source[match.start() : match.end()]
                self._emit(_fold_odd(raw, before), match.start(), match.end())
        self._copy(plain, cursor, len(plain))

    def _last(self) -> str:
        return self._out[-1][-1] if self._out else ""

    def _copy(self, plain: str, start: int, end: int) -> None:
        if start < end:
            self._append(plain[start:end], start, end, whole=False)

    def _emit(self, folded: str, start: int, end: int) -> None:
        if folded:
            self._append(folded, start, end, whole=True)

    def _append(self, folded: str, start: int, end: int, *, whole: bool) -> None:
        self._out.append(folded)
        self._starts.append(self._length)
        self._sources.append((start, end))
        self._whole.append(whole)
        self._length += len(folded)

    def _hyphen(self, event: str, before: str, after: str, offset: int) -> None:
        kind = _Gap.HARD
        leads = event[-1] == "-" and bool(after) and (after.isdigit() or after in _CURRENCY + ".")
        if event[0] == "-" and "\n" in event and event.count("-") == 1:
            if _is_letter(before) and _is_letter(after):
                kind = _Gap.OPTIONAL
        elif leads and not (event[0] == "-" and (_is_wordlike(before) or before in (")", "%"))):
            kind = _Gap.SIGN
        self._gap(kind, offset + event.index("-"))

    def _soft_hyphen(self, event: str, before: str, after: str, offset: int) -> None:
        if _is_letter(before) and _is_letter(after):
            self._gap(_Gap.OPTIONAL, offset)
        elif "\n" in event and (before + after).isalnum():
            self._gap(_Gap.HARD, offset)

    def _gap(self, kind: _Gap, offset: int) -> None:
        if self.gaps and self.gaps[-1] == self._length:
            self.kinds[-1] = max(self.kinds[-1], kind)
            return
        self.gaps.append(self._length)
        self.kinds.append(kind)
        self._gap_sources.append(offset)


@lru_cache(maxsize=16384)
def fold_character(character: str) -> str:
    """One character's folding; empty where it is invisible."""
    if character in _HYPHENS:
        return "-"
    if character in _MARKS:
        return "'"
    if character in _SOFT_HYPHENS:
        return "\xad"
    if character.isspace():
        return "\n" if character in "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029" else " "
    if unicodedata.category(character) in ("Cf", "Cc"):
        return ""
    folded = unicodedata.normalize("NFKC", character).casefold()
    return unicodedata.normalize("NFKC", folded).replace("⁄", "/")


def _is_odd(character: str) -> bool:
    """Whether the folding depends on what stands before: ², ½, ①."""
    return unicodedata.category(character) == "No"


def _fold_odd(raw: str, before: str) -> str:
    if len(raw) > 1:
        return unicodedata.normalize("NFKC", raw).casefold()
    folded = fold_character(raw)
    if not (_is_odd(raw) and before.isdigit()):
        return folded
    # After a digit, 10² must not become 102, nor 6½ 61/2.
    return f" {folded}" if "/" in folded else raw


def _first_visible(plain: str, offset: int, folds: dict[str, str]) -> str:
    """The next character that is not folded away, or nothing."""
    while offset < len(plain) and folds.get(plain[offset]) == "":
        offset += 1
    return plain[offset : offset + 1]


def _joins_the_last(character: str) -> bool:
    """Whether a character may melt into the one before it under composition."""
    return unicodedata.category(character)[0] == "M" or "\u1160" <= character <= "\u11ff"


@lru_cache(maxsize=256)
def _events(odd: frozenset[str], joining: frozenset[str]) -> re.Pattern[str]:
    """All places of a page that are more than a character to copy."""
    parts = [r"(?!(?<=[a-z0-9]) [a-z0-9])\s+(?:-[\s-]*)?", r"-[\s-]*", r"\xad+(?: *\n\s*)?"]
    if joining:
        marks = re.escape("".join(sorted(joining)))
        unseen = re.escape("".join(sorted(sign for sign in odd if not fold_character(sign))))
        # Marks melt into letters, not into a hyphen or into what is folded away.
        parts.insert(0, f"[^\\s\xad{marks}{unseen}-][{marks}]+")
    if odd:
        parts.append(f"[{re.escape(''.join(sorted(odd)))}]")
    return re.compile("|".join(parts))


def _keeps_space(before: str, after: str) -> bool:
    """Whether white space between two characters parts two words or two numbers."""
    if not before or not after:
        return False
    if before in ".,:'" and after.isdigit():
        return True
    if not (_is_wordlike(before) and _is_wordlike(after)):
        return False
    return not (_SPACELESS.match(before) or _SPACELESS.match(after))


def _is_wordlike(character: str) -> bool:
    return character.isalnum() or (character > "\x7f" and unicodedata.category(character)[0] == "M")


def _is_letter(character: str) -> bool:
    return character.isalpha()

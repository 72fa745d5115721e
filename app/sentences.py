"""Where the sentences of a text stand: exact offsets, many scripts, prose and tables.

The rules are our own. Of the libraries at hand, punkt (bundled with
llama-index) knows one language at a time and costs the import of nltk,
pysbd and syntok have stood still for years, sentencex wants the language
named, and none of them knows a table row or a heading from a wrapped line,
which is most of what a page of a report is made of.
"""

from __future__ import annotations

import re
from typing import NamedTuple

# These end a sentence wherever they stand: their scripts put no space after them.
_STRONG = "。！？｡．।॥؟۔։።။។"
_END = re.compile(
    rf"(?P<stop>[.!?…{_STRONG}]+)(?P<close>(?:[\"'”’»›)\]」』】）]|“(?=\s|\Z)|\[\d{{1,6}}\])*)(?=(?P<space>\s?))"
)
_OPENING = re.compile(r"[\s\"'“”„«‹‘(\[¿¡「『【（*_#>|•–—-]{0,40}")
_WORD_BEFORE = re.compile(r"[^\s\"'“”„«»‘(\[「『（/]{1,24}\Z")
_WORD = re.compile(r"[^\W\d_]+")
_ACRONYM = re.compile(r"(?:[^\W\d_]\.)+[^\W\d_]")
_LIST_MARK = re.compile(
    r"\s*(?:[-*+•◦▪‣·–—]\s|#{1,6}\s|\||>\s|\(?(?:\d{1,3}|[a-zA-Z])[.)]\s|[①-⑳])"
)
_NUMBERED = re.compile(
    r"\s*(?:#{1,6}\s+|[-*•]\s+)?\(?(?:\d{1,3}(?:\.\d{1,3})*|[a-zA-Z]|[IVXivx]{1,5})\Z"
)
_FIGURE = re.compile(r"[($€£¥+-]*\d[\d.,:/]*\)?[%°)]*|[$€£¥—–-]|n/?a")
_GAP = re.compile(r"\S(?: {2,}|\t)(?=\S)")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Titles and Latin short forms: a name or the rest of the sentence follows.
_NEVER_LAST = _words(
    "v mr mrs ms dr prof gen col sgt capt lt cmdr hon rev messrs mt e.g i.e eg ie cf vs viz "
    "approx ca bzw z.b d.h u.a sog vgl hr fr sra dra ud uds srta mme mlle mgr p.ej resp incl "
    "excl"
)
# Short forms only in front of a number; "no." also ends sentences.
_BEFORE_NUMBER = _words(
    "b c d fl no nos nr núm num nº p pp pg pág fig figs eq ch vol vols art arts sec sect abs bd "
    "ed ref tab para item ex ver v § jan feb mar apr jun jul aug sep sept oct nov dec"
)
# Short forms that may end a sentence too: the next word decides.
_EITHER = _words(
    "inc corp ltd co llc plc bros jr sr st etc al dept est gov sen rep assn univ intl ave blvd "
    "jan feb mar apr jun jul aug sep sept oct nov dec s.a gmbh cie usw"
)
_STARTERS = _words(
    "the a an in it its he she they we you i this these those that there but and or for on at "
    "as if when while where however after before since during although because by from with "
    "under over our their his her my no not all most many some each both such what who how why "
    "one two three today then thus also instead according el la los las un una en es der die "
    "das ein eine im er sie wir le les une il elle nous dans pour"
)
_MONTHS = _words(
    "januar februar märz april mai juni juli august september oktober november dezember january "
    "february march may june july october december"
)


class Span(NamedTuple):
    """A stretch of a text, in code points; `end` is exclusive."""

    start: int
    end: int


def sentences(text: str) -> list[Span]:
    """Split a text into its sentences, table rows, list items and headings.

    The spans are in order, do not overlap, hold every character that is not
    white space and neither begin nor end with white space. Takes time linear
    in the length of the text.
    """
    cuts = sorted({*_line_cuts(text), *_sentence_cuts(text), len(text)})
    spans: list[Span] = []
    start = 0
    for cut in cuts:
        piece = text[start:cut]
        bare = piece.strip()
        if bare:
            first = start + len(piece) - len(piece.lstrip())
            spans.append(Span(first, first + len(bare)))
        start = cut
    return spans


def _sentence_cuts(text: str) -> list[int]:
    return [match.end() for match in _END.finditer(text) if _ends_sentence(text, match)]


def _ends_sentence(text: str, match: re.Match[str]) -> bool:
    stop = match["stop"]
    if stop[-1] in _STRONG:
        return True
    end = match.end()
    if end < len(text) and not match["space"]:
        return False
    opening = _OPENING.match(text, end)
    after = opening.end() if opening else end
    if after < len(text) and (text[after].islower() or text[after] in ".…"):
        return False
    if stop != ".":
        return True
    return not _is_short_form(text, match.start(), after)


def _is_short_form(text: str, dot: int, after: int) -> bool:
    """Whether the full stop at `dot` belongs to a short form, given what comes after it."""
    found = _WORD_BEFORE.search(text, max(0, dot - 24), dot)
    if found is None:
        return False
    word = found[0].lower()
    following = _WORD.match(text, after)
    next_word = following[0].lower() if following else ""
    number_follows = after < len(text) and text[after].isdigit()
    if word in _NEVER_LAST:
        return True
    if word in _BEFORE_NUMBER and number_follows:
        return True
    if word.isdigit():
        line_start = text.rfind("\n", max(0, dot - 24), dot) + 1
        if (line_start or dot < 24) and _NUMBERED.match(text[line_start:dot]):
            return True
        return len(word) <= 2 and next_word in _MONTHS
    initial = len(word) == 1 and found[0].isupper()
    if initial or word in _EITHER or _ACRONYM.fullmatch(word):
        if number_follows:
            return not initial
        return bool(next_word) and next_word not in _STARTERS and text[after].isupper()
    return False


def _line_cuts(text: str) -> list[int]:
    """The line breaks that end something: a row, an item, a heading, a paragraph."""
    if "\n" not in text:
        return []
    lines = text.split("\n")
    lengths = sorted(len(line.strip()) for line in lines if line.strip())
    if not lengths:
        return []
    # Nine in ten lines are no longer than this; a line much shorter was ended on
    # purpose. Bounded, so that neither one long paragraph nor a column of names
    # sets the measure for the rest.
    width = min(max(lengths[len(lengths) * 9 // 10], 40), 100)
    rows = [is_row(line) for line in lines]
    cuts: list[int] = []
    position = 0
    for number in range(len(lines) - 1):
        line, following = lines[number], lines[number + 1]
        position += len(line) + 1
        if (
            not line.strip()
            or not following.strip()
            or rows[number]
            or rows[number + 1]
            or line.lstrip().startswith("#")
            or _LIST_MARK.match(following)
            or _ended_early(line.strip(), following.lstrip(), width)
        ):
            cuts.append(position)
    return cuts


def is_row(line: str) -> bool:
    """Whether a line reads like a row of a table: cells, or mostly figures at its end."""
    bare = line.strip()
    if bare.startswith("|") or bare.count("|") >= 2 or "\t" in bare:
        return True
    if len(_GAP.findall(bare)) >= 2:
        return True
    if not bare or bare[-1] in ".!?;," + _STRONG:
        return False
    words = bare.split()
    if len(words) > 40:
        return False
    figures = [_FIGURE.fullmatch(word) is not None for word in words]
    return sum(figures) >= 2 and all(figures[-2:])


def _ended_early(line: str, following: str, width: int) -> bool:
    if len(line) >= 0.6 * width or line[-1] in ",;-–—(&/":
        return False
    return not following[0].islower() and following[0] not in ",.;:!?)]}%”’»"

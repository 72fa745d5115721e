"""What helps to understand a sentence that is quoted alone: the one before it, or after it.

"It was raised to 120 euros in May" needs the sentence before, an item of a
list the line that leads in, and a line that ends in a colon what follows.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from app.sentences import Span, is_row

_MOST = 300
"""Characters. A longer neighbour explains nothing at a glance."""

_FEW_WORDS = 4
_ITEMS_BACK = 12

_LEANING = frozenset(
    "it its they them their theirs he him his she her hers this that these those such both "
    "neither either however but also therefore thus then there otherwise instead moreover "
    "furthermore consequently hence so yet still similarly likewise here another others "
    "esto este esta estos estas ese esa eso esos esas ello ellos ellas él ella su sus también "
    "pero además entonces así allí sin "
    "er sie es ihr ihre ihren ihrem ihrer sein seine seinen seinem seiner dies diese dieser "
    "dieses diesem diesen das damit dabei dazu daher deshalb jedoch aber auch dort dann dadurch "
    "il elle ils elles ce cela ceci cette ces cet leur leurs celui celle ceux mais aussi ainsi "
    "donc puis alors cependant".split()
)
_LEANING_SIGNS = re.compile(
    "[它他她牠祂这這那其此该該但而]|因此|所以|然而|不过|不過|これ|それ|その|この|しかし"
)
_OPENING = re.compile(r"[\"'“”„«‹‘(\[¿¡「『（*_]*([^\W\d_]+)")
_ITEM = re.compile(r"\s*(?:[-*+•◦▪‣·]\s|\(?(?:\d{1,3}|[a-zA-Z])[.)]\s|[①-⑳])")
_COLON = (":", "：")
_ENDS = ".!?…:;。！？：；\"'”’»)"


class Neighbours(NamedTuple):
    """The sentences around a quoted one that help to read it, as spans of the text."""

    before: Span | None
    after: Span | None


def neighbours_of(text: str, pieces: Sequence[Span], index: int) -> Neighbours:
    """Which neighbours of a piece help to read it; `pieces` are the text's, in order."""
    piece = text[pieces[index].start : pieces[index].end]
    before = after = None
    if piece.endswith(_COLON):
        after = _next(text, pieces, index)
    if _is_item(text, pieces[index]):
        before = _lead_in(text, pieces, index)
    elif not is_row(_line_of(text, pieces[index])) and _leans_back(piece):
        before = _before(text, pieces, index)
    return Neighbours(before, after)


def _leans_back(piece: str) -> bool:
    opening = _OPENING.match(piece)
    if opening is None:
        return False
    word = opening[1]
    if _LEANING_SIGNS.match(word) or word[0].islower():
        return True
    return word.casefold() in _LEANING or (
        word.isascii() and len(piece.split()) <= _FEW_WORDS and piece[-1] in ".!"
    )


def _before(text: str, pieces: Sequence[Span], index: int) -> Span | None:
    """The sentence before, where it belongs to the same paragraph."""
    if index == 0:
        return None
    found = pieces[index - 1]
    between = text[found.end : pieces[index].start]
    words = text[found.start : found.end]
    if "\n\n" in between or is_row(_line_of(text, found)) or len(words) > _MOST:
        return None
    opens_small = text[pieces[index].start].islower()
    is_heading = "\n" in between and words[-1] not in _ENDS and not opens_small
    return None if is_heading else found


def _next(text: str, pieces: Sequence[Span], index: int) -> Span | None:
    """What follows a colon: the items of the list, as many as are short enough."""
    start = end = None
    for position in range(index + 1, min(index + 1 + _ITEMS_BACK, len(pieces))):
        piece = pieces[position]
        is_more = start is not None and not _is_item(text, piece)
        first = piece.start if start is None else start
        if is_more or piece.end - first > _MOST:
            break
        start, end = first, piece.end
    return Span(start, end) if start is not None and end is not None else None


def _lead_in(text: str, pieces: Sequence[Span], index: int) -> Span | None:
    """The line that a list hangs on: it ends in a colon, or its items in small letters go on."""
    item = _ITEM.sub("", text[pieces[index].start : pieces[index].end], count=1)
    goes_on = item[:1].islower()
    for position in range(index - 1, max(-1, index - 1 - _ITEMS_BACK), -1):
        piece = pieces[position]
        words = text[piece.start : piece.end]
        if not _is_item(text, piece):
            leads = words.endswith(_COLON) or (goes_on and words[-1] not in _ENDS)
            return piece if leads and len(words) <= _MOST else None
    return None


def _is_item(text: str, piece: Span) -> bool:
    return _ITEM.match(_line_of(text, piece)) is not None


def _line_of(text: str, piece: Span) -> str:
    """The line that a piece begins in, its list mark included."""
    start = text.rfind("\n", 0, piece.start) + 1
    end = text.find("\n", piece.start)
    return text[start : end if end >= 0 else len(text)]

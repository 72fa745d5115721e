"""Where a page says almost what a quote says, and in which words the two differ.

A quote that is not on its page word for word is often there but for one
figure. The tokens of quote and page (words, numbers, single characters of
scripts without spaces) are aligned as sequences are in biology: the whole
quote against any stretch of the page, each difference at its price.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache

from app.answers import Difference, Near
from app.quotes import ELLIPSIS, PageIndex, fold_character

_SPACELESS = "\u0e00-\u0eff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003ffff"
_HYPHEN = "[-\xad\x02\ufffe‐‑‒–—−]"
_TOKEN = re.compile(
    # A sign belongs to the number behind it; a hyphen to the word it stands in.
    r"(?P<number>(?:(?<![^\W_])(?<!\))[-–−])?(?:\d+(?:[.,]\d+)*|(?<![\w.])\.\d+))"
    rf"|(?P<single>[{_SPACELESS}])"
    rf"|(?P<word>[^\W\d_{_SPACELESS}]+(?:{_HYPHEN}\s*[^\W\d_{_SPACELESS}]+)*)"
    r"|(?P<unit>[$€£¥₹%‰°])"
    r"|(?P<mark>[^\w\s])"
)
_WEIGHT = {"number": 1.0, "word": 1.0, "single": 0.6, "unit": 0.5, "mark": 0.15}
_LEAST_LIKENESS = 0.6
"""Of the quote's weight that must be there. Lower ones are other sentences on the same subject."""
_LIKE_WORDS = 0.5
"""Share of equal characters from which one word stands for another, as 8,738 for 8,783."""
_BETWEEN = 0.4
"""Share of its weight that a word of the page costs which the quote leaves out."""
_MOST_TOKENS = 400
_MOST_VOTES = 20_000
"""Pairs of equal words that are looked at: words that stand everywhere tell no place."""
_WINDOWS = 3
_HERE = 0.05
"""What standing in the passage that was cited is worth, where two places are as like."""


@dataclass(frozen=True, slots=True)
class _Token:
    start: int
    end: int
    kind: str
    folded: str
    strict: str
    """With its hyphens."""

    @property
    def weight(self) -> float:
        return _WEIGHT[self.kind]


@dataclass(frozen=True, slots=True)
class _Aligned:
    cost: float
    pairs: tuple[tuple[int | None, int | None], ...]
    """(token of the quote, token of the page), None for what the other has not."""


class NearIndex:
    """One page's tokens, in which any number of quotes are looked for."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = _tokens(text)
        self._places: dict[str, list[int]] = {}
        for place, token in enumerate(self._tokens):
            self._places.setdefault(token.folded, []).append(place)

    def nearest(self, quote: str, *, start: int = 0, end: int | None = None) -> Near | None:
        """The stretch of the page most like the quote, or None where none is like it.

        Of two as like, one between `start` and `end` is taken. Of a quote with
        an ellipsis, the first part that is not on the page is looked for.
        """
        parts = [part for part in ELLIPSIS.split(quote) if part.strip()]
        if len(parts) > 1:
            index = PageIndex(self._text)
            parts = [part for part in parts if index.find(part) is None]
        if not parts:
            return None
        wording = parts[0].strip()
        wanted = _tokens(wording)
        if not 0 < len(wanted) <= _MOST_TOKENS:
            return None
        passage = (start, len(self._text) if end is None else end)
        best: tuple[float, _Aligned] | None = None
        for first, last in self._windows(wanted):
            aligned = _align(wanted, self._tokens[first:last], first)
            likeness = self._likeness(wanted, aligned)
            if likeness < _LEAST_LIKENESS:
                continue
            span = self._span(aligned)
            worth = likeness + _HERE * (passage[0] <= span[0] and span[1] <= passage[1])
            if best is None or worth > best[0]:
                best = (worth, aligned)
        return self._near(wording, wanted, best[1]) if best else None

    def _windows(self, wanted: Sequence[_Token]) -> list[tuple[int, int]]:
        """The stretches of the page that share most words with the quote, rare ones first."""
        size = len(wanted)
        stride = max(size // 2, 4)
        votes: Counter[int] = Counter()
        left = _MOST_VOTES
        places_of = [(self._places.get(token.folded, []), n) for n, token in enumerate(wanted)]
        for places, position in sorted(places_of, key=lambda item: len(item[0])):
            left -= len(places)
            if left < 0:
                break
            token = wanted[position]
            for place in places:
                bucket = (place - position) // stride
                worth = token.weight / (1 + len(places) ** 0.5)
                # A place near the edge of a bucket counts for its neighbour as well.
                votes[bucket] += worth
                votes[bucket + 1] += worth / 2
        reach = size + 2 * stride
        windows = []
        for bucket, _ in votes.most_common(_WINDOWS if size <= 100 else 1):
            first = max(0, bucket * stride - stride)
            windows.append((first, min(len(self._tokens), first + stride + reach)))
        return windows

    def _likeness(self, wanted: Sequence[_Token], aligned: _Aligned) -> float:
        shared = any(
            mine is not None and theirs is not None and _vouches(wanted[mine], self._tokens[theirs])
            for mine, theirs in aligned.pairs
        )
        if not shared:
            return 0.0
        return 1 - aligned.cost / sum(token.weight for token in wanted)

    def _span(self, aligned: _Aligned) -> tuple[int, int]:
        places = [theirs for _, theirs in aligned.pairs if theirs is not None]
        return self._tokens[places[0]].start, self._tokens[places[-1]].end

    def _near(self, wording: str, wanted: Sequence[_Token], aligned: _Aligned) -> Near:
        start, end = self._span(aligned)
        found = self._differences(wording, wanted, aligned)
        text = self._text[start:end]
        return Near(text, start, end, tuple(found) or (Difference(wording, text),))

    def _differences(
        self, wording: str, wanted: Sequence[_Token], aligned: _Aligned
    ) -> list[Difference]:
        telling: list[Difference] = []
        marks: list[Difference] = []
        for run in _runs(aligned.pairs, wanted, self._tokens):
            mine = [wanted[place] for place, _ in run if place is not None]
            theirs = [self._tokens[place] for _, place in run if place is not None]
            difference = Difference(
                wording[mine[0].start : mine[-1].end] if mine else "",
                self._text[theirs[0].start : theirs[-1].end] if theirs else "",
            )
            only_marks = all(token.kind == "mark" for token in (*mine, *theirs))
            (marks if only_marks else telling).append(difference)
        if telling or marks:
            return telling or marks
        return [
            Difference(wording[mine.start : mine.end], self._text[theirs.start : theirs.end])
            for mine, theirs in (
                (wanted[a], self._tokens[b])
                for a, b in aligned.pairs
                if a is not None and b is not None
            )
            if mine.strict != theirs.strict
        ]


def nearest(quote: str, page_text: str, *, start: int = 0, end: int | None = None) -> Near | None:
    """See `NearIndex.nearest`; keep a `NearIndex` where several quotes are looked for."""
    return NearIndex(page_text).nearest(quote, start=start, end=end)


def _runs(
    pairs: Sequence[tuple[int | None, int | None]],
    wanted: Sequence[_Token],
    page: Sequence[_Token],
) -> list[list[tuple[int | None, int | None]]]:
    """The stretches of the alignment where the two differ."""
    runs: list[list[tuple[int | None, int | None]]] = [[]]
    for mine, theirs in pairs:
        same = (
            mine is not None and theirs is not None and wanted[mine].folded == page[theirs].folded
        )
        if not same:
            runs[-1].append((mine, theirs))
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if run]


def _align(wanted: Sequence[_Token], page: Sequence[_Token], offset: int) -> _Aligned:
    """The cheapest alignment of all of the quote with any stretch of the page.

    Places of the page are told from `offset` on.
    """
    width = len(page) + 1
    above = [0.0] * width
    extra = [token.weight * _BETWEEN for token in page]
    steps: list[bytearray] = []
    for token in wanted:
        row = [above[0] + token.weight] + [0.0] * (width - 1)
        step = bytearray(width)
        step[0] = _SKIP
        weight = token.weight
        for place in range(1, width):
            swap = above[place - 1] + _price(token, page[place - 1])
            skip = above[place] + weight
            more = row[place - 1] + extra[place - 1]
            if swap <= skip and swap <= more:
                row[place] = swap
            elif skip <= more:
                row[place], step[place] = skip, _SKIP
            else:
                row[place], step[place] = more, _MORE
        steps.append(step)
        above = row
    place = min(range(width), key=above.__getitem__)
    cost = above[place]
    pairs: list[tuple[int | None, int | None]] = []
    mine = len(wanted)
    while mine > 0:
        kind = steps[mine - 1][place]
        if kind == _SKIP:
            pairs.append((mine - 1, None))
            mine -= 1
        elif kind == _MORE:
            pairs.append((None, offset + place - 1))
            place -= 1
        else:
            pairs.append((mine - 1, offset + place - 1))
            mine -= 1
            place -= 1
    return _Aligned(cost, tuple(reversed(pairs)))


_SKIP, _MORE = 1, 2


def _price(mine: _Token, theirs: _Token) -> float:
    """What it costs to take one token for another."""
    if mine.folded == theirs.folded:
        return 0.0
    most = mine.weight + _BETWEEN * theirs.weight
    if mine.kind != theirs.kind or mine.kind in ("single", "mark"):
        return most if mine.kind != "single" or theirs.kind != "single" else mine.weight
    if mine.kind == "unit":
        return mine.weight
    likeness = _likeness(mine.folded, theirs.folded)
    return 1.0 if likeness < _LIKE_WORDS else 0.3 + 0.7 * (1 - likeness)


def _vouches(mine: _Token, theirs: _Token) -> bool:
    """Whether two tokens make it likely that the same thing is meant."""
    if mine.folded == theirs.folded:
        return mine.kind in ("number", "word", "single")
    # A long number with one digit changed, or two of them in each other's place.
    changed = [(a, b) for a, b in zip(mine.folded, theirs.folded, strict=False) if a != b]
    return (
        mine.kind == theirs.kind == "number"
        and 4 <= len(mine.folded) == len(theirs.folded)
        and (len(changed) == 1 or (len(changed) == 2 and changed[0] == changed[1][::-1]))
    )


@lru_cache(maxsize=65536)
def _likeness(one: str, other: str) -> float:
    shorter, longer = sorted((len(one), len(other)))
    if 2 * shorter / (shorter + longer) < _LIKE_WORDS:
        return 0.0
    return SequenceMatcher(None, one, other, autojunk=False).ratio()


def _tokens(text: str) -> list[_Token]:
    tokens = []
    for match in _TOKEN.finditer(text):
        folded = match[0].lower()
        if not folded.isascii():
            folded = "".join(map(fold_character, match[0])) or match[0]
            folded = unicodedata.normalize("NFC", folded)
        kind = str(match.lastgroup)
        strict = re.sub(r"\s", "", folded)
        if kind == "word":
            folded = re.sub(r"[\s\xad-]", "", folded)
        tokens.append(_Token(match.start(), match.end(), kind, folded, strict))
    return tokens

"""The same words in several places: read once, cited everywhere.

Two passages are the same when they hold the same words in the same order. How
they are set does not matter (line breaks, hyphens, letter case, punctuation,
the running header), nor do articles and endings. Every other word does, and
every figure with its sign: "increased by 5%" and "decreased by 5%", or the
reports of two years, are alike to nine tenths and must both be read.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property, lru_cache

from app.sentences import Span
from app.stems import stem
from storage.records import Hit, Place

_LEAST_CONTAINED = 8
"""Words. A shorter passage that stands within another one, a heading say, is no copy of it."""

_LEAST_COPIED = 40
"""Characters."""

_HYPHEN = re.compile(r"(?<=[^\W\d_])[-\xad‐‑\x02\ufffe]\s*(?=[^\W\d_])")
_UNSPACED = "\u0e00-\u0eff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
_TOKEN = re.compile(
    r"(?:[-−–+±<>=≤≥~($€£¥₹]\s?)*\d+(?:[.,:/]\d+)*(?:\s?[%‰)$€£¥₹])*"
    rf"|[{_UNSPACED}]|[^\W_]+"
)
_DIGITS = re.compile(r"\d+")
# English alone: "die" and "un" are articles in one language and words in another. And "A" may
# be a name: "Schedule A".
_ARTICLES = frozenset(("a", "an", "An", "the", "The", "THE"))

Key = tuple[int, int]


def copies_last(hits: Sequence[Hit]) -> list[Hit]:
    """The hits with every text's second copy behind the distinct ones; ranks follow.

    Nothing is dropped. Texts are copies when only white space and letter case differ.
    """
    seen: set[str] = set()
    distinct: list[Hit] = []
    copies: list[Hit] = []
    for hit in hits:
        text = _folded(hit.text)
        (copies if text in seen else distinct).append(hit)
        seen.add(text)
    if not copies:
        return list(hits)
    return [replace(hit, rank=rank) for rank, hit in enumerate([*distinct, *copies], start=1)]


def collapse(
    passages: Sequence[Hit], running: Mapping[Key, Sequence[Span]] | None = None
) -> list[Hit]:
    """The passages, best first, without those whose words stand in a better one.

    The one that stays names the places of the others (`also`). A passage that
    holds a better one and more stays too. `running` are the running headers and
    footers by version and page: they may differ.
    """
    running = running or {}
    kept: list[Hit] = []
    texts: list[_Words] = []
    for passage in passages:
        text = _Words(_without(passage, running.get((passage.version_id, passage.page), ())))
        copy_of = next(
            (
                index
                for index, own in enumerate(texts)
                if own.holds(text) and (passage.beside or not kept[index].beside)
            ),
            None,
        )
        if copy_of is None:
            kept.append(passage)
            texts.append(text)
        else:
            kept[copy_of] = with_places(kept[copy_of], [place_of(passage), *passage.also])
    return kept


def name_copies(passages: Sequence[Hit], others: Sequence[Hit]) -> list[Hit]:
    """The passages with the places of those other hits whose very text a passage holds.

    White space and letter case aside; a text of a few words is no copy of anything.
    """
    named = list(passages)
    texts = [f" {_folded(passage.text)} " for passage in passages]
    for hit in others:
        text = f" {_folded(hit.text)} "
        if len(text) < _LEAST_COPIED:
            continue
        for index, own in enumerate(texts):
            if text in own and not named[index].beside:
                named[index] = with_places(named[index], [place_of(hit)])
                break
    return named


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())


def with_places(passage: Hit, places: Sequence[Place]) -> Hit:
    """The passage with further places, each once, its own page left out."""
    own = (passage.document_id, passage.page)
    also = dict.fromkeys(
        place for place in (*passage.also, *places) if (place.document_id, place.page) != own
    )
    return replace(passage, also=tuple(also))


def place_of(hit: Hit) -> Place:
    """Where a hit stands."""
    return Place(hit.document, hit.page, hit.place, hit.title, hit.document_id)


def same_words(text: str) -> str:
    """What is left of a text when its setting is taken away; equal for texts that are the same.

    Words without articles and endings, figures with their signs, each between two spaces.
    """
    plain = _HYPHEN.sub("", unicodedata.normalize("NFKC", text))
    words = map(_bare, _TOKEN.findall(plain))
    return f" {' '.join(word for word in words if word)} "


@lru_cache(maxsize=16_384)
def _bare(token: str) -> str:
    """A word without its ending, a figure as it is; empty for an article."""
    if token in _ARTICLES:
        return ""
    if token[0].isalpha():
        return stem(token.casefold())
    return "".join(token.casefold().split())


class _Words:
    """A text to compare with others; its words are taken apart only where the digits agree."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._digits = "".join(_DIGITS.findall(text))

    @cached_property
    def _same(self) -> str:
        return same_words(self._text)

    def holds(self, part: _Words) -> bool:
        """Whether these words are the other's, or hold them and more."""
        if part._digits not in self._digits:
            return False
        if self._same == part._same:
            return True
        return part._same in self._same and part._same.count(" ") > _LEAST_CONTAINED


def _without(passage: Hit, spans: Sequence[Span]) -> str:
    """A passage's text without those spans of its page."""
    pieces: list[str] = []
    at = passage.char_start
    for start, end in sorted(spans):
        if at <= start and end <= passage.char_end:
            pieces.append(passage.text[at - passage.char_start : start - passage.char_start])
            at = end
    pieces.append(passage.text[at - passage.char_start :])
    return "\n".join(pieces)

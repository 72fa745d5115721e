"""Terms: what a word or number becomes in the full-text index."""

from __future__ import annotations

from functools import lru_cache

from storage.compounds import COMPOUNDING, backwards
from storage.folding import fold
from storage.stemming import stem
from storage.words import UNSPACED_RUN, Piece, cut

_MOST_KNOWN = 100_000
"""Written words that are remembered for one language: some 20 MB."""


# From the private use area, as in storage.compounds.
_TYPED = "\ue001"


@lru_cache(maxsize=50_000)
def term(piece: Piece, language: str) -> str:
    """The term of a piece in a document of that language: its stem without accents."""
    return fold(stem(piece.text, language)) if piece.is_word else piece.text


def typed(word: str, language: str) -> str:
    """The term of a word that was typed without its accents: stemmed after they are gone.

    Stemmers need accents: "teoria" keeps the letter that "teoría" loses.
    """
    return term(Piece(fold(word), True), language)


def for_typing(stem: str) -> str:
    """The term under which an accented word is found by typing it without accents.

    It is no word's own term, so that a question with accents counts a word once.
    """
    return _TYPED + stem


class WrittenTerms(dict[str, str]):
    """From what stands between spaces to its terms, for one language; fills itself.

    `more` holds what a few of them should be found by besides: it goes behind
    the text, so that the text's own terms stay neighbours.
    """

    def __init__(self, language: str) -> None:
        super().__init__()
        self.more: dict[str, str] = {}
        self._language = language

    def __missing__(self, written: str) -> str:
        terms, more = _terms_of(written, self._language)
        # In this order: another thread that finds the word finds all of it.
        if more:
            self.more[written] = more
        self[written] = terms
        return terms


def written_terms(language: str) -> WrittenTerms:
    """The remembered terms of one language, to be used for one text."""
    known = _known.get(language)
    if known is None or len(known) >= _MOST_KNOWN:
        # A full one is left to whoever uses it just now, and replaced.
        known = _known[language] = WrittenTerms(language)
    return known


_known: dict[str, WrittenTerms] = {}


def _terms_of(written: str, language: str) -> tuple[str, str]:
    if UNSPACED_RUN.fullmatch(written):
        return written, ""
    found = cut(written, language)
    terms = [term(piece, language) for piece in found.pieces]
    more = [term(piece, language) for other in found.others for piece in other]
    for piece, own in zip(found.pieces, terms, strict=True):
        if not piece.is_word:
            continue
        without = typed(piece.text, language)
        if without != own:
            more.append(for_typing(without))
        if language in COMPOUNDING and (ending := backwards(own)):
            more.append(ending)
    return " ".join(terms), " ".join(more)

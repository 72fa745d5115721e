"""One ranking out of the vector arm and the word arm.

Plain reciprocal rank fusion trusts both arms alike, which hurts where one is
weak: an English embedding model finds next to nothing in Chinese, and shared
boilerplate drowns the words of a question about near-identical reports. The
weights here follow from what is known when a query comes: its script and
language. They never depend on the library.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

RRF_K = 60
"""The constant of reciprocal rank fusion (Cormack, Clarke and Büttcher, 2009)."""


@dataclass(frozen=True, slots=True)
class Weights:
    """How much each arm's opinion counts; they add up to 1."""

    dense: float
    lexical: float


@dataclass(frozen=True, slots=True)
class Ranked:
    """A chunk in the fused ranking, with its rank in each arm (from 1)."""

    chunk_id: str
    score: float
    dense_rank: int | None
    lexical_rank: int | None


_ENGLISH_HINTS = frozenset(
    "the of and to in is was what which who how did does do are were for on by with from at when "
    "where why that this a an has have much many".split()
)
_WORD = re.compile(r"[^\W\d_]+")


def weights_for(query: str, *, multilingual: bool) -> Weights:
    """Weights for a query, given whether the embedding model reads other languages than English."""
    if multilingual or _looks_english(query):
        return Weights(dense=0.6, lexical=0.4)
    return Weights(dense=0.1, lexical=0.9)


def fuse(
    dense: Sequence[tuple[str, float]],
    lexical: Sequence[tuple[str, float]],
    weights: Weights,
) -> list[Ranked]:
    """Merge two rankings (id, score), each best first, into one, best first."""
    dense_ranks = {chunk_id: i for i, (chunk_id, _) in enumerate(dense, start=1)}
    lexical_ranks = {chunk_id: i for i, (chunk_id, _) in enumerate(lexical, start=1)}
    ranked = []
    for chunk_id in {**dense_ranks, **lexical_ranks}:
        in_dense, in_lexical = dense_ranks.get(chunk_id), lexical_ranks.get(chunk_id)
        score = 0.0
        if in_dense is not None:
            score += weights.dense / (RRF_K + in_dense)
        if in_lexical is not None:
            score += weights.lexical / (RRF_K + in_lexical)
        # Scaled so that first in both arms is 1.
        ranked.append(Ranked(chunk_id, score * (RRF_K + 1), in_dense, in_lexical))
    return sorted(ranked, key=lambda item: (-item.score, item.chunk_id))


def _looks_english(query: str) -> bool:
    """Whether the query is in Latin letters, and in English as far as its small words tell."""
    words = [word.casefold() for word in _WORD.findall(query)]
    if not words:
        return True
    if sum(word.isascii() for word in words) < 0.7 * len(words):
        return False
    # Names alone ("Pfizer 2021") belong to no language: leave them to both arms.
    return len(words) < 4 or any(word in _ENGLISH_HINTS for word in words)

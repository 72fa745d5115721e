"""One ranking out of the vector arm and the word arm.

Scores are brought to 0..1 within each arm's candidates and added with weights
(a convex combination). Plain reciprocal rank fusion throws the scores away and
trusts both arms alike, which hurts where one is weak: an English embedding
model finds next to nothing in Chinese, and shared boilerplate drowns the words
of a question about near-identical reports. The weights follow from what is
known when a query comes, its script and language; they never depend on the
library. docs/decisions/0005 has the figures and the alternatives.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass


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
# Parts of the names of well-known models; where none fits, English is assumed.
_MANY_LANGUAGES = ("multilingual", "bge-m3", "labse", "xlm", "qwen3", "gte-qwen", "jina-embeddings")

_WORD = re.compile(r"[^\W\d_]+")


def weights_for(query: str, *, multilingual: bool) -> Weights:
    """Weights for a query, given whether the embedding model reads other languages than English."""
    if multilingual or _looks_english(query):
        return Weights(dense=0.7, lexical=0.3)
    return Weights(dense=0.15, lexical=0.85)


def reads_many_languages(embedder: str) -> bool:
    """Whether an embedding model's name says that it was trained for more than English."""
    name = embedder.casefold()
    return any(hint in name for hint in _MANY_LANGUAGES)


def fuse(
    dense: Sequence[tuple[str, float]],
    lexical: Sequence[tuple[str, float]],
    weights: Weights,
) -> list[Ranked]:
    """Merge two rankings (id, score), each best first, into one, best first.

    Scores of the result lie in 0..1: 1 is the best candidate of both arms.
    """
    dense_ranks = {chunk_id: i for i, (chunk_id, _) in enumerate(dense, start=1)}
    lexical_ranks = {chunk_id: i for i, (chunk_id, _) in enumerate(lexical, start=1)}
    # Not found by its words means BM25 0. Not among the nearest vectors means
    # only: no nearer than the last of them.
    dense_shares = _shares(dense, floor=dense[-1][1] if dense else 0.0)
    lexical_shares = _shares(lexical, floor=0.0)
    ranked = [
        Ranked(
            chunk_id,
            weights.dense * dense_shares.get(chunk_id, 0.0)
            + weights.lexical * lexical_shares.get(chunk_id, 0.0),
            dense_ranks.get(chunk_id),
            lexical_ranks.get(chunk_id),
        )
        for chunk_id in {**dense_ranks, **lexical_ranks}
    ]
    return sorted(ranked, key=lambda item: (-item.score, item.chunk_id))


def _shares(ranking: Sequence[tuple[str, float]], *, floor: float) -> dict[str, float]:
    """Scores from 0 (at the floor) to 1 (the arm's best); all 1 where they are equal to it."""
    if not ranking:
        return {}
    span = ranking[0][1] - floor
    return {
        chunk_id: max(0.0, (score - floor) / span) if span > 0 else 1.0
        for chunk_id, score in ranking
    }


def _looks_english(query: str) -> bool:
    """Whether the query is in Latin letters, and in English as far as its small words tell."""
    words = [word.casefold() for word in _WORD.findall(query)]
    if not words:
        return True
    if sum(word.isascii() for word in words) < 0.7 * len(words):
        return False
    # Names alone ("Pfizer 2021") belong to no language: leave them to both arms.
    return len(words) < 4 or any(word in _ENGLISH_HINTS for word in words)

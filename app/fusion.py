"""One ranking out of the vector arm, the word arm and the names in the question.

Scores are brought to 0..1 within each arm's candidates and added with weights
(a convex combination). Plain reciprocal rank fusion throws the scores away and
trusts both arms alike, which hurts where one is weak: an English embedding
model finds next to nothing in Chinese, and shared boilerplate drowns the words
of a question about near-identical reports. The weights follow from what is
known when a query comes, its language and those of the embedding model; they
never depend on the library. docs/decisions/0005 has the figures and the
alternatives.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Weights:
    """How much each arm's opinion counts; they add up to 1."""

    dense: float
    lexical: float


READ = Weights(dense=0.65, lexical=0.35)
"""For a language that the embedding model reads, and for names alone, which are of none."""

NOT_READ = Weights(dense=0.1, lexical=0.9)
"""From 0.05 to 0.15 the results are alike."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """A chunk in the fused ranking, with what each arm said of it."""

    chunk_id: str
    score: float
    dense_rank: int | None
    """From 1; None where the arm did not have it among its candidates."""
    lexical_rank: int | None
    dense_score: float | None = None
    """Cosine similarity."""
    lexical_score: float | None = None
    """BM25."""
    dense_share: float = 0.0
    """0 at the arm's floor, 1 for its best."""
    lexical_share: float = 0.0
    bonus: float = 0.0
    """For being in a document that the question names."""


def weights_for(language: str, reads: Callable[[str], bool]) -> Weights:
    """Weights for a query in a language ('' where it has none), given what the embedder reads."""
    return READ if not language or reads(language) else NOT_READ


def fuse(
    dense: Sequence[tuple[str, float]],
    lexical: Sequence[tuple[str, float]],
    weights: Weights,
    *,
    floor: float | None = None,
    bonus: Callable[[str], float] = lambda _: 0.0,
    most_bonus: float = 0.0,
) -> list[Ranked]:
    """Merge two rankings (id, score), each best first, into one, best first.

    `floor` is the similarity that counts as nothing (default: the last one's),
    `bonus` what a chunk gains for its document's names, at most `most_bonus`.
    Scores of the result lie in 0..1: 1 is the best candidate of both arms, in
    a document that the question names where it names any.
    """
    dense_ranks = {chunk_id: i for i, (chunk_id, _) in enumerate(dense, start=1)}
    lexical_ranks = {chunk_id: i for i, (chunk_id, _) in enumerate(lexical, start=1)}
    dense_scores, lexical_scores = dict(dense), dict(lexical)
    # Not found by its words means BM25 0. Not among the nearest vectors means
    # only: no nearer than the last of them.
    if floor is None:
        floor = dense[-1][1] if dense else 0.0
    dense_shares = _shares(dense, floor=floor)
    lexical_shares = _shares(lexical, floor=0.0)
    ranked = []
    for chunk_id in {**dense_ranks, **lexical_ranks}:
        near = dense_shares.get(chunk_id, 0.0)
        worded = lexical_shares.get(chunk_id, 0.0)
        gain = bonus(chunk_id)
        score = weights.dense * near + weights.lexical * worded + gain
        ranked.append(
            Ranked(
                chunk_id=chunk_id,
                score=score / (1.0 + most_bonus),
                dense_rank=dense_ranks.get(chunk_id),
                lexical_rank=lexical_ranks.get(chunk_id),
                dense_score=dense_scores.get(chunk_id),
                lexical_score=lexical_scores.get(chunk_id),
                dense_share=near,
                lexical_share=worded,
                bonus=gain,
            )
        )
    return sorted(ranked, key=lambda item: (-item.score, item.chunk_id))


def spread(ranked: Sequence[Ranked], group_of: Callable[[str], int | None]) -> list[Ranked]:
    """The ranking with its groups in turn, for a question that compares several documents.

    The best of each group come first, group by group; what belongs to none
    takes a turn of its own. Within a group the order stays.
    """
    lanes: dict[int | None, list[Ranked]] = {}
    for item in ranked:
        lanes.setdefault(group_of(item.chunk_id), []).append(item)
    if len(lanes) < 2:
        return list(ranked)
    found: list[Ranked] = []
    for turn in range(max(map(len, lanes.values()))):
        found.extend(lane[turn] for lane in lanes.values() if turn < len(lane))
    return found


def leader_kept(ranked: Sequence[Ranked]) -> list[Ranked]:
    """The ranking with what both arms put first among its first two.

    A name in the question may be that of a file and mean something else
    ("Who presses Apple juice?"): then no name outweighs what words and meaning
    agree on.
    """
    found = list(ranked)
    for position, item in enumerate(found):
        if item.dense_rank == 1 and item.lexical_rank == 1:
            if position > 1:
                found.insert(1, found.pop(position))
            break
    return found


def _shares(ranking: Sequence[tuple[str, float]], *, floor: float) -> dict[str, float]:
    """Scores from 0 (at the floor) to 1 (the arm's best); all 1 where they are equal to it."""
    if not ranking:
        return {}
    span = ranking[0][1] - floor
    return {
        chunk_id: max(0.0, (score - floor) / span) if span > 0 else 1.0
        for chunk_id, score in ranking
    }

"""Retrieval metrics over ranked lists, and the interval each mean is stated with.

A ranking is a sequence of distinct items, best first; `relevant` is the
non-empty set of those that should be in it. Gains are binary. An empty
ranking scores 0 everywhere: a question that found nothing is a miss, not a
question to leave out.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence, Set
from dataclasses import dataclass
from math import log2, sqrt
from typing import TypeVar

Item = TypeVar("Item", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over n questions, with its 95% interval."""

    mean: float
    low: float
    high: float
    n: int


def distinct(items: Iterable[Item]) -> list[Item]:
    """Each item once, at its best rank."""
    return list(dict.fromkeys(items))


def first_rank(ranking: Sequence[Item], relevant: Set[Item]) -> int | None:
    """Rank of the first relevant item, from 1; None where there is none."""
    return next((rank for rank, item in enumerate(ranking, 1) if item in relevant), None)


def hit(ranking: Sequence[Item], relevant: Set[Item], k: int) -> float:
    """1 where one of the first k items is relevant, else 0."""
    return float(first_rank(ranking[:k], relevant) is not None)


def recall(ranking: Sequence[Item], relevant: Set[Item], k: int) -> float:
    """The share of the relevant items that stand among the first k."""
    return len(relevant & set(ranking[:k])) / len(relevant)


def reciprocal_rank(ranking: Sequence[Item], relevant: Set[Item], k: int) -> float:
    """1 / rank of the first relevant item; 0 where the first k hold none."""
    rank = first_rank(ranking[:k], relevant)
    return 1 / rank if rank else 0.0


def ndcg(ranking: Sequence[Item], relevant: Set[Item], k: int) -> float:
    """Discounted gain of the first k, over the best that k places allow."""
    gain = sum(1 / log2(rank + 1) for rank, item in enumerate(ranking[:k], 1) if item in relevant)
    best = sum(1 / log2(rank + 1) for rank in range(1, min(k, len(relevant)) + 1))
    return gain / best


def estimate(values: Sequence[float], z: float = 1.96) -> Estimate:
    """The mean of values between 0 and 1, with the Wilson score interval.

    Exact in kind for shares (hit or miss). For graded values it is
    conservative: a value in [0, 1] with mean m varies at most as much as a hit
    or miss with share m. It never collapses to zero width, as a bootstrap of
    33 equal values would.
    """
    n = len(values)
    if n == 0:
        return Estimate(0.0, 0.0, 1.0, 0)
    mean = sum(values) / n
    return Estimate(mean, *wilson(mean, n, z), n)


def wilson(mean: float, n: int, z: float = 1.96) -> tuple[float, float]:
    """The Wilson score interval of a mean of n values between 0 and 1; all of it for none."""
    if n == 0:
        return 0.0, 1.0
    centre = (mean + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * sqrt(max(mean * (1 - mean), 0.0) / n + z * z / (4 * n * n))
    return max(0.0, centre - half), min(1.0, centre + half)

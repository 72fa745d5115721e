"""k of n, what it may stand for, and how long a prompt the model can be trusted with.

A cell of few trials says little: 10 of 10 leaves a lower bound of 0.72. So
claims are made for whole rows of one length, where the depths are pooled.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil

from app.placement import THIRDS, DepthProfile, Third
from evaluation.metrics import wilson

Z = 1.96
"""Of the 95% interval."""

KEPT = 0.85
"""Share of the oracle's accuracy that a length must keep, as in NoLiMa (arXiv 2502.05167)."""

ROUNDS = 10_000


@dataclass(frozen=True, slots=True)
class Rate:
    """Answers that were right in all they should name, out of n."""

    hits: int
    n: int
    low: float
    """95% Wilson interval of hits / n."""
    high: float
    fraction: float
    """Mean score: where several values are asked for, some may be named."""

    @property
    def share(self) -> float:
        """hits / n; 0 where there is none."""
        return self.hits / self.n if self.n else 0.0


@dataclass(frozen=True, slots=True)
class EffectiveLength:
    """How far the measured lengths hold, without a gap."""

    tokens: int | None
    """The largest length that holds, with all shorter ones; None where not even the first does."""
    bound: float
    """What the lower bound of each length had to reach: KEPT of the oracle's accuracy."""
    oracle: float
    """1 where no oracle was measured."""
    oracle_measured: bool
    ends_at: int | None
    """The first length that does not hold; None where all do."""
    unproven: bool
    """True where that length may hold, and its trials are too few to tell."""
    longest: int | None
    """The longest length measured."""


def rate(scores: Iterable[float]) -> Rate:
    """The rate of scores between 0 and 1: a hit is a 1."""
    values = list(scores)
    hits = sum(value == 1 for value in values)
    n = len(values)
    low, high = wilson(hits / n if n else 0.0, n, Z)
    return Rate(hits, n, low, high, sum(values) / n if n else 0.0)


def least_trials(bound: float) -> int | None:
    """So many right answers, and no wrong one, are the fewest whose lower bound reaches `bound`."""
    if bound >= 1:
        return None
    # n of n has the lower bound n / (n + z²).
    fewest = max(1, ceil(bound * Z * Z / (1 - bound)))
    return fewest if wilson(1.0, fewest, Z)[0] >= bound else fewest + 1


def effective_length(lengths: Mapping[int, Rate], oracle: Rate | None) -> EffectiveLength:
    """How far the lengths hold, shortest first.

    A length without a single valid trial ends it: what was not measured is not claimed.
    """
    measured = oracle is not None and oracle.n > 0
    accuracy = oracle.share if oracle is not None and measured else 1.0
    bound = KEPT * accuracy
    held: int | None = None
    for length in sorted(lengths):
        found = lengths[length]
        # An oracle that answers nothing right holds no length to any measure.
        if accuracy == 0 or found.low < bound:
            return EffectiveLength(
                tokens=held,
                bound=bound,
                oracle=accuracy,
                oracle_measured=measured,
                ends_at=length,
                unproven=found.n == 0 or (accuracy > 0 and found.share >= bound),
                longest=max(lengths),
            )
        held = length
    longest = max(lengths, default=None)
    return EffectiveLength(held, bound, accuracy, measured, None, False, longest)


def cluster_interval(
    values: Sequence[tuple[Hashable, float]], *, seed: int = 0
) -> tuple[float, float] | None:
    """The 95% bootstrap interval of the mean, drawing whole clusters with replacement.

    Trials of one haystack are no independent draws; where they go wrong
    together this interval is wider than Wilson's. None for fewer than two
    clusters, and of no width where all values are equal: then it says nothing.
    """
    import numpy as np

    sums: dict[Hashable, float] = {}
    counts: dict[Hashable, int] = {}
    for cluster, value in values:
        sums[cluster] = sums.get(cluster, 0.0) + value
        counts[cluster] = counts.get(cluster, 0) + 1
    if len(sums) < 2:
        return None
    # Sorted, so that the same values in any order give the same interval.
    pairs = np.asarray(sorted((sums[one], counts[one]) for one in sums), dtype=np.float64)
    n = len(pairs)
    drawn = np.random.default_rng(seed).multinomial(n, [1 / n] * n, size=ROUNDS)
    totals = drawn @ pairs
    low, high = np.percentile(totals[:, 0] / totals[:, 1], [2.5, 97.5])
    return float(low), float(high)


def thirds(values: Iterable[tuple[float, float]]) -> dict[str, Rate]:
    """The rates of (depth, score) in the first, the middle and the last third; of no depth: 0."""
    scores: dict[str, list[float]] = {name: [] for name in THIRDS}
    for depth, score in values:
        first, middle, last = THIRDS
        scores[first if depth < 1 / 3 else last if depth > 2 / 3 else middle].append(score)
    return {name: rate(found) for name, found in scores.items()}


def depth_profile(length: int, found: Mapping[str, Rate]) -> DepthProfile:
    """The thirds of one length, as the packer places passages by them."""
    return DepthProfile(
        length,
        {name: Third(one.hits, one.n, one.low, one.high) for name, one in found.items() if one.n},
    )

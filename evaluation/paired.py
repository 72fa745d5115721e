"""The same questions measured twice: how large is the difference, and could it be chance?

Pairs are what make a small set of questions tell something: where A and B
agree on a question, that question says nothing about which is better. For
hits, an exact McNemar test counts those that differ; for every metric, a
bootstrap over the questions gives an interval of the mean difference.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

ROUNDS = 10_000
"""Resamples of a bootstrap: its ends then vary by about a fiftieth of its width."""

SURE = 0.05
"""Below this p, a difference of hits is called one."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One metric under A and under B, over the same n questions."""

    a: float
    b: float
    change: float
    """b - a."""
    low: float
    """95% bootstrap interval of the change."""
    high: float
    fixed: int
    """Questions on which B scores more than A."""
    broken: int
    """Questions on which B scores less than A."""
    p: float | None
    """Two-sided exact McNemar test; None for graded metrics."""
    n: int

    @property
    def winner(self) -> str:
        """`A` or `B` where the difference is more than chance; empty where it need not be."""
        sure = self.p < SURE if self.p is not None else self.low > 0 or self.high < 0
        return ("B" if self.change > 0 else "A") if sure else ""


def difference(a: Sequence[float], b: Sequence[float], *, hits: bool) -> Difference:
    """Compare a metric's values question by question; `hits` where each value is 0 or 1."""
    changes = [right - left for left, right in zip(a, b, strict=True)]
    n = len(changes)
    fixed = sum(change > 0 for change in changes)
    broken = sum(change < 0 for change in changes)
    low, high = bootstrap(changes)
    return Difference(
        a=sum(a) / n,
        b=sum(b) / n,
        change=sum(changes) / n,
        low=low,
        high=high,
        fixed=fixed,
        broken=broken,
        p=mcnemar(fixed, broken) if hits else None,
        n=n,
    )


def mcnemar(fixed: int, broken: int) -> float:
    """Two-sided exact p: how often a fair coin would part the changed questions so unevenly."""
    changed = fixed + broken
    tail = ways = 1
    for k in range(min(fixed, broken)):
        ways = ways * (changed - k) // (k + 1)
        tail += ways
    return min(1.0, float(2 * tail / 2**changed))


def short_p(p: float | None) -> str:
    """`0.035`, `<0.001`, as tables have it; 1 where nothing was tested."""
    told = 1.0 if p is None else p
    return f"{told:.3f}" if told >= 0.001 else "<0.001"


def told_p(p: float | None) -> str:
    """`p = 0.035`, `p < 0.001`, as sentences have it."""
    told = short_p(p)
    return f"p < {told[1:]}" if told.startswith("<") else f"p = {told}"


def least_changes() -> int:
    """So many changes, all to one side, are the fewest that McNemar's test can tell from chance."""
    changes = 1
    while mcnemar(changes, 0) >= SURE:
        changes += 1
    return changes


def bootstrap(changes: Sequence[float], *, seed: int = 0) -> tuple[float, float]:
    """The 95% percentile interval of the mean, drawing questions with replacement.

    The same changes in any order give the same interval. Of no width where all
    changes are equal: then it says nothing.
    """
    import numpy as np

    counts = Counter(round(change, 12) for change in changes)
    values = sorted(counts)
    n = len(changes)
    # Drawing n questions with replacement is drawing how often each value comes.
    shares = [counts[value] / n for value in values]
    drawn = np.random.default_rng(seed).multinomial(n, shares, size=ROUNDS)
    means = drawn @ np.asarray(values, dtype=np.float64) / n
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)

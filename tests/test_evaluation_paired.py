"""Paired statistics: exact p, bootstrap intervals, and who wins."""

from __future__ import annotations

from itertools import product

import pytest

from evaluation.paired import bootstrap, difference, least_changes, mcnemar


@pytest.mark.parametrize(
    ("fixed", "broken", "p"),
    [
        (12, 3, 0.03515625),
        (3, 12, 0.03515625),
        (6, 0, 0.03125),
        (5, 0, 0.0625),
        (1, 1, 1.0),
        (0, 0, 1.0),
        (2, 1, 1.0),
        (8, 1, 0.0390625),
    ],
)
def test_mcnemar_is_the_exact_binomial_test(fixed, broken, p):
    """Both sides count, and no approximation enters however few questions changed."""
    assert mcnemar(fixed, broken) == pytest.approx(p)


def test_mcnemar_agrees_with_counting_every_outcome():
    """For 9 changed questions all 512 ways to fall are listed."""
    for fixed in range(10):
        extreme = min(fixed, 9 - fixed)
        outcomes = [sum(coins) for coins in product((0, 1), repeat=9)]
        share = sum(min(ones, 9 - ones) <= extreme for ones in outcomes) / len(outcomes)

        assert mcnemar(fixed, 9 - fixed) == pytest.approx(min(1.0, share))


def test_mcnemar_bears_thousands_of_changes():
    """Numbers too large for floats on the way do no harm."""
    assert mcnemar(3000, 3000) == 1.0
    assert mcnemar(3400, 2600) < 1e-20


def test_six_changes_to_one_side_are_the_fewest_that_tell():
    """Five of five come up by chance for one coin in sixteen."""
    assert least_changes() == 6


def test_the_interval_is_the_same_for_the_same_changes_in_any_order():
    """Two people who compare the same results read the same numbers."""
    changes = [1.0] * 9 + [-1.0] * 3 + [0.0] * 88

    assert bootstrap(changes) == bootstrap(list(reversed(changes)))
    assert bootstrap(changes) == bootstrap(changes)


def test_the_interval_covers_what_theory_says():
    """Of 400 questions 60 fixed and 20 broken: mean .10, standard error about .0218."""
    low, high = bootstrap([1.0] * 60 + [-1.0] * 20 + [0.0] * 320)

    error = ((80 / 400 - 0.1**2) / 400) ** 0.5
    assert low == pytest.approx(0.1 - 1.96 * error, abs=0.006)
    assert high == pytest.approx(0.1 + 1.96 * error, abs=0.006)


def test_graded_values_have_an_interval_and_no_p():
    """Reciprocal ranks are no coin tosses."""
    found = difference([0.5, 1.0, 0.2, 0.0] * 20, [1.0, 1.0, 0.25, 0.1] * 20, hits=False)

    assert found.p is None
    assert found.change == pytest.approx(0.1625)
    assert 0 < found.low < found.change < found.high
    assert (found.fixed, found.broken, found.n) == (60, 0, 80)
    assert found.winner == "B"


def test_the_better_side_wins_only_beyond_chance():
    """Hits are judged by McNemar's p."""
    sure = difference([0.0] * 12 + [1.0] * 8, [1.0] * 12 + [0.0] * 1 + [1.0] * 7, hits=True)
    unsure = difference([0.0] * 3 + [1.0] * 30, [1.0] * 32 + [0.0], hits=True)

    assert (sure.fixed, sure.broken, sure.winner) == (12, 1, "B")
    assert (unsure.fixed, unsure.broken, unsure.winner) == (3, 1, "")
    assert difference([1.0] * 9, [0.0] * 9, hits=True).winner == "A"


def test_nothing_changed_is_no_difference():
    """Equal results give p = 1 and an interval without width, and nobody wins."""
    found = difference([1.0, 0.0], [1.0, 0.0], hits=True)

    assert (found.p, found.low, found.high, found.winner) == (1.0, 0.0, 0.0, "")

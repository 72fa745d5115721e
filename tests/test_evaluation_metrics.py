"""The metrics, by hand and against ir-measures."""

from __future__ import annotations

import random

import ir_measures
import pytest
from ir_measures import RR, R, Success, nDCG

from evaluation.metrics import (
    distinct,
    estimate,
    first_rank,
    hit,
    ndcg,
    recall,
    reciprocal_rank,
)

METRICS = {"hit": (hit, Success), "recall": (recall, R), "ndcg": (ndcg, nDCG)}


def test_several_chunks_of_a_page_count_once_at_the_best_rank():
    """A repeated item keeps its first place and moves the later ones up."""
    assert distinct(["a", "b", "a", "a", "c", "b"]) == ["a", "b", "c"]


def test_first_rank_counts_from_one_and_is_none_for_a_miss():
    """The rank of the first relevant item starts at 1."""
    assert first_rank(["x", "y", "z"], {"y", "z"}) == 2
    assert first_rank(["x"], {"y"}) is None


@pytest.mark.parametrize("metric", [hit, recall, reciprocal_rank, ndcg])
def test_an_empty_ranking_scores_zero(metric):
    """A question that found nothing is a miss, whatever the metric."""
    assert metric([], {"a"}, 10) == 0.0


@pytest.mark.parametrize("metric", [hit, recall, reciprocal_rank, ndcg])
def test_nothing_below_k_counts(metric):
    """A relevant item at rank 4 is not found at k = 3."""
    ranking = ["x", "y", "z", "a"]

    assert metric(ranking, {"a"}, 3) == 0.0
    assert metric(ranking, {"a"}, 4) > 0.0


def test_values_worked_out_by_hand():
    """Two relevant items, of which one stands at rank 2."""
    ranking, relevant = ["x", "a", "y"], {"a", "b"}

    assert hit(ranking, relevant, 3) == 1.0
    assert recall(ranking, relevant, 3) == 0.5
    assert reciprocal_rank(ranking, relevant, 3) == 0.5
    assert ndcg(ranking, relevant, 3) == pytest.approx(0.6309297535 / 1.6309297535)


def test_recall_at_k_below_the_number_relevant_is_not_forgiven():
    """With three relevant items, one place can hold a third of them; nDCG allows for that."""
    assert recall(["a"], {"a", "b", "c"}, 1) == pytest.approx(1 / 3)
    assert ndcg(["a"], {"a", "b", "c"}, 1) == 1.0


@pytest.mark.parametrize("seed", range(25))
def test_metrics_agree_with_ir_measures(seed):
    """On random chunk rankings, with duplicates, misses and empty results, all values agree."""
    random_ = random.Random(seed)
    pages = [f"d{number}" for number in range(30)]
    relevant = {f"q{n}": set(random_.sample(pages, random_.randint(1, 6))) for n in range(12)}
    # Chunks: the same page may come again, and some questions find nothing at all.
    chunks = {q: random_.choices(pages, k=random_.choice([0, 0, 1, 7, 40])) for q in relevant}
    qrels = {q: dict.fromkeys(items, 1) for q, items in relevant.items()}
    # The reference gets the chunks too: of equal pages it keeps the best score.
    run = {}
    for q, items in chunks.items():
        scores: dict[str, float] = {}
        for rank, item in enumerate(items):
            scores[item] = max(scores.get(item, 0.0), 1000.0 - rank)
        if scores:
            run[q] = scores

    for k in (1, 3, 5, 10, 20):
        pairs = [(distinct(chunks[q]), relevant[q]) for q in relevant]
        expected = ir_measures.calc_aggregate([Success @ k, R @ k, nDCG @ k, RR @ k], qrels, run)
        for ours, theirs in METRICS.values():
            mean = estimate([ours(*pair, k) for pair in pairs]).mean
            assert mean == pytest.approx(expected[theirs @ k])
        mean = estimate([reciprocal_rank(*pair, k) for pair in pairs]).mean
        assert mean == pytest.approx(expected[RR @ k])


def test_the_interval_is_wilsons():
    """20 of 33 gives the textbook Wilson interval."""
    value = estimate([1.0] * 20 + [0.0] * 13)

    assert value.n == 33
    assert value.mean == pytest.approx(20 / 33)
    assert value.low == pytest.approx(0.4368, abs=5e-4)
    assert value.high == pytest.approx(0.7532, abs=5e-4)


def test_equal_values_do_not_pretend_to_certainty():
    """33 of 33 still leaves room below 1, and 0 of 33 above 0."""
    assert estimate([1.0] * 33).high == pytest.approx(1.0)
    assert 0.85 < estimate([1.0] * 33).low < 0.95
    assert 0.05 < estimate([0.0] * 33).high < 0.15


def test_the_interval_of_no_question_is_everything():
    """Nothing asked is nothing known."""
    value = estimate([])

    assert (value.mean, value.low, value.high, value.n) == (0.0, 0.0, 1.0, 0)


def test_the_interval_covers_the_truth_of_graded_values():
    """For graded values in [0, 1] the interval holds the true mean at least 95 times of 100."""
    random_ = random.Random(7)
    levels = [0.0, 0.2, 0.5, 1.0]
    truth = sum(levels) / len(levels)

    covered = 0
    for _ in range(1000):
        value = estimate(random_.choices(levels, k=33))
        covered += value.low <= truth <= value.high

    assert covered >= 950

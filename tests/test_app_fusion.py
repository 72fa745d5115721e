"""Two rankings into one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.fusion import READ, Weights, fuse, leader_kept, spread, weights_for

EVEN = Weights(0.5, 0.5)
IDS = st.lists(st.sampled_from([f"1:{i}" for i in range(30)]), unique=True, max_size=30)


def ranking(*ids: str) -> list[tuple[str, float]]:
    return [(chunk_id, 1.0 / n) for n, chunk_id in enumerate(ids, start=1)]


def test_first_in_both_scores_one():
    """The scale: 1 is the best there can be."""
    (best, *_) = fuse(ranking("a", "b"), ranking("a", "c"), Weights(0.6, 0.4))

    assert (best.chunk_id, best.dense_rank, best.lexical_rank) == ("a", 1, 1)
    assert best.score == pytest.approx(1.0)


def test_found_by_both_beats_found_by_one():
    """Nearly the best in both arms comes before the best of one of them."""
    dense = [("a", 0.80), ("both", 0.75), ("c", 0.20)]
    lexical = [("b", 12.0), ("both", 11.0), ("d", 2.0)]

    fused = fuse(dense, lexical, EVEN)

    assert fused[0].chunk_id == "both"


def test_the_weights_decide_between_the_arms():
    """The heavier arm's favourite comes first."""
    dense, lexical = ranking("d"), ranking("l")

    assert [r.chunk_id for r in fuse(dense, lexical, Weights(0.9, 0.1))] == ["d", "l"]
    assert [r.chunk_id for r in fuse(dense, lexical, Weights(0.1, 0.9))] == ["l", "d"]


def test_one_empty_arm_keeps_the_order_of_the_other():
    """Nothing found by words, or by vectors: the other ranking stands."""
    assert [r.chunk_id for r in fuse(ranking("c", "a", "b"), [], EVEN)] == ["c", "a", "b"]
    assert [r.chunk_id for r in fuse([], ranking("c", "a", "b"), EVEN)] == ["c", "a", "b"]
    assert fuse([], [], EVEN) == []


@given(dense=IDS, lexical=IDS, share=st.floats(0, 1))
def test_fusing_loses_nothing_and_adds_nothing(dense, lexical, share):
    """Each id once, scores between 0 and 1 and falling, the same result each time."""
    weights = Weights(share, 1 - share)

    fused = fuse(ranking(*dense), ranking(*lexical), weights)

    assert {r.chunk_id for r in fused} == {*dense, *lexical}
    assert len(fused) == len({*dense, *lexical})
    assert all(0 <= r.score <= 1 + 1e-9 for r in fused)
    assert [r.score for r in fused] == sorted((r.score for r in fused), reverse=True)
    assert fused == fuse(ranking(*dense), ranking(*lexical), weights)


def english(language: str) -> bool:
    return language == "en"


def test_a_language_that_the_model_reads_leans_on_the_vectors():
    """There, and where a query is of no language, the vectors count a little more."""
    for weights in (weights_for("en", english), weights_for("", english)):
        assert weights.dense > weights.lexical > 0
        assert weights.dense + weights.lexical == pytest.approx(1.0)


def test_another_language_leans_on_the_words():
    """An English model finds next to nothing there: its opinion counts little."""
    weights = weights_for("zh", english)

    assert weights.lexical > 0.8 > weights.dense > 0
    assert weights.dense + weights.lexical == pytest.approx(1.0)


def test_a_named_document_gains():
    """The bonus lifts a chunk over one that fits a little better, and the scale stays 0 to 1."""
    dense = [("other", 0.9), ("named", 0.8), ("last", 0.1)]

    plain = fuse(dense, [], EVEN)
    routed = fuse(
        dense, [], EVEN, bonus=lambda chunk: 0.4 if chunk == "named" else 0.0, most_bonus=0.4
    )

    assert [r.chunk_id for r in plain][:2] == ["other", "named"]
    assert [r.chunk_id for r in routed][:2] == ["named", "other"]
    assert max(r.score for r in routed) <= 1.0


def test_what_lies_under_the_floor_counts_nothing():
    """Candidates that were asked for later do not make the ones before them look better."""
    (a, b, c) = fuse([("a", 0.8), ("b", 0.4), ("c", 0.1)], [], Weights(1.0, 0.0), floor=0.4)

    assert (a.score, b.score, c.score) == (1.0, 0.0, 0.0)


def test_spread_gives_each_group_its_turn():
    """Two documents that are compared: the best of each, then the second of each."""
    ranked = fuse(ranking("a1", "a2", "a3", "b1", "x", "b2"), [], EVEN)
    groups = {"a": 0, "b": 1}

    taken = spread(ranked, lambda chunk: groups.get(chunk[0]))

    assert [r.chunk_id for r in taken] == ["a1", "b1", "x", "a2", "b2", "a3"]


def test_spread_leaves_a_single_group_alone():
    """Nothing to take turns with: the order stays."""
    ranked = fuse(ranking("a1", "a2"), [], EVEN)

    assert spread(ranked, lambda _: 0) == ranked


def test_what_both_arms_put_first_stays_among_the_first_two():
    """However much others gain for the names of their documents."""
    dense = [("best", 0.9), *((f"named{n}", 0.8 - n / 100) for n in range(5)), ("far", 0.1)]
    lexical = [("best", 9.0), *((f"named{n}", 8.0 - n / 10) for n in range(5))]

    fused = fuse(
        dense,
        lexical,
        READ,
        bonus=lambda chunk: 0.8 if chunk != "best" else 0.0,
        most_bonus=0.8,
    )
    assert [item.chunk_id for item in fused].index("best") == 5

    kept = leader_kept(fused)
    assert [item.chunk_id for item in kept[:3]] == ["named0", "best", "named1"]
    assert {item.chunk_id for item in kept} == {item.chunk_id for item in fused}


def test_a_leader_of_one_arm_keeps_its_place():
    """One arm alone may be wrong, and names then decide."""
    fused = fuse(
        [("near", 0.9), ("b", 0.8), ("c", 0.7)],
        [("b", 9.0), ("near", 8.0), ("c", 7.0)],
        READ,
        bonus=lambda chunk: 0.8 if chunk == "c" else 0.0,
        most_bonus=0.8,
    )

    assert leader_kept(fused) == fused

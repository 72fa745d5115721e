"""Two rankings into one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.fusion import Weights, fuse, reads_many_languages, weights_for

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


@pytest.mark.parametrize(
    "query",
    [
        "What was the revenue of 3M in 2018?",
        "Pfizer 2021",
        "rent",
        "$8,738",
        "",
        "What is the café's rent?",
    ],
)
def test_english_leans_on_the_vectors(query):
    """English, names and numbers: both arms, the vectors a little more."""
    weights = weights_for(query, multilingual=False)

    assert weights.dense > weights.lexical > 0


@pytest.mark.parametrize(
    "query",
    [
        "净利润是多少",
        "¿Cuál es la capital del país vecino?",
        "Wie hoch ist die Miete heute",
        "Какова прибыль",
    ],
)
def test_other_languages_lean_on_the_words(query):
    """An English model finds next to nothing there: its opinion counts little."""
    weights = weights_for(query, multilingual=False)

    assert weights.lexical > 0.8 > weights.dense > 0


def test_a_model_of_many_languages_is_trusted_in_all():
    """With such a model, the language of the question does not matter."""
    assert weights_for("净利润是多少", multilingual=True) == weights_for("rent", multilingual=True)


@given(query=st.text())
def test_weights_add_up(query):
    """To one, for any query."""
    weights = weights_for(query, multilingual=False)

    assert weights.dense + weights.lexical == pytest.approx(1.0)


def test_a_models_name_tells_its_languages():
    """An unknown model is taken for an English one, as the bundled model is."""
    assert reads_many_languages("BAAI/bge-m3")
    assert reads_many_languages("intfloat/multilingual-e5-base")
    assert not reads_many_languages("bundled all-MiniLM-L6-v2")
    assert not reads_many_languages("BAAI/bge-base-en-v1.5")

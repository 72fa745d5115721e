"""Figures of a run: intervals, effective length, thirds, stages, cells."""

from __future__ import annotations

import random

import pytest

from evaluation.niah import report_tables
from evaluation.niah.statistics import (
    cluster_interval,
    depth_profile,
    effective_length,
    least_trials,
    rate,
    thirds,
)
from evaluation.niah.summary import NO_ANSWER, RIGHT, Planned, summarise
from tests.niah_rows import DEPTHS, LENGTHS, finished, row, run


@pytest.mark.parametrize(
    ("n", "low"), [(1, 0.21), (3, 0.44), (5, 0.57), (10, 0.72), (20, 0.84), (110, 0.966)]
)
def test_perfect_scores_leave_the_published_lower_bounds(n: int, low: float) -> None:
    """Wilson's lower bound of n of n."""
    assert rate([1.0] * n).low == pytest.approx(low, abs=0.005)


def test_nothing_measured_says_nothing() -> None:
    """No trial: anything between 0 and 1."""
    assert (rate([]).n, rate([]).low, rate([]).high) == (0, 0.0, 1.0)


def test_a_partial_answer_is_no_hit_and_counts_in_the_mean() -> None:
    """k of n counts answers that are right in all."""
    found = rate([1.0, 0.5, 0.0])

    assert (found.hits, found.n, found.fraction) == (1, 3, 0.5)


def test_least_trials_is_the_fewest_that_reach_a_bound() -> None:
    """One trial fewer does not."""
    for bound in (0.5, 0.72, 0.85, 0.97):
        least = least_trials(bound)

        assert least is not None
        assert rate([1.0] * least).low >= bound > rate([1.0] * (least - 1)).low
    assert least_trials(0.85) == 22
    assert least_trials(1.0) is None


def test_effective_length_ends_at_the_first_gap() -> None:
    """A longer length that holds does not mend a shorter one that fell."""
    full, fallen = rate([1.0] * 33), rate([1.0] * 20 + [0.0] * 13)

    found = effective_length({4096: full, 8192: fallen, 16384: full}, rate([1.0] * 10))

    assert (found.tokens, found.ends_at, found.unproven) == (4096, 8192, False)


def test_effective_length_is_measured_against_the_oracle() -> None:
    """A model that is right on 8 of 10 with little to read must keep 0.68, not 0.85."""
    lengths = {4096: rate([1.0] * 28 + [0.0] * 5)}

    assert effective_length(lengths, rate([1.0] * 10)).tokens is None
    assert effective_length(lengths, rate([1.0] * 8 + [0.0] * 2)).tokens == 4096
    assert effective_length(lengths, None).oracle_measured is False
    assert effective_length(lengths, rate([0.0] * 10)).tokens is None


def test_too_few_trials_are_told_from_a_fall() -> None:
    """5 of 5 may hold, and cannot show it."""
    found = effective_length({4096: rate([1.0] * 5)}, rate([1.0] * 5))

    assert (found.tokens, found.unproven) == (None, True)


def test_clusters_that_fail_together_widen_the_interval() -> None:
    """Ten haystacks, of which three fail in all their cells, say as much as ten trials."""
    together = [(cluster, float(cluster >= 3)) for cluster in range(10) for _ in range(11)]
    apart = [(cluster, float(cell >= 3)) for cluster in range(11) for cell in range(10)]
    plain = rate([value for _, value in together])

    wide, narrow = cluster_interval(together), cluster_interval(apart)

    assert wide is not None
    assert narrow is not None
    assert wide[1] - wide[0] > 2 * (plain.high - plain.low)
    assert narrow[0] == pytest.approx(narrow[1])
    assert cluster_interval(list(reversed(together))) == wide
    assert cluster_interval([(1, 1.0), (1, 0.0)]) is None


def test_intervals_cover_what_they_should() -> None:
    """Of 2,000 cells of 10 trials at 0.7, some 95% cover 0.7."""
    rng = random.Random(1)
    cells = [rate([float(rng.random() < 0.7) for _ in range(10)]) for _ in range(2000)]

    covered = sum(cell.low <= 0.7 <= cell.high for cell in cells) / len(cells)

    assert 0.93 < covered < 0.98


@pytest.mark.parametrize(
    ("rates", "wanted"),
    [
        ((40, 20, 40), "edges"),
        ((20, 30, 40), "end"),
        ((40, 30, 20), "start"),
        ((38, 37, 40), "document"),
        ((40, 40, 40), "document"),
    ],
)
def test_placement_follows_only_sure_differences(rates: tuple[int, ...], wanted: str) -> None:
    """40 trials a third; intervals must lie apart."""
    values = [
        (depth, float(n < hits))
        for depth, hits in zip((0.1, 0.5, 0.9), rates, strict=True)
        for n in range(40)
    ]

    assert depth_profile(8192, thirds(values)).order == wanted


def test_placement_needs_more_than_one_third() -> None:
    """A run at one depth says nothing about depths."""
    profile = depth_profile(8192, thirds([(0.5, 1.0)] * 50))

    assert profile.order == "document"
    assert set(profile.thirds) == {"middle"}


def test_a_panel_tells_cells_lengths_and_effective_length() -> None:
    """All right to 16K; of 32K the first half is lost; 64K is invalid."""
    rows = run(lambda length, depth, trial: length < 32768 or depth >= 0.5, lengths=LENGTHS[:3])
    rows += finished(
        row("long", 65536, depth, trial, status="window_clamped", answer="")
        for depth in DEPTHS
        for trial in range(3)
    )

    summary = summarise(rows)
    panel = summary.panel("long", "single")

    assert panel is not None
    assert panel.effective.tokens == 16384
    assert panel.effective.ends_at == 32768
    assert {cell.state for (length, _), cell in panel.cells.items() if length == 65536} == {
        "invalid"
    }
    assert panel.cells[32768, 0.4].rate.hits == 0
    assert panel.cells[32768, 0.5].rate.hits == 3
    assert panel.rows[3].rate.n == 0
    assert panel.rows[2].stages == {"READ_ABSTAIN": 15, RIGHT: 18}
    assert panel.rows[3].stages == {NO_ANSWER: 33}


def test_cells_that_are_planned_and_not_run_are_on_the_map() -> None:
    """A run that was stopped shows what is missing."""
    rows = run(lengths=(4096,))
    planned = [
        Planned("single", "long", length, depth, 3) for length in LENGTHS for depth in DEPTHS
    ]

    panel = summarise(rows, planned).panel("long", "single")

    assert panel is not None
    assert panel.lengths == LENGTHS
    assert panel.cells[65536, 1.0].state == "not run"
    assert panel.effective.ends_at == 16384


def test_errors_count_neither_way() -> None:
    """An error is no miss."""
    rows = finished([row(trial=1), row(trial=2, status="error", answer="", error="It died.")])

    panel = summarise(rows).panel("long", "single")

    assert panel is not None
    cell = panel.cells[4096, 0.5]
    assert (cell.rate.hits, cell.rate.n, cell.errors) == (1, 1, 1)


def test_what_the_model_knows_without_reading_is_a_leak_not_a_success() -> None:
    """A trial that is right closed book counts nowhere, and its stage says why."""
    rows = finished([row("closed", 0, 0.0), row(), row(trial=1)])

    panel = summarise(rows).panel("long", "single")

    assert panel is not None
    assert [one.failure_stage for one in rows] == ["LEAK", "LEAK", None]
    assert (panel.cells[4096, 0.5].rate.n, panel.cells[4096, 0.5].leaks) == (1, 1)


def test_right_and_never_delivered_is_a_miss_of_the_product() -> None:
    """An answer that no prompt held is not to the product's credit."""
    rows = finished([row("rag", delivered=False), row("rag", trial=1, delivered=True)])

    panel = summarise(rows).panel("rag", "single")

    assert panel is not None
    assert [one.failure_stage for one in rows] == ["LEAK", None]
    assert (panel.rows[0].rate.hits, panel.rows[0].rate.n) == (1, 2)


def test_abstaining_without_a_document_is_no_knowledge() -> None:
    """Of a question whose answer is nowhere, the closed book's "not there" is no leak."""
    absent = {"task": "absent", "expected": (), "answer": "The text does not say."}

    rows = finished([row("closed", 0, 0.0, **absent), row(**absent)])

    assert [(one.score, one.failure_stage) for one in rows] == [(1.0, None), (1.0, None)]


def test_a_miss_is_the_models_own_where_the_oracle_misses_too() -> None:
    """Wrong with little to read: not a matter of length."""
    wrong = {"answer": "1000000"}

    rows = finished([row("oracle", 1024, **wrong), row(**wrong), row(trial=1, **wrong)])

    assert [one.failure_stage for one in rows] == ["BASE_MODEL", "BASE_MODEL", "READ"]


def test_the_first_check_that_failed_is_the_cause() -> None:
    """Later checks of the product's path fail because the first one did."""
    trace = (
        {"check": "parsed", "passed": True},
        {"check": "retrieved", "passed": False, "stage": "RETRIEVE_RECALL"},
        {"check": "packed", "passed": False, "stage": "PACK_DROP"},
    )
    lost = row("rag", stage_trace=trace, delivered=False, answer="The text does not say.")

    assert finished([lost])[0].failure_stage == "RETRIEVE_RECALL"
    cut = row("rag", stage_trace=trace, status="invalid_truncated", answer="")
    assert finished([cut])[0].failure_stage == "SERVER_TRUNCATED"


def test_a_panel_tells_the_depths_of_each_length() -> None:
    """Blind in the middle at 16K alone: the lengths are not mixed."""
    rows = run(
        lambda length, depth, trial: length < 16384 or not 0.35 < depth < 0.65,
        lengths=(4096, 16384),
    )
    panel = summarise(rows).panels[0]

    assert {one.length: one.order for one in panel.profiles} == {4096: "document", 16384: "edges"}
    assert "Read best: at 16K at both ends." in report_tables.thirds_sentence(panel)
    assert (panel.thirds["middle"].hits, panel.thirds["middle"].n) == (9, 18)

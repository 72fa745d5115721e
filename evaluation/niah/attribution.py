"""Why was a needle lost? The first check that failed, or what the model made of it.

Reading is judged beside two anchors of the same trial: whether the model
finds the needle with little around it (oracle), and whether it knows the
answer with no document (closed book).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from evaluation.niah.records import FAILURE_STAGES, FailureStage, Row
from evaluation.niah.summary import TrialId, counts, leaked_trials, trial_id


def attribute(rows: Sequence[Row]) -> list[Row]:
    """The rows with their failure stages set anew; rows must be scored."""
    known = leaked_trials(rows)
    oracle = _oracle(rows)
    return [replace(row, failure_stage=stage_of(row, known, oracle)) for row in rows]


def stage_of(
    row: Row, known: frozenset[TrialId], oracle: dict[TrialId, bool]
) -> FailureStage | None:
    """Where a row's needle was lost; None where nothing was, or nothing can be told.

    `oracle` says whether the model was right on the same trial with little
    around the needle.
    """
    if row.status == "invalid_truncated":
        return "SERVER_TRUNCATED"
    if not counts(row):
        return None
    right = row.score == 1
    if row.arm == "closed":
        return "LEAK" if right and row.expected else None
    if row.arm == "oracle":
        return None if right else "BASE_MODEL"
    if right:
        unread = row.delivered is False and bool(row.expected)
        return "LEAK" if unread or trial_id(row) in known else None
    if row.arm == "rag":
        lost = lost_before_reading(row)
        if lost is not None:
            return lost
    if oracle.get(trial_id(row)) is False:
        return "BASE_MODEL"
    abstained = bool(row.expected) and bool(row.score_detail.get("abstained"))
    return "READ_ABSTAIN" if abstained else "READ"


def lost_before_reading(row: Row) -> FailureStage | None:
    """The stage of the first check of the product's path that did not pass."""
    for check in row.stage_trace:
        if check.get("passed") is False and check.get("stage") in FAILURE_STAGES:
            stage: FailureStage = check["stage"]
            return stage
    return None


def _oracle(rows: Sequence[Row]) -> dict[TrialId, bool]:
    """Whether each trial was right in the oracle arm, wherever its needle stood there."""
    found: dict[TrialId, bool] = {}
    for row in rows:
        if row.arm == "oracle" and counts(row):
            identity = trial_id(row)
            found[identity] = found.get(identity, False) or row.score == 1
    return found

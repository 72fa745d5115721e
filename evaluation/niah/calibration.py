"""From a run to the window that the product trusts.

Valid is a run of the long prompt whose lengths have so many trials that a
perfect answer to all would show a length to hold, at the shortest of them and
with the oracle beside it. What it found goes into the run's folder, where
`app.calibration` reads it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from app.calibration import RECORD, Calibration
from evaluation.files import in_place
from evaluation.niah.records import Row, kv_type_of
from evaluation.niah.report_tables import effective_sentence
from evaluation.niah.statistics import KEPT, least_trials
from evaluation.niah.summary import Panel, Summary, summarise

_ABSTAINING = "absent"


def calibrate(rows: Sequence[Row], run: str, made_at: str) -> Calibration | None:
    """What a run says about its model's window; None where it holds no row of the long prompt.

    `rows` are scored and attributed. Questions whose answer is not there are
    left out: a model that reads nothing would pass them.
    """
    reading = [row for row in rows if row.task != _ABSTAINING]
    summary = summarise(reading)
    panel = summary.panel("long") or next((p for p in summary.panels if p.arm == "long"), None)
    if panel is None or not panel.rows:
        return None
    reason = why_invalid(summary, panel, reading)
    measured = [row.length for row in panel.rows if row.rate.n]
    found = panel.effective
    return Calibration(
        run=run,
        made_at=made_at,
        valid=not reason,
        reason=reason or effective_sentence(panel),
        model=summary.model,
        digest=summary.digest or summary.model,
        window=summary.window,
        kv_type=next((kv_type_of(row.options) for row in reading), kv_type_of({})),
        effective=found.tokens,
        longest=max(measured, default=0),
        shortest=min(measured, default=0),
        complete=_complete(panel),
        profiles=panel.profiles,
    )


def write(record: Calibration, folder: Path) -> Path:
    """Put the record into a run's folder, in place at once."""
    path = folder / RECORD
    with in_place(path) as part:
        told = json.dumps(record.to_json(), ensure_ascii=False, indent=2)
        part.write_text(told + "\n", encoding="utf-8")
    return path


def why_invalid(summary: Summary, panel: Panel, rows: Sequence[Row]) -> str:
    """Why a run cannot calibrate anything; empty where it can."""
    told = {
        (row.model, row.digest, row.window, kv_type_of(row.options))
        for row in rows
        if row.status == "ok"
    }
    if len(told) > 1:
        return "The run mixes models, windows or KV caches, so it speaks for none of them."
    if not panel.effective.oracle_measured:
        return "The run has no oracle arm, so a miss may be the task's fault; add `oracle` to arms."
    if panel.effective.oracle == 0:
        return "The model answers nothing right even with little to read: the run measures nothing."
    counted = [row.rate.n for row in panel.rows if row.rate.n]
    if not counted:
        return "No length of the run has a valid answer."
    # Beside a poor oracle fewer would reach the bound, which is then itself a guess.
    fewest, least = min(counted), least_trials(KEPT)
    if least is not None and fewest < least:
        return (
            f"Some length has {fewest} trials and {least} are the fewest that can show one to "
            "hold; raise trials or depths."
        )
    return ""


def _complete(panel: Panel) -> bool:
    """Whether every length that has valid answers held; longer invalid ones are beyond the server.

    An invalid or missing length between valid ones leaves a gap, which is not complete.
    """
    end = panel.effective.ends_at
    if end is None:
        return True
    return not any(row.rate.n for row in panel.rows if row.length >= end)

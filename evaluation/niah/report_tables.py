"""A run's figures as JSON and CSV, and as a table for people at a terminal."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from app.placement import DOCUMENT, EDGES, END, START
from app.wording import t
from evaluation.niah.palette import length_name, stage_words
from evaluation.niah.records import Row
from evaluation.niah.statistics import KEPT, Rate, least_trials
from evaluation.niah.summary import RIGHT, Cell, LengthRow, Panel, Summary

CELL_COLUMNS = (
    "arm", "task", "length", "depth", "hits", "n", "low", "high", "mean_score",
    "invalid", "errors", "leaks", "planned", "state",
)  # fmt: skip

ROW_COLUMNS = (
    "key", "arm", "task", "length", "depth_target", "depth_actual", "trial", "seed", "language",
    "haystack", "value_type", "mode", "status", "score", "verdict", "judge_score",
    "failure_stage", "delivered", "packed_position", "prompt_tokens", "server_prompt_tokens",
    "cached_tokens", "answer_tokens", "prompt_seconds", "generation_seconds", "seconds",
    "expected", "answer", "error",
)  # fmt: skip


def to_json(summary: Summary, run: str, made_at: str) -> dict[str, Any]:
    """All figures of a run."""
    return {
        "evaluation": "niah",
        "run": run,
        "made_at": made_at,
        "model": summary.model,
        "digest": summary.digest,
        "quantisation": summary.quantisation,
        "server_version": summary.server_version,
        "window": summary.window,
        "trained_window": summary.trained_window,
        "rows": summary.rows,
        "statuses": dict(summary.statuses),
        "languages": list(summary.languages),
        "haystacks": list(summary.haystacks),
        "scorers": list(summary.scorers),
        "anchors": {
            arm: {task or "all": asdict(rate) for task, rate in rates.items()}
            for arm, rates in summary.anchors.items()
        },
        "panels": [panel_json(panel) for panel in summary.panels],
    }


def panel_json(panel: Panel) -> dict[str, Any]:
    """One map."""
    return {
        "arm": panel.arm,
        "task": panel.task or "all",
        "lengths": list(panel.lengths),
        "depths": list(panel.depths),
        "effective": asdict(panel.effective),
        "effective_sentence": effective_sentence(panel),
        "thirds": {name: asdict(rate) for name, rate in panel.thirds.items()},
        "profiles": [{**profile.to_json(), "order": profile.order} for profile in panel.profiles],
        "rows": [_length_json(row) for row in panel.rows],
        "cells": [_cell_json(cell) for cell in panel.cells.values()],
    }


def cells_csv(summary: Summary) -> str:
    """One line a cell, all panels."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(CELL_COLUMNS)
    for panel in summary.panels:
        for cell in panel.cells.values():
            rate = cell.rate
            writer.writerow(
                (
                    panel.arm, panel.task or "all", cell.length, cell.depth, rate.hits, rate.n,
                    round(rate.low, 4), round(rate.high, 4), round(rate.fraction, 4),
                    cell.invalid, cell.errors, cell.leaks, cell.planned, cell.state,
                )
            )  # fmt: skip
    return out.getvalue()


def rows_csv(rows: Sequence[Row]) -> str:
    """One line a row, with its answer."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(ROW_COLUMNS)
    for row in rows:
        told: dict[str, Any] = row.to_json()
        told["verdict"] = row.score_detail.get("verdict", "")
        told["expected"] = "; ".join(row.expected)
        writer.writerow([_cell_text(told.get(name)) for name in ROW_COLUMNS])
    return out.getvalue()


def text(summary: Summary, run: str) -> str:
    """The figures for people."""
    return "\n".join(_lines(summary, run))


def effective_sentence(panel: Panel) -> str:
    """How far the lengths hold, and what ends them."""
    found = panel.effective
    numbers = {"bound": f"{found.bound:.2f}", "kept": f"{KEPT:g}", "oracle": f"{found.oracle:.2f}"}
    rule = (
        t("95% lower bound of at least {bound} ({kept} of the oracle's {oracle})", **numbers)
        if found.oracle_measured
        else t(
            "95% lower bound of at least {bound} ({kept} of a perfect oracle's (none was measured) "
            "{oracle})",
            **numbers,
        )
    )
    if found.longest is None:
        return t("No length was measured.")
    if found.oracle == 0:
        return t(
            "The model answers nothing right even with little to read: no length can be judged."
        )
    held = (
        t(
            "Effective length {length}: it and every shorter length keep a {rule}.",
            length=length_name(found.tokens),
            rule=rule,
        )
        if found.tokens is not None
        else t("Not even {length} keeps a {rule}.", length=length_name(panel.lengths[0]), rule=rule)
    )
    if found.ends_at is None:
        return f"{held} {t('Longer prompts were not measured.')}"
    return f"{held} {_ending(panel, found.ends_at)}"


def _ending(panel: Panel, length: int) -> str:
    """What the first length has that does not hold."""
    row = next(one for one in panel.rows if one.length == length)
    name = length_name(length)
    if not row.rate.n:
        if row.invalid:
            return t("{length} has no valid answer.", length=name)
        return t("{length} was not measured.", length=name)
    told = t(
        "{length} has {hits} of {n}, {low} to {high}",
        length=name,
        hits=row.rate.hits,
        n=row.rate.n,
        low=f"{row.rate.low:.2f}",
        high=f"{row.rate.high:.2f}",
    )
    if not panel.effective.unproven:
        return f"{told}."
    least = least_trials(panel.effective.bound)
    if not least:
        return t("{told}: it may hold, too few trials to tell.", told=told)
    return t(
        "{told}: it may hold, too few trials to tell; {least} right answers of {least} would be "
        "the fewest to show it.",
        told=told,
        least=least,
    )


def rate_text(rate: Rate) -> str:
    """`53/55 [0.88, 0.99]`."""
    if not rate.n:
        return "–"
    return f"{rate.hits}/{rate.n} [{rate.low:.2f}, {rate.high:.2f}]"


def _lines(summary: Summary, run: str) -> Iterator[str]:
    told = ", ".join(f"{count:,} {status}" for status, count in sorted(summary.statuses.items()))
    yield f"Run {run}: {summary.model or 'no model yet'}, {summary.rows:,} rows ({told or 'none'})"
    windows = [f"served {summary.window:,}"] if summary.window else []
    if summary.trained_window:
        windows.append(f"trained {summary.trained_window:,}")
    if windows:
        yield f"Window: {', '.join(windows)} tokens"
    for arm, rates in summary.anchors.items():
        whole = rates.get("")
        if whole is not None and whole.n:
            yield f"{'Closed book' if arm == 'closed' else 'Oracle'}: {rate_text(whole)}"
    for panel in summary.panels:
        yield ""
        yield f"{panel.name}"
        yield f"{'length':>9}{'right':>24}{'by haystack':>16}   lost to"
        for row in panel.rows:
            yield _length_line(row)
        yield effective_sentence(panel)
        yield f"Depth: {thirds_sentence(panel)}"


def _length_line(row: LengthRow) -> str:
    # Of no width it says nothing: every haystack fared alike.
    told = row.clustered is not None and row.clustered[0] < row.clustered[1]
    clustered = f"{row.clustered[0]:.2f}–{row.clustered[1]:.2f}" if row.clustered and told else "–"
    lost = [
        f"{stage_words(stage)} {count}"
        for stage, count in sorted(row.stages.items(), key=lambda item: -item[1])
        if stage != RIGHT
    ]
    return (
        f"{length_name(row.length):>9}{rate_text(row.rate):>24}{clustered:>16}   {', '.join(lost)}"
    )


def thirds_sentence(panel: Panel) -> str:
    """How well each third of the depths was read, and what the packer makes of it."""
    told = ", ".join(f"{name} {rate_text(rate)}" for name, rate in panel.thirds.items())
    lengths: dict[str, list[str]] = {}
    for profile in panel.profiles:
        lengths.setdefault(profile.order, []).append(length_name(profile.length))
    lengths.pop(DOCUMENT, None)
    if not lengths:
        return f"{told}. At no length does a third differ for sure."
    differ = "; ".join(
        f"at {', '.join(names)} {_READ_BEST[order]}" for order, names in lengths.items()
    )
    return f"{told}. Read best: {differ}."


_READ_BEST = {START: "at the start", END: "at the end", EDGES: "at both ends"}


def _length_json(row: LengthRow) -> dict[str, Any]:
    return {
        "length": row.length,
        **asdict(row.rate),
        "clustered": row.clustered,
        "invalid": row.invalid,
        "errors": row.errors,
        "leaks": row.leaks,
        "stages": dict(row.stages),
        "exact": row.exact,
    }


def _cell_json(cell: Cell) -> dict[str, Any]:
    return {
        "length": cell.length,
        "depth": cell.depth,
        **asdict(cell.rate),
        "invalid": cell.invalid,
        "errors": cell.errors,
        "leaks": cell.leaks,
        "planned": cell.planned,
        "state": cell.state,
    }


def _cell_text(value: object) -> object:
    """A value for a spreadsheet: a text never starts a formula there."""
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return f"'{value}"
    return value

"""The report as one HTML file: maps, stages of loss, and each cell's questions and answers.

It loads nothing from anywhere, and a policy inside it forbids that. Whatever
comes from documents, models or settings goes in as JSON that cannot end its
element, and reaches the page as text, never as markup.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from evaluation.niah.heatmap import window_marks
from evaluation.niah.palette import PALETTES, STAGE_COLOURS, css, stage_words
from evaluation.niah.records import Row
from evaluation.niah.report_tables import panel_json, rate_text
from evaluation.niah.summary import STAGES, Summary

_HERE = Path(__file__).parent
_LONGEST = 4_000
"""Characters of an answer, and of a needle, that the page holds."""

_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; "
    "form-action 'none'"
)


def page(summary: Summary, rows: Sequence[Row], run: str, made_at: str) -> str:
    """The whole file."""
    style = (_HERE / "report_page.css").read_text(encoding="utf-8")
    script = (_HERE / "report_page.js").read_text(encoding="utf-8")
    title = f"Needle in a haystack: {summary.model or 'no model'}"
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>
{style}</style>
</head>
<body>
<h1>{escape(title)}</h1>
<ul class="facts">
{_facts(summary, run, made_at)}
</ul>
<div class="bar-top"><div id="tabs"></div>
<label class="quiet">Colours <select id="palette">{_palettes()}</select></label></div>
<div class="scroll" id="figures"></div>
<div id="details"></div>
<script type="application/json" id="data">{embedded(_data(summary, rows, run))}</script>
<script>
{script}</script>
</body>
</html>
"""


def embedded(value: Any) -> str:
    """JSON that nothing inside can end the script element of, or begin a comment in."""
    told = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        told = told.replace(character, f"\\u{ord(character):04x}")
    # Half of a pair has no UTF-8 form.
    return told.encode("utf-8", "replace").decode("utf-8")


def _facts(summary: Summary, run: str, made_at: str) -> str:
    facts: dict[str, str] = {"run": run, "made": made_at}
    if summary.window:
        facts["window served"] = f"{summary.window:,} tokens"
    if summary.trained_window:
        facts["window trained"] = f"{summary.trained_window:,}"
    if summary.quantisation:
        facts["quantisation"] = summary.quantisation
    if summary.digest:
        facts["digest"] = summary.digest[:19]
    if summary.server_version:
        facts["server"] = summary.server_version
    for arm, name in (("oracle", "oracle"), ("closed", "closed book")):
        rate = summary.anchors[arm].get("")
        if rate is not None and rate.n:
            facts[name] = rate_text(rate)
    facts["haystacks"] = ", ".join(summary.haystacks)
    facts["rows"] = ", ".join(f"{n:,} {status}" for status, n in sorted(summary.statuses.items()))
    return "\n".join(
        f"<li>{escape(name)} <b>{escape(told)}</b></li>" for name, told in facts.items() if told
    )


def _palettes() -> str:
    return "".join(f'<option value="{escape(name)}">{escape(name)}</option>' for name in PALETTES)


def _data(summary: Summary, rows: Sequence[Row], run: str) -> Mapping[str, Any]:
    return {
        "run": run,
        "palettes": PALETTES,
        "stages": [
            {
                "id": stage,
                "words": stage_words(stage),
                "colour": css(STAGE_COLOURS.get(stage, (0, 0, 0))),
            }
            for stage in STAGES
        ],
        "panels": [
            panel_json(panel) | {"marks": window_marks(panel.lengths, summary.window)}
            for panel in summary.panels
        ],
        "rows": [_row(row) for row in rows],
    }


def _row(row: Row) -> Mapping[str, Any]:
    return {
        "key": row.key,
        "arm": row.arm,
        "task": row.task,
        "length": row.length,
        "depth": round(row.depth_target, 4),
        "depth_actual": row.depth_actual,
        "trial": row.trial,
        "language": row.language,
        "haystack": row.haystack,
        "status": row.status,
        "score": None if row.score is None else round(row.score, 3),
        "verdict": row.score_detail.get("verdict", ""),
        "wrong": list(row.score_detail.get("wrong", ())),
        "judge": row.judge_score,
        "stage": row.failure_stage,
        "question": _cut(row.question),
        "expected": [_cut(value) for value in row.expected],
        "answer": _cut(row.answer),
        "needles": [_cut(needle.text) for needle in row.needles],
        "distractors": [_cut(needle.text) for needle in row.distractors],
        "trace": _trace(row),
        "error": _cut(row.error),
        "prompt_tokens": row.prompt_tokens,
        "server_tokens": row.server_prompt_tokens,
    }


def _trace(row: Row) -> str:
    """`parsed ok, split ok, retrieved FAILED`."""
    words = {True: "ok", False: "FAILED", None: "not told"}
    return ", ".join(
        f"{check.get('check', '?')} {words.get(check.get('passed'), '?')}"
        for check in row.stage_trace
    )


def _cut(text: str) -> str:
    if len(text) <= _LONGEST:
        return text
    return f"{text[:_LONGEST]} … ({len(text):,} characters)"

"""Ingestion runs on the library page: the one at work, the one that ended, the history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.ingest_process import BRAKE, FileLine, Run
from app.library_view import moment
from app.rendering import count_of, notice_html, sentence_html, text_html
from storage.records import RunSummary

_LINES_SHOWN = 8
_FAILURES_SHOWN = 40

_OUTCOMES = {
    "complete": "complete",
    "failed-files": "files set aside",
    "brake": "stopped by the delete brake",
    "interrupted": "interrupted",
    "error": "failed",
    "running": "at work",
}
_MODES = {"ingest": "", "forget": "forget", "rebuild": "rebuild", "verify": "verify"}


@dataclass(frozen=True, slots=True)
class Outside:
    """A run that somebody else has started: the nightly one, or one in a terminal."""

    started_at: float | None
    mode: str
    done: int
    failed: int


def outside_of(runs: Sequence[RunSummary], done: tuple[int, int]) -> Outside:
    """What the catalog tells of the run that holds the lock."""
    run = runs[0] if runs and runs[0].outcome == "running" else None
    if run is None:
        return Outside(None, "ingest", 0, 0)
    return Outside(run.started_at, run.mode, *done)


def run_words(run: Run) -> str:
    """How far it is, in a line."""
    if run.state == "queued":
        return "waits for its turn"
    if run.state == "waiting":
        return "waits until the run that another program has started is done"
    if run.state == "stopping":
        return "is being stopped"
    parts = ["looking for files" if run.to_read is None else f"{run.done:,} of {run.to_read:,}"]
    if run.failed:
        parts.append(f"{count_of(run.failed, 'file')} set aside")
    return f"{', '.join(parts)} · {duration(run.seconds)}"


def run_html(run: Run) -> str:
    """The files of a run at work, the last ones."""
    now = ""
    if run.current:
        share = 100 * run.current_done // max(run.current_total, 1)
        now = (
            f'<li class="hl-file">{_mark("reading")}<bdi>{text_html(run.current)}</bdi> '
            f'<span class="hl-small">{share}% of its {run.current_total:,} chunks</span></li>'
        )
    lines = "".join(_line_html(line) for line in reversed(run.lines[-_LINES_SHOWN:]))
    return f'<ul class="hl-files">{now}{lines}</ul>' if now or lines else ""


def ended_html(run: Run) -> str:
    """What came of a run: its report, and each file that was set aside."""
    if run.fault:
        kind = "warn" if run.code == BRAKE or run.fault.startswith("It was stopped") else "error"
        return notice_html(kind, f"{run.what}: ended early", run.fault)
    counts = _counts(run.report or {})
    failed = [line for line in run.lines if line.action == "failed"]
    others = [line for line in run.lines if line.action != "failed"]
    shown = failed[-_FAILURES_SHOWN:] + others[-_LINES_SHOWN:]
    more = len(failed) - _FAILURES_SHOWN
    rest = f'<li class="hl-small">and {more:,} more set aside</li>' if more > 0 else ""
    lines = "".join(_line_html(line) for line in shown)
    skipped = _skipped((run.report or {}).get("skipped"))
    kind = "warn" if failed else "info"
    return (
        f'<div class="hl-notice hl-{kind}" role="status"><strong>{text_html(run.what)}: done'
        f"</strong><div>{text_html(counts)} in {text_html(duration(run.seconds))}.{skipped}</div>"
        f'<ul class="hl-files">{lines}{rest}</ul></div>'
    )


def outside_html(run: Outside, now: float) -> str:
    """The run of another program, as far as the library tells it."""
    since = f" since {moment(run.started_at)}" if run.started_at else ""
    took = f" ({duration(now - run.started_at)})" if run.started_at else ""
    done = f"{count_of(run.done, 'document')} read so far"
    failed = f", {count_of(run.failed, 'file')} set aside" if run.failed else ""
    return notice_html(
        "info",
        "Another program is bringing the library in line",
        f"A run of `hayloft ingest` is at work{since}{took}: {done}{failed}. What you add or "
        "delete here is taken in when it has ended.",
    )


def history_html(runs: Sequence[RunSummary], *, at_work: bool) -> str:
    """The last runs as a table: when, how long, what was done, why not all."""
    head = "".join(f'<th scope="col">{name}</th>' for name in ("Began", "Took", "Outcome", "Did"))
    rows = "".join(
        _history_row(run, alive=at_work and number == 0) for number, run in enumerate(runs)
    )
    return (
        '<div class="hl-list"><table class="hl-docs hl-runs"><thead><tr>'
        f"{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _history_row(run: RunSummary, *, alive: bool) -> str:
    outcome = _OUTCOMES.get(run.outcome, run.outcome)
    if run.outcome == "running" and not alive:
        outcome = "killed; the next run goes on"
    bad = run.outcome in ("brake", "error", "interrupted") or (
        run.outcome == "running" and not alive
    )
    mode = _MODES.get(run.mode, run.mode)
    took = (
        duration(run.seconds)
        if run.seconds is not None
        else duration(run.finished_at - run.started_at)
        if run.finished_at is not None
        else ""
    )
    reasons = ", ".join(f"{count:,} {kind}" for kind, count in run.reasons.items())
    did = _counts({name: getattr(run, name) for name in _COUNTED})
    more = f'<div class="hl-small">set aside: {text_html(reasons)}</div>' if reasons else ""
    if run.message:
        more += f'<div class="hl-small">{sentence_html(run.message)}</div>'
    kind = "error" if bad else "warn" if run.outcome == "failed-files" else "info"
    return (
        f'<tr><td>{moment(run.started_at)}</td><td data-name="Took">{took}</td>'
        f'<td><span class="hl-badge hl-badge-{kind}">{text_html(outcome)}</span> '
        f"{text_html(mode)}</td><td>{text_html(did)}{more}</td></tr>"
    )


_COUNTED = ("added", "updated", "moved", "deleted", "unchanged", "failed", "waiting")


def _counts(report: Mapping[str, Any]) -> str:
    """`2 added, 1 deleted, 40 unchanged, 1 set aside`; what is nothing is left out."""
    words = {"failed": "set aside", "waiting": "still set aside"}
    parts = [
        f"{number:,} {words.get(name, name)}"
        for name in _COUNTED
        if isinstance(number := report.get(name), int) and number
    ]
    return ", ".join(parts) or "nothing to do"


def _skipped(skipped: object) -> str:
    if not isinstance(skipped, Mapping) or not skipped:
        return ""
    kinds = ", ".join(
        f"{count} {suffix or 'without an ending'}" for suffix, count in skipped.items()
    )
    return f" Passed over, since their type is not read: {text_html(kinds)}."


def _line_html(line: FileLine) -> str:
    size = (
        f'<span class="hl-small"> {count_of(line.pages, "page")}, '
        f"{count_of(line.chunks, 'chunk')}</span>"
        if line.pages
        else ""
    )
    said = "".join(
        f'<div class="hl-small">{sentence_html(words)}</div>'
        for words in (line.reason, *line.warnings)
        if words
    )
    return (
        f'<li class="hl-file">{_mark(line.action)}<bdi>{text_html(line.document)}</bdi>{size}'
        f"{said}</li>"
    )


def _mark(action: str) -> str:
    kind = {"failed": "error", "deleted": "warn"}.get(action, "info")
    words = "set aside" if action == "failed" else action
    return f'<span class="hl-badge hl-badge-{kind}">{text_html(words)}</span> '


def duration(seconds: float) -> str:
    """`8 s`, `3 min 20 s`, `2 h 5 min`."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"

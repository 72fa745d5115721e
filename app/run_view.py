"""Ingestion runs on the library page: the one at work, the one that ended, the history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from app.ingest_process import BRAKE, FileLine, Run
from app.library_view import moment
from app.rendering import count_of, notice_html, sentence_html, text_html
from app.wording import t, tn, with_commas
from storage.records import RunSummary

_LINES_SHOWN = 8
_FAILURES_SHOWN = 40


def outcome_words(outcome: str) -> str:
    """What the history calls the end of a run, for people."""
    words = {
        "complete": t("complete"),
        "failed-files": t("files set aside"),
        "source-missing": t("a folder was missing"),
        "brake": t("stopped by the delete brake"),
        "interrupted": t("interrupted"),
        "killed": t("ended without a word"),
        "error": t("failed"),
        "running": t("at work"),
    }
    return words.get(outcome, outcome)


def _mode_words(mode: str) -> str:
    words = {
        "ingest": "",
        "forget": t("forget"),
        "rebuild": t("rebuild"),
        "verify": t("verify"),
        "watch": t("watch"),
    }
    return words.get(mode, mode)


def run_words(run: Run) -> str:
    """How far it is, in a line."""
    if run.state == "queued":
        return t("waits for its turn")
    if run.state == "waiting":
        return t("waits until the run that another program has started is done")
    if run.state == "stopping":
        return t("is being stopped")
    parts = [
        t("looking for files")
        if run.to_read is None
        else t("{done} of {all}", done=f"{run.done:,}", all=f"{run.to_read:,}")
    ]
    if run.failed:
        parts.append(tn(run.failed, "{n} file set aside", "{n} files set aside"))
    return f"{with_commas(parts)} · {duration(run.seconds)}"


def run_html(run: Run) -> str:
    """The files of a run at work, the last ones."""
    now = ""
    if run.current:
        share = 100 * run.current_done // max(run.current_total, 1)
        now = (
            f'<li class="hl-file">{_mark("reading")}<bdi>{text_html(run.current)}</bdi> '
            f'<span class="hl-small">{_share_words(share, run.current_total)}</span></li>'
        )
    lines = "".join(_line_html(line) for line in reversed(run.lines[-_LINES_SHOWN:]))
    return f'<ul class="hl-files">{now}{lines}</ul>' if now or lines else ""


def _share_words(share: int, chunks: int) -> str:
    return text_html(
        tn(chunks, "{share}% of its {n} chunk", "{share}% of its {n} chunks", share=share)
    )


def ended_html(run: Run) -> str:
    """What came of a run: its report, and each file that was set aside."""
    if run.fault:
        kind = "warn" if run.code == BRAKE or run.fault.startswith("It was stopped") else "error"
        return notice_html(kind, t("{what}: ended early", what=run.what), run.fault)
    counts = _counts(run.report or {})
    failed = [line for line in run.lines if line.action == "failed"]
    others = [line for line in run.lines if line.action != "failed"]
    shown = failed[-_FAILURES_SHOWN:] + others[-_LINES_SHOWN:]
    more = len(failed) - _FAILURES_SHOWN
    rest = ""
    if more > 0:
        rest = f'<li class="hl-small">{t("and {n} more set aside", n=f"{more:,}")}</li>'
    lines = "".join(_line_html(line) for line in shown)
    skipped = _skipped((run.report or {}).get("skipped"))
    kind = "warn" if failed else "info"
    done = t("{what}: done", what=run.what)
    took = t("{counts} in {time}.", counts=counts, time=duration(run.seconds))
    note = str((run.report or {}).get("message") or "")
    said = f"<div>{sentence_html(note)}</div>" if note else ""
    return (
        f'<div class="hl-notice hl-{kind}" role="status"><strong>{text_html(done)}'
        f"</strong><div>{text_html(took)}{skipped}</div>{said}"
        f'<ul class="hl-files">{lines}{rest}</ul></div>'
    )


def outside_html(run: RunSummary | None, now: float) -> str:
    """The run of another program, as far as its line in the history tells it; None: not yet."""
    title = t("Another program is bringing the library in line")
    after = t("What you add or delete here is taken in when it has ended.")
    if run is None or run.outcome != "running":
        return notice_html("info", title, f"{t('A run is at work.')} {after}")
    since = t(
        "A run of `hayloft ingest` is at work since {moment} ({time}).",
        moment=moment(run.started_at),
        time=duration(now - run.started_at),
    )
    far = (
        t("It looks for files.")
        if run.to_do is None
        else t("{done} of {all} files so far:", done=f"{run.done:,}", all=f"{run.to_do:,}")
        + f" {_counts(_counts_of(run))}."
    )
    return notice_html("info", title, f"{since} {far} {after}")


def outside_share(run: RunSummary | None) -> float | None:
    """How much of it is done, 0 to 1; None while that is not known."""
    if run is None or run.outcome != "running" or not run.to_do:
        return None
    return min(1.0, run.done / run.to_do)


def history_html(runs: Sequence[RunSummary]) -> str:
    """The last runs as a table: when, how long, what was done, why not all.

    Of `run_history.lately`, which knows which of them were killed.
    """
    names = (t("Began"), t("Took"), t("Outcome"), t("Did"))
    head = "".join(f'<th scope="col">{name}</th>' for name in names)
    rows = "".join(_history_row(run) for run in runs)
    return (
        '<div class="hl-list"><table class="hl-docs hl-runs"><thead><tr>'
        f"{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _history_row(run: RunSummary) -> str:
    bad = run.outcome in ("brake", "error", "interrupted", "killed")
    took = duration(run.seconds) if run.seconds is not None else ""
    reasons = with_commas(_kind_words(kind, f"{count:,}") for kind, count in run.reasons.items())
    did = _counts(_counts_of(run))
    if run.outcome == "running" and run.to_do is not None:
        far = t("{done} of {all} files so far:", done=f"{run.done:,}", all=f"{run.to_do:,}")
        did = f"{far} {did}"
    more = ""
    if reasons:
        words = t("set aside: {reasons}", reasons=reasons)
        more = f'<div class="hl-small">{text_html(words)}</div>'
    if run.message:
        more += f'<div class="hl-small">{sentence_html(run.message)}</div>'
    aside = run.outcome in ("failed-files", "source-missing")
    kind = "error" if bad else "warn" if aside else "info"
    return (
        f'<tr><td>{moment(run.started_at)}</td><td data-name="{t("Took")}">{took}</td>'
        f'<td><span class="hl-badge hl-badge-{kind}">{text_html(outcome_words(run.outcome))}'
        f"</span> {text_html(_mode_words(run.mode))}</td><td>{text_html(did)}{more}</td></tr>"
    )


def _kind_words(kind: str, number: str) -> str:
    """Why files were set aside, as `DocumentUnreadable` names the kinds."""
    words = {
        "encrypted": t("{n} protected by a password", n=number),
        "empty": t("{n} empty", n=number),
        "damaged": t("{n} damaged", n=number),
        "no-text": t("{n} without text", n=number),
        "permission": t("{n} not permitted", n=number),
        "vanished": t("{n} gone", n=number),
        "timeout": t("{n} over time", n=number),
        "memory": t("{n} out of memory", n=number),
        "unsupported": t("{n} of other types", n=number),
        "too-large": t("{n} too large", n=number),
        "loop": t("{n} in a loop of links", n=number),
        "name": t("{n} with an unreadable name", n=number),
    }
    return words.get(kind, f"{number} {kind}")


def _counts_of(run: RunSummary) -> dict[str, int]:
    return {name: getattr(run, name) for name in _COUNTED}


_COUNTED = ("added", "updated", "moved", "deleted", "unchanged", "failed", "waiting")


def _counts(report: Mapping[str, Any]) -> str:
    """`2 added, 1 deleted, 40 unchanged, 1 set aside`; what is nothing is left out."""
    numbers = {name: number for name in _COUNTED if isinstance(number := report.get(name), int)}
    parts = [_count_words(name, f"{number:,}") for name, number in numbers.items() if number]
    return with_commas(parts) or t("nothing to do")


def _count_words(name: str, number: str) -> str:
    words = {
        "added": t("{n} added", n=number),
        "updated": t("{n} updated", n=number),
        "moved": t("{n} moved", n=number),
        "deleted": t("{n} deleted", n=number),
        "unchanged": t("{n} unchanged", n=number),
        "failed": t("{n} set aside", n=number),
        "waiting": t("{n} still set aside", n=number),
    }
    return words[name]


def _skipped(skipped: object) -> str:
    if not isinstance(skipped, Mapping) or not skipped:
        return ""
    kinds = ", ".join(
        f"{count} {suffix or t('without an ending')}" for suffix, count in skipped.items()
    )
    return " " + text_html(t("Passed over, since their type is not read: {kinds}.", kinds=kinds))


def _line_html(line: FileLine) -> str:
    size = ""
    if line.pages:
        pages = count_of(line.pages, "page" if line.paged else "section")
        size = f'<span class="hl-small"> {pages}, {count_of(line.chunks, "chunk")}</span>'
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
    words = {
        "failed": t("set aside"),
        "added": t("added"),
        "updated": t("updated"),
        "moved": t("moved"),
        "deleted": t("deleted"),
        "unchanged": t("unchanged"),
        "restored": t("vectors made again"),
        "reading": t("reading"),
    }
    said = text_html(words.get(action, action))
    return f'<span class="hl-badge hl-badge-{kind}">{said}</span> '


def duration(seconds: float) -> str:
    """`8 s`, `3 min 20 s`, `2 h 5 min`."""
    whole = max(0, round(seconds))
    if whole < 60:
        return t("{n} s", n=whole)
    if whole < 3600:
        return t("{n} min {m} s", n=whole // 60, m=whole % 60)
    return t("{n} h {m} min", n=whole // 3600, m=whole % 3600 // 60)

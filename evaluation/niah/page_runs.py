"""Runs as the needle page shows them: the list, one run, a run at work, two compared.

Names of runs, models and settings may hold anything: they reach the page only
through `text_html`. Buttons carry `data-niah`, whose value the page looks up
among what it knows: it is never a path.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from app.calibration import Calibration, TrustedWindow
from app.model_catalogue import CATALOGUE
from app.plans import duration
from app.rendering import count_of, notice_html, sentence_html, text_html
from app.wording import retold, t
from evaluation.niah.comparison import NiahComparison, sentence
from evaluation.niah.page_words import digest_of, when
from evaluation.niah.palette import length_name
from evaluation.niah.report_tables import rate_text
from evaluation.niah.run_list import RunEntry, Standing
from evaluation.niah.summary import Panel, Summary
from evaluation.paired import short_p


def _state_words(state: str) -> str:
    words = {"complete": t("complete"), "at work": t("at work"), "stopped": t("unfinished")}
    return words.get(state, "—")


def runs_html(entries: Sequence[RunEntry], chosen: str, counting: str) -> str:
    """All runs as a table; `counting` is the one that sets the trusted window."""
    names = (
        t("Run"),
        t("Model"),
        t("Window"),
        t("Grid"),
        t("Made"),
        t("State"),
        t("Trusted window"),
    )
    head = "".join(f"<th>{name}</th>" for name in names)
    rows = "".join(_run_html(entry, chosen, counting) for entry in entries)
    return (
        f'<div class="nd-scroll" tabindex="0" role="region" aria-label="{t("Runs")}">'
        f'<table class="nd-table nd-runs"><thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _run_html(entry: RunEntry, chosen: str, counting: str) -> str:
    on = entry.name == chosen
    button = (
        f'<button class="nd-link" data-niah="run:{escape(entry.name)}"'
        f' aria-pressed="{str(on).lower()}">{text_html(entry.name)}</button>'
    )
    if entry.state == "broken":
        why = sentence_html(entry.fault)
        return (
            f'<tr class="nd-broken{" nd-on" if on else ""}"><td>{button}</td>'
            f'<td colspan="6">{t("Cannot be read.")} {why}</td></tr>'
        )
    digest = f'<div class="hl-small">{text_html(digest_of(entry.digest))}</div>'
    window = f"{entry.window:,}" if entry.window else "–"
    cells = (
        button,
        f"{text_html(entry.model or t('not known'))}{digest if entry.digest else ''}",
        window,
        text_html(grid_of(entry)),
        text_html(when(entry.made_at)),
        text_html(_state_words(entry.state)),
        validity_html(entry.calibration, counts=entry.name == counting),
    )
    return (
        f'<tr class="{"nd-on" if on else ""}">' + "".join(f"<td>{c}</td>" for c in cells) + "</tr>"
    )


def validity_html(record: Calibration | None, *, counts: bool = False) -> str:
    """Whether a run may set the trusted window, with the reason."""
    if record is None:
        return '<span class="hl-small">–</span>'
    name = t("does not count")
    if counts:
        name = t("in force")
    elif record.valid:
        name = t("valid")
    kind = "hl-verified" if record.valid else "hl-near"
    return (
        f'<span class="hl-verdict {kind}" title="{text_html(retold(record.reason))}">{name}</span>'
    )


def grid_of(entry: RunEntry) -> str:
    """`4K–32K × 5 depths × 5 trials`."""
    if not entry.lengths:
        return "–"
    ends = dict.fromkeys(length_name(one) for one in (entry.lengths[0], entry.lengths[-1]))
    return (
        f"{'–'.join(ends)} × {count_of(entry.depths, 'depth')} × "
        f"{count_of(entry.repetitions, 'trial')}"
    )


def facts_html(entry: RunEntry, summary: Summary) -> str:
    """What was measured, with what."""
    statuses = ", ".join(
        f"{number:,} {status.replace('_', ' ')}"
        for status, number in sorted(summary.statuses.items())
    )
    digest = digest_of(summary.digest or entry.digest)
    facts = {
        t("Model"): " ".join(filter(None, (summary.model or entry.model, summary.quantisation))),
        t("Digest"): digest,
        t("Server"): summary.server_version,
        t("Made"): when(entry.made_at),
        t("Grid"): grid_of(entry),
        t("Tasks"): ", ".join(task.replace("_", " ") for task in entry.tasks),
        t("Arms"): ", ".join(entry.arms),
        t("Haystack"): ", ".join(summary.haystacks),
        t("Language"): ", ".join(summary.languages),
        t("Rows"): statuses,
        t("Closed book"): _anchor(summary, "closed"),
        t("Oracle"): _anchor(summary, "oracle"),
    }
    told = "".join(
        f"<div><dt>{name}</dt><dd>{text_html(text)}</dd></div>"
        for name, text in facts.items()
        if text and text != "–"
    )
    return f'<dl class="nd-facts">{told}</dl>'


def _anchor(summary: Summary, arm: str) -> str:
    found = summary.anchors.get(arm, {}).get("")
    return rate_text(found) if found is not None and found.n else ""


def standing_of(entry: RunEntry, trusted: TrustedWindow | None) -> str:
    """What a run means for the trusted window, in sentences."""
    record = entry.calibration
    if record is None and entry.arms and "long" not in entry.arms:
        return t("It asks no long prompts, so it says nothing of the trusted window.")
    if record is None and entry.state != "complete":
        return t("It is not finished, so it says nothing of the trusted window yet.")
    if record is None:
        return t("It has no calibration yet: `hayloft eval niah report` makes one.")
    if not record.valid:
        return f"{t('It does not set the trusted window.')} {record.reason}"
    if trusted is not None and trusted.run == entry.name:
        if trusted.stale:
            return t("It was the last to set the trusted window.")
        return t("It sets the trusted window.")
    return t("It is valid, and another run is newer or of the model that is served now.")


def trusted_html(trusted: TrustedWindow, model: str, window: int) -> str:
    """How far the window of the model at hand may be filled, and what measures it again."""
    if trusted.stale:
        kind, title = "warn", t("The calibration is stale")
    elif trusted.measured:
        kind, title = "info", t("Measured")
    else:
        kind, title = "info", t("Set by hand") if trusted.run else t("Not measured yet")
    told = t(
        "Of the {window} tokens that {model} serves, {trusted} are trusted.",
        window=f"{window:,}",
        model=model,
        trusted=f"{trusted.tokens:,}",
    )
    renew = "" if trusted.measured or trusted.command in trusted.reason else trusted.command
    return notice_html(kind, title, f"{told} {trusted.reason}", renew)


def claimed_window(model: str) -> int | None:
    """What the model's card vouches for, with YaRN; None for a model that is not known."""
    name = model.rpartition(" ")[2].casefold()
    found = [entry for entry in CATALOGUE if entry.tag and name.startswith(entry.tag)]
    return found[0].usable_window if found else None


def windows_html(panel: Panel, summary: Summary, trusted: int | None) -> str:
    """Effective length beside the windows that are claimed, trained, served and trusted."""
    effective = panel.effective
    told: list[tuple[str, str, int | None, str]] = [
        ("effective", t("Effective"), effective.tokens, _effective_words(panel)),
        ("trusted", t("Trusted"), trusted, t("what Hayloft fills at most")),
        ("trained", t("Trained"), summary.trained_window, t("without stretching")),
        ("served", t("Served"), summary.window or None, t("by the server in this run")),
        ("claimed", t("Claimed"), claimed_window(summary.model), t("by the model's card")),
    ]
    known = [one for one in told if one[2] or one[0] == "effective"]
    most = max((tokens or 0 for _, _, tokens, _ in known), default=0)
    if not most:
        return ""
    rows = "".join(
        f'<div class="nd-window nd-{kind}"><span>{name}</span>'
        f'<span class="nd-track"><i style="width:{100 * (tokens or 0) / most:.2f}%"></i></span>'
        f"<b>{f'{tokens:,}' if tokens else '–'}</b><small>{what}</small></div>"
        for kind, name, tokens, what in known
    )
    label = text_html(t("Windows, in tokens"))
    return f'<div class="nd-windows" role="group" aria-label="{label}">{rows}</div>'


def _effective_words(panel: Panel) -> str:
    found = panel.effective
    held = t("held here") if found.tokens else t("no length held")
    if not found.unproven:
        return held
    beyond = next(row for row in panel.rows if row.length == found.ends_at)
    why = t("too few trials to tell") if beyond.rate.n else t("no valid answer")
    return t("{held}; beyond it, {why}", held=held, why=why) if found.tokens else why


def standing_words(standing: Standing) -> str:
    """`120 of 460, about 5 min left; long, 4,096 tokens at 50%: right`."""
    if not standing.total:
        return t("{answers} so far", answers=count_of(standing.done, "answer"))
    told = t("{done} of {all}", done=f"{standing.done:,}", all=f"{standing.total:,}")
    if standing.seconds_left is not None and standing.done < standing.total:
        told += t(", about {time} left", time=duration(standing.seconds_left))
    return f"{told}; {standing.last}" if standing.last else told


def last_line(log: str) -> str:
    """The last thing that a process said, without our own name before it."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    return lines[-1].removeprefix("hayloft: ") if lines else ""


def comparison_html(found: NiahComparison, name_a: str, name_b: str) -> str:
    """A and B, pair by pair."""
    changed = "".join(
        f"<li>{text_html(name)}: {text_html(str(a))} → {text_html(str(b))}</li>"
        for name, (a, b) in found.changed.items()
    )
    names = ("", "A", "B", t("Change"), t("Fixed"), t("Broken"), "p", "n")
    head = "".join(f"<th>{name}</th>" for name in names)
    rows = ""
    for group in found.groups:
        one = group.difference
        told = (
            group.name,
            f"{one.a:.3f}",
            f"{one.b:.3f}",
            f"{one.change:+.3f} [{one.low:+.2f}, {one.high:+.2f}]",
            f"{one.fixed}",
            f"{one.broken}",
            short_p(one.p),
            f"{one.n:,}",
        )
        total = ' class="nd-total"' if not group.length else ""
        rows += f"<tr{total}>" + "".join(f"<td>{text_html(text)}</td>" for text in told) + "</tr>"
    verdicts = "".join(
        f"<p><b>{text_html(sentence(group))}</b></p>" for group in found.groups if not group.length
    )
    alone = ""
    if found.only_a or found.only_b:
        told_alone = t(
            "Not compared: {rows} of A alone, {n} of B alone.",
            rows=count_of(found.only_a, "valid row"),
            n=f"{found.only_b:,}",
        )
        alone = f'<p class="hl-small">{text_html(told_alone)}</p>'
    return (
        f"<p>A: <bdi>{text_html(name_a)}</bdi><br>B: <bdi>{text_html(name_b)}</bdi></p>"
        f"{f'<ul class=nd-changed>{changed}</ul>' if changed else ''}{verdicts}"
        f'<div class="nd-scroll" tabindex="0" role="region" aria-label="{t("Comparison")}">'
        f'<table class="nd-table"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'
        f"{alone}"
    )

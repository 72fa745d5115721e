"""What the needle page shows, made from values: untrusted text in, escaped HTML out.

Names of runs, answers, questions, needles and prompts may hold anything. They
reach the page only through `text_html`. Buttons carry `data-niah`, whose value
the page looks up among what it knows: it is never a path.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape

from app.calibration import Calibration, TrustedWindow
from app.model_catalogue import CATALOGUE
from app.placement import EDGES, END, START
from app.plans import duration
from app.rendering import count_of, notice_html, sentence_html, text_html
from app.wording import ENGLISH, language, t
from evaluation.niah.comparison import NiahComparison, sentence
from evaluation.niah.heatmap import window_marks
from evaluation.niah.palette import (
    PALETTES,
    STAGE_COLOURS,
    css,
    ink,
    length_name,
    shade,
    stage_words,
)
from evaluation.niah.prompt_parts import Part
from evaluation.niah.records import Row
from evaluation.niah.report_tables import effective_sentence, rate_text
from evaluation.niah.run_list import RunEntry, Standing
from evaluation.niah.show import Shown
from evaluation.niah.statistics import Rate
from evaluation.niah.summary import (
    NO_ANSWER,
    RIGHT,
    STAGES,
    Cell,
    LengthRow,
    Panel,
    Summary,
    is_hit,
)

LONGEST = 2_000
"""Characters of an answer or a needle on a card; the rest is in the row's own view."""


def _state_words(state: str) -> str:
    words = {"complete": t("complete"), "at work": t("at work"), "stopped": t("unfinished")}
    return words.get(state, "—")


# --- addresses: what a button names -------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Place:
    """A cell of a map, or a whole length of it (`depth` None)."""

    length: int
    depth: float | None

    @property
    def name(self) -> str:
        """`4096@0.5`, `4096`."""
        return f"{self.length}" if self.depth is None else f"{self.length}@{self.depth:g}"

    @property
    def words(self) -> str:
        """`4K at depth 50%`."""
        name = length_name(self.length)
        if self.depth is None:
            return t("{length}, all depths", length=name)
        return t("{length}, depth {depth}", length=name, depth=percent(self.depth))


def place_named(name: str, panel: Panel) -> Place | None:
    """The place of a panel that a button or an address names; None where it has none such."""
    for length in panel.lengths:
        for place in (Place(length, None), *(Place(length, depth) for depth in panel.depths)):
            if place.name == name:
                return place
    return None


def rows_at(rows: Iterable[Row], panel: Panel, place: Place) -> list[Row]:
    """The rows of a place, the lost ones first."""
    found = [
        row
        for row in rows
        if row.arm == panel.arm
        and panel.task in ("", row.task)
        and row.length == place.length
        and (place.depth is None or round(row.depth_target, 4) == place.depth)
    ]
    return sorted(found, key=lambda row: (is_hit(row), row.depth_target, row.trial, row.task))


# --- the list of runs ---------------------------------------------------------------------------


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
    return f'<span class="hl-verdict {kind}" title="{text_html(record.reason)}">{name}</span>'


def grid_of(entry: RunEntry) -> str:
    """`4K–32K × 5 depths × 5 trials`."""
    if not entry.lengths:
        return "–"
    ends = dict.fromkeys(length_name(one) for one in (entry.lengths[0], entry.lengths[-1]))
    return (
        f"{'–'.join(ends)} × {count_of(entry.depths, 'depth')} × "
        f"{count_of(entry.repetitions, 'trial')}"
    )


def when(made_at: str) -> str:
    """`21 Nov 2026, 07:02`, in this machine's time; what is no time as it is."""
    try:
        # The names of months are English everywhere.
        said = "%d %b %Y, %H:%M" if language() == ENGLISH else "%Y-%m-%d, %H:%M"
        return f"{datetime.fromisoformat(made_at).astimezone():{said}}"
    except (ValueError, OverflowError, OSError):
        return made_at[:40] or "–"


def digest_of(digest: str) -> str:
    """The part of a digest that people compare."""
    return digest.removeprefix("sha256:")[:12]


# --- a run --------------------------------------------------------------------------------------


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


# --- the map ------------------------------------------------------------------------------------


def map_html(panel: Panel, window: int, palette: str, chosen: Place | None = None) -> str:
    """The map: each cell a button. `window` is the one served, 0 if unknown."""
    marks = dict(window_marks(panel.lengths, window))
    columns = list(enumerate(panel.lengths, start=1))
    head = f'<tr><th class="nd-depth">{t("depth")}</th>' + "".join(
        f'<th class="{"nd-mark" if n in marks else ""}">'
        f"{f'<span>{escape(marks[n])}</span>' if n in marks else ''}</th>"
        for n, _ in columns
    )
    lines = [
        f'<tr><th class="nd-depth" scope="row">{percent(depth)}</th>'
        + "".join(
            _box(
                _cell_html(panel.cells.get((length, depth)), Place(length, depth), palette, chosen),
                n in marks,
            )
            for n, length in columns
        )
        + "</tr>"
        for depth in panel.depths
    ]
    by_length = {row.length: row for row in panel.rows}
    strip = f'<tr class="nd-strip"><th class="nd-depth" scope="row">{t("all depths")}</th>'
    strip += "".join(
        _box(_strip_html(by_length[length], palette, chosen), n in marks) for n, length in columns
    )
    foot = "<tr><th></th>" + "".join(
        f'<th class="nd-length" scope="col">{length_name(length)}'
        f"{'' if by_length[length].exact else ' ~'}</th>"
        for _, length in columns
    )
    return (
        '<div class="nd-scroll" tabindex="0" role="region" '
        f'aria-label="{text_html(t("Map of lengths and depths"))}">'
        f'<table class="nd-map" aria-label="{text_html(t("Right answers by depth and length"))}">'
        f"{head}</tr>{''.join(lines)}{strip}</tr>{foot}</tr></table></div>{_legend_html()}"
    )


def _box(inner: str, marked: bool) -> str:
    return f"<td{' class=nd-mark' if marked else ''}>{inner}</td>"


def _cell_html(cell: Cell | None, place: Place, palette: str, chosen: Place | None) -> str:
    state = cell.state if cell is not None else "not run"
    if cell is not None and state == "measured":
        told = _rate_words(cell.rate)
        some = cell.invalid + cell.errors
        if some:
            told += t("; {n} more without a valid answer", n=some)
        inner = f"{cell.rate.hits}/{cell.rate.n}{'<i></i>' if some else ''}"
        return _button(place, told, inner, _paint(cell.rate, palette), "", chosen)
    kind = "nd-void" if state in ("invalid", "leak") else "nd-blank"
    tag = {"leak": t("known"), "invalid": t("invalid"), "error": t("error")}.get(state, "")
    inner = f"<span>{tag}</span>" if tag else ""
    return _button(place, _cell_words(state), inner, "", kind, chosen)


def _rate_words(rate: Rate) -> str:
    return t(
        "{hits} of {n}, 95% interval {interval}", hits=rate.hits, n=rate.n, interval=interval(rate)
    )


def _cell_words(state: str) -> str:
    return {
        "leak": t("the model knows the answer without a text"),
        "invalid": t("no valid answer: the server read less, or does not serve this length"),
        "error": t("errors only, tried again by the next run"),
        "not run": t("not run"),
    }[state]


def _strip_html(row: LengthRow, palette: str, chosen: Place | None) -> str:
    place = Place(row.length, None)
    if row.rate.n:
        inner = f"<b>{row.rate.hits}/{row.rate.n}</b><small>{interval(row.rate)}</small>"
        told = _rate_words(row.rate)
        return _button(place, told, inner, _paint(row.rate, palette), "", chosen)
    kind = "nd-void" if row.invalid or row.leaks else "nd-blank"
    return _button(
        place, t("no valid answer") if kind == "nd-void" else t("not run"), "", "", kind, chosen
    )


def _button(
    place: Place, told: str, inner: str, style: str, kind: str, chosen: Place | None
) -> str:
    on = place == chosen
    words = escape(f"{place.words}: {told}")
    return (
        f'<button class="nd-cell {kind}{" nd-on" if on else ""}" data-niah="cell:{place.name}" '
        f'style="{style}" title="{words}" aria-label="{words}" '
        f'aria-pressed="{str(on).lower()}">{inner}</button>'
    )


def _paint(rate: Rate, palette: str) -> str:
    ground = shade(rate.share, PALETTES[palette])
    return f"background:{css(ground)};color:{css(ink(ground))}"


def _legend_html() -> str:
    return (
        f'<ul class="nd-legend"><li><i class="nd-blank"></i>{t("not run")}</li>'
        f'<li><i class="nd-void"></i>{t("no valid answer")}</li>'
        f'<li><i class="nd-some"></i>{t("some invalid")}</li>'
        f"<li>{t('k/n: right answers; below, the 95% interval of the whole length')}</li></ul>"
    )


def lengths_html(panel: Panel) -> str:
    """Each length in numbers, and where its needles were lost."""
    names = (
        t("Length"),
        t("Right"),
        t("By haystack"),
        t("Invalid"),
        t("Errors"),
        t("Lost to"),
    )
    head = "".join(f"<th>{name}</th>" for name in names)
    rows = "".join(
        "<tr>"
        + "".join(
            f"<td>{told}</td>"
            for told in (
                length_name(row.length),
                text_html(rate_text(row.rate)),
                f"{row.clustered[0]:.2f}–{row.clustered[1]:.2f}"
                if row.clustered and row.clustered[0] < row.clustered[1]
                else "–",
                f"{row.invalid:,}" if row.invalid else "–",
                f"{row.errors:,}" if row.errors else "–",
                _lost_html(row),
            )
        )
        + "</tr>"
        for row in panel.rows
    )
    return (
        f'<div class="nd-scroll" tabindex="0" role="region" aria-label="{t("Lengths")}">'
        f'<table class="nd-table"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'
    )


def stages_html(panel: Panel) -> str:
    """A bar for each length: the shares of rows that each stage lost."""
    lines = []
    for row in panel.rows:
        total = sum(row.stages.values())
        parts = "".join(
            f'<i style="width:{100 * row.stages[stage] / total:.2f}%;background:{_colour(stage)}" '
            f'title="{escape(_share_of(stage, row.stages[stage], total))}"></i>'
            for stage in STAGES
            if row.stages.get(stage)
        )
        told = _lost(row, total)
        lines.append(
            f'<div class="nd-stage"><span>{length_name(row.length)}</span>'
            f'<span class="nd-bar">{parts}</span><small>{told}</small></div>'
        )
    used = [stage for stage in STAGES if any(row.stages.get(stage) for row in panel.rows)]
    legend = "".join(
        f'<li><i style="background:{_colour(stage)}"></i>{escape(stage_words(stage))}</li>'
        for stage in used
    )
    return f'<div class="nd-stages">{"".join(lines)}</div><ul class="nd-legend">{legend}</ul>'


def _share_of(stage: str, count: int, total: int) -> str:
    return t("{what}: {n} of {all}", what=stage_words(stage), n=count, all=total)


def _lost(row: LengthRow, total: int) -> str:
    """`9 of 22 lost`; what has no valid answer is neither lost nor found."""
    valid = total - row.stages.get(NO_ANSWER, 0)
    if not valid:
        return escape(t("no valid answer") if total else t("not run"))
    lost = valid - row.stages.get(RIGHT, 0)
    return escape(t("{lost} of {n} lost", lost=lost, n=valid))


def _colour(stage: str) -> str:
    return css(STAGE_COLOURS[stage]) if stage in STAGE_COLOURS else "var(--hl-green)"


def _lost_html(row: LengthRow) -> str:
    lost = sorted((count, stage) for stage, count in row.stages.items() if stage != RIGHT)
    return ", ".join(f"{escape(stage_words(stage))} {count}" for count, stage in reversed(lost))


def thirds_sentence(panel: Panel) -> str:
    """Which third of the text is read best, and what follows for passages."""
    names = {"start": t("start"), "middle": t("middle"), "end": t("end")}
    told = ", ".join(f"{names[name]} {rate_text(rate)}" for name, rate in panel.thirds.items())
    begun = t("By depth: {thirds}.", thirds=told)
    differ = []
    for order in (EDGES, START, END):
        names_of = [length_name(one.length) for one in panel.profiles if one.order == order]
        if names_of:
            differ.append(_read_best(order, ", ".join(names_of)))
    if not differ:
        return f"{begun} {t('At no length does a third differ for sure: reading order stays.')}"
    return " ".join([begun, *differ])


def _read_best(order: str, lengths: str) -> str:
    """Where prompts of some lengths are read best."""
    if order == EDGES:
        return t(
            "Prompts of {lengths} are read best at both ends: the best passages stand there.",
            lengths=lengths,
        )
    if order == START:
        return t(
            "Prompts of {lengths} are read best at the start: the best passages stand there.",
            lengths=lengths,
        )
    return t(
        "Prompts of {lengths} are read best at the end: the best passages stand there.",
        lengths=lengths,
    )


# --- a cell's rows ------------------------------------------------------------------------------


def place_html(panel: Panel, place: Place, rows: Sequence[Row]) -> str:
    """What a cell or a length comes to."""
    found: Cell | LengthRow | None
    if place.depth is None:
        found = next((row for row in panel.rows if row.length == place.length), None)
    else:
        found = panel.cells.get((place.length, place.depth))
    told = [f"{count_of(len(rows), 'row')}."]
    if found is not None and found.rate.n:
        told.insert(
            0,
            t(
                "{hits} of {n} right, 95% interval {interval}; mean score {score}.",
                hits=found.rate.hits,
                n=found.rate.n,
                interval=interval(found.rate),
                score=f"{found.rate.fraction:.2f}",
            ),
        )
    if found is not None:
        if found.invalid:
            told.append(
                t(
                    "{n} invalid: the server read less than it was sent, or nothing.",
                    n=f"{found.invalid:,}",
                )
            )
        if found.errors:
            told.append(t("{n} failed, and will be tried again.", n=f"{found.errors:,}"))
        if found.leaks:
            told.append(
                t(
                    "{n} answered rightly without any text: they count neither way.",
                    n=f"{found.leaks:,}",
                )
            )
    title = f'<h3 class="nd-h3" id="nd-place">{escape(place.words)}</h3>'
    return f"{title}<p>{text_html(' '.join(told))}</p>"


def row_html(row: Row) -> str:
    """One question with its answer, and a button for its prompt."""
    kind = "nd-none" if row.status != "ok" else "nd-good" if is_hit(row) else "nd-bad"
    verdict = row.score_detail.get("verdict", "") if row.status == "ok" else row.status
    score = f" ({row.score:g})" if row.score is not None else ""
    stage = (
        f'<span class="nd-lost">{escape(stage_words(row.failure_stage))}</span>'
        if row.failure_stage
        else ""
    )
    depth = row.depth_target if row.depth_actual is None else row.depth_actual
    about = t(
        "{task}, trial {n}, depth {depth}",
        task=row.task.replace("_", " "),
        n=row.trial,
        depth=percent(depth),
    )
    return (
        f'<article class="nd-row {kind}"><header><b>{text_html(str(verdict))}{score}</b>{stage}'
        f'<span class="hl-small">{text_html(about)}</span>'
        f'<button class="nd-link" data-niah="row:{escape(row.key)}">{t("The prompt")}</button>'
        f"</header>"
        f"<dl>{facts_list(row_facts(row, LONGEST))}</dl></article>"
    )


def row_facts(row: Row, longest: int) -> dict[str, str]:
    """What is to be told of a row; texts cut where they are longer."""
    wrong = row.score_detail.get("wrong") or ()
    return {
        t("asked"): _cut(row.question, longest),
        t("expected"): _cut("; ".join(row.expected), longest) or t("that the text does not say it"),
        t("answered"): _cut(row.answer, longest) or (t("(nothing)") if row.status == "ok" else ""),
        t("named, and wrong"): _cut("; ".join(map(str, wrong)), longest)
        if isinstance(wrong, list | tuple)
        else "",
        t("judge"): "" if row.judge_score is None else f"{row.judge_score:g}",
        t("needle"): _cut("\n".join(one.text for one in row.needles), longest),
        t("distractors"): _cut("\n".join(one.text for one in row.distractors), longest),
        t("checks"): trace_of(row),
        t("with the cause taken away"): _again(row),
        t("why"): _cut(row.error, longest),
        t("tokens"): _tokens(row),
    }


def trace_of(row: Row) -> str:
    """`parsed ok, split FAILED`: the checks of the product's path, in order."""
    words = {True: t("ok"), False: t("FAILED")}
    return ", ".join(
        f"{check.get('check', '?')} {words.get(check.get('passed'), t('not told'))}"  # type: ignore[arg-type]
        for check in row.stage_trace
    )


def _again(row: Row) -> str:
    names = {"gold_first": t("needle ranked first"), "double_budget": t("twice the room")}
    told = []
    for how, what in row.counterfactuals.items():
        score = what.get("score") if isinstance(what, Mapping) else None
        right = t("failed")
        if score is not None:
            right = t("right") if score == 1 else t("wrong")
        told.append(f"{names.get(str(how), str(how))}: {right}")
    return "; ".join(told)


def _tokens(row: Row) -> str:
    if row.prompt_tokens is None:
        return ""
    theirs = row.server_prompt_tokens
    server = (
        t("{n} read by the server", n=f"{theirs:,}")
        if theirs is not None
        else t("the server tells none")
    )
    number = f"{row.prompt_tokens:,}"
    ours = t("{n} counted", n=number) if row.exact else t("{n} estimated", n=number)
    return f"{ours}, {server}"


def facts_list(facts: Mapping[str, str]) -> str:
    """Terms and what they say, as the inside of a `dl`."""
    return "".join(
        f'<dt>{name}</dt><dd dir="auto">{text_html(text)}</dd>'
        for name, text in facts.items()
        if text
    )


# --- a prompt -----------------------------------------------------------------------------------


def proof_html(shown: Shown) -> str:
    """Whether this is the very prompt that was sent."""
    if shown.proved:
        name, kind = t("the very prompt: its digest is the row's"), "hl-verified"
    elif shown.messages:
        name, kind = t("not proved: the row has no digest of it"), "hl-near"
    else:
        name, kind = t("no prompt was kept"), "hl-near"
    return f'<span class="hl-verdict {kind}">{name}</span>'


def prompt_html(role: str, parts: Sequence[Part]) -> str:
    """One message, its needles marked, what is left out told."""
    shown = "".join(_part_html(part) for part in parts)
    return (
        f'<div class="nd-role">{text_html(role)}</div>'
        f'<div class="hl-page nd-prompt" tabindex="0">{shown}</div>'
    )


def _part_html(part: Part) -> str:
    if part.kind == "left out":
        told = t("… {n} characters left out …", n=f"{part.characters:,}")
        return f'<span class="nd-out">{told}</span>'
    if part.kind == "text":
        return text_html(part.text)
    kind = "nd-needle" if part.kind == "needle" else "nd-distractor"
    name = t("needle") if part.kind == "needle" else t("distractor")
    return f'<mark class="{kind}" title="{name}">{text_html(part.text)}</mark>'


# --- a run at work ------------------------------------------------------------------------------


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


# --- two runs -----------------------------------------------------------------------------------


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
            f"{one.p if one.p is not None else 1.0:.3f}",
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


# --- words --------------------------------------------------------------------------------------


def percent(share: float) -> str:
    """`50%`, `12.5%`."""
    return f"{round(100 * share, 1):g}%"


def interval(rate: Rate) -> str:
    """`0.44–1.00`."""
    return f"{rate.low:.2f}–{rate.high:.2f}"


def panel_name(panel: Panel) -> str:
    """`Long prompt, multi key`."""
    arm = {"long": t("Long prompt"), "rag": t("Through Hayloft")}.get(panel.arm, panel.arm)
    return f"{arm}, {panel.task.replace('_', ' ') or t('all tasks')}"


def verdict_html(panel: Panel) -> str:
    """The one sentence of a map."""
    return f'<p class="nd-sentence">{text_html(effective_sentence(panel))}</p>'


def _cut(text: str, longest: int) -> str:
    if len(text) <= longest:
        return text
    return f"{text[:longest]} … ({t('{n} characters', n=f'{len(text):,}')})"

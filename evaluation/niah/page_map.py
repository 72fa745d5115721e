"""The map as the needle page shows it: each cell a button, its lengths and losses beside it."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from app.placement import EDGES, END, START
from app.rendering import text_html
from app.wording import t
from evaluation.niah.heatmap import window_marks
from evaluation.niah.page_words import interval, percent
from evaluation.niah.palette import (
    PALETTES,
    STAGE_COLOURS,
    css,
    ink,
    length_name,
    shade,
    stage_words,
)
from evaluation.niah.report_tables import rate_text
from evaluation.niah.statistics import Rate
from evaluation.niah.summary import NO_ANSWER, RIGHT, STAGES, Cell, LengthRow, Panel


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

"""The needle page's chosen run: its map, the answers of a cell, and another run beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from app import rendering, resources
from app.calibration import TrustedWindow
from app.wording import t
from evaluation.needle_downloads_page import show_downloads
from evaluation.needle_html_page import html
from evaluation.needle_prompt_page import show_prompt
from evaluation.needle_start_page import start_run
from evaluation.niah import background, page_answers, page_map, page_runs, page_words, run_list
from evaluation.niah.comparison import compare
from evaluation.niah.page_map import Place
from evaluation.niah.palette import PALETTES
from evaluation.niah.run_folder import ScoredRun, load
from evaluation.niah.run_list import RunEntry, Stamp
from evaluation.niah.summary import Panel, Summary, summarise
from storage.errors import HayloftError

MAP_S = 10.0
"""Between two readings of a whole run at work."""
CARDS = 20
"""Questions of a cell that are shown at once."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A run with its figures."""

    run: ScoredRun
    summary: Summary


@st.cache_resource(show_spinner=False, max_entries=4)
def _opened(folder: str, stamp: Stamp) -> Opened:
    run = load(Path(folder))
    return Opened(run, summarise(run.rows, run.planned))


def _open(entry: RunEntry) -> Opened:
    with st.spinner(t("Reading the run…")):
        return _opened(str(entry.folder), run_list.stamp_of(entry.folder))


def show_run(entry: RunEntry, entries: Sequence[RunEntry], trusted: TrustedWindow | None) -> None:
    """All of one run, from its facts to its downloads."""
    html(f'<h2 class="nd-h2"><bdi>{rendering.text_html(entry.name)}</bdi></h2>')
    if entry.state == "broken":
        html(rendering.notice_html("error", t("This run cannot be read"), entry.fault))
        return
    try:
        opened = _open(entry)
    except HayloftError as error:
        if entry.state == "at work":
            told = t("Its first answer is waited for…")
            html(f'<p class="hl-wait" role="status">{told}</p>')
        else:
            html(rendering.notice_html("error", t("This run cannot be read"), str(error)))
        return
    _show_head(entry, opened, trusted)
    panels = opened.summary.panels
    if not panels:
        html(f'<p class="hl-small">{t("No row of a map has been written yet.")}</p>')
        return
    panel = _choose_panel(entry, panels)
    place = _place(panel)
    palette = st.session_state.get("niah-palette") or next(iter(PALETTES))
    if entry.state == "at work":
        st.fragment(run_every=MAP_S)(_figures)(entry, panel.arm, panel.task, palette, trusted)
    else:
        _figures(entry, panel.arm, panel.task, palette, trusted)
    _show_place(opened, panel, place)
    with st.expander(t("Lengths in numbers"), icon=":material/table_chart:"):
        html(page_map.lengths_html(panel))
        html(f"<p>{rendering.text_html(page_map.thirds_sentence(panel))}</p>")
    _show_comparison(entry, entries)
    show_downloads(entry, opened.run, opened.summary, panel, palette)
    show_prompt(entry, opened.run.rows)


def _show_head(entry: RunEntry, opened: Opened, trusted: TrustedWindow | None) -> None:
    html(page_runs.facts_html(entry, opened.summary))
    html(f"<p>{rendering.sentence_html(page_runs.standing_of(entry, trusted))}</p>")
    if entry.state != "stopped" or not entry.model.startswith(("ollama ", "openai ")):
        return
    done = sum(opened.summary.statuses.get(status, 0) for status in ("ok", "window_clamped"))
    told = (
        t("{done} of {all} trials are done.", done=f"{done:,}", all=f"{entry.total:,}")
        if entry.total
        else ""
    )
    html(rendering.notice_html("info", t("This run is unfinished"), told))
    go_on = st.button(
        t("Go on with it"),
        key="niah-go-on",
        icon=":material/play_arrow:",
        disabled=bool(st.session_state.get("niah-at-work")),
    )
    if go_on:
        data_dir = resources.storage_settings().data_dir
        start_run(lambda: background.begin(data_dir, [], run=entry.name))


def _choose_panel(entry: RunEntry, panels: Sequence[Panel]) -> Panel:
    by_name = {page_words.panel_name(panel): panel for panel in panels}
    left, right = st.columns([3, 1], vertical_alignment="bottom")
    name = left.segmented_control(
        t("Map"), list(by_name), default=next(iter(by_name)), key=f"niah-map-{entry.name}"
    )
    right.selectbox(t("Colours"), list(PALETTES), key="niah-palette", format_func=_palette_words)
    return by_name.get(str(name)) or panels[0]


def _palette_words(palette: str) -> str:
    words = {"classic": t("classic"), "colour-blind": t("colour-blind")}
    return words.get(palette, palette)


def _place(panel: Panel) -> Place | None:
    return page_map.place_named(st.query_params.get("cell", ""), panel)


def _figures(
    entry: RunEntry, arm: str, task: str, palette: str, trusted: TrustedWindow | None
) -> None:
    """The map of a panel with its sentence, windows and stages, from what is on the disk now."""
    summary = _open(entry).summary
    panel = next((one for one in summary.panels if (one.arm, one.task) == (arm, task)), None)
    if panel is None:
        return
    html(page_words.verdict_html(panel))
    tokens = trusted.tokens if trusted is not None and trusted.run == entry.name else None
    html(page_map.map_html(panel, summary.window, palette, _place(panel)))
    left, right = st.columns(2)
    with left:
        html(
            f'<h3 class="nd-h3">{t("Windows")}</h3>'
            + page_runs.windows_html(panel, summary, tokens)
        )
    with right:
        lost = t("Where needles are lost")
        html(f'<h3 class="nd-h3">{lost}</h3>' + page_map.stages_html(panel))


def _show_place(opened: Opened, panel: Panel, place: Place | None) -> None:
    if place is None:
        told = t("Choose a cell: its questions and answers appear here.")
        html(f'<p class="hl-small">{told}</p>')
        return
    rows = page_answers.rows_at(opened.run.rows, panel, place)
    html(page_answers.place_html(panel, place, rows))
    pages = -(-len(rows) // CARDS)
    page = 1
    if pages > 1:
        page = int(
            st.number_input(
                t("Page of {n}", n=pages),
                1,
                pages,
                1,
                key=f"niah-page-{panel.name}-{place.name}",
            )
        )
    html("".join(page_answers.row_html(row) for row in rows[(page - 1) * CARDS : page * CARDS]))


def _show_comparison(entry: RunEntry, entries: Sequence[RunEntry]) -> None:
    others = [one.name for one in entries if one.state != "broken" and one.name != entry.name]
    if not others:
        return
    with st.expander(t("Compare with another run"), icon=":material/compare_arrows:"):
        name = st.selectbox(
            t("The other run"), others, index=None, key=f"niah-other-{entry.name}",
            placeholder=t("Choose a run on the same questions"),
        )  # fmt: skip
        other = next((one for one in entries if one.name == name), None)
        if other is None:
            return
        try:
            found = compare(_open(other).run.rows, _open(entry).run.rows)
        except HayloftError as error:
            html(rendering.notice_html("warn", t("They cannot be compared"), str(error)))
            return
        html(page_runs.comparison_html(found, other.name, entry.name))

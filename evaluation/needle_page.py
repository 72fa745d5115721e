"""The needle page: runs, maps, the answers and the very prompt of any cell, and a run at work.

The app may not import the harness, so its navigation names this file by its
path; what runs is then this file as a script. What is shown is made by
`evaluation.niah.page_view`, which escapes all that comes from elsewhere.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import streamlit as st

from app import rendering, resources
from app.budget import digest_of
from app.calibration import RUNS, TrustedWindow, trusted_window
from app.language_words import language_words
from app.page_style import style_sheet
from app.people import Role
from app.wording import ENGLISH, speaking, t
from evaluation.niah import background, page_view, report_html, report_tables, run_list
from evaluation.niah.comparison import compare
from evaluation.niah.config import QUICK_MINUTES
from evaluation.niah.needle_texts import LANGUAGES
from evaluation.niah.page_view import Place
from evaluation.niah.palette import PALETTES
from evaluation.niah.prompt_parts import parts
from evaluation.niah.records import Row
from evaluation.niah.rows import ROWS
from evaluation.niah.run_folder import CONFIG, ScoredRun, load
from evaluation.niah.run_list import RunEntry, Stamp, Tail
from evaluation.niah.show import Shown, rebuilt
from evaluation.niah.summary import Panel, Summary, summarise
from storage.errors import HayloftError

PROGRESS_S = 2.0
MAP_S = 10.0
"""Between two readings of a run at work: of its last rows, and of all of it."""
CARDS = 20
"""Questions of a cell that are shown at once."""

_CLICKS = """
export default function (component) {
  const { setTriggerValue } = component;
  const onClick = (event) => {
    const button = event.target.closest && event.target.closest("button[data-niah]");
    if (!button) return;
    const name = button.getAttribute("data-niah");
    setTriggerValue("clicked", name);
    if (!name.startsWith("cell:")) return;
    // The answers come in below the map: bring them into view when they are there.
    const before = document.getElementById("nd-place")?.textContent;
    let ticks = 0;
    const timer = setInterval(() => {
      const now = document.getElementById("nd-place");
      if (now && now.textContent !== before) {
        now.scrollIntoView({ block: "nearest", behavior: "smooth" });
        clearInterval(timer);
      } else if (++ticks > 40) clearInterval(timer);
    }, 50);
  };
  document.addEventListener("click", onClick);
  return () => document.removeEventListener("click", onClick);
}
"""


@dataclass(frozen=True, slots=True)
class Opened:
    """A run with its figures."""

    run: ScoredRun
    summary: Summary


def show() -> None:
    """Draw the page."""
    css = Path(page_view.__file__).with_name("page_view.css").read_text(encoding="utf-8")
    _html(style_sheet(dark=st.context.theme.type == "dark") + f"<style>{css}</style>")
    try:
        _draw()
    except HayloftError as error:
        _html(rendering.notice_html("error", t("The page cannot go on"), str(error)))
        st.button(t("Try again"), icon=":material/refresh:", key="niah-again")


def _draw() -> None:
    data_dir = resources.storage_settings().data_dir
    lead = t(
        "How much of its window does the model read? Sentences are hidden in long texts and asked "
        "for, at every length and depth."
    )
    _html(f'<h1 class="nd-title">{t("Needle in a haystack")}</h1><p class="nd-lead">{lead}</p>')
    _watch_clicks()
    entries = run_list.list_runs(data_dir)
    trusted = _show_trusted(entries)
    _at_work(data_dir)
    _show_start(data_dir, entries)
    if not entries:
        if st.session_state.get("niah-at-work"):
            return
        _html(
            rendering.notice_html(
                "info", t("There is no run yet"), t("Start one above, or in a terminal:"),
                "hayloft eval niah run",
            )
        )  # fmt: skip
        return
    chosen = _chosen(entries)
    counting = trusted.run if trusted is not None and trusted.measured else ""
    _html(page_view.runs_html(entries, chosen.name, counting))
    _show_run(chosen, entries, trusted)


# --- what was clicked, what the address says ----------------------------------------------------


@lru_cache(maxsize=1)
def _clicks() -> Any:
    return st.components.v2.component("hayloft.needles", js=_CLICKS)


def _watch_clicks() -> None:
    """Learn which button of our own HTML was clicked, and note it in the address."""
    found = _clicks()(key="niah-clicks", on_clicked_change=lambda: None)
    kind, _, name = str(found.clicked or "").partition(":")
    if kind == "run" and name:
        st.query_params["run"] = name
        st.query_params.pop("cell", None)
        st.session_state.pop("niah-row", None)
    elif kind == "cell" and name:
        st.query_params["cell"] = name
        st.session_state.pop("niah-row", None)
    elif kind == "row" and name:
        st.session_state["niah-row"] = name


def _chosen(entries: Sequence[RunEntry]) -> RunEntry:
    """The run that the address names, else the newest that can be read."""
    named = st.query_params.get("run", "")
    readable = [entry for entry in entries if entry.state != "broken"]
    by_name = {entry.name: entry for entry in entries}
    return by_name.get(named) or (readable or list(entries))[0]


def _place(panel: Panel) -> Place | None:
    return page_view.place_named(st.query_params.get("cell", ""), panel)


# --- the trusted window -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Served:
    """The model at hand, as its measurements are kept."""

    label: str
    digest: str = ""
    window: int = 0
    why_not: str = ""
    """Why there is none."""


@st.cache_resource(show_spinner=False, ttl=resources.MODEL_CHECK_S)
def _served() -> Served:
    found = resources.model_at_hand()
    if found.model is None:
        return Served(found.label, why_not=str(found.fault or found.notice))
    try:
        return Served(found.label, digest_of(found.model), found.model.window())
    except HayloftError as error:
        return Served(found.label, why_not=str(error))


def _show_trusted(entries: Sequence[RunEntry]) -> TrustedWindow | None:
    served, settings = _served(), resources.app_settings()
    if not served.window:
        told = served.why_not or t("No chat model answers.")
        _html(rendering.notice_html("info", t("No chat model at hand to trust or measure"), told))
        return None
    trusted = trusted_window(
        resources.storage_settings().data_dir,
        served.digest,
        served.window,
        settings.kv_type,
        override=settings.trusted_window,
    )
    _html(page_view.trusted_html(trusted, served.label, served.window))
    return trusted


# --- a run at work, and starting one ------------------------------------------------------------


@st.cache_resource(show_spinner=False, max_entries=20)
def _tail(folder: str) -> Tail:
    return Tail(Path(folder))


@st.fragment(run_every=PROGRESS_S)
def _at_work(data_dir: Path) -> None:
    """Runs that some process is at, read as they grow; begun here, they can be stopped here."""
    begun = background.last(data_dir)
    folders = run_list.at_work(data_dir)
    # A run appears in the list with its folder, and its map with its first row.
    now = [(folder.name, (folder / ROWS).is_file()) for folder in folders]
    if begun is not None and begun.alive:
        now.append((begun.run, (data_dir / RUNS / begun.run).is_dir()))
    if st.session_state.get("niah-at-work", now) != now:
        st.session_state["niah-at-work"] = now
        _served.clear()
        st.rerun()
    st.session_state["niah-at-work"] = now
    for folder in folders:
        standing = _tail(str(folder)).look()
        st.progress(
            min(1.0, standing.done / standing.total) if standing.total else 0.0,
            text=rendering.label(f"{folder.name}: {page_view.standing_words(standing)}", limit=300),
        )
    if begun is None:
        return
    if begun.alive:
        if begun.run not in [folder.name for folder in folders]:
            told = page_view.last_line(begun.log) or t(
                "the model is loaded and its speed is measured"
            )
            st.progress(0.0, text=rendering.label(f"{begun.run}: {told}", limit=300))
        if st.button(t("Stop the run"), icon=":material/stop_circle:", key="niah-stop"):
            # A fragment: the page around it, which asks who is there, does not run.
            resources.who().require(Role.ADMIN)
            with st.spinner(t("Stopping…")):
                ended = background.cancel(data_dir)
            if not ended:
                st.session_state["niah-refused"] = t(
                    "The run does not end (process {pid}).", pid=begun.pid
                )
            st.rerun()
    elif not (data_dir / RUNS / begun.run).is_dir():
        told = page_view.last_line(begun.log) or t("It said nothing.")
        _html(rendering.notice_html("warn", t("The last run did not begin"), told))


def _show_start(data_dir: Path, entries: Sequence[RunEntry]) -> None:
    if refused := st.session_state.pop("niah-refused", ""):
        _html(rendering.notice_html("error", t("Not done"), refused))
    if st.session_state.get("niah-at-work"):
        return
    with st.expander(
        t("Measure the model now"),
        icon=":material/speed:",
        expanded=not entries,
        key="niah-measure",
    ):
        with st.form("niah-start", border=False):
            minutes, haystack, language = st.columns(3)
            wanted = minutes.number_input(
                t("Minutes, at most"), 1, 1440, int(QUICK_MINUTES), key="niah-minutes"
            )
            text = haystack.selectbox(
                t("Text"), ("auto", "library", "generated"), key="niah-haystack",
                format_func=_text_words,
                help=t("Automatic: your library where it holds prose, else generated"),
            )  # fmt: skip
            spoken = language.selectbox(
                t("Language"),
                ("auto", *LANGUAGES),
                key="niah-language",
                format_func=_language_words,
            )
            begin = st.form_submit_button(t("Start"), icon=":material/play_arrow:")
        told = t(
            "As many lengths of the served window as fit the minutes. The run has a process of its "
            "own: closing this page does not end it, and stopped it goes on later."
        )
        # A caption of Streamlit's is too pale to be read by everybody.
        st.html(f'<div class="hl-small">{told}</div>')
    if begin:
        words = ["--minutes", f"{wanted}", "--haystack", text, "--language", spoken]
        _begin(lambda: background.begin(data_dir, words))


def _text_words(text: str) -> str:
    words = {"auto": t("automatic"), "library": t("library"), "generated": t("generated")}
    return words.get(text, text)


def _language_words(code: str) -> str:
    return t("automatic") if code == "auto" else language_words(code)


def _begin(start: Callable[[], str]) -> None:
    try:
        resources.who().require(Role.ADMIN)
        st.query_params["run"] = start()
        st.query_params.pop("cell", None)
    except HayloftError as error:
        st.session_state["niah-refused"] = str(error)
    st.rerun()


# --- the chosen run -----------------------------------------------------------------------------


@st.cache_resource(show_spinner=False, max_entries=4)
def _opened(folder: str, stamp: Stamp) -> Opened:
    run = load(Path(folder))
    return Opened(run, summarise(run.rows, run.planned))


def _open(entry: RunEntry) -> Opened:
    with st.spinner(t("Reading the run…")):
        return _opened(str(entry.folder), run_list.stamp_of(entry.folder))


def _show_run(entry: RunEntry, entries: Sequence[RunEntry], trusted: TrustedWindow | None) -> None:
    _html(f'<h2 class="nd-h2"><bdi>{rendering.text_html(entry.name)}</bdi></h2>')
    if entry.state == "broken":
        _html(rendering.notice_html("error", t("This run cannot be read"), entry.fault))
        return
    try:
        opened = _open(entry)
    except HayloftError as error:
        if entry.state == "at work":
            told = t("Its first answer is waited for…")
            _html(f'<p class="hl-wait" role="status">{told}</p>')
        else:
            _html(rendering.notice_html("error", t("This run cannot be read"), str(error)))
        return
    _show_head(entry, opened, trusted)
    panels = opened.summary.panels
    if not panels:
        _html(f'<p class="hl-small">{t("No row of a map has been written yet.")}</p>')
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
        _html(page_view.lengths_html(panel))
        _html(f"<p>{rendering.text_html(page_view.thirds_sentence(panel))}</p>")
    _show_comparison(entry, entries)
    _show_downloads(entry, opened, panel, palette)
    _show_prompt(entry, opened)


def _show_head(entry: RunEntry, opened: Opened, trusted: TrustedWindow | None) -> None:
    _html(page_view.facts_html(entry, opened.summary))
    _html(f"<p>{rendering.sentence_html(page_view.standing_of(entry, trusted))}</p>")
    if entry.state != "stopped" or not entry.model.startswith(("ollama ", "openai ")):
        return
    done = sum(opened.summary.statuses.get(status, 0) for status in ("ok", "window_clamped"))
    told = (
        t("{done} of {all} trials are done.", done=f"{done:,}", all=f"{entry.total:,}")
        if entry.total
        else ""
    )
    _html(rendering.notice_html("info", t("This run is unfinished"), told))
    go_on = st.button(
        t("Go on with it"),
        key="niah-go-on",
        icon=":material/play_arrow:",
        disabled=bool(st.session_state.get("niah-at-work")),
    )
    if go_on:
        data_dir = resources.storage_settings().data_dir
        _begin(lambda: background.begin(data_dir, [], run=entry.name))


def _choose_panel(entry: RunEntry, panels: Sequence[Panel]) -> Panel:
    by_name = {page_view.panel_name(panel): panel for panel in panels}
    left, right = st.columns([3, 1], vertical_alignment="bottom")
    name = left.segmented_control(
        t("Map"), list(by_name), default=next(iter(by_name)), key=f"niah-map-{entry.name}"
    )
    right.selectbox(t("Colours"), list(PALETTES), key="niah-palette", format_func=_palette_words)
    return by_name.get(str(name)) or panels[0]


def _palette_words(palette: str) -> str:
    words = {"classic": t("classic"), "colour-blind": t("colour-blind")}
    return words.get(palette, palette)


def _figures(
    entry: RunEntry, arm: str, task: str, palette: str, trusted: TrustedWindow | None
) -> None:
    """The map of a panel with its sentence, windows and stages, from what is on the disk now."""
    summary = _open(entry).summary
    panel = next((one for one in summary.panels if (one.arm, one.task) == (arm, task)), None)
    if panel is None:
        return
    _html(page_view.verdict_html(panel))
    tokens = trusted.tokens if trusted is not None and trusted.run == entry.name else None
    _html(page_view.map_html(panel, summary.window, palette, _place(panel)))
    left, right = st.columns(2)
    with left:
        _html(
            f'<h3 class="nd-h3">{t("Windows")}</h3>'
            + page_view.windows_html(panel, summary, tokens)
        )
    with right:
        lost = t("Where needles are lost")
        _html(f'<h3 class="nd-h3">{lost}</h3>' + page_view.stages_html(panel))


def _show_place(opened: Opened, panel: Panel, place: Place | None) -> None:
    if place is None:
        told = t("Choose a cell: its questions and answers appear here.")
        _html(f'<p class="hl-small">{told}</p>')
        return
    rows = page_view.rows_at(opened.run.rows, panel, place)
    _html(page_view.place_html(panel, place, rows))
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
    _html("".join(page_view.row_html(row) for row in rows[(page - 1) * CARDS : page * CARDS]))


# --- two runs -----------------------------------------------------------------------------------


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
            _html(rendering.notice_html("warn", t("They cannot be compared"), str(error)))
            return
        _html(page_view.comparison_html(found, other.name, entry.name))


# --- the very prompt ----------------------------------------------------------------------------


@st.cache_resource(show_spinner=False, max_entries=4)
def _rebuilt(folder: str, stamp: Stamp, key: str, _row: Row) -> Shown | str:
    """The prompt, or the sentence why it cannot be had."""
    data_dir = resources.storage_settings().data_dir
    try:
        return rebuilt(Path(folder), _row, resources.app_settings(), data_dir)
    except HayloftError as error:
        return str(error)


def _close_prompt() -> None:
    st.session_state.pop("niah-row", None)


def _show_prompt(entry: RunEntry, opened: Opened) -> None:
    key = st.session_state.get("niah-row")
    row = next((one for one in opened.run.rows if one.key == key), None)
    if row is None:
        return
    title = rendering.label(
        t("{arm}, {task}, trial {n}", arm=row.arm, task=row.task.replace("_", " "), n=row.trial)
    )
    st.dialog(title, width="large", on_dismiss=_close_prompt)(_prompt)(entry, row)


def _prompt(entry: RunEntry, row: Row) -> None:
    _html(f'<dl class="nd-dl">{page_view.facts_list(page_view.row_facts(row, 20_000))}</dl>')
    with st.spinner(t("Rebuilding the prompt…")):
        shown = _rebuilt(str(entry.folder), run_list.stamp_of(entry.folder), row.key, row)
    if isinstance(shown, str):
        _html(rendering.notice_html("warn", t("The prompt cannot be shown"), shown))
        return
    if not shown.messages and not shown.document:
        _html(rendering.notice_html("info", t("Nothing was sent"), row.error))
        return
    _html(page_view.proof_html(shown))
    whole = st.toggle(t("All of it"), key=f"niah-whole-{row.key}")
    texts: list[tuple[str, str]] = [(one.role, one.content) for one in shown.messages]
    if shown.document:
        texts.append((t("the document, as it was ingested"), shown.document))
    for role, content in texts:
        _html(
            page_view.prompt_html(role, parts(content, row.needles, row.distractors, whole=whole))
        )
    st.download_button(
        t("Prompt as text"),
        "\n\n".join(f"--- {role}\n{content}" for role, content in texts).encode("utf-8", "replace"),
        file_name=f"{_file_name(entry.name)}-{_file_name(row.key[:12])}.txt",
        mime="text/plain",
        on_click="ignore",
        icon=":material/download:",
        key=f"niah-prompt-{row.key}",
    )


# --- downloads ----------------------------------------------------------------------------------


def _show_downloads(entry: RunEntry, opened: Opened, panel: Panel, palette: str) -> None:
    run, summary = opened.run, opened.summary
    name = _file_name(entry.name)

    def as_json() -> str:
        import json

        told = report_tables.to_json(summary, run.name, run.made_at)
        return json.dumps(told, ensure_ascii=False, indent=2) + "\n"

    files: list[tuple[str, str, str, Callable[[], str | bytes]]] = [
        (t("Report (HTML)"), f"{name}.html", "text/html",
         lambda: report_html.page(summary, run.rows, run.name, run.made_at)),
        (t("Map (PNG)"), f"{name}-{panel.arm}.png", "image/png",
         lambda: _picture(panel, summary, palette)),
        (t("Cells (CSV)"), f"{name}-cells.csv", "text/csv",
         lambda: report_tables.cells_csv(summary)),
        (t("Rows (CSV)"), f"{name}-rows.csv", "text/csv", lambda: report_tables.rows_csv(run.rows)),
        (t("Figures (JSON)"), f"{name}.json", "application/json", as_json),
    ]  # fmt: skip
    with (
        st.expander(t("Downloads"), icon=":material/download:"),
        st.container(horizontal=True),
    ):
        for label, file_name, kind, make in files:
            st.download_button(
                label, _deferred(make), file_name=file_name, mime=kind, on_click="ignore",
                key=f"niah-get-{file_name.rpartition('.')[2]}-{file_name}",
            )  # fmt: skip
        config = entry.folder / CONFIG
        if config.is_file():
            st.download_button(
                t("Configuration (YAML)"), config.read_bytes, file_name=f"{name}.yaml",
                mime="application/yaml", on_click="ignore", key="niah-get-config",
            )  # fmt: skip


def _deferred(make: Callable[[], str | bytes]) -> Callable[[], bytes]:
    """Made when it is asked for, in English: reports are for everybody, and so are pictures.

    Half of a surrogate pair, which an answer may hold, becomes a `?`.
    """

    def made() -> bytes:
        with speaking(ENGLISH):
            told = make()
        return told if isinstance(told, bytes) else told.encode("utf-8", "replace")

    return made


def _picture(panel: Panel, summary: Summary, palette: str) -> bytes:
    from evaluation.niah.heatmap import draw_map

    with tempfile.TemporaryDirectory(prefix="hayloft-map-") as folder:
        path = Path(folder) / "map.png"
        draw_map(
            panel, path, title=f"{summary.model or 'no model'}: {page_view.panel_name(panel)}",
            subtitle=report_tables.effective_sentence(panel), window=summary.window,
            palette=palette,
        )  # fmt: skip
        return path.read_bytes()


def _file_name(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]", "_", name)[:80]


def _html(text: str) -> None:
    """Our own HTML; half of a surrogate pair has no form on the wire."""
    st.html(text.encode("utf-8", "replace").decode("utf-8"))


if __name__ == "__main__":
    # As a script this is another module each time. What it keeps between two runs
    # (components, caches) belongs to the module that is imported once.
    from evaluation import needle_page

    needle_page.show()

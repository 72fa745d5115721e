"""The needle page's model at hand: how far it is trusted, a run at work on it, starting one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from app import rendering, resources
from app.budget import digest_of
from app.calibration import RUNS, TrustedWindow, trusted_window
from app.language_words import language_words
from app.people import Role
from app.wording import t
from evaluation.needle_html_page import html
from evaluation.niah import background, page_runs, run_list
from evaluation.niah.config import QUICK_MINUTES
from evaluation.niah.needle_texts import LANGUAGES
from evaluation.niah.rows import ROWS
from evaluation.niah.run_list import RunEntry, Tail
from storage.errors import HayloftError

PROGRESS_S = 2.0
"""Between two readings of the last rows of a run at work."""


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


def show_trusted() -> TrustedWindow | None:
    """How far the window of the model at hand may be filled; None where there is no model."""
    served, settings = _served(), resources.app_settings()
    if not served.window:
        told = served.why_not or t("No chat model answers.")
        html(rendering.notice_html("info", t("No chat model at hand to trust or measure"), told))
        return None
    trusted = trusted_window(
        resources.storage_settings().data_dir,
        served.digest,
        served.window,
        settings.kv_type,
        override=settings.trusted_window,
    )
    html(page_runs.trusted_html(trusted, served.label, served.window))
    return trusted


@st.cache_resource(show_spinner=False, max_entries=20)
def _tail(folder: str) -> Tail:
    return Tail(Path(folder))


@st.fragment(run_every=PROGRESS_S)
def at_work(data_dir: Path) -> None:
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
            text=rendering.label(f"{folder.name}: {page_runs.standing_words(standing)}", limit=300),
        )
    if begun is None:
        return
    if begun.alive:
        if begun.run not in [folder.name for folder in folders]:
            told = page_runs.last_line(begun.log) or t(
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
        told = page_runs.last_line(begun.log) or t("It said nothing.")
        html(rendering.notice_html("warn", t("The last run did not begin"), told))


def show_start(data_dir: Path, entries: Sequence[RunEntry]) -> None:
    """The form that starts a run, where none is at work."""
    if refused := st.session_state.pop("niah-refused", ""):
        html(rendering.notice_html("error", t("Not done"), refused))
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
        start_run(lambda: background.begin(data_dir, words))


def _text_words(text: str) -> str:
    words = {"auto": t("automatic"), "library": t("library"), "generated": t("generated")}
    return words.get(text, text)


def _language_words(code: str) -> str:
    return t("automatic") if code == "auto" else language_words(code)


def start_run(start: Callable[[], str]) -> None:
    """Start a process; its run is then the chosen one."""
    try:
        resources.who().require(Role.ADMIN)
        st.query_params["run"] = start()
        st.query_params.pop("cell", None)
    except HayloftError as error:
        st.session_state["niah-refused"] = str(error)
    st.rerun()

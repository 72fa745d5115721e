"""The models page: what is installed, what fits, fetching, extending, loading."""

from __future__ import annotations

from typing import Any

import streamlit as st

from app import models_view, rendering, resources
from app.model_jobs import Job, extending, loading, pulling, unloading
from app.wording import t
from app.work_style import work_style
from storage.errors import HayloftError

WATCH_S = 0.5
IDLE_S = 5.0
_JOB = "model-job"
"""Keeps the job in sight while the page scrolls (`app.work_style`)."""


def show() -> None:
    """Draw the page."""
    st.html(work_style(dark=st.context.theme.type == "dark"))
    try:
        _draw()
    except HayloftError as error:
        st.html(rendering.notice_html("error", t("The models cannot be shown"), str(error)))
        st.button(t("Try again"), icon=":material/refresh:", key="try-again", on_click=_look_again)


def _draw() -> None:
    job = resources.model_jobs().state()
    if st.session_state.get("models-job") != _mark(job):
        # It has begun or ended since: what is installed and loaded may be another.
        st.session_state["models-job"] = _mark(job)
        _look_again()
    facts = resources.models()
    reachable = bool(facts["ollama"]["reachable"])
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        st.html(f'<h1 class="hl-title">{t("Models")}</h1>' + models_view.head_html(facts))
        st.button(
            t("Look again"), key="look-models", icon=":material/refresh:", on_click=_look_again
        )
    busy = job is not None and job.state != "ended"
    st.fragment(_job, run_every=WATCH_S if busy else IDLE_S)()
    st.html(models_view.advice_html(facts["advice"]))
    _installed(facts, busy=busy, local=bool(facts["ollama"]["local"]))
    if reachable:
        _fetch(busy=busy)
    _catalogue(facts, can_fetch=reachable and not busy)
    st.html(models_view.legend_html())


def _look_again() -> None:
    resources.look_at_models_again()
    resources.look_for_model_again()


# --- the job at work ----------------------------------------------------------------------------


def _mark(job: Job | None) -> list[object]:
    return [] if job is None else [job.what, job.began, job.state == "ended"]


def _job() -> None:
    """The job as it is, redrawn by itself; the page follows when it begins or ends."""
    job = resources.model_jobs().state()
    if st.session_state.get("models-job") != _mark(job):
        st.rerun()
    if job is None:
        return
    if job.state == "ended":
        with st.container(key=_JOB):
            st.html(models_view.ended_html(job))
            st.button(t("Close"), key="dismiss-job", on_click=resources.model_jobs().dismiss)
        return
    with st.container(border=True, key=_JOB):
        st.progress(job.share or 0.0, text=rendering.heading(models_view.job_words(job)))
        st.button(
            t("Stopping…") if job.state == "stopping" else t("Cancel"),
            key="stop-job",
            icon=":material/stop_circle:",
            on_click=resources.model_jobs().stop,
            disabled=job.state == "stopping",
        )


def _pull(name: str) -> None:
    name = name.strip()
    if name:
        work = pulling(resources.ollama(), name)
        kept = t(
            "Stopped. Ollama keeps what has arrived, and goes on from there when it is fetched "
            "again."
        )
        resources.model_jobs().start(t("Fetching {name}", name=name), work, stopped=kept)


def _pull_typed() -> None:
    _pull(str(st.session_state.get("pull-name", "")))
    st.session_state["pull-name"] = ""


def _extend(name: str) -> None:
    work = extending(resources.ollama(), name, resources.storage_settings().data_dir / "extend")
    resources.model_jobs().start(
        t("Extending {name}", name=name), work, stopped=t("Stopped. Nothing half-made is left.")
    )


def _load(name: str, window: int) -> None:
    work = loading(resources.ollama(), name, window)
    resources.model_jobs().start(t("Loading {name}", name=name), work)


def _unload(name: str) -> None:
    work = unloading(resources.ollama(), name)
    resources.model_jobs().start(t("Unloading {name}", name=name), work)


# --- the models ---------------------------------------------------------------------------------


def _installed(facts: dict[str, Any], *, busy: bool, local: bool) -> None:
    if not facts["installed"]:
        if facts["ollama"]["reachable"]:
            st.html(
                rendering.notice_html(
                    "warn",
                    t("No model is installed"),
                    t("Answers are quotes until there is one. Fetch one below."),
                )
            )
        return
    st.html(f'<h2 class="hl-head">{t("Installed")}</h2>')
    for number, model in enumerate(facts["installed"]):
        with st.container(border=True):
            st.html(models_view.model_html(model))
            if model["chats"] and not model["remote"]:
                _model_actions(number, model, busy=busy, local=local)


def _model_actions(number: int, model: dict[str, Any], *, busy: bool, local: bool) -> None:
    name = str(model["name"])
    trained, usable = model["trained_window"] or 0, model["usable_window"] or 0
    window = min(resources.app_settings().window, trained or resources.app_settings().window)
    with st.container(horizontal=True):
        if model["loaded"]:
            st.button(
                t("Unload"),
                key=f"unload-{number}",
                icon=":material/eject:",
                help=t("Gives its memory back; the next question loads it again"),
                on_click=_unload,
                args=(name,),
                disabled=busy,
            )
        if not model["loaded"] or (model["served_window"] or window) != window:
            st.button(
                t("Load with {n} tokens", n=f"{window:,}"),
                key=f"load-{number}",
                icon=":material/memory:",
                help=t("HAYLOFT_WINDOW sets the window"),
                on_click=_load,
                args=(name, window),
                disabled=busy,
            )
        if usable > trained > 0:
            st.button(
                t("Extend to {n}K", n=usable // 1024),
                key=f"extend-{number}",
                icon=":material/expand:",
                help=t("Makes a copy with a longer window, as a model of its own")
                if local
                else t(
                    "Ollama's files can only be read on its own machine: run "
                    "`hayloft models extend` there"
                ),
                on_click=_extend,
                args=(name,),
                disabled=busy or not local,
            )


def _fetch(*, busy: bool) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input(
            t("Fetch a model by its name in Ollama's library"),
            key="pull-name",
            placeholder="qwen2:7b",
            max_chars=200,
            help=t(
                "Ollama downloads it, on the machine it runs on; Hayloft itself downloads nothing"
            ),
        )
        st.button(
            t("Fetch"),
            key="pull-typed",
            icon=":material/download:",
            on_click=_pull_typed,
            disabled=busy,
        )


def _catalogue(facts: dict[str, Any], *, can_fetch: bool) -> None:
    entries = [entry for entry in facts["catalogue"] if not entry["installed"]]
    if not entries:
        return
    st.html(f'<h2 class="hl-head">{t("Qwen2, not installed")}</h2>')
    for number, entry in enumerate(entries):
        with st.container(border=True):
            with st.container(horizontal=True, vertical_alignment="center"):
                st.html(models_view.entry_html(entry))
                if entry["tag"]:
                    st.button(
                        t("Fetch"),
                        key=f"pull-{number}",
                        icon=":material/download:",
                        on_click=_pull,
                        args=(str(entry["tag"]),),
                        disabled=not can_fetch,
                    )
            with st.expander(t("Memory by window")):
                st.html(models_view.memory_html(entry["memory"], str(entry["name"])))

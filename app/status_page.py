"""The status page: services, connections, versions, disk, runs, speeds."""

from __future__ import annotations

import os
import time

import streamlit as st

from app import rendering, resources, run_view, status_view
from app.connections import connections
from app.health import chroma_line, examine
from app.model_words import model_words, notice_words
from app.people import Role
from app.speeds import SpeedLog
from app.wording import retold, t
from app.work_style import work_style
from storage.errors import HayloftError
from storage.run_history import lately, run_at_work

RUNS_SHOWN = 10
RUNS_COUNTED = 60


def show() -> None:
    """Draw the page."""
    st.html(work_style(dark=st.context.theme.type == "dark"))
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        st.html(f'<h1 class="hl-title">{t("Status")}</h1><div class="hl-small">{_clock()}</div>')
        st.button(
            t("Look again"), key="look-status", icon=":material/refresh:", on_click=_look_again
        )
    # One part that cannot be told leaves the others.
    for part in (_services, _connections, _checks, _runs, _speeds, _disk, _versions, _settings):
        try:
            part()
        except HayloftError as error:
            st.html(rendering.notice_html("error", t("This cannot be told now"), str(error)))


def _clock() -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S")


def _look_again() -> None:
    resources.look_at_models_again()
    resources.disk.clear()
    resources.look_for_model_again()
    st.session_state.pop("checks", None)


def _services() -> None:
    storage = resources.storage_settings()
    ollama = resources.models()["ollama"]
    found = resources.model_at_hand()
    answers = model_words(found)
    if found.window:
        answers += t(", window {n} tokens", n=f"{found.window:,}")
    if found.fault is not None or found.notice:
        why = retold(str(found.fault)) if found.fault is not None else notice_words(found.notice)
        answers = t("{model}. {notice}", model=answers, notice=why)
    facts = {
        t("Answers"): answers,
        "Ollama": t(
            "version {version} at {url}",
            version=ollama["version"] or t("unknown"),
            url=ollama["url"],
        )
        if ollama["reachable"]
        else str(ollama["fault"]),
        "Chroma": chroma_line(storage),
        t("Ingestion"): t("at work") if run_at_work(storage.data_dir) else t("not at work"),
    }
    counts = resources.counts()
    identity = resources.library().catalog.identity()
    facts |= {
        t("Library"): t(
            "{folder}: {documents}, {pages}, {chunks}",
            folder=storage.data_dir,
            documents=rendering.count_of(counts.documents, "document"),
            pages=rendering.count_of(counts.pages, "page"),
            chunks=rendering.count_of(counts.chunks, "chunk"),
        ),
        t("Embedding model"): t(
            "{name}, {n} dimensions", name=identity.embedder, n=identity.dimension
        )
        if identity
        else t("none used yet"),
    }
    st.html(status_view.facts_html(facts))


def _connections() -> None:
    found = connections(
        resources.storage_settings(),
        resources.app_settings(),
        on_failure=status_view.IngestGiven().on_failure,
        usage_statistics=bool(st.get_option("browser.gatherUsageStats")),
        environ=os.environ,
        auth=resources.auth_settings(),
    )
    st.html(status_view.connections_html(found))


def _checks() -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button(t("Check everything"), key="check", icon=":material/health_and_safety:"):
            with st.spinner(t("Looking at everything an answer depends on")):
                st.session_state["checks"] = status_view.checks_html(
                    list(examine(resources.library(), resources.app_settings()))
                )
        same = rendering.sentence_html(t("The same as `hayloft doctor`"))
        st.html(f'<div class="hl-small">{same}</div>')
    if checked := st.session_state.get("checks"):
        st.html(checked)


def _runs() -> None:
    runs = lately(resources.library().catalog, limit=RUNS_COUNTED)
    if runs:
        st.html(f'<h2 class="hl-head">{t("Last runs")}</h2>')
        st.html(run_view.history_html(runs[:RUNS_SHOWN]))


def _speeds() -> None:
    known = SpeedLog(resources.storage_settings().data_dir).known()
    names = status_view.model_names(resources.models())
    head = f'<h2 class="hl-head">{t("Speeds measured here")}</h2>'
    st.html(head + status_view.speeds_html(known, names))
    speed = status_view.ingest_speed(resources.library().catalog.runs(limit=RUNS_COUNTED))
    if speed:
        st.html(status_view.facts_html({t("Ingestion"): speed}))


def _disk() -> None:
    st.html(f'<h2 class="hl-head">{t("Disk")}</h2>' + status_view.disk_html(resources.disk()))


def _versions() -> None:
    with st.expander(t("Versions")):
        st.html(status_view.facts_html(resources.versions()))


def _settings() -> None:
    """Where the settings are told, for whom they are."""
    if resources.who().may(Role.ADMIN):
        words = rendering.text_html(t("Settings in effect"))
        st.html(f'<a class="hl-act" href="./settings" target="_self">{words}</a>')

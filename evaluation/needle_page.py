"""The needle page: runs, maps, the answers and the very prompt of any cell, and a run at work.

The app may not import the harness, so its navigation names this file by its
path; what runs is then this file as a script. What is shown is made by the
`evaluation.niah.page_*` modules, which escape all that comes from elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import streamlit as st

from app import rendering, resources
from app.page_style import style_sheet
from app.wording import t
from evaluation.needle_html_page import html
from evaluation.needle_run_page import show_run
from evaluation.needle_start_page import at_work, show_start, show_trusted
from evaluation.niah import page_map, page_runs, run_list
from evaluation.niah.run_list import RunEntry
from storage.errors import HayloftError

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


def show() -> None:
    """Draw the page."""
    css = Path(page_map.__file__).with_name("page.css").read_text(encoding="utf-8")
    html(style_sheet(dark=st.context.theme.type == "dark") + f"<style>{css}</style>")
    try:
        _draw()
    except HayloftError as error:
        html(rendering.notice_html("error", t("The page cannot go on"), str(error)))
        st.button(t("Try again"), icon=":material/refresh:", key="niah-again")


def _draw() -> None:
    data_dir = resources.storage_settings().data_dir
    lead = t(
        "How much of its window does the model read? Sentences are hidden in long texts and asked "
        "for, at every length and depth."
    )
    html(f'<h1 class="nd-title">{t("Needle in a haystack")}</h1><p class="nd-lead">{lead}</p>')
    _watch_clicks()
    entries = run_list.list_runs(data_dir)
    trusted = show_trusted()
    at_work(data_dir)
    show_start(data_dir, entries)
    if not entries:
        if st.session_state.get("niah-at-work"):
            return
        html(
            rendering.notice_html(
                "info", t("There is no run yet"), t("Start one above, or in a terminal:"),
                "hayloft eval niah run",
            )
        )  # fmt: skip
        return
    chosen = _chosen(entries)
    counting = trusted.run if trusted is not None and trusted.measured else ""
    html(page_runs.runs_html(entries, chosen.name, counting))
    show_run(chosen, entries, trusted)


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


if __name__ == "__main__":
    # As a script this is another module each time. What it keeps between two runs
    # (components, caches) belongs to the module that is imported once.
    from evaluation import needle_page

    needle_page.show()

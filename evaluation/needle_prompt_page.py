"""The very prompt of a row of the needle page, its needles marked, in a dialog."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from app import rendering, resources
from app.wording import t
from evaluation.needle_downloads_page import plain_name
from evaluation.needle_html_page import html
from evaluation.niah import page_answers, page_words, run_list
from evaluation.niah.prompt_parts import parts
from evaluation.niah.records import Row
from evaluation.niah.run_list import RunEntry, Stamp
from evaluation.niah.show import Shown, rebuilt
from storage.errors import HayloftError


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


def show_prompt(entry: RunEntry, rows: Sequence[Row]) -> None:
    """The prompt of the row that was chosen; nothing where none was."""
    key = st.session_state.get("niah-row")
    row = next((one for one in rows if one.key == key), None)
    if row is None:
        return
    title = rendering.label(
        t("{arm}, {task}, trial {n}", arm=row.arm, task=row.task.replace("_", " "), n=row.trial)
    )
    st.dialog(title, width="large", on_dismiss=_close_prompt)(_prompt)(entry, row)


def _prompt(entry: RunEntry, row: Row) -> None:
    html(f'<dl class="nd-dl">{page_words.facts_list(page_answers.row_facts(row, 20_000))}</dl>')
    with st.spinner(t("Rebuilding the prompt…")):
        shown = _rebuilt(str(entry.folder), run_list.stamp_of(entry.folder), row.key, row)
    if isinstance(shown, str):
        html(rendering.notice_html("warn", t("The prompt cannot be shown"), shown))
        return
    if not shown.messages and not shown.document:
        html(rendering.notice_html("info", t("Nothing was sent"), row.error))
        return
    html(page_answers.proof_html(shown))
    whole = st.toggle(t("All of it"), key=f"niah-whole-{row.key}")
    texts: list[tuple[str, str]] = [(one.role, one.content) for one in shown.messages]
    if shown.document:
        texts.append((t("the document, as it was ingested"), shown.document))
    for role, content in texts:
        html(
            page_answers.prompt_html(
                role, parts(content, row.needles, row.distractors, whole=whole)
            )
        )
    st.download_button(
        t("Prompt as text"),
        "\n\n".join(f"--- {role}\n{content}" for role, content in texts).encode("utf-8", "replace"),
        file_name=f"{plain_name(entry.name)}-{plain_name(row.key[:12])}.txt",
        mime="text/plain",
        on_click="ignore",
        icon=":material/download:",
        key=f"niah-prompt-{row.key}",
    )

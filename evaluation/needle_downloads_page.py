"""The reports of a run as downloads of the needle page, made when they are asked for."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from pathlib import Path

import streamlit as st

from app.wording import ENGLISH, speaking, t
from evaluation.niah import page_words, report_html, report_tables
from evaluation.niah.run_folder import CONFIG, ScoredRun
from evaluation.niah.run_list import RunEntry
from evaluation.niah.summary import Panel, Summary


def show_downloads(
    entry: RunEntry, run: ScoredRun, summary: Summary, panel: Panel, palette: str
) -> None:
    """Report, map, tables and configuration."""
    name = plain_name(entry.name)

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
            panel, path, title=f"{summary.model or 'no model'}: {page_words.panel_name(panel)}",
            subtitle=report_tables.effective_sentence(panel), window=summary.window,
            palette=palette,
        )  # fmt: skip
        return path.read_bytes()


def plain_name(name: str) -> str:
    """A name that any file system takes."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", name)[:80]

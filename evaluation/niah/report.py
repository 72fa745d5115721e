"""All reports of a run, written into its folder: HTML, PNG, CSV, JSON, and the calibration."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from app.calibration import Calibration
from evaluation.files import in_place
from evaluation.niah import calibration, report_tables
from evaluation.niah.heatmap import draw_map
from evaluation.niah.report_html import page
from evaluation.niah.run_folder import ScoredRun
from evaluation.niah.stages_figure import draw_stages
from evaluation.niah.summary import Panel, Summary, summarise

_ARMS = {"long": "long prompt", "rag": "through the product"}


@dataclass(frozen=True, slots=True)
class Written:
    """What was made of a run."""

    summary: Summary
    files: tuple[Path, ...]
    calibration: Calibration | None


def write_reports(run: ScoredRun, *, palette: str = "classic", pictures: bool = True) -> Written:
    """Make every report of a run anew. Raises StorageError where its folder takes none."""
    summary = summarise(run.rows, run.planned)
    texts = {
        "report.html": page(summary, run.rows, run.name, run.made_at),
        "report.json": json.dumps(
            report_tables.to_json(summary, run.name, run.made_at), ensure_ascii=False, indent=2
        )
        + "\n",
        "cells.csv": report_tables.cells_csv(summary),
        "rows.csv": report_tables.rows_csv(run.rows),
    }
    files = [_put(run.folder / name, text) for name, text in texts.items()]
    if pictures:
        for panel in summary.panels:
            files += _pictures(panel, summary, run, palette)
    record = calibration.calibrate(run.rows, run.name, run.made_at)
    if record is not None:
        files.append(calibration.write(record, run.folder))
    return Written(summary, tuple(files), record)


def _pictures(panel: Panel, summary: Summary, run: ScoredRun, palette: str) -> list[Path]:
    task = panel.task.replace("_", " ") or "all tasks"
    title = f"{summary.model or 'no model'}: {_ARMS[panel.arm]}, {task}"
    told = report_tables.effective_sentence(panel)
    name = f"{panel.arm}-{panel.task}" if panel.task else panel.arm
    name = re.sub(r"[^a-z_-]", "", name)
    heatmap, stages = run.folder / f"heatmap-{name}.png", run.folder / f"stages-{name}.png"
    draw_map(panel, heatmap, title=title, subtitle=told, window=summary.window, palette=palette)
    draw_stages(panel, stages, title=f"{title}: where needles are lost", subtitle=run.name)
    return [heatmap, stages]


def _put(path: Path, text: str) -> Path:
    with in_place(path) as part:
        # An answer may hold half of a surrogate pair.
        part.write_bytes(text.encode("utf-8", "replace"))
    return path

"""The last run and the size of the library as Prometheus reads them (text format 0.0.4)."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from storage.catalog import Catalog
from storage.records import RunSummary
from storage.run_history import lately

FILE = Path("metrics") / "hayloft.prom"
"""Below the data directory; for node_exporter's textfile collector."""

_ACTIONS = ("added", "updated", "moved", "unchanged", "deleted", "failed", "waiting")
OUTCOMES = (
    "complete",
    "failed-files",
    "source-missing",
    "brake",
    "interrupted",
    "killed",
    "error",
    "running",
)


def metrics_text(catalog: Catalog) -> str:
    """All metrics of a library; those of runs are left out before the first one."""
    counts = catalog.counts()
    lines = [
        *_gauge("documents", "Documents that can be found.", counts.documents),
        *_gauge("pages", "Pages of these documents.", counts.pages),
        *_gauge("chunks", "Chunks of these documents.", counts.chunks),
        *_gauge("files_set_aside", "Files that cannot be read now.", counts.failures),
    ]
    if counts.last_ingested_at is not None:
        lines += _gauge(
            "last_success_timestamp_seconds",
            "End of the last run that looked at all files.",
            counts.last_ingested_at,
        )
    run = next(iter(lately(catalog, limit=1)), None)
    if run is not None:
        lines += _of_run(run)
    return "\n".join(lines) + "\n"


def write_metrics(data_dir: Path, text: str) -> Path:
    """Write the metrics where a collector finds them, whole or not at all; raises OSError."""
    path = data_dir / FILE
    path.parent.mkdir(exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        draft.write_text(text, encoding="utf-8")
        draft.chmod(0o644)  # the collector is another user
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    return path


def _of_run(run: RunSummary) -> list[str]:
    lines = [
        *_gauge(
            "last_run_outcome",
            "1 for the outcome of the last run.",
            {("outcome", name): int(run.outcome == name) for name in OUTCOMES},
        ),
        *_gauge("last_run_start_timestamp_seconds", "Start of the last run.", run.started_at),
        *_gauge(
            "last_run_files",
            "Files of the last run by what was done with them.",
            {("action", name): getattr(run, name) for name in _ACTIONS},
        ),
        *_gauge("last_run_pages", "Pages that the last run read.", run.pages),
        *_gauge("last_run_chunks", "Chunks that the last run wrote.", run.chunks),
        *_gauge("last_run_chunks_embedded", "Of these: embedded anew.", run.embedded),
    ]
    if run.finished_at is not None:
        lines += _gauge("last_run_end_timestamp_seconds", "End of the last run.", run.finished_at)
    if run.seconds is not None:
        lines += _gauge("last_run_duration_seconds", "Duration of the last run.", run.seconds)
    if run.reasons:
        lines += _gauge(
            "last_run_failures",
            "Files that the last run set aside, by kind.",
            {("kind", kind): count for kind, count in sorted(run.reasons.items())},
        )
    return lines


def _gauge(
    name: str, meaning: str, value: float | Mapping[tuple[str, str], float]
) -> Iterable[str]:
    full = f"hayloft_{name}"
    yield f"# HELP {full} {meaning}"
    yield f"# TYPE {full} gauge"
    if not isinstance(value, Mapping):
        yield f"{full} {_number(value)}"
        return
    for (label, which), number in value.items():
        yield f'{full}{{{label}="{_escaped(which)}"}} {_number(number)}'


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.3f}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")

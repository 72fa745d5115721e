"""Metrics that Prometheus can read, written whole or not at all."""

from __future__ import annotations

import re

import pytest

from storage.catalog import Catalog
from storage.metrics import metrics_text, write_metrics
from storage.run_history import RunHistory

LINE = re.compile(r'[a-z_]+(\{[a-z_]+="(\\.|[^"\\])*"\})? -?\d+(\.\d+)?')


def values(text: str) -> dict[str, float]:
    found = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            assert LINE.fullmatch(line), line
            name, _, number = line.rpartition(" ")
            found[name] = float(number)
    return found


@pytest.fixture
def catalog(tmp_path):
    """An empty catalog."""
    return Catalog(tmp_path / "catalog.db")


def test_the_last_run_is_told(catalog):
    """Outcome, counts, duration and kinds of failure, each with its type."""
    history = RunHistory(catalog.database)
    run_id = history.begin()
    counts = dict.fromkeys(
        "added updated unchanged deleted failed pages chunks moved embedded waiting".split(), 0
    )
    counts |= {"added": 3, "failed": 2}
    history.end(run_id, "failed-files", counts, seconds=1.5, reasons={"damaged": 2})

    text = metrics_text(catalog)

    found = values(text)
    assert found['hayloft_last_run_outcome{outcome="failed-files"}'] == 1
    assert found['hayloft_last_run_outcome{outcome="complete"}'] == 0
    assert found['hayloft_last_run_files{action="added"}'] == 3
    assert found['hayloft_last_run_failures{kind="damaged"}'] == 2
    assert found["hayloft_last_run_duration_seconds"] == 1.5
    assert found["hayloft_documents"] == 0
    names = {name.partition("{")[0] for name in found}
    assert all(f"# TYPE {name} gauge" in text for name in names)


def test_before_the_first_run_there_is_only_the_library(catalog):
    """No run, no numbers of one."""
    assert not any("last_run" in name for name in values(metrics_text(catalog)))


def test_the_file_is_replaced_and_nothing_is_left_beside_it(tmp_path):
    """A collector never sees half of it, nor a draft."""
    write_metrics(tmp_path, "old 1\n")

    path = write_metrics(tmp_path, "new 2\n")

    assert path.read_text() == "new 2\n"
    assert [p.name for p in path.parent.iterdir()] == ["hayloft.prom"]

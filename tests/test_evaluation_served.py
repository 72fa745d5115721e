"""The model under a run's name is another by now: no answer of it counts as the run's."""

from __future__ import annotations

import dataclasses
import json
import threading
from collections import Counter
from pathlib import Path

import pytest

from app.ollama_chat import OllamaChat
from app.settings import AppSettings
from evaluation.niah.rows import read_rows
from evaluation.served import Served, served_by, served_now
from tests.niah_fixtures import FakeModel
from tests.ollama_double import QWEN2, QWEN2_128K, OllamaDouble
from tests.test_evaluation_niah_runner import GRID, command, double

__all__ = ["double"]


def runs(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "data" / "evaluations" / "niah").iterdir())


def statuses(folder: Path) -> Counter[str]:
    return Counter(row.status for row in read_rows(folder / "rows.jsonl"))


def test_a_model_made_anew_in_mid_run_ends_the_run(
    tmp_path: Path, double: OllamaDouble, capsys: pytest.CaptureFixture[str]
) -> None:
    """`ollama pull` brings other weights: their first answer is an error, no miss and no hit, and
    the same command measures them in a run of their own."""
    before = double.models[0].digest

    def pull(request: object) -> None:
        if len(double.chats()) == 12:
            double.models = [dataclasses.replace(one, revision="2") for one in double.models]

    double.on_end = pull
    assert command("run", *GRID, "--json") == 1

    told = json.loads(capsys.readouterr().out)
    (folder,) = runs(tmp_path)
    rows = read_rows(folder / "rows.jsonl")
    assert told["replaced"] and not told["complete"] and len(double.chats()) == 12
    assert {row.digest for row in rows} == {before}
    assert statuses(folder) == {"ok": 9, "error": 1}
    assert "another version of the model" in rows[-1].error and rows[-1].score is None

    assert command("run", *GRID) == 0
    (other,) = set(runs(tmp_path)) - {folder}
    assert statuses(other) == {"ok": 20}
    assert {row.digest for row in read_rows(other / "rows.jsonl")} == {double.models[0].digest}


def test_a_server_started_again_with_a_smaller_window_gives_errors_not_misses(
    tmp_path: Path, double: OllamaDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither what it answers nor what it refuses counts; started as before, the run goes on."""
    monkeypatch.setattr("evaluation.niah.runner._PAUSE_S", 0.5)

    def restart(request: object) -> None:
        if len(double.chats()) == 12:
            double.on_end = None
            double.stop()
            double.serves_at_most = 3000
            threading.Timer(0.2, double.start).start()

    double.on_end = restart
    assert command("run", *GRID) == 1
    (folder,) = runs(tmp_path)
    found = statuses(folder)
    assert set(found) == {"ok", "error"} and found["error"] == 5
    last = read_rows(folder / "rows.jsonl")[-1]
    assert "another window (32,768, now 3,000)" in last.error and last.score is None

    double.stop()
    double.serves_at_most = None
    double.start()
    assert command("run", *GRID) == 0
    assert runs(tmp_path) == [folder] and statuses(folder) == {"ok": 20}


def test_the_trained_window_is_that_before_stretching() -> None:
    """A file that YaRN makes four times as long says 131,072; it was trained on 32,768."""
    with OllamaDouble(models=[QWEN2, QWEN2_128K]) as running:
        settings = AppSettings(window=131072, ollama_url=running.url)
        told = {one.name: served_by(OllamaChat(one.name, settings)) for one in running.models}

    assert {name: one.trained_window for name, one in told.items()} == {
        "qwen2:7b": 32768,
        "qwen2:7b-128k": 32768,
    }
    assert told["qwen2:7b-128k"].window == 131072


def test_the_command_of_a_named_run_is_told_to_leave_its_name_out(
    tmp_path: Path, double: OllamaDouble, capsys: pytest.CaptureFixture[str]
) -> None:
    """With it, the same command would be refused."""

    def pull(request: object) -> None:
        if len(double.chats()) == 12:
            double.models = [dataclasses.replace(one, revision="2") for one in double.models]

    double.on_end = pull
    assert command("run", *GRID, "--run", "mine") == 1
    assert "The same command without --run begins a new run." in capsys.readouterr().out
    assert command("run", *GRID, "--run", "mine") == 2


def test_a_server_that_tells_no_digest_is_believed() -> None:
    """Only what is known to be another is another."""
    model = FakeModel(window=4096)
    served = Served("fake qwen2", 4096, digest="d1", server_version="1")

    assert served_now(model, served) == served
    assert served_now(FakeModel(window=2048), served).window == 2048

"""A run: honest rows, resumed as if nothing had happened, over the protocol of a real server."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

import pytest

import hayloft
from app.chat import BadReply, Message, ModelUnreachable, PromptTooLong, PromptTruncated, Usage
from evaluation.niah.config import Budget, Config, quick, read_config
from evaluation.niah.fitting import fitting, left_out, smaller_grids
from evaluation.niah.probe import Speed, speed_of
from evaluation.niah.records import Row
from evaluation.niah.rows import read_rows
from evaluation.niah.run_files import note, read_plan
from evaluation.niah.run_progress import Outcome, Progress
from evaluation.niah.runner import open_run, plan, steps_of
from evaluation.niah.show import find_row, show
from storage.errors import LockHeld, StorageError, UsageError
from storage.locks import FileLock
from tests.library_fixtures import wait_until
from tests.niah_fixtures import (
    FakeModel,
    bench,
    found_number,
    qwen2_counter,
    rows_of,
    small_counter,
)
from tests.ollama_double import QWEN2, Fault, OllamaDouble
from tests.vocabularies import SMALL, needs_vocabulary

SMALL_GRID = Config(
    lengths=(2000, 3000),
    depths=(0.0, 0.5, 1.0),
    trials=2,
    arms=("closed", "oracle", "long"),
    oracle_length=1500,
)
ROOT = Path(__file__).resolve().parent.parent


def run(
    folder: Path, config: Config = SMALL_GRID, model: FakeModel | None = None, **values: object
) -> tuple[Outcome, list[Row]]:
    ready = bench(config, model)
    steps = steps_of(ready)
    told: list[Progress] = []
    made = open_run(folder, ready, steps, Speed(1e-6), plan(ready, steps, Speed(1e-6)))
    outcome = made.go(None, told.append)
    assert [progress.done for progress in told] == sorted(progress.done for progress in told)
    return outcome, read_rows(folder / "rows.jsonl")


def test_a_perfect_reader_is_right_everywhere(tmp_path: Path) -> None:
    """And every long row tells what was sent, where the needle stood and what came back."""
    outcome, rows = run(tmp_path / "r")

    assert outcome.complete and outcome.statuses == {"ok": len(rows)}
    assert {row.score for row in rows if row.arm != "closed"} == {1.0}
    for row in rows:
        assert row.prompt_tokens == row.server_prompt_tokens
        assert row.prompt_tokens + 64 <= (row.length or 10_000)
        if row.arm == "long":
            assert row.length - 64 - row.prompt_tokens < 250
            assert abs(row.depth_actual - row.depth_target) < 0.12
            assert row.needles[0].char_end - row.needles[0].char_start == len(row.needles[0].text)


def test_the_prompt_of_a_row_can_be_shown(tmp_path: Path) -> None:
    """Rebuilt from the folder alone, and proved by its digest."""
    model = FakeModel()
    _, rows = run(tmp_path / "r", model=model)

    for number, (row, sent) in enumerate(zip(rows, model.prompts, strict=True), start=1):
        shown = show(tmp_path / "r", find_row(tmp_path / "r", row.key[:20]), small_counter())
        assert shown.proved and shown.messages == sent
        assert find_row(tmp_path / "r", str(number)) == row


def test_a_prompt_that_counts_differently_is_not_shown(tmp_path: Path) -> None:
    """Another vocabulary would give another prompt: an error, not a wrong picture."""
    from app.tokens import EstimatingCounter

    _, rows = run(tmp_path / "r")

    with pytest.raises(UsageError, match="HAYLOFT_TOKENIZER"):
        show(tmp_path / "r", rows[-1], EstimatingCounter())


def test_lengths_beyond_the_window_are_not_sent(tmp_path: Path) -> None:
    """They are clamped rows: no hit, no miss, no prompt."""
    model = FakeModel(window=2500)

    outcome, rows = run(tmp_path / "r", model=model)

    clamped = [row for row in rows if row.length == 3000]
    assert len(clamped) == 6 and {row.status for row in clamped} == {"window_clamped"}
    assert {row.score for row in clamped} == {None} and outcome.complete
    assert len(model.prompts) == len(rows) - 6


class Faulty(FakeModel):
    """Fails in one way on every call whose number is in `when`."""

    def __init__(self, fault: Exception, when: Sequence[int]) -> None:
        super().__init__()
        self.fault, self.when, self.calls = fault, when, 0

    def stream(self, messages: Sequence[Message], *, reserve: int) -> Iterator[str | Usage]:
        self.calls += 1
        if self.calls in self.when:
            raise self.fault
        yield from super().stream(messages, reserve=reserve)


def test_errors_are_tried_again_and_never_scored(tmp_path: Path) -> None:
    """The second run asks only what failed; then nothing tells it from an undisturbed one."""
    clean, _ = run(tmp_path / "clean")
    faulty = Faulty(BadReply("half a stream"), range(5, 100, 5))

    outcome, rows = run(tmp_path / "r", model=faulty)
    errors = [row for row in rows if row.status == "error"]

    assert errors and not outcome.complete and {row.score for row in errors} == {None}
    again, _ = run(tmp_path / "r")
    assert again.rows == len(errors) and again.statuses == clean.statuses

    def by_key(row: dict) -> str:
        return row["key"]

    assert sorted(rows_of(tmp_path / "r"), key=by_key) == sorted(
        rows_of(tmp_path / "clean"), key=by_key
    )


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (PromptTruncated("read 10 of 20"), "invalid_truncated"),
        (PromptTooLong("does not fit"), "window_clamped"),
        (BadReply("no protocol"), "error"),
    ],
)
def test_faults_of_the_server_are_no_misses(tmp_path: Path, fault: Exception, status: str) -> None:
    """Each keeps its own name and its sentence."""
    _, rows = run(tmp_path / "r", model=Faulty(fault, [4]))

    found = next(row for row in rows if row.status != "ok")
    assert (found.status, found.error, found.score) == (status, str(fault), None)


class Miscounting(FakeModel):
    """Its server tells another number of tokens than were sent."""

    def stream(self, messages: Sequence[Message], *, reserve: int) -> Iterator[str | Usage]:
        yield "12"
        yield Usage(prompt_tokens=self.count(messages).tokens + (50 if len(self.prompts) else 0))
        self.prompts.append(tuple(messages))


def test_any_count_that_differs_is_invalid(tmp_path: Path) -> None:
    """More tokens than were sent, too: what was read is then not what was asked."""
    _, rows = run(tmp_path / "r", model=Miscounting())

    assert [row.status for row in rows][:3] == ["ok", "invalid_truncated", "invalid_truncated"]
    assert "counts" in rows[1].error and rows[1].score is None


def test_a_server_that_has_gone_ends_the_run(tmp_path: Path, monkeypatch) -> None:
    """After three attempts in a row; what was answered is kept."""
    monkeypatch.setattr("evaluation.niah.runner._PAUSE_S", 0.0)

    with pytest.raises(ModelUnreachable):
        run(tmp_path / "r", model=Faulty(ModelUnreachable("gone"), range(5, 100)))

    rows = read_rows(tmp_path / "r" / "rows.jsonl")
    assert [row.status for row in rows] == ["ok"] * 4 + ["error"] * 3


def test_a_budget_leaves_a_whole_map(tmp_path: Path) -> None:
    """Breadth first: the first repetition is complete; what is left says so and is done later."""
    ready = bench(SMALL_GRID)
    half = sum(step.tokens for step in steps_of(ready)) // 2 + 200
    config = dataclasses.replace(SMALL_GRID, budget=Budget(prompt_tokens=half))

    outcome, rows = run(tmp_path / "r", config)

    assert "prompt tokens" in outcome.stopped and outcome.statuses["skipped_budget"]
    assert {row.status for row in rows if row.trial == 0} == {"ok"}
    again, rows = run(tmp_path / "r")
    assert again.complete and {row.status for row in rows} == {"ok"}


def test_a_run_goes_on_only_with_its_own_configuration_and_model(tmp_path: Path) -> None:
    """Rows of two models in one file would speak for neither."""
    run(tmp_path / "r")

    with pytest.raises(UsageError, match="another configuration"):
        run(tmp_path / "r", dataclasses.replace(SMALL_GRID, seed=1))
    with pytest.raises(UsageError, match="another window"):
        run(tmp_path / "r", model=FakeModel(window=9000))


def test_two_processes_never_write_one_run(tmp_path: Path) -> None:
    """The second is told so."""
    run(tmp_path / "r")
    with FileLock(tmp_path / "r" / "run.lock") as lock:
        assert lock.acquire()

        with pytest.raises(LockHeld):
            run(tmp_path / "r")


def test_keys_hold_all_that_decides_an_answer(tmp_path: Path) -> None:
    """The haystack, the reserve, the model's digest and window, the decoding options."""
    ready = bench(SMALL_GRID)
    step = steps_of(ready)[-1]
    keys = {ready.key(step)}
    for served in (
        dataclasses.replace(ready.served, digest="d2"),
        dataclasses.replace(ready.served, window=9999),
        dataclasses.replace(ready.served, options={"temperature": 1.0}),
    ):
        other = bench(SMALL_GRID)
        other.served = served
        keys.add(other.key(steps_of(other)[-1]))
    for config in (
        dataclasses.replace(SMALL_GRID, reserve=65),
        dataclasses.replace(SMALL_GRID, seed=5),
    ):
        other = bench(config)
        keys.add(other.key(steps_of(other)[-1]))

    assert len(keys) == 6
    assert bench(SMALL_GRID).key(step) == ready.key(step)


def test_speed_is_a_curve_through_two_prompts() -> None:
    """Attention makes long prompts dearer a token; a cache pays for what it holds."""
    speed = speed_of([(500, 1.0), (2000, 5.0)], 0.02)

    assert speed.read(500) == pytest.approx(1.0) and speed.read(2000) == pytest.approx(5.0)
    assert speed.read(32000) > 80 and speed.read(2000, cached=500) == pytest.approx(4.0)
    assert speed_of([(500, 1.0), (2000, 2.0)], 0.02).read(4000) == pytest.approx(4.0)


# --- over a socket ------------------------------------------------------------------------------

MODEL = dataclasses.replace(
    QWEN2,
    vocabulary=list(SMALL.tokens),
    merges=list(SMALL.merges),
    token_types=list(SMALL.types),
)


def reply(messages: list[dict[str, str]], options: object) -> str:
    return found_number([Message("user", messages[-1]["content"])])


@pytest.fixture
def double(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_settings: None
) -> Iterator[OllamaDouble]:
    with OllamaDouble(models=[MODEL], tokenize=small_counter().ids, reply=reply) as running:
        monkeypatch.setenv("HAYLOFT_OLLAMA_URL", running.url)
        monkeypatch.setenv("HAYLOFT_DATA_DIR", str(tmp_path / "data"))
        yield running


def command(*words: str) -> int:
    return hayloft.main(["eval", "niah", *words])


def the_run(tmp_path: Path) -> Path:
    (folder,) = (tmp_path / "data" / "evaluations" / "niah").iterdir()
    return folder


GRID = ("--lengths", "2000,4000", "--depths", "3", "--trials", "2", "--arms", "closed,oracle,long")


def test_command_runs_and_tells(tmp_path: Path, double: OllamaDouble, capsys) -> None:
    """Prompts reach the server whole, with one window, and the plan's order shows in its cache."""
    assert command("run", *GRID) == 0

    told = capsys.readouterr()
    assert "window served 32,768" in told.err and "to compute" in told.err
    assert "left" in told.err and "20 ok" in told.out
    folder = the_run(tmp_path)
    assert read_plan(folder)["state"] == "complete"
    assert double.never_truncates() and double.same_window()
    rows = read_rows(folder / "rows.jsonl")
    assert all(row.prompt_tokens == row.server_prompt_tokens and row.exact for row in rows)
    assert all(row.digest and row.server_version == "0.33.0" for row in rows)
    # Behind the two of the probe; each prompt less what it shares with the one before it. (The
    # double, as llama-server does, also keeps earlier prompts, and computes still less.)
    sent = [len(one.sent_tokens) for one in double.chats()[2:]]
    computed = sum(sent) - sum(double.common_prefix_lengths()[1:])
    predicted = read_plan(folder)["tokens"]["computed"]
    assert len(sent) == 20 and abs(computed - predicted) <= 0.02 * predicted


def test_a_clamped_server_makes_64k_invalid_not_red(
    tmp_path: Path, double: OllamaDouble, monkeypatch
) -> None:
    """The window asked for is 128K; the model has 32,768 and the server says nothing."""
    monkeypatch.setenv("HAYLOFT_WINDOW", "131072")

    assert (
        command("run", "--lengths", "2K,64K", "--depths", "2", "--trials", "1", "--arms", "long")
        == 0
    )

    rows = read_rows(the_run(tmp_path) / "rows.jsonl")
    assert {(row.length, row.status) for row in rows} == {(2048, "ok"), (65536, "window_clamped")}
    assert all(row.score is None for row in rows if row.length == 65536)


def test_a_server_that_is_started_anew_costs_one_trial(
    tmp_path: Path, double: OllamaDouble, monkeypatch, capsys
) -> None:
    """It dies in mid-run, vocabulary and all; the next trials wait for it, and the same command
    asks what was lost."""
    monkeypatch.setattr("evaluation.niah.runner._PAUSE_S", 0.2)

    def restart(request: object) -> None:
        if len(double.chats()) == 12:
            double.on_end = None
            double.stop()
            threading.Timer(0.6, double.start).start()

    double.on_end = restart
    assert command("run", *GRID) == 1
    rows = read_rows(the_run(tmp_path) / "rows.jsonl")
    errors = [row for row in rows if row.status == "error"]
    assert 1 <= len(errors) <= 2 and len(rows) == 20 and {row.score for row in errors} == {None}

    assert command("run", *GRID) == 0
    rows = read_rows(the_run(tmp_path) / "rows.jsonl")
    assert len(rows) == 20 and {row.status for row in rows} == {"ok"}
    assert all(row.depth_actual is not None for row in rows if row.arm == "long")


def test_a_server_that_stays_away_ends_the_run_with_what_there_is(
    tmp_path: Path, double: OllamaDouble, monkeypatch
) -> None:
    """Exit 69; the answers are kept, the attempts are errors, and no figure counts them."""
    monkeypatch.setattr("evaluation.niah.runner._PAUSE_S", 0.01)
    double.on_end = lambda request: double.stop() if len(double.chats()) == 12 else None

    assert command("run", *GRID) == 69

    statuses = [row.status for row in read_rows(the_run(tmp_path) / "rows.jsonl")]
    assert statuses[-3:] == ["error"] * 3 and set(statuses[:-3]) == {"ok"}


@pytest.mark.parametrize("path", ["/api/tags", "/api/ps", "/api/chat"])
def test_a_moments_fault_of_a_proxy_costs_a_trial_and_not_the_run(
    tmp_path: Path, double: OllamaDouble, path: str, monkeypatch
) -> None:
    """Also where it hits the question who answers: of that answer nobody can tell whose it is."""
    monkeypatch.setattr("evaluation.niah.runner._PAUSE_S", 0.01)

    def fail(request: object) -> None:
        if len(double.chats()) == 8:
            double.on_end = None
            double.inject(Fault.HTML_502, paths=[path], count=2)

    double.on_end = fail
    assert command("run", *GRID) == 1
    rows = read_rows(the_run(tmp_path) / "rows.jsonl")
    assert len(rows) == 20 and 1 <= sum(row.status == "error" for row in rows) <= 2
    assert all(row.score is None for row in rows if row.status == "error")

    assert command("run", *GRID) == 0
    assert all(row.status == "ok" for row in read_rows(the_run(tmp_path) / "rows.jsonl"))


def test_a_disk_that_is_full_for_the_report_says_how_to_get_it(
    tmp_path: Path, double: OllamaDouble, monkeypatch, capsys
) -> None:
    """The answers are all there; the same command would measure everything anew."""

    def full(*args: object, **named: object) -> None:
        raise StorageError("report.html cannot be written: No space left on device.")

    monkeypatch.setattr("evaluation.niah.report.write_reports", full)
    grid = ("--lengths", "2K", "--depths", "1", "--trials", "1", "--arms", "oracle,long")
    assert command("run", *grid) == 74
    name = the_run(tmp_path).name

    assert f"`hayloft eval niah report {name}` makes the report" in capsys.readouterr().err


def test_a_run_that_is_named_goes_on_with_its_own_model(
    tmp_path: Path, double: OllamaDouble, monkeypatch, capsys
) -> None:
    """Whatever is set by now; and --new does not go on with it."""
    assert command("run", *GRID, "--model", "ollama:qwen2:7b", "--run", "r") == 0
    monkeypatch.setenv("HAYLOFT_MODEL", "ollama:another")

    assert command("run", "--run", "r") == 0
    assert command("run", "--run", "r", "--new") == 2
    assert "is there already" in capsys.readouterr().err


def test_the_newest_run_goes_on_whatever_others_are_called(
    tmp_path: Path, double: OllamaDouble
) -> None:
    """An older run of the same request, whose name sorts behind every date, is not in the way."""
    grid = (*GRID, "--haystack", "generated")
    assert command("run", *grid, "--run", "zz-before") == 0
    runs = tmp_path / "data" / "evaluations" / "niah"
    note(runs / "zz-before", {"made_at": "2020-01-01T00:00:00+00:00"})
    assert command("run", *grid, "--new") == 0
    (begun,) = [path for path in runs.iterdir() if path.name != "zz-before"]
    note(begun, {"state": "unfinished"})
    rows = (begun / "rows.jsonl").read_bytes()
    (begun / "rows.jsonl").write_bytes(b"".join(rows.splitlines(keepends=True)[:5]))

    assert command("run", *grid) == 0

    assert {path.name for path in runs.iterdir()} == {"zz-before", begun.name}
    assert len(read_rows(begun / "rows.jsonl")) == 20


def test_a_damaged_plan_of_another_run_stops_nothing(
    tmp_path: Path, double: OllamaDouble, capsys
) -> None:
    """It is passed over; gone on with by its name, it is told in a sentence."""
    grid = ("--lengths", "2K", "--depths", "1", "--trials", "1", "--arms", "oracle,long")
    assert command("run", *grid, "--run", "old") == 0
    plan_file = tmp_path / "data" / "evaluations" / "niah" / "old" / "plan.json"
    plan_file.write_text('{"served": "x", "asked": 3}')

    assert command("run", *grid) == 0
    assert command("run", "--run", "old") == 2
    assert "its plan.json cannot be read" in capsys.readouterr().err


def test_two_runs_of_one_second_have_two_folders(
    tmp_path: Path, double: OllamaDouble, monkeypatch
) -> None:
    """Both were told to begin anew by the same minute of a timer."""

    class Stopped(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:
            return datetime(2026, 1, 2, 3, 4, 5)

    monkeypatch.setattr("evaluation.niah.session.datetime", Stopped)
    grid = ("--depths", "1", "--trials", "1", "--arms", "oracle,long", "--new")

    assert command("run", *grid, "--lengths", "2K") == 0
    assert command("run", *grid, "--lengths", "3K") == 0

    runs = tmp_path / "data" / "evaluations" / "niah"
    names = sorted(path.name for path in runs.iterdir())
    assert names == ["20260102-030405-qwen2-7b", "20260102-030405-qwen2-7b-2"]
    assert [read_config(runs / name / "config.yaml").lengths for name in names] == [
        (2048,),
        (3072,),
    ]


def test_without_a_server_it_says_what_is_needed(tmp_path: Path, monkeypatch, capsys) -> None:
    """Exit 69, one sentence, nothing made."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HAYLOFT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("HAYLOFT_OLLAMA_URL", "http://127.0.0.1:9")
    monkeypatch.delenv("HAYLOFT_MODEL", raising=False)

    assert command("run") == 69

    assert "does not answer" in capsys.readouterr().err
    assert not (tmp_path / "data" / "evaluations").exists()


def test_alone_it_tells_the_time_of_the_whole_grid(double: OllamaDouble, capsys) -> None:
    """Beside the grid that fits some minutes."""
    assert command("plan", "--window", "4K", "--arms", "oracle,long") == 0

    told = capsys.readouterr().out
    assert "1K, 2K, 4K × 5 depths × 5 trials" in told
    assert "The full grid (1K to 128K, 11 depths, 10 trials; not sent beyond 4,096 tokens)" in told


def test_the_time_of_the_whole_grid_is_that_of_its_own_plan(double: OllamaDouble, capsys) -> None:
    """What is told beside the first look is what `--full` will then ask."""
    words = ("--window", "4K", "--arms", "oracle,rag", "--json")
    assert command("plan", *words) == 0
    beside = json.loads(capsys.readouterr().out)["full_seconds"]

    assert command("plan", "--full", *words) == 0
    told = json.loads(capsys.readouterr().out)

    assert told["seconds"] == pytest.approx(beside, rel=0.2)
    assert told["full_seconds"] is None


def test_the_kind_of_the_kv_cache_that_is_set_is_measured(
    double: OllamaDouble, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rows tell it, and a run that was begun with another one is not gone on with."""
    monkeypatch.setenv("HAYLOFT_KV_TYPE", "q8_0")
    assert command("run", *GRID, "--run", "one") == 0
    rows = read_rows(tmp_path / "data" / "evaluations" / "niah" / "one" / "rows.jsonl")
    monkeypatch.setenv("HAYLOFT_KV_TYPE", "q4_0")

    assert command("run", *GRID, "--run", "one") == 2
    assert {row.options["kv_type"] for row in rows} == {"q8_0"}


@pytest.mark.parametrize(
    ("tokens_a_second", "lengths", "trials", "depths"),
    [
        (100_000, (1024, 2048, 4096, 8192), 5, 5),
        (500, (1024, 2048, 4096, 8192), 5, 5),
        (300, (1024, 8192), 5, 5),
        (220, (1024, 2048, 4096), 5, 5),
        (170, (1024, 4096), 5, 5),
        (120, (1024, 2048), 5, 5),
        (65, (1024,), 5, 5),
        (30, (1024,), 4, 3),
        (0.1, (1024,), 1, 3),
    ],
)
def test_a_slow_model_gets_fewer_lengths_before_fewer_trials(
    tokens_a_second: float, lengths: tuple[int, ...], trials: int, depths: int
) -> None:
    """25 trials a length as long as there are two lengths: fewer could show nothing to hold."""
    config = Config(lengths=(1024, 2048, 4096, 8192), arms=("oracle", "long"), oracle_length=1024)
    speed = Speed(1 / tokens_a_second, per_answer_token=0.001)

    found = fitting(bench(config), speed)

    chosen = found.bench.config
    assert (chosen.lengths, chosen.trials, len(chosen.depths)) == (lengths, trials, depths)
    assert tokens_a_second < 1 or speed.seconds(found.steps) <= 600
    assert bool(found.left_out) == (tokens_a_second < 500)


def test_what_is_left_out_is_told_with_what_it_would_take() -> None:
    """Lengths and arms by name, and the minutes that all of it needs."""
    whole = quick(Config(), 32768)
    part = dataclasses.replace(whole, lengths=(4096, 32768), arms=("oracle", "long"), trials=3)

    assert left_out(whole, part) == (
        "lengths 1K, 2K, 8K, 16K",
        "the closed arm",
        "the rag arm",
        "2 of 5 trials",
    )
    assert left_out(whole, whole) == ()


def test_smaller_grids_reach_down_to_one_question() -> None:
    """Every part is smaller in cost, none is empty, and the last one is the least there can be."""
    grids = list(smaller_grids(quick(Config(), 32768)))

    assert grids[0] == quick(Config(), 32768)
    assert all(grid.lengths and grid.arms and grid.depths for grid in grids)
    assert grids[-1].lengths == (1024,)
    assert (grids[-1].trials, grids[-1].depths) == (1, (0.0, 0.5, 1.0))
    assert all(grid.trials == 5 for grid in grids if len(grid.lengths) > 1)


def test_killed_and_resumed_is_the_run_undisturbed(tmp_path: Path, double: OllamaDouble) -> None:
    """`kill -9` three times in mid-run: the same rows, byte for byte but for times."""
    double.prefill_tokens_per_s = 40_000.0
    assert command("run", *GRID, "--run", "calm") == 0
    words = [sys.executable, "-m", "hayloft", "eval", "niah", "run", *GRID, "--run", "killed"]
    home = tmp_path / "data" / "evaluations" / "niah"
    rows = home / "killed" / "rows.jsonl"

    for kills in (2, 6, 11):
        process = subprocess.Popen(
            words,
            cwd=ROOT,
            env=dict(os.environ),
            stderr=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        wait_until(
            lambda least=kills: rows.is_file() and rows.read_bytes().count(b"\n") >= least,
            timeout_s=60,
            what="rows",
        )
        time.sleep(0.01 * kills)
        process.send_signal(signal.SIGKILL)
        process.wait()
    with rows.open("ab") as file:
        file.write(b'{"key": "half a row')
    assert command("run", *GRID, "--run", "killed") == 0

    assert rows_of(home / "killed") == rows_of(home / "calm")
    assert rows.read_bytes().count(b"\n") == (home / "calm" / "rows.jsonl").read_bytes().count(
        b"\n"
    )


class Quiet(FakeModel):
    """Answers without reading: what is left is the harness."""

    def stream(self, messages: Sequence[Message], *, reserve: int) -> Iterator[str | Usage]:
        yield "The number is 12345."
        yield Usage(prompt_s=0.001, answer_s=0.001)


@needs_vocabulary
def test_a_trial_at_128k_costs_less_than_a_tenth_of_a_second(tmp_path: Path) -> None:
    """Of processor time, for building, counting, keeping and scoring; without the model."""
    config = Config(lengths=(131072,), trials=1, arms=("long",))
    model = Quiet(counter=qwen2_counter(), window=131072)
    ready = bench(config, model)
    started = time.process_time()

    steps = steps_of(ready)
    run_ = open_run(tmp_path / "r", ready, steps, Speed(0), plan(ready, steps, Speed(0)))
    outcome = run_.go(None)

    assert outcome.statuses == {"ok": 11}
    assert (time.process_time() - started) / 11 < 0.1

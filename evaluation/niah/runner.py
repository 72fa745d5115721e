"""A run: its folder, its plan, and the loop that asks one trial after another.

Every answer is on the disk before the next question is sent, so that a run
that is killed goes on where it stopped, with the rows that an undisturbed one
would have written.
"""

from __future__ import annotations

import gzip
import json
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from app.chat import ChatModelError, Message, ModelUnreachable, PromptTruncated
from evaluation.files import run_locked
from evaluation.niah.arms import Bench, Reply, answered, now, prompt_sha256, sha256
from evaluation.niah.order import Step, cost, in_order
from evaluation.niah.probe import Speed
from evaluation.niah.product import Product, Watched
from evaluation.niah.records import ARMS, FailureStage, Row, Status
from evaluation.niah.rows import DONE, ROWS, RowFile, read_rows
from evaluation.niah.run_files import CONFIG, PLAN, SENT, note, refuse_other, save_haystack, write
from evaluation.niah.run_progress import Outcome, Progress, TimeLeft
from evaluation.niah.trials import trials
from evaluation.served import other_server, served_now
from storage.errors import HayloftError, LockHeld, StorageError, UsageError

log = logging.getLogger(__name__)

_ERRORS_IN_A_ROW = 5
"""So many faults one after another are the server's, not a trial's: the run stops."""

_UNREACHABLE_IN_A_ROW = 3
_PAUSE_S, _PATIENCE = 2.0, 5
"""Before a server that was away is asked again, and how much longer the next time: it may have
been started anew."""

_CAUSES: Mapping[FailureStage, tuple[str, ...]] = {
    "RETRIEVE_RECALL": ("gold_first",),
    "RETRIEVE_RANK": ("gold_first", "double_budget"),
    "PACK_DROP": ("double_budget", "gold_first"),
    "PACK_CUT": ("double_budget", "gold_first"),
}
"""What is tried again when a stage has lost a needle."""


Tell = Callable[[Progress], None]


class Run:
    """One run's folder. `open_run` makes it."""

    def __init__(self, folder: Path, bench: Bench, steps: Sequence[Step], speed: Speed) -> None:
        self.folder = folder
        self.bench = bench
        self.steps = list(steps)
        self.speed = speed
        self._harness_s = 0.0
        self._replaced = False
        self._known: set[tuple[object, ...]] = set()
        self._oracle: dict[tuple[object, ...], bool] = {}

    def go(self, product: Product | None, tell: Tell = lambda progress: None) -> Outcome:
        """Ask what is not asked yet. Raises ModelUnreachable where the server has gone.

        Raises LockHeld where another process is at this run.
        """
        held = f"Another process is at the run in {self.folder}. Wait for it."
        with run_locked(self.folder, held), RowFile(self.folder / ROWS) as file:
            return self._go(file, product, tell)

    def _go(self, file: RowFile, product: Product | None, tell: Tell) -> Outcome:
        outcome = Outcome()
        started = time.monotonic()
        extra = {"product": product.fingerprint()} if product is not None else {}
        keys = [
            self.bench.key(step, extra if step.trial.arm == "rag" else None) for step in self.steps
        ]
        rows = {row.key: row for row in read_rows(self.folder / ROWS)}
        there = {key: rows[key] for key in keys if key in rows}
        for row in there.values():
            self._remember(row)
        todo = [
            (step, key)
            for step, key in zip(self.steps, keys, strict=True)
            if key not in there or there[key].status not in DONE
        ]
        outcome.kept = len(self.steps) - len(todo)
        left = TimeLeft(self.speed, [step for step, _ in todo])
        spent = sum(row.prompt_tokens or 0 for row in there.values() if row.status == "ok")
        errors = gone = 0
        for number, (step, key) in enumerate(todo):
            outcome.stopped = self._over_budget(started, spent + step.tokens)
            if outcome.stopped:
                self._skip(file, todo[number:], outcome.stopped)
                outcome.rows += len(todo) - number
                break
            began = time.monotonic()
            try:
                row, gone = self._one(step, key, product), 0
            except ModelUnreachable as exc:
                row, gone = self._failed(step, key, exc), gone + 1
                if gone == _UNREACHABLE_IN_A_ROW:
                    file.append(row)
                    raise
                time.sleep(_PAUSE_S * _PATIENCE ** (gone - 1))
            file.append(row)
            outcome.rows += 1
            spent += row.prompt_tokens or 0
            left.took(number, time.monotonic() - began)
            done = outcome.kept + outcome.rows
            tell(Progress(done, len(self.steps), left.seconds, row))
            errors = errors + 1 if row.status == "error" else 0
            if self._replaced:
                outcome.stopped, outcome.replaced = row.error, True
                break
            if errors == _ERRORS_IN_A_ROW:
                outcome.stopped = f"{errors} trials in a row failed. The last: {row.error}"
                break
        outcome.seconds = time.monotonic() - started
        outcome.harness_seconds = self._harness_s
        wanted = set(keys)
        for row in read_rows(self.folder / ROWS):
            if row.key in wanted:
                outcome.statuses[row.status] = outcome.statuses.get(row.status, 0) + 1
        note(self.folder, {"state": "complete" if outcome.complete else "unfinished"})
        return outcome

    def _over_budget(self, started: float, tokens: int) -> str:
        budget = self.bench.config.budget
        minutes = (time.monotonic() - started) / 60
        if budget.minutes is not None and minutes >= budget.minutes:
            return f"The budget of {budget.minutes:g} minutes is spent."
        if budget.prompt_tokens is not None and tokens > budget.prompt_tokens:
            return f"The budget of {budget.prompt_tokens:,} prompt tokens is spent."
        return ""

    def _skip(self, file: RowFile, todo: Iterable[tuple[Step, str]], why: str) -> None:
        for step, key in todo:
            row = replace(
                self.bench.blank(step, key), status="skipped_budget", error=why, finished_at=now()
            )
            file.append(row)

    def _failed(self, step: Step, key: str, exc: HayloftError) -> Row:
        try:
            row = self.bench.blank(step, key)
        except ModelUnreachable:
            # Its vocabulary has gone with the server: the row does not tell where needles stood.
            row = self.bench.blank(step, key, placed=False)
        return replace(row, status="error", error=str(exc), finished_at=now())

    def _one(self, step: Step, key: str, product: Product | None) -> Row:
        if step.clamped:
            return self.bench.clamped(step)
        began = time.perf_counter()
        asked_s = 0.0
        if step.trial.arm == "rag":
            if product is None:
                raise UsageError("The rag arm needs the product's library; leave it out of `arms`.")
            row, asked_s = self._product_row(step, key, product)
        else:
            row = self.bench.run(step, key)
            asked_s = row.seconds or 0.0
        row = self._judged(self._still_served(row), product)
        self._harness_s += time.perf_counter() - began - asked_s
        return row

    def _still_served(self, row: Row) -> Row:
        """The row, or an error where it is not the model of the run that has answered.

        A model can be made anew under its name, and its server started again
        with a smaller window, between any two questions.
        """
        served = self.bench.served
        try:
            now_served = served_now(self.bench.model, served)
        except ModelUnreachable:
            raise
        except ChatModelError as exc:
            # Whose answer it is cannot be told: one trial's fault, not the run's.
            return replace(row, status="error", error=str(exc))
        other = other_server(asdict(served), now_served)
        if other is None:
            return row
        # Another window may be somebody else's, and pass; another model stays.
        self._replaced = now_served.digest != served.digest
        why = f"The server has another {other} since the run began, so the answer does not count."
        return replace(row, status="error", error=why)

    def _judged(self, row: Row, product: Product | None) -> Row:
        """The row scored, and told where its needle was lost."""
        row = scored(row)
        row = replace(row, failure_stage=self._stage(row))
        causes = _CAUSES.get(row.failure_stage, ()) if row.failure_stage else ()
        if row.arm == "rag" and product is not None and self.bench.config.counterfactuals:
            found = {how: self._again(row, product, how) for how in causes}
            row = replace(row, counterfactuals=found)
        self._remember(row)
        return row

    def _again(self, row: Row, product: Product, how: str) -> dict[str, Any]:
        try:
            watched = product.again(row.question, row.needles, how=how)
        except ModelUnreachable:
            raise
        except HayloftError as exc:
            return {"error": str(exc)}
        again = scored(replace(row, answer=watched.answer))
        return {"answer": watched.answer, "score": again.score, "delivered": watched.delivered}

    def _product_row(self, step: Step, key: str, product: Product) -> tuple[Row, float]:
        """A row of the product's path, and the seconds that the product took."""
        bench = self.bench
        assert step.layout is not None  # a document of any length can be ingested
        text = step.layout.text()
        row = replace(bench.blank(step, key), haystack_sha256=sha256(text))
        row = replace(row, options={**row.options, "num_predict": product.reserve})
        planted = row.needles if step.trial.task != "absent" else ()
        began = time.perf_counter()
        watched: Watched | None = None
        fault: HayloftError | None = None
        try:
            product.put(text, planted)
            watched = product.ask(step.trial.question, planted)
        except (ModelUnreachable, StorageError, LockHeld):
            raise
        except HayloftError as exc:
            fault = exc
        seconds = time.perf_counter() - began
        if watched is None:
            # Its own sentence for people; the server's faults keep their meaning.
            status: Status = "invalid_truncated" if isinstance(fault, PromptTruncated) else "error"
            row = replace(row, status=status, error=str(fault), seconds=seconds, finished_at=now())
            return row, seconds
        prompt = watched.prompt
        row = replace(
            row,
            prompt_tokens=prompt.tokens if prompt is not None else None,
            exact=prompt.exact if prompt is not None else row.exact,
            prompt_sha256=prompt_sha256(watched.messages) if watched.messages else "",
            stage_trace=watched.trace,
            delivered=watched.delivered,
            packed_position=watched.packed_position,
        )
        if watched.messages:
            self._keep(key, watched.messages)
        return answered(row, Reply(watched.answer, watched.usage, seconds)), seconds

    def _keep(self, key: str, messages: Sequence[Message]) -> None:
        """What the product sent: no rebuilding gives it again once the index is gone."""
        folder = self.folder / SENT
        told = json.dumps([[one.role, one.content] for one in messages], ensure_ascii=False)
        packed = gzip.compress(told.encode("utf-8", "replace"), mtime=0)
        try:
            folder.mkdir(exist_ok=True)
            (folder / f"{key}.json.gz").write_bytes(packed)
        except OSError as exc:
            raise StorageError(f"{folder} cannot be written: {exc.strerror or exc}.") from exc

    def _stage(self, row: Row) -> FailureStage | None:
        from evaluation.niah.attribution import stage_of
        from evaluation.niah.summary import trial_id

        identity = trial_id(row)
        known = frozenset({identity} if identity in self._known else set())
        oracle = {identity: self._oracle[identity]} if identity in self._oracle else {}
        return stage_of(row, known, oracle)

    def _remember(self, row: Row) -> None:
        """The anchors of a trial: whether it is known without a text, and read with little."""
        from evaluation.niah.summary import leaked_trials, trial_id

        self._known |= leaked_trials([row])
        if row.arm == "oracle" and row.status == "ok":
            identity = trial_id(row)
            self._oracle[identity] = self._oracle.get(identity, False) or row.score == 1


def steps_of(bench: Bench) -> list[Step]:
    """All steps of a run in the order in which they are sent."""
    config, haystack = bench.config, bench.haystack
    return in_order([bench.step(one) for one in trials(config, haystack.language, haystack.id)])


def plan(bench: Bench, steps: Sequence[Step], speed: Speed) -> dict[str, Any]:
    """What a run will ask, and what it will cost, ready for JSON."""
    long = cost(steps, "long")
    everything = cost(steps)
    arms = {arm: cost(steps, arm) for arm in ARMS if arm in bench.config.arms}
    cells = {step.trial.cell for step in steps}
    return {
        "cells": len(cells),
        "trials": len(steps),
        "clamped": sum(step.clamped for step in steps),
        "prompts": everything.prompts,
        "tokens": {
            "naive": everything.naive,
            "computed": everything.computed,
            "share": round(everything.share, 4),
        },
        "long": {
            "prompts": long.prompts,
            "naive": long.naive,
            "computed": long.computed,
            "share": round(long.share, 4),
        },
        "arms": {
            arm: {"prompts": one.prompts, "naive": one.naive, "computed": one.computed}
            for arm, one in arms.items()
        },
        "seconds": round(speed.seconds(steps), 1),
        "speed": asdict(speed),
        "exact": bench.ruler.exact,
        "served": {**asdict(bench.served), "options": dict(bench.served.options)},
        "haystack": {
            "id": bench.haystack.id,
            "language": bench.haystack.language,
            "paragraphs": len(bench.haystack.paragraphs),
            "characters": bench.haystack.characters,
            "sha256": bench.haystack_sha256,
            "note": bench.haystack.note,
        },
    }


def open_run(
    folder: Path, bench: Bench, steps: Sequence[Step], speed: Speed, told: Mapping[str, Any]
) -> Run:
    """Make the folder of a new run, or take up the one that is there.

    Raises UsageError where the folder holds a run of another configuration or
    model, StorageError where it cannot be written.
    """
    import yaml

    config = bench.config.to_json()
    path = folder / CONFIG
    if path.is_file():
        refuse_other(folder, bench)
        return Run(folder, bench, steps, speed)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        save_haystack(folder, bench.haystack)
        made = {"run": folder.name, "made_at": now(), "state": "running", **told}
        write(folder / PLAN, json.dumps(made, ensure_ascii=False, indent=2) + "\n")
        # Last: a folder with a configuration is a whole run.
        write(path, yaml.safe_dump(config, allow_unicode=True, sort_keys=False))
    except OSError as exc:
        raise StorageError(f"{folder} cannot be written: {exc.strerror or exc}.") from exc
    return Run(folder, bench, steps, speed)


def scored(row: Row) -> Row:
    """The row with its score; imported late, so that planning needs no scorer."""
    from evaluation.niah.scoring import score_row

    return score_row(row)

"""Rows of needle runs for tests: one a cell and trial, right or wrong as a rule says."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from random import Random
from typing import Any

from evaluation.niah.attribution import attribute
from evaluation.niah.records import Needle, Row
from evaluation.niah.scoring import score_rows

LENGTHS = (4096, 16384, 32768, 65536)
DEPTHS = tuple(n / 10 for n in range(11))


def row(
    arm: str = "long", length: int = 4096, depth: float = 0.5, trial: int = 0, **more: Any
) -> Row:
    """A right answer, unless told otherwise."""
    task = str(more.get("task", "single"))
    value = str(Random(f"{task}{trial}").randrange(1_000_000, 10_000_000))
    values: dict[str, Any] = {
        "key": f"{arm}/{task}/{length}/{depth}/{trial}",
        "arm": arm,
        "task": task,
        "length": length,
        "depth_target": depth,
        "trial": trial,
        "seed": 100 + trial,
        "language": "en",
        "haystack": "generated",
        "value_type": "number",
        "mode": "separate",
        "question": "What is the number of the amber lighthouse?",
        "expected": (value,),
        "needles": (Needle(f"The number of the amber lighthouse is {value}.", value),),
        "answer": value,
        "model": "ollama qwen2:7b",
        "digest": "sha256:abc",
        "window": 32768,
        "trained_window": 32768,
        "prompt_tokens": length - 64,
        "server_prompt_tokens": length - 64,
        "finished_at": f"2026-11-21T05:{trial:02d}:00+00:00",
        "options": {"num_predict": 64},
    }
    return Row(**{**values, **more})


def finished(rows: Iterable[Row]) -> list[Row]:
    """Scored and attributed."""
    return attribute(score_rows(rows))


def run(
    right: Callable[[int, float, int], bool] = lambda length, depth, trial: True,
    *,
    arm: str = "long",
    lengths: Iterable[int] = LENGTHS,
    trials: int = 3,
    oracle: bool = True,
    **more: Any,
) -> list[Row]:
    """A whole grid; `right` says which cells' answers are."""
    made = [
        row(arm, length, depth, trial, **more)
        if right(length, depth, trial)
        else row(arm, length, depth, trial, **{**more, "answer": "The text does not say."})
        for trial in range(trials)
        for length in lengths
        for depth in DEPTHS
    ]
    if oracle:
        made += [row("oracle", 1024, 0.5, trial, **more) for trial in range(trials)]
    return finished(made)

"""The trials of a grid: what each plants, where, and what it asks. All from one seed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product
from random import Random

from evaluation.niah.config import Config
from evaluation.niah.needles import Draw, draw
from evaluation.niah.records import Needle, Task, Trial

SWEPT: tuple[Task, ...] = ("single", "multi_key")
"""Tasks that can ask several needles of one haystack: each is wrong for the others' questions."""

_AWAY = 0.1
"""Depth that a wrong sentence keeps from the right one, as a share."""


def seed_of(*parts: object) -> int:
    """A seed from everything that it depends on, the same in every process."""
    text = "/".join(map(str, parts))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big")


def stream_offset(config: Config, trial: int, paragraphs: int) -> int:
    """The paragraph that a trial's haystack begins with; the same for all its tasks.

    No two repetitions begin alike as long as there are paragraphs enough.
    """
    order = list(range(paragraphs))
    Random(seed_of(config.seed, "stream")).shuffle(order)
    return order[trial % paragraphs]


def trials(config: Config, language: str, haystack: str) -> Iterator[Trial]:
    """All trials, breadth first: the whole grid once, then again with fresh needles."""
    for number in range(config.trials):
        for task in config.tasks:
            yield from _of_task(config, task, number, language, haystack)


def placements(trial: Trial, depths: Sequence[float]) -> list[tuple[Needle, float]]:
    """What is planted, and how deep.

    Where several needles belong together, the first stands at the cell's depth
    and the others follow in even steps, over the end to the beginning.
    """
    if trial.mode == "sweep":
        others = [depth for depth in depths if depth != trial.depth_target]
        # In the order of the depths, so that all questions are asked of one text.
        planted = [
            (trial.needles[0], trial.depth_target),
            *zip(trial.distractors, others, strict=True),
        ]
        return sorted(planted, key=lambda item: item[1])
    needles = () if trial.task == "absent" else trial.needles
    planted = [
        (needle, _round(trial.depth_target + n / len(needles))) for n, needle in enumerate(needles)
    ]
    rng = Random(seed_of(trial.seed, "places"))
    count = len(trial.distractors)
    for n, wrong in enumerate(trial.distractors):
        depth = (n + rng.random()) / count
        if abs(depth - trial.depth_target) < _AWAY:
            depth = _round(depth + 2 * _AWAY)
        planted.append((wrong, depth))
    return planted


def _round(depth: float) -> float:
    """A depth beyond the end goes on from the top; the end itself stays."""
    return depth if depth <= 1 else round(depth - 1, 9)


def _of_task(
    config: Config, task: Task, number: int, language: str, haystack: str
) -> Iterator[Trial]:
    sweep = config.mode == "sweep" and task in SWEPT and not config.needles
    for trial in _questions(config, task, number, language, haystack, sweep):
        if "closed" in config.arms and (sweep or trial.depth_target == config.depths[0]):
            # Without a text there is neither length nor depth: each question once.
            yield replace(
                trial, arm="closed", length=0, depth_target=trial.depth_target if sweep else 0.0
            )
        if "oracle" in config.arms:
            yield replace(trial, arm="oracle", length=config.oracle_length)
        for arm, length in product(("long", "rag"), config.lengths):
            if arm in config.arms and (arm != "rag" or number < _rag_trials(config)):
                yield replace(trial, arm=arm, length=length)


def _rag_trials(config: Config) -> int:
    return config.trials if config.rag_trials is None else config.rag_trials


def _questions(
    config: Config, task: Task, number: int, language: str, haystack: str, sweep: bool
) -> list[Trial]:
    """One trial a depth, as the long arm has it."""
    seeds = [
        seed_of(config.seed, task, language, number, *([index] if sweep else []))
        for index in range(len(config.depths))
    ]
    if sweep:
        drawn = _distinct(task, language, config, seeds)
    else:
        one = draw(task, language, config.values, Random(seeds[0]), config.needles, number)
        drawn = [one] * len(seeds)
    found = []
    for index, (depth, made) in enumerate(zip(config.depths, drawn, strict=True)):
        others = [other.needles[0] for other in drawn[:index] + drawn[index + 1 :]]
        found.append(
            Trial(
                task=task,
                arm="long",
                length=0,
                depth_target=depth,
                trial=number,
                seed=seeds[index],
                language=language,
                haystack=haystack,
                value_type=made.value_type,
                needles=made.needles,
                distractors=tuple(others) if sweep else made.distractors,
                question=made.question,
                expected=made.expected,
                mode="sweep" if sweep else "separate",
            )
        )
    return found


def _distinct(task: Task, language: str, config: Config, seeds: Sequence[int]) -> list[Draw]:
    """One draw a depth; no two speak of one key or have one value."""
    drawn: list[Draw] = []
    taken: set[str] = set()
    for seed in seeds:
        rng = Random(seed)
        while True:
            made = draw("single", language, config.values, rng)
            names = {made.needles[0].key, made.needles[0].value}
            if not names & taken:
                break
        taken |= names
        drawn.append(made)
    return drawn

"""Which part of the first-look grid fits the minutes there are.

A length says something only with enough trials: 22 of 22 is the least that can
show one to hold. So lengths are left out before trials, the middle ones first:
whether the window is read shows at its end. Fewer trials are the last resort.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from evaluation.niah.arms import Bench
from evaluation.niah.config import Config, quick
from evaluation.niah.order import Step, in_order
from evaluation.niah.palette import length_name
from evaluation.niah.probe import Speed
from evaluation.niah.runner import steps_of

SHARE_OF_BUDGET = 0.9
"""Of the minutes is planned with: predictions err."""

_THINNED = (1, 2, 3)
"""Every length, every second, every third, counted from the longest."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """A grid that fits, and what it leaves out."""

    bench: Bench
    steps: list[Step]
    left_out: tuple[str, ...]
    """`lengths 2K, 8K`, `the rag arm`; empty where all fits."""
    whole_seconds: float
    """What the whole first look would take."""


def fitting(bench: Bench, speed: Speed) -> Fitted:
    """The largest first-look grid that fits the minutes; else the smallest there is."""
    whole = quick(bench.config, bench.served.window)
    chosen = _with(bench, whole)
    everything = steps = steps_of(chosen)
    most = SHARE_OF_BUDGET * (whole.budget.minutes or 0.0) * 60
    config = whole
    for config in smaller_grids(whole):
        if speed.seconds(_part(everything, config)) <= most:
            break
    if config != whole:
        chosen = _with(bench, config)
        steps = steps_of(chosen)
    return Fitted(chosen, steps, left_out(whole, config), speed.seconds(everything))


def smaller_grids(whole: Config) -> Iterator[Config]:
    """The grid and parts of it, the most telling first."""
    without_rag = tuple(arm for arm in whole.arms if arm != "rag") or whole.arms
    config = whole
    for end in range(len(whole.lengths), 0, -1):
        reached = whole.lengths[:end]
        for every in _THINNED:
            kept = tuple(sorted(reached[::-1][::every]))
            if len(kept) < 2 and len(reached) > 1:
                continue  # one length alone shows no fall
            config = replace(whole, lengths=kept)
            yield config
        config = replace(config, arms=without_rag)
        yield config
    depths = tuple(dict.fromkeys((whole.depths[0], *_middle(whole.depths), whole.depths[-1])))
    for trials in range(whole.trials, 0, -1):
        yield replace(config, depths=depths, trials=trials)


def left_out(whole: Config, config: Config) -> tuple[str, ...]:
    """What a part of a grid lacks, in words."""
    told = []
    lengths = [length_name(one) for one in whole.lengths if one not in config.lengths]
    if lengths:
        told.append(f"{'length' if len(lengths) == 1 else 'lengths'} {', '.join(lengths)}")
    told += [f"the {arm} arm" for arm in whole.arms if arm not in config.arms]
    if config.depths != whole.depths:
        told.append(f"{len(whole.depths) - len(config.depths)} of {len(whole.depths)} depths")
    if config.trials != whole.trials:
        told.append(f"{whole.trials - config.trials} of {whole.trials} trials")
    return tuple(told)


def _part(steps: list[Step], config: Config) -> list[Step]:
    """The steps of a smaller grid, without laying them out again."""
    return in_order(
        [
            step
            for step in steps
            if step.trial.arm in config.arms
            and (step.trial.arm in ("closed", "oracle") or step.trial.length in config.lengths)
            and (step.trial.arm == "closed" or step.trial.depth_target in config.depths)
            and step.trial.trial < config.trials
        ]
    )


def _middle(depths: tuple[float, ...]) -> tuple[float, ...]:
    return (depths[len(depths) // 2],)


def _with(bench: Bench, config: Config) -> Bench:
    return Bench(config, bench.haystack, bench.model, bench.served)

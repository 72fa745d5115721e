"""In which order prompts are sent, and what that costs a server with a prefix cache.

A server reads only what a prompt does not share with the one before it. So
the prompts of one trial are sent as a walk over the tree that they form: in
the order of where they part. For one server slot no order costs less.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evaluation.niah.lengths import Layout, shared_tokens
from evaluation.niah.records import Arm, Trial

_ARM_ORDER: tuple[Arm, ...] = ("closed", "oracle", "long", "rag")
"""Within one repetition. Anchors first: a loss is told from what a model cannot do at all."""


@dataclass(frozen=True)
class Step:
    """One trial to be asked."""

    trial: Trial
    layout: Layout | None
    """None for the closed arm, and where the length exceeds the window."""
    tokens: int
    """Of the prompt; for the product's path of the document, which sends less."""
    clamped: bool = False
    """Longer than the window: not sent."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Tokens of the steps that one arm sends."""

    prompts: int
    naive: int
    """Of all prompts."""
    computed: int
    """Of these, what a server with one slot has to read."""

    @property
    def share(self) -> float:
        """Computed of naive."""
        return self.computed / self.naive if self.naive else 0.0


def in_order(steps: Sequence[Step]) -> list[Step]:
    """Breadth first by repetition; within one by arm, and along the tree of prompts.

    Where the product's path is repeated less than the rest, it comes last: it
    ingests a document a step, and the first of them alone could use up the
    minutes that all long prompts fit into.
    """
    repeated = max((step.trial.trial for step in steps), default=0)
    by_product = [step.trial.trial for step in steps if step.trial.arm == "rag"]
    last = max(by_product, default=repeated) < repeated
    return sorted(steps, key=lambda step: (last and step.trial.arm == "rag", *_place(step)))


def shared_with(before: Step | None, step: Step) -> int:
    """Tokens of a step that the server has read for the one before."""
    if before is None or before.layout is None or step.layout is None:
        return 0
    if "rag" in (before.trial.arm, step.trial.arm):
        return 0  # the product sends passages, which no layout knows
    return min(shared_tokens(before.layout, step.layout), step.tokens - 1)


def cost(steps: Sequence[Step], arm: Arm | None = None) -> Cost:
    """What the steps cost in this order; with `arm`, what those of one arm cost in it."""
    prompts = naive = computed = 0
    before: Step | None = None
    for step in steps:
        if step.clamped:
            continue
        if arm is None or step.trial.arm == arm:
            prompts += 1
            naive += step.tokens
            computed += step.tokens - shared_with(before, step)
        before = step
    return Cost(prompts, naive, computed)


def _place(step: Step) -> tuple[object, ...]:
    trial = step.trial
    # All tasks of a repetition read one stream: they share one tree. Of the
    # product's documents one length follows another, since what of a document
    # stays the same is not embedded again.
    length = trial.length if trial.arm == "rag" else 0
    return (trial.trial, _ARM_ORDER.index(trial.arm), step.clamped, length, *_path(step))


def _path(step: Step) -> tuple[object, ...]:
    layout = step.layout
    if layout is None:
        return ((), step.trial.task, step.trial.length, step.trial.depth_target)
    events = [
        (insert.spot.paragraph, insert.spot.end, 0, insert.needle.text) for insert in layout.inserts
    ]
    last = layout.last
    return (
        (*events, (last.paragraph, last.end, 1, layout.question)),
        step.trial.task,
        step.trial.length,
        step.trial.depth_target,
    )

"""From a trial to its row: the prompt of each arm, the answer, and what makes it count.

A row is `ok` only where the server read the whole prompt. What does not fit
the window is `window_clamped` and not sent; a count that differs from ours is
`invalid_truncated`; any other fault of the server is an `error`, tried again
by the next run. None of them is a miss.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from app.chat import (
    ChatModel,
    ChatModelError,
    Message,
    ModelUnreachable,
    PromptTooLong,
    PromptTruncated,
    Usage,
)
from evaluation.niah.config import Config
from evaluation.niah.haystacks import Haystack
from evaluation.niah.lengths import LAYOUT, Layout, lay_out, opening_tokens, planted_needles
from evaluation.niah.order import Step
from evaluation.niah.prompts import FRAMES, Frame
from evaluation.niah.records import Row, Trial, row_key
from evaluation.niah.streams import Memory, Ruler, Stream
from evaluation.niah.trials import placements, stream_offset
from evaluation.served import Served


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer with the server's figures, or why there is none."""

    answer: str
    usage: Usage
    seconds: float
    fault: ChatModelError | None = None


class Bench:
    """What all trials of a run share: the haystack, counted as far as needed, and the model."""

    def __init__(
        self, config: Config, haystack: Haystack, model: ChatModel, served: Served
    ) -> None:
        self.config = config
        self.haystack = haystack
        self.model = model
        self.served = served
        self.frame: Frame = FRAMES[haystack.language]
        self.ruler = Ruler(model.count, model.count_text)
        self._memory = Memory(self.ruler)
        self._streams: dict[int, Stream] = {}

    @cached_property
    def haystack_sha256(self) -> str:
        """Of the haystack before anything is planted."""
        return self.haystack.sha256

    @cached_property
    def _opening(self) -> int:
        return opening_tokens(self.ruler, self.frame)

    def stream(self, number: int) -> Stream:
        """The haystack as a repetition reads it."""
        if number not in self._streams:
            offset = stream_offset(self.config, number, self.haystack.starts)
            self._streams[number] = Stream(self.haystack, self.ruler, offset, self._memory)
        return self._streams[number]

    def step(self, trial: Trial) -> Step:
        """A trial with its layout; marked where it exceeds the window."""
        if trial.arm == "closed":
            return Step(trial, None, self.ruler.chat(self.frame.closed(trial.question)))
        if trial.length > self.served.window and trial.arm != "rag":
            return Step(trial, None, trial.length - self.config.reserve, clamped=True)
        layout = lay_out(
            self.stream(trial.trial),
            self.ruler,
            self.frame,
            trial.question,
            placements(trial, self.config.depths),
            length=trial.length,
            reserve=self.config.reserve,
            key="oracle_length" if trial.arm == "oracle" else "lengths",
        )
        return Step(trial, layout, layout.tokens)

    def messages(self, step: Step) -> list[Message]:
        """The very prompt of a step; of the product's path the product decides."""
        if step.layout is None:
            return self.frame.closed(step.trial.question)
        return step.layout.messages()

    def key(self, step: Step, extra: Mapping[str, Any] | None = None) -> str:
        """SHA-256 of everything that decides the prompt and the decoding."""
        trial = step.trial
        served = self.served
        return row_key(
            {
                "layout": LAYOUT,
                "frame": self.frame.fingerprint,
                "trial": trial.to_json(),
                "haystack": self.haystack_sha256,
                "offset": self.stream(trial.trial).offset if trial.arm != "closed" else None,
                "prompt": step.layout.key() if step.layout is not None else None,
                "reserve": self.config.reserve,
                "model": [served.model, served.digest, served.quantisation],
                "server": served.server_version,
                "window": served.window,
                "options": dict(served.options),
                **(extra or {}),
            }
        )

    def blank(self, step: Step, key: str, *, placed: bool = True) -> Row:
        """The row of a step before anything was sent; `placed`: with the places of its needles,
        which are counted with the model's vocabulary."""
        trial, served = step.trial, self.served
        row = Row(
            key=key,
            arm=trial.arm,
            task=trial.task,
            length=trial.length,
            depth_target=trial.depth_target,
            trial=trial.trial,
            seed=trial.seed,
            language=trial.language,
            haystack=trial.haystack,
            value_type=trial.value_type,
            mode=trial.mode,
            question=trial.question,
            expected=trial.expected,
            needles=trial.needles,
            distractors=trial.distractors,
            exact=self.ruler.exact,
            model=served.model,
            digest=served.digest,
            quantisation=served.quantisation,
            server_version=served.server_version,
            window=served.window,
            trained_window=served.trained_window,
            options={**served.options, "num_predict": self.config.reserve},
        )
        layout = step.layout
        return row if layout is None or not placed else self._placed(row, layout)

    def _placed(self, row: Row, layout: Layout) -> Row:
        exact = self.ruler.exact
        needles, wrong = (
            planted_needles(layout, these, exact=exact, opening=self._opening)
            for these in (row.needles, row.distractors)
        )
        first = needles[0].text if needles else ""
        spot = next((one.spot for one in layout.inserts if one.needle.text == first), None)
        return replace(
            row,
            needles=needles,
            distractors=wrong,
            exact=exact,
            depth_actual=None if spot is None else round(layout.depth(spot), 6),
        )

    def clamped(self, step: Step) -> Row:
        """The row of a step whose length exceeds the window."""
        row = self.blank(step, self.key(step))
        return replace(
            row,
            status="window_clamped",
            error=(
                f"{step.trial.length:,} tokens exceed the window served: {self.served.window:,}."
            ),
            finished_at=now(),
        )

    def run(self, step: Step, key: str) -> Row:
        """Ask the model itself: closed, oracle and long arm."""
        row = self.blank(step, key)
        messages = self.messages(step)
        row = replace(
            row,
            prompt_tokens=step.tokens,
            prompt_sha256=prompt_sha256(messages),
            haystack_sha256=sha256(step.layout.text()) if step.layout is not None else "",
        )
        return answered(row, ask(self.model, messages, self.config.reserve))


def ask(model: ChatModel, messages: Sequence[Message], reserve: int) -> Reply:
    """One answer; a fault of the model or its server is part of the reply.

    Raises ModelUnreachable: without a server no further trial makes sense.
    """
    started = time.perf_counter()
    pieces: list[str] = []
    usage = Usage()
    fault: ChatModelError | None = None
    try:
        with closing(model.stream(messages, reserve=reserve)) as stream:  # type: ignore[type-var]
            for item in stream:
                if isinstance(item, Usage):
                    usage = item
                else:
                    pieces.append(item)
    except ModelUnreachable:
        raise
    except ChatModelError as exc:
        fault = exc
    return Reply("".join(pieces), usage, time.perf_counter() - started, fault)


def answered(row: Row, reply: Reply) -> Row:
    """The row with what came back; its status says whether it may be scored."""
    usage, fault = reply.usage, reply.fault
    row = replace(
        row,
        answer=reply.answer,
        server_prompt_tokens=usage.prompt_tokens,
        prompt_seconds=usage.prompt_s,
        generation_seconds=usage.answer_s,
        cached_tokens=usage.cached_tokens,
        answer_tokens=usage.answer_tokens,
        seconds=round(reply.seconds, 6),
        finished_at=now(),
    )
    if isinstance(fault, PromptTruncated):
        return replace(row, status="invalid_truncated", error=str(fault))
    if isinstance(fault, PromptTooLong):
        return replace(row, status="window_clamped", error=str(fault))
    if fault is not None:
        return replace(row, status="error", error=str(fault))
    if row.exact and _differs(row):
        return replace(
            row,
            status="invalid_truncated",
            error=(
                f"The server counts {row.server_prompt_tokens:,} tokens where "
                f"{row.prompt_tokens:,} were sent, so what it read is not what was asked."
            ),
        )
    return row


def prompt_sha256(messages: Sequence[Message]) -> str:
    """Of the messages, roles included."""
    told = [[message.role, message.content] for message in messages]
    return sha256(json.dumps(told, ensure_ascii=False))


def sha256(text: str) -> str:
    """Of the text's UTF-8 bytes."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def now() -> str:
    """The time, for people."""
    return datetime.now(UTC).isoformat(timespec="seconds")


_TEMPLATE_SLACK = 6
"""Tokens that two renderings of one chat template may differ by: line ends after a turn."""


def _differs(row: Row) -> bool:
    theirs, ours = row.server_prompt_tokens, row.prompt_tokens
    return theirs is not None and ours is not None and abs(theirs - ours) > _TEMPLATE_SLACK

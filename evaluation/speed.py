"""How fast is the model on this machine? Reading, writing, and the wait before the first word.

Each length is asked cold (a first line that no cache has seen) and warm (the
very same prompt again), some times over, and the medians count. What the
server reports is believed before what the clock says; where it reports
nothing, the clock of this side stands in and the figure says so.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from app.chat import (
    BadReply,
    ChatModel,
    ChatModelError,
    ModelCrashed,
    ModelMissing,
    ModelUnreachable,
    PromptTooLong,
    PromptTruncated,
    Usage,
)
from evaluation.qwen2_speed import LENGTHS, NEW_TOKENS
from evaluation.speed_prompt import SpeedPrompt, speed_prompt

__all__ = ["LENGTHS", "NEW_TOKENS", "Bench", "Cell", "Shot", "Skipped", "measure"]

log = logging.getLogger(__name__)

WARM_TOKENS = 16
"""Of the answer to a repeated prompt: only its first one is waited for."""
LEAST_NEW = 16
"""Tokens below which an answer says nothing about the speed of writing."""
LEAST_READ = 128
"""Likewise of a prompt and reading."""
_WARM_UP = 512
"""Tokens of the first prompt, which loads the model and counts for nothing."""


@dataclass(frozen=True, slots=True)
class Shot:
    """One request."""

    tokens: int
    """Of the prompt: as the server counts them, or as counted here."""
    first_s: float
    """From sending to the first piece of the answer, on the clock of this side."""
    total_s: float
    new_tokens: int
    new_counted: bool
    """The server told how many it wrote; else they were counted here."""
    prompt_s: float | None
    """Reading the prompt, as the server tells."""
    answer_s: float | None
    load_s: float | None
    cached_tokens: int | None
    computed_tokens: int | None
    stop_reason: str
    counted: bool = True
    """The server told how long the prompt was; else it was counted here."""

    @property
    def prefill(self) -> float | None:
        """Tokens read a second: by the server's figures, else by the wait for the first one."""
        read = self.tokens - (self.cached_tokens or 0)
        if self.computed_tokens is not None:
            read = self.computed_tokens
        seconds = self.prompt_s if self.prompt_s is not None else self.first_s
        return read / seconds if read >= LEAST_READ and seconds > 0 else None

    @property
    def decode(self) -> float | None:
        """Tokens written a second, without the reading."""
        if self.new_tokens < LEAST_NEW:
            return None
        if self.answer_s:
            return self.new_tokens / self.answer_s
        # By the clock, from the first token on.
        seconds = self.total_s - self.first_s
        return (self.new_tokens - 1) / seconds if seconds > 0 else None

    @property
    def whole(self) -> float | None:
        """Tokens written a second, the reading counted in."""
        return self.new_tokens / self.total_s if self.new_tokens >= LEAST_NEW else None


@dataclass(frozen=True, slots=True)
class Cell:
    """One input length, measured."""

    length: int
    """As asked for."""
    tokens: int
    """Of the prompt, by the server's count where it tells."""
    exact: bool
    asked_new: int
    cold: tuple[Shot, ...]
    warm: tuple[Shot, ...]
    memory: dict[str, int] | None

    def to_json(self) -> dict[str, Any]:
        """Medians first, then every request."""
        return {
            "length": self.length,
            "prompt_tokens": self.tokens,
            "exact": self.exact,
            "new_tokens_asked": self.asked_new,
            "new_tokens": middle([float(shot.new_tokens) for shot in self.cold]),
            "prefill_tokens_per_s": middle([shot.prefill for shot in self.cold]),
            "decode_tokens_per_s": middle([shot.decode for shot in self.cold]),
            "whole_tokens_per_s": middle([shot.whole for shot in self.cold]),
            "first_token_cold_s": middle([shot.first_s for shot in self.cold]),
            "first_token_warm_s": middle([shot.first_s for shot in self.warm]),
            "memory": self.memory,
            "cold": [asdict(shot) for shot in self.cold],
            "warm": [asdict(shot) for shot in self.warm],
        }


@dataclass(frozen=True, slots=True)
class Skipped:
    """An input length that was not measured, and why."""

    length: int
    reason: str


class Bench:
    """A model, warmed up, with what is known of its speed so far.

    `window` is what it serves; `memory` reads what it takes; `deadline` is a
    time of `clock` after which nothing more is begun, None for none.
    """

    def __init__(
        self,
        model: ChatModel,
        *,
        memory: Callable[[], dict[str, int] | None] = lambda: None,
        deadline: float | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.model = model
        self._memory = memory
        self._deadline = deadline
        self._clock = clock
        self._scale = 1.0
        """Server's tokens for one of ours, where ours are estimates."""
        self._prefill: float | None = None
        self._decode: float | None = None
        self.tells_cached = False
        self.tells_durations = False

    def warm_up(self) -> Shot:
        """Load the model. Raises ChatModelError where it cannot answer."""
        prompt = self._prompt(min(_WARM_UP, max(64, self.model.room(WARM_TOKENS) // 2)))
        shot = self._shot(prompt, WARM_TOKENS)
        if not prompt.exact and shot.counted:
            self._scale = shot.tokens / prompt.tokens
        self._learn(shot)
        self.tells_cached = shot.cached_tokens is not None
        self.tells_durations = shot.prompt_s is not None
        return shot

    def measure(self, length: int, new: int, repeats: int, window: int) -> Cell | Skipped:
        """One input length, cold and warm. Raises where the server is gone."""
        # Prompt and answer stay below the window, as everywhere.
        spare = max(1, self.model.window() - self.model.room(0))
        room = min(window, self.model.window()) - spare
        tokens = counted = length
        if tokens < room:
            # Only now: a prompt that cannot be sent need not be built and counted.
            prompt = self._prompt(length)
            # No more is sent than what fits by the count from above, where that is all there is.
            tokens, counted = (max(length, n) for n in (self._true(prompt.tokens), prompt.tokens))
        if room - tokens < min(new, LEAST_NEW):
            return Skipped(length, _does_not_fit(tokens, window))
        possible = min(new, room - counted)
        if possible < min(new, LEAST_NEW):
            return Skipped(
                length,
                "Without a vocabulary of the model nothing proves that it fits the window that is "
                f"served, {window:,}: it may have up to {counted:,} tokens. HAYLOFT_TOKENIZER "
                "names a vocabulary.",
            )
        late = self._too_late(length, possible, repeats)
        if late:
            return Skipped(length, late)
        cold: list[Shot] = []
        warm: list[Shot] = []
        try:
            for _ in range(repeats):
                fresh, shot = self._cold(length, possible)
                cold.append(shot)
                warm.append(self._shot(fresh, min(WARM_TOKENS, possible)))
        except (ModelUnreachable, ModelMissing):
            raise
        except ChatModelError as exc:
            if not warm:
                return Skipped(length, _why(exc, tokens, window))
            log.warning("a length was measured %d of %d times: %s", len(warm), repeats, exc)
        self._learn(cold[-1])
        told = round(median(shot.tokens for shot in cold))
        return Cell(
            length=length,
            tokens=told,
            exact=fresh.exact,
            asked_new=possible,
            cold=tuple(cold),
            warm=tuple(warm),
            memory=self._memory(),
        )

    def seconds_for(self, length: int, new: int, repeats: int) -> float | None:
        """What a length will take, by what was measured so far."""
        if not self._prefill or not self._decode:
            return None
        once = length / self._prefill + (new + WARM_TOKENS) / self._decode
        return once * repeats

    def _cold(self, length: int, new: int) -> tuple[SpeedPrompt, Shot]:
        """A prompt that was never sent, and its answer; once more where the model got stuck.

        Ollama breaks an answer off that repeats one token; another first line
        makes another story.
        """
        prompt = self._prompt(length)
        try:
            return prompt, self._shot(prompt, new)
        except (BadReply, ModelCrashed) as exc:
            log.info("asked anew: %s", exc)
        prompt = self._prompt(length)
        return prompt, self._shot(prompt, new)

    def _too_late(self, length: int, new: int, repeats: int) -> str:
        if self._deadline is None:
            return ""
        left = self._deadline - self._clock()
        seconds = self.seconds_for(length, new, repeats)
        if left > 0 and (seconds is None or seconds <= left):
            return ""
        if seconds is None or left <= 0:
            return "The time is up; --minutes gives more."
        return (
            f"It would take about {max(1, round(seconds / 60)):,} min, and {left / 60:.0f} min are "
            "left; --minutes gives more, --new-tokens and --repeats ask for less."
        )

    def _prompt(self, tokens: int) -> SpeedPrompt:
        wanted = max(1, round(tokens / self._scale))
        model = self.model
        return speed_prompt(wanted, secrets.token_hex(8), model.count, model.count_text)

    def _true(self, tokens: int) -> int:
        return round(tokens * self._scale)

    def _shot(self, prompt: SpeedPrompt, new: int) -> Shot:
        pieces: list[str] = []
        usage = Usage()
        first: float | None = None
        started = self._clock()
        with closing(self.model.stream(prompt.messages, reserve=new)) as stream:  # type: ignore[type-var]
            for item in stream:
                if isinstance(item, Usage):
                    usage = item
                    continue
                if first is None:
                    first = self._clock() - started
                pieces.append(item)
        total = self._clock() - started
        told = usage.prompt_tokens if usage.prompt_tokens is not None else self._true(prompt.tokens)
        new_tokens = usage.answer_tokens
        if new_tokens is None:
            new_tokens = self._true(self.model.count_text("".join(pieces)).tokens)
        return Shot(
            tokens=told,
            first_s=round(total if first is None else first, 6),
            total_s=round(total, 6),
            new_tokens=new_tokens,
            new_counted=usage.answer_tokens is not None,
            prompt_s=usage.prompt_s,
            answer_s=usage.answer_s,
            load_s=usage.load_s,
            cached_tokens=usage.cached_tokens,
            computed_tokens=usage.computed_tokens,
            stop_reason=usage.stop_reason,
            counted=usage.prompt_tokens is not None,
        )

    def _learn(self, shot: Shot) -> None:
        self._prefill = shot.prefill or self._prefill
        self._decode = shot.decode or self._decode


def measure(
    bench: Bench,
    lengths: Sequence[int],
    *,
    new: int,
    repeats: int,
    window: int,
    tell: Callable[[str], None] = lambda words: None,
) -> list[Cell | Skipped]:
    """Every length, shortest first."""
    found: list[Cell | Skipped] = []
    for length in sorted(set(lengths)):
        seconds = bench.seconds_for(length, new, repeats)
        about = f", about {seconds:,.0f} s" if seconds is not None else ""
        tell(f"input {length:,}{about if length <= window else ''}")
        found.append(bench.measure(length, new, repeats, window))
    return found


def _why(fault: ChatModelError, tokens: int, window: int) -> str:
    """Why a length was not measured; a fault's own advice is for people with documents."""
    if isinstance(fault, PromptTooLong):
        return _does_not_fit(tokens, fault.window or window)
    if isinstance(fault, PromptTruncated):
        return f"The server read less than the {tokens:,} tokens that it was sent."
    return str(fault)


def _does_not_fit(tokens: int, window: int) -> str:
    return f"{tokens:,} tokens and an answer do not fit the window that is served, {window:,}."


def middle(values: Sequence[float | None]) -> float | None:
    """The median of those that are known; None where none is."""
    known = [value for value in values if value is not None]
    return round(median(known), 4) if known else None

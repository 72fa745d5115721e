"""The models an Ollama double has in memory: loading, waiting, caches, keep_alive."""

from __future__ import annotations

import collections
import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.ollama_double_faults import BUSY_TEXT, OUT_OF_MEMORY_TEXT
from tests.ollama_double_models import GIB, DoubleModel
from tests.ollama_double_options import ApiError, asked_window, runner_key
from tests.ollama_double_prompts import PAD, Token, Window
from tests.ollama_double_records import Request, common_prefix
from tests.ollama_double_wire import Handler, Hangup

if TYPE_CHECKING:
    from tests.ollama_double import OllamaDouble

HOST_CACHE_BYTES = 8 * GIB
"""llama-server keeps evicted prompts in host memory up to this size."""
SMALLER_WINDOWS = (32768, 4096)
"""Windows tried after one that nobody asked for does not fit in memory."""


@dataclass
class Runner:
    """One loaded model: what it was loaded with and what its caches hold."""

    model: DoubleModel
    key: tuple[object, ...]
    window: Window
    expires_at: float = 0.0
    """On the double's clock; infinite for ever."""
    busy: bool = False
    """A request is being answered: it cannot expire."""
    slot: list[Token] = field(default_factory=list)
    """Tokens whose state is in the model's memory."""
    evicted: list[list[Token]] = field(default_factory=list)
    """Prompts moved to host memory, newest last."""

    def bytes(self) -> int:
        """Weights and key-value cache."""
        return self.model.size + self.model.kv_bytes(self.window.num_ctx)

    def take_prefix(self, tokens: Sequence[Token]) -> int:
        """Tokens of the prompt that need no evaluation; the last one always does."""
        here = common_prefix(self.slot, tokens)
        best = max(self.evicted, key=lambda held: common_prefix(held, tokens), default=[])
        before, found = self.slot, common_prefix(best, tokens)
        if found > here:
            # Taken out first: what is kept next may push the oldest out.
            self.evicted.remove(best)
        if here < len(before):
            self._keep(before)
        here = max(here, found)
        self.slot = list(tokens[:here])
        return min(here, max(len(tokens) - 1, 0))

    def _keep(self, tokens: list[Token]) -> None:
        self.evicted.append(tokens)
        limit = HOST_CACHE_BYTES // max(self.model.kv_bytes(1), 1)
        while self.evicted and sum(map(len, self.evicted)) > limit:
            self.evicted.pop(0)


class Turns:
    """Requests for one model, served one at a time in the order they came."""

    def __init__(self) -> None:
        self._queue: collections.deque[object] = collections.deque()
        self._moved = threading.Condition()

    @contextlib.contextmanager
    def turn(self, look: Callable[[], None]) -> Iterator[None]:
        """Wait for one's turn, for as long as `look` does not raise, and have it."""
        ticket = object()
        with self._moved:
            self._queue.append(ticket)
        try:
            while True:
                with self._moved:
                    if self._queue[0] is ticket or self._moved.wait_for(
                        lambda: self._queue[0] is ticket, timeout=0.02
                    ):
                        break
                look()
            yield
        finally:
            with self._moved:
                self._queue.remove(ticket)
                self._moved.notify_all()


class Scheduler:
    """Which models are loaded, and with what. The key of a runner is its weights."""

    def __init__(self, double: OllamaDouble) -> None:
        self.double = double
        self._lock = threading.RLock()
        self._runners: dict[str, Runner] = {}
        self._turns: dict[str, Turns] = {}
        self._awaiting_load = 0

    @property
    def awaiting_load(self) -> int:
        """How many requests wait for a load, the one that is loading included."""
        return self._awaiting_load

    def loaded(self) -> list[Runner]:
        """What is in memory, latest to expire first."""
        with self._lock:
            now = self.double.now()
            for blob, runner in list(self._runners.items()):
                if runner.expires_at <= now and not runner.busy:
                    del self._runners[blob]
            return sorted(self._runners.values(), key=lambda r: r.expires_at, reverse=True)

    def unload(self, model: DoubleModel) -> None:
        """Drop the model and its caches from memory."""
        with self._lock:
            self._runners.pop(model.blob, None)

    def unload_all(self) -> None:
        """Drop everything."""
        with self._lock:
            self._runners.clear()

    @contextlib.contextmanager
    def running(
        self,
        handler: Handler,
        request: Request,
        model: DoubleModel,
        options: Mapping[str, Any],
        shift: bool,
    ) -> Iterator[tuple[Runner, int]]:
        """The loaded model, for one request at a time, and the nanoseconds its load took.

        Waiting for a loaded model has no limit; waiting for a load is refused with a
        503 where too many do it already.
        """
        double = self.double
        default = double.behaviour.default_window(double.vram_gib)
        num_ctx, asked = asked_window(model, options, double.context_length, default)
        num_ctx = min(num_ctx, double.serves_at_most or num_ctx)
        key = runner_key(options, num_ctx, shift if double.behaviour.halves else True)
        begun = time.perf_counter_ns()
        with self._lock:
            turns = self._turns.setdefault(model.blob, Turns())
            queued = self._ready(model, key) is None
            if queued and self._awaiting_load > double.max_queue:
                raise ApiError(503, BUSY_TEXT)
            self._awaiting_load += queued
        try:
            with turns.turn(handler.look):
                if (runner := self._ready(model, key)) is None:
                    runner = self._load(handler, request, model, key, num_ctx, asked)
                else:
                    begun = time.perf_counter_ns()
                if queued:
                    self._load_over()
                    queued = False
                request.num_ctx = runner.window.num_ctx
                runner.busy = True
                try:
                    yield runner, time.perf_counter_ns() - begun
                finally:
                    runner.busy = False
        except Hangup:
            # Nobody reads it, but this is what the server's log says.
            request.status = request.status or 499
            raise
        finally:
            if queued:
                self._load_over()

    def _load_over(self) -> None:
        with self._lock:
            self._awaiting_load -= 1

    def _ready(self, model: DoubleModel, key: tuple[object, ...]) -> Runner | None:
        self.loaded()
        with self._lock:
            runner = self._runners.get(model.blob)
            return runner if runner is not None and runner.key == key else None

    def _load(
        self,
        handler: Handler,
        request: Request,
        model: DoubleModel,
        key: tuple[object, ...],
        num_ctx: int,
        asked: bool,
    ) -> Runner:
        """Load the model, evicting what is in its way. A client that leaves aborts the load."""
        double = self.double
        request.reloaded = True
        with self._lock:
            self.unload(model)
            others = self.loaded()
            while len(others) >= max(double.max_loaded, 1):
                self.unload(others.pop().model)
        handler.wait(double.load_s)
        pad = PAD if double.behaviour.halves else 1
        for window in (num_ctx, *(() if asked else SMALLER_WINDOWS)):
            runner = Runner(model, key, Window(min(window, num_ctx), pad))
            if double.memory_gib is None or runner.bytes() <= double.memory_gib * GIB:
                runner.expires_at = double.now() + double.keep_alive_s
                with self._lock:
                    self._runners[model.blob] = runner
                return runner
        raise ApiError(500, OUT_OF_MEMORY_TEXT)

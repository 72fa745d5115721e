"""A stand-in for Ollama: its protocol over real HTTP, with its limits and its failures.

    with OllamaDouble() as double:
        httpx.post(double.url + "/api/chat", json={...})
        double.fault = Fault.CUT_MID_CHUNK
        assert double.same_window()

By hand: `python -m tests.ollama_double --port 11434 --fault cut-mid-chunk`.
"""

from __future__ import annotations

import dataclasses
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from tests.ollama_double_faults import MID_STREAM, Fault, Injection
from tests.ollama_double_models import (
    DEFAULT_MODELS,
    QWEN2,
    QWEN2_128K,
    QWEN2_NATIVE,
    DoubleModel,
    full_name,
)
from tests.ollama_double_options import ApiError, Behaviour, behaviour
from tests.ollama_double_prompts import Messages, Tokenize, pieces
from tests.ollama_double_records import Request, generating, prefix_lengths
from tests.ollama_double_replies import quoting_reply
from tests.ollama_double_routes import Service
from tests.ollama_double_runners import Scheduler
from tests.ollama_double_store import Store
from tests.ollama_double_wire import Handler, Listener, reserved_socket

__all__ = [
    "QWEN2",
    "QWEN2_128K",
    "QWEN2_NATIVE",
    "DoubleModel",
    "Fault",
    "Injection",
    "OllamaDouble",
    "Request",
]

Reply = Callable[[Messages, Mapping[str, object]], str | Iterable[str]]


class OllamaDouble:
    """A server that behaves like Ollama, for tests and for trying things by hand.

    Everything given here may also be set later, but for `version`, `host` and `port`.
    Bugs of the double itself and exceptions of a reply hook are kept in `failures`
    and raised where the `with` block ends.
    """

    def __init__(
        self,
        *,
        version: str = "0.33.0",
        models: Iterable[DoubleModel] = DEFAULT_MODELS,
        reply: Reply | str | Sequence[str] = quoting_reply,
        tokenize: Tokenize = pieces,
        prompt_count: str | None = None,
        vram_gib: float = 0.0,
        memory_gib: float | None = None,
        context_length: int | None = None,
        serves_at_most: int | None = None,
        load_s: float = 0.01,
        prefill_tokens_per_s: float = 1_000_000.0,
        tokens_per_s: float | None = None,
        pull_s: float = 0.0,
        keep_alive_s: float = 300.0,
        max_queue: int = 512,
        max_loaded: int = 3,
        library: Iterable[DoubleModel] = (),
        fault: Fault | Injection | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        """Prepare a double; `start()` or `with` makes it listen.

        Args:
            version: `0.5.0` and `0.12.5` ignore truncate and shift, `0.30.0` counts uncached
                prompt tokens only, `0.33.0` is current, `newer` adds prompt_eval_cached_count.
            models: what is installed.
            reply: called with the messages the model got to see and the options; returns the
                text, or its tokens one by one. Or the text or the tokens themselves.
            tokenize: text to tokens; a real tokenizer's ids will do.
            prompt_count: how prompt tokens are reported, whatever the version does: `total`,
                `uncached`, `split` (with the cached ones) or `missing`.
            vram_gib: memory of the GPU; decides the default window, and what /api/ps spills.
            memory_gib: memory for all loaded models; None is as much as it takes.
            context_length: OLLAMA_CONTEXT_LENGTH.
            serves_at_most: a window that larger ones are cut to without a word, whatever
                `/api/show` says; only `/api/ps` tells.
            load_s: seconds to load a model.
            prefill_tokens_per_s: speed of reading a prompt.
            tokens_per_s: speed of writing; None is at once.
            pull_s: seconds to pull a model.
            keep_alive_s: how long a model stays loaded.
            max_queue: requests that may wait for a load; more are refused.
            max_loaded: models loaded at a time.
            library: what `/api/pull` finds.
            fault: see `Fault`.
            host: where to listen.
            port: 0 takes a free one, and keeps it over `stop()` and `start()`.
        """
        self.behaviour: Behaviour = behaviour(version, prompt_count)
        self.newer = behaviour(version).count == "split"
        self.models = list(models)
        self.library = list(library)
        self.reply_with(reply)
        self.tokenize = tokenize
        self.vram_gib = vram_gib
        self.memory_gib = memory_gib
        self.context_length = context_length
        self.serves_at_most = serves_at_most
        self.load_s = load_s
        self.prefill_tokens_per_s = prefill_tokens_per_s
        self.tokens_per_s = tokens_per_s
        self.pull_s = pull_s
        self.keep_alive_s = keep_alive_s
        self.max_queue = max_queue
        self.max_loaded = max_loaded
        self.host = host
        self.port = port
        self.requests: list[Request] = []
        self.failures: list[BaseException] = []
        self.scheduler = Scheduler(self)
        self.store = Store(self)
        self.disk_full = False
        """Uploads and creations fail for want of room."""
        self.pull_error = ""
        """What a pull fails with, half-way."""
        self.pulled: dict[str, int] = {}
        """Quarters of each blob that interrupted pulls have brought."""
        self._service = Service(self)
        self._listener: Listener | None = None
        self._closed_listeners: list[Listener] = []
        """Their busy connections live on."""
        self._holder: socket.socket | None = None
        self._started = False
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._skipped_s = 0.0
        self._injection: Injection | None = None
        self._pending_fault = fault
        self.on_end: Callable[[Request], None] | None = None
        """Called when the server is through with a request, from its thread."""

    # --- life ---------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        """Where it serves, without a slash at the end."""
        return f"http://{self.host}:{self.port}"

    def start(self) -> OllamaDouble:
        """Listen; after `stop()` again on the same port, with nothing loaded."""
        if self._started:
            return self
        self._started = True
        fault, self._pending_fault = self._pending_fault, None
        if fault is not None:
            self.fault = fault
        if self.fault is not Fault.REFUSE:
            self._listen()
        return self

    def stop(self) -> None:
        """Die as if killed: connections break, loaded models and their caches are lost."""
        if not self._started:
            return
        self._started = False
        self._close()
        for listener in self._closed_listeners:
            listener.drop_connections(busy_too=True)
        self._closed_listeners.clear()
        self.scheduler.unload_all()

    def __enter__(self) -> OllamaDouble:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        self.stop()
        self._release()
        if kind is None and self.failures:
            raise self.failures[0]

    def _listen(self) -> None:
        self._release()
        self._listener = Listener(self, self.host, self.port)
        self.port = self._listener.server_port

    def _close(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.close()
            self._closed_listeners.append(listener)
            self._holder = reserved_socket(self.host, self.port)

    def _release(self) -> None:
        holder, self._holder = self._holder, None
        if holder is not None:
            holder.close()

    # --- faults -------------------------------------------------------------------------------

    @property
    def fault(self) -> Fault | None:
        """The fault in force; set a `Fault`, an `Injection`, or None to clear it."""
        return self._injection.fault if self._injection else None

    @fault.setter
    def fault(self, fault: Fault | Injection | None) -> None:
        injection = Injection(fault) if isinstance(fault, Fault) else fault
        was = self.fault
        with self._changed:
            self._injection = injection
            self._changed.notify_all()
        if self._started and was is not self.fault:
            if self.fault is Fault.REFUSE:
                self._close()
            elif was is Fault.REFUSE:
                self._listen()

    def inject(
        self,
        fault: Fault,
        *,
        count: int | None = None,
        after_tokens: int = 2,
        seconds: float | None = None,
        paths: Iterable[str] | None = None,
    ) -> Injection:
        """Set a fault with its details: see `Injection`."""
        if fault is Fault.REFUSE and count is not None:
            raise ValueError("a refused connection cannot be counted: clear the fault instead")
        chosen = None if paths is None else frozenset(paths)
        injection = Injection(fault, count, after_tokens, seconds, chosen)
        self.fault = injection
        return injection

    def injected(self, injection: Injection) -> bool:
        """True while this fault has been neither cleared nor replaced."""
        return self._injection is injection

    def strike(self, request: Request, *, mid_stream: bool) -> Injection | None:
        """The fault that hits this request at this stage, if any; counts it."""
        with self._lock:
            injection = self._injection
            if injection is None or mid_stream != (injection.fault in MID_STREAM):
                return None
            if not injection.hits(request.path):
                return None
            injection.struck += 1
            request.fault = injection.fault
            return injection

    # --- what is installed and loaded ---------------------------------------------------------

    def reply_with(self, reply: Reply | str | Sequence[str]) -> None:
        """Say this from now on: a text, its tokens, or what a function returns."""
        if callable(reply):
            self._reply: Reply = reply
        else:
            fixed = reply if isinstance(reply, str) else list(reply)
            self._reply = lambda messages, options: fixed

    def reply(self, messages: Messages, options: Mapping[str, object]) -> str | Iterable[str]:
        """The reply to these messages; a hook that fails is a 500, and remembered."""
        try:
            return self._reply(messages, options)
        except Exception as exc:
            self.failures.append(exc)
            raise ApiError(500, f"the reply hook failed: {exc!r}") from exc

    def model(self, name: str) -> DoubleModel | None:
        """The installed model of that name."""
        wanted = full_name(name)
        return next((model for model in self.models if full_name(model.name) == wanted), None)

    def pullable(self, name: str) -> DoubleModel | None:
        """The model that a pull of that name brings."""
        wanted = full_name(name)
        found = next((model for model in self.library if full_name(model.name) == wanted), None)
        return found or self.model(name)

    def install(self, model: DoubleModel) -> None:
        """Add a model, or replace the one of that name."""
        self.models = [old for old in self.models if old.name != model.name] + [model]

    def copy(self, source: str, destination: str) -> bool:
        """A second name for installed weights; False where there is no source."""
        model = self.model(source)
        if model is None or not destination:
            return False
        weights = model.weights or model.name
        self.install(dataclasses.replace(model, name=full_name(destination), weights=weights))
        return True

    def remove(self, name: str) -> bool:
        """Uninstall; False where it is not installed."""
        model = self.model(name)
        if model is None:
            return False
        self.scheduler.unload(model)
        self.models = [old for old in self.models if old is not model]
        return True

    def now(self) -> float:
        """The double's clock."""
        return time.monotonic() + self._skipped_s

    def skip(self, seconds: float) -> None:
        """Let time pass, for keep_alive: models whose time is up are unloaded."""
        self._skipped_s += seconds

    # --- what was asked -----------------------------------------------------------------------

    def serve(self, handler: Handler, raw: bytes) -> None:
        """Answer one request."""
        try:
            self._service.serve(handler, raw)
        finally:
            request = handler.request_record
            if request is not None:
                request.end()
                if self.on_end is not None:
                    self.on_end(request)

    def record(self, request: Request) -> None:
        """Remember a request, from its arrival on."""
        with self._changed:
            self.requests.append(request)
            self._changed.notify_all()

    def wait_for_requests(self, count: int, path: str | None = None, timeout: float = 5.0) -> bool:
        """Wait until so many requests (of that path) have arrived."""
        with self._changed:
            return self._changed.wait_for(
                lambda: sum(path in {None, r.path} for r in self.requests) >= count, timeout
            )

    def chats(self) -> list[Request]:
        """The chat and generate requests, preloads included, in order of arrival."""
        return generating(self.requests)

    def window_settings(self) -> set[tuple[str, object, object]]:
        """The (model, num_ctx, shift) that chat and generate requests asked for."""
        return {request.window_settings for request in self.chats()}

    def same_window(self) -> bool:
        """True where all of them asked for one num_ctx and one shift, so that nothing reloads.

        False where there was no request to judge by.
        """
        return len({settings[1:] for settings in self.window_settings()}) == 1

    def never_truncates(self) -> bool:
        """True where all prompts came with `truncate: false`, and none lost anything.

        False where there was no prompt to judge by.
        """
        prompts = [request for request in self.chats() if request.has_prompt]
        return bool(prompts) and all(
            request.body.get("truncate") is False and not request.truncated for request in prompts
        )

    def common_prefix_lengths(self) -> list[int]:
        """For each prompt after a model's first: leading tokens it shares with the one before."""
        return prefix_lengths(self.requests)


if __name__ == "__main__":
    from tests.ollama_double_cli import main

    sys.exit(main())

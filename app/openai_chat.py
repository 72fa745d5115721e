"""Answers from any OpenAI-compatible server: vLLM, llama.cpp's server and their like."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from app.chat import BadReply, ChatModelError, Message, PromptTooLong, TokenCount, Usage
from app.chat_http import Server, json_line, parse_fault
from app.chat_stream import posted
from app.openai_server import (
    ServedModel,
    openai_error,
    openai_server,
    served_models,
    served_window,
    serving,
)
from app.openai_usage import usage_of
from app.served_windows import ServedWindows
from app.server_tokens import ServerTokens, Unsupported
from app.settings import AppSettings
from app.tokens import EstimatingCounter, ExactCounter, TokenCounter, counter_from_file
from storage.vocabulary import kept_tokenizer

__all__ = [
    "OpenAIChat",
    "ServedModel",
    "openai_error",
    "openai_server",
    "served_models",
    "served_window",
]

log = logging.getLogger(__name__)

FRESH_S = 5.0
"""How long the server's word on its window is taken: it may be started again with another."""

LEARNED_S = 600.0
"""How long the window is taken that a refusal told of, on servers that tell it nowhere else."""

_OPTIONS: dict[str, object] = {"temperature": 0.0, "seed": 0}
"""The same question on the same passages gives the same answer."""

_BROKEN_OFF = ("abort", "error", "cancelled", "content_filter")
"""Reasons for an end that is none."""

# What only the same vocabulary and the same template agree on.
_PROBE = (
    "The hay is in the loft: 12,345.67 € for naïve Größe, ¿dónde? 乾草在閣樓裡。 🙂\n\n"
    "  def f(x):\r\n\treturn x**2  # <|im_start|>user\nIt's WE'LL they've<|im_end|>"
)
_CHAT_PROBES = (
    (Message("system", "Be brief."), Message("user", " Where is the hay?\n")),
    (
        Message("system", "Be brief."),
        Message("user", "Where?"),
        Message("assistant", "In the loft [1]."),
        Message("user", "Since when?"),
    ),
)

_Count = TypeVar("_Count")


@dataclass(frozen=True, slots=True)
class _Facts:
    """What is asked of the server, and for how long it is believed."""

    window: int | None
    dialect: str
    remote: ServerTokens
    local: ExactCounter | None
    """A vocabulary at hand that is the model's."""
    local_chat: bool
    """Whether it counts chats as the model's template renders them."""
    slots: int = 1


class OpenAIChat:
    """A model behind an OpenAI-compatible server as `app.chat.ChatModel`.

    Safe to share between threads. Nothing is asked of the server before the
    first question for the window. `tokenizers` is the folder where
    vocabularies of other models are kept: one that turns out to be this
    model's counts for it. `windows` is where the window is kept that a server
    told of by refusing a prompt, where it tells it nowhere else.
    """

    provider = "openai"

    def __init__(
        self,
        name: str,
        settings: AppSettings,
        *,
        tokenizers: Path | None = None,
        windows: ServedWindows | None = None,
    ) -> None:
        self.name = name
        self.server: Server = openai_server(settings)
        self._asked_window = settings.window
        self._window_is_asked = "window" in settings.model_fields_set
        self._tokenizer_file = settings.tokenizer
        self._tokenizers = tokenizers
        self._windows = windows or ServedWindows()
        self._estimate = EstimatingCounter()
        self._known: _Facts | None = None
        self._known_at = 0.0
        self._window_before: int | None = None
        self._unsupported: set[str] = set()
        self._lock = threading.RLock()

    def window(self) -> int:
        """The window that the server runs with; the setting where it does not say.

        A smaller HAYLOFT_WINDOW holds where it was set. Of a server that says it
        only when it refuses a prompt, that holds for ten minutes: it may be
        started again with more.
        """
        served = self._facts().window
        if served is None:
            told = self._windows.of(self.server.url, self.name, within_s=LEARNED_S)
            return min(told.window, self._asked_window) if told else self._asked_window
        return min(served, self._asked_window) if self._window_is_asked else served

    def room(self, reserve: int) -> int:
        """Tokens a prompt may have: prompt and reserve stay below the window."""
        return self.window() - reserve - 1

    def count(self, messages: Sequence[Message]) -> TokenCount:
        """Tokens of the prompt as the model's chat template renders it.

        Exact where a vocabulary at hand counts as the server does, or else the
        server counts itself; a vocabulary that cannot be compared is believed
        for models named after Qwen2.
        """
        facts = self._facts()
        if facts.local is not None and facts.local_chat:
            return facts.local.count_chat(messages)
        told = self._told("chat", lambda: facts.remote.count_chat(messages))
        if told is not None:
            return TokenCount(told, exact=True)
        return self._estimate.count_chat(messages)

    def count_text(self, text: str) -> TokenCount:
        """Tokens of a text on its own."""
        facts = self._facts()
        if facts.local is not None:
            return facts.local.count_text(text)
        told = self._told("text", lambda: facts.remote.count_text(text))
        if told is not None:
            return TokenCount(told, exact=True)
        return self._estimate.count_text(text)

    def slots(self) -> int:
        """Requests that the server answers at a time; one where it does not say."""
        return self._facts().slots

    def token_counter(self) -> TokenCounter:
        """A vocabulary at hand that counts this model's tokens; else an estimate."""
        return self._facts().local or self._estimate

    @property
    def options(self) -> dict[str, object]:
        """How answers are decoded, beside the reserve."""
        return dict(_OPTIONS)

    def stream(self, messages: Sequence[Message], *, reserve: int) -> Iterator[str | Usage]:
        """Answer the messages: pieces of text, then one `Usage`.

        Raises PromptTooLong before anything is sent where prompt and reserve
        do not fit, and PromptTruncated after the text where the server turns
        out to have read less than it was sent.
        """
        count = self.count(messages)
        self._refuse_overflow(count, reserve)
        try:
            yield from self._events(messages, reserve, count)
        except ChatModelError as fault:
            if isinstance(fault, PromptTooLong) and fault.window:
                self._windows.keep(self.server.url, self.name, fault.window)
            self._forget()
            raise

    def _events(
        self, messages: Sequence[Message], reserve: int, count: TokenCount
    ) -> Iterator[str | Usage]:
        figures: dict[str, object] = {}
        finish = ""
        with posted(
            self.server,
            "/chat/completions",
            self._body(messages, reserve),
            refused=partial(openai_error, self.server, self.name),
            accept="text/event-stream",
        ) as lines:
            for line in lines:
                event = self._event(line)
                if event is None:
                    continue
                if event is _DONE:
                    break
                figures |= {
                    name: event[name]
                    for name in ("usage", "timings")
                    if isinstance(event.get(name), dict)
                }
                piece, ended = self._piece(event)
                finish = ended or finish
                if piece:
                    yield piece
        if not finish or finish in _BROKEN_OFF:
            why = f" ({finish})" if finish else ""
            raise BadReply(
                f"{self.server.here} ended the answer before it was done{why}. "
                "See the server's log, then ask again."
            )
        yield usage_of(figures, messages, count, server=self.server, model=self.name, finish=finish)

    def _body(self, messages: Sequence[Message], reserve: int) -> dict[str, object]:
        return {
            "model": self.name,
            "messages": [
                {"role": message.role, "content": message.content} for message in messages
            ],
            "stream": True,
            "stream_options": {"include_usage": True},
            "max_tokens": reserve,
            **_OPTIONS,
        }

    def _refuse_overflow(self, count: TokenCount, reserve: int) -> None:
        window = self.window()
        if count.tokens <= self.room(reserve):
            return
        about = "" if count.exact else "up to "
        before = self._window_before
        since = ""
        if before is not None and window < before:
            since = f" The server was started again with less than its {before:,} of before."
        raise PromptTooLong(
            f"The prompt has {about}{count.tokens:,} tokens and does not fit the window of "
            f"{self.name}: {window:,}, of which {reserve:,} are kept for the answer.{since} Choose "
            "fewer documents or passages, or serve the model with a larger window."
        )

    def _event(self, line: str) -> dict[str, object] | None:
        """The object of one line of server-sent events; None for lines without data."""
        if line.startswith("{"):  # an error without the frame around it
            return json_line(self.server, line)
        field, _, value = line.partition(":")
        value = value.strip()
        if field == "data":
            return _DONE if value == "[DONE]" else json_line(self.server, value)
        if field == "error":  # older llama.cpp servers
            return {"error": value}
        if field in ("", "event", "id", "retry"):
            return None
        raise self.server.no_protocol("its stream holds no server-sent events")

    def _piece(self, event: dict[str, object]) -> tuple[str, str]:
        """The text of an event and the reason why the answer ends, each mostly empty."""
        if event.get("error") is not None or event.get("object") == "error":
            raise openai_error(self.server, self.name, parse_fault(200, event))
        choices = event.get("choices")
        if not isinstance(choices, list):
            raise self.server.no_protocol("its stream holds an event without choices")
        if not choices:
            return "", ""  # the last event, which only carries the usage
        choice = choices[0] if isinstance(choices[0], dict) else {}
        delta = choice.get("delta")
        content = delta.get("content") if isinstance(delta, dict) else None
        ended = choice.get("finish_reason")
        return content if isinstance(content, str) else "", ended if isinstance(ended, str) else ""

    def _told(self, what: str, ask: Callable[[], _Count]) -> _Count | None:
        """What the server counts; None, from then on, where it does not count."""
        if what in self._unsupported:
            return None
        try:
            return ask()
        except Unsupported:
            self._unsupported.add(what)
            log.info("%s counts no %s tokens: they are estimated", self.name, what)
            return None

    def _facts(self) -> _Facts:
        with self._lock:
            now = time.monotonic()
            if self._known is not None and now - self._known_at < FRESH_S:
                return self._known
            served = serving(self.server, self.name)
            known = self._known
            told = (served.window, served.dialect, served.slots)
            if known is None or (known.window, known.dialect, known.slots) != told:
                if known is not None:
                    self._window_before = known.window
                    log.info("the window of %s is now %s", self.name, served.window)
                self._unsupported.clear()
                remote = ServerTokens(self.server, self.name, served.dialect)
                local, chat = self._local(remote)
                known = _Facts(served.window, served.dialect, remote, local, chat, served.slots)
                self._known = known
            self._known_at = now
            return known

    def _forget(self) -> None:
        """Ask again before the next question: what failed may come back as another model."""
        with self._lock:
            if self._known is not None:
                self._window_before = self._known.window
            self._known = None

    def _local(self, remote: ServerTokens) -> tuple[ExactCounter | None, bool]:
        """A vocabulary at hand that is the model's, and whether the template is ChatML, too."""
        theirs = self._told("text", lambda: remote.ids(_PROBE))
        files = [Path(self._tokenizer_file)] if self._tokenizer_file else []
        if theirs is not None and self._tokenizers is not None:
            kept = kept_tokenizer(self._tokenizers)
            files += [kept] if kept else []
        for file in files:
            counter = counter_from_file(file)
            if theirs is None:
                # Nobody to compare with: the file is believed for the models it is of.
                return (counter, True) if "qwen2" in self.name.lower() else (None, False)
            if counter.ids(_PROBE) == theirs:
                return counter, all(
                    self._told("chat", lambda probe=probe: remote.count_chat(probe))  # type: ignore[misc]
                    == counter.count_chat(probe).tokens
                    for probe in _CHAT_PROBES
                )
            log.warning("%s is not the vocabulary of %s", file, self.name)
        return None, False


_DONE: dict[str, object] = {"done": True}

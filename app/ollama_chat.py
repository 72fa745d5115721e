"""Answers from Ollama, through its native API, with nothing cut in silence.

Every request carries `truncate: false`, `shift: false` and the same
`num_ctx`: the first two make Ollama refuse what it would otherwise halve, the
third keeps the model (and its prefix cache) loaded, since Ollama reloads it
for another `num_ctx` or `shift`.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from app.chat import BadReply, ChatModelError, Message, PromptTooLong, TokenCount, Usage
from app.chat_http import Server, json_line, parse_fault
from app.chat_stream import posted
from app.ollama_counting import counter_of, default_system_of
from app.ollama_server import (
    InstalledModel,
    ModelCard,
    find_model,
    installed_models,
    loaded_model,
    model_card,
    ollama_error,
    ollama_server,
    ollama_url,
    served_window,
    server_version,
    trained_window,
)
from app.ollama_usage import FROM_SOURCE, may_leave_out_cached, usage_of
from app.served_windows import ServedWindows
from app.settings import AppSettings
from app.tokens import TokenCounter

__all__ = [
    "OllamaChat",
    "installed_models",
    "ollama_url",
    "served_window",
    "server_version",
    "trained_window",
]

log = logging.getLogger(__name__)

KEEP_ALIVE = "30m"
"""How long Ollama keeps the model loaded after an answer; its own 5 min lose the prefix cache."""

_OPTIONS: dict[str, object] = {
    # The same question on the same passages gives the same answer.
    "temperature": 0.0,
    "seed": 0,
    # Qwen2's own value; Ollama's default of 1.1 punishes quoting the passages.
    "repeat_penalty": 1.05,
}

_REFUSES_SINCE = (0, 12, 6)
"""Servers before this one ignore `truncate` and `shift` without an error."""
FRESH_S = 5.0
"""How long the model's digest is taken as it was: it may be made anew under the same name."""


@dataclass(frozen=True, slots=True)
class _Facts:
    """What is asked of the server once."""

    version: tuple[int, int, int] | None
    digest: str
    """Of the model; empty where the server tells none."""
    card: ModelCard
    counter: TokenCounter
    chatml: bool
    default_system: str


class OllamaChat:
    """A model of Ollama as `app.chat.ChatModel`. Safe to share between threads.

    Nothing is asked of the server before the first count or question.
    `tokenizers` is a folder where the vocabularies of served models are kept;
    None keeps none. `windows` is where it is kept that the server serves less
    than it was asked for.
    """

    provider = "ollama"

    def __init__(
        self,
        name: str,
        settings: AppSettings,
        *,
        tokenizers: Path | None = None,
        windows: ServedWindows | None = None,
    ) -> None:
        self.name = name
        self.server: Server = ollama_server(
            settings.ollama_url,
            connect_timeout_s=settings.connect_timeout_s,
            answer_timeout_s=settings.answer_timeout_s,
        )
        self.keep_alive = KEEP_ALIVE
        self._asked_window = settings.window
        self._tokenizer_file = settings.tokenizer
        self._tokenizers = tokenizers
        self._windows = windows or ServedWindows()
        self._known: _Facts | None = None
        self._known_at = 0.0
        self._lock = threading.Lock()

    def window(self) -> int:
        """The smallest of the window asked for, the trained one, and what was served of it.

        Ollama clamps without saying so; what a load came to is known after it.
        """
        asked = self.num_ctx()
        served = self._windows.of(self.server.url, self.name)
        if served is None:
            return asked
        if served.digest != self._facts().digest:
            self._windows.forget(self.server.url, self.name)
            return asked
        loaded = self._loaded_window()
        if loaded is not None and loaded > served.window:
            # Started again, or loaded by somebody else: it serves more by now.
            return self._learn(loaded, asked)
        return min(served.window, asked)

    def num_ctx(self) -> int:
        """The window that requests ask for; the same whatever is served of it.

        Another value would load the model anew, and hide that more is served again.
        """
        trained = self._fresh_facts().card.trained_window
        return min(self._asked_window, trained) if trained else self._asked_window

    def room(self, reserve: int) -> int:
        """Tokens a prompt may have: prompt and reserve stay below the window."""
        window = self.window()
        return window - reserve - self._margin(window) - 1

    def count(self, messages: Sequence[Message]) -> TokenCount:
        """Tokens of the prompt as the model's template renders it.

        Exact with the model's own vocabulary and a ChatML template.
        """
        facts = self._facts()
        turns = merged(messages)
        count = facts.counter.count_chat(turns, default_system=facts.default_system)
        return TokenCount(count.tokens, count.exact and facts.chatml)

    def count_text(self, text: str) -> TokenCount:
        """Tokens of a text on its own."""
        return self._facts().counter.count_text(text)

    @property
    def options(self) -> dict[str, object]:
        """How answers are decoded, beside the window and the reserve."""
        return dict(_OPTIONS)

    def token_counter(self) -> TokenCounter:
        """What this model's tokens are counted with."""
        return self._facts().counter

    def stream(self, messages: Sequence[Message], *, reserve: int) -> Iterator[str | Usage]:
        """Answer the messages: pieces of text, then one `Usage`.

        Raises PromptTooLong before anything is sent where prompt and reserve
        do not fit, and PromptTruncated after the text where the server turns
        out to have read less than it was sent.
        """
        num_ctx = self.num_ctx()
        count = self.count(messages)
        self._refuse_overflow(count, reserve)
        fresh = may_leave_out_cached(self._facts().version) and not self._may_be_loaded()
        try:
            final = yield from self._pieces(self._body(messages, reserve, num_ctx))
        except ChatModelError as fault:
            if isinstance(fault, PromptTooLong):
                self._learn(self._loaded_window() or fault.window, num_ctx)
            self._forget()
            raise
        self._learn(self._loaded_window(), num_ctx)
        yield usage_of(
            final,
            messages,
            count,
            server=self.server,
            model=self.name,
            version=self._facts().version,
            fresh=fresh,
        )

    def _may_be_loaded(self) -> bool:
        try:
            return loaded_model(self.server, self.name) is not None
        except ChatModelError:
            return True

    def _loaded_window(self) -> int | None:
        """The window that the model is loaded with now; None where nobody says."""
        try:
            return served_window(self.server, self.name)
        except ChatModelError:
            return None

    def _learn(self, served: int | None, asked: int) -> int:
        """Keep what was served where that is less than was asked for; what counts from now on."""
        place = (self.server.url, self.name)
        known = self._windows.of(*place)
        if served is None:
            return asked if known is None else min(known.window, asked)
        if served >= asked:
            self._windows.forget(*place)
        elif known is None or known.window != served:
            self._windows.keep(*place, served, digest=self._facts().digest)
        return min(served, asked)

    def _pieces(self, body: dict[str, object]) -> Generator[str, None, dict[str, object]]:
        """The pieces of the answer; returns the last line, which has the figures."""
        refused = partial(ollama_error, self.server, self.name)
        with posted(self.server, "/api/chat", body, refused=refused) as lines:
            for line in lines:
                chunk = json_line(self.server, line)
                if chunk.get("error") is not None:
                    raise refused(parse_fault(200, chunk))
                if piece := self._piece(chunk):
                    yield piece
                if chunk.get("done") is True:
                    return chunk
        # Ollama ends so when the model repeats itself, and when its process reports an error.
        raise BadReply(
            f"{self.server.here} ended the answer before it was done. "
            "Ask again, perhaps in other words."
        )

    def _body(self, messages: Sequence[Message], reserve: int, num_ctx: int) -> dict[str, object]:
        return {
            "model": self.name,
            "messages": [
                {"role": message.role, "content": message.content} for message in merged(messages)
            ],
            "stream": True,
            "truncate": False,
            "shift": False,
            "keep_alive": self.keep_alive,
            "options": {"num_ctx": num_ctx, "num_predict": reserve, **_OPTIONS},
        }

    def _refuse_overflow(self, count: TokenCount, reserve: int) -> None:
        window, room = self.window(), self.room(reserve)
        if count.tokens <= room:
            return
        about = "" if count.exact else "up to "
        raise PromptTooLong(
            f"The prompt has {about}{count.tokens:,} tokens and does not fit the window of "
            f"{self.name}: {window:,}, of which {window - room - 1:,} are kept free. Choose fewer "
            "documents or passages, or raise HAYLOFT_WINDOW if the model allows it."
        )

    def _margin(self, window: int) -> int:
        """Tokens kept free beside the reserve.

        Nothing where the server refuses what does not fit. An old server
        would halve in silence a prompt that is over by one token, so there
        the count must not be wrong by the little that templates differ in.
        """
        facts = self._facts()
        version = facts.version
        if version is not None and (version == FROM_SOURCE or version >= _REFUSES_SINCE):
            return 0
        return max(64, window // (50 if facts.counter.exact and facts.chatml else 10))

    def _piece(self, chunk: dict[str, object]) -> str:
        message = chunk.get("message")
        content = message.get("content", "") if isinstance(message, dict) else None
        if not isinstance(content, str):
            raise self.server.no_protocol("its stream holds a line without a message")
        return content

    def _facts(self) -> _Facts:
        with self._lock:
            if self._known is None:
                self._known, self._known_at = self._ask_facts(), time.monotonic()
            return self._known

    def _fresh_facts(self) -> _Facts:
        """The facts, asked anew where server or model are no longer those of some seconds ago."""
        with self._lock:
            now = time.monotonic()
            if self._known is not None and now - self._known_at >= FRESH_S:
                told = (server_version(self.server), _digest(self._installed()))
                if told != (self._known.version, self._known.digest):
                    log.info("%s or its server has changed", self.name)
                    self._known = None
                self._known_at = now
        return self._facts()

    def _installed(self) -> InstalledModel | None:
        return find_model(installed_models(self.server), self.name)

    def _forget(self) -> None:
        """Ask again before the next question: what failed may come back as another version."""
        with self._lock:
            self._known = None

    def _ask_facts(self) -> _Facts:
        version = server_version(self.server)
        card = model_card(self.server, self.name)
        digest = _digest(self._installed())
        return _Facts(
            version=version,
            digest=digest,
            card=card,
            counter=counter_of(
                self.server,
                self.name,
                card,
                digest,
                own_file=self._tokenizer_file,
                kept_in=self._tokenizers,
            ),
            chatml=not card.template or "<|im_start|>" in card.template,
            default_system=default_system_of(card),
        )


def _digest(installed: InstalledModel | None) -> str:
    return installed.digest.removeprefix("sha256:") if installed is not None else ""


def merged(messages: Sequence[Message]) -> list[Message]:
    """The messages with neighbours of one role made one.

    Ollama does so itself for models with a Go template, and does not for
    others: done here, both read and count the same prompt.
    """
    turns: list[Message] = []
    for message in messages:
        if turns and turns[-1].role == message.role:
            message = Message(message.role, f"{turns.pop().content}\n\n{message.content}")
        turns.append(message)
    return turns

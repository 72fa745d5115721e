"""Answers from Ollama, through its native API, with nothing cut in silence.

Every request carries `truncate: false`, `shift: false` and the same
`num_ctx`: the first two make Ollama refuse what it would otherwise halve, the
third keeps the model (and its prefix cache) loaded, since Ollama reloads it
for another `num_ctx` or `shift`.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.chat import (
    BadReply,
    ChatModelError,
    Message,
    PromptMiscounted,
    PromptTooLong,
    PromptTruncated,
    TokenCount,
    Usage,
)
from app.chat_http import (
    Server,
    encode,
    fault_of,
    json_line,
    lines,
    number,
    parse_fault,
    read_body,
)
from app.ollama_server import (
    ModelCard,
    find_model,
    installed_models,
    model_card,
    ollama_error,
    ollama_server,
    ollama_url,
    served_window,
    server_version,
    trained_window,
)
from app.settings import AppSettings
from app.tokens import (
    DEFAULT_SYSTEM,
    EstimatingCounter,
    ExactCounter,
    TokenCounter,
    counter_from_file,
    lower_bound,
    save_tokenizer,
)
from storage.vocabulary import build_tokenizer, vocabulary_of

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
_FROM_SOURCE = (0, 0, 0)
"""What a server built from source calls itself: taken for a new one."""

_NANOSECONDS = 1e9


@dataclass(frozen=True, slots=True)
class _Facts:
    """What is asked of the server once."""

    version: tuple[int, int, int] | None
    card: ModelCard
    counter: TokenCounter
    chatml: bool
    default_system: str


class OllamaChat:
    """A model of Ollama as `app.chat.ChatModel`. Safe to share between threads.

    Nothing is asked of the server before the first count or question.
    `tokenizers` is a folder where the vocabularies of served models are kept;
    None keeps none.
    """

    provider = "ollama"

    def __init__(self, name: str, settings: AppSettings, *, tokenizers: Path | None = None) -> None:
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
        self._known: _Facts | None = None
        self._lock = threading.Lock()

    def window(self) -> int:
        """The window asked for, or the trained one where that is smaller.

        Ollama clamps to the trained window without saying so.
        """
        trained = self._facts().card.trained_window
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
        count = self.count(messages)
        self._refuse_overflow(count, reserve)
        try:
            final = yield from self._pieces(self._body(messages, reserve))
        except ChatModelError:
            self._forget()
            raise
        yield self._usage(messages, count, final)

    def _pieces(self, body: dict[str, object]) -> Generator[str, None, dict[str, object]]:
        """The pieces of the answer; returns the last line, which has the figures."""
        with (
            self.server.client() as client,
            self.server.translated(),
            client.stream(
                "POST",
                f"{self.server.url}/api/chat",
                content=encode(body),
                headers={"content-type": "application/json"},
            ) as response,
        ):
            if response.status_code != 200:
                fault = fault_of(self.server, response, read_body(self.server, response))
                raise ollama_error(self.server, self.name, fault)
            for line in lines(self.server, response):
                chunk = json_line(self.server, line)
                if chunk.get("error") is not None:
                    raise ollama_error(self.server, self.name, parse_fault(200, chunk))
                if piece := self._piece(chunk):
                    yield piece
                if chunk.get("done") is True:
                    return chunk
        # Ollama ends so when the model repeats itself, and when its process reports an error.
        raise BadReply(
            f"{self.server.here} ended the answer before it was done. "
            "Ask again, perhaps in other words."
        )

    def _body(self, messages: Sequence[Message], reserve: int) -> dict[str, object]:
        return {
            "model": self.name,
            "messages": [
                {"role": message.role, "content": message.content} for message in merged(messages)
            ],
            "stream": True,
            "truncate": False,
            "shift": False,
            "keep_alive": self.keep_alive,
            "options": {"num_ctx": self.window(), "num_predict": reserve, **_OPTIONS},
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
        if version is not None and (version == _FROM_SOURCE or version >= _REFUSES_SINCE):
            return 0
        return max(64, window // (50 if facts.counter.exact and facts.chatml else 10))

    def _piece(self, chunk: dict[str, object]) -> str:
        message = chunk.get("message")
        content = message.get("content", "") if isinstance(message, dict) else None
        if not isinstance(content, str):
            raise self.server.no_protocol("its stream holds a line without a message")
        return content

    def _usage(
        self, messages: Sequence[Message], count: TokenCount, final: dict[str, object]
    ) -> Usage:
        reported = number(final.get("prompt_eval_count"))
        cached = number(final.get("prompt_eval_cached_count"))
        version, computed = self._facts().version, None
        if reported is not None and cached is not None:
            short = self._reads_short(messages, count, reported)
            if cached > reported or (short and reported + cached <= count.tokens + 1):
                reported += cached  # only what was not cached was counted
        elif reported is not None and version is not None and _surely_uncached(version):
            computed = reported
            if not count.exact or self._reads_short(messages, count, reported):
                reported = None  # the rest came from the cache
        if reported is not None and self._reads_short(messages, count, reported):
            if cached is None and _counts_uncached_only(version):
                reported, computed = None, reported  # the rest may well have come from the cache
            else:
                raise PromptTruncated(
                    f"{self.server.here} read {reported:,} of the {count.tokens:,} tokens that "
                    f"{self.name} was sent, so the answer cannot be trusted. Update Ollama, or "
                    "choose fewer documents or passages."
                )
        if reported is not None and count.exact and reported > count.tokens + _slack(messages):
            raise PromptMiscounted(
                f"{self.server.here} read {reported:,} tokens where {self.name} was sent "
                f"{count.tokens:,}: its template adds text, or its vocabulary is another, so that "
                "nothing proves that the prompt fits. Take the model's original, or set "
                "HAYLOFT_TOKENIZER to its own tokenizer."
            )
        reason = final.get("done_reason")
        return Usage(
            prompt_tokens=reported,
            cached_tokens=cached,
            computed_tokens=computed,
            answer_tokens=number(final.get("eval_count")),
            load_s=_seconds(final.get("load_duration")),
            prompt_s=_seconds(final.get("prompt_eval_duration")),
            answer_s=_seconds(final.get("eval_duration")),
            stop_reason="length" if reason == "length" else "stop",
        )

    def _reads_short(self, messages: Sequence[Message], count: TokenCount, reported: int) -> bool:
        """True where the server read less of the prompt than it was sent."""
        if count.exact:
            return reported < count.tokens - _slack(messages)
        # An estimate lies above the truth by as much as half, so it proves
        # nothing. Characters do: a prompt has never fewer tokens than
        # `lower_bound`, and the silent cut leaves half a window. 60 % of the
        # bound leaves room for text that no bound foresaw.
        least = sum(lower_bound(message.content) for message in messages)
        return reported < 0.6 * least

    def _facts(self) -> _Facts:
        with self._lock:
            if self._known is None:
                self._known = self._ask_facts()
            return self._known

    def _forget(self) -> None:
        """Ask again before the next question: what failed may come back as another version."""
        with self._lock:
            self._known = None

    def _ask_facts(self) -> _Facts:
        version = server_version(self.server)
        card = model_card(self.server, self.name)
        return _Facts(
            version=version,
            card=card,
            counter=self._counter(card),
            chatml=not card.template or "<|im_start|>" in card.template,
            default_system=_default_system(card),
        )

    def _counter(self, card: ModelCard) -> TokenCounter:
        if card.pre_tokenizer not in ("qwen2", ""):
            return EstimatingCounter()  # another family's words, which no file of Qwen2 counts
        served = self._served_counter(card)
        if served is not None:
            return served
        if self._tokenizer_file:
            return counter_from_file(Path(self._tokenizer_file))
        log.info("no vocabulary for %s: token counts are estimates", self.name)
        return EstimatingCounter()

    def _served_counter(self, card: ModelCard) -> ExactCounter | None:
        """The vocabulary of the served model itself, kept on disk under the model's digest."""
        if not card.pre_tokenizer:
            return None
        installed = find_model(installed_models(self.server), self.name)
        digest = installed.digest.removeprefix("sha256:") if installed else ""
        kept = None
        if self._tokenizers is not None and digest.isalnum():
            kept = self._tokenizers / f"{digest}.json"
            if kept.is_file():
                return counter_from_file(kept)
        vocabulary = vocabulary_of(model_card(self.server, self.name, verbose=True).metadata)
        if vocabulary is None:
            return None
        tokenizer = build_tokenizer(vocabulary)
        if kept is not None:
            save_tokenizer(tokenizer, kept)
        return ExactCounter(tokenizer)


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


def _default_system(card: ModelCard) -> str:
    """The system prompt that the server adds where a request has none."""
    if card.system:
        return card.system
    if "{%" in card.template and DEFAULT_SYSTEM in card.template:
        return DEFAULT_SYSTEM  # the template inside the GGUF file has Qwen2's own rule
    return ""


def _counts_uncached_only(version: tuple[int, int, int] | None) -> bool:
    """True where `prompt_eval_count` may leave out what came from the cache.

    So before 0.2.0 and again in 0.30.0 (mended in 0.30.1); between 0.24.0 and
    0.30.0 nobody has looked.
    """
    if version is None:
        return True
    if version == _FROM_SOURCE:
        return False
    return version < (0, 2, 0) or (0, 24, 0) < version < (0, 30, 1)


def _surely_uncached(version: tuple[int, int, int]) -> bool:
    """True where `prompt_eval_count` leaves out what came from the cache, as was seen."""
    return version != _FROM_SOURCE and (version < (0, 2, 0) or version == (0, 30, 0))


def _slack(messages: Sequence[Message]) -> int:
    """Tokens by which equal prompts may differ: templates vary in the line end after a turn."""
    return 4 + len(messages)


def _seconds(value: object) -> float | None:
    nanoseconds = number(value)
    return None if nanoseconds is None else nanoseconds / _NANOSECONDS

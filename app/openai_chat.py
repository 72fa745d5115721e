"""Answers from any OpenAI-compatible server: vLLM, llama.cpp's server and their like."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.chat import (
    BadReply,
    ChatModelError,
    Message,
    ModelBusy,
    ModelCrashed,
    ModelMissing,
    ModelUnreachable,
    PromptTooLong,
    PromptTruncated,
    TokenCount,
    Usage,
)
from app.chat_http import (
    Fault,
    Server,
    encode,
    fault_of,
    get_json,
    json_line,
    lines,
    number,
    parse_fault,
    read_body,
    too_long,
    unexpected,
)
from app.settings import AppSettings
from app.tokens import EstimatingCounter, TokenCounter, counter_from_file, lower_bound
from storage.errors import SettingsError

_SHORT_S = 30.0
"""Silence allowed for questions about models, which need no model to run."""


@dataclass(frozen=True, slots=True)
class ServedModel:
    """One entry of `/v1/models`."""

    name: str
    window: int | None = None
    """`max_model_len`, which vLLM gives; None elsewhere."""


class OpenAIChat:
    """A model behind an OpenAI-compatible server as `app.chat.ChatModel`.

    Safe to share between threads. Nothing is asked of the server before the
    first question for the window.
    """

    provider = "openai"

    def __init__(self, name: str, settings: AppSettings) -> None:
        self.name = name
        self.server: Server = openai_server(settings)
        self._fallback_window = settings.window
        self._tokenizer_file = settings.tokenizer
        self._window: int | None = None
        self._counter: TokenCounter | None = None
        self._lock = threading.Lock()

    def window(self) -> int:
        """The window that the server runs with; the setting where it does not say."""
        with self._lock:
            if self._window is None:
                self._window = served_window(self.server, self.name) or self._fallback_window
            return self._window

    def room(self, reserve: int) -> int:
        """Tokens a prompt may have: prompt and reserve stay below the window."""
        return self.window() - reserve - 1

    def count(self, messages: Sequence[Message]) -> TokenCount:
        """Tokens of the prompt as Qwen2's chat template renders it.

        Exact only for a model named after Qwen2 and with a tokenizer file.
        """
        count = self._counting().count_chat(messages)
        return TokenCount(count.tokens, count.exact and "qwen2" in self.name.lower())

    def count_text(self, text: str) -> TokenCount:
        """Tokens of a text on its own."""
        count = self._counting().count_text(text)
        return TokenCount(count.tokens, count.exact and "qwen2" in self.name.lower())

    def stream(self, messages: Sequence[Message], *, reserve: int) -> Iterator[str | Usage]:
        """Answer the messages: pieces of text, then one `Usage`.

        Raises PromptTooLong before anything is sent where prompt and reserve
        do not fit, and PromptTruncated after the text where the server turns
        out to have read less than it was sent.
        """
        count = self.count(messages)
        self._refuse_overflow(count, reserve)
        usage: dict[str, object] = {}
        finish = ""
        with (
            self.server.client() as client,
            self.server.translated(),
            client.stream(
                "POST",
                f"{self.server.url}/chat/completions",
                content=encode(self._body(messages, reserve)),
                headers={"content-type": "application/json", "accept": "text/event-stream"},
            ) as response,
        ):
            if response.status_code != 200:
                fault = fault_of(self.server, response, read_body(self.server, response))
                raise openai_error(self.server, self.name, fault)
            for line in lines(self.server, response):
                event = self._event(line)
                if event is None:
                    continue
                if event is _DONE:
                    break
                if isinstance(reported := event.get("usage"), dict):
                    usage = reported
                piece, ended = self._piece(event)
                finish = ended or finish
                if piece:
                    yield piece
        if not finish:
            raise BadReply(
                f"{self.server.here} ended the answer before it was done. "
                "See the server's log, then ask again."
            )
        yield self._usage(messages, count, usage, finish)

    def _body(self, messages: Sequence[Message], reserve: int) -> dict[str, object]:
        return {
            "model": self.name,
            "messages": [
                {"role": message.role, "content": message.content} for message in messages
            ],
            "stream": True,
            "stream_options": {"include_usage": True},
            "max_tokens": reserve,
            "temperature": 0.0,
            "seed": 0,
        }

    def _refuse_overflow(self, count: TokenCount, reserve: int) -> None:
        window = self.window()
        if count.tokens <= self.room(reserve):
            return
        about = "" if count.exact else "up to "
        raise PromptTooLong(
            f"The prompt has {about}{count.tokens:,} tokens and does not fit the window of "
            f"{self.name}: {window:,}, of which {reserve:,} are kept for the answer. Choose fewer "
            "documents or passages, or serve the model with a larger window."
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
        if event.get("error") is not None:
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

    def _usage(
        self,
        messages: Sequence[Message],
        count: TokenCount,
        usage: dict[str, object],
        finish: str,
    ) -> Usage:
        reported = number(usage.get("prompt_tokens"))
        details = usage.get("prompt_tokens_details")
        cached = number(details.get("cached_tokens")) if isinstance(details, dict) else None
        if reported is not None and _reads_short(messages, count, reported):
            raise PromptTruncated(
                f"{self.server.here} read {reported:,} of the {count.tokens:,} tokens that "
                f"{self.name} was sent, so the answer cannot be trusted. Turn off the server's "
                "truncation, or choose fewer documents or passages."
            )
        return Usage(
            prompt_tokens=reported,
            cached_tokens=cached,
            answer_tokens=number(usage.get("completion_tokens")),
            stop_reason="length" if finish == "length" else "stop",
        )

    def _counting(self) -> TokenCounter:
        with self._lock:
            if self._counter is None:
                file = self._tokenizer_file
                self._counter = counter_from_file(Path(file)) if file else EstimatingCounter()
            return self._counter


_DONE: dict[str, object] = {"done": True}


def openai_server(settings: AppSettings) -> Server:
    """The server of the settings. Raises SettingsError where none is set."""
    url = settings.openai_url.strip().rstrip("/")
    if not re.match(r"https?://[^/\s]", url):
        raise SettingsError(
            "HAYLOFT_OPENAI_URL is not an address: set it to the server's base URL, "
            "for instance http://127.0.0.1:8000/v1."
        )
    key = settings.openai_api_key.get_secret_value().strip()
    return Server(
        name="The OpenAI-compatible server",
        url=url,
        start="Start it, or correct HAYLOFT_OPENAI_URL.",
        setting="HAYLOFT_OPENAI_URL",
        connect_timeout_s=settings.connect_timeout_s,
        answer_timeout_s=settings.answer_timeout_s,
        headers={"authorization": f"Bearer {key}"} if key else None,
    )


def served_models(server: Server) -> list[ServedModel]:
    """The models that `/v1/models` lists."""
    reply = get_json(server, "GET", f"{server.url}/models", silence_s=_SHORT_S)
    if isinstance(reply, Fault):
        raise openai_error(server, "", reply)
    listed = reply.get("data")
    if not isinstance(listed, list):
        raise server.no_protocol("its list of models is no list")
    return [
        ServedModel(name, number(entry.get("max_model_len")) or None)
        for entry in listed
        if isinstance(entry, dict) and isinstance(name := entry.get("id"), str) and name
    ]


def served_window(server: Server, model: str) -> int | None:
    """The window that a model is served with, or None where the server does not say.

    vLLM tells it in `/v1/models`, llama.cpp's server in `/props` beside `/v1`.
    """
    for served in served_models(server):
        if served.name == model and served.window:
            return served.window
    root = server.url.removesuffix("/v1")
    try:
        reply = get_json(server, "GET", f"{root}/props", silence_s=_SHORT_S)
    except BadReply:
        return None  # a server without /props may well answer it with a page
    if isinstance(reply, Fault):
        return None
    generation = reply.get("default_generation_settings")
    window = number(generation.get("n_ctx")) if isinstance(generation, dict) else None
    return window or number(reply.get("n_ctx")) or None


def openai_error(server: Server, model: str, fault: Fault) -> ChatModelError:
    """The error that a fault of such a server means, with what to do about it."""
    status, about = fault.status, f"{fault.kind} {fault.text}".lower()
    if fault.too_long:
        return too_long(server, model, fault)
    if status in (401, 403):
        return ModelUnreachable(f"{server.here} refuses the key. Correct HAYLOFT_OPENAI_API_KEY.")
    if status == 404 and fault.is_json and model and "model" in about:
        return ModelMissing(
            f"{server.here} has no model {model}. Set HAYLOFT_MODEL to openai:NAME with a name "
            f"that {server.url}/models lists."
        )
    if status == 404:
        return BadReply(
            f"{server.url} is not the base of an OpenAI-compatible API (404). Set "
            "HAYLOFT_OPENAI_URL to its base URL, which usually ends in /v1."
        )
    if status == 429:
        return ModelBusy(f"{server.here} takes no more requests now: {fault.words}. Ask later.")
    if status == 503 and fault.is_json:
        if "loading" in about:
            return ModelBusy(f"{server.here} is still loading the model. Ask again in a moment.")
        return ModelBusy(f"{server.here} is overloaded. Ask again in a moment.")
    if fault.is_json and (status >= 500 or status == 200):
        return ModelCrashed(
            f"{model or 'The model'} failed on {server.here}: {fault.words}. "
            "See the server's log, then ask again."
        )
    return unexpected(server, fault)


def _reads_short(messages: Sequence[Message], count: TokenCount, reported: int) -> bool:
    if count.exact:
        return reported < count.tokens - 4 - len(messages)
    # See OllamaChat: an estimate proves nothing, the number of characters does.
    return reported < 0.6 * sum(lower_bound(message.content) for message in messages)

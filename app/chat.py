"""What a chat model is to Hayloft: the protocol, its records, its errors.

ChatModelError               the chat model cannot answer                  (exit 69)
├── ModelUnreachable         no server answers, or it went away in mid-answer
├── ModelMissing             the server does not have that model
├── ModelBusy                the server's queue is full
│   └── ModelLoading         it is still loading the model, and turns requests away meanwhile
├── ModelCrashed             the model's process died, or could not be loaded
├── PromptTooLong            the server refused the prompt: it exceeds the window
├── PromptTruncated          the server evaluated fewer tokens than were sent
├── PromptMiscounted         the server evaluated more tokens than were counted
└── BadReply                 the server answered something that is not its protocol
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from storage.errors import ServiceUnavailable

Role = Literal["system", "user", "assistant"]


class ChatModelError(ServiceUnavailable):
    """The chat model cannot answer; the message says why and what to do."""


class ModelUnreachable(ChatModelError):
    """Nobody answers at the model's address, or the connection broke."""


class ModelMissing(ChatModelError):
    """The server runs, but does not have the model."""


class ModelBusy(ChatModelError):
    """The server has too many requests waiting."""


class ModelLoading(ModelBusy):
    """The server is loading the model into memory; whoever waits is answered in the end."""


class ModelCrashed(ChatModelError):
    """The model's process could not start, ran out of memory, or died."""


class PromptTooLong(ChatModelError):
    """The prompt does not fit the served window. Nothing was cut.

    `window` is what the server serves, where it is the server that refused and says so.
    """

    def __init__(self, message: str, *, window: int | None = None) -> None:
        super().__init__(message)
        self.window = window


class PromptTruncated(ChatModelError):
    """The server read less than it was sent: its answer must not be trusted."""


class PromptMiscounted(ChatModelError):
    """The server read more than was counted: the count cannot prove that anything fits."""


class BadReply(ChatModelError):
    """The reply is not what the protocol promises (HTML, half a stream)."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a chat prompt."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class TokenCount:
    """A number of tokens, and whether it was counted or estimated."""

    tokens: int
    exact: bool


@dataclass(frozen=True, slots=True)
class Usage:
    """What the server says it did, sent as the last item of a stream.

    Token counts are None where the server does not report them; durations
    are in seconds.
    """

    prompt_tokens: int | None = None
    """Tokens of the prompt as evaluated by the server, cached ones included."""
    cached_tokens: int | None = None
    """Of these, how many came from the prefix cache."""
    computed_tokens: int | None = None
    """Of these, how many were computed now, where the server tells that instead."""
    answer_tokens: int | None = None
    load_s: float | None = None
    prompt_s: float | None = None
    answer_s: float | None = None
    stop_reason: str = "stop"
    """`stop`, or `length` where the answer hit its reserve or the window."""


@runtime_checkable
class ChatModel(Protocol):
    """A language model behind a server.

    `provider` is `ollama` or `openai`; `name` is the model's name there.
    """

    provider: str
    name: str

    def window(self) -> int:
        """The window in tokens that requests are made with (prompt and answer)."""
        ...

    def room(self, reserve: int) -> int:
        """The most tokens a prompt may have beside `reserve` tokens of answer."""
        ...

    def count(self, messages: Sequence[Message]) -> TokenCount:
        """Tokens of the rendered chat prompt, template included."""
        ...

    def count_text(self, text: str) -> TokenCount:
        """Tokens of a piece of text on its own."""
        ...

    def stream(self, messages: Sequence[Message], *, reserve: int) -> Iterator[str | Usage]:
        """Answer the messages: pieces of text, then exactly one `Usage`, last.

        At most `reserve` tokens are generated. Closing the iterator closes the
        connection, which frees the server. Raises a `ChatModelError`; a stream
        that breaks off raises after the pieces that did arrive.
        """
        ...

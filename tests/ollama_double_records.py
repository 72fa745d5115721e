"""What an Ollama double remembers of each request, and what it can be asked about them."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.ollama_double_faults import Fault
from tests.ollama_double_prompts import Token

GENERATING = frozenset({"/api/chat", "/api/generate"})


@dataclass
class Request:
    """One request and what became of it. Complete once `wait()` has returned True."""

    method: str
    path: str
    headers: dict[str, str]
    """Header names in lower case."""
    body: Any = None
    """Parsed JSON; None where there was none, or none that parses."""
    raw: bytes = b""
    status: int | None = None
    """As sent; 499 where the client left before there was one."""
    disconnected: bool = False
    """The client closed the connection before its answer was complete."""
    fault: Fault | None = None
    model: str = ""
    num_ctx: int | None = None
    """The window it was served with."""
    reloaded: bool = False
    """It had to load the model, or load it again."""
    sent_tokens: list[Token] = field(default_factory=list, repr=False)
    """The whole prompt as rendered from the request, before anything was lost."""
    evaluated_tokens: list[Token] = field(default_factory=list, repr=False)
    """The prompt as the model read it."""
    prompt: str = field(default="", repr=False)
    """The rendered prompt, after messages were dropped."""
    cached: int = 0
    dropped_messages: int = 0
    cut_tokens: int = 0
    shifts: int = 0
    """How often half of the window was thrown away in mid-answer."""
    generated: int = 0
    """Tokens generated, whether or not they still reached the client."""
    done_reason: str = ""
    _ended: threading.Event = field(default_factory=threading.Event, repr=False)

    @property
    def ended(self) -> bool:
        """True once the server is through with it."""
        return self._ended.is_set()

    def end(self) -> None:
        """The server is through with it."""
        if self.status is None and self.disconnected:
            self.status = 499
        self._ended.set()

    def wait(self, timeout: float = 5.0) -> bool:
        """Wait until the server is through with it; False where that took too long."""
        return self._ended.wait(timeout)

    @property
    def options(self) -> dict[str, Any]:
        """The options of the body, empty where it has none."""
        options = self.body.get("options") if isinstance(self.body, dict) else None
        return options if isinstance(options, dict) else {}

    @property
    def truncated(self) -> bool:
        """True where the model read less than was sent, or forgot some in mid-answer."""
        return bool(self.dropped_messages or self.cut_tokens or self.shifts)

    @property
    def has_prompt(self) -> bool:
        """True unless it only loads or unloads a model."""
        return isinstance(self.body, dict) and bool(
            self.body.get("messages") or self.body.get("prompt")
        )

    @property
    def window_settings(self) -> tuple[str, object, object]:
        """Model, num_ctx and shift as asked for; absent ones are None."""
        body = self.body if isinstance(self.body, dict) else {}
        return (str(body.get("model", "")), self.options.get("num_ctx"), body.get("shift"))


def common_prefix(left: Sequence[Token], right: Sequence[Token]) -> int:
    """How many leading tokens two prompts share."""
    for n, (a, b) in enumerate(zip(left, right, strict=False)):
        if a != b:
            return n
    return min(len(left), len(right))


def generating(requests: Iterable[Request]) -> list[Request]:
    """The chat and generate requests, preloads included."""
    return [request for request in requests if request.path in GENERATING]


def prefix_lengths(requests: Iterable[Request]) -> list[int]:
    """For each prompt but the first of its model: leading tokens shared with the one before."""
    last: dict[str, list[Token]] = {}
    lengths = []
    for request in generating(requests):
        if not request.sent_tokens:
            continue
        if request.model in last:
            lengths.append(common_prefix(last[request.model], request.sent_tokens))
        last[request.model] = request.sent_tokens
    return lengths

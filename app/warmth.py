"""What the server still had of a prompt: tokens reused and computed, and what broke the prefix.

A server keeps what it computed for its last prompt. The data directory
remembers what that prompt was (hashes of its messages, never their text), so
that another process, too, knows whether the next one continues it.
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.chat import ChatModel, ChatModelError, Message, Usage
from app.ollama_chat import KEEP_ALIVE, OllamaChat
from app.ollama_server import loaded_model
from app.speeds import Speeds, write_json

log = logging.getLogger(__name__)

FILE = "last_prompts.json"

LOADED_ANEW_S = 1.0
"""A `load_duration` beyond that is a load: asking a loaded model takes it milliseconds."""

_WARM_SHARE = 0.9
"""Of the tokens that stood there before: with so many reused, the prefix was kept. Templates and
the last words of an answer may be read anew."""
_WARM_SHARE_DERIVED = 0.5
"""The same for what follows from durations, which vary."""

CONVERSATION = "conversation"
WARMING = "warming"
READING = "reading"
_IN_BETWEEN = {
    CONVERSATION: "another conversation was asked in between, and the server keeps one",
    WARMING: "other documents were preloaded in between",
    READING: "every page was read in between",
}


@dataclass(frozen=True, slots=True)
class LastPrompt:
    """What a server computed last, as far as Hayloft asked for it."""

    messages: tuple[str, ...]
    """A hash of each."""
    tokens: int
    what: str = CONVERSATION
    at: float = 0.0

    def is_continued_by(self, messages: Sequence[Message]) -> bool:
        """Whether a prompt begins with this one."""
        return bool(self.messages) and hashes(messages)[: len(self.messages)] == self.messages


@dataclass(frozen=True, slots=True)
class Before:
    """How things stood just before a prompt was sent."""

    loaded: bool | None
    """Whether the server had the model in memory; None where it cannot be asked."""
    window: int | None
    """The window that it was loaded with."""
    last: LastPrompt | None


@dataclass(frozen=True, slots=True)
class Reuse:
    """What of a prompt was computed."""

    reused: int | None
    computed: int | None
    derived: bool
    state: str
    """`warm`, `cold` or '' where nothing tells."""
    broke: str


class LastPrompts:
    """The file of last prompts, by model. A file that cannot be written costs only knowledge."""

    def __init__(self, data_dir: Path, *, clock: Callable[[], float] = time.time) -> None:
        self._path = data_dir / FILE
        self._clock = clock

    def of(self, model: str) -> LastPrompt | None:
        """The last prompt of a model; None where none is known."""
        kept = self._read().get(model)
        if not isinstance(kept, Mapping):
            return None
        try:
            return LastPrompt(
                tuple(map(str, kept["messages"])),
                int(kept["tokens"]),
                str(kept["what"]),
                float(kept["at"]),
            )
        except (KeyError, TypeError, ValueError):
            return None

    def keep(
        self, model: str, messages: Sequence[Message], tokens: int, what: str = CONVERSATION
    ) -> None:
        """Remember what is being sent."""
        everything = self._read()
        everything[model] = {
            "messages": list(hashes(messages)),
            "tokens": tokens,
            "what": what,
            "at": round(self._clock(), 3),
        }
        try:
            write_json(self._path, everything)
        except OSError as exc:
            log.warning("what was sent last could not be kept: %s", exc)

    def _read(self) -> dict[str, Any]:
        try:
            kept = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return kept if isinstance(kept, dict) else {}


def hashes(messages: Sequence[Message]) -> tuple[str, ...]:
    """A short hash of each message."""
    return tuple(
        hashlib.sha256(f"{m.role}\n{m.content}".encode("utf-8", "replace")).hexdigest()[:16]
        for m in messages
    )


def before(model: ChatModel, last: LastPrompt | None) -> Before:
    """How things stand; one question to Ollama, which takes it a millisecond."""
    if not isinstance(model, OllamaChat):
        return Before(None, None, last)
    try:
        loaded = loaded_model(model.server, model.name)
    except ChatModelError:
        return Before(None, None, last)
    return Before(loaded is not None, loaded.window if loaded else None, last)


def expected_reuse(
    messages: Sequence[Message], prefix_tokens: int, found: Before, window: int
) -> int:
    """How many tokens the server should still have of a prompt that is about to be sent."""
    if found.loaded is False or found.window not in (None, window) or found.last is None:
        return 0
    if not found.last.is_continued_by(messages):
        return 0
    return min(found.last.tokens, prefix_tokens) if prefix_tokens else found.last.tokens


def loading_s(usage: Usage, found: Before) -> float | None:
    """How long the model was loaded for this prompt; None where it was in memory already."""
    if usage.load_s is None or (found.loaded is not False and usage.load_s < LOADED_ANEW_S):
        return None
    return usage.load_s


def reuse_of(
    usage: Usage,
    total: int,
    *,
    continued: int,
    found: Before,
    messages: Sequence[Message],
    window: int,
    speeds: Speeds,
    changed: str = "",
    counted: int = 0,
) -> Reuse:
    """What was reused of a prompt of `total` tokens, and why no more.

    `continued` are the tokens before the new message, 0 in a first question;
    `changed` says what Hayloft itself changed in them. `counted` is the whole
    prompt by Hayloft's own count where that is an estimate.
    """
    reused, derived = _reused(usage, total, found, speeds)
    if reused is None:
        return Reuse(None, None, False, "", changed)
    computed = total - reused
    if not continued:
        return Reuse(reused, computed, derived, "warm" if reused * 2 >= total else "cold", "")
    share = _WARM_SHARE_DERIVED if derived else _WARM_SHARE
    last = found.last
    known = last is not None and last.is_continued_by(messages)
    base = min(continued, last.tokens) if known and last is not None else continued
    if counted:
        base = base * total // counted
    if reused >= share * base:
        return Reuse(reused, computed, derived, "warm", "")
    why = changed or _why(usage, found, messages, window)
    return Reuse(reused, computed, derived, "cold", why)


def _reused(usage: Usage, total: int, found: Before, speeds: Speeds) -> tuple[int | None, bool]:
    """Reused tokens, and whether they are only derived."""
    if usage.cached_tokens is not None:
        return min(usage.cached_tokens, total), False
    if usage.computed_tokens is not None:
        return max(0, total - usage.computed_tokens), False
    if found.loaded is False:
        return 0, False  # a model that was just loaded has nothing
    if usage.prompt_s is not None:
        computed = speeds.computed_in(usage.prompt_s)
        if computed is not None:
            return total - min(total, max(1, computed)), True
    return None, False


def _why(usage: Usage, found: Before, messages: Sequence[Message], window: int) -> str:
    if found.loaded is False:
        return (
            f"the model was no longer loaded (Ollama unloads it {KEEP_ALIVE} after an answer, or "
            "for another model)"
        )
    if found.window is not None and found.window != window:
        return f"another program had loaded the model with a window of {found.window:,}"
    if usage.load_s is not None and usage.load_s >= LOADED_ANEW_S:
        return "the model was loaded anew"
    last = found.last
    if last is None:
        return "nothing is known of an earlier prompt of this model"
    if not last.is_continued_by(messages):
        return _IN_BETWEEN.get(last.what, _IN_BETWEEN[CONVERSATION])
    return "the server no longer had it; another program may have used the model"

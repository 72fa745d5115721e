"""Answers in the shapes of OpenAI's chat completions.

What those have no place for (citations, receipt, sources) stands in the field `hayloft`, in the
words of `hayloft ask --json`.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping, Sequence

from app.answers import Answer, ReadingProgress, SourcesFound, numbers_of
from app.api_errors import ApiError, body_of
from app.api_requests import EXTENSION, ChatRequest
from app.plans import EXTRACTIVE, Mode
from app.support import unsupported_sentences
from storage.records import Hit

DONE = b"data: [DONE]\n\n"
WAITING = b": still at work\n\n"
"""A comment, which clients pass over and proxies see as life."""


class Completion:
    """One answer as it is told to whoever asked."""

    def __init__(self, asked: ChatRequest) -> None:
        self._asked = asked
        self._id = f"chatcmpl-{secrets.token_hex(12)}"
        self._created = int(time.time())
        self._begun = False

    def whole(self, answer: Answer, tokens: int) -> dict[str, object]:
        """The answer in one piece."""
        message = {"role": "assistant", "content": answer.text, "refusal": None}
        choice = {
            "index": 0,
            "message": message,
            "logprobs": None,
            "finish_reason": _finish(answer),
        }
        return {
            **self._head("chat.completion"),
            "choices": [choice],
            "usage": usage(answer, tokens),
            EXTENSION: self._extension(answer),
        }

    def sources(self, found: SourcesFound) -> bytes:
        """The passages that the answer will rest on."""
        told = {
            "mode": found.mode,
            "model": found.model,
            "sources": sources(found.hits, found.numbers),
            "plan": found.plan.to_json() if found.plan else None,
        }
        return self._chunk({}, None, told)

    def progress(self, event: ReadingProgress) -> bytes:
        """How far a reading of every page has come."""
        left = event.seconds_left
        told = {
            "pages_read": event.pages_read,
            "pages": event.pages,
            "found": event.found,
            "seconds_left": None if left is None else round(left, 1),
        }
        return self._chunk({}, None, {"progress": told})

    def piece(self, text: str) -> bytes:
        """A piece of the text."""
        return self._chunk({"content": text}, None)

    def end(self, answer: Answer, tokens: int) -> bytes:
        """The last pieces of a stream: why it ends, what was proved, and what it took."""
        last = self._chunk({}, _finish(answer), self._extension(answer))
        if self._asked.usage_in_stream:
            chunk = {
                **self._head("chat.completion.chunk"),
                "choices": [],
                "usage": usage(answer, tokens),
            }
            last += _event(chunk)
        return last + DONE

    def _head(self, kind: str) -> dict[str, object]:
        return {
            "id": self._id,
            "object": kind,
            "created": self._created,
            "model": self._asked.model,
        }

    def _chunk(
        self,
        delta: Mapping[str, object],
        finish: str | None,
        told: Mapping[str, object] | None = None,
    ) -> bytes:
        if not self._begun:
            # The first piece says who speaks, whatever else it tells.
            delta = {"role": "assistant", "content": "", **delta}
            self._begun = True
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        chunk = {**self._head("chat.completion.chunk"), "choices": [choice]}
        if self._asked.usage_in_stream:
            chunk["usage"] = None
        if told is not None:
            chunk[EXTENSION] = told
        return _event(chunk)

    def _extension(self, answer: Answer) -> dict[str, object]:
        told = answer.to_json()
        del told["answer"]
        return {
            **told,
            "sources": sources(answer.hits, answer.numbers),
            "unsupported": unsupported_sentences(answer),
            "ignored": list(self._asked.ignored),
        }


def broken_off(error: ApiError) -> bytes:
    """The last event of a stream that cannot be completed; `[DONE]` does not follow."""
    return _event(error.to_json())


def usage(answer: Answer, tokens: int) -> dict[str, object]:
    """The tokens of an answer; all 0 where no model read or wrote any."""
    receipt = answer.receipt
    sent = receipt.server_prompt_tokens
    prompt = receipt.prompt_tokens if sent is None else sent
    return {
        "prompt_tokens": prompt,
        "completion_tokens": tokens,
        "total_tokens": prompt + tokens,
        "prompt_tokens_details": {"cached_tokens": receipt.reused_tokens or 0},
    }


def sources(hits: Sequence[Hit], numbers: Sequence[int]) -> list[dict[str, object]]:
    """The passages of an answer under the numbers that it cites them by."""
    numbered = zip(numbers_of(tuple(hits), tuple(numbers)), hits, strict=True)
    return [{"n": n, **hit.to_json()} for n, hit in numbered]


def model_list(modes: Mapping[str, Mode], answered_by: str, window: int) -> dict[str, object]:
    """The models of `/v1/models`."""
    return {
        "object": "list",
        "data": [model_card(name, mode, answered_by, window) for name, mode in modes.items()],
    }


def model_card(name: str, mode: Mode, answered_by: str, window: int) -> dict[str, object]:
    """One model: Hayloft in a mode, and which chat model writes."""
    if mode == EXTRACTIVE:
        answered_by, window = EXTRACTIVE, 0
    return {
        "id": name,
        "object": "model",
        "created": 0,
        "owned_by": "hayloft",
        EXTENSION: {"mode": mode, "answered_by": answered_by, "window": window},
    }


def _finish(answer: Answer) -> str:
    return "length" if answer.stop_reason == "length" else "stop"


def _event(value: object) -> bytes:
    return b"data: " + body_of(value) + b"\n\n"

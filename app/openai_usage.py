"""What an OpenAI-compatible server reports of an answer: tokens read, reused and written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from app.chat import Message, PromptMiscounted, PromptTruncated, TokenCount, Usage
from app.chat_http import Server, number
from app.prompt_proof import reads_more, reads_short


def usage_of(
    figures: Mapping[str, object],
    messages: Sequence[Message],
    count: TokenCount,
    *,
    server: Server,
    model: str,
    finish: str,
) -> Usage:
    """The usage that the events of an answer tell of.

    `figures` are their `usage` and llama.cpp's own `timings`, `finish` why the
    answer ended. Raises PromptTruncated where less of the prompt was read than
    was sent, and PromptMiscounted where it was more.
    """
    usage = _object(figures.get("usage"))
    timings = _object(figures.get("timings"))  # llama.cpp's own
    cache_n, prompt_n = number(timings.get("cache_n")), number(timings.get("prompt_n"))
    reported = number(usage.get("prompt_tokens"))
    if reported is None and cache_n is not None and prompt_n is not None:
        reported = cache_n + prompt_n
    cached = number(_object(usage.get("prompt_tokens_details")).get("cached_tokens"))
    if cached is None:
        cached = cache_n
    if reported is not None and reads_short(messages, count, reported):
        raise PromptTruncated(
            f"{server.here} read {reported:,} of the {count.tokens:,} tokens that "
            f"{model} was sent, so the answer cannot be trusted. Turn off the server's "
            "truncation, or choose fewer documents or passages."
        )
    if reported is not None and reads_more(messages, count, reported):
        raise PromptMiscounted(
            f"{server.here} read {reported:,} tokens where {model} was sent "
            f"{count.tokens:,}: its template adds text, so that nothing proves that the "
            "prompt fits. Serve the model with its own chat template."
        )
    answered = number(usage.get("completion_tokens"))
    return Usage(
        prompt_tokens=reported,
        cached_tokens=cached,
        answer_tokens=number(timings.get("predicted_n")) if answered is None else answered,
        prompt_s=_seconds(timings.get("prompt_ms")),
        answer_s=_seconds(timings.get("predicted_ms")),
        stop_reason="length" if finish == "length" else "stop",
    )


def _object(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}


def _seconds(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        return None
    return value / 1000

"""What Ollama reports of an answer: tokens read, reused and written, in each version's way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from app.chat import Message, PromptMiscounted, PromptTruncated, TokenCount, Usage
from app.chat_http import Server, number
from app.prompt_proof import reads_more, reads_short

Version = tuple[int, int, int]

FROM_SOURCE = (0, 0, 0)
"""What a server built from source calls itself: taken for a new one."""

_NANOSECONDS = 1e9
_CUT_SHARE = 0.6
"""Of the tokens sent: a silent cut leaves about half. More may be missing where requests share
what the first of them computed."""


def usage_of(
    final: Mapping[str, object],
    messages: Sequence[Message],
    count: TokenCount,
    *,
    server: Server,
    model: str,
    version: Version | None,
    fresh: bool = False,
) -> Usage:
    """The usage that the last line of an answer tells of.

    `fresh` says that the model was not loaded before: nothing of the prompt
    can come from its cache. Raises PromptTruncated where less of the prompt
    was read than was sent, and PromptMiscounted where it was more.
    """
    reported = number(final.get("prompt_eval_count"))
    cached = number(final.get("prompt_eval_cached_count"))
    computed = None
    if reported is not None and cached is not None:
        short = reads_short(messages, count, reported)
        if cached > reported or (short and reported + cached <= count.tokens + 1):
            reported += cached  # only what was not cached was counted
    elif reported is not None and version is not None and _surely_uncached(version):
        computed = reported
        if not fresh and (not count.exact or reads_short(messages, count, reported)):
            reported = None  # the rest came from the cache
    if reported is not None and reads_short(messages, count, reported):
        surely_cut = fresh and reported < _CUT_SHARE * count.tokens
        if cached is None and may_leave_out_cached(version) and not surely_cut:
            reported, computed = None, reported  # the rest may well have come from the cache
        else:
            raise PromptTruncated(
                f"{server.here} read {reported:,} of the {count.tokens:,} tokens that "
                f"{model} was sent, so the answer cannot be trusted. Update Ollama, or "
                "choose fewer documents or passages."
            )
    if reported is not None and reads_more(messages, count, reported):
        raise PromptMiscounted(
            f"{server.here} read {reported:,} tokens where {model} was sent "
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


def may_leave_out_cached(version: Version | None) -> bool:
    """True where `prompt_eval_count` may leave out what came from the cache.

    So before 0.2.0 and again in 0.30.0 (mended in 0.30.1); between 0.24.0 and
    0.30.0 nobody has looked.
    """
    if version is None:
        return True
    if version == FROM_SOURCE:
        return False
    return version < (0, 2, 0) or (0, 24, 0) < version < (0, 30, 1)


def _surely_uncached(version: Version) -> bool:
    """True where `prompt_eval_count` leaves out what came from the cache, as was seen."""
    return version != FROM_SOURCE and (version < (0, 2, 0) or version == (0, 30, 0))


def _seconds(value: object) -> float | None:
    nanoseconds = number(value)
    return None if nanoseconds is None else nanoseconds / _NANOSECONDS

"""The receipt under an answer: the parts of the window as a bar and as numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.answers import Receipt
from app.rendering import count_of, sentence_html, text_html

_PARTS = ("rules", "documents", "history", "question", "template", "reserve", "free")
_PART_WORDS = {
    "rules": "Rules",
    "documents": "Documents",
    "history": "Earlier turns",
    "question": "Question",
    "template": "Chat template",
    "reserve": "Kept for the answer",
    "free": "Free",
}


@dataclass(frozen=True, slots=True)
class Segment:
    """One part of the receipt's bar."""

    name: str
    tokens: int
    share: float
    """Of the window, 0 to 1."""


def receipt_segments(receipt: Receipt) -> list[Segment]:
    """The parts of the window in reading order, the free rest last; empty where none was used."""
    if receipt.window <= 0:
        return []
    parts = {**receipt.parts}
    used = receipt.prompt_tokens + parts.get("reserve", 0)
    parts["free"] = max(0, receipt.window - used)
    whole = max(receipt.window, used)
    names = [*_PARTS, *(name for name in parts if name not in _PARTS)]
    return [
        Segment(name, parts[name], parts[name] / whole) for name in names if parts.get(name, 0) > 0
    ]


def receipt_html(receipt: Receipt) -> str:
    """The receipt: a bar of the window's parts that opens into a table of numbers."""
    segments = receipt_segments(receipt)
    if not segments:
        return (
            '<div class="hl-receipt hl-noread">No model read anything for this answer: '
            "its sentences are quoted from the documents word for word.</div>"
        )
    bar = "".join(
        f'<span class="hl-part hl-part-{_class(segment.name)}" '
        f'style="flex-grow:{max(segment.share, 0.004):.4f}" '
        f'title="{text_html(_words(segment.name))}: {count_of(segment.tokens, "token")}"></span>'
        for segment in segments
    )
    rows = "".join(
        f'<tr><td><span class="hl-dot hl-part-{_class(segment.name)}"></span>'
        f"{text_html(_words(segment.name))}</td><td>{segment.tokens:,}</td>"
        f"<td>{segment.share:.1%}</td></tr>"
        for segment in segments
    )
    how = "counted exactly" if receipt.exact else "estimated on the high side"
    return (
        '<details class="hl-receipt"><summary>'
        f'<span class="hl-bar" role="img" aria-label="{text_html(_bar_words(segments))}">'
        f"{bar}</span>"
        f'<span class="hl-sum">{receipt.prompt_tokens:,} of {receipt.window:,} tokens'
        f"{_warmth(receipt)}</span>"
        f'</summary><table class="hl-table"><tbody>{rows}</tbody></table>'
        f'<div class="hl-small">Sent: {count_of(receipt.prompt_tokens, "token")}, {how}. '
        f"{_evaluated(receipt)} {_reused(receipt)} {_trusted(receipt)} "
        f"{text_html(receipt.note)}</div></details>"
    )


def _evaluated(receipt: Receipt) -> str:
    evaluated = receipt.server_prompt_tokens
    if evaluated is None:
        return "The server did not say how many it evaluated."
    cached = f", {receipt.cached_tokens:,} of them from its cache" if receipt.cached_tokens else ""
    sentence = f"Evaluated by the server: {evaluated:,}{cached}."
    if receipt.exact and evaluated != receipt.prompt_tokens:
        gap = abs(evaluated - receipt.prompt_tokens)
        return f'<b class="hl-warn">{sentence} The two differ by {count_of(gap, "token")}.</b>'
    return sentence


def _warmth(receipt: Receipt) -> str:
    """Whether the conversation so far was reused, beside the bar."""
    return f" · {receipt.state}" if receipt.state else ""


def _reused(receipt: Receipt) -> str:
    """What of the prompt was computed, and what broke the rest."""
    reused, computed = receipt.reused_tokens, receipt.computed_tokens
    if reused is None or computed is None:
        return ""
    about = "about " if receipt.derived else ""
    how = " (derived from the time it took)" if receipt.derived else ""
    sentence = f"Reused from the server's cache: {about}{reused:,}; computed: {about}{computed:,}"
    sentence = f"{sentence}{how}."
    if receipt.state == "cold" and receipt.broke:
        sentence += f" The conversation was read anew: {text_html(receipt.broke)}."
    return sentence


def _trusted(receipt: Receipt) -> str:
    if 0 < receipt.trusted_window < receipt.window:
        return (
            f"Of the window of {receipt.window:,}, Hayloft trusts {receipt.trusted_window:,}. "
            f"{sentence_html(receipt.trusted_reason)}"
        )
    return ""


def _words(part: str) -> str:
    return _PART_WORDS.get(part, part.replace("_", " ").capitalize())


def _class(part: str) -> str:
    return part if part in _PARTS else "other"


def _bar_words(segments: Sequence[Segment]) -> str:
    return "; ".join(f"{_words(segment.name)} {segment.tokens:,}" for segment in segments)

"""The receipt under an answer: the parts of the window as a bar and as numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.answers import Receipt
from app.rendering import count_of, sentence_html, text_html
from app.wording import retold, t

_PARTS = ("rules", "documents", "history", "question", "template", "reserve", "free")


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
        told = t(
            "No model read anything for this answer: its sentences are quoted from the documents "
            "word for word."
        )
        return f'<div class="hl-receipt hl-noread">{told}</div>'
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
    how = t("counted exactly") if receipt.exact else t("estimated on the high side")
    sent = t("Sent: {tokens}, {how}.", tokens=count_of(receipt.prompt_tokens, "token"), how=how)
    said = (
        f"{sent} {_evaluated(receipt)} {_reused(receipt)} {_trusted(receipt)} "
        f"{text_html(retold(receipt.note))}"
    )
    total = t(
        "{n} of {window} tokens", n=f"{receipt.prompt_tokens:,}", window=f"{receipt.window:,}"
    )
    return (
        f'<details class="hl-receipt"><summary data-word="{t("Receipt")}">'
        f'<span class="hl-bar" role="img" aria-label="{text_html(_bar_words(segments))}">'
        f"{bar}</span>"
        f'<span class="hl-sum">{total}{_warmth(receipt)}</span>'
        f'</summary><table class="hl-table"><tbody>{rows}</tbody></table>'
        f'<div class="hl-small">{said.replace("。 ", "。")}</div></details>'
    )


def _evaluated(receipt: Receipt) -> str:
    evaluated = receipt.server_prompt_tokens
    if evaluated is None:
        return t("The server did not say how many it evaluated.")
    cached = (
        t(", {n} of them from its cache", n=f"{receipt.cached_tokens:,}")
        if receipt.cached_tokens
        else ""
    )
    sentence = t("Evaluated by the server: {n}{cached}.", n=f"{evaluated:,}", cached=cached)
    if receipt.exact and evaluated != receipt.prompt_tokens:
        gap = abs(evaluated - receipt.prompt_tokens)
        differ = t("The two differ by {tokens}.", tokens=count_of(gap, "token"))
        return f'<b class="hl-warn">{sentence} {differ}</b>'
    return sentence


def _warmth(receipt: Receipt) -> str:
    """Whether the conversation so far was reused, beside the bar."""
    words = {"warm": t("warm"), "cold": t("cold")}
    return f" · {words.get(receipt.state, receipt.state)}" if receipt.state else ""


def _reused(receipt: Receipt) -> str:
    """What of the prompt was computed, and what broke the rest."""
    reused, computed = receipt.reused_tokens, receipt.computed_tokens
    if reused is None or computed is None:
        return ""
    numbers = {"reused": f"{reused:,}", "computed": f"{computed:,}"}
    sentence = (
        t(
            "Reused from the server's cache: about {reused}; computed: about {computed} (derived "
            "from the time it took).",
            **numbers,
        )
        if receipt.derived
        else t("Reused from the server's cache: {reused}; computed: {computed}.", **numbers)
    )
    if receipt.state == "cold" and receipt.broke:
        broke = t("The conversation was read anew: {reason}.", reason=retold(receipt.broke))
        sentence += f" {text_html(broke)}"
    return sentence


def _trusted(receipt: Receipt) -> str:
    if 0 < receipt.trusted_window < receipt.window:
        told = t(
            "Of the window of {window}, Hayloft trusts {trusted}.",
            window=f"{receipt.window:,}",
            trusted=f"{receipt.trusted_window:,}",
        )
        return f"{told} {sentence_html(receipt.trusted_reason)}"
    return ""


def _words(part: str) -> str:
    words = {
        "rules": t("Rules"),
        "documents": t("Documents"),
        "history": t("Earlier turns"),
        "question": t("Question"),
        "template": t("Chat template"),
        "reserve": t("Kept for the answer"),
        "free": t("Free"),
    }
    return words.get(part, part.replace("_", " ").capitalize())


def _class(part: str) -> str:
    return part if part in _PARTS else "other"


def _bar_words(segments: Sequence[Segment]) -> str:
    return "; ".join(f"{_words(segment.name)} {segment.tokens:,}" for segment in segments)

"""Prompts of an exact length that no cache has seen, and that ask for a long answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import cycle, islice

from app.chat import Message, TokenCount
from evaluation.niah.prose import paragraphs

_ASK = (
    "Write a story in the manner of this text. It must be very long: go on and on, chapter after "
    "chapter, and do not come to an end."
)
_SHORTEST = "Write on and on."
_DIGITS = "1592643708"
_TRIES = 8

Count = Callable[[Sequence[Message]], TokenCount]
CountText = Callable[[str], TokenCount]


@dataclass(frozen=True, slots=True)
class SpeedPrompt:
    """A prompt, and its rendered length."""

    messages: tuple[Message, ...]
    tokens: int
    exact: bool


def speed_prompt(tokens: int, fresh: str, count: Count, count_text: CountText) -> SpeedPrompt:
    """A prompt of so many tokens as `count` counts them; the shortest one where that is longer.

    `fresh` stands in the first line, before all else: two prompts with other
    first lines share nothing that a prefix cache could keep. Prose comes
    first, then digits until the length is met: Qwen2 has a token for each.
    """
    bare = _built(fresh, "", "", count)
    if bare.tokens >= tokens:
        messages = (Message("system", fresh), Message("user", _SHORTEST))
        counted = count(messages)
        return SpeedPrompt(messages, counted.tokens, counted.exact)
    prose = _prose(fresh, tokens - bare.tokens, count_text)
    digits = 0
    found = _built(fresh, prose, "", count)
    for _ in range(_TRIES):
        if found.tokens == tokens:
            break
        digits = max(0, digits + tokens - found.tokens)
        found = _built(fresh, prose, "".join(islice(cycle(_DIGITS), digits)), count)
    return found


def _built(fresh: str, prose: str, digits: str, count: Count) -> SpeedPrompt:
    messages = (Message("system", fresh), Message("user", f"{prose}{digits}\n\n{_ASK}".strip()))
    counted = count(messages)
    return SpeedPrompt(messages, counted.tokens, counted.exact)


def _prose(seed: str, room: int, count_text: CountText) -> str:
    """Whole paragraphs that leave a little of the room."""
    taken: list[str] = []
    left = room - 8
    for paragraph in paragraphs("en", seed):
        left -= count_text(f"{paragraph}\n\n").tokens
        if left < 0:
            break
        taken.append(f"{paragraph}\n\n")
    return "".join(taken)

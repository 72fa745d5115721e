"""How fast is the model? Two short prompts tell what a grid of long ones will take."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from app.chat import ChatModel
from evaluation.niah.arms import Reply, ask
from evaluation.niah.order import Step, shared_with
from evaluation.niah.prompts import Frame
from evaluation.niah.prose import paragraphs

LENGTHS = (512, 2048)
"""Tokens of the two prompts, about."""

_RESERVE = 16
_ANSWER_TOKENS = 24
"""Of an answer to a needle question, about: a UUID has some thirty."""

INGEST_S = 4.0
"""A document that is put in the place of another: parsing, the commit, and the two seconds in
which a reader may still see the old one. The product's path costs it each time."""
INGEST_TOKENS_PER_S = 1500.0
"""Tokens of a new document that the bundled model embeds a second on two cores, about."""
_PASSAGES = 6_500
"""Tokens that the product sends of a long document: 8 passages of 3,000 characters, about."""
_ANEW = 0.2
"""Of a document in which only the needle has moved, about so much is embedded again."""


@dataclass(frozen=True, slots=True)
class Speed:
    """What one prompt takes: `per_token` grows with the prompt by `per_token_squared`."""

    per_token: float
    """Seconds a prompt token."""
    per_token_squared: float = 0.0
    """Seconds a pair of tokens: attention."""
    per_answer_token: float = 0.05
    overhead: float = 0.02
    """Seconds a request."""

    def read(self, tokens: int, cached: int = 0) -> float:
        """Seconds to read a prompt of which the first tokens are cached."""
        squares = tokens**2 - cached**2
        return self.per_token * (tokens - cached) + self.per_token_squared * squares

    def seconds(self, steps: Sequence[Step]) -> float:
        """What the steps take in this order."""
        before: Step | None = None
        total = 0.0
        for step in steps:
            total += self.step(before, step)
            if not step.clamped:
                before = step
        return total

    def step(self, before: Step | None, step: Step) -> float:
        """What one step takes behind another."""
        if step.clamped:
            return 0.0
        seconds = self.overhead + self.per_answer_token * _ANSWER_TOKENS
        sent = step.tokens if step.trial.arm != "rag" else min(step.tokens, _PASSAGES)
        seconds += self.read(sent, shared_with(before, step))
        if step.trial.arm == "rag":
            known = before is not None and (
                (before.trial.arm, before.trial.length, before.trial.trial)
                == ("rag", step.trial.length, step.trial.trial)
            )
            embedded = step.trial.length * (_ANEW if known else 1.0)
            seconds += INGEST_S + embedded / INGEST_TOKENS_PER_S
        return seconds


def probe(model: ChatModel, frame: Frame, language: str) -> Speed:
    """Ask two prompts and tell the speed. Raises ChatModelError where the model cannot answer.

    The first one also loads the model. Each begins with a number of its own, so
    that no cache answers for the model.
    """
    measured: list[tuple[int, float]] = []
    answer_s: list[float] = []
    for wanted in LENGTHS:
        messages = frame.messages(_text(model, language, wanted))
        reply = ask(model, messages, _RESERVE)
        if reply.fault is not None:
            raise reply.fault
        tokens = reply.usage.prompt_tokens or model.count(messages).tokens
        measured.append((tokens, _prompt_seconds(reply)))
        answered = reply.usage.answer_tokens or 0
        if reply.usage.answer_s and answered > 1:
            answer_s.append(reply.usage.answer_s / answered)
    return speed_of(measured, min(answer_s, default=0.05))


def speed_of(measured: Sequence[tuple[int, float]], per_answer_token: float) -> Speed:
    """The speed through two points (tokens, seconds).

    Where the second costs less a token than the first, as with a fixed cost or
    a batch that the first does not fill, the second alone speaks.
    """
    (few, short_s), (many, long_s) = measured
    long_rate = long_s / many if many else 0.0
    if few and many > few:
        squared = (long_rate - short_s / few) / (many - few)
        linear = long_rate - squared * many
        if squared > 0 and linear > 0:
            return Speed(linear, squared, per_answer_token)
    return Speed(long_rate, 0.0, per_answer_token)


def _prompt_seconds(reply: Reply) -> float:
    usage = reply.usage
    if usage.prompt_s:
        return usage.prompt_s
    spent = (usage.load_s or 0.0) + (usage.answer_s or 0.0)
    return max(1e-6, reply.seconds - spent)


def _text(model: ChatModel, language: str, tokens: int) -> str:
    number = secrets.token_hex(8)
    text = f"{number}\n\n"
    for paragraph in paragraphs(language, number):
        text += paragraph + "\n\n"
        if len(text) > 0.5 * tokens and model.count_text(text).tokens >= tokens:
            return text
    return text

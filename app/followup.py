"""What to search for: a question by itself, or with what it leaves to the conversation.

The rules of `app.carry_over` cost a millisecond and are asked first. The chat model is asked
where the question leans on the conversation and the rules had to guess; whatever it does, the
rules' answer stands behind it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from app.answers import Turn
from app.carry_over import Carried, FollowUp, carry_over
from app.chat import ChatModel, Message
from app.rewriting import rewrite

__all__ = ["AUTO", "MODEL", "OFF", "RULES", "Carried", "FollowUp", "How", "follow_up"]

How = Literal["auto", "rules", "model", "off"]
AUTO: How = "auto"
RULES: How = "rules"
MODEL: How = "model"
OFF: How = "off"


def follow_up(
    question: str,
    history: Sequence[Turn],
    *,
    model: ChatModel | None = None,
    how: How = AUTO,
    reserve: int = 1024,
    opening: Sequence[Message] | None = None,
) -> FollowUp:
    """The question as it is searched for, and what it took over from the turns before it.

    `auto` asks the model where the rules are not sure, `model` for every
    question after the first, `rules` never; `off` searches what was typed. `opening`
    is what the answer's prompt begins with, where it is more than these turns.
    """
    if how == OFF or not history:
        return FollowUp(question, question)
    found = carry_over(question, history)
    if model is None or how == RULES or (how == AUTO and found.sure):
        return found
    query = rewrite(model, question, history, reserve=reserve, opening=opening)
    if query is None or _same(query, question):
        return found
    if _same(query, found.query):
        return found
    return FollowUp(question, query, "model", tuple(c for c in found.carried if c.text in query))


def _same(one: str, other: str) -> bool:
    strip = " ?？.!。¿"
    return " ".join(one.casefold().split()).strip(strip) == (
        " ".join(other.casefold().split()).strip(strip)
    )

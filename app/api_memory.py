"""Conversations of programs, which send all messages with each question.

What a message list cannot say is kept here for as long as the server runs: which passages the
model got with each question, word for word, and their numbers. A list that goes on from an answer
of ours is recognised by its texts; the next prompt then begins with the very bytes of the last
one, and a citation keeps its number. A conversation that is not known any more, or was edited, is
answered all the same, from its texts alone.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace

from app.answers import Answer, SourcesFound, Turn
from app.api_requests import Exchange

MOST_CONVERSATIONS = 500
MOST_CHARACTERS = 32_000_000
"""Of passages and prompts, as long as they may be: some hundred conversations of whole reports."""


class Memory:
    """What was sent in the conversations that were answered last. Safe to share between threads."""

    def __init__(
        self,
        *,
        most_conversations: int = MOST_CONVERSATIONS,
        most_characters: int = MOST_CHARACTERS,
    ) -> None:
        self._most = most_conversations
        self._most_characters = most_characters
        self._lock = threading.Lock()
        self._kept: OrderedDict[bytes, tuple[Turn, ...]] = OrderedDict()
        self._characters = 0

    def history(self, caller: str, exchanges: Sequence[Exchange]) -> tuple[Turn, ...]:
        """What the next prompt looks back on.

        A caller's conversations are recognised for that caller alone.
        """
        keys = _keys(caller, exchanges)
        with self._lock:
            for place in range(len(keys), 0, -1):
                known = self._kept.get(keys[place - 1])
                if known is not None:
                    self._kept.move_to_end(keys[place - 1])
                    return (*known, *_plain(exchanges, place))
        return _plain(exchanges, 0)

    def remember(
        self,
        caller: str,
        exchanges: Sequence[Exchange],
        history: Sequence[Turn],
        found: SourcesFound | None,
        answer: Answer,
    ) -> None:
        """Keep a conversation with the answer that was just given in it."""
        if not answer.text:
            return
        exchange = Exchange(answer.question, answer.text)
        turns = _continued(history, found, answer, len(exchanges) + 1)
        key = _keys(caller, [*exchanges, exchange])[-1]
        with self._lock:
            self._characters += _characters(turns) - _characters(self._kept.pop(key, ()))
            self._kept[key] = turns
            while self._kept and (
                len(self._kept) > self._most or self._characters > self._most_characters
            ):
                _, dropped = self._kept.popitem(last=False)
                self._characters -= _characters(dropped)


def _continued(
    history: Sequence[Turn], found: SourcesFound | None, answer: Answer, turn_id: int
) -> tuple[Turn, ...]:
    """The history with one more turn, as the prompt of that turn left it."""
    sent = found.sent if found else None
    front = [turn for turn in history if not turn.question]
    turns = [turn for turn in history if turn.question]
    if sent is not None and sent.front is not None:
        front = [sent.front]
    if sent is not None and sent.begins is not None:
        begins = sent.begins or turn_id
        turns = [replace(turn, dropped=turn.turn_id < begins) for turn in turns]
    if answer.mode != "none":
        turns.append(
            Turn(
                answer.question,
                answer.text,
                answer.hits,
                answer.searched,
                numbers=answer.numbers,
                sent=sent.text if sent else "",
                given=sent.given if sent else 0,
                turn_id=turn_id,
                model=answer.model,
                tokens=sent.tokens if sent else 0,
            )
        )
    return (*front, *turns)


def _plain(exchanges: Sequence[Exchange], known: int) -> tuple[Turn, ...]:
    """Turns of which nothing is known but their texts."""
    return tuple(
        Turn(exchange.question, exchange.answer, turn_id=place)
        for place, exchange in enumerate(exchanges[known:], start=known + 1)
    )


def _keys(caller: str, exchanges: Sequence[Exchange]) -> list[bytes]:
    """What a conversation is recognised by after each of its answers."""
    keys, key = [], caller.encode()
    for exchange in exchanges:
        digest = hashlib.sha256(key)
        # Clients trim what they show. Lengths keep question and answer apart.
        for text in (exchange.question.strip(), exchange.answer.strip()):
            raw = text.encode("utf-8", "replace")
            digest.update(b"%d:" % len(raw) + raw)
        key = digest.digest()
        keys.append(key)
    return keys


def _characters(turns: Sequence[Turn]) -> int:
    return sum(
        len(turn.sent) + len(turn.answer) + sum(len(hit.text) for hit in turn.hits)
        for turn in turns
    )

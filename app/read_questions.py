"""What the model is asked beside the pages: how a question is taken apart, and what is missing."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence

from app.budget import Budget
from app.chat import ChatModel, ChatModelError, Message, ModelMissing
from app.read_crew import PartReader
from app.read_protocol import Asked, further_messages, plan_messages
from app.read_replies import questions_in
from app.read_state import ReadState

log = logging.getLogger(__name__)

_RESERVE = 256
"""Tokens of a request that only asks for some questions."""

_FOUND_SHOWN = 20
"""Sentences that the model sees when it is asked what is still missing."""


class Questioner:
    """Asks for further questions, each kind once a reading; what came is kept with it."""

    def __init__(
        self,
        model: ChatModel,
        budget: Budget,
        state: ReadState,
        question: str,
        pauses: Sequence[float],
    ) -> None:
        self._state = state
        self._question = question
        self._asker = PartReader(
            model,
            Asked(question, (), ""),
            reserve=min(_RESERVE, budget.reserve),
            room=budget.room,
            stop=threading.Event(),
            pauses=pauses,
        )

    def parts(self) -> tuple[str, ...]:
        """What the question is taken apart into."""
        kept = self._state.kept()
        if kept.parts is not None:
            return kept.parts
        parts = self._questions(plan_messages(self._question))
        if parts is None:
            return ()
        self._state.keep_parts(parts)
        return parts

    def further(self, sentences: Sequence[str], marker: str) -> tuple[str, ...]:
        """What the found sentences leave open, as questions to search for."""
        kept = self._state.kept()
        if kept.further is not None:
            return kept.further
        messages = further_messages(self._question, sentences[:_FOUND_SHOWN], marker)
        questions = self._questions(messages)
        if questions is None:
            return ()
        self._state.keep_further(questions)
        return questions

    def _questions(self, messages: Sequence[Message]) -> tuple[str, ...] | None:
        """The questions that the model replies with; None where it could not be asked.

        They only help: an answer does not fail for want of them.
        """
        try:
            return questions_in(self._asker.ask(messages), self._question)
        except ModelMissing:
            raise
        except ChatModelError as error:
            log.info("no questions from the chat model: %s", type(error).__name__)
            return None

"""The assistant: finds passages, lets the model answer from them, proves what it quotes."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from app import prompt
from app.answers import AnswerEvent, Turn
from app.chat import ChatModel, PromptTooLong
from app.cited_pages import CitedPages
from app.find import Finder
from app.followup import RULES, FollowUp, follow_up
from app.modes import Planner, Situation, Whole
from app.plans import AUTO, DOCUMENTS, PASSAGES, READ_ALL, Mode, Plan, Unfit
from app.plans import EXTRACTIVE as QUOTING
from app.prompt_text import opening
from app.quoting import EXTRACTIVE, Quoter
from app.reading import Reading, read, searched_for
from app.settings import AppSettings
from app.writing import Task, write
from storage.library import Library
from storage.records import EVERYTHING, Scope

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Question:
    """A question with all that goes with it."""

    text: str
    history: tuple[Turn, ...]
    scope: Scope
    started: float

    @property
    def turns(self) -> tuple[Turn, ...]:
        """The turns that asked something."""
        return tuple(turn for turn in self.history if turn.question)


@dataclass(frozen=True, slots=True)
class _Found:
    """The passages for a question, and the prompt with them."""

    follow: FollowUp
    built: prompt.Prompt | None
    """None where nothing was found."""
    seconds: float


class Assistant:
    """Answers questions about one library, with a chat model or by quoting (model None).

    `longer` finds the copy of a model with the long window, if there is one. `wish` is what the
    reader asks of every answer, such as its length: it stands behind the question in the turn's
    own message, so that no prompt begins differently for it. `reader` is who asks, where somebody
    signs in: what is kept of a reading of every page is theirs.
    """

    def __init__(
        self,
        library: Library,
        finder: Finder,
        model: ChatModel | None,
        settings: AppSettings,
        *,
        longer: Callable[[ChatModel], ChatModel | None] | None = None,
        wish: str = "",
        reader: str = "",
    ) -> None:
        self._library = library
        self._finder = finder
        self._model = model
        self._settings = settings
        self._wish = wish
        self._reader = reader
        self._planner = Planner(library, settings, longer)
        self._pages = CitedPages(library)
        self._quoter = Quoter(library, finder, settings, self._pages)

    @property
    def model_name(self) -> str:
        """How answers name the model."""
        if self._model is None:
            return EXTRACTIVE
        return f"{self._model.provider} {self._model.name}"

    def ask(
        self,
        question: str,
        *,
        history: Sequence[Turn] = (),
        scope: Scope = EVERYTHING,
        mode: Mode | None = None,
    ) -> Iterator[AnswerEvent]:
        """Answer a question: sources first, then text as it comes, the whole answer last.

        `mode` is that of the settings unless it is given. Closing the iterator
        stops the model. Raises UsageError for a question that cannot be asked,
        ServiceUnavailable when Chroma or the model is away, also after part of
        the text.
        """
        asked = _Question(question, tuple(history), scope, time.perf_counter())
        mode = mode or self._settings.mode
        if self._model is None or mode == QUOTING:
            yield from self._quoter.answer(
                asked.text, asked.turns, scope, asked.started, self.model_name
            )
        elif mode == READ_ALL:
            yield from self._read_everything(self._model, asked)
        else:
            yield from self._written(self._model, asked, mode)

    def plan(
        self,
        question: str,
        *,
        history: Sequence[Turn] = (),
        scope: Scope = EVERYTHING,
        mode: Mode | None = None,
    ) -> Plan:
        """The ways to answer a question, with their tokens and predicted waits; asks nothing."""
        mode = mode or self._settings.mode
        if self._model is None:
            return self._planner.plan((), QUOTING, scope)
        asked = _Question(question, tuple(history), scope, time.perf_counter())
        _, plan, _, now = self._weighed(self._model, asked, mode)
        if done := self.read_so_far(question, history=history, scope=scope)[0]:
            plan = self._planner.with_option(plan, self._planner.read_all_option(now, done))
        return plan

    def read_so_far(
        self, question: str, *, history: Sequence[Turn] = (), scope: Scope = EVERYTHING
    ) -> tuple[int, int]:
        """Pages that an earlier reading for this question has read, and all there are to read."""
        if self._model is None:
            return 0, 0
        from app.read_all import read_so_far

        turns = [turn for turn in history if turn.question]
        return read_so_far(
            self._library,
            self._model,
            self._settings,
            question,
            history=turns,
            scope=scope,
            reader=self._reader,
        )

    def outlook(self, history: Sequence[Turn], scope: Scope) -> Plan:
        """What each mode would roughly cost a question that is not typed yet."""
        if self._model is None:
            return self._planner.plan((), QUOTING, scope)
        now = self._planner.situation("", history, scope, self._model)
        options = [
            self._planner.documents_option(now, self._planner.whole(now)),
            self._planner.passages_outlook(now),
            self._planner.read_all_option(now),
        ]
        return self._planner.plan(options, self._settings.mode, scope)

    # --- with a model -----------------------------------------------------------------------

    def _written(self, model: ChatModel, asked: _Question, mode: Mode) -> Iterator[AnswerEvent]:
        whole, plan, found, now = self._weighed(model, asked, mode)
        if plan.chosen == DOCUMENTS:
            if not isinstance(whole, Whole):
                raise PromptTooLong(
                    f"The documents cannot be read whole: {whole.words()}. Choose fewer "
                    "documents, or take the mode `passages` or `read-all`."
                )
            if whole.model is not now.model:
                now = self._situation(asked, whole.model)
            follow = FollowUp(asked.text, asked.text)
            built = self._built_whole(now, whole)
            option = plan.option(DOCUMENTS)
        else:
            if found is None:
                found = self._found(now, asked, rules_only=False)
            if found.built is None:
                yield from self._quoter.nothing(
                    found.follow, asked.scope, found.seconds, self.model_name
                )
                return
            follow, built, option = found.follow, found.built, None
        taken: Mode = DOCUMENTS if plan.chosen == DOCUMENTS else PASSAGES
        plan = self._planner.with_option(
            plan, self._planner.built_option(now, taken, built, option)
        )
        found_s = time.perf_counter() - asked.started
        task = Task(follow, now, built, taken, plan, asked.started, found_s)
        yield from write(task, self._planner, self._pages.text, self._pages.everywhere)

    def _read_everything(self, model: ChatModel, asked: _Question) -> Iterator[AnswerEvent]:
        """Every page in scope, then an answer in this conversation's own prompt."""
        from app.read_all import read_all

        def answer(follow: FollowUp, reading: Reading) -> Iterator[AnswerEvent]:
            began = time.perf_counter()
            # The reading took the server's cache, and left it with its last part.
            self._planner.note_reading(model)
            now = self._situation(asked, model)
            built = self._built(now, reading)
            plan = self._planner.plan(
                [self._planner.built_option(now, READ_ALL, built)], READ_ALL, asked.scope
            )
            task = Task(follow, now, built, READ_ALL, plan, began, 0.0)
            yield from write(task, self._planner, self._pages.text, self._pages.everywhere)

        yield from read_all(
            self._library,
            self._finder,
            model,
            self._settings,
            asked.text,
            history=asked.turns,
            scope=asked.scope,
            write=answer,
            reader=self._reader,
        )

    def _situation(self, asked: _Question, model: ChatModel) -> Situation:
        worded = f"{asked.text}\n\n{self._wish}" if self._wish else asked.text
        return self._planner.situation(worded, asked.history, asked.scope, model)

    def _weighed(
        self, model: ChatModel, asked: _Question, mode: Mode
    ) -> tuple[Whole | Unfit, Plan, _Found | None, Situation]:
        """What there is to choose from, the choice, and what was found on the way."""
        planner = self._planner
        now = self._situation(asked, model)
        named = not asked.scope.is_everything
        whole: Whole | Unfit = Unfit("unchosen")
        options = []
        if named or mode == DOCUMENTS:
            whole = planner.whole(now, planner.front(now))
            options.append(planner.documents_option(now, whole))
        first = planner.plan(options, mode, asked.scope)
        found = None
        if first.chosen != DOCUMENTS or mode == AUTO:
            # Where the documents are taken whole, the passages are weighed only to be shown.
            try:
                found = self._found(now, asked, rules_only=first.chosen == DOCUMENTS)
            except PromptTooLong as fault:
                if first.chosen != DOCUMENTS:
                    raise
                log.info("no prompt with passages to compare with: %s", fault)
            if found is not None and found.built is not None:
                options.append(planner.built_option(now, PASSAGES, found.built))
        options.append(planner.read_all_option(now))
        return whole, planner.plan(options, mode, asked.scope), found, now

    def _found(self, now: Situation, asked: _Question, *, rules_only: bool) -> _Found:
        """The passages for a question, its follow-up made whole first."""
        budget = now.budget
        prompt.check_question(now.question, room=budget.room, count_text=now.model.count_text)
        how = self._settings.followups
        follow = follow_up(
            asked.text,
            asked.turns,
            model=now.model,
            how=RULES if rules_only and how != "off" else how,
            reserve=now.budget.reserve,
            opening=opening(asked.history),
        )
        limit = self._settings.passages
        hits = self._finder.search(follow.query, limit=searched_for(limit), scope=asked.scope)
        most = self._settings.passage_characters
        reading = read(self._library.catalog, hits, limit, most)
        built = self._built(now, reading) if reading.passages else None
        return _Found(follow, built, time.perf_counter() - asked.started)

    def _built(self, now: Situation, reading: Reading) -> prompt.Prompt:
        return prompt.build(
            now.question,
            reading.passages,
            now.history,
            room=now.budget.room,
            count=now.model.count,
            count_text=now.model.count_text,
            front=self._planner.front(now),
            depths=now.budget.depths,
        )

    def _built_whole(self, now: Situation, whole: Whole) -> prompt.Prompt:
        return prompt.build(
            now.question,
            whole.pages,
            now.history,
            room=whole.budget.room,
            count=whole.model.count,
            count_text=whole.model.count_text,
            cost=whole.cost,
            whole=True,
        )

"""What a question can be answered from, what each way costs, and which one is taken."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from app import prompt
from app.answers import Turn
from app.budget import Budget, budget_of
from app.chat import ChatModel, ChatModelError
from app.page_costs import page_costs, vocabulary_of
from app.plans import (
    DOCUMENTS,
    EXTRACTIVE,
    PASSAGES,
    READ_ALL,
    Mode,
    Option,
    Plan,
    Unfit,
    choose,
)
from app.prompt import Cost, Prompt
from app.settings import AppSettings
from app.speeds import SpeedLog, Speeds
from app.warmth import READING, Before, LastPrompts, before, expected_reuse
from storage.errors import UsageError
from storage.library import Library
from storage.records import Hit, Scope

log = logging.getLogger(__name__)

USUAL_ANSWER = 256
"""Tokens of an answer before there was one to learn from."""
_FOLLOW_UP = 64
"""Tokens of a follow-up question whose passages the conversation has."""
_MOST_CHARACTERS = 12
"""A token: English has four to five, long runs of blanks more. Documents with more characters
than so many times the room are not looked at page by page."""


_CHARACTERS_A_TOKEN = 4
"""Of English prose, about."""
_SHORT_PASSAGE = 800
"""Characters of a passage that is read as it was found."""


@dataclass(frozen=True, slots=True)
class Whole:
    """The chosen documents page by page, for a model that has room for them."""

    pages: tuple[Hit, ...]
    documents: int
    model: ChatModel
    budget: Budget
    cost: Cost
    tokens: int
    """Of the whole prompt, at most."""
    new_tokens: int


@dataclass(frozen=True, slots=True)
class Situation:
    """What is known before a question is answered."""

    question: str
    history: tuple[Turn, ...]
    scope: Scope
    model: ChatModel
    budget: Budget
    before: Before
    speeds: Speeds


class Planner:
    """Weighs the ways to answer. `longer` finds the copy of a model with the long window."""

    def __init__(
        self,
        library: Library,
        settings: AppSettings,
        longer: Callable[[ChatModel], ChatModel | None] | None = None,
    ) -> None:
        self._library = library
        self._settings = settings
        self._longer = longer
        self.speeds = SpeedLog(library.settings.data_dir)
        self.last = LastPrompts(library.settings.data_dir)

    def situation(
        self, question: str, history: Sequence[Turn], scope: Scope, model: ChatModel
    ) -> Situation:
        """How things stand for a question."""
        budget = budget_of(model, self._settings, self._library.settings.data_dir)
        return Situation(
            question,
            tuple(history),
            scope,
            model,
            budget,
            before(model, self.last.of(budget.model)),
            self.speeds.of(budget.model, budget.window),
        )

    def note_reading(self, model: ChatModel) -> None:
        """Remember that the model read pages, and so no longer has what it was sent before."""
        budget = budget_of(model, self._settings, self._library.settings.data_dir)
        self.last.keep(budget.model, (), 0, READING)

    def front(self, now: Situation) -> tuple[Hit, ...]:
        """The pinned documents' pages, where a conversation begins; none where they are long.

        Raises UsageError for a pinned document that the library does not have.
        """
        names = tuple(name.strip() for name in self._settings.pinned.split(",") if name.strip())
        if not names or any(not turn.dropped for turn in now.history):
            return ()
        with self._library.catalog.snapshot() as snapshot:
            pages = snapshot.whole_pages(snapshot.within(Scope(documents=names)))
        cost = page_costs(self._library.catalog, now.model, pages)
        if sum(cost(page, len(pages)) for page in pages) > now.budget.room * prompt.KEPT_SHARE:
            raise UsageError(
                f"The {len(pages):,} pages that HAYLOFT_PINNED names take more than half of the "
                f"{now.budget.room:,} tokens that a prompt may have. Pin fewer documents."
            )
        return tuple(pages)

    def whole(self, now: Situation, front: Sequence[Hit] = ()) -> Whole | Unfit:
        """The chosen documents whole, pinned ones before them; or why they cannot be."""
        with self._library.catalog.snapshot() as snapshot:
            within = snapshot.within(now.scope)
            size = snapshot.extent(within)
            if not size.pages:
                return Unfit("unmatched")
            roomiest = self._long_model(now)
            most = max(now.budget.room, roomiest[1].room if roomiest else 0)
            if size.characters > _MOST_CHARACTERS * most:
                return Unfit("pages", size.pages, most)
            pages = tuple(snapshot.whole_pages(within))
        there = {page.chunk_id for page in front}
        pages = (*front, *(page for page in pages if page.chunk_id not in there))
        if not pages:
            return Unfit("textless")
        tokens = 0
        for model, budget in [(now.model, now.budget), *([roomiest] if roomiest else [])]:
            cost = page_costs(self._library.catalog, model, pages)
            for history in (now.history, ()):
                # Where they do not fit beside the conversation, it begins anew with them.
                tokens, new = prompt.weigh(
                    now.question, pages, history, count_text=model.count_text, cost=cost
                )
                if tokens <= budget.room:
                    return Whole(pages, size.documents, model, budget, cost, tokens, new)
        trusted = most >= now.budget.window - now.budget.reserve - 1
        return Unfit("tokens" if trusted else "untrusted", tokens, most)

    def documents_option(self, now: Situation, whole: Whole | Unfit) -> Option:
        """What whole documents would cost."""
        if isinstance(whole, Unfit):
            return Option(DOCUMENTS, unfit=whole)
        speeds, other = now.speeds, whole.model is not now.model
        if other:
            speeds = self.speeds.of(whole.budget.model, whole.budget.window)
        answer = self._answer_tokens(speeds, whole.budget)
        return Option(
            DOCUMENTS,
            whole.documents,
            tokens=whole.tokens,
            new_tokens=whole.new_tokens,
            exact=False,
            seconds=speeds.predicted_seconds(whole.new_tokens, answer),
            follow_s=speeds.predicted_seconds(_FOLLOW_UP, answer),
            model=whole.model.name if other else "",
        )

    def built_option(
        self, now: Situation, mode: Mode, built: Prompt, option: Option | None = None
    ) -> Option:
        """What a prompt that stands would cost, to the token."""
        known = self.expected(now, built)
        new = built.tokens.tokens - known
        answer = self._answer_tokens(now.speeds, now.budget)
        return Option(
            mode,
            option.count if option else built.given,
            tokens=built.tokens.tokens,
            new_tokens=new,
            exact=built.tokens.exact,
            seconds=now.speeds.predicted_seconds(new, answer),
            follow_s=option.follow_s if option else None,
            model=option.model if option else "",
            answering=mode == READ_ALL,
            placement=built.placement.reason,
        )

    def passages_outlook(self, now: Situation) -> Option:
        """What a question with all the passages it may have would about cost."""
        with self._library.catalog.snapshot() as snapshot:
            size = snapshot.extent(snapshot.within(now.scope))
        length = self._settings.passage_characters or _SHORT_PASSAGE
        # Few short pages hold no more than their own text.
        most = max(size.pages, -(-size.characters // length))
        wanted = min(self._settings.passages, most)
        text = min(wanted * length, size.characters)
        new = min(now.budget.room, text // _CHARACTERS_A_TOKEN)
        before, _ = prompt.weigh(
            "", (), now.history, count_text=now.model.count_text, cost=lambda hit, n: 0
        )
        answer = self._answer_tokens(now.speeds, now.budget)
        return Option(
            PASSAGES,
            wanted,
            tokens=min(now.budget.room, before + new),
            new_tokens=new,
            exact=False,
            seconds=now.speeds.predicted_seconds(new, answer),
        )

    def expected(self, now: Situation, built: Prompt) -> int:
        """How many tokens of a prompt the server should still have."""
        continued = built.prefix_tokens
        return min(
            expected_reuse(built.messages, continued, now.before, now.budget.window),
            max(0, built.tokens.tokens - 1),
        )

    def read_all_option(self, now: Situation, done: int = 0) -> Option:
        """What reading every page would cost, from the stored counts; `done` are read already."""
        with self._library.catalog.snapshot() as snapshot:
            within = snapshot.within(now.scope)
            size = snapshot.extent(within)
            # A count costs a row a page; of a very large scope its length tells enough.
            vocabulary = vocabulary_of(now.model)
            stored: dict[tuple[int, int], int] = {}
            if vocabulary and within is not None:
                stored = snapshot.page_tokens(vocabulary, within.versions)
        exact = len(stored) == size.pages > 0
        tokens = sum(stored.values()) if exact else size.characters // 3
        if not size.pages:
            return Option(READ_ALL, unfit=Unfit("unmatched"))
        part = min(now.budget.room, self._settings.read_part_tokens or now.budget.room)
        left = tokens * (size.pages - min(done, size.pages)) // size.pages
        requests = -(-left // max(1, part))
        answer = self._answer_tokens(now.speeds, now.budget)
        return Option(
            READ_ALL,
            size.pages,
            tokens=tokens,
            new_tokens=left,
            exact=False,
            seconds=now.speeds.predicted_seconds(left, answer + requests * _FOLLOW_UP),
            parts=-(-tokens // max(1, part)),
            done=done,
        )

    def plan(self, options: Sequence[Option], asked: Mode, scope: Scope) -> Plan:
        """The options, and the one to take."""
        chosen, why = choose(options, asked, named=not scope.is_everything)
        return Plan((*options, Option(EXTRACTIVE)), chosen, why)

    @staticmethod
    def with_option(plan: Plan, option: Option) -> Plan:
        """The plan with one option known better."""
        others = tuple(option if one.mode == option.mode else one for one in plan.options)
        if option not in others:
            others = (option, *others)
        return replace(plan, options=others)

    def _answer_tokens(self, speeds: Speeds, budget: Budget) -> int:
        return min(budget.reserve, speeds.answer_tokens or USUAL_ANSWER)

    def _long_model(self, now: Situation) -> tuple[ChatModel, Budget] | None:
        """The copy with the long window, where there is one and it has more room."""
        if self._longer is None:
            return None
        try:
            model = self._longer(now.model)
            if model is None:
                return None
            budget = budget_of(model, self._settings, self._library.settings.data_dir)
        except ChatModelError as error:
            log.info("no copy with a longer window: %s", error)
            return None
        return (model, budget) if budget.room > now.budget.room else None

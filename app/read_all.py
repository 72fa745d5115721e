"""The mode `read-all`: every page in scope is read, however many windows that takes.

    question → its parts → every page, a part at a time → second search → answer, with a ledger

Each part's request returns sentences of its pages word for word, or nothing;
what is not on the pages is not used. What was read is kept as it is read, so
that a reading can be stopped, or killed, and go on where it was. Only here
may an answer say that something is nowhere in the documents.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace

from app.answers import (
    NO_PROMPT,
    Answer,
    AnswerEvent,
    AnswerReady,
    SourcesFound,
    TextDelta,
    Turn,
)
from app.budget import budget_of
from app.chat import ChatModel
from app.find import MAX_QUERY_CHARACTERS, Finder
from app.followup import FollowUp, follow_up
from app.ledger import Ledger
from app.model_state import behind
from app.plans import READ_ALL
from app.read_answer import (
    Told,
    Write,
    nothing_found,
    notices,
    passages_of,
    searched_again,
    sentences_at,
    written,
)
from app.read_crew import PAUSES_S
from app.read_inventory import Inventory, pages_read, take_inventory
from app.read_ledger import FILE, Readings
from app.read_pages import PagesReader
from app.read_protocol import Asked, marker_of
from app.read_questions import Questioner
from app.read_state import ReadState, key_of
from app.settings import AppSettings
from app.speeds import SpeedLog, Speeds
from storage.errors import UsageError
from storage.library import Library
from storage.records import EVERYTHING, Scope

__all__ = ["FILE", "read_all", "read_so_far"]

log = logging.getLogger(__name__)


def read_all(
    library: Library,
    finder: Finder,
    model: ChatModel,
    settings: AppSettings,
    question: str,
    *,
    history: Sequence[Turn] = (),
    scope: Scope = EVERYTHING,
    resume: bool = True,
    write: Write | None = None,
    pauses: Sequence[float] = PAUSES_S,
    reader: str = "",
) -> Iterator[AnswerEvent]:
    """Read every page in scope with the model, then answer: progress, sources, text, the answer.

    The answer's mode is `read-all`, its `ledger` says what became of each
    page. Closing the iterator stops the model; the same question in the same
    scope by the same `reader` goes on from there, unless `resume` is False. A part that fails is
    tried again after each of `pauses` (seconds) and else left unread. `write`
    lets the model answer from passages where the caller has its own way.
    Raises UsageError for a question that cannot be asked and a scope that names
    what is not there, and ChatModelError where the model is away; what was read
    is kept in each case.
    """
    _check(question)
    started = time.perf_counter()
    inventory = take_inventory(library.catalog, scope)
    if not inventory.documents:
        yield from _nothing_there(library, inventory, model, question, scope, started)
        return
    readings = Readings(library.settings.data_dir / FILE, reader)
    try:
        reading = _FullRead(
            library,
            finder,
            model,
            settings,
            question,
            history,
            scope,
            readings,
            inventory,
            pauses,
            reader,
        )
        if not resume:
            reading.forget()
        yield from reading.events(write, started)
    finally:
        readings.close()


def read_so_far(
    library: Library,
    model: ChatModel,
    settings: AppSettings,
    question: str,
    *,
    history: Sequence[Turn] = (),
    scope: Scope = EVERYTHING,
    reader: str = "",
) -> tuple[int, int]:
    """Pages that an earlier `read_all` of the same reader has read, and all there are to read."""
    inventory = take_inventory(library.catalog, scope)
    readings = Readings(library.settings.data_dir / FILE, reader)
    try:
        name = budget_of(model, settings, library.settings.data_dir).model
        query = follow_up(question, history, how=settings.followups).query
        slices = readings.slices(key_of(query, scope, name, reader))
    finally:
        readings.close()
    done = pages_read(inventory, slices)
    return len(done) + (inventory.blank if done else 0), inventory.pages


class _FullRead:
    """One question, read through a scope and answered."""

    def __init__(
        self,
        library: Library,
        finder: Finder,
        model: ChatModel,
        settings: AppSettings,
        question: str,
        history: Sequence[Turn],
        scope: Scope,
        readings: Readings,
        inventory: Inventory,
        pauses: Sequence[float],
        reader: str,
    ) -> None:
        self._library = library
        self._catalog = library.catalog
        self._finder = finder
        self._model = model
        self._settings = settings
        self._history = history
        self._scope = scope
        self._pauses = pauses
        self._budget = budget_of(model, settings, library.settings.data_dir)
        self._asked = follow_up(
            question,
            history,
            model=model,
            how=settings.followups,
            reserve=settings.reserve,
        )
        query = self._asked.query
        key = key_of(query, scope, self._budget.model, reader)
        self._state = ReadState(readings, key, query, inventory)
        self._questioner = Questioner(model, self._budget, self._state, query, pauses)

    def forget(self) -> None:
        """Begin anew."""
        self._state.forget()

    def events(self, write: Write | None, started: float) -> Iterator[AnswerEvent]:
        """Progress, then the answer."""
        asked, state = self._asked, self._state
        state.begin()
        yield replace(state.progress(), behind=behind(self._model, self._speeds()))
        parts = self._questioner.parts()
        marker = marker_of(self._catalog.library_id(), asked.query)
        reader = PagesReader(
            self._catalog,
            self._model,
            self._settings,
            self._budget,
            self._scope,
            Asked(asked.query, parts, marker),
            state,
            self._pauses,
        )
        state.measure(self._speeds().prefill)
        yield from reader.read()
        read_s = time.perf_counter() - started
        ledger = state.ledger(reader.failures)
        log.info("read all: %s in %.1f s", ledger.summary, read_s)
        if not state.found:
            text = nothing_found(ledger)
            yield SourcesFound((), READ_ALL, self._name)
            yield TextDelta(text)
            answer = self._said(asked, text, ledger)
        else:
            told = Told(tuple(self._history), self._scope)
            write = write or written(self._library, self._model, self._settings, told)
            answer = yield from self._write(write, asked, parts, marker, ledger)
        timings = {**answer.timings, "read": read_s, "total": time.perf_counter() - started}
        if "first_token" in timings:
            timings["first_token"] += timings["total"] - answer.timings["total"]
        yield AnswerReady(replace(answer, timings=timings))

    @property
    def _name(self) -> str:
        return f"{self._model.provider} {self._model.name}"

    def _speeds(self) -> Speeds:
        log_ = SpeedLog(self._library.settings.data_dir)
        return log_.of(self._budget.model, self._budget.window)

    def _write(
        self,
        write: Write,
        asked: FollowUp,
        parts: Sequence[str],
        marker: str,
        ledger: Ledger,
    ) -> Generator[AnswerEvent, None, Answer]:
        """The model's words from the pages that had something."""
        found = self._state.found
        sentences = sentences_at(self._catalog, found)
        further = self._questioner.further(sentences, marker)
        searched = searched_again(self._finder, asked, [*parts, *further], sentences, self._scope)
        reading = passages_of(
            self._catalog,
            self._state.inventory,
            found,
            searched,
            least=self._settings.passages,
            most_characters=self._settings.passage_characters,
        )
        answer: Answer | None = None
        for event in write(asked, reading):
            if isinstance(event, AnswerReady):
                answer = event.answer
            elif isinstance(event, SourcesFound):
                yield replace(event, mode=READ_ALL)
            else:
                yield event
        if answer is None:
            raise RuntimeError("the answer ended before it was complete")
        return replace(answer, mode=READ_ALL, ledger=ledger, notice=notices(ledger, answer.notice))

    def _said(self, asked: FollowUp, text: str, ledger: Ledger) -> Answer:
        """An answer that no model wrote."""
        return Answer(
            question=asked.question,
            searched=asked.searched,
            text=text,
            mode=READ_ALL,
            model=self._name,
            citations=(),
            receipt=NO_PROMPT,
            timings={},
            hits=(),
            ledger=ledger,
        )


def _nothing_there(
    library: Library,
    inventory: Inventory,
    model: ChatModel,
    question: str,
    scope: Scope,
    started: float,
) -> Iterator[AnswerEvent]:
    """An empty library or scope: nothing is read and nothing is claimed."""
    from app.answer_frames import empty_library, empty_scope

    empty = library.catalog.counts().documents == 0 and not scope.room
    text = empty_library() if empty or scope.is_everything else empty_scope()
    name = f"{model.provider} {model.name}"
    yield SourcesFound((), "none", name)
    yield TextDelta(text)
    yield AnswerReady(
        Answer(
            question=question,
            text=text,
            mode="none",
            model=name,
            citations=(),
            receipt=NO_PROMPT,
            timings={"total": time.perf_counter() - started},
            hits=(),
            ledger=Ledger(0, 0, 0, 0, set_aside=inventory.set_aside),
        )
    )


def _check(question: str) -> None:
    if not question.strip():
        raise UsageError("The question is empty. Type what you want to know.")
    if len(question) > MAX_QUERY_CHARACTERS:
        raise UsageError(
            f"The question has {len(question):,} characters, and at most "
            f"{MAX_QUERY_CHARACTERS:,} can be asked. Ask in fewer words."
        )

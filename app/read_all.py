"""The mode `read-all`: every page in scope is read, however many windows that takes.

    question → its parts → every page, a part at a time → second search → answer, with a ledger

Each part's request returns sentences of its pages word for word, or nothing;
what is not on the pages is not used. What was read is kept as it is read, so
that a reading can be stopped, or killed, and go on where it was. Only here
may an answer say that something is nowhere in the documents.
"""

from __future__ import annotations

import hashlib
import json
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import replace

from app.answers import (
    NO_PROMPT,
    Answer,
    AnswerEvent,
    AnswerReady,
    ReadingProgress,
    SourcesFound,
    TextDelta,
    Turn,
)
from app.budget import budget_of
from app.chat import ChatModel, ChatModelError, Message, ModelMissing, PromptTooLong
from app.find import MAX_QUERY_CHARACTERS, Finder
from app.followup import FollowUp, follow_up
from app.ledger import Ledger
from app.plans import READ_ALL
from app.prompt import harmless
from app.read_answer import (
    Told,
    Write,
    nothing_found,
    notices,
    passages_of,
    searched_again,
    written,
)
from app.read_crew import PAUSES_S, Crew, Outcome, Pace, PartReader
from app.read_inventory import (
    Inventory,
    ledger_of,
    pages_read,
    sheets_of,
    stretches,
    take_inventory,
    whole_page,
)
from app.read_ledger import OPEN, KeptReading, KeptSlice, Readings, Settled
from app.read_parts import Slice, Stretch, cut
from app.read_protocol import (
    VERSION,
    Asked,
    Section,
    further_messages,
    lead,
    marker_of,
    part_messages,
    plan_messages,
    questions_in,
)
from app.settings import AppSettings
from app.speeds import SpeedLog
from app.tokens import clean
from storage.errors import UsageError
from storage.library import Library
from storage.records import EVERYTHING, Scope

__all__ = ["FILE", "read_all", "read_so_far"]

log = logging.getLogger(__name__)

FILE = "readings.db"

HEARTBEAT_S = 1.0
"""How often progress is told while a part is read; a stop takes effect then."""

_PLAN_RESERVE = 256
"""Tokens of a request that only asks for some questions."""

_FOUND_SHOWN = 20
"""Sentences that the model sees when it is asked what is still missing."""

_LEAST_CAPACITY = 64
"""Tokens of pages; where less is left beside rules and question, the question is too long."""

_SEAM = 2
"""Tokens that the line ends around a page take."""

_GIVE_UP_AFTER = 3
"""Parts in a row that failed: the next ones would, too."""

_ROUNDS = 4
"""How often it is looked whether documents have changed while they were read."""


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
) -> Iterator[AnswerEvent]:
    """Read every page in scope with the model, then answer: progress, sources, text, the answer.

    The answer's mode is `read-all`, its `ledger` says what became of each
    page. Closing the iterator stops the model; the same question in the same
    scope goes on from there, unless `resume` is False. A part that fails is
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
    readings = Readings(library.settings.data_dir / FILE)
    try:
        reading = _FullRead(
            library, finder, model, settings, question, history, scope, readings, inventory, pauses
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
) -> tuple[int, int]:
    """Pages that an earlier `read_all` has read already, and all there are to read."""
    inventory = take_inventory(library.catalog, scope)
    readings = Readings(library.settings.data_dir / FILE)
    try:
        name = budget_of(model, settings, library.settings.data_dir).model
        query = follow_up(question, history, how=settings.followups).query
        slices = readings.slices(_key(query, scope, name))
    finally:
        readings.close()
    done = pages_read(inventory, slices)
    return len(done) + (inventory.blank if done else 0), inventory.pages


class _FullRead:
    """One question, read through a scope."""

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
    ) -> None:
        self._library = library
        self._catalog = library.catalog
        self._finder = finder
        self._model = model
        self._settings = settings
        self._history = history
        self._scope = scope
        self._readings = readings
        self._inventory = inventory
        self._pauses = pauses
        self._budget = budget_of(model, settings, library.settings.data_dir)
        self._asked = follow_up(
            question,
            history,
            model=model,
            how=settings.followups,
            reserve=settings.reserve,
        )
        self._key = _key(self._asked.query, scope, self._budget.model)
        self._slices: dict[tuple[int, int], KeptSlice] = {}
        self._found: list[Slice] = []
        self._done_pages = 0
        self._pace = Pace(0, 0.0)
        self._errors: list[ChatModelError] = []
        self._failed_in_row = 0
        self._read_something = False
        self._changed = False
        self._planned = False

    def forget(self) -> None:
        """Begin anew."""
        self._readings.forget(self._key)

    def events(self, write: Write | None, started: float) -> Iterator[AnswerEvent]:
        """Progress, then the answer."""
        asked = self._asked
        self._readings.begin(self._key, clean(asked.query))
        self._load()
        yield self._progress()
        parts = self._parts_of(asked)
        marker = marker_of(self._catalog.library_id(), asked.query)
        yield from self._read(Asked(asked.query, parts, marker))
        read_s = time.perf_counter() - started
        ledger = self._ledger()
        log.info("read all: %s in %.1f s", ledger.summary, read_s)
        if not self._found:
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

    # --- the question -------------------------------------------------------------------------

    def _parts_of(self, asked: FollowUp) -> tuple[str, ...]:
        """What the question is taken apart into; asked for once."""
        kept = self._kept()
        if kept.parts is not None:
            return kept.parts
        parts = self._questions(plan_messages(asked.query), asked.query)
        if parts is None:
            return ()
        self._readings.keep_parts(self._key, parts)
        return parts

    def _further(self, asked: FollowUp, sentences: Sequence[str], marker: str) -> tuple[str, ...]:
        """What the found sentences leave open, as questions to search for."""
        kept = self._kept()
        if kept.further is not None:
            return kept.further
        messages = further_messages(asked.query, sentences[:_FOUND_SHOWN], marker)
        questions = self._questions(messages, asked.query)
        if questions is None:
            return ()
        self._readings.keep_further(self._key, questions)
        return questions

    def _questions(self, messages: Sequence[Message], question: str) -> tuple[str, ...] | None:
        """The questions that the model replies with; None where it could not be asked.

        They only help: an answer does not fail for want of them.
        """
        reserve = min(_PLAN_RESERVE, self._budget.reserve)
        asker = PartReader(
            self._model,
            Asked(question, (), ""),
            reserve=reserve,
            room=self._budget.room,
            stop=threading.Event(),
            pauses=self._pauses,
        )
        try:
            return questions_in(asker.ask(messages), question)
        except ModelMissing:
            raise
        except ChatModelError as error:
            log.info("no questions from the chat model: %s", type(error).__name__)
            return None

    # --- reading ------------------------------------------------------------------------------

    def _read(self, asked: Asked) -> Iterator[ReadingProgress]:
        """Read what is not read yet; once more where documents change meanwhile."""
        kept = self._kept()
        speeds = SpeedLog(self._library.settings.data_dir).of(
            self._budget.model, self._budget.window
        )
        self._pace = Pace(kept.tokens, kept.seconds, speeds.prefill)
        for _ in range(_ROUNDS):
            self._changed = False
            self._plan(asked)
            self._planned = True
            yield self._progress()
            yield from self._read_open(asked)
            if not self._changed:
                break
            self._inventory = take_inventory(self._catalog, self._scope)
            self._load()
        if self._errors and not self._read_something and self._open():
            raise self._given_up(self._errors[-1])

    def _plan(self, asked: Asked) -> None:
        """Cut into parts what no part holds yet; parts with pages that are gone are undone."""
        versions = self._inventory.by_version
        stale = {s.ordinal for s in self._open() if s.where.version_id not in versions}
        lost = [s.where for s in self._open() if s.ordinal in stale]
        if stale:
            self._readings.drop_parts(self._key, stale)
            self._load()
        planned = {(s.where.version_id, s.where.page) for s in self._slices.values()}
        again = [where for where in lost if where.version_id in versions]
        planned |= {(where.version_id, where.page) for where in again}
        new = [whole_page(key) for key in self._inventory.readable if key not in planned]
        place = {version: n for n, version in enumerate(versions)}
        wanted = sorted([*again, *new], key=lambda s: (place[s.version_id], s.page, s.start))
        if wanted:
            parts = cut(
                stretches(self._catalog, self._inventory, wanted),
                self._capacity(asked),
                lambda text: self._model.count_text(harmless(text)).tokens,
                self._lead(asked),
            )
            self._readings.add(self._key, list(parts))
            self._load()

    def _capacity(self, asked: Asked) -> int:
        """Tokens of pages that a part may have. Raises PromptTooLong where none are left."""
        fixed = self._model.count(part_messages(asked, [])).tokens
        capacity = self._budget.room - fixed - _SEAM
        if capacity < _LEAST_CAPACITY:
            raise PromptTooLong(
                f"The question does not fit: rules and question take {fixed:,} tokens, and the "
                f"window leaves {max(self._budget.room, 0):,} beside the answer, too few for any "
                "page. Ask in fewer words, or raise HAYLOFT_WINDOW."
            )
        wanted = self._settings.read_part_tokens
        return min(capacity, max(wanted, _LEAST_CAPACITY)) if wanted else capacity

    def _lead(self, asked: Asked) -> Callable[[Stretch], int]:
        """Tokens of the line above a page."""

        def tokens(stretch: Stretch) -> int:
            title = self._inventory.by_version[stretch.where.version_id].title
            line = lead(asked.marker, 9999, Section(title, stretch.place, "", 0))
            return self._model.count_text(line).tokens + _SEAM

        return tokens

    def _read_open(self, asked: Asked) -> Iterator[ReadingProgress]:
        """Read the open parts, as many at a time as the server serves at once."""
        parts: dict[int, list[KeptSlice]] = {}
        for piece in self._open():
            parts.setdefault(piece.ordinal, []).append(piece)
        waiting = deque(parts.items())
        stop = threading.Event()
        reader = PartReader(
            self._model,
            asked,
            reserve=self._budget.reserve,
            room=self._budget.room,
            stop=stop,
            pauses=self._pauses,
        )
        with Crew(reader, stop, self._settings.read_parallel) as crew:
            while waiting or crew.busy:
                while waiting and crew.busy < crew.size:
                    ordinal, pieces = waiting.popleft()
                    sheets = sheets_of(self._catalog, self._inventory, pieces)
                    if sheets is None:
                        self._changed = True
                    else:
                        crew.start(ordinal, sheets)
                if not crew.busy:
                    break
                try:
                    outcome = crew.next(HEARTBEAT_S)
                except ChatModelError as error:
                    raise self._given_up(error) from error
                if outcome is not None:
                    self._settle(outcome, parts[outcome.ordinal])
                yield self._progress()

    def _settle(self, outcome: Outcome, pieces: Sequence[KeptSlice]) -> None:
        """Keep what a part came to. Raises where too many failed in a row."""
        tokens = sum(piece.tokens for piece in pieces if piece.position in outcome.states)
        seconds = self._pace.add(tokens, outcome.load_s)
        self._readings.settle(
            self._key,
            Settled(
                ordinal=outcome.ordinal,
                states=outcome.states,
                found=outcome.found,
                requests=outcome.requests,
                tokens=tokens,
                seconds=seconds if tokens else 0.0,
                unproved=outcome.unproved,
            ),
        )
        for piece in pieces:
            if piece.position in outcome.states:
                state = outcome.states[piece.position]
                self._slices[(piece.ordinal, piece.position)] = replace(piece, state=state)
        self._found = sorted({*self._found, *outcome.found})
        self._count()
        if outcome.states:
            self._read_something = True
            self._failed_in_row = 0
        if outcome.error is not None:
            self._errors.append(outcome.error)
            if not outcome.states:
                self._failed_in_row += 1
            if self._failed_in_row >= _GIVE_UP_AFTER:
                raise self._given_up(outcome.error)

    def _given_up(self, error: ChatModelError) -> ChatModelError:
        """The error with how far the reading came."""
        if not self._done_pages:
            return error
        said = type(error)(
            f"{error} {self._done_pages:,} of {self._inventory.pages:,} pages were read until "
            "then, and are kept: ask the same question again to go on."
        )
        said.__cause__ = error
        return said

    # --- what is kept -------------------------------------------------------------------------

    def _kept(self) -> KeptReading:
        query = clean(self._asked.query)
        return self._readings.get(self._key) or self._readings.begin(self._key, query)

    def _load(self) -> None:
        slices = self._readings.slices(self._key)
        self._slices = {(piece.ordinal, piece.position): piece for piece in slices}
        versions = self._inventory.by_version
        kept = self._readings.found(self._key)
        self._found = sorted(where for where in kept if where.version_id in versions)
        self._count()

    def _count(self) -> None:
        self._done_pages = len(pages_read(self._inventory, self._slices.values()))
        self._done_pages += self._inventory.blank

    def _open(self) -> list[KeptSlice]:
        return [piece for piece in self._slices.values() if piece.state == OPEN]

    def _progress(self) -> ReadingProgress:
        tokens = sum(piece.tokens for piece in self._open())
        return ReadingProgress(
            pages_read=self._done_pages,
            pages=self._inventory.pages,
            found=len({(where.version_id, where.page) for where in self._found}),
            seconds_left=self._pace.left(tokens) if self._planned else None,
        )

    def _ledger(self) -> Ledger:
        return ledger_of(
            self._inventory,
            list(self._slices.values()),
            self._found,
            self._kept(),
            reading=self._key,
            failures=[str(error) for error in self._errors],
        )

    # --- the answer ---------------------------------------------------------------------------

    def _write(
        self,
        write: Write,
        asked: FollowUp,
        parts: Sequence[str],
        marker: str,
        ledger: Ledger,
    ) -> Generator[AnswerEvent, None, Answer]:
        """The model's words from the pages that had something."""
        sentences = self._sentences()
        further = self._further(asked, sentences, marker)
        searched = searched_again(self._finder, asked, [*parts, *further], sentences, self._scope)
        reading = passages_of(
            self._catalog,
            self._inventory,
            self._found,
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

    def _sentences(self) -> list[str]:
        """The found sentences, each once, page after page."""
        with self._catalog.snapshot() as snapshot:
            pages = snapshot.pages((where.version_id, where.page) for where in self._found)
        texts = [
            " ".join(pages[(w.version_id, w.page)].text[w.start : w.end].split())
            for w in self._found
            if (w.version_id, w.page) in pages
        ]
        return list(dict.fromkeys(filter(None, texts)))

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
    from app.assistant import EMPTY_LIBRARY, EMPTY_SCOPE

    empty = library.catalog.counts().documents == 0
    text = EMPTY_LIBRARY if empty or scope.is_everything else EMPTY_SCOPE
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


def _key(query: str, scope: Scope, model: str) -> str:
    """What a reading is kept under: a change of any of these makes it another one.

    The query is complete in itself, so that the same question later in a
    conversation goes on with the same reading.
    """
    told = [VERSION, " ".join(query.split()), scope.to_json(), model]
    text = json.dumps(told, ensure_ascii=True, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]

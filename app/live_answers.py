"""Answers that are being written: one background thread each, for any page to look at.

A Streamlit script is stopped and started again by every click, and ended by a
reload; an answer must outlive both. So the answer's events are read here, in
a thread of its own that no page owns: the page draws what has arrived, a
reload finds the answer where it is by now, and closing the browser costs
nothing but the watching. Only the stop button, a fault or the end of the
process ends an answer early.

A second thread keeps what has arrived in the conversation store, and settles
a stopped answer at once even while the first one waits for a silent server.
A third one looks whether the model is in memory as long as nothing has
arrived, and proves the quotes of what has.
"""

from __future__ import annotations

import logging
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from app.answers import (
    Answer,
    AnswerEvent,
    AnswerReady,
    ModelBehind,
    ReadingProgress,
    SourcesFound,
    TextDelta,
)
from app.chat import ModelLoading
from app.conversations import FAILED, HEARTBEAT_S, INTERRUPTED, STOPPED
from app.hang_up import HangUp
from app.proving import GrowingProof, Proved
from app.snapshots import Snapshot
from app.waiting import LOADING, PAGES, QUEUE, READING, SEARCHING, Kind, Waiting
from app.wording import language, speaking
from storage.errors import HayloftError, StorageError, UsageError

log = logging.getLogger(__name__)

SAVE_S = 0.5
"""How often a growing answer is written down."""
STOP_PATIENCE_S = 0.5
"""How long a stopped answer may take to close its stream before it is settled without that."""
LOOK_S = 0.5
"""How often it is looked whether the model is loaded by now, and what is proved."""
LOADING_S = 1.0
"""How often a server is asked again that turns requests away while it loads its model."""
LOADING_PATIENCE_S = 1800.0
"""How long it may take: as long as HAYLOFT_ANSWER_TIMEOUT_S gives a server that takes the request
and is silent."""

Ask = Callable[[], Iterable[AnswerEvent]]

_AT_WORK: weakref.WeakSet[LiveAnswer] = weakref.WeakSet()
"""The answers of everybody who uses this process: they share one model."""
_AT_WORK_LOCK = threading.Lock()


class TurnKeeper(Protocol):
    """Where answers are written down: a conversation, or beside a saved answer."""

    def begin_turn(
        self, conversation_id: str, question: str, *, instead_of: int | None = None
    ) -> int:
        """Write down a question before its answer begins; returns the turn's id."""

    def begin_prompt(self, turn_id: int, found: SourcesFound) -> None:
        """Keep what is about to be sent."""

    def save_partial(self, turn_id: int, *, text: str) -> None:
        """Keep what there is of an answer so far."""

    def finish_turn(self, turn_id: int, answer: Answer, found: SourcesFound | None = None) -> None:
        """Keep a complete answer."""

    def end_turn(self, turn_id: int, state: str, *, error: str = "") -> None:
        """End an answer that is not complete as it stands."""


class LiveAnswer:
    """One answer while it is written."""

    def __init__(
        self,
        store: TurnKeeper,
        conversation_id: str,
        question: str,
        ask: Ask,
        instead_of: int | None = None,
    ) -> None:
        self.conversation_id = conversation_id
        self.question = question
        self._store = store
        self._ask = ask
        self._language = language()
        self._started = time.monotonic()
        self._lock = threading.Lock()
        self._pieces: list[str] = []
        self._sources: SourcesFound | None = None
        self._progress: ReadingProgress | None = None
        self._behind: ModelBehind | None = None
        self._in_memory: bool | None = None
        self._turned_away = False
        self._state: tuple[Kind, float] = (SEARCHING, self._started)
        self._proved: tuple[Proved, ...] = ()
        self._stop = threading.Event()
        self._ended = threading.Event()
        self._wake = threading.Event()
        self._line = HangUp()
        self._settled = threading.Event()
        self._outcome: tuple[str, str] = (INTERRUPTED, "")
        self._answer: Answer | None = None
        self.unsaved = ""
        """Why the ended answer could not be stored; empty where it was."""
        self.turn_id = store.begin_turn(conversation_id, question, instead_of=instead_of)
        with _AT_WORK_LOCK:
            _AT_WORK.add(self)

    def start(self) -> None:
        """Begin to read the answer's events."""
        for work in (self._read, self._keep, self._look):
            threading.Thread(
                target=work, name=f"hayloft-answer-{self.turn_id}", daemon=True
            ).start()

    def stop(self) -> None:
        """End the answer as it stands; its stream is closed, which frees the server."""
        self._stop.set()
        self._wake.set()
        # The reading thread may be waiting for a server that is silent.
        self._line.now()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the answer has ended and is stored; False where that takes longer."""
        return self._settled.wait(timeout)

    @property
    def settled(self) -> bool:
        """Whether the answer has ended and the store holds all of it."""
        return self._settled.is_set()

    def snapshot(self) -> Snapshot:
        """What there is of the answer now."""
        ahead = self.ahead()
        with self._lock:
            # One string again, so that the next look need not join every piece anew.
            self._pieces = ["".join(self._pieces)]
            text, sources = self._pieces[0], self._sources
            waiting = None if text or self._ended.is_set() else self._waiting(ahead)
        return Snapshot(
            turn_id=self.turn_id,
            question=self.question,
            text=text,
            hits=sources.hits if sources else None,
            mode=sources.mode if sources else "",
            model=sources.model if sources else "",
            started=self._started,
            stopping=self._stop.is_set(),
            settled=self._settled.is_set(),
            numbers=sources.numbers if sources else (),
            plan=sources.plan if sources else None,
            progress=self._progress,
            beside=sources.beside if sources else (),
            beside_numbers=sources.beside_numbers if sources else (),
            proved=self._proved,
            waiting=waiting,
        )

    def holds(self, model: str) -> bool:
        """Whether it has asked this model for its answer, and has not got all of that."""
        sources = self._sources
        return sources is not None and sources.model == model and not self.settled

    def began_before(self, moment: float) -> bool:
        """Whether it was asked before a `time.monotonic()`."""
        return self._started < moment

    def ahead(self) -> int:
        """Questions to the same model, of whomever, that its server answers first.

        They were asked before and are not answered yet, and there are more of them than the
        server answers at a time.
        """
        sources, behind = self._sources, self._behind
        if sources is None or not sources.model or self.settled:
            return 0
        with _AT_WORK_LOCK:
            others = list(_AT_WORK)
        before = sum(
            other.holds(sources.model) and other.began_before(self._started) for other in others
        )
        return max(0, before - (behind.slots if behind else 1) + 1)

    def _waiting(self, ahead: int) -> Waiting:
        """What it waits for now. The lock is held."""
        now = time.monotonic()
        sources, behind = self._sources, self._behind
        begun = sources is not None or self._progress is not None
        kind = READING if sources is not None else PAGES if begun else SEARCHING
        if self._turned_away or (begun and self._in_memory is False):
            kind = LOADING
        elif ahead:
            kind = QUEUE
        if kind != self._state[0]:
            self._state = (kind, now)
        plan = sources.plan if sources else None
        option = plan.option(sources.mode) if plan and sources else None
        whole_s = None
        if behind is not None and kind == LOADING:
            whole_s = behind.load_s
        elif behind is not None and kind == READING and option is not None and behind.prefill:
            whole_s = option.new_tokens / behind.prefill
        return Waiting(
            kind,
            now - self._started,
            now - self._state[1],
            model=sources.model if sources else behind.name if behind else "",
            ahead=ahead,
            whole_s=whole_s,
            passages=len(sources.hits) if sources else 0,
            option=option,
            progress=self._progress,
        )

    def _look(self) -> None:
        """See whether the model is loaded while nothing has arrived; prove what has."""
        proof: GrowingProof | None = None
        while not self._ended.wait(LOOK_S) and not self._stop.is_set():
            behind, sources, now = self._behind, self._sources, self.snapshot()
            try:
                if not now.text and behind is not None:
                    self._in_memory = behind.loaded()
                    self._turned_away = self._turned_away and self._in_memory is False
                elif now.text and sources is not None and sources.prove is not None:
                    proof = proof or GrowingProof(sources.prove)
                    self._proved = proof.look(now.text)
            except HayloftError as error:
                # The answer goes on; what its quotes prove is known at the end.
                log.info("nothing to tell of a growing answer: %s", type(error).__name__)

    def _read(self) -> None:
        """Read the events to their end, to a fault, or until the user stops them."""
        events: Iterator[AnswerEvent] | None = None
        try:
            with self._line, speaking(self._language):
                while True:
                    events = iter(self._ask())
                    try:
                        self._outcome = self._follow(events)
                        break
                    except ModelLoading as fault:
                        self._wait_for_loading(fault)
        except HayloftError as error:
            # A stop breaks the connection, and that reads like a fault of the server.
            self._outcome = (STOPPED, "") if self._stop.is_set() else (FAILED, str(error))
        except Exception as error:
            log.exception("an answer ended in a bug")
            self._outcome = (
                FAILED,
                f"Hayloft met a bug of its own ({type(error).__name__}) while answering. "
                "The terminal that runs `hayloft ui` shows where; please report it.",
            )
        finally:
            self._ended.set()
            self._wake.set()
            # Only the thread that reads a generator may close it. Where it is a
            # stream from a server, this closes the connection.
            close = getattr(events, "close", None)
            if close is not None:
                close()

    def _wait_for_loading(self, fault: ModelLoading) -> None:
        """Wait a moment before the question is asked again; raises the fault where it cannot be.

        A server that loads its model turns requests away, and nobody who asked should have to
        ask again.
        """
        waited = time.monotonic() - self._started
        if any(self._pieces) or waited > LOADING_PATIENCE_S:
            raise fault
        self._turned_away = True
        if self._stop.wait(LOADING_S):
            raise fault

    def _follow(self, events: Iterator[AnswerEvent]) -> tuple[str, str]:
        for event in events:
            if self._stop.is_set():
                return STOPPED, ""
            found: SourcesFound | None = None
            with self._lock:
                match event:
                    case SourcesFound():
                        self._sources = event
                        self._met(event.behind)
                        found = event
                    case TextDelta():
                        self._pieces.append(event.text)
                    case AnswerReady():
                        self._answer = event.answer
                    case ReadingProgress():
                        self._progress = event
                        self._met(event.behind)
            if found is not None:
                self._note(found)
            if self._stop.is_set() and self._answer is None:
                return STOPPED, ""
        if self._answer is not None:
            return "", ""
        return FAILED, "The answer ended before it was complete. Ask again."

    def _met(self, behind: ModelBehind | None) -> None:
        """Which model is asked, once that is known. The lock is held."""
        if behind is not None:
            self._behind = behind
            self._in_memory = behind.in_memory

    def _note(self, found: SourcesFound) -> None:
        """Write down what is about to be sent, before it is."""
        try:
            self._store.begin_prompt(self.turn_id, found)
        except StorageError as error:
            # The answer goes on; what the store thinks of it is known at the end.
            log.warning("what was sent could not be kept: %s", error)

    def _keep(self) -> None:
        """Write down what arrives, until the answer has ended or was stopped."""
        saved = ("", False)
        beaten = time.monotonic()
        try:
            while not self._wake.wait(SAVE_S):
                now = self.snapshot()
                due = time.monotonic() - beaten >= HEARTBEAT_S
                if (now.text, now.hits is not None) == saved and not due:
                    continue
                try:
                    self._save(now)
                except StorageError as error:
                    # The answer goes on; what the store thinks of it is known at the end.
                    log.warning("a growing answer could not be kept: %s", error)
                saved, beaten = (now.text, now.hits is not None), time.monotonic()
            self._ended.wait(STOP_PATIENCE_S)
            self._settle()
        except StorageError as error:
            self.unsaved = str(error)
        finally:
            self._settled.set()

    def _save(self, now: Snapshot) -> None:
        self._store.save_partial(self.turn_id, text=now.text)

    def _settle(self) -> None:
        if self._answer is not None:
            self._store.finish_turn(self.turn_id, self._answer, self._sources)
            return
        state, error = self._outcome if self._ended.is_set() else (STOPPED, "")
        self._save(self.snapshot())
        self._store.end_turn(self.turn_id, state, error=error)


class LiveAnswers:
    """The answers that this process is writing, one a conversation."""

    def __init__(self, store: TurnKeeper) -> None:
        self._store = store
        self._live: dict[str, LiveAnswer] = {}
        self._lock = threading.Lock()

    def start(
        self, conversation_id: str, question: str, ask: Ask, *, instead_of: int | None = None
    ) -> LiveAnswer:
        """Begin an answer in the background, with `instead_of` as another version of a turn.

        Raises UsageError where the conversation's last answer is still being
        written, and StorageError where the question cannot be kept.
        """
        with self._lock:
            self._forget_settled()
            earlier = self._live.get(conversation_id)
            if earlier is not None and not earlier.settled:
                raise UsageError(
                    "The last question of this conversation is still being answered. "
                    "Wait for it, or stop it, and ask again."
                )
            answer = LiveAnswer(self._store, conversation_id, question, ask, instead_of)
            self._live[conversation_id] = answer
        answer.start()
        return answer

    def get(self, conversation_id: str | None) -> LiveAnswer | None:
        """The answer that is being written in a conversation, if there is one.

        An answer that has ended and could not be stored is there, too, until
        the next question: this is the only place that still has it.
        """
        with self._lock:
            self._forget_settled()
            return self._live.get(conversation_id or "")

    def stop_all(self, timeout: float = 3.0) -> None:
        """Stop every answer and wait until they are stored."""
        with self._lock:
            answers = list(self._live.values())
        for answer in answers:
            answer.stop()
        for answer in answers:
            answer.wait(timeout)

    def _forget_settled(self) -> None:
        self._live = {
            name: answer
            for name, answer in self._live.items()
            if answer.unsaved or not answer.settled
        }

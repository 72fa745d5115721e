"""Reading parts: one request each, tried again, halved where that helps, several at a time.

As many threads read as the server serves requests at once (one, unless it is
told otherwise): more would only wait in its queue, and take each other's
place in its prefix cache.
"""

from __future__ import annotations

import contextvars
import logging
import queue
import threading
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from app.chat import (
    BadReply,
    ChatModel,
    ChatModelError,
    Message,
    ModelMissing,
    PromptTooLong,
    Usage,
)
from app.hang_up import HangUp
from app.read_ledger import CUT, READ, UNCLEAR
from app.read_parts import Slice, Stretch, halves
from app.read_protocol import Asked, Section, part_messages
from app.read_replies import proved

log = logging.getLogger(__name__)

PAUSES_S = (1.0, 5.0)
"""Waits before a request that failed is tried again; a crashed model loads in some seconds."""

_HALVED = 2
"""How often a part is halved whose reply could not be made out, or broke off."""

_HALVED_IF_CUT = 3
"""How often a part is halved whose reply was cut: of 1,024 tokens, all can be copied then."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A slice of a page with all that its prompt says of it."""

    position: int
    """Of its slice in the part."""
    where: Slice
    section: Section


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one part came to. A position that is not in `states` failed because of `error`."""

    ordinal: int
    states: dict[int, str]
    found: tuple[Slice, ...]
    unproved: int
    requests: int
    load_s: float
    """Of the time it took: loading the model."""
    error: ChatModelError | None = None


class Stopped(Exception):
    """Nobody waits for the reply any more."""


class PartReader:
    """Reads parts with one model; safe to share between threads."""

    def __init__(
        self,
        model: ChatModel,
        asked: Asked,
        *,
        reserve: int,
        room: int,
        stop: threading.Event,
        pauses: Sequence[float] = PAUSES_S,
    ) -> None:
        self._model = model
        self._asked = asked
        self._reserve = reserve
        self._room = room
        self._stop = stop
        self._pauses = pauses

    def read(self, ordinal: int, sheets: Sequence[Sheet]) -> Outcome:
        """Read one part. Raises Stopped, and ModelMissing, which no other part would mend."""
        reading = _Reading()
        self._read(reading, list(sheets))
        # What failed in one of its pieces is to be read again.
        states = {p: state for p, state in reading.states.items() if p not in reading.failed}
        return Outcome(
            ordinal=ordinal,
            states=states,
            found=tuple(dict.fromkeys(reading.found)),
            unproved=reading.unproved,
            requests=reading.requests,
            load_s=reading.load_s,
            error=reading.error,
        )

    def _read(self, reading: _Reading, sheets: list[Sheet], halved: int = 0) -> None:
        messages = part_messages(self._asked, [sheet.section for sheet in sheets])
        try:
            reply, usage = self._request(reading, messages)
        except PromptTooLong as error:
            # The window has become smaller, or the seams between pages cost more than foreseen.
            if not self._read_halves(reading, sheets, halved):
                reading.fail(sheets, error)
            return
        except BadReply as error:
            # A small model that repeats itself is cut off by Ollama, on these very pages again.
            if halved >= _HALVED or not self._read_halves(reading, sheets, halved + 1):
                reading.fail(sheets, error)
            return
        except ModelMissing:
            raise
        except ChatModelError as error:
            reading.fail(sheets, error)
            return
        reading.load_s += usage.load_s or 0.0
        proof = proved(reply, [sheet.section for sheet in sheets])
        cut = usage.stop_reason == "length"
        most = _HALVED_IF_CUT if cut else 0 if proof.clear else _HALVED
        if halved < most and self._read_halves(reading, sheets, halved + 1):
            return
        reading.unproved += proof.unproved
        for place in proof.copied:
            where = sheets[place.section].where
            reading.found.append(where._replace(start=place.start, end=place.end))
        if not proof.clear:
            reading.mark(sheets, UNCLEAR)
        else:
            reading.mark(sheets, CUT if cut else READ)

    def _read_halves(self, reading: _Reading, sheets: list[Sheet], halved: int) -> bool:
        """Read in two pieces; False where there is nothing left to part."""
        stretches = [Stretch(s.where, s.section.text, s.section.place) for s in sheets]
        parted = halves(stretches)
        if parted is None:
            return False
        for half in parted:
            self._read(reading, _sheets_of(half, sheets), halved)
        return True

    def ask(self, messages: Sequence[Message]) -> str:
        """The reply to another request, tried again as those for parts are."""
        return self._request(_Reading(), messages)[0]

    def _request(self, reading: _Reading, messages: Sequence[Message]) -> tuple[str, Usage]:
        """One request, tried again where another try may help."""
        for pause in (*self._pauses, None):
            if self._stop.is_set():
                raise Stopped
            try:
                tokens = self._model.count(messages).tokens
                if tokens > self._room:
                    raise PromptTooLong(
                        f"A part of {tokens:,} tokens does not fit the window, which leaves "
                        f"{self._room:,} beside the answer. Raise HAYLOFT_WINDOW."
                    )
                reading.requests += 1
                return self._stream(messages)
            except (ModelMissing, PromptTooLong):
                raise
            except ChatModelError as error:
                if self._stop.is_set():
                    raise Stopped from error
                if pause is None:
                    raise
                log.info("a part failed and is tried again: %s", type(error).__name__)
                if self._stop.wait(pause):
                    raise Stopped from error
        raise AssertionError("unreachable")

    def _stream(self, messages: Sequence[Message]) -> tuple[str, Usage]:
        pieces: list[str] = []
        usage = Usage()
        with closing(self._model.stream(messages, reserve=self._reserve)) as stream:  # type: ignore[type-var]
            for item in stream:
                if self._stop.is_set():
                    raise Stopped
                if isinstance(item, Usage):
                    usage = item
                else:
                    pieces.append(item)
        return "".join(pieces), usage


class _Reading:
    """What a part has come to so far."""

    def __init__(self) -> None:
        self.states: dict[int, str] = {}
        self.failed: set[int] = set()
        self.found: list[Slice] = []
        self.unproved = 0
        self.requests = 0
        self.load_s = 0.0
        self.error: ChatModelError | None = None

    def mark(self, sheets: Sequence[Sheet], state: str) -> None:
        """Note a state; of a slice in several pieces the worst one counts."""
        order = (READ, CUT, UNCLEAR)
        for sheet in sheets:
            known = self.states.get(sheet.position, READ)
            self.states[sheet.position] = max(known, state, key=order.index)

    def fail(self, sheets: Sequence[Sheet], error: ChatModelError) -> None:
        """Note that nothing could be read."""
        self.failed.update(sheet.position for sheet in sheets)
        self.error = error


def _sheets_of(stretches: Sequence[Stretch], sheets: Sequence[Sheet]) -> list[Sheet]:
    """The sheets that some of a part's stretches came from, cut as these are."""
    found = []
    for stretch in stretches:
        whole = next(
            sheet
            for sheet in sheets
            if (sheet.where.version_id, sheet.where.page)
            == (stretch.where.version_id, stretch.where.page)
            and sheet.where.start <= stretch.where.start
            and stretch.where.end <= sheet.where.end
        )
        section = whole.section._replace(text=stretch.text, start=stretch.where.start)
        found.append(Sheet(whole.position, stretch.where, section))
    return found


class Crew:
    """Threads that read parts; what they come to arrives in `next`.

    Leaving the `with` block hangs up on the server and waits for nobody.
    """

    def __init__(self, reader: PartReader, stop: threading.Event, size: int) -> None:
        self._reader = reader
        self._stop = stop
        self.size = size
        self._done: queue.SimpleQueue[Outcome | BaseException] = queue.SimpleQueue()
        self._lines: set[HangUp] = set()
        self._lock = threading.Lock()
        self.busy = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        with self._lock:
            lines = list(self._lines)
        for line in lines:
            line.now()

    def start(self, ordinal: int, sheets: Sequence[Sheet]) -> None:
        """Read a part in a thread of its own."""
        self.busy += 1
        # Whoever may stop the whole answer knows of this thread's connections, too.
        context = contextvars.copy_context()
        threading.Thread(
            target=context.run,
            args=(self._work, ordinal, sheets),
            name=f"hayloft-part-{ordinal}",
            daemon=True,
        ).start()

    def next(self, timeout_s: float) -> Outcome | None:
        """The next part that is done; None where that takes longer. Raises what it raised."""
        try:
            outcome = self._done.get(timeout=timeout_s)
        except queue.Empty:
            return None
        self.busy -= 1
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    def _work(self, ordinal: int, sheets: Sequence[Sheet]) -> None:
        line = HangUp()
        with self._lock:
            self._lines.add(line)
        try:
            with line:
                self._done.put(self._reader.read(ordinal, sheets))
        except BaseException as error:  # noqa: BLE001 - raised again in the thread that waits
            self._done.put(error)
        finally:
            with self._lock:
                self._lines.discard(line)


class Pace:
    """How fast pages are read, for the time that is left.

    `tokens` and `seconds` are what earlier sessions of the same reading
    measured, `prefill` the tokens a second of earlier answers, which counts as
    long as nothing else is known.
    """

    def __init__(self, tokens: int, seconds: float, prefill: float | None = None) -> None:
        self._tokens = tokens
        self._seconds = seconds
        self._prefill = prefill
        self._last = time.monotonic()

    def add(self, tokens: int, load_s: float) -> float:
        """Note a part that is done; returns the seconds since the one before, without loading."""
        now = time.monotonic()
        seconds = max(0.0, now - self._last - load_s)
        self._last = now
        if not tokens:
            return 0.0  # waiting for a server that failed says nothing about its speed
        self._tokens += tokens
        self._seconds += seconds
        return seconds

    def left(self, tokens: int) -> float | None:
        """Seconds for so many tokens from the last part on; None before anything was measured."""
        if not tokens:
            return 0.0
        if self._tokens:
            whole = tokens * self._seconds / self._tokens
        elif self._prefill:
            whole = tokens / self._prefill
        else:
            return None
        return max(0.0, whole - (time.monotonic() - self._last))

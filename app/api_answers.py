"""Answers on their way to programs: read in a thread each, waited for in the event loop.

The assistant's events come from blocking calls, and a request is served by the event loop. Between
the two stands a queue. Whoever asked may go away at any moment: `stop` then hangs up on the chat
model even while that is silent, which frees its server.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from app.answers import Answer, AnswerEvent, AnswerReady
from app.api_errors import ApiError, api_error, stopping, too_many
from app.hang_up import HangUp
from storage.errors import HayloftError

log = logging.getLogger(__name__)

MOST_AT_ONCE = 64
"""Answers that are read at a time. The chat model's server has a queue of its own behind that."""

Ask = Callable[[], Iterable[AnswerEvent]]


@dataclass(frozen=True, slots=True)
class Complete:
    """The answer is complete; always the last item."""

    answer: Answer
    tokens: int
    """Of the answer's text, as the model counts them; 0 where none wrote it."""


Item = AnswerEvent | Complete


class RunningAnswer:
    """One answer while it is read."""

    def __init__(self, ask: Ask, count: Callable[[Answer], int], ended: Callable[[], None]) -> None:
        self._ask = ask
        self._count = count
        self._ended = ended
        self._loop = asyncio.get_running_loop()
        self._items: deque[Item | ApiError | None] = deque()
        self._arrived = asyncio.Event()
        self._stop = threading.Event()
        self._line = HangUp()
        self.outcome = ""
        """`complete`, `failed`, `left` (by whoever asked) or `stopped`; empty while it is read."""

    def start(self) -> None:
        """Begin to read."""
        threading.Thread(target=self._read, name="hayloft-api-answer", daemon=True).start()

    async def items(self, patience_s: float | None = None) -> list[Item]:
        """What has arrived, once there is something; none where whoever asked has gone.

        Raises ApiError where the answer failed, and TimeoutError where nothing
        comes in time.
        """
        async with asyncio.timeout(patience_s):
            while not self._items:
                self._arrived.clear()
                await self._arrived.wait()
        found: list[Item] = []
        while self._items:
            item = self._items[0]
            if item is None or isinstance(item, ApiError):
                if item is not None and not found:
                    raise item
                break  # it stays, and is told by itself
            found.append(item)
            self._items.popleft()
        return found

    def leave(self) -> None:
        """Stop, because nobody waits for the answer any more."""
        self._end("left", None)

    def cut(self) -> None:
        """Stop, because the server ends; whoever waits gets an error."""
        self._end("stopped", stopping())

    def _end(self, outcome: str, last: ApiError | None) -> None:
        if not self.outcome:
            self.outcome = outcome
            self._put(last)
        self._stop.set()
        # The reading thread may be waiting for a server that is silent.
        self._line.now()

    def _read(self) -> None:
        events: Iterator[AnswerEvent] | None = None
        try:
            with self._line:
                events = iter(self._ask())
                self._follow(events)
        except HayloftError as error:
            # A stop breaks the connection, and that reads like a fault of the server.
            if not self._stop.is_set():
                self._tell(api_error(error), "failed")
        except Exception as error:
            log.exception("an answer ended in a bug")
            self._tell(api_error(error), "failed")
        finally:
            # Only the thread that reads a generator may close it. Where it is a
            # stream from a server, this closes the connection.
            close = getattr(events, "close", None)
            if close is not None:
                close()
            self._in_loop(self._ended)

    def _follow(self, events: Iterator[AnswerEvent]) -> None:
        for event in events:
            if self._stop.is_set():
                return
            if isinstance(event, AnswerReady):
                self._tell(Complete(event.answer, self._count(event.answer)), "complete")
                return
            self._tell(event)
        if not self._stop.is_set():
            raise RuntimeError("the assistant ended without an answer")

    def _tell(self, item: Item | ApiError, outcome: str = "") -> None:
        def put() -> None:
            if not self.outcome:
                self.outcome = outcome
                self._put(item)

        self._in_loop(put)

    def _put(self, item: Item | ApiError | None) -> None:
        self._items.append(item)
        self._arrived.set()

    def _in_loop(self, work: Callable[[], None]) -> None:
        # A loop that is closed has nobody left to tell.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(work)


class RunningAnswers:
    """All answers that are read now. For the event loop's thread alone."""

    def __init__(
        self, most: int = MOST_AT_ONCE, *, told: Callable[[str], None] = lambda outcome: None
    ) -> None:
        """`told` learns how each answer ended."""
        self._most = most
        self._told = told
        self._running: set[RunningAnswer] = set()
        self._closing = False

    def __len__(self) -> int:
        return len(self._running)

    def begin(self, ask: Ask, count: Callable[[Answer], int]) -> RunningAnswer:
        """Begin an answer. Raises ApiError where there are too many, or the server ends."""
        if self._closing:
            raise stopping()
        if len(self._running) >= self._most:
            raise too_many(self._most)

        def ended() -> None:
            self._running.discard(answer)
            self._told(answer.outcome)

        answer = RunningAnswer(ask, count, ended)
        self._running.add(answer)
        answer.start()
        return answer

    async def close(self, patience_s: float) -> None:
        """Take no more, give those that run their time, then cut them short."""
        self._closing = True
        deadline = asyncio.get_running_loop().time() + patience_s
        while self._running and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.05)
        for answer in list(self._running):
            answer.cut()

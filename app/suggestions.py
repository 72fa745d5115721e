"""Questions to go on with, under an answer: by the model, or from the headings near its sources.

The model is asked after the answer is complete, in a request that begins with the very prompt of
the conversation, the answer included: a server that keeps its last prefix reads the task alone,
and the next question finds that prefix where it was (as docs/decisions/0012 wants it). What comes
back is shown as text to click, and never used otherwise.
"""

from __future__ import annotations

import logging
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from app import prompt_text
from app.chat import Usage
from app.hang_up import HangUp
from storage.errors import HayloftError

if TYPE_CHECKING:
    from app.answers import Turn
    from app.chat import ChatModel
    from storage.catalog import Catalog
    from storage.records import Hit

log = logging.getLogger(__name__)

MOST = 3
RESERVE = 120
"""Tokens that the questions may take: three of some thirty each."""
LONGEST = 160
"""Characters of a question."""
TASK = """\
Not an answer this time: suggest what the reader could ask next. Write up to three short \
questions that the passages of this conversation can answer and that were not asked so far, in \
the language of the last answer, one a line, without numbers and without anything else."""

_REMEMBERED = 200
"""Answers whose suggestions are kept in memory."""
_AROUND = 2
"""Pages or sections before and behind a source whose headings are looked at."""
_LEAD = re.compile(r"^(?:[\s\"'“”„«»`*#>•–-]+|\(?\d{1,2}[.):]\s*)+")
_TAIL = re.compile(r"[\s\"'“”„«»`*]+$")
_FORBIDDEN = re.compile(r"https?:|www\.|<[|/a-z]|\[\d|\x00", re.IGNORECASE)
_ENDS = ("?", "？", "؟", ";", "।")
"""What questions end with; Greek has a semicolon."""


def by_model(model: ChatModel, history: Sequence[Turn]) -> list[str]:
    """The model's questions; none where the request does not fit or nothing usable comes back.

    Raises a ChatModelError.
    """
    messages = prompt_text.with_user(prompt_text.opening(history), TASK)
    if model.count(messages).tokens > model.room(RESERVE):
        return []
    text = ""
    stream = model.stream(messages, reserve=RESERVE)
    try:
        for piece in stream:
            if not isinstance(piece, Usage):
                text += piece
            if text.count("\n") > 2 * MOST:
                break
    finally:
        close = getattr(stream, "close", None)
        if close is not None:
            close()
    return usable(text, [turn.question for turn in history])


def usable(text: str, asked: Iterable[str]) -> list[str]:
    """The questions in a model's reply: short, of one line, none that was asked before."""
    seen = {_folded(question) for question in asked}
    found: list[str] = []
    for raw in text.splitlines():
        line = " ".join(_TAIL.sub("", _LEAD.sub("", raw)).split())
        if not line.endswith(_ENDS) or len(line) > LONGEST or _FORBIDDEN.search(line):
            continue
        if _folded(line) not in seen:
            seen.add(_folded(line))
            found.append(line)
    return found[:MOST]


def headings_near(catalog: Catalog, hits: Sequence[Hit], question: str) -> list[tuple[Hit, str]]:
    """Headings around the sources that were not among them, each with the source it is near."""
    wanted = {
        (hit.version_id, hit.page + step): hit
        for hit in reversed(hits)
        for step in (*range(-_AROUND, 0), *range(1, _AROUND + 1))
    }
    with catalog.snapshot() as snapshot:
        pages = snapshot.pages(wanted)
    asked = _folded(question)
    seen = {_leaf(hit.heading).casefold() for hit in hits}
    found: list[tuple[Hit, str]] = []
    # Near the best source first.
    order = {id(hit): place for place, hit in enumerate(hits)}
    for key in sorted(pages, key=lambda key: (order[id(wanted[key])], key[1])):
        leaf = _leaf(pages[key].heading)
        if not 3 <= len(leaf) <= 80 or leaf.casefold() in seen or _folded(leaf) in asked:
            continue
        seen.add(leaf.casefold())
        found.append((wanted[key], leaf))
    return found[:MOST]


def _leaf(heading: str) -> str:
    return " ".join(heading.rpartition(" › ")[2].split())


def _folded(text: str) -> str:
    return re.sub(r"\W+", " ", text.casefold()).strip()


@dataclass(slots=True)
class _Job:
    conversation_id: str
    line: HangUp = field(default_factory=HangUp)
    ended: threading.Event = field(default_factory=threading.Event)
    cancelled: bool = False
    found: tuple[str, ...] = ()


class Suggestions:
    """What is suggested after answers, made in the background; lost with the process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._jobs: OrderedDict[int, _Job] = OrderedDict()

    def begin(self, conversation_id: str, turn_id: int, make: Callable[[], Sequence[str]]) -> None:
        """Make the suggestions of an answer; once, however often it is called."""
        with self._lock:
            if turn_id in self._jobs:
                return
            job = self._jobs[turn_id] = _Job(conversation_id)
            while len(self._jobs) > _REMEMBERED:
                self._jobs.popitem(last=False)
        threading.Thread(
            target=self._work, args=(job, make), name="hayloft-suggestions", daemon=True
        ).start()

    def of(self, turn_id: int) -> tuple[str, ...] | None:
        """What is suggested after an answer; None where nothing was begun, or it is not done."""
        with self._lock:
            job = self._jobs.get(turn_id)
        return job.found if job is not None and job.ended.is_set() else None

    def begun(self, turn_id: int) -> bool:
        """Whether suggestions of an answer were begun."""
        with self._lock:
            return turn_id in self._jobs

    def cancel(self, conversation_id: str | None, timeout: float = 1.0) -> None:
        """Make none any more in a conversation: its reader has gone on, the server is needed."""
        with self._lock:
            jobs = [job for job in self._jobs.values() if job.conversation_id == conversation_id]
        running = [job for job in jobs if not job.ended.is_set()]
        for job in running:
            job.cancelled = True
            job.line.now()
        for job in running:
            job.ended.wait(timeout)

    def _work(self, job: _Job, make: Callable[[], Sequence[str]]) -> None:
        try:
            with job.line:
                found = tuple(make())
            job.found = () if job.cancelled else found
        except HayloftError as error:
            log.info("no questions to go on with: %s", type(error).__name__)
        except Exception:
            # A page must not break because of what is only offered beside an answer.
            log.exception("suggesting questions ended in a bug")
        finally:
            job.ended.set()

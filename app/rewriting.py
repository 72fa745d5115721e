"""Follow-up questions by the chat model: one short request that gives one search query.

The request is the beginning of the very prompt that the answer will be asked with, the rules and
the earlier turns word for word, and a short task after them. A server that keeps the prefix of
its last prompt has then read that beginning already when the answer is asked for: the request
costs its task and a line of output, and puts nothing else in the place of what is kept
(docs/decisions/0008).

What comes back is only ever used to search with, and only where it is one short line about the
conversation: names and numbers that stand nowhere in it are refused.
"""

from __future__ import annotations

import contextvars
import logging
import re
import threading
import time
from collections.abc import Sequence

from app import prompt_text
from app.answers import Turn
from app.chat import ChatModel, ChatModelError, Message, Usage
from app.entities import entities, periods
from app.entity_words import FUNCTION_WORDS
from app.hang_up import HangUp
from app.periods import RELATIVE
from storage.errors import HayloftError

log = logging.getLogger(__name__)

RESERVE = 80
"""Tokens that a query may take; a question of 300 characters has about as many."""
FIRST_WORD_S = 20.0
"""How long the first word may take: an answer would have to wait for load and prefill, too."""
LAST_WORD_S = 10.0
"""How long the rest of the line may take after the first word."""
LONGEST = 300
"""Characters of a query."""

TASK = """\
Before anything is answered, the documents have to be searched. Write the search query for the \
last question below: the question made complete, so that it can be understood without the \
conversation. Put in the names, years and subject that it leaves out; keep its own words, names, \
numbers and language. Add nothing else. Do not answer it. Reply with that one line only.

Last question: {question}

Search query:"""

_LABEL = re.compile(
    r"^(?:(?:search )?query|question|standalone question|rewritten(?: question)?|búsqueda|"
    r"suchanfrage|requête|搜索查询|查询)\s*[:：]\s*",
    re.IGNORECASE,
)
_WRAPPED = re.compile(r"^[\s\"'“”„«»`*#>•-]+|[\s\"'“”„«»`*]+$")
_FORBIDDEN = re.compile(r"https?:|www\.|<[|/a-z]|\{|\}|\x00", re.IGNORECASE)
_WORD = re.compile(r"[^\W_]+")
_HAN = re.compile(r"[\u3400-\u9fff]")


def rewrite(
    model: ChatModel,
    question: str,
    history: Sequence[Turn],
    *,
    reserve: int,
    first_word_s: float = FIRST_WORD_S,
    last_word_s: float = LAST_WORD_S,
    opening: Sequence[Message] | None = None,
) -> str | None:
    """The question as the model completes it, checked; None where nothing usable came in time.

    `opening` is what the answer's prompt will begin with, the earlier turns by
    themselves where it is None; with it and `reserve`, the answer's own, the
    request fits or is not made. Never raises because of the model.
    """
    before = prompt_text.opening(history) if opening is None else opening
    request = _Request(model, question, before, reserve, last_word_s)
    line = request.run(first_word_s)
    if line is None:
        return None
    query = checked(line, question, history)
    if query is None:
        log.info("the chat model's search query was refused; the rules decide")
    return query


class _Request:
    """One request in a thread of its own, so that no server can hold up the answer."""

    def __init__(
        self,
        model: ChatModel,
        question: str,
        opening: Sequence[Message],
        reserve: int,
        last_word_s: float,
    ) -> None:
        self._model = model
        self._question = question
        self._opening = opening
        self._reserve = reserve
        self._last_word_s = last_word_s
        self._line = HangUp()
        self._began = threading.Event()
        self._ended = threading.Event()
        self._given_up = threading.Event()
        self._text: str | None = None

    def run(self, first_word_s: float) -> str | None:
        """The model's first line, or None."""
        # The answer's own line to the server must know of this one: stopping stops both.
        context = contextvars.copy_context()
        threading.Thread(
            target=context.run, args=(self._work,), name="hayloft-rewriting", daemon=True
        ).start()
        started = time.monotonic()
        if not self._began.wait(first_word_s):
            # Left alone, not hung up on: a server that is loading the model would begin anew for
            # the answer. Its first word, when it comes, ends the request.
            self._given_up.set()
            log.info("no search query from the chat model after %.0f s", first_word_s)
            return None
        if not self._ended.wait(self._last_word_s):
            self._given_up.set()
            self._line.now()
            log.info("the search query was not complete after %.0f s", time.monotonic() - started)
            return None
        return self._text

    def _work(self) -> None:
        try:
            with self._line:
                self._text = self._ask()
        except (ChatModelError, HayloftError) as error:
            log.info("the chat model gave no search query: %s", type(error).__name__)
        except Exception:
            # An answer must not be lost because of a bug in what only improves its search.
            log.exception("the chat model's search query ended in a bug")
        finally:
            self._ended.set()
            self._began.set()

    def _ask(self) -> str:
        model = self._model
        task = TASK.format(question=prompt_text.harmless(self._question))
        messages = prompt_text.with_user(self._opening, task)
        if model.count(messages).tokens > model.room(self._reserve):
            # The oldest turns will be dropped: asked now, they would be read for nothing.
            return ""
        deadline: float | None = None
        text = ""
        stream = model.stream(messages, reserve=RESERVE)
        try:
            for piece in stream:
                if self._given_up.is_set():
                    break
                if isinstance(piece, Usage):
                    continue
                self._began.set()
                deadline = deadline or time.monotonic() + self._last_word_s
                text += piece
                line = text.lstrip()
                if "\n" in line or len(line) > 2 * LONGEST or time.monotonic() > deadline:
                    break
        finally:
            close = getattr(stream, "close", None)
            if close is not None:
                close()
        return text


# --- checking -----------------------------------------------------------------------------------


def checked(text: str, question: str, history: Sequence[Turn]) -> str | None:
    """The first line of a model's reply as a search query; None where it is no such thing."""
    line = next((line for line in text.splitlines() if line.strip()), "")
    line = _LABEL.sub("", _WRAPPED.sub("", line))
    line = " ".join(_WRAPPED.sub("", line).split())
    if not line or len(line) > LONGEST or _FORBIDDEN.search(line):
        return None
    said = " ".join(
        [question, *(f"{turn.question} {turn.searched} {turn.answer}" for turn in history)]
        + [f"{hit.title} {hit.document}" for turn in history for hit in turn.hits]
    )
    if not (_keeps(line, question) and _invents_nothing(line, question, said)):
        return None
    return line


def _keeps(line: str, question: str) -> bool:
    """Whether the question's own names and numbers stand in the query."""
    folded = line.casefold()
    spans = [p for p in periods(question) if p.unit == RELATIVE]
    rest = question
    for span in spans:
        rest = rest[: span.start] + " " * (span.end - span.start) + rest[span.end :]
    numbers = re.findall(r"\d+", rest)
    names = [entity.text for entity in entities(rest) if entity.sure]
    return all(number in folded for number in numbers) and all(
        name.casefold() in folded for name in names
    )


def _invents_nothing(line: str, question: str, said: str) -> bool:
    """Whether what the query is about comes from the conversation.

    Its names and most of its words stand there; its numbers do, or are years
    near one that does ("the year before").
    """
    folded = said.casefold()
    years = {year for period in periods(said) for year in period.years}
    for number in re.findall(r"\d+", line):
        near = len(number) == 4 and any(abs(int(number) - year) <= 5 for year in years)
        if number not in folded and not near and not (len(number) == 1 and int(number) in range(5)):
            return False
    if any(e.sure and e.form not in folded for e in entities(line) if e.kind != "subject"):
        return False
    words = [
        word
        for word in (match[0].casefold() for match in _WORD.finditer(line))
        if word not in FUNCTION_WORDS and not word.isdigit()
    ]
    if _HAN.search(line):
        pairs = [line[i : i + 2] for i in range(len(line) - 1) if _HAN.match(line[i])]
        known = sum(pair in said for pair in pairs)
        return known >= 0.5 * len(pairs)
    known = sum(word[:5] in folded for word in words)
    return bool(words) and known >= 0.6 * len(words)

"""Readers for tests of full reads: they truly read the prompt they are given, and nothing else.

`faithful` is a model that does as it is told: of each page between the markers
it copies the sentences that share enough words with the question. It is a
reply hook of the Ollama double and what `StubModel` answers with.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence

from app.chat import Message, TokenCount, Usage
from app.read_protocol import Section, lead

Messages = Sequence[Mapping[str, str]]

_MARKER = re.compile(r"lines that begin with (\S+)\. They")
_PAGE = re.compile(r"^ page (\d+): ([^\n]*)\n(.*)\Z", re.S)
_PASSAGE = re.compile(r'<passage n="(\d+)" from="([^"]*)">\n(.*?)\n</passage>', re.S)
_SENTENCE = re.compile(r"[^.!?\n]+[.!?]?")
_SMALL = frozenset("the what when where which who how does did and for from with that this".split())


def kind(messages: Messages) -> str:
    """What a request is for: `part`, `plan`, `further` or `answer`."""
    rules = messages[0]["content"]
    if rules.startswith("You read pages"):
        return "part"
    if rules.startswith("You prepare a search"):
        return "plan"
    return "further" if rules.startswith("You prepare a second") else "answer"


def words(text: str) -> set[str]:
    """The words of a text that mean something."""
    found = re.findall(r"\w+", text.casefold())
    return {word for word in found if len(word) > 2 and word not in _SMALL}


def question_of(messages: Messages) -> str:
    """The question and its parts, as a request states them."""
    user = messages[-1]["content"]
    asked = re.findall(r"^Question: (.*)$", user, re.M)[-1 if kind(messages) == "answer" else 0]
    return " ".join([asked, *re.findall(r"^- (.*)$", user.partition("§§")[0], re.M)])


def pages_of(messages: Messages) -> list[tuple[int, str, str]]:
    """The pages of a part's prompt: number, where it is from, text."""
    marker = _MARKER.search(messages[0]["content"])[1]
    pieces = re.split(f"^{re.escape(marker)}", messages[-1]["content"], flags=re.M)[1:]
    found = [_PAGE.match(piece) for piece in pieces]
    return [(int(page[1]), page[2], page[3]) for page in found if page]


def helpful(text: str, question: str, least: int = 3) -> list[str]:
    """The sentences of a text that share so many words with a question."""
    wanted = words(question)
    sentences = (sentence.strip() for sentence in _SENTENCE.findall(text))
    return [s for s in sentences if len(words(s) & wanted) >= least]


def faithful(messages: Messages, options: Mapping[str, object] | None = None) -> str:
    """What a faithful reader replies to any request of a full read."""
    what = kind(messages)
    if what in ("plan", "further"):
        return "NONE"
    question = question_of(messages)
    if what == "part":
        copied = [
            f'[{number}] "{sentence}"'
            for number, _, text in pages_of(messages)
            for sentence in helpful(text, question)
        ]
        return "\n".join(copied) or "NONE"
    quoted = [
        f'It says "{sentence}" [{number}].'
        for number, _, text in _PASSAGE.findall(messages[-1]["content"])
        for sentence in helpful(text, question)
    ]
    return " ".join(quoted) or "The documents do not say it."


class StubModel:
    """A ChatModel without a server; a token is a word or a mark.

    `reply` may return a text, an Exception to raise, or a (text, stop reason).
    """

    provider = "stub"

    def __init__(
        self,
        reply: Callable[[Messages], object] = faithful,
        *,
        window: int = 4096,
        digest: str = "stub-1",
    ) -> None:
        self.name = "reader"
        self.digest = digest
        self._reply = reply
        self._window = window
        self._lock = threading.Lock()
        self.requests: list[list[dict[str, str]]] = []
        self.at_once = 0
        self.most_at_once = 0

    def window(self) -> int:
        return self._window

    def room(self, reserve: int) -> int:
        return self._window - reserve - 1

    def count(self, messages: Sequence[Message]) -> TokenCount:
        return TokenCount(sum(4 + self.count_text(m.content).tokens for m in messages), True)

    def count_text(self, text: str) -> TokenCount:
        return TokenCount(len(re.findall(r"\w+|[^\w\s]", text)), True)

    def stream(self, messages: Sequence[Message], *, reserve: int) -> Iterator[str | Usage]:
        told = [{"role": m.role, "content": m.content} for m in messages]
        tokens = self.count(messages).tokens
        assert tokens <= self.room(reserve), f"{tokens} tokens are more than the room"
        with self._lock:
            self.requests.append(told)
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            reply = self._reply(told)
            if isinstance(reply, Exception):
                raise reply
            text, reason = reply if isinstance(reply, tuple) else (reply, "stop")
            middle = len(text) // 2
            yield text[:middle]
            yield text[middle:]
            yield Usage(prompt_tokens=tokens, stop_reason=reason)
        finally:
            with self._lock:
                self.at_once -= 1

    def parts(self) -> list[list[dict[str, str]]]:
        """The requests that read pages."""
        return [messages for messages in self.requests if kind(messages) == "part"]


def section(text: str, *, title: str = "Report", place: str = "page 1", **more) -> Section:
    """A whole page."""
    return Section(title, place, text, 0, **more)


__all__ = ["StubModel", "faithful", "kind", "lead", "pages_of", "section"]

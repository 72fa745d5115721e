"""Readers of known behaviour: chat models without a model, for the harness's self-test.

A reader gets the prompts that a model would get. It looks at the part of the
words that its kind can see, and names the values of the needles that stand in
there, word for word. It knows which sentences are needles, as whoever made
them does, and nothing of lengths, depths or scores: the patterns of the maps
come from where the needles really stand.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from random import Random

from app.chat import Message, ModelCrashed, TokenCount, Usage
from evaluation.niah.records import Needle, Trial

NOT_THERE = "The text does not say."

_TEMPLATE = 4
"""Tokens that this model's chat template puts around a message."""

Words = Sequence[str]


@dataclass(frozen=True)
class Sight:
    """What a reader has before it answers: the question's needles, and what it sees of the text."""

    trial: Trial
    words: Words
    """Of the whole prompt."""
    seen: Words

    @cached_property
    def text(self) -> str:
        """What it sees, its words one blank apart."""
        return " ".join(self.seen)

    def sees(self, needle: Needle) -> bool:
        """Whether all of a needle stands in what it sees."""
        return " ".join(needle.text.split()) in self.text

    @property
    def luck(self) -> Random:
        """Chance that depends on the prompt alone."""
        return Random(zlib.crc32(" ".join(self.words).encode("utf-8", "replace")))


Look = Callable[[Words], Words]
Say = Callable[[Sight], str]


class WordCounter:
    """Counts as the readers do: a word is a token."""

    def count_text(self, text: str) -> TokenCount:
        """See app.tokens.TokenCounter."""
        return TokenCount(len(text.split()), exact=True)

    def count_chat(self, messages: Sequence[Message]) -> TokenCount:
        """See app.tokens.TokenCounter."""
        words = sum(len(message.content.split()) for message in messages)
        return TokenCount(words + _TEMPLATE * len(messages), exact=True)


class Reader:
    """A chat model that looks and says as it is told. A word is a token.

    `served` makes it a server that keeps no more than so many tokens: of a
    longer prompt it drops the front, keeps half its window, answers as if
    nothing had happened, and counts what it kept (as Ollama does where it is
    not told otherwise). `fails_every` makes it crash at every so-manieth call.
    """

    provider = "selftest"

    def __init__(
        self,
        name: str,
        trials: Iterable[Trial],
        say: Say,
        look: Look = lambda words: words,
        *,
        window: int = 1 << 22,
        served: int = 0,
        fails_every: int = 0,
        answer_tokens: int = 64,
    ) -> None:
        self.name = name
        self.digest = f"selftest-{name}"
        self.options: dict[str, object] = {}
        self.calls = 0
        self._known = {trial.question: trial for trial in trials}
        self._say, self._look = say, look
        self._window, self._served = window, served
        self._fails_every = fails_every
        self._answer_tokens = answer_tokens

    def window(self) -> int:
        """See app.chat.ChatModel."""
        return self._window

    def room(self, reserve: int) -> int:
        """See app.chat.ChatModel."""
        return self._window - reserve

    def count(self, messages: Sequence[Message]) -> TokenCount:
        """See app.chat.ChatModel."""
        return WordCounter().count_chat(messages)

    def count_text(self, text: str) -> TokenCount:
        """See app.chat.ChatModel."""
        return WordCounter().count_text(text)

    def stream(self, messages: Sequence[Message], *, reserve: int) -> Iterator[str | Usage]:
        """See app.chat.ChatModel."""
        self.calls += 1
        if self._fails_every and self.calls % self._fails_every == 0:
            raise ModelCrashed("The self-test's reader has crashed, as it is told to.")
        words = [word for message in messages for word in message.content.split()]
        counted = self.count(messages).tokens
        if self._served and counted > self._served:
            # Half of the window, and the chat template's three tokens around it.
            words, counted = words[-(self._served // 2) :], self._served // 2 + 3
        question = messages[-1].content.rpartition("Question: ")[2].strip()
        trial = self._known.get(question)
        answer = NOT_THERE
        if trial is not None:
            answer = self._say(Sight(trial, words, self._look(words)))
        yield answer
        yield Usage(prompt_tokens=counted, answer_tokens=len(answer.split()))


def honest(sight: Sight) -> str:
    """The values of the needles that it sees; of a chain only with all its links."""
    trial = sight.trial
    if not trial.expected:
        return NOT_THERE
    seen = [needle for needle in trial.needles if sight.sees(needle)]
    if trial.task == "chain" and len(seen) < len(trial.needles):
        return NOT_THERE
    values = [needle.value for needle in seen if needle.value in trial.expected]
    return "\n".join(values) or NOT_THERE


def lucky(share: float) -> Say:
    """Honest with a chance of `share`, otherwise a wrong number."""

    def say(sight: Sight) -> str:
        return honest(sight) if sight.luck.random() < share else "1000000"

    return say


def echo(sight: Sight) -> str:
    """The whole prompt, whatever is asked."""
    return " ".join(sight.words)


def list_all(sight: Sight) -> str:
    """Every value that it sees, right and wrong."""
    needles = (*sight.trial.needles, *sight.trial.distractors)
    return "\n".join(needle.value for needle in needles if needle.value and sight.sees(needle))


def refuse(sight: Sight) -> str:
    """Never an answer."""
    return NOT_THERE


def take_distractor(sight: Sight) -> str:
    """The first wrong value that it sees."""
    wrong = [needle.value for needle in sight.trial.distractors if sight.sees(needle)]
    return wrong[0] if wrong else NOT_THERE


def know(sight: Sight) -> str:
    """The right answer without looking."""
    return "\n".join(sight.trial.expected) or NOT_THERE


def last_half(window: int) -> Look:
    """Of a prompt beyond the window only its last half a window, and not a word about it."""
    return lambda words: words if len(words) <= window else words[-(window // 2) :]


def head(share: float) -> Look:
    """The first share of every prompt, and the question."""
    return lambda words: words[: int(share * len(words))]


def head_and_tail(share: float) -> Look:
    """The first and the last share of every prompt, and nothing between."""

    def look(words: Words) -> Words:
        kept = int(share * len(words))
        return [*words[:kept], *words[-kept:]]

    return look


def blind_between(low: float, high: float, beyond: int) -> Look:
    """Blind to what stands between two depths of prompts of more than `beyond` words."""

    def look(words: Words) -> Words:
        if len(words) <= beyond:
            return words
        return [*words[: int(low * len(words))], *words[int(high * len(words)) :]]

    return look

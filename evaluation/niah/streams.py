"""A haystack as it is read from one of its places on, counted once and remembered."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from app.chat import Message, TokenCount
from app.sentences import sentences
from evaluation.niah.haystacks import Haystack
from evaluation.niah.records import Needle

BREAK = "\n\n"
"""Between two paragraphs."""


class Ruler:
    """Counts as the model does. Safe for one thread at a time.

    `exact` turns false with the first count that is an estimate.
    """

    def __init__(
        self,
        count: Callable[[Sequence[Message]], TokenCount],
        count_text: Callable[[str], TokenCount],
    ) -> None:
        self._count = count
        self._count_text = count_text
        self.exact = True

    def chat(self, messages: Sequence[Message]) -> int:
        """Tokens of a rendered chat prompt."""
        return self._told(self._count(messages))

    def text(self, text: str) -> int:
        """Tokens of a text on its own."""
        return self._told(self._count_text(text)) if text else 0

    def _told(self, count: TokenCount) -> int:
        self.exact = self.exact and count.exact
        return count.tokens


@dataclass(frozen=True, slots=True, order=True)
class Spot:
    """A sentence boundary of a stream."""

    paragraph: int
    end: int
    """Characters of the paragraph before it; 0 only at the top of the stream."""


@dataclass(frozen=True, slots=True)
class Insert:
    """A needle at its place."""

    spot: Spot
    needle: Needle


class Stream:
    """A haystack read from one of its paragraphs on, round to the one before; counted as needed.

    Prompts of one trial are all cut from one stream, so that they begin alike.
    """

    def __init__(self, haystack: Haystack, ruler: Ruler, offset: int, memory: Memory) -> None:
        self.offset = offset % len(haystack.paragraphs)
        self.spaced = haystack.language != "zh"
        self.ruler = ruler
        self._memory = memory
        self._paragraphs = haystack.paragraphs[self.offset :] + haystack.paragraphs[: self.offset]
        self._tokens = [0]
        self._characters = list(
            accumulate((len(one) + len(BREAK) for one in self._paragraphs), initial=0)
        )

    def __len__(self) -> int:
        return len(self._paragraphs)

    def paragraph(self, number: int) -> str:
        """The text of a paragraph."""
        return self._paragraphs[number]

    def tokens_before(self, number: int) -> int:
        """Tokens of all paragraphs before this one, the empty lines between them included."""
        while len(self._tokens) <= number:
            self._tokens.append(
                self._tokens[-1] + self._memory.tokens(self._paragraphs[len(self._tokens) - 1])
            )
        return self._tokens[number]

    def holding(self, tokens: int) -> int:
        """The paragraph that holds a token; the last one where the stream is shorter."""
        while self._tokens[-1] <= tokens and len(self._tokens) <= len(self):
            self.tokens_before(len(self._tokens))
        return min(bisect_right(self._tokens, tokens) - 1, len(self) - 1)

    def ends(self, number: int) -> Sequence[int]:
        """Where the sentences of a paragraph end, in characters."""
        return self._memory.ends(self._paragraphs[number])

    def position(self, spot: Spot) -> int:
        """Tokens of the stream before a spot."""
        text = self._paragraphs[spot.paragraph]
        before = self.tokens_before(spot.paragraph)
        return before + (self._memory.part(text[: spot.end]) if spot.end else 0)

    def character(self, spot: Spot) -> int:
        """Characters of the stream before a spot."""
        return self._characters[spot.paragraph] + spot.end

    def nearest(self, tokens: float, last: Spot) -> Spot:
        """The sentence boundary nearest to so many tokens, not behind `last`."""
        if tokens <= 0:
            return Spot(0, 0)
        home = min(self.holding(int(tokens)), last.paragraph)
        spots = [
            Spot(number, end)
            for number in range(max(0, home - 1), min(home + 1, last.paragraph) + 1)
            for end in self.ends(number)
        ]
        spots = [spot for spot in [Spot(0, 0), *spots] if spot <= last]
        return min(spots, key=lambda spot: abs(self.position(spot) - tokens))

    def text(self, start: int, end: int) -> list[str]:
        """Paragraphs, each with the empty line behind it."""
        return [one + BREAK for one in self._paragraphs[start:end]]


class Memory:
    """Counts and sentence ends of paragraphs, kept for a whole run: streams overlap."""

    def __init__(self, ruler: Ruler) -> None:
        self._ruler = ruler
        self._tokens: dict[str, int] = {}
        self._parts: dict[str, int] = {}
        self._ends: dict[str, tuple[int, ...]] = {}

    def tokens(self, paragraph: str) -> int:
        """Of a paragraph with the empty line behind it."""
        found = self._tokens.get(paragraph)
        if found is None:
            found = self._tokens[paragraph] = self._ruler.text(paragraph + BREAK)
        return found

    def part(self, text: str) -> int:
        """Of the first sentences of a paragraph."""
        found = self._parts.get(text)
        if found is None:
            found = self._parts[text] = self._ruler.text(text)
        return found

    def ends(self, paragraph: str) -> tuple[int, ...]:
        """Where its sentences end."""
        found = self._ends.get(paragraph)
        if found is None:
            found = self._ends[paragraph] = tuple(span.end for span in sentences(paragraph))
        return found

"""Exact lengths: how much of a haystack fits a cell, and where in it the needles stand.

A cell's length is the rendered chat prompt plus the reserve, in the model's
own tokens. Counting 128K tokens anew for every trial would take most of a
second, so paragraphs are counted once and summed. That sum is exact: Qwen2
cuts text into words before it merges bytes, and no word reaches over an empty
line into the character behind it, whatever stands on either side. Only the
few paragraphs that a needle is put into, and the last one, are counted anew.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate

from app.chat import Message, TokenCount
from app.sentences import sentences
from evaluation.niah.haystacks import Haystack
from evaluation.niah.prompts import Frame
from evaluation.niah.records import Needle
from storage.errors import UsageError

LAYOUT = "2"
"""Part of every row's key: raise it when the same trial would give another prompt."""

ALIGNED = 0.005
"""Depth, as a share, that a needle may be moved by so that prompts share more.

Measured along the cell's length rather than along its text, 40% of 32K and 20%
of 64K are one place, so that the shorter prompt is a part of the longer one.
What a prompt holds beside its text pushes the two apart by the difference of
their depths; each goes some of the way.
"""

_LEAN = 0.35
"""The depth that needs no moving: lower ones go down and higher ones up, half as far as either
would alone. Tried from 0 to 0.6 on grids of 5 and 8 lengths, 5 to 11 depths: the fewest tokens."""

_BREAK = "\n\n"
_AFTER_CONTENT = "<|im_end|>\n<|im_start|>assistant\n"
"""What Qwen2's template writes behind the user's words."""


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
            accumulate((len(one) + len(_BREAK) for one in self._paragraphs), initial=0)
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
        return [one + _BREAK for one in self._paragraphs[start:end]]


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
            found = self._tokens[paragraph] = self._ruler.text(paragraph + _BREAK)
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


@dataclass(frozen=True)
class Layout:
    """One prompt: how far its stream is read, and where its needles stand. No text yet."""

    stream: Stream
    frame: Frame
    question: str
    last: Spot
    """Where the haystack ends."""
    inserts: tuple[Insert, ...]
    """In the order of the text."""
    tokens: int
    """Of the rendered prompt, as the ruler counts it."""
    haystack_tokens: int
    """Of the haystack without its needles."""

    @cached_property
    def _pieces(self) -> list[str]:
        return _pieces(self.stream, self.last, self.inserts)

    def text(self) -> str:
        """The haystack with its needles."""
        return "".join(self._pieces).removesuffix(_BREAK)

    def content(self) -> str:
        """What the user says: the text in its frame, the question last."""
        return "".join([self.frame.before, *self._pieces, self.frame.closing(self.question)])

    def messages(self) -> list[Message]:
        """The prompt."""
        return self.frame.messages(self.content())

    def depth(self, spot: Spot) -> float:
        """Where a spot stands, as a share of the haystack's tokens."""
        return self.stream.position(spot) / self.haystack_tokens if self.haystack_tokens else 0.0

    def key(self) -> str:
        """Equal for layouts of one stream that give the same text."""
        told = [str(self.stream.offset), f"{self.last}", self.question]
        told += [f"{one.spot}{one.needle.text}" for one in self.inserts]
        return hashlib.sha256("\0".join(told).encode("utf-8", "replace")).hexdigest()


def lay_out(
    stream: Stream,
    ruler: Ruler,
    frame: Frame,
    question: str,
    planted: Sequence[tuple[Needle, float]],
    *,
    length: int,
    reserve: int,
) -> Layout:
    """As much of the stream as fits a cell, with each needle at the depth it is given.

    Raises UsageError where the length does not even hold the needles and the
    question.
    """
    fixed = ruler.chat(frame.opening()) + ruler.text(frame.closing(question))
    room = length - reserve
    around = sum(ruler.text(f" {needle.text}") + 1 for needle, _ in planted)
    last = _last(stream, room - fixed - around)
    if last is None:
        raise UsageError(
            f"A length of {length:,} tokens does not hold the rules, the question, the needles "
            f"and {reserve:,} tokens of reserve: they take {fixed + around + reserve:,}. Take "
            "longer `lengths`, or a smaller `reserve`."
        )
    beside = fixed + around + reserve
    while True:
        layout = _placed(stream, ruler, frame, question, planted, last, length, beside, fixed)
        if layout.tokens <= room:
            return layout
        shorter = _step_back(stream, last)
        if shorter is None:
            raise UsageError(f"A length of {length:,} tokens holds no sentence. Take longer ones.")
        last = shorter


def planted_needles(
    layout: Layout, needles: Sequence[Needle], *, exact: bool, opening: int
) -> tuple[Needle, ...]:
    """The needles with their true places; those that were not planted stay as they are.

    `opening` is the number of tokens of the prompt before its haystack.
    """
    shift, tokens = 0, 0
    places: dict[str, Needle] = {}
    for insert in layout.inserts:
        lead, behind = _joints(layout.stream, insert.spot, insert.needle)
        start = layout.stream.character(insert.spot) + shift + len(lead)
        end = start + len(insert.needle.text)
        at = opening + layout.stream.position(insert.spot) + tokens
        places[insert.needle.text] = replace(
            insert.needle, char_start=start, char_end=end, token_position=at if exact else -1
        )
        shift += len(lead) + len(insert.needle.text) + len(behind)
        tokens += layout.stream.ruler.text(lead + insert.needle.text)
    return tuple(places.get(needle.text, needle) for needle in needles)


def opening_tokens(ruler: Ruler, frame: Frame) -> int:
    """Tokens of the rendered prompt before the haystack begins."""
    return ruler.chat(frame.opening()) - ruler.text(_AFTER_CONTENT)


def shared_tokens(left: Layout, right: Layout) -> int:
    """Tokens that two prompts begin with alike, as a prefix cache counts them.

    From below by a token or two: the last one before they part may be equal.
    """
    opening = opening_tokens(left.stream.ruler, left.frame)
    if left.frame is not right.frame or left.stream.offset != right.stream.offset:
        return 0 if left.frame is not right.frame else opening
    added = 0
    ends = (left.last, right.last)
    for n in range(max(len(left.inserts), len(right.inserts)) + 1):
        one = left.inserts[n] if n < len(left.inserts) else None
        other = right.inserts[n] if n < len(right.inserts) else None
        if one is not None and one == other:
            added += left.stream.ruler.text(f" {one.needle.text}")
            continue
        if one is None and other is None and ends[0] == ends[1]:
            return _shared_to_the_question(left, right)
        spots = [insert.spot for insert in (one, other) if insert is not None]
        parting = min([*spots, *ends])
        return opening + left.stream.position(parting) + added
    return opening


def _shared_to_the_question(left: Layout, right: Layout) -> int:
    """What two prompts share that differ in nothing but the question."""
    if left.question == right.question:
        return min(left.tokens, right.tokens)
    ruler = left.stream.ruler
    closing, other = (one.frame.closing(one.question) for one in (left, right))
    pairs = enumerate(zip(closing, other, strict=False))
    alike = closing[: next((n for n, (a, b) in pairs if a != b), len(closing))]
    behind = ruler.text(closing) + ruler.text(_AFTER_CONTENT)
    # To the last blank: the token at which they part need not begin there.
    return left.tokens - behind + ruler.text(alike.rpartition(" ")[0])


def _last(stream: Stream, tokens: int) -> Spot | None:
    """The last sentence boundary with at most so many tokens before it."""
    if tokens <= 0:
        return None
    number = stream.holding(tokens)
    if number == len(stream) - 1 and stream.tokens_before(len(stream)) <= tokens:
        return Spot(number, stream.ends(number)[-1])
    for end in reversed(stream.ends(number)):
        if stream.position(Spot(number, end)) <= tokens:
            return Spot(number, end)
    return Spot(number - 1, stream.ends(number - 1)[-1]) if number else None


def _step_back(stream: Stream, last: Spot) -> Spot | None:
    ends = stream.ends(last.paragraph)
    at = bisect_left(ends, last.end)
    if at > 0:
        return Spot(last.paragraph, ends[at - 1])
    if last.paragraph == 0:
        return None
    return Spot(last.paragraph - 1, stream.ends(last.paragraph - 1)[-1])


def _placed(
    stream: Stream,
    ruler: Ruler,
    frame: Frame,
    question: str,
    planted: Sequence[tuple[Needle, float]],
    last: Spot,
    length: int,
    beside: int,
    fixed: int,
) -> Layout:
    own = stream.position(last)
    inserts = []
    for needle, depth in planted:
        target = depth * own
        aligned = depth * length - _LEAN * beside
        if 0 < depth < 1 and 0 < aligned <= own and abs(aligned - target) <= ALIGNED * own:
            target = aligned
        spot = last if depth >= 1 else stream.nearest(target, last)
        inserts.append(Insert(spot, needle))
    # Stable: of needles at one spot the first that was given comes first.
    inserts.sort(key=lambda insert: insert.spot)
    tokens = fixed + _counted(stream, ruler, last, inserts)
    return Layout(stream, frame, question, last, tuple(inserts), tokens, own)


def _counted(stream: Stream, ruler: Ruler, last: Spot, inserts: Sequence[Insert]) -> int:
    """Tokens of the haystack with its needles, whole paragraphs from memory."""
    touched = {insert.spot.paragraph for insert in inserts} | {last.paragraph}
    tokens = stream.tokens_before(last.paragraph + 1)
    for number in touched:
        tokens -= stream.tokens_before(number + 1) - stream.tokens_before(number)
        tokens += ruler.text(_with_needles(stream, number, last, inserts) + _BREAK)
    return tokens


def _pieces(stream: Stream, last: Spot, inserts: Sequence[Insert]) -> list[str]:
    pieces = stream.text(0, last.paragraph + 1)
    for number in {insert.spot.paragraph for insert in inserts} | {last.paragraph}:
        pieces[number] = _with_needles(stream, number, last, inserts) + _BREAK
    return pieces


def _with_needles(stream: Stream, number: int, last: Spot, inserts: Sequence[Insert]) -> str:
    """A paragraph with its needles, as far as the haystack goes."""
    text = stream.paragraph(number)
    end = last.end if number == last.paragraph else len(text)
    parts, at = [], 0
    for insert in inserts:
        if insert.spot.paragraph == number:
            lead, behind = _joints(stream, insert.spot, insert.needle)
            parts += [text[at : insert.spot.end], lead, insert.needle.text, behind]
            at = insert.spot.end
    return "".join([*parts, text[at:end]])


def _joints(stream: Stream, spot: Spot, needle: Needle) -> tuple[str, str]:
    """What stands before and behind a needle: a blank where the script has them.

    Behind it mostly only at the top of the stream: elsewhere the text goes on
    with its own.
    """
    blank = " " if stream.spaced else ""
    if not spot.end:
        return "", blank
    follows = stream.paragraph(spot.paragraph)[spot.end : spot.end + 1]
    return blank, "" if not follows or follows.isspace() else blank

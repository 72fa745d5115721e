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
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from app.chat import Message
from evaluation.niah.prompts import Frame
from evaluation.niah.records import Needle
from evaluation.niah.streams import BREAK, Insert, Ruler, Spot, Stream
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

_AFTER_CONTENT = "<|im_end|>\n<|im_start|>assistant\n"
"""What Qwen2's template writes behind the user's words."""


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
        return "".join(self._pieces).removesuffix(BREAK)

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
    key: str = "lengths",
) -> Layout:
    """As much of the stream as fits a cell, with each needle at the depth it is given.

    Raises UsageError where the length does not even hold the needles and the
    question; it names the configuration's `key` that would help.
    """
    fixed = ruler.chat(frame.opening()) + ruler.text(frame.closing(question))
    room = length - reserve
    around = sum(ruler.text(f" {needle.text}") + 1 for needle, _ in planted)
    last = _last(stream, room - fixed - around)
    if last is None:
        raise UsageError(
            f"A length of {length:,} tokens does not hold a sentence of text beside the rules, the "
            f"question, the needles and {reserve:,} tokens of reserve, which take "
            f"{fixed + around + reserve:,}. Raise `{key}`, or take a smaller `reserve`."
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
        tokens += ruler.text(_with_needles(stream, number, last, inserts) + BREAK)
    return tokens


def _pieces(stream: Stream, last: Spot, inserts: Sequence[Insert]) -> list[str]:
    pieces = stream.text(0, last.paragraph + 1)
    for number in {insert.spot.paragraph for insert in inserts} | {last.paragraph}:
        pieces[number] = _with_needles(stream, number, last, inserts) + BREAK
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

"""The prompt of a conversation: only ever longer at its end, so that a server reads what is new.

    rules → documents at the front → earlier turns, word for word → new passages, the question

An earlier turn is the very message that was sent, with its passages, and the
answer. A passage is sent once, and its number is its own for as long as the
conversation lasts. Nothing here depends on the clock or on chance
(docs/decisions/0012).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import chain

from app.answers import Turn
from app.chat import Message, PromptTooLong, TokenCount
from app.passages import narrow
from app.placement import DOCUMENT, IN_READING_ORDER, Measured, Placement, placed
from app.prompt_text import (
    RULES,
    answer_text,
    asked,
    document_order,
    earlier,
    passage_text,
    user_text,
    with_user,
)
from app.sent_passages import Known, Sorted
from storage.records import Hit

KEPT_SHARE = 0.5
"""Of the room beside rules and front: what earlier turns may still take after some were dropped.
One large step, since each one makes the server read anew all that is left."""

_MESSAGE = 8
"""Tokens that a message's markers and a seam take, at most."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt that fits, and what its parts cost in tokens."""

    messages: tuple[Message, ...]
    hits: tuple[Hit, ...]
    """What it is answered from: first the passages that go in now, in the order they stand; then
    those of earlier turns that were found again."""
    tokens: TokenCount
    parts: dict[str, int]
    """`rules`, `documents`, `history`, `question` and `template` add up to the prompt."""
    left_out: int = 0
    """Passages that were found and did not fit, even as they were found."""
    numbers: tuple[int, ...] = ()
    """Of each passage in `hits`, the same in the whole conversation."""
    given: int = 0
    """How many of `hits` go in now."""
    sent: str = ""
    """The new message."""
    sent_tokens: int = 0
    """Of the new message, at most."""
    front: Turn | None = None
    """The documents that stand at the front from now on; None: as before."""
    begins: int | None = None
    """The turn that the history begins with from now on (0: this one); None: as before."""
    dropped: int = 0
    """Turns that no longer went in."""
    anew: int = 0
    """Passages sent anew, since their pages changed after they were sent first."""
    prefix_tokens: int = 0
    """What stands before the new message, at most."""
    placement: Placement = IN_READING_ORDER
    """How the passages that go in now are ordered."""


Count = Callable[[Sequence[Message]], TokenCount]
CountText = Callable[[str], TokenCount]
Cost = Callable[[Hit, int], int]
"""The most tokens that a passage takes under a number, markers included."""


def build(
    question: str,
    hits: Sequence[Hit],
    history: Sequence[Turn],
    *,
    room: int,
    count: Count,
    count_text: CountText,
    cost: Cost | None = None,
    front: Sequence[Hit] = (),
    whole: bool = False,
    depths: Measured | None = None,
) -> Prompt:
    """The prompt with as many passages, best first, as fit into `room` tokens.

    Passages that the conversation has are not sent again. Where what is new
    does not all fit, the oldest turns are dropped in one step; then widened
    passages shrink to what was found of them, the worst ones first, before any
    is left out. `front` are pages that stand before the first turn; they are
    put there where the history begins anew. With `whole`, `hits` are pages
    that go in all or not at all, and to the front where there is no history.
    `cost` may know what a passage takes without counting its text; the sum
    then decides, and the whole is counted once. New passages stand in document
    order, unless `depths` proves another one to be read better; whole pages
    always do. The prompt never has more than `room` tokens. Raises
    PromptTooLong when not even the question with its best passage fits.
    """
    packer = _Packer(question, history, room, count, count_text, cost, depths)
    return packer.pack_whole(hits, front) if whole else packer.pack(hits, front)


def check_question(question: str, *, room: int, count_text: CountText) -> None:
    """Raise PromptTooLong where not even the rules and the question fit, whatever is found."""
    packer = _Packer(question, (), room, _no_count, count_text, None)
    packer.check()


def weigh(
    question: str,
    pages: Sequence[Hit],
    history: Sequence[Turn],
    *,
    count_text: CountText,
    cost: Cost,
) -> tuple[int, int]:
    """The most tokens of a prompt with all of these pages, and how many of them are new."""
    packer = _Packer(question, history, 0, _no_count, count_text, cost)
    return packer.weight(pages)


def _no_count(messages: Sequence[Message]) -> TokenCount:
    raise NotImplementedError("weighing counts no prompt")


class _Packer:
    """Packs one prompt."""

    def __init__(
        self,
        question: str,
        history: Sequence[Turn],
        room: int,
        count: Count,
        count_text: CountText,
        cost: Cost | None,
        depths: Measured | None = None,
    ) -> None:
        self._question = question
        self._depths = depths
        self._room = room
        self._count = count
        self._count_text = count_text
        self._history = history
        self._known = Known(history)
        self._front = next((t for t in history if not t.question and not t.dropped), None)
        self._kept = [turn for turn in history if turn.question and not turn.dropped]
        self._new_front: Turn | None = None
        self._dropped = 0
        self._cost = cost or cache(self._counted)

    # --- the two ways to pack ---------------------------------------------------------------

    def pack(self, hits: Sequence[Hit], front: Sequence[Hit]) -> Prompt:
        """Passages that were found, as many as fit."""
        if front and not self._kept and self._front is None:
            self._set_front(front)
        found = self._known.sort(hits)
        wanted = next(c for c in self._choices(found.new) if self._sum(c) <= self._limit())
        if self._kept and self._base(self._kept) + self._sum(wanted) > self._room:
            self._drop(room_for=self._sum(wanted))
        built = self._most(hits)
        if built is None and self._kept:
            self._drop(room_for=self._room)
            built = self._most(hits)
        if built is None:
            raise self._too_long(with_passage=bool(hits))
        return built

    def pack_whole(self, pages: Sequence[Hit], front: Sequence[Hit]) -> Prompt:
        """All of the pages, or none."""
        there = {(page.document_id, page.page) for page in front}
        pages_at_front = [*front, *(p for p in pages if (p.document_id, p.page) not in there)]
        if not self._kept and self._front is None:
            self._set_front(pages_at_front)
        found = self._known.sort(pages)
        if self._base(self._kept) + self._sum(found.new) > self._room:
            # Begin anew with the pages at the front, and as much of the turns as is left.
            self._set_front(pages_at_front)
            self._drop(room_for=0)
            found = self._known.sort(pages)
        if self._base(self._kept) + self._sum(found.new) > self._room:
            raise self._whole_too_long(len(pages))
        self._depths = None  # pages of whole documents have no best ones
        built = self._built(found.new, replace(found, again=()))
        if built.tokens.tokens > self._room:
            raise self._whole_too_long(len(pages))
        return built

    def check(self) -> None:
        """Raise PromptTooLong where rules and question alone do not fit."""
        if self._base([]) > self._room:
            raise self._too_long(with_passage=False)

    def weight(self, pages: Sequence[Hit]) -> tuple[int, int]:
        """The most tokens of the prompt with all of these pages, and of what is new in it."""
        new = self._sum(self._known.sort(pages).new)
        whole = self._base(self._kept) + new
        return whole, (whole - self._prefix() if self._kept else whole)

    def _most(self, hits: Sequence[Hit]) -> Prompt | None:
        """The prompt with the most passages that fit beside the turns that are kept."""
        found = self._known.sort(hits)
        for chosen in self._choices(found.new):
            if not chosen and hits and not found.again:
                return None  # there would be nothing to answer from
            spent = self._sum(chosen)
            if spent > self._limit() or self._base(self._kept) + spent > self._room:
                continue
            built = self._built(chosen, found)
            if built.tokens.tokens <= self._room:
                return built
        return None

    def _limit(self) -> int:
        """What new passages may take: in a running conversation no more than what is kept of it."""
        free = max(0, self._room - self._base([]))
        return int(free * KEPT_SHARE) if self._kept else free

    # --- what it is made of -----------------------------------------------------------------

    def _choices(self, hits: Sequence[Hit]) -> Iterator[list[Hit]]:
        """What could go in, the most first: all; the worst ones narrowed; ever fewer; nothing."""
        yield list(hits)
        if not hits:
            return
        narrowed = [self._known.sort(narrow(hit)).new for hit in hits]
        for wide in range(len(hits) - 1, -1, -1):
            yield [*hits[:wide], *chain.from_iterable(narrowed[wide:])]
        pieces = list(chain.from_iterable(narrowed))
        for kept in range(len(pieces) - 1, -1, -1):
            yield pieces[:kept]

    def _sum(self, hits: Sequence[Hit]) -> int:
        highest = self._known.highest + len(hits)
        return sum(self._cost(hit, highest) for hit in hits)

    def _counted(self, hit: Hit, n: int) -> int:
        # Joined text never takes more tokens than its parts by more than one a seam.
        return self._count_text(passage_text(n, hit)).tokens + 1

    def _base(self, turns: Sequence[Turn]) -> int:
        """At least what rules, front, these turns and the question take."""
        question = self._count_text(asked(self._question)).tokens
        fixed = self._count_text(RULES).tokens + question + 3 * _MESSAGE
        return fixed + self._turn_cost(self._front) + sum(map(self._turn_cost, turns))

    def _turn_cost(self, turn: Turn | None) -> int:
        if turn is None:
            return 0
        user, answer = user_text(turn), answer_text(turn)
        tokens = turn.tokens or self._count_text(user).tokens
        return tokens + self._count_text(answer).tokens + 2 * _MESSAGE

    def _set_front(self, pages: Sequence[Hit]) -> None:
        """Put pages before the first turn, numbered on from what the conversation has."""
        if not pages:
            return
        numbers = self._known.number(pages)
        text = "\n\n".join(map(passage_text, numbers, pages))
        tokens = sum(map(self._cost, pages, numbers))
        self._front = self._new_front = Turn(
            question="",
            answer="",
            hits=tuple(pages),
            numbers=numbers,
            sent=text,
            given=len(pages),
            tokens=tokens,
        )
        self._known = self._known.seen_in([self._front, *self._kept])

    def _drop(self, *, room_for: int) -> None:
        """Drop the oldest turns until half of the room is free, and what is new fits."""
        free = self._room - self._base([])
        most = max(0, min(int(free * KEPT_SHARE), free - room_for))
        costs = [self._turn_cost(turn) for turn in self._kept]
        while self._kept and sum(costs) > most:
            self._kept.pop(0)
            costs.pop(0)
            self._dropped += 1
        there = [turn for turn in (self._front, *self._kept) if turn is not None]
        self._known = self._known.seen_in(there)

    def _built(self, chosen: Sequence[Hit], found: Sorted) -> Prompt:
        """The prompt with the chosen passages, counted."""
        placement = self._placement(chosen)
        by_document = placement.order == DOCUMENT
        ordered = document_order(chosen) if by_document else placed(chosen, placement.order)
        numbers = self._known.number(ordered)
        passages = "\n\n".join(map(passage_text, numbers, ordered))
        sent = f"{passages}\n\n{asked(self._question)}" if ordered else asked(self._question)
        before = earlier(self._front, self._kept)
        messages = with_user(before, sent)
        total = self._count(messages)
        there = {hit.chunk_id for hit in ordered}
        missing = [hit for hit in found.new if not hit.beside and hit.chunk_id not in there]
        begins = None
        if self._dropped:
            begins = self._kept[0].turn_id if self._kept else 0
        return Prompt(
            messages=tuple(messages),
            hits=(*ordered, *(hit for _, hit in found.again)),
            tokens=total,
            parts=self._parts(messages, total.tokens),
            left_out=len(missing) if ordered or found.again else 0,
            numbers=(*numbers, *(n for n, _ in found.again)),
            given=len(ordered),
            sent=sent,
            sent_tokens=self._sum(ordered) + self._count_text(asked(self._question)).tokens,
            front=self._new_front,
            begins=begins,
            dropped=self._dropped,
            anew=found.anew,
            prefix_tokens=self._prefix(),
            placement=placement,
        )

    def _placement(self, chosen: Sequence[Hit]) -> Placement:
        if self._depths is None or len(chosen) < 2:
            return IN_READING_ORDER
        tokens = self._base(self._kept) + self._sum(chosen)
        return self._depths.placement(tokens, self._prefix())

    def _prefix(self) -> int:
        rules = self._count_text(RULES).tokens + _MESSAGE
        return rules + self._turn_cost(self._front) + sum(map(self._turn_cost, self._kept))

    def _parts(self, messages: Sequence[Message], total: int) -> dict[str, int]:
        """What each part costs; what is in none of the others are the documents."""
        texts = (text for turn in self._kept for text in (user_text(turn), answer_text(turn)))
        parts = {
            "rules": self._count_text(RULES).tokens,
            "documents": 0,
            "history": sum(self._count_text(text).tokens for text in texts),
            "question": self._count_text(self._question).tokens,
            "template": self._count([Message(message.role, "") for message in messages]).tokens,
        }
        # Their text is not counted for this: it was, once, with the whole.
        rest = total - sum(parts.values())
        named = "documents" if self._front or "<passage " in messages[-1].content else "template"
        parts[named] = max(0, parts[named] + rest)
        parts["template"] += total - sum(parts.values())
        return parts

    def _too_long(self, *, with_passage: bool) -> PromptTooLong:
        bare = self._base([])
        exceed = "with a passage they exceed" if with_passage else "they exceed"
        return PromptTooLong(
            f"The question does not fit: the rules and the question take {bare:,} tokens, and "
            f"{exceed} the {max(self._room, 0):,} that the model's window leaves "
            "beside the answer. Ask in fewer words, or raise HAYLOFT_WINDOW."
        )

    def _whole_too_long(self, pages: int) -> PromptTooLong:
        most = self._base([])
        return PromptTooLong(
            f"The chosen documents do not fit whole: with rules and question their {pages:,} pages "
            f"take up to {most:,} tokens, and the model's window leaves {max(self._room, 0):,} "
            "beside the answer. Choose fewer documents, or take the mode `passages` or `read-all`."
        )

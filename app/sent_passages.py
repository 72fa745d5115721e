"""The passages that a conversation has: what need not be sent again, and the numbers they keep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.answers import Turn, numbers_of
from storage.records import Hit

Numbered = tuple[int, Hit]


@dataclass(frozen=True, slots=True)
class Sorted:
    """Passages that were found, told apart by whether the conversation has them."""

    new: tuple[Hit, ...]
    """To be sent, in the order they were found."""
    again: tuple[Numbered, ...]
    """Those of earlier turns that hold what was found, each once."""
    anew: int
    """How many of the new ones were sent before, and their pages have changed since."""


class Known:
    """All passages that a conversation has been given, and those its prompt still holds."""

    def __init__(self, history: Sequence[Turn]) -> None:
        self._given: dict[tuple[int, int], list[Numbered]] = {}
        self._seen: dict[tuple[int, int], list[Numbered]] = {}
        self.highest = 0
        for turn in history:
            self._add(turn, seen=not turn.dropped)

    def _add(self, turn: Turn, *, seen: bool) -> None:
        if not turn.sent:
            return
        numbered = zip(numbers_of(turn.hits, turn.numbers), turn.hits, strict=True)
        for n, hit in list(numbered)[: turn.given]:
            self.highest = max(self.highest, n)
            key = (hit.document_id, hit.page)
            self._given.setdefault(key, []).append((n, hit))
            if seen:
                self._seen.setdefault(key, []).append((n, hit))

    def seen_in(self, turns: Sequence[Turn]) -> Known:
        """The same conversation where the prompt holds only these turns from now on."""
        other = Known(())
        other._given = {key: list(found) for key, found in self._given.items()}
        other.highest = self.highest
        for turn in turns:
            other._add(turn, seen=True)
        return other

    def sort(self, hits: Sequence[Hit]) -> Sorted:
        """Which passages are new; what was found inside a passage that is there is not."""
        new: list[Hit] = []
        again: dict[int, Hit] = {}
        anew = 0
        there = False
        for hit in hits:
            if hit.beside and there and not new_beside(hit, new):
                continue  # it came with the passage that the prompt has already
            covering = self._covering(hit)
            there = covering is not None
            if covering is not None:
                again[covering[0]] = covering[1]
                continue
            anew += self._has_changed(hit)
            new.append(hit)
        return Sorted(tuple(new), tuple(again.items()), anew)

    def number(self, hits: Sequence[Hit]) -> tuple[int, ...]:
        """The numbers of passages to be sent: their old ones, else the next ones."""
        numbers, highest = [], self.highest
        for hit in hits:
            old = self._old_number(hit)
            if old is None:
                highest += 1
            numbers.append(old or highest)
        return tuple(numbers)

    def all(self) -> dict[int, Hit]:
        """Every passage that was ever given, by its number."""
        return {n: hit for found in self._given.values() for n, hit in found}

    def _covering(self, hit: Hit) -> Numbered | None:
        found = self._seen.get((hit.document_id, hit.page), ())
        return next((one for one in found if _holds(one[1], hit)), None)

    def _has_changed(self, hit: Hit) -> bool:
        return any(
            one.version_id != hit.version_id
            and one.char_start < hit.char_end
            and hit.char_start < one.char_end
            for _, one in self._seen.get((hit.document_id, hit.page), ())
        )

    def _old_number(self, hit: Hit) -> int | None:
        for n, one in self._given.get((hit.document_id, hit.page), ()):
            if (one.text, one.lead, one.char_start) == (hit.text, hit.lead, hit.char_start):
                return n
        return None


def new_beside(hit: Hit, new: Sequence[Hit]) -> bool:
    """Whether the passage that a neighbour belongs to is new itself."""
    return bool(new) and new[-1].version_id == hit.version_id and abs(new[-1].page - hit.page) <= 1


def _holds(sent: Hit, found: Hit) -> bool:
    """Whether a passage that was sent holds all that was found."""
    if sent.version_id == found.version_id:
        spans = [chunk[:2] for chunk in found.found] or [(found.char_start, found.char_end)]
        return all(sent.char_start <= start and end <= sent.char_end for start, end in spans)
    # Another version: the words themselves must still be those that were sent.
    offset = found.char_start
    texts = [found.text[chunk.start - offset : chunk.end - offset] for chunk in found.found]
    return all(text in sent.text for text in texts or [found.text])

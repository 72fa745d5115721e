"""How far one full read has come: its slices, what was found, and what that amounts to."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import replace

from app.answers import ReadingProgress
from app.ledger import Ledger
from app.read_crew import Outcome, Pace
from app.read_inventory import Inventory, ledger_of, pages_read
from app.read_ledger import OPEN, KeptReading, KeptSlice, Readings, Settled
from app.read_parts import Part, Slice
from app.read_protocol import VERSION
from storage.records import Scope
from storage.sound_text import sound


def key_of(query: str, scope: Scope, model: str, reader: str = "") -> str:
    """What a reading is kept under: a change of any of these makes it another one.

    The query is complete in itself, so that the same question later in a
    conversation goes on with the same reading. Nobody goes on with another
    `reader`'s: that would tell what they asked, and the questions that follow
    from a reading are made of the sentences it found, in private files too.
    """
    told: list[object] = [VERSION, " ".join(query.split()), scope.to_json(), model]
    if reader or scope.room:
        # A scope's JSON never has its room.
        told += [reader, scope.room]
    text = json.dumps(told, ensure_ascii=True, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


class ReadState:
    """One reading as it is kept, and the same in memory while it goes on."""

    def __init__(self, readings: Readings, key: str, query: str, inventory: Inventory) -> None:
        self.key = key
        self.inventory = inventory
        self.slices: dict[tuple[int, int], KeptSlice] = {}
        """By part and position."""
        self.found: list[Slice] = []
        self.done_pages = 0
        self.read_before = 0
        """Pages that an earlier session read."""
        self._readings = readings
        self._query = sound(query)
        self._pace = Pace(0, 0.0)
        self._planned = False

    def begin(self) -> None:
        """Go on with what is kept, or begin."""
        self._readings.begin(self.key, self._query)
        self.load()
        self.read_before = self.done_pages if self.slices else 0

    def kept(self) -> KeptReading:
        """The reading as it is kept."""
        return self._readings.get(self.key) or self._readings.begin(self.key, self._query)

    def forget(self) -> None:
        """Have everything read anew."""
        self._readings.forget(self.key)

    def keep_parts(self, parts: Sequence[str]) -> None:
        """Write down what the question was taken apart into."""
        self._readings.keep_parts(self.key, parts)

    def keep_further(self, questions: Sequence[str]) -> None:
        """Write down what was asked after reading."""
        self._readings.keep_further(self.key, questions)

    def load(self, inventory: Inventory | None = None) -> None:
        """Look at what is kept; with an `inventory` at the library as it is by now."""
        if inventory is not None:
            self.inventory = inventory
        slices = self._readings.slices(self.key)
        self.slices = {(piece.ordinal, piece.position): piece for piece in slices}
        versions = self.inventory.by_version
        kept = self._readings.found(self.key)
        self.found = sorted(where for where in kept if where.version_id in versions)
        self._count()

    def open(self) -> list[KeptSlice]:
        """What is still to be read."""
        return [piece for piece in self.slices.values() if piece.state == OPEN]

    def add(self, parts: Sequence[Part]) -> None:
        """Parts that are to be read."""
        self._readings.add(self.key, parts)
        self.load()

    def drop(self, ordinals: set[int]) -> None:
        """Parts that can no longer be read as they were cut."""
        self._readings.drop_parts(self.key, ordinals)
        self.load()

    def measure(self, prefill: float | None) -> None:
        """Begin to predict the time that is left; `prefill` are tokens a second, if known."""
        kept = self.kept()
        self._pace = Pace(kept.tokens, kept.seconds, prefill)

    def planned(self) -> None:
        """All parts are known from now on, and with them the time that is left."""
        self._planned = True

    def settle(self, outcome: Outcome, pieces: Sequence[KeptSlice]) -> None:
        """Keep what a part came to."""
        tokens = sum(piece.tokens for piece in pieces if piece.position in outcome.states)
        seconds = self._pace.add(tokens, outcome.load_s)
        self._readings.settle(
            self.key,
            Settled(
                ordinal=outcome.ordinal,
                states=outcome.states,
                found=outcome.found,
                requests=outcome.requests,
                tokens=tokens,
                seconds=seconds if tokens else 0.0,
                unproved=outcome.unproved,
            ),
        )
        for piece in pieces:
            if piece.position in outcome.states:
                state = outcome.states[piece.position]
                self.slices[(piece.ordinal, piece.position)] = replace(piece, state=state)
        self.found = sorted({*self.found, *outcome.found})
        self._count()

    def progress(self) -> ReadingProgress:
        """How far it has come."""
        tokens = sum(piece.tokens for piece in self.open())
        return ReadingProgress(
            pages_read=self.done_pages,
            pages=self.inventory.pages,
            found=len({(where.version_id, where.page) for where in self.found}),
            seconds_left=self._pace.left(tokens) if self._planned else None,
            read_before=self.read_before,
            documents=len(self.inventory.documents),
            tokens=sum(piece.tokens for piece in self.slices.values()) if self._planned else 0,
        )

    def ledger(self, failures: Iterable[str]) -> Ledger:
        """What became of every page; `failures` are reasons why parts were not read."""
        return ledger_of(
            self.inventory,
            list(self.slices.values()),
            self.found,
            self.kept(),
            reading=self.key,
            failures=failures,
        )

    def _count(self) -> None:
        self.done_pages = len(pages_read(self.inventory, self.slices.values()))
        self.done_pages += self.inventory.blank

"""Reading all pages of a scope in parts, as far as they are not read yet."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence

from app.answers import ReadingProgress
from app.budget import Budget
from app.chat import ChatModel, ChatModelError, PromptTooLong
from app.prompt_text import harmless
from app.read_crew import Crew, Outcome, PartReader
from app.read_inventory import sheets_of, stretches, take_inventory, whole_page
from app.read_ledger import KeptSlice
from app.read_parts import Stretch, cut
from app.read_protocol import Asked, Section, lead, part_messages
from app.read_state import ReadState
from app.settings import AppSettings
from storage.catalog import Catalog
from storage.records import Scope

HEARTBEAT_S = 1.0
"""How often progress is told while a part is read; a stop takes effect then."""

_LEAST_CAPACITY = 64
"""Tokens of pages; where less is left beside rules and question, the question is too long."""

_SEAM = 2
"""Tokens that the line ends around a page take."""

_GIVE_UP_AFTER = 3
"""Parts in a row that failed: the next ones would, too."""

_ROUNDS = 4
"""How often it is looked whether documents have changed while they were read."""


class PagesReader:
    """Reads the pages for one question."""

    def __init__(
        self,
        catalog: Catalog,
        model: ChatModel,
        settings: AppSettings,
        budget: Budget,
        scope: Scope,
        asked: Asked,
        state: ReadState,
        pauses: Sequence[float],
    ) -> None:
        self._catalog = catalog
        self._model = model
        self._settings = settings
        self._budget = budget
        self._scope = scope
        self._asked = asked
        self._state = state
        self._pauses = pauses
        self._errors: list[ChatModelError] = []
        self._failed_in_row = 0
        self._read_something = False
        self._changed = False

    @property
    def failures(self) -> list[str]:
        """Why parts were not read."""
        return [str(error) for error in self._errors]

    def read(self) -> Iterator[ReadingProgress]:
        """Read what is not read yet; once more where documents change meanwhile.

        Raises ChatModelError where the model is away, or nothing at all could be read.
        """
        for _ in range(_ROUNDS):
            self._changed = False
            self._plan()
            self._state.planned()
            yield self._state.progress()
            yield from self._read_open()
            if not self._changed:
                break
            self._state.load(take_inventory(self._catalog, self._scope))
        if self._errors and not self._read_something and self._state.open():
            raise self._given_up(self._errors[-1])

    def _plan(self) -> None:
        """Cut into parts what no part holds yet; parts with pages that are gone are undone."""
        state = self._state
        versions = state.inventory.by_version
        stale = {s.ordinal for s in state.open() if s.where.version_id not in versions}
        lost = [s.where for s in state.open() if s.ordinal in stale]
        if stale:
            state.drop(stale)
        planned = {(s.where.version_id, s.where.page) for s in state.slices.values()}
        again = [where for where in lost if where.version_id in versions]
        planned |= {(where.version_id, where.page) for where in again}
        new = [whole_page(key) for key in state.inventory.readable if key not in planned]
        place = {version: n for n, version in enumerate(versions)}
        wanted = sorted([*again, *new], key=lambda s: (place[s.version_id], s.page, s.start))
        if wanted:
            parts = cut(
                stretches(self._catalog, state.inventory, wanted),
                self._capacity(),
                lambda text: self._model.count_text(harmless(text)).tokens,
                self._lead(),
            )
            state.add(list(parts))

    def _capacity(self) -> int:
        """Tokens of pages that a part may have. Raises PromptTooLong where none are left."""
        fixed = self._model.count(part_messages(self._asked, [])).tokens
        capacity = self._budget.room - fixed - _SEAM
        if capacity < _LEAST_CAPACITY:
            raise PromptTooLong(
                f"The question does not fit: rules and question take {fixed:,} tokens, and the "
                f"window leaves {max(self._budget.room, 0):,} beside the answer, too few for any "
                "page. Ask in fewer words, or raise HAYLOFT_WINDOW."
            )
        wanted = self._settings.read_part_tokens
        return min(capacity, max(wanted, _LEAST_CAPACITY)) if wanted else capacity

    def _lead(self) -> Callable[[Stretch], int]:
        """Tokens of the line above a page."""

        def tokens(stretch: Stretch) -> int:
            title = self._state.inventory.by_version[stretch.where.version_id].title
            line = lead(self._asked.marker, 9999, Section(title, stretch.place, "", 0))
            return self._model.count_text(line).tokens + _SEAM

        return tokens

    def _read_open(self) -> Iterator[ReadingProgress]:
        """Read the open parts, as many at a time as the server serves at once."""
        parts: dict[int, list[KeptSlice]] = {}
        for piece in self._state.open():
            parts.setdefault(piece.ordinal, []).append(piece)
        waiting = deque(parts.items())
        stop = threading.Event()
        reader = PartReader(
            self._model,
            self._asked,
            reserve=self._budget.reserve,
            room=self._budget.room,
            stop=stop,
            pauses=self._pauses,
        )
        with Crew(reader, stop, self._settings.read_parallel) as crew:
            while waiting or crew.busy:
                while waiting and crew.busy < crew.size:
                    ordinal, pieces = waiting.popleft()
                    sheets = sheets_of(self._catalog, self._state.inventory, pieces)
                    if sheets is None:
                        self._changed = True
                    else:
                        crew.start(ordinal, sheets)
                if not crew.busy:
                    break
                try:
                    outcome = crew.next(HEARTBEAT_S)
                except ChatModelError as error:
                    raise self._given_up(error) from error
                if outcome is not None:
                    self._settle(outcome, parts[outcome.ordinal])
                yield self._state.progress()

    def _settle(self, outcome: Outcome, pieces: Sequence[KeptSlice]) -> None:
        """Keep what a part came to. Raises where too many failed in a row."""
        self._state.settle(outcome, pieces)
        if outcome.states:
            self._read_something = True
            self._failed_in_row = 0
        if outcome.error is not None:
            self._errors.append(outcome.error)
            if not outcome.states:
                self._failed_in_row += 1
            if self._failed_in_row >= _GIVE_UP_AFTER:
                raise self._given_up(outcome.error)

    def _given_up(self, error: ChatModelError) -> ChatModelError:
        """The error with how far the reading came."""
        done, pages = self._state.done_pages, self._state.inventory.pages
        if not done:
            return error
        said = type(error)(
            f"{error} {done:,} of {pages:,} pages were read until then, and are kept: ask the "
            "same question again to go on."
        )
        said.__cause__ = error
        return said

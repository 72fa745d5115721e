"""Whether a saved answer still stands on what it was made from.

Nothing is read but the catalog. A document of the version that the answer was made from is not
looked into; of another version only the pages the answer rests on are compared. A page that is
found elsewhere in its document, and a document that was moved or copied, have not changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from app.rests import UNKNOWN, Rest, RestPage
from storage.errors import UsageError
from storage.page_digests import BLANK, Standing, page_digests, standing, standing_within
from storage.records import Scope

if TYPE_CHECKING:
    import sqlite3

    from storage.catalog import Catalog

State = Literal["current", "unread", "changed", "gone"]
CURRENT: State = "current"
UNREAD: State = "unread"
"""A file it rests on could not be read lately: nobody can say whether it has changed."""
CHANGED: State = "changed"
GONE: State = "gone"

_WORST = (CURRENT, UNREAD, CHANGED, GONE)
_REMEMBERED = 256
"""Versions whose digests are kept in memory; they never change."""


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that is no longer as it was, or not known to be."""

    state: State
    document: str
    """As the answer named it, or as it is called now where it is new."""
    page: int = 0
    """0 where it is about the whole document."""
    place: str = ""
    reason: str = ""
    """Why the file could not be read; `new` for a document that came into the scope since."""

    def to_json(self) -> dict[str, object]:
        """The change as `hayloft saved --json` prints it."""
        return {
            "state": self.state,
            "document": self.document,
            "page": self.page or None,
            "place": self.place,
            "reason": self.reason,
        }


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a saved answer stands."""

    state: State
    changes: tuple[Change, ...] = ()
    """What made it expire, and what could not be read."""
    beside: tuple[Change, ...] = ()
    """Changes of pages that were read and not cited; the answer stands."""

    @property
    def expired(self) -> bool:
        """Whether it should be asked again."""
        return self.state in (CHANGED, GONE)


@dataclass(frozen=True, slots=True)
class Stand:
    """What an answer rests on, as it is checked."""

    rests: tuple[Rest, ...]
    library: str
    """The library that the ids of its documents are of."""
    scope: Scope
    whole: bool
    """Whether it rests on there being no other documents in scope."""


def check(catalog: Catalog, stands: Sequence[Stand]) -> list[Verdict]:
    """How each of them stands now. 500 answers on unchanged documents take some milliseconds."""
    if not stands:
        return []
    library = catalog.library_id()
    rests = [rest for stand in stands for rest in stand.rests]
    with catalog.database.snapshot() as connection:
        found = standing(
            connection,
            document_ids=(rest.document_id for rest in rests),
            documents=(rest.document for rest in rests),
            contents=(rest.content for rest in rests),
            rooms=(rest.room for rest in rests),
        )
        shelf = _Shelf(connection, catalog.path.as_posix(), library, found)
        verdicts = [_verdict(stand, shelf) for stand in stands]
    return [
        _with_new(catalog, stand, verdict) if stand.whole else verdict
        for stand, verdict in zip(stands, verdicts, strict=True)
    ]


class _Shelf:
    """The documents that answers rest on, as they are now."""

    def __init__(
        self, connection: sqlite3.Connection, name: str, library: str, found: Iterable[Standing]
    ) -> None:
        self._connection = connection
        self._name = f"{name} {library}"
        self.library = library
        found = list(found)
        # A private document is found from its own room alone.
        self._by_id = {(one.room, one.document_id): one for one in found}
        self._by_path = {(one.room, one.document): one for one in reversed(found)}
        self._by_content = {(one.room, one.content): one for one in reversed(found) if one.content}

    def document(self, rest: Rest, library: str) -> Standing | None:
        """The document, wherever it is by now; a copy of its file will do."""
        room = rest.room
        now = self._by_id.get((room, rest.document_id)) if library == self.library else None
        return (
            now
            or self._by_path.get((room, rest.document))
            or self._by_content.get((room, rest.content))
        )

    def digests(self, version_id: int) -> dict[int, str]:
        """Those of the pages of a version."""
        known = _kept(self._name, version_id)
        if not known:
            known.update(page_digests(self._connection, [version_id])[version_id])
        return known


@lru_cache(maxsize=_REMEMBERED)
def _kept(library: str, version_id: int) -> dict[int, str]:
    """An empty place for the digests of a version, filled by whoever asks first."""
    return {}


def _verdict(stand: Stand, shelf: _Shelf) -> Verdict:
    changes: list[Change] = []
    beside: list[Change] = []
    for rest in stand.rests:
        counts = any(page.counts for page in rest.pages)
        now = shelf.document(rest, stand.library)
        if now is None:
            (changes if counts else beside).append(Change(GONE, rest.document))
            continue
        if now.fault:
            (changes if counts else beside).append(Change(UNREAD, rest.document, reason=now.fault))
        if now.version_id == rest.version_id and stand.library == shelf.library:
            continue
        for page, change in _pages_changed(rest, shelf.digests(now.version_id)):
            (changes if page.counts else beside).append(change)
    return Verdict(_worst(changes), tuple(changes), tuple(beside))


def _pages_changed(rest: Rest, now: dict[int, str]) -> Iterable[tuple[RestPage, Change]]:
    said = set(now.values())
    for page in rest.pages:
        moved = page.digest not in (UNKNOWN, BLANK) and page.digest in said
        if moved or (page.digest != UNKNOWN and now.get(page.number) == page.digest):
            continue
        state = CHANGED if page.number in now else GONE
        yield page, Change(state, rest.document, page.number, page.place)


def _with_new(catalog: Catalog, stand: Stand, verdict: Verdict) -> Verdict:
    """The verdict, with the documents that came into the scope since."""
    rooms = {rest.room for rest in stand.rests if rest.room}
    known = {rest.document_id for rest in stand.rests}
    names = {rest.document for rest in stand.rests}
    contents = {rest.content for rest in stand.rests}
    try:
        with catalog.snapshot() as snapshot:
            within = snapshot.within(stand.scope)
    except UsageError:
        return verdict  # what the scope names is gone, and that is told already
    with catalog.database.snapshot() as connection:
        there = standing(connection, rooms=rooms)
        # A conversation's own files are asked alone, unless it goes beyond them.
        if not rooms or stand.scope.beyond_room:
            there += standing_within(connection, None if within is None else within.versions)
    new = [
        one.document
        for one in there
        if one.document_id not in known
        and one.document not in names
        and one.content not in contents
    ]
    if not new:
        return verdict
    changes = (
        *verdict.changes,
        *(Change(CHANGED, document, reason="new") for document in new),
    )
    return Verdict(_worst(changes), changes, verdict.beside)


def _worst(changes: Iterable[Change]) -> State:
    return max((change.state for change in changes), key=_WORST.index, default=CURRENT)

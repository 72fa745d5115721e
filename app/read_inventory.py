"""What a full read has to read: the pages in scope, and what became of each."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from app.ledger import Ledger, Tally, counted, totals
from app.read_crew import Sheet
from app.read_ledger import CUT, OPEN, UNCLEAR, KeptReading, KeptSlice
from app.read_parts import Slice, Stretch
from app.read_protocol import Section
from storage.catalog import Catalog
from storage.facts import kind_of
from storage.records import Failure, Hit, Page, Scope
from storage.roll import RollDocument, RollPage
from storage.scoping import pattern_of

Key = tuple[int, int]
"""Version and page number."""

UNCLEAR_REASON = "the model's reply could not be made out"
CHANGED_REASON = "the document changed while it was read"

_TOGETHER = 50
"""Pages whose text is fetched at once."""


@dataclass(frozen=True)
class Inventory:
    """The documents in scope in one state of the library."""

    documents: tuple[RollDocument, ...]
    set_aside: tuple[str, ...]
    """Files of the scope that are not in the library, each with the reason in brackets."""

    @cached_property
    def by_version(self) -> dict[int, RollDocument]:
        """The documents by the version that is read."""
        return {document.version_id: document for document in self.documents}

    @cached_property
    def readable(self) -> tuple[Key, ...]:
        """The pages with text, document by document."""
        return tuple(
            (document.version_id, page.number)
            for document in self.documents
            for page in document.pages
            if page.has_text
        )

    @property
    def pages(self) -> int:
        """Pages that can be read, those on which nothing stands included."""
        return sum(not _is_unreadable(page) for d in self.documents for page in d.pages)

    @property
    def blank(self) -> int:
        """Pages on which nothing stands."""
        return self.pages - len(self.readable)


def take_inventory(catalog: Catalog, scope: Scope) -> Inventory:
    """The documents in scope now. Raises UsageError for a scope that names what is not there."""
    with catalog.snapshot() as snapshot:
        documents = tuple(snapshot.roll(snapshot.within(scope)))
    set_aside = tuple(
        f"{failure.document} ({failure.kind})"
        for failure in _failures(catalog, scope)
        if not failure.serves_old_version and _may_be_in(scope, failure.document)
    )
    return Inventory(documents, set_aside)


def _failures(catalog: Catalog, scope: Scope) -> list[Failure]:
    """The files that were set aside where the scope looks."""
    own = list(catalog.room(scope.room).failures) if scope.room else []
    return own if scope.room and not scope.beyond_room else [*own, *catalog.failures()]


def stretches(catalog: Catalog, inventory: Inventory, wanted: Sequence[Slice]) -> Iterator[Stretch]:
    """The texts of slices, in order; those of pages that are gone are left out."""
    for start in range(0, len(wanted), _TOGETHER):
        some = wanted[start : start + _TOGETHER]
        with catalog.snapshot() as snapshot:
            pages = snapshot.pages((where.version_id, where.page) for where in some)
        for where in some:
            page = pages.get((where.version_id, where.page))
            if page is not None:
                whole = where if where.end else where._replace(end=len(page.text))
                document = inventory.by_version[where.version_id]
                place = passage_at(document, page, whole).place
                yield Stretch(whole, page.text[whole.start : whole.end], place)


def whole_page(key: Key) -> Slice:
    """A page as a slice whose end is not known yet."""
    return Slice(key[0], key[1], 0, 0)


def sheets_of(
    catalog: Catalog, inventory: Inventory, slices: Sequence[KeptSlice]
) -> list[Sheet] | None:
    """A part's slices with their text; None where a page is no longer there."""
    with catalog.snapshot() as snapshot:
        pages = snapshot.pages((piece.where.version_id, piece.where.page) for piece in slices)
    found = []
    for piece in slices:
        where = piece.where
        page = pages.get((where.version_id, where.page))
        document = inventory.by_version.get(where.version_id)
        if page is None or document is None:
            return None
        found.append(Sheet(piece.position, where, section_of(document, page, where)))
    return found


def section_of(document: RollDocument, page: Page, where: Slice) -> Section:
    """A slice as a prompt shows it."""
    return Section(
        title=document.title,
        place=passage_at(document, page, where).place,
        text=page.text[where.start : where.end],
        start=where.start,
        flags=page.flags,
    )


def passage_at(document: RollDocument, page: Page, where: Slice, rank: int = 1) -> Hit:
    """A slice as a passage that was found."""
    return Hit(
        rank=rank,
        document=document.document,
        page=page.number,
        score=1.0 / rank,
        text=page.text[where.start : where.end],
        char_start=where.start,
        char_end=where.end,
        chunk_id=f"{document.version_id}:page-{page.number}",
        document_id=document.document_id,
        version_id=document.version_id,
        title=document.title,
        heading=page.heading,
        page_label=page.label,
        paged=document.paged,
        flags=page.flags,
    )


def pages_read(inventory: Inventory, slices: Iterable[KeptSlice]) -> set[Key]:
    """The pages with text that are read: all of their slices are, and the replies are clear."""
    touched: set[Key] = set()
    missing: set[Key] = set()
    for piece in slices:
        key = (piece.where.version_id, piece.where.page)
        touched.add(key)
        if piece.state in (OPEN, UNCLEAR):
            missing.add(key)
    return (touched - missing) & set(inventory.readable)


def ledger_of(
    inventory: Inventory,
    slices: Sequence[KeptSlice],
    found: Collection[Slice],
    kept: KeptReading,
    *,
    reading: str,
    failures: Iterable[str],
) -> Ledger:
    """The ledger of a reading as it stands; `failures` are reasons why parts are open."""
    done = pages_read(inventory, slices)
    something = {(where.version_id, where.page) for where in found}
    tallies = []
    for document in inventory.documents:
        tally = Tally(document.document, document.paged)
        for page in document.pages:
            key = (document.version_id, page.number)
            if _is_unreadable(page):
                tally.states[page.number] = "unreadable"
            elif page.has_text and key not in done:
                tally.states[page.number] = "unread"
            else:
                tally.states[page.number] = "found" if key in something else "read"
        tallies.append(tally)
    count = totals(tallies)
    reasons = dict.fromkeys(failures)
    current = [piece for piece in slices if piece.where.version_id in inventory.by_version]
    if any(piece.state == UNCLEAR for piece in current):
        reasons[UNCLEAR_REASON] = None
    if count["unread"] and not reasons:
        reasons[CHANGED_REASON] = None
    return Ledger(
        pages=inventory.pages,
        read=count["read"] + count["found"],
        found=count["found"],
        unreadable=count["unreadable"],
        documents=tuple(tally.entry() for tally in tallies),
        set_aside=inventory.set_aside,
        unread_because=tuple(reasons) if count["unread"] else (),
        unproved=kept.unproved,
        incomplete=_named(inventory, [piece.where for piece in current if piece.state == CUT]),
        questions=kept.parts or (),
        requests=kept.requests,
        tokens=kept.tokens,
        seconds=round(kept.seconds, 3),
        reading=reading,
    )


def _named(inventory: Inventory, slices: Iterable[Slice]) -> str:
    """Pages for a sentence."""
    keys = sorted({(where.version_id, where.page) for where in slices})
    named = [
        f"{inventory.by_version[version].document}, "
        f"{'page' if inventory.by_version[version].paged else 'section'} {page}"
        for version, page in keys[:10]
    ]
    if more := len(keys) - len(named):
        named.append(f"and {counted(more, 'page')} more")
    return "; ".join(named)


def _is_unreadable(page: RollPage) -> bool:
    return not page.has_text and page.origin == "none"


def _may_be_in(scope: Scope, path: str) -> bool:
    """Whether a file that could not be read may belong to a scope.

    Its language, tags and date are not known: what its path and type do not
    rule out may.
    """
    if scope.kinds and kind_of(path) not in {kind_of(kind) for kind in scope.kinds}:
        return False
    if not scope.documents:
        return True
    folded = unicodedata.normalize("NFC", path)
    for name in (unicodedata.normalize("NFC", name) for name in scope.documents):
        folder = name.rstrip("/") + "/"
        if folded == name or folded.startswith(folder) or name.startswith(folded + "/"):
            return True
        if any(mark in name for mark in "*?[") and pattern_of(name).fullmatch(folded.casefold()):
            return True
    return False

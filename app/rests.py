"""What an answer rests on: the pages it was made from, each with a digest of what it said.

An answer from passages rests on the pages it cites, and on all it was given where it cites none;
one for which whole documents or every page in scope were read rests on all of these, and on there
being no others. What was read and not cited is kept, too, and shown; it does not make an answer
expire.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from app.answers import Citation
from app.ledger import Ledger
from app.plans import DOCUMENTS, READ_ALL
from storage.catalog import Catalog
from storage.page_digests import Standing, page_digests, standing
from storage.records import Hit

WHOLE = (DOCUMENTS, READ_ALL)
"""Modes in which all pages in scope are read."""
UNKNOWN = ""
"""The digest of a page that has changed since it was read, before anybody could take one."""


@dataclass(frozen=True, slots=True)
class RestPage:
    """A page as it was when the answer was made."""

    number: int
    digest: str
    place: str
    """`page 12` or `§ Travel`, for people; empty for pages that no passage is from."""
    counts: bool
    """Whether the answer expires with it."""


@dataclass(frozen=True, slots=True)
class Rest:
    """A document that an answer rests on."""

    document: str
    """As searches named it."""
    document_id: int
    version_id: int
    content: str
    """SHA-256 of its file."""
    title: str
    pages: tuple[RestPage, ...]
    room: str = ""
    """The conversation whose private document it is; empty for documents of the library."""

    def to_json(self) -> dict[str, object]:
        """The document as saved answers keep it."""
        return asdict(self)

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Rest:
        """What `to_json` gave."""
        return cls(**{**kept, "pages": tuple(RestPage(**page) for page in kept["pages"])})


def rests_of(
    catalog: Catalog,
    hits: Sequence[Hit],
    citations: Sequence[Citation],
    *,
    mode: str,
    ledger: Ledger | None = None,
    asked_at: float,
    room: str = "",
) -> tuple[Rest, ...]:
    """What an answer rests on, with digests of what the model read.

    Digests are taken from the library as it is now; of a page that says something else by now
    than what was read it is unknown, and so it counts as changed. `asked_at` decides that for
    pages without a passage: those of a document that was read again after it are unknown. `room`
    is that of the conversation it was asked in: with it, its private documents are seen.
    """
    wanted = {hit.document_id for hit in hits}
    listed = {entry.document for entry in ledger.documents} if ledger else set()
    with catalog.database.snapshot() as connection:
        found = standing(connection, document_ids=wanted, documents=listed, rooms=[room])
        digests = page_digests(connection, (one.version_id for one in found))
    texts = {
        (hit.document_id, hit.page): page.text
        for hit in hits
        if (page := catalog.page(hit.document_id, hit.page, room=room)) is not None
    }
    by_id = {one.document_id: one for one in found}
    cited = {(citation.document, citation.page) for citation in citations}
    read_whole = mode in WHOLE
    pages: dict[int, dict[int, RestPage]] = {}
    for hit in hits:
        now = by_id.get(hit.document_id)
        counts = read_whole or not cited or (hit.document, hit.page) in cited
        digest = UNKNOWN
        if now is not None and _still_says(hit, now, texts.get((hit.document_id, hit.page), "")):
            digest = digests[now.version_id].get(hit.page, UNKNOWN)
        of_document = pages.setdefault(hit.document_id, {})
        before = of_document.get(hit.page)
        if before is not None and before.digest == UNKNOWN:
            digest = UNKNOWN
        counts = counts or (before is not None and before.counts)
        of_document[hit.page] = RestPage(hit.page, digest, hit.place, counts)
    rests = {
        hit.document_id: _rest(hit, by_id.get(hit.document_id), pages[hit.document_id])
        for hit in hits
    }
    if ledger is not None:
        _add_read(rests, ledger, found, digests, asked_at)
    return tuple(sorted(rests.values(), key=lambda rest: (rest.document, rest.document_id)))


def _rest(hit: Hit, now: Standing | None, pages: Mapping[int, RestPage]) -> Rest:
    known = all(page.digest != UNKNOWN for page in pages.values())
    return Rest(
        document=hit.document,
        document_id=hit.document_id,
        # Compared before any page is: only where every digest was taken from that version.
        version_id=now.version_id if now is not None and known else 0,
        content=now.content if now is not None else "",
        title=hit.title,
        pages=tuple(pages[number] for number in sorted(pages)),
        room=hit.room,
    )


def _still_says(hit: Hit, now: Standing, text: str) -> bool:
    """Whether a page is what it was when the passage was taken from it."""
    if now.version_id == hit.version_id:
        return True
    passage = " ".join(hit.text.split())
    return bool(passage) and passage in " ".join(text.split())


def _add_read(
    rests: dict[int, Rest],
    ledger: Ledger,
    found: Iterable[Standing],
    digests: Mapping[int, Mapping[int, str]],
    asked_at: float,
) -> None:
    """Add every page of the ledger; two documents of one name are both taken."""
    states: dict[str, list[int]] = {}
    for document, number, _ in ledger.page_states():
        states.setdefault(document, []).append(number)
    for now in found:
        if now.document not in states:
            continue
        as_read = now.read_at <= asked_at
        here = digests[now.version_id]
        before = rests.get(now.document_id)
        pages = {page.number: page for page in before.pages} if before else {}
        for number in states[now.document]:
            digest = here.get(number, UNKNOWN) if as_read else UNKNOWN
            pages.setdefault(number, RestPage(number, digest, "", True))
        known = as_read and (before is None or before.version_id == now.version_id)
        rests[now.document_id] = Rest(
            document=now.document,
            document_id=now.document_id,
            version_id=now.version_id if known else 0,
            content=now.content,
            title=before.title if before else "",
            pages=tuple(pages[number] for number in sorted(pages)),
            room=now.room,
        )
    gone = set(states) - {rest.document for rest in rests.values()}
    for number, document in enumerate(sorted(gone), start=1):
        pages_then = tuple(RestPage(page, UNKNOWN, "", True) for page in states[document])
        rests[-number] = Rest(document, 0, 0, "", "", pages_then)

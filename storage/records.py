"""The frozen records that pass between the steps.

Offsets are Python string offsets (code points) into the text of one page,
`char_end` exclusive. Page numbers start at 1. In formats without pages
(Markdown, HTML, DOCX, text) a "page" is a section under one heading, and
`paged` is false: the reader is then shown the section's label ("slide 4",
"sheet Prices, rows 41–80") or, where it has none, its heading.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple


class Flag(NamedTuple):
    """A span of a page's text that is not what it seems.

    `hidden`, `tiny`, `off-page` and `invisible-characters` could not be seen by
    whoever read the page, `instruction` speaks to a model rather than to a
    reader, and `repeated` is a header or footer of many pages, which is not
    indexed. `storage.flags` has the kinds.
    """

    kind: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Page:
    """One page (or section, in formats without pages) of a document."""

    number: int
    text: str
    label: str = ""
    """For people: the page's own label ("iv", "A-3") in formats with pages, the name of
    the place ("slide 4", "attachment offer.pdf, page 2") in those without."""
    heading: str = ""
    """The heading path this page stands under ("Travel › Per diem")."""
    origin: str = ""
    """Where the text is from: '' the file's own, `ocr`, or `none` where it could not be read."""
    confidence: float | None = None
    """Mean confidence of the words that OCR read, 0 to 1; None without OCR."""
    flags: tuple[Flag, ...] = ()
    """In the order of the text."""


@dataclass(frozen=True, slots=True)
class ParsedDocument:
    """What a loader makes of one file."""

    title: str
    pages: tuple[Page, ...]
    paged: bool
    """True where the format has real pages (PDF)."""
    parser: str
    """Which engine read it, with its version ("pypdfium2 5.15.2")."""
    metadata: dict[str, str] = field(default_factory=dict)
    """Author, dates and the like, where the format states them."""
    warnings: tuple[str, ...] = ()
    """One sentence for each thing the user should know ("3 of 12 pages hold no text")."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A span of one page, small enough for the embedding model to read whole."""

    ordinal: int
    """Position in the document, from 0."""
    page: int
    char_start: int
    char_end: int
    text: str
    """Exactly `page.text[char_start:char_end]`."""
    heading: str
    embedded_text: str
    """What the embedder reads: the text, led by document title and heading."""
    head: str = ""
    """What the top of its page says the page is; its vector is mixed in. Empty for none."""
    lead: str = ""
    """The header of the table in whose rows it begins; embedded and indexed with its text."""


@dataclass(frozen=True, slots=True)
class Place:
    """Another place where the words of a passage stand."""

    document: str
    page: int
    place: str
    """`page 12` or `§ Travel`, for people."""
    title: str
    document_id: int

    def to_json(self) -> dict[str, object]:
        """The place as citations name it."""
        return {"document": self.document, "page": self.page}


_UNIT = re.compile(r"(?:^|, )(page|slide) [^,]+$")


def context_of(heading: str, text: str, *, paged: bool) -> str:
    """What a page's heading adds to its text: of a section that begins with it, only its parents.

    The second part of a long section, and a sheet, do not begin with theirs.
    """
    parents, _, own = heading.rpartition(" › ")
    return parents if not paged and text.startswith(own) else heading


class Found(NamedTuple):
    """A chunk that the search found, as a span of its page."""

    start: int
    end: int
    rank: int


def version_of(chunk_id: str) -> int:
    """The version that a chunk ("<version>:<ordinal>") belongs to."""
    return int(chunk_id.partition(":")[0])


def chunk_key(chunk_id: str) -> tuple[int, int]:
    """Version and ordinal of a chunk."""
    version, _, ordinal = chunk_id.partition(":")
    return int(version), int(ordinal)


def chunk_ids(versions: Mapping[int, int]) -> Iterator[str]:
    """The ids of all chunks of versions, given with their number of chunks."""
    for version_id, chunks in versions.items():
        for ordinal in range(chunks):
            yield f"{version_id}:{ordinal}"


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage found for a query, best first.

    `chunk_id` names the vector and the catalog row ("<version>:<ordinal>").
    """

    rank: int
    document: str
    """Path relative to the source root, with forward slashes."""
    page: int
    score: float
    text: str
    char_start: int
    char_end: int
    chunk_id: str
    document_id: int
    version_id: int
    title: str
    heading: str
    page_label: str
    paged: bool
    dense_rank: int | None = None
    """Rank in the vector search, from 1; None where that arm missed it."""
    lexical_rank: int | None = None
    found: tuple[Found, ...] = ()
    """What the search found of a passage that was widened, in page order. Empty: all of it."""
    lead: str = ""
    """The header, further up on the page, of the table that the text begins in."""
    beside: bool = False
    """Not found itself: on the page before or after one that was, and one runs into the other."""
    also: tuple[Place, ...] = ()
    """Where else the same words stand."""
    flags: tuple[Flag, ...] = ()
    """Those of the whole page, in offsets of the page."""
    room: str = ""
    """The conversation whose private document it is from; empty for documents of the library."""

    @property
    def place(self) -> str:
        """Where the passage stands, in words for people: `page 12` or `§ Travel`."""
        if self.paged:
            return f"page {self.page_label or self.page}"
        if self.page_label:
            return self.page_label
        return f"§ {self.heading}" if self.heading else f"section {self.page}"

    @property
    def unit(self) -> str:
        """What the place is one of, for people: `page`, `slide`, `section`."""
        if self.paged:
            return "page"
        found = _UNIT.search(self.page_label)
        return found[1] if found else "section"

    def to_json(self) -> dict[str, object]:
        """The hit as `hayloft search --json` prints it."""
        return {
            "rank": self.rank,
            "document": self.document,
            "page": self.page,
            "place": self.place,
            "score": round(self.score, 6),
            "text": self.text,
            "char_start": self.char_start,
            "char_end": self.char_end,
            "title": self.title,
            "heading": self.heading,
            "chunk": self.chunk_id,
        }


@dataclass(frozen=True, slots=True)
class Scope:
    """Which documents a search may look at; of each kind of filter, any value will do.

    A document is in scope when it meets every filter that is given.
    """

    documents: tuple[str, ...] = ()
    """Paths, folders ("contracts"), or patterns ("reports/*2023*", "**/*.pdf")."""
    kinds: tuple[str, ...] = ()
    """File types as `DocumentSummary.kind` names them ("pdf", "md")."""
    languages: tuple[str, ...] = ()
    """ISO 639-1 codes."""
    tags: tuple[str, ...] = ()
    since: str = ""
    """First date, `YYYY`, `YYYY-MM` or `YYYY-MM-DD`; that year, month or day is in scope."""
    until: str = ""
    """Last date, as `since`; inclusive too."""
    room: str = ""
    """The conversation whose private documents are looked at. Empty: the library, and nothing
    private. Only who shows that conversation may set it; `from_json` never does."""
    beyond_room: bool = False
    """With a room: the library as well."""

    @property
    def is_everything(self) -> bool:
        """Whether nothing of the library is filtered."""
        own_files_alone = self.room and not self.beyond_room
        return not own_files_alone and replace(self, room="", beyond_room=False) == EVERYTHING

    def to_json(self) -> dict[str, object]:
        """The filters that are given, as a conversation or a report keeps them."""
        given: dict[str, object] = {
            name: list(getattr(self, name))
            for name in ("documents", "kinds", "languages", "tags")
            if getattr(self, name)
        }
        others = {
            "since": self.since,
            "until": self.until,
            "room": self.room,
            "beyond_room": self.beyond_room,
        }
        return given | {name: value for name, value in others.items() if value}

    @classmethod
    def from_json(cls, kept: Mapping[str, object]) -> Scope:
        """The scope that `to_json` kept, without its room; what is of another form is left out."""

        def texts(name: str) -> tuple[str, ...]:
            found = kept.get(name)
            values = found if isinstance(found, list) else []
            return tuple(value for value in values if isinstance(value, str))

        since, until = kept.get("since"), kept.get("until")
        return cls(
            documents=texts("documents"),
            kinds=texts("kinds"),
            languages=texts("languages"),
            tags=texts("tags"),
            since=since if isinstance(since, str) else "",
            until=until if isinstance(until, str) else "",
            beyond_room=kept.get("beyond_room") is True,
        )


EVERYTHING = Scope()
"""The scope of a search without filters."""


@dataclass(frozen=True, slots=True)
class DocumentSummary:
    """One document of the library as lists and pages show it."""

    document_id: int
    document: str
    """Path relative to the source root."""
    source_root: str
    title: str
    pages: int
    chunks: int
    characters: int
    size: int
    """File size in bytes."""
    paged: bool
    ingested_at: float
    """Seconds since the epoch."""
    warnings: tuple[str, ...] = ()
    kind: str = ""
    """File type ("pdf", "md")."""
    language: str = ""
    """ISO 639-1 code; empty where it is not sure."""
    dated: str = ""
    """`YYYY`, `YYYY-MM` or `YYYY-MM-DD`."""
    dated_by: str = ""
    """`stated` where the document says so itself, `file` for the day its file was changed."""
    tags: tuple[str, ...] = ()
    ocr_pages: int = 0
    """Pages whose text OCR read."""
    unsearchable_pages: int = 0
    """Pages that could not be read."""
    flagged_pages: int = 0
    """Pages with a flag other than `repeated`."""
    confidence: float | None = None
    """Mean of the OCR pages', 0 to 1; None without OCR."""
    parser: str = ""
    modified_at: float = 0.0
    """The file's own time when it was read; seconds since the epoch."""
    fault: str = ""
    """Why its file cannot be read now, so that this is its last good version; else empty."""
    fault_kind: str = ""
    fault_since: float = 0.0


@dataclass(frozen=True, slots=True)
class RoomContents:
    """The private documents of one conversation, and its files that were set aside."""

    documents: tuple[DocumentSummary, ...]
    failures: tuple[Failure, ...]


@dataclass(frozen=True, slots=True)
class ReadFile:
    """The file that a document's current version was read from, as it was then."""

    root: str
    path: str
    """Relative to the root."""
    size: int
    mtime_ns: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Facets:
    """The values a scope can choose from, each with its number of documents, most first."""

    kinds: dict[str, int]
    languages: dict[str, int]
    """By ISO 639-1 code; '' for documents whose language is not sure."""
    tags: dict[str, int]
    """The most used ones."""
    first_date: str
    last_date: str


@dataclass(frozen=True, slots=True)
class Failure:
    """A file that was set aside, and why."""

    document: str
    source_root: str
    kind: str
    reason: str
    attempts: int
    last_seen: float
    serves_old_version: bool
    """True where an earlier good version is still searchable."""
    first_seen: float = 0.0
    next_try: float = 0.0
    """Not before that moment, unless the file changes or is named; 0: on every run."""
    last_good: float | None = None
    """When the version that is still searchable was read; None where there is none."""


@dataclass(frozen=True, slots=True)
class RunSummary:
    """One ingestion run as the history keeps it."""

    run_id: int
    started_at: float
    finished_at: float | None
    """None while the run is at work, or where it was killed."""
    outcome: str
    """`running`, `complete`, `failed-files`, `source-missing`, `brake`, `interrupted`, `error`
    or `killed`."""
    added: int
    updated: int
    unchanged: int
    deleted: int
    failed: int
    pages: int
    chunks: int
    message: str = ""
    mode: str = "ingest"
    """`ingest`, `verify`, `rebuild`, `forget` or `watch`."""
    seconds: float | None = None
    moved: int = 0
    embedded: int = 0
    waiting: int = 0
    """Files set aside before whose next attempt was not due."""
    reasons: Mapping[str, int] = field(default_factory=dict)
    """Kinds of failure, each with its number."""
    to_do: int | None = None
    """Files to be read or deleted, while it is at work and as soon as they are known."""
    done: int = 0
    """How many of them it has dealt with."""


@dataclass(frozen=True, slots=True)
class LibraryCounts:
    """The size and freshness of a library."""

    documents: int
    pages: int
    chunks: int
    failures: int
    last_ingested_at: float | None

"""The frozen records that pass between the steps.

Offsets are Python string offsets (code points) into the text of one page,
`char_end` exclusive. Page numbers start at 1. In formats without pages
(Markdown, HTML, DOCX, text) a "page" is a section under one heading, and
`paged` is false: the reader is then shown the section's heading.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Page:
    """One page (or section, in formats without pages) of a document."""

    number: int
    text: str
    label: str = ""
    """The page's own label where the format has one ("iv", "A-3"); for people."""
    heading: str = ""
    """The heading path this page stands under ("Travel › Per diem")."""


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


class Found(NamedTuple):
    """A chunk that the search found, as a span of its page."""

    start: int
    end: int
    rank: int


def version_of(chunk_id: str) -> int:
    """The version that a chunk ("<version>:<ordinal>") belongs to."""
    return int(chunk_id.partition(":")[0])


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

    @property
    def place(self) -> str:
        """Where the passage stands, in words for people: `page 12` or `§ Travel`."""
        if self.paged:
            return f"page {self.page_label or self.page}"
        return f"§ {self.heading}" if self.heading else f"section {self.page}"

    def to_json(self) -> dict[str, object]:
        """The hit as `hayloft search --json` prints it."""
        return {
            "rank": self.rank,
            "document": self.document,
            "page": self.page,
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

    @property
    def is_everything(self) -> bool:
        """Whether nothing is filtered."""
        return self == EVERYTHING

    def to_json(self) -> dict[str, object]:
        """The filters that are given, as a conversation or a report keeps them."""
        given: dict[str, object] = {
            name: list(getattr(self, name))
            for name in ("documents", "kinds", "languages", "tags")
            if getattr(self, name)
        }
        dates = {"since": self.since, "until": self.until}
        return given | {name: date for name, date in dates.items() if date}

    @classmethod
    def from_json(cls, kept: Mapping[str, object]) -> Scope:
        """The scope that `to_json` kept; what is of another form is left out."""

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


@dataclass(frozen=True, slots=True)
class RunSummary:
    """One ingestion run as the history keeps it."""

    run_id: int
    started_at: float
    finished_at: float | None
    """None while the run is at work, or where it was killed."""
    outcome: str
    """`running`, `complete`, `failed-files`, `brake`, `interrupted` or `error`."""
    added: int
    updated: int
    unchanged: int
    deleted: int
    failed: int
    pages: int
    chunks: int
    message: str = ""


@dataclass(frozen=True, slots=True)
class LibraryCounts:
    """The size and freshness of a library."""

    documents: int
    pages: int
    chunks: int
    failures: int
    last_ingested_at: float | None

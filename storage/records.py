"""The frozen records that pass between the steps.

Offsets are Python string offsets (code points) into the text of one page,
`char_end` exclusive. Page numbers start at 1. In formats without pages
(Markdown, HTML, DOCX, text) a "page" is a section under one heading, and
`paged` is false: the reader is then shown the section's heading.
"""

from __future__ import annotations

from dataclasses import dataclass, field


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

"""What an ingestion run says while it works, and at its end."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class RunStarted:
    """The files are known."""

    files: int
    """Files found under the paths of this run."""
    to_read: int
    """Of these, the new and the changed ones."""
    to_delete: int

    def to_json(self) -> dict[str, Any]:
        """The event as `hayloft ingest --json` prints it."""
        return {
            "event": "start",
            "files": self.files,
            "to_read": self.to_read,
            "to_delete": self.to_delete,
        }


@dataclass(frozen=True, slots=True)
class DocumentDone:
    """One file has been dealt with."""

    document: str
    action: str
    """`added`, `updated`, `moved`, `unchanged` (same content, new time), `restored` (vectors that
    Chroma had lost), `deleted` or `failed`."""
    pages: int = 0
    chunks: int = 0
    seconds: float = 0.0
    """Time to read the file; the embedding of several files is interleaved."""
    kind: str = ""
    reason: str = ""
    """Why it failed, as a sentence."""
    warnings: tuple[str, ...] = ()
    was: str = ""
    """The path it had, where it moved."""
    embedded: int = 0
    """Chunks whose vector had to be computed."""
    characters: int = 0
    """Length of its text."""
    paged: bool = True
    """False where its pages are sections."""
    private: bool = False
    """A file of one conversation: its name is for that conversation alone."""

    def to_json(self) -> dict[str, Any]:
        """The event as `hayloft ingest --json` prints it."""
        told: dict[str, Any] = {
            "event": "document",
            "document": self.document,
            "action": self.action,
            "pages": self.pages,
            "chunks": self.chunks,
            "seconds": round(self.seconds, 3),
        }
        if self.pages:
            told["paged"] = self.paged
        if self.was:
            told["was"] = self.was
        if self.reason:
            told |= {"kind": self.kind, "reason": self.reason}
        if self.warnings:
            told["warnings"] = list(self.warnings)
        if self.private:
            told["private"] = True
        return told


@dataclass(frozen=True, slots=True)
class ChunksEmbedded:
    """Progress inside long documents."""

    document: str
    done: int
    total: int
    private: bool = False
    """As `DocumentDone.private`."""

    def to_json(self) -> dict[str, Any]:
        """The event as `hayloft ingest --json` prints it."""
        told: dict[str, Any] = {
            "event": "progress",
            "document": self.document,
            "done": self.done,
            "total": self.total,
        }
        return told | ({"private": True} if self.private else {})


@dataclass(slots=True)
class Report:
    """The counts of a run; the one record here that grows."""

    added: int = 0
    updated: int = 0
    moved: int = 0
    unchanged: int = 0
    deleted: int = 0
    failed: int = 0
    waiting: int = 0
    """Files set aside before whose next attempt is not due."""
    pages: int = 0
    chunks: int = 0
    embedded: int = 0
    """Chunks that had to be embedded; the others were in the index already."""
    verified: int = 0
    """Files that `--verify` hashed."""
    unseen: list[str] = field(default_factory=list)
    """Of those: files with new content behind the old size and time."""
    skipped: dict[str, int] = field(default_factory=dict)
    """Files of other types, by suffix."""
    failures: list[DocumentDone] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)
    seconds: float = 0.0
    run_id: int = 0
    outcome: str = "running"
    message: str = ""
    news: int = 0
    """Failures that nobody has been told of: not those of a folder that was missing before."""
    sources_missing: int = 0
    """Whole source folders that could not be looked at."""
    note: str = ""
    """A sentence on a run that reached its end, worth keeping in its line."""

    @property
    def in_line(self) -> bool:
        """Whether no file is set aside."""
        return not (self.failed or self.waiting)

    def reached(self) -> str:
        """The outcome of a run that came to its end."""
        if self.sources_missing:
            return "source-missing"
        return "complete" if self.in_line else "failed-files"

    def counts(self) -> dict[str, int]:
        """The counts that the run history keeps."""
        return {name: getattr(self, name) for name in _COUNTS}

    def reasons(self) -> dict[str, int]:
        """The kinds of failure, each with its number."""
        return dict(Counter(failure.kind for failure in self.failures))

    def to_json(self) -> dict[str, Any]:
        """The last line of `hayloft ingest --json`."""
        return {
            "event": "report",
            "run": self.run_id,
            "outcome": self.outcome,
            **self.counts(),
            "reasons": self.reasons(),
            "message": self.message,
            "verified": self.verified,
            "unseen": self.unseen,
            "skipped": self.skipped,
            "seconds": round(self.seconds, 3),
        }


_COUNTS = (
    "added",
    "updated",
    "moved",
    "unchanged",
    "deleted",
    "failed",
    "waiting",
    "pages",
    "chunks",
    "embedded",
)


RunEvent = RunStarted | DocumentDone | ChunksEmbedded

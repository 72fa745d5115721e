"""The ledger of a full read: what became of every page, as it is stored with the answer."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from app.phrases import listed
from app.wording import t, tn, with_commas

PageState = Literal["read", "found", "unreadable", "unread"]

_DOCUMENTS_NAMED = 20
"""Documents that a sentence names with their pages; the ledger itself has all."""

_RANGE = re.compile(r"(\d+)(?:-(\d+))?")


@dataclass(frozen=True, slots=True)
class DocumentLedger:
    """What became of the pages of one document, each in exactly one of four ranges ("1-4, 7")."""

    document: str
    pages: int
    read: str = ""
    """Read, and nothing there helps to answer."""
    found: str = ""
    """Read, and something was copied from them."""
    unreadable: str = ""
    """Without any text: scans, or pages that the parser could not read."""
    unread: str = ""
    """Not read, because the model failed at them."""
    paged: bool = True
    """False where the "pages" are sections."""

    def to_json(self) -> dict[str, object]:
        """The entry without its empty ranges."""
        return {name: value for name, value in asdict(self).items() if value != ""}


@dataclass(frozen=True, slots=True)
class Ledger:
    """What a full read read, counted and page by page."""

    pages: int
    """Pages in scope that can be read, empty ones included."""
    read: int
    found: int
    """Of these, pages from which something was copied."""
    unreadable: int
    """Pages beside those: they are in the library and hold no text that can be read."""
    documents: tuple[DocumentLedger, ...] = ()
    set_aside: tuple[str, ...] = ()
    """Files of the scope that are not in the library at all, with the reason."""
    unread_because: tuple[str, ...] = ()
    """Why pages were not read, each reason once."""
    unproved: int = 0
    """What the model returned and is nowhere on its pages; not used."""
    incomplete: str = ""
    """Pages of which the model copied more than it had room for ("a.pdf, page 3")."""
    questions: tuple[str, ...] = ()
    """The parts that a question was taken apart into."""
    requests: int = 0
    tokens: int = 0
    """Of page text, as read."""
    seconds: float = 0.0
    """Of reading, all sessions together."""
    reading: str = ""
    """Names the kept state that a repeated question goes on from."""

    @property
    def unread(self) -> int:
        """Pages that can be read and were not."""
        return self.pages - self.read

    @property
    def complete(self) -> bool:
        """Whether every page that can be read was read."""
        return self.read == self.pages

    @property
    def summary(self) -> str:
        """`412 of 412 pages read, 7 had something, 2 unreadable (scans)`."""
        parts = [
            tn(
                self.pages,
                "{read} of {n} page read",
                "{read} of {n} pages read",
                read=f"{self.read:,}",
            ),
            t("{n} had something", n=f"{self.found:,}"),
        ]
        if self.unread:
            parts.append(t("{n} not read", n=f"{self.unread:,}"))
        if self.unreadable:
            parts.append(t("{n} unreadable (scans)", n=f"{self.unreadable:,}"))
        if self.set_aside:
            aside = len(self.set_aside)
            parts.append(tn(aside, "{n} file set aside", "{n} files set aside"))
        return with_commas(parts)

    def named(self, state: PageState) -> str:
        """The pages in a state, for a sentence: `a.pdf, pages 3-4; b.md, section 2`."""
        entries = [
            (entry, pages) for entry in self.documents if (pages := getattr(entry, state)) != ""
        ]
        named = [
            f"{entry.document}, {_which(pages, entry.paged)}"
            for entry, pages in entries[:_DOCUMENTS_NAMED]
        ]
        if more := len(entries) - len(named):
            named.append(
                tn(
                    more,
                    "and {n} document more that the ledger lists",
                    "and {n} documents more that the ledger lists",
                )
            )
        return "; ".join(named)

    def named_set_aside(self) -> str:
        """The files that are not in the library, for a sentence."""
        named = list(self.set_aside[:_DOCUMENTS_NAMED])
        if more := len(self.set_aside) - len(named):
            named.append(tn(more, "{n} file more", "{n} files more"))
        return listed(named, t("and"))

    def page_states(self) -> Iterator[tuple[str, int, PageState]]:
        """Every page of the scope with its document and what became of it, in order."""
        states: tuple[PageState, ...] = ("read", "found", "unreadable", "unread")
        for entry in self.documents:
            pages = {page: state for state in states for page in numbers(getattr(entry, state))}
            for page in sorted(pages):
                yield entry.document, page, pages[page]

    def to_json(self) -> dict[str, object]:
        """The ledger as `hayloft ask --json` prints it and conversations keep it."""
        return {
            "summary": self.summary,
            "pages": self.pages,
            "read": self.read,
            "found": self.found,
            "unread": self.unread,
            "unreadable": self.unreadable,
            "complete": self.complete,
            "documents": [entry.to_json() for entry in self.documents],
            "set_aside": list(self.set_aside),
            "unread_because": list(self.unread_because),
            "unproved": self.unproved,
            "incomplete": self.incomplete,
            "questions": list(self.questions),
            "requests": self.requests,
            "tokens": self.tokens,
            "seconds": self.seconds,
            "reading": self.reading,
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Ledger:
        """The ledger that `to_json` gave."""
        return cls(
            pages=kept["pages"],
            read=kept["read"],
            found=kept["found"],
            unreadable=kept["unreadable"],
            documents=tuple(DocumentLedger(**entry) for entry in kept["documents"]),
            set_aside=tuple(kept["set_aside"]),
            unread_because=tuple(kept["unread_because"]),
            unproved=kept["unproved"],
            incomplete=kept["incomplete"],
            questions=tuple(kept["questions"]),
            requests=kept["requests"],
            tokens=kept["tokens"],
            seconds=kept["seconds"],
            reading=kept["reading"],
        )


@dataclass(slots=True)
class Tally:
    """One document's pages, while their states are gathered."""

    document: str
    paged: bool
    states: dict[int, PageState] = field(default_factory=dict)

    def entry(self) -> DocumentLedger:
        """The tally as the ledger keeps it."""
        found: dict[str, list[int]] = {}
        for page, state in self.states.items():
            found.setdefault(state, []).append(page)
        return DocumentLedger(
            document=self.document,
            pages=len(self.states),
            paged=self.paged,
            **{state: ranges(pages) for state, pages in found.items()},
        )


def _which(pages: str, paged: bool) -> str:
    """`page 3`, `sections 1-2`."""
    if re.search("[-,]", pages):
        return t("pages {which}", which=pages) if paged else t("sections {which}", which=pages)
    return t("page {which}", which=pages) if paged else t("section {which}", which=pages)


def ranges(pages: Iterable[int]) -> str:
    """Page numbers as people write them: `1-4, 7`."""
    runs: list[list[int]] = []
    for page in sorted(set(pages)):
        if runs and page == runs[-1][1] + 1:
            runs[-1][1] = page
        else:
            runs.append([page, page])
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)


def numbers(written: str) -> list[int]:
    """The page numbers that `ranges` wrote."""
    found: list[int] = []
    for first, last in _RANGE.findall(written):
        found += range(int(first), int(last or first) + 1)
    return found


def counted(number: int, thing: str) -> str:
    """`1 page`, `2 pages`."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def totals(tallies: Sequence[Tally]) -> dict[PageState, int]:
    """How many pages are in each state."""
    found: dict[PageState, int] = {"read": 0, "found": 0, "unreadable": 0, "unread": 0}
    for tally in tallies:
        for state in tally.states.values():
            found[state] += 1
    return found

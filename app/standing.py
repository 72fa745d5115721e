"""Where one page stands in a search, or what keeps it out: records, JSON and plain words."""

from __future__ import annotations

from dataclasses import dataclass

from app.explain import rounded
from storage.errors import UsageError

EMPTY = "empty"
UNKNOWN = "unknown"
NOT_INDEXED = "not-indexed"
"""The file is there, and no ingestion has read it."""
SET_ASIDE = "set-aside"
NO_SUCH_PAGE = "no-such-page"
NO_TEXT = "no-text"
FILTERED = "filtered"
FOUND = "found"
OUTRANKED = "outranked"
"""It can be found, and the passages shown fit better."""

_LONGEST_LABEL = 40


@dataclass(frozen=True, slots=True)
class Target:
    """The page that is asked for."""

    document: str
    page: str
    """Its number from 1, or its label ("iv")."""

    @property
    def number(self) -> int | None:
        """The page's number; None for a label."""
        return int(self.page) if self.page.isdecimal() else None


@dataclass(frozen=True, slots=True)
class Place:
    """How far an arm would have to be read to come to the page."""

    rank: int
    """Passages that fit better, and one; of the page's best passage."""
    score: float
    of: int
    """Passages that the arm ranks at all."""
    exact: bool = True
    """False where the vectors were searched, not compared one by one."""

    def to_json(self) -> dict[str, object]:
        """The place as `--why --json` prints it."""
        return {
            "rank": self.rank,
            "score": rounded(self.score),
            "of": self.of,
            "exact": self.exact,
        }


@dataclass(frozen=True, slots=True)
class Cause:
    """One thing that keeps a page below others."""

    kind: str
    """`names`, `language`, `words`, `duplicate`, `reranker` or `fit`."""
    sentence: str


@dataclass(frozen=True, slots=True)
class Ranks:
    """Where a page that can be found stands."""

    shown: int | None
    """In the final order; None where it is no candidate."""
    fused: int | None
    """Before reranking."""
    candidates: int
    """Passages that were fused."""
    fused_deep: int
    """Where it would stand if both arms were read to their ends."""
    exact: bool
    """Whether `fused_deep` rests on every vector."""
    dense: Place | None
    lexical: Place | None
    """None where the page holds none of the words."""
    words_there: tuple[str, ...] = ()
    words_missing: tuple[str, ...] = ()

    def to_json(self) -> dict[str, object]:
        """The ranks as `--why --json` prints them."""
        return {
            "rank": self.shown,
            "fused_rank": self.fused,
            "candidates": self.candidates,
            "fused_rank_if_all_were_read": {"rank": self.fused_deep, "exact": self.exact},
            "dense": self.dense.to_json() if self.dense else None,
            "lexical": self.lexical.to_json() if self.lexical else None,
            "words": {"there": list(self.words_there), "missing": list(self.words_missing)},
        }


@dataclass(frozen=True, slots=True)
class Standing:
    """Why a page was found, or was not."""

    document: str
    page: int | None
    """None where there is no such document or page."""
    place: str
    """The page in words for people; '' where there is none."""
    status: str
    sentence: str
    """The answer in one sentence."""
    ranks: Ranks | None = None
    causes: tuple[Cause, ...] = ()
    without_filters: Standing | None = None
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, object]:
        """The standing as `--why --json` prints it."""
        return {
            "document": self.document,
            "page": self.page,
            "status": self.status,
            "sentence": self.sentence,
            **(self.ranks.to_json() if self.ranks else {}),
            "causes": [{"cause": cause.kind, "sentence": cause.sentence} for cause in self.causes],
            "without_filters": self.without_filters.to_json() if self.without_filters else None,
            "notes": list(self.notes),
        }


def target_of(text: str) -> Target:
    """The page that `DOCUMENT:PAGE` names; what stands after the last colon is the page.

    Raises UsageError for what is not of that form.
    """
    # An argument's bytes that are no UTF-8 arrive as lone surrogates, which cannot be printed.
    text = text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    document, _, page = text.rpartition(":")
    document, page = document.strip(), page.strip()
    if not (document and page) or "/" in page or len(page) > _LONGEST_LABEL:
        raise UsageError(
            f"{text!r} names no page. Write --why DOCUMENT:PAGE, such as reports/annual.pdf:12; "
            "pages, and the sections of formats without pages, count from 1."
        )
    if page.removeprefix("-").isdecimal() and int(page) < 1:
        raise UsageError(f"There is no page {page}: pages count from 1, as in {document}:1.")
    return Target(document, page)

"""Ask a library every question of a file and score the pages it finds.

Search returns chunks; questions name pages. Several chunks of one page
collapse to the page's best rank, so that k counts distinct pages: the reader
opens pages, and a page that was cut into many chunks must not fill the list.
To have k distinct pages at hand, `CHUNKS_A_PAGE` times as many chunks are
asked for; where that was still too few, the question is counted as short.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from evaluation.metrics import (
    Estimate,
    distinct,
    estimate,
    first_rank,
    hit,
    ndcg,
    recall,
    reciprocal_rank,
)
from evaluation.questions import Place, Question
from storage.errors import UsageError
from storage.records import DocumentSummary, Hit

CHUNKS_A_PAGE = 4
"""Chunks asked for, a page wanted: a dense page of a report makes three to four."""


class Searcher(Protocol):
    """What is evaluated: `app.find.Finder`, or a test's double."""

    def search(self, query: str, *, limit: int = 10) -> list[Hit]:
        """The best `limit` chunks for the query, best first."""
        ...


@dataclass(frozen=True, slots=True)
class QuestionResult:
    """What one question found."""

    question: Question
    found: tuple[Place, ...]
    """Distinct pages, best first, down to the largest k."""
    chunks: int
    """Chunks the search returned."""
    short: bool
    """True where the chunks asked for held fewer distinct pages than the largest k."""
    seconds: float

    def rank_of(self, place: Place) -> int | None:
        """Rank of a page among those found, from 1."""
        return first_rank(self.found, {place})

    @property
    def document_first(self) -> bool:
        """True where the first page found belongs to a relevant document."""
        documents = {place.document for place in self.question.relevant}
        return bool(self.found) and self.found[0].document in documents

    def to_json(self) -> dict[str, object]:
        """The ranks that two runs are compared by."""
        relevant = [
            {"document": place.document, "page": place.page, "rank": self.rank_of(place)}
            for place in self.question.relevant
        ]
        return {
            "id": self.question.id,
            "question": self.question.text,
            "first_rank": first_rank(self.found, set(self.question.relevant)),
            "document_first": self.document_first,
            "relevant": relevant,
            "found": [{"document": place.document, "page": place.page} for place in self.found],
            "chunks": self.chunks,
            "short": self.short,
            "seconds": round(self.seconds, 4),
        }


def chunks_for(cutoffs: Sequence[int]) -> int:
    """How many chunks are asked for, to have the largest k of distinct pages."""
    return CHUNKS_A_PAGE * max(cutoffs)


def ask_all(
    searcher: Searcher,
    questions: Sequence[Question],
    cutoffs: Sequence[int],
    progress: Callable[[int], None] = lambda done: None,
) -> list[QuestionResult]:
    """Ask each question once, in the order of the file."""
    results = []
    for done, question in enumerate(questions, 1):
        results.append(_ask(searcher, question, cutoffs))
        progress(done)
    return results


def _ask(searcher: Searcher, question: Question, cutoffs: Sequence[int]) -> QuestionResult:
    limit = chunks_for(cutoffs)
    started = time.perf_counter()
    try:
        hits = searcher.search(question.text, limit=limit)
    except UsageError as exc:
        if type(exc) is not UsageError:
            # A setting or the index is at fault, and would be with any question.
            raise
        raise UsageError(f'The question "{question.id}" cannot be asked. {exc}') from exc
    seconds = time.perf_counter() - started
    pages = distinct(Place(hit.document, hit.page) for hit in hits)
    return QuestionResult(
        question=question,
        found=tuple(pages[: max(cutoffs)]),
        chunks=len(hits),
        short=len(pages) < max(cutoffs) and len(hits) >= limit,
        seconds=seconds,
    )


def score(results: Sequence[QuestionResult], cutoffs: Sequence[int]) -> dict[str, Estimate]:
    """Every metric over all questions, by its name: `hit@5`, `mrr@20`, ...

    The reciprocal rank is cut at the largest k alone, below which nothing is kept.
    """
    pairs = [(result.found, set(result.question.relevant)) for result in results]
    deepest = max(cutoffs)
    scores: dict[str, Estimate] = {}
    for name, metric in (("hit", hit), ("recall", recall), ("ndcg", ndcg)):
        for k in cutoffs:
            scores[f"{name}@{k}"] = estimate([metric(*pair, k) for pair in pairs])
    scores[f"mrr@{deepest}"] = estimate([reciprocal_rank(*pair, deepest) for pair in pairs])
    scores["document_first@1"] = estimate([float(result.document_first) for result in results])
    return scores


class Located(Protocol):
    """A question whose pages may be known."""

    @property
    def relevant(self) -> tuple[Place, ...]: ...


def absent_places(
    questions: Iterable[Located], library: Iterable[DocumentSummary]
) -> tuple[list[str], list[Place]]:
    """Relevant documents the library lacks, and relevant pages past a document's end."""
    pages = {summary.document: summary.pages for summary in library}
    wanted = {place for question in questions for place in question.relevant}
    documents = {place.document for place in wanted if place.document not in pages}
    beyond = {place for place in wanted if place.page > pages.get(place.document, place.page)}
    return sorted(documents), sorted(beyond)

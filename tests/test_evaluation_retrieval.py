"""Asking a searcher every question, and scoring the pages it finds."""

from __future__ import annotations

import pytest

from evaluation.questions import Place, Question
from evaluation.retrieval import absent_places, ask_all, chunks_for, score
from storage.errors import IndexMismatch, ServiceUnavailable, UsageError
from storage.records import DocumentSummary, Hit
from tests.hits import a_hit


def hit(rank: int, document: str, page: int) -> Hit:
    return a_hit("words", rank=rank, document=document, page=page, title="")


def summary(document: str, pages: int) -> DocumentSummary:
    return DocumentSummary(1, document, "/docs", "", pages, pages * 3, 1000, 2000, True, 0.0)


class FakeSearcher:
    """Answers from a table of chunk places, and remembers what it was asked."""

    def __init__(self, table: dict[str, list[tuple[str, int]]]) -> None:
        self.table = table
        self.asked: list[tuple[str, int]] = []

    def search(self, query, *, limit=10, scope=None):
        self.asked.append((query, limit))
        places = self.table.get(query, [])[:limit]
        return [hit(rank, *place) for rank, place in enumerate(places, 1)]


QUESTIONS = (
    Question("one", "first?", (Place("a.pdf", 2),)),
    Question("two", "second?", (Place("b.pdf", 1), Place("b.pdf", 9))),
    Question("three", "third?", (Place("gone.pdf", 1),)),
)

TABLE = {
    # Page 1 of a.pdf fills three chunks, yet its page 2 is the second page.
    "first?": [("a.pdf", 1), ("a.pdf", 1), ("a.pdf", 1), ("a.pdf", 2)],
    "second?": [("b.pdf", 1), ("c.pdf", 4), ("b.pdf", 9)],
}


def test_ranks_count_pages_and_not_chunks():
    """Three chunks of one page take one place in the ranking."""
    results = ask_all(FakeSearcher(TABLE), QUESTIONS, (1, 3))

    assert results[0].found == (Place("a.pdf", 1), Place("a.pdf", 2))
    assert results[0].chunks == 4
    assert results[0].rank_of(Place("a.pdf", 2)) == 2


def test_scores_are_means_over_all_questions():
    """The question that found nothing counts as 0 in every mean."""
    results = ask_all(FakeSearcher(TABLE), QUESTIONS, (1, 3))

    scores = score(results, (1, 3))

    assert scores["hit@1"].mean == pytest.approx(1 / 3)
    assert scores["hit@3"].mean == pytest.approx(2 / 3)
    assert scores["recall@1"].mean == pytest.approx(0.5 / 3)
    assert scores["recall@3"].mean == pytest.approx(2 / 3)
    assert scores["mrr@3"].mean == pytest.approx((0.5 + 1) / 3)
    assert scores["document_first@1"].mean == pytest.approx(2 / 3)
    assert {value.n for value in scores.values()} == {3}


def test_scores_hold_a_value_per_metric_and_cutoff():
    """MRR and document-first have one value each, the others one per k."""
    scores = score(ask_all(FakeSearcher(TABLE), QUESTIONS, (1, 3)), (1, 3))

    assert set(scores) == {
        "hit@1", "hit@3", "recall@1", "recall@3", "ndcg@1", "ndcg@3",
        "mrr@3", "document_first@1",
    }  # fmt: skip


def test_more_chunks_are_asked_for_than_pages_wanted():
    """The search is asked once per question, for enough chunks to fill the largest k."""
    searcher = FakeSearcher(TABLE)

    ask_all(searcher, QUESTIONS, (1, 5))

    assert searcher.asked == [(question.text, chunks_for((1, 5))) for question in QUESTIONS]
    assert chunks_for((1, 5)) > 5


def test_a_list_that_one_page_fills_is_told_as_short():
    """Where all chunks asked for lie on too few pages, the result says so."""
    crowded = FakeSearcher({"first?": [("a.pdf", 1)] * 100})

    results = ask_all(crowded, QUESTIONS, (1, 3))

    assert [result.short for result in results] == [True, False, False]


def test_pages_below_the_largest_k_are_not_kept():
    """A page at rank 4 has no rank at k = 3."""
    searcher = FakeSearcher({"first?": [("x", 1), ("x", 2), ("x", 3), ("a.pdf", 2)]})

    result = ask_all(searcher, QUESTIONS[:1], (3,))[0]

    assert len(result.found) == 3
    assert result.to_json()["first_rank"] is None


def test_a_result_keeps_the_rank_of_every_relevant_page():
    """Two runs can be compared question by question."""
    record = ask_all(FakeSearcher(TABLE), QUESTIONS, (3,))[1].to_json()

    assert record["id"] == "two"
    assert record["relevant"] == [
        {"document": "b.pdf", "page": 1, "rank": 1},
        {"document": "b.pdf", "page": 9, "rank": 3},
    ]
    assert record["document_first"] is True
    assert record["found"][1] == {"document": "c.pdf", "page": 4}


def test_progress_is_told_after_each_question():
    """One call a question, with how many are done."""
    done: list[int] = []

    ask_all(FakeSearcher(TABLE), QUESTIONS, (3,), done.append)

    assert done == [1, 2, 3]


class RefusingSearcher:
    """Refuses whatever it is asked."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def search(self, query, *, limit=10, scope=None):
        raise self.error


def test_a_question_that_search_refuses_is_named():
    """Out of many questions, people are told which one to mend."""
    searcher = RefusingSearcher(UsageError("The question is too long."))

    with pytest.raises(UsageError, match=r'question "one" cannot be asked\. The question is too'):
        ask_all(searcher, QUESTIONS, (3,))


@pytest.mark.parametrize("error", [IndexMismatch("other model"), ServiceUnavailable("gone")])
def test_a_fault_of_the_library_is_not_blamed_on_a_question(error):
    """It passes through as it is."""
    with pytest.raises(type(error)) as caught:
        ask_all(RefusingSearcher(error), QUESTIONS, (3,))

    assert caught.value is error


def test_relevant_places_that_the_library_lacks_are_named():
    """Absent documents, and pages past a document's end, each once."""
    documents, pages = absent_places(QUESTIONS, [summary("a.pdf", 2), summary("b.pdf", 8)])

    assert documents == ["gone.pdf"]
    assert pages == [Place("b.pdf", 9)]

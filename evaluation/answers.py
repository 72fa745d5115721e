"""Ask the product questions and score what it answers: the words, the quotes, the silence.

Every answer goes the whole way: search, passages, chat model or extractive
answerer, citations. What is scored is what a reader sees. Scoring is kept
apart from asking and needs nothing but the answer, what was found, and a way
to read a page.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Protocol

from app.answers import Answer, AnswerEvent, AnswerReady, Citation
from app.quotes import find_quote
from app.sentences import sentences
from evaluation.answer_text import exact, f1, holds, without_marks
from evaluation.metrics import Estimate, estimate
from evaluation.questions import AnswerQuestion, Place
from storage.catalog import Catalog
from storage.errors import UsageError
from storage.records import Hit

HITS = (
    "right",
    "first",
    "first_in_place",
    "quoted",
    "said",
    "exact",
    "cited",
    "found",
    "abstained",
    "spoke",
)
"""The scores that are 0 or 1."""

PageText = Callable[[str, int], str | None]
"""The text of a page by document and page number; None where the library has no such page."""

# In the first sentence. The prompt asks the model to say that the documents do
# not say it; these are the ways in which models do.
_ABSTENTION = re.compile(
    r"\b(?:do(?:es)?(?:\s+not|n['’]t)|did(?:\s+not|n['’]t))\s+(?:\w+\s+){0,3}?"
    r"(?:say|state|mention|contain|provide|include|specify|tell|hold|give|indicate|answer)\b"
    r"|\b(?:is|are|was|were)(?:\s+not|n['’]t)\s+(?:\w+\s+){0,2}?"
    r"(?:mentioned|stated|specified|provided|given|found|contained|included|available|clear)\b"
    r"|\b(?:no|not any)\s+(?:information|mention|answer)\b|\b(?:can\s?not|can['’]t|unable to)\s+"
    r"(?:find|answer|determine|say|tell)\b"
    r"|\bno\s+(?:\w+\s+)?(?:dicen?|mencionan?|contienen?|indican?|especifican?|proporcionan?|hay)\b"
    r"|没有(?:说明|提到|提及|提供|包含|指出|说|相关)|未(?:说明|提到|提及|提供|包含|指出)|不包含|无法(?:回答|确定)"
    r"|\b(?:sagen|enthalten|nennen|erwähnen)\b[^.]{0,60}\b(?:nicht|keine?)\b"
    r"|\bne\s+(?:disent|mentionnent|contiennent|précisent|donnent)\b",
    re.IGNORECASE,
)


class Answerer(Protocol):
    """What is evaluated: `app.assistant.Assistant`, or a test's double."""

    def ask(self, question: str) -> Iterator[AnswerEvent]:
        """The events of one answer; the whole answer comes last."""
        ...


class Listening:
    """A finder that remembers what it last found: an answer keeps only what it quotes."""

    def __init__(self, finder: Any) -> None:
        self._finder = finder
        self.found: Sequence[Hit] = ()

    def search(self, query: str, **options: Any) -> list[Hit]:
        """See app.find.Finder."""
        hits: list[Hit] = self._finder.search(query, **options)
        self.found = hits
        return hits

    def __getattr__(self, name: str) -> Any:
        return getattr(self._finder, name)


def page_reader(catalog: Catalog) -> PageText:
    """Reads the pages of a library by their document's path."""
    ids: dict[str, int] = {}
    for summary in catalog.documents():
        ids.setdefault(summary.document, summary.document_id)

    def page_text(document: str, number: int) -> str | None:
        page = catalog.page(ids[document], number) if document in ids else None
        return page.text if page is not None else None

    return page_text


@dataclass(frozen=True, slots=True)
class Quote:
    """One citation of an answer, checked."""

    document: str
    page: int
    text: str
    """Empty where the answer gave no words to look for."""
    stands: bool
    """The words stand on the page that is named."""
    in_place: bool | None
    """The page is one that answers; None where no such page is known."""

    def to_json(self) -> dict[str, Any]:
        """As results and rows keep it."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Given:
    """What one question got: enough to score it anew without asking anew."""

    text: str
    mode: str
    notice: str
    quotes: tuple[Quote, ...]
    found: tuple[Place, ...]
    """The pages that were read for it."""
    seconds: float
    prompt_tokens: int = 0

    def to_json(self) -> dict[str, Any]:
        """As rows keep it."""
        return {
            "answer": self.text,
            "mode": self.mode,
            "notice": self.notice,
            "quotes": [quote.to_json() for quote in self.quotes],
            "found": [{"document": one.document, "page": one.page} for one in self.found],
            "seconds": round(self.seconds, 4),
            "prompt_tokens": self.prompt_tokens,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Given:
        """From a row. Raises KeyError or TypeError for what is none."""
        return cls(
            text=data["answer"],
            mode=data["mode"],
            notice=data["notice"],
            quotes=tuple(Quote(**quote) for quote in data["quotes"]),
            found=tuple(Place(**place) for place in data["found"]),
            seconds=float(data["seconds"]),
            prompt_tokens=int(data.get("prompt_tokens", 0)),
        )


@dataclass(frozen=True, slots=True)
class AnswerResult:
    """What one question got, and what it scores."""

    question: AnswerQuestion
    given: Given
    scores: dict[str, float]
    """Only those that the question allows: see `score_one`."""

    @property
    def quotes(self) -> tuple[Quote, ...]:
        """The answer's citations, checked."""
        return self.given.quotes

    def to_json(self) -> dict[str, object]:
        """The raw answer with its scores: enough to score it anew."""
        return {
            "id": self.question.id,
            "question": self.question.text,
            "answers": list(self.question.answers),
            "relevant": [{"document": p.document, "page": p.page} for p in self.question.relevant],
            **self.given.to_json(),
            "scores": {name: round(value, 6) for name, value in self.scores.items()},
        }


def ask_all(
    answerer: Answerer,
    finder: Listening,
    questions: Sequence[AnswerQuestion],
    page_text: PageText,
    progress: Callable[[int], None] = lambda done: None,
) -> list[AnswerResult]:
    """Ask each question once, in the order of the file, each as a new conversation.

    `finder` is what the answerer searches with.
    """
    results = []
    for done, question in enumerate(questions, 1):
        results.append(scored(question, ask_one(answerer, finder, question, page_text)))
        progress(done)
    return results


def ask_one(
    answerer: Answerer, finder: Listening, question: AnswerQuestion, page_text: PageText
) -> Given:
    """Ask one question. Raises as the answerer does; a UsageError names the question."""
    started = time.perf_counter()
    finder.found = ()
    try:
        answer = _answer(answerer, question)
    except UsageError as exc:
        if type(exc) is not UsageError:
            # A setting or the index is at fault, and would be with any question.
            raise
        raise UsageError(f'The question "{question.id}" cannot be asked. {exc}') from exc
    return given(question, answer, finder.found, page_text, time.perf_counter() - started)


def _answer(answerer: Answerer, question: AnswerQuestion) -> Answer:
    *_, last = answerer.ask(question.text)
    if not isinstance(last, AnswerReady):
        raise RuntimeError(f"question {question.id} ended without an answer")
    return last.answer


def judge(
    question: AnswerQuestion,
    answer: Answer,
    found: Sequence[Hit],
    page_text: PageText,
    seconds: float,
) -> AnswerResult:
    """Score one answer: see `score_one`."""
    return scored(question, given(question, answer, found, page_text, seconds))


def given(
    question: AnswerQuestion,
    answer: Answer,
    found: Sequence[Hit],
    page_text: PageText,
    seconds: float,
) -> Given:
    """What is kept of an answer: its words, and its quotes as the pages have them now."""
    return Given(
        text=answer.text,
        mode=answer.mode,
        notice=answer.notice,
        quotes=tuple(_check(citation, question, page_text) for citation in answer.citations),
        found=tuple(dict.fromkeys(Place(hit.document, hit.page) for hit in found)),
        seconds=seconds,
        prompt_tokens=answer.receipt.prompt_tokens,
    )


def scored(question: AnswerQuestion, given: Given) -> AnswerResult:
    """An answer with its scores."""
    return AnswerResult(question, given, score_one(question, given))


def score_one(question: AnswerQuestion, given: Given) -> dict[str, float]:
    """The scores of one answer.

    Where there is an answer to give: `first` (the first quote holds it),
    `first_in_place` (and stands on a page that answers), `quoted` (any quote
    holds it), `said` (the answer's text does), `exact`, `f1`, `spoke` (it did
    not abstain), `citations` (the share of its citations that stand). Where
    there is none: `abstained`. Where pages that answer are known: `found` (one
    was read), `cited` (a quote that stands is of one), `first_in_place`.
    `right` is the one to decide by: `said`, or `cited` where no more than the
    page is known, or `abstained`.
    """
    silent = _silent(given.text, given.mode)
    if question.unanswerable:
        return {"right": float(silent), "abstained": float(silent)}
    quotes = [
        replace(quote, in_place=_in_place(Place(quote.document, quote.page), question))
        for quote in given.quotes
    ]
    scores: dict[str, float] = {}
    cited = any(quote.stands and quote.in_place for quote in quotes)
    if question.answers:
        scores |= _worded(question, given, quotes)
    scores["right"] = scores.get("said", float(cited))
    scores["spoke"] = float(not silent)
    if quotes:
        scores["citations"] = sum(quote.stands for quote in quotes) / len(quotes)
    if question.relevant:
        scores["cited"] = float(cited)
        scores["found"] = float(not set(given.found).isdisjoint(question.relevant))
    return scores


def _worded(question: AnswerQuestion, given: Given, quotes: Sequence[Quote]) -> dict[str, float]:
    """The scores that compare words."""
    from storage.language import detect

    language = question.language or detect(question.text) or "en"
    told = [quote for quote in quotes if quote.text]
    first = bool(told) and holds(told[0].text, question.answers, language)
    text = without_marks(given.text)
    scores = {
        "first": float(first),
        "quoted": float(any(holds(quote.text, question.answers, language) for quote in told)),
        "said": float(holds(text, question.answers, language)),
        "exact": float(exact(text, question.answers, language)),
        "f1": f1(text, question.answers, language),
    }
    if question.relevant:
        scores["first_in_place"] = float(first and bool(told[0].in_place))
    return scores


def abstained(answer: Answer) -> bool:
    """Whether an answer says that the documents do not say it.

    The extractive answerer and an empty search say so by their mode. A chat
    model is taken at the words of its first sentence, in English, Spanish,
    Chinese, German and French; one that quotes what stands in the documents
    before it says so counts as having answered.
    """
    return _silent(answer.text, answer.mode)


def _silent(text: str, mode: str) -> bool:
    if mode in ("none", "extractive"):
        return mode == "none"
    text = without_marks(text).strip()
    spans = sentences(text)
    first = text[spans[0][0] : spans[0][1]] if spans else text
    return bool(_ABSTENTION.search(first))


def _check(citation: Citation, question: AnswerQuestion, page_text: PageText) -> Quote:
    page = page_text(citation.document, citation.page) if citation.quote else None
    place = Place(citation.document, citation.page)
    return Quote(
        document=citation.document,
        page=citation.page,
        text=citation.quote,
        stands=page is not None and find_quote(citation.quote, page) is not None,
        in_place=_in_place(place, question),
    )


def _in_place(place: Place, question: AnswerQuestion) -> bool | None:
    return place in question.relevant if question.relevant else None


def score(results: Sequence[AnswerResult]) -> dict[str, Estimate]:
    """Every score over the questions that have it, and over all citations.

    `citations_stand` is the share of all citations whose words stand on the
    page they name (a citation without words does not), `citations_in_place` of
    those that name a page which answers.
    """
    values: dict[str, list[float]] = {}
    for result in results:
        for name, value in result.scores.items():
            values.setdefault(name, []).append(value)
    quotes = [quote for result in results for quote in result.quotes]
    values["citations_stand"] = [float(quote.stands) for quote in quotes]
    values["citations_in_place"] = [
        float(quote.in_place) for quote in quotes if quote.in_place is not None
    ]
    return {name: estimate(numbers) for name, numbers in values.items() if numbers}

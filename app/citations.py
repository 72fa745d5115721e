"""Citations of an answer that a language model wrote: each claim with the quote that proves it."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from app.answers import Citation, Near, numbers_of
from app.claims import Claim, claims_of, quoted_spans, without_marks
from app.near_quotes import NearIndex
from app.quotes import PageIndex, fold_character
from storage.records import Hit

_UNSPACED = "\u0e00-\u0eff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
_TOKEN = re.compile(rf"[{_UNSPACED}]|\d+(?:[.,]\d+)*|[^\W\d_{_UNSPACED}]+|[^\w\s]|_")

# Figures of a claim; not the numbers in names (10-K, Q3, 3M, 1st).
_FIGURE = re.compile(r"(?<![\w.,])(?<![^\W\d_][-‐–])(?>\d+(?:[.,]\d+)*)(?![-‐–]?[^\W\d_])")
_ITEM = re.compile(r"\s*(?:[-*+•#>]+\s+)*(?:\(?\d{1,3}[.)]\s+)?")
_CLAIM_EDGES = " \t\r\n.,;:!?…*_#>|-–—。，、；：！？"

# A run of the answer's own words is a quote from this size on, where a word
# counts 1 and a Chinese or Japanese character two thirds (six make four words).
_MIN_WORDS = 4.0
_MIN_WORDS_WITH_FIGURE = 2.0
_MIN_WORDS_QUOTED = 3.0


@dataclass(frozen=True, slots=True)
class _Token:
    start: int
    end: int
    folded: str

    @property
    def size(self) -> float:
        """How much of a word this is: 0 for punctuation."""
        if not self.folded[0].isalnum():
            return 0.0
        return 2 / 3 if re.match(f"[{_UNSPACED}]", self.folded) else 1.0


class _Source:
    """One page that is cited, ready to be searched."""

    def __init__(self, text: str) -> None:
        self.index = PageIndex(text)
        self._text = text
        self._near: NearIndex | None = None
        self.places: dict[str, list[int]] = {}
        for place, token in enumerate(_tokens(text)):
            self.places.setdefault(token.folded, []).append(place)

    def nearest(self, quote: str, hit: Hit) -> Near | None:
        """What the page says that is almost the quote."""
        if self._near is None:
            self._near = NearIndex(self._text)
        return self._near.nearest(quote, start=hit.char_start, end=hit.char_end)

    def holds_figure(self, figure: str) -> bool:
        """Whether the figure stands here, with or without its thousands parted."""
        return _holds_figure(self.index, figure)


class Sources:
    """The pages that were cited so far, for who proves an answer piece by piece."""

    def __init__(self) -> None:
        self.pages: dict[tuple[int, int], _Source] = {}


def cite(
    answer_text: str,
    hits: Sequence[Hit],
    page_text: Callable[[Hit], str],
    numbers: Sequence[int] = (),
    known: Sources | None = None,
) -> tuple[Citation, ...]:
    """The citations of an answer, in its order, each with the quote that proves it or fails to.

    A mark's quote is what its sentence quotes before it, or else the longest
    run of the sentence's own words that stands on the page of passage n. It is
    verified only if it stands there word for word; a claim without any such
    words has the quote "" and is not verified. So is a claim in the model's own
    words with a figure that no page it cites holds, however much of the rest
    stands there: then all of the claim is its quote. What is not verified is
    given with what the page says nearest to it. Marks without a passage are
    left out. `page_text` is asked once for each page.
    `numbers` are those of the passages; empty: they count from 1. What `known`
    holds is not read again.
    """
    quoted = quoted_spans(answer_text)
    sources = (known or Sources()).pages
    found: dict[Citation, None] = {}
    passages = dict(zip(numbers_of(tuple(hits), tuple(numbers)), hits, strict=True))
    claims = [
        (claim, [passages[number] for number in claim.numbers if number in passages])
        for claim in claims_of(answer_text, passages, quoted)
    ]
    together: dict[tuple[int, int], list[Hit]] = {}
    for claim, cited in claims:
        together.setdefault(claim.near, []).extend(cited)
    for hit in chain.from_iterable(together.values()):
        if (hit.version_id, hit.page) not in sources:
            sources[hit.version_id, hit.page] = _Source(page_text(hit))
    # What belongs to quotations and marks is no figure of a claim's own.
    apart = sorted([*quoted, *(claim.mark for claim, _ in claims)])
    for claim, _ in claims:
        strays = _strays(answer_text, claim, apart, together[claim.near], sources)
        for number in claim.numbers:
            if number in passages:
                hit = passages[number]
                source = sources[hit.version_id, hit.page]
                whole = _own_words(answer_text, claim, passages)
                proof = _citation(answer_text, claim, whole, quoted, number, hit, source, strays)
                found[proof] = None
    return tuple(found)


def citation_of(hit: Hit, n: int, quote: str, span: tuple[int, int] | None) -> Citation:
    """The citation of passage n; `span` is where the quote stands in its page, None if nowhere."""
    return Citation(
        n=n,
        document=hit.document,
        page=hit.page,
        quote=quote,
        verified=span is not None,
        char_start=span[0] if span else None,
        char_end=span[1] if span else None,
        place=hit.place,
        title=hit.title,
    )


def _citation(
    answer: str,
    claim: Claim,
    whole: str,
    quoted: Sequence[tuple[int, int]],
    number: int,
    hit: Hit,
    source: _Source,
    strays: tuple[str, ...],
) -> Citation:
    wording = _wording(answer, claim, quoted, source)
    quote = answer[wording[0] : wording[1]].strip() if wording else ""
    if not (wording and _is_quotation(wording, quoted)):
        wants_all = bool(strays) or _has_more_figures(whole, quote)
        near = source.nearest(whole, hit) if wants_all else None
        # "$8,783 million in 2018" may be made of words that all stand on the
        # page: it is wrong where they stand there beside 2019.
        if strays or (near and quote and _differs_in_figures(near)):
            kept = whole if near or quote else ""
            return replace(citation_of(hit, number, kept, None), near=near, figures=strays)
    span = source.index.find(quote, start=hit.char_start)
    citation = replace(citation_of(hit, number, quote, span), figures=strays)
    if span or not quote:
        return citation
    return replace(citation, near=source.nearest(quote, hit))


def _has_more_figures(claim: str, quote: str) -> bool:
    return len(_FIGURE.findall(claim)) > len(_FIGURE.findall(quote))


def _differs_in_figures(near: Near) -> bool:
    """Whether the page has another figure in a figure's place."""
    for difference in near.differences:
        mine, theirs = (
            [figure.replace(",", "") for figure in _FIGURE.findall(side)]
            for side in (difference.quoted, difference.page)
        )
        if mine and theirs and mine != theirs:
            return True
    return False


def _is_quotation(wording: tuple[int, int], quoted: Sequence[tuple[int, int]]) -> bool:
    return any(start <= wording[0] and wording[1] <= end for start, end in quoted)


def _own_words(answer: str, claim: Claim, known: Container[int]) -> str:
    """The claim without list marks and the punctuation around it."""
    text = answer[claim.near[0] : claim.near[1]]
    begun = _ITEM.match(text)
    return without_marks(text[begun.end() if begun else 0 :], known).strip(_CLAIM_EDGES)


def _strays(
    answer: str,
    claim: Claim,
    apart: Sequence[tuple[int, int]],
    cited: Sequence[Hit],
    sources: Mapping[tuple[int, int], _Source],
) -> tuple[str, ...]:
    """The claim's figures outside quotations and marks that nothing it cites holds.

    What a document, its section and its page are called holds figures as well.
    """
    start, end = claim.near
    begun = _ITEM.match(answer, start, end)
    strays: dict[str, None] = {}
    for match in _FIGURE.finditer(answer, begun.end() if begun else start, end):
        before = bisect_right(apart, (match.start(), len(answer))) - 1
        if not cited or (before >= 0 and match.start() < apart[before][1]):
            continue
        if not any(
            sources[hit.version_id, hit.page].holds_figure(match[0])
            or _holds_figure(
                PageIndex(f"{hit.title} | {hit.document} | {hit.heading} | {hit.place}"), match[0]
            )
            for hit in cited
        ):
            strays[match[0]] = None
    return tuple(strays)


def _holds_figure(index: PageIndex, figure: str) -> bool:
    forms = [figure]
    if re.fullmatch(r"\d{4,15}", figure):
        forms.append(f"{int(figure):,}")
    elif re.fullmatch(r"\d{1,3}(?:,\d{3})+", figure):
        forms.append(figure.replace(",", ""))
    return any(index.find(form) or index.find(f"-{form}") for form in forms)


def _wording(
    answer: str, claim: Claim, quoted: Sequence[tuple[int, int]], source: _Source
) -> tuple[int, int] | None:
    """The stretch of the answer to look for on the page.

    A quotation stands alone: where it is not on the page, that is the finding,
    and other words of the sentence must not cover it up. Scare quotes of a word
    or two come last, since they prove little.
    """
    for begin, finish in dict.fromkeys((claim.near, claim.sentence)):
        inside = [span for span in quoted if begin < span[1] <= finish]
        for start, end in reversed(inside):
            if _is_telling(_tokens(answer[start:end]), _MIN_WORDS_QUOTED):
                return start, end
        run = _longest_run(answer[begin:finish], source)
        if run:
            return begin + run[0], begin + run[1]
        if inside:
            return inside[-1]
    return None


def _tokens(text: str) -> list[_Token]:
    return [
        _Token(match.start(), match.end(), "".join(map(fold_character, match[0])) or match[0])
        for match in _TOKEN.finditer(text)
    ]


def _is_telling(run: Sequence[_Token], least: float) -> bool:
    """Whether words are enough to prove anything: some words, or a figure and its company."""
    size = sum(token.size for token in run)
    if any(token.folded[0].isdigit() for token in run):
        return size >= _MIN_WORDS_WITH_FIGURE
    # "as well as the" stands on every page.
    long_words = sum(len(token.folded) >= 4 or 0 < token.size < 1 for token in run)
    return size >= least and long_words >= 2


def _longest_run(text: str, source: _Source) -> tuple[int, int] | None:
    """The longest run of a text's words that the page holds word for word.

    Sparse dynamic programming: the work is the number of pairs of equal words
    in text and page.
    """
    claim = _tokens(text)
    ending: dict[int, int] = {}
    runs: list[tuple[int, int]] = []
    for last, token in enumerate(claim):
        places = source.places.get(token.folded, ())
        ending = {place: ending.get(place - 1, 0) + 1 for place in places}
        if not ending:
            continue
        run = claim[last - max(ending.values()) + 1 : last + 1]
        words = [token for token in run if token.size]
        if words and _is_telling(run, _MIN_WORDS):
            runs.append((words[0].start, words[-1].end))
    # Equal words may still differ in a sign or be cut from a longer number.
    for start, end in sorted(runs, key=lambda run: (run[0] - run[1], run[0])):
        if source.index.find(text[start:end]):
            return start, end
    return None

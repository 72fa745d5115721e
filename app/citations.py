"""Citations of an answer that a language model wrote: marks, claims and proved quotes."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from app.answers import Citation, Near, numbers_of
from app.near_quotes import NearIndex
from app.quotes import PageIndex, fold_character
from app.sentences import sentences
from storage.records import Hit

# [1], [1, 2], [1][3], [1-3], [^1], 【1】, 【1†source】. A year in brackets is no mark.
_MARK = re.compile(
    r"[\[【［]\s*\^?\d{1,3}(?:\s*(?:[,;，、；]|[-–—])\s*\^?\d{1,3})*\s*(?:†[^\]】］\n]{0,80})?[\]】］]"
)
_RANGE = re.compile(r"(\d{1,3})\s*[-–—]\s*\^?(\d{1,3})|(\d{1,3})")
# Quotation marks in pairs, each kind with its own closing mark; a pair of the
# same kind may stand within (“… “…” …”) where opening and closing differ.
_PAIRS = {"“": "”", "«": "»", "„": "“”", "「": "」", "『": "』", "‹": "›"}
_STRAIGHT = re.compile(r"(?<![^\s(\[—–-])\"([^\"\n]{2,2000})\"(?![^\W_])")
_UNSPACED = "\u0e00-\u0eff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
_TOKEN = re.compile(rf"[{_UNSPACED}]|\d+(?:[.,]\d+)*|[^\W\d_{_UNSPACED}]+|[^\w\s]|_")
_MAX_RANGE = 20

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
class _Mark:
    start: int
    end: int
    numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Claim:
    """The words that one group of marks vouches for, as spans of the answer."""

    near: tuple[int, int]
    """From the previous mark of the sentence, or its beginning, to the mark."""
    sentence: tuple[int, int]
    """All of the sentence up to the mark."""
    numbers: tuple[int, ...]
    mark: tuple[int, int] = (0, 0)
    place: int = -1
    """Which of the answer's sentences it stands in; -1: none."""


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


def cite(
    answer_text: str,
    hits: Sequence[Hit],
    page_text: Callable[[Hit], str],
    numbers: Sequence[int] = (),
) -> tuple[Citation, ...]:
    """The citations of an answer, in its order, each with the quote that proves it or fails to.

    A mark's quote is what its sentence quotes before it, or else the longest
    run of the sentence's own words that stands on the page of passage n. It is
    verified only if it stands there word for word; a claim without any such
    words has the quote "" and is not verified. So is a claim in the model's own
    words with a figure that no page it cites holds, however much of the rest
    stands there: then all of the claim is its quote. What is not verified is
    given with what the page says nearest to it. Marks without a passage are
    left out: `unknown_marks` names them. `page_text` is asked once for each page.
    `numbers` are those of the passages; empty: they count from 1.
    """
    quoted = _quoted_spans(answer_text)
    sources: dict[tuple[int, int], _Source] = {}
    found: dict[Citation, None] = {}
    passages = dict(zip(numbers_of(tuple(hits), tuple(numbers)), hits, strict=True))
    claims = [
        (claim, [passages[number] for number in claim.numbers if number in passages])
        for claim in claims_of(answer_text, quoted)
    ]
    together: dict[tuple[int, int], list[Hit]] = {}
    for claim, cited in claims:
        together.setdefault(claim.near, []).extend(cited)
    for hit in chain.from_iterable(together.values()):
        if (hit.version_id, hit.page) not in sources:
            sources[hit.version_id, hit.page] = _Source(page_text(hit))
    for claim, _ in claims:
        strays = _strays(answer_text, claim, quoted, together[claim.near], sources)
        for number in claim.numbers:
            if number in passages:
                hit = passages[number]
                source = sources[hit.version_id, hit.page]
                found[_citation(answer_text, claim, quoted, number, hit, source, strays)] = None
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


def unknown_marks(answer_text: str, n: int, numbers: Sequence[int] = ()) -> tuple[int, ...]:
    """The numbers that an answer marks though it was given only `n` passages, ascending.

    `numbers` are those of the passages where they do not count from 1.
    """
    known = set(numbers) or set(range(1, n + 1))
    marks = _marks(answer_text, _quoted_spans(answer_text))
    return tuple(
        sorted({number for mark in marks for number in mark.numbers if number not in known})
    )


def _citation(
    answer: str,
    claim: Claim,
    quoted: Sequence[tuple[int, int]],
    number: int,
    hit: Hit,
    source: _Source,
    strays: tuple[str, ...],
) -> Citation:
    wording = _wording(answer, claim, quoted, source)
    quote = answer[wording[0] : wording[1]].strip() if wording else ""
    if not (wording and _is_quotation(wording, quoted)):
        whole = _own_words(answer, claim)
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


def _own_words(answer: str, claim: Claim) -> str:
    """The claim without list marks and the punctuation around it."""
    text = answer[claim.near[0] : claim.near[1]]
    begun = _ITEM.match(text)
    return _MARK.sub("", text[begun.end() if begun else 0 :]).strip(_CLAIM_EDGES)


def _strays(
    answer: str,
    claim: Claim,
    quoted: Sequence[tuple[int, int]],
    cited: Sequence[Hit],
    sources: Mapping[tuple[int, int], _Source],
) -> tuple[str, ...]:
    """The claim's figures outside its quotations that nothing it cites holds.

    What a document, its section and its page are called holds figures as well.
    """
    start, end = claim.near
    begun = _ITEM.match(answer, start, end)
    strays: dict[str, None] = {}
    for match in _FIGURE.finditer(answer, begun.end() if begun else start, end):
        inside = any(first <= match.start() < last for first, last in quoted)
        if inside or not cited or _is_in_mark(answer, match.start()):
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


def _is_in_mark(answer: str, place: int) -> bool:
    begin = max(answer.rfind(sign, max(0, place - 40), place) for sign in "[【［")
    mark = _MARK.match(answer, begin) if begin >= 0 else None
    return mark is not None and mark.end() > place


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


def claims_of(answer: str, quoted: Sequence[tuple[int, int]] | None = None) -> list[Claim]:
    """What each mark of an answer vouches for, in order."""
    quoted = _quoted_spans(answer) if quoted is None else quoted
    marks = _marks(answer, quoted)
    text = _without(answer, marks)
    spans = _whole_quotes(sentences(text), quoted)
    claims: list[Claim] = []
    last_end = 0
    number = 0
    for mark in marks:
        # A mark at the head of a line vouches for what follows on it, any other
        # for what stands before it, inside the full stop or behind it.
        before = text[text.rfind("\n", 0, mark.start) + 1 : mark.start]
        after = text[mark.end : (text.find("\n", mark.end) + 1 or len(text) + 1) - 1]
        leads = not before.strip() and bool(after.strip())
        if leads:
            anchor = mark.end + len(after) - len(after.lstrip())
        else:
            anchor = len(text[: mark.start].rstrip()) - 1
        while number + 1 < len(spans) and spans[number + 1][0] <= anchor:
            number += 1
        if anchor < 0 or not spans:
            claims.append(Claim((0, 0), (0, 0), mark.numbers, (mark.start, mark.end)))
            continue
        start, end = spans[number]
        sentence = (start, end if leads else min(end, mark.start))
        near = sentence
        if claims and last_end > start and not leads:
            between = text[last_end : mark.start].strip(" ,;、，")
            # [1][3] and [1], [3] vouch for the same words.
            near = (last_end, sentence[1]) if between.strip(".!?。") else claims[-1].near
        claims.append(Claim(near, sentence, mark.numbers, (mark.start, mark.end), number))
        last_end = mark.end
    return claims


def claim_sentences(answer: str) -> list[tuple[int, int]]:
    """The sentences of an answer, as `Claim.place` counts them."""
    quoted = _quoted_spans(answer)
    return _whole_quotes(sentences(_without(answer, _marks(answer, quoted))), quoted)


def _without(answer: str, marks: Sequence[_Mark]) -> str:
    """The answer with blanks for its marks, every other character in its place."""
    parts, cursor = [], 0
    for mark in marks:
        parts += [answer[cursor : mark.start], " " * (mark.end - mark.start)]
        cursor = mark.end
    return "".join([*parts, answer[cursor:]])


def _whole_quotes(
    spans: Sequence[tuple[int, int]], quoted: Sequence[tuple[int, int]]
) -> list[tuple[int, int]]:
    """Sentences joined where a quotation runs over the boundary between them."""
    joined: list[tuple[int, int]] = []
    position = 0
    for start, end in spans:
        while position < len(quoted) and quoted[position][1] < start:
            position += 1
        inside = position < len(quoted) and quoted[position][0] < start
        if joined and inside:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return joined


def _marks(answer: str, quoted: Sequence[tuple[int, int]]) -> list[_Mark]:
    """The marks of an answer in order; what stands inside a quotation belongs to the page."""
    marks = []
    position = 0
    for match in _MARK.finditer(answer):
        while position < len(quoted) and quoted[position][1] <= match.start():
            position += 1
        if position < len(quoted) and quoted[position][0] <= match.start():
            continue
        marks.append(_Mark(match.start(), match.end(), _numbers(match[0])))
    return marks


def _numbers(mark: str) -> tuple[int, ...]:
    numbers: dict[int, None] = {}
    for match in _RANGE.finditer(mark.split("†")[0]):
        first = int(match[1] or match[3])
        last = int(match[2] or match[3])
        if not first <= last <= first + _MAX_RANGE:
            numbers |= {first: None, last: None}
            continue
        numbers |= dict.fromkeys(range(first, last + 1))
    return tuple(numbers)


def _quoted_spans(answer: str) -> list[tuple[int, int]]:
    """The insides of the outermost quotations, in order, without overlap."""
    spans: list[tuple[int, int]] = []
    opened: tuple[int, str, str] | None = None
    depth = 0
    for place, character in enumerate(answer):
        if opened is None:
            if character in _PAIRS:
                opened, depth = (place + 1, character, _PAIRS[character]), 1
        elif character in opened[2]:
            depth -= 1
            if not depth:
                spans.append((opened[0], place))
                opened = None
        elif character == opened[1]:
            depth += 1
        elif answer.startswith("\n\n", place):
            opened = None
    straight = [match.span(1) for match in _STRAIGHT.finditer(answer)]
    outer: list[tuple[int, int]] = []
    for span in sorted(spans + straight):
        if not outer or span[0] >= outer[-1][1]:
            outer.append(span)
    return outer


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

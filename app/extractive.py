"""Answers without a model: the passages' sentences that best bear out the question, quoted.

Measured on the 1,190 questions of XQuAD English with the bundled embedder,
as the share whose first extract holds the answer: see `_WEIGHTS`.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from app.question_cues import cue, kind_of
from app.quote_context import neighbours_of
from app.sentences import Span, is_row, sentences
from app.stems import COMMON_STEMS, terms
from storage.flags import suspect_spans
from storage.records import Found

if TYPE_CHECKING:
    from storage.embedding import Embedder
    from storage.records import Hit

MAX_EMBEDDED = 16
"""Sentences embedded for one question, the lexically nearest first.

Embedding is nearly all of the time. With eight XQuAD paragraphs (some 39
sentences) 8, 16 and 64 give the same share of right answers within 0.3 points.
"""

MIN_SUPPORT = 0.56
"""Least cosine + 0.55 × share of the question's words for an answer to be given.

On XQuAD English (595 questions) this refuses 87.7% of the questions asked of
the best five passages of the 47 other articles, at the price of 0.4% of the
first extracts that hold the answer among the best five passages, and of 2.0%
where the right paragraph alone is given. What stands in the same article
beside the point is not told apart: no score of this kind can. An embedder
whose cosines lie higher refuses less.
"""

WEAK_SUPPORT = 0.4
"""Least support for a sentence to be shown as coming close, where none reaches MIN_SUPPORT.

A question in other words than the document's ("In what wind does the ferry
stay?") lies there as well as one about something else: the user sees the
sentence, and that it is no clear answer.
"""

_MAX_LENGTH = 1000
"""Longest extract in characters: a page without sentence marks is quoted in parts."""

_PART_LENGTH = 600

_SCORE_MARGIN = 4.0
"""Further extracts this much worse than the first are left out."""

# Fitted by conditional logistic regression on the 24 articles of even index
# (612 of the 1,190 questions of XQuAD English), with the right paragraph alone
# and with the top 5 of a dense + BM25 ranking. Share of the questions whose
# first extract holds the answer, refusals by MIN_SUPPORT counted as failures:
#                     even articles    odd (unseen)    all     best cosine alone
#   right paragraph       80.7%           86.5%       83.5%     73.0% / 79.1%
#   top 5                 78.3%           84.6%       81.3%     67.8% / 74.7%
# Untouched by the fit, right paragraph: Spanish 77.6%, Chinese 74.5% (where the
# bundled embedder, made for English, is of little help).
_WEIGHTS = {
    "cosine": 2.1,
    "cosine_in_context": 3.1,
    "share_by_rarity": 3.7,
    "share_by_count": 2.1,
    "pairs": 1.4,
    "share_in_context": 1.0,
    "passage_cosine": 1.5,
    "passage_rank": 2.2,
}
_CUE_WEIGHTS = {"when": 1.0, "count": 1.5, "who": 1.8, "where": 0.4}
# Not fitted, since XQuAD is prose: what says nothing beyond the question (its
# echo in a heading, the question of an FAQ) must not win over what answers it.
_ECHO_PENALTY = 5.0
_HEADING_PENALTY = 2.0


@dataclass(frozen=True, slots=True)
class Extract:
    """A sentence that bears out an answer, in the coordinates of its page."""

    hit: int
    """Index into the hits; its passage number is one more."""
    char_start: int
    char_end: int
    text: str
    score: float
    support: float
    """Compare with MIN_SUPPORT: below it the sentence only comes close."""
    before: Span | None = None
    """The sentence before it on the page, where it cannot be understood without."""
    after: Span | None = None
    """What follows on the page, where it leads in to something."""


@dataclass(frozen=True, slots=True)
class _Candidate:
    hit: int
    span: Span
    """In the hit's text."""
    text: str
    terms: tuple[str, ...]
    before: int | None
    """Index of the sentence before it in the same passage."""
    heading: bool
    pieces: Sequence[Span]
    """All sentences of the hit's text; this is the one at `place`."""
    place: int
    rank: int
    """Of the chunk that it stands in."""


@dataclass(frozen=True, slots=True)
class _Lexical:
    """How much of the question's words a sentence, and what leads to it, says."""

    by_rarity: float
    by_count: float
    pairs: float
    in_context: float

    @property
    def first_sight(self) -> float:
        """What decides whether the sentence is embedded at all."""
        return self.by_rarity + 0.5 * self.by_count + 0.3 * self.in_context


class _Scored(NamedTuple):
    score: float
    support: float
    candidate: _Candidate
    says: bool
    """Whether it is a statement: neither a heading nor an echo of the question."""


def extract(
    question: str,
    hits: Sequence[Hit],
    embedder: Embedder,
    *,
    limit: int = 3,
    running: Mapping[tuple[int, int], Sequence[Span]] | None = None,
) -> list[Extract]:
    """The sentences of the passages that best answer the question, best first.

    Of a passage that was widened, the sentences that the search found are
    candidates, whole, and the others only their context. `running` are the
    spans, by version and page, that are never quoted. At most `MAX_EMBEDDED`
    sentences are embedded. Empty where nothing even comes close to an answer.
    """
    candidates = _candidates(hits, running or {})
    if not candidates or not terms(question):
        return []
    lexical = _lexical_scores(question, candidates, hits)
    nearest = sorted(range(len(candidates)), key=lambda i: -lexical[i].first_sight)
    chosen = sorted(nearest[:MAX_EMBEDDED])
    vectors = embedder.embed_passages([candidates[i].text for i in chosen])
    cosines = [float(value) for value in vectors @ embedder.embed_query(question)]
    row = {candidate: place for place, candidate in enumerate(chosen)}
    passages: dict[int, float] = {}
    for i, cosine in zip(chosen, cosines, strict=True):
        passages[candidates[i].rank] = max(cosine, passages.get(candidates[i].rank, -1.0))
    ranks = {rank: place for place, rank in enumerate(sorted({one.rank for one in candidates}))}

    scored: list[_Scored] = []
    kind, known = kind_of(question), set(terms(question)) | COMMON_STEMS
    for i, cosine in zip(chosen, cosines, strict=True):
        candidate = candidates[i]
        in_context = cosine
        if candidate.before in row:
            before = row[candidate.before]
            # The cosine to this sentence's vector plus half of the one before.
            likeness = float(vectors[row[i]] @ vectors[before])
            in_context = (cosine + 0.5 * cosines[before]) / math.sqrt(1.25 + likeness)
        score = (
            _WEIGHTS["cosine"] * cosine
            + _WEIGHTS["cosine_in_context"] * in_context
            + _WEIGHTS["share_by_rarity"] * lexical[i].by_rarity
            + _WEIGHTS["share_by_count"] * lexical[i].by_count
            + _WEIGHTS["pairs"] * lexical[i].pairs
            + _WEIGHTS["share_in_context"] * lexical[i].in_context
            + _WEIGHTS["passage_cosine"] * passages[candidate.rank]
            + _WEIGHTS["passage_rank"] / (1 + ranks[candidate.rank])
            + _CUE_WEIGHTS.get(kind, 0.0) * cue(kind, question, candidate.text)
        )
        asks = _only_asks(candidate, known)
        if asks:
            score -= _ECHO_PENALTY
        elif candidate.heading:
            score -= _HEADING_PENALTY
        says = not asks and not candidate.heading
        scored.append(_Scored(score, cosine + 0.55 * lexical[i].by_count, candidate, says))
    return _best(scored, hits, limit)


def _candidates(
    hits: Sequence[Hit], running: Mapping[tuple[int, int], Sequence[Span]]
) -> list[_Candidate]:
    """Every sentence that was found once, though passages may overlap."""
    found: list[_Candidate] = []
    taken: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for number, hit in enumerate(hits):
        page = taken.setdefault((hit.version_id, hit.page), [])
        earlier = list(page)
        before: int | None = None
        aside = running.get((hit.version_id, hit.page), ())
        pieces = [] if hit.beside else _body_pieces(hit, aside)
        for place, span in enumerate(pieces):
            start, end = hit.char_start + span.start, hit.char_start + span.end
            rank = _rank_of(hit, start, end)
            if rank is None or any(first <= start and end <= last for first, last in earlier):
                before = None
                continue
            if suspect_spans(hit.flags, start, end):
                # What no reader could see, or what speaks to a model, is no answer.
                before = None
                continue
            text = hit.text[span.start : span.end]
            words = tuple(terms(text))
            if not words:
                continue
            heading = _is_heading(hit, span)
            found.append(
                _Candidate(number, span, text, words, before, heading, pieces, place, rank)
            )
            before = len(found) - 1
            page.append((start, end))
    return found


def _rank_of(hit: Hit, start: int, end: int) -> int | None:
    """The rank of the best chunk that holds a sentence, or cuts it; None where none does."""
    chunks = hit.found or (Found(hit.char_start, hit.char_end, hit.rank),)
    ranks = [chunk.rank for chunk in chunks if start < chunk.end and chunk.start < end]
    return min(ranks, default=None)


def _body_pieces(hit: Hit, running: Sequence[Span]) -> list[Span]:
    """The sentences of a passage, running headers and footers cut away."""
    found: list[Span] = []
    for start, end in _pieces(hit.text):
        for span in running:
            first, last = span.start - hit.char_start, span.end - hit.char_start
            if first <= start < last:
                start = min(last, end)
            if first < end <= last:
                end = max(first, start)
        bare = hit.text[start:end].strip()
        if bare:
            first = start + hit.text[start:end].index(bare)
            found.append(Span(first, first + len(bare)))
    return found


def _pieces(text: str) -> list[Span]:
    """The sentences without list marks and outer table rules, over-long ones in parts."""
    pieces: list[Span] = []
    for start, end in sentences(text):
        while start < end:
            stop = end
            if end - start > _MAX_LENGTH:
                space = text.rfind(" ", start + _PART_LENGTH // 2, start + _PART_LENGTH)
                stop = space if space > 0 else start + _PART_LENGTH
            bare = text[start:stop]
            lead = re.match(r"[\s|#>*•◦▪-]*(?=\S)", bare) if bare[0] in "|#>*•◦▪-" else None
            # "-5 degrees" begins with a figure, "- item" with a list mark.
            first = start + (lead.end() if lead and not re.match(r"-[\d$€£.]", bare) else 0)
            last = start + len(bare.rstrip(" \t\n|" if is_row(bare) else None))
            if first < last:
                pieces.append(Span(first, last))
            start = stop + (len(text[stop:end]) - len(text[stop:end].lstrip()))
    return pieces


def _is_heading(hit: Hit, span: Span) -> bool:
    """A short line without an end mark or a figure that something else follows."""
    text = hit.text[span.start : span.end]
    line_start = hit.text.rfind("\n", 0, span.start) + 1
    if hit.text[line_start : span.start].lstrip().startswith("#"):
        return True
    followed = bool(hit.text[span.end :].strip())
    return (
        followed
        and len(text) <= 60
        and text[-1] not in ".!?。！？।؟"
        and not any(character.isdigit() for character in text)
        and not is_row(hit.text[line_start : span.end])
    )


def _lexical_scores(
    question: str, candidates: Sequence[_Candidate], hits: Sequence[Hit]
) -> list[_Lexical]:
    """Shares of the question's words, rare ones among the candidates counting more."""
    sets = [set(candidate.terms) for candidate in candidates]
    count = len(sets)
    spread = Counter(term for words in sets for term in words)
    said = terms(question)
    wanted = [term for term in dict.fromkeys(said) if term not in COMMON_STEMS]
    wanted = wanted or list(dict.fromkeys(said))
    rarity = {term: math.log((count + 1) / (spread[term] + 0.5)) for term in wanted}
    # A word that stands nowhere weighs as much as the rarest one.
    total = sum(rarity.values())
    present = sum(value for term, value in rarity.items() if spread[term]) or total
    pairs = set(pairwise(said))
    headings = [set(terms(f"{hit.title} {hit.heading}")) for hit in hits]

    scores: list[_Lexical] = []
    for candidate, words in zip(candidates, sets, strict=True):
        context = set(headings[candidate.hit])
        if candidate.before is not None:
            context |= sets[candidate.before]
        own_pairs = pairs.intersection(pairwise(candidate.terms))
        scores.append(
            _Lexical(
                by_rarity=sum(rarity[term] for term in wanted if term in words) / total,
                by_count=sum(term in words for term in wanted) / len(wanted),
                pairs=len(own_pairs) / max(1, len(pairs)),
                in_context=sum(rarity[t] for t in wanted if t in context and t not in words)
                / present,
            )
        )
    return scores


def _only_asks(candidate: _Candidate, known: set[str]) -> bool:
    """Whether a sentence is a question, or says nothing that the question does not say."""
    if candidate.text.rstrip("\"'”’»").endswith(("?", "？")):
        return True
    return known.issuperset(candidate.terms)


def _best(scored: list[_Scored], hits: Sequence[Hit], limit: int) -> list[Extract]:
    # Sorting is stable: of equals, the better passage's sentence comes first.
    ranked = sorted(scored, key=lambda entry: -entry.score)
    least = MIN_SUPPORT if ranked[0].support >= MIN_SUPPORT else WEAK_SUPPORT
    if ranked[0].support < least:
        return []
    extracts: list[Extract] = []
    seen: set[tuple[str, ...]] = set()
    for score, support, candidate, says in ranked:
        if len(extracts) >= limit or score < ranked[0].score - _SCORE_MARGIN:
            break
        if support < least or candidate.terms in seen or (extracts and not says):
            continue
        seen.add(candidate.terms)
        offset = hits[candidate.hit].char_start
        start, end = candidate.span
        beside = neighbours_of(hits[candidate.hit].text, candidate.pieces, candidate.place)
        extracts.append(
            Extract(
                candidate.hit,
                offset + start,
                offset + end,
                candidate.text,
                score,
                support,
                before=_moved(beside.before, offset),
                after=_moved(beside.after, offset),
            )
        )
    return _each_once(extracts)


def _each_once(extracts: Sequence[Extract]) -> list[Extract]:
    """The extracts without neighbours that are quoted anyway."""
    quoted = {(item.hit, item.char_start) for item in extracts}

    def news(item: Extract, span: Span | None) -> Span | None:
        return None if span is None or (item.hit, span.start) in quoted else span

    return [
        replace(item, before=news(item, item.before), after=news(item, item.after))
        for item in extracts
    ]


def _moved(span: Span | None, offset: int) -> Span | None:
    return Span(span.start + offset, span.end + offset) if span else None

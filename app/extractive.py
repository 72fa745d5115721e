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

from app.page_layout import header_of, tables
from app.quote_context import neighbours_of
from app.sentences import Span, is_row, sentences
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

_MOST_HEADER = 200
"""Characters of a table's header that lead a row of it."""

_SCORE_MARGIN = 4.0
"""Further extracts this much worse than the first are left out."""

_UNSPACED = "\u0e00-\u0eff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
_IN_WORD = rf"(?:[^\W_{_UNSPACED}]|[\u0300-\u036f\u064b-\u065f\u0900-\u0963\u0966-\u0dff])"
_TERM = re.compile(rf"[{_UNSPACED}]+|{_IN_WORD}+(?:[.,'’]{_IN_WORD}+)*")
_ENDINGS = (
    *(("'s", ""), ("’s", ""), ("ies", "y"), ("sses", "ss"), ("ing", ""), ("edly", ""), ("ed", "")),
    *(("ly", ""), ("es", ""), ("ss", "ss"), ("s", ""), ("e", "")),
)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_COMMON = _words(
    "a an the of in on at to for from by with and or but as is are was were be been being do "
    "does did has have had it its that this these those which what who whom whose when where "
    "why how many much there their they he she his her him we our you your i not no can could "
    "would will shall should may might must than then so if into about after before over under "
    "between during also such other some any all each both more most very only own same s t de "
    "la el los las un una unos unas en y o que es son fue fueron era eran se su sus por para "
    "con del al lo como más qué cuál cuáles quién cuándo cuánto cuánta cuántos cuántas dónde "
    "cómo le ha han había sobre entre der die das den dem des ein eine einen einem einer eines "
    "und oder ist sind war waren wird wurde wurden hat haben hatte im am auf aus bei mit nach "
    "von vom zu zum zur für über unter was wer wie wann wo warum welche welcher welches nicht "
    "auch sich es sie er als les du et ou est sont était étaient ont avait dans sur pour par "
    "avec qui quoi quand où comment combien quel quelle quels quelles ce cette ces il elle ils "
    "elles ne pas plus au aux son sa ses "
    "多少 少人 有多 什么 么时 时候 是什 哪里 哪个 哪些 哪一 是谁 由谁 何时 如何 怎么 为什 在哪 "
    "几个 几年 是多"
)
_NUMBER_WORDS = _words(
    "two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety "
    "hundred hundreds thousand thousands million millions billion billions dozen half third "
    "quarter twice both single one once double pair several dos tres cuatro cinco seis siete "
    "ocho nueve diez cien mil millones mitad zwei drei vier fünf sechs sieben acht neun zehn "
    "hundert tausend hälfte deux trois quatre cinq sept huit neuf dix cent mille moitié"
)

# What a question asks for, by its words; the first kind that matches counts.
_KINDS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (kind, re.compile(pattern, re.IGNORECASE))
    for kind, pattern in (
        (
            "when",
            r"\bwhen\b|\b(?:what|which)\s+(?:\w+\s+)?(?:year|date|day|month|decade|century|time|era"
            r"|period)s?\b|cuándo|qué\s+(?:año|fecha|día|mes|siglo|década)|\bwann\b|welche[mnrs]?\s+"
            r"(?:jahr|tag|monat|datum|jahrhundert)|\bquand\b|quel(?:le)?\s+(?:année|date|jour|mois"
            r"|siècle)|什么时候|什麼時候|何时|何時|哪一?年|哪[一个個]*[月天日]|几月|幾月|年份|时间",
        ),
        (
            "count",
            r"\bhow\s+(?:many|much|long|far|old|tall|high|large|big|often|fast|deep|wide|heavy)\b"
            r"|\bwhat\s+(?:\w+\s+)?(?:percent(?:age)?|number|amount|portion|fraction|share|rate|size"
            r"|price|cost|population)\b|cuánt[oa]s?|porcentaje|wie\s*viele?|wie\s+(?:lange|weit|alt"
            r"|hoch|groß|oft)|prozent|combien|pourcentage|多少|几[个個年天次位名岁歲人]|幾|百分"
            r"|多[大长長高远遠久]",
        ),
        (
            "who",
            r"\bwho(?:m|se)?\b|quién(?:es)?|\bwe[rmn]\b|\bwessen\b|^qui\b|\bqui\s+(?:a|est|était"
            r"|sont)\b|谁|誰|哪位|何人|什么人",
        ),
        (
            "where",
            r"\bwhere\b|\b(?:what|which)\s+(?:\w+\s+)?(?:city|country|state|place|town|location"
            r"|region|area|continent|county|river|street|building)\b|a?dónde|qué\s+(?:ciudad|país"
            r"|estado|lugar|región)|\bwo(?:hin|her)?\b|welche[mnrs]?\s+(?:stadt|land|ort|staat)"
            r"|\boù\b|quel(?:le)?\s+(?:ville|pays|région|endroit)|哪里|哪裡|哪儿|在哪|何处|何處",
        ),
    )
)
_FIGURE = re.compile(r"\d[\d.,]*")
_CJK_NUMBER = re.compile(r"[一二两兩三四五六七八九十百千万亿萬億半]")
_YEAR = re.compile(r"(?<![\d.,])(?:1\d{3}|20\d{2})(?!,?\d)")
_CALENDAR = re.compile(
    r"\b(?:january|february|march|april|may|june|july|august|september|october|november|december"
    r"|monday|tuesday|wednesday|thursday|friday|saturday|sunday|century|centuries|decade|enero"
    r"|febrero|marzo|abril|mayo|junio|julio|agosto|septiembre|octubre|noviembre|diciembre|siglo"
    r"|januar|februar|märz|mai|juni|juli|oktober|dezember|jahrhundert|janvier|février|mars|avril"
    r"|juin|juillet|août|septembre|octobre|novembre|décembre|siècle)\b|[年月日]|世纪|世紀",
    re.IGNORECASE,
)
# A capital that does not merely open a sentence.
_NAME = re.compile(r"(?<![.!?]\s)(?<!^)\b[A-ZÀ-ÖØ-Þ][\w'’-]*")
_PLACE = re.compile(
    r"\b(?:in|at|near|from|to|of|into|on|across|en|desde|bei|aus|nach|à|dans|de)\s+"
    r"(?:the\s+|la\s+|el\s+)?([A-ZÀ-ÖØ-Þ][\w'’-]*)"
)

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
    kind, known = _kind(question), set(terms(question)) | _COMMON_STEMS
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
            + _CUE_WEIGHTS.get(kind, 0.0) * _cue(kind, question, candidate.text)
        )
        asks = _only_asks(candidate, known)
        if asks:
            score -= _ECHO_PENALTY
        elif candidate.heading:
            score -= _HEADING_PENALTY
        says = not asks and not candidate.heading
        scored.append(_Scored(score, cosine + 0.55 * lexical[i].by_count, candidate, says))
    return _best(scored, hits, limit)


def compose(extracts: Sequence[Extract], hits: Sequence[Hit]) -> str:
    """The text of an extractive answer: each extract quoted, with its mark [n].

    A table row or another fragment is led by its heading and header row. Its
    neighbours follow, on lines of their own, where it needs them. White space
    is folded, and curly quotation marks within become single ones.
    """
    paragraphs = []
    for item in extracts:
        hit = hits[item.hit]
        mark = f"[{item.hit + 1}]"
        context = _context(item, hit)
        lead = f"{context}: " if context else ""
        lines = [f"{lead}{_quoted(item.text)} {mark}"]
        for name, span in (("Before it", item.before), ("After it", item.after)):
            if span is not None:
                words = hit.text[span.start - hit.char_start : span.end - hit.char_start]
                lines.append(f"{name}: {_quoted(words)} {mark}")
        paragraphs.append("\n".join(lines))
    return "\n\n".join(paragraphs)


def _quoted(words: str) -> str:
    plain = " ".join(words.split()).replace("“", "‘").replace("”", "’")
    return f"“{plain}”"


def terms(text: str) -> list[str]:
    """The words of a text, case folded and stemmed lightly; unspaced scripts in pairs."""
    found: list[str] = []
    for match in _TERM.finditer(text.casefold()):
        word = match[0]
        if "\u0e00" <= word[0] <= "\u0eff" or "\u3040" <= word[0] <= "\u9fff":
            found.extend([word[i : i + 2] for i in range(len(word) - 1)] or [word])
        else:
            found.append(stem(word))
    return found


def stem(word: str) -> str:
    """A word in small letters without its commonest endings."""
    if len(word) <= 3:
        return word
    for ending, instead in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            stem = word[: len(word) - len(ending)] + instead
            doubled = len(stem) > 3 and stem[-1] == stem[-2] and stem[-1] not in "ls"
            return stem[:-1] if doubled else stem
    return word


_COMMON_STEMS = _COMMON | {stem(word) for word in _COMMON}


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
    wanted = [term for term in dict.fromkeys(said) if term not in _COMMON_STEMS]
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


def _kind(question: str) -> str:
    for kind, pattern in _KINDS:
        if pattern.search(question):
            return kind
    return ""


def _cue(kind: str, question: str, sentence: str) -> float:
    """From 0 to 1: whether the sentence holds what such a question asks for, and news at that."""
    asked = question.casefold()
    figures = any(figure.rstrip(".,") not in asked for figure in _FIGURE.findall(sentence))
    if kind == "when":
        years = any(year not in asked for year in _YEAR.findall(sentence))
        dates = any(word.casefold() not in asked for word in _CALENDAR.findall(sentence))
        return 1.0 if years or dates else 0.5 * figures
    if kind == "count":
        if figures or _CJK_NUMBER.search(sentence):
            return 1.0
        return 0.9 * (not _NUMBER_WORDS.isdisjoint(re.findall(r"[^\W\d_]+", sentence.casefold())))
    if kind in ("who", "where"):
        names = any(name.casefold().rstrip("'’-") not in asked for name in _NAME.findall(sentence))
        if kind == "who":
            return float(names)
        places = any(name.casefold() not in asked for name in _PLACE.findall(sentence))
        return 1.0 if places else 0.6 * names
    return 0.0


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


def _context(item: Extract, hit: Hit) -> str:
    """What a fragment stands under: its section's name, and the header of its table."""
    if item.text[-1] in ".!?。！？।؟" or item.text.endswith((".”", ".’", '."')):
        return ""
    parts = [hit.heading.split("›")[-1].strip()] if hit.heading else []
    parts = [part for part in parts if part not in item.text]
    start = item.char_start - hit.char_start
    found = tables(hit.text)
    header = header_of(hit.text, found, start)
    if header is not None:
        above = hit.text[header.start : header.end]
    else:
        at_top = bool(found) and found[0].start == 0 and start < found[0].end
        above = hit.lead if at_top else ""
    columns = _columns(above)
    if columns and columns not in item.text:
        parts.append(columns)
    return ", ".join(part for part in parts if part)


def _columns(header: str) -> str:
    """A table's header in one line, its last line alone where it is long."""
    lines = [" ".join(line.strip(" |\t").split()) for line in header.splitlines()]
    lines = [line for line in lines if any(map(str.isalnum, line))]
    whole = " ".join(lines)
    return whole if len(whole) <= _MOST_HEADER else lines[-1]

"""How far each sentence of an answer is proved, worked out from its text and its citations.

An answer is stored as its text and its citations; what the reader sees beside
each mark and each sentence follows from these two alone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from app.answers import Answer, Citation
from app.claims import Claim, claim_sentences, claims_of

VERIFIED = "verified"
NEAR = "near"
"""The page says almost that: another figure, another word."""
UNPROVED = "unproved"
OPEN = "open"
"""Not checked: the answer is not complete, or the model gave no words to look for."""

_ORDER = (UNPROVED, NEAR, OPEN, VERIFIED)
"""Worst first: where a mark stands for several citations, none may hide behind another."""
_WORD = re.compile(r"[^\W\d_]{2,}")
_FEW_WORDS = 4
_SINGLE = re.compile("[\u0e00-\u0eff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]")
_SINGLES_A_WORD = 2
_HEADING = re.compile(r"\s*#{1,6}\s")
_TABLE_RULE = re.compile(r"[\s|:–—-]*")
_NO_CLAIM_ENDS = (":", "：", "?", "？")
_FENCE = re.compile(r"^[ \t>]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)?(`{3,}|~{3,})([^\n]*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class MarkProof:
    """One mark of the answer, as `[2]` or `[1, 3]`, and how far each of its numbers is proved."""

    start: int
    end: int
    states: tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class Support:
    """What an answer's marks prove, and which of its sentences rest on nothing."""

    marks: tuple[MarkProof, ...]
    bare: tuple[tuple[int, int], ...]
    """Sentences that claim something and cite nothing, as spans of the answer."""
    failed: tuple[tuple[int, int], ...]
    """Sentences that cite something, of which nothing is verified."""

    @property
    def unsupported(self) -> tuple[tuple[int, int], ...]:
        """All sentences that no verified quote stands behind, in order."""
        return tuple(sorted((*self.bare, *self.failed)))


def state_of(citation: Citation) -> str:
    """How far a citation is proved."""
    if citation.verified:
        return NEAR if citation.figures else VERIFIED
    if citation.near:
        return NEAR
    return UNPROVED if citation.quote or citation.figures else OPEN


def support_of(answer: str, citations: Sequence[Citation]) -> Support:
    """How far the marks and sentences of an answer are proved."""
    known = {citation.n for citation in citations}
    spans = claim_sentences(answer, known)
    marks: list[MarkProof] = []
    best: dict[int, str] = {}
    for claim in claims_of(answer, known):
        states = tuple((n, _state(answer, claim, n, citations)) for n in claim.numbers)
        marks.append(MarkProof(*claim.mark, states))
        for _, state in states:
            best[claim.place] = max(best.get(claim.place, UNPROVED), state, key=_ORDER.index)
    code = _code(answer)
    bare = [
        part
        for place, span in enumerate(spans)
        if place not in best
        for part in _outside(span, code)
        if _claims_something(answer[part[0] : part[1]])
    ]
    failed = [spans[place] for place, state in best.items() if place >= 0 and state != VERIFIED]
    return Support(tuple(marks), tuple(bare), tuple(sorted(failed)))


def unsupported_sentences(answer: Answer) -> list[dict[str, object]]:
    """The sentences of a model's answer that no verified quote stands behind, for JSON."""
    if answer.mode in ("extractive", "none") or not answer.receipt.window:
        return []
    return [
        {"start": start, "end": end, "text": answer.text[start:end].strip()}
        for start, end in support_of(answer.text, answer.citations).unsupported
    ]


def _state(answer: str, claim: Claim, number: int, citations: Sequence[Citation]) -> str:
    """The worst state of the citations of this number that are of this claim."""
    of_number = [citation for citation in citations if citation.n == number]
    for start, end in (claim.near, claim.sentence):
        words = answer[start:end]
        told = [citation for citation in of_number if citation.quote and citation.quote in words]
        if told:
            return min(map(state_of, told), key=_ORDER.index)
    # Without words of the answer a citation is of every mark that has its number.
    anywhere = [citation for citation in of_number if citation.quote not in answer]
    silent = [citation for citation in of_number if not citation.quote]
    return min(map(state_of, anywhere or silent), key=_ORDER.index, default=OPEN)


def _code(answer: str) -> list[tuple[int, int]]:
    """The fenced code of an answer, fences included, as spans in order.

    Code claims nothing, and a sign behind its last fence would keep that from ending it.
    """
    spans: list[tuple[int, int]] = []
    opened, begun = "", 0
    for match in _FENCE.finditer(answer):
        fence, behind = match[1], match[2]
        if not opened:
            # Behind backticks there may be none on the line: that is code within a sentence.
            if fence[0] == "~" or "`" not in behind:
                opened, begun = fence, match.start()
        elif fence.startswith(opened) and not behind.strip():
            spans.append((begun, match.end()))
            opened = ""
    return [*spans, (begun, len(answer))] if opened else spans


def _outside(span: tuple[int, int], code: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """What of a span is not code."""
    parts, start = [], span[0]
    for begun, ended in code:
        if begun < span[1] and ended > start:
            parts.append((start, begun))
            start = ended
    return [(start, end) for start, end in [*parts, (start, span[1])] if start < end]


def _claims_something(sentence: str) -> bool:
    """Whether a sentence says anything that wants proof: no heading, lead-in or question."""
    text = sentence.strip().rstrip("*_ ")
    if _HEADING.match(text) or _TABLE_RULE.fullmatch(text) or text.endswith(_NO_CLAIM_ENDS):
        return False
    words = len(_WORD.findall(_SINGLE.sub(" ", text)))
    singles = len(_SINGLE.findall(text))
    return words + singles // _SINGLES_A_WORD >= _FEW_WORDS

"""What the marks of an answer vouch for: marks as `[2]`, quotations, and the claims beside them."""

from __future__ import annotations

import re
from collections.abc import Container, Sequence
from dataclasses import dataclass

from app.sentences import sentences

# [1], [1, 2], [1][3], [1-3], [^1], 【1】, 【1†source】. A figure from 1000 on may be a
# year: it is a mark where there is a passage of that number.
_MARK = re.compile(
    r"[\[【［]\s*\^?\d{1,6}(?:\s*(?:[,;，、；]|[-–—])\s*\^?\d{1,6})*\s*(?:†[^\]】］\n]{0,80})?[\]】］]"
)
_RANGE = re.compile(r"(\d{1,6})\s*[-–—]\s*\^?(\d{1,6})|(\d{1,6})")
# Quotation marks in pairs, each kind with its own closing mark; a pair of the
# same kind may stand within (“… “…” …”) where opening and closing differ.
_PAIRS = {"“": "”", "«": "»", "„": "“”", "「": "」", "『": "』", "‹": "›"}
_STRAIGHT = re.compile(r"(?<![^\s(\[—–-])\"([^\"\n]{2,2000})\"(?![^\W_])")
_MAX_RANGE = 20
_MAY_BE_A_YEAR = 1000


@dataclass(frozen=True, slots=True)
class Mark:
    """Brackets with the numbers of passages."""

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


def claims_of(
    answer: str,
    known: Container[int] = (),
    quoted: Sequence[tuple[int, int]] | None = None,
) -> list[Claim]:
    """What each mark of an answer vouches for, in order; `known` are the numbers of passages."""
    quoted = quoted_spans(answer) if quoted is None else quoted
    marks = marks_of(answer, known, quoted)
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


def claim_sentences(answer: str, known: Container[int] = ()) -> list[tuple[int, int]]:
    """The sentences of an answer, as `Claim.place` counts them."""
    quoted = quoted_spans(answer)
    marks = marks_of(answer, known, quoted)
    return _whole_quotes(sentences(_without(answer, marks)), quoted)


def _without(answer: str, marks: Sequence[Mark]) -> str:
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


def marks_of(answer: str, known: Container[int], quoted: Sequence[tuple[int, int]]) -> list[Mark]:
    """The marks of an answer in order; what stands inside a quotation belongs to the page."""
    marks = []
    position = 0
    for match in _MARK.finditer(answer):
        while position < len(quoted) and quoted[position][1] <= match.start():
            position += 1
        if position < len(quoted) and quoted[position][0] <= match.start():
            continue
        if _is_mark(match, known):
            marks.append(Mark(match.start(), match.end(), _numbers(match[0])))
    return marks


def without_marks(text: str, known: Container[int]) -> str:
    """A piece of an answer without its marks."""
    return _MARK.sub(lambda match: "" if _is_mark(match, known) else match[0], text)


def _is_mark(match: re.Match[str], known: Container[int]) -> bool:
    """Whether brackets with figures are a mark: one that may be a year needs its passage."""
    figures = (int(digits) for digits in re.findall(r"\d+", match[0].split("†")[0]))
    return all(figure < _MAY_BE_A_YEAR or figure in known for figure in figures)


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


def quoted_spans(answer: str) -> list[tuple[int, int]]:
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

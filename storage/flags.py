"""The kinds of flags on spans of a page, and what to do with each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from storage.records import Flag

HIDDEN = "hidden"
"""Of the background's colour, drawn in no colour, covered, or hidden by its format's own means."""

TINY = "tiny"
"""Below two points."""

OFF_PAGE = "off-page"
INVISIBLE_CHARACTERS = "invisible-characters"
"""A word beside which characters stood that no font draws; they were taken out."""

INSTRUCTION = "instruction"
"""Speaks to a model, as "ignore all previous instructions" does."""

REPEATED = "repeated"
"""A running header or footer: part of its page, but neither embedded nor indexed."""

UNSEEN = frozenset({HIDDEN, TINY, OFF_PAGE, INVISIBLE_CHARACTERS})
SUSPECT = UNSEEN | {INSTRUCTION}
"""What goes into a prompt only with a mark."""


def suspect_spans(flags: Iterable[Flag], start: int, end: int) -> list[tuple[int, int]]:
    """The spans between two places of a page that are not what they seem, in order, none twice."""
    found: list[tuple[int, int]] = []
    for flag in sorted(flags, key=lambda flag: (flag.start, flag.end)):
        first, last = max(flag.start, start), min(flag.end, end)
        if flag.kind not in SUSPECT or first >= last:
            continue
        if found and first <= found[-1][1]:
            found[-1] = (found[-1][0], max(last, found[-1][1]))
        else:
            found.append((first, last))
    return found


def body_span(text: str, flags: Sequence[Flag]) -> tuple[int, int]:
    """The page between its running header and its running footer; all of it where that is all."""
    running = [flag for flag in flags if flag.kind == REPEATED]
    start, end = 0, len(text)
    for flag in sorted(running, key=lambda flag: flag.start):
        if not text[start : flag.start].strip():
            start = max(start, flag.end)
    for flag in sorted(running, key=lambda flag: flag.end, reverse=True):
        if flag.end <= end and not text[flag.end : end].strip():
            end = flag.start
    return (start, end) if text[start:end].strip() else (0, len(text))

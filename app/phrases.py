"""Small pieces of English that several commands write."""

from __future__ import annotations

from collections.abc import Sequence

_ENDINGS = {1: "st", 2: "nd", 3: "rd"}


def ordinal(number: int) -> str:
    """`1st`, `2nd`, `1,013th`."""
    last = 0 if number % 100 in (11, 12, 13) else number % 10
    return f"{number:,}{_ENDINGS.get(last, 'th')}"


def listed(texts: Sequence[str], last: str = "and") -> str:
    """`a`, `a and b`, `a, b and c`; with another word than `and` where one is given."""
    return f" {last} ".join(filter(None, [", ".join(texts[:-1]), *texts[-1:]]))

"""Small pieces of English that several commands write."""

from __future__ import annotations

from collections.abc import Sequence

from storage.records import Hit

_ENDINGS = {1: "st", 2: "nd", 3: "rd"}


def ordinal(number: int) -> str:
    """`1st`, `2nd`, `1,013th`."""
    last = 0 if number % 100 in (11, 12, 13) else number % 10
    return f"{number:,}{_ENDINGS.get(last, 'th')}"


def listed(texts: Sequence[str], last: str = "and") -> str:
    """`a`, `a and b`, `a, b and c`; with another word than `and` where one is given."""
    return f" {last} ".join(filter(None, [", ".join(texts[:-1]), *texts[-1:]]))


def page_words(number: int, *, paged: bool, label: str = "", heading: str = "") -> str:
    """`page 5 (labelled 3)`, `section 2 (§ Travel)`: first the number it is asked for by."""
    name = label if paged and label != str(number) else "" if paged else heading
    beside = f" ({'labelled' if paged else '§'} {name})" if name else ""
    return f"{'page' if paged else 'section'} {number}{beside}"


def where(hit: Hit) -> str:
    """The document and page of a hit."""
    words = page_words(hit.page, paged=hit.paged, label=hit.page_label, heading=hit.heading)
    return f"{hit.document}, {words}"

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
    """`page 5 (labelled 3)`, `section 2 (§ Travel)`, `section 7 (slide 6)`.

    First stands the number it is asked for by.
    """
    if paged:
        return f"page {number}" + (f" (labelled {label})" if label not in ("", str(number)) else "")
    name = label or (f"§ {heading}" if heading else "")
    return f"section {number}" + (f" ({name})" if name else "")


def where(hit: Hit) -> str:
    """The document and page of a hit."""
    words = page_words(hit.page, paged=hit.paged, label=hit.page_label, heading=hit.heading)
    return f"{hit.document}, {words}"

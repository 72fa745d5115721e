"""Places of passages in the reader's language: "page 12", "sheet Prices, rows 41–80"."""

from __future__ import annotations

import re
from collections.abc import Callable

from app.wording import ENGLISH, language, t

_PART = re.compile(
    r"(?P<kind>page|slide|section|chapter|sheet|attachment|lines?|rows?) (?P<which>[^,]+)"
)


def place_words(place: str) -> str:
    """A place as the reader calls it; what is not known stays as it is stored."""
    if language() == ENGLISH:
        return place
    return ", ".join(_part(part) for part in place.split(", "))


def unit_words(unit: str) -> str:
    """`page`, `slide` or `section` in the reader's language."""
    words = {"page": t("page"), "slide": t("slide"), "section": t("section")}
    return words.get(unit, unit)


def _part(part: str) -> str:
    found = _PART.fullmatch(part)
    return _SAID[found["kind"]](found["which"]) if found else part


_SAID: dict[str, Callable[[str], str]] = {
    "page": lambda which: t("page {which}", which=which),
    "slide": lambda which: t("slide {which}", which=which),
    "section": lambda which: t("section {which}", which=which),
    "chapter": lambda which: t("chapter {which}", which=which),
    "sheet": lambda which: t("sheet {which}", which=which),
    "attachment": lambda which: t("attachment {which}", which=which),
    "line": lambda which: t("line {which}", which=which),
    "lines": lambda which: t("lines {which}", which=which),
    "row": lambda which: t("row {which}", which=which),
    "rows": lambda which: t("rows {which}", which=which),
}

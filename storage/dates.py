"""Dates of documents: what a file states, what a filter names, compared as text.

A date is `YYYY`, `YYYY-MM` or `YYYY-MM-DD`, as exactly as it is known. One
that is known to the year stands for that whole year.
"""

from __future__ import annotations

import calendar
import re
import time
from datetime import date

from storage.errors import UsageError

_GIVEN = re.compile(r"(\d{4})(?:-(\d\d))?(?:-(\d\d))?")

_YEAR_FIRST = re.compile(r"(\d{4})(?:[-/.年](\d\d?)(?:[-/.月](\d\d?)日?)?)?(?![\d/.:-])")
_DIGITS = re.compile(r"(?:D:)?(\d{4})(\d\d)(\d\d)(?:\d{6})?(?!\d)")
_DAY_FIRST = re.compile(r"(\d\d?)\.\s?(\d\d?)\.\s?(\d{4})(?!\d)")
"""With full stops only: 3/4/2023 is April in one country and March in another."""
_NAMED = re.compile(
    r"(?:(?P<day>\d\d?)(?:st|nd|rd|th)?[\s-]+)?(?P<month>[A-Za-z]{3,9})\.?[\s-]+"
    r"(?:(?P<day_after>\d\d?)(?:st|nd|rd|th)?,?\s+)?(?P<year>\d{4})(?!\d)"
)
_WEEKDAY = re.compile(r"^(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*,?\s+", re.IGNORECASE)
_MONTHS = {
    name.casefold(): number
    for names in (calendar.month_name, calendar.month_abbr)
    for number, name in enumerate(names)
    if name
} | {"sept": 9}


def stated_date(text: str) -> str:
    """The date at the beginning of what a document states; empty where there is none.

    Read are ISO dates with or without a time, `2023/1/17`, `20230117`,
    `17.1.2023`, `17 January 2023`, `Jan 17, 2023` and `2023年1月17日`.
    """
    text = _WEEKDAY.sub("", text.strip())
    found = _DIGITS.match(text) or _YEAR_FIRST.match(text.split("T")[0])
    if found:
        return _checked(*found.groups())
    if found := _DAY_FIRST.match(text):
        return _checked(found[3], found[2], found[1])
    if found := _NAMED.match(text):
        month = _MONTHS.get(found["month"].casefold())
        day = found["day"] or found["day_after"]
        return _checked(found["year"], str(month), day) if month else ""
    return ""


def local_date(seconds: float) -> str:
    """The day of a moment (seconds since the epoch) on this machine's calendar."""
    try:
        return time.strftime("%Y-%m-%d", time.localtime(seconds))
    except (OverflowError, ValueError, OSError):
        return ""


def first_day(given: str) -> str:
    """The first day that a filter's date names. Raises UsageError for what is no date."""
    year, month, day = _read(given)
    return f"{year}-{month or '01'}-{day or '01'}"


def last_day(given: str) -> str:
    """The last day that a filter's date names. Raises UsageError for what is no date."""
    year, month, day = _read(given)
    month = month or "12"
    last = calendar.monthrange(int(year), int(month))[1]
    return f"{year}-{month}-{day or f'{last:02d}'}"


def _read(given: str) -> tuple[str, str | None, str | None]:
    found = _GIVEN.fullmatch(given.strip())
    if not found or not _checked(*found.groups()):
        raise UsageError(f"{given!r} is no date. Write 2023, 2023-04 or 2023-04-30.")
    year, month, day = found.groups()
    return year, month, day


def _checked(year: str, month: str | None = None, day: str | None = None) -> str:
    """The date in ISO form; empty where the calendar has no such day."""
    try:
        whole = date(int(year), int(month or 1), int(day or 1))
    except ValueError:
        return ""
    if whole.year < 1000:
        return ""
    return whole.isoformat()[: 10 if day else 7 if month else 4]

"""Numbers of an Excel cell as it shows them: dates, shares, hours, rounded figures."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

from ingest.loaders.tables import LONGEST_CELL

_NOT_SHOWN = re.compile(r'"[^"]*"|\\.|\[[^\]]*\]|_.')
_ELAPSED = re.compile(r"\[(h+|m+|s+)\]", re.IGNORECASE)


def shown_number(value: str, shown_as: str, epoch: datetime) -> str:
    """A number in its cell's format, dates counted from the workbook's epoch."""
    try:
        number = float(value)
    except ValueError:
        return value[:LONGEST_CELL]
    if elapsed := _ELAPSED.search(shown_as):
        return _duration(number, elapsed[1][0].lower(), shown_as.lower())
    bare = _NOT_SHOWN.sub("", shown_as.split(";")[0]).lower()
    if any(mark in bare for mark in "ymdhs") and "general" not in bare:
        return _moment(number, epoch) or value
    decimals = len(re.match(r"[0#?]*", bare.partition(".")[2])[0])  # type: ignore[index]
    if "%" in bare:
        return f"{_rounded(number, decimals, shift=2)}%"
    if "e" in bare and "general" not in bare:
        return f"{number:.{min(decimals, 15)}e}"
    if "." in bare and decimals:
        return _rounded(number, decimals)
    return f"{number:.15g}" if abs(number) < 1e15 else value


def _moment(days: float, epoch: datetime) -> str:
    """A date, a time, or both; empty for no date that there is."""
    try:
        moment = epoch + timedelta(seconds=round(days * 86_400))
    except (OverflowError, ValueError):
        return ""
    if 0 <= days < 1:
        return moment.strftime("%H:%M:%S").removesuffix(":00")
    if (moment.hour, moment.minute, moment.second) == (0, 0, 0):
        return date(moment.year, moment.month, moment.day).isoformat()
    return moment.isoformat(" ").removesuffix(":00")


def _rounded(number: float, decimals: int, shift: int = 0) -> str:
    """A number as Excel shows it: fifteen digits of it, rounded half up."""
    if not abs(number) < 1e15:
        return f"{number:g}"
    exact = Decimal(f"{number:.15g}").scaleb(shift)
    return f"{exact.quantize(Decimal(1).scaleb(-min(decimals, 6)), ROUND_HALF_UP):f}"


def _duration(days: float, unit: str, shown_as: str) -> str:
    """A time that passed, as hours (`36:00`), minutes or seconds."""
    if not abs(days) < 1e9:
        return f"{days:g}"
    sign, seconds = "-" if days < 0 else "", round(abs(days) * 86_400)
    if unit == "s":
        return f"{sign}{seconds}"
    minutes, rest = divmod(seconds, 60)
    told = f":{rest:02d}" if "s" in shown_as.replace("[s", "") else ""
    if unit == "m":
        return f"{sign}{minutes}{told}"
    return f"{sign}{minutes // 60}:{minutes % 60:02d}{told}"

"""Periods in a question: years, fiscal years, quarters, halves, months, days, ranges, and
words that point from one period to another ("the year before", "im Vorquartal", "前一年").

Read in English, Spanish, German, French and Chinese. Pure: text in, records out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from app.period_words import (
    FISCAL,
    HALF_WORDS,
    HAN_DIGITS,
    MONTHS,
    ORDINALS,
    QUARTER_WORDS,
    RELATIVES,
    SHY_MONTHS,
    number_of,
)

YEAR = "year"
QUARTER = "quarter"
HALF = "half"
MONTH = "month"
DAY = "day"
RANGE = "range"
RELATIVE = "relative"


@dataclass(frozen=True, slots=True)
class Period:
    """A period as it stands in a text, and what it means.

    `start` and `end` are offsets into the text. Relative periods have `step`
    and `shift`: "the year before" is one `year` by -1, "the same period" by 0.
    """

    text: str
    start: int
    end: int
    unit: str
    """`year`, `quarter`, `half`, `month`, `day`, `range` or `relative`."""
    year: int | None = None
    """None where none is said ("Q3", "in May")."""
    part: int | None = None
    """Number of the quarter, half or month."""
    day: int | None = None
    until: int | None = None
    """The last year of a range."""
    fiscal: bool = False
    step: str = ""
    shift: int = 0
    deictic: bool = False
    """A relative period that may as well be meant from today ("last year")."""

    @property
    def form(self) -> str:
        """The normal form: `2018`, `FY2018`, `2024-Q2`, `2024-H1`, `2018-05`, `2016..2018`.

        Where the year is not said: `Q3`, `--05`. Relative: `year-1`, `period+0`.
        """
        if self.unit == RELATIVE:
            return f"{self.step}{self.shift:+d}"
        fiscal = "FY" if self.fiscal else ""
        year = f"{fiscal}{self.year}" if self.year is not None else ""
        dash = "-" if year else ""
        match self.unit:
            case "range":
                return f"{year}..{fiscal}{self.until}"
            case "quarter" | "half":
                return f"{year}{dash}{self.unit[0].upper()}{self.part}"
            case "month":
                return f"{year or '-'}-{self.part:02d}"
            case "day":
                return f"{year or '-'}-{self.part:02d}-{self.day:02d}"
        return year

    @property
    def years(self) -> range:
        """The calendar (or fiscal) years it touches; empty where no year is said."""
        if self.year is None:
            return range(0)
        return range(self.year, (self.until or self.year) + 1)


def periods(text: str) -> list[Period]:
    """The periods in a text, in order; they do not overlap."""
    flat = _flat(text)
    found: list[Period] = []
    taken = bytearray(len(flat))
    for period in _candidates(flat):
        if period.end > period.start and not any(taken[period.start : period.end]):
            taken[period.start : period.end] = b"\x01" * (period.end - period.start)
            found.append(replace(period, text=text[period.start : period.end]))
    return sorted(found, key=lambda period: period.start)


def shifted(period: Period, step: str, by: int) -> Period | None:
    """The period `by` steps later (earlier where negative); None where that has no sense.

    A step of a year keeps the quarter or month: the year before Q2 2024 is Q2 2023.
    """
    if by == 0:
        return period
    if period.year is None and step == YEAR:
        return None
    if step == YEAR and period.year is not None:
        if period.unit == RANGE:
            # One year before or after a range is a single year.
            edge = period.year if by < 0 else (period.until or period.year)
            return replace(period, unit=YEAR, year=edge + by, until=None)
        return replace(period, year=period.year + by)
    size = {QUARTER: 4, HALF: 2, MONTH: 12}.get(step)
    if size is None or period.unit != step or period.part is None:
        return None
    index = period.part - 1 + by
    if period.year is None:
        return replace(period, part=index + 1) if 0 <= index < size else None
    return replace(period, year=period.year + index // size, part=index % size + 1)


def written(period: Period, like: str) -> str:
    """The period as words in the manner of `like`, a period's text in the same conversation."""
    if re.search(r"[\u4e00-\u9fff]", like):
        return _in_chinese(period)
    fiscal = "FY" if period.fiscal else ""
    year = "" if period.year is None else f"{fiscal}{period.year}"
    match period.unit:
        case "range":
            return f"{year} to {fiscal}{period.until}"
        case "quarter":
            return f"Q{period.part} {year}".strip()
        case "half":
            return f"H{period.part} {year}".strip()
        case "month":
            name = _month_like(period.part or 1, like)
            return f"{name} {year}".strip()
        case "day":
            return f"{period.year or ''}-{period.part:02d}-{period.day:02d}".lstrip("-")
    return year


def with_year(text: str, old: int, new: int) -> str | None:
    """A period's text with its year changed ("the second quarter of 2024", "FY18"), or None."""
    for before, after in ((f"{old}", f"{new}"), (f"{old % 100:02d}", f"{new % 100:02d}")):
        pattern = rf"(?<!\d){before}(?!\d)"
        if len(re.findall(pattern, _flat(text))) == 1:
            return re.sub(pattern, after, _flat(text))
    return None


# --- patterns -----------------------------------------------------------------------------------

_Y4 = r"(?:19|20)\d\d"
# Not inside a number, an amount, an identifier or a path; an underscore parts file names.
_BEFORE = r"(?<![A-Za-z0-9$€£¥#§/:\-])(?<!\d[.,])(?-i:(?<!ISO )(?<!EN )(?<!DIN ))"
_AFTER = (
    r"(?![A-Za-z0-9%:/]|-\w|[.,]\d|\s*(?:%|€|\$|£|EUR\b|USD\b|GBP\b|CHF\b|euros?\b|dollars?\b|"
    r"pages?\b|units?\b|items?\b|kg\b|km\b|mm\b))"
)
_OF = (
    r"(?:[\s,]*(?:\b(?:of|de|del|des|du|in|im|von|for|the|el|l['’]année|año|année|year|jahres?)"
    r"\s+)*"
)
_TAIL = rf"{_OF}(?P<fy>{FISCAL})?(?P<y>{_Y4}|(?<=FY)\d\d|(?<=FY )\d\d|['’]\d\d)(?!\d))?"
_ORDINAL = "|".join(sorted(map(re.escape, ORDINALS), key=len, reverse=True))
_MONTH = "|".join(sorted(map(re.escape, MONTHS), key=len, reverse=True))
_HAN_YEAR = rf"(?P<y>{_Y4}|\d\d|[〇零一二三四五六七八九]{{4}})"
_HAN_FISCAL = r"(?P<fy>财年|财政年度|会计年度)"
_SEP = r"(?:\s*(?:-|–|—|~|～)\s*|\s+(?:to|through|until|till|bis|a|al|hasta|à|au)\s+)"
_BETWEEN = r"(?:between|zwischen|entre)\s+"
_AND = r"\s+(?:and|und|y|et)\s+"


def _compile(pattern: str, flags: int = re.IGNORECASE) -> re.Pattern[str]:
    return re.compile(pattern, flags)


_DAYS = [
    _compile(rf"{_BEFORE}(?P<y>{_Y4})[-/.](?P<m>\d{{1,2}})[-/.](?P<d>\d{{1,2}})(?!\d)"),
    _compile(rf"(?<![\d.])(?P<d>\d{{1,2}})[./](?P<m>\d{{1,2}})[./](?P<y>{_Y4})(?!\d)"),
    _compile(r"(?:(?P<y>\d{4})年)?(?P<m>\d{1,2})月(?P<d>\d{1,2})[日号]"),
    _compile(
        rf"(?<!\w)(?P<d>\d{{1,2}})(?:st|nd|rd|th|er|\.)?\s+(?:of\s+|de\s+)?(?P<m>{_MONTH})\b\.?"
        rf"(?:,?\s+(?:de\s+|del\s+)?(?P<y>{_Y4})(?!\d))?"
    ),
    _compile(
        rf"\b(?P<m>{_MONTH})\.?\s+(?P<d>\d{{1,2}})(?:st|nd|rd|th)?(?![\d.%])"
        rf"(?:,?\s+(?P<y>{_Y4})(?!\d))?"
    ),
]
_QUARTERS = [
    _compile(
        rf"{_BEFORE}(?P<fy>{FISCAL})?(?P<y>{_Y4}|(?<=FY)\d\d)[\s/_-]?(?:Q(?P<q>[1-4])|(?P<r>[1-4])Q)"
        r"(?![A-Za-z0-9])"
    ),
    _compile(
        r"(?<![A-Za-z0-9])(?:(?:Q|T)(?P<q>[1-4])|(?P<r>[1-4])(?:Q|T))"
        rf"[\s,/-]*(?:of\s+|de\s+)?(?P<fy>{FISCAL})?['’]?(?P<y>{_Y4}|\d\d)(?![\d%])"
    ),
    _compile(r"(?<![A-Za-z0-9])(?:Q(?P<q>[1-4])|(?P<r>[1-4])Q)(?P<fy>)(?P<y>)(?![A-Za-z0-9])"),
    _compile(
        rf"(?<!\w)(?P<q>{_ORDINAL})\s*(?:(?P<f2>fiscal|financial)\s+)?(?:{QUARTER_WORDS})\b"
        rf"(?:\s+(?:fiscal))?{_TAIL}"
    ),
    _compile(rf"(?<!\w)(?:{QUARTER_WORDS})\s+(?P<q>[1-4])\b{_TAIL}"),
    _compile(
        rf"(?:{_HAN_YEAR}(?:年度?|{_HAN_FISCAL})的?)?第?(?P<q>[一二三四1-4])个?季度?(?!\w*节)"
    ),
]
_HALVES = [
    _compile(
        r"(?<![A-Za-z0-9])(?:[HS](?P<q>[12])|(?P<r>[12])[HS])"
        rf"[\s,/-]*(?:of\s+|de\s+)?(?P<fy>{FISCAL})?['’]?(?P<y>{_Y4}|\d\d)(?![\d%])"
    ),
    _compile(rf"{_BEFORE}(?P<fy>{FISCAL})?(?P<y>{_Y4})[\s/_-]?(?:H(?P<q>[12])|(?P<r>[12])H)(?!\w)"),
    _compile(rf"(?<!\w)(?P<q>{_ORDINAL})\s*(?:{HALF_WORDS})\b{_TAIL}"),
    _compile(rf"(?:{_HAN_YEAR}(?:年度?|{_HAN_FISCAL})的?)?(?P<q>[上下])半年"),
]
_RANGES = [
    _compile(
        rf"{_BEFORE}(?P<fy>{FISCAL})?(?P<y>{_Y4}){_SEP}(?:{FISCAL})?(?P<z>{_Y4})(?![\dA-Za-z%])"
    ),
    _compile(rf"\b{_BETWEEN}(?P<fy>{FISCAL})?(?P<y>{_Y4}){_AND}(?:{FISCAL})?(?P<z>{_Y4})(?!\d)"),
    _compile(rf"{_BEFORE}(?P<fy>{FISCAL})?(?P<y>{_Y4})[/–](?P<z>\d\d)(?!\d)"),
    _compile(rf"{_BEFORE}(?P<fy>{FISCAL})?(?P<y>{_Y4})-(?P<z>1[3-9]|[2-9]\d)(?![\d-])"),
    _compile(rf"(?P<y>{_Y4})年?(?P<fy>)(?:至|到|—|–|-|~)(?P<z>{_Y4})(?:年|财年)"),
]
_MONTHS = [
    _compile(r"(?<!\d)(?P<y>\d{4})年(?P<m>\d{1,2}|十[一二]?|[一二三四五六七八九])月"),
    _compile(rf"{_BEFORE}(?P<y>{_Y4})-(?P<m>0[1-9]|1[0-2])(?![\d-])"),
    _compile(rf"(?<![\d/.])(?P<m>0?[1-9]|1[0-2])/(?P<y>{_Y4})(?![\d/])"),
    _compile(rf"\b(?P<m>{_MONTH})\b\.?,?\s+(?:of\s+|de\s+|del\s+)?(?P<y>{_Y4})(?!\d)"),
    _compile(
        r"(?<![\d个几])(?P<m>1[0-2]|[1-9]|十[一二]?|[一二三四五六七八九])月(?P<y>)份?(?!\w*[内后前])"
    ),
]
_BARE_MONTH = _compile(rf"\b(?P<m>{_MONTH})\b")
_BEFORE_MONTH = _compile(
    r"\b(?:in|of|since|by|until|till|from|for|during|and|about|en|de|desde|hasta|im|seit|bis|für|"
    r"und|depuis|au|et|y|before|after)\s+$"
)
_YEARS = [
    _compile(rf"{_BEFORE}\b(?P<fy>{FISCAL})(?P<y>{_Y4}|['’]?\d\d(?=\b))(?!\d)"),
    _compile(rf"{_BEFORE}(?P<fy>)(?P<y>{_Y4})\s?(?P<f2>FY|fiscal year)\b"),
    _compile(rf"(?<!\d){_HAN_YEAR}{_HAN_FISCAL}"),
    _compile(rf"(?<!\d)(?P<y>{_Y4}|[〇零一二三四五六七八九]{{4}})年度?(?P<fy>)"),
    _compile(rf"{_BEFORE}(?P<fy>)(?P<y>{_Y4}){_AFTER}"),
]
_NOT_A_YEAR = _compile(r"\b(?:pages?|p\.|seite|página|section|article|artikel|no\.|nr\.|room)\s*$")


def _flat(text: str) -> str:
    """Full-width letters and digits made plain, one for one, so that offsets hold."""
    return text.translate(_PLAIN)


_PLAIN = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: 0x20, 0xA0: 0x20}


def _candidates(text: str) -> Iterable[Period]:
    """All readings of all patterns, the more telling ones first."""
    for pattern in _DAYS:
        for match in pattern.finditer(text):
            month = _month(match["m"])
            if month and 1 <= int(match["d"]) <= 31:
                yield _made(match, DAY, month, day=int(match["d"]))
    for pattern in _QUARTERS:
        for match in pattern.finditer(text):
            yield _made(match, QUARTER, _ordinal(match))
    for pattern in _HALVES:
        for match in pattern.finditer(text):
            if (half := _ordinal(match)) in (1, 2):
                yield _made(match, HALF, half)
    for pattern in _RANGES:
        for match in pattern.finditer(text):
            first, last = int(match["y"]), int(match["z"])
            last = last if last > 99 else first - first % 100 + last
            if first < last <= first + 60:
                yield replace(_made(match, RANGE, None), until=last)
    for pattern in _MONTHS:
        for match in pattern.finditer(text):
            if month := _month(match["m"]):
                yield _made(match, MONTH, month)
    yield from _bare_months(text)
    for pattern, step, shift, deictic in RELATIVES:
        for match in pattern.finditer(text):
            by = shift * (number_of(match["n"]) if "n" in pattern.groupindex else 1)
            yield Period(
                match[0], match.start(), match.end(), RELATIVE, step=step, shift=by, deictic=deictic
            )
    for pattern in _YEARS:
        for match in pattern.finditer(text):
            if not _NOT_A_YEAR.search(text[: match.start()]):
                yield _made(match, YEAR, None)


def _bare_months(text: str) -> Iterable[Period]:
    """Months without a year. "May" and "mars" are other words, too, and want a preposition."""
    for match in _BARE_MONTH.finditer(text):
        name = match[0]
        shy = name.casefold() in SHY_MONTHS
        if shy and not _BEFORE_MONTH.search(text[: match.start()]):
            continue
        if len(name) < 4 and name.casefold() not in ("may", "mai"):
            continue
        if name.casefold() in ("may", "march", "august") and not name[0].isupper():
            continue
        yield Period(name, match.start(), match.end(), MONTH, part=MONTHS[name.casefold()])


def _made(match: re.Match[str], unit: str, part: int | None, day: int | None = None) -> Period:
    groups = match.groupdict()
    year = groups.get("y") or ""
    number: int | None = None
    if year:
        digits = "".join(str(HAN_DIGITS.get(c, c)) for c in year if c.isalnum())
        number = int(digits)
        if number < 100:
            number += 2000 if number < 70 else 1900
    return Period(
        text=match[0],
        start=match.start(),
        end=match.end(),
        unit=unit,
        year=number,
        part=part,
        day=day,
        fiscal=bool(groups.get("fy") or groups.get("f2")),
    )


def _ordinal(match: re.Match[str]) -> int:
    groups = match.groupdict()
    word = (groups.get("q") or groups.get("r") or "").casefold()
    if word.isdigit():
        return int(word)
    return {"上": 1, "下": 2}.get(word) or HAN_DIGITS.get(word) or ORDINALS[word]


def _month(word: str) -> int:
    if word.isdigit():
        return int(word) if 1 <= int(word) <= 12 else 0
    if word[0] == "十":
        return 10 + (HAN_DIGITS[word[1]] if len(word) > 1 else 0)
    return HAN_DIGITS.get(word) or MONTHS.get(word.casefold(), 0)


def _month_like(number: int, like: str) -> str:
    """The month's name in the language of another period's text."""
    said = next((m[0] for m in _BARE_MONTH.finditer(like)), "January").casefold()
    names = [name for name in MONTHS if MONTHS[name] == MONTHS.get(said)]
    same = names.index(said) if said in names else 0
    choice = [name for name in MONTHS if MONTHS[name] == number]
    name = choice[min(same, len(choice) - 1)]
    return name.capitalize() if like[:1].isupper() or same == 0 else name


def _in_chinese(period: Period) -> str:
    year = "" if period.year is None else f"{period.year}{'财年' if period.fiscal else '年'}"
    match period.unit:
        case "range":
            return f"{period.year}年至{period.until}年"
        case "quarter":
            return f"{year}第{'一二三四'[(period.part or 1) - 1]}季度"
        case "half":
            return f"{year}{'上下'[(period.part or 1) - 1]}半年"
        case "month":
            return f"{year}{period.part}月"
        case "day":
            return f"{year}{period.part}月{period.day}日"
    return year

"""Numbers as lists and headings show them: iv, AA, 3rd, 第十二."""

from __future__ import annotations

from collections.abc import Callable

_ROMAN = (
    *((1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc")),
    *((50, "l"), (40, "xl"), (10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i")),
)
_MOST_ROMAN = 4_999
_RUSSIAN = "абвгдежзиклмнопрстуфхцчшщыэюя"
_KOREAN = "가나다라마바사아자차카타파하"
_HAN_DIGITS = "〇一二三四五六七八九"
_HAN_PLACES = ("", "十", "百", "千")
_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen"
    " fifteen sixteen seventeen eighteen nineteen"
).split()
_TENS = "zero ten twenty thirty forty fifty sixty seventy eighty ninety".split()
_ORDINALS = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}


def roman(number: int) -> str:
    """4 as iv; figures where there is no such numeral."""
    if not 0 < number <= _MOST_ROMAN:
        return str(number)
    told = ""
    for value, letters in _ROMAN:
        told += letters * (number // value)
        number %= value
    return told


def lettered(number: int, alphabet: str = "abcdefghijklmnopqrstuvwxyz") -> str:
    """1 as a, 26 as z, 27 as aa, 28 as bb: as Word and LibreOffice go on."""
    if not 0 < number <= 20 * len(alphabet):
        return str(number)
    times, at = divmod(number - 1, len(alphabet))
    return alphabet[at] * (times + 1)


def han(number: int) -> str:
    """12 as 十二, 105 as 一百〇五; figures beyond four places."""
    if not 0 < number < 10_000:
        return str(number)
    told, gap = "", False
    for place in range(3, -1, -1):
        digit = number // 10**place % 10
        if digit:
            # A gap between two digits is told once, and ten to nineteen have no leading one.
            told += "〇" if gap and told else ""
            one = digit == 1 and place == 1 and not told
            told += ("" if one else _HAN_DIGITS[digit]) + _HAN_PLACES[place]
            gap = False
        else:
            gap = True
    return told


def in_words(number: int) -> str:
    """7 as Seven; figures from a hundred on."""
    return _words(number).capitalize()


def ordinal(number: int) -> str:
    """3 as 3rd."""
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10)
    return f"{number}{ending or 'th'}"


def ordinal_in_words(number: int) -> str:
    """21 as Twenty-first; figures from a hundred on."""
    words = _words(number)
    if words.isdecimal():
        return ordinal(number)
    before, dash, last = words.rpartition("-")
    last = _ORDINALS.get(last, f"{last[:-1]}ieth" if last.endswith("y") else f"{last}th")
    return f"{before}{dash}{last}".capitalize()


def _words(number: int) -> str:
    if not 0 <= number < 100:
        return str(number)
    if number < 20:
        return _ONES[number]
    tens, one = divmod(number, 10)
    return _TENS[tens] + (f"-{_ONES[one]}" if one else "")


def _circled(number: int) -> str:
    return chr(0x245F + number) if 0 < number <= 20 else str(number)


NUMERALS: dict[str, Callable[[int], str]] = {
    "decimal": str,
    "decimalZero": lambda number: f"{number:02d}",
    "upperRoman": lambda number: roman(number).upper(),
    "lowerRoman": roman,
    "upperLetter": lambda number: lettered(number).upper(),
    "lowerLetter": lettered,
    "ordinal": ordinal,
    "cardinalText": in_words,
    "ordinalText": ordinal_in_words,
    "numberInDash": lambda number: f"- {number} -",
    "decimalEnclosedCircle": _circled,
    "decimalEnclosedCircleChinese": _circled,
    "russianLower": lambda number: lettered(number, _RUSSIAN),
    "russianUpper": lambda number: lettered(number, _RUSSIAN).upper(),
    "ganada": lambda number: lettered(number, _KOREAN),
    "chineseCounting": han,
    "chineseCountingThousand": han,
    "ideographDigital": han,
    "japaneseCounting": han,
    "japaneseDigitalTenThousand": han,
    "taiwaneseCountingThousand": han,
    "none": lambda _: "",
}
"""By the names that Word gives them; what is not here counts in figures."""

"""What a question asks for (a time, a number, a person, a place), and whether a sentence has it."""

from __future__ import annotations

import re

_NUMBER_WORDS = frozenset(
    (
        "two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
        "sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety "
        "hundred hundreds thousand thousands million millions billion billions dozen half third "
        "quarter twice both single one once double pair several dos tres cuatro cinco seis siete "
        "ocho nueve diez cien mil millones mitad zwei drei vier fünf sechs sieben acht neun zehn "
        "hundert tausend hälfte deux trois quatre cinq sept huit neuf dix cent mille moitié"
    ).split()
)

# What a question asks for, by its words; the first kind that matches counts.
_KINDS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (kind, re.compile(pattern, re.IGNORECASE))
    for kind, pattern in (
        (
            "when",
            r"\bwhen\b|\b(?:what|which)\s+(?:\w+\s+)?(?:year|date|day|month|decade|century|time|era"
            r"|period)s?\b|cuándo|qué\s+(?:año|fecha|día|mes|siglo|década)|\bwann\b|welche[mnrs]?\s+"
            r"(?:jahr|tag|monat|datum|jahrhundert)|\bquand\b|quel(?:le)?\s+(?:année|date|jour|mois"
            r"|siècle)|什么时候|什麼時候|何时|何時|哪一?年|哪[一个個]*[月天日]|几月|幾月|年份|时间",
        ),
        (
            "count",
            r"\bhow\s+(?:many|much|long|far|old|tall|high|large|big|often|fast|deep|wide|heavy)\b"
            r"|\bwhat\s+(?:\w+\s+)?(?:percent(?:age)?|number|amount|portion|fraction|share|rate|size"
            r"|price|cost|population)\b|cuánt[oa]s?|porcentaje|wie\s*viele?|wie\s+(?:lange|weit|alt"
            r"|hoch|groß|oft)|prozent|combien|pourcentage|多少|几[个個年天次位名岁歲人]|幾|百分"
            r"|多[大长長高远遠久]",
        ),
        (
            "who",
            r"\bwho(?:m|se)?\b|quién(?:es)?|\bwe[rmn]\b|\bwessen\b|^qui\b|\bqui\s+(?:a|est|était"
            r"|sont)\b|谁|誰|哪位|何人|什么人",
        ),
        (
            "where",
            r"\bwhere\b|\b(?:what|which)\s+(?:\w+\s+)?(?:city|country|state|place|town|location"
            r"|region|area|continent|county|river|street|building)\b|a?dónde|qué\s+(?:ciudad|país"
            r"|estado|lugar|región)|\bwo(?:hin|her)?\b|welche[mnrs]?\s+(?:stadt|land|ort|staat)"
            r"|\boù\b|quel(?:le)?\s+(?:ville|pays|région|endroit)|哪里|哪裡|哪儿|在哪|何处|何處",
        ),
    )
)
_FIGURE = re.compile(r"\d[\d.,]*")
_CJK_NUMBER = re.compile(r"[一二两兩三四五六七八九十百千万亿萬億半]")
_YEAR = re.compile(r"(?<![\d.,])(?:1\d{3}|20\d{2})(?!,?\d)")
_CALENDAR = re.compile(
    r"\b(?:january|february|march|april|may|june|july|august|september|october|november|december"
    r"|monday|tuesday|wednesday|thursday|friday|saturday|sunday|century|centuries|decade|enero"
    r"|febrero|marzo|abril|mayo|junio|julio|agosto|septiembre|octubre|noviembre|diciembre|siglo"
    r"|januar|februar|märz|mai|juni|juli|oktober|dezember|jahrhundert|janvier|février|mars|avril"
    r"|juin|juillet|août|septembre|octobre|novembre|décembre|siècle)\b|[年月日]|世纪|世紀",
    re.IGNORECASE,
)
# A capital that does not merely open a sentence.
_NAME = re.compile(r"(?<![.!?]\s)(?<!^)\b[A-ZÀ-ÖØ-Þ][\w'’-]*")
_PLACE = re.compile(
    r"\b(?:in|at|near|from|to|of|into|on|across|en|desde|bei|aus|nach|à|dans|de)\s+"
    r"(?:the\s+|la\s+|el\s+)?([A-ZÀ-ÖØ-Þ][\w'’-]*)"
)


def kind_of(question: str) -> str:
    """`when`, `count`, `who`, `where`, or empty where its words do not tell."""
    for kind, pattern in _KINDS:
        if pattern.search(question):
            return kind
    return ""


def cue(kind: str, question: str, sentence: str) -> float:
    """From 0 to 1: whether the sentence holds what such a question asks for, and news at that."""
    asked = question.casefold()
    figures = any(figure.rstrip(".,") not in asked for figure in _FIGURE.findall(sentence))
    if kind == "when":
        years = any(year not in asked for year in _YEAR.findall(sentence))
        dates = any(word.casefold() not in asked for word in _CALENDAR.findall(sentence))
        return 1.0 if years or dates else 0.5 * figures
    if kind == "count":
        if figures or _CJK_NUMBER.search(sentence):
            return 1.0
        return 0.9 * (not _NUMBER_WORDS.isdisjoint(re.findall(r"[^\W\d_]+", sentence.casefold())))
    if kind in ("who", "where"):
        names = any(name.casefold().rstrip("'’-") not in asked for name in _NAME.findall(sentence))
        if kind == "who":
            return float(names)
        places = any(name.casefold() not in asked for name in _PLACE.findall(sentence))
        return 1.0 if places else 0.6 * names
    return 0.0

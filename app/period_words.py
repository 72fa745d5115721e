"""The words that periods are made of, in English, Spanish, German, French and Chinese."""

from __future__ import annotations

import re

FISCAL = (
    r"(?:(?:FY|F\.Y\.|fiscal(?:\s+year)?|financial\s+year|año\s+fiscal|ejercicio(?:\s+fiscal)?|"
    r"Geschäftsjahr(?:es)?|GJ|exercice(?:\s+fiscal)?)[\s'’-]*)"
)
"""What makes a year a fiscal one, with the space after it."""

QUARTER_WORDS = r"quarter|quartal|quartals|trimestre"
HALF_WORDS = r"half(?:[\s-]+year)?|halbjahr(?:es)?|semestre"

ORDINALS = {
    word: number
    for number, words in {
        1: "first 1st primer primero primera 1er 1.er 1.º 1º erste erstes ersten erster erstem 1. "
        "premier première 1re",
        2: "second 2nd segundo segunda 2.º 2º zweite zweites zweiten zweiter zweitem 2. deuxième "
        "seconde 2e 2ème",
        3: "third 3rd tercer tercero tercera 3.º 3º dritte drittes dritten dritter drittem 3. "
        "troisième 3e 3ème",
        4: "fourth 4th last cuarto cuarta 4.º 4º vierte viertes vierten vierter viertem 4. "
        "quatrième 4e 4ème",
    }.items()
    for word in words.split()
    if word != "last"
}

_MONTH_NAMES = (
    "january february march april may june july august september october november december",
    "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    "januar februar märz april mai juni juli august september oktober november dezember",
    "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "jan feb mar apr may jun jul aug sep oct nov dec",
)
MONTHS = {
    name: number for names in _MONTH_NAMES for number, name in enumerate(names.split(), start=1)
} | {"sept": 9, "setiembre": 9, "okt": 10, "dez": 12}
"""Names of months, lower case. Short forms count only beside a day or a year."""

SHY_MONTHS = frozenset("may march august mars mai juni juli".split())
"""Months whose names are other words, too."""

HAN_DIGITS = {
    "〇": 0, "零": 0, "一": 1, "二": 2, "两": 2, "三": 3, "四": 4, "五": 5, "六": 6, "七": 7,
    "八": 8, "九": 9,
}  # fmt: skip

_NUMBERS = {
    word: number
    for number, words in {
        1: "a an one un une uno una ein eine einem einen 一",
        2: "two dos zwei deux 两 二",
        3: "three tres drei trois 三",
        4: "four cuatro vier quatre 四",
        5: "five cinco fünf cinq 五",
        6: "six seis sechs 六",
        7: "seven siete sieben sept 七",
        8: "eight ocho acht huit 八",
        9: "nine nueve neun neuf 九",
        10: "ten diez zehn dix 十",
    }.items()
    for word in words.split()
}
_N = rf"(?P<n>\d{{1,2}}|{'|'.join(sorted(map(re.escape, _NUMBERS), key=len, reverse=True))})"


def number_of(word: str) -> int:
    """A small number, in digits or as a word."""
    return int(word) if word.isdigit() else _NUMBERS.get(word.casefold(), 1)


def _relative(
    pattern: str, step: str, shift: int, *, deictic: bool = False
) -> tuple[re.Pattern[str], str, int, bool]:
    latin = pattern[0].isascii() or pattern[0] in "áéñ"
    bounded = rf"(?<!\w)(?:{pattern})(?!\w)" if latin else f"(?:{pattern})"
    return re.compile(bounded, re.IGNORECASE), step, shift, deictic


RELATIVES = [
    # English
    _relative(r"(?:the )?year before last", "year", -2, deictic=True),
    _relative(rf"{_N} years? (?:before|earlier|prior|previously)(?: that)?", "year", -1),
    _relative(rf"{_N} years? ago", "year", -1, deictic=True),
    _relative(rf"{_N} years? (?:later|after|afterwards)(?: that)?", "year", 1),
    _relative(
        r"(?:the )?(?:year (?:before|earlier|prior)(?: that| it)?|(?:previous|prior|preceding) "
        r"(?:fiscal |financial )?year)(?:'s)?",
        "year",
        -1,
    ),
    _relative(r"last (?:fiscal |financial )?year(?:'s)?", "year", -1, deictic=True),
    _relative(
        r"(?:the )?(?:year (?:after|later)(?: that)?|(?:following|subsequent|next) "
        r"(?:fiscal |financial )?year)",
        "year",
        1,
    ),
    _relative(rf"{_N} quarters? (?:before|earlier|prior)", "quarter", -1),
    _relative(
        r"(?:the )?(?:quarter (?:before|earlier|prior)(?: that)?|(?:previous|prior|preceding) "
        r"(?:fiscal )?quarter)",
        "quarter",
        -1,
    ),
    _relative(r"(?:the )?last quarter", "quarter", -1, deictic=True),
    _relative(
        r"(?:the )?(?:quarter (?:after|later)(?: that)?|(?:following|subsequent|next) quarter)",
        "quarter",
        1,
    ),
    _relative(
        r"(?:the )?(?:month (?:before|earlier)(?: that)?|(?:previous|prior|preceding) month)",
        "month",
        -1,
    ),
    _relative(r"(?:the )?last month", "month", -1, deictic=True),
    _relative(r"(?:the )?(?:month (?:after|later)(?: that)?|(?:following|next) month)", "month", 1),
    _relative(r"(?:in |for |of )?(?:that|the same) (?:fiscal )?year", "year", 0),
    _relative(r"(?:in |for |of )?(?:that|the same) quarter", "quarter", 0),
    _relative(r"(?:in |for |of )?(?:that|the same) month", "month", 0),
    _relative(
        r"(?:over |in |for |of )?(?:that|the same) period|at that time|back then", "period", 0
    ),
    # Spanish
    _relative(rf"{_N} años? (?:antes|atrás)", "year", -1),
    _relative(rf"hace {_N} años?", "year", -1, deictic=True),
    _relative(rf"{_N} años? (?:después|más tarde)", "year", 1),
    _relative(
        r"(?:el |del |al )?(?:año|ejercicio)(?: fiscal)? (?:anterior|previo|precedente)", "year", -1
    ),
    _relative(r"(?:el |del |al )?año pasado", "year", -1, deictic=True),
    _relative(
        r"(?:el |del |al )?(?:(?:año|ejercicio) (?:siguiente|posterior|próximo)|"
        r"(?:siguiente|próximo) (?:año|ejercicio))",
        "year",
        1,
    ),
    _relative(r"(?:el |del |al )?trimestre (?:anterior|previo|precedente)", "quarter", -1),
    _relative(
        r"(?:el |del |al )?(?:último trimestre|trimestre pasado)", "quarter", -1, deictic=True
    ),
    _relative(
        r"(?:el |del |al )?(?:trimestre (?:siguiente|posterior)|(?:siguiente|próximo) trimestre)",
        "quarter",
        1,
    ),
    _relative(r"(?:el |del |al )?mes (?:anterior|previo|pasado)", "month", -1),
    _relative(r"(?:el |del |al )?(?:mes siguiente|(?:siguiente|próximo) mes)", "month", 1),
    _relative(r"(?:en )?(?:ese|aquel|el) (?:mismo )?año(?! (?:de |\d))", "year", 0),
    _relative(
        r"(?:en )?(?:ese|aquel|el) mismo (?:per[ií]odo|trimestre)|en ese per[ií]odo", "period", 0
    ),
    # German
    _relative(r"vorvorjahr(?:es|s)?", "year", -2),
    _relative(rf"{_N} jahre? (?:zuvor|davor|früher|vorher)", "year", -1),
    _relative(rf"vor {_N} jahr(?:en)?", "year", -1, deictic=True),
    _relative(rf"{_N} jahre? (?:später|danach)", "year", 1),
    _relative(
        r"(?:(?:im|das|dem|am) )?(?:vorjahr(?:es|s)?|jahr (?:davor|zuvor|vorher)|"
        r"(?:vorherige[ns]?|vorige[ns]?|vorangegangene[ns]?|vorhergehende[ns]?) "
        r"(?:geschäfts)?jahr(?:es)?)"
        r"|vorjahres(?:zeitraum|quartal)(?:s)?",
        "year",
        -1,
    ),
    _relative(
        r"(?:(?:im|das|dem) )?(?:letzte[ns]?|vergangene[ns]?) jahr(?:es)?", "year", -1, deictic=True
    ),
    _relative(
        r"(?:(?:im|das|dem) )?(?:folgejahr(?:es)?|jahr (?:danach|darauf)|"
        r"(?:folgende[ns]?|nächste[ns]?|darauffolgende[ns]?) jahr(?:es)?)",
        "year",
        1,
    ),
    _relative(
        r"(?:(?:im|das|dem) )?(?:vorquartal(?:s)?|quartal (?:davor|zuvor)|"
        r"(?:vorherige[ns]?|vorige[ns]?) quartal(?:s)?)",
        "quarter",
        -1,
    ),
    _relative(r"(?:(?:im|das|dem) )?letzte[ns]? quartal(?:s)?", "quarter", -1, deictic=True),
    _relative(
        r"(?:(?:im|das|dem) )?(?:folgequartal(?:s)?|quartal (?:danach|darauf)|"
        r"(?:folgende[ns]?|nächste[ns]?) quartal(?:s)?)",
        "quarter",
        1,
    ),
    _relative(
        r"(?:(?:im|den|dem) )?(?:vormonat(?:s)?|monat (?:davor|zuvor)|"
        r"(?:vorherige[ns]?|letzte[ns]?) monat)",
        "month",
        -1,
    ),
    _relative(
        r"(?:(?:im|den|dem) )?(?:folgemonat|monat (?:danach|darauf)|"
        r"(?:folgende[ns]?|nächste[ns]?) monat)",
        "month",
        1,
    ),
    _relative(r"(?:im|in) (?:selben|gleichen|diesem|jenem|dem) jahr", "year", 0),
    _relative(r"(?:im|in) (?:selben|gleichen|diesem) (?:zeitraum|quartal)|damals", "period", 0),
    # French
    _relative(rf"{_N} ans? (?:avant|plus tôt|auparavant)", "year", -1),
    _relative(rf"il y a {_N} ans?", "year", -1, deictic=True),
    _relative(rf"{_N} ans? (?:après|plus tard)", "year", 1),
    _relative(r"(?:l['’])?(?:année|exercice) (?:d['’]avant|précédente?|antérieure?)", "year", -1),
    _relative(
        r"(?:l['’])?(?:année (?:dernière|passée)|an (?:dernier|passé))", "year", -1, deictic=True
    ),
    _relative(r"(?:l['’])?(?:année|exercice) (?:d['’]après|suivante?|prochaine?)", "year", 1),
    _relative(r"(?:le |au |du )?trimestre (?:d['’]avant|précédent)", "quarter", -1),
    _relative(
        r"(?:le |au |du )?(?:trimestre dernier|dernier trimestre)", "quarter", -1, deictic=True
    ),
    _relative(
        r"(?:le |au |du )?(?:trimestre (?:d['’]après|suivant)|prochain trimestre)", "quarter", 1
    ),
    _relative(r"(?:le |au |du )?mois (?:d['’]avant|précédent|dernier)", "month", -1),
    _relative(r"(?:le |au |du )?mois (?:d['’]après|suivant|prochain)", "month", 1),
    _relative(r"(?:cette année-là|(?:à |de )?la même année)", "year", 0),
    _relative(
        r"(?:sur |à |pour )?la même période|(?:au )?même trimestre|à l['’]époque", "period", 0
    ),
    # Chinese
    _relative(r"(?:去年|上年|上一年|前一年)(?:度)?同期", "year", -1),
    _relative(r"前年", "year", -2, deictic=True),
    _relative(r"再?(?:前|上)一(?:个)?(?:财)?年度?|上年度?|头一年", "year", -1),
    _relative(r"去年", "year", -1, deictic=True),
    _relative(rf"{_N}年(?:以|之)?前", "year", -1),
    _relative(rf"{_N}年(?:以|之)?后", "year", 1),
    _relative(r"(?:后|下)一(?:个)?(?:财)?年度?|次年|第二年|翌年", "year", 1),
    _relative(r"明年", "year", 1, deictic=True),
    _relative(r"(?:上|前)一?个?季度?", "quarter", -1),
    _relative(r"(?:下|后)一?个?季度?", "quarter", 1),
    _relative(r"(?:上|前一)个?月", "month", -1),
    _relative(r"(?:下|后一)个?月", "month", 1),
    _relative(r"同一?年|当年|那一?年|该年", "year", 0),
    _relative(r"同期|同一时期|那时候?", "period", 0),
]
"""Pattern, step, shift (times the number `n` where there is one), and whether deictic."""

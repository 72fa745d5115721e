"""Words reduced to stems, lightly and in several languages at once, to compare sentences by."""

from __future__ import annotations

import re

_UNSPACED = "\u0e00-\u0eff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
_IN_WORD = rf"(?:[^\W_{_UNSPACED}]|[\u0300-\u036f\u064b-\u065f\u0900-\u0963\u0966-\u0dff])"
_TERM = re.compile(rf"[{_UNSPACED}]+|{_IN_WORD}+(?:[.,'’]{_IN_WORD}+)*")
_ENDINGS = (
    *(("'s", ""), ("’s", ""), ("ies", "y"), ("sses", "ss"), ("ing", ""), ("edly", ""), ("ed", "")),
    *(("ly", ""), ("es", ""), ("ss", "ss"), ("s", ""), ("e", "")),
)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_COMMON = _words(
    "a an the of in on at to for from by with and or but as is are was were be been being do "
    "does did has have had it its that this these those which what who whom whose when where "
    "why how many much there their they he she his her him we our you your i not no can could "
    "would will shall should may might must than then so if into about after before over under "
    "between during also such other some any all each both more most very only own same s t de "
    "la el los las un una unos unas en y o que es son fue fueron era eran se su sus por para "
    "con del al lo como más qué cuál cuáles quién cuándo cuánto cuánta cuántos cuántas dónde "
    "cómo le ha han había sobre entre der die das den dem des ein eine einen einem einer eines "
    "und oder ist sind war waren wird wurde wurden hat haben hatte im am auf aus bei mit nach "
    "von vom zu zum zur für über unter was wer wie wann wo warum welche welcher welches nicht "
    "auch sich es sie er als les du et ou est sont était étaient ont avait dans sur pour par "
    "avec qui quoi quand où comment combien quel quelle quels quelles ce cette ces il elle ils "
    "elles ne pas plus au aux son sa ses "
    "多少 少人 有多 什么 么时 时候 是什 哪里 哪个 哪些 哪一 是谁 由谁 何时 如何 怎么 为什 在哪 "
    "几个 几年 是多"
)


def terms(text: str) -> list[str]:
    """The words of a text, case folded and stemmed lightly; unspaced scripts in pairs."""
    found: list[str] = []
    for match in _TERM.finditer(text.casefold()):
        word = match[0]
        if "\u0e00" <= word[0] <= "\u0eff" or "\u3040" <= word[0] <= "\u9fff":
            found.extend([word[i : i + 2] for i in range(len(word) - 1)] or [word])
        else:
            found.append(stem(word))
    return found


def stem(word: str) -> str:
    """A word in small letters without its commonest endings."""
    if len(word) <= 3:
        return word
    for ending, instead in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            stem = word[: len(word) - len(ending)] + instead
            doubled = len(stem) > 3 and stem[-1] == stem[-2] and stem[-1] not in "ls"
            return stem[:-1] if doubled else stem
    return word


COMMON_STEMS = _COMMON | {stem(word) for word in _COMMON}
"""Small words of six languages, stemmed."""

"""When does an answer say that the text does not say it? English, Chinese, Spanish, German, French.

A sentence denies where it holds one of the ways in which models say so; what
it names after that is not stated: "I cannot find that the number is 12345"
answers nothing. A "but" in between takes that back.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_DENIAL = re.compile(
    r"\b(?:do(?:es)?(?:\s+not|n['’]t)|did(?:\s+not|n['’]t)|never)\s+(?:\w+\s+){0,3}?"
    r"(?:say|says|state|states|mention|mentions|contain|provide|include|specify|tell|hold|give|"
    r"indicate|answer|appear|exist|know|reveal|disclose|list|have|see|find)\b"
    r"|\b(?:is|are|was|were)(?:\s+not|n['’]t)\s+(?:\w+\s+){0,3}?"
    r"(?:mentioned|stated|specified|provided|given|found|contained|included|available|clear|"
    r"there|present|listed|known|disclosed|in\s+the|any)\b"
    r"|\bno\s+(?:\w+\s+){0,3}?(?:information|mention|answer|reference|record|evidence|such)\b"
    r"|\bno\s+(?:\w+\s+){1,5}?(?:is|are|was|were)\s+(?:\w+\s+)?"
    r"(?:mentioned|stated|given|found|provided|specified|listed|there)\b"
    r"|\bthere\s+(?:is|are|was|were)\s+(?:no|not\s+any|nothing)\b"
    r"|\b(?:can\s?not|can['’]t|could\s+not|couldn['’]t|unable\s+to)\s+(?:be\s+)?"
    r"(?:find|found|answer|answered|determine|determined|say|tell|locate|confirm|identify)\b"
    r"|\bnot\s+(?:there|found|mentioned|stated|specified|given|present|available|provided)\b"
    # Spanish
    r"|\bno\s+(?:se\s+)?(?:lo\s+|la\s+|le\s+)?(?:\w+\s+)?(?:dicen?|mencionan?|contienen?|indican?|"
    r"especifican?|proporcionan?|hay|está|están|aparecen?|encuentra|encuentran|encontré|encuentro|"
    r"existen?|figuran?|consta|sé|puedo|tengo|revelan?|mencionad[oa]s?|menciona)\b"
    r"|\b(?:ningun[oa]?|ningún)\s+(?:\w+\s+){0,3}?(?:menciona|dice|indica|aparece|información)\b"
    # Chinese
    r"|没有?(?:在)?(?:说明|提到|提及|提供|包含|指出|说|相关|找到|出现|给出|记载|写|列出|任何|这|该)"
    r"|未(?:说明|提到|提及|提供|包含|指出|找到|出现|给出|记载|列出|知)"
    r"|不(?:包含|存在|知道|清楚|在(?:文|其|这|本)|得而知)|并未|并没有|无法(?:回答|确定|找到|得知|确认)"
    r"|无(?:相关|此)|文(?:中|本|章)(?:里|中)?没有"
    # German, French
    r"|\b(?:sagen|enthalten|nennen|erwähnen|sagt|enthält|nennt|erwähnt|steht|gibt)\b"
    r"[^.]{0,60}\b(?:nicht|keine[nrs]?|kein)\b"
    r"|\bne?\s+(?:dit|disent|mentionnent?|contien(?:t|nent)|précisent?|donnent?|figure|trouve)\b"
    r"|\bn['’](?:est|apparaît|indique|existe)\b",
    re.IGNORECASE,
)

_BARE = re.compile(
    r"(?:no|none|nothing|n/?a|unknown|not there|not found|not mentioned|not stated|not given|"
    r"not present|not available|i do(?: not|n['’]t) know|"
    r"ningun[oa]|nada|desconocido|no está|no aparece|no existe|no se menciona|no lo sé|"
    r"没有|无|不存在|未知|未提及|没有提到|不知道|不在其中|nicht vorhanden|unbekannt|inconnu)",
    re.IGNORECASE,
)

_TAKEN_BACK = re.compile(
    r"\b(?:but|however|although|yet|instead|pero|sin embargo|aunque|aber|mais|jedoch)\b"
    r"|但是?|不过|然而",
    re.IGNORECASE,
)

_END = re.compile(r"[!?;。！？；\n]+|\.(?=\s|$|[\"'”’)\]])")
_AROUND = " \t\r\n.!?;:,\"'`*_()[]{}“”‘’。！？；：，、（）【】「」"


@dataclass(frozen=True, slots=True)
class Span:
    """A sentence by its place in the text; `denied_from` is where a denial in it begins to hold."""

    start: int
    end: int
    denied_from: int | None
    denied_to: int
    """Where a "but" ends the denial; the sentence's end otherwise."""


def abstains(answer: str) -> bool:
    """Whether the answer says anywhere that the text does not say it."""
    if _BARE.fullmatch(answer.strip(_AROUND)):
        return True
    return any(span.denied_from is not None for span in spans(answer))


def states(position: int, sentences: list[Span]) -> bool:
    """Whether what stands at a position is stated, rather than inside a denial."""
    for span in sentences:
        if span.start <= position < span.end:
            return span.denied_from is None or not span.denied_from <= position < span.denied_to
    return True


def spans(answer: str) -> list[Span]:
    """The sentences of an answer, each with the part that denies."""
    found = []
    start = 0
    for mark in [*_END.finditer(answer), None]:
        end = mark.end() if mark else len(answer)
        if end > start:
            found.append(_span(answer, start, end))
        start = end
    return found


def _span(answer: str, start: int, end: int) -> Span:
    denial = _DENIAL.search(answer, start, end)
    if denial is None:
        return Span(start, end, None, end)
    back = _TAKEN_BACK.search(answer, denial.end(), end)
    return Span(start, end, denial.start(), back.start() if back else end)

"""What in a new question stands for what in the one before: a year for a year, a name for a name.

Places in the text of the question before, and the words that are put there.
"""

from __future__ import annotations

import re
from dataclasses import replace

from app.entities import Entity, Period, periods, shifted, with_year, written
from app.followup_words import (
    ARTICLES,
    AUXILIARY_SETS,
    HAN_ATTRIBUTE,
    PREPOSITIONS,
)
from app.periods import YEAR
from app.question_reading import ANSWER_LEAD, Before, Reading, tells, words_of

Edit = tuple[int, int, str, bool]
"""Start and end in the question before, the words put there, and whether that is sure."""

_SAME = {"im": "in", "am": "an", "vom": "von", "beim": "bei", "zum": "zu", "zur": "zu",
         "del": "de", "al": "a", "du": "de", "des": "de", "au": "à", "aux": "à"}  # fmt: skip


def period_of(asked: Reading, base: Before) -> tuple[str, Period | None, str, bool]:
    """The new period's words, the old one it stands for, why, and whether that is sure."""
    anchor = base.periods[-1] if base.periods else None
    one = len({p.form for p in base.periods}) <= 1
    if asked.fixed and not asked.relative:
        new = asked.fixed[0]
        text = asked.body[new.start : asked.fixed[-1].end]
        if len(asked.fixed) == 1 and anchor is not None:
            text = _completed(new, anchor)
            if re.match(r"between|entre|zwischen", anchor.text, re.IGNORECASE):
                # "between 2016 and 2018" has its preposition inside.
                text = with_preposition(asked, new, text)
        elif anchor is None:
            text = with_preposition(asked, new, text)
        dated = new.year is None and anchor is not None and anchor.year is not None
        why = f"in the year of {anchor.text}" if dated and anchor is not None else ""
        return text, anchor, why, one
    from_answer = False
    if anchor is None:
        said = {p.form: p for p in periods(base.answer[:ANSWER_LEAD]) if p.year is not None}
        if len(said) == 1:
            anchor, from_answer = next(iter(said.values())), True
    first, last = asked.periods[0], asked.periods[-1]
    raw = asked.body[first.start : last.end]
    if anchor is None:
        return raw, None, "", False
    if asked.fixed:
        # "Q3 of the year before": the quarter is said, its year is not.
        own = asked.fixed[0]
        if own.year is None:
            anchor = _dated(own, anchor)
    now: Period | None = anchor
    for step in asked.relative:
        now = shifted(now, step.step, step.shift) if now is not None else None
    old = None if from_answer else base.periods[-1]
    if now is None:
        return raw, None, "", False
    text = _rewritten(anchor, now)
    shift = sum(step.shift for step in asked.relative)
    sure = one and not any(step.deictic and step.step != YEAR for step in asked.relative)
    why = _why(raw, anchor, shift)
    return text, old, why, sure


def _why(raw: str, anchor: Period, shift: int) -> str:
    if shift == 0:
        return f"“{raw}” is {anchor.text}"
    return f"“{raw}”, counted from {anchor.text}"


def _dated(own: Period, anchor: Period) -> Period:
    """A quarter or month without a year, in the year of another period."""
    return replace(own, year=anchor.until or anchor.year, fiscal=anchor.fiscal)


def _completed(new: Period, anchor: Period) -> str:
    """The new period's words, with the year or the fiscal year of the old one."""
    if new.year is None and anchor.year is not None:
        dated = _dated(new, anchor)
        if re.search(r"[\u4e00-\u9fff]", new.text + anchor.text):
            return written(dated, "年")
        return f"{new.text} {'FY' if anchor.fiscal else ''}{dated.year}"
    if new.unit == anchor.unit == YEAR and new.year and anchor.year:
        return with_year(anchor.text, anchor.year, new.year) or new.text
    return new.text


def _rewritten(old: Period, new: Period) -> str:
    if old.unit == new.unit and old.part == new.part and old.year and new.year and old.text:
        changed = with_year(old.text, old.year, new.year)
        if changed is not None:
            return changed
    return written(new, old.text)


def in_place_of_relatives(asked: Reading, new: str) -> str:
    start, end = asked.relative[0].start, asked.relative[-1].end
    said = re.match(r"(?:in|for|of|over|im|en|à|de)\s+", asked.body[start:end], re.IGNORECASE)
    lead = asked.body[:start] + (said[0] if said else "")
    return f"{lead}{new}{asked.body[end:]}"


def _preposition(text: str, position: int, language: str) -> str:
    """The preposition before a position, an article between them aside."""
    words = [word.casefold() for word in words_of(text[:position])[-2:]]
    while words and words[-1] in ARTICLES and words[-1] not in PREPOSITIONS[language]:
        words.pop()
    word = words[-1] if words else ""
    return _SAME.get(word, word) if word in PREPOSITIONS[language] else ""


def with_preposition(asked: Reading, span: Entity | Period, text: str) -> str:
    lead = words_of(asked.body[: span.start])
    return (
        " ".join([*lead[-2:], text])
        if _preposition(asked.body, span.start, asked.language)
        else text
    )


def _class_of(entity: Entity) -> str:
    if entity.kind == "identifier":
        if re.match(r"§|第|[A-Za-zÀ-ÿ]+\s+(?:\d|[A-Z]$)", entity.text):
            return re.sub(r"[\W\d]+.*", "", entity.text).casefold() or "§"
        if re.fullmatch(r"\d[A-Z]|[A-Z]\d", entity.text):
            return "name"
        return "identifier"
    return "name"


def counterpart(asked: Reading, base: Before) -> tuple[Entity | None, bool]:
    """The name of the question before that the new one stands for; and whether that is sure."""
    new = asked.entities[0]
    pool = list(base.sure) or list(base.entities)
    alike = [entity for entity in pool if _class_of(entity) == _class_of(new)]
    if not alike and len(pool) == 1 and _class_of(new) in ("name", "identifier"):
        alike = [e for e in pool if _class_of(e) in ("name", "identifier")]
    if not new.sure and not asked.tied and not alike:
        return None, False
    preposition = _preposition(asked.body, new.start, asked.language)
    if preposition:
        beside = [
            e for e in alike if _preposition(base.text, e.start, base.language) == preposition
        ]
        if len(beside) == 1:
            return beside[0], True
        if preposition in ("in", "en", "à") and alike and not beside:
            # "in Germany" adds a place; it takes the place of no company.
            return None, True
    elif len(alike) > 1:
        # "And Adobe?" stands for the company, not for the country it sells in.
        free = [
            e
            for e in alike
            if _preposition(base.text, e.start, base.language) not in ("in", "en", "à")
        ]
        alike = free or alike
    if not alike:
        return None, True
    owners = [e for e in alike if base.text[e.end : e.end + 2] in ("'s", "’s")]
    if len(alike) == 1:
        return alike[0], new.sure or asked.tied
    return (owners or alike)[0], len(owners) == 1


def same_preposition(asked: Reading, base: Before) -> Edit | None:
    """ "in winter?" … "And in summer?": the phrase with the same preposition is replaced."""
    words = words_of(asked.body)
    if not words or words[0].casefold() not in PREPOSITIONS[asked.language]:
        return None
    wanted = _SAME.get(words[0].casefold(), words[0].casefold())
    places = [
        match
        for match in re.finditer(r"[^\W\d_]+", base.text)
        if match[0].casefold() in PREPOSITIONS[base.language]
        and _SAME.get(match[0].casefold(), match[0].casefold()) == wanted
        and not any(p.start <= match.end() + 4 and match.start() < p.end for p in base.periods)
    ]
    if not places:
        # Nothing to replace: "And in winter?" narrows what was asked.
        end = len(base.text.rstrip(" ?？.!"))
        return end, end, f" {asked.body}", True
    start = places[-1].start()
    end = len(base.text)
    for match in re.finditer(r"[^\W\d_]+|[?？.,;!]", base.text[places[-1].end() :]):
        at = places[-1].end() + match.start()
        if not match[0][0].isalpha() or match[0].casefold() in PREPOSITIONS[base.language] | {
            "if",
            "when",
            "and",
        }:
            end = at
            break
    end = len(base.text[:end].rstrip())
    return start, end, asked.body, len(places) == 1


def measure(asked: Reading, base: Before) -> Edit | None:
    """ "And the operating income?" after "3M's capital expenditure": one measure for another."""
    words = words_of(asked.body)
    if (
        not words
        or words[0].casefold() in PREPOSITIONS[asked.language]
        or asked.entities
        or asked.periods
    ):
        return None
    if len(base.sure) != 1:
        return None
    owner = base.sure[0]
    after = re.match(r"['’]s?\s+", base.text[owner.end :])
    if after:
        start = owner.end + after.end()
        end = _phrase_end(base, start)
        new = " ".join(words[1:] if words[0].casefold() in ARTICLES else words)
        return (start, end, new, True) if end > start else None
    before = re.search(
        r"(?:^|\s)(?P<m>[^\s?¿]+(?:\s+[^\s?]+){0,4}?)\s+(?:of|de|del|von|der|du|des|d['’])\s*(?:the\s+)?$",
        base.text[: owner.start],
        re.IGNORECASE,
    )
    if before is None:
        return None
    start, end = before.start("m"), before.end("m")
    for match in re.finditer(r"[^\s?¿]+", before["m"]):
        word = match[0].casefold()
        if word in ARTICLES or tells(word, base.language):
            start = before.start("m") + match.start()
            break
    else:
        return None
    return start, end, asked.body, True


def _phrase_end(base: Before, start: int) -> int:
    """Where the phrase that begins at `start` ends: before a preposition, a period, a mark."""
    for match in re.finditer(r"[^\W_]+|[?？.,;!]", base.text[start:]):
        at = start + match.start()
        inside = any(p.start <= at < p.end for p in base.periods)
        word = match[0].casefold()
        verb = word in AUXILIARY_SETS[base.language]
        if (
            inside
            or not match[0][0].isalnum()
            or (word in PREPOSITIONS[base.language] and word != "of")
            or verb
        ):
            return len(base.text[:at].rstrip())
    return len(base.text.rstrip())


def chinese_fragment(asked: Reading, base: Before) -> Edit | None:
    body = asked.body
    if asked.periods or base.language != "zh":
        return None
    property_ = re.search(
        r"的(?P<t>[\u3400-\u9fff]{1,10}?)(?=是|为|有|多少|多[大长高]|如何|怎|[？?]|$)", base.text
    )
    copula = re.search(r"^(?P<t>[\u3400-\u9fff]{2,8}?)(?=是|为|有多|多少)", base.text)
    if HAN_ATTRIBUTE.search(body):
        if property_:
            return property_.start("t"), property_.end("t"), body, True
        if copula and not base.entities:
            return copula.start("t"), copula.end("t"), body, True
        return None
    holders = [e for e in base.entities if e.start == 0 or e.kind in ("subject", "name", "known")]
    if holders:
        return holders[0].start, holders[0].end, body, False
    if copula:
        return copula.start("t"), copula.end("t"), body, False
    return None

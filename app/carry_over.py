"""Follow-up questions by rule: what a question takes over from the ones before it.

"And the year before?" is searched as the question before it with another year, "And Adobe?" with
another company; "How much was that in percent?" takes the names, periods and words of what was
asked with it; a whole new question takes nothing. Deterministic, without a model, and each thing
that is carried over says where it comes from and why.

Texts of answers and documents are only ever looked through for names and years.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from app.answers import Turn
from app.counterparts import (
    chinese_fragment,
    counterpart,
    in_place_of_relatives,
    measure,
    period_of,
    same_preposition,
    with_preposition,
)
from app.entities import Entity, Period, entities
from app.followup_words import (
    COMPARING,
    HAN_LIGHT,
    LEANING_LIGHT,
    PREPOSITIONS,
    WHO,
    WHO_PERSON,
)
from app.question_reading import ANSWER_LEAD, Before, Reading, before, read, topic_of, words_of

ENTITY = "entity"
PERIOD = "period"
TOPIC = "topic"

FROM_QUESTION = "question"
FROM_ANSWER = "answer"
FROM_DOCUMENT = "document"

MAX_TURNS = 8
"""How many turns back a chain of follow-ups is followed."""
LONGEST = 1000
"""Characters. Nobody leans on the question before with more; of that one, as many are read."""
_LONGEST_FRAGMENT = 7


@dataclass(frozen=True, slots=True)
class Carried:
    """One thing that a question takes over."""

    text: str
    kind: str
    """`entity`, `period` or `topic`."""
    source: str
    """`question`, `answer` or `document`: where in the conversation it stands."""
    why: str
    """For people: `asked about before`, `one year before FY2018`."""


@dataclass(frozen=True, slots=True)
class FollowUp:
    """A question as it is searched for."""

    question: str
    query: str
    how: str = "alone"
    """`alone` (as typed), `rules` or `model`."""
    carried: tuple[Carried, ...] = ()
    sure: bool = True
    """False where the question leans on the conversation and the rules had to guess."""

    @property
    def searched(self) -> str:
        """What was searched for where that is not the question; else empty."""
        return "" if self.query.strip() == self.question.strip() else self.query

    @property
    def leans(self) -> bool:
        """Whether the question was found to need the ones before it."""
        return self.how != "alone" or not self.sure

    def names(self, kind: str) -> list[str]:
        """The texts that were carried over of one kind."""
        return [item.text for item in self.carried if item.kind == kind]


def carry_over(question: str, history: Sequence[Turn]) -> FollowUp:
    """The question as it stands alone, by what it takes over from the turns before it."""
    if not history or not question.strip() or len(question) > LONGEST:
        return FollowUp(question, question)
    recent = list(history[-MAX_TURNS:])
    base = recent[0].searched or recent[0].question
    for index, turn in enumerate(recent[1:], start=1):
        base = turn.searched or _resolved(turn.question, base, recent[:index])
    return _resolve(question.strip(), base[:LONGEST], recent)


def _resolved(question: str, base: str, turns: Sequence[Turn]) -> str:
    """An earlier question as it was searched for."""
    if not question.strip() or len(question) > LONGEST:
        return question
    return _resolve(question.strip(), base[:LONGEST], turns).query


# --- resolving ----------------------------------------------------------------------------------


def _resolve(question: str, base_text: str, turns: Sequence[Turn]) -> FollowUp:
    base = before(base_text, turns)
    asked = read(question, base_text, base.known)
    alone = FollowUp(question, question)
    comparing = bool(COMPARING.search(asked.body)) and bool(
        asked.entities or asked.periods or asked.pointers
    )
    if not asked.content and not comparing:
        if (asked.entities or asked.periods) and not asked.asks | bool(asked.pointers):
            # "Adobe?", "in 2019?": nothing but what changes.
            if asked.tied or asked.periods or base.sure or asked.text != asked.body:
                return _swap(question, asked, base)
            return alone
        if asked.entities or asked.periods:
            if asked.tied or asked.pointers or not asked.entities:
                return _swap(question, asked, base)
            return alone  # "Who is Ingrid?"
        return _bare(question, asked, base) or alone
    if _is_fragment(asked):
        return _fragment(question, asked, base)
    if asked.pointers or comparing & asked.tied:
        return _point(question, asked, base, comparing=comparing)
    if asked.tied and (not asked.entities or not asked.periods):
        return _point(question, asked, base, comparing=False, topic=False)
    if any(not period.deictic for period in asked.relative) and base.periods:
        return _point(question, asked, base, comparing=comparing, topic=False)
    if _parallel(asked, base):
        return _point(question, asked, base, comparing=False, topic=False)
    return alone


def _is_fragment(asked: Reading) -> bool:
    """Whether it is a piece of a sentence that only makes sense beside another."""
    if asked.asks or asked.pointers & {"possessive", "person", "thing", "she", "clitic"}:
        return False
    if asked.language == "zh":
        return asked.tied and len(asked.body) <= 16
    words = words_of(asked.body)
    if len(words) > _LONGEST_FRAGMENT:
        return False
    return asked.tied or (bool(words) and words[0].casefold() in PREPOSITIONS[asked.language])


def _bare(question: str, asked: Reading, base: Before) -> FollowUp | None:
    """ "Why?", "Who?", "Can you explain that?": all of the question before belongs to it."""
    words = [word.casefold() for word in words_of(asked.body)]
    leans = (
        asked.tied
        or asked.pointers
        or asked.asks
        or any(word in LEANING_LIGHT for word in words)
        or bool(asked.language == "zh" and HAN_LIGHT.sub("", asked.body).strip() == "")
    )
    if not leans or not words:
        return None
    names = _from_answer(asked, base)
    carried = [*_all_of(base), *names]
    query = f"{_capped(asked.body)}{'？' if asked.language == 'zh' else '?'} {base.text}"
    query = " ".join([query, *(item.text for item in names)])
    return FollowUp(question, query, "rules", tuple(carried))


def _swap(question: str, asked: Reading, base: Before) -> FollowUp:
    """The question before, with another name or period in the place of its own."""
    text, sure = base.text, True
    edits: list[tuple[int, int, str]] = []
    carried: list[Carried] = []
    appended: list[str] = []
    kept_entities, kept_periods = list(base.entities), list(base.periods)
    if asked.periods:
        new, old, why, certain = period_of(asked, base)
        sure &= certain
        if old is not None:
            edits.append((old.start, old.end, new))
            kept_periods.remove(old)
        elif new:
            appended.append(new)
        if why:
            carried.append(Carried(new, PERIOD, FROM_QUESTION, why))
    if asked.entities:
        first, last = asked.entities[0], asked.entities[-1]
        new_name = asked.body[first.start : last.end]
        same = {entity.form for entity in base.entities} >= {e.form for e in asked.entities}
        old_name, certain = (None, True) if same else counterpart(asked, base)
        sure &= certain
        if old_name is not None:
            edits.append((old_name.start, old_name.end, new_name))
            kept_entities.remove(old_name)
        elif not same:
            appended.append(with_preposition(asked, first, new_name))
    elif not base.sure:
        names = [
            Carried(name, ENTITY, FROM_DOCUMENT, "the answer before rests on this document")
            for name in base.documents
            if name.casefold() not in base.text.casefold()
        ][:1]
        carried += names
        appended += [item.text for item in names]
    for start, end, new in sorted(edits, reverse=True):
        text = text[:start] + new + text[end:]
    mark = re.search(r"[\s?？.!。]*$", text)
    end = mark.start() if mark else len(text)
    text = " ".join([text[:end], *appended]) + (mark[0] if mark else "")
    carried = _kept(kept_entities, kept_periods, base) + carried
    return FollowUp(question, text.strip(), "rules", tuple(carried), sure)


def _fragment(question: str, asked: Reading, base: Before) -> FollowUp:
    """ "And for interns?", "And the operating income?": a new part beside old ones."""
    if asked.language == "zh":
        swapped = chinese_fragment(asked, base)
    else:
        swapped = same_preposition(asked, base) or measure(asked, base)
    if swapped is None:
        return _point(question, asked, base, comparing=False, sure=False)
    start, end, new, sure = swapped
    entities_kept = [e for e in base.entities if e.end <= start or e.start >= end]
    periods_kept = [p for p in base.periods if p.end <= start or p.start >= end]
    text = base.text[:start] + new + base.text[end:]
    carried = _kept(entities_kept, periods_kept, base, without=(start, end))
    return FollowUp(question, text, "rules", tuple(carried), sure)


def _point(
    question: str,
    asked: Reading,
    base: Before,
    *,
    comparing: bool,
    topic: bool = True,
    sure: bool = True,
) -> FollowUp:
    """The question itself, followed by what it points at."""
    text = f"{_capped(asked.body)}?" if asked.tied and asked.language != "zh" else question
    carried: list[Carried] = []
    if asked.relative:
        new, old, why, certain = period_of(asked, base)
        sure &= certain
        if why:
            mark = "？" if asked.language == "zh" else "?"
            text = f"{_capped(in_place_of_relatives(asked, new))}{mark}"
            carried.append(Carried(new, PERIOD, FROM_QUESTION, why))
            if comparing and old is not None:
                carried.append(Carried(old.text, PERIOD, FROM_QUESTION, "compared with"))
    mine = {entity.form for entity in asked.entities}
    names = _from_answer(asked, base)
    if not asked.entities or comparing:
        found = [e for e in base.entities if e.form not in mine and (e.sure or topic)]
        if asked.pointers & {"person"} and names:
            found = []
        carried += _kept(found, [], base, topic=False)
        if not base.sure and not names:
            carried += [
                Carried(name, ENTITY, FROM_DOCUMENT, "the answer before rests on this document")
                for name in base.documents[:1]
                if name.casefold() not in f"{base.text} {question}".casefold()
            ]
    if not asked.periods or (comparing and not asked.relative):
        carried += _kept([], base.periods, base, topic=False)
    carried += names
    owner = asked.pointers == {"possessive"} or asked.pointers == {"person"}
    named = any(item.kind == ENTITY for item in carried)
    if topic and not (owner and named):
        words = [w for w in topic_of(base) if w.casefold() not in asked.body.casefold()]
        if words:
            carried.append(
                Carried(" ".join(words), TOPIC, FROM_QUESTION, "what was asked about before")
            )
    sure = sure and _unambiguous(asked, base, carried)
    if not topic and asked.tied:
        sure = False
    extra = _in_order(carried, text)
    if not extra and not asked.relative:
        return FollowUp(question, question, sure=not asked.pointers)
    return FollowUp(question, f"{text} {extra}".strip(), "rules", tuple(carried), sure)


def _unambiguous(asked: Reading, base: Before, carried: Sequence[Carried]) -> bool:
    """Whether there is one thing that the question's pointers can mean."""
    names = [item for item in carried if item.kind == ENTITY]
    if asked.pointers & {"possessive", "person"}:
        return len(names) == 1
    return bool(carried) and len(names) <= 1


def _in_order(carried: Sequence[Carried], text: str) -> str:
    """Names, then topic, then periods, each once."""
    folded = text.casefold()
    pieces: list[str] = []
    for kind in (ENTITY, TOPIC, PERIOD):
        for item in carried:
            if item.kind == kind and item.text.casefold() not in folded:
                pieces.append(item.text)
                folded += " " + item.text.casefold()
    return " ".join(pieces)


def _parallel(asked: Reading, base: Before) -> bool:
    """The same question with another period and without the name: "What was it in …" spelt out."""
    if asked.entities or not base.sure or not asked.periods or not asked.content:
        return False
    return set(asked.content) <= {word.casefold() for word in topic_of(base)}


# --- pieces -------------------------------------------------------------------------------------


def _all_of(base: Before) -> list[Carried]:
    return _kept(list(base.entities), list(base.periods), base)


def _kept(
    names: Sequence[Entity],
    spans: Sequence[Period],
    base: Before,
    *,
    topic: bool = True,
    without: tuple[int, int] = (0, 0),
) -> list[Carried]:
    found = [Carried(e.text, ENTITY, FROM_QUESTION, "asked about before") for e in names]
    found += [Carried(p.text, PERIOD, FROM_QUESTION, "asked about before") for p in spans]
    if topic and (words := topic_of(base, without)):
        found.append(Carried(" ".join(words), TOPIC, FROM_QUESTION, "asked about before"))
    return found


def _from_answer(asked: Reading, base: Before) -> list[Carried]:
    """The name that the answer gave to a question that asked for one."""
    if not asked.pointers or not WHO.search(base.text):
        return []
    of_person = "person" in asked.pointers or asked.language in ("es", "de", "fr")
    if base.sure and WHO_PERSON.search(base.text) and not of_person:
        return []  # "Who runs Adobe?" … "What is its address?"
    mine = {entity.form for entity in (*base.entities, *asked.entities)}
    found = [
        entity.text
        for entity in entities(base.answer[:ANSWER_LEAD])
        if entity.kind in ("name", "acronym", "identifier") and entity.form not in mine
    ]
    return [
        Carried(name, ENTITY, FROM_ANSWER, "named in the answer before")
        for name in list(dict.fromkeys(found))[:1]
    ]


def _capped(text: str) -> str:
    return text[:1].upper() + text[1:]

"""A question taken apart: what it is about, and what in it points at the conversation."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from app.answers import Turn
from app.entities import Entity, Period, document_names, entities, periods
from app.entity_words import FUNCTION_WORDS, OPENERS
from app.followup_words import (
    AUXILIARY_SETS,
    CLAUSE,
    CONNECTIVES,
    EXPLETIVES,
    GENERIC_TITLE_WORDS,
    HAN_CONNECTIVES,
    HAN_LIGHT,
    HAN_PARTICLES,
    HAN_PERSON,
    HAN_POINTERS,
    HAN_POSSESSIVE,
    HAN_QUESTION,
    HESITATIONS,
    INTERROGATIVES,
    LIGHT,
    POINTERS,
    language_of,
)
from app.periods import RELATIVE

ANSWER_LEAD = 400
"""Characters of an answer that are looked through for the name it gives."""

_MAX_TOPIC_WORDS = 16


@dataclass(frozen=True, slots=True)
class Reading:
    """A question taken apart."""

    text: str
    language: str
    tied: bool
    """It begins with "and", "what about", 那."""
    body: str
    """Without that beginning and without the marks at the end."""
    entities: tuple[Entity, ...]
    """In the body."""
    periods: tuple[Period, ...]
    content: tuple[str, ...]
    """Words of the body that say what it is about, names and periods aside."""
    asks: bool
    """It has a question word or a verb of its own."""
    pointers: frozenset[str]

    @property
    def relative(self) -> tuple[Period, ...]:
        return tuple(period for period in self.periods if period.unit == RELATIVE)

    @property
    def fixed(self) -> tuple[Period, ...]:
        return tuple(period for period in self.periods if period.unit != RELATIVE)


def read(question: str, base: str, known: Sequence[str]) -> Reading:
    language = language_of(question, base)
    text = HESITATIONS.sub("", question, count=1) or question
    if language == "zh":
        body = HAN_CONNECTIVES.sub("", text, count=1)
        tied = body != text
        asking = HAN_QUESTION.search(body) is not None
        tied = tied or (not asking and bool(re.search(r"呢[？?。!！\s]*$", text)))
        body = HAN_PARTICLES.sub("", body).strip(" ，,。")
    else:
        start = CONNECTIVES.match(text)
        tied = start is not None
        body = (text[start.end() :] if start else text).strip(" ¿¡?!.…？！。,")
    # A capital at the beginning names nobody ("Est-il fixe ?"), but for a name alone ("Adobe?").
    names = tuple(e for e in entities(body, known) if e.sure or e.text == body or language == "zh")
    spans = tuple(periods(body))
    rest = blanked(body, [*names, *spans])
    pointers = _pointers(body, language)
    if language == "zh":
        content = tuple(re.findall(r"[\u3400-\u9fff]+|\w+", HAN_LIGHT.sub(" ", rest)))
        asks = bool(HAN_QUESTION.search(rest))
    else:
        words = [word.casefold() for word in words_of(rest)]
        content = tuple(word for word in words if tells(word, language))
        asks = any(word in INTERROGATIVES for word in words) or any(
            word in AUXILIARY_SETS[language] for word in words
        )
    return Reading(text, language, tied, body, names, spans, content, asks, pointers)


def blanked(text: str, spans: Sequence[Entity | Period]) -> str:
    for span in spans:
        text = text[: span.start] + " " * (span.end - span.start) + text[span.end :]
    return text


def words_of(text: str) -> list[str]:
    return re.findall(r"[^\W_]+(?:[-'’][^\W_]+)*", text)


def tells(word: str, language: str) -> bool:
    bare = re.sub(r"^(?:[dlnsmtcj]|qu)['’]|['’]s$", "", word)
    return not (
        bare in FUNCTION_WORDS
        or bare in LIGHT
        or bare in INTERROGATIVES
        or bare in AUXILIARY_SETS[language]
        or len(bare) < 2
        or word == "s"
    )


def _pointers(body: str, language: str) -> frozenset[str]:
    """The kinds of words that point out of the question."""
    if language == "zh":
        kinds_of = (("person", HAN_PERSON), ("possessive", HAN_POSSESSIVE), ("near", HAN_POINTERS))
        found = [
            kind
            for kind, pattern in kinds_of
            if any(not _named_before(body, match) for match in pattern.finditer(body))
        ]
        return frozenset(found[:1])
    text = EXPLETIVES.sub(lambda match: " " * len(match[0]), body)
    kinds: set[str] = set()
    spans = periods(text)
    for kind, pattern in POINTERS[language]:
        for match in pattern.finditer(text):
            inside = any(p.start < match.end() and match.start() < p.end for p in spans)
            if not inside and not _answered_inside(text, match, kind, language):
                kinds.add(kind)
    return frozenset(kinds)


def _named_before(body: str, match: re.Match[str]) -> bool:
    """The same for Chinese: a pronoun after a noun, or a 这 after what it sums up (氧气这个词)."""
    before = body[: match.start()]
    if match[0][0] in "这那该此":
        return bool(re.search(r"[\u3400-\u9fffA-Za-z”」》]$", HAN_LIGHT.sub(" ", before))) or (
            before.endswith("的") and len(before) > 2
        )
    return len(re.findall(r"[\u3400-\u9fff]|\w+", HAN_LIGHT.sub(" ", before))) >= 2


def _answered_inside(text: str, match: re.Match[str], kind: str, language: str) -> bool:
    """Whether the word points at something that the question itself names before it.

    "Does the warranty cover batteries if they swell?": "they" are the batteries. In one and the
    same clause only a possessive can ("How does the company treat its suppliers?"): who owns "it"
    in "Which company owns it?" is not the company.
    """
    if kind == "near":
        return False
    owning = kind in ("possessive", "clitic") or match[0].casefold() in ("his", "her", "hers")
    before = text[: match.start()]
    named = [m for m in re.finditer(r"[^\W_]+", before) if _names_something(m[0], language)]
    if not named:
        return False
    if owning or (language == "fr" and kind == "thing"):
        return True
    return any(CLAUSE.search(before[word.end() :] + " ") for word in named)


def _names_something(word: str, language: str) -> bool:
    if language == "de":
        return word[0].isupper() and tells(word.casefold(), language)
    return tells(word.casefold(), language) and word.casefold() not in OPENERS


@dataclass(frozen=True, slots=True)
class Before:
    """The question before, whole, and what stands around it."""

    text: str
    entities: tuple[Entity, ...]
    periods: tuple[Period, ...]
    answer: str
    language: str
    known: tuple[str, ...]
    documents: tuple[str, ...]
    """Names of the one document that the answer rests on; empty where there are several."""

    @property
    def sure(self) -> tuple[Entity, ...]:
        return tuple(entity for entity in self.entities if entity.sure)


def before(base: str, turns: Sequence[Turn]) -> Before:
    answer = re.sub(r"\s*\[\d+(?:\s*,\s*\d+)*\]", "", turns[-1].answer)
    known: dict[str, None] = {}
    for turn in turns[-3:]:
        for hit in turn.hits:
            known |= dict.fromkeys(_telling_names(hit.document, hit.title))
    language = language_of(base)
    found = [item for item in entities(base, known) if not _is_topic(item)]
    known |= dict.fromkeys(entity.text for entity in found if entity.sure)
    lead = entities(answer[:ANSWER_LEAD])
    known |= dict.fromkeys(entity.text for entity in lead if entity.sure)
    return Before(
        text=base,
        entities=tuple(found),
        periods=tuple(p for p in periods(base) if p.unit != RELATIVE),
        answer=answer,
        language=language,
        known=tuple(known),
        documents=_cited_document(turns[-1]),
    )


def _is_topic(entity: Entity) -> bool:
    return not entity.sure and entity.form in LIGHT


def _telling_names(document: str, title: str) -> list[str]:
    """Names of a document that name something: not "Annual report", not "notes"."""
    names = []
    for name in document_names(document, title):
        words = [word.casefold() for word in words_of(name)]
        telling = [word for word in words if word not in GENERIC_TITLE_WORDS]
        if telling and (name != name.casefold() or re.search(r"[\u3400-\u9fff]", name)):
            names.append(name)
    return names


def _cited_document(turn: Turn) -> tuple[str, ...]:
    """The names of the document that the last answer rests on, where it is one."""
    cited = {int(n) for n in re.findall(r"\[(\d+)\]", turn.answer)}
    hits = [hit for n, hit in enumerate(turn.hits, start=1) if not cited or n in cited]
    if len({hit.document for hit in hits}) != 1:
        return ()
    return tuple(_telling_names(hits[0].document, hits[0].title))


def topic_of(base: Before, without: tuple[int, int] = (0, 0)) -> list[str]:
    """The words of the question before that say what it is about, names and periods aside."""
    rest = blanked(base.text, [*base.entities, *base.periods])
    rest = rest[: without[0]] + " " * (without[1] - without[0]) + rest[without[1] :]
    if base.language == "zh":
        cut = re.sub(
            r"请问|什么|多少|哪[里些个家]?|谁|怎么样?|如何|为什么|[吗呢？?。！，,]", " ", rest
        )
        parts = [re.sub(r"^[的是有在]+|[的是有为]+$", "", part) for part in cut.split()]
        return [part for part in parts if part][:_MAX_TOPIC_WORDS]
    words = dict.fromkeys(w for w in words_of(rest) if tells(w.casefold(), base.language))
    return list(words)[:_MAX_TOPIC_WORDS]

"""Needles of every kind: drawn fresh for each trial, the same for the same seed."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from random import Random

from evaluation.niah.needle_texts import WORDS, Key, key, near_key, person, phrase, sentence_case
from evaluation.niah.records import Needle, Task, ValueType

SEVERAL = 3
"""Needles of a task that asks for several, and links of a chain."""

DISTRACTORS = 4
"""Wrong sentences planted beside the right one, in tasks that have them."""


@dataclass(frozen=True, slots=True)
class OwnNeedle:
    """A needle that the user wrote."""

    text: str
    question: str
    answers: tuple[str, ...]
    """All of them must be named."""
    distractors: tuple[tuple[str, str], ...] = ()
    """Texts and the wrong values they hold."""


@dataclass(frozen=True, slots=True)
class Draw:
    """What one trial plants and asks."""

    needles: tuple[Needle, ...]
    distractors: tuple[Needle, ...]
    question: str
    expected: tuple[str, ...]
    """Empty where the answer must be that the text does not say it."""
    value_type: ValueType


class _Drawing:
    """One trial's random choices; no key and no value comes twice."""

    def __init__(self, language: str, value_type: ValueType, rng: Random) -> None:
        self.language = language
        self.value_type = value_type
        self.rng = rng
        self.words = WORDS[language]
        self._keys: set[str] = set()
        self._values: set[str] = set()

    def key(self, near: Key | None = None) -> Key:
        while True:
            made = near_key(self.language, near, self.rng) if near else key(self.language, self.rng)
            if made.bare not in self._keys:
                self._keys.add(made.bare)
                return made
            near = None

    def value(self) -> str:
        while True:
            made = self._value()
            if made not in self._values:
                self._values.add(made)
                return made

    def person(self) -> str:
        while True:
            made = person(self.language, self.rng)
            # Nor a first or last name: half a name would then fit two people.
            if not self._values & set(made.split()):
                self._values |= {made, *made.split()}
                return made

    def _value(self) -> str:
        if self.value_type == "number":
            return str(self.rng.randrange(1_000_000, 10_000_000))
        if self.value_type == "uuid":
            return str(uuid.UUID(int=self.rng.getrandbits(128), version=4))
        return phrase(self.language, self.rng)

    def shown(self, value: str) -> str:
        """The value as it stands in a sentence: words in quotation marks."""
        if self.value_type != "sentence":
            return value
        return f"“{value}”" if self.language != "es" else f"«{value}»"

    def states(self, of: Key, value: str, what: str = "") -> Needle:
        what = what or self.words.what[self.value_type][0]
        template = self.rng.choice(self.words.states)
        text = template.format(
            what=what, What=sentence_case(what), of=of.of, value=self.shown(value)
        )
        return Needle(text, value, of.bare)

    def ask(self, template: str, of: Key) -> str:
        what, whats = self.words.what[self.value_type]
        return sentence_case(template.format(what=what, whats=whats, of=of.of))


def draw(
    task: Task,
    language: str,
    value_type: ValueType,
    rng: Random,
    own: Sequence[OwnNeedle] = (),
    number: int = 0,
) -> Draw:
    """The needles and the question of one trial.

    The user's own needles, where there are any, take turns by the trial's
    number in `single`, `distractors` and `absent`.
    """
    if own and task in ("single", "distractors", "absent"):
        return _own(task, own[number % len(own)], value_type)
    drawing = _Drawing(language, value_type, rng)
    if task == "no_overlap":
        return _no_overlap(drawing)
    return {
        "single": _single,
        "multi_key": _multi_key,
        "multi_value": _multi_value,
        "multi_query": _multi_query,
        "chain": _chain,
        "distractors": _near,
        "absent": _absent,
    }[task](drawing)


def _single(drawing: _Drawing) -> Draw:
    gold = drawing.key()
    value = drawing.value()
    return _draw(drawing, [drawing.states(gold, value)], [], drawing.words.ask, gold, [value])


def _multi_key(drawing: _Drawing) -> Draw:
    gold = drawing.key()
    value = drawing.value()
    others = [drawing.states(drawing.key(), drawing.value()) for _ in range(DISTRACTORS)]
    return _draw(drawing, [drawing.states(gold, value)], others, drawing.words.ask, gold, [value])


def _multi_value(drawing: _Drawing) -> Draw:
    gold = drawing.key()
    values = [drawing.value() for _ in range(SEVERAL)]
    _, whats = drawing.words.what[drawing.value_type]
    needles = [
        Needle(
            sentence_case(
                drawing.words.one_of.format(whats=whats, of=gold.of, value=drawing.shown(value))
            ),
            value,
            gold.bare,
        )
        for value in values
    ]
    return _draw(drawing, needles, [], drawing.words.ask_all, gold, values)


def _multi_query(drawing: _Drawing) -> Draw:
    keys = [drawing.key() for _ in range(SEVERAL)]
    values = [drawing.value() for _ in keys]
    needles = [drawing.states(one, value) for one, value in zip(keys, values, strict=True)]
    words = drawing.words
    what, whats = words.what[drawing.value_type]
    # Chinese has the owner's mark once, behind the last of them.
    owners = [one.of for one in keys] if words.spaced else [one.name for one in keys[:-1]]
    if not words.spaced:
        owners.append(keys[-1].of)
    ofs = words.comma.join(owners[:-1]) + words.and_ + owners[-1]
    question = sentence_case(words.ask_several.format(what=what, whats=whats, ofs=ofs))
    return Draw(tuple(needles), (), question, tuple(values), drawing.value_type)


def _chain(drawing: _Drawing) -> Draw:
    keys = [drawing.key() for _ in range(SEVERAL)]
    value = drawing.value()
    what = drawing.words.what[drawing.value_type][0]
    links = [
        Needle(
            sentence_case(
                drawing.words.same_as.format(
                    what=what,
                    What=sentence_case(what),
                    of=one.of,
                    other=following.of if drawing.words.spaced else following.name,
                )
            ),
            "",
            one.bare,
        )
        for one, following in pairwise(keys)
    ]
    end = drawing.states(keys[-1], value)
    wrong = drawing.states(drawing.key(near=keys[0]), drawing.value())
    return _draw(drawing, [*links, end], [wrong], drawing.words.ask, keys[0], [value])


def _near(drawing: _Drawing) -> Draw:
    """Near-duplicates: another thing of a similar name, another number of the same thing."""
    gold = drawing.key()
    value = drawing.value()
    needle = drawing.states(gold, value)
    return _draw(drawing, [needle], _lookalikes(drawing, gold), drawing.words.ask, gold, [value])


def _absent(drawing: _Drawing) -> Draw:
    gold = drawing.key()
    left_out = drawing.states(gold, drawing.value())
    return _draw(drawing, [left_out], _lookalikes(drawing, gold), drawing.words.ask, gold, [])


def _lookalikes(drawing: _Drawing, gold: Key) -> list[Needle]:
    others = drawing.words.other[drawing.value_type]
    found = [
        drawing.states(drawing.key(near=gold), drawing.value())
        for _ in range(DISTRACTORS - DISTRACTORS // 2)
    ]
    found += [drawing.states(gold, drawing.value(), what) for what in others[: DISTRACTORS // 2]]
    drawing.rng.shuffle(found)
    return found


def _no_overlap(drawing: _Drawing) -> Draw:
    """A person named in other words than the question's: who has read only words finds nothing."""
    facts = list(drawing.words.facts)
    drawing.rng.shuffle(facts)
    people = [drawing.person() for _ in facts[: 1 + DISTRACTORS]]
    made = [
        Needle(fact.text.format(value=name), name, name)
        for fact, name in zip(facts, people, strict=False)
    ]
    return Draw((made[0],), tuple(made[1:]), facts[0].question, (people[0],), "sentence")


def _own(task: Task, needle: OwnNeedle, value_type: ValueType) -> Draw:
    planted = Needle(needle.text, needle.answers[0], needle.question)
    wrong = tuple(Needle(text, value, needle.question) for text, value in needle.distractors)
    return Draw(
        (planted,),
        () if task == "single" else wrong,
        needle.question,
        () if task == "absent" else needle.answers,
        value_type,
    )


def _draw(
    drawing: _Drawing,
    needles: Sequence[Needle],
    distractors: Sequence[Needle],
    template: str,
    of: Key,
    expected: Sequence[str],
) -> Draw:
    return Draw(
        tuple(needles),
        tuple(distractors),
        drawing.ask(template, of),
        tuple(expected),
        drawing.value_type,
    )

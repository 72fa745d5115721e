"""The numbers that Word puts before paragraphs: "7.2", "(a)", "Article IV".

They stand nowhere in a document's text. `numbering.xml` says how each level of a
list counts and is written, styles may name a list, and the numbers come of
counting through the paragraphs in order, as Word does when it shows them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from ingest.loaders.counting import NUMERALS
from ingest.loaders.docx_styles import MOST_BASES, OFF, W, default_paragraph_style, styles_of

_LEVELS = 9

_PLACE = re.compile(r"%([1-9])")
_LONGEST = 60


@dataclass(frozen=True, slots=True)
class _Level:
    """How one level of a list counts."""

    start: int = 1
    form: str = "decimal"
    """Word's name of the numerals; `bullet` for none."""
    text: str = ""
    """What is shown, `%1` standing for the number of the first level."""
    legal: bool = False
    """All numbers of its text in figures, whatever their own levels say."""
    restart: int | None = None
    """Counts anew after a paragraph of a level before this one (from 1; 0: never); None: any."""
    style: str = ""
    width: int = 0
    """Figures at least, as in 007."""


@dataclass(slots=True)
class _List:
    """A list of the document: how it counts, and how far it has come."""

    levels: dict[int, _Level]
    counters: list[int | None] = field(default_factory=lambda: [None] * _LEVELS)


@dataclass(frozen=True, slots=True)
class _Instance:
    """What paragraphs refer to: a list, perhaps with levels or starts of its own."""

    name: str
    levels: dict[int, _Level]
    starts: dict[int, int]


class Numbers:
    """Counts through the paragraphs of a document, which must be asked for in their order."""

    def __init__(self, numbering: Any | None, styles: Any) -> None:
        """Takes the root elements of `numbering.xml` (None for no such part) and `styles.xml`."""
        self._lists: dict[str, _List] = {}
        self._instances: dict[str, _Instance] = {}
        self._begun: set[tuple[str, int]] = set()
        self._styles = styles_of(styles)
        self._default = default_paragraph_style(self._styles)
        self._of_style: dict[str, tuple[str, int] | None] = {}
        if numbering is not None:
            self._read(numbering)

    def before(self, paragraph: Any) -> str | None:
        """What stands before a paragraph (`w:p`): a number, "" for a bullet, None for nothing."""
        place = self._place(paragraph)
        if place is None:
            return None
        name, level = place
        instance = self._instances[name]
        counted = self._lists[instance.name]
        levels = {**counted.levels, **instance.levels}
        own = levels.get(level, _Level())
        if own.form == "bullet":
            return ""
        if _is_gone(paragraph):
            return None
        self._count(name, instance, counted, levels, level)

        def number(found: re.Match[str]) -> str:
            at = int(found[1]) - 1
            shown = levels.get(at, _Level())
            value = counted.counters[at]
            return "" if value is None else _shown(value, shown, legal=own.legal)

        return _PLACE.sub(number, own.text).strip()[:_LONGEST]

    def _count(
        self,
        name: str,
        instance: _Instance,
        counted: _List,
        levels: dict[int, _Level],
        level: int,
    ) -> None:
        own = levels.get(level, _Level())
        # A level that was passed over has begun: no two paragraphs are "1.1".
        for upper in range(level):
            if counted.counters[upper] is None:
                counted.counters[upper] = levels.get(upper, _Level()).start
        before = counted.counters[level]
        counted.counters[level] = own.start if before is None else before + 1
        if level in instance.starts and (name, level) not in self._begun:
            counted.counters[level] = instance.starts[level]
        self._begun.add((name, level))
        for deeper in range(level + 1, _LEVELS):
            restart = levels.get(deeper, _Level()).restart
            if restart is None or level < restart:
                counted.counters[deeper] = None

    def _place(self, paragraph: Any) -> tuple[str, int] | None:
        """(instance, level) of a paragraph, by itself or by its style."""
        properties = paragraph.find(f"{W}pPr")
        named = properties.find(f"{W}pStyle") if properties is not None else None
        style = named.get(f"{W}val", "") if named is not None else self._default
        if style not in self._of_style:
            self._of_style[style] = self._place_of_style(style)
        by_style = self._of_style[style]
        own = properties.find(f"{W}numPr") if properties is not None else None
        if own is None:
            return by_style
        name, level = _value(own, "numId"), _number(_value(own, "ilvl"), -1)
        if name is None and by_style is not None:
            name = by_style[0]
        if level < 0:
            level = by_style[1] if by_style is not None and name == by_style[0] else 0
        return (name, level) if name in self._instances and level < _LEVELS else None

    def _place_of_style(self, style: str) -> tuple[str, int] | None:
        """The list that a style, or one that it is based on, belongs to."""
        chain = list(self._chain(style))
        name, level = None, -1
        for element in chain:
            own = element.find(f"{W}pPr/{W}numPr")
            if own is None:
                continue
            if level < 0:
                level = _number(_value(own, "ilvl"), -1)
            name = _value(own, "numId")
            if name is not None:
                break
        if name is None or name not in self._instances:
            return None
        linked = {
            at: found.style
            for at, found in {
                **self._lists[self._instances[name].name].levels,
                **self._instances[name].levels,
            }.items()
            if found.style
        }
        for element in chain:
            for at, linked_style in linked.items():
                if linked_style == element.get(f"{W}styleId"):
                    return name, at
        return name, min(max(level, 0), _LEVELS - 1)

    def _chain(self, style: str) -> list[Any]:
        """A style and those it is based on, the nearest first."""
        found: list[Any] = []
        while style in self._styles and len(found) < MOST_BASES:
            found.append(self._styles[style])
            style = _value(self._styles[style], "basedOn") or ""
        return found

    def _read(self, numbering: Any) -> None:
        linked: dict[str, str] = {}
        for element in numbering.findall(f"{W}abstractNum"):
            name = element.get(f"{W}abstractNumId", "")
            self._lists[name] = _List(dict(map(_level, element.findall(f"{W}lvl"))))
            if (link := _value(element, "numStyleLink")) is not None:
                linked[name] = link
        lists = {
            element.get(f"{W}numId", ""): _value(element, "abstractNumId") or ""
            for element in numbering.findall(f"{W}num")
        }
        for name, style in linked.items():
            # The list is told where the style is defined.
            element = self._styles.get(style)
            own = element.find(f"{W}pPr/{W}numPr") if element is not None else None
            target = lists.get(_value(own, "numId") or "", "") if own is not None else ""
            if target in self._lists and target != name:
                self._lists[name] = self._lists[target]
        for element in numbering.findall(f"{W}num"):
            name = element.get(f"{W}numId", "")
            if lists[name] not in self._lists or name == "0":
                continue
            levels: dict[int, _Level] = {}
            starts: dict[int, int] = {}
            for override in element.findall(f"{W}lvlOverride"):
                at = _number(override.get(f"{W}ilvl"), 0)
                own_level = override.find(f"{W}lvl")
                if own_level is not None:
                    levels[at] = _level(own_level)[1]
                if (start := _value(override, "startOverride")) is not None:
                    starts[at] = _number(start, 1)
            self._instances[name] = _Instance(lists[name], levels, starts)


def _level(element: Any) -> tuple[int, _Level]:
    form, width = "decimal", 0
    # In a choice of versions Word's own stands first, such as "001, 002, 003, ...".
    for found in element.iter(f"{W}numFmt"):
        form = found.get(f"{W}val", form)
        if form == "custom":
            first = found.get(f"{W}format", "").partition(",")[0].strip()
            width = len(first) if first.isdecimal() else 0
        break
    legal = element.find(f"{W}isLgl")
    restart = _value(element, "lvlRestart")
    return _number(element.get(f"{W}ilvl"), 0), _Level(
        start=_number(_value(element, "start"), 1),
        form=form,
        text=_value(element, "lvlText") or "",
        legal=legal is not None and legal.get(f"{W}val", "1") not in OFF,
        restart=None if restart is None else _number(restart, 0),
        style=_value(element, "pStyle") or "",
        width=width,
    )


def _shown(value: int, level: _Level, *, legal: bool) -> str:
    if legal and level.form != "none":
        return str(value)
    return NUMERALS.get(level.form, str)(value).zfill(level.width)


def _is_gone(paragraph: Any) -> bool:
    """Whether change tracking deleted a paragraph, or all of it is hidden: Word does not count it.

    A hidden end alone only joins a heading to the text behind it.
    """
    mark = paragraph.find(f"{W}pPr/{W}rPr")
    if mark is None:
        return False
    if any(mark.find(f"{W}{name}") is not None for name in ("del", "moveFrom")):
        return True
    return _vanishes(mark) and all(
        _vanishes(run.find(f"{W}rPr"))
        for run in paragraph.iter(f"{W}r")
        if run.find(f"{W}t") is not None
    )


def _vanishes(properties: Any) -> bool:
    vanish = properties.find(f"{W}vanish") if properties is not None else None
    return vanish is not None and vanish.get(f"{W}val", "1") not in OFF


def _value(element: Any, name: str) -> str | None:
    found = element.find(f"{W}{name}")
    return None if found is None else str(found.get(f"{W}val", ""))


def _number(stated: str | None, default: int) -> int:
    return int(stated) if stated and stated.isdecimal() and len(stated) < 8 else default

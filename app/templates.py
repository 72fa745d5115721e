"""Sentences with `{names}`, found again in text that was composed elsewhere."""

from __future__ import annotations

import re
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

LONGEST = 4000
"""Characters. What is longer is no sentence of Hayloft's, and is left as it is."""
_MOST_PIECES = 12
_DEPTH = 4
"""How far a sentence within a sentence is looked for."""
_BREAK = re.compile(r"(?<=[.!?。！？]) (?=\S)")
_FULL = ("。", "！", "？", "：", "；")
"""Behind these no space follows."""


@dataclass(frozen=True, slots=True)
class _Template:
    """A sentence's literal parts, with the names that stand between them."""

    parts: tuple[str, ...]
    """One more than there are names; empty where a name stands at the edge or two meet."""
    names: tuple[str, ...]
    translation: str

    def values(self, text: str, *, bare: bool) -> dict[str, str] | None:
        """What stands for each name; None where the text is another sentence.

        `bare`: the name that it begins with is missing. Each part is looked for from the left,
        and what was found is not moved again.
        """
        first, *inner, last = self.parts
        cursor, end = len(first), len(text) - len(last)
        if cursor > end or not (text.startswith(first) and text.endswith(last)):
            return None
        found = []
        for part in inner:
            place = _place(text, part, cursor, end)
            if place < 0:
                return None
            found.append(text[cursor:place])
            cursor = place + len(part)
        found = _parted(self.parts, [*found, text[cursor:end]])
        values = dict(zip(self.names, found, strict=True))
        # What begins with a name begins the sentence: those before it are sentences of their own.
        if not first and (bare if found[0] else not bare):
            return None
        if not first and (_BREAK.search(found[0]) or ": " in f"{found[0]} "):
            return None
        number = values.get("n")
        if number is not None and not number.replace(",", "").replace(".", "").isdigit():
            return None
        return values


class Templates:
    """The sentences of one language, each told by its English form.

    A text is one of them as a whole, or has the form of one with names (what stands for a name
    is kept, and is translated where it is a known sentence itself), or is several one after
    another. Of two forms that fit, the one with more words of its own is taken.
    """

    def __init__(self, known: Mapping[str, str]) -> None:
        self._whole: dict[str, str] = {}
        found: list[_Template] = []
        for sentence, translation in known.items():
            parts, names = taken_apart(sentence)
            if names:
                found.append(_Template(parts, names, translation))
            else:
                self._whole[parts[0]] = translation.format()
        found.sort(key=lambda one: -sum(map(len, one.parts)))
        # Most are told to be others by their longest part alone, without a call.
        self._open = [(max(one.parts, key=len), one) for one in found]

    def say(self, text: str) -> str:
        """The text in the language, as far as it is known; else as it is."""
        if not text or len(text) > LONGEST:
            return text
        return self._say(text, _DEPTH)

    def _say(self, text: str, depth: int) -> str:
        known = self._phrase(text, depth)
        if known is None and depth < _DEPTH:
            # Of a sentence within a sentence the name is sometimes left out.
            known = self._phrase(f" {text}", depth, bare=True)
        return known if known is not None else self._in_pieces(text, depth)

    def _phrase(self, text: str, depth: int, *, bare: bool = False) -> str | None:
        """The text as one sentence; None where it is none that is known."""
        whole = self._whole.get(text)
        if whole is not None or not depth:
            return whole
        for longest, template in self._open:
            if longest not in text:
                continue
            values = template.values(text, bare=bare)
            if values is not None:
                said = {name: self._say(value, depth - 1) for name, value in values.items()}
                return template.translation.format(**said).lstrip()
        return None

    def _in_pieces(self, text: str, depth: int) -> str:
        """Several sentences, one after another; each that is not known stays as it is."""
        if not depth:
            return text
        pieces = _BREAK.split(text)
        if len(pieces) > _MOST_PIECES:
            return text
        said: list[str] = []
        start = 0
        while start < len(pieces):
            for stop in range(len(pieces), start, -1):
                known = self._phrase(" ".join(pieces[start:stop]), depth)
                if known is not None:
                    said.append(known)
                    start = stop
                    break
            else:
                said.append(self._behind_colon(pieces[start], depth))
                start += 1
        return _joined(said)

    def _behind_colon(self, text: str, depth: int) -> str:
        """`name: sentence`, where the sentence is known."""
        place = text.find(": ")
        while place > 0:
            known = self._phrase(text[place + 2 :], depth - 1)
            if known is not None:
                return f"{text[:place]}：{known}"
            place = text.find(": ", place + 1)
        return text


def taken_apart(sentence: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The literal parts of a sentence, one more than its names, and its names."""
    parts, names = [""], []
    for literal, name, _, _ in string.Formatter().parse(sentence):
        parts[-1] += literal
        if name is not None:
            names.append(name)
            parts.append("")
    return tuple(parts), tuple(names)


def _place(text: str, part: str, start: int, end: int) -> int:
    """Where the part begins; not within a bracket that was opened after `start`."""
    first = place = text.find(part, start, end)
    while place >= 0 and part and text.count("(", start, place) > text.count(")", start, place):
        place = text.find(part, place + 1, end)
    return first if place < 0 else place


def _parted(parts: Sequence[str], values: list[str]) -> list[str]:
    """Where two names meet, the first has it all, but for what stands in brackets at the end."""
    for place in range(1, len(parts) - 1):
        if not parts[place]:
            both = values[place - 1] + values[place]
            cut = both.find(" (")
            values[place - 1 : place + 1] = [both, ""] if cut < 0 else [both[:cut], both[cut:]]
    return values


def _joined(pieces: Sequence[str]) -> str:
    said = ""
    for piece in pieces:
        said += piece if not said or said.endswith(_FULL) else f" {piece}"
    return said

"""What replies are worth while every page is read.

A sloppy model's replies are taken in many forms: lines like `[2] "sentence"`, or NONE, but also
JSON, lists, code fences and quotation marks of any kind. A reply is trusted in one thing only:
what it returns counts where it stands word for word on a page it was shown.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from app.quotes import PageIndex
from app.read_protocol import MOST_QUESTIONS, Section
from app.sentences import sentences
from storage.flags import suspect_spans

_LONGEST_QUESTION = 300
_LONGEST_SENTENCE = 800
"""Characters. What was copied grows to its whole sentence up to this length."""

_LABEL = re.compile(
    r"^[\s>*•·\-–#\"'“„«]*(?:(?:page|pages|seite|página|p\.|第)\s*)?[\[(【［]?\s*(?P<page>\d{1,4})"
    r"\s*[\])】］]?\s*页?\s*[*:：.,)\-–—|]*\s*",
    re.IGNORECASE,
)
_BULLET = re.compile(r"^[\s>*•·\-–#]+")
_TAIL = re.compile(r"\s*[\[(【](?:page\s*)?\d{1,4}[\])】]\s*[.]?\s*$", re.IGNORECASE)
_FENCE = re.compile(r"^\s*```\w*\s*$", re.MULTILINE)
_THOUGHT = re.compile(r"<think>.*?</think>", re.DOTALL)
_NONE = re.compile(
    r"\W*(?:none|no|null|nil|nothing|n/?a|empty|not found|keine?r?|ninguna?o?|nada|aucune?|rien|"
    r"无|沒有|没有|無|(?:there (?:is|are) )?(?:no|none)\b[^\n\"“]{0,80}?"
    r"(?:sentences?|pages?|information|answer|mention)[^\n\"“]{0,60})\W*",
    re.IGNORECASE,
)
_NONE_FIRST = re.compile(r"\W*NONE\b")
_QUESTION = re.compile(r"[?？؟]\W*$")
_QUESTION_LEAD = re.compile(
    r"^[\s\"'“”„«»`*#>•-]*(?:\(?\d{1,2}[.):]\s*|(?:sub-?)?question\s*\d*\s*:\s*)?[\"“„«]?",
    re.IGNORECASE,
)
_FORBIDDEN = re.compile(r"https?:|www\.|<[|/a-z]|[{}\x00]", re.IGNORECASE)


class Copied(NamedTuple):
    """Words of a section that a reply returned, in offsets of the page."""

    section: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Proof:
    """A reply against the sections it was made from."""

    copied: tuple[Copied, ...]
    """In the order of the pages, none twice, each grown to its sentence."""
    none: bool
    """The reply says that nothing helps."""
    unproved: int
    """What it returned and is on no page, or hidden there; not used."""
    clear: bool
    """The reply is one the protocol knows: it copied something, or says that there is nothing."""


def questions_in(reply: str, question: str) -> tuple[str, ...]:
    """The questions of a reply, at most MOST_QUESTIONS; prose and repetitions are left out."""
    found: dict[str, str] = {_plain(question): ""}
    for line in _THOUGHT.sub("", reply).splitlines():
        text = _QUESTION_LEAD.sub("", line).strip(" \t\"'“”„«»`*")
        if not _QUESTION.search(text) or len(text) > _LONGEST_QUESTION or _FORBIDDEN.search(text):
            continue
        found.setdefault(_plain(text), text)
    return tuple(text for text in found.values() if text)[:MOST_QUESTIONS]


def proved(reply: str, sections: Sequence[Section]) -> Proof:
    """What of a reply stands on the pages.

    A sentence is looked for on the page its line names, then on the others; as
    a whole, then by its lines and sentences.
    """
    index = _Pages(sections)
    copied: dict[Copied, None] = {}
    unproved = 0
    none = False
    for candidate in _candidates(reply):
        # First the pages: "No mention was made of it" may well stand there.
        found = index.find(candidate)
        if not found and _says_none(candidate.text):
            none = True
        elif not found:
            unproved += 1
        copied |= dict.fromkeys(found)
    hidden = [place for place in copied if index.is_hidden(place)]
    seen = _grown(sections, [place for place in copied if place not in hidden])
    return Proof(
        copied=tuple(seen),
        none=none and not copied,
        unproved=unproved + len(hidden),
        clear=bool(copied) or none,
    )


@dataclass(frozen=True, slots=True)
class _Candidate:
    """Something that a reply returns; `page` is what its line names, from 1."""

    page: int | None
    text: str
    whole: str = ""
    """The line with what looks like a page number; that may be the sentence's own."""


def _candidates(reply: str) -> Iterator[_Candidate]:
    reply = _FENCE.sub("", _THOUGHT.sub("", reply)).strip()
    values = _json(reply)
    if values is not None:
        yield from values
        return
    open_lines: list[str] = []
    current: re.Match[str] | None = None

    def gathered() -> Iterator[_Candidate]:
        text = "\n".join(open_lines)
        if not text.strip():
            return
        if current is not None:
            yield _Candidate(int(current["page"]), _TAIL.sub("", text[current.end() :]), text)
        else:
            yield _Candidate(None, _TAIL.sub("", _BULLET.sub("", text)))

    for line in reply.splitlines():
        label = _LABEL.match(line)
        if label or _BULLET.match(line) or not line.strip() or _NONE.fullmatch(line):
            yield from gathered()
            open_lines, current = [], label
        open_lines.append(line)
    yield from gathered()


def _json(reply: str) -> list[_Candidate] | None:
    """The strings of a reply that is JSON, each with the number beside it; None for other text."""
    try:
        value = json.loads(reply)
    except (ValueError, RecursionError):
        lines = [line.strip().rstrip(",") for line in reply.splitlines() if line.strip()]
        if not lines or not all(line.startswith("{") for line in lines):
            return None
        try:
            value = [json.loads(line) for line in lines]
        except (ValueError, RecursionError):
            return None
    if not isinstance(value, (dict, list)) or (
        isinstance(value, list) and value and all(isinstance(item, int) for item in value)
    ):
        return None
    if _is_empty(value):
        return [_Candidate(None, "NONE")]
    return list(_strings(value, None))


def _is_empty(value: object) -> bool:
    """Whether JSON holds nothing but lists and objects of nothing."""
    if isinstance(value, dict):
        return all(map(_is_empty, value.values()))
    return value in (None, "") or (isinstance(value, list) and all(map(_is_empty, value)))


def _strings(value: object, page: int | None, depth: int = 0) -> Iterator[_Candidate]:
    if isinstance(value, str) and value.strip():
        yield _Candidate(page, value)
    elif isinstance(value, list) and depth < 8:
        numbers = [item for item in value if isinstance(item, int)]
        own = numbers[0] if len(numbers) == 1 else page
        for item in value:
            yield from _strings(item, own, depth + 1)
    elif isinstance(value, dict) and depth < 8:
        number = next((value[key] for key in value if "page" in str(key).casefold()), page)
        if isinstance(number, str) and number.strip("[] ").isdigit():
            number = int(number.strip("[] "))
        own = number if isinstance(number, int) else page
        for key, item in value.items():
            label = str(key).strip("[] ")
            if "page" in label.casefold() and not isinstance(item, (dict, list)):
                continue
            named = int(label) if label.isdigit() and len(label) <= 4 else own
            yield from _strings(item, named, depth + 1)


def _says_none(text: str) -> bool:
    return bool(_NONE.fullmatch(text) or _NONE_FIRST.match(text))


class _Pages:
    """The sections of a part, each folded once and only when it is looked at."""

    def __init__(self, sections: Sequence[Section]) -> None:
        self._sections = sections
        self._indexes: dict[int, PageIndex] = {}

    def find(self, candidate: _Candidate) -> list[Copied]:
        """Where a candidate stands; empty where nothing of it does."""
        order = list(range(len(self._sections)))
        if candidate.page is not None and 1 <= candidate.page <= len(order):
            order.insert(0, order.pop(candidate.page - 1))
        for text in dict.fromkeys(filter(None, (candidate.text, candidate.whole))):
            for wording in _wordings(text):
                for section in order:
                    if place := self._in(section, wording):
                        return [place]
        pieces = [line for line in candidate.text.splitlines() if line.strip()]
        if len(pieces) < 2:
            text = candidate.text
            pieces = [text[span.start : span.end] for span in sentences(text)]
        if len(pieces) < 2:
            return []
        found = []
        for piece in pieces:
            for wording in _wordings(piece):
                place = next(filter(None, (self._in(section, wording) for section in order)), None)
                if place:
                    found.append(place)
                    break
        return found

    def is_hidden(self, place: Copied) -> bool:
        """Whether a place is one that the document's readers could not see, or speaks to a model.

        A sentence that only touches one is not.
        """
        suspect = suspect_spans(self._sections[place.section].flags, place.start, place.end)
        return 2 * sum(end - start for start, end in suspect) > place.end - place.start

    def _in(self, section: int, wording: str) -> Copied | None:
        index = self._indexes.get(section)
        if index is None:
            index = self._indexes[section] = PageIndex(self._sections[section].text)
        span = index.find(wording)
        if span is None:
            return None
        start = self._sections[section].start
        return Copied(section, start + span[0], start + span[1])


def _wordings(text: str) -> Iterator[str]:
    """A returned sentence as it may stand on the page: also without what made it harmless.

    Words too few to prove anything are none.
    """
    text = text.strip()
    if not _is_telling(text):
        return
    yield text
    original = text.replace("<¦", "<|").replace("‹", "<").replace("[[", "⟦").replace("]]", "⟧")
    if original != text:
        yield original


def _is_telling(text: str) -> bool:
    """Whether words say something: three of them, or a figure with its company."""
    words = re.findall(r"[^\W_]+", text)
    letters = sum(map(len, words))
    if any(character.isdigit() for character in text):
        return letters >= 4
    spaceless = re.search("[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff]", text)
    return letters >= 4 if spaceless else len(words) >= 3 and letters >= 8


def _grown(sections: Sequence[Section], places: Sequence[Copied]) -> list[Copied]:
    """The places as whole sentences, in order; those that meet are one."""
    grown: list[Copied] = []
    for number, section in enumerate(sections):
        here = sorted(place for place in places if place.section == number)
        if not here:
            continue
        spans = [
            (section.start + span.start, section.start + span.end)
            for span in sentences(section.text)
        ]
        for place in here:
            touched = [s for s in spans if s[0] < place.end and place.start < s[1]]
            start = min(place.start, *(s[0] for s in touched)) if touched else place.start
            end = max(place.end, *(s[1] for s in touched)) if touched else place.end
            if end - start > max(_LONGEST_SENTENCE, place.end - place.start):
                start, end = place.start, place.end
            if grown and grown[-1].section == number and start < grown[-1].end:
                grown[-1] = grown[-1]._replace(end=max(end, grown[-1].end))
            else:
                grown.append(Copied(number, start, end))
    return grown


def _plain(text: str) -> str:
    return " ".join(re.findall(r"[^\W_]+", text.casefold()))

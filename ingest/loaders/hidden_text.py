"""Text that a reader could not see, and text that speaks to a model: marked, never dropped.

A loader wraps what nobody can see with `concealed` and hands it on with the
rest; `guarded`, which every document goes through, turns the marks into flags,
takes out invisible characters and flags what reads like an instruction. So a
loader need not count characters.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from storage.errors import DocumentUnreadable
from storage.flags import (
    HIDDEN,
    INSTRUCTION,
    INVISIBLE_CHARACTERS,
    OFF_PAGE,
    REPEATED,
    TINY,
    UNSEEN,
)
from storage.records import Flag, Page, ParsedDocument

# Noncharacters: no text holds them by right, and cleaning lets them pass.
_BEGINS = {HIDDEN: "\ufdd0", TINY: "\ufdd1", OFF_PAGE: "\ufdd2", REPEATED: "\ufdd3"}
_END = "\ufddf"
_KINDS = {mark: kind for kind, mark in _BEGINS.items()}
_MARKS = re.compile("[\ufdd0-\ufddf]")

_MOST_FLAGS_A_PAGE = 200
_PAGES_NAMED = 8

# What no font draws and no language needs, singly or in a row. Soft hyphens and zero-width
# spaces are cleaned away before; joiners stay, since Persian and emoji are spelt with them.
# Kept too: a flag's tags behind a black flag, selectors of a character's form behind it.
_INVISIBLE = re.compile(
    "(?P<flag>\U0001f3f4[\U000e0061-\U000e007a]{1,6}\U000e007f)"
    "|(?P<run>[\U000e0000-\U000e007f\u2061-\u2064\u206a-\u206f\u180e\u034f\u202a-\u202e"
    "\u2066-\u2069\ufff9-\ufffb]+"
    "|(?<=[\u3400-\u9fff\U00020000-\U0003ffff])[\U000e0100-\U000e01ef]{2,}"
    "|(?<![\u3400-\u9fff\U00020000-\U0003ffff])[\U000e0100-\U000e01ef]+"
    "|[\ufe00-\ufe0f]{2,}"
    "|[\u200c\u200d]{2,})"
)
_HARMLESS_CONTROLS = frozenset("\u202a\u202b\u202c\u2066\u2067\u2068\u2069\u200c\u200d\u034f\u180e")
"""Directions and joiners that writers of Arabic and Hebrew leave behind: taken out, not flagged."""

_WORD = re.compile(r"\S+")


def concealed(text: str, kind: str) -> str:
    """Text that a reader cannot see (`hidden`, `tiny`, `off-page`), to be handed on with the rest.

    Marks stand inside outer space, so that cleaning works on them as on the bare
    text; marks inside `text` go, so that hidden text cannot end its own hiding.
    """
    bare = _MARKS.sub("", text)
    inner = bare.strip()
    if not inner:
        return bare
    at = bare.index(inner)
    return f"{bare[:at]}{_BEGINS[kind]}{inner}{_END}{bare[at + len(inner) :]}"


def without_marks(text: str) -> str:
    """The text without marks of hidden spans, as headings and titles show it."""
    return _MARKS.sub("", text)


def guarded(document: ParsedDocument) -> ParsedDocument:
    """The document as it is stored: marks and invisible characters became flags.

    What is flagged is told in the document's warnings.
    """
    pages: list[Page] = []
    still_open = ""
    for page in document.pages:
        guarded_page, still_open = _guarded_page(page, still_open)
        pages.append(guarded_page)
    if document.pages and not any(page.text.strip() for page in pages):
        raise DocumentUnreadable(
            f"“{visible(document.title)}” holds no text but characters that nobody can see; "
            "put a version with readable text in its place.",
            kind="no-text",
        )
    return replace(
        document,
        title=visible(document.title),
        pages=tuple(pages),
        metadata={key: visible(value) for key, value in document.metadata.items()},
        warnings=(*document.warnings, *_warnings(pages, paged=document.paged)),
    )


def visible(text: str) -> str:
    """The text without marks and without invisible characters."""
    return _INVISIBLE.sub(lambda found: found["flag"] or "", _MARKS.sub("", text))


def _guarded_page(page: Page, still_open: str) -> tuple[Page, str]:
    """The page with its flags, and the mark that is still open at its end."""
    text, flags = page.text, list(page.flags)
    heading = visible(page.heading)
    if still_open or _MARKS.search(text):
        cuts = [found.span() for found in _MARKS.finditer(text)]
        flags = [Flag(kind, _moved(start, cuts), _moved(end, cuts)) for kind, start, end in flags]
        text, marked, still_open = _unmarked(text, still_open)
        flags += marked
    if not text.isascii() and _INVISIBLE.search(text):
        text, flags = _without_invisible(text, flags)
    flags += instructions(text)
    if not flags and text is page.text and heading == page.heading:
        return page, still_open
    flags.sort(key=lambda flag: (flag.start, flag.end))
    kept = tuple(_bounded(dict.fromkeys(flags), len(text)))
    return replace(page, text=text, heading=heading, flags=kept), still_open


def _bounded(flags: Iterable[Flag], length: int) -> Iterator[Flag]:
    """At most so many flags: the last one reaches over all that are left."""
    found = [flag for flag in flags if flag.start < flag.end]
    yield from found[: _MOST_FLAGS_A_PAGE - 1]
    rest = found[_MOST_FLAGS_A_PAGE - 1 :]
    if rest:
        end = min(length, max(flag.end for flag in rest))
        unseen = next((flag.kind for flag in rest if flag.kind in UNSEEN), rest[0].kind)
        yield Flag(unseen, rest[0].start, end)


def _unmarked(text: str, still_open: str) -> tuple[str, list[Flag], str]:
    """(text without marks, their spans as flags, the mark that no end followed)."""
    parts: list[str] = []
    flags: list[Flag] = []
    length = begin = last = 0
    kind = _KINDS.get(still_open, "")
    for found in _MARKS.finditer(text):
        part = text[last : found.start()]
        parts.append(part)
        length += len(part)
        last = found.end()
        if found[0] == _END:
            if kind:
                flags.append(Flag(kind, begin, length))
            kind = ""
        elif not kind and found[0] in _KINDS:
            kind, begin = _KINDS[found[0]], length
    parts.append(text[last:])
    length += len(text) - last
    if kind:
        flags.append(Flag(kind, begin, length))
    return "".join(parts), flags, _BEGINS[kind] if kind else ""


def _without_invisible(text: str, flags: list[Flag]) -> tuple[str, list[Flag]]:
    """Invisible characters go; the word in which they stood, or the next one, is flagged."""
    parts: list[str] = []
    cuts: list[tuple[int, int]] = []
    places: list[int] = []
    length = last = 0
    for found in _INVISIBLE.finditer(text):
        if found["flag"]:
            continue
        part = text[last : found.start()]
        parts.append(part)
        length += len(part)
        last = found.end()
        cuts.append((found.start(), found.end()))
        if not set(found[0]) <= _HARMLESS_CONTROLS:
            places.append(length)
    parts.append(text[last:])
    bare = "".join(parts)

    moved = [Flag(kind, _moved(start, cuts), _moved(end, cuts)) for kind, start, end in flags]
    return bare, moved + [Flag(INVISIBLE_CHARACTERS, *_word_at(bare, place)) for place in places]


def _moved(place: int, cuts: list[tuple[int, int]]) -> int:
    """Where a place is once the cuts are gone; they are few."""
    return place - sum(min(end, place) - start for start, end in cuts if start < place)


def _word_at(text: str, place: int) -> tuple[int, int]:
    start = place
    while start > 0 and not text[start - 1].isspace():
        start -= 1
    found = _WORD.search(text, start)
    if found is None:
        return max(0, start - 1), start
    return found.span()


def _warnings(pages: list[Page], *, paged: bool) -> list[str]:
    said = []
    for kinds, sentence in (
        (UNSEEN - {INVISIBLE_CHARACTERS}, "Text that a reader cannot see stands on {}."),
        ({INVISIBLE_CHARACTERS}, "Invisible characters were taken out of {}."),
        ({INSTRUCTION}, "Text that reads like an instruction to a model stands on {}."),
    ):
        numbers = [page.number for page in pages if any(flag.kind in kinds for flag in page.flags)]
        if numbers:
            said.append(sentence.format(_places(numbers, paged=paged)))
    return said


def _places(numbers: list[int], *, paged: bool) -> str:
    noun = "page" if paged else "section"
    named = ", ".join(map(str, numbers[:_PAGES_NAMED]))
    more = ", …" if len(numbers) > _PAGES_NAMED else ""
    return f"{noun}{'' if len(numbers) == 1 else 's'} {named}{more}"


def instructions(text: str) -> list[Flag]:
    """Spans that read like an instruction to a model rather than to a reader.

    From the beginning of the sentence to the end of its paragraph, 600
    characters at most: what is demanded stands behind the demand.
    """
    from ingest.loaders.instruction_words import found_in

    spans: list[tuple[int, int]] = []
    for start, end in found_in(text):
        first, last = _sentence_start(text, start), _paragraph_end(text, end)
        if spans and first <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(last, spans[-1][1]))
        else:
            spans.append((first, last))
    return [Flag(INSTRUCTION, start, end) for start, end in spans]


_REACH = 600
_SENTENCE_START = re.compile(r"[.!?。！？؟]\s+|[。！？]|\n\s*\n")
_PARAGRAPH_END = re.compile(r"\n[ \t]*\n")
_SENTENCE_END = re.compile(r"[.!?。！？؟](?=\s|$)|[。！？]")


def _sentence_start(text: str, place: int) -> int:
    low = max(0, place - _REACH // 2)
    ends = [found.end() for found in _SENTENCE_START.finditer(text, low, place)]
    start = ends[-1] if ends else (0 if low == 0 else text.rfind("\n", low, place) + 1 or low)
    while start < place and text[start].isspace():
        start += 1
    return start


def _paragraph_end(text: str, place: int) -> int:
    high = min(len(text), place + _REACH)
    found = _PARAGRAPH_END.search(text, place, high)
    if found:
        return found.start()
    if high == len(text):
        return len(text.rstrip()) or high
    ends = [match.end() for match in _SENTENCE_END.finditer(text, place, high)]
    return ends[-1] if ends else high

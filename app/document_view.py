"""One document or file on the library page: what is known of it, what is wrong, what mends it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from app.language_names import language_name
from app.library_view import Entry, moment, ocr_words, size_words, yield_words
from app.rendering import age, count_of, sentence_html, text_html
from storage.flags import SUSPECT
from storage.listing import PageMark
from storage.records import DocumentSummary, Failure

LITTLE_TEXT = 25
"""Characters a page. A page of fewer is a picture, a divider, or blank."""
_STRIP = 120
"""Bars in the strip of a document's pages: more would be thinner than a hair."""
_SHOWN_PAGES = 12


@dataclass(frozen=True, slots=True)
class Note:
    """Something to know of a document, with what mends it."""

    kind: str
    """`error`, `warn` or `info`."""
    title: str
    sentence: str


def notes_of(entry: Entry, now: float) -> list[Note]:
    """What is wrong with it and how to mend it; the worst first."""
    if isinstance(entry, Failure):
        return [Note("error", "Not in the library", f"{entry.reason} {_attempts(entry, now)}")]
    notes = []
    if entry.fault:
        since = age(max(0.0, now - entry.fault_since)) if entry.fault_since else ""
        notes.append(
            Note(
                "error",
                "Its file cannot be read now" + (f", since {since}" if since else ""),
                f"{entry.fault} Until then its last good version, read "
                f"{moment(entry.ingested_at)}, is searched and cited.",
            )
        )
    serious = entry.unsearchable_pages or entry.flagged_pages
    notes += [Note("warn" if serious else "info", "", warning) for warning in entry.warnings]
    if entry.flagged_pages:
        notes.append(
            Note(
                "info",
                "",
                "Flagged text reaches a model only between marks that say a reader cannot see it "
                "or that it is no instruction. If somebody hid it, ask them why.",
            )
        )
    return notes


def _attempts(failure: Failure, now: float) -> str:
    tried = f"Tried {count_of(failure.attempts, 'time')}, last {moment(failure.last_seen)}"
    if failure.next_try > now:
        return f"{tried}; a run after {moment(failure.next_try)} tries it again."
    return f"{tried}; the next run tries it again."


def notes_html(notes: Sequence[Note]) -> str:
    """The notes as boxes."""
    return "".join(
        f'<div class="hl-notice hl-{note.kind}" role="note">'
        + (f"<strong>{text_html(note.title)}</strong>" if note.title else "")
        + f"<div>{sentence_html(note.sentence)}</div></div>"
        for note in notes
    )


def facts_html(document: DocumentSummary) -> str:
    """What is known of a document, as a list of terms."""
    by = " (its file's date)" if document.dated_by == "file" else ""
    facts = {
        "Title": document.title,
        "File": document.document,
        "Folder": document.source_root,
        "Pages" if document.paged else "Sections": f"{document.pages:,}",
        "Chunks": f"{document.chunks:,}",
        "Text": f"{document.characters:,} characters, {yield_words(document)} "
        f"a {'page' if document.paged else 'section'}",
        "Text recognition": ocr_words(document),
        "Language": language_name(document.language) if document.language else "not sure",
        "Date": f"{document.dated}{by}" if document.dated else "",
        "Tags": ", ".join(document.tags),
        "Size": size_words(document.size),
        "Read": f"{moment(document.ingested_at)}, by {document.parser or 'an earlier Hayloft'}",
        "File changed": moment(document.modified_at) if document.modified_at else "",
    }
    rows = "".join(
        f"<dt>{name}</dt><dd><bdi>{text_html(fact)}</bdi></dd>"
        for name, fact in facts.items()
        if fact
    )
    return f'<dl class="hl-facts hl-wide">{rows}</dl>'


def strip_html(marks: Sequence[PageMark], *, paged: bool) -> str:
    """How much text each page gave, as a strip of bars; pages without are named below."""
    if len(marks) < 2:
        return ""
    noun = "page" if paged else "section"
    bars = _bars(marks)
    most = max((height for height, _, _ in bars), default=0) or 1
    drawn = "".join(
        f'<span class="hl-yield hl-yield-{state}" style="height:{max(6, 100 * height // most)}%" '
        f'title="{text_html(title)}"></span>'
        for height, state, title in bars
    )
    little = [mark for mark in marks if mark.characters < LITTLE_TEXT]
    said = (
        f"{count_of(len(little), noun)} with less than {LITTLE_TEXT} characters: "
        f"{_numbers([mark.number for mark in little])}"
        if little
        else f"Every {noun} holds text"
    )
    return (
        f'<div class="hl-strip" role="img" aria-label="Text by {noun}. {said}.">{drawn}</div>'
        f'<div class="hl-small">Text by {noun}. {text_html(said)}.</div>'
    )


def _bars(marks: Sequence[PageMark]) -> list[tuple[int, str, str]]:
    """Mean characters, the worst state and a title for each stretch of pages."""
    width = -(-len(marks) // _STRIP)
    found = []
    for start in range(0, len(marks), width):
        part = marks[start : start + width]
        mean = sum(mark.characters for mark in part) // len(part)
        none = any(mark.origin == "none" for mark in part)
        ocr = any(mark.origin == "ocr" for mark in part)
        little = any(mark.characters < LITTLE_TEXT for mark in part)
        state = "none" if none else "little" if little else "ocr" if ocr else "text"
        pages = f"{part[0].number}" if width == 1 else f"{part[0].number}–{part[-1].number}"
        how = {"none": ", could not be read", "ocr": ", read by OCR"}.get(state, "")
        found.append((mean, state, f"{pages}: {mean:,} characters{how}"))
    return found


def flagged(marks: Sequence[PageMark]) -> list[tuple[int, list[tuple[str, int, int]]]]:
    """The first pages with flagged text: number, and kind, start and end of each span."""
    found = []
    for mark in marks:
        if mark.flags == "[]":
            continue
        spans = [
            (kind, start, end) for kind, start, end in json.loads(mark.flags) if kind in SUSPECT
        ]
        if spans:
            found.append((mark.number, spans))
        if len(found) == _SHOWN_PAGES:
            break
    return found


_KINDS = {
    "hidden": "hidden",
    "tiny": "too small to see",
    "off-page": "beside the paper",
    "invisible-characters": "invisible characters",
    "instruction": "speaks to a model",
}


def flagged_html(page: str, text: str, spans: Sequence[tuple[str, int, int]]) -> str:
    """The flagged words of one page, each with why it is flagged."""
    lines = "".join(
        f'<li><span class="hl-badge hl-badge-warn">{_KINDS.get(kind, kind)}</span> '
        f"<q>{text_html(_excerpt(text[start:end]))}</q></li>"
        for kind, start, end in spans[:8]
    )
    more = f"<li>and {len(spans) - 8:,} more</li>" if len(spans) > 8 else ""
    return f'<div class="hl-small">{text_html(page)}</div><ul class="hl-flags">{lines}{more}</ul>'


def _excerpt(text: str, limit: int = 240) -> str:
    line = " ".join(text.split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def _numbers(numbers: Sequence[int]) -> str:
    """`1, 3–5, 9 and 12 more`."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    shown = [str(a) if a == b else f"{a}–{b}" for a, b in runs[:_SHOWN_PAGES]]
    rest = sum(b - a + 1 for a, b in runs[_SHOWN_PAGES:])
    return ", ".join(shown) + (f" and {rest:,} more" if rest else "")

"""One document or file on the library page: what is known of it, what is wrong, what mends it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from app.language_words import language_words
from app.library_view import Entry, moment, ocr_words, size_words, yield_words
from app.rendering import age, count_of, sentence_html, text_html
from app.wording import t
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
        return [Note("error", t("Not in the library"), f"{entry.reason} {_attempts(entry, now)}")]
    notes = []
    if entry.fault:
        title = t("Its file cannot be read now")
        if entry.fault_since:
            since = age(max(0.0, now - entry.fault_since))
            title = t("Its file cannot be read now, since {when}", when=since)
        until = t(
            "Until then its last good version, read {moment}, is searched and cited.",
            moment=moment(entry.ingested_at),
        )
        notes.append(Note("error", title, f"{entry.fault} {until}"))
    serious = entry.unsearchable_pages or entry.flagged_pages
    notes += [Note("warn" if serious else "info", "", warning) for warning in entry.warnings]
    if entry.flagged_pages:
        notes.append(
            Note(
                "info",
                "",
                t(
                    "Flagged text reaches a model only between marks that say a reader cannot see "
                    "it or that it is no instruction. If somebody hid it, ask them why."
                ),
            )
        )
    return notes


def _attempts(failure: Failure, now: float) -> str:
    told = {"times": count_of(failure.attempts, "time"), "last": moment(failure.last_seen)}
    if failure.next_try > now:
        return t(
            "Tried {times}, last {last}; a run after {next} tries it again.",
            **told,
            next=moment(failure.next_try),
        )
    return t("Tried {times}, last {last}; the next run tries it again.", **told)


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
    dated = document.dated
    if dated and document.dated_by == "file":
        dated = t("{date} (its file's date)", date=dated)
    text = {"n": f"{document.characters:,}", "mean": yield_words(document)}
    facts = {
        t("Title"): document.title,
        t("File"): document.document,
        t("Folder"): document.source_root,
        t("Pages") if document.paged else t("Sections"): f"{document.pages:,}",
        t("Chunks"): f"{document.chunks:,}",
        t("Text"): t("{n} characters, {mean} a page", **text)
        if document.paged
        else t("{n} characters, {mean} a section", **text),
        t("Text recognition"): ocr_words(document),
        t("Language"): language_words(document.language) if document.language else t("not sure"),
        t("Date"): dated,
        t("Tags"): ", ".join(document.tags),
        t("Size"): size_words(document.size),
        t("Read"): t(
            "{moment}, by {parser}",
            moment=moment(document.ingested_at),
            parser=document.parser or t("an earlier Hayloft"),
        ),
        t("File changed"): moment(document.modified_at) if document.modified_at else "",
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
    bars = _bars(marks)
    most = max((height for height, _, _ in bars), default=0) or 1
    drawn = "".join(
        f'<span class="hl-yield hl-yield-{state}" style="height:{max(6, 100 * height // most)}%" '
        f'title="{text_html(title)}"></span>'
        for height, state, title in bars
    )
    little = [mark for mark in marks if mark.characters < LITTLE_TEXT]
    if little:
        pages = count_of(len(little), "page") if paged else count_of(len(little), "section")
        said = t(
            "{pages} with less than {n} characters: {numbers}",
            pages=pages,
            n=LITTLE_TEXT,
            numbers=_numbers([mark.number for mark in little]),
        )
    else:
        said = t("Every page holds text") if paged else t("Every section holds text")
    words = text_html(
        t("Text by page. {said}.", said=said) if paged else t("Text by section. {said}.", said=said)
    )
    return (
        f'<div class="hl-strip" role="img" aria-label="{words}">{drawn}</div>'
        f'<div class="hl-small">{words}</div>'
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
        told = f"{pages}: {t('{n} characters', n=f'{mean:,}')}"
        if state == "none":
            told = f"{told}, {t('could not be read')}"
        elif state == "ocr":
            told = f"{told}, {t('read by OCR')}"
        found.append((mean, state, told))
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


def _kind_words(kind: str) -> str:
    """Why a stretch of text is flagged."""
    words = {
        "hidden": t("hidden"),
        "tiny": t("too small to see"),
        "off-page": t("beside the paper"),
        "invisible-characters": t("invisible characters"),
        "instruction": t("speaks to a model"),
    }
    return words.get(kind, kind)


def flagged_html(page: str, text: str, spans: Sequence[tuple[str, int, int]]) -> str:
    """The flagged words of one page, each with why it is flagged."""
    lines = "".join(
        f'<li><span class="hl-badge hl-badge-warn">{text_html(_kind_words(kind))}</span> '
        f'<q dir="auto">{text_html(_excerpt(text[start:end]))}</q></li>'
        for kind, start, end in spans[:8]
    )
    more = f"<li>{t('and {n} more', n=f'{len(spans) - 8:,}')}</li>" if len(spans) > 8 else ""
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
    numbers_of = ", ".join(shown)
    return t("{names} and {n} more", names=numbers_of, n=f"{rest:,}") if rest else numbers_of

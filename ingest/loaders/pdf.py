"""PDF: the text of each page, its label and its place in the outline.

pdfium reads the text (table rows kept whole) and the structure as well: for
labels, outline and metadata of 12 annual reports it took 0.015 s of processor
time, pypdf 0.7 s and another 0.5 s to be imported, with the same result. So
pypdf is left to what pdfium fails on, page by page or as a whole. Both open
files encrypted with an empty user password. Pages that are pictures of text, or
whose text is garbled, go to text recognition where there is any.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from ingest.loaders import ocr
from ingest.loaders.cleaning import clean, one_line, title_or_name
from ingest.loaders.pdf_hyphens import LINE_END_HYPHEN, join_hyphens
from ingest.loaders.pdf_page import PageText, picture_of, read_page
from ingest.loaders.pdf_sight import Drawing
from ingest.loaders.pypdf_engine import PypdfEngine
from ingest.loaders.reading import damaged, opening, read_head, shown
from ingest.loaders.running_lines import running_lines
from storage.errors import DocumentUnreadable
from storage.records import Page, ParsedDocument

SUFFIXES = (".pdf",)
LOADER_VERSION = "pdf-3"

_MOST_OUTLINE_ENTRIES = 10_000
_DEEPEST_OUTLINE = 6
_LABEL_LENGTH = 40
_HEADING_LENGTH = 120
_TAIL_BYTES = 2048
_PAGES_NAMED = 8
_RECOGNISED_MORE = 3
"""A page with a picture and a line of text is taken as recognised where that has so many times
the letters: a scan with a number stamped on it, and not a title over a photograph."""

_OCR_HYPHEN = re.compile(r"(?<=[^\W\d_])[-‐]\n(?=\w)")
_DATE = re.compile(r"(?:D:)?(\d{4})(\d\d)?(\d\d)?(?:(\d\d)(\d\d))?")
_METADATA = {
    "Author": "author",
    "Subject": "subject",
    "Keywords": "keywords",
    "CreationDate": "created",
    "ModDate": "modified",
}


@dataclass(frozen=True, slots=True)
class _Read:
    """One page as it was read."""

    text: str
    label: str = ""
    heading: str = ""
    unread: bool = False
    """No engine could open the page."""
    garbled: bool = False
    scanned: bool = False
    """A picture of text, or garbled text, that nobody read."""
    confidence: float | None = None
    """Of a page that was recognised."""


def load(path: Path) -> ParsedDocument:
    """Reads a PDF; raises DocumentUnreadable (`encrypted`, `no-text`, `damaged`, ...)."""
    if b"%PDF-" not in read_head(path):
        raise damaged(path, "is not a PDF, although its name says it is one")
    import pypdfium2 as pdfium
    from pypdfium2 import raw
    from pypdfium2.version import PYPDFIUM_INFO

    second = PypdfEngine(path)
    try:
        document = pdfium.PdfDocument(path)
    except pdfium.PdfiumError as exc:
        if exc.err_code == raw.FPDF_ERR_PASSWORD or second.needs_password():
            raise _encrypted(path) from exc
        return _read_with_second(path, second)
    with closing(document):
        drawing = Drawing()
        pages = list(_pages_of(document, second, drawing, pdfium.PdfiumError))
        headings = page_headings(list(_outline(document, pdfium.PdfiumError)), len(pages))
        labels = [_page_label(document, index) for index in range(len(pages))]
        engines = [f"pypdfium2 {PYPDFIUM_INFO.version}"]
        if second.used:
            engines.append(second.name)
        recogniser = ocr.in_use()
        if recogniser and any(page.confidence is not None for page in pages):
            engines.append(recogniser.name)
        unlooked = (
            [f"On {_pages(drawing.skipped)} there was no time to look for hidden text."]
            if drawing.skipped
            else []
        )
        return _assembled(
            path,
            [
                replace(page, label=label, heading=heading)
                for page, label, heading in zip(pages, labels, headings, strict=True)
            ],
            metadata=document.get_metadata_dict(skip_empty=True),
            parser=" + ".join(engines),
            warnings=unlooked,
        )


def page_headings(outline: list[tuple[int, int, str]], pages: int) -> list[str]:
    """The heading path of each page, from outline entries (level, page index, title).

    A page stands under the first entry that begins on it and the entries that
    follow directly below that one; else under the last entry before it.
    """
    entries: list[tuple[int, list[str]]] = []
    path: dict[int, str] = {}
    for level, page, title in outline:
        path = {above: name for above, name in path.items() if above < level}
        path[level] = title
        entries.append((page, list(path.values())))
    entries.sort(key=lambda entry: entry[0])
    headings: list[str] = []
    position = 0
    current: list[str] = []
    for index in range(pages):
        begins: list[str] = []
        while position < len(entries) and entries[position][0] <= index:
            current = entries[position][1]
            if current[: len(begins)] == begins:
                begins = current
            position += 1
        headings.append(" › ".join(begins or current))
    return headings


def _pages_of(
    document: Any, second: PypdfEngine, drawing: Drawing, failure: type[Exception]
) -> Iterator[_Read]:
    """The pages in order, each from the first engine that can read it."""
    for index in range(len(document)):
        try:
            # Closed at once: pdfium keeps what it parsed of a page until then.
            with closing(document[index]) as page:
                found = read_page(page, drawing)
                yield _recognised(page, found)
        except failure:
            text = second.page_text(index)
            yield _Read(text or "", unread=text is None)


def _recognised(page: Any, found: PageText) -> _Read:
    """The page with its text read from its picture, where it needs that and it can be done."""
    if not found.needs_recognition:
        return _Read(found.text)
    recogniser = ocr.in_use()
    reading = recogniser.read(picture_of(page)) if recogniser else None
    if reading is None or not reading.text:
        own = bool(found.text.strip())
        return _Read(found.text, garbled=found.garbled, scanned=not own)
    if _letters(reading.text) < _RECOGNISED_MORE * _letters(found.text):
        return _Read(found.text)
    text = _OCR_HYPHEN.sub(LINE_END_HYPHEN, reading.text)
    return _Read(text, confidence=reading.confidence)


def _letters(text: str) -> int:
    return sum(map(str.isalnum, text))


def _outline(document: Any, failure: type[Exception]) -> Iterator[tuple[int, int, str]]:
    for bookmark in islice(document.get_toc(max_depth=_DEEPEST_OUTLINE), _MOST_OUTLINE_ENTRIES):
        try:
            destination = bookmark.get_dest()
            page = destination.get_index() if destination else None
            title = one_line(bookmark.get_title(), _HEADING_LENGTH)
        except (failure, UnicodeDecodeError):
            continue
        if page is not None and title:
            yield bookmark.level, page, title


def _page_label(document: Any, index: int) -> str:
    try:
        return one_line(document.get_page_label(index), _LABEL_LENGTH)
    except UnicodeDecodeError:
        return ""


def _read_with_second(path: Path, second: PypdfEngine) -> ParsedDocument:
    """The whole file with the second engine, without labels and outline."""
    count = second.page_count()
    if count is None:
        raise damaged(path, "is damaged: neither of two PDF engines can open it")
    texts = [second.page_text(index) for index in range(count)]
    return _assembled(
        path,
        [_Read(text or "", unread=text is None) for text in texts],
        metadata=second.metadata(),
        parser=second.name,
        warnings=[],
    )


def _assembled(
    path: Path,
    pages: list[_Read],
    *,
    metadata: dict[str, str],
    parser: str,
    warnings: list[str],
) -> ParsedDocument:
    """The record, from the pages as they were read; raises where nothing of them is text."""
    unread = [number for number, page in enumerate(pages, start=1) if page.unread]
    if len(unread) == len(pages):
        raise damaged(path, "is damaged: none of its pages can be read")
    if unread and _is_cut_off(path):
        raise damaged(path, f"is cut off: {len(unread)} of {len(pages)} pages cannot be read")
    texts = [clean(text) for text in join_hyphens([page.text for page in pages])]
    if not any(texts):
        raise _without_text(path, pages)
    return ParsedDocument(
        title=title_or_name(metadata.get("Title", ""), path.stem),
        pages=tuple(
            Page(
                number=number,
                text=text,
                label=page.label,
                heading=page.heading,
                origin=_origin(page, text),
                confidence=page.confidence if text else None,
                flags=tuple(flags),
            )
            for number, (page, text, flags) in enumerate(
                zip(pages, texts, running_lines(texts), strict=True), start=1
            )
        ),
        paged=True,
        parser=parser,
        metadata=_stated(metadata),
        warnings=(*_page_warnings(pages, texts), *warnings),
    )


def _origin(page: _Read, text: str) -> str:
    if page.unread or (page.scanned and not text):
        return "none"
    return "ocr" if text and page.confidence is not None else ""


def _page_warnings(pages: list[_Read], texts: list[str]) -> Iterator[str]:
    """A sentence for each way in which pages are not like the others."""
    numbered = list(enumerate(zip(pages, texts, strict=True), start=1))
    total = _pages(len(pages))
    if unread := [n for n, (page, _) in numbered if page.unread]:
        yield f"{len(unread)} of {total} cannot be read{_named(unread)}."
    scanned = [n for n, (page, text) in numbered if page.scanned and not text]
    if scanned:
        garbled = any(page.garbled for page in pages)
        what = "hold garbled text or pictures" if garbled else "are pictures"
        found = (
            "text recognition found nothing on them"
            if ocr.in_use()
            else f"to have them read, {ocr.what_to_do()}"
        )
        yield (
            f"{len(scanned)} of {total} {what} and cannot be searched{_named(scanned)}; {found}."
        )
    sure = {n: page.confidence for n, (page, text) in numbered if text and page.confidence}
    if sure:
        mean = sum(sure.values()) / len(sure)
        yield (
            f"Text recognition read {len(sure)} of {total}{_named(list(sure))}, "
            f"{mean:.0%} sure of the words."
        )
    blank = [n for n, (page, text) in numbered if not (text or page.unread or page.scanned)]
    if blank:
        yield f"{len(blank)} of {total} hold no text{_named(blank)}."


def _without_text(path: Path, pages: list[_Read]) -> DocumentUnreadable:
    """The error for a file without a word, which most often is a scan."""
    count = _pages(len(pages))
    if not any(page.scanned for page in pages):
        what = f"holds no text on its {count}, which are blank; put a file with text in its place"
    elif ocr.in_use():
        what = (
            f"holds no text on its {count}, and text recognition (OCR) found none in their "
            "pictures; put a better scan in its place"
        )
    elif any(page.garbled for page in pages):
        what = (
            f"holds garbled text on its {count}, which has to be read by text recognition (OCR); "
            f"{ocr.what_to_do()}, and the next run reads it"
        )
    else:
        what = (
            f"holds no text on its {count}, so it is a scan, to be read by text recognition "
            f"(OCR); {ocr.what_to_do()}, and the next run reads it"
        )
    return DocumentUnreadable(f"{shown(path)} {what}.", kind="no-text")


def _stated(metadata: dict[str, str]) -> dict[str, str]:
    stated = {name: one_line(metadata.get(key, "")) for key, name in _METADATA.items()}
    for name in ("created", "modified"):
        stated[name] = _iso_date(stated[name])
    return {name: value for name, value in stated.items() if value}


def _iso_date(stated: str) -> str:
    """`D:20230117185754Z` as `2023-01-17T18:57`; empty where it is no date."""
    found = _DATE.match(stated)
    if not found:
        return ""
    year, month, day, hour, minute = found.groups()
    date = "-".join(part for part in (year, month, day) if part)
    return f"{date}T{hour}:{minute}" if day and hour else date


def _is_cut_off(path: Path) -> bool:
    with opening(path), path.open("rb") as stream:
        stream.seek(0, 2)
        stream.seek(max(stream.tell() - _TAIL_BYTES, 0))
        return b"%%EOF" not in stream.read()


def _encrypted(path: Path) -> DocumentUnreadable:
    return DocumentUnreadable(
        f"{shown(path)} is protected by a password; save a copy without one and put it there.",
        kind="encrypted",
    )


def _pages(count: int) -> str:
    return "1 page" if count == 1 else f"{count} pages"


def _named(numbers: list[int]) -> str:
    named = ", ".join(str(number) for number in numbers[:_PAGES_NAMED])
    return f" ({named}{', …' if len(numbers) > _PAGES_NAMED else ''})"

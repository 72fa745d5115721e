"""PDF: the text of each page, its label and its place in the outline.

pdfium reads the text (1,116 pages of annual reports in 6.7 s, table rows kept
whole) and the structure as well: for labels, outline and metadata of those 12
files it took 0.015 s of processor time, pypdf 0.7 s and another 0.5 s to be
imported, with the same result. So pypdf is left to what pdfium fails on, page
by page or as a whole. Both open files encrypted with an empty user password.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

from ingest.loaders.cleaning import clean, one_line, title_or_name
from ingest.loaders.pdf_hyphens import join_hyphens
from ingest.loaders.pypdf_engine import PypdfEngine
from ingest.loaders.reading import damaged, opening, read_head, shown
from storage.errors import DocumentUnreadable
from storage.records import Page, ParsedDocument

SUFFIXES = (".pdf",)
LOADER_VERSION = "pdf-1"

_MOST_OUTLINE_ENTRIES = 10_000
_DEEPEST_OUTLINE = 6
_LABEL_LENGTH = 40
_HEADING_LENGTH = 120
_TAIL_BYTES = 2048
_PAGES_NAMED = 8
_DATE = re.compile(r"(?:D:)?(\d{4})(\d\d)?(\d\d)?(?:(\d\d)(\d\d))?")
_METADATA = {
    "Author": "author",
    "Subject": "subject",
    "Keywords": "keywords",
    "CreationDate": "created",
    "ModDate": "modified",
}


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
        found = _page_texts(document, pdfium.PdfiumError)
        texts = [second.page_text(i) if text is None else text for i, text in enumerate(found)]
        headings = page_headings(list(_outline(document, pdfium.PdfiumError)), len(texts))
        labels = [_page_label(document, index) for index in range(len(texts))]
        engine = f"pypdfium2 {PYPDFIUM_INFO.version}"
        return _assembled(
            path,
            texts,
            places=list(zip(labels, headings, strict=True)),
            metadata=document.get_metadata_dict(skip_empty=True),
            parser=f"{engine} + {second.name}" if second.used else engine,
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


def _page_texts(document: Any, failure: type[Exception]) -> Iterator[str | None]:
    """The text of each page; None where pdfium fails on the page."""
    for index in range(len(document)):
        try:
            # Closed at once: pdfium keeps what it parsed of a page until then.
            with closing(document[index]) as page, closing(page.get_textpage()) as textpage:
                text = str(textpage.get_text_range())
        except failure:
            yield None
        else:
            yield text


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
    return _assembled(
        path,
        [second.page_text(index) for index in range(count)],
        places=[("", "")] * count,
        metadata=second.metadata(),
        parser=second.name,
    )


def _assembled(
    path: Path,
    texts: list[str | None],
    *,
    places: list[tuple[str, str]],
    metadata: dict[str, str],
    parser: str,
) -> ParsedDocument:
    """The record, from raw page texts (None: unreadable) and (label, heading) of each page."""
    unread = [number for number, text in enumerate(texts, start=1) if text is None]
    if len(unread) == len(texts):
        raise damaged(path, "is damaged: none of its pages can be read")
    if unread and _is_cut_off(path):
        raise damaged(path, f"is cut off: {len(unread)} of {len(texts)} pages cannot be read")
    cleaned = [clean(text) for text in join_hyphens([text or "" for text in texts])]
    without = [n for n, text in enumerate(cleaned, start=1) if not text and n not in set(unread)]
    if not any(cleaned):
        raise DocumentUnreadable(
            f"{shown(path)} holds no text on its {_pages(len(texts))}, so it is probably a scan; "
            "run text recognition (OCR) on it and put the result in its place.",
            kind="no-text",
        )
    warnings = []
    if unread:
        warnings.append(f"{len(unread)} of {_pages(len(texts))} cannot be read{_named(unread)}.")
    if without:
        warnings.append(f"{len(without)} of {_pages(len(texts))} hold no text{_named(without)}.")
    return ParsedDocument(
        title=title_or_name(metadata.get("Title", ""), path.stem),
        pages=tuple(
            Page(number=number, text=text, label=label, heading=heading)
            for number, (text, (label, heading)) in enumerate(
                zip(cleaned, places, strict=True), start=1
            )
        ),
        paged=True,
        parser=parser,
        metadata=_stated(metadata),
        warnings=tuple(warnings),
    )


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

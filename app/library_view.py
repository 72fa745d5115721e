"""The library page's list of documents and files: values in, escaped HTML out."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from pathlib import Path

from app.language_words import language_words
from app.rendering import age, count_of, sentence_html, text_html
from app.wording import retold, t
from storage.listing import StateCounts
from storage.records import DocumentSummary, Failure

Entry = DocumentSummary | Failure


def file_of(entry: Entry) -> Path:
    """Where the file lies."""
    return Path(entry.source_root) / entry.document


def key_of(entry: Entry) -> str:
    """What a click on the entry says; a file that was never read has no id but its path."""
    if isinstance(entry, DocumentSummary):
        return f"d{entry.document_id}"
    digest = hashlib.sha256(f"{entry.source_root}\0{entry.document}".encode()).hexdigest()
    return f"f{digest[:16]}"


def name_of(entry: Entry) -> str:
    """What a reader calls it: the title, else the file's name."""
    title = entry.title if isinstance(entry, DocumentSummary) else ""
    return title or entry.document.rsplit("/", 1)[-1]


def orders() -> dict[str, str]:
    """The orders of the list."""
    return {
        "path": t("By name"),
        "newest": t("Newest first"),
        "pages": t("Longest first"),
        "size": t("Largest file first"),
        "yield": t("Least text a page first"),
    }


def state_options(counts: StateCounts) -> dict[str, str]:
    """The states that there are, each with its number."""
    states = {
        "": t("All"),
        "fine": t("Nothing to note"),
        "aside": t("Never read"),
        "old": t("Last good version"),
        "unsearchable": t("Pages without text"),
        "hidden": t("Flagged text"),
        "warned": t("With notes"),
        "ocr": t("Read by OCR"),
    }
    numbers = {"": counts.all} | {state: getattr(counts, state) for state in states if state}
    return {
        state: f"{words} ({numbers[state]:,})"
        for state, words in states.items()
        if numbers[state] or state == ""
    }


def table_html(entries: Sequence[Entry], now: float) -> str:
    """The entries of one page; each name is a button that opens its entry."""
    head = "".join(
        f'<th scope="col">{text_html(name)}</th>' for name in (t("Document"), *_columns().values())
    )
    rows = "".join(
        _document_row(entry, now) if isinstance(entry, DocumentSummary) else _file_row(entry, now)
        for entry in entries
    )
    return (
        '<div class="hl-list"><table class="hl-docs"><thead><tr>'
        f"{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _columns() -> dict[str, str]:
    """The columns behind the name."""
    return {
        "pages": t("Pages"),
        "chunks": t("Chunks"),
        "yield": t("Text a page"),
        "language": t("Language"),
        "date": t("Date"),
        "read": t("Read"),
    }


def _document_row(document: DocumentSummary, now: float) -> str:
    cells = {
        "pages": f"{document.pages:,}" if document.paged else f"{document.pages:,} §",
        "chunks": f"{document.chunks:,}",
        "yield": yield_words(document),
        "language": language_words(document.language) if document.language else "",
        "date": document.dated,
        "read": age(max(0.0, now - document.ingested_at)),
    }
    return _row(document, _badges(document), cells)


def _file_row(failure: Failure, now: float) -> str:
    badge = f'<div class="hl-badges">{_badge("error", t("never read"))}</div>'
    reason = f'<div class="hl-small">{sentence_html(failure.reason)}</div>'
    tried = t("tried {when}", when=age(max(0.0, now - failure.last_seen)))
    return _row(failure, badge + reason, {"read": tried})


def _row(entry: Entry, badges: str, cells: dict[str, str]) -> str:
    name, opens = text_html(name_of(entry)), text_html(t("Open {name}", name=name_of(entry)))
    data = "".join(
        f'<td data-name="{text_html(words)}">{text_html(cells.get(column, ""))}</td>'
        for column, words in _columns().items()
    )
    return (
        f'<tr><td><button type="button" class="hl-pick" data-pick="{key_of(entry)}" '
        f'aria-label="{opens}"><bdi>{name}</bdi></button>'
        f'<div class="hl-small hl-path"><bdi>{text_html(entry.document)}</bdi></div>'
        f"{badges}</td>{data}</tr>"
    )


def _badges(document: DocumentSummary) -> str:
    found = []
    if document.fault:
        found.append(_badge("error", t("last good version"), retold(document.fault)))
    if document.unsearchable_pages:
        pages = count_of(document.unsearchable_pages, "page")
        found.append(_badge("warn", t("{pages} without text", pages=pages)))
    if document.flagged_pages:
        pages = count_of(document.flagged_pages, "page")
        found.append(_badge("warn", t("flagged text on {pages}", pages=pages)))
    if document.ocr_pages:
        found.append(_badge("info", ocr_words(document)))
    if document.warnings and not found:
        found.append(_badge("info", count_of(len(document.warnings), "note")))
    found += [_badge("tag", tag) for tag in document.tags[:4]]
    return f'<div class="hl-badges">{"".join(found)}</div>' if found else ""


def _badge(kind: str, words: str, more: str = "") -> str:
    title = f' title="{text_html(more)}"' if more else ""
    return f'<span class="hl-badge hl-badge-{kind}"{title}>{text_html(words)}</span>'


def ocr_words(document: DocumentSummary) -> str:
    """`OCR on 3 pages, 92% sure`; empty without."""
    if not document.ocr_pages:
        return ""
    pages = count_of(document.ocr_pages, "page")
    if document.confidence is None:
        return t("OCR on {pages}", pages=pages)
    return t("OCR on {pages}, {share} sure", pages=pages, share=f"{document.confidence:.0%}")


def yield_words(document: DocumentSummary) -> str:
    """Text a page; what tells a scan without text from a report."""
    if not document.pages:
        return ""
    return t("{n} characters", n=f"{document.characters / document.pages:,.0f}")


def size_words(size: float) -> str:
    """`12 bytes`, `3.4 KB`, `1.2 GB`."""
    if size < 1000:
        return count_of(int(size), "byte")
    for unit in ("KB", "MB", "GB"):
        size /= 1000
        if size < 1000 or unit == "GB":
            break
    return f"{size:,.1f} {unit}"


def moment(seconds: float) -> str:
    """A day and a time, as the machine's clock tells it."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))

"""Running headers and footers: found by what many pages share, and not indexed."""

from __future__ import annotations

from ingest.chunking import ChunkSizes, chunk_document
from ingest.loaders.running_lines import running_lines
from storage.records import Page, ParsedDocument


def _spans(texts):
    return [
        [text[flag.start : flag.end] for flag in flags]
        for text, flags in zip(texts, running_lines(texts), strict=True)
    ]


def _page(number, body, *, head="Annual report of the harbour", foot="Page {}"):
    return f"{head}\n{body}\n{foot.format(number)}"


def test_lines_of_most_pages_are_running_lines():
    """A header that stays and a footer that counts are flagged on each page."""
    texts = [_page(n, f"Chapter text {n * 7} about salt") for n in range(1, 9)]

    assert _spans(texts)[2] == ["Annual report of the harbour", "Page 3"]


def test_title_of_a_few_pages_is_none():
    """A statement's title tells its pages from the others, however it is placed."""
    texts = [_page(n, f"Text {n * 7} of the page") for n in range(1, 21)]
    for number in (4, 5, 6, 7, 8):
        texts[number] = texts[number].replace("\n", "\nStatement of cash flows\n", 1)

    assert _spans(texts)[5] == ["Annual report of the harbour", "Page 6"]


def test_numbers_that_do_not_count_pages_are_content():
    """ "Room 12" and "Room 40" on pages that follow each other are two things."""
    texts = [
        f"Room {n * n + 3}\nIt has {n * n % 7} windows, {n * n % 5} doors and a view"
        for n in range(1, 12)
    ]

    assert _spans(texts) == [[]] * 11


def test_page_of_nothing_else_keeps_its_lines():
    """A divider page is found by what it says."""
    texts = [_page(n, f"Chapter text {n * 7} about salt") for n in range(1, 9)]
    texts[4] = "Annual report of the harbour\nPage 5"

    assert _spans(texts)[4] == []


def test_short_documents_have_no_running_lines():
    """Four pages are too few to tell."""
    texts = [_page(n, f"Text {n * 7} of the page") for n in range(1, 5)]

    assert _spans(texts) == [[]] * 4


def test_running_lines_are_not_indexed_and_chunks_stay_slices_of_their_page():
    """Neither a chunk nor the head of a page holds the header; the page's text does."""
    texts = [_page(n, f"Year {n * n}\nChapter {n * 7} about salt and rope") for n in range(1, 9)]
    pages = tuple(
        Page(number, text, flags=tuple(flags))
        for number, (text, flags) in enumerate(zip(texts, running_lines(texts), strict=True), 1)
    )
    document = ParsedDocument("T", pages, paged=True, parser="test")

    def token_spans(text):
        import re

        return [match.span() for match in re.finditer(r"\S+", text)]

    chunks = chunk_document(document, ChunkSizes(64, 8), token_spans)

    assert all("Annual report" not in chunk.text + chunk.head for chunk in chunks)
    assert chunks[2].text == "Year 9\nChapter 21 about salt and rope"
    for chunk in chunks:
        assert texts[chunk.page - 1][chunk.char_start : chunk.char_end] == chunk.text

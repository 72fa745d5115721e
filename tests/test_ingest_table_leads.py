"""A row that is cut off from its table keeps the table's header."""

from __future__ import annotations

from ingest.chunking import ChunkSizes, chunk_document
from ingest.table_leads import lead_at, table_leads
from storage.records import Page, ParsedDocument

ROWS = "\n".join(f"Service {number} | {number * 3} | page" for number in range(60))
TABLE = f"Fees of the office\n\nService | Fee | Unit\n{ROWS}\n\nAll without tax."


def _spans(text):
    """Words, as an embedding model might see them."""
    spans, at = [], 0
    for word in text.split():
        at = text.index(word, at)
        spans.append((at, at + len(word)))
        at += len(word)
    return spans


def _chunks(text, limit=60):
    document = ParsedDocument("Office", (Page(1, text),), paged=False, parser="x")
    return chunk_document(document, ChunkSizes(limit, 8), _spans)


def test_every_chunk_of_a_table_is_embedded_with_its_header():
    """And none is longer than the model reads."""
    chunks = _chunks(TABLE)

    rows = [chunk for chunk in chunks if "Service 30 " in chunk.text or "Service 50 " in chunk.text]
    assert rows
    for chunk in rows:
        assert chunk.lead == "Service | Fee | Unit"
        assert chunk.embedded_text == f"Office\nService | Fee | Unit\n{chunk.text}"
    assert all(len(_spans(chunk.embedded_text)) <= 60 for chunk in chunks)


def test_text_above_and_below_a_table_has_no_header():
    """Only its rows do, from the first on."""
    leads = table_leads(TABLE)

    assert lead_at(leads, TABLE.index("Fees")) == ""
    assert lead_at(leads, TABLE.index("Service | Fee")) == ""
    assert lead_at(leads, TABLE.index("Service 0 ")) == "Service | Fee | Unit"
    assert lead_at(leads, TABLE.index("All without")) == ""


def test_rows_that_name_their_columns_need_no_header():
    """Nor do two lines with a bar by chance."""
    named = "\n".join(f"Item: Chair {n} | Price: {n} | Stock: 3" for n in range(9))

    assert table_leads(named) == ()
    assert table_leads("a | b\nc | d\n\nmore") == ()


def test_header_that_would_fill_the_chunk_is_left_out():
    """Where nothing would remain for the rows."""
    header = " | ".join(f"Column number {n}" for n in range(12))
    chunks = _chunks(f"{header}\n{ROWS}", limit=40)

    assert all(not chunk.lead for chunk in chunks)

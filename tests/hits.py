"""Passages as a search would find them, without a library."""

from __future__ import annotations

from typing import Any

from storage.records import Hit


def a_hit(
    text: str = "text", *, rank: int = 1, document_id: int = 1, char_start: int = 0, **facts: Any
) -> Hit:
    """A passage of the first page of a report; `facts` are fields of `Hit`."""
    values = {
        "document": f"{document_id}.pdf",
        "page": 1,
        "score": 1 / rank,
        "char_end": char_start + len(text),
        "chunk_id": f"{document_id}:{rank}",
        "version_id": document_id,
        "title": f"Report {document_id}",
        "heading": "",
        "page_label": "",
        "paged": True,
        **facts,
    }
    return Hit(rank=rank, text=text, char_start=char_start, document_id=document_id, **values)

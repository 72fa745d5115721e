"""From hits to what is read, over the pages of a catalog."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.reading import read, searched_for
from storage.catalog import Catalog
from storage.catalog_writer import CatalogWriter, FileState
from storage.records import Chunk, Hit, Page, ParsedDocument


class Shelf:
    """A catalog to put documents in; each page is one chunk, and a hit when asked for."""

    def __init__(self, path: Path) -> None:
        self.catalog = Catalog(path)
        self._writer = CatalogWriter(self.catalog)
        self._source = self._writer.source("/docs", whole=True)

    def add(self, path: str, *texts: str, paged: bool = True) -> list[str]:
        """Chunk ids, one a page."""
        pages = tuple(Page(number, text) for number, text in enumerate(texts, 1))
        chunks = [Chunk(p.number - 1, p.number, 0, len(p.text), p.text, "", "x") for p in pages]
        new = self._writer.begin_version(self._source, path, len(chunks), "c")
        document = ParsedDocument(path, pages, paged, "test")
        file = FileState(path, 1, 1, path, "r/1")
        self._writer.publish(new.version_id, file, document, chunks, [b"x"] * len(chunks))
        return [f"{new.version_id}:{chunk.ordinal}" for chunk in chunks]

    def hits(self, *chunk_ids: str) -> list[Hit]:
        """As a search would give them, in this order."""
        with self.catalog.snapshot() as snapshot:
            passages = snapshot.passages(chunk_ids)
        return [
            Hit(
                rank=rank,
                document=passages[chunk_id].document,
                page=passages[chunk_id].page,
                score=1 / rank,
                text=passages[chunk_id].text,
                char_start=passages[chunk_id].char_start,
                char_end=passages[chunk_id].char_end,
                chunk_id=chunk_id,
                document_id=passages[chunk_id].document_id,
                version_id=passages[chunk_id].version_id,
                title=passages[chunk_id].title,
                heading="",
                page_label="",
                paged=passages[chunk_id].paged,
            )
            for rank, chunk_id in enumerate(chunk_ids, start=1)
        ]


@pytest.fixture
def shelf(tmp_path: Path):
    """An empty one."""
    made = Shelf(tmp_path / "catalog.db")
    yield made
    made.catalog.close()


def body(n: int) -> str:
    return f"This is what report page {n} says of matter {n * n}, in a sentence of its own."


def test_running_lines_are_known_from_the_pages_around(shelf):
    """Though the pages around were not found; sections have none."""
    report = shelf.add("report.pdf", *(f"ACME Report\n{body(n)}\n{n}" for n in range(1, 8)))
    notes = shelf.add("notes.md", *(f"ACME Report\n{body(n)}" for n in range(1, 8)), paged=False)

    reading = read(shelf.catalog, shelf.hits(report[3], notes[3]), 8, 3000)

    first, second = reading.passages
    spans = reading.running[(first.version_id, first.page)]
    assert [first.text[start:end] for start, end in spans] == ["ACME Report", "4"]
    assert (second.version_id, second.page) not in reading.running


def test_the_same_page_at_another_page_number_is_a_copy(shelf):
    """Header and footer aside, the words are the same: read once, both places named."""
    one = shelf.add("one.pdf", *(f"ACME Report\n{body(n)}\n{n}" for n in range(1, 5)))
    other = shelf.add("other.pdf", "Cover", *(f"Annex\n{body(n)}\n{n + 1}" for n in range(1, 5)))

    (passage,) = read(shelf.catalog, shelf.hits(one[2], other[3]), 8, 3000).passages

    assert (passage.document, passage.page) == ("one.pdf", 3)
    assert [(place.document, place.page) for place in passage.also] == [("other.pdf", 4)]


def test_the_next_hits_take_the_turn_of_copies(shelf):
    """As many distinct passages as were asked for, while there are any."""
    copies = [shelf.add(f"copy{n}.md", body(1), paged=False)[0] for n in range(4)]
    others = [shelf.add(f"other{n}.md", body(n + 2), paged=False)[0] for n in range(4)]
    hits = shelf.hits(*copies, *others)

    passages = read(shelf.catalog, hits, 3, 3000).passages

    assert [passage.document for passage in passages] == ["copy0.md", "other0.md", "other1.md"]
    assert len(passages[0].also) == 3
    assert searched_for(3) >= 6


def test_copies_behind_the_last_passage_are_named_too(shelf):
    """The search puts them last; their place is worth knowing."""
    kept = shelf.add("kept.md", body(1), paged=False)
    other = shelf.add("other.md", body(2), paged=False)
    copy = shelf.add("copy.md", body(1), paged=False)

    first, _ = read(shelf.catalog, shelf.hits(*kept, *other, *copy), 2, 3000).passages

    assert [place.document for place in first.also] == ["copy.md"]


def test_a_library_that_changed_under_the_hits_loses_none(shelf):
    """What is no longer there is read as it was found."""
    hits = shelf.hits(*shelf.add("gone.md", body(1), paged=False))
    other = Shelf(shelf.catalog.path.with_name("empty.db"))

    reading = read(other.catalog, hits, 8, 3000)
    other.catalog.close()

    assert list(reading.passages) == hits

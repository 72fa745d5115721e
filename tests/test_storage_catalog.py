"""Reading the catalog: counts, documents, pages, and the passages behind ids."""

from __future__ import annotations

from pathlib import Path

import pytest

from storage.catalog import Catalog
from storage.catalog_writer import CatalogWriter, FileState
from storage.errors import StorageError
from storage.records import EVERYTHING, Chunk, Page, ParsedDocument, Scope
from storage.scoping import Within
from tests.library_fixtures import document_named

PAGES = (
    Page(1, "Rent is due on the first.", "i", "Lease"),
    Page(2, "漢字🙂 and more.", "ii", "Lease"),
)


@pytest.fixture
def catalog(tmp_path: Path):
    """A catalog of two documents in folders."""
    catalog = Catalog(tmp_path / "catalog.db")
    writer = CatalogWriter(catalog)
    source = writer.source("/docs", whole=True)
    for path in ("contracts/lease.pdf", "contracts-old/lease.pdf"):
        chunks = [
            Chunk(0, 1, 0, 11, "Rent is due", "Lease", "x"),
            Chunk(1, 2, 2, 7, "🙂 and", "Lease", "y"),
        ]
        new = writer.begin_version(source, path, 2, "c")
        document = ParsedDocument("The lease", PAGES, True, "test", {}, ("A warning.",))
        file = FileState(path, 100, 1, "sha", "pdf/1")
        writer.publish(new.version_id, file, document, chunks, [b"x", b"y"])
    yield catalog
    catalog.close()


def add(
    writer: CatalogWriter,
    source: int,
    path: str,
    text: str,
    metadata: dict[str, str] | None = None,
    *,
    visible: bool = True,
) -> int:
    """A document of one page and one chunk; gives its id."""
    new = writer.begin_version(source, path, 1, "c")
    document = ParsedDocument("T", (Page(1, text),), False, "test", metadata or {})
    chunk = Chunk(0, 1, 0, len(text), text, "", text)
    file = FileState(path, 1, 1, "sha", "r/1")
    writer.publish(new.version_id, file, document, [chunk], [b"z"], visible=visible)
    return new.document_id


def test_counts_add_up(catalog):
    """Documents, pages and chunks of what can be found."""
    counts = catalog.counts()

    assert (counts.documents, counts.pages, counts.chunks, counts.failures) == (2, 4, 4, 0)
    assert counts.last_ingested_at is None


def test_a_document_is_summed_up(catalog):
    """With its title, its size and what was odd about it."""
    summary = document_named(catalog, "contracts/lease.pdf")

    assert summary is not None
    assert (summary.title, summary.pages, summary.chunks) == ("The lease", 2, 2)
    assert summary.warnings == ("A warning.",)


def test_many_pages_are_read_at_once(catalog):
    """By version and number, each once; what is not there is left out."""
    with catalog.snapshot() as snapshot:
        version = snapshot.passages(["1:0"])["1:0"].version_id
        found = snapshot.pages([(version, 2), (version, 1), (version, 2), (version, 9), (77, 1)])
        none = snapshot.pages([])

    assert found == {(version, 1): PAGES[0], (version, 2): PAGES[1]}
    assert none == {}


def test_pages_come_back_as_they_were(catalog):
    """Text, label and heading, in order; None for a page that is not there."""
    document_id = catalog.documents()[0].document_id

    assert tuple(catalog.pages(document_id)) == PAGES
    assert catalog.page(document_id, 2) == PAGES[1]
    assert catalog.page(document_id, 3) is None
    assert catalog.page(999, 1) is None


def test_a_passage_is_cut_from_its_page_by_characters(catalog):
    """Offsets count characters, also behind those that take four bytes."""
    with catalog.snapshot() as snapshot:
        passages = snapshot.passages(["1:1", "1:0", "9:9", "1:7"])

    assert {key: p.text for key, p in passages.items()} == {"1:0": "Rent is due", "1:1": "🙂 and"}
    assert (passages["1:1"].page_label, passages["1:1"].heading) == ("ii", "Lease")


def test_thousands_of_ids_are_looked_up(catalog):
    """More ids than SQLite takes in one statement."""
    with catalog.snapshot() as snapshot:
        passages = snapshot.passages([f"7:{i}" for i in range(5000)] + ["1:0"])

    assert list(passages) == ["1:0"]


def test_words_are_looked_for_within_a_scope(catalog):
    """Within a scope no other document is found; within an empty one, none."""
    with catalog.snapshot() as snapshot:
        everywhere = snapshot.lexical("rent", 10)
        here = snapshot.lexical("rent", 10, snapshot.within(Scope(documents=("contracts",))))

        assert [i for i, _ in everywhere] == ["1:0", "2:0"]
        assert here == everywhere[:1]
        assert snapshot.lexical("rent", 10, Within({}, 0.0)) == []
        assert snapshot.lexical("?!", 10) == []


def test_no_scope_is_no_filter(catalog):
    """A scope without filters is told from one that nothing meets."""
    with catalog.snapshot() as snapshot:
        assert snapshot.within(EVERYTHING) is None
        assert snapshot.within(Scope(until="1970")).versions == {1: 2, 2: 2}
        assert snapshot.within(Scope(since="1971")).versions == {}


def test_a_scope_never_loses_hits_to_what_is_outside(tmp_path):
    """With 200 documents that match better, the one in scope is found first at any limit."""
    catalog = Catalog(tmp_path / "catalog.db")
    writer = CatalogWriter(catalog)
    source = writer.source("/docs", whole=True)
    for i in range(200):
        add(writer, source, f"loud/{i}.md", "rent rent rent")
    add(writer, source, "quiet.md", "the rent of a house that is mentioned once among other things")

    with catalog.snapshot() as snapshot:
        quiet = snapshot.within(Scope(documents=("quiet.md",)))
        assert quiet is not None
        assert "201:0" not in [i for i, _ in snapshot.lexical("rent", 10)]
        assert [i for i, _ in snapshot.lexical("rent", 1, quiet)] == ["201:0"]
        loud = snapshot.within(Scope(documents=("loud",)))
        assert len(snapshot.lexical("rent", 500, loud)) == 200
    catalog.close()


def test_facets_count_what_can_be_chosen(catalog):
    """Types, languages, tags and dates of the visible documents, most frequent first."""
    writer = CatalogWriter(catalog)
    source = writer.source("/docs", whole=True)
    stated = {"tags": "Rent, Law", "date": "2021-05", "lang": "de"}
    add(writer, source, "a.md", "x", stated)
    hidden = add(writer, source, "hidden.html", "x", {"tags": "secret"}, visible=False)

    facets = catalog.facets()

    assert facets.kinds == {"pdf": 2, "md": 1}
    assert facets.languages == {"en": 2, "de": 1}
    assert facets.tags == {"law": 1, "rent": 1}
    assert (facets.first_date[:4], facets.last_date) == ("1970", "2021-05")
    assert hidden not in [document.document_id for document in catalog.documents()]


def test_a_document_is_listed_with_its_facts(catalog):
    """Type, language, date, who says so, and tags in alphabetical order."""
    writer = CatalogWriter(catalog)
    source = writer.source("/docs", whole=True)
    stated = {"tags": "Rent; #Law", "date": "5 May 2021", "lang": "de-AT"}
    add(writer, source, "a.MARKDOWN", "x", stated)

    one = document_named(catalog, "a.MARKDOWN")
    other = document_named(catalog, "contracts/lease.pdf")

    assert one is not None and other is not None
    assert (one.kind, one.language, one.dated, one.dated_by, one.tags) == (
        ("md", "de", "2021-05-05", "stated", ("law", "rent"))
    )
    assert (other.kind, other.dated[:4], other.dated_by, other.tags) == ("pdf", "1970", "file", ())


def test_a_word_of_the_title_finds_less_than_one_of_the_text(catalog):
    """Scores are higher for better; a title counts half."""
    with catalog.snapshot() as snapshot:
        scores = dict(snapshot.lexical("rent lease", 10))

    assert scores["1:0"] > scores["1:1"] > 0


def test_a_sound_catalog_has_no_fault(catalog):
    """SQLite's own check."""
    assert catalog.fault() == ""


def test_an_error_is_a_sentence(tmp_path):
    """Every reading method speaks of the file, exit 74."""
    (tmp_path / "catalog.db").write_bytes(b"garbage" * 1000)

    for read in (Catalog.counts, Catalog.documents, Catalog.failures, Catalog.identity):
        with pytest.raises(StorageError, match=r"catalog\.db"):
            read(Catalog(tmp_path / "catalog.db"))

"""The journal of versions: one commit shows a document, and what was half-done is named."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from storage.catalog import Catalog, IndexIdentity
from storage.catalog_writer import CatalogWriter, FileState, Leftover
from storage.records import Chunk, Flag, Page, ParsedDocument
from tests.library_fixtures import document_named

COLLECTION = "hayloft-test"
NOW = time.time


@pytest.fixture
def catalog(tmp_path: Path):
    """An empty catalog."""
    catalog = Catalog(tmp_path / "catalog.db")
    yield catalog
    catalog.close()


@pytest.fixture
def writer(catalog: Catalog) -> CatalogWriter:
    """Its writing half."""
    return CatalogWriter(catalog)


def identity(collection: str = COLLECTION) -> IndexIdentity:
    return IndexIdentity("fake", 4, "1/48/8", collection)


def state(path: str, text: str) -> FileState:
    return FileState(path, len(text), 17, f"sha of {text}", "text/1")


def begin(writer: CatalogWriter, source: int, path: str, text: str, collection: str = COLLECTION):
    """A version that is announced and not shown yet, with what `publish` needs."""
    chunks = [
        Chunk(i, 1, text.index(word), text.index(word) + len(word), word, "", f"{path} {word}")
        for i, word in enumerate(text.split())
    ]
    new = writer.begin_version(source, path, len(chunks), collection)
    document = ParsedDocument(f"Title of {path}", (Page(1, text),), True, "test")
    shas = [chunk.embedded_text.encode() for chunk in chunks]
    return new, (new.version_id, state(path, text), document, chunks, shas)


def add(writer: CatalogWriter, source: int, path: str, text: str, *, visible: bool = True):
    """A version from its announcement to its commit."""
    new, parts = begin(writer, source, path, text)
    writer.publish(*parts, visible=visible)
    return new


def found(catalog: Catalog, query: str) -> list[str]:
    """Texts that the word index finds, as a reader sees them."""
    with catalog.snapshot() as snapshot:
        ids = [chunk_id for chunk_id, _ in snapshot.lexical(query, 10)]
        passages = snapshot.passages(ids)
        return [passages[chunk_id].text for chunk_id in ids]


def test_a_version_is_not_there_before_it_is_published(catalog, writer):
    """Announced is not visible: no document, no page, no word; and the journal names it."""
    source = writer.source("/docs", whole=True)
    new, parts = begin(writer, source, "a.txt", "alpha beta")

    assert catalog.documents() == []
    assert catalog.counts().documents == 0
    assert found(catalog, "alpha") == []
    assert writer.leftovers(retired_before=0) == [Leftover(new.version_id, 2, COLLECTION)]

    writer.publish(*parts)
    assert [d.document for d in catalog.documents()] == ["a.txt"]
    assert found(catalog, "alpha") == ["alpha"]
    assert writer.leftovers(retired_before=NOW()) == []


def test_a_reader_sees_the_old_version_whole_while_a_new_one_is_published(catalog, writer):
    """A snapshot that began before the switch finds the old words and pages to its end."""
    source = writer.source("/docs", whole=True)
    old = add(writer, source, "a.txt", "alpha beta")
    _, parts = begin(writer, source, "a.txt", "gamma delta epsilon")

    with catalog.snapshot() as snapshot:
        before = snapshot.lexical("alpha beta gamma", 10)
        thread = threading.Thread(target=writer.publish, args=parts)
        thread.start()
        thread.join(timeout=10)
        during = snapshot.lexical("alpha beta gamma", 10)
        texts = sorted(p.text for p in snapshot.passages(i for i, _ in during).values())

    assert during == before
    assert texts == ["alpha", "beta"]
    assert found(catalog, "alpha beta gamma delta") == ["gamma", "delta"]
    assert {i for i, _ in before} == {f"{old.version_id}:0", f"{old.version_id}:1"}


def test_a_replaced_version_leaves_its_note_until_its_vectors_are_gone(catalog, writer):
    """Its pages and words go with the switch; its vectors are named after the grace."""
    source = writer.source("/docs", whole=True)
    old = add(writer, source, "a.txt", "alpha beta")
    retired_at = NOW()
    add(writer, source, "a.txt", "gamma")

    assert writer.leftovers(retired_before=retired_at - 60) == []
    assert writer.leftovers(retired_before=NOW() + 1) == [Leftover(old.version_id, 2, COLLECTION)]
    assert writer.last_retired_at() == pytest.approx(retired_at, abs=5)
    writer.forget([old.version_id])
    assert writer.leftovers(retired_before=NOW() + 1) == []
    assert writer.last_retired_at() is None
    assert catalog.vector_ids(COLLECTION) == ({f"{old.version_id + 1}:0"}, set())


def test_hidden_versions_are_those_that_are_not_current(catalog, writer):
    """Announced, replaced and removed ones, of the collection that is asked about."""
    source = writer.source("/docs", whole=True)
    replaced = add(writer, source, "a.txt", "alpha")
    add(writer, source, "a.txt", "beta")
    announced, _ = begin(writer, source, "b.txt", "gamma")
    elsewhere, _ = begin(writer, source, "c.txt", "delta", "another")

    with catalog.snapshot() as snapshot:
        hidden = snapshot.hidden_versions(COLLECTION)
        assert set(hidden) == {replaced.version_id, announced.version_id}
        assert snapshot.hidden_versions("another") == [elsewhere.version_id]


def test_forgetting_never_takes_a_visible_version(catalog, writer):
    """A current version survives being named by mistake, row and all."""
    source = writer.source("/docs", whole=True)
    new = add(writer, source, "a.txt", "alpha")

    writer.forget([new.version_id, new.version_id + 1000])

    assert found(catalog, "alpha") == ["alpha"]
    assert writer.files(source)["a.txt"].version_id == new.version_id


def test_sweeping_a_first_version_that_was_never_published_takes_its_document(catalog, writer):
    """A run killed at a new file leaves no empty document behind."""
    source = writer.source("/docs", whole=True)
    new, _ = begin(writer, source, "a.txt", "alpha")

    writer.forget([new.version_id])

    with catalog.database.snapshot() as connection:
        assert connection.execute("SELECT count(*) FROM documents").fetchone()[0] == 0


def test_what_a_page_says_of_itself_is_kept(catalog, writer):
    """Origin, confidence and flags come back as they went in, also for a rebuild."""
    source = writer.source("/docs", whole=True)
    pages = (
        Page(1, "seen", origin="ocr", confidence=0.5, flags=(Flag("hidden", 0, 4),)),
        Page(2, "also", origin="ocr", confidence=0.9, flags=(Flag("repeated", 0, 4),)),
        Page(3, "", origin="none"),
    )
    new = writer.begin_version(source, "scan.pdf", 0, COLLECTION)
    document = ParsedDocument("Scan", pages, True, "test")

    writer.publish(new.version_id, FileState("scan.pdf", 1, 1, "s", "r"), document, [], [])

    assert tuple(catalog.pages(new.document_id)) == pages
    assert writer.parsed_before(new.version_id).pages == pages
    with catalog.snapshot() as snapshot:
        assert snapshot.pages([(new.version_id, 1)]) == {(new.version_id, 1): pages[0]}
    summary = document_named(catalog, "scan.pdf")
    assert (summary.ocr_pages, summary.unsearchable_pages, summary.flagged_pages) == (2, 1, 1)
    assert summary.confidence == pytest.approx(0.7)


def test_each_attempt_waits_longer_and_a_changed_file_begins_anew(catalog, writer):
    """The pauses follow the attempts, the last one stays; another size starts over."""
    source = writer.source("/docs", whole=True)
    waits = []
    for size in (1, 1, 1, 2):
        now = NOW()
        writer.fail(source, "a.txt", "damaged", "no", size=size, pauses=(10, 100))
        waits.append(round(writer.failed(source)["a.txt"].next_try - now))

    assert waits == [10, 100, 100, 10]
    assert catalog.failures()[0].attempts == 1
    writer.fail(source, "folder", "permission", "no")
    assert writer.failed(source)["folder"].next_try == 0


def test_a_document_that_cannot_be_read_now_says_so(catalog, writer):
    """A failure of the file, of a folder above it or of the whole source is the document's."""
    source = writer.source("/docs", whole=True)
    for name in ("a.txt", "sub/b.txt", "sub/deep/c.txt", "subway.txt"):
        add(writer, source, name, "alpha")
    writer.fail(source, "a.txt", "damaged", "It is broken.")
    writer.fail(source, "sub", "permission", "It is shut.")

    def faults():
        return {d.document: d.fault for d in catalog.documents()}

    assert faults() == {
        "a.txt": "It is broken.",
        "sub/b.txt": "It is shut.",
        "sub/deep/c.txt": "It is shut.",
        "subway.txt": "",
    }
    writer.fail(source, ".", "vanished", "All is gone.")
    assert faults()["subway.txt"] == "All is gone."
    assert document_named(catalog, "a.txt").fault_since > 0
    assert catalog.failures()[1].last_good is not None


def test_a_moved_document_keeps_its_id_and_is_found_by_its_new_name(catalog, writer):
    """Pages, chunks and vectors stay; path, title, type and words follow the new name."""
    source = writer.source("/docs", whole=True)
    other = writer.source("/other", whole=True)
    old = add(writer, source, "zebra.txt", "alpha beta")
    writer.fail(source, "zebra.txt", "vanished", "gone")

    writer.move(
        old.document_id,
        other,
        FileState("sub/giraffe.md", 7, 8, "sha", "reader"),
        title="Giraffe",
        lead="Zebra",
    )

    [moved] = catalog.documents()
    assert (moved.document_id, moved.document, moved.source_root) == (
        old.document_id,
        "sub/giraffe.md",
        "/other",
    )
    assert (moved.title, moved.kind) == ("Giraffe", "md")
    assert found(catalog, "giraffe") == ["alpha", "beta"]
    assert found(catalog, "zebra") == []
    with catalog.snapshot() as snapshot:
        assert snapshot.versions_named("giraffe", 5) == [old.version_id]
        assert snapshot.versions_named("zebra", 5) == []
    known = writer.files(other)["sub/giraffe.md"]
    assert (known.lead, known.size, known.version_id) == ("Zebra", 7, old.version_id)
    assert catalog.failures() == []


def test_a_removed_document_is_gone_at_once_and_its_vectors_are_noted(catalog, writer):
    """Deleting is one commit too, and the journal keeps what Chroma still holds."""
    source = writer.source("/docs", whole=True)
    new = add(writer, source, "a.txt", "alpha beta")
    writer.fail(source, "a.txt", "damaged", "It is damaged.")

    writer.remove([new.document_id, 999])

    assert found(catalog, "alpha") == []
    assert catalog.page(new.document_id, 1) is None
    assert catalog.failures() == []
    assert writer.leftovers(retired_before=NOW() + 1) == [Leftover(new.version_id, 2, COLLECTION)]


def test_a_failure_keeps_the_last_good_version(catalog, writer):
    """A file that cannot be read any more stays searchable, and says so; success clears it."""
    source = writer.source("/docs", whole=True)
    add(writer, source, "a.txt", "alpha")
    writer.fail(source, "a.txt", "damaged", "It is damaged.")
    writer.fail(source, "a.txt", "encrypted", "It is encrypted.")
    writer.fail(source, "new.txt", "empty", "It is empty.")

    first, second = catalog.failures()
    assert (first.document, first.kind, first.attempts) == ("a.txt", "encrypted", 2)
    assert (first.serves_old_version, second.serves_old_version) == (True, False)
    assert found(catalog, "alpha") == ["alpha"]

    add(writer, source, "a.txt", "beta")
    assert [f.document for f in catalog.failures()] == ["new.txt"]
    writer.clear_failures(source, ["new.txt"])
    assert catalog.failures() == []


def test_a_touched_file_keeps_its_version(catalog, writer):
    """A new time for the same content changes what is compared, and nothing else."""
    source = writer.source("/docs", whole=True)
    new = add(writer, source, "a.txt", "alpha")

    writer.touch(new.version_id, FileState("a.txt", 5, 99, "ignored", "text/2"))

    known = writer.files(source)["a.txt"]
    assert (known.mtime_ns, known.reader, known.sha256) == (99, "text/2", "sha of alpha")
    assert known.version_id == new.version_id


def test_an_inner_source_is_adopted_with_its_documents(catalog, writer):
    """A root inside a new root becomes part of it: same versions, longer paths, no doubles."""
    inner = writer.source("/docs/sub", whole=True)
    moved = add(writer, inner, "a.txt", "alpha")
    double = add(writer, inner, "b.txt", "beta")
    writer.fail(inner, "c.txt", "damaged", "It is damaged.")
    outer = writer.source("/docs", whole=True)
    kept = add(writer, outer, "sub/b.txt", "beta again")

    writer.adopt("/docs/sub", outer, "sub/")

    files = writer.files(outer)
    assert {p: f.version_id for p, f in files.items()} == {
        "sub/a.txt": moved.version_id,
        "sub/b.txt": kept.version_id,
    }
    assert [root for root, _ in catalog.sources()] == ["/docs"]
    assert [f.document for f in catalog.failures()] == ["sub/c.txt"]
    assert [left.version_id for left in writer.leftovers(retired_before=NOW() + 1)] == [
        double.version_id
    ]


def test_adopting_itself_or_nothing_is_harmless(catalog, writer):
    """A root that is no source, or is the adopting one, changes nothing."""
    source = writer.source("/docs", whole=True)
    add(writer, source, "a.txt", "alpha")

    writer.adopt("/docs", source, "")
    writer.adopt("/nowhere", source, "x/")

    assert list(writer.files(source)) == ["a.txt"]


def test_a_source_named_as_a_folder_stays_whole(catalog, writer):
    """Naming one of its files later does not make the rest of it forgotten."""
    source = writer.source("/docs", whole=False)
    assert writer.source("/docs", whole=True) == source
    assert writer.source("/docs", whole=False) == source

    assert catalog.sources() == [("/docs", True)]


def test_forgetting_a_source_takes_all_of_it(catalog, writer):
    """All its documents go in one commit; another source with the same names stays."""
    one, two = writer.source("/one", whole=True), writer.source("/two", whole=True)
    add(writer, one, "a.txt", "alpha")
    add(writer, two, "a.txt", "beta")

    assert writer.forget_source("/nowhere") is None
    assert writer.forget_source("/one") == ["a.txt"]

    assert catalog.sources() == [("/two", True)]
    assert found(catalog, "alpha beta") == ["beta"]


def test_a_rebuild_shows_nothing_until_it_switches(catalog, writer):
    """Ready versions of a new collection appear together, with the index they belong to."""
    source = writer.source("/docs", whole=True)
    writer.set_identity(identity())
    old = [add(writer, source, name, f"alpha {name}") for name in ("a.txt", "b.txt")]
    for name in ("a.txt", "b.txt"):
        _, parts = begin(writer, source, name, f"omega {name}", "hayloft-new")
        writer.publish(*parts, visible=False)

    assert found(catalog, "omega") == []
    assert sorted(found(catalog, "alpha")) == ["alpha", "alpha"]
    assert catalog.identity() == identity()

    writer.switch(identity("hayloft-new"))
    assert found(catalog, "alpha") == []
    assert sorted(found(catalog, "omega")) == ["omega", "omega"]
    assert catalog.identity() == identity("hayloft-new")
    left = {item.version_id for item in writer.leftovers(retired_before=NOW() + 1)}
    assert left == {new.version_id for new in old}
    writer.forget_collection(COLLECTION)
    assert writer.leftovers(retired_before=NOW() + 1) == []


def test_a_rebuild_that_was_killed_is_swept(catalog, writer):
    """Ready versions that were never shown are leftovers like any other."""
    source = writer.source("/docs", whole=True)
    add(writer, source, "a.txt", "alpha")
    new, parts = begin(writer, source, "a.txt", "omega", "hayloft-new")
    writer.publish(*parts, visible=False)

    assert writer.leftovers(retired_before=0) == [Leftover(new.version_id, 1, "hayloft-new")]
    writer.forget([new.version_id])

    assert found(catalog, "alpha omega") == ["alpha"]


def test_vectors_of_equal_texts_are_found_in_the_same_collection_only(catalog, writer):
    """What is embedded already is told by its hash, and only where it compares."""
    source = writer.source("/docs", whole=True)
    new = add(writer, source, "a.txt", "alpha beta")
    shas = [b"a.txt alpha", b"a.txt gamma"]

    assert writer.embedded_before(shas, COLLECTION) == {b"a.txt alpha": f"{new.version_id}:0"}
    assert writer.embedded_before(shas, "another") == {}
    many = [str(i).encode() for i in range(3000)] + [b"a.txt beta"]
    assert writer.embedded_before(many, COLLECTION) == {b"a.txt beta": f"{new.version_id}:1"}


def test_a_stored_version_reads_back_as_it_was_parsed(catalog, writer):
    """Without its file, a document can be indexed anew from the catalog."""
    source = writer.source("/docs", whole=True)
    document = ParsedDocument(
        "A “title” 🙂",
        (Page(1, "eins\n二", "i", "H › K"), Page(3, "")),
        False,
        "engine 1.0",
        {"author": "Ü"},
        ("One page holds no text.",),
    )
    new = writer.begin_version(source, "a.txt", 0, COLLECTION)
    writer.publish(new.version_id, state("a.txt", ""), document, [], [])

    assert writer.parsed_before(new.version_id) == document

"""Searching a library: both arms, one consistent state, and questions of every kind."""

from __future__ import annotations

import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.find import MAX_QUERY_CHARACTERS, Finder
from storage.catalog_writer import CatalogWriter
from storage.errors import UsageError
from storage.library import Library
from storage.records import Scope
from tests.library_fixtures import (
    FakeEmbedder,
    ingest,
    library_of,
    open_library,
    words,
    write_files,
)

FILES = {
    "contracts/lease.md": "# Lease\n\nThe rent is 1,200 euros and due on the first.\n\n"
    "## Notice\n\nThree months to the end of a quarter.",
    "contracts/cable.md": "# Cable\n\nThe cable is inspected every two years.",
    "contracts-old/lease.md": "# Old lease\n\nThe rent was 900 euros.",
    "zh.md": "# 年报\n\n公司在二零二零年的净利润为八百七十三万元。",
    "table.txt": "ISO-27001 certified since 2019. Net sales: $8,738 million.",
    "quotes.txt": "She said \"never\" AND 'always' OR (NOT) NEAR: a* b^ {c}.",
    "long.txt": words("long", 900),
}


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """A library of a few small documents."""
    with library_of(tmp_path_factory.mktemp("find"), FILES) as library:
        yield library


@pytest.fixture(scope="module")
def finder(library: Library) -> Finder:
    """Searches it."""
    return Finder(library)


def names(hits) -> list[str]:
    return [hit.document for hit in hits]


def test_the_passage_with_the_words_comes_first(finder):
    """A hit says where it stands: its text is that span of that page."""
    hit = finder.search("When is the rent of 1,200 euros due?")[0]

    assert hit.document == "contracts/lease.md"
    assert (hit.rank, hit.page, hit.heading) == (1, 1, "Lease")
    assert (hit.dense_rank, hit.lexical_rank) == (1, 1)
    assert hit.score == pytest.approx(1.0)


def test_a_second_copy_of_a_text_comes_last_and_is_not_dropped(tmp_path):
    """Two files with the same words: one of them behind every other hit."""
    same = "# Keys\n\nThe spare key of the tower is in the blue tin."
    files = {"a.md": same, "b.md": same, "c.md": "# Locks\n\nThe key of the shed is lost."}
    with open_library(tmp_path / "data") as library:
        ingest(library, write_files(tmp_path / "docs", files))
        found = Finder(library).search("Where is the spare key of the tower?")

    assert [hit.document for hit in found][1:] in (["c.md", "a.md"], ["c.md", "b.md"])
    assert [hit.rank for hit in found] == [1, 2, 3]


def test_a_hit_is_a_span_of_its_page(library, finder):
    """Every hit's text is what its page holds from start to end."""
    for hit in finder.search("rent cable " + words("long", 5), limit=50):
        page = library.catalog.page(hit.document_id, hit.page)
        assert page is not None
        assert page.text[hit.char_start : hit.char_end] == hit.text


def test_hits_come_best_first_and_not_more_than_asked(finder):
    """Ranks count on from one, scores fall, the limit holds."""
    hits = finder.search("the rent", limit=3)

    assert [hit.rank for hit in hits] == [1, 2, 3]
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert len(finder.search("the rent", limit=1)) == 1
    assert len({hit.chunk_id for hit in finder.search("the rent", limit=500)}) > 20


def test_a_search_is_kept_to_documents_and_folders(finder):
    """By path or folder, several at once; a folder's name is not a prefix of others."""
    assert set(names(finder.search("rent", scope=Scope(documents=("contracts",))))) == {
        "contracts/lease.md",
        "contracts/cable.md",
    }
    several = Scope(documents=("contracts-old/", "zh.md"))
    assert set(names(finder.search("rent", scope=several))) == {
        "contracts-old/lease.md",
        "zh.md",
    }


def test_a_document_that_is_not_there_is_an_error(finder):
    """A misspelt document is said, not searched for in vain."""
    with pytest.raises(UsageError, match=r"contract/lease\.md"):
        finder.search("rent", scope=Scope(documents=("contract/lease.md",)))


@pytest.mark.parametrize(
    ("query", "document"),
    [
        ("净利润是多少", "zh.md"),
        ("利", "zh.md"),
        ("$8,738", "table.txt"),
        ("ISO-27001", "table.txt"),
        ('"never" AND NOT', "quotes.txt"),
        ("NEAR(", "quotes.txt"),
        ("notice of the lease", "contracts/lease.md"),
    ],
)
def test_queries_of_every_kind_find_their_document(finder, query, document):
    """Chinese, one character, amounts, standards, and what FTS5 takes for syntax."""
    assert names(finder.search(query))[0] == document


@pytest.mark.parametrize("query", ["", "   ", "\n\t"])
def test_an_empty_question_is_refused_in_a_sentence(finder, query):
    """Nothing was asked."""
    with pytest.raises(UsageError, match="question is empty"):
        finder.search(query)


def test_a_question_of_100_000_characters_is_refused_in_a_sentence(finder):
    """Longer than can be searched for: said with both numbers. At the limit it is searched."""
    with pytest.raises(UsageError, match=r"100,000 characters.*20,000"):
        finder.search("x" * 100_000)

    assert finder.search("rent " * (MAX_QUERY_CHARACTERS // 5))


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(query=st.text(alphabet=st.characters(exclude_categories=[]), min_size=1, max_size=40))
def test_no_question_is_a_fault(finder, query):
    """Whatever is typed gives hits, none, or a sentence."""
    try:
        finder.search(query, limit=3)
    except UsageError as exc:
        assert str(exc).endswith(".")


def test_an_empty_library_has_no_hits(tmp_path):
    """Before the first ingestion a search finds nothing, starts no server, and is no error."""
    with open_library(tmp_path / "data") as library:
        assert Finder(library).search("rent") == []
    assert not (tmp_path / "data" / "chroma").exists()


def test_vectors_of_versions_that_are_not_visible_are_dropped(tmp_path):
    """What stands in Chroma beside the visible versions is passed over, however near and many."""
    docs = write_files(tmp_path / "docs", {"lease.md": "# Lease\n\nThe rent is due."})
    with open_library(tmp_path / "data") as library:
        ingest(library, docs)
        from storage.vectors import VectorRow

        writer = CatalogWriter(library.catalog)
        collection = library.catalog.identity().collection
        text = "Lease\nThe rent is due."
        pending = writer.begin_version(1, "new.md", 300, collection)
        rows = [
            VectorRow(f"{pending.version_id}:{i}", text, pending.document_id, pending.version_id, 1)
            for i in range(300)
        ]
        library.vectors.upsert(collection, rows, FakeEmbedder().embed_passages([text] * 300))

        hits = Finder(library).search("The rent is due.")

        assert names(hits) == ["lease.md"]
        assert hits[0].dense_rank == 1


def test_threads_share_a_finder(finder):
    """Many questions at once get each their own answer."""
    found: dict[int, list[str]] = {}
    queries = ["净利润", "cable inspected", "rent 1,200 euros due", "ISO-27001"] * 3

    def ask(n: int) -> None:
        found[n] = names(finder.search(queries[n]))

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(len(queries))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [found[n][0] for n in range(4)] == [
        "zh.md",
        "contracts/cable.md",
        "contracts/lease.md",
        "table.txt",
    ]
    assert all(found[n] == found[n % 4] for n in range(len(queries)))


def test_a_query_without_small_words_is_in_the_language_its_words_stand_in(tmp_path):
    """ "Umsatz 2018" could be any language; the passages that hold it are German."""
    german = (
        "# Bericht\n\nDer Umsatz der Gesellschaft stieg im Jahr 2018 auf drei Millionen Euro, und "
        "der Vorstand erwartet auch für das nächste Jahr einen weiteren Anstieg."
    )
    docs = write_files(tmp_path / "docs", {"bericht.md": german})
    with open_library(tmp_path / "data") as library:
        ingest(library, docs)

        found = Finder(library).findings("Umsatz 2018")

    assert found.language == "de"
    assert found.weights.lexical > found.weights.dense

"""Which documents a scope comes to."""

from __future__ import annotations

import time

import pytest

from storage.catalog import Catalog
from storage.catalog_writer import CatalogWriter, FileState
from storage.errors import UsageError
from storage.records import EVERYTHING, Chunk, Page, ParsedDocument, Scope, chunk_ids
from storage.scoping import pattern_of

DOCUMENTS = {
    "contracts/lease.md": {"tags": "law, rent", "date": "2021-05-17", "lang": "en"},
    "contracts/old/Lease-2019.pdf": {"created": "2019-11-30T10:00", "keywords": "Law"},
    "contracts-2/lease.md": {"date": "2022", "lang": "de"},
    "reports/3M_2018_10K.pdf": {"created": "2019-02-07"},
    "reports/Übersicht [alt].html": {"date": "2020-07", "lang": "de-AT", "keywords": "Steuer"},
    "100%.txt": {},
}


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory):
    """A catalog of six documents of different kinds, and one that is not visible yet."""
    catalog = Catalog(tmp_path_factory.mktemp("scoping") / "catalog.db")
    for path, stated in DOCUMENTS.items():
        publish(catalog, path, stated)
    publish(catalog, "reports/hidden.docx", {"tags": "secret", "lang": "fr"}, visible=False)
    yield catalog
    catalog.close()


def publish(catalog: Catalog, path: str, stated: dict[str, str], *, visible: bool = True) -> None:
    writer = CatalogWriter(catalog)
    source = writer.source("/docs", whole=True)
    # Too little text to tell a language by: what the document states counts.
    document = ParsedDocument("T", (Page(1, "17.5"),), False, "test", stated)
    new = writer.begin_version(source, path, 2, "c")
    chunks = [Chunk(i, 1, i, i + 1, "1", "", "x") for i in range(2)]
    changed = FileState(path, 1, 1_704_110_400_000_000_000, "sha", "r/1")  # 2024-01-01
    writer.publish(new.version_id, changed, document, chunks, [b"a", b"b"], visible=visible)


def found(catalog: Catalog, scope: Scope) -> set[str]:
    """The paths in scope."""
    with catalog.snapshot() as snapshot:
        within = snapshot.within(scope)
        assert within is not None
        assert within.chunks == 2 * len(within.versions)
        assert within.share == pytest.approx(len(within.versions) / len(DOCUMENTS))
        passages = snapshot.passages(chunk_ids(within.versions))
    return {passage.document for passage in passages.values()}


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["contracts"], {"contracts/lease.md", "contracts/old/Lease-2019.pdf"}),
        (["contracts/"], {"contracts/lease.md", "contracts/old/Lease-2019.pdf"}),
        (["contracts/lease.md", "contracts/lease.md"], {"contracts/lease.md"}),
        (["100%.txt", "contracts-2"], {"100%.txt", "contracts-2/lease.md"}),
        (["*.md"], {"contracts/lease.md", "contracts-2/lease.md"}),
        (["contracts*/*.md"], {"contracts/lease.md", "contracts-2/lease.md"}),
        (["contracts/*"], {"contracts/lease.md"}),
        (["contracts/**"], {"contracts/lease.md", "contracts/old/Lease-2019.pdf"}),
        (["**/lease*.pdf"], {"contracts/old/Lease-2019.pdf"}),
        (["*201[89]*"], {"contracts/old/Lease-2019.pdf", "reports/3M_2018_10K.pdf"}),
        (["*201[!8]*"], {"contracts/old/Lease-2019.pdf"}),
        (["reports/Übersicht [alt].html"], {"reports/Übersicht [alt].html"}),
        (["u\u0308bersicht*"], {"reports/Übersicht [alt].html"}),
        (["reports/U\u0308bersicht [alt].html"], {"reports/Übersicht [alt].html"}),
        (["100?.txt"], {"100%.txt"}),
    ],
    ids=str,
)
def test_documents_are_chosen_by_path_folder_or_pattern(catalog, names, expected):
    """A pattern without a slash is for names in any folder; an existing name is no pattern."""
    assert found(catalog, Scope(documents=tuple(names))) == expected


@pytest.mark.parametrize(
    "name", ["contract", "contracts%", "lease.md", "", "\udc80", "*.docx", "["]
)
def test_a_document_that_is_not_there_is_refused(catalog, name):
    """Also beside others that are there; a document that is not visible is not there."""
    with pytest.raises(UsageError, match=r"No document .*status --documents"):
        found(catalog, Scope(documents=("contracts", name)))


@pytest.mark.parametrize("kinds", [("html",), (".HTM",), ("xhtml",)])
def test_documents_are_chosen_by_type(catalog, kinds):
    """In any way of writing the type."""
    assert found(catalog, Scope(kinds=kinds)) == {"reports/Übersicht [alt].html"}


def test_of_one_filter_any_value_will_do(catalog):
    """Two types are both; two languages are both."""
    assert len(found(catalog, Scope(kinds=("md", "pdf")))) == 4
    assert len(found(catalog, Scope(languages=("de", "EN")))) == 3
    assert len(found(catalog, Scope(tags=("rent", "steuer")))) == 2


def test_documents_are_chosen_by_language(catalog):
    """By the code without its country; those that nobody knows have a name too."""
    german = {"contracts-2/lease.md", "reports/Übersicht [alt].html"}

    assert found(catalog, Scope(languages=("de-CH",))) == german
    assert len(found(catalog, Scope(languages=("unknown",)))) == 3


def test_documents_are_chosen_by_tag(catalog):
    """Tags are compared without case; keywords are tags."""
    assert found(catalog, Scope(tags=(" LAW",))) == {
        "contracts/lease.md",
        "contracts/old/Lease-2019.pdf",
    }


@pytest.mark.parametrize(
    ("since", "until", "expected"),
    [
        ("2022", "", {"contracts-2/lease.md", "100%.txt"}),
        ("2022-06-01", "2023", {"contracts-2/lease.md"}),
        ("", "2019-02-07", {"reports/3M_2018_10K.pdf"}),
        ("", "2019-02-06", set()),
        ("2020-07-31", "2020-07-31", {"reports/Übersicht [alt].html"}),
        ("2020-08-01", "2021-05-16", set()),
        ("2021-05-17", "2021-05-17", {"contracts/lease.md"}),
        ("2019", "2019-11", {"contracts/old/Lease-2019.pdf", "reports/3M_2018_10K.pdf"}),
    ],
)
def test_documents_are_chosen_by_date(catalog, since, until, expected):
    """Both ends included; a document known to the year or month is in all of it."""
    assert found(catalog, Scope(since=since, until=until)) == expected


def test_all_filters_must_be_met(catalog):
    """Each narrows what the others leave, down to nothing, which is no error."""
    assert found(catalog, Scope(documents=("contracts",), kinds=("pdf",))) == {
        "contracts/old/Lease-2019.pdf"
    }
    every = Scope(("*lease*",), ("md",), ("en",), ("rent",), "2021", "2021-06")
    assert found(catalog, every) == {"contracts/lease.md"}
    assert found(catalog, Scope(kinds=("txt",), tags=("law",))) == set()


@pytest.mark.parametrize(
    ("scope", "sentence"),
    [
        (Scope(kinds=("docx",)), r"no documents of type docx\. Its types: md, pdf, html, txt\."),
        (Scope(languages=("fr",)), r"in the language fr\. Its languages: unknown, de, en\."),
        (Scope(languages=("deutsch",)), r"in the language deutsch\."),
        (Scope(tags=("secret",)), r"with the tag secret\. Its tags: law, rent, steuer\."),
        (Scope(tags=(",",)), r"with the tag ,\."),
        (Scope(since="last year"), r"'last year' is no date\. Write 2023"),
        (Scope(until="2023-02-30"), r"'2023-02-30' is no date"),
        (Scope(since="2023", until="2022"), r"No day lies between 2023 and 2022"),
    ],
)
def test_what_the_library_does_not_have_is_refused_with_what_it_has(catalog, scope, sentence):
    """A misspelt filter is said, not searched for in vain."""
    with pytest.raises(UsageError, match=sentence):
        found(catalog, scope)


def test_a_scope_that_filters_nothing_is_everything():
    """As it is stored, read again, and compared."""
    assert Scope().is_everything
    assert EVERYTHING.to_json() == {}
    scope = Scope(documents=("a",), since="2023")
    assert not scope.is_everything
    assert scope.to_json() == {"documents": ["a"], "since": "2023"}


@pytest.mark.parametrize(
    "glob", ["[", "[]", "[!]", "[z-a]", "[a", "a[[b]", "\\[^x]", "**", "?*[*]?"]
)
def test_no_pattern_is_a_fault(glob):
    """Whatever is typed is a pattern, or refused in a sentence."""
    try:
        pattern_of(glob)
    except UsageError as exc:
        assert "cannot be read" in str(exc)


def test_a_search_among_20_000_documents_finds_its_scope_at_once(tmp_path):
    """Filters are looked up in indexes: all of them together take less than 0.2 s here."""
    catalog = Catalog(tmp_path / "catalog.db")
    with catalog.database.writing() as connection:
        connection.execute("INSERT INTO sources (id, root, whole) VALUES (1, '/docs', 1)")
        for table, rows in {
            "documents (source_id, path, version_id)": (
                (1, f"folder{i % 40}/{i}.md", i) for i in range(1, 20_001)
            ),
            "versions (id, document_id, collection, state, chunks, created_at, kind, language,"
            " dated, metadata)": (
                (i, i, "c", "current", 50, 0.0, "md", "en", f"20{i % 24:02d}-01-01", "x" * 500)
                for i in range(1, 20_001)
            ),
            "tags (tag, version_id)": ((f"tag{i % 50}", i) for i in range(1, 20_001)),
        }.items():
            rows = list(rows)
            marks = ", ".join("?" * len(rows[0]))
            connection.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)
    scopes = [
        Scope(kinds=("md",)),
        Scope(languages=("en",), since="2010"),
        Scope(tags=("tag7",)),
        Scope(documents=("folder3",)),
        Scope(documents=("folder[12]7/*7.md",)),
    ]

    dated = sum(1 for i in range(1, 20_001) if i % 24 >= 10)

    with catalog.snapshot() as snapshot:
        started = time.perf_counter()
        sizes = [len(snapshot.within(scope).versions) for scope in scopes]
        took = time.perf_counter() - started

    assert sizes == [20_000, dated, 400, 500, 1000]
    assert took < 0.2 * 5
    catalog.close()

"""The paged list of documents: what stands in it, how it is filtered, and that it stays fast."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.catalog import Catalog
from storage.listing import Wanted, plain_words
from storage.records import DocumentSummary, Failure
from tests.listing_rows import add_document, add_failure, add_source

DAY = 86_400.0
MANY = 20_000


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    """Two folders; a file that was never read, one that cannot be read now, a shut folder."""
    catalog = Catalog(tmp_path / "catalog.db")
    with catalog.database.writing() as connection:
        papers = add_source(connection, "/papers")
        add_document(connection, papers, "a/fine.pdf", title="Économie générale", created_at=DAY)
        add_document(connection, papers, "a/scan.pdf", unsearchable_pages=1, characters=3, pages=3)
        add_document(connection, papers, "b/read.pdf", ocr_pages=2, confidence=0.9, size=99)
        add_document(connection, papers, "b/trick.pdf", flagged_pages=1)
        add_document(connection, papers, "warned.md", warnings=json.dumps(["One thing."]), pages=9)
        add_document(connection, papers, "old.pdf")
        add_failure(connection, papers, "old.pdf", "vanished")
        add_failure(connection, papers, "never.docx", "encrypted")
        other = add_source(connection, "/other")
        add_document(connection, other, "shut/in.pdf")
        add_document(connection, other, "shutter.pdf")
        add_failure(connection, other, "shut", "permission")
    yield catalog
    catalog.close()


def paths(catalog: Catalog, **wanted: object) -> list[str]:
    return [entry.document for entry in catalog.listing(Wanted(**wanted)).entries]  # type: ignore[arg-type]


def test_documents_and_files_never_read_stand_in_one_list_by_path(catalog: Catalog) -> None:
    """A file that was set aside without ever being read is part of the list."""
    listed = catalog.listing(Wanted())

    assert [entry.document for entry in listed.entries] == [
        "a/fine.pdf",
        "a/scan.pdf",
        "b/read.pdf",
        "b/trick.pdf",
        "never.docx",
        "old.pdf",
        "shut",
        "shut/in.pdf",
        "shutter.pdf",
        "warned.md",
    ]
    assert listed.total == 10
    never = listed.entries[4]
    assert isinstance(never, Failure)
    assert (never.kind, never.attempts, never.next_try, never.source_root) == (
        "encrypted",
        2,
        5000,
        "/papers",
    )
    assert not never.serves_old_version


@pytest.mark.parametrize(
    ("state", "found"),
    [
        ("fine", ["a/fine.pdf", "b/read.pdf", "shutter.pdf"]),
        ("aside", ["never.docx", "shut"]),
        ("old", ["old.pdf", "shut/in.pdf"]),
        ("unsearchable", ["a/scan.pdf"]),
        ("hidden", ["b/trick.pdf"]),
        ("warned", ["warned.md"]),
        ("ocr", ["b/read.pdf"]),
    ],
)
def test_each_state_is_a_filter(catalog: Catalog, state: str, found: list[str]) -> None:
    """What lies below a folder that cannot be listed counts as not readable now."""
    assert paths(catalog, state=state) == found


def test_counts_agree_with_the_filters(catalog: Catalog) -> None:
    """The number beside each state is the number of entries it shows."""
    counts = catalog.state_counts()

    assert counts.all == catalog.listing(Wanted()).total
    for state in ("fine", "aside", "old", "unsearchable", "hidden", "warned", "ocr"):
        total = catalog.listing(Wanted(state=state)).total  # type: ignore[arg-type]
        assert getattr(counts, state) == total, state


def test_an_old_version_says_why_its_file_cannot_be_read(catalog: Catalog) -> None:
    """The summary carries the fault, also one of the folder above it."""
    old, below = catalog.listing(Wanted(state="old")).entries

    assert isinstance(old, DocumentSummary)
    assert isinstance(below, DocumentSummary)
    assert old.fault_kind == "vanished"
    assert below.fault == "shut cannot be read."


def test_words_are_found_in_path_and_title_without_case_and_accents(catalog: Catalog) -> None:
    """All words must be there, in any order."""
    assert paths(catalog, text="ECONOMIE fine") == ["a/fine.pdf"]
    assert paths(catalog, text="économie scan") == []
    assert paths(catalog, text="never") == ["never.docx"]
    assert paths(catalog, text="%") == []


def test_type_and_folder_filter_documents_and_failures(catalog: Catalog) -> None:
    """A folder is below one source; a failure's type is its file's ending."""
    assert paths(catalog, kind="docx") == ["never.docx"]
    assert paths(catalog, root="/papers", folder="b") == ["b/read.pdf", "b/trick.pdf"]
    assert paths(catalog, root="/other") == ["shut", "shut/in.pdf", "shutter.pdf"]
    assert paths(catalog, root="/other", folder="shut") == ["shut/in.pdf"]


def test_orders(catalog: Catalog) -> None:
    """By age, length, size, or characters a page, fewest first."""
    assert paths(catalog, order="newest", limit=1) == ["a/fine.pdf"]
    assert paths(catalog, order="pages", limit=1) == ["warned.md"]
    assert paths(catalog, order="size", limit=1) == ["b/read.pdf"]
    assert paths(catalog, order="yield", kind="pdf", limit=1) == ["a/scan.pdf"]


def test_pages_of_the_list_are_its_parts(catalog: Catalog) -> None:
    """Page after page gives each entry once; beyond the end there is only the total."""
    parts = [paths(catalog, offset=start, limit=3) for start in range(0, 12, 3)]

    assert [path for part in parts for path in part] == paths(catalog)
    beyond = catalog.listing(Wanted(offset=90, limit=3))
    assert (beyond.entries, beyond.total) == ((), 10)


def test_hostile_filters_are_only_text(catalog: Catalog) -> None:
    """Quotes, wildcards and SQL find nothing and break nothing."""
    for text in ("' OR 1=1 --", "%_%", "\x00", "a" * 10_000, "\ud800"):
        assert paths(catalog, text=text) == []
    assert paths(catalog, root="' OR 1=1") == []


def test_folders_are_counted(catalog: Catalog) -> None:
    """Each root with the folders directly below it."""
    assert catalog.folders() == [
        ("/other", "", 1),
        ("/other", "shut", 1),
        ("/papers", "", 2),
        ("/papers", "a", 2),
        ("/papers", "b", 2),
    ]


def test_page_marks_hold_no_text(catalog: Catalog) -> None:
    """Number, origin, confidence, flags and how many characters; blanks count for nothing."""
    with catalog.database.writing() as connection:
        version = connection.execute(
            "SELECT d.version_id, d.id FROM documents d WHERE path = 'a/scan.pdf'"
        ).fetchone()
        connection.executemany(
            "INSERT INTO pages (version_id, number, label, heading, text, origin, confidence)"
            " VALUES (?, ?, '', '', ?, ?, ?)",
            [(version[0], 1, " \n\t ", "none", None), (version[0], 2, " abc\n", "ocr", 0.5)],
        )

    first, second = catalog.page_marks(version[1])

    assert (first.number, first.characters, first.origin) == (1, 0, "none")
    assert (second.characters, second.confidence, second.flags) == (3, 0.5, "[]")


def test_plain_words() -> None:
    """Case and accents go, letters stay."""
    assert plain_words("Économie ÉTÉ Straße") == "economie ete strasse"
    assert plain_words("ABC") == "abc"


def test_twenty_thousand_documents_are_listed_at_once(tmp_path: Path) -> None:
    """Any page of 20,000 documents, filtered or not, and the counts, well within a second."""
    catalog = Catalog(tmp_path / "catalog.db")
    with catalog.database.writing() as connection:
        source = add_source(connection, "/many")
        connection.executemany(
            "INSERT INTO documents (id, source_id, path, version_id) VALUES (?, ?, ?, ?)",
            [(n, source, f"{n % 40:02}/report {n:05}.pdf", n) for n in range(1, MANY + 1)],
        )
        connection.executemany(
            "INSERT INTO versions (id, document_id, collection, state, chunks, created_at, title,"
            " pages, characters, kind, flagged_pages, warnings, metadata)"
            " VALUES (?, ?, 'c', 'current', 9, ?, ?, 10, 9000, 'pdf', ?, '[]', ?)",
            [
                (n, n, float(n), f"Über den Bericht {n}", n % 100 == 0, "{}" * 200)
                for n in range(1, MANY + 1)
            ],
        )
        for number in range(500):
            add_failure(connection, source, f"never/{number}.pdf")
    took: dict[str, float] = {}
    for name, wanted in {
        "first": Wanted(),
        "last": Wanted(offset=20_450),
        "words": Wanted(text="bericht 1999"),
        "newest": Wanted(order="newest", state="fine"),
        "old": Wanted(state="old"),
    }.items():
        started = time.perf_counter()
        listed = catalog.listing(wanted)
        took[name] = time.perf_counter() - started
        assert len(listed.entries) == min(listed.total, 50)
    started = time.perf_counter()
    counts = catalog.state_counts()
    took["counts"] = time.perf_counter() - started
    catalog.close()

    print(took)
    assert (counts.all, counts.aside, counts.hidden) == (20_500, 500, 200)
    assert max(took.values()) < 1.0, took

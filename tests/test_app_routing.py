"""Names and periods in a question lead to the documents that go by them."""

from __future__ import annotations

import pytest

from app.find import Finder
from app.routing import route
from tests.library_fixtures import FakeEmbedder, ingest, library_of, open_library, write_files

REPORT = (
    "# Annual report\n\nTurnover rose to {turnover} million. The board proposes a dividend.\n\n"
    "## Risks\n\nThe company depends on a few suppliers and on the price of steel.\n\n"
    "## Staff\n\nThe company employs {staff} people in four countries.\n"
)
FILES = {
    f"reports/{name}_{year}_10K.md": REPORT.format(turnover=turnover + year, staff=turnover // 2)
    for name, turnover in (("ALDERBROOK", 100), ("Birch", 300), ("Harbour_Harbour", 500))
    for year in (2021, 2022)
} | {
    "reports/Birch_2023Q2_10Q.md": REPORT.format(turnover=77, staff=12),
    "contract.md": "# Supply\n\nSteel is supplied monthly by Birch to Alder Brook.",
    "年报/青松公司2022年.md": "# 青松公司\n\n本公司营业收入为三百万元。",
    "notes.txt": "Steel, turnover, dividend, risks and staff of the company.",
}


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """Reports that differ in little more than their names."""
    home = tmp_path_factory.mktemp("routing")
    with library_of(home, FILES, FakeEmbedder(max_tokens=64)) as library:
        yield library


def first(library, query: str) -> str:
    return Finder(library).search(query)[0].document


@pytest.mark.parametrize(
    ("query", "document"),
    [
        ("What was Birch's turnover in 2022?", "reports/Birch_2022_10K.md"),
        ("What was Birch's turnover in FY2021?", "reports/Birch_2021_10K.md"),
        ("What was the turnover of Birch in Q2 of FY2023?", "reports/Birch_2023Q2_10Q.md"),
        ("How many people does Alder Brook employ, 2022?", "reports/ALDERBROOK_2022_10K.md"),
        ("What dividend did HnH propose in FY22?", "reports/Harbour_Harbour_2022_10K.md"),
        ("青松公司2022年的营业收入是多少？", "年报/青松公司2022年.md"),
    ],
)
def test_a_named_report_answers(library, query, document):
    """Among reports that say the same, the one that the question names comes first."""
    assert first(library, query) == document


def test_all_hits_of_a_sure_name_come_before_the_others(library):
    """A question about one company is not answered from another's report."""
    hits = Finder(library).search("Which risks does Birch name in 2022?", limit=3)

    assert {hit.document for hit in hits} == {"reports/Birch_2022_10K.md"}


def test_two_names_take_turns(library):
    """A comparison needs both."""
    hits = Finder(library).search("Compare the turnover of Birch and Alderbrook in 2022", limit=4)

    assert "Birch" in hits[0].document + hits[1].document
    assert "ALDERBROOK" in hits[0].document + hits[1].document


@pytest.mark.parametrize(
    "query", ["Which risks are there?", "steel", "", "???", "What is said about the weather?"]
)
def test_a_question_without_names_goes_nowhere(library, query):
    """No name, no bonus."""
    with library.catalog.snapshot() as snapshot:
        found = route(query, snapshot)

    assert found.reliability == 0.0
    assert found.best == []
    assert found.groups() == []


def test_a_word_that_happens_to_be_a_file_name_is_not_sure(library):
    """ "contract" in a question is a word; only written as a name it would be one."""
    with library.catalog.snapshot() as snapshot:
        plain = route("which contract covers steel?", snapshot)
        name = route('What does "Contract" say?', snapshot)

    assert 0 < plain.reliability < 0.5 < name.reliability


def test_a_word_that_happens_to_be_a_file_name_outweighs_no_passage_that_answers(tmp_path):
    """Of a half sure name both arms' best passage wins, a sure one still leads."""
    files = {
        "power.md": "# Power\n\nNotes of a book club on the power of habit.",
        "policy.md": "# Policy\n\nServers: the power consumption of servers is 3.2 kW.",
    } | {f"other/{n}.md": f"# Item {n}\n\nThe gate {n} is painted green." for n in range(12)}
    with open_library(tmp_path / "data") as library:
        ingest(library, write_files(tmp_path / "docs", files))

        found = Finder(library).findings("Power consumption of servers")

    assert found is not None
    assert found.route.reliability > 0.5
    assert found.passages[found.ranked[0].chunk_id].document == "policy.md"
    assert found.route.most_bonus < 0.5


def test_a_library_of_one_document_needs_no_names(tmp_path):
    """There is nothing to tell apart."""
    docs = write_files(tmp_path / "docs", {"Birch_2022.md": "# Birch\n\nTurnover rose."})
    with open_library(tmp_path / "data") as library:
        ingest(library, docs)
        with library.catalog.snapshot() as snapshot:
            assert route("What was Birch's turnover in 2022?", snapshot).shares == {}


def test_named_documents_are_searched_when_the_nearest_hold_none_of_them(tmp_path):
    """However many other passages lie nearer, the named document is looked into."""
    crowd = {f"crowd/{n:03}.md": f"# Pumps\n\nThe pump pressure is {n} bar." for n in range(150)}
    crowd["manuals/Otterburn.md"] = "# Installation\n\nSet it on level ground, then fill it."
    docs = write_files(tmp_path / "docs", crowd)
    with open_library(tmp_path / "data") as library:
        ingest(library, docs)

        hits = Finder(library).search("What pump pressure does Otterburn need?", limit=3)

    assert hits[0].document == "manuals/Otterburn.md"


def test_an_alias_is_a_name(tmp_path):
    """What the author says it is also called, in the front matter."""
    files = {
        "block.md": "---\naliases: Square, Cash App\n---\n# Block\n\nRevenue was 5 million.",
        "stripe.md": "# Stripe\n\nRevenue was 7 million, of payments on every square mile.",
        "other.md": "# Other\n\nRevenue was 9 million.",
    }
    with open_library(tmp_path / "data") as library:
        ingest(library, write_files(tmp_path / "docs", files))

        assert first(library, "What was the revenue of Square?") == "block.md"

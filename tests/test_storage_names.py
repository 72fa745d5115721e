"""The names a document goes by."""

from __future__ import annotations

import pytest

from storage.names import MOST_TERMS, acronym_term, name_terms


@pytest.mark.parametrize(
    ("path", "title", "terms"),
    [
        ("BESTBUY_2024Q2_10Q.pdf", "", {"bestbuy", "2024", "q2", "10q"}),
        ("x.pdf", "Best Buy Co.", {"best", "buy", "bestbuy", "=bbc"}),
        ("JOHNSON_JOHNSON_2023.pdf", "", {"johnson", "johnsonjohnson", "2023", "=jj"}),
        ("hr/Travel policy.md", "", {"hr", "travel", "policy"}),
        ("notesFY22.txt", "FY22 results", {"2022", "fy22"}),
        ("合同/租赁合同.docx", "", {"租赁", "合同"}),
        ("Straße und Brücke.pdf", "", {"strasse", "brucke"}),
        ("BestBuy report.pdf", "", {"best", "buy", "bestbuy"}),
    ],
)
def test_a_document_goes_by_its_words(path, title, terms):
    """Words of file, title and folders, glued, split, without accents, with their periods."""
    assert terms <= set(name_terms(path, title))


def test_initials_are_no_words():
    """A document called "Internal Transfers" is not named by every question that says "it"."""
    terms = name_terms("a.pdf", "Internal Transfers")

    assert "it" not in terms
    assert acronym_term("IT") in terms


@pytest.mark.parametrize("written", ["J&J", "JnJ", "JJ"])
def test_an_acronym_is_found_however_it_is_written(written):
    """The link between initials may stand or not."""
    assert acronym_term(written) in name_terms("x.pdf", "Johnson & Johnson")


def test_tags_are_names_too():
    """What people filed it under."""
    assert "ferry" in name_terms("a.pdf", "Timetable", ["ferry"])


def test_a_title_of_a_whole_page_is_cut():
    """A document has names, not a second full text."""
    assert len(name_terms("a.pdf", " ".join(f"word{i}" for i in range(5000)))) == MOST_TERMS

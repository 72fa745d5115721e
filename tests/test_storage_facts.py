"""What filters know about a document, from its file and from what it states."""

from __future__ import annotations

import time

import pytest

from storage.facts import (
    LONGEST_TAG,
    MOST_TAGS,
    facts_of,
    kind_of,
    language_code,
    tags_in,
)

CHANGED = time.mktime((2024, 6, 5, 12, 0, 0, 0, 0, -1))


def dated(path: str, **metadata: str) -> tuple[str, str]:
    facts = facts_of(path, int(CHANGED * 1e9), metadata, [])
    return facts.dated, facts.dated_by


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a/b.PDF", "pdf"),
        (".Pdf", "pdf"),
        ("pdf", "pdf"),
        ("notes.markdown", "md"),
        ("x.tar.HTM", "html"),
        ("read.text", "txt"),
    ],
)
def test_a_type_is_the_ending_in_one_form(name, kind):
    """The same for files and for what a filter names."""
    assert kind_of(name) == kind


def test_a_date_the_document_states_goes_before_its_file():
    """And it is remembered which of the two it was."""
    assert dated("a.md", date="2021-03-04") == ("2021-03-04", "stated")
    assert dated("a.md") == ("2024-06-05", "file")
    assert dated("a.md", date="one of these days") == ("2024-06-05", "file")


def test_a_pdf_is_as_old_as_its_making_and_an_office_file_as_its_last_change():
    """A PDF is stamped later; a letter begins as a copy of an older letter."""
    both = {"created": "2020-01-01T10:00", "modified": "2022-02-02"}

    assert dated("a.pdf", **both) == ("2020-01-01", "stated")
    assert dated("a.docx", **both) == ("2022-02-02", "stated")
    assert dated("a.pdf", modified="2022-02-02") == ("2022-02-02", "stated")


@pytest.mark.parametrize("created", ["1970-01-01T00:00", "1601-01-01", "1904-01-01", "rubbish"])
def test_a_clock_that_was_never_set_dates_nothing(created):
    """The first day of some program's calendar is not when a document was made."""
    assert dated("a.pdf", created=created) == ("2024-06-05", "file")


@pytest.mark.parametrize("template", ["2013-12-23T23:15:00+00:00", "2000-01-01T00:00"])
def test_the_date_of_a_template_dates_nothing(template):
    """python-docx begins every document as a copy of one from 2013."""
    assert dated("a.docx", created=template, modified=template) == ("2024-06-05", "file")


def test_an_old_date_that_a_person_wrote_counts():
    """A transcript of 1848 is from 1848."""
    assert dated("manifesto.md", date="1848-02-21") == ("1848-02-21", "stated")


def test_tags_come_in_one_form_each_once():
    """Without marks, in lower case, whichever of the usual separators was used."""
    found = tags_in("[Annual Report, 'Finance', #tax]", "finance; Ｔａｘ\nStraße,,  ,年报、财务")

    assert found == ("annual report", "finance", "tax", "strasse", "年报", "财务")


def test_sentences_and_floods_are_no_tags():
    """What is longer than a tag is left out; only the first ones of very many are kept."""
    assert tags_in("x" * (LONGEST_TAG + 1)) == ()
    assert len(tags_in(", ".join(f"tag{i}" for i in range(5000)))) == MOST_TAGS


@pytest.mark.parametrize(
    ("tag", "code"), [("de", "de"), ("de-AT", "de"), ("EN_us", "en"), ("deutsch", ""), ("", "")]
)
def test_a_language_tag_gives_its_code(tag, code):
    """Two letters, whatever follows."""
    assert language_code(tag) == code


def test_the_language_that_is_stated_fills_in_where_the_text_does_not_tell():
    """A text too short to tell by."""
    facts = facts_of("a.html", 0, {"lang": "fi-FI"}, ["17.5"])

    assert facts.language == "fi"

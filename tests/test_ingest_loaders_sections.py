"""Sections, titles and cleaning: the rules that all formats share."""

from __future__ import annotations

import pytest

from ingest.loaders.cleaning import clean, readable_name, title_or_name
from ingest.loaders.registry import LOADERS, SUFFIXES, loader_for
from ingest.loaders.sections import LONGEST_SECTION, Block, pieces, sections
from storage.errors import DocumentUnreadable


def _outline(blocks):
    return [(page.number, page.heading, page.text) for page in sections(blocks)]


def test_headings_start_sections_and_carry_their_path():
    """Sections are numbered from 1, and text before the first heading is the first."""
    blocks = [
        Block("Before."),
        Block("Travel", 1),
        Block("General."),
        Block("Per diem", 2),
        Block("Forty."),
        Block("Abroad", 3),
        Block("Sixty."),
        Block("Housing", 1),
        Block("Two nights."),
    ]

    assert _outline(blocks) == [
        (1, "", "Before."),
        (2, "Travel", "Travel\n\nGeneral."),
        (3, "Travel › Per diem", "Per diem\n\nForty."),
        (4, "Travel › Per diem › Abroad", "Abroad\n\nSixty."),
        (5, "Housing", "Housing\n\nTwo nights."),
    ]


def test_heading_without_own_text_joins_the_next_section():
    """Its line stays with what follows, so that no section is a bare heading."""
    blocks = [Block("Manual", 1), Block("Scope", 2), Block("All staff."), Block("End", 2)]

    assert _outline(blocks) == [
        (1, "Manual › Scope", "Manual\n\nScope\n\nAll staff."),
        (2, "Manual › End", "End"),
    ]


def test_small_headings_stay_in_the_text():
    """A heading of level 4 or below is a line like any other."""
    assert _outline([Block("A", 1), Block("a", 4), Block("x")]) == [(1, "A", "A\n\na\n\nx")]


def test_long_section_is_split_between_paragraphs_under_its_heading():
    """No section is longer than 12,000 characters, and nothing is lost or repeated."""
    paragraphs = [f"{number:04d} " + "word " * 50 for number in range(200)]

    pages = sections([Block("Long", 1), *map(Block, paragraphs)])

    assert len(pages) > 3
    assert max(len(page.text) for page in pages) <= LONGEST_SECTION
    assert {page.heading for page in pages} == {"Long"}
    whole = "\n\n".join(page.text for page in pages)
    assert whole == "\n\n".join(["Long", *(paragraph.rstrip() for paragraph in paragraphs)])


@pytest.mark.parametrize("text", ["x" * 1000, "word " * 200, "A line.\n" * 100, "No. Yes! " * 90])
def test_pieces_hold_every_character_but_spaces(text):
    """A text cut to length keeps its words, wherever it has to be cut."""
    parts = list(pieces(text, 100))

    assert max(map(len, parts)) <= 100
    assert "".join("".join(parts).split()) == "".join(text.split())


@pytest.mark.parametrize(
    ("raw", "cleaned"),
    [
        ("a\r\nb\rc", "a\nb\nc"),
        ("soft\u00adhyphen, zero\u200bwidth, \ufeffmark", "softhyphen, zerowidth, mark"),
        ("bell\x07 nul\x00 c1\x9b", "bell nul c1"),
        ("\ufb01nance e\ufb03cient", "finance efficient"),
        ("Cafe\u0301", "Café"),
        ("a\u00a0b", "a b"),
        ("line \t\n\n\n\n  indented", "line\n\n  indented"),
        ("lone \ud83d surrogate", "lone \ufffd surrogate"),
        ("\uf0b7 point", "• point"),
        ("日本語\u3000x", "日本語\u3000x"),
    ],
)
def test_cleaning_drops_what_nobody_sees(raw, cleaned):
    """Line ends become one kind, ligatures letters, invisible characters nothing."""
    assert clean(raw) == cleaned


@pytest.mark.parametrize(
    ("stem", "name"),
    [
        ("3M_2018_10K", "3M 2018 10K"),
        ("travel-policy", "Travel policy"),
        ("JOHNSON_2023_8K_dated-2023-08-30", "JOHNSON 2023 8K dated-2023-08-30"),
        ("Minutes 2024-05-01", "Minutes 2024-05-01"),
        ("e-mail-rules", "E-mail rules"),
        ("___", "___"),
    ],
)
def test_file_names_become_titles(stem, name):
    """Underscores and the hyphens between words become spaces."""
    assert readable_name(stem) == name


@pytest.mark.parametrize(
    "stated",
    [
        "",
        "   ",
        "Microsoft Word - final_v2.doc",
        "untitled",
        "Untitled document",
        "Document1",
        "report_final.indd",
        "0001018724-18-000005",
        "/home/x/report",
        "PowerPoint Presentation",
        "Bericht \ufffd\ufffd",
    ],
)
def test_placeholder_titles_give_way_to_the_file_name(stated):
    """What a program put there is no title."""
    assert title_or_name(stated, "my_report") == "My report"


@pytest.mark.parametrize(
    "stated", ["Documents of the Society", "10-K - 3M Company", "会则", "v2.0"]
)
def test_real_titles_are_kept(stated):
    """A title is kept if it could be one; "v2.0" has too few letters."""
    assert title_or_name(stated, "x") == ("X" if stated == "v2.0" else stated)


def test_every_suffix_has_a_loader_with_a_version():
    """One list decides what is read; endings count in any case."""
    assert {".pdf", ".md", ".html", ".htm", ".docx", ".txt"} <= SUFFIXES
    assert loader_for(".PDF") is loader_for(".pdf")
    assert len({loader.version for loader in LOADERS}) == len(LOADERS)


def test_unknown_suffix_is_refused_with_what_can_be_read():
    """The sentence names the endings that work."""
    with pytest.raises(DocumentUnreadable, match=r"\.xyz.*\.docx") as caught:
        loader_for(".xyz")

    assert caught.value.kind == "unsupported"

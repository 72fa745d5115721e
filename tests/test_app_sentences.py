"""Sentences, rows, items and headings of a text, with exact offsets."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.sentences import sentences


def split(text: str) -> list[str]:
    return [text[start:end] for start, end in sentences(text)]


@pytest.mark.parametrize(
    "parts",
    [
        ["Mr. Smith met Dr. J. K. Brown.", "They talked."],
        ["He went to Washington, D.C.", "He stayed at 5 p.m.", "Then he left."],
        ["The U.S. Army bought Acme Inc. for $3.50 a share.", "Nobody knew."],
        ["Was it Acme Inc.?", "Yes!", "It was…", "Well."],
        ["See e.g. Fig. 3 and No. 5, pp. 7 to 9.", "The answer is no.", "The end."],
        ["It cost 1.5 million (approx. 2%).", "“We grew.”", "The rest fell."],
        ["He said “Stop.” and left.", "That was all."],
        ["Costs rose.[12]", "Sales fell [3].", "So what?"],
        ["Am 3. Oktober war es z.B. kalt.", "Es schneite bzw. regnete."],
        ["¿Quién es el Sr. López?", "¡Es él!", "El resto no."],
        ["In 1987. [sic] they met.", "Read plan B.", "The plan was good."],
    ],
)
def test_full_stops_end_sentences_but_not_short_forms(parts: list[str]) -> None:
    """Titles, initials, decimals, acronyms and numbers keep their full stop."""
    assert split(" ".join(parts)) == parts


@pytest.mark.parametrize(
    "parts",
    [
        ["这是第一句。", "“这是第二句！”", "第三句？", "没有句号"],
        ["これは一つ目です。", "「はい。」", "二つ目です。"],
        ["यह पहला है।", "यह दूसरा है।"],
        ["هل هذا صحيح؟", "نعم۔", "هذا."],
    ],
)
def test_other_scripts_have_their_own_marks(parts: list[str]) -> None:
    """Chinese and Japanese put no space between sentences; Hindi and Urdu have other stops."""
    assert split(" ".join(parts)) == parts
    assert split("".join(parts[:2])) == parts[:2] or " " in parts[0]


def test_a_wrapped_line_goes_on() -> None:
    """A line break inside flowing prose is no boundary, even before a capital."""
    text = (
        "The council of the city decided in its meeting on the fourth day of\n"
        "May to close the road that leads past the old mill to the harbour of\n"
        "Eastham. The mayor\nagreed."
    )

    assert split(text) == [text[: text.index(" The mayor")], "The mayor\nagreed."]


def test_rows_items_and_headings_end_with_their_line() -> None:
    """Tables, lists and headings are cut line by line."""
    lines = [
        "# Travel",
        "Allowances and limits",
        "The per diem is 40 EUR.",
        "- inside the country",
        "- abroad",
        "1. First of all",
        "| Grade | Cap |",
        "| Manager | 120 EUR |",
        "Net sales 32,765 32,136 30,109",
        "Cost of sales (16,682) (16,001) (15,040)",
        "Rent\t12\t13",
    ]

    assert split("\n".join(lines)) == lines


def test_a_blank_line_parts_paragraphs() -> None:
    """Without any punctuation a blank line is still an end."""
    assert split("one thing\n\nanother thing\n \nthe last") == [
        "one thing",
        "another thing",
        "the last",
    ]


@given(st.text("aB1. \n!?…。“”()|#-\t国", max_size=80))
def test_every_character_is_in_one_span(text: str) -> None:
    """Spans are in order, apart, trimmed, and leave out nothing but white space."""
    spans = sentences(text)

    position = 0
    for start, end in spans:
        assert position <= start < end
        assert not text[position:start].strip()
        assert text[start:end] == text[start:end].strip()
        position = end
    assert not text[position:].strip()


def test_time_is_linear() -> None:
    """Text made to be slow takes no longer than its length."""
    began = time.perf_counter()
    for hostile in ("." * 100_000, ". " * 50_000, "A." * 50_000, "\n" * 100_000, '("' * 50_000):
        sentences(hostile + ".")

    assert time.perf_counter() - began < 4

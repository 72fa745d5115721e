"""Where a passage stands, in words for people."""

from __future__ import annotations

import pytest

from storage.records import context_of
from tests.hits import a_hit


def _hit(page=5, label="", heading="", *, paged=False):
    return a_hit(
        "x", document="a", page=page, title="A", heading=heading, page_label=label, paged=paged
    )


@pytest.mark.parametrize(
    ("hit", "place", "unit"),
    [
        (_hit(paged=True), "page 5", "page"),
        (_hit(label="iv", heading="Preface", paged=True), "page iv", "page"),
        (_hit(label="slide 4", heading="Budget"), "slide 4", "slide"),
        (_hit(label="sheet Prices, rows 41–80", heading="Prices"), None, "section"),
        (_hit(label="attachment offer.pdf, page 2", heading="offer.pdf"), None, "page"),
        (_hit(label="docs/deck.pptx, slide 9", heading="docs/deck.pptx"), None, "slide"),
        (_hit(heading="Fares › Winter"), "§ Fares › Winter", "section"),
        (_hit(), "section 5", "section"),
    ],
)
def test_place_is_the_label_where_there_is_one(hit, place, unit):
    """Else the heading, else the number; its unit is what a reader turns over."""
    assert hit.place == (place or hit.page_label)
    assert hit.unit == unit
    assert hit.to_json()["place"] == hit.place


def test_heading_is_news_unless_the_text_begins_with_it():
    """Of a section that opens with its own heading only the parents are."""
    assert context_of("Fares › Winter", "Winter\n\nFour.", paged=False) == "Fares"
    assert context_of("Fares › Winter", "Four.", paged=False) == "Fares › Winter"
    assert context_of("Fares › Winter", "Winter\n\nFour.", paged=True) == "Fares › Winter"
    assert context_of("", "Four.", paged=False) == ""

"""Which neighbours a quoted sentence needs."""

from __future__ import annotations

import pytest

from app.quote_context import neighbours_of
from app.sentences import sentences


def beside(text: str, sentence: str) -> tuple[str | None, str | None]:
    pieces = sentences(text)
    index = next(i for i, piece in enumerate(pieces) if sentence in text[piece.start : piece.end])
    before, after = neighbours_of(text, pieces, index)
    return (
        text[before.start : before.end] if before else None,
        text[after.start : after.end] if after else None,
    )


@pytest.mark.parametrize(
    ("before", "sentence"),
    [
        ("The tower was planned in 1890.", "It was built ten years later by the town."),
        ("The fare is 4 crowns.", "However, children under six cross without paying."),
        ("Der Turm wurde 1890 geplant.", "Er wurde zehn Jahre später von der Stadt gebaut."),
        ("La torre se planeó en 1890.", "Esta se construyó diez años después."),
        ("La tour fut projetée en 1890.", "Elle fut construite dix ans plus tard par la ville."),
        ("公司在2019年成立。", "它的总部在上海的市中心。"),
        ("Who keeps the key is settled.", "Ingrid does."),
    ],
)
def test_a_sentence_that_leans_back_needs_the_one_before(before: str, sentence: str) -> None:
    """It begins with a word that points back, or is too short to stand alone."""
    assert beside(f"{before} {sentence}", sentence) == (before, None)


@pytest.mark.parametrize(
    "text",
    [
        "The tower was planned in 1890. The town built it ten years later.",
        "The tower was planned in 1890.\n\nIt was built ten years later by the town.",
        "The tower\nIt was built ten years later by the town of Quern.",
        "a  b  c\nIt was built ten years later by the town.",
        f"{'The tower was planned ' * 20}in 1890. It was built ten years later.",
        "It was built ten years later by the town.",
    ],
)
def test_others_stand_alone(text: str) -> None:
    """No neighbour over a paragraph's end, from a heading, a table, or of endless length."""
    assert beside(text, "ten years later") == (None, None)


def test_an_item_needs_the_line_that_leads_in() -> None:
    """Also from the middle of a list."""
    text = "Bring with you:\n- a passport\n- two photographs\n- the form\n"

    assert beside(text, "photographs")[0] == "Bring with you:"
    assert (
        beside("We stay on land\n- in wind above 15;\n- in fog.\n", "fog")[0] == "We stay on land"
    )
    assert beside("Text.\n- a passport\n- two photographs\n", "photographs") == (None, None)


def test_what_ends_in_a_colon_needs_what_follows() -> None:
    """The items, not the text behind them."""
    text = "Bring with you these:\n- a passport\n- two photographs\n\nThe office closes at four."

    assert beside(text, "Bring with you")[1] == "- a passport\n- two photographs"

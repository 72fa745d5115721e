"""Quotes proved while the answer grows, and what a draw of a long one costs."""

from __future__ import annotations

import dataclasses
import statistics
import time

import pytest

from app.answers import Citation
from app.citations import Sources, cite
from app.proving import GrowingProof, Proved
from app.rendering import streaming_html
from app.support import support_of
from storage.records import Hit
from tests.chat_fakes import HITS, PAGES, PER_DIEM

TEXT = (
    f'The handbook says "{PER_DIEM}" [1] and "The per diem for domestic travel is 49 euros a day." '
    '[1] It goes on.\n\n[2] A laptop is replaced after four years.\n\n- "Nobody wrote this line '
    'anywhere at all" [1]\n- no mark here\n\n```\n[1]\n\n[2]\n```\n\nAnd the laptop: "A laptop is '
    'replaced after four years." [2]'
)


class Pages:
    """Proves with the pages of the fakes, and counts how often that is asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.read = 0
        self._sources = Sources()

    def __call__(self, text: str) -> tuple[Citation, ...]:
        self.asked.append(text)
        return cite(text, HITS, self._page, (), self._sources)

    def _page(self, hit: Hit) -> str:
        self.read += 1
        return PAGES[hit.document_id][hit.page - 1].text


def states(proved: tuple[Proved, ...]) -> list[tuple[str, ...]]:
    return [states for one in proved for _, states in one.marks]


def whole(text: str) -> list[tuple[str, ...]]:
    """The states of all marks as a complete answer has them."""
    citations = cite(text, HITS, lambda hit: PAGES[hit.document_id][hit.page - 1].text)
    return [tuple(state for _, state in mark.states) for mark in support_of(text, citations).marks]


def test_marks_of_a_growing_answer_get_the_states_of_the_complete_one() -> None:
    """Looked at after each character: no state ever shows that the end takes back."""
    proof, shown = GrowingProof(Pages()), whole(f"{TEXT} ")

    for end in range(1, len(TEXT) + 1):
        seen = states(proof.look(TEXT[:end]))
        assert seen == shown[: len(seen)], TEXT[:end]

    assert states(proof.look(f"{TEXT} ")) == shown
    assert shown[:3] == [("verified",), ("near",), ("verified",)]


def test_a_finished_block_is_proved_once_and_a_page_read_once() -> None:
    """What stands costs nothing at the next look."""
    pages = Pages()
    proof = GrowingProof(pages)
    text = "".join(f'Line {n}: "{PER_DIEM}" [1] and on.\n\n' for n in range(30))

    for end in range(0, len(text) + 1, 7):
        proof.look(text[:end])
    asked = len(pages.asked)
    proof.look(f"{text}More words.")

    assert len(pages.asked) == asked <= 60
    assert max(map(len, pages.asked)) < 120
    assert pages.read == 1


def test_a_mark_that_leads_its_line_waits_for_the_line() -> None:
    """What it vouches for comes behind it."""
    proof = GrowingProof(Pages())

    before = proof.look("So:\n[1] The per diem for domestic")
    after = proof.look(f"So:\n[1] {PER_DIEM}\nand")

    assert before == ()
    assert states(after) == [("verified",)]


def test_the_states_are_drawn_while_the_answer_grows() -> None:
    """A mark is verified in the block that stands and in the one that grows; a later one is not
    checked yet."""
    text = f'"{PER_DIEM}" [1] So.\n\nAnd "{PER_DIEM}" [1] and "{PER_DIEM}" [1'
    proved = GrowingProof(Pages()).look(text)

    stands, grows = streaming_html(f"{text}]", 7, (1, 2, 3), proved)

    assert stands.count("hl-cite hl-verified") == 1
    assert (grows.count("hl-cite hl-verified"), grows.count("hl-cite hl-open")) == (1, 1)


def test_what_stands_is_drawn_in_pieces_that_stay_the_same() -> None:
    """A browser keeps what does not change, and with it what is under a finger or has the focus."""
    text = "".join(f"Paragraph {n} says a good deal of things [1].\n\n" for n in range(200))
    before = streaming_html(text[:6000], 7, (1,))
    after = streaming_html(text[:9000], 7, (1,))

    assert len(after) > len(before) > 2
    assert after[: len(before) - 2] == before[:-2]
    assert all(len(piece) < 40_000 for piece in after)


SENTENCE = (
    'The **per diem** for domestic travel: "The per diem for domestic travel is 48 euros a day." '
    "[{n}] It covers meals and small expenses; hotels are booked by the office, and receipts are "
    "handed in within thirty days of the journey, without fail and in full."
)


@pytest.mark.parametrize("between", ["\n\n", " ", "\n- "], ids=["blocks", "one-block", "a-list"])
def test_a_draw_of_a_long_answer_takes_less_than_20_ms(between: str) -> None:
    """20,000 characters with 60 marks, of 400 pages, in blocks or in one: what a draw computes."""
    passages = tuple(range(1, 401))
    page = dataclasses.replace(HITS[0], text=PAGES[1][1].text)
    text = between.join(SENTENCE.format(n=n) for n in range(1, 61))
    text += between + " ".join(["and so on"] * ((20_000 - len(text)) // 10))
    sources = Sources()
    proof = GrowingProof(
        lambda piece: cite(piece, [page] * 400, lambda hit: PAGES[1][1].text, passages, sources)
    )
    proved = proof.look(text)
    costs = []
    for end in range(len(text) - 2000, len(text), 100):
        began = time.process_time()
        streaming_html(text[:end], 9, passages, proved)
        costs.append(time.process_time() - began)

    assert len(text) > 19_900
    assert len(states(proved)) == 60
    assert statistics.median(costs) < 0.020, costs

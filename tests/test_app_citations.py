"""Each mark of an answer becomes a citation whose quote is proved or is not."""

from __future__ import annotations

import time

import pytest

from app.citations import cite
from storage.records import Hit
from tests.hits import a_hit

PAGES = [
    "Travel policy. The per diem is 40 EUR for trips inside the country, and 65 EUR abroad. "
    "Receipts are due within thirty days.",
    "Hotels: the nightly cap is 120 EUR in the capital. Breakfast is inter-\nnational fare.",
    "该公司成立于一九八七年，总部设在上海浦东。员工总数为四千二百人。",
]


def hit(rank: int, text: str, *, start: int = 0) -> Hit:
    return a_hit(
        text,
        rank=rank,
        document_id=rank,
        document=f"doc{rank}.pdf",
        page=rank,
        char_start=start,
        chunk_id=f"{rank}:0",
        title=f"Document {rank}",
    )


HITS = [hit(rank, text) for rank, text in enumerate(PAGES, start=1)]


def page_of(one: Hit) -> str:
    return PAGES[one.page - 1]


def cited(answer: str) -> list[tuple[int, str, bool]]:
    """(n, quote, verified) of each citation."""
    return [(c.n, c.quote, c.verified) for c in cite(answer, HITS, page_of)]


@pytest.mark.parametrize(
    "answer",
    [
        "It says “the per diem is 40 EUR” [1].",
        'It says "the per diem is 40 EUR" [1].',
        "Es heißt „the per diem is 40 EUR“ [1].",
        "On lit «the per diem is 40 EUR» [1].",
        "「the per diem is 40 EUR」[1]。",
        "It says “the per diem is 40 EUR”. [1]",
        "It says “the per diem is 40 EUR”.[1]",
        "It says “the per diem is 40 EUR”\n[1]",
        "[1] It says “the per diem is 40 EUR”.",
        "It says “the per diem is 40 EUR”【1】.",
        "It says “the per diem is 40 EUR”【1†source】.",
        "It says “the per diem is 40 EUR” [^1].",
    ],
)
def test_a_quotation_is_the_quote(answer: str) -> None:
    """Quotation marks of many languages are read, and marks before or behind the full stop."""
    assert cited(answer) == [(1, "the per diem is 40 EUR", True)]


def test_a_verified_citation_names_its_place() -> None:
    """The offsets point at the words in the page's text."""
    (citation,) = cite("The “nightly cap is 120 EUR” holds [2].", HITS, page_of)

    assert PAGES[1][citation.char_start : citation.char_end] == "nightly cap is 120 EUR"
    assert (citation.document, citation.page, citation.place) == ("doc2.pdf", 2, "page 2")


@pytest.mark.parametrize(
    "answer",
    [
        "It says “the per diem is 45 EUR” [1].",
        "It says “the daily rate is 40 EUR” for trips inside the country [1].",
        "“the nightly cap is 120 EUR” [1]",
    ],
)
def test_a_quotation_that_is_not_on_the_page_is_not_verified(answer: str) -> None:
    """A wrong figure, a wrong word or another page's words are shown as unproved."""
    ((n, quote, verified),) = cited(answer)

    assert (n, verified) == (1, False)
    assert quote in answer


def test_without_a_quotation_the_longest_run_of_words_is_looked_for() -> None:
    """Of an answer in the model's own words, what stands on the page is the quote."""
    assert cited(
        "You get a per diem of course: it is 40 EUR for trips inside the country [1]."
    ) == [(1, "is 40 EUR for trips inside the country", True)]


def test_a_figure_and_its_unit_are_enough() -> None:
    """Two words prove something when one is a number."""
    assert cited("Abroad one gets 65 EUR [1].") == [(1, "65 EUR", True)]


def test_a_figure_of_another_passage_is_not_proof() -> None:
    """The words must stand on the page of the passage that the mark names."""
    assert cited("Abroad one gets 65 EUR [2].") == [(2, "", False)]


def test_small_words_prove_nothing() -> None:
    """A paraphrase that shares only short words with the page has no quote."""
    assert cited("Money for food is what the firm pays for [1].") == [(1, "", False)]


def test_scare_quotes_do_not_stand_for_the_claim() -> None:
    """One quoted word is passed over where the sentence offers more."""
    assert cited("The “cap” is 120 EUR in the capital [2].") == [
        (2, "is 120 EUR in the capital", True)
    ]


@pytest.mark.parametrize(
    "marks", ["[1, 2]", "[1][2]", "[1] [2]", "[1], [2]", "[1-2]", "【1】【2】"]
)
def test_several_marks_share_a_claim(marks: str) -> None:
    """Each number gets its own citation of the same words, proved or not on its own page."""
    assert cited(f"“Receipts are due within thirty days” {marks}.") == [
        (1, "Receipts are due within thirty days", True),
        (2, "Receipts are due within thirty days", False),
    ]


def test_two_claims_of_a_sentence_keep_apart() -> None:
    """A mark vouches for the words since the mark before it."""
    answer = "The “per diem is 40 EUR” [1] while the “nightly cap is 120 EUR” [2]."

    assert cited(answer) == [
        (1, "per diem is 40 EUR", True),
        (2, "nightly cap is 120 EUR", True),
    ]


def test_a_quotation_of_two_sentences_stays_whole() -> None:
    """The full stop within a quotation does not end the claim."""
    answer = "It is clear: “65 EUR abroad. Receipts are due within thirty days.” [1]"

    assert cited(answer) == [(1, "65 EUR abroad. Receipts are due within thirty days.", True)]


def test_the_same_passage_may_prove_several_claims() -> None:
    """One citation a claim; exact repetitions are told once."""
    answer = (
        "“The per diem is 40 EUR” [1]. “Receipts are due within thirty days” [1].\n"
        "Again: “the per diem is 40 EUR” [1]. “The per diem is 40 EUR” [1]."
    )

    assert [quote for _, quote, _ in cited(answer)] == [
        "The per diem is 40 EUR",
        "Receipts are due within thirty days",
        "the per diem is 40 EUR",
    ]


def test_list_items_keep_to_themselves() -> None:
    """Each line of a list is a claim of its own."""
    answer = "- per diem is 40 EUR [1]\n- nightly cap is 120 EUR [2]"

    assert cited(answer) == [
        (1, "per diem is 40 EUR", True),
        (2, "nightly cap is 120 EUR", True),
    ]


def test_chinese_is_read_by_characters() -> None:
    """Six characters in a row are words enough, and five are not."""
    assert cited("公司的总部设在上海浦东[3]。") == [(3, "总部设在上海浦东", True)]
    assert cited("据说在上海浦东那里[3]。") == [(3, "", False)]
    assert cited("文中说“员工总数为四千二百人”【3】。") == [(3, "员工总数为四千二百人", True)]
    assert cited("文中说“员工总数为四千三百人”【3】。") == [(3, "员工总数为四千三百人", False)]


def test_numbers_out_of_range_are_not_cited() -> None:
    """A mark without a passage makes no citation; a year in brackets is no mark."""
    answer = "The per diem is 40 EUR [1][7]. In May [2019] it rose [0], see [9, 7]."

    assert {n for n, _, _ in cited(answer)} == {1}


def test_numbers_from_1000_on_are_marks_where_there_is_such_a_passage() -> None:
    """A long conversation has them; a year that no passage has for a number stays a figure."""
    numbers = [3, 1204, 1205]
    answer = (
        "The per diem is 40 EUR [3]. Hotels: the nightly cap is 120 EUR [1204], see [3, 1205]. "
        "In May [2019] it rose [3, 2018]."
    )

    found = cite(answer, HITS, page_of, numbers)

    assert [(c.n, c.document) for c in found][:2] == [(3, "doc1.pdf"), (1204, "doc2.pdf")]
    assert [c.quote for c in found][1] == "Hotels: the nightly cap is 120 EUR"
    assert {c.n for c in found} == {3, 1204, 1205}
    (figures,) = {c.figures for c in cite("It is 40 EUR in [2019] [3].", HITS, page_of, numbers)}
    assert figures == ("2019",)


def test_marks_within_a_quotation_belong_to_the_page() -> None:
    """A footnote number in quoted words is not a mark of the answer."""
    pages = ["The wall was built in 1912 [3] by the town."]
    answer = "“The wall was built in 1912 [3] by the town.” [1]"

    (citation,) = cite(answer, [hit(1, pages[0])], lambda one: pages[0])

    assert (citation.n, citation.verified) == (1, True)


def test_the_passage_is_highlighted_rather_than_an_earlier_place() -> None:
    """Of several places on the page, the one in the cited passage is taken."""
    page = "Summary: the cap is 40 EUR a day. Details: the cap is 40 EUR a day."
    start = page.index("Details")

    (citation,) = cite(
        "“the cap is 40 EUR” [1]", [hit(1, page[start:], start=start)], lambda _: page
    )

    assert citation.char_start == page.rindex("the cap")


@pytest.mark.parametrize(
    "answer", ["", "[1]", "No marks at all.", "[1] [2]", "“ [1] ” [", "[1]\n\n[2]"]
)
def test_answers_without_claims_are_survived(answer: str) -> None:
    """Marks without words are cited without proof, and nothing is raised."""
    assert all(not verified for _, _, verified in cited(answer))


def test_a_page_is_read_once() -> None:
    """However many claims cite a page, its text is asked for once."""
    asked: list[int] = []

    def page_text(one: Hit) -> str:
        asked.append(one.page)
        return page_of(one)

    cite("65 EUR [1]. 40 EUR [1]. 120 EUR [2]. 40 EUR [1].", HITS, page_text)

    assert asked == [1, 2]


def test_long_answers_take_milliseconds() -> None:
    """Two hundred claims against long pages stay far under a second or two."""
    page = " ".join(
        f"The net sales of region {n} were $ {n * 37 % 1000} million." for n in range(250)
    )
    answer = " ".join(f"Region {n} sold for ${n * 37 % 1000} million [1]." for n in range(200))

    began = time.process_time()  # others may be at work as well
    citations = cite(answer, [hit(1, page)], lambda _: page)

    assert all(citation.verified for citation in citations)
    assert time.process_time() - began < 3

"""Answers that misquote: what is verified, what is nearly right, what rests on nothing."""

from __future__ import annotations

import re

import pytest

from app import page_text, rendering
from app.citations import cite
from app.conversations import Conversations
from app.support import NEAR, OPEN, UNPROVED, VERIFIED, state_of, support_of
from tests.test_app_citations import hit

PAGES = [
    "Free cash flow was $8,783 million in 2019, against $7,911 million in 2018. "
    "Net sales grew 4.5% to $ 32,765 million. The plant in Bonn employs 1577 people.",
    "Revenue by segment 2018 2019\nSafety 11,607 12,494\nHealth 6,021 7,431",
]
HITS = [hit(rank, text) for rank, text in enumerate(PAGES, start=1)]


def cited(answer: str):
    return cite(answer, HITS, lambda one: PAGES[one.page - 1])


@pytest.mark.parametrize(
    ("answer", "wrong", "right"),
    [
        ('It says "Free cash flow was $8,738 million in 2019" [1].', "8,738", "8,783"),
        ('It says "Free cash flow was $8,783 million in 2018" [1].', "2018", "2019"),
        ("Free cash flow was $8,738 million in 2019 [1].", "8,738", "8,783"),
        ("Free cash flow was $8,783 million in 2018 [1].", "2018", "2019"),
        ("Net sales grew 5.4% to $32,765 million [1].", "5.4", "4.5"),
        ("**Net sales** grew 4.5% to $32,756 million [1].", "32,756", "32,765"),
        ("- The plant in Bonn employs 1,557 people [1]", "1,557", "1577"),
        ("Safety 11,607 12,949 [2]", "12,949", "12,494"),
    ],
)
def test_one_wrong_digit_is_never_verified_and_is_named(
    answer: str, wrong: str, right: str
) -> None:
    """Quoted or in the model's own words: the mark is a near miss that names both figures."""
    (citation,) = cited(answer)

    assert not citation.verified
    assert state_of(citation) == NEAR
    assert citation.near is not None
    assert (wrong, right) in [(d.quoted, d.page) for d in citation.near.differences]
    assert citation.to_json()["near"] == citation.near.to_json()
    assert [state for mark in support_of(answer, [citation]).marks for state in mark.states] == [
        (citation.n, NEAR)
    ]


@pytest.mark.parametrize(
    "answer",
    [
        "Free cash flow was $8,783 million in 2019 [1].",
        'It says "Free cash flow was $8,783 million in 2019" [1].',
        "1. The plant in Bonn employs 1,577 people [1].",
        "In the 10-K of Q3, net sales grew 4.5% to $32,765 million [1].",
        "According to Document 1, page 1, net sales grew 4.5% to $32,765 million [1].",
    ],
)
def test_right_figures_are_verified(answer: str) -> None:
    """List numbers, names, titles, page numbers and parted thousands are no wrong figures."""
    (citation,) = cited(answer)

    assert state_of(citation) == VERIFIED
    assert support_of(answer, [citation]).unsupported == ()


def test_a_true_quote_beside_a_false_figure_is_no_proof_of_the_figure() -> None:
    """The quote stands, so it is verified; the sentence is marked all the same."""
    answer = 'It was $8,738 million: "Free cash flow was $8,783 million in 2019" [1].'

    (citation,) = cited(answer)

    assert citation.verified and citation.figures == ("8,738",)
    assert state_of(citation) == NEAR
    assert len(support_of(answer, [citation]).failed) == 1


def test_a_figure_of_one_of_two_cited_pages_is_no_stray() -> None:
    """[1][2] vouch together for what stands on either."""
    answer = "Safety sold 12,494 in 2019, and cash flow was $8,783 million [1][2]."

    assert [citation.figures for citation in cited(answer)] == [(), ()]


def test_sentences_without_a_source_are_told() -> None:
    """No mark, or none verified; headings, lead-ins, questions and short phrases claim nothing."""
    answer = (
        "## The year in short and long\n\nThe company is run very well. Here it is:\n\n"
        "- Net sales grew 4.5% to $32,765 million [1]\n- Cash flow rose by 11% [1]\n\n"
        "Shall I say more about it? In short: no."
    )

    found = support_of(answer, cited(answer))

    assert [answer[start:end] for start, end in found.bare] == ["The company is run very well."]
    assert [answer[start:end].strip() for start, end in found.failed] == ["- Cash flow rose by 11%"]


def test_a_passage_proved_in_one_sentence_proves_nothing_in_another() -> None:
    """Each mark shows the state of its own sentence, not the best of its passage."""
    answer = (
        "Net sales grew 4.5% to $32,765 million [1]. "
        "Free cash flow was $8,738 million in 2019 [1]. All of this is paraphrase [1]."
    )
    citations = cited(answer)

    html = rendering.answer_html(answer, 7, 2, rendering.proofs(citations), citations)

    assert re.findall(r">(1[✓≈?]?)</button>", html) == ["1✓", "1≈", "1"]
    assert [s for mark in support_of(answer, citations).marks for _, s in mark.states] == [
        VERIFIED,
        NEAR,
        OPEN,
    ]


def test_states_differ_at_a_glance() -> None:
    """Verified, near and unproved have their own sign, class and words; a bare sentence its own."""
    answer = (
        "Net sales grew 4.5% to $32,765 million [1]. Free cash flow was $8,738 million [1]. "
        '"The moon is made of green cheese" [2]. Nobody knows why it did so well.'
    )
    citations = cited(answer)

    html = rendering.answer_html(answer, 7, 2, {}, citations)

    for state, sign in ((VERIFIED, "✓"), (NEAR, "≈"), (UNPROVED, "?")):
        assert re.search(rf'class="hl-cite hl-{state}"[^>]*>\d{re.escape(sign)}<', html)
    assert html.count('class="hl-bare"') == 1
    assert html.index("hl-bare") > html.index("did so well.")


@pytest.mark.parametrize(
    "text",
    [
        "\uf8f0\uf8f4[1]\uf8f0 forged signs \uf8f4",
        "`code [1]` and\n\n```\nNet sales fell by a lot of money [1]\n```\n",
        "| A | B |\n|---|---|\n| It grew by four and a half | [1] |\n",
        "**Bold sentence of the model without any mark.** _And one that is cited_ [1].",
    ],
)
def test_no_sign_of_ours_reaches_the_page(text: str) -> None:
    """The private characters that carry states are taken out again, and cannot be forged."""
    html = rendering.answer_html(text, 7, 1, {}, cited(text))

    assert not re.search("[\uf8f0-\uf8f4]", html)
    assert html.count("<strong>") == html.count("</strong>")


def test_the_reader_shows_both_wordings() -> None:
    """What the answer says and what the page says, the words that differ marked; all escaped."""
    (citation,) = cited('It says "Free cash flow was $8,738 million in <b>2019" [1].')

    html = page_text.quote_html(citation)

    assert "≈ Not quite" in html
    assert '<del class="hl-differs">8,738</del>' in html
    assert '<ins class="hl-differs">8,783</ins>' in html
    assert "<b>" not in html


def test_the_reader_marks_the_place_of_a_near_miss() -> None:
    """On the page it is marked in another way than a proved quote."""
    (citation,) = cited("Free cash flow was $8,738 million in 2019 [1].")
    near = page_text.find_near(PAGES[0], citation)

    assert near is not None
    view = page_text.page_html(PAGES[0], (), (), near=[near])

    assert '<mark class="hl-nearby">Free cash flow was $8,783 million in 2019</mark>' in view.html


def test_near_misses_outlive_the_process(tmp_path) -> None:
    """Stored with the conversation and read again, they are the same records."""
    from dataclasses import replace

    from tests.chat_fakes import HITS as FAKE_HITS
    from tests.chat_fakes import ScriptedAssistant

    citations = cited("Free cash flow was $8,738 million in 2019 [1].")
    finished = ScriptedAssistant()._answer("q", "a", "passages", citations, FAKE_HITS)
    store = Conversations(tmp_path / "conversations.db")
    conversation = store.create("x")
    turn = store.begin_turn(conversation, "q")

    store.finish_turn(turn, replace(finished, citations=citations))

    kept = store.turn(turn)
    assert kept is not None and kept.citations == citations


def test_passages_may_have_any_numbers() -> None:
    """In a conversation they go on counting; 1 is then no passage of this answer."""
    answer = "Net sales grew 4.5% to $32,765 million [7]. It sold 12,494 [1]."

    found = cite(answer, HITS, lambda one: PAGES[one.page - 1], numbers=(7, 9))

    assert [(citation.n, citation.verified) for citation in found] == [(7, True)]
    html = rendering.answer_html(answer, 3, (7, 9), {}, found)
    assert re.findall(r'data-cite="3:(\d+)"', html) == ["7"]


@pytest.mark.parametrize(
    "code",
    [
        "```python\ndef one(two, three, four): return five\n```",
        "~~~~\nfour words that are here\n~~~\nand four more words here\n~~~~",
        "1. ```bash\n   copy all the files there\n   ```",
    ],
)
def test_code_claims_nothing_and_ends_where_its_fence_does(code: str) -> None:
    """Nothing is put behind the fence, which would make code of the rest of the answer."""
    answer = f"The plant runs every day.\nThis is how:\n{code}\nThe **plant** in Bonn employs many."

    support = support_of(answer, ())
    html = rendering.answer_html(answer, 1, (1,), {}, citations=())

    assert [answer[start:end].strip() for start, end in support.bare] == [
        "The plant runs every day.",
        "The **plant** in Bonn employs many.",
    ]
    assert html.count("hl-bare") == 2
    assert "<strong>plant</strong>" in html
    assert "```" not in html
    assert html.count("<pre") == 1


def test_code_that_never_ends_claims_nothing() -> None:
    """An answer that was cut within its code has code to its end; code in a line opens none."""
    cut = "Four words stand here.\n\n```sh\ncopy all the files there"
    inline = "Four words stand ```here``` too.\n\n```a``` and four more words."

    assert [cut[slice(*span)].strip() for span in support_of(cut, ()).bare] == [
        "Four words stand here."
    ]
    assert len(support_of(inline, ()).bare) == 2

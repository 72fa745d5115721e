"""Untrusted text in, HTML out."""

from __future__ import annotations

import dataclasses
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app import page_text, receipt_bar, rendering
from app.answers import Citation, Receipt
from app.page_text import Span
from storage.records import Found, Place
from tests.chat_fakes import CITATIONS, HITS, HOSTILE, NO_PROMPT, PER_DIEM, RECEIPT, TRAVEL

ALLOWED_TAGS = {
    *"p br strong em s code pre ul ol li blockquote hr h4 h5 h6 table thead tbody tr th td".split(),
    *"button span div sub sup b i br".split(),
}
ALLOWED_ATTRIBUTES = {
    "class",
    "type",
    "data-cite",
    "aria-label",
    "title",
    "start",
    "style",
    "aria-hidden",
    "dir",
    "role",
    "tabindex",
    "data-copy",
    "data-copied",
    "data-refused",
}


class Tags(HTMLParser):
    """The tags and attributes a browser would see."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


def answer(text: str, passages: int = 3, states: dict[int, str] | None = None) -> str:
    return rendering.answer_html(text, 7, passages, states or {})


@pytest.mark.parametrize(
    "text",
    [
        "![x](http://e.example/pixel.png)",
        "![x][r]\n\n[r]: http://e.example/pixel.png",
        "<img src=http://e.example/pixel.png>",
        "[click](javascript:alert(1))",
        "[click][r]\n\n[r]: http://e.example",
        "<http://e.example> http://e.example www.e.example",
        "<script>alert(1)</script>",
        "a <b onmouseover=alert(1)>b</b>",
        "`` ` `` <svg onload=alert(1)> ```",
        "| a |\n|---|\n| <img src=x onerror=alert(1)> |",
        "```html\n<img src=x onerror=alert(1)>\n```",
        '```" onclick="alert(1)\nx\n```',
        HOSTILE,
    ],
)
def test_no_answer_can_load_or_run_anything(text: str) -> None:
    """Images, links and HTML in an answer stay text."""
    seen = Tags(answer(text))

    assert set(seen.tags) <= ALLOWED_TAGS
    assert {name for name, _ in seen.attributes} <= ALLOWED_ATTRIBUTES


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet="ab1[]()!<>`*_|-#:/\\\"'&\n =~.{}$", max_size=80))
def test_no_mixture_of_signs_makes_a_dangerous_tag(text: str) -> None:
    """Whatever Markdown is mixed, only harmless tags and attributes come out."""
    whole, growing = Tags(answer(text)), Tags("".join(rendering.streaming_html(text, 7, 3)))

    for seen in (whole, growing):
        assert set(seen.tags) <= ALLOWED_TAGS
        assert {name for name, _ in seen.attributes} <= ALLOWED_ATTRIBUTES


def test_markdown_gives_an_answer_its_structure() -> None:
    """Lists, tables, emphasis and code are drawn; headings begin below the page's own."""
    html = answer("# Costs\n\n- **48** euros\n- `x`\n\n| a | b |\n|---|---|\n| 1 | 2 |\n")

    assert {"h4", "li", "strong", "code", "table"} <= set(Tags(html).tags)


def test_a_citation_becomes_a_button_for_its_passage() -> None:
    """`[2]` opens passage 2 of the turn, and says aloud how far it is proved."""
    html = answer("So it is [2].", states={2: rendering.VERIFIED})

    assert 'data-cite="7:2"' in html
    assert 'aria-label="Source 2, quote verified"' in html


@pytest.mark.parametrize(("text", "numbers"), [
    ("a [1][2]", ["1", "2"]),
    ("a [1, 3]", ["1", "3"]),
    ("a 【2】", ["2"]),
    ("**a [1]**", ["1"]),
    ("a [4]", []),
    ("a [0]", []),
    ("in [2024]", []),
    ("`x[1]`", []),
    ("```\nx[1]\n```", []),
])  # fmt: skip
def test_only_numbers_of_passages_become_buttons(text: str, numbers: list[str]) -> None:
    """Numbers without a passage, and numbers in code, stay as they were written."""
    html = answer(text)

    assert re.findall(r'data-cite="7:(\d+)"', html) == numbers
    assert numbers or re.search(r"\[\d+\]", Tags(html).text)


def test_verified_unproved_and_unchecked_differ_in_more_than_colour() -> None:
    """A tick, a question mark or nothing stands beside the number."""
    states = rendering.proofs([*CITATIONS, Citation(3, "d", 1, "", False)])

    texts = re.findall(r">(3|\d[✓?])</button>", answer("a [1] b [2] c [3]", states=states))

    assert texts == ["1✓", "2?", "3"]


def test_one_verified_quote_proves_a_passage() -> None:
    """Of several quotes from one passage the best verdict is shown in the text."""
    good, bad = CITATIONS[0], dataclasses.replace(CITATIONS[0], verified=False)

    assert rendering.proofs([bad, good]) == rendering.proofs([good, bad]) == {1: "verified"}


def test_a_growing_answer_is_drawn_like_a_finished_one() -> None:
    """Drawing by blocks gives the same words and tags as drawing the whole."""
    text = "First [1].\n\n- one\n- two\n\n```\ncode\n\nmore\n```\n\nLast **word**"

    growing = "".join(rendering.streaming_html(text, 7, 3))

    assert Tags(growing).text == Tags(answer(text)).text
    drawn, whole = (
        [tag for tag in Tags(html).tags if tag != "span"] for html in (growing, answer(text))
    )
    assert drawn == whole


def test_only_the_growing_block_is_drawn_again() -> None:
    """A finished block of a long answer is remembered, not rendered at every draw."""
    text = "".join(f"Paragraph {number} with [1].\n\n" for number in range(40))
    rendering.streaming_html(text + "a", 8, 3)
    before = rendering._block_html.cache_info()

    rendering.streaming_html(text + "ab", 8, 3)

    after = rendering._block_html.cache_info()
    assert (after.misses - before.misses, after.hits - before.hits) == (0, 40)


def test_a_label_holds_no_markdown() -> None:
    """Every sign that Markdown or Streamlit could read is escaped, and the line is one."""
    text = "![x](http://e) :red[a] :material/home: $x$ <b>\n`c` a\\b"

    escaped = rendering.label(text)

    assert "\n" not in escaped
    assert re.sub(r"\\([!-/:-@\[-`{-~])", "", escaped).isascii()
    assert not re.search(r"[!-/:-@\[-`{-~]", re.sub(r"\\.", "", escaped))
    assert re.sub(r"\\(.)", r"\1", escaped) == text.replace("\n", " ")


def test_marks_that_turn_the_writing_direction_are_shown() -> None:
    """A file name cannot pass itself off as another by turning its ending around."""
    assert rendering.plain("report\u202efdp.exe") == "report\N{REPLACEMENT CHARACTER}fdp.exe"
    assert rendering.plain("دليل 手册") == "دليل 手册"


def test_sources_name_document_and_place() -> None:
    """Each passage is a button; hostile titles and headings stay text."""
    html = rendering.sources_html(HITS, 7)

    seen = Tags(html)
    assert "3 passages from 2 documents" in seen.text
    assert "Staff handbook" in seen.text
    assert "page 2" in seen.text
    assert HOSTILE in seen.text
    assert "img" not in seen.tags


def test_sources_name_the_other_places_of_their_words() -> None:
    """Two of them, the number of the rest, and all of them in the tooltip; escaped."""
    places = tuple(
        Place(f"{n}.pdf", n, f"page {n}", HOSTILE if n == 1 else "", n) for n in range(1, 5)
    )
    html = rendering.sources_html([dataclasses.replace(HITS[0], also=places), *HITS[1:]], 7)

    seen = Tags(html)
    assert f"also in {HOSTILE}, page 1; 2.pdf, page 2 and 2 more places" in seen.text
    assert any("4.pdf, page 4" in (value or "") for _, value in seen.attributes)
    assert "img" not in seen.tags
    assert "also in" not in rendering.sources_html(HITS, 7)


def test_many_sources_are_folded() -> None:
    """The first dozen stand in the row, the others behind a fold."""
    html = rendering.sources_html(HITS * 6, 7)

    assert "6 more passages" in html
    assert html.count("data-cite") == 18


def test_read_and_not_cited_sources_are_told_apart() -> None:
    """Once the answer is complete, a passage it does not cite steps back."""
    html = rendering.sources_html(HITS, 7, rendering.proofs(CITATIONS))

    assert html.count("hl-uncited") == 1
    assert "read, not cited" in html


def test_the_receipts_parts_fill_the_window() -> None:
    """Segments come in reading order, and their shares add up to one."""
    segments = receipt_bar.receipt_segments(RECEIPT)

    assert [item.name for item in segments] == [
        "rules", "documents", "history", "question", "template", "reserve", "free",
    ]  # fmt: skip
    assert sum(item.share for item in segments) == pytest.approx(1.0)
    assert segments[-1].tokens == 32768 - 2500 - 1024


def test_an_overfull_receipt_has_nothing_free() -> None:
    """Prompt and reserve beyond the window still make a bar, without a free part."""
    segments = receipt_bar.receipt_segments(dataclasses.replace(RECEIPT, window=3000))

    assert "free" not in [item.name for item in segments]
    assert sum(item.share for item in segments) == pytest.approx(1.0)


def test_parts_of_a_later_version_are_shown_too() -> None:
    """A part that this version does not know is listed, escaped, under its own name."""
    receipt = dataclasses.replace(RECEIPT, parts={**RECEIPT.parts, "pinned_<b>": 10})

    seen = Tags(receipt_bar.receipt_html(receipt))

    assert "Pinned <b>" in seen.text
    assert "b" not in seen.tags


def test_the_receipt_compares_sent_with_evaluated() -> None:
    """Equal counts are stated; a difference is said in words."""
    same = Tags(receipt_bar.receipt_html(RECEIPT)).text
    less = Tags(
        receipt_bar.receipt_html(dataclasses.replace(RECEIPT, server_prompt_tokens=1200))
    ).text
    silent = Tags(
        receipt_bar.receipt_html(dataclasses.replace(RECEIPT, server_prompt_tokens=None))
    ).text

    assert "Sent: 2,500 tokens, counted exactly. Evaluated by the server: 2,500" in same
    assert "differ" not in same
    assert "The two differ by 1,300 tokens" in less
    assert "did not say" in silent


def test_an_estimate_is_called_one() -> None:
    """Estimated counts are never shown as exact, and no difference is read into them."""
    estimated: Receipt = dataclasses.replace(RECEIPT, exact=False, server_prompt_tokens=2300)

    text = Tags(receipt_bar.receipt_html(estimated)).text

    assert "estimated" in text
    assert "differ" not in text


def test_an_extractive_receipt_says_that_no_model_read() -> None:
    """There is no bar where nothing was sent."""
    html = receipt_bar.receipt_html(NO_PROMPT)

    assert "No model read anything" in html
    assert "hl-bar" not in html


def test_the_quote_is_marked_within_its_passage() -> None:
    """The page is shown whole, the passage shaded, the quoted words marked."""
    passage = page_text.find_passage(TRAVEL, HITS[0])
    quote = page_text.find_quote(TRAVEL, CITATIONS[0])
    assert passage and quote

    view = page_text.page_html(TRAVEL, passage, [quote])

    assert f'<mark class="hl-quote">{PER_DIEM}</mark>' in view.html
    assert Tags(view.html).text == TRAVEL
    assert view.left_out == 0


def test_of_a_widened_passage_the_parts_that_were_found_are_shaded() -> None:
    """They tell why the passage is here, also where the page has moved."""
    hit = dataclasses.replace(
        HITS[0], text=TRAVEL, char_start=0, found=(Found(0, 6, 1), Found(8, 30, 2))
    )

    here = page_text.find_passage(TRAVEL, hit)
    moved = page_text.find_passage(f"New.\n{TRAVEL}", hit)

    assert here == [Span(0, 6), Span(8, 30)]
    assert moved == [Span(5, 11), Span(13, 35)]
    view = page_text.page_html(TRAVEL, here, [])
    assert f'<span class="hl-passage">{TRAVEL[:6]}</span>' in view.html
    assert Tags(view.html).text == TRAVEL


def test_overlapping_quotes_are_each_marked_once() -> None:
    """No text is lost or doubled where quotes overlap or reach beyond the passage."""
    view = page_text.page_html("abcdefghij", [Span(2, 6)], [Span(1, 4), Span(3, 8), Span(9, 10)])

    assert Tags(view.html).text == "abcdefghij"
    assert "".join(re.findall(r"<mark[^>]*>([^<]*)</mark>", view.html)) == "bcdefgh" + "j"


def test_page_text_is_escaped_inside_and_outside_highlights() -> None:
    """Highlighting is built from escaped text."""
    text = "<b>x</b> <i>y</i> & <u>z</u>"

    seen = Tags(page_text.page_html(text, [Span(0, 17)], [Span(0, 8)]).html)

    assert seen.text == text
    assert set(seen.tags) == {"div", "mark", "span"}


def test_of_a_very_long_page_the_part_around_the_passage_is_shown() -> None:
    """The quote is in the part, and how much is left out is said."""
    text = "x" * 50_000 + "the quote" + "y" * 50_000

    view = page_text.page_html(text, [], [Span(50_000, 50_009)], limit=1000)

    assert "the quote</mark>" in view.html
    assert view.left_out == len(text) - 1000


def test_a_quote_that_was_moved_is_found_again() -> None:
    """Words are looked for on the page as it is now; unverified ones never are."""
    moved = "A new first line.\n" + TRAVEL

    quote = page_text.find_quote(moved, CITATIONS[0])
    unverified = page_text.find_quote(moved, dataclasses.replace(CITATIONS[0], verified=False))

    assert quote and moved[quote.start : quote.end] == PER_DIEM
    assert unverified is None


def test_a_passage_that_is_gone_is_not_found() -> None:
    """A changed page has no place for the passage of then."""
    assert page_text.find_passage("something else entirely", HITS[0]) == []


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "just now"), (59, "just now"), (60, "1 minute ago"), (7200, "2 hours ago"),
     (86_400, "1 day ago"), (3_000_000, "1 month ago"), (80_000_000, "2 years ago")],
)  # fmt: skip
def test_ages_are_words(seconds: float, words: str) -> None:
    """Freshness is told as people tell it."""
    assert rendering.age(seconds) == words


def test_a_conversation_is_called_by_its_first_question() -> None:
    """A long question is cut at a word; white space and controls go."""
    title = rendering.conversation_title("How \n much\tis " + "the per diem " * 20)

    assert title.startswith("How much is the per diem")
    assert title.endswith("…")
    assert len(title) <= 61
    assert rendering.conversation_title("  ") == "Untitled"
    assert rendering.conversation_title("\u200b\u200d \ufeff") == "Untitled"


def test_notices_escape_what_they_are_given() -> None:
    """An error's sentence with somebody else's words in it stays text."""
    seen = Tags(rendering.notice_html("error", "T", HOSTILE, "rm <x>"))

    assert HOSTILE in seen.text
    assert set(seen.tags) == {"div", "strong", "pre", "code"}


def test_commands_in_a_sentence_are_shown_as_code() -> None:
    """Backticks become code around escaped text; a lone one stays."""
    html = rendering.sentence_html("Run `a <b>` or ` not")

    assert html == "Run <code>a &lt;b&gt;</code> or ` not"


@pytest.mark.parametrize(
    "address", ["http://e.example", "HTTPS://e.example", "www.e.example", "a@b.c"]
)
def test_no_address_of_a_title_becomes_a_link(address: str) -> None:
    """Each kind that a title's Markdown would link is broken by a joiner that nobody sees."""
    title = rendering.heading(f"See {address}, page 2")

    assert "\N{WORD JOINER}" in title
    assert title.replace("\N{WORD JOINER}", "") == rendering.label(f"See {address}, page 2")

"""The sentence that answers comes first, quoted, or nothing is said."""

from __future__ import annotations

import json
import os
import re
import zlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.citations import cite
from app.extract_text import compose
from app.extractive import MAX_EMBEDDED, Extract, extract
from app.sentences import Span
from storage.records import Flag, Found, Hit
from tests.hits import a_hit


class WordEmbedder:
    """Hashes words into a vector: texts that share words are near each other."""

    name = "words"
    dimension = 256
    max_tokens = 256

    def __init__(self) -> None:
        self.embedded = 0

    def embed_query(self, text: str) -> np.ndarray:
        vector = np.full(self.dimension, 1e-3, dtype=np.float32)
        for word in re.findall(r"[一-鿿]|[^\W一-鿿]{3,}", text.lower()):
            vector[zlib.crc32(word.encode()) % self.dimension] += 1
        return vector / np.linalg.norm(vector)

    def embed_passages(self, texts: Sequence[str]) -> np.ndarray:
        self.embedded += len(texts)
        return np.stack([self.embed_query(text) for text in texts])

    def token_spans(self, text: str) -> list[tuple[int, int]]:
        return [match.span() for match in re.finditer(r"\w+", text)]


def hit(text: str, rank: int = 1, *, start: int = 0, heading: str = "", page: int = 0) -> Hit:
    return a_hit(
        text,
        rank=rank,
        document="policy.md",
        page=page or rank,
        char_start=start,
        heading=heading,
        title="Policy",
        paged=False,
    )


def first(question: str, *texts: str) -> str:
    hits = [hit(text, rank) for rank, text in enumerate(texts, start=1)]
    return extract(question, hits, WordEmbedder())[0].text


TRAVEL = (
    "# Travel\nThis chapter is about travel and the hotel rules. Hotels are booked by the office. "
    "The hotel cap is 120 EUR a night. The hotel cap was introduced by Maria Keller in May 2019. "
    "Ask before you go."
)


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("How much is the hotel cap?", "120 EUR"),
        ("Who introduced the hotel cap?", "Maria Keller"),
        ("When was the hotel cap introduced?", "May 2019"),
    ],
)
def test_the_sentence_that_answers_comes_first(question: str, answer: str) -> None:
    """Among sentences that share the question's words, what it asks for decides."""
    assert answer in first(question, TRAVEL)


@pytest.mark.parametrize(
    ("question", "passage", "answer"),
    [
        (
            "¿Quién fundó la empresa Solana?",
            "La empresa Solana fabrica bombas. La empresa Solana la fundó Pedro Ruiz.",
            "Pedro Ruiz",
        ),
        (
            "Wann wurde das Werk Nord eröffnet?",
            "Das Werk Nord baut Pumpen und wurde feierlich eröffnet. "
            "Eröffnet wurde das Werk Nord 1987.",
            "1987",
        ),
        (
            "Combien de salariés compte l'usine Nord ?",
            "Les salariés de l'usine Nord sont fiers. L'usine Nord compte 420 salariés.",
            "420",
        ),
        ("公司总部的员工有多少人？", "公司总部在上海。公司总部的员工有四百二十人。", "四百二十人"),
    ],
)
def test_questions_of_other_languages_are_understood(
    question: str, passage: str, answer: str
) -> None:
    """Question words of several languages tell what is asked for."""
    assert answer in first(question, passage)


def test_a_heading_that_echoes_the_question_does_not_win() -> None:
    """A heading or a printed question says nothing, its neighbour does."""
    text = "## What is the hotel cap?\n\nThe hotel cap\n\nThe cap for a hotel night is 120 EUR."

    assert first("What is the hotel cap?", text) == "The cap for a hotel night is 120 EUR."


def test_offsets_are_those_of_the_page() -> None:
    """An extract's span lies in the page, not in the passage, without list marks and rules."""
    page = (
        "Intro text that is cut off.\n- The hotel cap is 120 EUR.\n| Hotel cap abroad | 150 EUR |\n"
    )
    start = page.index("- The")

    extracts = extract(
        "How much is the hotel cap?", [hit(page[start:], start=start)], WordEmbedder()
    )

    assert [page[e.char_start : e.char_end] for e in extracts] == [e.text for e in extracts]
    assert {e.text for e in extracts} == {"The hotel cap is 120 EUR.", "Hotel cap abroad | 150 EUR"}


def test_overlapping_passages_give_a_sentence_once() -> None:
    """Two passages of a page may share a sentence; it is extracted from the better one."""
    page = "The hotel cap is 120 EUR. The hotel cap abroad is 150 EUR."
    cut = page.index("The hotel cap abroad")
    hits = [hit(page, 1, page=4), hit(page[cut:], 2, start=cut, page=4)]

    extracts = extract("How much is the hotel cap?", hits, WordEmbedder())

    assert [e.hit for e in extracts] == [0, 0]


def test_nothing_is_said_about_what_is_not_there() -> None:
    """Passages without the question's matter give no extract."""
    assert extract("Who won the football cup in 1954?", [hit(TRAVEL)], WordEmbedder()) == []
    assert extract("???", [hit(TRAVEL)], WordEmbedder()) == []
    assert extract("How much is the cap?", [], WordEmbedder()) == []
    assert extract("How much is the cap?", [hit(" \n")], WordEmbedder()) == []


def test_few_sentences_are_embedded() -> None:
    """However much text is found, only the lexically nearest sentences are embedded."""
    filler = " ".join(f"Paragraph {n} is about gardens." for n in range(400))
    embedder = WordEmbedder()

    extracts = extract("How much is the hotel cap?", [hit(f"{filler} {TRAVEL}")], embedder)

    assert embedder.embedded == MAX_EMBEDDED
    assert "120 EUR" in extracts[0].text


def test_a_page_without_sentence_marks_is_quoted_in_parts() -> None:
    """Run-on text is not quoted whole."""
    text = "word " * 1000 + "the hotel cap is 120 EUR " + "word " * 1000

    (best, *_) = extract("How much is the hotel cap?", [hit(text)], WordEmbedder())

    assert "120 EUR" in best.text
    assert len(best.text) <= 1000
    assert text[best.char_start : best.char_end] == best.text


def test_limit_bounds_the_extracts() -> None:
    """No more than `limit` sentences are returned, best first."""
    extracts = extract("How much is the hotel cap?", [hit(TRAVEL)], WordEmbedder(), limit=2)

    assert len(extracts) == 2
    assert extracts[0].score >= extracts[1].score


def test_an_answer_quotes_each_sentence_with_its_mark() -> None:
    """The text of an answer is quotations and marks, and every one of them is proved."""
    page = "The cap\nis 120 EUR, “as ever”. It was 100 EUR before."
    hits = [hit("Nothing here."), hit(page, 2)]
    end = page.index(" It")
    extracts = [
        Extract(1, 0, end, page[:end], 2.0, 1.0),
        Extract(1, end + 1, len(page), page[end + 1 :], 1.0, 1.0),
    ]

    text = compose(extracts, hits)

    assert text == "“The cap is 120 EUR, ‘as ever’.” [2]\n\n“It was 100 EUR before.” [2]"
    citations = cite(text, hits, lambda _: page)
    assert [(c.verified, c.char_start, c.char_end) for c in citations] == [
        (True, 0, end),
        (True, end + 1, len(page)),
    ]


def test_a_table_row_is_led_by_its_heading_and_header() -> None:
    """A row alone is a riddle: its section and its columns are named, outside the quotation."""
    page = "| Grade | Cap |\n|---|---|\n| Staff | 90 EUR |\n| Manager | 120 EUR |"
    start = page.index("Manager")
    row = Extract(0, start, len(page) - 2, page[start:-2], 1.0, 1.0)

    text = compose([row], [hit(page, heading="Travel › Hotels")])

    assert text == "Hotels, Grade | Cap: “Manager | 120 EUR” [1]"


def wide(page: str, *found: str, heading: str = "") -> Hit:
    """A page of which parts were found, the best first."""
    chunks = [
        Found(page.index(text), page.index(text) + len(text), rank)
        for rank, text in enumerate(found, start=1)
    ]
    return replace(hit(page, heading=heading), found=tuple(sorted(chunks)))


def test_only_what_was_found_of_a_passage_is_quoted() -> None:
    """What stands around it is there to be read, not to answer."""
    page = "The hotel cap is 100 EUR. Many words stand between. The hotel cap is 120 EUR."

    extracts = extract(
        "How much is the hotel cap?", [wide(page, "The hotel cap is 120 EUR.")], WordEmbedder()
    )

    assert [item.text for item in extracts] == ["The hotel cap is 120 EUR."]


def test_a_sentence_that_the_chunk_cuts_is_quoted_whole() -> None:
    """A chunk may end in mid-sentence; the page knows how the sentence goes on."""
    page = "The hotel cap is 120 EUR a night and 150 EUR abroad. Ask first."

    (best, *_) = extract(
        "How much is the hotel cap?", [wide(page, "The hotel cap is 120 EUR")], WordEmbedder()
    )

    assert best.text == "The hotel cap is 120 EUR a night and 150 EUR abroad."


def test_running_lines_are_never_quoted() -> None:
    """Neither alone nor at the beginning or the end of a sentence."""
    header, footer = "Hotel cap rules 2025", "Hotel cap: page 4"
    page = f"{header}\nthe hotel cap is 120 EUR a\n{footer}"
    running = {
        (1, 1): [
            Span(0, len(header)),
            Span(page.index(footer), len(page)),
        ]
    }

    extracts = extract("How much is the hotel cap?", [hit(page)], WordEmbedder(), running=running)

    assert [item.text for item in extracts] == ["the hotel cap is 120 EUR a"]


def test_a_sentence_that_leans_on_the_one_before_is_quoted_with_it() -> None:
    """The answer comes first; the neighbour follows, in the page's own words."""
    page = "The hotel cap was set in 2019. It is 120 EUR a night for a hotel. Ask first."

    extracts = extract("How much a night is it for a hotel?", [hit(page)], WordEmbedder(), limit=1)
    text = compose(extracts, [hit(page)])

    assert text == (
        "“It is 120 EUR a night for a hotel.” [1]\nBefore it: “The hotel cap was set in 2019.” [1]"
    )
    assert all(item.verified for item in cite(text, [hit(page)], lambda _: page))


def test_a_neighbour_that_is_quoted_anyway_is_not_repeated() -> None:
    """Two extracts in a row explain each other."""
    page = "The hotel cap was set by Maria in 2019. It is a hotel cap of 120 EUR, so Maria set it."

    extracts = extract("What is the hotel cap set by Maria?", [hit(page)], WordEmbedder())

    assert {item.text[:3] for item in extracts} == {"The", "It "}
    assert all(item.before is None for item in extracts)


def test_headings_and_echoes_are_no_further_extracts() -> None:
    """Behind an answer they say nothing."""
    text = "The hotel cap\n\nThe cap for a hotel night is 120 EUR.\n\nWhat is the hotel cap?"

    extracts = extract("What is the hotel cap?", [hit(text)], WordEmbedder())

    assert [item.text for item in extracts] == ["The cap for a hotel night is 120 EUR."]


def test_a_row_below_a_passage_that_begins_in_its_table_has_the_header() -> None:
    """The header stands further up on the page; the passage carries it."""
    row = "Hotel cap 120 130\nHotel tax 10 12"
    found = replace(hit(row), lead="Travel (EUR) 2024 2025")

    (best, *_) = extract("How much is the hotel cap?", [found], WordEmbedder())

    assert compose([best], [found]) == "Travel (EUR) 2024 2025: “Hotel cap 120 130” [1]"


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_most_xquad_answers_come_first() -> None:
    """On every tenth XQuAD question the bundled embedder's first extract mostly answers."""
    default = Path(__file__).resolve().parent.parent.parent / "shared" / "data"
    data = Path(os.environ.get("HAYLOFT_SHARED_DATA", default)) / "xquad" / "xquad.en.json"
    if not data.exists():
        pytest.skip(f"needs {data.name} in the folder that HAYLOFT_SHARED_DATA names")
    from storage.embedding import SentenceTransformerEmbedder

    embedder = SentenceTransformerEmbedder()
    asked = [
        (question["question"], question["answers"][0]["text"], paragraph["context"])
        for article in json.loads(data.read_text(encoding="utf-8"))["data"]
        for paragraph in article["paragraphs"]
        for question in paragraph["qas"]
    ][::10]

    found = [extract(question, [hit(text)], embedder, limit=1) for question, _, text in asked]

    right = sum(
        bool(extracts) and answer in extracts[0].text
        for extracts, (_, answer, _) in zip(found, asked, strict=True)
    )
    assert len(asked) == 119
    assert right / len(asked) >= 0.78


def test_what_no_reader_could_see_is_never_the_answer():
    """A sentence that is flagged is not quoted, however well it fits."""
    text = "The hotel cap is 120 EUR a night. The secret hotel cap is 900 EUR a night."
    seen = hit(text)
    flagged = replace(seen, flags=(Flag("hidden", text.index("The secret"), len(text)),))

    answers = [
        " ".join(found.text for found in extract("What is the secret hotel cap?", [one], _WORDS))
        for one in (seen, flagged)
    ]

    assert "secret" in answers[0]
    assert "secret" not in answers[1]


_WORDS = WordEmbedder()

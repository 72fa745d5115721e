"""The sentence that answers comes first, quoted, or nothing is said."""

from __future__ import annotations

import json
import os
import re
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from app.citations import cite
from app.extractive import MAX_EMBEDDED, Extract, compose, extract
from storage.records import Hit


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
    return Hit(
        rank=rank,
        document="policy.md",
        page=page or rank,
        score=1.0,
        text=text,
        char_start=start,
        char_end=start + len(text),
        chunk_id=f"1:{rank}",
        document_id=1,
        version_id=1,
        title="Policy",
        heading=heading,
        page_label="",
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

"""The sample library is what its generator writes, and its questions have their answers in it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest

from ingest.loaders.registry import loader_for
from storage.records import ParsedDocument

SAMPLES = Path(__file__).resolve().parent.parent / "samples"
LIBRARY = SAMPLES / "library"
QUESTIONS = [
    json.loads(line)
    for line in (SAMPLES / "questions.jsonl").read_text(encoding="utf-8").splitlines()
]
needs_generator = pytest.mark.skipif(
    not (find_spec("reportlab") and find_spec("docx")),
    reason="the generator needs reportlab and python-docx (development dependencies)",
)


@cache
def parsed(document: str) -> ParsedDocument:
    path = LIBRARY / document
    return loader_for(path.suffix).load(path)


def flat(text: str) -> str:
    return " ".join(text.split())


def files_below(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@needs_generator
def test_the_library_is_what_the_generator_writes(tmp_path: Path) -> None:
    """A fresh generation, in another time zone and folder, equals the library byte for byte."""
    subprocess.run(
        [sys.executable, SAMPLES / "generate.py", "--output", tmp_path],
        check=True,
        capture_output=True,
        cwd=tmp_path,
        env={**os.environ, "TZ": "Pacific/Auckland", "PYTHONHASHSEED": "7"},
    )

    fresh, kept = files_below(tmp_path), files_below(LIBRARY)
    assert sorted(fresh) == sorted(kept)
    assert [name for name in kept if fresh[name] != kept[name]] == []


def test_the_library_holds_every_kind_of_document() -> None:
    """Markdown, HTML, DOCX and PDF each stand in the library at least twice."""
    endings = [path.suffix for path in LIBRARY.rglob("*") if path.is_file()]

    assert set(endings) == {".md", ".html", ".docx", ".pdf"}
    assert min(endings.count(ending) for ending in set(endings)) >= 2


def test_the_handbook_has_page_labels_and_an_outline() -> None:
    """The handbook's pages are labelled i, ii, 1 … 5 and each stands under its heading."""
    handbook = parsed("operations/crew-handbook.pdf")

    assert [page.label for page in handbook.pages] == ["i", "ii", "1", "2", "3", "4", "5"]
    assert "The axe" in handbook.pages[5].heading


@pytest.mark.parametrize("column", [1, 2], ids=["2025", "2024"])
def test_the_annual_accounts_add_up(column: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The annual report's columns add up, its surplus is right, and its balance sheet balances."""
    monkeypatch.syspath_prepend(str(SAMPLES))
    import manuscript

    report = manuscript.read(SAMPLES / "source" / "annual_report.md")
    tables = [block for block in report.blocks if isinstance(block, manuscript.Table)]
    ledgers = {
        table.header[0]: [int(row[column].replace(",", "")) for row in table.rows]
        for table in tables
        if table.header[0]
    }
    *spent, total_spent, surplus = ledgers.pop("Expenditure")

    for *parts, total in ledgers.values():
        assert sum(parts) == total
    assert sum(spent) == total_spent
    assert ledgers["Income"][-1] - total_spent == surplus
    assert ledgers["Assets"][-1] == ledgers["Liabilities"][-1]


def test_the_questions_are_about_every_document() -> None:
    """There are 40 questions or more, each with its own id, and no document goes unasked."""
    asked = {place["document"] for question in QUESTIONS for place in question["relevant"]}

    assert len({question["id"] for question in QUESTIONS}) == len(QUESTIONS) >= 40
    assert asked == set(files_below(LIBRARY))


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question["id"])
def test_the_answer_stands_on_every_page_named(question: dict) -> None:
    """Each question's answer is written, word for word, on each page it names."""
    pages = [
        next(page for page in parsed(place["document"]).pages if page.number == place["page"])
        for place in question["relevant"]
    ]

    assert pages
    for page in pages:
        assert flat(question["answer"]) in flat(page.text)

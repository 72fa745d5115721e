"""`eval golden`, and the golden set asked: what a change fixed and broke, question by question."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import hayloft
from app import golden
from evaluation import cli_compare
from evaluation.cli_golden import since
from evaluation.golden import golden_set
from storage.errors import UsageError
from tests.test_evaluation_compare import parse, retrieval

PAGE = {"document": "a.pdf", "page": 2}


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HAYLOFT_DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "data"


def test_the_command_adds_lists_and_removes(data: Path, capsys: pytest.CaptureFixture) -> None:
    """As a user would, and as JSON for machines."""
    words = ("add", "When?", "--document", "a.pdf", "--page", "2", "--answer", "May")
    assert hayloft.main(["eval", "golden", *words, "--note", "says June"]) == 0
    assert hayloft.main(["eval", "golden", *words]) == 0
    assert hayloft.main(["eval", "golden", "add", "Who?", "--unanswerable", "--json"]) == 0
    said = capsys.readouterr().out
    assert "is kept" in said and "was there already" in said
    assert hayloft.main(["eval", "golden"]) == 0
    listing = capsys.readouterr().out
    assert "right: “May”; a.pdf, page 2" in listing and "note: says June" in listing
    assert "right: the documents do not say" in listing and "2 questions" in listing

    (first, second) = golden.listed(data)
    assert hayloft.main(["eval", "golden", "remove", first.id]) == 0
    assert hayloft.main(["eval", "golden", "remove", first.id]) == 2
    capsys.readouterr()
    assert hayloft.main(["eval", "golden", "list", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [one["id"] for one in told["questions"]] == [second.id]


def test_a_page_that_the_library_lacks_is_told_when_it_is_added(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    """A slip of the pen would be counted as a miss for ever."""
    (tmp_path / "files" / "rules").mkdir(parents=True)
    (tmp_path / "files" / "rules" / "pay.md").write_text("# Pay\n\nThe per diem is 48 euros.\n")
    assert hayloft.main(["ingest", str(tmp_path / "files")]) == 0
    capsys.readouterr()
    told = []
    for document, page in (("pay.md", "1"), ("rules/pay.md", "9"), ("rules/pay.md", "1")):
        words = ("add", f"What? {document} {page}", "--document", document, "--page", page)
        assert hayloft.main(["eval", "golden", *words]) == 0
        told.append(capsys.readouterr().err)

    assert "pay.md is not in the library. Did you mean rules/pay.md?" in told[0]
    assert "rules/pay.md has no page 9; its last is 1." in told[1]
    assert told[2] == "" and len(golden.listed(data)) == 3


def test_an_empty_set_says_how_to_fill_it(data: Path, capsys: pytest.CaptureFixture) -> None:
    """Listing it is no fault; asking it is."""
    assert hayloft.main(["eval", "golden"]) == 0
    assert "thumbs-down" in capsys.readouterr().out
    assert hayloft.main(["eval", "retrieval", "--golden"]) == 2
    assert "golden set" in capsys.readouterr().err


def test_the_set_becomes_questions(data: Path) -> None:
    """For retrieval those whose page is known; for answers all."""
    golden.add(data, "Where?", document="a.pdf", page=2)
    golden.add(data, "How much?", answers=("48 euros",))
    golden.add(data, "Who?", unanswerable=True)

    found = golden_set(data)

    assert [one.text for one in found.for_retrieval().questions] == ["Where?"]
    where, much, who = found.for_answers().questions
    assert (where.by_page, where.relevant[0].page) == (True, 2)
    assert much.answers == ("48 euros",) and not much.by_page
    assert who.unanswerable


def test_without_a_page_there_is_nothing_to_search_for(data: Path) -> None:
    """The message says which command can ask them."""
    golden.add(data, "Who?", unanswerable=True)

    with pytest.raises(UsageError, match="eval answers --golden"):
        golden_set(data).for_retrieval()


def result(ranks: list[int | None], **values: object) -> dict:
    return {**retrieval(ranks), "started_at": "2026-11-21T10:00:00+00:00", **values}


def test_each_run_tells_what_changed_since_the_last(data: Path) -> None:
    """Fixed, broken, and as before: every question has its line."""
    first = since(data, result([1, None, 1, None]))
    second = since(data, result([1, 3, None, None], settings={"HAYLOFT_RERANKER": "/m"}))

    assert first.found is None and "next run" in "\n".join(first.lines())
    text = "\n".join(second.lines())
    assert "Fixed at hit@10 (1):\n  q1 (rank - → 3)" in text
    assert "Broken at hit@10 (1):\n  q2 (rank 1 → -)" in text
    assert "Wrong as before at hit@10 (1):\n  q3" in text
    assert "Right as before at hit@10 (1):\n  q0" in text
    assert "HAYLOFT_RERANKER" in text
    told = second.to_json()
    assert told["before"] == first.kept and told["kept"] != first.kept
    assert [one["id"] for one in told["comparison"]["same"]] == ["q0", "q3"]


def test_a_set_that_shares_no_question_with_the_last_is_a_beginning(data: Path) -> None:
    """Nothing is compared that cannot be."""
    since(data, result([1, 1]))

    assert since(data, result([1, 1], k=[3])).found is None


def test_compare_asks_the_same_golden_set_of_both_sides(
    data: Path, capsys: pytest.CaptureFixture
) -> None:
    """Whatever library each side has; and tells every question."""
    golden.add(data, "Where?", document="a.pdf", page=2)
    golden.add(data, "Who?", unanswerable=True)
    asked: list[list[str]] = []

    def measure(side, args):
        lines = args.questions.read_text(encoding="utf-8").splitlines()
        asked.append([json.loads(line)["question"] for line in lines])
        return retrieval([1, 2, None] if side.name == "A" else [1, None, 1])

    code = cli_compare.run(parse("--golden", "--b", "trial"), measure)

    out = capsys.readouterr().out
    assert code == 0 and asked == [["Where?"], ["Where?"]]
    assert "Fixed at hit@10 (1)" in out and "Broken at hit@10 (1)" in out
    assert "Right as before at hit@10 (1)" in out


def test_golden_and_other_questions_exclude_each_other(data: Path) -> None:
    """One set is asked."""
    with pytest.raises(UsageError, match="one set is asked"):
        cli_compare.run(parse("--golden", "--questions", "q.jsonl", "--b", "t"))
    with pytest.raises(UsageError, match="one set is asked"):
        cli_compare.run(parse("a.json", "b.json", "--golden", "data"))

"""Two results question by question, and the command that makes or reads them."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

import pytest

from evaluation import cli, cli_compare
from evaluation.cli_compare import SideFailed, settings_in
from evaluation.compare import compare, is_hit, read_result, sentence
from storage.errors import UsageError

ROOT = Path(__file__).resolve().parent.parent


def retrieval(ranks, *, k=(1, 10), seconds=0.1, changed=(), page=1, **more):
    """A result in which question i found its page at ranks[i] (None: not at all)."""
    deepest = max(k)
    results = []
    for number, rank in enumerate(ranks):
        found = [{"document": f"x{i}.pdf", "page": 1} for i in range(deepest)]
        if rank:
            found[rank - 1] = {"document": "a.pdf", "page": page}
        results.append(
            {
                "id": f"q{number}",
                "question": f"Question {number}?",
                "document_first": rank == 1,
                "relevant": [{"document": "a.pdf", "page": page, "rank": rank}],
                "found": found,
                "seconds": seconds,
            }
        )
    return {
        "evaluation": "retrieval",
        "k": list(k),
        "results": results,
        "settings": {"HAYLOFT_RERANKER": "", **dict(changed)},
        "index": {"embedder": "fake", "collection": "c"},
        "library": {"documents": 3, "chunks": 9, "fingerprint": "f"},
        "versions": {},
        "commit": "abc",
        "questions_file": {"sha256": "1"},
        "missing_documents": [],
        "missing_pages": [],
        "short": 0,
        **more,
    }


BEFORE = retrieval([1] * 20 + [None] * 12 + [5] * 3)
AFTER = retrieval([1] * 20 + [3] * 12 + [None] * 3, changed=[("HAYLOFT_RERANKER", "/m")])


def test_the_verdict_is_one_sentence_to_decide_by():
    """Who is better, at what, by which questions, and how sure."""
    found = compare(BEFORE, AFTER)

    assert sentence(found) == "B is better at hit@10: 12 fixed, 3 broken, p = 0.035."
    assert sentence(compare(AFTER, BEFORE)) == (
        "A is better at hit@10: 3 fixed, 12 broken, p = 0.035."
    )


def test_a_difference_that_chance_would_make_is_none():
    """The sentence says how many questions it rests on."""
    found = compare(retrieval([1] * 20 + [None] * 4), retrieval([1] * 18 + [None] * 2 + [1] * 4))

    assert sentence(found) == (
        "No difference at hit@10 that 24 questions can show: 4 fixed, 2 broken, p = 0.688."
    )


def test_too_few_changes_are_told_as_such():
    """Three fixed and none broken looks clear, and cannot be."""
    found = compare(retrieval([1] * 30 + [None] * 3), retrieval([1] * 33))

    assert sentence(found).endswith("p = 0.250 (fewer than 6 changes never can).")


def test_equal_results_are_told_as_unchanged():
    """No question changed; nothing is claimed about others."""
    assert sentence(compare(BEFORE, BEFORE)) == "None of 35 questions changed at hit@10."


def test_fixed_and_broken_questions_are_named_with_their_ranks():
    """People look at those, one by one."""
    found = compare(BEFORE, AFTER)

    assert [change.id for change in found.fixed] == [f"q{i}" for i in range(20, 32)]
    assert (found.fixed[0].rank_a, found.fixed[0].rank_b) == (None, 3)
    assert found.fixed[0].question == "Question 20?"
    assert [change.id for change in found.broken] == ["q32", "q33", "q34"]


def test_the_metric_that_decides_can_be_chosen():
    """Graded metrics are decided by their interval."""
    found = compare(BEFORE, AFTER, "mrr@10")

    assert found.verdict.p is None
    assert sentence(found).startswith("B is better at mrr@10: +0.097 [+0.0")
    with pytest.raises(UsageError, match="no metric 'hit@7' in both; there are: hit@1, hit@10"):
        compare(BEFORE, AFTER, "hit@7")


def test_without_hit_10_the_deepest_common_hit_decides():
    """Two results may have been measured at other depths."""
    shallow = retrieval([1, None], k=(1, 3, 5))

    assert compare(shallow, retrieval([1, 2], k=(1, 3))).metric == "hit@3"


def test_questions_that_only_one_has_are_left_out_and_named():
    """Nor is a question compared whose right page was changed in between."""
    grown = retrieval([1, 1, 1])
    grown["results"][1]["relevant"][0]["page"] = 7

    found = compare(retrieval([1, 1]), grown)

    assert found.verdict.n == 1
    assert (found.only_a, found.only_b) == (("q1",), ("q1", "q2"))
    with pytest.raises(UsageError, match="no question in common"):
        compare(retrieval([1], page=1), retrieval([1], page=2))


def test_what_was_set_otherwise_is_told():
    """A difference in figures without one in settings is a reason to look again."""
    assert compare(BEFORE, AFTER).changed == {"HAYLOFT_RERANKER": ("", "/m")}
    assert compare(BEFORE, BEFORE).changed == {}
    other = retrieval([1], commit="def", index={"embedder": "new", "collection": "d"})
    assert compare(retrieval([1]), other).changed == {
        "index.embedder": ("fake", "new"),
        "commit": ("abc", "def"),
    }


def answers(scores, **more):
    return {
        "evaluation": "answers",
        "results": [
            {"id": f"q{i}", "question": "?", "answers": ["x"], "scores": one, "seconds": 1.0}
            for i, one in enumerate(scores)
        ],
        "settings": {},
        "index": {"embedder": "fake"},
        "library": {"documents": 3, "chunks": 9},
        **more,
    }


def test_answers_are_compared_by_their_first_quote():
    """A score that one side does not have for a question leaves that question out there."""
    a = answers([{"first": 0.0, "f1": 0.2, "citations": 1.0}] * 7)
    b = answers([{"first": 1.0, "f1": 0.3}] * 7)

    found = compare(a, b)

    assert sentence(found) == "B is better at first: 7 fixed, 0 broken, p = 0.016."
    assert list(found.metrics) == ["first", "f1"]
    with pytest.raises(UsageError, match="A is a result of answers, B of retrieval"):
        compare(a, BEFORE)


def test_hits_are_told_from_graded_metrics():
    """Only what is 0 or 1 is tested as such."""
    assert all(map(is_hit, ("hit@5", "document_first@1", "first", "abstained")))
    assert not any(map(is_hit, ("mrr@20", "ndcg@5", "recall@5", "f1", "citations")))


def parse(*words):
    parser = argparse.ArgumentParser()
    cli.configure(parser)
    return parser.parse_args(["compare", *map(str, words)])


@pytest.fixture
def files(tmp_path):
    for name, result in (("a.json", BEFORE), ("b.json", AFTER)):
        (tmp_path / name).write_text(json.dumps(result))
    return tmp_path / "a.json", tmp_path / "b.json"


def test_two_kept_results_are_compared(files, capsys):
    """The last line is the verdict; fixed and broken questions stand above it."""
    assert cli.run(parse(*files)) == 0

    lines = capsys.readouterr().out.rstrip().split("\n")
    assert lines[-1] == "B is better at hit@10: 12 fixed, 3 broken, p = 0.035."
    assert "HAYLOFT_RERANKER: '' | /m" in lines
    assert "Fixed at hit@10 (12):" in lines
    assert "  q32 (rank 5 → -): Question 32?" in lines
    assert any(line.startswith("hit@10") and line.endswith("0.035") for line in lines)
    assert max(map(len, lines[2:])) <= 100


def test_a_document_that_one_library_lacks_is_told(files, capsys):
    """A half-filled trial library would otherwise look like a bad setting."""
    files[1].write_text(json.dumps({**AFTER, "missing_documents": ["a.pdf"]}))

    cli.run(parse(*files))

    assert "Warning (B): 1 relevant document not in the library (a.pdf)" in capsys.readouterr().out


def test_a_comparison_is_json_and_keeps_both_results(files, tmp_path, capsys):
    """What the decision rested on can be looked at later."""
    out = tmp_path / "out.json"

    assert cli.run(parse(*files, "--json", "--out", out)) == 0

    shown = json.loads(capsys.readouterr().out)
    assert shown["winner"] == "B"
    assert shown["metrics"]["hit@10"]["fixed"] == 12
    assert json.loads(out.read_text())["result_b"] == AFTER


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"evaluation": "retrieval", "results": []}'])
def test_a_file_that_is_no_result_is_refused(tmp_path, content):
    """Only what the evaluations wrote can be compared."""
    path = tmp_path / "x.json"
    path.write_text(content)

    with pytest.raises(UsageError, match="is no result: it must be a file that"):
        read_result(path)
    with pytest.raises(UsageError, match="cannot be read"):
        read_result(tmp_path / "absent.json")


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HAYLOFT_DATA_DIR", str(tmp_path / "data"))
    questions = tmp_path / "q.jsonl"
    questions.write_text('{"id": "1", "question": "?", "relevant": [{"document": "a", "page": 1}]}')
    return questions


def test_both_sides_are_measured_with_their_own_library_and_settings(place, capsys):
    """Each gets what was named for it."""
    measured = []

    def measure(side, args):
        measured.append((side.name, side.data_dir, side.settings))
        return AFTER if side.name == "B" else BEFORE

    words = ["--questions", place, "--b", "trial", "--set-b", "HAYLOFT_RERANKER=/m=1"]
    assert cli_compare.run(parse(*words), measure) == 0

    assert sorted(measured) == [("A", "", ()), ("B", "trial", (("HAYLOFT_RERANKER", "/m=1"),))]
    shown = capsys.readouterr().out
    assert shown.startswith("A  the library that is set (3 documents, 9 chunks, fake)")
    assert shown.rstrip().endswith("B is better at hit@10: 12 fixed, 3 broken, p = 0.035.")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "A and B are the same"),
        (("--b", "data"), "A and B are the same"),
        (("--set-a", "HAYLOFT_THREADS=1", "--set-b", "HAYLOFT_THREADS=1"), "A and B are the same"),
        (("--set-b", "HAYLOFT_RERANKER"), "write it as NAME=VALUE"),
        (("--set-b", "HAYLOFT_RERANKR=x"), "no setting of Hayloft. Is HAYLOFT_RERANKER meant?"),
        (("--set-b", "HAYLOFT_DATA_DIR=x"), "--a DIR or --b DIR"),
        (("--set-b", "HAYLOFT_CHUNK_TOKENS=64"), "read when documents are ingested"),
        (("one.json",), "Name two results"),
        (("one.json", "two.json", "--b", "x"), "Two results are compared as they are"),
    ],
)
def test_what_cannot_be_compared_is_refused_before_anything_is_measured(place, words, told):
    """Settings that change nothing would otherwise look harmless."""
    questions = () if words[:1] == ("one.json",) else ("--questions", place)

    with pytest.raises(UsageError, match=told):
        cli_compare.run(parse(*words, *questions), lambda side, args: pytest.fail("measured"))


def test_questions_are_needed_and_read_first(place):
    """A wrong file is told before a model is loaded."""
    with pytest.raises(UsageError, match="--questions FILE"):
        cli_compare.run(parse("--b", "trial"), lambda side, args: pytest.fail("measured"))
    wrong = place.parent / "wrong.jsonl"
    wrong.write_text('{"id": "x", "question": "?"}')
    with pytest.raises(UsageError, match='"answers" must be'):
        cli_compare.run(
            parse("--b", "trial", "--questions", str(wrong), "--what", "answers"),
            lambda side, args: pytest.fail("measured"),
        )


def test_known_settings_are_taken_as_they_are():
    """Values may hold anything, also an equals sign or nothing."""
    assert list(settings_in(["HAYLOFT_RERANKER=", "HAYLOFT_MODEL=openai:a=b"])) == [
        ("HAYLOFT_RERANKER", ""),
        ("HAYLOFT_MODEL", "openai:a=b"),
    ]


def test_a_side_that_cannot_be_measured_ends_with_its_exit_code(place, capfd):
    """Its own message stands above; nothing is compared."""
    args = parse("--questions", place.with_name("gone.jsonl"), "--b", "trial")
    side = cli_compare.Side("B", "trial", ())

    with pytest.raises(SideFailed, match=r"B \(trial\) could not be measured") as caught:
        cli_compare.measured_apart(side, args)

    assert caught.value.exit_code == 2
    assert "gone.jsonl cannot be read" in capfd.readouterr().err


@pytest.mark.slow
def test_two_settings_are_compared_end_to_end(place):
    """Real ingestion, two real searches, one sentence."""
    (place.parent / "docs").mkdir()
    (place.parent / "docs" / "a").with_suffix(".md").write_text("# Rent\n\nThe rent is due in May.")
    place.write_text(
        '{"id": "1", "question": "When is it due?", "relevant": [{"document": "a.md", "page": 1}]}'
    )
    hayloft = [sys.executable, str(ROOT / "hayloft.py")]
    subprocess.run([*hayloft, "ingest", "docs"], check=True)

    words = ["--questions", str(place), "--set-b", "HAYLOFT_EMBEDDER_BATCH=8"]
    done = subprocess.run(
        [*hayloft, "eval", "compare", *words], check=True, capture_output=True, text=True
    )

    assert "HAYLOFT_EMBEDDER_BATCH: 16 | 8" in done.stdout
    assert done.stdout.rstrip().endswith("None of 1 question changed at hit@10.")

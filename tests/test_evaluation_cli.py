"""The `eval` command: arguments, the result, and what people are shown."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from types import SimpleNamespace

import pytest
from test_evaluation_retrieval import FakeSearcher, summary

from evaluation import cli, reporting
from evaluation.questions import read_questions
from storage.catalog import IndexIdentity
from storage.errors import StorageError, UsageError
from storage.settings import StorageSettings


class FakeLibrary:
    """A library of given documents, without vectors."""

    def __init__(self, tmp_path, *documents):
        self.settings = StorageSettings(data_dir=tmp_path, chroma_token="s3cret")
        identity = IndexIdentity("fake-embedder", 3, "chunking-1", "chunks-1")
        self.catalog = SimpleNamespace(documents=lambda: list(documents))
        self.readable_identity = lambda: identity if documents else None


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "questions.jsonl"
    lines = [
        {"id": "one", "question": "first?", "relevant": [{"document": "a.pdf", "page": 2}]},
        {"id": "two", "question": "second?", "relevant": [{"document": "gone.pdf", "page": 1}]},
        {"id": "three", "question": "third?", "relevant": [{"document": "a.pdf", "page": 99}]},
    ]
    path.write_text("\n".join(json.dumps(line) for line in lines))
    return read_questions(path)


@pytest.fixture
def result(tmp_path, file):
    searcher = FakeSearcher({"first?": [("a.pdf", 1), ("a.pdf", 2)]})
    return cli.evaluate_retrieval(
        FakeLibrary(tmp_path, summary("a.pdf", 2)), searcher, file, (1, 5)
    )


def parse(*arguments):
    parser = argparse.ArgumentParser()
    cli.configure(parser)
    return parser.parse_args(arguments)


def test_cutoffs_are_sorted_and_each_once():
    """The order in which they are typed does not matter."""
    assert parse("retrieval", "--questions", "q", "--k", "10,1,10,3").k == (1, 3, 10)
    assert parse("retrieval", "--questions", "q").k == (1, 3, 5, 10, 20)


@pytest.mark.parametrize("k", ["", "0", "1,,2", "-1", "five", "1.5", "1001"])
def test_a_cutoff_that_cannot_be_is_refused(k, capsys):
    """Usage errors end with 2 and say what is wanted."""
    with pytest.raises(SystemExit) as caught:
        parse("retrieval", "--questions", "q", f"--k={k}")

    assert caught.value.code == 2
    assert "whole numbers from 1" in capsys.readouterr().err


def test_an_evaluation_must_be_named():
    """`hayloft eval` alone is a usage error."""
    with pytest.raises(SystemExit) as caught:
        parse()

    assert caught.value.code == 2


def test_a_result_is_json_and_records_how_it_was_made(result, file):
    """Scores with n and interval, provenance, and the rank of each question."""
    record = json.loads(json.dumps(result))

    assert record["scores"]["hit@5"]["mean"] == pytest.approx(1 / 3)
    assert record["scores"]["hit@5"]["n"] == record["n"] == 3
    assert record["scores"]["hit@5"]["low"] < 1 / 3 < record["scores"]["hit@5"]["high"]
    assert record["questions_file"]["sha256"] == file.sha256
    assert record["index"]["embedder"] == "fake-embedder"
    assert record["index"]["chunking"] == "chunking-1"
    assert record["library"]["documents"] == 1
    assert len(record["library"]["fingerprint"]) == 64
    assert {"commit", "dirty", "versions", "settings", "machine", "seconds"} <= set(record)
    assert [one["first_rank"] for one in record["results"]] == [2, None, None]
    assert "s3cret" not in json.dumps(record)


def test_what_the_library_lacks_is_a_miss_and_a_warning(result):
    """Absent documents and pages are counted and named; their questions score 0."""
    assert result["missing_documents"] == ["gone.pdf"]
    assert result["missing_pages"] == [{"document": "a.pdf", "page": 99}]
    absent, beyond = cli.warnings(result)
    assert "1 relevant document not in the library (gone.pdf)" in absent
    assert "1 relevant page past the end of the document (a.pdf page 99)" in beyond


def test_the_table_shows_each_score_with_its_interval(result):
    """People see n, every metric at every k, and the warnings."""
    text = cli.table(result)

    assert "3 questions of questions.jsonl, 1 document, 2 pages, fake-embedder" in text
    header, first, fifth = text.split("\n")[2:5]
    assert header.split() == ["k", "hit", "recall", "ndcg"]
    assert first.split()[:4] == ["1", "0.000", "[0.00,", "0.56]"]
    assert fifth.split()[:4] == ["5", "0.333", "[0.06,", "0.79]"]
    assert "mrr@5: 0.167" in text
    assert text.count("Warning: ") == 2
    assert max(len(line) for line in (header, first, fifth)) < 80


def test_an_empty_library_is_refused(tmp_path, file):
    """A score of 0 because nothing was ingested would only mislead."""
    with pytest.raises(UsageError, match="holds no document; fill it with `hayloft ingest"):
        cli.evaluate_retrieval(FakeLibrary(tmp_path), FakeSearcher({}), file, (1,))


def test_a_result_is_written_whole_or_not_at_all(tmp_path, result):
    """The file holds the same JSON, and nothing is left beside it."""
    folder = tmp_path / "results"
    folder.mkdir()

    reporting.write(folder / "run.json", result)

    assert json.loads((folder / "run.json").read_text()) == json.loads(json.dumps(result))
    assert [path.name for path in folder.iterdir()] == ["run.json"]


def test_a_result_that_cannot_be_written_is_one_sentence(tmp_path, result):
    """The folder went away while the questions were asked."""
    with pytest.raises(StorageError, match="cannot be written"):
        reporting.write(tmp_path / "gone" / "run.json", result)


def test_bad_questions_and_bad_out_are_told_before_anything_is_loaded(tmp_path, file):
    """Usage faults come first, whatever the state of the library."""
    with pytest.raises(UsageError, match="cannot be read"):
        cli.run(parse("retrieval", "--questions", str(tmp_path / "absent.jsonl")))
    questions = str(file.path)
    with pytest.raises(UsageError, match="name a file in a folder that exists"):
        cli.run(parse("retrieval", "--questions", questions, "--out", str(tmp_path / "no" / "f")))
    with pytest.raises(UsageError, match="name a file in a folder that exists"):
        cli.run(parse("retrieval", "--questions", questions, "--out", str(tmp_path)))


def test_importing_the_command_loads_nothing_heavy():
    """`hayloft --help` may import this module and must stay quick."""
    heavy = {"torch", "numpy", "chromadb", "sentence_transformers", "llama_index", "pydantic"}
    code = "import sys, evaluation.cli; print(*{name.split('.')[0] for name in sys.modules})"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert not heavy & set(done.stdout.split())

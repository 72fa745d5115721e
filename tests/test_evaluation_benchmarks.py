"""The parts of the benchmarks that decide what a figure means."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from benchmarks import bench_ingest, common, datasets, run
from benchmarks.common import Figure, Report, Skipped, at_least, at_most, percentile
from evaluation.questions import read_questions

SHARED = Path(os.environ.get("HAYLOFT_SHARED_DATA") or common.ROOT.parent / "shared" / "data")


def financebench_line(**changes):
    return json.dumps(
        {
            "id": "f1",
            "document": "A_2020_10K.pdf",
            "question": "How much?",
            "answer": "$5",
            "question_type": "metrics-generated",
            "evidence": [{"page_index": 2, "text": "x"}, {"page_index": 3, "text": "y"},
                         {"page_index": 3, "text": "z"}],
            **changes,
        }
    )  # fmt: skip


def test_financebench_pages_count_from_one_and_come_once(tmp_path):
    """Its evidence counts from 0 and may name a page twice."""
    (tmp_path / "questions.jsonl").write_text(financebench_line() + "\n")

    known = datasets.financebench(tmp_path)

    assert known[0].relevant == (("A_2020_10K.pdf", 3), ("A_2020_10K.pdf", 4))
    assert known[0].answers == ("$5",)


def test_converted_questions_are_read_by_the_evaluation(tmp_path):
    """What the converter writes passes the strict reader."""
    (tmp_path / "questions.jsonl").write_text(financebench_line() + "\n")
    datasets.write_questions(datasets.financebench(tmp_path), tmp_path / "ours.jsonl")

    file = read_questions(tmp_path / "ours.jsonl")

    assert file.questions[0].id == "f1"
    assert [place.page for place in file.questions[0].relevant] == [3, 4]


def test_each_xquad_paragraph_is_a_document_of_one_page(tmp_path):
    """Two paragraphs of one article are two documents, and questions point at theirs."""
    asked = {"id": "x1", "question": "Who?", "answers": [{"text": "Ann", "answer_start": 0}]}
    article = {
        "title": "Some Title",
        "paragraphs": [
            {"context": "First.", "qas": []},
            {"context": "Ann did it.", "qas": [asked]},
        ],
    }
    (tmp_path / "xquad.en.json").write_text(json.dumps({"data": [article]}))

    paragraphs, known = datasets.xquad("en", tmp_path)
    datasets.write_documents(paragraphs, tmp_path / "documents")

    assert known[0].relevant == (("Some_Title-02.txt", 1),)
    assert (tmp_path / "documents" / "Some_Title-02.txt").read_text() == "Ann did it.\n"


def test_an_absent_set_is_skipped_with_its_path(tmp_path):
    """People are told which file is not there."""
    with pytest.raises(Skipped, match=r"questions\.jsonl"):
        datasets.financebench(tmp_path)


@pytest.mark.skipif(not SHARED.is_dir(), reason=f"no data folder {SHARED}")
def test_the_real_sets_convert_whole():
    """33 questions over 12 documents; 240 paragraphs and 1,190 questions."""
    known = datasets.financebench(SHARED / "financebench")
    paragraphs, asked = datasets.xquad("en", SHARED / "xquad")

    assert len(known) == 33
    pdfs = {path.name for path in (SHARED / "financebench" / "pdfs").iterdir()}
    assert {document for one in known for document, _ in one.relevant} == pdfs
    assert len(paragraphs) == len({paragraph.document for paragraph in paragraphs}) == 240
    assert len(asked) == 1190
    texts = {paragraph.document: paragraph.text for paragraph in paragraphs}
    assert all(one.answers[0] in texts[one.relevant[0][0]] for one in asked)


def test_targets_are_met_at_their_limit():
    """Limits are inclusive, in either direction."""
    assert at_most("a", 1.25, 1.25).met
    assert not at_most("a", 1.26, 1.25).met
    assert at_least("a", 1.5, 1.5).met
    assert not at_least("a", 1.49, 1.5).met


def test_percentiles_interpolate_between_neighbours():
    """The p50 of four values lies between the middle two, whatever their order."""
    assert percentile([4.0, 1.0, 3.0, 2.0], 50) == 2.5
    assert percentile([1.0, 2.0, 3.0], 0) == 1.0
    assert percentile([1.0, 2.0, 3.0], 100) == 3.0
    assert percentile([7.0], 95) == 7.0


def test_the_table_tells_a_missed_target():
    """A figure above its limit says NO."""
    text = common.table([Report("start", (at_most("help", 0.5, 0.3, "s"), Figure("x", 1.0)), {})])

    assert "0.500 s" in text
    assert "≤ 0.3" in text
    assert "NO" in text.split("\n")[1]
    assert "NO" not in text.split("\n")[2]


def test_the_smallest_files_are_chosen_first(tmp_path):
    """A try-out takes little time."""
    for name, size in (("big.pdf", 300), ("small.pdf", 10), ("middle.pdf", 100), ("x.txt", 1)):
        (tmp_path / name).write_bytes(b"x" * size)

    chosen = common.chosen_pdfs(tmp_path, (), 2)

    assert [path.name for path in chosen] == ["middle.pdf", "small.pdf"]
    assert common.chosen_pdfs(tmp_path, ["big.pdf"], None)[0].name == "big.pdf"
    with pytest.raises(Skipped):
        common.chosen_pdfs(tmp_path, ["absent.pdf"], None)


def test_an_absent_folder_of_documents_is_skipped(tmp_path, monkeypatch):
    """The variable is read where no folder is named, and both may be wrong."""
    monkeypatch.setenv("HAYLOFT_BENCH_DOCUMENTS", str(tmp_path / "absent"))

    with pytest.raises(Skipped, match="HAYLOFT_BENCH_DOCUMENTS"):
        common.documents_folder(None)
    assert common.documents_folder(tmp_path) == tmp_path


def test_a_command_that_fails_is_not_a_measurement():
    """Its exit code and last words are told instead."""
    with pytest.raises(common.Failed, match=r"ended with 3: (?s:.*)broken"):
        common.timed(
            ["python3", "-c", "import sys; print('broken', file=sys.stderr); sys.exit(3)"],
            common.environment(),
        )


def test_a_run_without_any_data_says_what_it_skipped(tmp_path, monkeypatch, capsys):
    """`make bench` on a machine without the documents ends well and says why it did little."""
    monkeypatch.setenv("HAYLOFT_BENCH_DOCUMENTS", str(tmp_path / "absent"))
    monkeypatch.setattr(
        "sys.argv", ["run", "--only", "ingest,search", "--scratch", str(tmp_path / "scratch")]
    )

    assert run.main() == 0
    shown = capsys.readouterr().out
    assert "ingest      skipped: no folder" in shown
    assert "search      skipped: no library" in shown


def test_a_library_with_few_chunks_is_not_judged():
    """Where start-up is most of the time, the ratio is told without yes or no."""
    few = bench_ingest._judged(27, at_most, "a", 5.0, 1.25, "27 chunks")
    many = bench_ingest._judged(5000, at_most, "a", 5.0, 1.25, "5,000 chunks")

    assert few.met is None
    assert "too few to judge" in few.note
    assert many.met is False


def test_a_scratch_folder_must_be_empty(tmp_path):
    """An earlier run's library would make a cold run a warm one."""
    assert common.scratch_folder(tmp_path / "new", "x") == tmp_path / "new"
    (tmp_path / "new" / "left").write_text("over")

    with pytest.raises(common.Failed, match="not empty"):
        common.scratch_folder(tmp_path / "new", "x")


def test_what_a_command_says_instead_of_a_report_is_told():
    """A traceback on standard error is not swallowed."""
    with pytest.raises(common.Failed, match="ModuleNotFoundError"):
        common.last_json(common.Timed(1.0, "", "ModuleNotFoundError: no", 1))
    assert common.last_json(common.Timed(1.0, 'x\n{"a": 1}\n', "", 0)) == {"a": 1}

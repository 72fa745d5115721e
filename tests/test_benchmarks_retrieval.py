"""The retrieval benchmark: its sets, its tables, its targets."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

import pytest

from benchmarks import bench_retrieval, common
from benchmarks.bench_retrieval import (
    NEVER_WORSE,
    RESULTS,
    Measured,
    Row,
    made_by,
    markdown,
    put_between,
    tables,
    targets,
)
from benchmarks.common import Failed, Skipped
from benchmarks.question_sets import NAMES, Choice, QuestionSet, documents_of, half, question_set
from evaluation.questions import Place, Question
from evaluation.retrieval import QuestionResult, score

SHARED = Path(os.environ.get("HAYLOFT_SHARED_DATA") or common.ROOT.parent / "shared" / "data")
FACTS = {
    "date": "2026-11-21",
    "commit": "0123456789abcdef",
    "dirty": True,
    "machine": {"python": "3.11", "system": "Linux", "machine": "x86_64", "cores": 2},
    "split": "",
}


@pytest.fixture
def shared(tmp_path, monkeypatch):
    """A data folder with two articles of two paragraphs in each language."""
    for language in ("en", "es", "zh"):
        articles = [
            {
                "title": title,
                "paragraphs": [
                    {
                        "context": f"{language} {title} {number}",
                        "qas": [
                            {
                                "id": f"{title}{number}",
                                "question": f"{language}? {title} {number}",
                                "answers": [{"text": title}],
                            }
                        ],
                    }
                    for number in (1, 2)
                ],
            }
            for title in ("Alpha", "Beta")
        ]
        (tmp_path / "xquad").mkdir(exist_ok=True)
        (tmp_path / "xquad" / f"xquad.{language}.json").write_text(json.dumps({"data": articles}))
    monkeypatch.setenv("HAYLOFT_SHARED_DATA", str(tmp_path))
    return tmp_path


def test_one_language_asks_its_own_paragraphs(shared, tmp_path):
    """Each paragraph is a document."""
    asked = question_set("xquad-es", Choice())
    folder = documents_of(asked.corpus, Choice(), tmp_path / "corpus")

    assert asked.questions[0].relevant == (Place("Alpha-01.txt", 1),)
    assert asked.questions[0].text == "es? Alpha 1"
    assert (folder / "Alpha-01.txt").read_text() == "es Alpha 1\n"
    assert asked.whole


def test_all_languages_in_one_library_have_folders_of_their_own(shared, tmp_path):
    """The right paragraph is the one in the question's language, not its translation."""
    asked = question_set("xquad-all-zh", Choice())
    folder = documents_of(asked.corpus, Choice(), tmp_path / "corpus")

    assert asked.questions[0].relevant == (Place("textzh/Alpha-01.txt", 1),)
    assert len(list(folder.rglob("*.txt"))) == 12
    assert all((folder / one.relevant[0].document).is_file() for one in asked.questions)


def test_questions_in_one_language_ask_documents_in_another(shared, tmp_path):
    """The parallel paragraph is the right one."""
    asked = question_set("xquad-zh-to-en", Choice())
    folder = documents_of(asked.corpus, Choice(), tmp_path / "corpus")

    assert asked.questions[0].text == "zh? Alpha 1"
    assert (folder / asked.questions[0].relevant[0].document).read_text() == "en Alpha 1\n"


def test_fewer_documents_are_the_same_ones_in_every_language(shared, tmp_path):
    """With just the questions about them, and told as a part."""
    choice = Choice(documents=2)
    asked = question_set("xquad-es-to-en", choice)
    folder = documents_of(asked.corpus, choice, tmp_path / "corpus")

    names = {path.name for path in folder.iterdir()}
    assert names == {one.relevant[0].document for one in asked.questions}
    assert len(names) == 2
    assert not asked.whole


def test_the_halves_of_a_set_share_no_article(shared):
    """Nor does one language tune what another holds."""
    halves = {
        split: {
            name: {one.id for one in question_set(name, Choice(split=split)).questions}
            for name in ("xquad-en", "xquad-all-es", "xquad-zh-to-en")
        }
        for split in _splits_of(question_set("xquad-en", Choice()))
    }

    for by_set in halves.values():
        assert len({frozenset(ids) for ids in by_set.values()}) == 1
    assert sum(len(by_set["xquad-en"]) for by_set in halves.values()) == 4


def _splits_of(asked):
    return {half(one) for one in asked.questions}


def test_paragraphs_of_one_article_are_in_one_half():
    """Wherever they lie and whichever number they have."""
    ask = [
        Question(name, "?", (Place(name, 1),))
        for name in ("Some_Thing-01.txt", "textes/Some_Thing-17.txt", "textzh/Some_Thing-03.txt")
    ]

    assert len({half(one) for one in ask}) == 1
    halves = [half(Question("x", "?", (Place(f"{i}.pdf", 1),))) for i in range(200)]
    assert 70 < halves.count("tune") < 130


def test_absent_data_is_skipped_by_name(tmp_path, monkeypatch):
    """Only the sample library is always there."""
    monkeypatch.setenv("HAYLOFT_SHARED_DATA", str(tmp_path / "absent"))
    for name in NAMES:
        if name != "samples":
            with pytest.raises(Skipped, match="absent"):
                question_set(name, Choice())

    assert len(question_set("samples", Choice()).questions) == 46
    assert len(question_set("samples", Choice(questions=5)).questions) == 5


@pytest.mark.skipif(not SHARED.is_dir(), reason=f"no data folder {SHARED}")
@pytest.mark.parametrize("name", NAMES)
def test_the_real_sets_are_whole_and_split_in_two(name, monkeypatch):
    """Every question is in one half; both halves hold some."""
    monkeypatch.setenv("HAYLOFT_SHARED_DATA", str(SHARED))
    sizes = [len(question_set(name, Choice(split=split)).questions) for split in ("tune", "held")]

    whole = question_set(name, Choice())
    expected = {"financebench": 33, "samples": 46}.get(name, 1190)
    assert len(whole.questions) == sum(sizes) == expected
    assert whole.whole
    assert min(sizes) >= 0.3 * expected


def ranked(*ranks):
    """Results of questions whose page is at those ranks (0: not found)."""
    right, results = Place("a", 1), []
    for number, rank in enumerate(ranks):
        found = [Place(f"x{i}", 1) for i in range(20)]
        if rank:
            found[rank - 1] = right
        question = Question(str(number), "?", (right,))
        results.append(QuestionResult(question, tuple(found), 20, False, 0.01))
    return tuple(results)


def row(name, *ranks):
    results = ranked(*ranks)
    return Row(name, score(results, bench_retrieval.CUTOFFS), results, 0.01)


def measured(name, *rows, whole=True):
    questions = tuple(result.question for result in rows[0].results)
    asked = QuestionSet(name, name, "page", "hit@10", questions, whole)
    return Measured(asked, 3, 9, 27, rows)


HAYLOFT = row("hayloft", *[1] * 8, 11, 0)
DENSE = row("dense", *[1] * 7, 11, 11, 0)
LEXICAL = row("lexical", *[3] * 2, *[0] * 8)


def test_each_row_is_told_with_intervals_and_against_hayloft():
    """What Hayloft finds that the row does not, and the reverse."""
    lines = list(tables([measured("financebench", HAYLOFT, DENSE, LEXICAL)], FACTS))

    assert "commit 0123456789ab, changed since" in lines[0]
    assert "10 questions, 3 documents, 9 pages, 27 chunks" in lines[2]
    assert ".800 [.49, .94]" in lines[4]
    assert lines[5].endswith("hit@10: +1 -0, p = 1.000")
    assert lines[6].endswith("hit@10: +6 -0, p = .031")
    rows = list(markdown([measured("financebench", HAYLOFT, DENSE)], FACTS))
    assert len({line.count("|") for line in rows if line.startswith("|")}) == 1


def test_targets_are_told_for_whole_sets_alone():
    """A part of the questions says nothing about them."""
    figures = list(targets([measured("financebench", HAYLOFT, DENSE, LEXICAL)]))
    met = {figure.name: figure.met for figure in figures}

    assert met["financebench: hit@10"] is True
    assert met["financebench: right document"] is False
    assert met["financebench: least lead over the better arm"] is True
    assert list(targets([measured("financebench", HAYLOFT, DENSE, whole=False)])) == []
    assert list(targets([measured("financebench", DENSE)])) == []


def test_the_lead_is_counted_over_the_better_arm_at_its_worst_cutoff():
    """Behind by a tenth at one cutoff is behind, whatever the others say."""
    behind = row("hayloft", *[1] * 6, 11, 11, 11, 0)

    figure = list(targets([measured("samples", behind, DENSE, LEXICAL)]))[-1]

    assert figure.value == pytest.approx(-0.1)
    assert figure.met is False
    assert figure.value < NEVER_WORSE


def test_results_replace_what_stood_between_the_marks(tmp_path):
    """The rest of the document stays as it is."""
    path = tmp_path / "doc.md"
    path.write_text(f"before\n{RESULTS[0]}\nold\n{RESULTS[1]}\nafter\n")

    put_between(path, "new")
    put_between(tmp_path / "fresh.md", "new")

    assert path.read_text() == f"before\n{RESULTS[0]}\nnew\n{RESULTS[1]}\nafter\n"
    assert (tmp_path / "fresh.md").read_text() == f"{RESULTS[0]}\nnew\n{RESULTS[1]}\n"
    path.write_text("no marks")
    with pytest.raises(Failed, match="no place for results"):
        put_between(path, "new")


def test_a_library_is_known_by_the_code_and_settings_that_made_it(monkeypatch):
    """Settings of searching do not make another one."""
    before = made_by()

    monkeypatch.setenv("HAYLOFT_RERANKER", "x")
    assert made_by() == before
    monkeypatch.setenv("HAYLOFT_CHUNK_TOKENS", "64")
    assert made_by() != before


def test_the_newest_library_is_taken_again_when_asked(tmp_path, capsys):
    """A name that another begins with is not mixed up with it."""
    for name, seconds in (("xquad-en-aaa", 100), ("xquad-en-bbb", 200), ("xquad-en-20-ccc", 300)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "ingested").write_text("")
        os.utime(tmp_path / name, (seconds, seconds))

    assert bench_retrieval._data_dir("xquad-en", tmp_path, reuse=True).name == "xquad-en-bbb"
    assert bench_retrieval._data_dir("xquad-en", tmp_path, reuse=False).name.endswith(made_by())
    assert bench_retrieval._data_dir("samples", tmp_path, reuse=True).name.endswith(made_by())


def test_unknown_sets_and_rows_are_refused(capsys):
    """With the names there are."""
    parser = argparse.ArgumentParser()
    bench_retrieval.add_arguments(parser)

    with pytest.raises(SystemExit):
        parser.parse_args(["--rows", "hayloft,bm25"])

    assert "'bm25' is none of hayloft, dense" in capsys.readouterr().err
    assert parser.parse_args(["--sets", "samples,financebench"]).sets == ("financebench", "samples")


def test_without_any_data_the_benchmark_says_so(tmp_path, monkeypatch):
    """It is skipped, not failed."""
    monkeypatch.setenv("HAYLOFT_SHARED_DATA", str(tmp_path / "absent"))
    parser = argparse.ArgumentParser()
    bench_retrieval.add_arguments(parser)
    args = parser.parse_args(["--sets", "xquad-en", "--keep", str(tmp_path / "keep")])

    with pytest.raises(Skipped, match="xquad-en is skipped: no file"):
        bench_retrieval.run(args)

"""Scoring what the product answers: the words, the quotes, the silence."""

from __future__ import annotations

import argparse
import json
from types import SimpleNamespace

import pytest
from test_evaluation_retrieval import hit, summary

from app.answers import Answer, AnswerReady, Citation, Receipt, SourcesFound, TextDelta
from app.chat import ModelMissing
from evaluation import cli, cli_answers
from evaluation.answers import Listening, abstained, ask_all, judge, page_reader, score
from evaluation.questions import AnswerQuestion, Place, read_answer_questions
from storage.catalog import IndexIdentity
from storage.errors import IndexMismatch, UsageError
from storage.records import Page
from storage.settings import StorageSettings

RECEIPT = Receipt(0, 0, 0, {}, None, None, True)
PAGES = {
    ("pay.pdf", 2): "The per diem is 48 euros a day. Receipts within thirty days.",
    ("other.pdf", 1): "In all 48 euros were lost.",
}
QUESTION = AnswerQuestion("q", "What is the per diem?", ("48 euros",), (Place("pay.pdf", 2),))
HELD_NOWHERE = AnswerQuestion("none", "Who is the king?", ())


def answer(text="", quotes=(), mode="extractive", notice=""):
    citations = tuple(
        Citation(n, document, page, quote, verified=True)
        for n, (document, page, quote) in enumerate(quotes, 1)
    )
    return Answer(
        question="",
        text=text,
        mode=mode,
        model="extractive",
        citations=citations,
        receipt=RECEIPT,
        timings={},
        hits=(),
        notice=notice,
    )


def page_text(document, number):
    return PAGES.get((document, number))


def judged(given, question=QUESTION, found=()):
    return judge(question, given, [hit(1, *place) for place in found], page_text, 0.1)


def test_the_first_quote_alone_counts_as_first():
    """An answer further down is told apart from one that comes first."""
    quotes = [
        ("pay.pdf", 2, "Receipts within thirty days."),
        ("pay.pdf", 2, "The per diem is 48 euros a day."),
    ]

    scores = judged(answer("“Receipts” [1] “48 euros” [2]", quotes)).scores

    assert (scores["first"], scores["quoted"], scores["said"]) == (0.0, 1.0, 1.0)


def test_the_right_words_on_a_wrong_page_are_told_apart():
    """A chance match is an answer, but not in place."""
    scores = judged(answer("48 euros", [("other.pdf", 1, "In all 48 euros were lost.")])).scores

    assert (scores["first"], scores["first_in_place"]) == (1.0, 0.0)


def test_quotes_are_checked_against_the_page_and_not_believed():
    """An answer that calls its citation verified is checked all the same."""
    quotes = [
        ("pay.pdf", 2, "The per diem is 48 euros a day."),
        ("pay.pdf", 2, "The per diem is 49 euros a day."),
        ("pay.pdf", 9, "The per diem is 48 euros a day."),
        ("pay.pdf", 2, ""),
    ]

    result = judged(answer("…", quotes))

    assert [quote.stands for quote in result.quotes] == [True, False, False, False]
    assert [quote.in_place for quote in result.quotes] == [True, True, False, True]
    assert result.scores["citations"] == 0.25


def test_the_text_is_compared_without_its_marks():
    """An exact answer stays one with a citation behind it."""
    scores = judged(answer("The 48 Euros. [1]", mode="passages")).scores

    assert (scores["exact"], scores["f1"]) == (1.0, 1.0)


def test_a_page_that_was_found_and_not_quoted_counts_as_found():
    """What search gave is told apart from what the answer made of it."""
    assert judged(answer(), found=[("x.pdf", 1), ("pay.pdf", 2)]).scores["found"] == 1.0
    assert judged(answer(), found=[("pay.pdf", 3)]).scores["found"] == 0.0


def test_without_known_pages_nothing_is_said_about_place():
    """Scores that a question does not allow are left out, not 0."""
    question = AnswerQuestion("q", "?", ("48 euros",))

    result = judged(answer("48 euros", [("pay.pdf", 2, "48 euros")]), question)

    assert {"first_in_place", "found"}.isdisjoint(result.scores)
    assert result.quotes[0].in_place is None


def test_an_answer_without_a_quote_is_a_miss():
    """Nothing found is nothing answered, and the silence is counted."""
    scores = judged(answer("The documents do not say.", mode="none")).scores

    assert (scores["first"], scores["said"], scores["spoke"]) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    "text",
    [
        "The documents do not say who the king is.",
        "The passages don't mention a king.",
        "The king is not mentioned in the documents [1].",
        "There is no information about that.",
        "I cannot find an answer in the documents.",
        "Los documentos no dicen quién es el rey.",
        "文件没有提到国王。",
        "Die Dokumente nennen den König nicht.",
        "Les documents ne mentionnent pas le roi.",
    ],
)
def test_a_model_abstains_in_its_own_words(text):
    """The first sentence says that the documents do not."""
    assert abstained(answer(text, mode="passages"))


@pytest.mark.parametrize(
    "text",
    [
        "The per diem is 48 euros a day [1].",
        "The king is Ann [1]. The documents do not say since when.",
        "Nobody may contain the bees by night [2].",
        "La fianza es de 48 euros.",
        "",
    ],
)
def test_an_answer_is_no_abstention(text):
    """Also one that adds what is not known."""
    assert not abstained(answer(text, mode="passages"))


def test_unanswerable_questions_are_scored_by_silence_alone():
    """Quoting something all the same is a miss there."""
    quoted = judged(answer("“In all” [1]", [("other.pdf", 1, "In all")]), HELD_NOWHERE)
    silent = judged(answer("The documents do not seem to say.", mode="none"), HELD_NOWHERE)

    assert quoted.scores == {"right": 0.0, "abstained": 0.0}
    assert silent.scores == {"right": 1.0, "abstained": 1.0}


def test_scores_are_means_over_the_questions_that_have_them():
    """Citations are pooled over all answers; a question without one counts for none."""
    results = [
        judged(answer("48 euros", [("pay.pdf", 2, "48 euros"), ("pay.pdf", 2, "49 euros")])),
        judged(answer("nothing", [("pay.pdf", 2, "Receipts")])),
        judged(answer("x", mode="none"), HELD_NOWHERE),
    ]

    scores = score(results)

    assert (scores["first"].mean, scores["first"].n) == (0.5, 2)
    assert (scores["abstained"].mean, scores["abstained"].n) == (1.0, 1)
    assert (scores["citations_stand"].mean, scores["citations_stand"].n) == (
        pytest.approx(2 / 3),
        3,
    )


class FakeAssistant:
    """Quotes the page for one question, and finds through the finder it is given."""

    model_name = "fake"

    def __init__(self, finder, error=None):
        self.finder = finder
        self.error = error

    def ask(self, question):
        if self.error:
            raise self.error
        self.finder.search(question, limit=3)
        given = answer("“48 euros” [1]", [("pay.pdf", 2, "48 euros")])
        yield SourcesFound((), "extractive", "fake")
        yield TextDelta(given.text)
        yield AnswerReady(given)


def listening():
    inner = SimpleNamespace(search=lambda query, *, limit: [hit(1, "pay.pdf", 2)] * limit, extra=7)
    return Listening(inner)


def test_a_listening_finder_keeps_what_was_found():
    """It passes searches on unchanged, and everything else too."""
    finder = listening()

    assert len(finder.search("a", limit=2)) == 2
    assert len(finder.found) == 2
    assert finder.extra == 7


def test_each_question_is_asked_once_and_scored():
    """In the order of the file, with progress after each."""
    finder, done = listening(), []

    results = ask_all(
        FakeAssistant(finder), finder, [QUESTION, HELD_NOWHERE], page_text, done.append
    )

    assert [result.question.id for result in results] == ["q", "none"]
    assert results[0].scores["found"] == 1.0
    assert done == [1, 2]


def test_a_question_that_cannot_be_asked_is_named():
    """A fault of the index is not blamed on a question."""
    finder = listening()
    with pytest.raises(UsageError, match='question "q" cannot be asked'):
        ask_all(FakeAssistant(finder, UsageError("Too long.")), finder, [QUESTION], page_text)
    with pytest.raises(IndexMismatch, match=r"^other model$"):
        ask_all(FakeAssistant(finder, IndexMismatch("other model")), finder, [QUESTION], page_text)


class FakeCatalog:
    """Two documents of one path: the first one is read, as everywhere."""

    def documents(self):
        return [summary("pay.pdf", 2), summary("pay.pdf", 2)]

    def page(self, document_id, number):
        return Page(number, "48 euros") if (document_id, number) == (1, 2) else None


def test_pages_are_read_by_their_documents_path():
    """None where there is no such document or page."""
    read = page_reader(FakeCatalog())

    assert read("pay.pdf", 2) == "48 euros"
    assert read("pay.pdf", 3) is None
    assert read("gone.pdf", 1) is None


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "questions.jsonl"
    lines = [
        {"id": "q", "question": "What?", "answers": ["48 euros"],
         "relevant": [{"document": "pay.pdf", "page": 2}]},
        {"id": "one", "question": "What?", "answer": "48 euros"},
        {"id": "none", "question": "Who?", "unanswerable": True},
    ]  # fmt: skip
    path.write_text("\n".join(json.dumps(line) for line in lines))
    return read_answer_questions(path)


def test_answers_may_be_one_text_or_a_list_or_absent(file):
    """A question without an answer must be marked so."""
    assert [question.answers for question in file.questions] == [("48 euros",), ("48 euros",), ()]
    assert [question.unanswerable for question in file.questions] == [False, False, True]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ({"id": "x", "question": "?"}, '"answers" must be a list of at least one text'),
        ({"id": "x", "question": "?", "answers": "48"}, '"answers" must be a list of texts'),
        ({"id": "x", "question": "?", "answers": [48]}, '"answers" must be text'),
        ({"id": "x", "question": "?", "answers": ["a"], "unanswerable": True}, "cannot be"),
        ({"id": "x", "question": "?", "unanswerable": "yes"}, "must be true or false"),
        ({"id": "x", "question": "?", "answers": ["a"], "relevant": 3}, '"relevant" must be'),
    ],
)
def test_a_line_that_cannot_be_scored_is_told(tmp_path, line, told):
    """With its number, before anything is asked."""
    path = tmp_path / "q.jsonl"
    path.write_text(json.dumps(line))

    with pytest.raises(UsageError, match=f"line 1: .*{told}"):
        read_answer_questions(path)


@pytest.fixture
def result(tmp_path, file):
    from app.settings import AppSettings

    library = SimpleNamespace(
        settings=StorageSettings(data_dir=tmp_path),
        catalog=FakeCatalog(),
        readable_identity=lambda: IndexIdentity("fake", 3, "chunking-1", "chunks-1"),
    )
    finder = listening()
    return cli_answers.evaluate_answers(
        library, FakeAssistant(finder), finder, file, "extractive", AppSettings()
    )


def test_a_result_keeps_the_raw_answers_and_how_it_was_made(result):
    """It can be scored anew without asking anew."""
    record = json.loads(json.dumps(result))

    assert record["evaluation"] == "answers"
    assert record["results"][0]["answer"] == "“48 euros” [1]"
    assert record["results"][0]["quotes"][0]["stands"] is True
    assert record["scores"]["first"] == {"mean": 1.0, "low": pytest.approx(0.342, abs=1e-3),
                                         "high": 1.0, "n": 2}  # fmt: skip
    assert record["scores"]["abstained"]["mean"] == 0.0
    assert {"commit", "settings", "index", "questions_file", "versions"} <= set(record)


def test_the_table_names_each_score_with_its_number(result):
    """Scores that no question allows are not shown."""
    text = cli_answers.table(result)

    assert "Answers by extractive, 3 questions of questions.jsonl" in text
    assert "the first quote holds the answer            1.000 [0.34, 1.00]   n = 2" in text
    assert "abstained where there is no answer" in text


def test_pages_that_nothing_could_cite_are_told(result):
    """A question file that names a moved document scores the file, not the answers."""
    assert result["missing_documents"] == [] and "Warning" not in cli_answers.table(result)

    gone = {"missing_documents": ["old.pdf"], "missing_pages": [{"document": "a", "page": 9}]}
    text = cli_answers.table({**result, **gone})

    assert "1 relevant document not in the library (old.pdf)" in text
    assert "1 relevant page past the end of the document (a page 9)" in text


def test_a_moved_document_is_found_missing(tmp_path):
    """In the result of the answers, as in that of retrieval."""
    from app.settings import AppSettings

    file = questions_of(
        tmp_path, {"document": "gone.pdf", "page": 1}, {"document": "pay.pdf", "page": 99}
    )
    library = SimpleNamespace(
        settings=StorageSettings(data_dir=tmp_path),
        catalog=FakeCatalog(),
        readable_identity=lambda: IndexIdentity("fake", 3, "chunking-1", "chunks-1"),
    )
    finder = listening()

    told = cli_answers.evaluate_answers(
        library, FakeAssistant(finder), finder, file, "extractive", AppSettings()
    )

    assert told["missing_documents"] == ["gone.pdf"]
    assert told["missing_pages"] == [{"document": "pay.pdf", "page": 99}]


def questions_of(folder, *places):
    path = folder / "moved.jsonl"
    path.write_text(json.dumps({"id": "q", "question": "What?", "relevant": list(places)}))
    return read_answer_questions(path)


def test_an_empty_library_is_refused(tmp_path, file):
    """A score of 0 because nothing was ingested would only mislead."""
    library = SimpleNamespace(
        settings=StorageSettings(data_dir=tmp_path),
        catalog=SimpleNamespace(documents=list),
        readable_identity=lambda: None,
    )
    with pytest.raises(UsageError, match="holds no document"):
        cli_answers.evaluate_answers(library, None, listening(), file, "x", None)


def test_bad_questions_are_told_before_anything_is_loaded(tmp_path):
    """`hayloft eval answers` reads its questions first."""
    parser = argparse.ArgumentParser()
    cli.configure(parser)
    with pytest.raises(UsageError, match="cannot be read"):
        cli.run(parser.parse_args(["answers", "--questions", str(tmp_path / "absent.jsonl")]))
    with pytest.raises(SystemExit):
        parser.parse_args(["answers", "--questions", "q", "--limit", "0"])


def test_a_mode_that_needs_a_model_is_not_scored_on_quotations(tmp_path, monkeypatch):
    """Of a server that is away nothing else than the mode's name would stand in the result."""
    monkeypatch.setenv("HAYLOFT_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("HAYLOFT_OLLAMA_URL", "http://127.0.0.1:9")
    path = tmp_path / "questions.jsonl"
    path.write_text(json.dumps({"id": "q", "question": "What?", "answer": "That."}))
    parser = argparse.ArgumentParser()
    cli.configure(parser)
    given = ["answers", "--questions", str(path), "--model", "auto", "--mode", "read-all"]

    with pytest.raises(ModelMissing, match="The mode read-all needs a chat model"):
        cli.run(parser.parse_args(given))

"""Runs of `eval answers` that are interrupted go on; what is kept is never another one's answer."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from test_evaluation_answers import FakeCatalog, answer, hit, page_text

from app.answers import AnswerReady
from app.chat import BadReply, ModelUnreachable
from evaluation import cli, cli_answers
from evaluation.answer_runs import ROWS, AnswerRun, open_run, setup_of
from evaluation.answers import Listening, score_one, scored
from evaluation.questions import AnswerQuestion, Place, read_answer_questions
from evaluation.served import refuse_other_weights, served_by
from storage.catalog import IndexIdentity
from storage.errors import LockHeld, ServiceUnavailable, UsageError
from storage.settings import StorageSettings

SETUP = setup_of("fake", {"digest": "d"}, {"HAYLOFT_PASSAGES": 8}, "lib", {"embedder": "e"})
ASKED = {"questions_sha256": "q", "limit": None}


class Assistant:
    """Answers `48 euros`, fails as it is told, and remembers what it was asked."""

    def __init__(self, fault: Callable[[int], Exception | None] = lambda call: None) -> None:
        self.fault = fault
        self.asked: list[str] = []

    def ask(self, question):
        self.asked.append(question)
        fault = self.fault(len(self.asked))
        if fault is not None:
            raise fault
        yield AnswerReady(answer("48 euros", [("pay.pdf", 2, "48 euros")]))


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "questions.jsonl"
    lines = [{"id": f"q{n}", "question": f"Number {n}?", "answer": "48 euros"} for n in range(6)]
    path.write_text("\n".join(map(json.dumps, lines)))
    return read_answer_questions(path)


@pytest.fixture
def ask(tmp_path, file):
    library = SimpleNamespace(
        settings=StorageSettings(data_dir=tmp_path),
        catalog=FakeCatalog(),
        readable_identity=lambda: IndexIdentity("fake", 3, "chunking-1", "chunks-1"),
    )
    finder = Listening(SimpleNamespace(search=lambda query, *, limit: [hit(1, "pay.pdf", 2)]))

    def evaluate(assistant, run, check=lambda: None):
        from app.settings import AppSettings

        return cli_answers.evaluate_answers(
            library,
            assistant,
            finder,
            file,
            "fake",
            AppSettings(),
            None,
            lambda *_: None,
            run,
            check,
        )

    return evaluate


def test_an_answer_of_other_weights_is_not_kept(tmp_path, ask):
    """A model that is made anew under its name ends the run, with the answers before it."""
    run, _ = open_run(tmp_path, SETUP, ASKED, named="", new=False)
    model = SimpleNamespace(provider="ollama", name="qwen2", digest="1", window=lambda: 4096)
    served = served_by(model)
    assistant = Assistant()

    def check():
        model.digest = "1" if len(assistant.asked) < 3 else "2"
        refuse_other_weights(model, served)

    with pytest.raises(ServiceUnavailable, match="ollama qwen2 was made anew"):
        ask(assistant, run, check)

    assert len(assistant.asked) == 3
    assert open_run(tmp_path, SETUP, ASKED, named="", new=False)[0].answered == 2


def test_what_was_answered_is_not_asked_again(tmp_path, ask):
    """A run whose server went away goes on where it stopped, to the same result."""
    run, going_on = open_run(tmp_path, SETUP, ASKED, named="", new=False)
    assert not going_on
    gone = Assistant(lambda call: ModelUnreachable("Gone.") if call == 4 else None)
    with pytest.raises(ServiceUnavailable, match=r"Gone\. 3 answers kept; the same command"):
        ask(gone, run)

    run, going_on = open_run(tmp_path, SETUP, ASKED, named="", new=False)
    back = Assistant()
    result = ask(back, run)

    assert going_on and run.answered == 6
    assert back.asked == ["Number 3?", "Number 4?", "Number 5?"]
    clean = ask(Assistant(), open_run(tmp_path / "clean", SETUP, ASKED, named="", new=False)[0])
    assert result["scores"] == clean["scores"] and result["n"] == 6
    strip = ("seconds",)
    assert [{k: v for k, v in one.items() if k not in strip} for one in result["results"]] == [
        {k: v for k, v in one.items() if k not in strip} for one in clean["results"]
    ]


def test_a_fault_at_one_question_is_no_miss(tmp_path, ask):
    """It is told, not scored, and asked again by the same command."""
    run, _ = open_run(tmp_path, SETUP, ASKED, named="", new=False)

    result = ask(Assistant(lambda call: BadReply("Half.") if call == 2 else None), run)

    assert result["n"] == 5 and result["scores"]["right"]["mean"] == 1.0
    assert result["errors"] == [{"id": "q1", "error": "Half."}]
    assert "1 question without an answer, not scored (q1): Half." in cli_answers.table(result)
    run, going_on = open_run(tmp_path, SETUP, ASKED, named="", new=False)
    again = Assistant()
    assert ask(again, run)["errors"] == []
    assert going_on and again.asked == ["Number 1?"]


def test_where_every_question_fails_nothing_is_scored(tmp_path, ask):
    """A table of zeros would look like a bad model."""
    run, _ = open_run(tmp_path, SETUP, ASKED, named="", new=False)

    with pytest.raises(ServiceUnavailable, match=r"No question got an answer. Half\."):
        ask(Assistant(lambda call: BadReply("Half.")), run)


def test_a_finished_run_is_left_alone(tmp_path, ask):
    """The same command then begins a new one; --run scores the old one anew without asking."""
    run, _ = open_run(tmp_path, SETUP, ASKED, named="", new=False)
    ask(Assistant(), run)

    other, going_on = open_run(tmp_path, SETUP, ASKED, named="", new=False)
    assert not going_on and other.folder != run.folder
    named, going_on = open_run(tmp_path, SETUP, ASKED, named=run.folder.name, new=False)
    silent = Assistant()
    assert ask(silent, named)["n"] == 6
    assert going_on and silent.asked == []


@pytest.mark.parametrize(
    "other",
    [
        setup_of("other", {"digest": "d"}, {"HAYLOFT_PASSAGES": 8}, "lib", {"embedder": "e"}),
        setup_of("fake", {"digest": "new"}, {"HAYLOFT_PASSAGES": 8}, "lib", {"embedder": "e"}),
        setup_of("fake", {"digest": "d"}, {"HAYLOFT_PASSAGES": 9}, "lib", {"embedder": "e"}),
        setup_of("fake", {"digest": "d"}, {"HAYLOFT_PASSAGES": 8}, "more", {"embedder": "e"}),
        setup_of("fake", {"digest": "d"}, {"HAYLOFT_PASSAGES": 8}, "lib", {"embedder": "f"}),
    ],
)
def test_answers_of_another_setup_are_never_taken(tmp_path, ask, other):
    """Model, digest, setting, library and index all decide what an answer is."""
    run, _ = open_run(tmp_path, SETUP, ASKED, named="", new=False)
    with pytest.raises(ServiceUnavailable):
        ask(Assistant(lambda call: ModelUnreachable("Gone.") if call == 4 else None), run)

    begun, going_on = open_run(tmp_path, other, ASKED, named="", new=False)

    assert not going_on and begun.answered == 0
    with pytest.raises(UsageError, match="another model, library or setting"):
        open_run(tmp_path, other, ASKED, named=run.folder.name, new=False)
    # Even a folder that is taken by force has other keys.
    assert AnswerRun(run.folder, other).kept(AnswerQuestion("q0", "Number 0?", ("x",))) is None


def test_what_does_not_matter_does_not_part_runs() -> None:
    """A moved data directory, another port or timeout answers the same."""
    told = {"HAYLOFT_DATA_DIR": "/a", "HAYLOFT_UI_PORT": 1, "HAYLOFT_PASSAGES": 8}
    moved = {"HAYLOFT_DATA_DIR": "/b", "HAYLOFT_UI_PORT": 2, "HAYLOFT_PASSAGES": 8}

    assert setup_of("m", {}, told, "l", {}) == setup_of("m", {}, moved, "l", {})


def test_a_corrected_answer_needs_no_new_asking(tmp_path, ask, file):
    """What is right decides the score, not the answer."""
    run, _ = open_run(tmp_path, SETUP, ASKED, named="", new=False)
    ask(Assistant(), run)

    given = run.kept(AnswerQuestion("q0", "Number 0?", ("forty-eight",)))

    assert given is not None
    assert score_one(AnswerQuestion("q0", "Number 0?", ("48",)), given)["said"] == 1.0
    assert score_one(AnswerQuestion("q0", "Number 0?", ("50",)), given)["said"] == 0.0


def test_a_row_that_is_damaged_is_asked_again(tmp_path, ask):
    """Half a row is no answer."""
    run, _ = open_run(tmp_path, SETUP, ASKED, named="", new=False)
    with pytest.raises(ServiceUnavailable):
        ask(Assistant(lambda call: ModelUnreachable("Gone.") if call == 3 else None), run)
    rows = run.folder / ROWS
    first, second = rows.read_text().splitlines()
    torn = json.dumps({**json.loads(second), "quotes": 3})
    rows.write_text(f"{first}\n{torn}\n" + '{"key": "x", "sta')

    again = Assistant()
    ask(again, AnswerRun(run.folder, SETUP))

    assert again.asked[0] == "Number 1?" and len(again.asked) == 5


def test_two_commands_do_not_write_to_one_run(tmp_path, ask):
    """The second one is told at once."""
    run, _ = open_run(tmp_path, SETUP, ASKED, named="", new=False)

    with run.writing(), pytest.raises(LockHeld):
        ask(Assistant(), AnswerRun(run.folder, SETUP))


@pytest.mark.parametrize("name", ["gone", "../evil", "/etc"])
def test_a_run_that_is_not_there_is_told(tmp_path: Path, name: str) -> None:
    """A name is a name, no path."""
    with pytest.raises(UsageError, match="There is no run"):
        open_run(tmp_path, SETUP, ASKED, named=name, new=False)


def test_where_only_the_page_is_known_citing_it_is_right() -> None:
    """With words that stand there; naming the page alone proves nothing."""
    question = AnswerQuestion("q", "?", (), (Place("pay.pdf", 2),), by_page=True)

    def right(*quotes):
        given = answer("…", quotes, mode="passages")
        from evaluation.answers import judge

        return judge(question, given, [hit(1, "pay.pdf", 2)], page_text, 0.1).scores

    assert not question.unanswerable
    assert right(("pay.pdf", 2, "48 euros")) == {
        "right": 1.0,
        "spoke": 1.0,
        "citations": 1.0,
        "cited": 1.0,
        "found": 1.0,
    }
    assert right(("pay.pdf", 2, "49 euros"))["right"] == 0.0
    assert right(("other.pdf", 1, "48 euros"))["right"] == 0.0
    assert right()["right"] == 0.0


def test_articles_are_those_of_the_questions_language() -> None:
    """As MLQA counts; the file's word goes before the guess."""
    given = answer("los treinta días", mode="passages")
    from evaluation.answers import judge

    def exact(text, language=""):
        question = AnswerQuestion("q", text, ("treinta días",), language=language)
        return judge(question, given, [], page_text, 0.1).scores["exact"]

    assert exact("¿Cuántos días hay para entregar los recibos del viaje?") == 1.0
    assert exact("How many days are there to hand in the receipts of a trip?") == 0.0
    assert exact("How many days?", "es") == 1.0


def test_the_command_takes_mode_run_and_golden_and_one_source_of_questions(capsys):
    """Questions come from one place, and a mode must be one."""
    parser = argparse.ArgumentParser()
    cli.configure(parser)

    args = parser.parse_args(["answers", "--golden", "--mode", "passages", "--run", "r", "--new"])
    assert (args.golden, args.mode, args.run, args.new) == ("", "passages", "r", True)
    for words in (
        ["answers"],
        ["answers", "--golden", "--questions", "q"],
        ["answers", "--golden", "--mode", "guess"],
        ["retrieval"],
    ):
        with pytest.raises(SystemExit):
            parser.parse_args(words)
    capsys.readouterr()


def test_results_keep_what_they_were_scored_from(tmp_path, ask):
    """A result's rows can be scored anew, and hold the pages that were read."""
    result = ask(Assistant(), open_run(tmp_path, SETUP, ASKED, named="", new=False)[0])

    row = result["results"][0]
    assert row["found"] == [] and row["quotes"][0]["stands"]
    assert scored(AnswerQuestion("q", "?", ("48 euros",)), _given(row)).scores["said"] == 1.0


def _given(row):
    from evaluation.answers import Given

    return Given.from_json(row)


def test_the_long_copy_reads_what_the_usual_window_does_not_hold(tmp_path, monkeypatch, capsys):
    """As on the page: an evaluation of whole documents is answered by the model that has room."""
    import hayloft
    from tests.library_fixtures import command_line_place, words, write_files
    from tests.ollama_double import OllamaDouble

    command_line_place(tmp_path, monkeypatch)
    text = "\n\n".join(f"# Part {n}\n\n{words(str(n), 900)}" for n in range(12))
    docs = write_files(tmp_path / "docs", {"long.md": text})
    questions = tmp_path / "q.jsonl"
    questions.write_text('{"id": "q", "question": "What is said?", "answer": "zebra"}\n')
    with OllamaDouble(reply="It says “zebra” [1].") as double:
        for name, value in {
            "OLLAMA_URL": double.url, "MODEL": "ollama:qwen2:7b", "WINDOW": "16384",
            "TRUSTED_WINDOW": "131072",
        }.items():  # fmt: skip
            monkeypatch.setenv(f"HAYLOFT_{name}", value)
        assert hayloft.main(["ingest", str(docs)]) == 0
        command = ["eval", "answers", "--questions", str(questions), "--mode", "documents"]
        assert hayloft.main([*command, "--json"]) == 0
        (sent,) = double.chats()

    assert sent.body["model"] == "qwen2:7b-128k"
    assert '"model": "ollama qwen2:7b"' in capsys.readouterr().out

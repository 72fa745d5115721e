"""The ways to answer: chosen, told with tokens and seconds, overruled; and reading ahead."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

import hayloft
from app.answers import Answer, AnswerReady
from app.assistant import Assistant
from app.chat import PromptTooLong
from app.find import Finder
from app.long_model import long_copy
from app.ollama_chat import OllamaChat
from app.settings import AppSettings
from app.warming import warm
from storage.errors import UsageError
from storage.library import Library
from storage.records import Scope
from tests.library_fixtures import (
    command_line_place,
    library_of,
    words,
    write_files,
)
from tests.ollama_double import OllamaDouble

FILES = {
    "fares.md": "# Fares\n\nA single crossing costs 4.20 crowns in winter.\n\n"
    "# Dogs\n\nDogs go free.",
    "keys.md": "# Keys\n\nIngrid keeps the spare key of the tower in the blue tin.",
    "long.md": "\n\n".join(f"# Part {n}\n\n{words(str(n), 900)}" for n in range(12)),
}
FARES = Scope(documents=("fares.md",))
LONG = Scope(documents=("long.md",))


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    with library_of(tmp_path_factory.mktemp("modes"), FILES) as opened:
        yield opened


@pytest.fixture(autouse=True)
def _nothing_measured(library: Library) -> None:
    for name in ("speeds.json", "last_prompts.json"):
        (library.settings.data_dir / name).unlink(missing_ok=True)


def assistant(library: Library, double: OllamaDouble, **values: object) -> Assistant:
    chosen = AppSettings(_env_file=None, ollama_url=double.url, **values)  # type: ignore[arg-type]
    return Assistant(
        library,
        Finder(library),
        OllamaChat("qwen2:7b", chosen),
        chosen,
        longer=lambda model: long_copy(model, chosen, library.settings.data_dir),
    )


def ask(asking: Assistant, question: str, **how: object) -> Answer:
    *_, last = asking.ask(question, **how)  # type: ignore[arg-type]
    assert isinstance(last, AnswerReady)
    return last.answer


def test_chosen_documents_that_fit_are_sent_whole(library: Library) -> None:
    """Every page, numbered; without a choice of documents passages are."""
    with OllamaDouble() as double:
        asking = assistant(library, double)
        whole = ask(asking, "Do dogs pay?", scope=FARES)
        found = ask(asking, "Do dogs pay?")
        sent = double.chats()[0].body["messages"][-1]["content"]

    assert (whole.mode, found.mode) == ("documents", "passages")
    assert sent.count("<passage ") == 2
    assert "4.20 crowns" in sent and "Dogs go free." in sent
    assert whole.plan is not None
    assert whole.plan.option("documents").tokens == whole.receipt.prompt_tokens


def test_the_user_overrules_the_choice(library: Library) -> None:
    """Passages of chosen documents; documents of the whole library; quotations beside a model."""
    with OllamaDouble() as double:
        asking = assistant(library, double, window=4096)

        assert ask(asking, "Do dogs pay?", scope=FARES, mode="passages").mode == "passages"
        assert ask(asking, "Do dogs go free?", mode="extractive").model == "extractive"
        with pytest.raises(PromptTooLong, match="read-all"):
            ask(asking, "Do dogs pay?", mode="documents")
        assert len(double.chats()) == 1


def test_waits_are_unknown_until_measured_and_predicted_then(library: Library) -> None:
    """Before the first answer none is made up; then reading and writing are told apart."""
    with OllamaDouble(version="newer", prefill_tokens_per_s=20_000, tokens_per_s=200) as double:
        asking = assistant(library, double)
        first = asking.plan("Do dogs pay?", scope=FARES).option("documents")
        ask(asking, "What is said?", scope=LONG, mode="passages")
        second = asking.plan("Do dogs pay?", scope=FARES).option("documents")
        answer = ask(asking, "Do dogs pay?", scope=FARES)

    assert first.seconds is None and "wait unknown" in first.words()
    assert second.seconds is not None and second.follow_s is not None
    assert answer.receipt.predicted_s is not None
    assert answer.receipt.predicted_s < 3


def test_a_plan_asks_the_model_nothing(library: Library) -> None:
    """All the ways with their tokens, and why some cannot be."""
    with OllamaDouble() as double:
        plan = assistant(library, double).plan("Do dogs pay?", scope=LONG)

        assert not double.chats()
    assert {option.mode for option in plan.options} == {
        "documents", "passages", "read-all", "extractive",
    }  # fmt: skip
    assert plan.chosen == "passages"
    assert plan.option("documents").new_tokens or plan.option("documents").unfit


def test_few_short_pages_are_not_foretold_as_many_long_passages(library: Library) -> None:
    """Before a question is typed, what passages cost is no more than all there is to quote."""
    with OllamaDouble() as double:
        asking = assistant(library, double)
        short = asking.outlook((), FARES).option("passages")
        long = asking.outlook((), LONG).option("passages")
        asked = ask(asking, "Do dogs pay?", scope=FARES, mode="passages")

    assert short is not None and long is not None
    assert short.count == 2
    assert short.tokens == pytest.approx(asked.receipt.prompt_tokens, rel=0.5)
    assert long.count == 8
    assert long.tokens > 5000


def test_the_long_copy_is_taken_only_where_the_documents_need_it(library: Library) -> None:
    """With a trusted long window; the answer names the model that read them."""
    with OllamaDouble() as double:
        asking = assistant(library, double, trusted_window=131072, window=16384)
        short = ask(asking, "Do dogs pay?", scope=FARES)
        plan = asking.plan("What is said?", scope=LONG)
        long = ask(asking, "What is said?", scope=LONG, mode="documents")
        sent = double.chats()[-1].body

        assert short.model == "ollama qwen2:7b"
        assert plan.option("documents").model == "qwen2:7b-128k"
        assert long.model == "ollama qwen2:7b-128k"
        assert (sent["model"], sent["options"]["num_ctx"]) == ("qwen2:7b-128k", 131072)
        assert double.never_truncates()


def test_an_unmeasured_long_copy_is_not_taken(library: Library) -> None:
    """Nothing beyond 32,768 tokens is trusted unmeasured, and the reason stands in the plan."""
    with OllamaDouble() as double:
        asking = assistant(library, double)
        option = asking.plan("What is said?", scope=LONG).option("documents")

    assert not option.possible
    assert "fit" in option.unfit.words() or "trusted" in option.unfit.words()


def test_pinned_documents_stand_before_every_conversation(library: Library) -> None:
    """Also where passages of others are found; two conversations share what was read of them."""
    with OllamaDouble(version="newer") as double:
        asking = assistant(library, double, pinned="keys.md", passages=2)
        ask(asking, "What does a single crossing cost in crowns in winter?")
        second = ask(asking, "Do dogs go free?")
        first, other = (r.body["messages"][1]["content"] for r in double.chats())

    assert first.startswith('<passage n="1"') and "blue tin" in first.split("</passage>")[0]
    assert other.startswith(first.split("</passage>")[0])
    assert "4.20 crowns" in first
    assert second.receipt.reused_tokens >= 250


def test_pinned_documents_that_are_not_there_are_a_sentence(library: Library) -> None:
    """A mistyped name never goes unnoticed."""
    with OllamaDouble() as double, pytest.raises(UsageError):
        ask(assistant(library, double, pinned="nowhere.md"), "Do dogs pay?")


def test_warming_makes_the_first_question_warm(library: Library) -> None:
    """Same window, same options, one token; the question then pays for itself alone."""
    with OllamaDouble(version="newer") as double:
        chosen = AppSettings(_env_file=None, ollama_url=double.url)  # type: ignore[call-arg]
        model = OllamaChat("qwen2:7b", chosen)
        done = warm(library, chosen, model, scope=FARES)
        answer = ask(assistant(library, double), "Do dogs pay?", scope=FARES)
        ahead, asked = double.chats()

        assert double.same_window()
        assert ahead.body["options"] == {**asked.body["options"], "num_predict": 1}
        assert (ahead.body["keep_alive"], asked.body["keep_alive"]) == ("12h", "30m")
        assert asked.cached >= len(ahead.sent_tokens) - 8
        assert done.what == "1 document"
        assert done.computed == len(ahead.sent_tokens)
        assert answer.receipt.state == "warm"


def test_the_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`ask --mode`, `--plan` and `--json`, and `warm`, as a user types them."""
    command_line_place(tmp_path, monkeypatch)
    docs = write_files(tmp_path / "docs", FILES)
    with OllamaDouble(reply='It says "Dogs go free." [2]') as double:
        monkeypatch.setenv("HAYLOFT_OLLAMA_URL", double.url)
        monkeypatch.setenv("HAYLOFT_MODEL", "ollama:qwen2:7b")

        def run(*typed: str) -> str:
            capsys.readouterr()
            assert hayloft.main(list(typed)) == 0
            return capsys.readouterr().out

        run("ingest", str(docs))
        plan = run("ask", "Do dogs pay?", "--document", "fares.md", "--plan")
        assert not double.chats()
        told = json.loads(run("ask", "Do dogs pay?", "--document", "fares.md", "--json"))
        assert hayloft.main(["ask", "Do dogs pay?", "--mode", "passages"]) == 0
        line = capsys.readouterr().err
        warmed = json.loads(run("warm", "--document", "fares.md", "--json"))
        words_ = run("warm")

    assert plan.splitlines()[0].startswith("→ documents   whole document: about ")
    assert told["mode"] == told["plan"]["chosen"] == "documents"
    assert told["citations"][0]["verified"] and told["citations"][0]["n"] == 2
    assert {"reused_tokens", "computed_tokens", "state", "broke"} <= set(told["receipt"])
    assert line.startswith(tuple("123456789")) and "tokens" in line
    assert warmed["what"] == "1 document" and warmed["window"] == 32768
    assert words_.startswith("Warm: ollama qwen2:7b has read ")


def test_without_a_model_the_command_says_why_it_quotes_and_does_not_for_read_all(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """`read-all` is refused, not answered "nowhere"; an automatic choice tells what is away."""
    command_line_place(tmp_path, monkeypatch)
    monkeypatch.setenv("HAYLOFT_OLLAMA_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("HAYLOFT_MODEL", "auto")
    assert hayloft.main(["ingest", str(write_files(tmp_path / "docs", FILES))]) == 0

    assert hayloft.main(["ask", "Do dogs pay?", "--mode", "read-all"]) == 69
    refused = capsys.readouterr().err
    assert hayloft.main(["ask", "Do dogs pay?", "--json"]) == 0
    quoted = json.loads(capsys.readouterr().out.splitlines()[-1])

    assert "The mode read-all needs a chat model, and there is none" in refused
    assert "127.0.0.1:9" in quoted["notice"]


@pytest.mark.parametrize(
    ("typed", "code", "words_"),
    [
        (["warm", "--conversation", "latest"], 2, "no conversations"),
        (["warm", "--document", "nowhere.md"], 2, "nowhere.md"),
        (["ask", "What?", "--mode", "documents", "--document", "long.md"], 69, "whole"),
    ],
)
def test_what_cannot_be_is_one_sentence(
    library: Library,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    typed: list[str],
    code: int,
    words_: str,
) -> None:
    """No traceback, the exit code that is documented, and what to do."""
    command_line_place(tmp_path, monkeypatch)
    with OllamaDouble() as double:
        monkeypatch.setenv("HAYLOFT_OLLAMA_URL", double.url)
        monkeypatch.setenv("HAYLOFT_WINDOW", "4096")
        monkeypatch.setenv("HAYLOFT_MODEL", "ollama:qwen2:7b")
        assert hayloft.main(["ingest", str(write_files(tmp_path / "docs", FILES))]) == 0

        assert hayloft.main(typed) == code

    assert words_ in capsys.readouterr().err

"""A conversation's prompt only grows at its end: over turns, restarts and answers cut off."""

from __future__ import annotations

import itertools
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from app.answers import Receipt
from app.assistant import Assistant
from app.conversations import DONE, STOPPED, Conversations
from app.find import Finder
from app.live_answers import LiveAnswers
from app.ollama_chat import OllamaChat
from app.rendering import answer_html, proofs
from app.settings import AppSettings
from storage.library import Library
from storage.records import Scope
from tests.library_fixtures import ingest, library_of, open_library, words, write_files
from tests.ollama_double import Fault, OllamaDouble
from tests.ollama_double_prompts import pieces
from tests.ollama_double_records import common_prefix

TOPICS = "harbour orchard lighthouse library stable bakery ferry meadow chapel quarry".split()
FILES = {
    f"{topic}.md": f"# The {topic}\n\n"
    + "\n\n".join(f"The {topic} rule {n} says {words(f'{topic} {n}', 60)}" for n in range(1, 9))
    for topic in TOPICS
}
VERSIONS = ("0.12.5", "0.30.0", "0.33.0", "newer")
SMALL = {"passage_characters": 500}


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    with library_of(tmp_path_factory.mktemp("talk"), FILES) as opened:
        yield opened


@pytest.fixture(autouse=True)
def _nothing_measured(library: Library) -> None:
    for name in ("speeds.json", "last_prompts.json"):
        (library.settings.data_dir / name).unlink(missing_ok=True)


def settings(double: OllamaDouble, **values: object) -> AppSettings:
    chosen = {"passages": 2, "followups": "rules", **values}
    return AppSettings(_env_file=None, ollama_url=double.url, **chosen)  # type: ignore[arg-type]


def assistant(library: Library, double: OllamaDouble, **values: object) -> Assistant:
    chosen = settings(double, **values)
    return Assistant(library, Finder(library), OllamaChat("qwen2:7b", chosen), chosen)


class Talk:
    """One conversation, kept in a store as the page keeps it."""

    def __init__(self, library: Library, double: OllamaDouble, path: Path, **values: object):
        self.store = Conversations(path)
        self.live = LiveAnswers(self.store)
        self.assistant = assistant(library, double, **values)
        self.double = double
        kept = self.store.summaries()
        self.id = kept[0].conversation_id if kept else self.store.create("Talk")

    def ask(self, question: str, **how: object) -> Receipt:
        history = self.store.history(self.id)
        answer = self.live.start(
            self.id, question, lambda: self.assistant.ask(question, history=history, **how)
        )
        assert answer.wait(20)
        turn = self.store.turns(self.id)[-1]
        assert turn.state == DONE, turn.error
        assert turn.receipt is not None
        return turn.receipt


def sent(double: OllamaDouble) -> list[str]:
    return [request.prompt for request in double.chats() if request.has_prompt]


def question(n: int) -> str:
    return f"What does the {TOPICS[n % len(TOPICS)]} rule {n % 8 + 1} say?"


def grows(prompts: list[str]) -> bool:
    """Each prompt begins with the one before, up to where that was answered."""
    ends = "<|im_start|>assistant\n"
    return all(
        later.startswith(earlier.removesuffix(ends) + ends)
        for earlier, later in itertools.pairwise(prompts)
    )


@pytest.mark.parametrize("version", VERSIONS)
def test_ten_turns_compute_only_what_is_new(library: Library, tmp_path: Path, version: str) -> None:
    """One window, one shift, no truncation, a prompt that only grows, a cache that is used."""
    with OllamaDouble(version=version) as double:
        talk = Talk(library, double, tmp_path / "c.db")
        for n in range(10):
            talk.ask(question(n))
        chats = double.chats()

        assert double.same_window()
        assert all(request.body["truncate"] is False for request in chats)
        assert all(request.body["shift"] is False for request in chats)
        assert not any(request.truncated for request in chats)
        assert grows(sent(double))
        for earlier, later in itertools.pairwise(chats):
            # All of the prompt before and the answer are kept; their rest and the question are new.
            new = len(later.sent_tokens) - len(earlier.sent_tokens) - earlier.generated
            computed = len(later.sent_tokens) - later.cached
            assert computed <= 1.05 * new


def test_a_restart_goes_on_with_the_same_prefix(library: Library, tmp_path: Path) -> None:
    """Another process, with nothing but the files, sends what begins with what was sent before."""
    with OllamaDouble() as double:
        Talk(library, double, tmp_path / "c.db").ask(question(0))
        script = (
            "import sys; from pathlib import Path\n"
            "from tests.test_app_long_conversation import *\n"
            "from types import SimpleNamespace\n"
            "with open_library(Path(sys.argv[1])) as library:\n"
            "    double = SimpleNamespace(url=sys.argv[2])\n"
            "    Talk(library, double, Path(sys.argv[3])).ask(question(1))\n"
        )
        words = [library.settings.data_dir, double.url, tmp_path / "c.db"]
        done = subprocess.run(
            [sys.executable, "-c", script, *map(str, words)], capture_output=True, text=True,
            check=False, cwd=Path(__file__).parents[1],
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        receipt = Talk(library, double, tmp_path / "c.db").ask(question(2))

        assert grows(sent(double))
        assert len(sent(double)) == 3
        assert receipt.broke == ""


def test_a_stopped_answer_stays_in_the_prompt_as_far_as_it_got(
    library: Library, tmp_path: Path
) -> None:
    """What was sent for it is kept from before its first word; the next prompt goes on there."""
    with OllamaDouble(reply=["It ", "says "] * 200, tokens_per_s=50) as double:
        talk = Talk(library, double, tmp_path / "c.db")
        history = talk.store.history(talk.id)
        live = talk.live.start(
            talk.id, question(0), lambda: talk.assistant.ask(question(0), history=history)
        )
        while "says" not in live.snapshot().text:
            pass
        live.stop()
        assert live.wait(10)
        assert talk.store.turns(talk.id)[0].state == STOPPED
        double.reply_with("It says so [1].")
        double.tokens_per_s = None
        talk.ask(question(1))

        assert grows(sent(double))
        first, second = double.chats()
        assert second.cached >= len(first.sent_tokens)


def test_a_failed_answer_leaves_the_prompt_and_the_same_question_costs_nothing(
    library: Library, tmp_path: Path
) -> None:
    """Asked again, the prompt is the very one that the server has read already."""
    with OllamaDouble() as double:
        talk = Talk(library, double, tmp_path / "c.db")
        talk.ask(question(0))
        double.inject(Fault.CUT_MID_CHUNK, count=1)
        with pytest.raises(AssertionError):
            talk.ask(question(1))
        talk.ask(question(1))

        assert sent(double)[1] == sent(double)[2]
        assert double.chats()[2].cached >= len(double.chats()[1].sent_tokens) - 1


def test_an_answer_cut_at_its_reserve_is_continued_from(library: Library, tmp_path: Path) -> None:
    """Its words stand in the next prompt as they came."""
    with OllamaDouble(reply="It says so and so. " * 40) as double:
        talk = Talk(library, double, tmp_path / "c.db", reserve=32)
        talk.ask(question(0))
        talk.ask(question(1))

        assert talk.store.turns(talk.id)[0].stop_reason == "length"
        assert grows(sent(double))


def test_passages_are_sent_once_and_keep_their_numbers(library: Library, tmp_path: Path) -> None:
    """The same question again sends no passage; a later answer may cite the first turn's."""
    with OllamaDouble(reply="As it says [1].") as double:
        talk = Talk(library, double, tmp_path / "c.db")
        talk.ask(question(0))
        talk.ask(question(3))
        receipt = talk.ask(question(0))
        turns = talk.store.turns(talk.id)
        last = sent(double)[-1]

    assert last.count("<passage ") == len(set(_numbers(last)))
    assert last.rsplit("<|im_start|>user\n", 1)[1].startswith("Question: ")
    assert receipt.state in ("warm", "")
    assert turns[2].given == 0
    first = dict(zip(turns[0].numbers, turns[0].hits, strict=True))
    again = dict(zip(turns[2].numbers, turns[2].hits, strict=True))
    assert again[1] == first[1]
    assert {c.n for c in turns[1].citations} == {1}
    assert {c.document for c in turns[1].citations} == {first[1].document}
    assert talk.store.passage(talk.id, 1) == first[1]


def test_a_passage_beyond_the_thousandth_is_cited_like_any_other(tmp_path: Path) -> None:
    """Its mark finds its page, its proof and its place in the reader; a year stays a year."""
    pages = [f"Entry {n}: the seal of box {n} is {words(str(n), 2)}." for n in range(1, 1101)]
    said = f"It says “{pages[1049]}” [1050]. That was in [2018]."
    with open_library(tmp_path / "data") as library, OllamaDouble(reply=said) as double:
        ingest(library, write_files(tmp_path / "docs", {"boxes.txt": "\f".join(pages)}))
        talk = Talk(library, double, tmp_path / "c.db", window=131072, trusted_window=131072)
        chosen = settings(double, window=131072, trusted_window=131072)
        long = OllamaChat("qwen2:7b-128k", chosen)
        talk.assistant = Assistant(library, Finder(library), long, chosen)
        talk.ask("What is on box 1050?", mode="documents")
        (turn,) = talk.store.turns(talk.id)
        shown = answer_html(turn.text, 1, turn.numbers, proofs(turn.citations), turn.citations)

    (citation,) = turn.citations
    assert (citation.n, citation.page, citation.verified) == (1050, 1050, True)
    assert ">1050" in shown and "[1050]" not in shown
    assert "[2018]" in shown


def test_a_full_window_drops_the_oldest_turns_in_one_large_step(
    library: Library, tmp_path: Path
) -> None:
    """Down to about half; the receipt says so, and the next prompts grow again."""
    with OllamaDouble(reply="So it is [1].") as double:
        talk = Talk(library, double, tmp_path / "c.db", window=4096, reserve=256, **SMALL)
        receipts = [talk.ask(question(n)) for n in range(10)]
        prompts = sent(double)
        trims = [n for n in range(1, 10) if not grows(prompts[n - 1 : n + 1])]

        assert 1 <= len(trims) <= 4
        for n in trims:
            assert "left the prompt" in receipts[n].note
            assert receipts[n].prompt_tokens < receipts[n - 1].prompt_tokens
        assert all(r.prompt_tokens + r.parts["reserve"] < r.window for r in receipts)
        assert not any(request.truncated for request in double.chats())
        after = Talk(library, double, tmp_path / "c.db", window=4096, reserve=256, **SMALL)
        assert any(turn.dropped for turn in after.store.history(after.id))
        assert _numbers(prompts[-1])[0] > 1


def test_a_dropped_passage_comes_back_under_its_old_number(
    library: Library, tmp_path: Path
) -> None:
    """Numbers are never given twice."""
    with OllamaDouble(reply="So it is [1].") as double:
        talk = Talk(library, double, tmp_path / "c.db", window=4096, reserve=256, **SMALL)
        for n in range(10):
            talk.ask(question(n))
        talk.ask(question(0))
        turns = talk.store.turns(talk.id)

    assert set(turns[-1].numbers[: turns[-1].given]) & set(turns[0].numbers)
    seen: dict[int, str] = {}
    for turn in turns:
        for n, hit in zip(turn.numbers, turn.hits, strict=True):
            assert seen.setdefault(n, hit.text) == hit.text


def test_an_edited_document_is_sent_anew_behind_what_stands(tmp_path: Path) -> None:
    """The prefix stays, the new words get a new number, and the receipt says so."""
    with open_library(tmp_path / "data") as library, OllamaDouble() as double:
        folder = write_files(tmp_path / "docs", {"fare.md": "# Fare\n\nA crossing costs 4 crowns."})
        ingest(library, folder)
        talk = Talk(library, double, tmp_path / "c.db")
        talk.ask("What does a crossing cost?")
        write_files(folder, {"fare.md": "# Fare\n\nA crossing costs 5 crowns."})
        ingest(library, folder)
        receipt = talk.ask("And what does a crossing cost now?")

        assert grows(sent(double))
        assert _numbers(sent(double)[-1]) == [1, 2]
        assert "have changed since" in receipt.note
        assert "5 crowns" in talk.store.passage(talk.id, 2).text


def test_chosen_documents_stand_whole_before_the_conversation(
    library: Library, tmp_path: Path
) -> None:
    """Each page a numbered passage, in order; a follow-up sends its question alone."""
    scope = Scope(documents=("ferry.md", "bakery.md"))
    with OllamaDouble(reply="So it is [1].") as double:
        talk = Talk(library, double, tmp_path / "c.db")
        talk.ask("What is said?", scope=scope)
        talk.ask("And what else?", scope=scope)
        first, second = sent(double)

        assert [t.mode for t in talk.store.turns(talk.id)] == ["documents", "documents"]
        assert first.index("The bakery") < first.index("The ferry")
        assert grows([first, second])
        assert second.rsplit("<|im_start|>user\n", 1)[1].startswith("Question: ")
        (hit,) = talk.store.turns(talk.id)[0].hits
        assert hit.document == "bakery.md"

        # Another conversation with the same documents begins the same: they are not read again.
        other = Talk(library, double, tmp_path / "other.db")
        other.ask("Who keeps it?", scope=scope)
        third = double.chats()[-1]
        assert third.cached > 0.9 * common_prefix(pieces(first), pieces(third.prompt)) > 0


def test_what_broke_the_prefix_is_told(library: Library, tmp_path: Path) -> None:
    """Unloaded between turns, loaded by another program, or another conversation asked."""
    with OllamaDouble(version="newer") as double:
        talk = Talk(library, double, tmp_path / "c.db")
        first = talk.ask(question(0))
        warm = talk.ask(question(1))
        double.scheduler.unload_all()
        evicted = talk.ask(question(2))
        body = {"model": "qwen2:7b", "messages": [], "options": {"num_ctx": 8192}}
        httpx.post(f"{double.url}/api/chat", json=body)
        reloaded = talk.ask(question(3))
        again = talk.ask(question(4))

        assert (first.state, first.broke) == ("cold", "")
        assert (warm.state, warm.broke, again.state) == ("warm", "", "warm")
        assert (evicted.state, reloaded.state) == ("cold", "cold")
        assert "no longer loaded" in evicted.broke
        assert "window of 8,192" in reloaded.broke
        assert grows(sent(double))


def test_a_question_that_cannot_fit_loses_no_conversation(library: Library, tmp_path: Path) -> None:
    """One sentence, nothing sent; the next question goes on where the last answer ended."""
    with OllamaDouble() as double:
        talk = Talk(library, double, tmp_path / "c.db", window=4096, reserve=256, **SMALL)
        talk.ask(question(0))
        with pytest.raises(AssertionError, match="HAYLOFT_WINDOW"):
            talk.ask("Tell me: " + "why " * 4500)
        assert len(double.chats()) == 1
        talk.ask(question(0))

        assert grows(sent(double))


def _numbers(prompt: str) -> list[int]:
    return [int(n) for n in re.findall(r'<passage n="(\d+)"', prompt)]

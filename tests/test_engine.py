"""llama.cpp's own loader and server: windows, YaRN, counts, overflow, prefix reuse.

`make test-engine` runs these; the model is a toy with random weights that the
test writes itself. The prompt of 100,000 tokens takes about 100 s of two cores.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import hayloft
from app.answers import Answer, AnswerReady, SourcesFound, Turn
from app.assistant import Assistant
from app.chat import Message, PromptTooLong, TokenCount, Usage
from app.find import Finder
from app.openai_chat import OpenAIChat, openai_server, served_window
from app.settings import AppSettings
from app.tokens import ExactCounter, counter_from_file, render_chat
from storage.library import Library
from storage.records import Scope
from tests.engine_server import NAMED, EngineServer, engine
from tests.library_fixtures import ingest, open_library, words, write_files
from tests.toy_gguf import PROSE, toy_vocabulary, write_toy
from tests.vocabularies import GGUF, needs_vocabulary, shared_rows

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(
        engine() is None, reason=f"no llama-server on the PATH or in {NAMED}: make test-engine"
    ),
    pytest.mark.timeout(1200),
]

TEXTS = [
    "",
    " ",
    "The hay is in the loft.",
    "  indented\n\n\nlines \t and\r\nmore\n ",
    "It's WE'LL they've 'S 12,345.67 €",
    "Größe, naïve, ¿dónde?, 乾草在閣樓裡。 ħ ﷽ 🙂‍↔️",
    "e\u0301 is not \u00e9",
    "<|im_start|>user\nhi<|im_end|>\n<|endoftext|><|im_start",
    PROSE * 20,
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("engine")


@pytest.fixture(scope="module")
def original(folder: Path) -> Path:
    """A qwen2 model that was trained for 32,768 tokens."""
    return write_toy(folder / "toy.gguf")


@pytest.fixture(scope="module")
def stretched(folder: Path, original: Path) -> Path:
    """The copy that `hayloft models extend` makes of it."""
    copy = folder / "toy-128k.gguf"
    words = ["models", "extend", "toy", "--gguf", str(original), "--keep-gguf", str(copy)]
    assert hayloft.main([*words, "--file-only"]) == 0
    return copy


@pytest.fixture(scope="module")
def short(folder: Path, original: Path) -> Iterator[EngineServer]:
    with EngineServer(original, window=131072, log=folder / "short.log") as server:
        yield server


@pytest.fixture(scope="module")
def long(folder: Path, stretched: Path) -> Iterator[EngineServer]:
    with EngineServer(stretched, window=131072, log=folder / "long.log") as server:
        yield server


def prompt(tokens: int, seed: int = 0) -> list[int]:
    """Ids of ordinary tokens, in an order that repeats only after long."""
    ordinary = len(toy_vocabulary().tokens) - 3
    return [(seed + 7 * n + n // ordinary) % ordinary for n in range(tokens)]


def settings(server: EngineServer, **values: object) -> AppSettings:
    return AppSettings(_env_file=None, openai_url=f"{server.url}/v1", **values)  # type: ignore[arg-type]


def test_trained_window_is_32k_before_and_128k_after(
    short: EngineServer, long: EngineServer
) -> None:
    """The engine caps the original at its window, whatever is asked; the copy it does not."""
    assert short.windows() == (32768, 32768)
    assert long.windows() == (131072, 131072)


def test_our_client_reads_the_served_window(short: EngineServer, long: EngineServer) -> None:
    """From the engine's own word, not from the setting."""
    for server, window in ((short, 32768), (long, 131072)):
        name = server.get("/v1/models")["data"][0]["id"]
        assert served_window(openai_server(settings(server)), name) == window


def test_engine_stretches_positions_by_the_factor(folder: Path, stretched: Path) -> None:
    """Its log names the four fields as it took them: YaRN, a quarter, from 32,768 on."""
    log = folder / "verbose.log"
    with EngineServer(stretched, window=4096, log=log, words=["-lv", "4"]):
        pass

    told = dict(re.findall(r"print_info: (\S[^=]*?) += (\S+)", log.read_text("utf-8", "replace")))
    assert told["rope scaling"] == "yarn"
    assert float(told["freq_scale_train"]) == 0.25
    assert told["n_ctx_orig_yarn"] == "32768"
    assert told["n_ctx_train"] == "131072"


def test_100k_tokens_are_refused_before_and_accepted_after(
    short: EngineServer, long: EngineServer
) -> None:
    """And what is refused is refused whole, with both sizes."""
    tokens = prompt(100_000)

    refused, accepted = short.complete(tokens), long.complete(tokens)

    error = refused.json()["error"]
    assert refused.status_code == 400
    assert error["type"] == "exceed_context_size_error"
    assert (error["n_prompt_tokens"], error["n_ctx"]) == (100_000, 32768)
    assert accepted.status_code == 200
    assert accepted.json()["timings"]["prompt_n"] == 100_000
    assert accepted.json()["tokens_evaluated"] == 100_000
    assert accepted.json()["truncated"] is False


def test_same_prefix_is_computed_once(long: EngineServer) -> None:
    """A second prompt with the first 20,000 tokens of the one before pays for the new ones."""
    begun = prompt(20_000, seed=5)
    first = long.complete(begun).json()["timings"]

    second = long.complete([*begun, *prompt(300, seed=11)]).json()["timings"]

    assert first["cache_n"] + first["prompt_n"] == 20_000
    assert (second["cache_n"], second["prompt_n"]) == (20_000, 300)


def test_a_changed_early_token_loses_what_follows(long: EngineServer) -> None:
    """Why nothing that changes stands at the start of a prompt."""
    begun = prompt(2_000, seed=23)
    long.complete(begun)

    changed = [*begun[:500], (begun[500] + 1) % 300, *begun[501:]]
    timings = long.complete(changed).json()["timings"]

    assert timings["cache_n"] == 500
    assert timings["prompt_n"] == 1_500


@pytest.mark.parametrize("text", TEXTS)
def test_small_vocabulary_counts_as_the_engine(
    original: Path, short: EngineServer, text: str
) -> None:
    """Id by id, special tokens, white space and broken graphemes included."""
    assert counter_from_file(original).ids(text) == short.tokenize(text)


def test_chat_counts_as_the_engine(original: Path, short: EngineServer) -> None:
    """The rendered ChatML prompt has the tokens that are counted for its messages."""
    counter = counter_from_file(original)
    messages = [Message("system", "Be brief."), Message("user", "Where is the hay?\n\n")]

    counted = counter.count_chat(messages)

    assert counted.exact
    assert counted.tokens == len(short.tokenize(render_chat(messages)))


@needs_vocabulary
def test_whole_vocabulary_counts_as_the_engine(folder: Path) -> None:
    """Qwen2's own 151,936 tokens, on the texts that are kept for it."""
    counter = counter_from_file(GGUF)
    texts = [str(row["text"]) for row in shared_rows()]
    with EngineServer(GGUF, window=1024, log=folder / "whole.log") as server:
        assert isinstance(counter, ExactCounter)
        assert [counter.ids(text) for text in texts] == [server.tokenize(text) for text in texts]


def test_overflow_is_a_sentence_with_both_sizes(short: EngineServer) -> None:
    """The engine's error, past our own check, as the client maps it."""
    name = str(short.get("/v1/models")["data"][0]["id"])
    model = OpenAIChat(name, settings(short))
    messages = [Message("user", "The hay is in the loft. " * 8000)]
    model._refuse_overflow = lambda count, reserve: None  # type: ignore[method-assign]

    with pytest.raises(PromptTooLong) as caught:
        list(model.stream(messages, reserve=16))

    sent = len(short.tokenize(str(messages[0].content)))
    assert "window 32,768" in str(caught.value)
    assert sent > 32768
    told = int(str(caught.value).split("(")[1].split(" tokens")[0].replace(",", ""))
    assert sent < told < sent + 64


def test_answer_of_the_engine_reports_exact_tokens(original: Path, short: EngineServer) -> None:
    """The count of the prompt that comes back is the one that was worked out before."""
    name = str(short.get("/v1/models")["data"][0]["id"])
    model = OpenAIChat(name, settings(short, tokenizer=str(original)))
    messages = [Message("system", "Be brief."), Message("user", "Where is the hay?")]

    *_, usage = model.stream(messages, reserve=16)

    assert isinstance(usage, Usage)
    template = json.dumps(short.get("/props").get("chat_template", ""))
    assert "im_start" in template
    assert usage.prompt_tokens == counter_from_file(original).count_chat(messages).tokens


# --- a conversation -------------------------------------------------------------------------------

TOPICS = "harbour orchard lighthouse stable bakery ferry meadow chapel quarry library".split()


@pytest.fixture(scope="module")
def talks(folder: Path) -> Iterator[Library]:
    """A library of ten sections of some 2,500 tokens each, in the toy's vocabulary."""
    files = {
        f"{topic}.md": f"# The {topic}\n\n"
        + "\n\n".join(f"The {topic} keeps {words(f'{topic} {n}', 50)}" for n in range(9))
        for topic in TOPICS
    }
    with open_library(folder / "data") as library:
        ingest(library, write_files(folder / "docs", files))
        yield library


def conversation(
    library: Library, server: EngineServer, original: Path, scopes: list[Scope], **values: object
) -> list[Answer]:
    """Ten turns, each with the turns before it, as the store would give them back."""
    chosen = settings(server, tokenizer=str(original), passages=1, reserve=16, followups="rules")
    values = {"passage_characters": 6000, **values}
    chosen = chosen.model_copy(update=values)
    model = OpenAIChat(str(server.get("/v1/models")["data"][0]["id"]), chosen)
    model.count = lambda messages: TokenCount(  # type: ignore[method-assign]
        counter_from_file(original).count_chat(messages).tokens, exact=True
    )
    asking = Assistant(library, Finder(library), model, chosen)
    history: list[Turn] = []
    answers = []
    for n, scope in enumerate(scopes):
        question = f"What does the {TOPICS[n]} keep?"
        found = None
        for event in asking.ask(question, history=history, scope=scope):
            found = event if isinstance(event, SourcesFound) else found
        assert isinstance(event, AnswerReady) and found is not None and found.sent is not None
        answers.append(event.answer)
        history += [found.sent.front] if found.sent.front else []
        history.append(
            Turn(
                question,
                event.answer.text,
                event.answer.hits,
                numbers=event.answer.numbers,
                sent=found.sent.text,
                given=found.sent.given,
                turn_id=n + 1,
            )
        )
    return answers


def test_ten_turns_at_32k_compute_only_what_is_new(
    talks: Library, short: EngineServer, original: Path
) -> None:
    """Passages found anew each turn: what is computed is at most 1.05 times what is new."""
    scopes = [Scope(documents=(f"{topic}.md",)) for topic in TOPICS]
    answers = conversation(talks, short, original, scopes, mode="passages")

    receipts = [answer.receipt for answer in answers]
    for before, now in itertools.pairwise(receipts):
        new = now.prompt_tokens - before.prompt_tokens
        assert now.server_prompt_tokens == now.prompt_tokens
        assert new > 1000
        assert now.computed_tokens is not None
        assert now.computed_tokens <= 1.05 * new
        assert now.state == "warm"
    assert receipts[-1].prompt_tokens > 20_000
    told = [f"{r.computed_tokens}/{r.prompt_tokens}" for r in receipts]
    print(f"\ncomputed of sent, turn by turn: {', '.join(told)}")
    print(f"first token after: {[round(a.timings['first_token'], 3) for a in answers]} s")


def test_follow_up_on_whole_documents_waits_for_its_question_alone(
    talks: Library, short: EngineServer, original: Path
) -> None:
    """Documents of some 20,000 tokens are read once; the second question costs what it adds."""
    chosen = Scope(documents=tuple(f"{topic}.md" for topic in TOPICS))
    answers = conversation(talks, short, original, [chosen] * 10, mode="documents")

    first, second = answers[0], answers[1]
    ratio = second.timings["prompt"] / first.timings["prompt"]
    assert first.receipt.prompt_tokens > 20_000
    assert all(a.receipt.computed_tokens < 200 for a in answers[1:])
    assert ratio < 0.2
    waits = [a.timings["first_token"] - a.timings["find"] for a in answers]
    print(f"\nfirst token, turn 2 to turn 1: {waits[1] / waits[0]:.3f} ({waits[0]:.2f} s)")

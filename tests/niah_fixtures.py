"""What the tests of the needle harness share: counters, a reader, and benches in this process."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path

from app.calibration import RUNS
from app.chat import Message, TokenCount, Usage
from app.tokens import ExactCounter, TokenCounter, counter_from_file
from evaluation.niah.arms import Bench
from evaluation.niah.config import Config
from evaluation.niah.haystacks import Haystack, generated_haystack
from evaluation.niah.probe import Speed
from evaluation.niah.records import Row
from evaluation.niah.rows import write_rows
from evaluation.niah.runner import open_run, plan, steps_of
from evaluation.served import Served
from storage.vocabulary import build_tokenizer
from tests.vocabularies import GGUF, SMALL

THREE_ARMS = Config(
    lengths=(2000, 3000), depths=(0.0, 0.5, 1.0), trials=2, arms=("closed", "oracle", "long"),
    oracle_length=1500,
)  # fmt: skip
_ASKED = re.compile(r"registration number of (the \w+ \w+)\?")
_STATED = re.compile(r"registration number of (the \w+ \w+) is (\d+)")


@cache
def qwen2_counter() -> ExactCounter:
    """Qwen2's own vocabulary, from the shared data."""
    return counter_from_file(GGUF)


@cache
def small_counter() -> ExactCounter:
    """A vocabulary of bytes and a few merges, which cuts text as Qwen2's does."""
    return ExactCounter(build_tokenizer(SMALL))


def found_number(messages: Sequence[Message], text: str | None = None) -> str:
    """A perfect reader of the default needles."""
    content = messages[-1].content
    asked = _ASKED.findall(content)
    stated = dict(_STATED.findall(content if text is None else text))
    return stated.get(asked[-1], "The text does not say.") if asked else "I do not know."


class FakeModel:
    """A chat model without a server: counts exactly, answers by a function of its prompt."""

    provider = "fake"

    def __init__(
        self,
        answer: Callable[[Sequence[Message]], str] = found_number,
        *,
        counter: TokenCounter | None = None,
        window: int = 32768,
        name: str = "qwen2",
    ) -> None:
        self.name = name
        self._answer = answer
        self._counter = counter or small_counter()
        self._window = window
        self.prompts: list[tuple[Message, ...]] = []

    def window(self) -> int:
        return self._window

    def room(self, reserve: int) -> int:
        return self._window - reserve - 1

    def count(self, messages: Sequence[Message]) -> TokenCount:
        return self._counter.count_chat(messages)

    def count_text(self, text: str) -> TokenCount:
        return self._counter.count_text(text)

    def stream(self, messages: Sequence[Message], *, reserve: int) -> Iterator[str | Usage]:
        self.prompts.append(tuple(messages))
        yield self._answer(messages)
        yield Usage(prompt_tokens=self.count(messages).tokens, prompt_s=0.001, answer_s=0.001)


def bench(
    config: Config,
    model: FakeModel | None = None,
    *,
    language: str = "en",
    haystack: Haystack | None = None,
) -> Bench:
    """A bench on generated prose."""
    model = model or FakeModel()
    longest = max(config.lengths)
    haystack = haystack or generated_haystack(language, config.seed, characters=6 * longest)
    return Bench(config, haystack, model, Served("fake qwen2", model.window(), digest="d1"))


def made_run(data_dir: Path, name: str, config: Config = THREE_ARMS) -> Path:
    """A run of a fake model, through the real runner."""
    folder = data_dir / RUNS / name
    ready = bench(config)
    steps = steps_of(ready)
    open_run(folder, ready, steps, Speed(1e-6), plan(ready, steps, Speed(1e-6))).go(None)
    return folder


def kept_run(data_dir: Path, name: str, rows: list[Row]) -> Path:
    """A run that has nothing but its rows."""
    folder = data_dir / RUNS / name
    folder.mkdir(parents=True)
    write_rows(folder / "rows.jsonl", rows)
    return folder


def rows_of(folder: Path) -> list[dict]:
    """The rows of a run without what differs from one run to the next."""
    from evaluation.niah.rows import read_rows

    timed = ("finished_at", "seconds", "prompt_seconds", "generation_seconds", "cached_tokens")
    found = []
    for row in read_rows(folder / "rows.jsonl"):
        data = row.to_json()
        found.append({name: value for name, value in data.items() if name not in timed})
    return found

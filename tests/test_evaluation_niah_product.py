"""The product's own path: a real file, a real Chroma, and every loss told by its stage."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from app.find import Finder, Findings
from app.settings import AppSettings
from evaluation.niah.config import Config
from evaluation.niah.order import in_order
from evaluation.niah.probe import Speed
from evaluation.niah.product import Product, folded
from evaluation.niah.records import Needle, Row
from evaluation.niah.rows import read_rows
from evaluation.niah.runner import open_run, plan, steps_of
from evaluation.niah.show import show
from storage.records import EVERYTHING, Scope
from tests.library_fixtures import FakeEmbedder, open_library
from tests.niah_fixtures import FakeModel, bench, small_counter

GRID = Config(
    lengths=(6000,),
    depths=(0.0, 0.6),
    trials=1,
    arms=("closed", "oracle", "rag"),
    oracle_length=1500,
)


def app_settings(**values: object) -> AppSettings:
    return AppSettings(_env_file=None, passages=2, passage_characters=600, **values)  # type: ignore[arg-type]


@contextmanager
def product(home: Path, model: FakeModel, finder: type[Finder] = Finder) -> Iterator[Product]:
    with open_library(home / "library", FakeEmbedder(max_tokens=120)) as library:
        yield Product(home, library, model, app_settings(), finder=finder)


def run(folder: Path, finder: type[Finder] = Finder) -> list[Row]:
    model = FakeModel()
    ready = bench(GRID, model)
    steps = steps_of(ready)
    with product(folder / "product", model, finder) as path:
        open_run(folder, ready, steps, Speed(0), plan(ready, steps, Speed(0))).go(path)
    return [row for row in read_rows(folder / "rows.jsonl") if row.arm == "rag"]


def test_needle_goes_all_the_way(tmp_path: Path) -> None:
    """Each check is passed, the answer is right, and the very prompt can be shown."""
    rows = run(tmp_path / "r")

    assert len(rows) == 2
    for row in rows:
        assert (row.status, row.score, row.failure_stage) == ("ok", 1.0, None)
        assert [check["check"] for check in row.stage_trace] == [
            "parse", "split", "index", "candidates", "ranking", "packing",
        ]  # fmt: skip
        assert all(check["passed"] for check in row.stage_trace) and row.delivered
        assert 0 < row.packed_position < 1 and row.prompt_tokens == row.server_prompt_tokens
        shown = show(tmp_path / "r", row, small_counter())
        assert shown.proved and row.needles[0].text in shown.messages[-1].content
        assert shown.document[row.needles[0].char_start :].startswith(row.needles[0].text)


class Forgetful(Finder):
    """Its candidates never hold a registration number."""

    def findings(
        self, query: str, *, limit: int = 10, scope: Scope = EVERYTHING
    ) -> Findings | None:
        found = super().findings(query, limit=limit, scope=scope)
        assert found is not None
        lost = {name for name, one in found.passages.items() if "registration number" in one.text}
        return replace(
            found,
            dense=tuple(hit for hit in found.dense if hit[0] not in lost),
            lexical=tuple(hit for hit in found.lexical if hit[0] not in lost),
            ranked=tuple(item for item in found.ranked if item.chunk_id not in lost),
        )


def test_a_search_that_misses_is_told_and_confirmed(tmp_path: Path) -> None:
    """With the needle's chunk put first the answer is right: it was the search."""
    rows = run(tmp_path / "r", Forgetful)

    for row in rows:
        assert (row.status, row.score, row.failure_stage) == ("ok", 0.0, "RETRIEVE_RECALL")
        assert row.delivered is False and row.packed_position is None
        assert row.counterfactuals["gold_first"]["score"] == 1.0


def test_a_moved_needle_embeds_little_anew(tmp_path: Path) -> None:
    """The document is put in the place of the one before, whose vectors are kept."""
    model = FakeModel()
    texts = [step.layout.text() for step in steps_of(bench(GRID, model)) if step.trial.arm == "rag"]
    with product(tmp_path, model) as path:
        embedder = path.library.embedder
        path.put(texts[0], ())
        first = len(embedder.passages)
        path.put(texts[1], ())
        again = len(embedder.passages) - first
        path.put(texts[1], ())

    assert 0 < again < first / 2
    assert len(embedder.passages) == first + again


def test_a_needle_that_is_not_in_the_file_is_lost_at_parsing(tmp_path: Path) -> None:
    """The first check that fails names the stage; later ones are still told."""
    model = FakeModel(lambda messages: "The documents do not say it.")
    with product(tmp_path, model) as path:
        path.put("One paragraph of a text about lamps.\n\nAnother one about ferries.", ())

        watched = path.ask("What is the registration number?", [Needle("It is 12345.", "12345")])

    assert watched.lost == "INGEST_PARSE" and watched.delivered is False


def test_text_is_compared_as_people_see_it() -> None:
    """Line breaks and compatibility forms make no other needle."""
    assert folded("ﬁne\n  ＡＢＣ １２") == folded("fine ABC 12")


def test_documents_of_one_length_follow_each_other() -> None:
    """So that the next is the last one with its needle moved."""
    config = replace(GRID, lengths=(3000, 6000), depths=(0.0, 0.5, 1.0))
    lengths = [
        step.trial.length for step in in_order(steps_of(bench(config))) if step.trial.arm == "rag"
    ]

    assert lengths == sorted(lengths)


@pytest.mark.parametrize("how", ["gold_first", "double_budget"])
def test_asking_again_leaves_no_trace(tmp_path: Path, how: str) -> None:
    """The next question is asked as the first one was."""
    model = FakeModel()
    step = next(step for step in steps_of(bench(GRID, model)) if step.trial.arm == "rag")
    trial = step.trial
    with product(tmp_path, model) as path:
        path.put(step.layout.text(), trial.needles)
        before = path.ask(trial.question, trial.needles)
        path.again(trial.question, trial.needles, how=how)
        after = path.ask(trial.question, trial.needles)

    assert before == after

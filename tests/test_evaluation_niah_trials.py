"""Trials come from the seed alone: the same needles, places and prompts in every process."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from evaluation.niah.config import Config
from evaluation.niah.haystacks import haystack_of_path
from evaluation.niah.needle_texts import LANGUAGES
from evaluation.niah.needles import OwnNeedle, draw
from evaluation.niah.records import TASKS, VALUE_TYPES, Trial
from evaluation.niah.runner import steps_of
from evaluation.niah.trials import placements, trials
from tests.niah_fixtures import bench

ROOT = Path(__file__).resolve().parent.parent

_PRINT_DIGEST = """
import sys
from pathlib import Path
from evaluation.niah.config import Config
from evaluation.niah.haystacks import haystack_of_path
from evaluation.niah.records import TASKS
from tests.test_evaluation_niah_trials import digest
print(digest(Path(sys.argv[1])))
"""


def digest(folder: Path) -> str:
    """A digest of every prompt of a small grid over a folder of texts, all tasks."""
    config = Config(lengths=(1500,), depths=(0.0, 0.5, 1.0), trials=2, arms=("long",), tasks=TASKS)
    ready = bench(config, haystack=haystack_of_path(folder, "en"))
    told = hashlib.sha256()
    for step in steps_of(ready):
        told.update(step.layout.content().encode())
    return told.hexdigest()


def texts(folder: Path, names: list[str]) -> Path:
    folder.mkdir()
    for name in names:
        rng = Random(name)
        words = [f"word{rng.randrange(500)}" for _ in range(600)]
        blocks = [" ".join(words[n : n + 12]).capitalize() + "." for n in range(0, 600, 12)]
        (folder / name).write_text("\n\n".join(blocks), "utf-8")
    return folder


def test_prompts_are_equal_in_any_process_and_file_order(tmp_path: Path) -> None:
    """Two hash seeds, and files that were written in another order."""
    names = ["a.txt", "b.txt", "c.txt"]
    folders = [texts(tmp_path / "one", names), texts(tmp_path / "two", names[::-1])]
    found = {digest(folders[0])}

    for seed, folder in (("0", folders[0]), ("4711", folders[1])):
        done = subprocess.run(
            [sys.executable, "-c", _PRINT_DIGEST, str(folder)],
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        found.add(done.stdout.strip())

    assert len(found) == 1


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("task", TASKS)
def test_every_task_can_be_drawn_in_every_language(task: str, language: str) -> None:
    """Needles hold their values, the question gives none away, wrong values are others."""
    for number in range(40):
        for values in VALUE_TYPES:
            made = draw(task, language, values, Random(f"{number}/{values}"))  # type: ignore[arg-type]

            texts_ = [needle.text for needle in (*made.needles, *made.distractors)]
            assert len(set(texts_)) == len(texts_)
            for needle in (*made.needles, *made.distractors):
                assert needle.value in needle.text
                assert not needle.value or needle.value not in made.question
            wrong = {needle.value for needle in made.distractors}
            assert not wrong & set(made.expected)
            assert bool(made.expected) == (task != "absent")
            assert set(made.expected) <= {needle.value for needle in made.needles}
            assert "{" not in "".join([made.question, *texts_])


def test_needles_without_overlap_share_no_telling_word_with_the_question() -> None:
    """Words of four letters and more; what is asked must be understood, not matched."""
    for number in range(200):
        made = draw("no_overlap", "en", "number", Random(number))
        asked = {word for word in made.question.lower().strip("?").split() if len(word) > 3}

        said = set(made.needles[0].text.lower().replace(".", "").split())
        assert not asked & said, made


def test_each_repetition_has_a_fresh_needle_and_a_fresh_beginning() -> None:
    """And all lengths and depths of one repetition have the same, so that prompts are shared."""
    config = Config(lengths=(1000, 2000), depths=(0.0, 1.0), trials=6, arms=("long",))
    ready = bench(config)
    found = list(trials(config, "en", "generated"))

    by_number = {
        number: {(one.needles, one.question) for one in found if one.trial == number}
        for number in range(6)
    }
    assert all(len(questions) == 1 for questions in by_number.values())
    assert len({questions.pop() for questions in by_number.values()}) == 6
    assert len({ready.stream(number).offset for number in range(6)}) == 6


def test_another_seed_is_another_run() -> None:
    """No needle is kept."""
    one, other = (
        {trial.question for trial in trials(Config(trials=3, seed=seed), "en", "x")}
        for seed in (1, 2)
    )

    assert not one & other


def trial_of(task: str, depth: float, **values: object) -> Trial:
    config = Config(
        tasks=(task,), depths=(0.0, 0.5, depth), trials=1, lengths=(2000,), arms=("long",), **values
    )  # type: ignore[arg-type]
    return next(t for t in trials(config, "en", "x") if t.depth_target == depth)


def test_the_needle_that_is_absent_is_planted_nowhere() -> None:
    """Its lookalikes are."""
    trial = trial_of("absent", 0.9)
    planted = [needle for needle, _ in placements(trial, (0.0, 0.5, 0.9))]

    assert planted == list(trial.distractors)
    assert trial.needles[0] not in planted


def test_needles_that_belong_together_are_spread_evenly() -> None:
    """From the cell's depth on, over the end to the top."""
    trial = trial_of("multi_value", 0.9)

    depths = [round(depth, 3) for _, depth in placements(trial, (0.0, 0.5, 0.9))]

    assert depths == [0.9, 0.233, 0.567]


def test_wrong_sentences_keep_away_from_the_right_one() -> None:
    """By a tenth of the text."""
    for depth in (0.2, 0.4, 0.7, 0.9):
        trial = trial_of("distractors", depth)
        own, *others = [place for _, place in placements(trial, (0.0, 0.5, depth))]

        assert own == depth
        assert all(abs(place - depth) >= 0.0999 for place in others)


def test_a_sweep_asks_every_depth_of_one_text() -> None:
    """Each depth has its own needle; the others' values are wrong for its question."""
    config = Config(
        lengths=(2000,),
        depths=(0.0, 0.3, 0.6, 1.0),
        trials=1,
        arms=("closed", "long"),
        mode="sweep",
    )
    steps = [step for step in steps_of(bench(config)) if step.trial.arm == "long"]

    assert len({step.layout.text() for step in steps}) == 1
    assert len({step.trial.question for step in steps}) == 4
    for step in steps:
        spots = {insert.needle.text: insert.spot for insert in step.layout.inserts}
        depth = step.layout.depth(spots[step.trial.needles[0].text])
        assert abs(depth - step.trial.depth_target) < 0.06
        wrong = {needle.value for needle in step.trial.distractors}
        assert len(wrong) == 3 and step.trial.expected[0] not in wrong


def test_own_needles_take_turns() -> None:
    """And keep their questions, answers and wrong sentences."""
    own = tuple(
        OwnNeedle(
            f"The code of shelf {n} is K{n}.", f"Shelf {n}?", (f"K{n}",), (("No: K9.", "K9"),)
        )
        for n in range(2)
    )
    config = Config(
        needles=own, language="en", trials=3, depths=(0.5,), lengths=(2000,), arms=("long",)
    )

    found = list(trials(config, "en", "x"))

    assert [trial.question for trial in found] == ["Shelf 0?", "Shelf 1?", "Shelf 0?"]
    assert found[0].expected == ("K0",) and found[0].distractors == ()


def test_records_survive_json() -> None:
    """A trial read back is the trial."""
    trial = trial_of("chain", 0.9)

    assert Trial.from_json(trial.to_json()) == trial

"""The configuration: strict, with errors that say what to write instead."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from evaluation.niah.config import FULL_LENGTHS, Config, config_from, depths_of, quick, read_config
from evaluation.niah.run_folder import plain_name
from storage.errors import UsageError


def test_an_empty_file_is_the_default(tmp_path: Path) -> None:
    """1K to 128K, eleven depths, ten trials."""
    path = tmp_path / "niah.yaml"
    path.write_text("")

    config = read_config(path)

    assert config == Config()
    assert config.lengths == FULL_LENGTHS and len(config.depths) == 11 and config.trials == 10


def test_everything_can_be_said(tmp_path: Path) -> None:
    """And is read back the same from what a run keeps."""
    path = tmp_path / "niah.yaml"
    path.write_text(
        "schema: 1\nmodel: ollama:qwen2:7b\nwindow: 128K\nhaystack: generated\nlanguage: es\n"
        "tasks: [absent, single]\nvalues: uuid\nlengths: [32K, 4096, '1K']\n"
        "depths: {n: 5, scale: sigmoid}\ntrials: 2\nrag_trials: 1\n"
        "arms: [rag, long]\nmode: sweep\nreserve: 32\n"
        "oracle_length: 2K\ncounterfactuals: false\nbudget: {minutes: 5}\nseed: 7\n"
        "needles:\n- {text: La clave es 12., question: '¿La clave?', answers: '12'}\n",
        "utf-8",
    )

    config = read_config(path)

    assert config.tasks == ("single", "absent") and config.arms == ("long", "rag")
    assert config.lengths == (1024, 4096, 32768) and config.window == 131072
    assert config.depths[2] == 0.5 and config.depths[1] < 0.1
    assert config.needles[0].answers == ("12",)
    again = tmp_path / "again.yaml"
    again.write_text(yaml.safe_dump(config.to_json(), allow_unicode=True), "utf-8")
    assert read_config(again) == config


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("trails: 3", "unknown key trails. Did you mean trials"),
        ("budget: {minuts: 3}", "unknown key budget.minuts. Did you mean budget.minutes"),
        ("depths: {number: 3}", "unknown key depths.number"),
        ("tasks: [singel]", "Did you mean single"),
        ("values: uid", "did you mean uuid"),
        ("lengths: [4Q]", "list of lengths"),
        ("lengths: []", "list of lengths"),
        ("lengths: [100]", "list of lengths"),
        ("lengths: .inf", "list of lengths"),
        ("trials: true", "whole number"),
        ("trials: 0", "whole number"),
        ("depths: [0.5, 1.5]", "shares from 0 to 1"),
        ("depths: [.nan]", "shares from 0 to 1"),
        ("schema: 2", "schema 2 is not known"),
        ("needles: [{text: a b, question: q, answers: b}]", "need their `language`"),
        ("language: en\nneedles: [{text: a b, question: q, answers: [z]}]", "does not hold"),
        ("language: en\nneedles: [{text: a b, question: q, answers: [12]}]", "quotation marks"),
        ("language: en\nneedles: [{text: a, question: q, answer: a}]", "Did you mean answers"),
        ("language: de", "one of auto, en, zh, es"),
        ("budget: {minutes: -1}", "above 0"),
        ("- 1", "holds no settings"),
        ("a: [", "is not YAML: line 1, column 5: expected"),
        ("trials: 3\nseed: 1\ntrials: 4", "the key trials stands there twice"),
        ("budget: {minutes: 1, minutes: 2}", "the key minutes stands there twice"),
        ("[a]: 1", "is not YAML"),
    ],
)
def test_faults_are_named(tmp_path: Path, text: str, told: str) -> None:
    """With the key and what to write."""
    path = tmp_path / "niah.yaml"
    path.write_text(text, "utf-8")

    with pytest.raises(UsageError, match=told.replace("(", r"\(")):
        read_config(path)


def test_quick_stays_in_the_window() -> None:
    """Lengths beyond it are no part of a first look."""
    config = quick(Config(), 32768)

    assert max(config.lengths) == 32768 and config.trials == 5 and len(config.depths) == 5
    assert config.budget.minutes


def test_order_of_writing_changes_nothing() -> None:
    """The same sets are the same run."""
    one = config_from({"tasks": ["absent", "single"], "lengths": [2048, 1024]}, "x")
    other = config_from({"lengths": ["1K", "2K", "1K"], "tasks": ["single", "absent"]}, "x")

    assert one == other


def test_sigmoid_depths_crowd_at_both_ends() -> None:
    """From 0 to 1, symmetric."""
    depths = depths_of(11, "sigmoid")

    assert depths[0] == 0 and depths[-1] == 1 and depths[5] == 0.5
    assert depths[1] < 0.05 < 0.95 < depths[-2]


@pytest.mark.parametrize(
    "text",
    [
        'needles: [{text: "The code is 5.", question: "code?", answers: 5}]\nlanguage: en',
        "budget: {minutes: .inf}",
        "[" * 20_000,
        "# " + "x" * 5_000_000,
        "lengths: &a [*a]",
    ],
    ids=["a number for answers", "no end", "deep", "long", "endless"],
)
def test_odd_files_are_refused_with_a_sentence(tmp_path: Path, text: str) -> None:
    """None of them ends in a traceback, or without an end."""
    path = tmp_path / "odd.yaml"
    path.write_text(text)

    with pytest.raises(UsageError, match=r"odd\.yaml"):
        read_config(path)


@pytest.mark.parametrize("name", ["..", ".", "a/b", "-x", "", "é" * 60, "a b", "a\n"])
def test_the_id_of_a_run_is_no_path_and_no_option(name: str) -> None:
    """It becomes a folder beside the others, and a word of a command line."""
    with pytest.raises(UsageError, match="id of a run"):
        plain_name(name)


def test_ids_that_runs_have_are_plain() -> None:
    """Of each kind that is made."""
    for name in ("20261121-074155-qwen2-7b", "20261121-074155-page", "Längen.v2", "1"):
        assert plain_name(name) == name

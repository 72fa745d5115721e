"""Choosing an engine: by figures, and only once."""

from __future__ import annotations

import json
import logging
import os

import numpy as np
import pytest

from storage.engine_choice import (
    FILE,
    Choice,
    Figures,
    compared,
    fastest,
    keep_choice,
    kept_choice,
)

CHOICE = Choice("onnx-int8", "onnx", {"onnx-int8": Figures(2.0, 0.994, 0.99)})
MADE_FOR = {"model": "abc", "cores": 2, "torch": "2.13"}


class Clock:
    """Time that only engines spend."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def engine(clock, seconds, turned=0.0, calls=None):
    """Takes `seconds` a text; its vectors are turned away from the first axis by an angle."""

    def encode(texts):
        clock.now += seconds * len(texts)
        if calls is not None:
            calls.append(list(texts))
        return np.tile(np.array([np.cos(turned), np.sin(turned)], np.float32), (len(texts), 1))

    return encode


def figures(**speeds_and_cosines):
    return {name.replace("_", "-"): Figures(*values) for name, values in speeds_and_cosines.items()}


def test_speed_and_cosines_are_told_beside_torch():
    """Twice as fast, and off by the cosine of the angle."""
    clock = Clock()
    engines = {"torch": engine(clock, 2.0), "onnx-int8": engine(clock, 1.0, turned=0.1)}

    found = compared(engines, [str(n) for n in range(9)], clock=clock)

    assert found["onnx-int8"].speed == pytest.approx(2.0)
    assert found["onnx-int8"].mean_cosine == pytest.approx(np.cos(0.1), abs=1e-5)
    assert found["torch"] == Figures(1.0, 1.0, 1.0)


def test_each_engine_sees_each_text_once():
    """Rounds take other texts, and every engine the same ones."""
    clock, one, other = Clock(), [], []
    engines = {"torch": engine(clock, 0.1, calls=one), "onnx": engine(clock, 0.1, calls=other)}

    compared(engines, [str(n) for n in range(10)], clock=clock)

    assert one == other
    assert sorted(text for part in one[1:] for text in part) == [str(n) for n in range(10)]


def test_a_slow_machine_is_not_kept_for_all_rounds():
    """After the first round the time decides."""
    clock, calls = Clock(), []

    compared({"torch": engine(clock, 60.0, calls=calls)}, list("abcdef"), clock=clock)

    assert len(calls) == 2


def test_a_vector_that_is_no_number_is_far_off():
    """An engine that computes nonsense is never near."""
    clock = Clock()
    bad = {"torch": engine(clock, 1.0), "onnx": engine(clock, 1.0, turned=np.nan)}

    found = compared(bad, list("abc"), clock=clock)["onnx"]

    assert not found.near
    assert not found.same


@pytest.mark.parametrize(
    ("speeds", "chosen"),
    [
        ({"onnx": (1.4, 1.0, 1.0), "onnx_int8": (2.0, 0.995, 0.99)}, "onnx-int8"),
        ({"onnx": (1.4, 1.0, 1.0), "onnx_int8": (2.0, 0.989, 0.98)}, "onnx"),
        ({"onnx": (1.4, 1.0, 1.0), "onnx_int8": (2.0, 0.995, 0.96)}, "onnx"),
        ({"onnx": (1.4, 1.0, 1.0), "onnx_int8": (1.5, 0.995, 0.99)}, "onnx"),
        ({"onnx": (1.4, 0.9998, 0.999), "onnx_int8": (1.0, 0.995, 0.99)}, "torch"),
        ({"onnx": (1.02, 1.0, 1.0), "onnx_int8": (1.05, 0.995, 0.99)}, "torch"),
        ({}, "torch"),
    ],
)
def test_the_fastest_engine_that_is_near_enough_is_taken(speeds, chosen):
    """Rounding has to be near on average, near at worst, and worth it."""
    assert fastest({"torch": Figures(1.0, 1.0, 1.0), **figures(**speeds)}) == chosen


def test_a_choice_is_remembered_for_its_model_and_machine(tmp_path):
    """Another version or processor is another machine; both choices stay."""
    keep_choice(tmp_path, MADE_FOR, CHOICE)
    keep_choice(tmp_path, MADE_FOR | {"torch": "3.0"}, Choice("torch", "torch", {}))

    assert kept_choice(tmp_path, MADE_FOR) == CHOICE
    assert kept_choice(tmp_path, MADE_FOR | {"torch": "3.0"}) == Choice("torch", "torch", {})
    assert kept_choice(tmp_path, MADE_FOR | {"cores": 4}) is None


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"\xff\xfe",
        b"{}",
        b"[1, null]",
        b"[" * 5000,
        json.dumps([{"for": MADE_FOR}]).encode(),
        json.dumps(
            [{"for": MADE_FOR, "passages": "gpu", "queries": "torch", "figures": {}}]
        ).encode(),
        json.dumps(
            [{"for": MADE_FOR, "passages": "torch", "queries": "torch", "figures": {"a": {"b": 1}}}]
        ).encode(),
    ],
)
def test_a_damaged_file_is_no_choice_and_is_written_anew(tmp_path, damage):
    """Whatever stands there: the choice is made again."""
    (tmp_path / FILE).write_bytes(damage)

    assert kept_choice(tmp_path, MADE_FOR) is None
    keep_choice(tmp_path, MADE_FOR, CHOICE)
    assert kept_choice(tmp_path, MADE_FOR) == CHOICE


def test_the_file_does_not_grow_without_end(tmp_path):
    """The last choices stay, the oldest go."""
    for number in range(40):
        keep_choice(tmp_path, MADE_FOR | {"cores": number}, CHOICE)

    assert len(json.loads((tmp_path / FILE).read_text())) == 16
    assert kept_choice(tmp_path, MADE_FOR | {"cores": 39}) == CHOICE
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def test_a_disk_that_is_full_costs_one_line(tmp_path, monkeypatch, caplog):
    """The old file stays, nothing half-written lies about, the run goes on."""
    keep_choice(tmp_path, MADE_FOR, CHOICE)

    def full(*args, **kwargs):
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr("pathlib.Path.replace", full)
    with caplog.at_level(logging.WARNING):
        keep_choice(tmp_path, MADE_FOR | {"cores": 9}, CHOICE)

    assert len(caplog.records) == 1
    assert "No space left" in caplog.text
    assert kept_choice(tmp_path, MADE_FOR) == CHOICE
    assert [path.name for path in tmp_path.iterdir()] == [FILE]

"""How far a served window is trusted."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from app.calibration import RECORD, RENEW, RUNS, Calibration, calibrations, trusted_window
from app.placement import DepthProfile, Third

FOUND = Calibration(
    run="20261121-1",
    made_at="2026-11-21T05:00:00+00:00",
    valid=True,
    reason="",
    model="ollama qwen2:7b",
    digest="sha256:abc",
    window=32768,
    kv_type="f16",
    effective=16384,
    longest=32768,
    shortest=1024,
    complete=False,
)


def keep(data_dir: Path, record: Calibration) -> Path:
    folder = data_dir / RUNS / record.run
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / RECORD
    path.write_text(json.dumps(record.to_json()), "utf-8")
    return path


def test_without_a_measurement_only_the_trained_window_is_trusted(tmp_path: Path) -> None:
    """128K served and not measured: 32,768; and the command that measures is told."""
    found = trusted_window(tmp_path, "sha256:abc", 131072)

    assert (found.tokens, found.stale, found.measured) == (32768, False, False)
    assert RENEW in found.reason
    assert trusted_window(tmp_path, "sha256:abc", 8192).tokens == 8192


def test_a_fall_that_was_measured_caps_the_window(tmp_path: Path) -> None:
    """The effective length of the run is what is trusted."""
    keep(tmp_path, FOUND)

    found = trusted_window(tmp_path, "sha256:abc", 32768)

    assert (found.tokens, found.stale, found.measured) == (16384, False, True)
    assert "20261121-1" in found.reason


def test_the_newest_valid_run_counts(tmp_path: Path) -> None:
    """A newer run that is not valid changes nothing; a newer valid one does."""
    keep(tmp_path, FOUND)
    keep(tmp_path, replace(FOUND, run="b", made_at="2026-11-22", valid=False, effective=1024))
    assert trusted_window(tmp_path, "sha256:abc", 32768).tokens == 16384

    keep(tmp_path, replace(FOUND, run="c", made_at="2026-11-23", effective=8192))

    assert trusted_window(tmp_path, "sha256:abc", 32768).tokens == 8192


def test_a_window_that_holds_throughout_is_trusted_whole(tmp_path: Path) -> None:
    """Beyond 32,768 only as far as it was measured."""
    whole = replace(FOUND, window=131072, complete=True, effective=65536, longest=65536)
    keep(tmp_path, whole)

    assert trusted_window(tmp_path, "sha256:abc", 131072).tokens == 65536


def test_a_short_run_without_a_miss_takes_no_trust_away(tmp_path: Path) -> None:
    """Measured to 8K and nothing lost: the trained window stays trusted, and the reason says so."""
    keep(tmp_path, replace(FOUND, complete=True, effective=8192, longest=8192))

    found = trusted_window(tmp_path, "sha256:abc", 32768)

    assert found.tokens == 32768
    assert "not measured" in found.reason


def test_a_model_that_holds_no_length_is_given_the_shortest(tmp_path: Path) -> None:
    """Not zero: a prompt must fit."""
    keep(tmp_path, replace(FOUND, effective=None))

    assert trusted_window(tmp_path, "sha256:abc", 32768).tokens == 1024


@pytest.mark.parametrize(
    ("digest", "window", "kv_type", "tokens", "told"),
    [
        ("sha256:new", 32768, "f16", 32768, "another model"),
        ("sha256:abc", 65536, "f16", 16384, "65,536"),
        ("sha256:abc", 32768, "q8_0", 16384, "q8_0"),
    ],
)
def test_another_digest_or_setting_makes_it_stale(
    tmp_path: Path, digest: str, window: int, kv_type: str, tokens: int, told: str
) -> None:
    """It says what changed and which command renews it; a fall of the same weights is feared."""
    keep(tmp_path, FOUND)

    found = trusted_window(tmp_path, digest, window, kv_type)

    assert (found.tokens, found.stale, found.measured) == (tokens, True, False)
    assert told in found.reason
    assert RENEW in found.reason
    assert found.command == RENEW


def test_the_window_can_be_set_by_hand(tmp_path: Path) -> None:
    """The reason says so, and what it would be otherwise; never more than is served."""
    keep(tmp_path, FOUND)

    found = trusted_window(tmp_path, "sha256:abc", 32768, override=24000)

    assert found.tokens == 24000
    assert "24,000" in found.reason
    assert "16,384" in found.reason
    assert trusted_window(tmp_path, "sha256:abc", 32768, override=10**6).tokens == 32768


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", '{"schema": 99}', '{"schema": 1}', '{"schema": 1, "run": 5}', "\udcff"],
)
def test_a_record_that_cannot_be_read_is_passed_over(tmp_path: Path, text: str) -> None:
    """Damaged or of another version: as if it were not there."""
    keep(tmp_path, FOUND)
    broken = keep(tmp_path, replace(FOUND, run="zz", made_at="2027"))
    broken.write_bytes(text.encode("utf-8", "surrogateescape"))

    assert [record.run for record in calibrations(tmp_path)] == ["20261121-1"]
    assert trusted_window(tmp_path, "sha256:abc", 32768).tokens == 16384


def test_depths_are_told_of_exactly_what_was_measured(tmp_path: Path) -> None:
    """The thirds come back as they were kept; of another window nothing is told of depths."""
    thirds = {"start": Third(40, 40, 0.91, 1.0), "middle": Third(20, 40, 0.35, 0.65)}
    profile = DepthProfile(16384, thirds)
    keep(tmp_path, replace(FOUND, profiles=(profile,)))

    assert trusted_window(tmp_path, "sha256:abc", 32768).depths.profiles == (profile,)
    assert trusted_window(tmp_path, "sha256:abc", 65536).depths.profiles == ()
    assert trusted_window(tmp_path, "sha256:abc", 32768, override=4096).depths.profiles


@pytest.mark.parametrize(
    "told",
    [
        None,
        "edges",
        [5],
        [{"length": "8K", "thirds": {}}],
        [{"length": 0, "thirds": {}}],
        [{"length": 8192, "thirds": {"start": {"hits": 5, "n": 4, "low": 0, "high": 1}}}],
        [{"length": 8192, "thirds": {"start": {"hits": 1, "n": 4, "low": 2, "high": 1}}}],
        [{"length": 8192, "thirds": {"start": None}}],
    ],
)
def test_depths_that_cannot_be_read_leave_the_window_measured(tmp_path: Path, told: object) -> None:
    """The order of passages is then the documents'; how much is trusted stays."""
    path = keep(tmp_path, FOUND)
    path.write_text(json.dumps({**FOUND.to_json(), "profiles": told}), "utf-8")

    found = trusted_window(tmp_path, "sha256:abc", 32768)

    assert (found.tokens, found.depths.profiles) == (16384, ())

"""From a run to the window that the product trusts."""

from __future__ import annotations

from pathlib import Path

from app.calibration import RUNS, trusted_window
from evaluation.niah.calibration import calibrate, write
from tests.niah_rows import finished, row, run


def test_a_run_caps_what_the_product_trusts(tmp_path: Path) -> None:
    """All right to 16K, half at 32K: the product trusts 16K of the 32K served."""
    rows = run(
        lambda length, depth, trial: length < 32768 or depth < 0.5, lengths=(4096, 16384, 32768)
    )
    folder = tmp_path / RUNS / "r1"
    folder.mkdir(parents=True)

    record = calibrate(rows, "r1", "2026-11-21")
    assert record is not None
    write(record, folder)
    found = trusted_window(tmp_path, "sha256:abc", 32768)

    assert record.valid
    assert (found.tokens, found.measured) == (16384, True)


def test_a_run_of_too_few_trials_does_not_count() -> None:
    """One trial a depth: even a perfect row leaves the bound at 0.74."""
    record = calibrate(run(trials=1), "r", "t")

    assert record is not None
    assert not record.valid
    assert "11 trials" in record.reason


def test_a_poor_oracle_makes_no_few_trials_enough() -> None:
    """Half of the oracle right: 4 of 4 would reach its bound, and four questions say nothing of
    how far a window may be filled."""
    few = [row("long", 4096, depth, trial) for depth in (0.0, 1.0) for trial in range(2)]
    oracle = [row("oracle", 1024, 0.5, 0), row("oracle", 1024, 0.5, 1, answer="I cannot say.")]

    record = calibrate(finished([*few, *oracle]), "r", "t")

    assert record is not None and not record.valid
    assert "4 trials and 22" in record.reason


def test_a_run_without_an_oracle_does_not_count() -> None:
    """Without it a miss may be the task's fault."""
    record = calibrate(run(oracle=False), "r", "t")

    assert record is not None
    assert not record.valid
    assert "oracle" in record.reason


def test_a_run_that_mixes_windows_does_not_count() -> None:
    """Rows of a model served anew with another window, in one file."""
    rows = run()
    record = calibrate([*rows, *finished([row(trial=9, window=8192)])], "r", "t")

    assert record is not None
    assert not record.valid


def test_lengths_beyond_the_served_window_take_no_trust_away(tmp_path: Path) -> None:
    """64K clamped: what fits held."""
    rows = run(lengths=(4096, 32768))
    rows += finished([row("long", 65536, 0.5, 0, status="window_clamped", answer="")])

    record = calibrate(rows, "r", "t")

    assert record is not None
    assert (record.valid, record.complete, record.longest) == (True, True, 32768)


def test_a_run_of_abstentions_alone_calibrates_nothing() -> None:
    """A model that reads nothing passes questions whose answer is not there."""
    absent = {"task": "absent", "expected": (), "answer": "The text does not say."}

    assert calibrate(finished([row(trial=n, **absent) for n in range(50)]), "r", "t") is None
    assert calibrate([], "r", "t") is None


def test_the_kind_of_the_kv_cache_is_kept() -> None:
    """Where the options tell it."""
    record = calibrate(run(options={"kv_cache_type": "q8_0"}), "r", "t")

    assert record is not None
    assert record.kv_type == "q8_0"


def test_a_run_tells_how_each_length_reads_its_depths(tmp_path: Path) -> None:
    """Blind in the middle at 16K only: there the best passages go to both ends, nowhere else."""
    rows = run(
        lambda length, depth, trial: length < 16384 or not 0.35 < depth < 0.65 or trial == 0,
        lengths=(4096, 16384),
    )
    folder = tmp_path / RUNS / "r1"
    folder.mkdir(parents=True)
    record = calibrate(rows, "r1", "2026-11-21")
    assert record is not None
    write(record, folder)

    depths = trusted_window(tmp_path, "sha256:abc", 32768, override=16384).depths

    assert depths.placement(15_000, 300).order == "edges"
    assert depths.placement(4000, 300).order == "document"
    assert "(run r1)" in depths.placement(15_000, 300).reason


def test_a_run_that_mixes_kinds_of_cache_does_not_count() -> None:
    """Half of the rows of an f16 cache, half of q8_0, in one file."""
    rows = [*run(), *run(options={"kv_type": "q8_0"})]

    record = calibrate(rows, "r", "t")

    assert record is not None
    assert "KV caches" in record.reason

"""Vectors of whole versions are kept up to a size, the latest used ones longest."""

from __future__ import annotations

import numpy as np

from storage.kept_vectors import KeptVectors


def matrix(value: float, rows: int = 4) -> np.ndarray:
    return np.full((rows, 8), value, dtype=np.float32)


def test_what_was_put_comes_back_and_nothing_else():
    """A version's vectors belong to it and to its collection alone."""
    kept = KeptVectors()

    kept.put(("one", 1), matrix(1.0))

    assert np.array_equal(kept.get(("one", 1)), matrix(1.0))
    assert kept.get(("one", 2)) is None
    assert kept.get(("other", 1)) is None
    assert kept.has_all([("one", 1)])
    assert not kept.has_all([("one", 1), ("one", 2)])


def test_the_longest_unused_make_room():
    """Room is counted in bytes; what was asked for last stays."""
    kept = KeptVectors(most_bytes=3 * matrix(0).nbytes)
    for version in (1, 2, 3):
        kept.put(("c", version), matrix(version))

    kept.get(("c", 1))
    kept.put(("c", 4), matrix(4))

    assert kept.has_all([("c", 1), ("c", 3), ("c", 4)])
    assert kept.get(("c", 2)) is None


def test_putting_one_again_counts_it_once():
    """The same version put twice takes its room once."""
    kept = KeptVectors(most_bytes=2 * matrix(0).nbytes)

    for _ in range(5):
        kept.put(("c", 1), matrix(1))
    kept.put(("c", 2), matrix(2))

    assert kept.has_all([("c", 1), ("c", 2)])


def test_what_is_larger_than_all_the_room_is_not_kept():
    """A huge version would only drive the others out, and goes at once."""
    kept = KeptVectors(most_bytes=matrix(0).nbytes)

    kept.put(("c", 1), matrix(1, rows=100))

    assert kept.get(("c", 1)) is None

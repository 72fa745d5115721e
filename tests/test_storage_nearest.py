"""The nearest vectors within a scope: the same as by comparing with every vector in it."""

from __future__ import annotations

import numpy as np
import pytest

from storage import nearest
from storage.chroma_server import ChromaServer
from storage.nearest import nearest_within
from storage.records import chunk_ids
from storage.scoping import Within
from storage.vectors import OwnServer, VectorRow, VectorStore

DOCUMENTS, CHUNKS, WIDTH = 60, 40, 32
COLLECTION = "hayloft-nearest"


@pytest.fixture(scope="module")
def stored() -> np.ndarray:
    """Unit vectors of 60 documents in six topics, 40 chunks each."""
    rng = np.random.default_rng(7)
    topics = rng.normal(size=(6, WIDTH))
    centres = topics[np.arange(DOCUMENTS) % 6] + 0.5 * rng.normal(size=(DOCUMENTS, WIDTH))
    rows = np.repeat(centres, CHUNKS, axis=0) + rng.normal(size=(DOCUMENTS * CHUNKS, WIDTH))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, stored: np.ndarray):
    """They in a real Chroma, under the ids of versions 1 to 60."""
    server = ChromaServer(tmp_path_factory.mktemp("nearest"), 0.3)
    store = VectorStore(OwnServer(server))
    store.create(COLLECTION)
    rows = [
        VectorRow(f"{version}:{i}", "text", version, version, 1)
        for version in range(1, DOCUMENTS + 1)
        for i in range(CHUNKS)
    ]
    store.upsert(COLLECTION, rows, stored)
    yield store
    server.leave()


def scope_of(*versions: int) -> Within:
    return Within(dict.fromkeys(versions, CHUNKS), len(versions) / DOCUMENTS)


def truth(stored: np.ndarray, vector: np.ndarray, within: Within, limit: int) -> list[str]:
    ids = list(chunk_ids(within.versions))
    rows = [(int(i.split(":")[0]) - 1) * CHUNKS + int(i.split(":")[1]) for i in ids]
    return [ids[at] for at in np.argsort(-(stored[rows] @ vector))[:limit]]


class Counted:
    """The store, noting in which ways it was asked."""

    def __init__(self, store: VectorStore) -> None:
        self.store = store
        self.ways: list[str] = []

    def nearest(self, *args, **kwargs):
        self.ways.append("by versions" if kwargs.get("versions") is not None else "for more")
        return self.store.nearest(*args, **kwargs)

    def of_versions(self, *args):
        self.ways.append("all compared")
        return self.store.of_versions(*args)

    def keeps(self, *args):
        return False


@pytest.mark.parametrize(
    ("versions", "ways"),
    [
        ((3,), ["all compared"]),
        ((3, 17, 18, 40), ["all compared"]),
        (tuple(range(1, 13)), ["by versions"]),
        (tuple(range(1, 25)), ["for more"]),
        (tuple(range(1, 55)), ["for more"]),
    ],
    ids=["one", "four", "a fifth", "two fifths", "nine tenths"],
)
def test_every_way_finds_what_comparing_with_all_finds(store, stored, versions, ways):
    """Best first, with cosine similarities, and nothing out of scope."""
    within = scope_of(*versions)
    kept = []
    for row in (0, 700, 1500, 2300):
        vector = stored[row]
        counted = Counted(store)

        found = nearest_within(counted, COLLECTION, vector, 20, within)

        assert counted.ways == ways
        assert all(within.holds(chunk_id) for chunk_id, _ in found)
        scores = [score for _, score in found]
        assert scores == sorted(scores, reverse=True)
        expected = truth(stored, vector, within, 20)
        assert len(found) == 20
        kept.append(len({i for i, _ in found} & set(expected)) / 20)
        best = truth(stored, vector, within, 1)[0]
        version, ordinal = map(int, best.split(":"))
        own = float(stored[(version - 1) * CHUNKS + ordinal] @ vector)
        assert found[0] == (best, pytest.approx(own, abs=1e-4))
    assert np.mean(kept) >= 0.95


def test_a_query_about_something_else_still_fills_its_limit(store, stored, monkeypatch):
    """Where all that is nearest lies outside a large scope, the scope itself is asked."""
    within = scope_of(*range(2, 60, 6), *range(3, 60, 6))
    counted = Counted(store)

    found = nearest_within(counted, COLLECTION, stored[0], 100, within)

    assert counted.ways == ["for more", "by versions"]
    assert len(found) == 100
    expected = truth(stored, stored[0], within, 100)
    assert len({i for i, _ in found} & set(expected)) >= 95


def test_a_scope_smaller_than_the_limit_is_given_whole(store, stored, monkeypatch):
    """All of it, in each of the ways."""
    within = scope_of(5, 6)
    assert len(nearest_within(store, COLLECTION, stored[0], 100, within)) == 2 * CHUNKS
    monkeypatch.setattr(nearest, "FEW_CHUNKS", 0)
    assert len(nearest_within(store, COLLECTION, stored[0], 100, within)) == 2 * CHUNKS


def test_an_empty_scope_asks_nobody(stored):
    """No server is needed to find nothing."""
    assert nearest_within(None, COLLECTION, stored[0], 5, Within({}, 0.0)) == []


def test_scores_are_cosines_whatever_the_lengths(tmp_path, store):
    """Vectors that are no unit vectors compare by their direction."""
    store.create("hayloft-lengths")
    rows = [VectorRow(f"1:{i}", "t", 1, 1, 1) for i in range(2)]
    store.upsert("hayloft-lengths", rows, np.array([[10.0, 0.0], [0.1, 0.1]], dtype=np.float32))
    vector = np.array([0.0, 5.0], dtype=np.float32)

    found = nearest_within(store, "hayloft-lengths", vector, 5, Within({1: 2}, 1.0))

    assert found == [
        ("1:1", pytest.approx(0.7071, abs=1e-4)),
        ("1:0", pytest.approx(0.0, abs=1e-4)),
    ]

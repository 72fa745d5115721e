"""Vectors in a real Chroma server that dies and comes back."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import threading
import time

import numpy as np
import pytest
from chromadb.errors import InternalError

from storage.chroma_server import ChromaServer, running_server
from storage.errors import ServiceUnavailable, StorageError
from storage.vectors import ForeignServer, OwnServer, VectorRow, VectorStore
from tests.library_fixtures import server_has_ended, wait_until

COLLECTION = "hayloft-test"


@pytest.fixture
def server(tmp_path):
    """A share in a server of its own."""
    server = ChromaServer(tmp_path, linger_s=0.3)
    yield server
    server.leave()
    wait_until(lambda: server_has_ended(tmp_path), what="the end of the server")


@pytest.fixture
def store(server):
    """A store with an empty collection."""
    store = VectorStore(OwnServer(server))
    store.create(COLLECTION)
    return store


def rows(count: int, version: int = 1, document: int = 1) -> list[VectorRow]:
    return [
        VectorRow(f"{version}:{i}", f"text {i}", document, version, 1 + i // 10)
        for i in range(count)
    ]


def vectors(count: int, seed: int = 0) -> np.ndarray:
    found = np.random.default_rng(seed).normal(size=(count, 8)).astype(np.float32)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def test_rows_come_back_with_their_vectors(store):
    """More rows than one request holds, found by id, in full."""
    stored = vectors(1203)
    store.upsert(COLLECTION, rows(1203), stored)

    assert store.count(COLLECTION) == 1203
    assert len(store.ids(COLLECTION)) == 1203
    found = store.vectors(COLLECTION, ["1:7", "1:1202", "9:9"])
    assert sorted(found) == ["1:1202", "1:7"]
    assert np.allclose(found["1:7"], stored[7], atol=1e-6)


def test_the_nearest_come_first(store):
    """Cosine similarity, best first; a text's own vector finds it."""
    stored = vectors(300)
    store.upsert(COLLECTION, rows(300), stored)

    found = store.nearest(COLLECTION, stored[42], 5)

    assert found[0] == ("1:42", pytest.approx(1.0, abs=1e-5))
    scores = [score for _, score in found]
    assert scores == sorted(scores, reverse=True)
    truth = set(np.argsort(-(stored @ stored[42]))[:5])
    assert {int(i.split(":")[1]) for i, _ in found} == truth


@pytest.mark.parametrize("lost", [0, 1])
def test_a_search_can_be_kept_to_versions(store, lost):
    """Only their rows, however near the others are; a row that is not there does no harm."""
    stored = vectors(40)
    store.upsert(COLLECTION, rows(20, version=1, document=1), stored[:20])
    store.upsert(COLLECTION, rows(20, version=2, document=2), stored[20:])

    store.delete(COLLECTION, ["2:3"] if lost else [])

    found = store.nearest(COLLECTION, stored[0], 50, versions={2: 20})

    assert len(found) == 20 - lost
    assert all(chunk_id.startswith("2:") for chunk_id, _ in found)


def test_versions_can_be_left_out(store):
    """However many of a version lie nearer."""
    stored = vectors(40)
    store.upsert(COLLECTION, rows(20, version=1, document=1), stored[:20])
    store.upsert(COLLECTION, rows(20, version=2, document=2), stored[20:])

    assert {i[0] for i, _ in store.nearest(COLLECTION, stored[0], 40, without_versions=[1])} == {
        "2"
    }
    assert len(store.nearest(COLLECTION, stored[0], 40, without_versions=[1, 7])) == 20


def test_writing_and_deleting_twice_is_harmless(store):
    """Every call may be repeated: that is what makes retrying safe."""
    for _ in range(2):
        store.create(COLLECTION)
        store.upsert(COLLECTION, rows(30), vectors(30))
    assert store.count(COLLECTION) == 30

    for _ in range(2):
        store.delete(COLLECTION, [f"1:{i}" for i in range(10)] + ["7:7"])
    assert store.count(COLLECTION) == 20

    for _ in range(2):
        store.drop(COLLECTION)
        store.delete_if_there(COLLECTION, ["1:11"])
    assert store.count(COLLECTION) == 0
    assert store.ids(COLLECTION) == []


def test_a_lost_collection_is_a_sentence(store):
    """Vectors that somebody deleted are named with the command that makes them anew."""
    store.drop(COLLECTION)

    with pytest.raises(StorageError, match="ingest --verify"):
        store.nearest(COLLECTION, vectors(1)[0], 5)


def test_a_collection_made_anew_by_another_process_is_found(server, store):
    """A long-lived reader finds the collection again under its new inner id."""
    store.upsert(COLLECTION, rows(3), vectors(3))
    other = VectorStore(OwnServer(server))
    other.drop(COLLECTION)
    other.create(COLLECTION)
    other.upsert(COLLECTION, rows(2, version=5), vectors(2))

    assert {i for i, _ in store.nearest(COLLECTION, vectors(1)[0], 5)} == {"5:0", "5:1"}


@pytest.mark.parametrize("victims", ["server", "keeper", "both"])
def test_calls_succeed_over_a_server_that_is_killed(server, store, victims):
    """A store in use survives the death of the server, of its keeper, or of both."""
    stored = vectors(50)
    store.upsert(COLLECTION, rows(50), stored)
    address = server.join()
    if victims != "keeper":
        os.kill(address.server_pid, signal.SIGKILL)
    if victims != "server":
        os.kill(address.keeper_pid, signal.SIGKILL)

    store.upsert(COLLECTION, rows(50, version=2), vectors(50, seed=2))

    assert store.count(COLLECTION) == 100
    assert store.nearest(COLLECTION, stored[3], 1)[0][0] == "1:3"


def test_threads_share_a_store_while_its_server_dies(server, store):
    """Eight readers at once, the server killed under them: each gets its answer."""
    stored = vectors(100)
    store.upsert(COLLECTION, rows(100), stored)
    faults: list[BaseException] = []
    counted: list[int] = []
    until = time.monotonic() + 3.0

    def read(n: int) -> None:
        try:
            while time.monotonic() < until:
                assert store.nearest(COLLECTION, stored[n], 1)[0][0] == f"1:{n}"
                counted.append(n)
        except BaseException as exc:  # noqa: BLE001 - told to the test
            faults.append(exc)

    threads = [threading.Thread(target=read, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    time.sleep(0.5)
    os.kill(server.join().server_pid, signal.SIGKILL)
    for thread in threads:
        thread.join()

    assert faults == []
    assert set(counted) == set(range(8))


def test_a_proxy_of_the_environment_is_not_asked_for_loopback(server, monkeypatch):
    """Texts and vectors never go to a proxy that HTTP_PROXY names; its own exceptions stay."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setenv("NO_PROXY", "intranet.example")
    store = VectorStore(OwnServer(server))

    store.create(COLLECTION)

    assert store.count(COLLECTION) == 0
    assert os.environ["no_proxy"].split(",") == ["intranet.example", "127.0.0.1"]


def test_a_foreign_server_that_does_not_answer_is_named(monkeypatch):
    """Nothing at HAYLOFT_CHROMA_URL: one sentence with the address, exit 69, after some retries."""
    monkeypatch.setattr("storage.vectors._RETRY_FOR_S", 0.3)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    store = VectorStore(ForeignServer(url))

    with pytest.raises(ServiceUnavailable, match=f"{url}.*HAYLOFT_CHROMA_URL") as caught:
        store.heartbeat()

    assert caught.value.exit_code == 69


def test_a_foreign_server_is_used_as_it_stands(tmp_path, server):
    """A server that somebody else runs is talked to by its URL; none is started for it."""
    url = f"http://127.0.0.1:{server.join().port}"

    store = VectorStore(ForeignServer(url), token="secret")
    store.create(COLLECTION)
    store.upsert(COLLECTION, rows(2), vectors(2))

    assert store.count(COLLECTION) == 2
    assert running_server(tmp_path / "elsewhere") is None


def test_vectors_of_another_dimension_are_refused_in_a_sentence(store):
    """Chroma's own refusal comes as a sentence of ours."""
    store.upsert(COLLECTION, rows(2), vectors(2))

    with pytest.raises(ServiceUnavailable, match="refused"):
        store.nearest(COLLECTION, np.ones(3, dtype=np.float32), 1)


def test_deleted_files_under_a_stopped_server_are_noticed(tmp_path):
    """Somebody removes the Chroma folder: searching says so, and writing starts afresh."""
    server = ChromaServer(tmp_path, linger_s=0.0)
    store = VectorStore(OwnServer(server))
    store.create(COLLECTION)
    server.leave()
    wait_until(lambda: server_has_ended(tmp_path), what="the end of the server")
    shutil.rmtree(tmp_path / "chroma")

    with pytest.raises(StorageError, match="gone from Chroma"):
        store.nearest(COLLECTION, vectors(1)[0], 1)

    store.create(COLLECTION)
    assert store.count(COLLECTION) == 0
    server.leave()
    wait_until(lambda: server_has_ended(tmp_path), what="the end of the server")


class Moody:
    """A client whose server meets an error inside, so many times."""

    def __init__(self, times: int) -> None:
        self.times = times
        self.asked = 0

    def heartbeat(self) -> None:
        self.asked += 1
        if self.asked <= self.times:
            raise InternalError("Error executing plan: Internal error: Error finding id")


def test_an_error_inside_chroma_is_asked_again(server, monkeypatch):
    """A query beside many deletes now and then meets one: repeated, it succeeds."""
    client = Moody(times=2)
    store = VectorStore(OwnServer(server))
    monkeypatch.setattr(store, "_connect", lambda: client)

    store.heartbeat()

    assert client.asked == 3


def test_an_error_inside_chroma_that_stays_is_a_sentence(tmp_path, server, monkeypatch):
    """It is not asked for ever: exit 69, with Chroma's own reason."""
    (tmp_path / "chroma").mkdir(exist_ok=True)
    monkeypatch.setattr("storage.vectors._INTERNAL_ERRORS", 2)
    store = VectorStore(OwnServer(server))
    monkeypatch.setattr(store, "_connect", lambda: Moody(times=99))

    with pytest.raises(ServiceUnavailable, match=r"Error finding id.*hayloft doctor"):
        store.heartbeat()

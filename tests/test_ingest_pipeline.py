"""From parsed documents to visible ones, with a store of vectors that can be made to fail."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np
import pytest

from ingest.pipeline import Pipeline, Work
from storage.catalog import Catalog
from storage.catalog_writer import CatalogWriter, FileState
from storage.errors import ServiceUnavailable
from storage.records import Chunk, Page, ParsedDocument
from tests.library_fixtures import FakeEmbedder

COLLECTION = "hayloft-test"


class MemoryVectors:
    """Keeps vectors in memory; fails, or waits, where a test wants it to."""

    def __init__(self) -> None:
        self.rows: dict[str, np.ndarray] = {}
        self.requests: list[int] = []
        self.fail_after = 10**9
        self.gate = threading.Event()
        self.gate.set()

    def upsert(self, collection, rows, vectors):
        self.gate.wait(20)
        if len(self.requests) >= self.fail_after:
            raise ServiceUnavailable("Chroma is away. Start it.")
        self.requests.append(len(rows))
        for row, vector in zip(rows, vectors, strict=True):
            self.rows[row.chunk_id] = vector

    def vectors(self, collection, chunk_ids):
        return {i: self.rows[i] for i in chunk_ids if i in self.rows}


class Bench:
    """A pipeline with all that belongs to it."""

    def __init__(self, folder: Path) -> None:
        self.catalog = Catalog(folder / "catalog.db")
        self.writer = CatalogWriter(self.catalog)
        self.source = self.writer.source("/docs", whole=True)
        self.vectors = MemoryVectors()
        self.embedder = FakeEmbedder()
        self.done: list[str] = []
        self.progress: list[tuple[str, int]] = []

    def pipeline(self, *, visible: bool = True) -> Pipeline:
        return Pipeline(
            writer=self.writer,
            vectors=self.vectors,
            embedder=self.embedder,
            collection=COLLECTION,
            visible=visible,
            on_done=lambda work: self.done.append(work.file.path),
            on_progress=lambda work: self.progress.append((work.file.path, work.left)),
        )

    def work(self, path: str, texts: list[str]) -> Work:
        page = "\n".join(texts)
        chunks, at = [], 0
        for n, text in enumerate(texts):
            chunks.append(Chunk(n, 1, at, at + len(text), text, "", f"T\n{text}"))
            at += len(text) + 1
        return Work(
            source_id=self.source,
            file=FileState(path, 1, 1, f"sha {path} {len(texts)}", "text/1"),
            document=ParsedDocument("T", (Page(1, page),), False, "test"),
            chunks=chunks,
            seconds=0.0,
            updates=False,
        )

    def shown(self) -> dict[str, int]:
        return {d.document: d.chunks for d in self.catalog.documents()}


@pytest.fixture
def bench(tmp_path: Path):
    """Everything empty."""
    bench = Bench(tmp_path)
    yield bench
    bench.catalog.close()


def texts(name: str, count: int) -> list[str]:
    return [f"{name} number {i}" for i in range(count)]


def test_documents_of_all_sizes_become_visible(bench):
    """Many small ones share a window, a long one takes several; each vector is of its own text."""
    sizes = {"a": 1, "b": 700, "c": 3, "d": 256, "e": 1}
    pipeline = bench.pipeline()
    for name, size in sizes.items():
        pipeline.add(bench.work(name, texts(name, size)))
    pipeline.close()

    assert bench.shown() == sizes
    assert sorted(bench.done) == sorted(sizes)
    assert len(bench.vectors.rows) == sum(sizes.values())
    visible, noted = bench.catalog.vector_ids(COLLECTION)
    assert (visible, noted) == (set(bench.vectors.rows), set())
    with bench.catalog.snapshot() as snapshot:
        for chunk_id, passage in snapshot.passages(visible).items():
            expected = bench.embedder.embed_query(f"T\n{passage.text}")
            assert np.allclose(bench.vectors.rows[chunk_id], expected)


def test_a_document_without_chunks_is_visible_too(bench):
    """A file whose pages hold no words is known, so that it is not read again each night."""
    pipeline = bench.pipeline()
    pipeline.add(bench.work("empty", []))
    pipeline.close()

    assert bench.shown() == {"empty": 0}


def test_nothing_is_visible_before_its_vectors_are_stored(bench):
    """While the store does not take them, the document is not there."""
    bench.vectors.gate.clear()
    pipeline = bench.pipeline()
    pipeline.add(bench.work("a", texts("a", 300)))
    time.sleep(0.2)

    assert bench.shown() == {}
    bench.vectors.gate.set()
    pipeline.close()
    assert bench.shown() == {"a": 300}


def test_vectors_of_texts_that_are_known_are_taken_over(bench):
    """The second version embeds what is new in it; a copy in another file, none."""
    first = bench.pipeline()
    first.add(bench.work("a", texts("a", 10)))
    first.close()
    bench.embedder.passages.clear()

    second = bench.pipeline()
    second.add(changed := bench.work("a", [*texts("a", 10), "something new"]))
    second.close()
    third = bench.pipeline()
    third.add(copy := bench.work("copy of a", [*texts("a", 10), "something new"]))
    third.close()

    assert bench.embedder.passages == ["T\nsomething new"]
    assert (changed.embedded, copy.embedded) == (1, 0)
    assert bench.shown() == {"a": 11, "copy of a": 11}


def test_a_vector_that_is_lost_is_computed_again(bench):
    """The catalog knows the text, the store has lost its vector: it is embedded anew."""
    first = bench.pipeline()
    first.add(bench.work("a", texts("a", 3)))
    first.close()
    del bench.vectors.rows["1:1"]
    bench.embedder.passages.clear()

    second = bench.pipeline()
    second.add(bench.work("b", texts("a", 3)))
    second.close()

    assert bench.embedder.passages == ["T\na number 1"]
    assert {f"2:{n}" for n in range(3)} <= set(bench.vectors.rows)


def test_a_fault_of_the_store_reaches_the_caller(bench):
    """What the writer thread meets is raised where documents are added; no half is shown."""
    bench.vectors.fail_after = 2
    pipeline = bench.pipeline()
    with pytest.raises(ServiceUnavailable, match="Chroma is away"):
        for n in range(50):
            pipeline.add(bench.work(f"doc{n}", texts(f"doc{n}", 100)))
        pipeline.close()
    pipeline.abandon()

    shown = bench.shown()
    assert set(shown) == set(bench.done)
    assert len(shown) < 50
    left = {item.version_id for item in bench.writer.leftovers(retired_before=0)}
    strays = {int(i.split(":")[0]) for i in bench.vectors.rows} - left
    assert len(strays) == len(shown)


def test_a_fault_of_the_catalog_reaches_the_caller_too(bench, monkeypatch):
    """Also what a commit meets, also when nothing more is added."""

    def refuse(*args, **kwargs):
        raise RuntimeError("no commit")

    monkeypatch.setattr(bench.writer, "publish", refuse)
    pipeline = bench.pipeline()
    pipeline.add(bench.work("a", texts("a", 3)))

    with pytest.raises(RuntimeError, match="no commit"):
        pipeline.close()


def test_abandoning_ends_the_writer_and_shows_no_more(bench):
    """Stopped while the store hangs: the thread ends, what was not committed stays unseen."""
    bench.vectors.gate.clear()
    pipeline = bench.pipeline()
    for n in range(4):
        pipeline.add(bench.work(f"doc{n}", texts(f"doc{n}", 256)))
    threading.Timer(0.3, bench.vectors.gate.set).start()

    pipeline.abandon()

    assert not pipeline._thread.is_alive()
    assert len(bench.shown()) <= 1


def test_the_embedder_waits_for_a_slow_store(bench):
    """No more than a few windows of vectors wait in memory."""
    bench.vectors.gate.clear()
    pipeline = bench.pipeline()
    adder = threading.Thread(
        target=lambda: [pipeline.add(bench.work(f"d{n}", texts(f"d{n}", 256))) for n in range(30)]
    )
    adder.start()
    time.sleep(1.0)
    waiting = len(bench.embedder.passages)
    bench.vectors.gate.set()
    adder.join()
    pipeline.close()

    assert waiting <= 256 * 8
    assert len(bench.shown()) == 30


def test_a_rebuild_makes_ready_and_shows_nothing(bench):
    """Not visible: the versions wait for the switch."""
    pipeline = bench.pipeline(visible=False)
    pipeline.add(bench.work("a", texts("a", 3)))
    pipeline.close()

    assert bench.shown() == {}
    assert bench.done == ["a"]
    assert len(bench.vectors.rows) == 3

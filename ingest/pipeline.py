"""From parsed documents to visible ones: chunk, embed, send to Chroma, commit.

The embedding is what takes the time, so everything else runs beside it: the
next files are parsed in a child process, and a writer thread sends vectors and
commits while the next window is embedded.
"""

from __future__ import annotations

import hashlib
import logging
import queue
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ingest.page_heads import mixed
from storage.catalog_writer import CatalogWriter, FileState
from storage.embedding import Embedder
from storage.records import Chunk, ParsedDocument
from storage.vectors import VectorRow, VectorStore

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

log = logging.getLogger(__name__)

_WINDOW = 256
"""Chunks that are embedded in one call, from one document or from many small ones.

Large enough that sorting them by length pays, small enough that progress shows
and that a stop does not throw much away.
"""

_QUEUED_WINDOWS = 4

_REMEMBERED_BYTES = 16_000_000
"""Vectors of this run kept for texts that come again before their document is committed."""


@dataclass(slots=True)
class Work:
    """One document on its way into the index."""

    source_id: int
    file: FileState
    document: ParsedDocument
    chunks: list[Chunk]
    seconds: float
    updates: bool
    """True where an earlier version is visible."""
    lead: str = ""
    """The name that leads its chunks' texts, where that is not its own."""
    shas: list[bytes] = field(default_factory=list)
    version_id: int = 0
    document_id: int = 0
    embedded: int = 0
    """Chunks whose vector had to be computed."""
    left: int = 0
    """Chunks whose vector has not been sent yet."""


Slot = tuple[Work, int]
"""A chunk of a document: the work and the chunk's ordinal."""

OnDone = Callable[[Work], None]
OnProgress = Callable[[Work], None]


class Pipeline:
    """Takes documents in, makes each visible when all its vectors are stored.

    `close` waits for the last commit. An error of the writer thread is raised
    by the next call, in the caller's thread; documents that were not committed
    by then are swept by the next run.
    """

    def __init__(
        self,
        *,
        writer: CatalogWriter,
        vectors: VectorStore,
        embedder: Embedder,
        collection: str,
        visible: bool,
        on_done: OnDone,
        on_progress: OnProgress,
    ) -> None:
        self._writer = writer
        self._vectors = vectors
        self._embedder = embedder
        self._collection = collection
        self._visible = visible
        self._on_done = on_done
        self._on_progress = on_progress
        self._waiting: list[Slot] = []
        self._copies: dict[bytes, list[Slot]] = {}
        """For each text that waits: other chunks that hold it too."""
        self._remembered: OrderedDict[bytes, NDArray[np.float32]] = OrderedDict()
        self._queue: queue.Queue[_Window | Work | None] = queue.Queue(_QUEUED_WINDOWS)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._write, name="hayloft-writer", daemon=True)
        self._thread.start()

    def add(self, work: Work) -> None:
        """Put a document into the index; returns as soon as its chunks are waiting or embedded."""
        self._check()
        work.shas = [_sha(chunk) for chunk in work.chunks]
        new = self._writer.begin_version(
            work.source_id, work.file.path, len(work.chunks), self._collection
        )
        work.version_id, work.document_id = new.version_id, new.document_id
        work.left = len(work.chunks)
        if not work.chunks:
            self._put(work)
            return
        work.embedded = self._wait_for_vectors(work, self._reuse(work))
        while len(self._waiting) >= _WINDOW:
            self._embed(_WINDOW)

    def close(self) -> None:
        """Embed what waits and wait until all of it is committed."""
        while self._waiting:
            self._embed(_WINDOW)
        self._put(None)
        self._thread.join()
        self._check()

    def abandon(self) -> None:
        """Stop after the commit that is at work; the rest is swept by the next run."""
        self._error = self._error or InterruptedError()
        self._waiting.clear()
        while self._thread.is_alive():
            try:
                self._queue.put(None, timeout=0.1)
                break
            except queue.Full:
                continue
        self._thread.join(timeout=60.0)

    def _reuse(self, work: Work) -> list[int]:
        """Send the vectors that the index has already; ordinals of the chunks left to embed."""
        import numpy as np

        room = self._writer.room_of(work.source_id)
        known = self._writer.embedded_before(work.shas, self._collection, room)
        if not known:
            return list(range(len(work.chunks)))
        by_id = self._vectors.vectors(self._collection, sorted(set(known.values())))
        slots, vectors, fresh = [], [], []
        for ordinal, sha in enumerate(work.shas):
            vector = by_id.get(known.get(sha, ""))
            if vector is None:
                fresh.append(ordinal)
            else:
                slots.append((work, ordinal))
                vectors.append(vector)
        if slots:
            self._put(_Window(slots, np.asarray(vectors, dtype=np.float32)))
        return fresh

    def _wait_for_vectors(self, work: Work, fresh: list[int]) -> int:
        """Line up what is to be embedded, each text once; the number of those."""
        import numpy as np

        slots, vectors, count = [], [], 0
        for ordinal in fresh:
            sha = work.shas[ordinal]
            if (vector := self._remembered.get(sha)) is not None:
                slots.append((work, ordinal))
                vectors.append(vector)
            elif sha in self._copies:
                self._copies[sha].append((work, ordinal))
            else:
                self._copies[sha] = []
                self._waiting.append((work, ordinal))
                count += 1
        if slots:
            self._put(_Window(slots, np.asarray(vectors, dtype=np.float32)))
        return count

    def _embed(self, count: int) -> None:
        slots, self._waiting = self._waiting[:count], self._waiting[count:]
        chunks = [work.chunks[ordinal] for work, ordinal in slots]
        vectors = _embed(self._embedder, chunks)
        rows = list(range(len(slots)))
        for row, (work, ordinal) in enumerate(slots[:]):
            sha = work.shas[ordinal]
            copies = self._copies.pop(sha)
            slots += copies
            rows += [row] * len(copies)
            self._remember(sha, vectors[row])
        self._put(_Window(slots, vectors[rows]))
        for work in _distinct(slots):
            self._on_progress(work)

    def _remember(self, sha: bytes, vector: NDArray[np.float32]) -> None:
        self._remembered[sha] = vector.copy()
        while len(self._remembered) * vector.nbytes > _REMEMBERED_BYTES:
            self._remembered.popitem(last=False)

    def _put(self, item: _Window | Work | None) -> None:
        while True:
            self._check()
            try:
                self._queue.put(item, timeout=0.5)
                return
            except queue.Full:
                continue

    def _check(self) -> None:
        if self._error is not None:
            raise self._error

    def _write(self) -> None:
        try:
            while (item := self._queue.get()) is not None:
                if self._error is not None:
                    return
                if isinstance(item, Work):
                    self._publish(item)
                else:
                    self._store(item)
        except BaseException as exc:  # noqa: BLE001 - raised again in the caller's thread
            self._error = exc

    def _store(self, window: _Window) -> None:
        rows = [
            VectorRow(
                chunk_id=f"{work.version_id}:{ordinal}",
                text=work.chunks[ordinal].text,
                version_id=work.version_id,
                page=work.chunks[ordinal].page,
                document_id=work.document_id,
            )
            for work, ordinal in window.slots
        ]
        self._vectors.upsert(self._collection, rows, window.vectors)
        for work, _ in window.slots:
            work.left -= 1
        for work in _distinct(window.slots):
            if work.left == 0:
                self._publish(work)

    def _publish(self, work: Work) -> None:
        self._writer.publish(
            work.version_id,
            work.file,
            work.document,
            work.chunks,
            work.shas,
            lead=work.lead,
            visible=self._visible,
        )
        self._on_done(work)


@dataclass(frozen=True, slots=True)
class _Window:
    slots: list[Slot]
    vectors: NDArray[np.float32]
    """Shape (len(slots), dimension)."""


def _sha(chunk: Chunk) -> bytes:
    """Names what a vector was made of: equal for chunks whose vectors are equal."""
    return hashlib.sha256(f"{chunk.embedded_text}\0{chunk.head}".encode()).digest()


def _embed(embedder: Embedder, chunks: list[Chunk]) -> NDArray[np.float32]:
    """Vectors of chunks, each mixed with its page head's; shape (len(chunks), dimension)."""
    import numpy as np

    heads = list(dict.fromkeys(chunk.head for chunk in chunks if chunk.head))
    texts = [chunk.embedded_text for chunk in chunks]
    # One call: the model sorts its batches by length.
    vectors = embedder.embed_passages(texts + heads)
    if not heads:
        return vectors
    row = {head: len(texts) + i for i, head in enumerate(heads)}
    return mixed(
        vectors[: len(texts)],
        vectors[[row.get(chunk.head, 0) for chunk in chunks]],
        np.array([bool(chunk.head) for chunk in chunks]),
    )


def _distinct(slots: list[Slot]) -> Iterator[Work]:
    seen: set[int] = set()
    for work, _ in slots:
        if work.version_id not in seen:
            seen.add(work.version_id)
            yield work

"""What the tests of the library share: a small deterministic embedder and a library on disk.

Chroma is the real server and parsing happens in real child processes; only the
embedding model is replaced, since loading it takes seconds and its arithmetic
is not what these tests ask about.
"""

from __future__ import annotations

import hashlib
import os
import re
import sqlite3
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ingest.job import IngestJob
from ingest.report import Report, RunEvent
from ingest.settings import IngestSettings
from storage.catalog import Catalog
from storage.embedding import BUNDLED_NAME
from storage.library import Library
from storage.locks import is_held
from storage.records import DocumentSummary
from storage.settings import StorageSettings

if TYPE_CHECKING:
    import pytest

FAKE = "fake hashed words"

_TOKEN = re.compile(r"\w+|[^\w\s]")


class FakeEmbedder:
    """A hashed bag of words: texts that share words lie close together.

    Remembers the texts it was given, so that a test can tell what was embedded anew.
    """

    def __init__(
        self, *, name: str = FAKE, dimension: int = 64, max_tokens: int = 48, seconds: float = 0.0
    ) -> None:
        self.name = name
        self.dimension = dimension
        self.max_tokens = max_tokens
        self.passage_prompt = ""
        self.content = ""
        self.languages: tuple[str, ...] = ("en",)
        self.passages: list[str] = []
        self._seconds = seconds
        """Time that one passage takes, for tests that need a run to last."""

    def embed_passages(self, texts: Sequence[str]) -> np.ndarray:
        """See storage.embedding.Embedder."""
        self.passages.extend(texts)
        time.sleep(self._seconds * len(texts))
        if not texts:
            return np.empty((0, self.dimension), dtype=np.float32)
        return np.stack([self._vector(text) for text in texts])

    def embed_query(self, text: str) -> np.ndarray:
        """See storage.embedding.Embedder."""
        return self._vector(text)

    def token_spans(self, text: str) -> list[tuple[int, int]]:
        """See storage.embedding.Embedder: words, and each mark between them."""
        return [match.span() for match in _TOKEN.finditer(text)]

    def _vector(self, text: str) -> np.ndarray:
        vector = np.full(self.dimension, 1e-3, dtype=np.float32)
        for word in _TOKEN.findall(text.casefold()):
            vector[zlib.crc32(word.encode("utf-8", "surrogatepass")) % self.dimension] += 1.0
        return vector / np.linalg.norm(vector)


@contextmanager
def open_library(
    data_dir: Path, embedder: FakeEmbedder | None = None, *, linger_s: float = 0.3
) -> Iterator[Library]:
    """A library in a folder, with the fake embedder; its Chroma server ends soon after."""
    embedder = embedder or FakeEmbedder()
    library = Library(library_settings(data_dir, embedder.name, linger_s=linger_s), embedder)
    try:
        yield library
    finally:
        library.close()


@contextmanager
def library_of(
    home: Path, files: Mapping[str, str], embedder: FakeEmbedder | None = None
) -> Iterator[Library]:
    """A library that has read these texts, in a folder of its own."""
    with open_library(home / "data", embedder) as library:
        ingest(library, write_files(home / "docs", files))
        yield library


def library_settings(
    data_dir: Path, embedder: str = FAKE, *, linger_s: float = 0.3
) -> StorageSettings:
    """Settings of a library that a fake embedder fills."""
    return StorageSettings(
        data_dir=data_dir, embedder=embedder, chroma_url="", chroma_linger_s=linger_s
    )


def ingest(
    library: Library,
    *paths: Path,
    rebuild: bool = False,
    allow_deletes: bool = False,
    verify: bool = False,
    retry: bool = False,
    events: list[RunEvent] | None = None,
    **settings: object,
) -> Report:
    """One ingestion run, in this process."""
    tell = (lambda event: None) if events is None else events.append
    job = IngestJob(library, IngestSettings(**settings), tell)
    return job.run(paths, rebuild=rebuild, allow_deletes=allow_deletes, verify=verify, retry=retry)


def write_files(folder: Path, files: Mapping[str, str]) -> Path:
    """Write texts under a folder, by their relative paths; gives the folder back."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def words(seed: str, count: int) -> str:
    """A text of made-up words that depends on the seed alone; a full stop after every twelfth."""
    found = []
    for i in range(count):
        digest = hashlib.sha256(f"{seed}/{i}".encode()).hexdigest()
        found.append("w" + digest[:5] + ("." if i % 12 == 11 else ""))
    return " ".join(found)


def content_of(library: Library) -> dict[str, object]:
    """Everything a library holds by content, without ids and times, for comparing two of them.

    Vectors are compared as Chroma holds them, rounded, under the text and
    place of their chunk; what belongs to no visible chunk is in `strays`.
    """
    catalog = library.catalog
    identity = catalog.identity()
    collection = identity.collection if identity else ""
    documents: dict[str, object] = {}
    expected: dict[str, tuple[object, ...]] = {}
    with closing(sqlite3.connect(catalog.path)) as connection:
        rows = connection.execute(
            "SELECT d.path, d.version_id, v.sha256, v.size, v.title, v.pages, v.chunks, v.reader"
            " FROM documents d JOIN versions v ON v.id = d.version_id ORDER BY d.path"
        ).fetchall()
        for path, version, *facts in rows:
            pages = connection.execute(
                "SELECT number, label, heading, text FROM pages WHERE version_id = ?"
                " ORDER BY number",
                (version,),
            ).fetchall()
            chunks = connection.execute(
                "SELECT c.ordinal, c.page, c.char_start, c.char_end, c.heading, c.embedded_sha,"
                " w.text, w.title FROM chunks c LEFT JOIN words w ON w.rowid = c.id"
                " WHERE c.version_id = ? ORDER BY c.ordinal",
                (version,),
            ).fetchall()
            documents[path] = (tuple(facts), tuple(pages), tuple(chunks))
            for chunk in chunks:
                expected[f"{version}:{chunk[0]}"] = (path, *chunk[:4])
        strays = {
            "pages": _count(connection, "pages WHERE version_id NOT IN"),
            "chunks": _count(connection, "chunks WHERE version_id NOT IN"),
            "words": connection.execute(
                "SELECT count(*) FROM words WHERE rowid NOT IN (SELECT id FROM chunks)"
            ).fetchone()[0],
            "tags": connection.execute(
                "SELECT count(*) FROM tags WHERE version_id NOT IN"
                " (SELECT id FROM versions WHERE state IN ('ready', 'current'))"
            ).fetchone()[0],
            "versions": _count(connection, "versions WHERE id NOT IN"),
            "documents": connection.execute(
                "SELECT count(*) FROM documents WHERE version_id IS NULL"
                " OR source_id NOT IN (SELECT id FROM sources)"
            ).fetchone()[0],
        }
    stored = library.vectors.ids(collection)
    by_id = library.vectors.vectors(collection, sorted(expected))
    vectors = {
        place: tuple(np.round(np.asarray(by_id[chunk_id], dtype=np.float64), 5))
        for chunk_id, place in expected.items()
        if chunk_id in by_id
    }
    strays["vectors"] = len(set(stored) - set(expected))
    failures = sorted((failure.document, failure.kind) for failure in catalog.failures())
    return {"documents": documents, "vectors": vectors, "strays": strays, "failures": failures}


def rows_in(content: Mapping[str, object]) -> int:
    """How many rows a comparison of two such contents looks at."""
    documents = content["documents"]
    assert isinstance(documents, dict)
    pages = sum(len(entry[1]) for entry in documents.values())
    chunks = sum(len(entry[2]) for entry in documents.values())
    vectors = content["vectors"]
    assert isinstance(vectors, dict)
    return len(documents) + pages + 2 * chunks + len(vectors)


def wait_until(condition, timeout_s: float = 20.0, what: str = "the condition") -> None:
    """Wait until something is so; fails with its name where it does not come about."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come about within {timeout_s:g} s")
        time.sleep(0.02)


def server_has_ended(data_dir: Path) -> bool:
    """Whether neither keeper nor Chroma server of a data directory is left."""
    home = data_dir / "chroma"
    return not is_held(home / "keeper.lock") and not is_held(home / "server.lock")


def document_named(catalog: Catalog, path: str) -> DocumentSummary | None:
    """The document with this path relative to its source root."""
    return next((entry for entry in catalog.documents() if entry.document == path), None)


def catalog_of(data_dir: Path) -> Catalog:
    """The catalog of a data directory."""
    return Catalog(data_dir / "catalog.db")


def _count(connection: sqlite3.Connection, what: str) -> int:
    query = f"SELECT count(*) FROM {what} (SELECT version_id FROM documents"
    return int(connection.execute(f"{query} WHERE version_id IS NOT NULL)").fetchone()[0])


def without_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working folder without .env, and no setting in the environment."""
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith(("HAYLOFT_", "OLLAMA_")):
            monkeypatch.delenv(name)


def command_line_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder without .env, no settings in the environment, the fake embedder as the model."""
    without_settings(tmp_path, monkeypatch)
    monkeypatch.setenv("HAYLOFT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("HAYLOFT_CHROMA_LINGER_S", "0.2")
    monkeypatch.setattr(
        "storage.library.SentenceTransformerEmbedder",
        lambda *args, **kwargs: FakeEmbedder(name=BUNDLED_NAME),
    )

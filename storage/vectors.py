"""The vectors in Chroma, under the ids that the catalog's journal knows."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from operator import methodcaller
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from urllib.parse import urlsplit

from storage.chroma_server import ChromaServer
from storage.errors import ServiceUnavailable, StorageError
from storage.kept_vectors import KeptVectors
from storage.records import chunk_ids

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

log = logging.getLogger(__name__)

T = TypeVar("T")

_BATCH = 500
"""Rows a request: about 1 MB of JSON at 384 dimensions."""

_RETRY_FOR_S = 20.0
"""Longest wait for a server that is away."""

_INTERNAL_ERRORS = 6
"""So often a call is repeated over an error inside Chroma, waiting 3 s in all.

Measured with chromadb 1.5.9: a query beside 20,000 deletes now and then meets
"Error finding id" or "Error getting embedding", and succeeds the next time.
"""

_MOST_LIVES = 10
"""So often it may come back and die again under one call, before it is the call's fault."""

# Build wide, search wide: at Chroma's defaults about 1% of exact self-queries
# miss on random vectors.
_HNSW = {"space": "cosine", "ef_construction": 200, "ef_search": 128, "max_neighbors": 24}


@dataclass(frozen=True, slots=True)
class VectorRow:
    """One chunk as Chroma holds it."""

    chunk_id: str
    text: str
    document_id: int
    version_id: int
    page: int


class Server(Protocol):
    """Knows where Chroma listens."""

    def url(self) -> str:
        """The base URL, starting or joining the server where that is ours to do."""
        ...


class OwnServer:
    """The Chroma server of this data directory, started on demand."""

    def __init__(self, server: ChromaServer) -> None:
        self._server = server

    def url(self) -> str:
        """See Server."""
        return f"http://127.0.0.1:{self._server.join().port}"

    def disk_is_full(self) -> bool:
        """Whether that is why the server refuses what it is asked."""
        return self._server.disk_is_full()


class ForeignServer:
    """A Chroma server that somebody else runs (`HAYLOFT_CHROMA_URL`)."""

    def __init__(self, url: str) -> None:
        self._url = url

    def url(self) -> str:
        """See Server."""
        return self._url


class VectorStore:
    """Chroma, with every call repeated over a server that died and came back.

    All calls are idempotent (ids are ours, writes are upserts), so repeating
    one is safe. Raises ServiceUnavailable when the server stays away.
    """

    def __init__(self, server: Server, token: str = "") -> None:
        self._server = server
        self._token = token
        self._guard = threading.Lock()
        self._client: Any = None
        self._collections: dict[str, Any] = {}
        self._kept = KeptVectors()

    def create(self, collection: str) -> None:
        """Create a collection; harmless where it exists."""
        self._call(
            lambda client: client.get_or_create_collection(
                collection, embedding_function=None, configuration={"hnsw": _HNSW}
            )
        )

    def drop(self, collection: str) -> None:
        """Delete a collection; harmless where there is none."""
        from chromadb.errors import NotFoundError

        def drop(client: Any) -> None:
            try:
                client.delete_collection(collection)
            except NotFoundError:
                return

        self._collections.pop(collection, None)
        self._call(drop)

    def upsert(
        self, collection: str, rows: Sequence[VectorRow], vectors: NDArray[np.float32]
    ) -> None:
        """Store rows with their vectors, shape (len(rows), dimension)."""
        for start in range(0, len(rows), _BATCH):
            part = rows[start : start + _BATCH]
            upsert = methodcaller(
                "upsert",
                ids=[row.chunk_id for row in part],
                embeddings=vectors[start : start + _BATCH],
                documents=[row.text for row in part],
                metadatas=[
                    {"document": row.document_id, "version": row.version_id, "page": row.page}
                    for row in part
                ],
            )
            self._on(collection, upsert)

    def delete(self, collection: str, chunk_ids: Iterable[str]) -> None:
        """Delete rows; ids that are not there are passed over."""
        ids = list(chunk_ids)
        for start in range(0, len(ids), _BATCH):
            self._on(collection, methodcaller("delete", ids=ids[start : start + _BATCH]))

    def delete_if_there(self, collection: str, chunk_ids: Iterable[str]) -> None:
        """Delete rows; harmless where the whole collection is gone."""
        from chromadb.errors import NotFoundError

        try:
            self.delete(collection, chunk_ids)
        except NotFoundError:
            return

    def nearest(
        self,
        collection: str,
        vector: NDArray[np.float32],
        limit: int,
        *,
        versions: Mapping[int, int] | None = None,
        without_versions: Sequence[int] = (),
    ) -> list[tuple[str, float]]:
        """Ids of the nearest chunks with their cosine similarity, best first.

        `versions` keeps to those versions, given with their number of chunks;
        `without_versions` leaves some out, which makes the search some ten times
        slower (80 ms instead of 6 at 20,000 chunks). Raises StorageError where
        the collection is gone.
        """
        from chromadb.errors import InternalError, NotFoundError

        where = {"version": {"$nin": list(without_versions)}} if without_versions else None
        asked = {"query_embeddings": [vector], "n_results": limit, "include": ["distances"]}

        def query(target: Any) -> Any:
            if versions is None:
                return target.query(**asked, where=where)
            ids = list(chunk_ids(versions))
            try:
                return target.query(**asked, ids=ids)
            except InternalError:
                # So it answers where one of the ids is not there (any more).
                log.info("chroma lacks one of %d chunks; asking by their versions", len(ids))
                return target.query(**asked, where={"version": {"$in": list(versions)}})

        try:
            found: Any = self._on(collection, query)
        except NotFoundError as exc:
            raise StorageError(
                "The vectors of this library are gone from Chroma. `hayloft ingest --verify` makes "
                "them again out of the texts that are stored."
            ) from exc
        return [
            (chunk_id, 1.0 - float(distance))
            for chunk_id, distance in zip(found["ids"][0], found["distances"][0], strict=True)
        ]

    def vectors(self, collection: str, chunk_ids: Sequence[str]) -> dict[str, Any]:
        """The vectors of those chunks that are there, by id."""
        found: dict[str, Any] = {}
        for start in range(0, len(chunk_ids), _BATCH):
            part = list(chunk_ids[start : start + _BATCH])
            got: Any = self._on(collection, methodcaller("get", ids=part, include=["embeddings"]))
            found.update(zip(got["ids"], got["embeddings"], strict=True))
        return found

    def of_versions(
        self, collection: str, versions: Mapping[int, int]
    ) -> dict[int, NDArray[np.float32]]:
        """The vectors of whole versions, given with their number of chunks, in chunk order.

        Arrays of shape (chunks, dimension); whole ones are kept for the next
        time. A vector that Chroma lost is all zeros, which is like nothing.
        """
        import numpy as np

        kept = {version: self._kept.get((collection, version)) for version in versions}
        found = {version: matrix for version, matrix in kept.items() if matrix is not None}
        missing = {version: versions[version] for version in versions if version not in found}
        stored = self.vectors(collection, list(chunk_ids(missing)))
        for version, chunks in missing.items():
            ids = list(chunk_ids({version: chunks}))
            there = [i for i, chunk_id in enumerate(ids) if chunk_id in stored]
            if not there:
                continue
            rows = np.asarray([stored[ids[i]] for i in there], dtype=np.float32)
            matrix = np.zeros((chunks, rows.shape[1]), dtype=np.float32)
            matrix[there] = rows
            found[version] = matrix
            if len(there) == chunks:
                self._kept.put((collection, version), matrix)
        return found

    def keeps(self, collection: str, versions: Iterable[int]) -> bool:
        """Whether `of_versions` would answer without asking the server."""
        return self._kept.has_all([(collection, version) for version in versions])

    def count(self, collection: str) -> int:
        """Rows in a collection; 0 where it does not exist."""
        from chromadb.errors import NotFoundError

        try:
            return int(self._on(collection, lambda target: target.count()))
        except NotFoundError:
            return 0

    def ids(self, collection: str) -> list[str]:
        """Ids of all rows; for checks, not for searching."""
        from chromadb.errors import NotFoundError

        found: list[str] = []
        try:
            while True:
                page = self._on(
                    collection,
                    lambda target: target.get(include=[], limit=5000, offset=len(found)),
                )["ids"]
                found.extend(page)
                if len(page) < 5000:
                    return found
        except NotFoundError:
            return []

    def heartbeat(self) -> None:
        """Raise ServiceUnavailable unless the server answers."""
        self._call(lambda client: client.heartbeat())

    def _on(self, collection: str, action: Callable[[Any], T]) -> T:
        from chromadb.errors import NotFoundError

        def act(client: Any) -> T:
            target = self._collections.get(collection)
            if target is not None:
                try:
                    return action(target)
                except NotFoundError:
                    # Another process may have made it anew, under another inner id.
                    self._collections.pop(collection, None)
            target = client.get_collection(collection, embedding_function=None)
            self._collections[collection] = target
            return action(target)

        return self._call(act)

    def _call(self, action: Callable[[Any], T]) -> T:
        import chromadb.errors
        import httpx

        deadline: float | None = None
        pause = 0.05
        lives = _MOST_LIVES
        internal = 0
        while True:
            try:
                client = self._connect()
                if deadline is not None and lives:
                    deadline, pause, lives = None, 0.05, lives - 1
                return action(client)
            except chromadb.errors.NotFoundError:
                raise
            except (httpx.TransportError, ValueError) as exc:
                # The client reports "could not connect" as a ValueError.
                if isinstance(exc, ValueError) and "connect" not in str(exc).lower():
                    raise
                self._forget()
                # From the first failure on: the call before it may have taken long.
                deadline = deadline or time.monotonic() + _RETRY_FOR_S
                if time.monotonic() > deadline:
                    raise ServiceUnavailable(self._unreachable(exc)) from exc
                log.info("chroma is away (%s); trying again", type(exc).__name__)
                time.sleep(pause)
                pause = min(pause * 2, 0.5)
            except chromadb.errors.ChromaError as exc:
                reason = str(exc).strip().rstrip(".")
                own = self._server if isinstance(self._server, OwnServer) else None
                full = any(words in reason for words in ("No space left", "disk is full"))
                if full or (own is not None and own.disk_is_full()):
                    raise StorageError(
                        "The disk that holds the Chroma files is full. Nothing half-written is "
                        "visible; free some space and run the command again."
                    ) from exc
                internal += 1
                if isinstance(exc, chromadb.errors.InternalError) and internal < _INTERNAL_ERRORS:
                    log.info("chroma met an error inside (%s); trying again", reason)
                    time.sleep(0.05 * 2**internal)
                    continue
                raise ServiceUnavailable(
                    f"Chroma refused a request: {reason}. `hayloft doctor` says what is wrong."
                ) from exc

    def _connect(self) -> Any:
        with self._guard:
            if self._client is None:
                import chromadb
                from chromadb.config import Settings

                parts = urlsplit(self._server.url())
                if isinstance(self._server, OwnServer):
                    _bypass_proxy(parts.hostname or "")
                headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
                with _no_chroma_there(self._server):
                    self._client = chromadb.HttpClient(
                        host=parts.hostname or "127.0.0.1",
                        port=parts.port or (443 if parts.scheme == "https" else 80),
                        ssl=parts.scheme == "https",
                        headers=headers,
                        settings=Settings(anonymized_telemetry=False),
                    )
            return self._client

    def _forget(self) -> None:
        with self._guard:
            self._client = None
            self._collections.clear()

    def _unreachable(self, exc: Exception) -> str:
        if isinstance(self._server, ForeignServer):
            return (
                f"The Chroma server at {self._server.url()} does not answer "
                f"({type(exc).__name__}). Start it, or unset HAYLOFT_CHROMA_URL to use Hayloft's "
                "own."
            )
        return (
            f"Hayloft's own Chroma server does not answer ({type(exc).__name__}). "
            "`hayloft doctor` says what is wrong."
        )


@contextmanager
def _no_chroma_there(server: Server) -> Iterator[None]:
    """Say so where something else than Chroma answers at its address.

    The client then raises a bare Exception with the page that answered, or stumbles over it.
    """
    import chromadb.errors
    import httpx

    try:
        yield
    except (chromadb.errors.ChromaError, httpx.TransportError):
        raise
    except Exception as exc:
        if isinstance(exc, ValueError) and "connect" in str(exc).lower():
            raise
        raise ServiceUnavailable(
            f"What answers at {server.url()} is no Chroma server. Start Chroma there, or mend or "
            "unset HAYLOFT_CHROMA_URL."
        ) from exc


def _bypass_proxy(host: str) -> None:
    """Keep requests to our own server from a proxy that the environment names.

    Chroma's client offers no other way, and documents must not leave the machine.
    """
    listed = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    if host not in listed.split(","):
        os.environ["no_proxy"] = os.environ["NO_PROXY"] = f"{listed},{host}".lstrip(",")

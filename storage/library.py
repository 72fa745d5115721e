"""A library as its readers and its writer open it: everything lazily."""

from __future__ import annotations

import threading
from functools import cached_property

from storage.catalog import Catalog, IndexIdentity
from storage.chroma_server import ChromaServer
from storage.embedding import Embedder, SentenceTransformerEmbedder
from storage.errors import IndexMismatch
from storage.settings import StorageSettings
from storage.vectors import ForeignServer, OwnServer, VectorStore


def other_model(identity: IndexIdentity, name: str) -> IndexMismatch:
    """The error for an index that was built with another embedding model than `name`."""
    return IndexMismatch(
        f"The index was built with the embedding model {identity.embedder!r}, and "
        f"HAYLOFT_EMBEDDER now names {name!r}. Set it back, or run "
        "`hayloft ingest --rebuild` to index everything anew."
    )


class Library:
    """One data directory: the catalog, the vectors, the embedding model.

    Opening a library does nothing; each part is made when first asked for, so
    that a command pays only for what it uses. Safe to share between threads.
    """

    def __init__(self, settings: StorageSettings, embedder: Embedder | None = None) -> None:
        self.settings = settings
        self._given_embedder = embedder
        self._server = ChromaServer(settings.data_dir, settings.chroma_linger_s)
        self._guard = threading.RLock()

    @cached_property
    def catalog(self) -> Catalog:
        """The SQLite catalog, the truth about the library."""
        return Catalog(self.settings.data_dir / "catalog.db")

    @cached_property
    def vectors(self) -> VectorStore:
        """Chroma: somebody else's where `HAYLOFT_CHROMA_URL` is set, else our own."""
        if self.settings.chroma_url:
            return VectorStore(ForeignServer(self.settings.chroma_url), self.settings.chroma_token)
        return VectorStore(OwnServer(self._server))

    @property
    def embedder(self) -> Embedder:
        """The embedding model; loading it takes seconds, once a process."""
        with self._guard:
            if self._given_embedder is None:
                self._given_embedder = SentenceTransformerEmbedder(
                    self.settings.embedder,
                    device=self.settings.embedder_device,
                    batch=self.settings.embedder_batch,
                    threads=self.settings.threads,
                )
            return self._given_embedder

    def readable_identity(self) -> IndexIdentity | None:
        """The index's identity, None while it is empty.

        Raises IndexMismatch where it was built with another embedding model
        than the one that is set: its vectors would compare as noise.
        """
        identity = self.catalog.identity()
        if identity is not None and (
            identity.embedder != self.embedder.name or identity.dimension != self.embedder.dimension
        ):
            raise other_model(identity, self.embedder.name)
        return identity

    def close(self) -> None:
        """Close the catalog and give up this process's share in the Chroma server."""
        if "catalog" in self.__dict__:
            self.catalog.close()
        self._server.leave()

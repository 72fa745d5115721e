"""A library as its readers and its writer open it: everything lazily."""

from __future__ import annotations

import threading
from functools import cached_property

from storage.catalog import Catalog
from storage.chroma_server import ChromaServer
from storage.embedding import (
    Embedder,
    EmbedderFacts,
    SentenceTransformerEmbedder,
    facts_of,
)
from storage.errors import IndexMismatch
from storage.index_identity import IndexIdentity
from storage.settings import StorageSettings
from storage.vectors import ForeignServer, OwnServer, VectorStore


def other_model(identity: IndexIdentity, now: Embedder | EmbedderFacts) -> IndexMismatch | None:
    """The error for an index whose vectors do not compare with a model's; None where they do.

    A model that was moved or renamed is still the same where its files are; a
    query prompt may change at any time, since no stored vector depends on it.
    """
    then = []
    known = bool(identity.content and now.content)
    if identity.content != now.content if known else identity.embedder != now.name:
        then.append(
            f"the embedding model {identity.embedder!r}, and HAYLOFT_EMBEDDER now names "
            f"{now.name!r}"
            if identity.embedder != now.name
            else f"other files of the embedding model {now.name!r} than lie there now"
        )
    elif identity.passage_prompt != now.passage_prompt:
        then.append(
            f"the passage prompt {identity.passage_prompt!r}, and it is "
            f"{now.passage_prompt!r} now (HAYLOFT_EMBEDDER_PASSAGE_PROMPT)"
        )
    if now.dimension and identity.dimension != now.dimension:
        then.append(
            f"vectors of {identity.dimension} dimensions, and they have {now.dimension} now "
            "(HAYLOFT_EMBEDDER_DIMENSION)"
        )
    if not then:
        return None
    return IndexMismatch(
        f"The index was built with {'; and with '.join(then)}. Set it back, or run "
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
                    query_prompt=self.settings.embedder_query_prompt,
                    passage_prompt=self.settings.embedder_passage_prompt,
                    dimension=self.settings.embedder_dimension,
                    max_tokens=self.settings.embedder_max_tokens,
                    device=self.settings.embedder_device,
                    dtype=self.settings.embedder_dtype,
                    batch=self.settings.embedder_batch,
                    threads=self.settings.threads,
                    engine=self.settings.embedder_engine,
                    choices=self.settings.data_dir,
                )
            return self._given_embedder

    def readable_identity(self) -> IndexIdentity | None:
        """The index's identity, None while it is empty.

        Raises IndexMismatch where its vectors would compare with those of the
        embedding model that is set as noise.
        """
        identity = self.catalog.identity()
        mismatch = other_model(identity, self.embedder) if identity is not None else None
        if mismatch is not None:
            raise mismatch
        return identity

    def mismatch(self) -> IndexMismatch | None:
        """What can be told of the same without loading the model, in milliseconds."""
        identity = self.catalog.identity()
        return other_model(identity, facts_of(self.settings)) if identity is not None else None

    def new_identity(self, chunking: str, collection: str) -> IndexIdentity:
        """The identity of an index that is built from now on."""
        embedder = self.embedder
        return IndexIdentity(
            embedder=embedder.name,
            dimension=embedder.dimension,
            chunking=chunking,
            collection=collection,
            passage_prompt=embedder.passage_prompt,
            content=embedder.content,
            languages=" ".join(embedder.languages),
        )

    def close(self) -> None:
        """Close the catalog and give up this process's share in the Chroma server."""
        if "catalog" in self.__dict__:
            self.catalog.close()
        self._server.leave()

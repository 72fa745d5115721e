"""The index that a run writes into: the one there is, or a new one; another's is refused."""

from __future__ import annotations

import uuid

from ingest.chunking import ChunkSizes
from ingest.settings import IngestSettings
from storage.catalog import IndexIdentity
from storage.embedding import Embedder
from storage.errors import IndexMismatch
from storage.library import Library


def sizes_of(settings: IngestSettings, embedder: Embedder) -> ChunkSizes:
    """The chunk sizes of a run: as they are set, and no longer than the model reads."""
    wanted = settings.chunk_tokens or embedder.max_tokens
    return ChunkSizes(min(wanted, embedder.max_tokens), settings.chunk_overlap)


def target_of(library: Library, identity: IndexIdentity | None, sizes: ChunkSizes) -> IndexIdentity:
    """The index to write into; `identity` is that of the one to go on with, None for a new one.

    Raises IndexMismatch where its chunks were cut, or its vectors made, otherwise than now.
    """
    if identity is None:
        return library.new_identity(
            sizes.fingerprint,
            # A name of its own each time: a rebuild drops the old one by name.
            f"hayloft-{library.catalog.library_id()}-{uuid.uuid4().hex[:8]}",
        )
    library.readable_identity()  # raises, with its sentence, for another model
    if not sizes.same_recipe(identity.chunking):
        raise IndexMismatch(
            "The index was built by an earlier Hayloft, which cut or embedded texts "
            f"otherwise ({identity.chunking}, now {sizes.fingerprint}). It can be searched "
            "as it is; to take files in, run `hayloft ingest --rebuild`."
        )
    if identity.chunking != sizes.fingerprint:
        raise IndexMismatch(
            "The index was built with other chunk settings "
            f"({identity.chunking}, now {sizes.fingerprint}). Set HAYLOFT_CHUNK_TOKENS "
            "and HAYLOFT_CHUNK_OVERLAP back, or run `hayloft ingest --rebuild`."
        )
    return identity

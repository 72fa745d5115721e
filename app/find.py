"""Finding passages: both arms in one consistent state of the library, fused."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from app.fusion import Ranked, fuse, reads_many_languages, weights_for
from storage.catalog import GRACE_S, IndexIdentity, Passage, Snapshot
from storage.errors import UsageError
from storage.library import Library
from storage.records import Hit

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAX_QUERY_CHARACTERS = 20_000

_CANDIDATES = 100
"""How deep each arm is read before fusing; the same for every limit up to it."""

_MAX_CANDIDATES = 2000

_ATTEMPTS = 4


class Finder:
    """Searches one library. Safe to share between threads."""

    def __init__(self, library: Library) -> None:
        self._library = library

    def search(self, query: str, *, limit: int = 10, documents: Sequence[str] = ()) -> list[Hit]:
        """The passages that answer a query best, at most `limit`, best first.

        `documents` restricts the search to those paths, or to everything below
        a folder. Raises UsageError for a query that is empty or too long and
        for documents that are not there; IndexMismatch; ServiceUnavailable.
        """
        query = query.strip()
        if not query:
            raise UsageError("The question is empty. Type what you want to know.")
        if len(query) > MAX_QUERY_CHARACTERS:
            raise UsageError(
                f"The question has {len(query):,} characters, and at most "
                f"{MAX_QUERY_CHARACTERS:,} can be searched for. Ask in fewer words, or save the "
                "text as a document and ingest it."
            )
        if self._library.readable_identity() is None:
            return []
        vector = self._library.embedder.embed_query(query)
        for _ in range(_ATTEMPTS):
            started = time.monotonic()
            hits = self._search_once(query, vector, limit, documents)
            # The vectors of a replaced version stay in Chroma for the grace
            # time after the switch: within it, the snapshot and Chroma agree.
            if time.monotonic() - started < GRACE_S:
                break
        return hits

    def _search_once(
        self, query: str, vector: NDArray[np.float32], limit: int, documents: Sequence[str]
    ) -> list[Hit]:
        with self._library.catalog.snapshot() as snapshot:
            identity = snapshot.identity()
            if identity is None:
                return []
            scope = None
            if documents:
                scope = snapshot.document_ids(documents)
                if not scope:
                    raise UsageError(
                        f"No document is called {', '.join(documents)}. "
                        "`hayloft status --documents` lists them."
                    )
            depth = max(_CANDIDATES, limit)
            words = snapshot.lexical(query, depth, scope)
            dense, passages = self._dense(snapshot, vector, identity, depth, scope)
            passages |= snapshot.passages(
                chunk_id for chunk_id, _ in words if chunk_id not in passages
            )
            weights = weights_for(query, multilingual=reads_many_languages(identity.embedder))
            ranked = fuse(dense, words, weights)
            return [
                _hit(rank, passages[item.chunk_id], item)
                for rank, item in enumerate(ranked[:limit], start=1)
            ]

    def _dense(
        self,
        snapshot: Snapshot,
        vector: NDArray[np.float32],
        identity: IndexIdentity,
        depth: int,
        scope: list[int] | None,
    ) -> tuple[list[tuple[str, float]], dict[str, Passage]]:
        """The nearest visible chunks; deeper where hits had to be dropped as not visible."""
        ask, hidden = depth, list[int]()
        while True:
            found = self._library.vectors.nearest(
                identity.collection, vector, ask, scope, without_versions=hidden
            )
            passages = snapshot.passages(chunk_id for chunk_id, _ in found)
            visible = [hit for hit in found if hit[0] in passages]
            if len(visible) >= depth or len(found) < ask or hidden:
                return visible[:depth], passages
            ask *= 2
            if ask > _MAX_CANDIDATES:
                # Thousands of chunks are just being added or replaced, all nearer than the
                # visible ones. Leaving them out in Chroma costs about 80 ms, so only now.
                ask, hidden = depth, snapshot.hidden_versions(identity.collection)
                if not hidden:
                    return visible[:depth], passages


def _hit(rank: int, passage: Passage, ranked: Ranked) -> Hit:
    return Hit(
        rank=rank,
        document=passage.document,
        page=passage.page,
        score=ranked.score,
        text=passage.text,
        char_start=passage.char_start,
        char_end=passage.char_end,
        chunk_id=passage.chunk_id,
        document_id=passage.document_id,
        version_id=passage.version_id,
        title=passage.title,
        heading=passage.heading,
        page_label=passage.page_label,
        paged=passage.paged,
        dense_rank=ranked.dense_rank,
        lexical_rank=ranked.lexical_rank,
    )

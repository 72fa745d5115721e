"""Finding passages: both arms in one consistent state of the library, fused."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import TYPE_CHECKING

from app.duplicates import copies_last
from app.fusion import Ranked, Weights, weights_for
from app.rerank import Reranker, reranked, reranker_from
from app.routing import Route
from app.word_search import search_words
from storage.catalog import GRACE_S, IndexIdentity, Passage, Snapshot
from storage.errors import UsageError
from storage.library import Library
from storage.model_languages import languages_of_index, reads
from storage.nearest import nearest_within
from storage.records import EVERYTHING, Hit, Scope
from storage.scoping import Within

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from app.settings import AppSettings

MAX_QUERY_CHARACTERS = 20_000

CANDIDATES = 100
"""How deep each arm is read before fusing; the same for every limit up to it."""

_MAX_CANDIDATES = 2000

_ENOUGH_NAMED = 20
"""So many candidates out of the documents that a question names are enough to choose from."""

_ATTEMPTS = 4

_SEARCHES_AT_ONCE = 8

_SWITCH_S = 0.0005
"""Longest time one thread keeps the interpreter from another that waits for it.

At Python's 5 ms a search takes 33 ms instead of 26 at 100,000 chunks: the
embedding model gives the interpreter up at each of its some hundred steps, and
the word search beside it would hold it for 5 ms each time.
"""

_LEAST_SPAN = 0.3
"""Of cosines between the best and what counts as nothing, in a small library or scope."""


@dataclass(frozen=True, slots=True)
class Findings:
    """All that a search saw, for people who want to know why."""

    query: str
    language: str
    """The query's, or of the passages with its words where it has none of its own; or ''."""
    weights: Weights
    route: Route
    dense: tuple[tuple[str, float], ...]
    """(chunk id, cosine similarity), best first."""
    lexical: tuple[tuple[str, float], ...]
    """(chunk id, BM25), best first."""
    ranked: tuple[Ranked, ...]
    passages: dict[str, Passage]
    floor: float | None = None
    """The similarity that counts as nothing."""

    def hits(self, limit: int) -> list[Hit]:
        """The best passages."""
        return [
            _hit(rank, self.passages[item.chunk_id], item)
            for rank, item in enumerate(self.ranked[:limit], start=1)
        ]


class Finder:
    """Searches one library. Safe to share between threads.

    With settings that name a reranker, it orders the first candidates.
    """

    def __init__(self, library: Library, settings: AppSettings | None = None) -> None:
        self._library = library
        if sys.getswitchinterval() > _SWITCH_S:
            sys.setswitchinterval(_SWITCH_S)
        self._pool = ThreadPoolExecutor(_SEARCHES_AT_ONCE, thread_name_prefix="hayloft-words")
        self._reranker: Reranker | None = reranker_from(settings) if settings else None
        self._rerank_candidates = settings.reranker_candidates if settings else 0

    def search(self, query: str, *, limit: int = 10, scope: Scope = EVERYTHING) -> list[Hit]:
        """The passages that answer a query best, at most `limit`, best first.

        The second copy of a text comes behind the distinct ones. Only documents
        in `scope` are looked at. Raises UsageError for a query that is empty or
        too long and for a scope that names what is not there; IndexMismatch;
        ServiceUnavailable.
        """
        found = self.findings(query, limit=limit, scope=scope)
        return copies_last(self.ordered(found, limit)) if found is not None else []

    @property
    def reranker(self) -> str:
        """The name of the reranker; empty where there is none."""
        return self._reranker.name if self._reranker else ""

    @property
    def reranked(self) -> int:
        """How many of the first passages the reranker reads."""
        return self._rerank_candidates if self._reranker else 0

    def ordered(self, found: Findings, limit: int) -> list[Hit]:
        """The best passages of what was found, in the reranker's order where there is one."""
        if self._reranker is None:
            return found.hits(limit)
        hits = found.hits(max(limit, self._rerank_candidates))
        first = reranked(found.query, hits[: self._rerank_candidates], self._reranker)
        return [*first, *hits[self._rerank_candidates :]][:limit]

    def findings(
        self, query: str, *, limit: int = 10, scope: Scope = EVERYTHING
    ) -> Findings | None:
        """What both arms found and how it was fused, before reranking; None in an empty library.

        Raises as `search` does.
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
        self._check(scope)
        if self._library.readable_identity() is None:
            return None
        # Loaded before the library's state is taken: the first time it takes seconds.
        embedder = self._library.embedder
        embed = cache(partial(embedder.embed_query, query))
        for _ in range(_ATTEMPTS):
            started = time.monotonic()
            found = self._search_once(query, embed, limit, scope)
            # The vectors of a replaced version stay in Chroma for the grace
            # time after the switch: within it, the snapshot and Chroma agree.
            if time.monotonic() - started < GRACE_S:
                break
        return found

    def _check(self, scope: Scope) -> None:
        """Refuse a scope that names what is not there before the model is loaded for it."""
        if not scope.is_everything:
            with self._library.catalog.snapshot() as snapshot:
                if snapshot.identity() is not None:
                    snapshot.within(scope)

    def _search_once(
        self, query: str, embed: Callable[[], NDArray[np.float32]], limit: int, scope: Scope
    ) -> Findings | None:
        with self._library.catalog.snapshot() as snapshot:
            identity = snapshot.identity()
            if identity is None:
                return None
            within = snapshot.within(scope)
            depth = max(CANDIDATES, limit)
            # Embedding and Chroma need neither SQLite nor, mostly, the interpreter: the words
            # are looked for meanwhile.
            searching = self._pool.submit(search_words, snapshot, query, depth, within)
            try:
                vector = embed()
                dense = self._nearest(identity, vector, depth, within)
            finally:
                # The snapshot is one connection, which must not be closed under a search.
                wait([searching])
            words = searching.result()
            passages = words.passages
            if within is None:
                dense = self._visible(snapshot, dense, identity, vector, depth, passages)
            floor = _floor(dense, depth)
            lexical = words.lexical
            if words.named is not None and _too_few(words.named, dense):
                near = nearest_within(
                    self._library.vectors, identity.collection, vector, CANDIDATES, words.named
                )
                dense = _merged(dense, near)
                lexical = _merged(lexical, words.lexical_named)
            _add_passages(passages, snapshot, dense)
            dense = [hit for hit in dense if hit[0] in passages]
            weights = weights_for(words.language, partial(reads, languages_of_index(identity)))
            return Findings(
                query=query,
                language=words.language,
                weights=weights,
                route=words.route,
                dense=tuple(dense),
                lexical=tuple(lexical),
                ranked=tuple(words.route.ranked(dense, lexical, weights, floor=floor)),
                passages=passages,
                floor=floor,
            )

    def _nearest(
        self,
        identity: IndexIdentity,
        vector: NDArray[np.float32],
        depth: int,
        within: Within | None,
    ) -> list[tuple[str, float]]:
        """The nearest chunks, visible or not."""
        vectors = self._library.vectors
        if within is not None:
            return nearest_within(vectors, identity.collection, vector, depth, within)
        return vectors.nearest(identity.collection, vector, depth)

    def _visible(
        self,
        snapshot: Snapshot,
        found: list[tuple[str, float]],
        identity: IndexIdentity,
        vector: NDArray[np.float32],
        depth: int,
        passages: dict[str, Passage],
    ) -> list[tuple[str, float]]:
        """Those that may be seen; asked for deeper where too many had to be dropped.

        Their passages are added to `passages`.
        """
        ask, hidden = depth, list[int]()
        while True:
            _add_passages(passages, snapshot, found)
            visible = [hit for hit in found if hit[0] in passages]
            if len(visible) >= depth or hidden:
                return visible[:depth]
            if len(found) < ask:
                if len(visible) == len(found):
                    return visible
                # Few chunks, of which some are hidden: from many equal ones Chroma's graph may
                # lead to none of the others.
                everything = snapshot.everything()
                return nearest_within(
                    self._library.vectors, identity.collection, vector, depth, everything
                )
            ask *= 2
            if ask > _MAX_CANDIDATES:
                # Thousands of chunks are just being added or replaced, all nearer than the
                # visible ones. Leaving them out in Chroma costs about 80 ms, so only now.
                ask, hidden = depth, snapshot.hidden_versions(identity.collection)
                if not hidden:
                    return visible[:depth]
            found = self._library.vectors.nearest(
                identity.collection, vector, ask, without_versions=hidden
            )


def _too_few(named: Within, dense: list[tuple[str, float]]) -> bool:
    """Whether the nearest hold too little of the documents that the question names."""
    there = sum(named.holds(chunk_id) for chunk_id, _ in dense)
    return there < min(_ENOUGH_NAMED, named.chunks)


def _add_passages(
    passages: dict[str, Passage], snapshot: Snapshot, found: list[tuple[str, float]]
) -> None:
    passages |= snapshot.passages(chunk_id for chunk_id, _ in found if chunk_id not in passages)


def _hit(rank: int, passage: Passage, ranked: Ranked) -> Hit:
    return replace(
        passage.hit(rank=rank, score=ranked.score),
        dense_rank=ranked.dense_rank,
        lexical_rank=ranked.lexical_rank,
    )


def _floor(dense: list[tuple[str, float]], depth: int) -> float | None:
    """The similarity that counts as nothing: the last candidate's.

    Where there are fewer candidates than were asked for, the last one is no
    measure: of two chunks the nearer one would count fully, the other nothing.
    """
    if not dense:
        return None
    best, last = dense[0][1], dense[-1][1]
    return last if len(dense) >= depth else min(last, best - _LEAST_SPAN)


def _merged(
    one: list[tuple[str, float]], other: list[tuple[str, float]]
) -> list[tuple[str, float]]:
    """Two rankings with scores of one kind as one, best first."""
    scores = dict(other) | dict(one)
    return sorted(scores.items(), key=lambda hit: (-hit[1], hit[0]))

"""The nearest vectors within a scope, asked for in whichever way is fast and exact.

Chroma's own filter (`where` with `$in`) looks every chunk of the scope up in a
table and then walks the graph past all that is out of scope: 24 to 140 ms on
30,000 chunks. Which way is better depends on the scope's size. Measured with
chromadb 1.5.9 and 384 dimensions on 30,000 (100,000) chunks, medians in ms of the
100 nearest; a search without a scope took 4 (5). Recall is against comparing with
every vector.

    share of the chunks      way taken           ms         recall@100     $in: ms     recall@100
    100 chunks               compare with all    12 (12)    1.000 (1.000)   38 (123)   1.000
    250 chunks               compare with all    20 (25)    1.000 (1.000)
    3%                       ask by ids          20 (50)     .999 (.980)    24 (84)     .967 (.914)
    10%                      ask by ids          17 (29)     .974 (.984)    32 (112)    .908 (.943)
    20%                      ask by ids          25 (36)     .984 (.999)    52 (225)    .940 (.995)
    33%                      ask for more        11 (13)     .980 (1.000)   72 (170)    .969 (1.000)
    50%                      ask for more        12 (8)     1.000 (1.000)   80 (243)    .997 (.998)
    90%                      ask for more         8 (6)     1.000 (1.000)  121 (501)    .999 (.990)

docs/decisions/0006 has what else was tried.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from storage.records import chunk_ids
from storage.scoping import Within
from storage.vectors import VectorStore

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FEW_CHUNKS = 250
"""Up to so many, all vectors are fetched and compared: exact, 0.1 ms a chunk, however large the
library is."""

_SMALL_SHARE = 1 / 140
"""Up to this share too: to find so few, the walk by ids sees most of the graph (130 ms at 100,000
chunks, where fetching 700 vectors takes 70)."""

_MOST_KEPT = 20_000
"""Vectors that are kept here already are compared up to so many: 4 ms."""

LARGE_SHARE = 0.25
"""From this share on, enough of the nearest of all chunks are in scope."""

_MARGIN = 3
"""So many times the wanted number is asked for: a filtered walk through the graph ends early.

By ids at a share of 10%, recall@100 is .937 without a margin, .967 with 2, .985
with 3, .992 with 4. Without a filter, at 25%, fewer than 100 of the answers are
in scope for 12% of the queries with 1.5, for 3% with 2 and for none with 3.
"""


def nearest_within(
    vectors: VectorStore,
    collection: str,
    vector: NDArray[np.float32],
    limit: int,
    within: Within,
) -> list[tuple[str, float]]:
    """Ids of the nearest chunks in scope with their cosine similarity, best first."""
    if not within.versions:
        return []
    few = within.chunks <= FEW_CHUNKS or within.share <= _SMALL_SHARE
    if few or (within.chunks <= _MOST_KEPT and vectors.keeps(collection, within.versions)):
        return _compared(vectors, collection, vector, limit, within)
    if within.share >= LARGE_SHARE:
        found = vectors.nearest(collection, vector, int(_MARGIN * limit / within.share))
        inside = [hit for hit in found if within.holds(hit[0])]
        if len(inside) >= min(limit, within.chunks):
            return inside[:limit]
    # Also where a query is about something else than the scope: all nearest are outside.
    most = min(_MARGIN * limit, within.chunks)
    return vectors.nearest(collection, vector, most, versions=within.versions)[:limit]


def _compared(
    vectors: VectorStore,
    collection: str,
    vector: NDArray[np.float32],
    limit: int,
    within: Within,
) -> list[tuple[str, float]]:
    import numpy as np

    stored = vectors.of_versions(collection, within.versions)
    if not stored:
        return []
    matrix = np.concatenate(list(stored.values()))
    lengths = np.linalg.norm(matrix, axis=1) * np.linalg.norm(vector)
    similar = (matrix @ vector) / np.maximum(lengths, 1e-12)
    ids = list(chunk_ids({version: len(rows) for version, rows in stored.items()}))
    best = np.argsort(-similar, kind="stable")[:limit]
    return [(ids[row], float(similar[row])) for row in best]

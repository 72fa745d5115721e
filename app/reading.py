"""What an answer is made from: the hits of a search, widened, each text once."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.duplicates import collapse, name_copies
from app.page_layout import Edge, edge_of, running_spans
from app.passages import Key, widen
from app.sentences import Span
from storage.catalog import Catalog
from storage.records import Hit, Page

log = logging.getLogger(__name__)

_SAMPLE = 6
"""Pages before and after a hit's that are looked at for running headers and footers."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The passages to read, best first, and what is not worth quoting on their pages."""

    passages: tuple[Hit, ...]
    running: Mapping[Key, Sequence[Span]]
    """Running headers and footers by version and page; formats without pages have none."""


def searched_for(limit: int) -> int:
    """How many hits to search for, so that `limit` are left when copies are taken out."""
    return 2 * limit


def read(catalog: Catalog, hits: Sequence[Hit], limit: int, most: int) -> Reading:
    """The passages around the best `limit` distinct hits, of `most` characters mostly.

    A passage whose words stand in a better one gives its turn to the next hit
    and is named there. Twelve hits take a few milliseconds.
    """
    started = time.perf_counter()
    taken = limit
    while True:
        pages = _pages(catalog, hits[:taken])
        running = _running(pages, hits[:taken])
        wide = widen(hits[:taken], pages, most, running)
        passages = collapse(wide, running)
        dropped = _hits_in(wide) - _hits_in(passages)
        if taken >= min(len(hits), limit + dropped):
            break
        taken = min(len(hits), limit + dropped)
    passages = name_copies(passages, hits[taken:])
    log.debug(
        "%d hits read as %d passages in %.1f ms",
        len(hits[:taken]),
        len(passages),
        1000 * (time.perf_counter() - started),
    )
    return Reading(tuple(passages), running)


def _hits_in(passages: Sequence[Hit]) -> int:
    return sum(max(1, len(passage.found)) for passage in passages if not passage.beside)


def _pages(catalog: Catalog, hits: Sequence[Hit]) -> dict[Key, Page]:
    """The pages of the hits and, where the format has pages, those around them."""
    wanted: dict[Key, None] = {}
    for hit in hits:
        around = _SAMPLE if hit.paged else 0
        for number in range(max(1, hit.page - around), hit.page + around + 1):
            wanted[(hit.version_id, number)] = None
    with catalog.snapshot() as snapshot:
        return snapshot.pages(wanted)


def _running(pages: Mapping[Key, Page], hits: Sequence[Hit]) -> dict[Key, list[Span]]:
    """The running lines of the hits' pages and of those beside them."""
    paged = {hit.version_id for hit in hits if hit.paged}
    edges: dict[int, dict[int, Edge]] = {}
    for (version, number), page in pages.items():
        if version in paged:
            edges.setdefault(version, {})[number] = edge_of(number, page.text)
    found: dict[Key, list[Span]] = {}
    for hit in hits:
        for number in (hit.page - 1, hit.page, hit.page + 1):
            key = (hit.version_id, number)
            if key in pages and hit.paged and key not in found:
                near = range(number - _SAMPLE, number + _SAMPLE + 1)
                there = edges[hit.version_id]
                found[key] = running_spans(number, {n: there[n] for n in near if n in there})
    return found

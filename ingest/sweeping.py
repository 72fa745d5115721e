"""Deleting the vectors of versions that are not, or no longer, visible."""

from __future__ import annotations

import logging
import time

from storage.catalog_writer import CatalogWriter
from storage.library import Library
from storage.records import chunk_ids

log = logging.getLogger(__name__)


class Sweeper:
    """Sweeps by the catalog's journal; `grace_s` is the time a reader may still use what went."""

    def __init__(self, library: Library, writer: CatalogWriter, grace_s: float) -> None:
        self._library = library
        self._writer = writer
        self._grace_s = grace_s

    def before_a_run(self) -> None:
        """Sweep what an earlier run left: half-written versions, and replaced ones."""
        self._sweep(retired_before=time.time() - self._grace_s)

    def after_a_run(self) -> None:
        """Wait until no reader needs what this run replaced, and sweep it."""
        last = self._writer.last_retired_at()
        if last is None:
            return
        # A clock that was set back meanwhile must not make the wait a long one.
        time.sleep(min(self._grace_s, max(0.0, last + self._grace_s - time.time())))
        self._sweep(retired_before=max(last, time.time()))

    def _sweep(self, *, retired_before: float) -> None:
        leftovers = self._writer.leftovers(retired_before=retired_before)
        for leftover in leftovers:
            self._library.vectors.delete_if_there(
                leftover.collection,
                chunk_ids({leftover.version_id: leftover.chunks}),
            )
            self._writer.forget([leftover.version_id])
        if leftovers:
            log.info("swept the vectors of %d versions", len(leftovers))

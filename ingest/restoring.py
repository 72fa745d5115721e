"""Vectors that Chroma should hold and does not: what finds them missing and makes them again.

Its folder may have been deleted, or an older one restored, while the catalog
stayed. The texts of all pages are in the catalog, so no file need be read.
"""

from __future__ import annotations

import logging
from pathlib import Path

from storage.catalog import IndexIdentity
from storage.catalog_writer import CatalogWriter, KnownFile
from storage.errors import StorageError
from storage.library import Library
from storage.records import chunk_ids

log = logging.getLogger(__name__)

_MARK = Path("chroma") / "db" / "hayloft.collection"
"""Lies among Chroma's own files, so that it goes where they go; it names the collection."""


class VectorCheck:
    """Whether the vectors of an index are there, asked as cheaply as can be."""

    def __init__(self, library: Library, writer: CatalogWriter) -> None:
        self._library = library
        self._writer = writer
        self._mark = library.settings.data_dir / _MARK

    def is_due(self, identity: IndexIdentity) -> bool:
        """Whether even a run with nothing to do must ask Chroma; tells by one small file.

        A server of somebody else's keeps its files elsewhere and is always asked.
        """
        if self._library.settings.chroma_url:
            return True
        try:
            return self._mark.read_text("utf-8") != identity.collection
        except (OSError, ValueError):
            return True

    def lost(self, identity: IndexIdentity) -> list[tuple[int, KnownFile]]:
        """Source and last version of each document that lacks vectors; all are there where none.

        The sum of all is compared, in some milliseconds; only where it falls
        short are the vectors looked at one by one.
        """
        collection = identity.collection
        vectors = self._library.vectors
        if vectors.count(collection) >= self._writer.vectors_noted(collection):
            self._note(collection)
            return []
        self._mark.unlink(missing_ok=True)
        stored = set(vectors.ids(collection))
        return [
            (source_id, file)
            for source_id, file, chunks in self._writer.indexed(collection)
            if not stored.issuperset(chunk_ids({file.version_id: chunks}))
        ]

    def _note(self, collection: str) -> None:
        if self._library.settings.chroma_url:
            return
        try:
            self._mark.write_text(collection, "utf-8")
        except OSError as exc:
            raise StorageError(
                f"The folder {self._mark.parent} cannot be written ({exc.strerror}). Free some "
                "space, mend its permissions or set HAYLOFT_DATA_DIR to another one."
            ) from exc

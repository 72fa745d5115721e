"""The pages behind citations, as the catalog has them now."""

from __future__ import annotations

from dataclasses import replace

from app.answers import Citation
from app.quotes import find_quote
from storage.library import Library
from storage.records import Hit


class CitedPages:
    """Reads the pages that answers are proved by."""

    def __init__(self, library: Library) -> None:
        self._library = library

    def everywhere(self, citation: Citation, hit: Hit) -> Citation:
        """The citation with the other places of its passage; with a quote, where that stands."""
        also = []
        for place in hit.also:
            page = self._library.catalog.page(place.document_id, place.page, room=hit.room)
            if page is not None and (not citation.quote or find_quote(citation.quote, page.text)):
                also.append(place)
        return replace(citation, also=tuple(also))

    def text(self, hit: Hit) -> str:
        """The page as the catalog has it now; the passage itself where the page is gone."""
        page = self._library.catalog.page(hit.document_id, hit.page, room=hit.room)
        return page.text if page is not None else hit.text

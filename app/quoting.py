"""Answers without a model: the best-supported sentences of the documents, word for word."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

from app import answer_frames as frames
from app.answers import (
    NO_PROMPT,
    Answer,
    AnswerEvent,
    AnswerReady,
    Citation,
    SourcesFound,
    TextDelta,
    Turn,
)
from app.citations import citation_of
from app.cited_pages import CitedPages
from app.extract_text import compose
from app.extractive import MIN_SUPPORT, Extract, extract
from app.find import Finder
from app.followup import FollowUp, follow_up
from app.quotes import find_quote
from app.reading import Reading, read, searched_for
from app.settings import AppSettings
from storage.library import Library
from storage.records import Hit, Scope

EXTRACTIVE = "extractive"

_EXTRACTIVE_PASSAGES = 12
"""Passages that the extractive answerer chooses its sentences from."""


class Quoter:
    """Answers questions about one library by quoting it."""

    def __init__(
        self, library: Library, finder: Finder, settings: AppSettings, pages: CitedPages
    ) -> None:
        self._library = library
        self._finder = finder
        self._settings = settings
        self._pages = pages

    def answer(
        self, question: str, turns: Sequence[Turn], scope: Scope, started: float, model: str
    ) -> Iterator[AnswerEvent]:
        """An answer in the documents' own sentences.

        `turns` are those that asked something; `model` is who says that nothing was found.
        """
        follow = follow_up(question, turns, how=self._settings.followups)
        limit = _EXTRACTIVE_PASSAGES
        hits = self._finder.search(follow.query, limit=searched_for(limit), scope=scope)
        reading = read(self._library.catalog, hits, limit, self._settings.passage_characters)
        found_s = time.perf_counter() - started
        if hits:
            yield from self._quote(follow, reading, scope, started, found_s)
        else:
            yield from self.nothing(follow, scope, found_s, model)

    def nothing(
        self, asked: FollowUp, scope: Scope, found_s: float, model: str
    ) -> Iterator[AnswerEvent]:
        """That nothing was found, and why where that can be said."""
        text = frames.nothing_found()
        if self._library.catalog.counts().documents == 0 and not scope.room:
            text = frames.empty_library()
        elif not scope.is_everything:
            with self._library.catalog.snapshot() as snapshot:
                within = snapshot.within(scope)
            text = frames.nothing_in_scope() if within and within.versions else frames.empty_scope()
        yield SourcesFound((), "none", model)
        yield TextDelta(text)
        yield AnswerReady(
            Answer(
                question=asked.question,
                searched=asked.searched,
                text=text,
                mode="none",
                model=model,
                citations=(),
                receipt=NO_PROMPT,
                timings={"find": found_s, "total": found_s},
                hits=(),
            )
        )

    def _quote(
        self,
        asked: FollowUp,
        reading: Reading,
        scope: Scope,
        started: float,
        found_s: float,
    ) -> Iterator[AnswerEvent]:
        """The best-supported sentences, word for word."""
        hits = reading.passages
        extracts = extract(asked.query, hits, self._library.embedder, running=reading.running)
        # Only the passages that are quoted are numbered, in order of their use.
        used = tuple(dict.fromkeys(item.hit for item in extracts))
        sources = tuple(hits[index] for index in used)
        yield SourcesFound(sources, EXTRACTIVE if sources else "none", EXTRACTIVE)
        renumbered = [
            self._still_in_context(replace(item, hit=used.index(item.hit)), hits[item.hit])
            for item in extracts
        ]
        nothing = frames.nothing_found() if scope.is_everything else frames.nothing_in_scope()
        text = compose(renumbered, sources) if extracts else nothing
        yield TextDelta(text)
        citations = tuple(self._extract_citation(item, sources[item.hit]) for item in renumbered)
        total_s = time.perf_counter() - started
        yield AnswerReady(
            Answer(
                question=asked.question,
                searched=asked.searched,
                text=text,
                mode=EXTRACTIVE if sources else "none",
                model=EXTRACTIVE,
                citations=citations,
                receipt=NO_PROMPT,
                timings={"find": found_s, "first_token": total_s, "total": total_s},
                hits=sources,
                notice=frames.no_clear_answer() if _only_close(extracts) else "",
            )
        )

    def _extract_citation(self, extract: Extract, hit: Hit) -> Citation:
        """The extract as a citation, checked against the page as any other quote."""
        quote = extract.text
        page = self._pages.text(hit)
        span: tuple[int, int] | None = (extract.char_start, extract.char_end)
        if page[extract.char_start : extract.char_end] != quote:
            # The page has changed since it was searched; the words may have moved.
            span = find_quote(quote, page)
        return self._pages.everywhere(citation_of(hit, extract.hit + 1, quote, span), hit)

    def _still_in_context(self, extract: Extract, hit: Hit) -> Extract:
        """The extract without its neighbours where the page has changed since it was searched."""
        if self._pages.text(hit)[hit.char_start : hit.char_end] == hit.text:
            return extract
        return replace(extract, before=None, after=None)


def _only_close(extracts: Sequence[Extract]) -> bool:
    return bool(extracts) and extracts[0].support < MIN_SUPPORT

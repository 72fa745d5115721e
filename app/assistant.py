"""The assistant: finds passages, lets the model answer from them, proves what it quotes."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace

from app import prompt
from app.answers import (
    Answer,
    AnswerEvent,
    AnswerReady,
    Citation,
    Receipt,
    SourcesFound,
    TextDelta,
    Turn,
)
from app.chat import ChatModel, Usage
from app.citations import citation_of, cite
from app.extractive import MIN_SUPPORT, Extract, compose, extract
from app.find import Finder
from app.followup import FollowUp, follow_up
from app.quotes import find_quote
from app.reading import Reading, read, searched_for
from app.settings import AppSettings
from storage.library import Library
from storage.records import EVERYTHING, Hit, Scope

NOTHING_FOUND = "The documents do not seem to say anything about this."
NOTHING_IN_SCOPE = "The chosen documents do not seem to say anything about this."
EMPTY_SCOPE = "No document meets all the filters. Take one of them away, then ask again."
NO_CLEAR_ANSWER = "No sentence answers this clearly; these come closest."
EMPTY_LIBRARY = "The library is empty. Fill it with `hayloft ingest FOLDER`, then ask again."

EXTRACTIVE = "extractive"

_EXTRACTIVE_PASSAGES = 12
"""Passages that the extractive answerer chooses its sentences from."""

_NO_PROMPT = Receipt(
    window=0,
    trusted_window=0,
    prompt_tokens=0,
    parts={},
    server_prompt_tokens=None,
    cached_tokens=None,
    exact=True,
)


class Assistant:
    """Answers questions about one library, with a chat model or by quoting (model None)."""

    def __init__(
        self, library: Library, finder: Finder, model: ChatModel | None, settings: AppSettings
    ) -> None:
        self._library = library
        self._finder = finder
        self._model = model
        self._settings = settings

    @property
    def model_name(self) -> str:
        """How answers name the model."""
        if self._model is None:
            return EXTRACTIVE
        return f"{self._model.provider} {self._model.name}"

    def ask(
        self, question: str, *, history: Sequence[Turn] = (), scope: Scope = EVERYTHING
    ) -> Iterator[AnswerEvent]:
        """Answer a question: sources first, then text as it comes, the whole answer last.

        Closing the iterator stops the model. Raises UsageError for a question
        that cannot be asked, ServiceUnavailable when Chroma or the model is
        away, also after part of the text.
        """
        started = time.perf_counter()
        limit = self._settings.passages if self._model else _EXTRACTIVE_PASSAGES
        asked = follow_up(
            question,
            history,
            model=self._model,
            how=self._settings.followups,
            reserve=self._settings.reserve,
        )
        hits = self._finder.search(asked.query, limit=searched_for(limit), scope=scope)
        most = self._settings.passage_characters
        reading = read(self._library.catalog, hits, limit, most)
        found_s = time.perf_counter() - started
        if not hits:
            yield from self._nothing(asked, scope, found_s)
        elif self._model is None:
            yield from self._quote(asked, reading, scope, started, found_s)
        else:
            yield from self._write(self._model, asked, reading, history, started, found_s)

    def _nothing(self, asked: FollowUp, scope: Scope, found_s: float) -> Iterator[AnswerEvent]:
        text = NOTHING_FOUND
        if self._library.catalog.counts().documents == 0:
            text = EMPTY_LIBRARY
        elif not scope.is_everything:
            with self._library.catalog.snapshot() as snapshot:
                within = snapshot.within(scope)
            text = NOTHING_IN_SCOPE if within and within.versions else EMPTY_SCOPE
        yield SourcesFound((), "none", self.model_name)
        yield TextDelta(text)
        yield AnswerReady(
            Answer(
                question=asked.question,
                searched=asked.searched,
                text=text,
                mode="none",
                model=self.model_name,
                citations=(),
                receipt=_NO_PROMPT,
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
        yield SourcesFound(sources, EXTRACTIVE if sources else "none", self.model_name)
        renumbered = [
            self._still_in_context(replace(item, hit=used.index(item.hit)), hits[item.hit])
            for item in extracts
        ]
        nothing = NOTHING_FOUND if scope.is_everything else NOTHING_IN_SCOPE
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
                model=self.model_name,
                citations=citations,
                receipt=_NO_PROMPT,
                timings={"find": found_s, "first_token": total_s, "total": total_s},
                hits=sources,
                notice=NO_CLEAR_ANSWER if _only_close(extracts) else "",
            )
        )

    def _write(
        self,
        model: ChatModel,
        asked: FollowUp,
        reading: Reading,
        history: Sequence[Turn],
        started: float,
        found_s: float,
    ) -> Iterator[AnswerEvent]:
        """The model's own words, from as many passages as fit its window."""
        window, reserve = model.window(), self._settings.reserve
        built = prompt.build(
            asked.question,
            reading.passages,
            history,
            room=model.room(reserve),
            count=model.count,
            count_text=model.count_text,
        )
        yield SourcesFound(built.hits, "passages", self.model_name)
        pieces: list[str] = []
        usage = Usage()
        first_s: float | None = None
        with closing(model.stream(built.messages, reserve=reserve)) as stream:  # type: ignore[type-var]
            for item in stream:
                if isinstance(item, Usage):
                    usage = item
                    continue
                if first_s is None:
                    first_s = time.perf_counter() - started
                pieces.append(item)
                yield TextDelta(item)
        text = "".join(pieces)
        timings = {"find": found_s, "total": time.perf_counter() - started}
        if first_s is not None:
            timings["first_token"] = first_s
        told = {"load": usage.load_s, "prompt": usage.prompt_s, "answer": usage.answer_s}
        timings |= {name: seconds for name, seconds in told.items() if seconds is not None}
        yield AnswerReady(
            Answer(
                question=asked.question,
                searched=asked.searched,
                text=text,
                mode="passages",
                model=self.model_name,
                citations=tuple(
                    self._everywhere(citation, built.hits[citation.n - 1])
                    for citation in cite(text, built.hits, self._page_text)
                ),
                receipt=Receipt(
                    window=window,
                    trusted_window=window,
                    prompt_tokens=built.tokens.tokens,
                    parts={**built.parts, "reserve": reserve},
                    server_prompt_tokens=usage.prompt_tokens,
                    cached_tokens=usage.cached_tokens,
                    exact=built.tokens.exact,
                ),
                timings=timings,
                hits=built.hits,
                stop_reason=usage.stop_reason,
                notice=_notice(usage, built.left_out),
            )
        )

    def _extract_citation(self, extract: Extract, hit: Hit) -> Citation:
        """The extract as a citation, checked against the page as any other quote."""
        quote = extract.text
        page = self._page_text(hit)
        span: tuple[int, int] | None = (extract.char_start, extract.char_end)
        if page[extract.char_start : extract.char_end] != quote:
            # The page has changed since it was searched; the words may have moved.
            span = find_quote(quote, page)
        return self._everywhere(citation_of(hit, extract.hit + 1, quote, span), hit)

    def _still_in_context(self, extract: Extract, hit: Hit) -> Extract:
        """The extract without its neighbours where the page has changed since it was searched."""
        if self._page_text(hit)[hit.char_start : hit.char_end] == hit.text:
            return extract
        return replace(extract, before=None, after=None)

    def _everywhere(self, citation: Citation, hit: Hit) -> Citation:
        """The citation with the other places of its passage; with a quote, where that stands."""
        also = []
        for place in hit.also:
            page = self._library.catalog.page(place.document_id, place.page)
            if page is not None and (not citation.quote or find_quote(citation.quote, page.text)):
                also.append(place)
        return replace(citation, also=tuple(also))

    def _page_text(self, hit: Hit) -> str:
        """The page as the catalog has it now; the passage itself where the page is gone."""
        page = self._library.catalog.page(hit.document_id, hit.page)
        return page.text if page is not None else hit.text


def _only_close(extracts: Sequence[Extract]) -> bool:
    return bool(extracts) and extracts[0].support < MIN_SUPPORT


def _notice(usage: Usage, left_out: int) -> str:
    if usage.stop_reason == "length":
        return "The answer was cut at its reserve. Raise HAYLOFT_RESERVE for longer answers."
    if left_out:
        return f"{left_out} more passages were found and did not fit the window."
    return ""

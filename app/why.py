"""Looking for one page in a search: what keeps it out, or where it stands and why not higher."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from app.duplicates import copies_last
from app.explain import Explanation, explained
from app.inquiry import Inquiry
from app.language_names import language_name
from app.phrases import listed, ordinal, page_words, where
from app.standing import (
    EMPTY,
    FILTERED,
    FOUND,
    NO_SUCH_PAGE,
    NO_TEXT,
    NOT_INDEXED,
    OUTRANKED,
    SET_ASIDE,
    UNKNOWN,
    Standing,
    Target,
)
from storage.errors import UsageError
from storage.records import EVERYTHING, DocumentSummary, Failure, Hit, Page, Scope

if TYPE_CHECKING:
    from app.find import Finder, Findings
    from storage.catalog import Snapshot
    from storage.library import Library

_SUGGESTED = 3


@dataclass(frozen=True, slots=True)
class Search:
    """One search with all that it saw."""

    finder: Finder
    query: str
    limit: int
    scope: Scope
    found: Findings | None
    """None in a library that was never filled."""
    ordered: tuple[Hit, ...]
    """All candidates as the search ranks them, those beyond its limit too."""

    @classmethod
    def of(cls, finder: Finder, query: str, *, limit: int, scope: Scope = EVERYTHING) -> Search:
        """Search. Raises as `Finder.search` does."""
        found = finder.findings(query, limit=limit, scope=scope)
        ordered = finder.ordered(found, len(found.ranked)) if found else []
        shown = copies_last(ordered[:limit])
        return cls(finder, query, limit, scope, found, (*shown, *ordered[limit:]))

    @property
    def hits(self) -> list[Hit]:
        """What the search shows."""
        return copies_last(self.ordered[: self.limit])

    def explanation(self) -> Explanation | None:
        """Why the hits stand where they do; None in a library that was never filled."""
        if self.found is None:
            return None
        finder = self.finder
        return explained(self.found, self.hits, reranker=finder.reranker, reranked=finder.reranked)


def why(library: Library, search: Search, target: Target) -> Standing:
    """Why a page is, or is not, among the hits of a search.

    Raises UsageError for a label that no page of the document has, and as a
    search does.
    """
    wanted = unicodedata.normalize("NFC", target.document)
    same = [
        item
        for item in library.catalog.documents()
        if unicodedata.normalize("NFC", item.document) == wanted
    ]
    # Two files may differ in nothing but the form of an accent: the one as written is meant.
    named = [item for item in same if item.document == target.document] or same
    if not named:
        return _not_there(library, target)
    standings = [_of_document(library, search, target, document) for document in named]
    best = min(standings, key=_depth)
    notes = list(best.notes)
    if len(named) > 1:
        notes.append(
            f"{len(named)} documents have this path, below "
            f"{listed([item.source_root for item in named])}; the one that stands highest is shown."
        )
    notes += [
        "The file has changed and could not be read anew; its last good version is searched. "
        f"{_sentence(failure.reason)}"
        for failure in library.catalog.failures()
        if failure.document == target.document and failure.serves_old_version
    ]
    return replace(best, notes=tuple(notes))


def _depth(standing: Standing) -> tuple[float, float]:
    ranks = standing.ranks
    if ranks is None:
        return (float("inf"), float("inf"))
    return (float("inf") if ranks.shown is None else ranks.shown, ranks.fused_deep)


def _not_there(library: Library, target: Target) -> Standing:
    """Why the library has no such document."""
    name = target.document
    answer = partial(Standing, name, None, "")
    for failure in library.catalog.failures():
        if name == failure.document or name.startswith(f"{failure.document}/"):
            return answer(SET_ASIDE, _set_aside(failure, name))
    for root, _ in library.catalog.sources():
        if _is_file_below(root, name):
            return answer(
                NOT_INDEXED,
                f"its file lies in {root}, but it is not in the library: it is newer than the last "
                "ingestion, hidden, or of a type that is not read. `hayloft ingest` takes it in "
                "or says why not.",
            )
    if library.catalog.counts().documents == 0:
        return answer(EMPTY, "the library is empty. Fill it with `hayloft ingest FOLDER`.")
    near = _similar(name, library.catalog.paths())
    meant = f" Did you mean {listed(near, 'or')}?" if near else ""
    return answer(
        UNKNOWN,
        f"no document of the library has this path.{meant} `hayloft status --documents` lists all.",
    )


def _set_aside(failure: Failure, name: str) -> str:
    what = "set aside" if failure.document == name else f"{failure.document} was set aside"
    times = "" if failure.attempts < 2 else f" (tried {failure.attempts} times)"
    return f"{what}{times}. {_sentence(failure.reason)}"


def _of_document(
    library: Library, search: Search, target: Target, document: DocumentSummary
) -> Standing:
    page = _page(library, target, document)
    what = "page" if document.paged else "section"
    if page is None:
        many = f"{document.pages:,} {what}{'' if document.pages == 1 else 's'}"
        return Standing(
            document.document,
            None,
            "",
            NO_SUCH_PAGE,
            f"it has no {what} {target.page}, but {many}.",
        )
    place = page_words(page.number, paged=document.paged, label=page.label, heading=page.heading)
    answer = partial(Standing, document.document, page.number, place)
    with library.catalog.snapshot() as snapshot:
        chunks = snapshot.page_chunks(document.document_id, page.number)
        filters = _filters(snapshot, search.scope, document, chunks)
        if not chunks or search.found is None:
            return answer(NO_TEXT, _without_text(document), notes=document.warnings)
        if not filters:
            within = snapshot.within(search.scope)
            inquiry = Inquiry.begin(
                library, snapshot, search.found, search.ordered, document, chunks, within
            )
            return _ranked(search, inquiry, answer)
    everywhere = Search.of(search.finder, search.query, limit=search.limit)
    return answer(
        FILTERED,
        f"left out by {listed(filters)}.",
        without_filters=_of_document(library, everywhere, target, document),
    )


def _ranked(search: Search, inquiry: Inquiry, answer: Callable[..., Standing]) -> Standing:
    """The standing of a page that can be found."""
    ranks = inquiry.ranks()
    shown = f"the {len(search.hits):,} passages shown"
    if ranks.shown is not None and ranks.shown <= search.limit:
        return answer(FOUND, f"found, {ordinal(ranks.shown)} of {shown}.", ranks=ranks)
    stands = (
        f"it stands {ordinal(ranks.shown)}"
        if ranks.shown is not None
        else f"none of the {ranks.candidates:,} candidates is from it"
    )
    first = "".join(f"; first stands {where(hit)}" for hit in search.hits[:1])
    return answer(
        OUTRANKED,
        f"not among {shown}: {stands}{first}.",
        ranks=ranks,
        causes=tuple(inquiry.causes(ranks, search.limit, search.finder.reranker)),
    )


def _page(library: Library, target: Target, document: DocumentSummary) -> Page | None:
    """The page that is meant; None where its number is none of the document's."""
    if target.number is not None:
        return library.catalog.page(document.document_id, target.number)
    for page in library.catalog.pages(document.document_id):
        if page.label and page.label == target.page:
            return page
    what = "page" if document.paged else "section"
    raise UsageError(
        f"{document.document} has no {what} called {target.page!r}. Its {what}s count from 1 to "
        f"{document.pages:,}: write --why {document.document}:1."
    )


def _without_text(document: DocumentSummary) -> str:
    if document.chunks == 0:
        return "the document holds no text at all, so there is nothing to find."
    if document.paged:
        return "the page holds no text, so there is nothing to find: it is blank, or an image."
    return "the section holds no text, so there is nothing to find."


def _filters(
    snapshot: Snapshot, scope: Scope, document: DocumentSummary, chunks: Sequence[str]
) -> list[str]:
    """The filters that leave a page out, each with what its document is instead."""
    if scope.is_everything or not chunks:
        return []
    language = language_name(document.language) if document.language else "not sure"
    dated = f"it is dated {document.dated}" if document.dated else "it has no date"
    tags = f"its tags are {listed(document.tags)}" if document.tags else "it has no tags"
    alone: Mapping[str, tuple[Scope, str]] = {
        f"--document {listed(scope.documents, 'or')}": (Scope(documents=scope.documents), ""),
        f"--type {listed(scope.kinds, 'or')}": (
            Scope(kinds=scope.kinds),
            f"its type is {document.kind}",
        ),
        f"--language {listed(scope.languages, 'or')}": (
            Scope(languages=scope.languages),
            f"its language is {language}",
        ),
        f"--tag {listed(scope.tags, 'or')}": (Scope(tags=scope.tags), tags),
        f"--since {scope.since}": (Scope(since=scope.since), dated),
        f"--until {scope.until}": (Scope(until=scope.until), dated),
    }
    found = []
    for name, (one, fact) in alone.items():
        within = snapshot.within(one)
        if within is not None and not within.holds(chunks[0]):
            found.append(f"{name} ({fact})" if fact else name)
    return found


def _similar(name: str, paths: Sequence[str]) -> list[str]:
    """Paths that may have been meant."""
    last = name.rsplit("/", 1)[-1].casefold()
    same_file = [path for path in paths if path.rsplit("/", 1)[-1].casefold() == last]
    return (same_file or difflib.get_close_matches(name, paths, _SUGGESTED))[:_SUGGESTED]


def _is_file_below(root: str, name: str) -> bool:
    if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
        return False
    try:
        return (Path(root) / name).is_file()
    except (OSError, ValueError):
        return False


def _sentence(reason: str) -> str:
    return reason if reason.endswith((".", "!", "?")) else f"{reason}."

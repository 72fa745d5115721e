"""From what a full read found to an answer: passages, a second search, and the words."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from app import prompt
from app.answers import AnswerEvent, Citation, Turn
from app.chat import ChatModel
from app.find import Finder
from app.followup import FollowUp
from app.ledger import Ledger
from app.modes import Planner
from app.plans import READ_ALL
from app.read_inventory import Inventory, Key, passage_at
from app.read_parts import Slice
from app.reading import Reading, read
from app.settings import AppSettings
from app.wording import retold, t, tn
from app.writing import Task, write
from storage.catalog import Catalog
from storage.errors import ServiceUnavailable
from storage.library import Library
from storage.records import Hit, Scope

log = logging.getLogger(__name__)

Write = Callable[[FollowUp, Reading], Iterator[AnswerEvent]]
"""Lets the model answer from passages: sources, text, and last the answer."""

_MOST_SENTENCES = 400
"""Found sentences that an answer is made from, at most; a window of 32,768 holds no more."""

_SENTENCES_SEARCHED = 8
_DEPTH = 10
"""Hits of each search that count for the order."""

_RANK_OFFSET = 60
"""Of reciprocal rank fusion, as its authors chose it."""


@dataclass(frozen=True, slots=True)
class Told:
    """What an answer hangs on beside its question."""

    history: tuple[Turn, ...]
    scope: Scope


def searched_again(
    finder: Finder,
    asked: FollowUp,
    questions: Sequence[str],
    sentences: Sequence[str],
    scope: Scope,
) -> list[Hit]:
    """What searches for the question, its parts and the found sentences bring, fused.

    Where the search index does not answer, nothing: the pages that were read
    are enough for an answer.
    """
    scores: dict[str, float] = {}
    hits: dict[str, Hit] = {}
    telling = sorted(sentences, key=len, reverse=True)[:_SENTENCES_SEARCHED]
    for query in dict.fromkeys([asked.query, *questions, *telling]):
        try:
            found = finder.search(query, limit=_DEPTH, scope=scope)
        except ServiceUnavailable as error:
            log.warning("no second search: %s", type(error).__name__)
            return []
        for rank, hit in enumerate(found, start=1):
            hits.setdefault(hit.chunk_id, hit)
            scores[hit.chunk_id] = scores.get(hit.chunk_id, 0.0) + 1 / (_RANK_OFFSET + rank)
    return sorted(hits.values(), key=lambda hit: (-scores[hit.chunk_id], hit.chunk_id))


def passages_of(
    catalog: Catalog,
    inventory: Inventory,
    found: Sequence[Slice],
    searched: Sequence[Hit],
    *,
    least: int,
    most_characters: int,
) -> Reading:
    """The passages to answer from: the found sentences with the text around them, best page first.

    Pages come in the order of the second search, the others in their own. Where
    fewer than `least` pages have something, the best of the search follow.
    """
    order: dict[Key, None] = {}
    by_page: dict[Key, list[Slice]] = {}
    for where in found:
        by_page.setdefault((where.version_id, where.page), []).append(where)
    for hit in searched:
        if (hit.version_id, hit.page) in by_page:
            order[(hit.version_id, hit.page)] = None
    place = {document.version_id: n for n, document in enumerate(inventory.documents)}
    order |= dict.fromkeys(sorted(by_page, key=lambda key: (place[key[0]], key[1])))
    with catalog.snapshot() as snapshot:
        pages = snapshot.pages(order)
    hits = [
        passage_at(inventory.by_version[key[0]], pages[key], where)
        for key in order
        if key in pages
        for where in by_page[key]
    ]
    others = [hit for hit in searched if (hit.version_id, hit.page) not in by_page]
    hits = [*hits[:_MOST_SENTENCES], *others[: max(0, least - len(by_page))]]
    ranked = [replace(hit, rank=rank) for rank, hit in enumerate(hits, start=1)]
    return read(catalog, ranked, len(ranked), most_characters)


def written(library: Library, model: ChatModel, settings: AppSettings, told: Told) -> Write:
    """A writer for who has none: the prompt of a conversation with these passages at its end."""

    def answer(asked: FollowUp, reading: Reading) -> Iterator[AnswerEvent]:
        began = time.perf_counter()
        planner = Planner(library, settings)
        planner.note_reading(model)
        now = planner.situation(asked.question, told.history, told.scope, model)
        built = prompt.build(
            asked.question,
            reading.passages,
            told.history,
            room=now.budget.room,
            count=model.count,
            count_text=model.count_text,
        )
        option = planner.built_option(now, READ_ALL, built)
        plan = planner.plan([option], READ_ALL, told.scope)
        task = Task(asked, now, built, READ_ALL, plan, began, 0.0)
        yield from write(task, planner, partial(_page_text, library.catalog), _as_it_is)

    return answer


def sentences_at(catalog: Catalog, found: Sequence[Slice]) -> list[str]:
    """The found sentences, each once, page after page."""
    with catalog.snapshot() as snapshot:
        pages = snapshot.pages((where.version_id, where.page) for where in found)
    texts = [
        " ".join(pages[(w.version_id, w.page)].text[w.start : w.end].split())
        for w in found
        if (w.version_id, w.page) in pages
    ]
    return list(dict.fromkeys(filter(None, texts)))


def nothing_found(ledger: Ledger) -> str:
    """What is said where no page had anything: only here, and only as far as it was read."""
    aside = _beside(ledger)
    if not ledger.pages:
        return t("No page could be read, so nothing can be said about this.") + aside
    if ledger.complete and not aside:
        return tn(
            ledger.pages,
            "It is nowhere in the documents: the page was read, and nothing there answers this.",
            "It is nowhere in the documents: all {n} pages were read, and nothing there answers "
            "this.",
        )
    if ledger.complete:
        said = tn(
            ledger.pages,
            "It is nowhere in what can be read of the documents: the page with text was read, and "
            "nothing there answers this.",
            "It is nowhere in what can be read of the documents: all {n} pages with text were "
            "read, and nothing there answers this.",
        )
        return said + aside
    said = tn(
        ledger.pages,
        "Nothing was found in the {read} of {n} page that were read; the documents may still hold "
        "it.",
        "Nothing was found in the {read} of {n} pages that were read; the documents may still hold "
        "it.",
        read=f"{ledger.read:,}",
    )
    return f"{said} {not_read(ledger)}{aside}"


def not_read(ledger: Ledger) -> str:
    """Which pages were not read and why; empty where all were."""
    if ledger.complete:
        return ""
    because = f" ({'; '.join(retold(why).rstrip('.。') for why in ledger.unread_because)})"
    return t(
        "Not read: {pages}. Ask the same question again to have only these read.",
        pages=ledger.named("unread") + (because if ledger.unread_because else ""),
    )


def notices(ledger: Ledger, answer_notice: str, *, left_out: int = 0) -> str:
    """What the user should know beside an answer."""
    said = [answer_notice, not_read(ledger)]
    if ledger.incomplete:
        said.append(
            t("There may be more than the model copied out of {pages}.", pages=ledger.incomplete)
        )
    if left_out:
        said.append(
            tn(
                left_out,
                "{n} more sentence was found and not used.",
                "{n} more sentences were found and not used.",
            )
        )
    if beside := _beside(ledger).strip():
        said.append(beside)
    return " ".join(filter(None, said))


def _beside(ledger: Ledger) -> str:
    """What holds no text, named."""
    said = ""
    if ledger.unreadable:
        said += " " + tn(
            ledger.unreadable,
            "{n} page without readable text (scans) could not be looked at: {pages}.",
            "{n} pages without readable text (scans) could not be looked at: {pages}.",
            pages=ledger.named("unreadable"),
        )
    if ledger.set_aside:
        said += " " + t(
            "Not in the library, since they could not be read: {files}.",
            files=ledger.named_set_aside(),
        )
    return said


def _page_text(catalog: Catalog, hit: Hit) -> str:
    page = catalog.page(hit.document_id, hit.page, room=hit.room)
    return page.text if page is not None else hit.text


def _as_it_is(citation: Citation, hit: Hit) -> Citation:
    return citation

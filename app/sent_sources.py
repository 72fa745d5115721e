"""What stands above an answer before its first word: what the model was given to read.

Passages are buttons, as below a finished answer. Documents that stand whole in the prompt are a
line each, with a button that opens them where they begin: hundreds of pages would be hundreds of
buttons, and the marks in the answer open the right one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from app.answers import ReadingProgress, numbers_of
from app.plans import DOCUMENTS
from app.rendering import count_of, name_of, short_place, sources_html, text_html
from app.snapshots import Snapshot
from app.wording import t
from storage.records import Hit

_LINES = 8
"""Documents that are named at once; the others wait behind "more"."""


def sent_html(now: Snapshot) -> str:
    """What the model reads for an answer that grows; empty as long as that is not known."""
    if now.hits is None:
        return reading_html(now.progress) if now.progress is not None else ""
    hits = dict(zip(numbers_of(now.hits, now.numbers), now.hits, strict=True))
    beside = dict(zip(now.beside_numbers, now.beside, strict=True))
    if now.mode == DOCUMENTS:
        return _group(_head(t("Sent whole"), [*beside.values(), *hits.values()]) + _tokens(now),
                      _lines({**beside, **hits}, now.turn_id))  # fmt: skip
    above = sources_html(now.hits, now.turn_id, None, now.numbers, sent=_tokens(now))
    if beside:
        head = _head(t("Still in the prompt"), beside.values())
        above += _group(head + ("" if above else _tokens(now)), _lines(beside, now.turn_id))
    return above


def reading_html(progress: ReadingProgress) -> str:
    """That every page is read, and what there is to read."""
    if not progress.documents:
        return ""
    what = t(
        "Every page is read: {pages} of {documents}",
        pages=count_of(progress.pages, "page"),
        documents=count_of(progress.documents, "document"),
    )
    if progress.tokens:
        what += f", {count_of(progress.tokens, 'token')}"
    return _group(text_html(what), "")


def _group(head: str, lines: str) -> str:
    return (
        f'<div class="hl-sources" role="group" aria-label="{t("Sources")}">'
        f'<div class="hl-small">{head}</div>{lines}</div>'
    )


def _head(word: str, hits: Iterable[Hit]) -> str:
    """`Sent whole: 2 documents, 26 pages`."""
    given = list(hits)
    documents = count_of(len({hit.document_id for hit in given}), "document")
    return text_html(f"{word}: {documents}, {_extent(given)}")


def _tokens(now: Snapshot) -> str:
    """What the whole prompt takes; nothing where no model reads one."""
    option = now.plan.option(now.mode) if now.plan else None
    if option is None or not option.tokens:
        return ""
    told = t("prompt of {tokens}", tokens=count_of(option.tokens, "token"))
    if 0 < option.new_tokens < option.tokens:
        told += t(", {n} of them new", n=f"{option.new_tokens:,}")
    return text_html(f" · {told}")


def _lines(given: Mapping[int, Hit], turn: int) -> str:
    documents: dict[int, dict[int, Hit]] = {}
    for number in sorted(given):
        documents.setdefault(given[number].document_id, {})[number] = given[number]
    lines = [_line(pages, turn) for pages in documents.values()]
    rest = "".join(lines[_LINES:])
    more = (
        f'<details class="hl-more"><summary>'
        f"{count_of(len(lines) - _LINES, 'more document')}</summary>{rest}</details>"
        if rest
        else ""
    )
    return "".join(lines[:_LINES]) + more


def _line(pages: Mapping[int, Hit], turn: int) -> str:
    """A document, and a button that opens what of it was sent first."""
    number, first = next(iter(pages.items()))
    name, extent = text_html(name_of(first)), text_html(_extent(list(pages.values())))
    if len(pages) == 1:
        extent = text_html(short_place(first))
    span = str(number) if len(pages) == 1 else f"{number}–{max(pages)}"
    return (
        f'<div class="hl-source"><bdi class="hl-name" title="{text_html(first.document)}">{name}'
        f'</bdi><button type="button" class="hl-chip hl-open" data-cite="{turn}:{number}" '
        f'aria-label="{t("Source {n}", n=span)}: {name}, {extent}">'
        f'<span class="hl-n">{span}</span><bdi class="hl-place">{extent}</bdi></button></div>'
    )


def _extent(hits: list[Hit]) -> str:
    """`26 pages`; of documents without pages, sections."""
    whole = {(hit.document_id, hit.page) for hit in hits}
    if all(hit.paged for hit in hits):
        return count_of(len(whole), "page")
    return count_of(len(whole), "section")

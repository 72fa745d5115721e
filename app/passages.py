"""From what was found to what is read: small chunks widened to the text they stand in.

A chunk is small so that its vector says one thing. A reader wants the section,
the table or the page around it, and not the same page three times.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property

from app.page_layout import (
    body_of,
    header_of,
    last_start,
    paragraph_starts,
    runs_on,
    tables,
)
from app.sentences import Span, sentences
from storage.flags import suspect_spans
from storage.records import Found, Hit, Page

CLOSE = 200
"""Characters. What is found on one page with less than this between is one passage."""

_NEIGHBOUR_SHARE = 1 / 4
"""Of the longest passage: how much is taken of a page that a passage runs into."""

Key = tuple[int, int]
"""Version and page number."""


class _Layout:
    """Where a page's text may be cut."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tables = tables(text)
        self.paragraphs = paragraph_starts(text, self.tables)

    @cached_property
    def sentences(self) -> list[int]:
        """Where sentences begin; asked for only where a paragraph is too long."""
        return [span.start for span in sentences(self.text)]


def widen(
    hits: Sequence[Hit],
    pages: Mapping[Key, Page],
    most: int,
    running: Mapping[Key, Sequence[Span]] | None = None,
) -> list[Hit]:
    """The passages around the hits, in the order of their best hits.

    A page or section of at most `most` characters is one passage. Of a longer
    one, what was found grows to the paragraphs and tables around it, up to
    `most` characters; what was found is never cut. Where the text runs over the
    break of a page, the beginning of the next page (or the end of the one
    before) is a passage of its own, right behind, marked `beside`: a citation
    must name the right page.

    Each passage is a slice of its page. `pages` are those of the hits and
    their neighbours; a hit that its page does not bear out stays as it is.
    With `most` 0 all of them do.
    """
    running = running or {}
    groups: dict[Key, list[Hit]] = {}
    passages: list[tuple[Hit, list[Hit]]] = []
    for hit in hits:
        key = (hit.version_id, hit.page)
        page = pages.get(key)
        if most and page and hit.text and page.text[hit.char_start : hit.char_end] == hit.text:
            groups.setdefault(key, []).append(hit)
        else:
            passages.append((hit, []))
    for key, group in groups.items():
        passages += [
            (passage, _neighbours(passage, pages[key], pages, most, running))
            for passage in _on_page(group, pages[key], most)
        ]
    passages.sort(key=lambda entry: entry[0].rank)
    return _with_neighbours(passages)


def narrow(passage: Hit) -> list[Hit]:
    """A widened passage as the chunks that were found in it; nothing for a neighbour."""
    if passage.beside:
        return []
    if not passage.found:
        return [passage]
    offset = passage.char_start
    inside = tables(passage.text)
    chunks = []
    for start, end in _joined([chunk[:2] for chunk in passage.found], gap=0):
        header = header_of(passage.text, inside, start - offset)
        if header and suspect_spans(passage.flags, offset + header.start, offset + header.end):
            header = None
        lead = passage.text[header.start : header.end] if header else ""
        chunks.append(
            replace(
                passage,
                text=passage.text[start - offset : end - offset],
                char_start=start,
                char_end=end,
                found=(),
                lead=passage.lead if start == offset else lead,
            )
        )
    return chunks


def _on_page(group: Sequence[Hit], page: Page, most: int) -> list[Hit]:
    """The passages of one page."""
    body = body_of(page.text, ())
    whole = Span(
        min(body.start, *(hit.char_start for hit in group)),
        max(body.end, *(hit.char_end for hit in group)),
    )
    if whole.end - whole.start <= most:
        return [_passage(group, page, whole, "")]
    layout = _Layout(page.text)
    near = _joined([(hit.char_start, hit.char_end) for hit in group], gap=CLOSE)
    grown = _joined([_grown(layout, Span(*span), most) for span in near], gap=0)
    passages = []
    for start, end in grown:
        inside = [hit for hit in group if start <= hit.char_start and hit.char_end <= end]
        header = header_of(page.text, layout.tables, start)
        if header and suspect_spans(page.flags, header.start, header.end):
            header = None
        lead = page.text[header.start : header.end] if header else ""
        passages.append(_passage(inside, page, Span(start, end), lead))
    return passages


def _passage(group: Sequence[Hit], page: Page, span: Span, lead: str) -> Hit:
    """One passage of a page, with what was found in it."""
    best = min(group, key=lambda hit: hit.rank)
    return replace(
        best,
        text=page.text[span.start : span.end],
        char_start=span.start,
        char_end=span.end,
        found=tuple(sorted(Found(hit.char_start, hit.char_end, hit.rank) for hit in group)),
        lead=lead,
    )


def _grown(layout: _Layout, span: Span, most: int) -> Span:
    """A span grown as evenly as the page allows, to the best boundaries in reach."""
    text, (start, end) = layout.text, span
    room = max(0, most - (end - start))
    earliest = max(0, start - room // 2)
    latest = min(len(text), end + room - (start - earliest))
    earliest = max(0, start - (room - (latest - end)))
    first = _first_between(layout.paragraphs, earliest, start)
    if first is None:
        first = _first_between(layout.sentences, earliest, start)
    first = start if first is None else first
    last = _last_between(layout.paragraphs, end, latest)
    if latest == len(text):
        last = latest
    if last is None:
        last = _last_between(layout.sentences, end, latest)
    last = end if last is None else last
    first, last = _outside_headers(layout, span, first, last, most)
    while first < start and text[first].isspace():
        first += 1
    while last > end and text[last - 1].isspace():
        last -= 1
    return Span(first, last)


def _outside_headers(
    layout: _Layout, span: Span, first: int, last: int, most: int
) -> tuple[int, int]:
    """Edges that part no table's header from its rows."""
    for table in layout.tables:
        if table.start < first < table.end:
            if table.end <= span.start:
                # The rest of a table above what was found: it answers nothing by itself.
                first = table.end
            elif first <= table.body or last - table.start <= most + most // 4:
                first = table.start
        if table.start < last <= table.body:
            if span.end <= table.start:
                last = table.start
            else:
                row = layout.text.find("\n", table.body, table.end)
                last = row if row > 0 else table.end
    return first, last


def _first_between(places: Sequence[int], low: int, high: int) -> int | None:
    at = bisect_left(places, low)
    return places[at] if at < len(places) and places[at] <= high else None


def _last_between(places: Sequence[int], low: int, high: int) -> int | None:
    at = bisect_left(places, high + 1) - 1
    return places[at] if at >= 0 and places[at] >= low else None


def _joined(spans: Iterable[tuple[int, int]], *, gap: int) -> list[tuple[int, int]]:
    """The spans in order, those that overlap or lie within `gap` of each other made one."""
    joined: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1] + gap:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def _neighbours(
    passage: Hit,
    page: Page,
    pages: Mapping[Key, Page],
    most: int,
    running: Mapping[Key, Sequence[Span]],
) -> list[Hit]:
    """What the pages before and after add to a passage that runs over their breaks."""
    if not passage.paged:
        return []
    version = passage.version_id
    body = body_of(page.text, running.get((version, page.number), ()))
    here = page.text[body.start : body.end]
    length = int(most * _NEIGHBOUR_SHARE)
    found: list[Hit] = []
    first, last = passage.found[0].start, max(chunk.end for chunk in passage.found)
    for number, reached in (
        (page.number - 1, first <= body.start + CLOSE and passage.char_start <= body.start),
        (page.number + 1, last >= body.end - CLOSE and passage.char_end >= body.end),
    ):
        other = pages.get((version, number))
        if not reached or other is None:
            continue
        away = body_of(other.text, running.get((version, number), ()))
        there = other.text[away.start : away.end]
        if number < page.number:
            span = _tail(there, length) if runs_on(there, here) else None
        else:
            span = _start(there, length) if runs_on(here, there) else None
        if span is not None:
            start, end = away.start + span.start, away.start + span.end
            found.append(
                replace(
                    passage,
                    page=number,
                    page_label=other.label,
                    heading=other.heading,
                    text=other.text[start:end],
                    char_start=start,
                    char_end=end,
                    found=(),
                    lead="",
                    beside=True,
                    dense_rank=None,
                    lexical_rank=None,
                    flags=other.flags,
                )
            )
    return found


def _start(text: str, length: int) -> Span | None:
    """The first paragraph or table of a text, as much of it as `length` characters hold."""
    layout = _Layout(text)
    own = layout.tables[0].end if layout.tables and layout.tables[0].start == 0 else None
    end = own or next((place for place in layout.paragraphs if place > 0), len(text))
    if end > length:
        end = last_start(layout.sentences, length)
    end = len(text[:end].rstrip())
    return Span(0, end) if end else None


def _tail(text: str, length: int) -> Span | None:
    """The last paragraph of a text, or the header of its last table."""
    layout = _Layout(text)
    if layout.tables and layout.tables[-1].end >= len(text):
        table = layout.tables[-1]
        if len(text) - table.start <= length:
            return Span(table.start, len(text))
        header = header_of(text, layout.tables, table.body)
        return header if header and header.end - header.start <= length else None
    start = last_start(layout.paragraphs, len(text) - 1)
    if len(text) - start > length:
        start = next((at for at in layout.sentences if at >= len(text) - length), len(text))
    return Span(start, len(text)) if start < len(text) else None


def _with_neighbours(passages: Sequence[tuple[Hit, list[Hit]]]) -> list[Hit]:
    """Passages, each followed by its neighbours; what is there already is not taken twice."""
    taken: dict[Key, list[tuple[int, int]]] = {}
    for passage, _ in passages:
        taken.setdefault((passage.version_id, passage.page), []).append(
            (passage.char_start, passage.char_end)
        )
    found: list[Hit] = []
    for passage, neighbours in passages:
        found.append(passage)
        for neighbour in neighbours:
            there = taken.setdefault((neighbour.version_id, neighbour.page), [])
            span = (neighbour.char_start, neighbour.char_end)
            if any(start < span[1] and span[0] < end for start, end in there):
                continue
            there.append(span)
            found.append(neighbour)
    return found

"""The make-up of a page's text: tables and their headers, paragraphs, running lines.

All of it is told from the shape of the lines, since a page's text is all that
the formats have in common. Offsets are code points, `end` exclusive.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from app.sentences import Span, is_row

_MOST_HEADER_ROWS = 3
_MOST_CAPTION_LINES = 3
_MOST_WRAPPED_LINES = 2
"""Lines without figures between two rows of a table: a label on several lines, a subhead."""

_SHORT_LINE = 100
_HEADER_LENGTH = 500
"""Characters. A longer header is taken for no header."""

_EDGE_LINES = 3
"""Running lines are looked for among so many lines at the top and at the bottom of a page."""

_EDGE_LENGTH = 600
"""Characters that are looked at for them."""

_LEAST_PAGES = 3
_LEAST_SHARE = 1 / 3
"""Left and right pages may have lines of their own, and a chapter's begin in mid-sample."""

_ENDS = ".!?…:;。！？；।؟۔"
_CLOSES = "\"'”’»)]」』）】"
_LIST_MARK = re.compile(r"\s*(?:[-*+•◦▪‣·]\s|#{1,6}\s|\(?(?:\d{1,3}|[a-zA-Z])[.)]\s|[①-⑳])")
_RULE = re.compile(r"[\s|:+=–—-]+")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


class Table(NamedTuple):
    """A table in a page's text: caption and header first, then its rows."""

    start: int
    body: int
    """Where the first row below the header begins; `start` where there is no header."""
    end: int


class _Line(NamedTuple):
    start: int
    end: int
    text: str
    """Without outer space."""


class Edge(NamedTuple):
    """The first and the last lines of a page, from the edge inwards, each with its signatures."""

    top: tuple[tuple[_Line, tuple[str, ...]], ...]
    bottom: tuple[tuple[_Line, tuple[str, ...]], ...]


def tables(text: str) -> list[Table]:
    """The tables of a page, in order; two rows at least."""
    lines = list(_lines(text))
    rows = [bool(line.text) and is_row(line.text) for line in lines]
    found: list[Table] = []
    at, free = 0, 0
    while at < len(lines):
        if not rows[at]:
            at += 1
            continue
        last = _last_row(lines, rows, at)
        if sum(rows[at : last + 1]) >= 2:
            found.append(_table(lines, rows, at, last, free))
            free = last + 1
        at = last + 1
    return found


def _last_row(lines: Sequence[_Line], rows: Sequence[bool], first: int) -> int:
    last = at = first
    while at + 1 < len(lines):
        at += 1
        if rows[at]:
            last = at
        elif at - last > _MOST_WRAPPED_LINES or not _is_label(lines[at].text):
            break
    return last


def _is_label(line: str) -> bool:
    """Whether a line could be a label or a caption: it is short, and no sentence ends in it."""
    return bool(line) and len(line) <= _SHORT_LINE and line[-1] not in ".!?;。！？；"


def _table(lines: Sequence[_Line], rows: Sequence[bool], first: int, last: int, free: int) -> Table:
    """The table from row `first` to row `last`; the lines before `free` are taken."""
    top = first
    while (
        top > max(free, first - _MOST_CAPTION_LINES)
        and _is_label(lines[top - 1].text)
        and not _LIST_MARK.match(lines[top - 1].text)
    ):
        top -= 1
    body = first
    if lines[first].text.startswith("|"):
        body = first + 1
        while body <= last and _RULE.fullmatch(lines[body].text):
            body += 1
    else:
        while body <= min(last, first + _MOST_HEADER_ROWS - 1) and _is_header(lines[body].text):
            body += 1
        if body > last or not any(map(str.isdigit, lines[body].text)):
            # A table of words: its second row looks no different from the first.
            body = first + 1
    start = lines[top].start
    start_of_body = lines[body].start if body <= last else lines[last].end
    if start_of_body - start > _HEADER_LENGTH:
        start = start_of_body = lines[first].start
    return Table(start, start_of_body, lines[last].end)


def _is_header(row: str) -> bool:
    """Whether a row names columns: it holds no figures, or years and days of the month."""
    figures = _NUMBER.findall(row)
    years = [figure for figure in figures if re.fullmatch(r"(?:19|20)\d\d", figure)]
    small = all(figure in years or (figure.isdigit() and int(figure) <= 31) for figure in figures)
    return not figures or (bool(years) and small)


def header_of(text: str, found: Sequence[Table], place: int) -> Span | None:
    """The header of the table in whose rows a place lies; None where there is none."""
    for table in found:
        if table.body <= place < table.end and table.body > table.start:
            end = table.start + len(text[table.start : table.body].rstrip())
            return Span(table.start, end)
    return None


def paragraph_starts(text: str, found: Sequence[Table]) -> list[int]:
    """Where something new begins: paragraphs, headings, list items, tables; 0 among them.

    Text of a PDF has no blank lines. There a line that ends where a sentence
    does is taken for the last one of its paragraph.
    """
    starts = {0}
    before = ""
    for line in _lines(text):
        if line.text and (not before or _ends_sentence(before) or _LIST_MARK.match(line.text)):
            starts.add(line.start)
        before = line.text
    inside = [(table.start, table.end) for table in found]
    starts = {place for place in starts if not any(a < place < b for a, b in inside)}
    starts |= {table.start for table in found} | {table.end for table in found}
    return sorted(place for place in starts if place <= len(text))


def edge_of(number: int, text: str) -> Edge:
    """The lines of a page that could be running headers and footers."""
    return Edge(
        tuple((line, _signatures(line.text, number)) for line in _top_lines(text)),
        tuple((line, _signatures(line.text, number)) for line in _bottom_lines(text)),
    )


def running_spans(number: int, edges: Mapping[int, Edge]) -> list[Span]:
    """The running headers and footers of a page: lines that its neighbours share.

    `edges` are those of the same document by page number, this page's among
    them; at most one span at the top and one at the bottom. A line counts where
    it stands, from the edge inwards, at the edge of a third of the pages given:
    of three at least, or of two where there are no more or where a number in
    it grows with the page.
    """
    seen: Counter[str] = Counter()
    for edge in edges.values():
        seen.update({key for lines in edge for _, keys in lines for key in keys})
    pages = sum(bool(edge.top or edge.bottom) for edge in edges.values())
    spans: list[Span] = []
    for lines in edges.get(number, Edge((), ())):
        running: list[_Line] = []
        for line, (as_it_stands, *with_number) in lines:
            # A number that grows with the page is proof in itself: two pages are enough.
            same, growing = seen[as_it_stands], max((seen[key] for key in with_number), default=0)
            often = growing >= 2 or same >= min(_LEAST_PAGES, max(2, pages))
            if not often or max(same, growing) < _LEAST_SHARE * pages:
                break
            running.append(line)
        if running:
            first, last = sorted((running[0], running[-1]))
            spans.append(Span(first.start, last.end))
    return spans


def body_of(text: str, running: Sequence[Span]) -> Span:
    """The page between its running header and its running footer, without outer space."""
    start, end = 0, len(text)
    while True:
        while start < end and text[start].isspace():
            start += 1
        while end > start and text[end - 1].isspace():
            end -= 1
        top = next((span for span in running if span.start <= start < span.end), None)
        bottom = next((span for span in running if span.start < end <= span.end), None)
        if start == end or (top is None and bottom is None):
            return Span(start, end)
        start = min(max(start, top.end if top else 0), end)
        end = max(min(end, bottom.start if bottom else end), start)


def runs_on(page: str, following: str) -> bool:
    """Whether a page's text evidently goes on in the next one's; both without running lines."""
    last = page.rstrip().rpartition("\n")[2].strip()
    first = following.lstrip().partition("\n")[0].strip()
    if not last or not first:
        return False
    if is_row(last) and is_row(first):
        return not _is_header(first) and not first.startswith("|")
    if _ends_sentence(last) or is_row(last) or is_row(first):
        return False
    return first[0].islower() or last[-1] in ",，、" or (last[-1] == "-" and first[0].isalpha())


def last_start(starts: Sequence[int], place: int) -> int:
    """The last of the ascending places that is not after another; 0 where none is."""
    at = bisect_right(starts, place)
    return starts[at - 1] if at else 0


def _ends_sentence(line: str) -> bool:
    return line.rstrip(_CLOSES)[-1:] in tuple(_ENDS)


def _lines(text: str) -> Iterator[_Line]:
    start = 0
    for line in text.split("\n"):
        end = start + len(line)
        yield _Line(start, min(end + 1, len(text)), line.strip())
        start = end + 1


def _top_lines(text: str) -> list[_Line]:
    found: list[_Line] = []
    start = 0
    while start < min(len(text), _EDGE_LENGTH) and len(found) < _EDGE_LINES:
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        if not _took(found, text, start, end):
            break
        start = end + 1
    return found


def _bottom_lines(text: str) -> list[_Line]:
    """The last lines, from the bottom up."""
    found: list[_Line] = []
    end = len(text)
    while end > max(0, len(text) - _EDGE_LENGTH) and len(found) < _EDGE_LINES:
        start = text.rfind("\n", 0, end) + 1
        if not _took(found, text, start, end):
            break
        end = start - 1
    return found


def _took(found: list[_Line], text: str, start: int, end: int) -> bool:
    """Add a line that is not blank; False for a long one, which no running line is."""
    bare = text[start:end].strip()
    if len(bare) > _SHORT_LINE:
        return False
    if bare:
        first = start + text[start:end].index(bare)
        found.append(_Line(first, first + len(bare), bare))
    return True


def _signatures(line: str, page: int) -> tuple[str, ...]:
    """A line as it stands, and with its first or last number counted from the page's."""
    plain = " ".join(line.casefold().split())
    found = [plain]
    numbers = list(re.finditer(r"\d{1,5}", plain))
    for match in {*numbers[:1], *numbers[-1:]}:
        from_page = int(match[0]) - page
        found.append(f"{plain[: match.start()]}\x00{from_page}\x00{plain[match.end() :]}")
    return tuple(found)

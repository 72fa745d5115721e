"""The page behind a citation: its text as HTML, the passage shaded, the quotes marked."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from app.answers import Citation, Near
from app.page_boxes import PageBoxes
from app.place_words import unit_words
from app.quotes import PageIndex
from app.rendering import text_html
from app.support import NEAR, OPEN, UNPROVED, VERIFIED, state_of
from app.wording import t
from storage.records import Found, Hit


class Span(NamedTuple):
    """A stretch of a text, in code points; `end` is exclusive."""

    start: int
    end: int


class PageView(NamedTuple):
    """A page's text with its highlights, as HTML, and how much of it was left out."""

    html: str
    left_out: int
    """Characters of the page that are not shown, because the page is very long."""


def find_passage(page_text: str, hit: Hit) -> list[Span]:
    """Where what was found of a passage stands in its page now, in order.

    Empty where the page has changed under the passage.
    """
    start = hit.char_start
    if page_text[start : hit.char_end] != hit.text:
        start = page_text.find(hit.text) if hit.text else -1
        if start < 0:
            return []
    moved = start - hit.char_start
    found = hit.found or (Found(hit.char_start, hit.char_end, hit.rank),)
    return [Span(chunk.start + moved, chunk.end + moved) for chunk in found]


def find_quote(page_text: str, citation: Citation) -> Span | None:
    """Where a verified quote stands in its page now."""
    if not citation.verified or not citation.quote:
        return None
    found = PageIndex(page_text).find(citation.quote, start=citation.char_start or 0)
    return Span(*found) if found else None


def page_html(
    page_text: str,
    passage: Sequence[Span],
    quotes: Sequence[Span],
    *,
    near: Sequence[Span] = (),
    limit: int = 12_000,
) -> PageView:
    """A page's text with the parts of the passage shaded and the quotes marked.

    `near` is what stands there instead of a quote that does not.

    Of a page longer than `limit` characters, the part around the first of them.
    """
    focus = next(iter([*quotes, *near, *passage]), Span(0, 0))
    first, last = 0, len(page_text)
    if len(page_text) > limit:
        first = max(0, min(focus.start - limit // 2, len(page_text) - limit))
        last = first + limit
    cuts = {first, last}
    for span in (*quotes, *near, *passage):
        cuts.update(min(max(edge, first), last) for edge in span)
    edges = sorted(cuts)
    pieces: list[str] = []
    for start, end in pairwise(edges):
        piece = text_html(page_text[start:end])
        if any(quote.start <= start and end <= quote.end for quote in quotes):
            piece = f'<mark class="hl-quote">{piece}</mark>'
        elif any(part.start <= start and end <= part.end for part in near):
            piece = f'<mark class="hl-nearby">{piece}</mark>'
        elif any(part.start <= start and end <= part.end for part in passage):
            piece = f'<span class="hl-passage">{piece}</span>'
        pieces.append(piece)
    gap = '<span class="hl-small"> […] </span>'
    body = (gap if first else "") + "".join(pieces) + (gap if last < len(page_text) else "")
    label = text_html(t("Page text"))
    html = (
        f'<div class="hl-page" dir="auto" tabindex="0" role="region" aria-label="{label}">{body}'
        "</div>"
    )
    return PageView(html, len(page_text) - (last - first))


def find_near(page_text: str, citation: Citation) -> Span | None:
    """Where what the page says instead of a quote stands in its page now."""
    if citation.near is None:
        return None
    found = PageIndex(page_text).find(citation.near.text, start=citation.near.char_start)
    return Span(*found) if found else None


def quote_html(citation: Citation, noun: str = "page") -> str:
    """One quote of an answer with the verdict on it; `noun` is `page`, `slide` or `section`."""
    state = state_of(citation)
    verdict = text_html(_verdict(state, unit_words(noun)))
    parts = [f'<span class="hl-verdict hl-{state}">{verdict}</span>']
    if citation.near is not None:
        parts.append(_compared_html(citation.quote, citation.near, noun))
    elif citation.quote:
        parts.append(f'<q dir="auto">{text_html(citation.quote)}</q>')
    if citation.figures:
        told = t(
            "Nowhere on the cited {noun}: {figures}",
            noun=unit_words(noun),
            figures=", ".join(citation.figures),
        )
        parts.append(f'<div class="hl-small hl-warn">{text_html(told)}</div>')
    return f'<div class="hl-quoted">{"".join(parts)}</div>'


def picture_html(png: bytes, boxes: PageBoxes, kinds: Sequence[str], number: int) -> str:
    """A drawn page with a mark over each rectangle; `kinds` are `passage`, `quote` or `nearby`, one
    a span.

    The picture stands in the HTML itself: nothing is fetched.
    """
    marks = "".join(
        f'<span class="hl-box hl-box-{kind}" style="left:{box.left / boxes.width:.3%};'
        f"top:{box.top / boxes.height:.3%};width:{(box.right - box.left) / boxes.width:.3%};"
        f'height:{(box.bottom - box.top) / boxes.height:.3%}"></span>'
        for found, kind in zip(boxes.boxes, kinds, strict=True)
        for box in found
    )
    image = base64.b64encode(png).decode("ascii")
    name = text_html(t("Page {n}", n=number))
    size = f'width="{boxes.width:.0f}" height="{boxes.height:.0f}"'
    label = text_html(t("Picture of the page"))
    return (
        f'<div class="hl-page hl-picture" tabindex="0" role="region" aria-label="{label}">'
        f'<div class="hl-canvas">{_zoom_html()}<div class="hl-sheet"><img alt="{name}" {size} '
        f'src="data:image/png;base64,{image}">{marks}</div></div></div>'
    )


def _zoom_html() -> str:
    steps = (("out", t("Smaller"), "−"), ("in", t("Larger"), "+"))
    buttons = "".join(
        f'<button type="button" class="hl-act" data-zoom="{to}" aria-label="{text_html(name)}" '
        f'title="{text_html(name)}">{sign}</button>'
        for to, name, sign in steps
    )
    return f'<div class="hl-zoom">{buttons}</div>'


def _verdict(state: str, noun: str) -> str:
    return {
        VERIFIED: t("✓ Verified: these words stand on this {noun}", noun=noun),
        NEAR: t("≈ Not quite: this {noun} says something slightly different", noun=noun),
        UNPROVED: t("? Not verified: these words are not on this {noun}", noun=noun),
        OPEN: t("The answer points here without quoting anything"),
    }[state]


def _compared_html(quote: str, near: Near, noun: str) -> str:
    """Quote and page one above the other, the words in which they differ struck out and set in."""
    rows = (
        (t("The answer"), quote, [item.quoted for item in near.differences], "del"),
        (
            t("The {noun}", noun=unit_words(noun)),
            near.text,
            [item.page for item in near.differences],
            "ins",
        ),
    )
    return "".join(
        f'<div class="hl-compared"><span class="hl-small">{who}</span>'
        f'<q dir="auto">{_marked(text, words, tag)}</q></div>'
        for who, text, words, tag in rows
    )


def _marked(text: str, words: Sequence[str], tag: str) -> str:
    """The text as HTML with each of the words marked once, in the order given."""
    parts, cursor = [], 0
    for word in words:
        place = text.find(word, cursor) if word else -1
        if place < 0:
            continue
        parts.append(text_html(text[cursor:place]))
        parts.append(f'<{tag} class="hl-differs">{text_html(word)}</{tag}>')
        cursor = place + len(word)
    return "".join([*parts, text_html(text[cursor:])])

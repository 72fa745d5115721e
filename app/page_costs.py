"""The most tokens that a page takes in a prompt, from the count that is stored of it.

A page stands in a prompt between a line that begins its passage and one that
ends it. Qwen2 cuts text into words before it merges bytes, and no word reaches
over a line's end into the next line's text, but for more line ends: so the
page's own tokens are as stored, except at its first and last word, where the
marker lines touch it. A changed character, such as a control token made
harmless, can change the word it stands in and no other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from app.chat import ChatModel
from app.prompt import Cost, CountText
from app.prompt_text import PASSAGE_END, SUSPECT_MARKS, changes, passage_head, passage_text
from storage.catalog import Catalog
from storage.flags import suspect_spans
from storage.records import Hit

SEAM = 2
"""Tokens that a word may cost more where a line of markers or a mark touches it."""
SPELLED = 16
"""A control token that is made harmless was one token and becomes its letters, 14 bytes at most."""


def page_costs(catalog: Catalog, model: ChatModel, pages: Iterable[Hit]) -> Cost:
    """What each passage costs at most, the whole pages of `pages` by their stored counts.

    Pages that are not counted in the model's vocabulary, and passages that are
    no whole pages, are counted now.
    """
    pages = list(pages)
    vocabulary = vocabulary_of(model)
    stored: dict[tuple[int, int], int] = {}
    if vocabulary:
        with catalog.snapshot() as snapshot:
            stored = snapshot.page_tokens(vocabulary, {page.version_id for page in pages})
    whole = {page.chunk_id: stored.get((page.version_id, page.page)) for page in pages}
    return cost_of(whole, model.count_text)


def cost_of(stored: dict[str, int | None], count_text: CountText) -> Cost:
    """The cost of passages, from the tokens that are stored of some, by chunk id."""

    heads: dict[str, int] = {}
    end = count_text(PASSAGE_END).tokens + 2 * SEAM
    marks = sum(count_text(mark).tokens for mark in SUSPECT_MARKS) + 4 * SEAM

    def head(hit: Hit) -> int:
        label = hit.page_label or str(hit.page)
        if not (hit.paged and label.isascii() and label.isdigit()):
            return count_text(passage_head(0, hit)).tokens
        if hit.title not in heads:
            # The pages of a document differ in their number only, and a digit is a token.
            first = replace(hit, page=1, page_label="")
            heads[hit.title] = count_text(passage_head(0, first)).tokens
        return heads[hit.title] + len(label)

    def cost(hit: Hit, n: int) -> int:
        tokens = stored.get(hit.chunk_id)
        if tokens is None or hit.lead or hit.also:
            return count_text(passage_text(n, hit)).tokens + 1
        marked = len(suspect_spans(hit.flags, hit.char_start, hit.char_end))
        changed = changes(hit.text) * (SPELLED + 2 * SEAM) + marked * marks
        return tokens + head(hit) + len(str(n)) + end + changed

    return cost


def vocabulary_of(model: ChatModel) -> str:
    """The fingerprint under which counts in the model's own vocabulary are stored; '' for none."""
    counter: Callable[[], object] | None = getattr(model, "token_counter", None)
    found = getattr(counter(), "vocabulary", "") if counter is not None else ""
    return found if isinstance(found, str) else ""

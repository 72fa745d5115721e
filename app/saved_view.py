"""What the page of saved answers shows: how each stands, what changed, how two answers differ."""

from __future__ import annotations

from collections.abc import Sequence

from app.answer_difference import Piece, SourceChanges
from app.expiry import CHANGED, CURRENT, GONE, UNREAD, Change, State, Verdict
from app.place_words import place_words
from app.rendering import answer_html, notice_html, text_html
from app.saved_answers import Kept, Source
from app.wording import retold, t, tn

CHANGES_SHOWN = 6
_BADGES: dict[State, str] = {CURRENT: "ok", UNREAD: "warn", CHANGED: "error", GONE: "error"}

STYLE = """
<style>
.hl-badge-ok { background: var(--hl-green-soft); color: var(--hl-green);
  border-color: color-mix(in srgb, var(--hl-green) 40%, transparent); }
.hl-saved-question { font-weight: 650; overflow-wrap: anywhere; white-space: pre-wrap; }
.hl-changes { margin: 0.35rem 0 0; padding-left: 1.2rem; font-size: 0.88rem;
  overflow-wrap: anywhere; }
.hl-changes li { margin: 0.1rem 0; }
.hl-diff { white-space: pre-wrap; overflow-wrap: anywhere; line-height: 1.65;
  border: 1px solid var(--hl-line); border-radius: 0.5rem; padding: 0.7rem 0.9rem;
  background: light-dark(#fffefb, #1d1a15); }
.hl-diff ins { background: var(--hl-green-soft); color: var(--hl-green);
  text-decoration: underline; text-underline-offset: 0.15em; }
.hl-diff del + ins { margin-left: 0.2em; }
.hl-diff del { background: var(--hl-rust-soft); color: var(--hl-rust); }
.hl-kept > summary { cursor: pointer; font-size: 0.85rem; color: var(--hl-muted);
  padding: 0.25rem 0; }
.hl-kept > summary:focus-visible { outline: 2px solid var(--hl-straw); outline-offset: 2px; }
</style>
"""


def state_words(state: State) -> str:
    """How an answer stands, in a word or two."""
    return {
        CURRENT: t("Current"),
        UNREAD: t("Could not be read lately"),
        CHANGED: t("A page changed"),
        GONE: t("A document is gone"),
    }[state]


def state_html(state: State) -> str:
    """How an answer stands, as a badge."""
    return (
        f'<span class="hl-badge hl-badge-{_BADGES[state]}">{text_html(state_words(state))}</span>'
    )


def change_words(change: Change) -> str:
    """One change as a sentence; the document's name is untrusted."""
    place = place_words(change.place) or t("page {n}", n=change.page)
    if change.reason and change.state == CHANGED:
        return t("{document} is new among what was searched", document=change.document)
    if change.state == UNREAD:
        return t(
            "{document} could not be read lately, so nobody knows whether it has changed: {reason}",
            document=change.document,
            reason=retold(change.reason),
        )
    if change.page == 0:
        return t("{document} is no longer in the library", document=change.document)
    if change.state == GONE:
        return t("{document}, {place}: no longer there", document=change.document, place=place)
    return t("{document}, {place}: says something else now", document=change.document, place=place)


def changes_html(verdict: Verdict) -> str:
    """What changed under an answer; nothing where nothing did."""
    parts = [_list_html(verdict.changes)] if verdict.changes else []
    if verdict.beside:
        told = tn(
            len(verdict.beside),
            "One page changed that was read for it and is not cited; the answer stands.",
            "{n} pages changed that were read for it and are not cited; the answer stands.",
        )
        parts.append(f'<div class="hl-small">{text_html(told)}</div>')
    return "".join(parts)


def _list_html(changes: Sequence[Change]) -> str:
    rows = [f"<li>{text_html(change_words(change))}</li>" for change in changes[:CHANGES_SHOWN]]
    more = len(changes) - CHANGES_SHOWN
    if more > 0:
        rows.append(f"<li>{text_html(tn(more, 'and one more', 'and {n} more'))}</li>")
    return f'<ul class="hl-changes">{"".join(rows)}</ul>'


def kept_html(kept: Kept, *, opened: bool = False) -> str:
    """An answer with its sources, to open and close."""
    # Without passages behind them the numbers of its sources are text, not buttons.
    body = answer_html(kept.text, 0, (), {})
    notice = notice_html("info", t("Note"), kept.notice) if kept.notice else ""
    return (
        f'<details class="hl-kept"{" open" if opened else ""}><summary>{text_html(t("Answer"))}'
        f'</summary><div class="hl-answer">{body}</div>{notice}{sources_html(kept.sources)}'
        "</details>"
    )


def sources_html(sources: Sequence[Source]) -> str:
    """The places that an answer cites, a line each."""
    if not sources:
        return ""
    rows = "".join(f"<li><bdi>{_source_html(source)}</bdi></li>" for source in sources)
    return (
        f'<div class="hl-small">{text_html(t("Sources"))}</div><ul class="hl-changes">{rows}</ul>'
    )


def _source_html(source: Source) -> str:
    quote = f" “{text_html(source.quote)}”" if source.quote else ""
    verdict = ""
    if source.quote:
        verdict = f" ({text_html(t('verified') if source.verified else t('not verified'))})"
    return f"[{source.n}] {text_html(named(source))}{quote}{verdict}"


def named(source: Source) -> str:
    """Where a source stands: `Staff handbook, page 12`."""
    return f"{source.title or source.document}, {place_words(source.place)}"


def difference_html(pieces: Sequence[Piece]) -> str:
    """The old answer turned into the new one: what went is struck out, what came is underlined."""
    tags = {"same": "span", "removed": "del", "added": "ins"}
    body = "".join(
        f"<{tags[piece.kind]}>{text_html(piece.text)}</{tags[piece.kind]}>" for piece in pieces
    )
    return f'<div class="hl-diff" dir="auto">{body}</div>'


def source_changes_html(changes: SourceChanges) -> str:
    """Which places are cited no longer, and which ones newly."""
    rows = [
        f"<li><{tag}>{text_html(named(source))}</{tag}></li>"
        for tag, sources in (("del", changes.removed), ("ins", changes.added))
        for source in sources
    ]
    if not rows:
        return f'<div class="hl-small">{text_html(t("Both cite the same pages."))}</div>'
    kept = len(changes.kept)
    if kept:
        both = tn(kept, "One page is cited by both.", "{n} pages are cited by both.")
        rows.append(f"<li>{text_html(both)}</li>")
    head = text_html(t("Sources that went and came"))
    return f'<div class="hl-small">{head}</div><ul class="hl-changes hl-diff">{"".join(rows)}</ul>'

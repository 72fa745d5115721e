"""What the chat page shows, made from values: escaped text in, HTML out.

Everything that comes from documents, models or users is untrusted. It reaches
the page in two ways only: through `label` as the text of a Streamlit widget,
or through the functions here that return HTML, which escape whatever they are
given. Answers may use Markdown for their structure (lists, tables, emphasis,
code); links, images and HTML in them stay text, so that no answer can make
the browser fetch an address.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from app.answers import Citation, Receipt
from app.quotes import PageIndex
from storage.records import Hit

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

VERIFIED = "verified"
UNPROVED = "unproved"
OPEN = "open"
"""Not checked: the answer is not complete, or the model gave no quote."""

_MARKS = {VERIFIED: "✓", UNPROVED: "?", OPEN: ""}
_MARK_WORDS = {
    VERIFIED: "quote verified",
    UNPROVED: "quote not found on the page",
    OPEN: "not checked",
}
_CITATION = re.compile(r"\[(\d{1,3}(?:\s*[,;]\s*\d{1,3})*)\]|【(\d{1,3})】")
_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")
# Controls, and the marks that turn the direction of a line: a file name could
# use them to show another ending than it has.
_INVISIBLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_AGES = (
    (31_536_000, "year"),
    (2_592_000, "month"),
    (86_400, "day"),
    (3600, "hour"),
    (60, "minute"),
)
_CHIPS = 12
"""Sources shown at once; the others wait behind "more"."""


class Span(NamedTuple):
    """A stretch of a text, in code points; `end` is exclusive."""

    start: int
    end: int


class PageView(NamedTuple):
    """A page's text with its highlights, as HTML, and how much of it was left out."""

    html: str
    left_out: int
    """Characters of the page that are not shown, because the page is very long."""


@dataclass(frozen=True, slots=True)
class Segment:
    """One part of the receipt's bar."""

    name: str
    tokens: int
    share: float
    """Of the window, 0 to 1."""


# --- text ---------------------------------------------------------------------------------------


def plain(text: str) -> str:
    """The text without characters that a reader cannot see."""
    return _INVISIBLE.sub("\N{REPLACEMENT CHARACTER}", text)


def label(text: str, *, limit: int = 200) -> str:
    """Untrusted text as the label of a Streamlit widget: one line, no Markdown."""
    line = " ".join(plain(text).split())
    if len(line) > limit:
        line = line[: limit - 1].rstrip() + "…"
    return _PUNCTUATION.sub(r"\\\1", line)


def text_html(text: str) -> str:
    """Untrusted text as HTML, its line breaks kept by the style sheet."""
    return escape(plain(text))


def conversation_title(question: str, *, limit: int = 60) -> str:
    """A conversation's first name: its first question, cut at a word."""
    line = " ".join(plain(question).split())
    if len(line) <= limit:
        return line or "Untitled"
    cut = line.rfind(" ", limit // 2, limit)
    return line[: cut if cut > 0 else limit - 1].rstrip(" ,;:.–-") + "…"


def count_of(number: int, noun: str, plural: str = "") -> str:
    """`1 document`, `2,310 documents`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def age(seconds: float) -> str:
    """How long ago, for people: `just now`, `3 minutes ago`, `2 days ago`."""
    if seconds < 60:
        return "just now"
    size, unit = next(step for step in _AGES if seconds >= step[0])
    return f"{count_of(int(seconds // size), unit)} ago"


def name_of(hit: Hit) -> str:
    """What a reader calls the document: its title, else its file name."""
    return hit.title or hit.document.rsplit("/", 1)[-1]


# --- answers ------------------------------------------------------------------------------------


def proofs(citations: Iterable[Citation]) -> dict[int, str]:
    """Per passage number: verified where one of its quotes is, unproved where none is."""
    found: dict[int, str] = {}
    for citation in citations:
        state = VERIFIED if citation.verified else UNPROVED if citation.quote else OPEN
        best = found.get(citation.n)
        if best is None or state == VERIFIED or (state == UNPROVED and best == OPEN):
            found[citation.n] = state
    return found


def answer_html(text: str, turn: int, passages: int, states: Mapping[int, str]) -> str:
    """An answer as HTML: `[n]` becomes a button that opens passage n of the turn.

    Numbers without a passage stay text. `states` comes from `proofs`.
    """
    return _markdown_html(plain(text), turn, passages, tuple(sorted(states.items())))


def streaming_html(text: str, turn: int, passages: int) -> str:
    """An answer that still grows, drawn many times a second.

    Finished blocks are rendered once and remembered: the whole answer each
    time costs about 4 ms per 1,000 characters.
    """
    done, growing = _blocks(plain(text))
    caret = '<span class="hl-caret" aria-hidden="true"></span>'
    return "".join(_block_html(block, turn, passages) for block in done) + (
        _markdown_html(growing, turn, passages, ()) + caret
    )


def _blocks(text: str) -> tuple[list[str], str]:
    """The finished blocks and the growing one; a blank line inside a code fence ends none."""
    done: list[str] = []
    start = 0
    for blank in re.finditer(r"\n[ \t]*\n+", text):
        piece = text[start : blank.end()]
        if len(re.findall(r"^ {0,3}(?:```|~~~)", piece, re.MULTILINE)) % 2 == 0:
            done.append(piece)
            start = blank.end()
    return done, text[start:]


@lru_cache(maxsize=512)
def _block_html(block: str, turn: int, passages: int) -> str:
    return _markdown_html(block, turn, passages, ())


def _markdown_html(text: str, turn: int, passages: int, states: tuple[tuple[int, str], ...]) -> str:
    parser = _parser()
    env = {"turn": turn, "states": dict(states)}
    tokens = parser.parse(text, env)
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            # The page has its own headings; an answer's begin below them.
            token.tag = f"h{min(int(token.tag[1]) + 3, 6)}"
        if token.children:
            token.children = [
                piece for child in token.children for piece in _with_citations(child, passages)
            ]
    return str(parser.renderer.render(tokens, parser.options, env))


def _with_citations(token: Token, passages: int) -> list[Token]:
    from markdown_it.token import Token

    if token.type != "text":
        return [token]
    pieces: list[Token] = []
    position = 0
    for match in _CITATION.finditer(token.content):
        numbers = [int(digits) for digits in re.findall(r"\d+", match[0])]
        if not all(1 <= number <= passages for number in numbers):
            continue
        pieces.append(Token("text", "", 0, content=token.content[position : match.start()]))
        pieces.extend(Token("citation", "", 0, meta={"n": number}) for number in numbers)
        position = match.end()
    pieces.append(Token("text", "", 0, content=token.content[position:]))
    return pieces


@lru_cache(maxsize=1)
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": False, "breaks": True, "linkify": False})
    parser.enable(["table", "strikethrough"])
    parser.disable(["link", "image", "autolink", "reference", "html_inline", "html_block"])
    parser.add_render_rule("citation", _citation_html)
    return parser


def _citation_html(
    _renderer: object,
    tokens: Sequence[Token],
    index: int,
    _options: object,
    env: Mapping[str, object],
) -> str:
    number = int(tokens[index].meta["n"])
    states = env["states"]
    state = states.get(number, OPEN) if isinstance(states, dict) else OPEN
    return (
        f'<button type="button" class="hl-cite hl-{state}" data-cite="{env["turn"]}:{number}" '
        f'aria-label="Source {number}, {_MARK_WORDS[state]}" title="{_MARK_WORDS[state]}">'
        f"{number}{_MARKS[state]}</button>"
    )


# --- sources ------------------------------------------------------------------------------------


def sources_html(hits: Sequence[Hit], turn: int, states: Mapping[int, str] | None = None) -> str:
    """The passages of an answer as a row of buttons; cited ones stand out once it is known."""
    if not hits:
        return ""
    documents = len({hit.document for hit in hits})
    head = f"{count_of(len(hits), 'passage')} from {count_of(documents, 'document')}"
    chips = [_chip(hit, number, turn, states) for number, hit in enumerate(hits, 1)]
    shown, rest = chips[:_CHIPS], chips[_CHIPS:]
    more = (
        f'<details class="hl-more"><summary>{count_of(len(rest), "more passage")}</summary>'
        f'<div class="hl-chips">{"".join(rest)}</div></details>'
        if rest
        else ""
    )
    return (
        f'<div class="hl-sources" role="group" aria-label="Sources"><div class="hl-small">{head}'
        f'</div><div class="hl-chips">{"".join(shown)}</div>{more}</div>'
    )


def _chip(hit: Hit, number: int, turn: int, states: Mapping[int, str] | None) -> str:
    state = (states or {}).get(number, OPEN)
    cited = states is None or number in states
    words = _MARK_WORDS[state] if state != OPEN else "" if cited else "read, not cited"
    name, place = text_html(name_of(hit)), text_html(hit.place)
    mark = f'<span class="hl-mark">{_MARKS[state]}</span>' if _MARKS[state] else ""
    return (
        f'<button type="button" class="hl-chip hl-{state}{"" if cited else " hl-uncited"}" '
        f'data-cite="{turn}:{number}" title="{text_html(hit.document)}" '
        f'aria-label="Source {number}: {name}, {place}{", " + words if words else ""}">'
        f'<span class="hl-n">{number}</span><bdi class="hl-name">{name}</bdi>'
        f'<bdi class="hl-place">{place}</bdi>{mark}</button>'
    )


# --- the receipt --------------------------------------------------------------------------------

_PARTS = ("rules", "documents", "history", "question", "template", "reserve", "free")
_PART_WORDS = {
    "rules": "Rules",
    "documents": "Documents",
    "history": "Earlier turns",
    "question": "Question",
    "template": "Chat template",
    "reserve": "Kept for the answer",
    "free": "Free",
}


def receipt_segments(receipt: Receipt) -> list[Segment]:
    """The parts of the window in reading order, the free rest last; empty where none was used."""
    if receipt.window <= 0:
        return []
    parts = {**receipt.parts}
    used = receipt.prompt_tokens + parts.get("reserve", 0)
    parts["free"] = max(0, receipt.window - used)
    whole = max(receipt.window, used)
    names = [*_PARTS, *(name for name in parts if name not in _PARTS)]
    return [
        Segment(name, parts[name], parts[name] / whole) for name in names if parts.get(name, 0) > 0
    ]


def receipt_html(receipt: Receipt) -> str:
    """The receipt: a bar of the window's parts that opens into a table of numbers."""
    segments = receipt_segments(receipt)
    if not segments:
        return (
            '<div class="hl-receipt hl-noread">No model read anything for this answer: '
            "its sentences are quoted from the documents word for word.</div>"
        )
    bar = "".join(
        f'<span class="hl-part hl-part-{_class(segment.name)}" '
        f'style="flex-grow:{max(segment.share, 0.004):.4f}" '
        f'title="{text_html(_words(segment.name))}: {count_of(segment.tokens, "token")}"></span>'
        for segment in segments
    )
    rows = "".join(
        f'<tr><td><span class="hl-dot hl-part-{_class(segment.name)}"></span>'
        f"{text_html(_words(segment.name))}</td><td>{segment.tokens:,}</td>"
        f"<td>{segment.share:.1%}</td></tr>"
        for segment in segments
    )
    how = "counted exactly" if receipt.exact else "estimated on the high side"
    return (
        '<details class="hl-receipt"><summary>'
        f'<span class="hl-bar" role="img" aria-label="{text_html(_bar_words(segments))}">'
        f"{bar}</span>"
        f'<span class="hl-sum">{receipt.prompt_tokens:,} of {receipt.window:,} tokens</span>'
        f'</summary><table class="hl-table"><tbody>{rows}</tbody></table>'
        f'<div class="hl-small">Sent: {count_of(receipt.prompt_tokens, "token")}, {how}. '
        f"{_evaluated(receipt)} {_trusted(receipt)}</div></details>"
    )


def _evaluated(receipt: Receipt) -> str:
    evaluated = receipt.server_prompt_tokens
    if evaluated is None:
        return "The server did not say how many it evaluated."
    cached = f", {receipt.cached_tokens:,} of them from its cache" if receipt.cached_tokens else ""
    sentence = f"Evaluated by the server: {evaluated:,}{cached}."
    if receipt.exact and evaluated != receipt.prompt_tokens:
        gap = abs(evaluated - receipt.prompt_tokens)
        return f'<b class="hl-warn">{sentence} The two differ by {count_of(gap, "token")}.</b>'
    return sentence


def _trusted(receipt: Receipt) -> str:
    if 0 < receipt.trusted_window < receipt.window:
        return (
            f"Of the window of {receipt.window:,}, Hayloft trusts {receipt.trusted_window:,}, "
            "as measured on this machine."
        )
    return ""


def _words(part: str) -> str:
    return _PART_WORDS.get(part, part.replace("_", " ").capitalize())


def _class(part: str) -> str:
    return part if part in _PARTS else "other"


def _bar_words(segments: Sequence[Segment]) -> str:
    return "; ".join(f"{_words(segment.name)} {segment.tokens:,}" for segment in segments)


# --- pages --------------------------------------------------------------------------------------


def find_passage(page_text: str, hit: Hit) -> Span | None:
    """Where a passage stands in its page now; None where the page has changed under it."""
    if page_text[hit.char_start : hit.char_end] == hit.text:
        return Span(hit.char_start, hit.char_end)
    start = page_text.find(hit.text) if hit.text else -1
    return Span(start, start + len(hit.text)) if start >= 0 else None


def find_quote(page_text: str, citation: Citation) -> Span | None:
    """Where a verified quote stands in its page now."""
    if not citation.verified or not citation.quote:
        return None
    found = PageIndex(page_text).find(citation.quote, start=citation.char_start or 0)
    return Span(*found) if found else None


def page_html(
    page_text: str, passage: Span | None, quotes: Sequence[Span], *, limit: int = 12_000
) -> PageView:
    """A page's text with the passage shaded and the quotes marked.

    Of a page longer than `limit` characters, the part around the passage.
    """
    focus = quotes[0] if quotes else passage or Span(0, 0)
    first, last = 0, len(page_text)
    if len(page_text) > limit:
        first = max(0, min(focus.start - limit // 2, len(page_text) - limit))
        last = first + limit
    cuts = {first, last}
    for span in (*quotes, *((passage,) if passage else ())):
        cuts.update(min(max(edge, first), last) for edge in span)
    edges = sorted(cuts)
    pieces: list[str] = []
    for start, end in pairwise(edges):
        piece = text_html(page_text[start:end])
        if any(quote.start <= start and end <= quote.end for quote in quotes):
            piece = f'<mark class="hl-quote">{piece}</mark>'
        elif passage and passage.start <= start and end <= passage.end:
            piece = f'<span class="hl-passage">{piece}</span>'
        pieces.append(piece)
    gap = '<span class="hl-small"> […] </span>'
    body = (gap if first else "") + "".join(pieces) + (gap if last < len(page_text) else "")
    html = f'<div class="hl-page" tabindex="0" role="region" aria-label="Page text">{body}</div>'
    return PageView(html, len(page_text) - (last - first))


def quote_html(citation: Citation) -> str:
    """One quote of an answer with the verdict on it."""
    if citation.verified:
        verdict = '<span class="hl-verdict hl-verified">✓ Verified: it stands on this page</span>'
    elif citation.quote:
        verdict = (
            '<span class="hl-verdict hl-unproved">? Not verified: these words are not on '
            "this page</span>"
        )
    else:
        verdict = (
            '<span class="hl-verdict hl-open">The answer points here without quoting anything'
            "</span>"
        )
    words = f"<q>{text_html(citation.quote)}</q>" if citation.quote else ""
    return f'<div class="hl-quoted">{verdict}{words}</div>'


# --- notices ------------------------------------------------------------------------------------


def notice_html(kind: str, title: str, sentence: str = "", command: str = "") -> str:
    """A boxed state of the page; `kind` is `info`, `warn` or `error`. All parts are escaped."""
    role = "alert" if kind == "error" else "status"
    body = f"<div>{text_html(sentence)}</div>" if sentence else ""
    code = f"<pre><code>{text_html(command)}</code></pre>" if command else ""
    return (
        f'<div class="hl-notice hl-{kind}" role="{role}"><strong>{text_html(title)}</strong>'
        f"{body}{code}</div>"
    )

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
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from html import escape
from typing import TYPE_CHECKING

from app import code_blocks, formulas
from app.answers import Citation, numbers_of
from app.place_words import place_words
from app.proving import Proved, blocks_of
from app.support import NEAR, OPEN, UNPROVED, VERIFIED, state_of, support_of
from app.wording import language, pattern_of, retold, t, tn
from storage.records import Hit, Place
from storage.sound_text import is_blank

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

_MARKS = {VERIFIED: "✓", NEAR: "≈", UNPROVED: "?", OPEN: ""}
_BEST_FIRST = (VERIFIED, NEAR, UNPROVED, OPEN)
# Private-use characters that carry, through the Markdown parser, what is known
# of the mark before them or of the sentence that ends there. None of an
# answer's own gets in: see `plain`.
_STATE_SIGNS = {VERIFIED: "\uf8f0", NEAR: "\uf8f1", UNPROVED: "\uf8f2", OPEN: "\uf8f3"}
_STATES = {sign: state for state, sign in _STATE_SIGNS.items()}
_BARE_SIGN = "\uf8f4"
_SIGNS = re.compile("[\uf8f0-\uf8f4]")
_CODE = re.compile(r"`([^`\n]{1,200})`")
_CITATION = re.compile(
    r"(?:\[\d{1,6}(?:\s*[,;]\s*\d{1,6})*\]|【\d{1,6}】)(?P<states>[\uf8f0-\uf8f3]*)|\uf8f4"
)
# What http://, https://, www. and addresses of mail are told by, as `label` leaves them.
_ADDRESS = re.compile(
    r"(?<=http)(?=s?\\:)|(?<=https)(?=\\:)|(?<=www)(?=\\\.)|(?=\\@)", re.IGNORECASE
)
_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")
# Controls, and the marks that turn the direction of a line: a file name could
# use them to show another ending than it has.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\uf8f0-\uf8f4]"
)
_AGES = (
    (31_536_000, "year"),
    (2_592_000, "month"),
    (86_400, "day"),
    (3600, "hour"),
    (60, "minute"),
)
_CHIPS = 12
"""Sources shown at once; the others wait behind "more"."""
_PIECE = 3000
"""Characters of a growing answer's finished blocks that are drawn as one piece, about."""


_PLACES = 2
"""Other places of the same words that are named at once."""


def _mark_words(state: str) -> str:
    """What a mark's colour and sign say."""
    return {
        VERIFIED: t("quote verified"),
        NEAR: t("the page says something slightly different"),
        UNPROVED: t("quote not found on the page"),
        OPEN: t("not checked"),
    }[state]


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


def heading(text: str, *, limit: int = 200) -> str:
    """Untrusted text as the title of a dialog, where an address would become a link.

    A joiner that takes no room stands inside each, since backslashes do not stop that. The text
    of a progress bar is made the same way.
    """
    return _ADDRESS.sub("\N{WORD JOINER}", label(text, limit=limit))


def text_html(text: str) -> str:
    """Untrusted text as HTML, its line breaks kept by the style sheet."""
    return escape(plain(text))


def t_html(sentence: str, /, **values: object) -> str:
    """A sentence in the reader's language as HTML, each value in a direction of its own.

    A name in Arabic or Hebrew would otherwise take the signs and figures beside it along.
    """
    said = {name: f"<bdi>{text_html(str(value))}</bdi>" for name, value in values.items()}
    return text_html(pattern_of(sentence)).format(**said)


def sentence_html(text: str) -> str:
    """A sentence for people as HTML, in the reader's language where it is one of Hayloft's own.

    What stands between backticks is shown as code.
    """
    said = retold(text).replace("。 ", "。")  # between sentences of two calls
    return _CODE.sub(r"<code>\1</code>", text_html(said))


def conversation_title(question: str, *, limit: int = 60) -> str:
    """A conversation's first name: its first question, cut at a word."""
    line = " ".join(plain(question).split())
    if is_blank(line):
        return t("Untitled")
    if len(line) <= limit:
        return line
    cut = line.rfind(" ", limit // 2, limit)
    return line[: cut if cut > 0 else limit - 1].rstrip(" ,;:.–-") + "…"


def count_of(number: int, noun: str, plural: str = "") -> str:
    """`1 document`, `2,310 documents`."""
    return tn(number, f"{{n}} {noun}", f"{{n}} {plural or noun + 's'}")


def age(seconds: float) -> str:
    """How long ago, for people: `just now`, `3 minutes ago`, `2 days ago`."""
    if seconds < 60:
        return t("just now")
    size, unit = next(step for step in _AGES if seconds >= step[0])
    return t("{time} ago", time=count_of(int(seconds // size), unit))


def name_of(hit: Hit) -> str:
    """What a reader calls the document: its title, else its file name."""
    return hit.title or hit.document.rsplit("/", 1)[-1]


# --- answers ------------------------------------------------------------------------------------


def proofs(citations: Iterable[Citation]) -> dict[int, str]:
    """Per passage number, the best that is known of its quotes."""
    found: dict[int, str] = {}
    for citation in citations:
        state = state_of(citation)
        best = found.get(citation.n, state)
        found[citation.n] = min(best, state, key=_BEST_FIRST.index)
    return found


Passages = int | tuple[int, ...]
"""The numbers of an answer's passages, or how many there are where they count from 1."""


def answer_html(
    text: str,
    turn: int,
    passages: Passages,
    states: Mapping[int, str],
    citations: Sequence[Citation] | None = None,
) -> str:
    """An answer as HTML: `[n]` becomes a button that opens passage n of the turn.

    Numbers without a passage stay text. `states` comes from `proofs`. With the
    `citations` of a complete answer each mark shows what is proved of its own
    sentence, and sentences that cite nothing are marked.
    """
    shown = plain(text)
    if citations is not None:
        shown = _with_proofs(shown, citations)
    return _answer_html(shown, turn, passages, tuple(sorted(states.items())), language())


@lru_cache(maxsize=256)
def _answer_html(
    shown: str, turn: int, passages: Passages, states: tuple[tuple[int, str], ...], _language: str
) -> str:
    # A page is drawn anew with every click, and its answers stay.
    return _markdown_html(shown, turn, passages, states)


def _with_proofs(text: str, citations: Sequence[Citation]) -> str:
    """The text with a sign behind each mark for its state, and one behind each bare sentence."""
    known = support_of(text, citations)
    signs = [
        (mark.end, "".join(_STATE_SIGNS[state] for _, state in mark.states)) for mark in known.marks
    ]
    for start, end in known.bare:
        last = start + len(text[start:end].rstrip(" \t\n|"))
        signs.append((last, _BARE_SIGN))
    parts, cursor = [], 0
    for place, sign in sorted(signs):
        parts += [text[cursor:place], sign]
        cursor = place
    return "".join([*parts, text[cursor:]])


def streaming_html(
    text: str, turn: int, passages: Passages, proved: Sequence[Proved] = ()
) -> tuple[str, ...]:
    """An answer that still grows, drawn many times a second: what stands, and last what grows.

    What stands comes in pieces that stay the same from one draw to the next,
    so that a browser need not make their marks anew under somebody's finger.
    Finished blocks are rendered once and remembered: a block costs about 1 ms
    per 1,000 characters and twenty marks. `proved` tells the marks' states.
    """
    shown = plain(text)
    finished, grows_from = blocks_of(shown)
    signs = {end: "".join(map(_STATE_SIGNS.__getitem__, states))
             for one in proved for end, states in one.marks}  # fmt: skip
    places = sorted(signs)
    pieces: list[str] = []
    begun = -_PIECE
    for start, end in finished:
        html = _block_html(_signed(shown, start, end, places, signs), turn, passages, language())
        if start - begun >= _PIECE:
            pieces.append("")
            begun = start
        pieces[-1] += html
    growing = _signed(shown, grows_from, len(shown), places, signs)
    caret = '<span class="hl-caret" aria-hidden="true"></span>'
    return (*pieces, _markdown_html(growing, turn, passages, ()) + caret)


def _signed(
    text: str, start: int, end: int, places: Sequence[int], signs: Mapping[int, str]
) -> str:
    """A block of the text with a sign behind each of its marks whose state is known."""
    parts, cursor = [], start
    for place in places[bisect_right(places, start) : bisect_right(places, end)]:
        parts += [text[cursor:place], signs[place]]
        cursor = place
    return "".join([*parts, text[cursor:end]])


@lru_cache(maxsize=512)
def _block_html(block: str, turn: int, passages: Passages, _language: str) -> str:
    # The labels of the marks are in the reader's language, which is why it is part of the key.
    return _markdown_html(block, turn, passages, ())


def _markdown_html(
    text: str, turn: int, passages: Passages, states: tuple[tuple[int, str], ...]
) -> str:
    parser = _parser()
    env = {"turn": turn, "states": dict(states)}
    tokens = parser.parse(text, env)
    for token in tokens:
        if token.level == 0 and token.nesting == 1:
            # Each block in the direction of its own words; what stands within one follows it.
            token.attrSet("dir", "auto")
        if token.type in ("heading_open", "heading_close"):
            # The page has its own headings; an answer's begin below them.
            token.tag = f"h{min(int(token.tag[1]) + 3, 6)}"
        if token.type in ("code_block", "fence"):
            token.content = _SIGNS.sub("", token.content)
            token.info = _SIGNS.sub("", token.info)
        if token.children:
            token.children = [
                piece for child in token.children for piece in _with_citations(child, passages)
            ]
    return str(parser.renderer.render(tokens, parser.options, env))


def _with_citations(token: Token, passages: Passages) -> list[Token]:
    from markdown_it.token import Token

    if token.type != "text":
        token.content = _SIGNS.sub("", token.content)
        return [token]
    pieces: list[Token] = []

    def add_text(text: str) -> None:
        pieces.append(Token("text", "", 0, content=_SIGNS.sub("", text)))

    position = 0
    for match in _CITATION.finditer(token.content):
        numbers = [int(digits) for digits in re.findall(r"\d+", match[0])]
        if not all(_is_passage(number, passages) for number in numbers):
            continue
        add_text(token.content[position : match.start()])
        position = match.end()
        if match[0] == _BARE_SIGN:
            pieces.append(Token("bare", "", 0))
        told = [_STATES[sign] for sign in match["states"] or ""]
        own = told if len(told) == len(numbers) else [None] * len(numbers)
        pieces.extend(
            Token("citation", "", 0, meta={"n": number, "state": state})
            for number, state in zip(numbers, own, strict=True)
        )
    add_text(token.content[position:])
    return pieces


def _is_passage(number: int, passages: Passages) -> bool:
    if isinstance(passages, int):
        return 1 <= number <= passages
    return number in passages


@lru_cache(maxsize=1)
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": False, "breaks": True, "linkify": False})
    parser.enable(["table", "strikethrough"])
    parser.disable(["link", "image", "autolink", "reference", "html_inline", "html_block"])
    parser.add_render_rule("citation", _citation_html)
    parser.add_render_rule("bare", _bare_html)
    formulas.add_to(parser)
    code_blocks.add_to(parser)
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
    state = tokens[index].meta["state"]
    if state is None:
        state = states.get(number, OPEN) if isinstance(states, dict) else OPEN
    return _mark_html(int(str(env["turn"])), number, state, language())


@lru_cache(maxsize=4096)
def _mark_html(turn: int, number: int, state: str, _language: str) -> str:
    words = text_html(_mark_words(state))
    return (
        f'<button type="button" class="hl-cite hl-{state}" data-cite="{turn}:{number}" '
        f'aria-label="{t("Source {n}", n=number)}, {words}" title="{words}">'
        f"{number}{_MARKS[state]}</button>"
    )


def _bare_html(
    _renderer: object,
    _tokens: Sequence[Token],
    _index: int,
    _options: object,
    _env: Mapping[str, object],
) -> str:
    title = text_html(t("This sentence names no source"))
    return f'<span class="hl-bare" title="{title}">{t("no source")}</span>'


# --- sources ------------------------------------------------------------------------------------


def sources_html(
    hits: Sequence[Hit],
    turn: int,
    states: Mapping[int, str] | None = None,
    numbers: Sequence[int] = (),
    *,
    sent: str = "",
) -> str:
    """The passages of an answer as buttons, a line a document; cited ones stand out once known.

    `numbers` are those of the passages; empty: they count from 1. `sent` is HTML that says what
    all of the prompt takes.
    """
    if not hits:
        return ""
    documents = len({hit.document for hit in hits})
    head = t(
        "{passages} from {documents}",
        passages=count_of(len(hits), "passage"),
        documents=count_of(documents, "document"),
    )
    numbered = list(zip(numbers_of(tuple(hits), tuple(numbers)), hits, strict=True))
    shown, rest = numbered[:_CHIPS], numbered[_CHIPS:]
    more = (
        f'<details class="hl-more"><summary>{count_of(len(rest), "more passage")}</summary>'
        f"{_by_document(rest, turn, states)}</details>"
        if rest
        else ""
    )
    return (
        f'<div class="hl-sources" role="group" aria-label="{t("Sources")}">'
        f'<div class="hl-small">{head}{sent}'
        f"</div>{_by_document(shown, turn, states)}{more}</div>"
    )


def _by_document(
    numbered: Sequence[tuple[int, Hit]], turn: int, states: Mapping[int, str] | None
) -> str:
    lines: dict[str, list[tuple[int, Hit]]] = {}
    for number, hit in numbered:
        lines.setdefault(hit.document, []).append((number, hit))
    return "".join(
        f'<div class="hl-source"><bdi class="hl-name" title="{text_html(document)}">'
        f"{text_html(name_of(found[0][1]))}</bdi>"
        f"{''.join(_chip(hit, number, turn, states) for number, hit in found)}"
        f"{also_html(list(dict.fromkeys(place for _, hit in found for place in hit.also)))}</div>"
        for document, found in lines.items()
    )


def _chip(hit: Hit, number: int, turn: int, states: Mapping[int, str] | None) -> str:
    state = (states or {}).get(number, OPEN)
    cited = states is None or number in states
    words = _mark_words(state) if state != OPEN else "" if cited else t("read, not cited")
    name, place = text_html(name_of(hit)), text_html(place_words(hit.place))
    mark = f'<span class="hl-mark">{_MARKS[state]}</span>' if _MARKS[state] else ""
    return (
        f'<button type="button" class="hl-chip hl-{state}{"" if cited else " hl-uncited"}" '
        f'data-cite="{turn}:{number}" title="{place}" '
        f'aria-label="{t("Source {n}", n=number)}: {name}, {place}{", " + words if words else ""}">'
        f'<span class="hl-n">{number}</span>'
        f'<bdi class="hl-place">{text_html(short_place(hit))}</bdi>{mark}</button>'
    )


def also_html(also: Sequence[Place]) -> str:
    """Where else a passage's words stand; nothing where that is nowhere."""
    if not also:
        return ""
    places = [f"{place.title or place.document}, {place_words(place.place)}" for place in also]
    words = "; ".join(places[:_PLACES])
    if len(places) > _PLACES:
        words = t(
            "{places} and {more}",
            places=words,
            more=count_of(len(places) - _PLACES, "more place"),
        )
    return (
        f'<span class="hl-also hl-small" title="{text_html("; ".join(places))}">'
        f"{text_html(t('also in {places}', places=words))}</span>"
    )


def short_place(hit: Hit) -> str:
    """Where a passage stands, beside its document's name: the page, or the last heading."""
    if hit.paged or hit.page_label or not hit.heading:
        return place_words(hit.place)
    return f"§ {hit.heading.rsplit(' › ', 1)[-1]}"


def searched_html(searched: str) -> str:
    """What a follow-up question was searched as, in small; nothing where it stood alone."""
    if not searched:
        return ""
    told = t_html("Searched for: {words}", words=searched)
    return f'<div class="hl-small hl-searched">{told}</div>'


# --- notices ------------------------------------------------------------------------------------


def notice_html(kind: str, title: str, sentence: str = "", command: str = "") -> str:
    """A boxed state of the page; `kind` is `info`, `warn` or `error`. All parts are escaped."""
    role = "alert" if kind == "error" else "status"
    body = f"<div>{sentence_html(sentence)}</div>" if sentence else ""
    code = f"<pre><code>{text_html(command)}</code></pre>" if command else ""
    return (
        f'<div class="hl-notice hl-{kind}" role="{role}"><strong>{text_html(title)}</strong>'
        f"{body}{code}</div>"
    )

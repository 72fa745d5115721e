"""Reading beside asking: the page behind a citation, its quoted words marked.

`[n]` in an answer and the row of sources are buttons in our own HTML.
Streamlit has nothing for a button inside a text, so a few lines of JavaScript
tell the page which one was clicked.

The reader is a fragment: a click on a citation, a turned page and closing it
run its few lines alone, not the page with its whole conversation. And it is no
Streamlit dialog: those make everything else inert, and one reads beside asking.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import streamlit as st

from app import page_text, rendering, resources
from app.answers import numbers_of, passage_numbered
from app.page_image import PageOrder
from app.page_scripts import ACTS, CITES, READER
from app.place_words import place_words, unit_words
from app.preferences import PICTURE
from app.wording import t
from storage.errors import HayloftError

if TYPE_CHECKING:
    from concurrent.futures import Future

    from app.answers import Citation
    from app.conversations import StoredTurn
    from app.page_image import PageView
    from storage.records import Hit, Page

PATIENCE_S = 0.2
"""How long a page may take to be drawn before its text is shown meanwhile."""
_LOOK_S = 0.25
_AHEAD = 6
"""Pages of an answer that are drawn before somebody asks for them."""
_CLICKED = re.compile(r"(?P<turn>[0-9]{1,12}):(?P<n>[0-9]{1,4})")


@lru_cache(maxsize=3)
def _component(name: str, script: str) -> Any:
    return st.components.v2.component(name, js=script)


def watch_acts() -> str:
    """What was asked for with a button of our HTML, as the browser says it; else empty."""
    acts = _component("hayloft.acts", ACTS)(key="acts", on_acted_change=lambda: None)
    return str(acts.acted or "")


@st.fragment
def show(conversation_id: str | None) -> None:
    """Open what was clicked, and draw the open page, if one is open."""
    clicks = _component("hayloft.cites", CITES)(key="cites", on_opened_change=lambda: None)
    clicked = _CLICKED.fullmatch(str(clicks.opened or ""))
    if conversation_id and clicked:
        st.session_state["reader"] = {
            "turn": int(clicked["turn"]),
            "n": int(clicked["n"]),
            "page": None,
        }
    reader = st.session_state.get("reader")
    if reader is None:
        return
    source = _source(conversation_id, reader["turn"], reader["n"])
    if source is None:
        close()
        return
    with st.container(key="hl-reader", gap="small"):
        _read(*source)


def close() -> None:
    """Forget the open page."""
    st.session_state.pop("reader", None)


def draw_ahead(turn: StoredTurn) -> None:
    """Have the pages that an answer cites drawn, before somebody clicks."""
    if st.session_state.get("drawn-ahead") == turn.turn_id or not _pictures_wanted():
        return
    st.session_state["drawn-ahead"] = turn.turn_id
    orders = []
    cited = {citation.n for citation in turn.citations}
    numbered = zip(numbers_of(turn.hits, turn.numbers), turn.hits, strict=True)
    for n, hit in [(n, hit) for n, hit in numbered if n in cited and _can_be_drawn(hit)][:_AHEAD]:
        try:
            page = resources.library().catalog.page(hit.document_id, hit.page, room=hit.room)
        except HayloftError:
            return
        if page is not None:
            quotes = tuple(citation for citation in turn.citations if citation.n == n)
            orders.append(_order(hit, page, _marks(hit, quotes, page)))
    resources.page_images().draw_ahead(orders)


def _source(
    conversation_id: str | None, turn_id: int, number: int
) -> tuple[Hit, tuple[Citation, ...]] | None:
    """Passage `number` of a turn of this conversation, with what the answer quotes from it."""
    answer = resources.live_answers().get(conversation_id)
    citations: tuple[Citation, ...]
    if answer is not None and answer.turn_id == turn_id:
        now = answer.snapshot()
        hit = now.passage(number)
        citations = tuple(item for proved in now.proved for item in proved.citations)
    else:
        turn = resources.store().turn(turn_id)
        if turn is None or turn.conversation_id != conversation_id:
            return None
        hit = passage_numbered(turn.hits, turn.numbers, number)
        citations = turn.citations
    if hit is None:
        hit = resources.store().passage(conversation_id or "", number)
    if hit is None:
        return None
    return hit, tuple(item for item in citations if item.n == number)


def _read(hit: Hit, citations: tuple[Citation, ...]) -> None:
    """The page a passage stands on, the passage shaded, the quotes marked."""
    reader = st.session_state["reader"]
    number = reader.get("page") or hit.page
    fault: HayloftError | None = None
    page, following = None, False
    try:
        catalog = resources.library().catalog
        page = catalog.page(hit.document_id, number, room=hit.room)
        following = catalog.page(hit.document_id, number + 1, room=hit.room) is not None
    except HayloftError as error:
        fault = error
    _head(hit, citations, number, page)
    shown = "text"
    if fault is not None:
        st.html(rendering.notice_html("error", t("The page cannot be read"), str(fault)))
        _passage_of_then(hit)
    elif page is not None and _can_be_drawn(hit) and _pictures_wanted():
        shown = _picture_or_text(hit, citations if number == hit.page else (), page)
    else:
        _text(hit, citations, page, number)
    _component("hayloft.reader", READER)(
        key="reader-script",
        data={
            "cite": f"{reader['turn']}:{reader['n']}",
            "place": f"{hit.chunk_id}:{number}:{shown}",
        },
    )
    _page_buttons(hit, number, following)


def _head(hit: Hit, citations: tuple[Citation, ...], number: int, page: Page | None) -> None:
    """Which document and page it is, and what became of the quotes."""
    n = st.session_state["reader"]["n"]
    place = hit.place
    if number != hit.page:
        place = f"{hit.unit} {(page.label if page else '') or number}"
    name = rendering.text_html(f"{n} · {rendering.name_of(hit)}")
    with st.container(horizontal=True, vertical_alignment="top", key="reader-head", wrap=False):
        st.html(
            f'<h2 class="hl-reader-title" id="hl-reader-title"><bdi>{name}</bdi></h2>'
            f'<div class="hl-small"><bdi>{rendering.text_html(hit.document)}</bdi> · '
            f"{rendering.text_html(place_words(place))}</div>"
        )
        st.button(
            t("Close"),
            key="reader-close",
            icon=":material/close:",
            type="tertiary",
            on_click=close,
        )
    if number != hit.page:
        return
    told = rendering.also_html(hit.also) + "".join(
        page_text.quote_html(citation, hit.unit) for citation in citations
    )
    if told:
        st.html(f'<div class="hl-verdicts">{told}</div>')


def _can_be_drawn(hit: Hit) -> bool:
    return hit.paged and hit.document.lower().endswith(".pdf")


def _pictures_wanted() -> bool:
    """Whether pages are shown as they look; the choice stays for those that are opened next."""
    kept = st.session_state.get("picture-wanted")
    return bool(resources.preferences().reader == PICTURE if kept is None else kept)


def _switch() -> None:
    # Streamlit forgets a switch with the reader that held it.
    st.session_state["picture-wanted"] = st.session_state.get("page-picture")


Mark = tuple[tuple[int, int], str]
"""A stretch of the page's text, and what it is: `passage`, `quote` or `nearby`."""


def _marks(hit: Hit, citations: tuple[Citation, ...], page: Page) -> tuple[Mark, ...]:
    passage = page_text.find_passage(page.text, hit) if page.number == hit.page else []
    marks: list[Mark] = [((span.start, span.end), "passage") for span in passage]
    quotes = [span for one in citations if (span := page_text.find_quote(page.text, one))]
    near = [span for one in citations if (span := page_text.find_near(page.text, one))]
    # Words that are quoted rightly as well are shown as that.
    marks += [
        ((span.start, span.end), "nearby")
        for span in near
        if not any(span.start < quote.end and quote.start < span.end for quote in quotes)
    ]
    marks += [((span.start, span.end), "quote") for span in quotes]
    return tuple(marks)


def _order(hit: Hit, page: Page, marks: tuple[Mark, ...]) -> PageOrder:
    spans = tuple(span for span, _ in marks)
    return PageOrder(hit.document_id, page.number, spans, hit.room)


def _picture_or_text(hit: Hit, citations: tuple[Citation, ...], page: Page) -> str:
    """The page as it looks, the quotes marked; its text while, or where, there is no picture.

    Returns which of them is shown.
    """
    marks = _marks(hit, citations, page)
    drawn = resources.page_images().ordered(_order(hit, page, marks))
    try:
        view = drawn.result(timeout=PATIENCE_S)
        html = page_text.picture_html(
            view.png.read_bytes(), view.boxes, [kind for _, kind in marks], page.number
        )
    except TimeoutError:
        _text(hit, citations, page, page.number)
        _wait_for(drawn)
        return "text"
    except (HayloftError, OSError) as error:
        _text(hit, citations, page, page.number)
        st.html(f'<div class="hl-small hl-nopicture">{rendering.sentence_html(str(error))}</div>')
        return "text"
    st.html(html)
    lost = [
        kind
        for (_, kind), found in zip(marks, view.boxes.boxes, strict=True)
        if kind != "passage" and not found
    ]
    if lost:
        told = t("The words cannot be marked on this picture. Switch to the text to see them.")
        st.html(f'<div class="hl-small hl-nopicture">{told}</div>')
    return "picture"


@st.fragment(run_every=_LOOK_S)
def _wait_for(drawn: Future[PageView]) -> None:
    """Draw the reader anew once the picture is there."""
    if drawn.done():
        st.rerun()
    st.html(f'<div class="hl-small hl-nopicture" role="status">{t("Drawing the page…")}</div>')


def _text(hit: Hit, citations: tuple[Citation, ...], page: Page | None, number: int) -> None:
    if number == hit.page:
        _page_of_passage(hit, citations, page)
    elif page is not None:
        _page_text(page_text.page_html(page.text, (), ()))


def _page_of_passage(hit: Hit, citations: tuple[Citation, ...], page: Page | None) -> None:
    passage = page_text.find_passage(page.text, hit) if page is not None else []
    if page is None or not passage:
        st.html(
            rendering.notice_html(
                "warn",
                t("The document has changed since this answer"),
                t("Below is the passage as it was read then; it no longer stands there."),
            )
        )
        _passage_of_then(hit)
        return
    quotes = [page_text.find_quote(page.text, citation) for citation in citations]
    near = [page_text.find_near(page.text, citation) for citation in citations]
    _page_text(
        page_text.page_html(
            page.text,
            passage,
            [quote for quote in quotes if quote],
            near=[span for span in near if span],
        )
    )


def _passage_of_then(hit: Hit) -> None:
    _page_text(page_text.page_html(hit.text, [page_text.Span(0, len(hit.text))], ()))


def _page_text(view: page_text.PageView) -> None:
    st.html(view.html)
    if view.left_out:
        more = t("{n} more characters of this page are not shown.", n=f"{view.left_out:,}")
        st.html(f'<div class="hl-small">{more}</div>')


def _page_buttons(hit: Hit, number: int, following: bool) -> None:
    noun = unit_words(hit.unit)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.button(
            t("Previous {noun}", noun=noun),
            key="reader-before",
            icon=":material/chevron_left:",
            disabled=number <= 1,
            on_click=_turn_to,
            args=(number - 1,),
        )
        st.button(
            t("Next {noun}", noun=noun),
            key="reader-after",
            icon=":material/chevron_right:",
            icon_position="right",
            disabled=not following,
            on_click=_turn_to,
            args=(number + 1,),
        )
        if number != hit.page:
            st.button(
                t("Back to the passage"),
                key="reader-back",
                type="tertiary",
                on_click=_turn_to,
                args=(hit.page,),
            )
        if _can_be_drawn(hit):
            st.session_state["page-picture"] = _pictures_wanted()
            st.toggle(t("Show the page itself"), key="page-picture", on_change=_switch)


def _turn_to(page: int) -> None:
    reader = st.session_state.get("reader")
    if reader:
        st.session_state["reader"] = {**reader, "page": page}

"""Reading beside asking: the page behind a citation, its quoted words marked.

`[n]` in an answer and the row of sources are buttons in our own HTML.
Streamlit has nothing for a button inside a text, so a few lines of JavaScript
tell the page which one was clicked.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import streamlit as st

from app import page_text, rendering, resources
from app.answers import passage_numbered
from app.place_words import place_words, unit_words
from app.preferences import PICTURE
from app.wording import t
from storage.errors import HayloftError

if TYPE_CHECKING:
    from app.answers import Citation
    from storage.records import Hit, Page

_CLICKED = re.compile(r"(?P<turn>[0-9]{1,12}):(?P<n>[0-9]{1,4})")
_CLICKS = """
export default function (component) {
  const { setTriggerValue } = component;
  const copied = (button, done) => {
    button.textContent = done ? "Copied" : "Not allowed";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  };
  const copy = (button) => {
    const text = button.getAttribute("data-copy");
    if (navigator.clipboard) {
      navigator.clipboard.writeText(text).then(() => copied(button, true),
        () => copied(button, false));
      return;
    }
    // Without a safe connection there is only the old way.
    const area = document.createElement("textarea");
    area.value = text;
    document.body.appendChild(area);
    area.select();
    copied(button, document.execCommand("copy"));
    area.remove();
    button.focus();
  };
  const onClick = (event) => {
    const button = event.target.closest
      && event.target.closest("button[data-cite], button[data-act], button[data-copy]");
    if (!button) return;
    if (button.hasAttribute("data-copy")) copy(button);
    else if (button.hasAttribute("data-act"))
      setTriggerValue("acted", button.getAttribute("data-act"));
    else setTriggerValue("opened", button.getAttribute("data-cite"));
  };
  document.addEventListener("click", onClick);
  return () => document.removeEventListener("click", onClick);
}
"""
# A button that turns to the last page is disabled under the reader's finger,
# and the keyboard's focus with it falls out of the dialog: Escape would not
# close it any more. So the page's text takes it.
_SCROLL = """
export default function (component) {
  let ticks = 0;
  let scrolled = false;
  const timer = setInterval(() => {
    const page = document.querySelector("[role=dialog] .hl-page");
    if (page && !scrolled) {
      const mark = page.querySelector(".hl-quote, .hl-nearby")
        || page.querySelector(".hl-passage");
      page.scrollTop = mark ? mark.offsetTop - page.offsetTop - page.clientHeight / 3 : 0;
      scrolled = true;
    }
    if (page && document.activeElement === document.body) page.focus({ preventScroll: true });
    if (++ticks > 30) clearInterval(timer);
  }, 50);
  return () => clearInterval(timer);
}
"""


@lru_cache(maxsize=2)
def _component(name: str, script: str) -> Any:
    return st.components.v2.component(name, js=script)


def watch_clicks(conversation_id: str | None) -> str:
    """Learn which citation was clicked, and remember it as the open page.

    Returns what was asked for with another button of our HTML, as the browser says it; empty
    where nothing was.
    """
    clicks = _component("hayloft.clicks", _CLICKS)(
        key="clicks", on_opened_change=lambda: None, on_acted_change=lambda: None
    )
    clicked = _CLICKED.fullmatch(str(clicks.opened or ""))
    if conversation_id and clicked:
        st.session_state["reader"] = {
            "turn": int(clicked["turn"]),
            "n": int(clicked["n"]),
            "page": None,
        }
    return str(clicks.acted or "")


def show(conversation_id: str | None) -> None:
    """The open page, if one is open: Streamlit keeps a dialog that every run calls again."""
    reader = st.session_state.get("reader")
    if reader is None:
        return
    source = _source(conversation_id, reader["turn"], reader["n"])
    if source is None:
        close()
        return
    hit, citations = source
    title = rendering.heading(f"{reader['n']} · {rendering.name_of(hit)}", limit=90)
    st.dialog(title, width=680, position="right", on_dismiss=close)(_read)(hit, citations)


def close() -> None:
    """Forget the open page."""
    st.session_state.pop("reader", None)


def _source(
    conversation_id: str | None, turn_id: int, number: int
) -> tuple[Hit, tuple[Citation, ...]] | None:
    """Passage `number` of a turn of this conversation, with what the answer quotes from it."""
    answer = resources.live_answers().get(conversation_id)
    hits: tuple[Hit, ...]
    citations: tuple[Citation, ...]
    if answer is not None and answer.turn_id == turn_id:
        now = answer.snapshot()
        hits, numbers, citations = now.hits or (), now.numbers, ()
    else:
        turn = resources.store().turn(turn_id)
        if turn is None or turn.conversation_id != conversation_id:
            return None
        hits, numbers, citations = turn.hits, turn.numbers, turn.citations
    hit = passage_numbered(hits, numbers, number)
    if hit is None:
        hit = resources.store().passage(conversation_id or "", number)
    if hit is None:
        return None
    return hit, tuple(item for item in citations if item.n == number)


def _read(hit: Hit, citations: tuple[Citation, ...]) -> None:
    """The page a passage stands on, the passage shaded, the quotes marked."""
    number = (st.session_state.get("reader") or {}).get("page") or hit.page
    st.html(
        f'<div class="hl-small"><bdi>{rendering.text_html(hit.document)}</bdi> · '
        f"{rendering.text_html(place_words(hit.place))}</div>{rendering.also_html(hit.also)}"
        + "".join(page_text.quote_html(citation, hit.unit) for citation in citations)
    )
    try:
        catalog = resources.library().catalog
        page = catalog.page(hit.document_id, number, room=hit.room)
        following = catalog.page(hit.document_id, number + 1, room=hit.room) is not None
    except HayloftError as error:
        st.html(rendering.notice_html("error", t("The page cannot be read"), str(error)))
        _passage_of_then(hit)
        return
    if hit.paged and page is not None and _picture_wanted():
        _page_picture(hit, citations if number == hit.page else (), page)
    elif number == hit.page:
        _page_of_passage(hit, citations, page)
    elif page is not None:
        _page_text(page_text.page_html(page.text, (), ()))
    _component("hayloft.scroll", _SCROLL)(key="scroll", data=f"{hit.chunk_id}:{number}")
    _page_buttons(hit, number, following)


def _picture_wanted() -> bool:
    """Whether to show the page itself; the choice stays for the pages that are opened next."""
    # Streamlit forgets a switch with the dialog that held it.
    kept = st.session_state.get("picture-wanted", resources.preferences().reader == PICTURE)
    wanted = st.toggle(t("Show the page itself"), value=bool(kept), key="page-picture")
    st.session_state["picture-wanted"] = wanted
    return wanted


def _page_picture(hit: Hit, citations: tuple[Citation, ...], page: Page) -> None:
    """The page as it looks, the quotes marked; its text where there is no picture of it."""
    marks = [
        (span, kind)
        for citation in citations
        for find, kind in ((page_text.find_quote, "quote"), (page_text.find_near, "nearby"))
        if (span := find(page.text, citation)) is not None
    ]
    try:
        with st.spinner(t("Drawing the page…")):
            view = resources.page_images().view(
                hit.document_id, page.number, [span for span, _ in marks], room=hit.room
            )
            html = page_text.picture_html(
                view.png.read_bytes(), view.boxes, [kind for _, kind in marks], page.number
            )
    except (HayloftError, OSError) as error:
        st.html(rendering.notice_html("warn", t("No picture of this page"), str(error)))
        _page_text(page_text.page_html(page.text, [], [span for span, _ in marks]))
        return
    st.html(html)


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
    with st.container(horizontal=True, vertical_alignment="center"):
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
                on_click=_turn_to,
                args=(hit.page,),
            )


def _turn_to(page: int) -> None:
    reader = st.session_state.get("reader")
    if reader:
        st.session_state["reader"] = {**reader, "page": page}

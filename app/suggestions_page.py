"""Questions to go on with, under the last answer; for those who asked for them in the settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from app import rendering, resources
from app.conversations import DONE, StoredTurn
from app.suggestions import by_model, headings_near
from app.wording import t
from storage.errors import HayloftError

if TYPE_CHECKING:
    from app.live_answers import LiveAnswer

LOOK_S = 0.5
_WATCHED = "answer-watched"
_CLICKED = "suggestion-clicked"


def watch(answer: LiveAnswer | None) -> None:
    """Remember an answer that grows: only behind one that was waited for is the model asked more.

    An old conversation that is opened again costs nothing.
    """
    if answer is not None and not answer.settled:
        st.session_state[_WATCHED] = answer.turn_id


def cancel(conversation_id: str | None) -> None:
    """Suggest nothing more here: the reader has gone on."""
    resources.suggestions().cancel(conversation_id)


def clicked(conversation_id: str | None) -> str:
    """The suggestion that was clicked in this conversation; empty where none was."""
    found: tuple[str, str] = st.session_state.pop(_CLICKED, ("", ""))
    return found[1] if found[0] == conversation_id else ""


def show(conversation_id: str | None, head: int) -> None:
    """Draw the suggestions behind the turn that is shown last."""
    if not conversation_id or not head or not resources.preferences().follow_ups:
        return
    turn = resources.store().turn(head)
    if turn is None or turn.state != DONE or not turn.hits:
        return
    made = resources.suggestions()
    if not made.begun(head):
        model = resources.model_at_hand().model
        written = turn.mode not in ("extractive", "none") and bool(turn.sent)
        if model is not None and written and st.session_state.get(_WATCHED) == head:
            history = resources.store().history(conversation_id)
            # Found here: another thread does not know whose language is spoken.
            near = _from_headings(turn)
            made.begin(conversation_id, head, lambda: by_model(model, history) or near)
    _offer(conversation_id, turn)


def _offer(conversation_id: str, turn: StoredTurn) -> None:
    made = resources.suggestions()
    if made.begun(turn.turn_id):
        found = made.of(turn.turn_id)
        if found is None:
            _waiting(turn.turn_id)
            return
    else:
        found = _from_headings(turn)
    if not found:
        return
    st.html(f'<div class="hl-small">{rendering.text_html(t("You could go on with"))}</div>')
    for number, question in enumerate(found):
        st.button(
            rendering.label(question),
            key=f"suggested-{turn.turn_id}-{number}",
            icon=":material/subdirectory_arrow_right:",
            type="tertiary",
            on_click=_choose,
            args=(conversation_id, question),
        )


@st.fragment(run_every=LOOK_S)
def _waiting(turn_id: int) -> None:
    """Nothing, until the suggestions are there."""
    if resources.suggestions().of(turn_id) is not None:
        st.rerun()
    st.html(
        f'<div class="hl-small">{rendering.text_html(t("Looking for what to ask next…"))}</div>'
    )


def _choose(conversation_id: str, question: str) -> None:
    st.session_state[_CLICKED] = (conversation_id, question)


def _from_headings(turn: StoredTurn) -> tuple[str, ...]:
    """What stands near the sources and was not among them, as questions."""
    try:
        near = headings_near(resources.library().catalog, turn.hits, turn.question)
    except HayloftError:
        return ()  # what is only offered is left out where the library cannot be read
    return tuple(
        t("What does {document} say about “{heading}”?", document=name, heading=heading)
        for name, heading in ((rendering.name_of(hit), heading) for hit, heading in near)
    )

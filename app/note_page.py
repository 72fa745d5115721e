"""What a reader keeps of an answer: a note beside it, or the answer itself, saved."""

from __future__ import annotations

import streamlit as st

from app import rendering, resources
from app.answer_notes import LONGEST
from app.conversations import StoredTurn
from app.saving import save
from app.wording import t
from storage.errors import HayloftError

_NOTING = "noting"


def note_html(note: str) -> str:
    """A note as it stands under its answer; nothing where there is none."""
    if not note:
        return ""
    return (
        f'<div class="hl-note" role="note"><strong>{rendering.text_html(t("Your note"))}</strong>'
        f'<div dir="auto">{rendering.text_html(note)}</div></div>'
    )


def begin(turn: StoredTurn) -> None:
    """Open the editor of an answer's note."""
    st.session_state[_NOTING] = turn.turn_id


def show_dialog(conversation_id: str | None) -> None:
    """The editor, where it is open."""
    turn_id = st.session_state.get(_NOTING)
    turn = resources.store().turn(turn_id) if turn_id else None
    if turn is None or turn.conversation_id != conversation_id:
        close()
        return
    st.dialog(t("Note on this answer"), on_dismiss=close)(_edit)(turn)


def close() -> None:
    """Close the editor."""
    st.session_state.pop(_NOTING, None)


def _edit(turn: StoredTurn) -> None:
    known = resources.store().notes(turn.conversation_id).get(turn.turn_id, "")
    told = t(
        "Shown under the answer, found by the search in conversations, and part of exports. The "
        "model never reads it."
    )
    st.html(f'<div class="hl-small">{rendering.text_html(told)}</div>')
    text = st.text_area(t("Note"), known, key=f"note-{turn.turn_id}", max_chars=LONGEST, height=160)
    with st.container(horizontal=True):
        kept = st.button(t("Keep the note"), type="primary", key="keep-note")
        gone = st.button(t("Delete the note"), key="delete-note", disabled=not known)
    if kept or gone:
        try:
            resources.store().note(turn.turn_id, "" if gone else text)
        except HayloftError as error:
            st.html(rendering.notice_html("error", t("Not kept yet"), str(error)))
            return
        close()
        st.rerun()


def toggle_saved(turn: StoredTurn) -> None:
    """Save an answer with the pages it rests on; one that is saved is so no longer."""
    owner, saved = resources.who().name, resources.saved_answers()
    known = saved.turns(owner).get(turn.turn_id)
    try:
        if known is not None:
            saved.delete(owner, known)
            st.toast(t("No longer saved."))
        else:
            room = resources.room_of(turn.conversation_id)
            save(resources.library().catalog, saved, owner, turn, room=room)
            st.toast(t("Saved. The page “Saved” tells when a page it rests on changes."))
    except HayloftError as error:
        st.session_state["refused"] = str(error)
    resources.expired_answers.clear()

"""An answer while it grows: what was sent, what is waited for, its words, and the stop button.

It is drawn anew ten times a second, and each draw sends again only what the browser does not
have: what stands is in pieces of its own, which stay the same.
"""

from __future__ import annotations

import streamlit as st

from app import rendering, resources, sent_sources
from app.conversations import FAILED
from app.waiting import Waiting
from app.wording import t

DRAW_S = 0.1
"""Between two draws of a growing answer."""


@st.fragment(run_every=DRAW_S)
def show(conversation_id: str) -> None:
    """The growing answer, drawn anew ten times a second."""
    answer = resources.live_answers().get(conversation_id)
    if answer is None or answer.settled:
        turn = resources.store().turn(answer.turn_id) if answer else None
        missed = resources.model_at_hand().fault is not None
        if missed or (turn is not None and turn.state == FAILED):
            resources.look_for_model_again()
        st.rerun()
    now = answer.snapshot()
    with st.chat_message("assistant", avatar=":material/auto_stories:"):
        # In places of their own: what comes above or between does not move what is below.
        sent, words = st.container(gap=None), st.container(gap=None)
        if above := sent_sources.sent_html(now):
            sent.html(above)
        with words:
            if now.waiting is not None:
                _wait(now.waiting)
            if now.text:
                _words(rendering.streaming_html(now.text, now.turn_id, now.known, now.proved))
        st.button(
            t("Stopping…") if now.stopping else t("Stop"),
            key=f"stop-{now.turn_id}",
            icon=":material/stop_circle:",
            on_click=answer.stop,
            disabled=now.stopping,
        )


def _wait(waiting: Waiting) -> None:
    """What is waited for; the clock in a place of its own, so that nobody is read each second."""
    st.html(
        f'<div class="hl-wait hl-wait-{waiting.kind}" role="status">'
        f"{rendering.text_html(waiting.words())}</div>"
    )
    detail = rendering.text_html(waiting.detail())
    share = waiting.share
    bar = (
        f'<div class="hl-progress" role="progressbar" aria-label="{t("Progress")}" '
        f'aria-valuemin="0" aria-valuemax="100" aria-valuenow="{100 * share:.0f}">'
        f'<span style="width:{share:.1%}"></span></div>'
        if share is not None
        else ""
    )
    st.html(f'<div class="hl-small hl-clock">{detail}&nbsp;</div>{bar}')


def _words(pieces: tuple[str, ...]) -> None:
    *stands, grows = pieces
    for piece in stands:
        st.html(f'<div class="hl-answer hl-stands" aria-busy="true">{piece}</div>')
    st.html(f'<div class="hl-answer" aria-busy="true">{grows}</div>')

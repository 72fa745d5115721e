"""The page of saved answers: which ones have expired, asked again, the two answers compared."""

from __future__ import annotations

import time

import streamlit as st

from app import rendering, resources, saved_view, scope_page
from app.answer_difference import changed, compare, compare_sources
from app.conversations import FAILED, INTERRUPTED, STOPPED
from app.live_answers import LiveAnswer
from app.plans import MODES
from app.saved_answers import DONE, STREAMING, Checked, SavedAnswer
from app.saving import interrupted, rests_now
from app.wording import t, tn
from app.work_style import work_style
from storage.errors import HayloftError

SHOWN = 20
DRAW_S = 0.5
"""Between two looks at a question that is being asked again."""


def title() -> str:
    """The page's name in the navigation, with the number of answers that have expired."""
    try:
        expired = resources.expired_answers(resources.who().name)
    except HayloftError:
        expired = 0  # the page itself says what is wrong
    return t("Saved ({n})", n=f"{expired:,}") if expired else t("Saved")


def show() -> None:
    """Draw the page."""
    st.html(work_style(dark=st.context.theme.type == "dark") + saved_view.STYLE)
    st.html(f'<h1 class="hl-title">{rendering.text_html(t("Saved answers"))}</h1>')
    try:
        _draw()
    except HayloftError as error:
        st.html(rendering.notice_html("error", t("Hayloft cannot go on"), str(error)))
        st.button(t("Try again"), icon=":material/refresh:", key="try-again")


def _draw() -> None:
    if refused := st.session_state.pop("saved-refused", ""):
        st.html(rendering.notice_html("warn", t("Not done"), refused))
    everything = resources.checked_answers()
    if not everything:
        st.html(
            rendering.notice_html(
                "info",
                t("Nothing is saved"),
                t(
                    "“Save” under an answer keeps it here with the pages it rests on. When one of "
                    "them changes, the answer is marked, and can be asked again with one click."
                ),
            )
        )
        return
    expired = sum(one.verdict.expired for one in everything)
    told = tn(len(everything), "One answer", "{n} answers") + " · "
    told += tn(expired, "one has expired", "{n} have expired") if expired else t("none has expired")
    st.html(f'<div class="hl-small" role="status">{rendering.text_html(told)}</div>')
    query = st.text_input(
        t("Search saved answers"),
        key="search-saved",
        type="search",
        placeholder=t("Search saved answers"),
        icon=":material/search:",
        label_visibility="collapsed",
        max_chars=200,
    )
    only = st.toggle(t("Only what has expired"), key="only-expired")
    found = resources.checked_answers(query) if query and query.strip() else everything
    found = [one for one in found if one.verdict.expired or not only]
    # What has expired stands first; within both, what was saved last.
    found.sort(key=lambda one: not one.verdict.expired)
    if not found:
        st.html(f'<div class="hl-small">{rendering.text_html(t("None of them fits."))}</div>')
    limit = int(st.session_state.get("saved-shown", SHOWN))
    for one in found[:limit]:
        _entry(one)
    if len(found) > limit and st.button(
        t("Show {n} more", n=f"{len(found) - limit:,}"), key="more-saved", type="tertiary"
    ):
        st.session_state["saved-shown"] = limit + SHOWN
        st.rerun()


def _entry(one: Checked) -> None:
    live = resources.asking_again().get(str(one.saved.saved_id))
    asking = live is not None and not live.settled
    saved = interrupted(one.saved, asking=asking)
    with st.container(border=True, key=f"saved-{saved.saved_id}"):
        question = rendering.text_html(saved.question)
        st.html(
            f'<div class="hl-saved-question" dir="auto">{question}</div>'
            f'<div class="hl-badges">{saved_view.state_html(one.verdict.state)}</div>'
            f'<div class="hl-small">{rendering.text_html(_facts(saved))}</div>'
            f"{saved_view.changes_html(one.verdict)}{saved_view.kept_html(saved.kept)}"
        )
        if asking and live is not None:
            _asking(saved.saved_id)
        elif saved.again is not None and saved.again.state == DONE:
            _compared(saved)
        else:
            _again_fault(saved)
            _buttons(saved, expired=one.verdict.expired)


def _facts(saved: SavedAnswer) -> str:
    facts = [
        t("saved on {day}", day=_day(saved.saved_at)),
        saved.kept.model,
        # Who quotes has one mode, of the same name.
        saved.kept.mode if saved.kept.mode != saved.kept.model else "",
        scope_page.described(saved.scope),
    ]
    if saved.asked != saved.question:
        facts.append(t("asked again as: {question}", question=saved.asked))
    if saved.confirmed_at:
        facts.append(t("kept as it was on {day}", day=_day(saved.confirmed_at)))
    return " · ".join(fact for fact in facts if fact)


def _day(moment: float) -> str:
    return time.strftime("%Y-%m-%d", time.localtime(moment))


def _buttons(saved: SavedAnswer, *, expired: bool) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.button(
            t("Ask again"),
            key=f"ask-again-{saved.saved_id}",
            icon=":material/refresh:",
            type="primary" if expired else "secondary",
            on_click=_ask_again,
            args=(saved.saved_id,),
        )
        if resources.store().exists(saved.conversation_id):
            st.html(
                f'<a class="hl-act" href="./?c={rendering.text_html(saved.conversation_id)}" '
                f'target="_self">{rendering.text_html(t("Its conversation"))}</a>',
                width="content",
            )
        st.button(
            t("Delete"),
            key=f"delete-saved-{saved.saved_id}",
            icon=":material/delete:",
            type="tertiary",
            on_click=_delete,
            args=(saved.saved_id,),
        )


def _again_fault(saved: SavedAnswer) -> None:
    """Why there is no new answer, where it was asked for."""
    if saved.again is None or saved.again.state == DONE:
        return
    words = {
        FAILED: t("Asking again failed"),
        STOPPED: t("Stopped by you"),
        INTERRUPTED: t("Asking again was interrupted"),
        STREAMING: t("Asking again was interrupted"),
    }
    sentence = saved.again.error or t("The answer that was saved is kept as it is.")
    title = words.get(saved.again.state, t("Asking again failed"))
    st.html(rendering.notice_html("warn", title, sentence))


def _ask_again(saved_id: int) -> None:
    """Begin to ask a saved question in the background; a fault becomes a sentence on the page."""
    try:
        saved = resources.saved_answers().get(resources.who().name, saved_id)
        if saved is None:
            return
        scope = saved.scope
        if saved.in_room:
            scope = resources.scope_in_room(scope, saved.conversation_id)
            if not scope.room:
                st.session_state["saved-refused"] = t(
                    "This answer rests on files of its conversation, and they are gone. The same "
                    "question cannot be asked of them again."
                )
                return
        scope_page.check(scope)
        assistant = resources.assistant()
        mode = next((mode for mode in MODES if mode == saved.kept.mode), None)
        resources.asking_again().start(
            str(saved_id),
            saved.asked,
            lambda: assistant.ask(saved.asked, history=(), scope=scope, mode=mode),
        )
    except HayloftError as error:
        st.session_state["saved-refused"] = str(error)


@st.fragment(run_every=DRAW_S)
def _asking(saved_id: int) -> None:
    live: LiveAnswer | None = resources.asking_again().get(str(saved_id))
    if live is None or live.settled:
        resources.expired_answers.clear()
        st.rerun()
    now = live.snapshot()
    seconds = int(time.monotonic() - now.started)
    told = t("Asking again… {seconds} s", seconds=seconds)
    if now.progress is not None and now.hits is None:
        told = t(
            "{read} of {all} pages read… {seconds} s",
            read=f"{now.progress.pages_read:,}",
            all=f"{now.progress.pages:,}",
            seconds=seconds,
        )
    words = "".join(rendering.streaming_html(now.text, 0, ())) if now.text else ""
    st.html(
        f'<div class="hl-wait" role="status">{rendering.text_html(told)}</div>'
        f'<div class="hl-answer">{words}</div>'
    )
    st.button(
        t("Stop"),
        key=f"stop-again-{saved_id}",
        icon=":material/stop_circle:",
        on_click=live.stop,
        disabled=now.stopping,
    )


def _compared(saved: SavedAnswer) -> None:
    """The two answers, and the choice between them."""
    new = saved.again.kept if saved.again is not None else None
    if new is None:
        return
    pieces = compare(saved.kept.text, new.text)
    differs = changed(pieces)
    title = t("What is different now") if differs else t("The new answer says the same")
    parts = [f'<h2 class="hl-head">{rendering.text_html(title)}</h2>']
    if differs:
        parts.append(saved_view.difference_html(pieces))
    sources = compare_sources(saved.kept.sources, new.sources)
    parts.append(saved_view.source_changes_html(sources))
    if (new.model, new.mode) != (saved.kept.model, saved.kept.mode):
        told = t("The new answer is by {model}, mode {mode}.", model=new.model, mode=new.mode)
        parts.append(f'<div class="hl-small">{rendering.text_html(told)}</div>')
    st.html("".join(parts))
    with st.container(horizontal=True, gap="small"):
        st.button(
            t("Keep the new answer"),
            key=f"keep-new-{saved.saved_id}",
            icon=":material/check:",
            type="primary",
            on_click=_keep_new,
            args=(saved.saved_id,),
        )
        st.button(
            t("Keep the old answer"),
            key=f"keep-old-{saved.saved_id}",
            icon=":material/history:",
            on_click=_keep_old,
            args=(saved.saved_id,),
        )


def _keep_new(saved_id: int) -> None:
    try:
        resources.saved_answers().keep_new(resources.who().name, saved_id)
    except HayloftError as error:
        st.session_state["saved-refused"] = str(error)
    resources.expired_answers.clear()


def _keep_old(saved_id: int) -> None:
    owner = resources.who().name
    try:
        saved = resources.saved_answers().get(owner, saved_id)
        if saved is not None:
            catalog = resources.library().catalog
            rests = rests_now(catalog, saved)
            resources.saved_answers().keep_old(owner, saved_id, rests, catalog.library_id())
    except HayloftError as error:
        st.session_state["saved-refused"] = str(error)
    resources.expired_answers.clear()


def _delete(saved_id: int) -> None:
    live = resources.asking_again().get(str(saved_id))
    if live is not None:
        live.stop()
    try:
        resources.saved_answers().delete(resources.who().name, saved_id)
    except HayloftError as error:
        st.session_state["saved-refused"] = str(error)
    resources.expired_answers.clear()

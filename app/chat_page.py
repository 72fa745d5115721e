"""The chat page: ask, watch the answer grow, open its sources.

The page only draws. An answer is written by a thread of `app.live_answers`,
and a fragment that reruns ten times a second shows what has arrived: a click
anywhere, a reload or a closed tab never touches the answer, the stop button is
an ordinary button, and a hundred tokens a second cost no more than ten draws.

All text of documents, models and users goes through `app.rendering`, which
escapes it.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import streamlit as st

from app import (
    composer_page,
    live_page,
    mode_page,
    note_page,
    reader_page,
    receipt_bar,
    rendering,
    resources,
    scope_page,
    shortcuts_page,
    sidebar_page,
    suggestions_page,
    turn_page,
)
from app.answers import numbers_of
from app.chat import ModelLoading
from app.conversations import (
    DONE,
    FAILED,
    INTERRUPTED,
    STOPPED,
    STREAMING,
    StoredTurn,
)
from app.page_style import style_sheet
from app.plans import EXTRACTIVE, READ_ALL
from app.wording import retold, t
from storage.errors import HayloftError
from storage.sound_text import is_blank

if TYPE_CHECKING:
    from app.assistant import Assistant
    from app.live_answers import LiveAnswer
    from storage.records import LibraryCounts

LONGEST_QUESTION = 20_000
"""Characters. Longer ones are refused, not cut: nobody would know which half was read."""
TURNS_SHOWN = 30
_MARK = re.compile(r"[\[【]\d")
Given = Callable[[], list[tuple[int, tuple[int, ...]]]]
"""Looks up what `_given` tells; kept for all turns of one drawing."""


def title() -> str:
    """The open conversation's title, by which its tab is found again; empty where none is open."""
    conversation_id = st.query_params.get("c")
    try:
        return resources.store().title(conversation_id) if conversation_id else ""
    except HayloftError:
        return ""  # the page says why


def show() -> None:
    """Draw the page."""
    st.html(style_sheet(dark=st.context.theme.type == "dark"))
    try:
        _draw()
    except HayloftError as error:
        st.html(rendering.notice_html("error", t("Hayloft cannot go on"), str(error)))
        st.button(t("Try again"), icon=":material/refresh:", key="try-again")


def _draw() -> None:
    conversation_id = sidebar_page.conversation_in_address()
    counts = resources.counts()
    with st.sidebar:
        facts = sidebar_page.show(conversation_id, counts)
        shortcuts_page.button()
    # Before the conversation: who clicks on its first citation is heard.
    reader_page.show(conversation_id)
    asked_again = turn_page.act(conversation_id, reader_page.watch_acts())
    if asked_again is not None:
        _submit(conversation_id, *asked_again)
    if counts.documents:
        resources.warm_up()

    if suggested := suggestions_page.clicked(conversation_id):
        _submit(conversation_id, suggested)
    answer = resources.live_answers().get(conversation_id)
    suggestions_page.watch(answer)
    _conversation(conversation_id, answer)
    own = composer_page.look(conversation_id)
    if not (counts.documents or own.files):
        _empty_library(counts)
    elif conversation_id is None:
        _welcome(counts)

    busy = answer is not None and not answer.settled
    if own.files:
        resources.warm_up()
    composer_page.show(conversation_id, own, counts.documents, _ask, busy=busy)
    with st.bottom:  # where Streamlit keeps the composer
        above = st.container(gap="small")
    sent = composer_page.composer(busy, own, counts.documents)
    if st.session_state.pop("gone", False):
        told = t("That conversation is no longer here")
        st.html(rendering.notice_html("warn", told, t("Begin a new one below.")))
    if refused := st.session_state.pop("refused", ""):
        st.html(rendering.notice_html("warn", t("Not asked"), refused))
    if sent is not None:
        _sent(conversation_id, sent, own, counts.documents, busy=busy)
    shortcuts_page.show(conversation_id)
    if counts.documents or own.read:
        # After the composer, which one can type into meanwhile: what the modes cost takes a while.
        with above:
            scope_page.show_line(conversation_id)
            mode_page.show(conversation_id)
    with facts:
        sidebar_page.model_facts(counts)
    turn_page.show_dialog(conversation_id)
    note_page.show_dialog(conversation_id)
    turn_page.scroll()


# --- asking -------------------------------------------------------------------------------------


def _sent(
    conversation_id: str | None, sent: Any, own: composer_page.Own, documents: int, *, busy: bool
) -> None:
    """What came from the composer: files to read first, a question, or both."""
    question = composer_page.submit(
        conversation_id, sent, own, begin=_begin, most=LONGEST_QUESTION, busy=busy
    )
    if question is None:
        st.rerun()
    if question.strip() and not (documents or own.read):
        st.session_state["refused"] = t(
            "There is nothing to ask yet. Drop a file into the field below, or add documents to "
            "the library."
        )
        st.rerun()
    _submit(conversation_id, question)


def _begin(title: str) -> str:
    """Begin a conversation with what was chosen before it, and go to it."""
    store = resources.store()
    conversation_id = store.create(rendering.conversation_title(title), scope_page.scope_of(None))
    store.set_mode(conversation_id, mode_page.mode_of(None) or "")
    scope_page.forget_draft()
    mode_page.forget_draft()
    sidebar_page.open_conversation(conversation_id)
    return conversation_id


def _submit(conversation_id: str | None, asked: str, instead_of: int | None = None) -> None:
    question = asked.strip()
    if is_blank(question):
        st.session_state["refused"] = t("The question is empty. Type what you want to know.")
    elif len(question) > LONGEST_QUESTION:
        st.session_state["refused"] = t(
            "The question is {n} characters long, and at most {most} are taken. Nothing was sent; "
            "shorten it and ask again.",
            n=f"{len(question):,}",
            most=f"{LONGEST_QUESTION:,}",
        )
    else:
        _ask(conversation_id, question, instead_of)
    st.rerun()


def _ask(conversation_id: str | None, question: str, instead_of: int | None = None) -> None:
    """Begin an answer in the background; a fault becomes a sentence on the page.

    With `instead_of` it is another version of that turn, and looks back on what that looked
    back on.
    """
    try:
        store = resources.store()
        assistant = _assistant()
        scope = scope_page.scope_of(conversation_id)
        scope_page.check(scope)
        if conversation_id is None:
            conversation_id = _begin(question)
        suggestions_page.cancel(conversation_id)
        history = store.history(conversation_id, before=instead_of)
        mode = mode_page.mode_of(conversation_id)
        resources.live_answers().start(
            conversation_id,
            question,
            lambda: assistant().ask(question, history=history, scope=scope, mode=mode),
            instead_of=instead_of,
        )
    except HayloftError as error:
        st.session_state["refused"] = str(error)


def _assistant() -> Callable[[], Assistant]:
    """Whoever answers; of a model that is still being loaded, whoever will, once it is there."""
    try:
        now = resources.assistant()
    except ModelLoading:
        return resources.assistant_later()
    return lambda: now


# --- the conversation ---------------------------------------------------------------------------


def _conversation(conversation_id: str | None, answer: LiveAnswer | None) -> None:
    if conversation_id is None:
        return
    turns = resources.store().turns(conversation_id)
    if answer is not None:
        turns = [turn for turn in turns if turn.turn_id != answer.turn_id]
        if not answer.settled and resources.store().head(conversation_id) != answer.turn_id:
            # Another version is looked at meanwhile.
            answer = None
    told = turn_page.Told.of(conversation_id)
    given = cache(partial(_given, conversation_id))
    shown = turns if st.session_state.get("all-turns") == conversation_id else turns[-TURNS_SHOWN:]
    if len(shown) < len(turns):
        hidden = rendering.count_of(len(turns) - len(shown), "earlier question")
        if st.button(
            t("Show {what}", what=hidden),
            key="show-hidden",
            type="tertiary",
            icon=":material/history:",
        ):
            st.session_state["all-turns"] = conversation_id
            st.rerun()
    for turn in shown:
        if turn_page.is_edited(turn):
            edited = turn_page.edit(turn)
            if edited is not None:
                _submit(conversation_id, edited, turn.turn_id)
        else:
            _turn(turn, told, given)
    if answer is None:
        suggestions_page.show(conversation_id, told.head)
    if answer is not None:
        _question(answer.question)
        if answer.unsaved:
            _unsaved(answer)
        else:
            # It may have ended in this very moment: the next run shows it as it was kept.
            live_page.show(conversation_id)


def _question(question: str, searched: str = "") -> None:
    with st.chat_message("user", avatar=":material/person:"):
        st.html(
            f'<div class="hl-question" dir="auto">{rendering.text_html(question)}</div>'
            f"{rendering.searched_html(searched)}"
        )


def _turn(turn: StoredTurn, told: turn_page.Told, given: Given) -> None:
    _question(turn.question, turn.searched)
    with st.chat_message("assistant", avatar=":material/auto_stories:"):
        if turn.state == STREAMING:
            _elsewhere(turn.turn_id)
            return
        states = rendering.proofs(turn.citations)
        complete = turn.state == DONE
        if complete and told.head == turn.turn_id:
            reader_page.draw_ahead(turn)
        if turn.hits:
            proved = states if complete else None
            st.html(rendering.sources_html(turn.hits, turn.turn_id, proved, turn.numbers))
        if turn.mode == "none" and complete:
            _no_hits(turn)
        elif turn.text:
            # Extracts are proved as a whole: what stands between them claims nothing.
            # "Nowhere", after every page was read, cites nothing.
            nowhere = turn.mode == READ_ALL and not turn.hits
            quoted = turn.mode == EXTRACTIVE or nowhere
            cited = turn.citations if complete and not quoted else None
            text = rendering.answer_html(
                turn.text, turn.turn_id, _numbers(turn, given), states, citations=cited
            )
            st.html(f'<div class="hl-answer">{text}</div>')
        broken_off = told.head == turn.turn_id and turn.state in (STOPPED, INTERRUPTED, FAILED)
        read, pages = _read_so_far(turn) if broken_off else (0, 0)
        st.html(_foot(turn, read, pages) + turn_page.actions_html(turn, told))
        if broken_off:
            st.button(
                t("Go on reading") if read else t("Ask again"),
                key=f"again-{turn.turn_id}",
                icon=":material/refresh:",
                on_click=_ask,
                args=(turn.conversation_id, turn.question, turn.turn_id),
            )


def _read_so_far(turn: StoredTurn) -> tuple[int, int]:
    """Pages that a reading of every page came to before it broke off, and all there are."""
    mode = mode_page.mode_of(turn.conversation_id) or resources.app_settings().mode
    if mode != READ_ALL:
        return 0, 0
    scope = scope_page.scope_of(turn.conversation_id)
    return resources.read_so_far(
        turn.conversation_id, turn.turn_id, turn.question, json.dumps(scope.to_json())
    )


def _foot(turn: StoredTurn, read: int = 0, pages: int = 0) -> str:
    """What there is to say under an answer: how it ended, its receipt, who wrote it.

    `read` of `pages` were read before a reading of every page broke off.
    """
    parts: list[str] = []
    if turn.state in (STOPPED, INTERRUPTED) and read:
        title = t("Stopped by you") if turn.state == STOPPED else t("Interrupted")
        kept = t(
            "{read} of {pages} pages are read, and what they held is kept. Go on to have the "
            "others read.",
            read=f"{read:,}",
            pages=f"{pages:,}",
        )
        parts.append(rendering.notice_html("warn", title, kept))
    elif turn.state == STOPPED:
        parts.append(
            rendering.notice_html(
                "warn",
                t("Stopped by you"),
                t("The answer is incomplete; its quotes were not checked."),
            )
        )
    elif turn.state == INTERRUPTED:
        parts.append(
            rendering.notice_html(
                "warn",
                t("Interrupted"),
                t("Hayloft ended while this answer was being written. What had arrived is kept."),
            )
        )
    elif turn.state == FAILED:
        kept = f" {t('What had arrived is kept above.')}" if turn.text else ""
        title = t("The answer broke off") if turn.text else t("No answer")
        parts.append(rendering.notice_html("error", title, f"{retold(turn.error)}{kept}"))
    elif turn.stop_reason == "length" and not turn.notice:
        parts.append(
            rendering.notice_html(
                "warn",
                t("Cut at its reserve"),
                t(
                    "The answer used all the tokens that were kept for it. HAYLOFT_RESERVE sets "
                    "more."
                ),
            )
        )
    if turn.notice:
        parts.append(rendering.notice_html("info", t("Note"), turn.notice))
    if turn.receipt is not None and turn.mode != "none":
        parts.append(receipt_bar.receipt_html(turn.receipt))
    facts = [turn.model, *_seconds(turn.timings)]
    if turn.ledger is not None:
        facts.insert(0, turn.ledger.summary)
    words = " · ".join(rendering.text_html(fact) for fact in facts if fact)
    parts.append(f'<div class="hl-small">{words}</div>')
    return f'<div class="hl-foot">{"".join(parts)}</div>'


def _seconds(timings: dict[str, float]) -> list[str]:
    words = []
    if "total" in timings:
        words.append(t("{n} s", n=f"{timings['total']:.1f}"))
    if "first_token" in timings:
        seconds = f"{timings['first_token']:.1f}"
        words.append(t("first words after {seconds} s", seconds=seconds))
    return words


def _no_hits(turn: StoredTurn) -> None:
    st.html(
        rendering.notice_html(
            "info",
            t("Nothing found"),
            turn.text
            or t(
                "No passage of your documents matches this question. Try other words, or add the "
                "documents that would know."
            ),
        )
    )


def _given(conversation_id: str) -> list[tuple[int, tuple[int, ...]]]:
    """Of each turn whose prompt was sent, the numbers of the passages in it."""
    return [
        (one.turn_id, numbers_of(one.hits, one.numbers)[: one.given])
        for one in resources.store().history(conversation_id)
        if one.sent
    ]


def _numbers(turn: StoredTurn, given: Given) -> tuple[int, ...]:
    """The numbers that the marks of an answer may have.

    Of a complete answer all that it cites is known. What was broken off may cite whatever its
    prompt held: whole documents, passages of earlier turns.
    """
    own = numbers_of(turn.hits, turn.numbers)
    if turn.state == DONE or not _MARK.search(turn.text):
        return own
    earlier = [n for turn_id, numbers in given() if turn_id <= turn.turn_id for n in numbers]
    return tuple(dict.fromkeys([*own, *earlier]))


@st.fragment(run_every=1.0)
def _elsewhere(turn_id: int) -> None:
    """An answer that another Hayloft process is writing into the same store."""
    turn = resources.store().turn(turn_id)
    if turn is None or turn.state != STREAMING:
        st.rerun()
    told = t("This answer is being written by another Hayloft that uses the same library…")
    numbers = _numbers(turn, partial(_given, turn.conversation_id))
    st.html(
        f'<div class="hl-wait" role="status">{rendering.text_html(told)}</div>'
        f'<div class="hl-answer">{rendering.answer_html(turn.text, turn_id, numbers, {})}</div>'
    )


def _unsaved(answer: LiveAnswer) -> None:
    """An answer that could not be stored: shown from memory, for as long as there is one."""
    now = answer.snapshot()
    with st.chat_message("assistant", avatar=":material/auto_stories:"):
        text = rendering.answer_html(now.text, now.turn_id, now.known, {})
        st.html(
            f'<div class="hl-answer">{text}</div>'
            + rendering.notice_html("error", t("This answer is not kept"), answer.unsaved)
        )


# --- states without a conversation --------------------------------------------------------------


def _welcome(counts: LibraryCounts) -> None:
    told = t(
        "Answers come from your {documents}, each with the page it rests on.",
        documents=rendering.count_of(counts.documents, "document"),
    )
    st.html(
        f'<div class="hl-welcome"><h1>{t("What would you like to know?")}</h1><p>{told}</p></div>'
    )


@st.fragment(run_every=3.0)
def _empty_library(counts: LibraryCounts) -> None:
    now = resources.counts()
    if now.documents != counts.documents:
        st.rerun()
    st.html(f'<div class="hl-welcome"><h1>{t("The library is empty")}</h1></div>')
    set_aside = (
        " "
        + t(
            "{files} could not be read; `hayloft status` says why.",
            files=rendering.count_of(counts.failures, "file"),
        )
        if counts.failures
        else ""
    )
    st.html(
        rendering.notice_html(
            "info",
            t("Add documents"),
            t(
                "Drop a file into the field below and ask about it: only that conversation sees "
                "it. For everybody, drop files on the page Library, or have a folder read, "
                "subfolders included: run this in a terminal. The page goes on by itself when the "
                "first document is there."
            )
            + set_aside,
            ingest_command(),
        )
    )


def ingest_command() -> str:
    """The command that fills the very library this page shows."""
    settings = resources.storage_settings()
    if settings.data_dir == type(settings).model_fields["data_dir"].default.absolute():
        return "hayloft ingest FOLDER"
    return f"hayloft --data-dir {shlex.quote(str(settings.data_dir))} ingest FOLDER"

"""The sidebar of the chat page: conversations, and what answers from which library."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import streamlit as st

from app import conversation_export, rendering, resources, scope_page, turn_page
from app.conversations import UNDO_S, ConversationFound, Conversations, ConversationSummary
from app.model_words import model_words, notice_words
from app.wording import t, with_commas
from storage.sound_text import is_blank

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

    from storage.records import LibraryCounts

CONVERSATIONS_SHOWN = 30
LIST_ROWS = 8
LIST_HEIGHT = 380
"""Pixels, for about eight rows."""


def show(conversation_id: str | None, counts: LibraryCounts) -> DeltaGenerator:
    """Draw the sidebar; the open conversation is the one named in the address.

    Returns the place for `model_facts`, which take a while at first.
    """
    st.html(f'<div class="hl-brand">Hayloft<small>{t("Ask your own documents")}</small></div>')
    st.button(
        t("New conversation"),
        key="new",
        icon=":material/edit_square:",
        width="stretch",
        on_click=open_conversation,
        args=(None,),
    )
    _deleted()
    query = st.text_input(
        t("Search all conversations"),
        key="search-conversations",
        type="search",
        placeholder=t("Search all conversations"),
        icon=":material/search:",
        label_visibility="collapsed",
        max_chars=200,
    )
    if query and query.strip():
        _found(query, conversation_id)
    else:
        _conversation_list(conversation_id)
    st.divider()
    if counts.documents:
        scope_page.show(conversation_id, counts.documents)
    return st.container()


def _found(query: str, current: str | None) -> None:
    """The conversations that hold what was looked for, each with the words around it."""
    found = resources.store().search(query)
    what = t("Found in {what}", what=rendering.count_of(len(found), "conversation"))
    st.html(f'<div class="hl-small" role="status">{what}</div>')
    with st.container(
        height=LIST_HEIGHT if len(found) > LIST_ROWS // 2 else "content", border=False
    ):
        for one in found:
            summary = one.summary
            st.button(
                _title(summary),
                key=f"found-{summary.conversation_id}",
                type="secondary" if summary.conversation_id == current else "tertiary",
                width="stretch",
                wrap=False,
                on_click=_open_found,
                args=(one,),
            )
            words = one.excerpt
            st.html(
                f'<div class="hl-small hl-excerpt"><bdi>{rendering.text_html(words.before)}'
                f"<mark>{rendering.text_html(words.found)}</mark>"
                f"{rendering.text_html(words.after)}</bdi></div>"
            )


def _open_found(found: ConversationFound) -> None:
    conversation_id = found.summary.conversation_id
    open_conversation(conversation_id)
    if found.turn_id:
        resources.store().show(conversation_id, found.turn_id)
        st.session_state["all-turns"] = conversation_id
        st.session_state["goto"] = found.turn_id


def _title(summary: ConversationSummary) -> str:
    pin = ":material/keep: " if summary.pinned else ""
    return pin + rendering.label(summary.title, limit=80)


def _conversation_list(current: str | None) -> None:
    summaries = resources.store().summaries()
    everything = st.session_state.get("all-conversations", False)
    shown = summaries if everything else summaries[:CONVERSATIONS_SHOWN]
    # A long list scrolls by itself, so that the facts below it stay in sight.
    with st.container(height=LIST_HEIGHT if len(shown) > LIST_ROWS else "content", border=False):
        for summary in shown:
            if summary.conversation_id == current:
                _current_conversation(summary)
            else:
                st.button(
                    _title(summary),
                    key=f"open-{summary.conversation_id}",
                    type="tertiary",
                    width="stretch",
                    wrap=False,
                    on_click=open_conversation,
                    args=(summary.conversation_id,),
                )
        if len(shown) < len(summaries) and st.button(
            t("Show {n} more", n=f"{len(summaries) - len(shown):,}"), key="more", type="tertiary"
        ):
            st.session_state["all-conversations"] = True
            st.rerun()


def _current_conversation(summary: ConversationSummary) -> None:
    deeds = {
        "rename": t("Rename"),
        "pin": t("Unpin") if summary.pinned else t("Pin"),
        "export": t("Export"),
        "delete": t("Delete"),
    }
    with st.container(horizontal=True, vertical_alignment="center", gap="small", wrap=False):
        st.button(
            _title(summary),
            key=f"open-{summary.conversation_id}",
            width="stretch",
            wrap=False,
        )
        told = t("Rename, pin, export or delete this conversation")
        chosen = st.menu_button(
            told,  # for readers of screens: the style sheet shows the icon alone
            list(deeds),
            key="conversation-menu",
            icon=":material/more_horiz:",
            help=told,
            format_func=lambda deed: deeds[deed],
            type="tertiary",
        )
    if chosen == "rename":
        st.dialog(t("Rename the conversation"))(_rename)(summary)
    elif chosen == "pin":
        resources.store().pin(summary.conversation_id, not summary.pinned)
        st.rerun()
    elif chosen == "export":
        st.dialog(t("Export the conversation"))(_export)(summary)
    elif chosen == "delete":
        _delete(summary)


def _rename(summary: ConversationSummary) -> None:
    with st.form("rename", border=False):  # Return sends a form
        title = st.text_input(
            t("Title"),
            value=summary.title,
            max_chars=120,
            key=f"new-title-{summary.conversation_id}",
        )
        saved = st.form_submit_button(t("Save"), type="primary", key="save-title")
    turn_page.focus("new-title")
    if saved:
        if not is_blank(title):
            resources.store().rename(summary.conversation_id, title.strip())
        st.rerun()


def _export(summary: ConversationSummary) -> None:
    told = t(
        "With the sources of each answer, their places, what became of each quote, and the "
        "receipts. To print it or keep it as PDF, close this and print the page."
    )
    st.html(f'<div class="hl-small">{rendering.text_html(told)}</div>')
    conversation_id, title = summary.conversation_id, summary.title
    # The files are made when they are asked for, where nobody is known to look at a page.
    store = resources.store()
    with st.container(horizontal=True):
        st.download_button(
            "Markdown",
            lambda: _as_markdown(store, conversation_id, title),
            conversation_export.file_name(title, "md"),
            "text/markdown",
            key="export-markdown",
            icon=":material/download:",
            on_click="ignore",
        )
        st.download_button(
            "JSON",
            lambda: _as_json(store, conversation_id, title),
            conversation_export.file_name(title, "json"),
            "application/json",
            key="export-json",
            icon=":material/download:",
            on_click="ignore",
        )


def _as_markdown(store: Conversations, conversation_id: str, title: str) -> str:
    return conversation_export.to_markdown(
        title, store.turns(conversation_id), store.notes(conversation_id)
    )


def _as_json(store: Conversations, conversation_id: str, title: str) -> str:
    told = conversation_export.to_json(
        title,
        store.all_turns(conversation_id),
        {turn.turn_id for turn in store.turns(conversation_id)},
        store.scope(conversation_id),
        store.judgements(conversation_id),
        store.notes(conversation_id),
    )
    return json.dumps(told, ensure_ascii=False, indent=2)


def _delete(summary: ConversationSummary) -> None:
    answer = resources.live_answers().get(summary.conversation_id)
    if answer is not None:
        answer.stop()
        answer.wait(3.0)
    resources.store().delete(summary.conversation_id)
    open_conversation(None)
    deleted = {
        "id": summary.conversation_id,
        "title": summary.title,
        "until": time.time() + UNDO_S,
    }
    st.session_state["deleted"] = [*st.session_state.get("deleted", ()), deleted]
    st.rerun()


def _deleted() -> None:
    """The way back for the conversation that was deleted last; then for the one before."""
    known: list[dict[str, Any]] = st.session_state.get("deleted", [])
    known = [one for one in known if time.time() <= one["until"]]
    st.session_state["deleted"] = known
    if not known:
        return
    deleted = known[-1]
    told = rendering.t_html("Deleted “{name}”", name=deleted["title"])
    st.html(f'<div class="hl-small" role="status">{told}</div>')
    st.button(t("Undo"), key="undo", icon=":material/undo:", on_click=_undo, args=(deleted["id"],))


def _undo(conversation_id: str) -> None:
    known = st.session_state.get("deleted", ())
    st.session_state["deleted"] = [one for one in known if one["id"] != conversation_id]
    if resources.store().restore(conversation_id):
        open_conversation(conversation_id)


def model_facts(counts: LibraryCounts) -> None:
    """Which model answers, how much it can read, and how fresh the library is."""
    found = resources.model_at_hand()
    fresh = (
        rendering.age(max(0.0, time.time() - counts.last_ingested_at))
        if counts.last_ingested_at
        else t("never")
    )
    documents = rendering.count_of(counts.documents, "document")
    set_aside = rendering.count_of(counts.failures, "file")
    facts = {
        t("Model"): model_words(found),
        t("Window"): rendering.count_of(found.window, "token") if found.window else "",
        t("Library"): with_commas([documents, rendering.count_of(counts.pages, "page")]),
        t("Last ingested"): fresh,
        t("Set aside"): t("{files}; `hayloft status` says why", files=set_aside)
        if counts.failures
        else "",
    }
    rows = "".join(
        f"<dt>{name}</dt><dd>{rendering.sentence_html(fact)}</dd>"
        for name, fact in facts.items()
        if fact
    )
    st.html(f'<dl class="hl-facts">{rows}</dl>')
    if found.fault is not None:
        st.html(rendering.notice_html("error", t("No answers for now"), str(found.fault)))
    elif found.model is None:
        st.html(
            rendering.notice_html(
                "info",
                t("Answers are quotes"),
                notice_words(found.notice),
            )
        )
    if found.model is None:
        st.button(
            t("Look for a model again"),
            key="look-again",
            icon=":material/refresh:",
            type="tertiary",
            on_click=resources.look_for_model_again,
        )


def conversation_in_address() -> str | None:
    """The conversation the address names, so that a reload comes back to it."""
    conversation_id = st.query_params.get("c")
    if conversation_id and not resources.store().exists(conversation_id):
        del st.query_params["c"]
        st.session_state["gone"] = True
        return None
    return conversation_id or None


def open_conversation(conversation_id: str | None) -> None:
    """Go to a conversation, or to none: the next question begins one."""
    for key in ("reader", "refused", "editing", "judging", "noting"):
        st.session_state.pop(key, None)
    if conversation_id is None:
        st.query_params.pop("c", None)
    else:
        st.query_params["c"] = conversation_id

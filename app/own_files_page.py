"""The part of the settings page that lists the reader's private files."""

from __future__ import annotations

from functools import partial
from urllib.parse import quote

import streamlit as st

from app import private_files, rendering, resources
from app.library_view import size_words
from app.own_files import OwnFile, own_files
from app.people import Role
from app.wording import retold, t, tn
from storage.errors import HayloftError

_SURE = "delete-own-file"
_SAID = "own-files-said"
SHOWN = 100
"""Files that are listed; behind them stands how many more there are."""


def show() -> None:
    """Draw the list: what each file is, where it lies, and what can be done with it."""
    st.html(f'<h2 class="hl-head">{rendering.text_html(t("Your private files"))}</h2>')
    if said := st.session_state.pop(_SAID, None):
        st.html(rendering.notice_html(*said))
    files = own_files(resources.storage_settings().data_dir, resources.store())
    if not files:
        _small(t("Files that you drop into a conversation are listed here."))
        return
    told = tn(len(files), "{n} file", "{n} files")
    _small(f"{told} · {size_words(sum(file.size for file in files))}")
    _small(t("Each is seen by its conversation alone, and deleted with it."))
    for file in files[:SHOWN]:
        _file(file)
    if len(files) > SHOWN:
        _small(tn(len(files) - SHOWN, "and {n} more file", "and {n} more files"))


def _small(words: str) -> None:
    st.html(f'<div class="hl-small">{rendering.text_html(words)}</div>')


def _file(file: OwnFile) -> None:
    key = f"{file.conversation_id}/{file.name}"
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.html(file_html(file), width="stretch")
        if st.session_state.get(_SURE) == key:
            st.button(
                t("Delete for good"), key=f"sure-file-{key}", type="primary",
                on_click=_delete, args=(file.conversation_id, file.name),
            )  # fmt: skip
            st.button(
                t("Cancel"),
                key=f"unsure-file-{key}",
                on_click=partial(st.session_state.pop, _SURE, None),
            )
            return
        if resources.who().may(Role.LIBRARIAN):
            st.button(
                t("Keep in the library"),
                key=f"keep-file-{key}",
                icon=":material/library_add:",
                type="tertiary",
                help=t("Everybody who uses this Hayloft can then find it"),
                on_click=_keep,
                args=(file.conversation_id, file.name),
            )
        st.button(
            t("Delete"),
            key=f"delete-file-{key}",
            icon=":material/delete:",
            type="tertiary",
            on_click=partial(st.session_state.__setitem__, _SURE, key),
        )


def file_html(file: OwnFile) -> str:
    """A file: its name, its size, the conversation that sees it, and where it lies."""
    where = f"./?c={quote(file.conversation_id, safe='')}"
    title = rendering.text_html(file.title) or "–"
    return (
        f"<div><bdi>{rendering.text_html(file.name)}</bdi></div>"
        f'<div class="hl-small">{rendering.text_html(size_words(file.size))} · '
        f'<a href="{rendering.text_html(where)}" target="_self"><bdi>{title}</bdi></a> · '
        f"<bdi>{rendering.text_html(file.folder)}</bdi></div>"
    )


def _keep(conversation_id: str, name: str) -> None:
    try:
        runs = resources.ingest_runs()
        resources.who().require(Role.LIBRARIAN)
        data_dir = resources.storage_settings().data_dir
        words = private_files.to_library(data_dir, _room(conversation_id), name)
        runs.order(words, t("Reading {name}", name=name))
        said = t("{name} moves into the library; it can be found there in a moment.", name=name)
        st.session_state[_SAID] = ("info", t("Kept in the library"), said)
    except HayloftError as error:
        st.session_state[_SAID] = ("warn", t("Not moved"), retold(str(error)))


def _delete(conversation_id: str, name: str) -> None:
    st.session_state.pop(_SURE, None)
    try:
        data_dir, room = resources.storage_settings().data_dir, _room(conversation_id)
        words = private_files.remove(data_dir, room, name)
        resources.room_runs().order(words, t("Reading files of a conversation"), room=room)
    except HayloftError as error:
        st.session_state[_SAID] = ("warn", t("Not removed"), retold(str(error)))


def _room(conversation_id: str) -> str:
    """Asked anew with each click: it may no longer be theirs."""
    room = resources.room_of(conversation_id)
    if not room:
        raise HayloftError(t("This conversation is no longer there."))
    return room

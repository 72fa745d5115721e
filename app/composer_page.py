"""The composer: a question, files, or both; and how far the reading of the files is.

Dropped files go into the conversation's room and are read by a run of their
own (`app.ingest_process`), which no page owns: a reload finds it where it is.
What is shown follows from the room's folder, the library and the runs alone,
so that every tab shows the same. A question that was asked too early waits in
the room; whichever tab sees the reading end first asks it, once.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NoReturn

import streamlit as st

from app import private_files, rendering, resources, scope_page
from app.people import Role
from app.private_files import RoomFile
from app.uploads import READABLE
from app.wording import retold, t, tn
from storage.errors import HayloftError
from storage.run_history import run_at_work
from storage.sound_text import is_blank

LOOK_S = 0.5
"""Between two looks at a reading."""
LINES_SHOWN = 6
"""Files that are listed one by one above the composer; all are in the list that opens."""
_SAID = "composer-said"
_UNSENT = "composer-unsent"

Ask = Callable[[str | None, str], None]
"""Begins an answer in a conversation."""
Begin = Callable[[str], str]
"""Begins a conversation with a title; its id."""


@dataclass(frozen=True, slots=True)
class Own:
    """The files of a conversation."""

    room: str = ""
    """Empty where there is no conversation yet."""
    files: tuple[RoomFile, ...] = ()
    waiting: str = ""
    """The question that waits for their reading, or for the answer before it."""

    @property
    def read(self) -> int:
        """How many of them can be asked about."""
        return sum(file.state == "read" for file in self.files)

    @property
    def is_pending(self) -> bool:
        """Whether the reading of one goes on, or is going to."""
        return private_files.is_pending(self.files)

    @property
    def mark(self) -> list[object]:
        """What the rest of the page rests on; another one is a reason to draw it anew."""
        settled = [[file.name, file.state] for file in self.files if file.state != "reading"]
        return [settled, self.is_pending, self.waiting]


def look(conversation_id: str | None) -> Own:
    """The files of a conversation as they are now."""
    room = resources.room_of(conversation_id)
    data_dir = resources.storage_settings().data_dir
    if not room:
        return Own()
    names = private_files.files_in(data_dir, room)
    waiting = private_files.waiting(data_dir, room)
    if not names:
        return Own(room, waiting=waiting)
    runs = resources.room_runs().state()
    contents = resources.library().catalog.room(room)
    files = private_files.states(names, contents, runs, room, others_work=run_at_work(data_dir))
    return Own(room, tuple(files), waiting)


def show(conversation_id: str | None, own: Own, documents: int, ask: Ask, *, busy: bool) -> None:
    """Draw what there is to say of the files, above the composer.

    While the conversation is `busy` with an answer, the next question waits.
    """
    resources.swept_rooms()
    _said()
    if conversation_id is None or not (own.files or own.waiting):
        return
    _read_what_nobody_reads(own)
    if own.waiting and not own.is_pending and not busy:
        _ask_now(conversation_id, own, ask)
    st.session_state["composer-mark"] = own.mark
    with st.bottom:  # where Streamlit keeps the composer
        if own.is_pending:
            st.fragment(_watch, run_every=LOOK_S)(conversation_id)
        else:
            _lines(own, busy=busy)
        if own.waiting and busy:
            st.button(
                t("Do not ask"), key="ask-not-then", type="tertiary", on_click=_ask_not, args=(own,)
            )
        if own.files:
            _controls(conversation_id, own, documents)


def composer(busy: bool, own: Own, documents: int) -> Any:
    """The input; what was sent with it, or None.

    One can type while an answer grows. What could not be asked stands in it again.
    """
    unsent = st.session_state.pop(_UNSENT, "")
    if unsent and st.session_state.get("refused"):
        st.session_state["question"] = unsent
    placeholder = t("Ask your documents")
    if busy:
        placeholder = t("Ask; the question waits until this answer is done")
    elif own.is_pending:
        placeholder = t("Ask; the question waits until the files are read")
    elif not (documents or own.read):
        placeholder = t("Drop a file here, then ask about it")
    return st.chat_input(
        placeholder,
        key="question",
        accept_file="multiple",
        file_type=sorted(READABLE),
        max_upload_size=resources.app_settings().upload_mb,
    )


def submit(
    conversation_id: str | None, sent: Any, own: Own, *, begin: Begin, most: int, busy: bool
) -> str | None:
    """Keep the files that were sent; gives the question to ask now, None where it waits.

    `most` is the longest question, in characters: a longer one is not kept to wait. While the
    conversation is `busy` with an answer the question waits for its end.
    """
    question = sent if isinstance(sent, str) else str(sent.text or "")
    given = [] if isinstance(sent, str) else list(sent.files or ())
    st.session_state[_UNSENT] = question
    if not given and not own.is_pending and not busy:
        return question
    question = "" if is_blank(question) else question.strip()
    if len(question) > most:
        return question
    if busy and own.waiting and question and not given:
        st.session_state["refused"] = t(
            "One question waits for the answer already. This one stands in the field below; send "
            "it when that is asked."
        )
        return None
    try:
        dropped = _take(conversation_id, given, question, begin) if given else ()
        if given and not dropped:
            if question:
                told = t("The file was not taken, so nothing was asked: “{question}”")
                st.session_state["refused"] = told.format(question=question)
        elif question:
            room = own.room if not given else str(st.session_state.pop("composer-room"))
            data_dir = resources.storage_settings().data_dir
            about = dropped or [file.name for file in own.files if file.state != "read"]
            private_files.wait_with(data_dir, room, question, about)
    except HayloftError as error:
        st.session_state["refused"] = str(error)
    return None


def _take(
    conversation_id: str | None, given: list[Any], question: str, begin: Begin
) -> tuple[str, ...]:
    """Keep the files and have them read; their names."""
    began = conversation_id is None
    if conversation_id is None:
        title = question or given[0].name
        conversation_id = begin(title)
    room = resources.room_of(conversation_id)
    data_dir = resources.storage_settings().data_dir
    most_mb = resources.app_settings().upload_mb
    try:
        taken = private_files.take(data_dir, room, given, most_mb=most_mb)
    except HayloftError:
        if began:
            _take_back(conversation_id)
        raise
    said = [["warn", t("Not taken"), sentence] for sentence in taken.refused]
    for asked, name in taken.renamed:
        kept = t("{asked} is kept as {name}; nothing was overwritten.", asked=asked, name=name)
        said.append(["info", t("Another name"), kept])
    st.session_state[_SAID] = said
    st.session_state["composer-room"] = room
    if taken.kept:
        _order(room, [str(private_files.folder_of(data_dir, room))])
    elif began:
        _take_back(conversation_id)
    return taken.kept


def _take_back(conversation_id: str) -> None:
    """Leave no empty conversation behind; on a full disk, not even that can be done."""
    st.query_params.pop("c", None)
    with suppress(HayloftError):
        resources.store().delete(conversation_id)


def _order(room: str, words: list[str]) -> None:
    resources.room_runs().order(words, t("Reading files of a conversation"), room=room)


# --- the reading --------------------------------------------------------------------------------


def _watch(conversation_id: str) -> None:
    own = look(conversation_id)
    if st.session_state.get("composer-mark") != own.mark:
        st.rerun()
    _lines(own)


def _lines(own: Own, *, busy: bool = False) -> None:
    """A line for each file whose reading is news, and the question that waits for it."""
    news = [file for file in own.files if file.state != "read"]
    if own.is_pending:
        # Those that are done meanwhile stay in sight, behind the ones at work.
        news += [file for file in own.files if file.state == "read"]
    lines = "".join(line_html(file) for file in news[:LINES_SHOWN])
    if len(news) > LINES_SHOWN:
        more = tn(len(news) - LINES_SHOWN, "and {n} more file", "and {n} more files")
        lines += f'<li class="hl-small">{rendering.text_html(more)}</li>'
    if own.waiting and own.is_pending:
        waits = rendering.t_html(
            "Asked when the files are read: “{question}”", question=own.waiting
        )
        lines += f'<li class="hl-waits">{waits}</li>'
    elif own.waiting and busy:
        waits = rendering.t_html(
            "Asked when this answer is done: “{question}”", question=own.waiting
        )
        lines += f'<li class="hl-waits">{waits}</li>'
    if lines:
        st.html(f'<ul class="hl-dropped" role="status" aria-live="polite">{lines}</ul>')


def line_html(file: RoomFile) -> str:
    """One file and how far its reading is."""
    said = {
        "waiting": t("waits for its turn"),
        "reading": t("is being read…"),
        "read": pages_words(file),
        "aside": t("could not be read"),
        "stuck": t("is not read yet"),
    }[file.state]
    if file.state == "reading" and file.share:
        said = t("is being read… {percent}%", percent=round(100 * file.share))
    reason = " ".join(filter(None, [file.reason, *file.warnings]))
    more = f': <span class="hl-small">{rendering.sentence_html(reason)}</span>' if reason else ""
    return (
        f'<li class="hl-file-{file.state}"><bdi>{rendering.text_html(file.name)}</bdi> '
        f'<span class="hl-small">{rendering.text_html(said)}</span>{more}</li>'
    )


def pages_words(file: RoomFile) -> str:
    """How much of a file was read."""
    if file.paged:
        return tn(file.pages, "{n} page read", "{n} pages read")
    return tn(file.pages, "{n} section read", "{n} sections read")


def _read_what_nobody_reads(own: Own) -> None:
    """Have files read that no run is at, after the page's server was started anew; once."""
    tried = st.session_state.setdefault("rooms-tried", [])
    lost = [file for file in own.files if file.state == "stuck" and not file.reason]
    if lost and own.room not in tried:
        tried.append(own.room)
        _read_again(own.room)
        st.rerun()


def _read_again(room: str) -> None:
    data_dir = resources.storage_settings().data_dir
    _order(room, [str(private_files.folder_of(data_dir, room))])


def _ask_now(conversation_id: str, own: Own, ask: Ask) -> None:
    """Ask the question that waited, unless a file that it is about could not be read."""
    data_dir = resources.storage_settings().data_dir
    about = private_files.about(data_dir, own.room)
    failed = [file for file in own.files if file.state != "read" and file.name in about]
    if not failed:
        _ask_claimed(conversation_id, own, ask)
    with st.bottom:
        st.html(
            rendering.notice_html(
                "warn",
                t("Not asked yet"),
                t(
                    "A file that the question came with could not be read: “{question}”",
                    question=own.waiting,
                ),
            )
        )
        with st.container(horizontal=True):
            if st.button(t("Ask without it"), key="ask-without"):
                _ask_claimed(conversation_id, own, ask)
            st.button(
                t("Do not ask"), key="ask-not", type="tertiary", on_click=_ask_not, args=(own,)
            )


def _ask_not(own: Own) -> None:
    private_files.claim(resources.storage_settings().data_dir, own.room)


def _ask_claimed(conversation_id: str, own: Own, ask: Ask) -> NoReturn:
    """Ask it, if no other tab has; where it cannot be asked, its words are given back."""
    question = private_files.claim(resources.storage_settings().data_dir, own.room)
    if question:
        ask(conversation_id, question)
        if refused := st.session_state.get("refused"):
            st.session_state["refused"] = f"{retold(refused)} “{question}”"
    st.rerun()


# --- the files ----------------------------------------------------------------------------------


def _controls(conversation_id: str, own: Own, documents: int) -> None:
    """What the question looks at, and what can be done with the files."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if own.files:
            title = tn(len(own.files), "{n} file, only here", "{n} files, only here")
            with st.popover(title, icon=":material/attach_file:", type="tertiary"):
                _list(own)
        if own.read and documents:
            beyond = scope_page.scope_of(conversation_id).beyond_room
            key = f"beyond-{conversation_id}"
            # What is kept is what the control shows, also where another tab has changed it.
            st.session_state[key] = beyond
            st.segmented_control(
                t("Ask"),
                [False, True],
                key=key,
                format_func=lambda all_too: (
                    t("All documents and these") if all_too else t("This conversation's files")
                ),
                label_visibility="collapsed",
                on_change=_go_beyond,
                args=(conversation_id, key),
            )


def _go_beyond(conversation_id: str, key: str) -> None:
    # Nothing is chosen any more where the chosen one was clicked again.
    scope_page.go_beyond(conversation_id, st.session_state.get(key) is True)


def _list(own: Own) -> None:
    told = t("Only this conversation sees these files. They are deleted with it.")
    st.html(f'<div class="hl-small">{told}</div>')
    with st.container(height=360 if len(own.files) > LINES_SHOWN else "content", border=False):
        for number, file in enumerate(own.files):
            st.html(f'<ul class="hl-dropped">{line_html(file)}</ul>')
            if file.state in ("waiting", "reading"):
                continue
            with st.container(horizontal=True, gap="small"):
                if file.state == "read" and resources.who().may(Role.LIBRARIAN):
                    st.button(
                        t("Keep in the library"),
                        key=f"keep-{number}",
                        icon=":material/library_add:",
                        help=t("Everybody who uses this Hayloft can then find it"),
                        on_click=_keep,
                        args=(own.room, file.name),
                    )
                if file.state in ("aside", "stuck"):
                    st.button(
                        t("Read again"),
                        key=f"again-file-{number}",
                        on_click=_read_again,
                        args=(own.room,),
                    )
                st.button(
                    t("Remove"),
                    key=f"remove-{number}",
                    icon=":material/delete:",
                    type="tertiary",
                    on_click=_remove,
                    args=(own.room, file.name),
                )


def _keep(room: str, name: str) -> None:
    try:
        runs = resources.ingest_runs()
        resources.who().require(Role.LIBRARIAN)
        data_dir = resources.storage_settings().data_dir
        runs.order(private_files.to_library(data_dir, room, name), t("Reading {name}", name=name))
        said = t("{name} moves into the library; it can be found there in a moment.", name=name)
        st.session_state[_SAID] = [["info", t("Kept in the library"), said]]
    except HayloftError as error:
        st.session_state[_SAID] = [["warn", t("Not moved"), str(error)]]


def _remove(room: str, name: str) -> None:
    try:
        _order(room, private_files.remove(resources.storage_settings().data_dir, room, name))
    except HayloftError as error:
        st.session_state[_SAID] = [["warn", t("Not removed"), str(error)]]


def _said() -> None:
    for kind, title, sentence in st.session_state.get(_SAID, []):
        st.html(rendering.notice_html(kind, title, sentence))
    if st.session_state.get(_SAID):
        st.button(t("Close"), key="close-said", on_click=_forget)


def _forget() -> None:
    st.session_state.pop(_SAID, None)

"""One document of the library, opened beside the list: its health, and what can be done."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from app import page_text, rendering, resources
from app.document_view import facts_html, flagged, flagged_html, notes_html, notes_of, strip_html
from app.library_view import Entry, file_of, name_of
from app.people import Role
from app.place_words import unit_words
from app.uploads import discard, is_upload, restore, uploads_folder
from app.wording import t
from storage.errors import HayloftError
from storage.records import DocumentSummary

if TYPE_CHECKING:
    from storage.listing import PageMark

_OPEN = "library-open"
_DELETED = "library-deleted"
_REFUSED = "library-refused"


def open_document(document_id: int) -> None:
    """Have a document shown by the runs of the page to come."""
    st.session_state[_OPEN] = {"document": document_id, "page": 1}


def open_file(root: str, path: str) -> None:
    """Have a file shown that was never read."""
    st.session_state[_OPEN] = {"root": root, "path": path}


def close() -> None:
    """Forget what is open."""
    st.session_state.pop(_OPEN, None)


def show() -> None:
    """What is open, if something is: Streamlit keeps a dialog that every run calls again."""
    opened = st.session_state.get(_OPEN)
    if opened is None:
        return
    catalog = resources.library().catalog
    entry: Entry | None
    if "document" in opened:
        entry = catalog.document(int(opened["document"]))
    else:
        entry = catalog.failure(str(opened["root"]), str(opened["path"]))
    if entry is None:
        close()
        return
    title = rendering.heading(name_of(entry), limit=90)
    st.dialog(title, width=680, position="right", on_dismiss=close)(_show)(entry)


def undo() -> None:
    """The way back for the file that was deleted last."""
    if refused := st.session_state.pop(_REFUSED, ""):
        st.html(rendering.notice_html("warn", t("Not done"), refused))
    deleted: dict[str, str] | None = st.session_state.get(_DELETED)
    if not deleted:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        told = rendering.t_html(
            "Deleted “{name}”; the file lies in the trash folder of the data directory",
            name=deleted["name"],
        )
        st.html(f'<div class="hl-small" role="status">{told}</div>')
        st.button(t("Undo"), key="undo-delete", icon=":material/undo:", on_click=_bring_back)
        st.button(t("Close"), key="close-undo", on_click=_forget_deleted)


def _show(entry: Entry) -> None:
    if notes := notes_of(entry, time.time()):
        st.html(notes_html(notes))
    if isinstance(entry, DocumentSummary):
        marks = resources.library().catalog.page_marks(entry.document_id)
        st.html(strip_html(marks, paged=entry.paged) + facts_html(entry))
        _flagged(entry, marks)
    else:
        st.html(
            f'<div class="hl-small"><bdi>{rendering.text_html(str(file_of(entry)))}</bdi></div>'
        )
    _actions(entry)
    if isinstance(entry, DocumentSummary) and entry.pages:
        _pages(entry)


def _flagged(document: DocumentSummary, marks: list[PageMark]) -> None:
    found = flagged(marks)
    if not found:
        return
    catalog = resources.library().catalog
    with st.expander(t("Text that is not what it seems"), expanded=True):
        for number, spans in found:
            page = catalog.page(document.document_id, number)
            if page is not None:
                name = t("Page {n}", n=number) if document.paged else t("Section {n}", n=number)
                st.html(flagged_html(name, page.text, spans))


def _pages(document: DocumentSummary) -> None:
    """The text as it was read, page by page: what is not in it cannot be found."""
    opened = st.session_state.get(_OPEN) or {}
    noun = unit_words("page" if document.paged else "section")
    all_of = f"{document.pages:,}"
    with st.expander(t("What was read"), expanded=bool(opened.get("reading"))):
        number = st.number_input(
            t("Page of {n}", n=all_of) if document.paged else t("Section of {n}", n=all_of),
            min_value=1,
            max_value=max(1, document.pages),
            step=1,
            key=f"read-page-{document.document_id}",
        )
        page = resources.library().catalog.page(document.document_id, int(number))
        if page is None or not page.text.strip():
            st.html(rendering.notice_html("warn", t("No text was read on this {noun}", noun=noun)))
            return
        view = page_text.page_html(page.text, (), ())
        st.html(view.html)
        if view.left_out:
            more = t("{n} more characters of this page are not shown.", n=f"{view.left_out:,}")
            st.html(f'<div class="hl-small">{more}</div>')


# --- what can be done ---------------------------------------------------------------------------


def _actions(entry: Entry) -> None:
    if not resources.who().may(Role.LIBRARIAN):
        return
    path = file_of(entry)
    uploaded = is_upload(resources.storage_settings().data_dir, path)
    with st.container(horizontal=True):
        st.button(
            t("Read again"),
            key="read-again",
            icon=":material/refresh:",
            help=t(
                "Compare the file's content with what was read, and read it where it differs or "
                "was never read"
            ),
            on_click=_read_again,
            args=(str(path), name_of(entry)),
        )
        if uploaded and path.exists():
            st.button(
                t("Delete"),
                key="delete-document",
                icon=":material/delete:",
                help=t("Moves the file to the trash folder of the data directory"),
                on_click=_delete,
                args=(str(path), name_of(entry)),
            )
    if not uploaded:
        _leave(entry)


def _leave(entry: Entry) -> None:
    """A file of a folder is its owner's; only the folder can be taken out."""
    catalog = resources.library().catalog
    root = entry.source_root
    inside = sum(count for found, _, count in catalog.folders() if found == root)
    documents = rendering.count_of(inside, "document")
    with st.expander(t("Delete it?")):
        st.html(
            rendering.notice_html(
                "info",
                t("Its file is not Hayloft's to delete"),
                t(
                    "It lies in {folder}, which is read with every run. Delete or move the file "
                    "there, and the next run takes it out of the library. Or take the whole folder "
                    "out: its files stay where they are.",
                    folder=root,
                ),
            )
        )
        sure = st.checkbox(
            t("Take {documents} out of the library", documents=documents), key="sure-to-leave"
        )
        st.button(
            t("Leave this folder"),
            key="leave-source",
            icon=":material/folder_off:",
            disabled=not sure,
            on_click=_forget,
            args=(root,),
        )


def _read_again(path: str, name: str) -> None:
    close()
    if not Path(path).exists():
        st.session_state[_REFUSED] = t(
            "{path} is not there any more. The next run over its folder takes note of it.",
            path=path,
        )
        return
    resources.ingest_runs().order(
        ["--retry", "--verify", path], t("Reading {name} again", name=name)
    )


def _delete(path: str, name: str) -> None:
    resources.who().require(Role.LIBRARIAN)
    close()
    data_dir = resources.storage_settings().data_dir
    try:
        token = discard(data_dir, Path(path))
    except HayloftError as error:
        st.session_state[_REFUSED] = str(error)
        return
    st.session_state[_DELETED] = {"token": token, "name": name}
    _take_uploads_in(t("Taking {name} out", name=name), deletes=True)


def _bring_back() -> None:
    resources.who().require(Role.LIBRARIAN)
    deleted = st.session_state.pop(_DELETED, None)
    if not deleted:
        return
    try:
        path = restore(resources.storage_settings().data_dir, deleted["token"])
    except HayloftError as error:
        st.session_state[_REFUSED] = str(error)
        return
    _take_uploads_in(t("Reading {name}", name=path.name), deletes=False)


def _take_uploads_in(what: str, *, deletes: bool) -> None:
    # Deleting on the page is meant: the brake is for shares that vanish by themselves.
    words = ["--allow-deletes"] if deletes else []
    folder = uploads_folder(resources.storage_settings().data_dir)
    resources.ingest_runs().order([*words, str(folder)], what)


def _forget(root: str) -> None:
    close()
    resources.ingest_runs().order(["--forget", root], t("Leaving {name}", name=root))


def _forget_deleted() -> None:
    st.session_state.pop(_DELETED, None)

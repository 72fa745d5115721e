"""The library page: what is in it, what is wrong with it, adding, deleting, reading again.

The page only draws. Runs are carried out by `app.ingest_process` in processes
of their own; a fragment looks at them once a second, so that a reload, or a
run that somebody else has started, is shown as what it is.
"""

from __future__ import annotations

import time
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from app import document_page, rendering, resources, run_view
from app.chat_page import ingest_command
from app.ingest_process import BRAKE
from app.library_view import key_of, orders, state_options, table_html
from app.people import Role
from app.private_files import masked
from app.uploads import keep, uploads_folder
from app.wording import t, tn
from app.work_style import work_style
from storage.errors import HayloftError
from storage.listing import Wanted
from storage.records import Failure
from storage.run_history import lately, run_at_work

if TYPE_CHECKING:
    from app.ingest_process import Run
    from storage.records import LibraryCounts, RunSummary

ROWS = 50
RUNS_SHOWN = 20
WATCH_S = 1.0
"""Between two looks at a run at work."""
IDLE_S = 3.0
"""Between two looks for a run that somebody else starts."""

_PICKS = """
export default function (component) {
  const { setTriggerValue } = component;
  const onClick = (event) => {
    const button = event.target.closest && event.target.closest("button[data-pick]");
    if (button) setTriggerValue("picked", button.getAttribute("data-pick"));
  };
  document.addEventListener("click", onClick);
  return () => document.removeEventListener("click", onClick);
}
"""


@lru_cache(maxsize=1)
def _picks() -> Any:
    return st.components.v2.component("hayloft.picks", js=_PICKS)


def show() -> None:
    """Draw the page."""
    st.html(work_style(dark=st.context.theme.type == "dark"))
    try:
        _draw()
    except HayloftError as error:
        st.html(rendering.notice_html("error", t("The library cannot be shown"), str(error)))
        st.button(t("Try again"), icon=":material/refresh:", key="try-again")


def _draw() -> None:
    counts = resources.counts()
    _head(counts)
    _run_panel()
    if resources.who().may(Role.LIBRARIAN):
        _upload()
    document_page.undo()
    picked = _picks()(key="picks", on_picked_change=lambda: None).picked
    if counts.documents or counts.failures:
        _list(str(picked or ""))
    else:
        st.html(
            rendering.notice_html(
                "info",
                t("The library is empty"),
                t(
                    "Drop files above, or have a folder of this machine read, subfolders included; "
                    "then it is kept in line with every run. In a terminal:"
                ),
                ingest_command(),
            )
        )
    _sources()
    _history()
    document_page.show()


def _head(counts: LibraryCounts) -> None:
    documents = rendering.count_of(counts.documents, "document")
    fresh = (
        t("last run {when}", when=rendering.age(max(0.0, time.time() - counts.last_ingested_at)))
        if counts.last_ingested_at
        else t("never read so far")
    )
    aside = (
        " · " + tn(counts.failures, "{n} file set aside", "{n} files set aside")
        if counts.failures
        else ""
    )
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        st.html(
            f'<h1 class="hl-title">{t("Library")}</h1><div class="hl-small">'
            f"{documents} · {rendering.count_of(counts.pages, 'page')} · {fresh}{aside}</div>"
        )
        if not resources.who().may(Role.LIBRARIAN):
            return
        st.button(
            t("Run now"),
            key="run-now",
            icon=":material/sync:",
            help=t("Bring the library in line with all its folders, as every night"),
            on_click=_order,
            args=([], t("All folders")),
            disabled=not resources.library().catalog.sources(),
        )


def _order(words: list[str], what: str) -> None:
    resources.ingest_runs().order(words, what)


# --- runs ---------------------------------------------------------------------------------------


def _run_panel() -> None:
    """What is at work, redrawn by itself; the page follows when that changes."""
    state = resources.ingest_runs().state()
    active = state.now is not None or run_at_work(resources.storage_settings().data_dir)
    st.session_state["library-run"] = _mark()
    st.fragment(_runs, run_every=WATCH_S if active else IDLE_S)()


def _mark() -> list[object]:
    """What the page rests on beside the catalog: which run ended last, and whether one works."""
    state = resources.ingest_runs().state()
    own = state.now is not None
    outside = not own and run_at_work(resources.storage_settings().data_dir)
    return [state.last.number if state.last else 0, own, outside]


def _runs() -> None:
    if st.session_state.get("library-run") != _mark():
        st.rerun()
    state = resources.ingest_runs().state()
    catalog = resources.library().catalog
    if state.now is not None:
        _run(masked(state.now, t("Files of a conversation")))
    elif run_at_work(resources.storage_settings().data_dir):
        _outside(next(iter(lately(catalog, limit=1)), None))
    for run in (masked(one, t("Files of a conversation")) for one in state.queued):
        words = rendering.text_html(f"{run.what}: {run_view.run_words(run)}")
        st.html(f'<div class="hl-small">{words}</div>')
    if state.last is not None and state.now is None:
        _ended(state.last)


def _outside(run: RunSummary | None) -> None:
    """The run that somebody else has started."""
    st.html(run_view.outside_html(run, time.time()))
    share = run_view.outside_share(run)
    if share is not None:
        st.progress(share)


def _run(run: Run) -> None:
    with st.container(border=True):
        words = rendering.heading(f"{run.what}: {run_view.run_words(run)}")
        st.progress(run.share or 0.0, text=words)
        if files := run_view.run_html(run):
            st.html(files)
        if not resources.who().may(Role.LIBRARIAN):
            return
        st.button(
            t("Stopping…") if run.state == "stopping" else t("Stop"),
            key="stop-run",
            icon=":material/stop_circle:",
            on_click=resources.ingest_runs().stop,
            disabled=run.state == "stopping",
        )


def _ended(run: Run) -> None:
    st.html(run_view.ended_html(run))
    if not resources.who().may(Role.LIBRARIAN):
        return
    with st.container(horizontal=True):
        st.button(t("Close"), key="dismiss-run", on_click=resources.ingest_runs().dismiss)
        if run.code == BRAKE:
            st.button(
                t("They are meant to go: run it again and let it delete"),
                key="allow-deletes",
                icon=":material/delete_sweep:",
                on_click=_order,
                args=(["--allow-deletes", *run.words], t("{what}, with deletes", what=run.what)),
            )


# --- adding -------------------------------------------------------------------------------------


def _upload() -> None:
    most_mb = resources.app_settings().upload_mb
    turn = st.session_state.get("upload-turn", 0)
    given = st.file_uploader(
        t("Add documents: drop them here, or choose them"),
        help=t(
            "PDF, Office files, web pages, mails, books, text, tables, code and ZIP archives of "
            "these are read. They are kept in the data directory, and nothing is overwritten."
        ),
        accept_multiple_files=True,
        key=f"upload-{turn}",
        max_upload_size=most_mb,
    )
    if given:
        st.session_state["upload-said"] = _take(given, most_mb)
        # A widget of another key: the files leave the server's memory.
        st.session_state["upload-turn"] = turn + 1
        st.rerun()
    for kind, title, sentence in st.session_state.get("upload-said", []):
        st.html(rendering.notice_html(kind, title, sentence))
    if st.session_state.get("upload-said"):
        st.button(t("Close"), key="close-upload", on_click=_forget, args=("upload-said",))


def _take(given: list[Any], most_mb: int) -> list[tuple[str, str, str]]:
    """Keep the files and have them read; what there is to say of each."""
    resources.who().require(Role.LIBRARIAN)
    data_dir = resources.storage_settings().data_dir
    said: list[tuple[str, str, str]] = []
    kept: list[str] = []
    for file in given:
        try:
            found = keep(data_dir, file.name, file.getbuffer(), most_mb=most_mb)
        except HayloftError as error:
            said.append(("warn", t("Not taken"), str(error)))
            continue
        kept.append(found.path.name)
        if found.existed:
            sentence = t("{name} is the very same file.", name=found.path.name)
            said.append(("info", t("There already"), sentence))
        elif found.path.name != found.asked:
            sentence = t(
                "{asked} is kept as {name}; nothing was overwritten.",
                asked=found.asked,
                name=found.path.name,
            )
            said.append(("info", t("Another name"), sentence))
    if kept:
        what = kept[0] if len(kept) == 1 else rendering.count_of(len(kept), "file")
        _order([str(uploads_folder(data_dir))], t("Reading {name}", name=what))
    return said


def _forget(key: str) -> None:
    st.session_state.pop(key, None)


# --- the list -----------------------------------------------------------------------------------


def _list(picked: str) -> None:
    catalog = resources.library().catalog
    wanted = _filters()
    listed = catalog.listing(wanted)
    if not listed.entries and listed.total:
        st.session_state["library-page"] = 1
        st.rerun()
    files = {
        key_of(entry): [entry.source_root, entry.document]
        for entry in listed.entries
        if isinstance(entry, Failure)
    }
    if picked.startswith("d") and picked[1:].isdecimal():
        document_page.open_document(int(picked[1:]))
    elif picked in files:
        document_page.open_file(*files[picked])
    if not listed.total:
        st.html(
            rendering.notice_html(
                "info", t("None of them"), t("No document or file fits the filters.")
            )
        )
        return
    st.html(table_html(listed.entries, time.time()))
    if listed.total > ROWS:
        pages = -(-listed.total // ROWS)
        first = wanted.offset + 1
        with st.container(horizontal=True, vertical_alignment="center"):
            st.pagination(pages, key="library-page")
            told = t(
                "{first} to {last} of {all}",
                first=f"{first:,}",
                last=f"{first + len(listed.entries) - 1:,}",
                all=f"{listed.total:,}",
            )
            st.html(f'<div class="hl-small">{told}</div>')


def _first_page() -> None:
    st.session_state["library-page"] = 1


def _filters() -> Wanted:
    catalog = resources.library().catalog
    states = state_options(catalog.state_counts())
    folders = _folder_choices()
    kinds = ["", *resources.scope_choices().facets.kinds]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        text = st.text_input(
            t("Search names and titles"),
            key="library-text",
            max_chars=200,
            icon=":material/search:",
            on_change=_first_page,
        )
        state = _choice(t("State"), "library-state", states)
        kind = _choice(t("Type"), "library-kind", {kind: kind or t("All") for kind in kinds})
        folder = _choice(
            t("Folder"),
            "library-folder",
            {number: rendering.plain(words) for number, (_, _, words) in enumerate(folders)},
        )
        order = _choice(t("Order"), "library-order", orders())
    root, below, _ = folders[folder]
    page = max(1, int(st.session_state.get("library-page", 1)))
    return Wanted(
        text=text or "",
        state=state,
        kind=kind,
        root=root,
        folder=below,
        order=order,
        offset=(page - 1) * ROWS,
        limit=ROWS,
    )


def _choice(name: str, key: str, options: dict[Any, str]) -> Any:
    """A select box over keys with words; what is no longer there is no longer chosen."""
    if st.session_state.get(key) not in options:
        st.session_state.pop(key, None)
    elif st.session_state.get(f"{key}-words") != list(options.values()):
        # Set anew, or the browser would go on showing the words of before, numbers and all.
        st.session_state[key] = st.session_state[key]
    st.session_state[f"{key}-words"] = list(options.values())
    return st.selectbox(
        name, list(options), format_func=options.__getitem__, key=key, on_change=_first_page
    )


def _folder_choices() -> list[tuple[str, str, str]]:
    """Root, folder below it, and words for both; the first is everything."""
    found: list[tuple[str, str, str]] = [("", "", t("All"))]
    seen: set[str] = set()
    for root, folder, documents in resources.library().catalog.folders():
        if root not in seen:
            seen.add(root)
            found.append((root, "", _source_name(root)))
        if folder:
            found.append((root, folder, f"{_source_name(root)} / {folder} ({documents:,})"))
    return found


def _source_name(root: str) -> str:
    uploads = uploads_folder(resources.storage_settings().data_dir).resolve()
    return t("Uploads") if Path(root) == uploads else root


# --- below the list -----------------------------------------------------------------------------


def _sources() -> None:
    catalog = resources.library().catalog
    sources = catalog.sources()
    if not sources:
        return
    with st.expander(t("Folders that are read ({n})", n=len(sources))):
        for number, (root, whole) in enumerate(sources):
            there = _is_folder(Path(root))
            what = t("with all below it") if whole else t("files that were named one by one")
            gone = t("not there now; its documents stay searchable")
            state = "" if there else f" · {gone}"
            with st.container(horizontal=True, vertical_alignment="center"):
                st.html(
                    f"<div><bdi>{rendering.text_html(_source_name(root))}</bdi></div>"
                    f'<div class="hl-small">{what}{state}</div>'
                )
                if there and whole and resources.who().may(Role.LIBRARIAN):
                    st.button(
                        t("Read now"),
                        key=f"read-source-{number}",
                        on_click=_order,
                        args=([root], t("Reading {name}", name=_source_name(root))),
                    )


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False


def _history() -> None:
    runs = lately(resources.library().catalog, limit=RUNS_SHOWN)
    if not runs:
        return
    with st.expander(t("History of the runs")):
        st.html(run_view.history_html(runs))

"""Which documents a conversation's questions are kept to: a control, and a line that says so.

The choice is kept with the conversation. Before there is one it is kept in the
session, and goes with the first question into the conversation that begins.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import streamlit as st

from app import rendering, resources
from app.language_words import language_words
from app.wording import t
from storage.errors import UsageError
from storage.records import EVERYTHING, Scope
from storage.scoping import UNKNOWN_LANGUAGE

_DRAFT = "scope-draft"

_MOST_DOCUMENTS = 1000
"""More than these are not listed one by one, only their folders; a name can always be typed."""

_NAMES_SHOWN = 3
"""So many values of a filter the line names."""


_FILTERS = ("documents", "kinds", "languages", "tags", "since", "until")
"""The fields of a scope that have a widget."""


def scope_of(conversation_id: str | None) -> Scope:
    """What the next question is kept to; with the conversation's own files, where it has some."""
    return resources.scope_in_room(_kept_scope(conversation_id), conversation_id)


def _kept_scope(conversation_id: str | None) -> Scope:
    if conversation_id is not None:
        return resources.store().scope(conversation_id)
    draft: Mapping[str, object] | None = st.session_state.get(_DRAFT)
    return Scope.from_json(resources.preferences().scope if draft is None else draft)


def forget_draft() -> None:
    """The choice made before a conversation began belongs to that conversation now."""
    st.session_state.pop(_DRAFT, None)


def check(scope: Scope) -> None:
    """Raises UsageError for a scope that cannot be searched."""
    if not scope.is_everything:
        with resources.library().catalog.snapshot() as snapshot:
            snapshot.within(scope)


def show(conversation_id: str | None, documents: int) -> None:
    """Draw the control; `documents` is how many the library has."""
    scope = scope_of(conversation_id)
    with st.popover(
        _button_label(scope, documents),
        icon=":material/filter_alt:",
        type="tertiary" if scope.is_everything else "secondary",
        width="stretch",
    ):
        if scope.room and not scope.beyond_room:
            _own_files(conversation_id)
            return
        _widgets(scope, conversation_id)
        if not scope.is_everything:
            st.button(
                t("Search everything again"),
                key="scope-clear",
                icon=":material/close:",
                type="tertiary",
                on_click=_keep,
                args=(conversation_id, replace(EVERYTHING, beyond_room=scope.beyond_room)),
            )


def _own_files(conversation_id: str | None) -> None:
    told = t("Questions are kept to the files that were added to this conversation.")
    st.html(f'<div class="hl-small">{told}</div>')
    st.button(
        t("Search all documents as well"),
        key="scope-beyond",
        icon=":material/library_books:",
        on_click=go_beyond,
        args=(conversation_id, True),
    )


def go_beyond(conversation_id: str | None, beyond: bool) -> None:
    """Search all documents beside a conversation's own files, or these alone again."""
    _keep(conversation_id, replace(_kept_scope(conversation_id), beyond_room=beyond))


def show_line(conversation_id: str | None) -> None:
    """What the next question is kept to, above the composer; nothing where it is everything."""
    scope = scope_of(conversation_id)
    # Of a conversation's own files the composer says so itself.
    if not scope.is_everything and (not scope.room or scope.beyond_room):
        _line(scope)


def _line(scope: Scope) -> None:
    try:
        with resources.library().catalog.snapshot() as snapshot:
            within = snapshot.within(scope)
    except UsageError as error:
        st.html(
            rendering.notice_html("warn", t("Nothing can be found with these filters"), str(error))
        )
        return
    count = rendering.count_of(len(within.versions) if within else 0, "document")
    told = rendering.t_html("Only in {scope}", scope=described(scope))
    st.html(f'<div class="hl-small hl-scope" role="status">{told} · {count}</div>')


def described(scope: Scope) -> str:
    """A scope in words: `contracts, report.pdf · PDF · German · since 2021`."""
    parts = [
        _some(scope.documents),
        _some(kind.upper() for kind in scope.kinds),
        _some(_language_name(code) for code in scope.languages),
        _some(f"#{tag}" for tag in scope.tags),
        t("since {date}", date=scope.since) if scope.since else "",
        t("until {date}", date=scope.until) if scope.until else "",
    ]
    return " · ".join(part for part in parts if part)


def names_to_choose(paths: Iterable[str]) -> list[str]:
    """Folders with a slash at their end, and documents unless there are very many."""
    paths = list(paths)
    folders: Counter[str] = Counter()
    for path in paths:
        parents = path.split("/")[:-1]
        folders.update("/".join(parents[: depth + 1]) + "/" for depth in range(len(parents)))
    return [*sorted(folders), *(paths if len(paths) <= _MOST_DOCUMENTS else [])]


def _widgets(scope: Scope, conversation_id: str | None) -> None:
    choices = resources.scope_choices()
    facets = choices.facets
    languages = {code or UNKNOWN_LANGUAGE: count for code, count in facets.languages.items()}
    told: dict[str, Any] = {"on_change": _changed, "args": (conversation_id,)}
    _show_in_widgets(scope, conversation_id)
    st.multiselect(
        t("Documents and folders"),
        _with(names_to_choose(choices.paths), scope.documents),
        key=_key("documents", conversation_id),
        accept_new_options=True,
        select_all=False,  # Return would choose every match of what was typed
        placeholder=t("All, or a pattern such as *2023*"),
        **told,
    )
    if len(facets.kinds) > 1 or scope.kinds:
        st.pills(
            t("Types"),
            _with(facets.kinds, scope.kinds),
            selection_mode="multi",
            key=_key("kinds", conversation_id),
            format_func=lambda kind: _counted(kind.upper(), facets.kinds.get(kind, 0)),
            **told,
        )
    if len(languages) > 1 or scope.languages:
        st.pills(
            t("Languages"),
            _with(languages, scope.languages),
            selection_mode="multi",
            key=_key("languages", conversation_id),
            format_func=lambda code: _counted(_language_name(code), languages.get(code, 0)),
            **told,
        )
    if facets.tags or scope.tags:
        st.multiselect(
            t("Tags"),
            _with(facets.tags, scope.tags),
            key=_key("tags", conversation_id),
            placeholder=t("Any"),
            **told,
        )
    first, last = st.columns(2)
    with first:
        st.text_input(
            t("From date"), key=_key("since", conversation_id), placeholder="2021", **told
        )
    with last:
        st.text_input(
            t("To date"), key=_key("until", conversation_id), placeholder="2023-06", **told
        )
    if facets.first_date:
        span = t(
            "The documents are from {first} to {last}.",
            first=facets.first_date[:4],
            last=facets.last_date[:4],
        )
        st.html(f'<div class="hl-small">{rendering.text_html(span)}</div>')


def _key(name: str, conversation_id: str | None) -> str:
    return f"scope-{name}-{conversation_id or 'new'}"


def _show_in_widgets(scope: Scope, conversation_id: str | None) -> None:
    """What is kept is what the widgets show, also where another tab has changed it."""
    for name in _FILTERS:
        value = getattr(scope, name)
        shown = list(value) if isinstance(value, tuple) else value
        st.session_state[_key(name, conversation_id)] = shown


def _changed(conversation_id: str | None) -> None:
    """Keep what the widgets say now."""
    kept: dict[str, object] = {}
    for name in _FILTERS:
        value = st.session_state.get(_key(name, conversation_id))
        kept[name] = value.strip() if isinstance(value, str) else value
    kept["beyond_room"] = _kept_scope(conversation_id).beyond_room
    _keep(conversation_id, Scope.from_json(kept))


def _keep(conversation_id: str | None, scope: Scope) -> None:
    if conversation_id is None:
        st.session_state[_DRAFT] = scope.to_json()
    else:
        resources.store().set_scope(conversation_id, scope)


def _button_label(scope: Scope, documents: int) -> str:
    if scope.room and not scope.beyond_room:
        return t("Searching this conversation's files")
    if scope.is_everything:
        return t("Searching all {documents}", documents=rendering.count_of(documents, "document"))
    filtered = replace(scope, room="", beyond_room=False)
    filters = replace(filtered, since=scope.since or scope.until, until="").to_json()
    return t("Searching with {filters}", filters=rendering.count_of(len(filters), "filter"))


def _counted(name: str, count: int) -> str:
    return rendering.label(f"{name} · {count:,}")


def _with(options: Iterable[str], chosen: Iterable[str]) -> list[str]:
    """The options, and what was chosen before and is no longer among them."""
    return list(dict.fromkeys([*options, *chosen]))


def _some(values: Iterable[str]) -> str:
    named = list(values)
    names = ", ".join(named[:_NAMES_SHOWN])
    if len(named) <= _NAMES_SHOWN:
        return names
    return t("{names} and {n} more", names=names, n=len(named) - _NAMES_SHOWN)


def _language_name(code: str) -> str:
    return t("not sure") if code == UNKNOWN_LANGUAGE else language_words(code)

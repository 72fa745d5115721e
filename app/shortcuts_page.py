"""Keys of the chat page: what they do, a list of them, and a switch.

A single key does something only while nothing is typed; who has them from speech or a trembling
hand switches them off.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any

import streamlit as st

from app import rendering, resources, sidebar_page
from app.page_scripts import SHORTCUTS
from app.wording import t

_OPEN = "shortcuts-open"


def show(conversation_id: str | None) -> None:
    """Listen to the keys, and draw the list while it is open."""
    keys = _component()(
        key="shortcuts",
        data={"on": resources.preferences().shortcuts},
        on_asked_change=lambda: None,
    )
    if keys.asked == "list":
        _open()
    elif keys.asked == "new" and conversation_id is not None:
        sidebar_page.open_conversation(None)
        st.rerun()
    if st.session_state.get(_OPEN):
        st.dialog(t("Keyboard"), on_dismiss=_close)(_list)()


def button() -> None:
    """What opens the list without a key."""
    st.button(
        t("Keyboard"),
        key="keyboard",
        icon=":material/keyboard:",
        type="tertiary",
        on_click=_open,
    )


def _open() -> None:
    st.session_state[_OPEN] = True


def _close() -> None:
    st.session_state.pop(_OPEN, None)


def _list() -> None:
    rows = "".join(
        f"<tr><td>{' '.join(f'<kbd>{key}</kbd>' for key in keys)}</td>"
        f"<td>{rendering.text_html(does)}</td></tr>"
        for keys, does in (
            (("/",), t("Go to the question")),
            (("n",), t("New conversation")),
            (("s",), t("Search all conversations")),
            (("j", "k"), t("Next and previous citation")),
            (("Enter",), t("Open the citation")),
            (("←", "→"), t("Turn the open page")),
            (("+", "−"), t("Show the open page larger and smaller")),
            (("Esc",), t("Close the open page")),
            (("?",), t("This list")),
        )
    )
    st.html(f'<table class="hl-keys"><tbody>{rows}</tbody></table>')
    st.toggle(
        t("Single keys do this while nothing is typed"),
        value=resources.preferences().shortcuts,
        key="shortcuts-on",
        on_change=_switch,
    )


def _switch() -> None:
    on = bool(st.session_state.get("shortcuts-on"))
    kept = replace(resources.preferences(), shortcuts=on)
    resources.kept_preferences().keep(resources.who().name, kept)


@lru_cache(maxsize=1)
def _component() -> Any:
    return st.components.v2.component("hayloft.shortcuts", js=SHORTCUTS)

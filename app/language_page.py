"""Which language the page is in: the one its reader chose, and the browser is told so."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import streamlit as st

from app import resources
from app.connection_style import connection_style
from app.wording import language, languages
from storage.errors import HayloftError

_SPOKEN_FOR = "language-of"
_SCRIPT = """
export default function (component) {
  document.documentElement.lang = component.data.language;
}
"""


def begin() -> None:
    """Speak the language that the reader chose; called before anything is drawn."""
    owner = resources.who().name
    if st.session_state.get(_SPOKEN_FOR) == owner:
        return
    try:
        choose(resources.preferences().language)
    except HayloftError:
        return  # each page says by itself what is wrong with the data directory
    st.session_state[_SPOKEN_FOR] = owner


def choose(code: str) -> None:
    """Speak this language in this session; the browser's for one that there is not."""
    if code in languages():
        st.session_state["language"] = code
    else:
        st.session_state.pop("language", None)


def declare() -> None:
    """Tell the browser, whose screen reader chooses its voice by it and which may lose the server.

    Anew with each run, since the reader may have chosen another.
    """
    _declarer()(key="page-language", data={"language": language()})
    st.html(connection_style())


@lru_cache(maxsize=1)
def _declarer() -> Any:
    return st.components.v2.component("hayloft.language", js=_SCRIPT)

"""Tells the browser which language the page is in: screen readers choose their voice by it."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import streamlit as st

from app.wording import language

_SCRIPT = """
export default function (component) {
  document.documentElement.lang = component.data.language;
}
"""


def declare() -> None:
    """Say it anew with each run, since the reader may have chosen another."""
    _declarer()(key="page-language", data={"language": language()})


@lru_cache(maxsize=1)
def _declarer() -> Any:
    return st.components.v2.component("hayloft.language", js=_SCRIPT)

"""Our own HTML on the needle page."""

from __future__ import annotations

import streamlit as st


def html(text: str) -> None:
    """Our own HTML; half of a surrogate pair has no form on the wire."""
    st.html(text.encode("utf-8", "replace").decode("utf-8"))

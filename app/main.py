"""The entry script of the browser app; `hayloft ui` starts it."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from app import chat_page, library_page, models_page, resources, status_page
from app.wording import speak

speak(resources.spoken_language)
# Before the navigation: a page's own icon would become the tab's, which the browser fetches from
# the icon font's public server.
st.set_page_config(
    page_icon="🌾",
    initial_sidebar_state="auto",
    # With an entry of our own the menu is shown, and with it the choice of light or dark.
    menu_items={"About": "**Hayloft**: ask your own documents, and see what the model read."},
)
CHAT = st.Page(chat_page.show, title="Chat", icon=":material/forum:", url_path="chat", default=True)
# A page of another package is named by the path of its script.
PAGES = [
    CHAT,
    st.Page(library_page.show, title="Library", icon=":material/inventory_2:", url_path="library"),
    st.Page(models_page.show, title="Models", icon=":material/memory:", url_path="models"),
    st.Page(status_page.show, title="Status", icon=":material/monitor_heart:", url_path="status"),
]
NEEDLE = Path(__file__).resolve().parents[1] / "evaluation" / "needle_page.py"
if NEEDLE.is_file():
    PAGES.append(st.Page(NEEDLE, title="Needle", icon=":material/grid_on:", url_path="needle"))
page = st.navigation(PAGES, position="top")
st.set_page_config(
    page_title="Hayloft" if page is CHAT else f"{page.title} · Hayloft",
    layout="centered" if page is CHAT else "wide",
)
if page is CHAT:
    # The address names the open conversation, and that of another page does not: the way back
    # leads to it again.
    if st.session_state.get("page-before", CHAT.title) != CHAT.title:
        left = st.session_state.get("conversation-left")
        if left and "c" not in st.query_params:
            st.query_params["c"] = left
    st.session_state["conversation-left"] = st.query_params.get("c")
st.session_state["page-before"] = page.title
page.run()

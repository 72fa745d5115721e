"""The entry script of the browser app; `hayloft ui` starts it."""

from __future__ import annotations

import streamlit as st

from app import chat_page

st.set_page_config(
    page_title="Hayloft",
    page_icon="🌾",
    layout="centered",
    initial_sidebar_state="auto",
    # With an entry of our own the menu is shown, and with it the choice of light or dark.
    menu_items={"About": "**Hayloft**: ask your own documents, and see what the model read."},
)
st.navigation(
    [st.Page(chat_page.show, title="Chat", icon=":material/forum:", url_path="chat", default=True)],
    position="hidden",
).run()

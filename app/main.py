"""The entry script of the browser app; `hayloft ui` starts it."""

from __future__ import annotations

import streamlit as st

from app import chat_page

st.set_page_config(
    page_title="Hayloft",
    page_icon="🌾",
    layout="centered",
    initial_sidebar_state="auto",
)
st.navigation(
    [st.Page(chat_page.show, title="Chat", icon=":material/forum:", url_path="chat", default=True)],
    position="hidden",
).run()

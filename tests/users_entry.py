"""An entry for `streamlit run`: the real door and page over the fakes of `chat_fakes`."""

from __future__ import annotations

from pathlib import Path

import streamlit as st
from streamlit.starlette import App

from app.auth_settings import AuthSettings
from app.entrance import entrance
from storage.settings import StorageSettings

app = App(
    Path(__file__).with_name("chat_fakes_entry.py"),
    **entrance(AuthSettings(), StorageSettings(), st.get_option("server.allowedHosts")),
)

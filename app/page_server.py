"""The entry of the browser app; `hayloft ui` starts it."""

from __future__ import annotations

from pathlib import Path

import streamlit as st
from streamlit.starlette import App

from app import fault_page
from app.auth_settings import AuthSettings
from app.entrance import entrance
from storage.settings import StorageSettings

# Streamlit looks for this very line to know that the file is a server and not a page.
app = App(
    Path(__file__).with_name("main.py"),
    on_script_error=fault_page.tell,
    **entrance(AuthSettings(), StorageSettings(), st.get_option("server.allowedHosts")),
)

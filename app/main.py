"""The script of the browser app, behind the door of `page_server.py`."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import streamlit as st

from app import account_page, chat_page, language_page, resources, saved_page
from app.auth_settings import OFF
from app.people import Role
from app.wording import speak, t


def shown(module: str) -> Callable[[], None]:
    """What draws a page, imported when it is opened: the first page waits for none of them."""

    def show() -> None:
        import_module(f"app.{module}").show()

    return show


speak(resources.spoken_language)
# Before the navigation: a page's own icon would become the tab's, which the browser fetches from
# the icon font's public server.
st.set_page_config(
    page_icon="🌾",
    initial_sidebar_state="auto",
    # With an entry of our own the menu is shown, and with it the choice of light or dark.
    menu_items={"About": t("**Hayloft**: ask your own documents, and see what the model read.")},
)
USER = account_page.user_or_stop()
language_page.begin()
CHAT = st.Page(
    chat_page.show, title=t("Chat"), icon=":material/forum:", url_path="chat", default=True
)
# A page of another package is named by the path of its script.
PAGES = [
    CHAT,
    st.Page(
        shown("library_page"), title=t("Library"), icon=":material/inventory_2:", url_path="library"
    ),
    st.Page(
        saved_page.show, title=saved_page.title(), icon=":material/bookmark:", url_path="saved"
    ),
    st.Page(shown("models_page"), title=t("Models"), icon=":material/memory:", url_path="models"),
    st.Page(
        shown("status_page"), title=t("Status"), icon=":material/monitor_heart:", url_path="status"
    ),
]
NEEDLE = Path(__file__).resolve().parents[1] / "evaluation" / "needle_page.py"
if NEEDLE.is_file():
    PAGES.append(st.Page(NEEDLE, title=t("Needle"), icon=":material/grid_on:", url_path="needle"))
if resources.auth_settings().auth != OFF:
    PAGES.append(
        st.Page(shown("users_page"), title=t("Users"), icon=":material/group:", url_path="users")
    )
PAGES.append(
    st.Page(
        shown("settings_page"), title=t("Settings"), icon=":material/settings:", url_path="settings"
    )
)
NEEDS = {"models": Role.ADMIN, "needle": Role.ADMIN, "users": Role.ADMIN, "status": Role.LIBRARIAN}
# A page that is left out is not there for whoever asks for its address.
page = st.navigation(
    [one for one in PAGES if USER.may(NEEDS.get(one.url_path, Role.READER))], position="top"
)
if page is CHAT:
    # The address names the open conversation, and that of another page does not: the way back
    # leads to it again.
    if st.session_state.get("page-before", CHAT.url_path) != CHAT.url_path:
        left = st.session_state.get("conversation-left")
        if left and "c" not in st.query_params:
            st.query_params["c"] = left
    st.session_state["conversation-left"] = st.query_params.get("c")
# The address, not the title: that changes with the language.
st.session_state["page-before"] = page.url_path
name = chat_page.title() if page is CHAT else page.title
st.set_page_config(
    page_title=f"{name} · Hayloft" if name else "Hayloft",
    layout="centered" if page is CHAT else "wide",
)
account_page.menu(USER)
language_page.declare()
page.run()

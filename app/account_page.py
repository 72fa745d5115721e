"""Who is there: the way to the form where nobody is, and the menu of whoever is."""

from __future__ import annotations

from functools import lru_cache
from typing import Any
from urllib.parse import urlencode

import streamlit as st

from app import rendering, resources
from app.auth_settings import ACCOUNTS, OFF, OIDC
from app.people import Role, User
from app.wording import t
from storage.errors import HayloftError

_LEAVE = """
export default function (component) {
  const data = component.data || {};
  const back = window.location.pathname + window.location.search;
  window.location.assign(data.to + "?" + new URLSearchParams({ next: back }).toString());
}
"""
_WHOSE = "whose-session"


def user_or_stop() -> User:
    """Whoever is signed in; where nobody is, the page holds nothing but the way in."""
    try:
        user = resources.signed_in()
    except HayloftError as refused:
        _refused(str(refused))
        st.stop()
        raise
    if user is None:
        _way_in()
        st.stop()
        raise AssertionError  # st.stop() has left
    if st.session_state.get(_WHOSE, user.name) != user.name:
        # Somebody else signed in with this browser: nothing of the one before may show.
        st.session_state.clear()
    st.session_state[_WHOSE] = user.name
    return user


def menu(user: User) -> None:
    """The menu of the account, where there are accounts."""
    auth = resources.auth_settings().auth
    if auth == OFF:
        return
    with (
        st.sidebar,
        st.popover(
            rendering.label(user.name, limit=40),
            icon=":material/account_circle:",
            type="tertiary",
            width="stretch",
        ),
    ):
        name = rendering.text_html(user.name)
        st.html(
            f'<div><bdi>{name}</bdi></div><div class="hl-small">'
            f"{rendering.text_html(role_word(user.role))}</div>"
        )
        if auth == ACCOUNTS:
            words = rendering.text_html(t("Change the password"))
            st.html(f'<a href="/password" target="_self">{words}</a>')
        st.button(
            t("Sign out"), key="sign-out", icon=":material/logout:", on_click=resources.sign_out
        )


def role_word(role: Role) -> str:
    """What a role is called."""
    return {Role.READER: t("Reader"), Role.LIBRARIAN: t("Librarian"), Role.ADMIN: t("Admin")}[role]


def _way_in() -> None:
    st.html(f"<h1>{rendering.text_html(t('Sign in'))}</h1>")
    if resources.auth_settings().auth == OIDC:
        st.button(t("Sign in"), key="sign-in", type="primary", on_click=st.login)
        return
    _leaver()(key="leave-for-login", data={"to": "/login"})
    query = urlencode({"next": "/"})
    words = rendering.text_html(t("You are signed out. Sign in again."))
    st.html(f'<a href="/login?{query}" target="_self">{words}</a>')


def _refused(why: str) -> None:
    st.html(rendering.notice_html("error", t("You cannot use this page"), why))
    st.button(t("Sign in with another account"), key="sign-out", on_click=st.logout)


@lru_cache(maxsize=1)
def _leaver() -> Any:
    return st.components.v2.component("hayloft.leave", js=_LEAVE)

"""The users page, for admins: who has an account, what they may do, and whether they still may."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable

import streamlit as st

from app import rendering, resources
from app.account_page import role_word
from app.accounts import Account
from app.auth_settings import ACCOUNTS
from app.departures import leave
from app.people import Role
from app.wording import t, tn
from app.work_style import work_style
from storage.errors import HayloftError

_SAID = "users-said"
_PASSWORD = "users-password"


def show() -> None:
    """Draw the page."""
    resources.who().require(Role.ADMIN)
    st.html(work_style(dark=st.context.theme.type == "dark"))
    try:
        _draw()
    except HayloftError as error:
        st.html(rendering.notice_html("error", t("The users cannot be shown"), str(error)))
        st.button(t("Try again"), icon=":material/refresh:", key="try-again")


def _draw() -> None:
    found = resources.accounts().all()
    own = resources.auth_settings().auth == ACCOUNTS
    people = rendering.text_html(tn(len(found), "{n} account", "{n} accounts"))
    title = rendering.text_html(t("Users"))
    st.html(f'<h1 class="hl-title">{title}</h1><div class="hl-small">{people}</div>')
    if said := st.session_state.pop(_SAID, None):
        st.html(rendering.notice_html(*said))
    if given := st.session_state.get(_PASSWORD):
        _first_password(*given)
    if own:
        _add()
    for account in found:
        _account(account, own=own)


def _first_password(name: str, password: str) -> None:
    sentence = t(
        "Give it to {name} on a way that nobody listens in on. It is shown this once, and is to be "
        "changed with the first sign-in.",
        name=name,
    )
    st.html(rendering.notice_html("info", t("The password"), sentence, password))
    st.button(
        t("Close"), key="close-password", on_click=lambda: st.session_state.pop(_PASSWORD, None)
    )


def _add() -> None:
    with (
        st.form("add-user", clear_on_submit=True),
        st.container(horizontal=True, vertical_alignment="bottom"),
    ):
        st.text_input(t("Name"), key="new-user", max_chars=64)
        st.selectbox(t("Role"), list(Role), key="new-role", format_func=role_word)
        st.form_submit_button(t("Add"), icon=":material/person_add:", on_click=_make)


def _make() -> None:
    password = _random_password()

    def work() -> None:
        name = resources.accounts().add(
            str(st.session_state["new-user"]),
            password,
            st.session_state["new-role"],
            provisional=True,
        )
        st.session_state[_PASSWORD] = (name, password)

    _do(work)


def _account(account: Account, *, own: bool) -> None:
    mine = account.name == resources.who().name
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
            st.html(_account_html(account, mine=mine))
            if own and not account.leaving:
                _role(account)
            if not mine and not account.leaving:
                st.button(
                    t("Let in again") if account.disabled else t("Disable"),
                    key=f"disable-{account.name}",
                    help=t("Signs out everywhere and lets nobody in; what is theirs is kept"),
                    on_click=_disable,
                    args=(account.name, not account.disabled),
                )
                if own:
                    st.button(
                        t("New password"),
                        key=f"reset-{account.name}",
                        on_click=_reset,
                        args=(account.name,),
                    )
        if not mine:
            with st.expander(t("Delete")):
                sure = st.checkbox(
                    t("Delete {name} with all their conversations, for good", name=account.name),
                    key=f"sure-{account.name}",
                )
                st.button(
                    t("Delete"),
                    key=f"delete-{account.name}",
                    disabled=not sure,
                    on_click=_delete,
                    args=(account.name,),
                )


def _account_html(account: Account, *, mine: bool) -> str:
    words = [role_word(account.role)]
    if mine:
        words.append(t("you"))
    if account.leaving:
        words.append(t("is being deleted"))
    elif account.disabled:
        words.append(t("disabled"))
    if account.outside:
        words.append(t("signs in with the provider"))
    if account.signed_in_at is None:
        words.append(t("never signed in"))
    else:
        day = time.strftime("%Y-%m-%d %H:%M", time.localtime(account.signed_in_at))
        words.append(t("last sign-in {day}", day=day))
    told = rendering.text_html(" · ".join(words))
    name = rendering.text_html(account.name)
    return f'<div><bdi>{name}</bdi></div><div class="hl-small">{told}</div>'


def _role(account: Account) -> None:
    key = f"role-{account.name}"
    if st.session_state.get(key) != account.role:
        st.session_state[key] = account.role
    st.selectbox(
        t("Role of {name}", name=rendering.plain(account.name)),
        list(Role),
        key=key,
        format_func=role_word,
        label_visibility="collapsed",
        width=160,
        on_change=_change_role,
        args=(account.name, key),
    )


def _change_role(name: str, key: str) -> None:
    _do(lambda: resources.accounts().set_role(name, st.session_state[key]))


def _disable(name: str, disabled: bool) -> None:
    _do(lambda: resources.accounts().set_disabled(name, disabled))


def _reset(name: str) -> None:
    password = _random_password()

    def work() -> None:
        resources.accounts().set_password(name, password, provisional=True)
        st.session_state[_PASSWORD] = (name, password)

    _do(work)


def _delete(name: str) -> None:
    data_dir = resources.storage_settings().data_dir

    def work() -> None:
        # Nothing that is being written for them writes on behind the wiping.
        resources.accounts().begin_leaving(name)
        resources.stop_answers(name)
        leave(resources.accounts(), data_dir, name)

    _do(work)


def _do(work: Callable[[], object]) -> None:
    """What an admin asked for; what cannot be done is a sentence on the page."""
    try:
        resources.who().require(Role.ADMIN)
        work()
    except HayloftError as error:
        st.session_state[_SAID] = ("warn", t("Not done"), str(error))


def _random_password() -> str:
    return secrets.token_urlsafe(12)

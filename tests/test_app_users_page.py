"""Signing in, roles and the users page, run by Streamlit's own test runner."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from app import document_page, library_page, resources
from app.accounts import Accounts
from app.passwords import Cost
from app.people import LOCAL, Allowed, NotAllowed, Role, User
from tests.chat_fakes import Fakes
from tests.page_fixtures import keys, main_page, shown

pytestmark = pytest.mark.usefixtures("fresh_pages")
PASSWORD = "tree-lamp-orange"


class Door:
    """Who the browser says it is; a test turns it as it likes."""

    def __init__(self, accounts: Accounts) -> None:
        self.accounts = accounts
        self.token = ""
        self.claims: dict[str, Any] | None = None

    def sign_in(self, name: str) -> None:
        self.token = self.accounts.sign_in(name, PASSWORD, "10.0.0.1")


@pytest.fixture
def door(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fakes: Fakes) -> Door:
    monkeypatch.setenv("HAYLOFT_AUTH", "accounts")
    accounts = Accounts(tmp_path, cost=Cost(8, 8, 1))
    accounts.add("Root", PASSWORD, Role.ADMIN)
    accounts.add("Lib", PASSWORD, Role.LIBRARIAN)
    accounts.add("Ann", PASSWORD)
    found = Door(accounts)
    monkeypatch.setattr(resources, "accounts", lambda: accounts)
    monkeypatch.setattr(resources, "session_token", lambda: found.token)
    monkeypatch.setattr(resources, "claims", lambda: found.claims)
    return found


def test_nobody_sees_nothing(door: Door) -> None:
    """Neither names, counts, conversations nor a box to ask in; a wrong token is nobody too."""
    for token in ("", "x" * 43):
        door.token = token
        page = main_page()

        assert not page.exception
        assert not page.chat_input and not page.sidebar.button
        assert keys(page) == set()
        for word in ("documents", "Travel", "qwen2", "tokens"):
            assert word not in shown(page)


def test_whoever_is_signed_in_meets_the_page(door: Door) -> None:
    """With their name and a way out."""
    door.sign_in("Ann")

    page = main_page()

    assert not page.exception
    assert page.chat_input
    assert "<bdi>Ann</bdi>" in shown(page)
    assert "sign-out" in keys(page)


def test_without_a_login_everything_is_as_it_was(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One user, who may do everything, and no menu of an account."""
    monkeypatch.setenv("HAYLOFT_AUTH", "off")
    resources.auth_settings.clear()

    page = main_page()

    assert page.chat_input
    assert "sign-out" not in keys(page)
    assert resources.who() == LOCAL


def test_signing_out_empties_the_page(door: Door) -> None:
    """The session is over with the click, for every tab that has it."""
    door.sign_in("Ann")
    page = main_page()
    other = main_page()

    next(item for item in page.button if item.key == "sign-out").click().run()
    other.run()

    assert not page.chat_input and not other.chat_input
    assert door.accounts.sessions.user(door.token) is None


def test_a_disabled_user_cannot_ask_any_more(door: Door) -> None:
    """The next action of an open page finds the door shut, and nothing is written."""
    door.sign_in("Ann")
    page = main_page()

    door.accounts.set_disabled("Ann")
    page.chat_input[0].set_value("What is the per diem?").run()

    assert not page.chat_input
    door.accounts.set_disabled("Ann", False)
    door.sign_in("Ann")
    assert resources.store().summaries() == []


def test_nothing_of_the_one_before_is_left_for_the_next(door: Door) -> None:
    """Another user in the same browser tab begins with an empty state."""
    door.sign_in("Root")
    page = main_page()
    page.session_state["users-password"] = ("Ann", "secret")

    door.sign_in("Ann")
    page.run()

    assert "users-password" not in page.session_state
    assert "<bdi>Ann</bdi>" in shown(page)


@pytest.mark.parametrize(
    ("name", "pages"),
    [("Ann", set()), ("Lib", {"status"}), ("Root", {"status", "models", "users", "needle"})],
)
def test_pages_are_there_for_those_who_need_them(
    door: Door, name: str, pages: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others get none of them, whatever address they type."""
    offered: list[str] = []
    real = st.navigation

    def navigation(given: list[Any], **words: Any) -> Any:
        offered[:] = [one.url_path for one in given]
        return real(given, **words)

    monkeypatch.setattr(st, "navigation", navigation)
    door.sign_in(name)

    main_page()

    assert set(offered) & {"status", "models", "users", "needle"} == pages
    assert {"", "library"} <= set(offered)


@pytest.mark.parametrize("name", ["Ann", "Lib", "Root"])
def test_roles_hold_where_things_are_done(door: Door, name: str) -> None:
    """Not only by what the page hides: the deeds themselves refuse."""
    door.sign_in(name)
    role = resources.who().role
    ordered: list[str] = []
    runs = Allowed(_Runs(ordered), resources.who, Role.LIBRARIAN, ("order",)).given()

    def refuses(work: Any) -> bool:
        try:
            work()
        except NotAllowed:
            return True
        return False

    assert refuses(lambda: runs.order("x")) == (role < Role.LIBRARIAN)
    assert ordered == ([] if role < Role.LIBRARIAN else ["x"])
    assert runs.state() == "idle"
    assert refuses(lambda: resources.ingest_runs().stop()) == (role < Role.LIBRARIAN)
    assert refuses(lambda: resources.model_jobs().stop()) == (role < Role.ADMIN)
    assert refuses(lambda: library_page._take([], 1)) == (role < Role.LIBRARIAN)
    assert refuses(lambda: document_page._bring_back()) == (role < Role.LIBRARIAN)


def test_a_button_drawn_for_a_librarian_does_nothing_for_a_reader(door: Door) -> None:
    """What was bound to a button while its reader might is asked anew when it is pressed."""
    door.sign_in("Lib")
    ordered: list[str] = []
    pressed = Allowed(_Runs(ordered), resources.who, Role.LIBRARIAN, ("order",)).given().order
    stop = resources.ingest_runs().stop

    door.accounts.set_role("Lib", Role.READER)

    for deed in (lambda: pressed("x"), stop):
        with pytest.raises(NotAllowed):
            deed()
    assert ordered == []


def test_what_was_read_so_far_is_looked_up_for_each_reader(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The very same question of somebody else is not answered out of the first one's memory."""
    asked: list[str] = []

    class Asks:
        def read_so_far(self, *_given: Any, **_named: Any) -> tuple[int, int]:
            asked.append(resources.who().name)
            return len(asked), 9

    monkeypatch.setattr(resources, "assistant", Asks)
    told = []
    for name in ("Ann", "Lib", "Ann"):
        door.sign_in(name)
        told.append(resources.read_so_far("c", 1, "who?", "{}"))

    assert asked == ["Ann", "Lib"]
    assert told == [(1, 9), (2, 9), (1, 9)]


class _Runs:
    def __init__(self, ordered: list[str]) -> None:
        self._ordered = ordered

    def order(self, what: str) -> None:
        self._ordered.append(what)

    def state(self) -> str:
        return "idle"


def users(door: Door) -> AppTest:
    """The users page by itself."""

    def script() -> None:
        from app import users_page

        users_page.show()

    return AppTest.from_function(script, default_timeout=20).run()


def test_an_admin_adds_and_the_password_is_shown_once(door: Door) -> None:
    """It opens the account, and is gone when the note is closed."""
    door.sign_in("Root")
    page = users(door)
    page.text_input(key="new-user").set_value("Bob <i>")
    page.selectbox(key="new-role").set_value(Role.LIBRARIAN)

    next(item for item in page.button if "Add" in item.label).click().run()

    name, password = page.session_state["users-password"]
    assert not page.exception
    assert password in shown(page) and "Bob &lt;i&gt;" in shown(page)
    assert door.accounts.sign_in(name, password, "10.0.0.2")
    assert door.accounts.provisional(name)
    next(item for item in page.button if item.key == "close-password").click().run()
    assert password not in shown(page)


def test_an_admin_disables_changes_and_deletes(door: Door, tmp_path: Path) -> None:
    """Each counts at once; what was the deleted user's is wiped."""
    door.sign_in("Ann")
    resources.store().create("of ann")
    anns = door.token
    door.sign_in("Root")
    page = users(door)

    next(item for item in page.button if item.key == "disable-Ann").click().run()
    assert door.accounts.sessions.user(anns) is None
    page.selectbox(key="role-Lib").set_value(Role.READER).run()
    assert door.accounts.standing("Lib") == User("Lib", Role.READER)
    page.checkbox(key="sure-Ann").check().run()
    next(item for item in page.button if item.key == "delete-Ann").click().run()

    assert not page.exception
    assert [one.name for one in door.accounts.all()] == ["Lib", "Root"]
    from app.conversations import Conversations

    assert Conversations(tmp_path / "conversations.db", owner=None).summaries() == []


def test_the_last_admin_is_told_so(door: Door) -> None:
    """A sentence on the page; the role stays."""
    door.sign_in("Root")
    page = users(door)

    page.selectbox(key="role-Root").set_value(Role.READER).run()

    assert "last admin" in shown(page)
    assert door.accounts.standing("Root") == User("Root", Role.ADMIN)


def test_the_users_page_is_for_admins(door: Door) -> None:
    """Drawn for anybody else it shows nothing but a refusal."""
    door.sign_in("Lib")

    page = users(door)

    assert page.exception
    assert "Root" not in shown(page)


def test_a_provider_lets_in_whom_the_settings_name(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others read why; who is out after a sign-out stays out with the same login."""
    monkeypatch.setenv("HAYLOFT_AUTH", "oidc")
    monkeypatch.setenv("HAYLOFT_OIDC_READERS", "@example.org")
    resources.auth_settings.clear()
    assert "sign-in" in keys(main_page())

    claims = {"iss": "i", "sub": "1", "iat": time.time(), "email": "eve@evil.example"}
    door.claims = claims
    assert "may not use this page" in shown(main_page())
    door.claims = {**claims, "sub": "2", "email": "ann@example.org"}
    page = main_page()
    assert page.chat_input
    next(item for item in page.button if item.key == "sign-out").click().run()

    assert "sign-in" in keys(page) and not page.chat_input

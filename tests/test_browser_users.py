"""Accounts in a real headless Chromium, against a real server: who sees what, and until when."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.accounts import Accounts
from app.passwords import Cost
from app.people import Role
from tests.browser_server import served_ui
from tests.browser_steps import BOX, LONG_MS, answered, ask, expect
from tests.canned_server import free_port
from tests.oidc_double import CLIENT, SECRET, OidcDouble

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
PASSWORD = "tree-lamp-orange"


class Served:
    """The page with its door, over fakes."""

    def __init__(self, data_dir: Path, url: str) -> None:
        self.url = url
        self.accounts = Accounts(data_dir, cost=Cost(10, 8, 1))


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    data_dir = tmp_path_factory.mktemp("users")
    with served_ui(data_dir, fakes=True, HAYLOFT_AUTH="accounts") as ui:
        yield Served(data_dir, ui.url)


def account(served: Served, name: str, role: Role = Role.READER) -> str:
    """An account, made where it is not there yet."""
    if served.accounts.standing(name) is None:
        served.accounts.add(name, PASSWORD, role)
    return name


def sign_in(context: Any, url: str, name: str, password: str = PASSWORD) -> Any:
    """A page of whoever signed in."""
    page = context.new_page()
    page.goto(url)
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()
    return page


def welcomed(page: Any) -> Any:
    page.wait_for_selector(BOX, timeout=LONG_MS)
    return page


def test_the_first_account_needs_the_code_of_the_terminal(
    served: Served, new_context: Callable[..., Any]
) -> None:
    """Whoever reaches the page first cannot take it; with the code the page opens for an admin."""
    page = new_context().new_page()
    page.goto(served.url)
    code = served.accounts.new_setup_code()
    assert code is not None
    page.get_by_label("Your name").fill("Root Person")
    page.get_by_label("Password, ten").fill(PASSWORD)
    page.get_by_label("The password again").fill(PASSWORD)
    page.get_by_label("Setup code").fill("AAAA-BBBB-CCCC-DDDD")
    page.get_by_role("button", name="Make the account").click()
    expect(page.get_by_role("alert")).to_contain_text("not the setup code")

    page.get_by_label("Setup code").fill(code.lower())
    page.get_by_label("Password, ten").fill(PASSWORD)
    page.get_by_label("The password again").fill(PASSWORD)
    page.get_by_role("button", name="Make the account").click()

    welcomed(page)
    assert [one.role for one in served.accounts.all()] == [Role.ADMIN]
    expect(page.get_by_role("link", name="Users")).to_be_visible()


def test_two_users_do_not_see_each_other(served: Served, new_context: Callable[..., Any]) -> None:
    """Neither in the list, nor by search, nor by the address of a conversation."""
    account(served, "ann", Role.ADMIN)
    account(served, "ben")
    ann = welcomed(sign_in(new_context(), served.url, "ann"))
    ask(ann, "What is the per diem of ann?")
    answered(ann)
    address = ann.url
    assert "c=" in address
    ben_context = new_context()
    ben = welcomed(sign_in(ben_context, served.url, "ben"))

    expect(ben.locator("[data-testid=stSidebar]")).not_to_contain_text("of ann")
    ben.goto(address)
    ben.wait_for_selector("text=That conversation is no longer here")
    assert ben.locator("text=of ann").count() == 0
    unknown = ben.locator(".hl-notice").inner_text()
    ben.goto(address.split("c=")[0] + "c=doesnotexist")
    ben.wait_for_selector("text=That conversation is no longer here")
    assert ben.locator(".hl-notice").inner_text() == unknown
    search = ben.get_by_label("Search all conversations")
    search.fill("ann")
    search.press("Enter")
    expect(ben.get_by_text("Found in 0 conversations")).to_be_visible()
    expect(ben.get_by_role("link", name="Models")).to_have_count(0)
    ben.goto(f"{served.url}/users")
    welcomed(ben)
    assert ben.locator("h1", has_text="Users").count() == 0
    ann.reload()
    answered(ann)
    ann.get_by_role("button", name="More", exact=False).or_(
        ann.locator("[data-testid=stSidebar] [data-testid=stMenuButton] button")
    ).first.click()
    ann.get_by_text("Export", exact=True).click()
    with ann.expect_download() as download:
        ann.get_by_role("button", name="Markdown").click()
    assert "of ann" in Path(download.value.path()).read_text()


def test_a_sign_in_lasts_over_reloads_and_tabs_and_a_sign_out_ends_them_all(
    served: Served, new_context: Callable[..., Any]
) -> None:
    """The other tab loses access with its next click; its cookie opens nothing any more."""
    account(served, "ann", Role.ADMIN)
    context = new_context()
    first = welcomed(sign_in(context, served.url, "ann"))
    first.reload()
    welcomed(first)
    second = context.new_page()
    second.goto(served.url)
    welcomed(second)
    (cookie,) = [one for one in context.cookies() if one["name"].startswith("hayloft_")]
    assert cookie["httpOnly"] and cookie["sameSite"] == "Strict"
    assert cookie["name"] not in first.evaluate("document.cookie")
    assert cookie["value"] not in first.evaluate("JSON.stringify(localStorage)")

    first.get_by_role("button", name="ann", exact=False).first.click()
    first.get_by_role("button", name="Sign out").click()

    first.wait_for_url("**/login**")
    second.get_by_role("button", name="New conversation").click()
    second.wait_for_url("**/login**")
    stolen = urllib.request.Request(
        f"{served.url}/_stcore/host-config",
        headers={"Cookie": f"{cookie['name']}={cookie['value']}"},
    )
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(stolen, timeout=5)


def test_a_disabled_user_is_out_with_the_next_click(
    served: Served, new_context: Callable[..., Any]
) -> None:
    """An open page asks nothing more, and the form says the same as for a wrong password."""
    account(served, "ann", Role.ADMIN)
    account(served, "carl")
    page = welcomed(sign_in(new_context(), served.url, "carl"))

    served.accounts.set_disabled("carl")
    ask(page, "What is the per diem?")

    page.wait_for_url("**/login**")
    page.get_by_label("Name").fill("carl")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("Name or password is wrong")


def test_a_growing_answer_ends_for_whoever_is_signed_out(
    served: Served, new_context: Callable[..., Any]
) -> None:
    """Even a page that only watches leaves, without a click."""
    account(served, "ann", Role.ADMIN)
    account(served, "dora")
    page = welcomed(sign_in(new_context(), served.url, "dora"))
    ask(page, "slow please")
    page.wait_for_selector("text=word8")

    served.accounts.set_disabled("dora")

    page.wait_for_url("**/login**")


def test_an_admin_makes_an_account_whose_password_is_changed_at_once(
    served: Served, new_context: Callable[..., Any]
) -> None:
    """The random password is shown once; its user has to take one of their own."""
    account(served, "ann", Role.ADMIN)
    admin = welcomed(sign_in(new_context(), served.url, "ann"))
    admin.get_by_role("link", name="Users").click()
    admin.get_by_label("Name", exact=True).fill("Émile <b>")
    admin.get_by_role("button", name="Add").click()
    password = admin.locator(".hl-notice code, .hl-notice pre").first.inner_text().strip()
    user = sign_in(new_context(), served.url, "émile <b>", password)

    user.wait_for_url("**/password")
    user.get_by_label("Password until now").fill(password)
    user.get_by_label("New password, ten").fill("another-lamp-tree")
    user.get_by_label("The new password again").fill("another-lamp-tree")
    user.get_by_role("button", name="Change").click()

    welcomed(user)
    assert user.locator("b").count() == 0
    admin.get_by_role("button", name="Close").click()
    expect(admin.get_by_text(password)).to_have_count(0)


@pytest.fixture
def provider() -> Iterator[OidcDouble]:
    double = OidcDouble()
    yield double
    double.close()


def test_a_provider_says_who_it_is(
    provider: OidcDouble, new_context: Callable[..., Any], tmp_path: Path
) -> None:
    """Signing in through `st.login`: let in as the settings say, apart from each other, out in all
    tabs, and turned away where no list names them."""
    port = free_port()
    url = f"http://localhost:{port}"
    provided = {
        "HAYLOFT_OIDC_ISSUER": provider.url,
        "HAYLOFT_OIDC_CLIENT_ID": CLIENT,
        "HAYLOFT_OIDC_CLIENT_SECRET": SECRET,
        "HAYLOFT_OIDC_PAGE_URL": url,
        "HAYLOFT_OIDC_ADMINS": "root@example.org",
        "HAYLOFT_OIDC_READERS": "@example.org",
    }
    with served_ui(tmp_path, fakes=True, port=port, HAYLOFT_AUTH="oidc", **provided):

        def enter(subject: str, email: str) -> Any:
            provider.claims = {"sub": subject, "email": email, "email_verified": True}
            page = new_context().new_page()
            page.goto(url)
            page.get_by_role("button", name="Sign in").click()
            return page

        root = welcomed(enter("1", "root@example.org"))
        expect(root.get_by_role("link", name="Users")).to_be_visible()
        ask(root, "What is the per diem of root?")
        answered(root)
        reader = welcomed(enter("2", "ann@example.org"))
        expect(reader.get_by_role("link", name="Users")).to_have_count(0)
        reader.goto(root.url)
        reader.wait_for_selector("text=That conversation is no longer here")
        for subject, email in (("3", "eve@evil.example"), ("4", "root@example.org")):
            stranger = enter(subject, email)
            stranger.wait_for_selector("text=You cannot use this page")
            assert stranger.locator("textarea").count() == 0

        second = root.context.new_page()
        second.goto(url)
        welcomed(second)
        root.get_by_role("button", name="root@", exact=False).first.click()
        root.get_by_role("button", name="Sign out").click()
        root.get_by_role("button", name="Sign in").wait_for()
        second.get_by_role("button", name="New conversation").click()
        second.get_by_role("button", name="Sign in").wait_for()
        assert second.locator("text=of root").count() == 0
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(f"{url}/media/anything.png", timeout=5)
        reader.reload()
        welcomed(reader)
    assert "/keys" in provider.asked

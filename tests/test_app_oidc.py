"""What a provider says of somebody, and whom the settings let in with it."""

from __future__ import annotations

import secrets
import time
from pathlib import Path
from typing import Any

import pytest

from app.accounts import Accounts
from app.auth_settings import AuthSettings
from app.entrance import admits_known, provider_secrets, uses_login
from app.oidc import NotAdmitted, identity
from app.people import Role
from storage.errors import SettingsError

NOW = 1_000_000_000.0
CLAIMS = {"iss": "https://id.example", "sub": "1", "iat": NOW - 5, "email": "Ann@Example.org"}


def settings(**given: str) -> AuthSettings:
    words: dict[str, Any] = {"auth": "oidc", "oidc_readers": "@example.org", **given}
    return AuthSettings(**words)


@pytest.mark.parametrize(
    ("lists", "role"),
    [
        ({"oidc_admins": "bob@x.org, ann@example.org"}, Role.ADMIN),
        ({"oidc_librarians": "ANN@example.org"}, Role.LIBRARIAN),
        ({}, Role.READER),
        ({"oidc_readers": "*"}, Role.READER),
        ({"oidc_readers": "@ple.org,@example.org.evil,example.org,ann,,"}, None),
    ],
)
def test_lists_give_the_highest_role(lists: dict[str, str], role: Role | None) -> None:
    """By whole address, by domain, or everybody; case does not count, parts do not match."""
    if role is None:
        with pytest.raises(NotAdmitted, match="may not use"):
            identity(CLAIMS, settings(**lists), NOW)
    else:
        assert identity(CLAIMS, settings(**lists), NOW).role == role


@pytest.mark.parametrize(
    ("said", "role"),
    [(["staff", "hay-admins"], Role.ADMIN), ("staff", Role.READER), (["HAY-ADMINS"], None),
     (None, None), ({"hay-admins": 1}, None), ([["hay-admins"]], None)],
)  # fmt: skip
def test_a_role_claim_stands_in_place_of_addresses(said: Any, role: Role | None) -> None:
    """The lists then hold its values, and an address in them lets nobody in."""
    chosen = settings(
        oidc_role_claim="groups", oidc_admins="hay-admins", oidc_readers="staff,Ann@Example.org,*"
    )
    claims = {**CLAIMS, "groups": said}

    if role is None:
        with pytest.raises(NotAdmitted):
            identity(claims, chosen, NOW)
    else:
        assert identity(claims, chosen, NOW).role == role


@pytest.mark.parametrize(
    "change",
    [{"iss": None}, {"sub": ""}, {"sub": 3}, {"email": None}, {"email": " "},
     {"email_verified": False}, {"email_verified": "false"}, {"iat": None},
     {"iat": NOW - 40 * 86_400}],
)  # fmt: skip
def test_what_is_missing_or_not_verified_lets_nobody_in(change: dict[str, Any]) -> None:
    """Also a login of so long ago that its end would be forgotten by now."""
    with pytest.raises(NotAdmitted):
        identity({**CLAIMS, **change}, settings(), NOW)


def test_each_login_is_one_of_its_own() -> None:
    """The subject stays the same, what a sign-out ends does not."""
    first = identity(CLAIMS, settings(), NOW)
    second = identity({**CLAIMS, "iat": NOW - 1}, settings(), NOW)

    assert first.subject == second.subject
    assert first.login != second.login
    assert identity({**CLAIMS, "iss": "https://other"}, settings(), NOW).subject != first.subject


def test_settings_that_cannot_work_are_sentences() -> None:
    """What is missing is named; nobody is let in by an empty list."""
    with pytest.raises(SettingsError, match=r"HAYLOFT_OIDC_ISSUER.*HAYLOFT_OIDC_PAGE_URL"):
        settings().check()
    whole = {
        "oidc_issuer": "https://id.example",
        "oidc_client_id": "c",
        "oidc_client_secret": "s",
        "oidc_page_url": "https://hay.example/",
    }
    with pytest.raises(SettingsError, match="lets nobody in"):
        settings(oidc_readers="", **whole).check()
    settings(**whole).check()
    AuthSettings(auth="off").check()

    told = provider_secrets(settings(**whole))["auth"]
    assert told["redirect_uri"] == "https://hay.example/oauth2callback"
    assert told["server_metadata_url"] == ("https://id.example/.well-known/openid-configuration")
    other = provider_secrets(settings(**{**whole, "oidc_client_secret": "t"}))["auth"]
    assert told["cookie_secret"] != other["cookie_secret"]
    assert told["cookie_secret"] != "s" and len(told["cookie_secret"]) == 64


def test_files_are_only_for_whom_the_provider_knows() -> None:
    """The page asks everybody in; pictures and uploads need its signed cookie."""
    from itsdangerous import URLSafeTimedSerializer

    admits = admits_known("secret", 3600)
    good = URLSafeTimedSerializer("secret", salt="_streamlit_user").dumps("{}")
    forged = URLSafeTimedSerializer("other", salt="_streamlit_user").dumps("{}")

    assert admits("/", {}) and admits("/_stcore/stream", {})
    assert admits("/media/x.png", {"_streamlit_user": good})
    for cookies in ({}, {"_streamlit_user": ""}, {"_streamlit_user": forged}):
        assert not admits("/media/x.png", cookies)
        assert not admits("/_stcore/upload_file/a/b", cookies)


@pytest.mark.parametrize("padding", [0, 9000], ids=["one cookie", "several cookies"])
def test_use_of_the_page_keeps_a_sign_in_with_a_provider(tmp_path: Path, padding: int) -> None:
    """Found by what Streamlit keeps in the browser; a forged cookie keeps nothing."""
    from streamlit.auth_util import set_cookie_with_chunks
    from streamlit.web.server.starlette.starlette_app_utils import create_signed_value

    auth = AuthSettings(auth="oidc", oidc_client_secret="s", oidc_readers="*")
    now = [time.time()]
    accounts = Accounts(tmp_path, lasting=auth.lasting, clock=lambda: now[0])
    said = {"iss": "https://id.example", "sub": "7", "iat": now[0], "email": "ann@example.org"}
    who = identity(said, auth, now[0])
    accounts.admit(who.subject, who.name, who.role, who.login)
    cookies: dict[str, str] = {}

    def put(name: str, value: str) -> None:
        cookies[name] = create_signed_value("secret", name, value).decode()

    set_cookie_with_chunks(
        put,
        lambda name, value: create_signed_value("secret", name, value),
        "_streamlit_user",
        {
            **said,
            "is_logged_in": True,
            "origin": "https://hay.example",
            "more": secrets.token_hex(padding),
        },
        cookie_attr_size=100,
    )
    assert (len(cookies) > 1) == bool(padding)
    uses = uses_login(accounts, auth, "secret")
    half = auth.lasting.idle_s * 0.6

    now[0] += half
    for others in ({}, {"_streamlit_user": "x"}, {"_streamlit_user": "x.y.z"}):
        uses(others)
    uses_login(accounts, auth, "another secret")(cookies)
    uses(cookies)
    now[0] += half

    assert accounts.sessions.user(who.login) is not None
    now[0] += half
    assert accounts.sessions.user(who.login) is None
    accounts.close()

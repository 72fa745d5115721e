"""What stands before the page: its door, and where it asks who is there, forms and provider."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from itsdangerous import BadSignature, URLSafeTimedSerializer
from starlette.middleware import Middleware

from app.auth_settings import ACCOUNTS, OIDC, AuthSettings
from app.door import Admits, Door, Uses, admits_session, uses_session
from storage.settings import StorageSettings

if TYPE_CHECKING:
    from app.accounts import Accounts

PROVIDER_COOKIE = "_streamlit_user"
"""What `st.login` keeps in the browser, signed and unreadable to scripts."""
_FILES = ("/media/", "/_stcore/upload_file/")


def entrance(auth: AuthSettings, storage: StorageSettings, hosts: Iterable[str]) -> dict[str, Any]:
    """The keyword arguments of Streamlit's `App` beside its script."""
    known = frozenset(host.casefold() for host in hosts)
    if auth.auth == ACCOUNTS:
        from app.accounts import Accounts
        from app.door_forms import DoorForms
        from app.sessions import cookie_name

        accounts = Accounts(storage.data_dir, lasting=auth.lasting)
        if accounts.leaving():
            from app.departures import finish

            finish(storage.data_dir)
        cookie = cookie_name(storage.data_dir)
        door = Middleware(
            Door,
            admits=admits_session(accounts, cookie),
            uses=uses_session(accounts, cookie),
            hosts=known,
        )
        routes = DoorForms(accounts, storage.data_dir, auth.lasting).routes()
        return {"middleware": [door], "routes": routes}
    if auth.auth == OIDC:
        secrets = provider_secrets(auth)
        from app.accounts import Accounts

        secret = secrets["auth"]["cookie_secret"]
        door = Middleware(
            Door,
            admits=admits_known(secret, auth.lasting.longest_s),
            uses=uses_login(Accounts(storage.data_dir, lasting=auth.lasting), auth, secret),
            hosts=known,
        )
        return {"middleware": [door], "secrets": secrets}
    # Whoever reaches the page may read it; pages of other ports and sites still may not.
    return {"middleware": [Middleware(Door, admits=_everybody, hosts=known)]}


def _everybody(path: str, cookies: Mapping[str, str]) -> bool:
    return True


def provider_secrets(auth: AuthSettings) -> dict[str, Any]:
    """What `st.login` needs to know, as its `secrets.toml` would have it."""
    secret = auth.oidc_client_secret.get_secret_value()
    return {
        "auth": {
            "redirect_uri": auth.oidc_page_url.rstrip("/") + "/oauth2callback",
            # Cookies stay good over a restart, and do not when the client's secret is changed.
            "cookie_secret": hmac.new(
                secret.encode(), b"hayloft cookies", hashlib.sha256
            ).hexdigest(),
            "client_id": auth.oidc_client_id,
            "client_secret": secret,
            "server_metadata_url": metadata_url(auth.oidc_issuer),
        }
    }


def metadata_url(issuer: str) -> str:
    """Where a provider describes itself."""
    return issuer.rstrip("/") + "/.well-known/openid-configuration"


def admits_known(cookie_secret: str, longest_s: float) -> Admits:
    """Lets everybody meet the page, which asks them in; files only whom the provider knows."""
    signed = URLSafeTimedSerializer(cookie_secret, salt=PROVIDER_COOKIE)

    def admits(path: str, cookies: Mapping[str, str]) -> bool:
        if not path.startswith(_FILES):
            return True
        try:
            signed.loads(cookies.get(PROVIDER_COOKIE, ""), max_age=int(longest_s))
        except BadSignature:
            return False
        return True

    return admits


def uses_login(accounts: Accounts, auth: AuthSettings, cookie_secret: str) -> Uses:
    """Keeps the session of a sign-in with the provider from ending for want of use."""

    def uses(cookies: Mapping[str, str]) -> None:
        from app.oidc import NotAdmitted, identity

        try:
            said = _claims(cookies, cookie_secret, auth.lasting.longest_s)
            accounts.sessions.used(identity(said, auth, time.time()).login)
        except (BadSignature, ValueError, NotAdmitted):
            return

    return uses


def _claims(cookies: Mapping[str, str], cookie_secret: str, longest_s: float) -> dict[str, Any]:
    """What the provider said, from the cookie that Streamlit keeps it in, or from its parts.

    Raises BadSignature, and ValueError for what is none of its cookies.
    """

    def part(name: str) -> str:
        signed = URLSafeTimedSerializer(cookie_secret, salt=name)
        return str(signed.loads(cookies.get(name, ""), max_age=int(longest_s)))

    whole = part(PROVIDER_COOKIE)
    if split := re.match(r"chunks-(\d{1,2})$", whole):
        numbers = range(1, int(split[1]) + 1)
        whole = "".join(part(f"{PROVIDER_COOKIE}_{number}") for number in numbers)
    said = json.loads(whole)
    return said if isinstance(said, dict) else {}

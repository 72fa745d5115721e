"""What stands before the page: its door, and where it asks who is there, forms and provider."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from typing import Any

from itsdangerous import BadSignature, URLSafeTimedSerializer
from starlette.middleware import Middleware

from app.auth_settings import ACCOUNTS, OIDC, AuthSettings
from app.door import Admits, Door, admits_session
from storage.settings import StorageSettings

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
        admits = admits_session(accounts, cookie_name(storage.data_dir))
        routes = DoorForms(accounts, storage.data_dir, auth.lasting).routes()
        return {"middleware": [Middleware(Door, admits=admits, hosts=known)], "routes": routes}
    if auth.auth == OIDC:
        secrets = provider_secrets(auth)
        admits = admits_known(secrets["auth"]["cookie_secret"], auth.lasting.longest_s)
        return {"middleware": [Middleware(Door, admits=admits, hosts=known)], "secrets": secrets}
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

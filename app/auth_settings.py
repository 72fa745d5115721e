"""Settings of signing in, read once at the entry point."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.sessions import Lasting
from storage.errors import SettingsError

OFF = "off"
ACCOUNTS = "accounts"
OIDC = "oidc"


class AuthSettings(BaseSettings):
    """Whether the page asks who is there, and who says so."""

    model_config = SettingsConfigDict(
        env_prefix="HAYLOFT_", env_file=".env", extra="ignore", frozen=True, env_ignore_empty=True
    )

    auth: Literal["off", "accounts", "oidc"] = "off"
    """`off`: one user, who may do everything; `accounts`: names and passwords kept here; `oidc`:
    an OpenID provider says who it is."""

    session_idle_hours: float = Field(default=24.0, gt=0, le=8760)
    """How long one stays signed in without using the page."""

    session_days: float = Field(default=14.0, gt=0, le=30)
    """How long one stays signed in at most."""

    oidc_issuer: str = ""
    """The provider's address; its `.well-known/openid-configuration` is read."""

    oidc_client_id: str = ""

    oidc_client_secret: SecretStr = SecretStr("")

    oidc_page_url: str = ""
    """The address of the page as browsers see it; the provider leads back to its
    `/oauth2callback`."""

    oidc_name_claim: str = "email"
    """The claim that names a user. Of an email address the provider must not say that it is not
    verified."""

    oidc_role_claim: str = ""
    """The claim (a word or a list) that the three lists below hold values of; empty: they hold
    names, `@domain` for all of one, or `*` for everybody whom the provider knows."""

    oidc_admins: str = ""
    oidc_librarians: str = ""
    oidc_readers: str = ""

    @property
    def lasting(self) -> Lasting:
        """How long sessions last."""
        return Lasting(self.session_idle_hours * 3600, self.session_days * 86_400)

    def check(self) -> None:
        """Raise SettingsError where what is needed for a login is missing."""
        if self.auth != OIDC:
            return
        needed = {
            "HAYLOFT_OIDC_ISSUER": self.oidc_issuer,
            "HAYLOFT_OIDC_CLIENT_ID": self.oidc_client_id,
            "HAYLOFT_OIDC_CLIENT_SECRET": self.oidc_client_secret.get_secret_value(),
            "HAYLOFT_OIDC_PAGE_URL": self.oidc_page_url,
        }
        missing = [name for name, value in needed.items() if not value]
        if missing:
            raise SettingsError(f"HAYLOFT_AUTH=oidc needs {', '.join(missing)} to be set.")
        if not (self.oidc_admins or self.oidc_librarians or self.oidc_readers):
            raise SettingsError(
                "HAYLOFT_AUTH=oidc lets nobody in until HAYLOFT_OIDC_ADMINS, "
                "HAYLOFT_OIDC_LIBRARIANS or HAYLOFT_OIDC_READERS says whom."
            )
        for name in ("HAYLOFT_OIDC_ISSUER", "HAYLOFT_OIDC_PAGE_URL"):
            if not needed[name].startswith(("https://", "http://")):
                raise SettingsError(f"{name} is {needed[name]!r}: it begins with https://.")

"""What an OpenID provider says of somebody: who it is here, and what they may do."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.auth_settings import AuthSettings
from app.people import Role
from app.wording import t
from storage.errors import HayloftError


class NotAdmitted(HayloftError):
    """The provider knows them, and the settings do not let them in."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Somebody who signed in with the provider."""

    subject: str
    """Issuer and subject: what stays the same when a name changes."""
    name: str
    role: Role
    login: str
    """Which sign-in it was; ending it ends that one, and no other."""


def identity(claims: Mapping[str, Any], settings: AuthSettings, now: float) -> Identity:
    """Who it is. Raises NotAdmitted for somebody whom the settings do not let in."""
    issuer, subject, began = claims.get("iss"), claims.get("sub"), claims.get("iat")
    name = claims.get(settings.oidc_name_claim)
    if not (isinstance(issuer, str) and isinstance(subject, str) and subject):
        raise NotAdmitted(t("The provider did not say who you are."))
    if not isinstance(began, int | float) or now - began > settings.lasting.longest_s:
        raise NotAdmitted(t("This sign-in is too old. Sign in anew."))
    if not isinstance(name, str) or not name.strip():
        raise NotAdmitted(
            t("The provider did not say {claim} of you.", claim=settings.oidc_name_claim)
        )
    if settings.oidc_name_claim == "email" and claims.get("email_verified", True) not in (
        True,
        "true",
    ):
        raise NotAdmitted(t("The provider has not verified your email address."))
    role = _role(claims, name, settings)
    if role is None:
        raise NotAdmitted(
            t("{name} may not use this page. Ask whoever looks after Hayloft.", name=name)
        )
    said = "\n".join(str(claims.get(part, "")) for part in ("iss", "sub", "iat", "nonce", "jti"))
    # With a key: it is kept like a session's token, and all that it is made of can be known.
    key = settings.oidc_client_secret.get_secret_value().encode("utf-8")
    login = hmac.new(key, said.encode("utf-8", "replace"), hashlib.sha256).hexdigest()
    return Identity(f"{issuer}\n{subject}", name, role, login)


def _role(claims: Mapping[str, Any], name: str, settings: AuthSettings) -> Role | None:
    """The highest one that a list gives; None where none does."""
    if settings.oidc_role_claim:
        said = claims.get(settings.oidc_role_claim)
        words = said if isinstance(said, list) else [said]
        marks = {word for word in words if isinstance(word, str)}
    else:
        folded = name.strip().casefold()
        marks = {folded, "*"}
        if "@" in folded:
            marks.add("@" + folded.rpartition("@")[2])
    for role, listed in (
        (Role.ADMIN, settings.oidc_admins),
        (Role.LIBRARIAN, settings.oidc_librarians),
        (Role.READER, settings.oidc_readers),
    ):
        entries = [entry.strip() for entry in listed.split(",")]
        if not settings.oidc_role_claim:
            entries = [entry.casefold() for entry in entries]
        if marks & {entry for entry in entries if entry}:
            return role
    return None

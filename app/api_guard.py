"""Who may ask the HTTP API: the first thing that a request meets.

A page that somebody visits can make their browser send requests to this machine. It cannot read
the answers, unless a name of its own leads here (DNS rebinding): so the Host header must be one
of ours. Nor shall it make the model work: so a request from a page is refused unless that page's
origin was named.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.api_errors import ApiError
from app.api_responses import error_response
from app.api_tokens import ApiTokens, Token
from app.people import Role, User
from storage.errors import StorageError

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

ANONYMOUS = ""
"""The caller where no token was asked for."""

_OPEN = ("/health", "/health/live", "/health/ready")
"""May be asked by anybody who reaches them, and tell nothing but words."""
_FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")


@dataclass(frozen=True, slots=True)
class Door:
    """Where the API listens, and by what names it goes."""

    address: str
    host_names: tuple[str, ...] = ()
    """Names that requests may be sent to, beside localhost and the address."""
    origins: tuple[str, ...] = ()
    """Of pages that may ask; `*`: any."""

    @property
    def on_loopback(self) -> bool:
        """Whether only this machine reaches it."""
        return is_loopback(self.address)

    def knows_host(self, header: str) -> bool:
        """Whether a Host header names us."""
        host = _host(header)
        if host is None:
            return False
        if host in ("localhost", self.address.casefold(), *map(str.casefold, self.host_names)):
            return True
        try:
            literal = ipaddress.ip_address(host)
        except ValueError:
            return False
        # No name of a stranger leads to a number. On loopback even a number must be one.
        return literal.is_loopback or not self.on_loopback

    def knows_origin(self, origin: str) -> bool:
        """Whether a page's origin was named."""
        return origin in self.origins or "*" in self.origins


class Guard:
    """An ASGI application that lets another one be asked only by those who may."""

    def __init__(
        self,
        app: ASGIApp,
        tokens: ApiTokens,
        door: Door,
        standing: Callable[[str], User | None] | None = None,
        *,
        required: bool = False,
    ) -> None:
        self._app = app
        self._standing = standing
        self._tokens = tokens
        self._door = door
        self._required = required

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        try:
            # Nobody, and what all may see, unless a token says whose it is.
            scope["user"] = User("", Role.READER)
            scope["caller"] = self._caller(scope)
        except (ApiError, StorageError) as error:
            await error_response(error)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _caller(self, scope: Scope) -> str | None:
        """The name of the token, ANONYMOUS where none is needed; None on open routes."""
        headers = _headers(scope)
        self._check_address(headers)
        try:
            return self._holder(scope, headers)
        except ApiError:
            if scope["path"] in _OPEN:
                return None
            raise

    def _check_address(self, headers: Mapping[str, str]) -> None:
        if not self._door.knows_host(headers.get("host", "")):
            raise ApiError(
                403,
                "This server does not go by that name. Ask for localhost or its address, or start "
                "`hayloft serve` with --host-name NAME.",
                code="host_not_allowed",
            )
        origin = headers.get("origin")
        foreign = headers.get("sec-fetch-site", "none") not in ("none", "same-origin")
        if (origin is not None or foreign) and not self._door.knows_origin(origin or ""):
            raise ApiError(
                403,
                "Web pages may not ask this server. Start `hayloft serve` with --cors-origin "
                "ORIGIN for the page that may.",
                code="origin_not_allowed",
            )

    def _holder(self, scope: Scope, headers: Mapping[str, str]) -> str:
        # Once there were tokens, a server goes on asking for them: whoever revokes the last
        # one does not mean to let everybody in.
        self._required = self._required or bool(self._tokens.all())
        if not self._required:
            client = scope.get("client")
            if client is None or not is_loopback(client[0]):
                raise _refused("Programs on other machines need a token.")
            if any(name in headers for name in _FORWARDED):
                raise _refused("What comes through a proxy needs a token.")
            return ANONYMOUS
        scheme, _, presented = headers.get("authorization", "").partition(" ")
        if scheme.casefold() != "bearer" or not presented.strip():
            raise _refused("You didn't provide a token.")
        token = self._tokens.presented(presented.strip())
        if token is None:
            raise _refused("Incorrect token provided.")
        scope["user"] = self._user(token)
        return token.name

    def _user(self, token: Token) -> User:
        """On whose behalf a token asks, and what it may do: no more than they may now."""
        if not token.owner:
            return User("", token.role)
        # Where nobody can say how the account stands, it counts as closed.
        owner = self._standing(token.owner) if self._standing is not None else None
        if owner is None:
            raise _refused("The account that this token asks for is closed.")
        return User(owner.name, min(token.role, owner.role))


def is_loopback(address: str) -> bool:
    """Whether an address is this machine's own, under which nobody else reaches it."""
    if address.casefold() == "localhost":
        return True
    try:
        found = ipaddress.ip_address(address.strip("[]"))
    except ValueError:
        return False
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return (mapped or found).is_loopback


def check_origins(origins: Collection[str], *, tokens: bool) -> str:
    """What is wrong with origins that may ask, in a sentence; empty where nothing is."""
    for origin in origins:
        if origin == "*" and not tokens:
            return (
                "With --cors-origin '*' every page that anybody here visits could read every "
                "document. Make a token first: `hayloft serve --new-token NAME`."
            )
        scheme, mark, rest = origin.partition("://")
        sound = scheme in ("http", "https") and mark and rest and "/" not in rest
        if origin != "*" and not sound:
            return f"{origin} is no origin: one is written like https://tools.example:8080."
    return ""


def _refused(why: str) -> ApiError:
    return ApiError(
        401,
        f"{why} `hayloft serve --new-token NAME` makes one; send it as `Authorization: Bearer "
        "TOKEN`.",
        code="invalid_api_key",
        headers={"WWW-Authenticate": "Bearer"},
    )


def _headers(scope: Scope) -> dict[str, str]:
    """The headers by name. Of one that is sent twice, only the last counts."""
    # As ASCII with escapes, and not Latin-1: a token is hashed with the bytes that were sent.
    return {
        name.decode("ascii", "replace"): value.decode("utf-8", "surrogateescape")
        for name, value in scope["headers"]
    }


def _host(header: str) -> str | None:
    """The host of a Host header, without its port; None where it is none."""
    text = header.strip().casefold()
    if text.startswith("["):
        inside, bracket, rest = text[1:].partition("]")
        return inside if bracket and (not rest or _is_port(rest)) else None
    host, colon, _ = text.partition(":")
    if colon and not _is_port(text[len(host) :]):
        return None
    return host.rstrip(".") or None


def _is_port(text: str) -> bool:
    return text.startswith(":") and text[1:].isascii() and text[1:].isdecimal()

"""The door of the page: whoever is not signed in meets nothing but the form.

It stands before Streamlit's own server as an ASGI application. Without a session no page, no
picture, no download and no websocket of Streamlit is answered, so that what a script draws is never
the only thing between a stranger and a document. The session is a cookie that scripts cannot read
(HttpOnly) and that other sites cannot send (SameSite=Strict).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response

from app.accounts import Accounts
from app.page_messages import is_deed
from app.wording import ENGLISH
from storage.errors import StorageError

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger(__name__)

OPEN = frozenset({"/login", "/setup", "/_stcore/health"})
"""Answered to everybody."""
WATCH_S = 2.0
"""How often an open websocket is looked at anew."""
USED_S = 20.0
"""How often it is noted that somebody does something on an open page."""
GRACE_S = 5.0
"""How long it may still say that its session has ended, before it is closed."""
_HEADERS = {
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    # With `no-referrer` browsers would send no origin with the form either.
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'",
}


class Admits(Protocol):
    """Who may pass."""

    def __call__(self, path: str, cookies: Mapping[str, str]) -> bool:
        """Whether a request for a path may."""


class Uses(Protocol):
    """Notes that whoever may pass does something."""

    def __call__(self, cookies: Mapping[str, str]) -> None:
        """Note it."""


def _nobody_asks(cookies: Mapping[str, str]) -> None:
    """Where no session ends for want of use."""


class Door:
    """An ASGI application that lets another one be reached only by those who are signed in."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        admits: Admits,
        hosts: frozenset[str],
        uses: Uses = _nobody_asks,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._app = app
        self._admits = admits
        self._uses = uses
        self._hosts = hosts
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = headers_of(scope)
        path = str(scope["path"])
        if not knows_host(headers.get("host", ""), self._hosts):
            refused = PlainTextResponse(
                "This page does not go by that name. Start `hayloft ui` with --host-name NAME.",
                403,
                _HEADERS,
            )
            await refused(scope, receive, send)
            return
        if path in OPEN or await self._is_admitted(path, headers):
            if _is_page(scope, headers) or scope["method"] in ("POST", "PUT"):
                await self._note_use(headers)
            await self._app(scope, receive, _unframed(send))
            return
        await _turned_away(scope, headers)(scope, receive, send)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = headers_of(scope)
        path = str(scope["path"])
        known = knows_host(headers.get("host", ""), self._hosts) and _is_ours(headers)
        if not known or not await self._is_admitted(path, headers):
            await receive()
            await send({"type": "websocket.close", "code": 1008})
            return
        looked, gone = self._clock(), 0.0
        # The first words are the page's own: also of one that finds its server again.
        greeted, used = False, looked - USED_S

        async def watched() -> Message:
            """What the browser says, for as long as its session lasts."""
            nonlocal looked, gone, greeted, used
            message = await receive()
            now = self._clock()
            wanted = now - used >= USED_S or not greeted
            if wanted and is_deed(message.get("bytes") or b""):
                if greeted:
                    used = now
                    await self._note_use(headers)
                greeted = True
            if message["type"] == "websocket.receive" and now - looked >= WATCH_S:
                looked = now
                if await self._is_admitted(path, headers):
                    gone = 0.0
                else:
                    gone = gone or now
            if gone and now - gone >= GRACE_S:
                await send({"type": "websocket.close", "code": 1008})
                return {"type": "websocket.disconnect", "code": 1008}
            return message

        await self._app(scope, watched, send)

    async def _is_admitted(self, path: str, headers: Mapping[str, str]) -> bool:
        try:
            return await run_in_threadpool(self._admits, path, cookies_of(headers))
        except StorageError as fault:
            # Nobody is let in unseen; the form says the same sentence.
            log.error("nobody can be let in: %s", fault)
            return False

    async def _note_use(self, headers: Mapping[str, str]) -> None:
        try:
            await run_in_threadpool(self._uses, cookies_of(headers))
        except StorageError as fault:
            log.error("it cannot be noted that the page is used: %s", fault)


def uses_session(accounts: Accounts, cookie: str) -> Uses:
    """Keeps a session of our own from ending for want of use."""

    def uses(cookies: Mapping[str, str]) -> None:
        accounts.sessions.used(cookies.get(cookie, ""))

    return uses


def admits_session(accounts: Accounts, cookie: str) -> Admits:
    """Lets those pass whom a session of our own signs in.

    Whose password somebody else knows gets no further than the form that changes it.
    """

    def admits(path: str, cookies: Mapping[str, str]) -> bool:
        user = accounts.sessions.user(cookies.get(cookie, ""))
        return user is not None and (path == "/password" or not accounts.provisional(user.name))

    return admits


def _turned_away(scope: Scope, headers: Mapping[str, str]) -> Response:
    """What somebody meets who is not signed in: the way to the form, or nothing."""
    if not _is_page(scope, headers):
        return PlainTextResponse("Sign in first.", 401, _HEADERS)
    if headers.get("sec-fetch-site") == "cross-site":
        # A link elsewhere led here, and with it the cookie is not sent; from our own page it is.
        again = '<!doctype html><meta http-equiv="refresh" content="0"><title>Hayloft</title>'
        return HTMLResponse(again, headers=_HEADERS)
    query = scope["query_string"].decode("latin-1")
    wanted = scope["path"] + (f"?{query}" if query else "")
    where = "/login" if wanted == "/" else f"/login?next={quote(wanted, safe='')}"
    return RedirectResponse(where, 303, _HEADERS)


def _is_page(scope: Scope, headers: Mapping[str, str]) -> bool:
    """Whether somebody opens an address, and not the page something that belongs to it."""
    return scope["method"] in ("GET", "HEAD") and "text/html" in headers.get("accept", "")


def _unframed(send: Send) -> Send:
    """Send responses that no other site may show in a frame."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            kept = [*message.get("headers", [])]
            if not any(name.lower() == b"x-frame-options" for name, _ in kept):
                kept.append((b"x-frame-options", b"SAMEORIGIN"))
            message = {**message, "headers": kept}
        await send(message)

    return sending


def headers_of(scope: Scope) -> dict[str, str]:
    """The headers by name; cookies that came in several are joined."""
    found: dict[str, str] = {}
    for raw, content in scope["headers"]:
        name, value = raw.decode("latin-1").lower(), content.decode("latin-1")
        found[name] = f"{found[name]}; {value}" if name == "cookie" and name in found else value
    return found


def cookies_of(headers: Mapping[str, str]) -> dict[str, str]:
    """The cookies by name; those that are none are left out."""
    found: dict[str, str] = {}
    for part in headers.get("cookie", "").split(";"):
        jar: SimpleCookie = SimpleCookie()
        try:
            jar.load(part.strip())
        except CookieError:
            continue
        found |= {name: morsel.value for name, morsel in jar.items()}
    return found


def knows_host(header: str, hosts: frozenset[str]) -> bool:
    """Whether a Host header names us: a page elsewhere can point a name of its own here."""
    try:
        name = urlsplit(f"//{header}").hostname or ""
    except ValueError:
        return False
    return name.rstrip(".").casefold() in hosts


def _is_ours(headers: Mapping[str, str]) -> bool:
    """Whether a websocket is opened by a page of ours, or by no page at all.

    To a cookie all ports of a host are one site, and Streamlit lets pages on other ports of
    localhost in: such a page could do all that its visitor may.
    """
    return "origin" not in headers or _is_own(headers["origin"], headers)


def same_origin(headers: Mapping[str, str]) -> bool:
    """Whether a form was sent from a page of ours; a request that does not say is not."""
    if headers.get("sec-fetch-site", "same-origin") != "same-origin":
        return False
    return _is_own(headers.get("origin", ""), headers)


def _is_own(origin: str, headers: Mapping[str, str]) -> bool:
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and parts.netloc == headers.get("host")


def local_path(wanted: str) -> str:
    """Where to go after signing in: a path of this page, whatever a link asked for."""
    plain = wanted.startswith("/") and not wanted.startswith(("//", "/\\"))
    if not plain or any(char < " " or char == "\\" or char == "\x7f" for char in wanted):
        return "/"
    path = urlsplit(wanted).path
    return "/" if path in OPEN or path.startswith(("/password", "/auth/")) else wanted


def wanted_language(headers: Mapping[str, str], known: Mapping[str, str]) -> str:
    """The first language there is of those that a browser asks for."""
    for part in headers.get("accept-language", "").split(","):
        code = part.split(";")[0].strip().replace("_", "-").lower().split("-")[0]
        if code in known:
            return code
    return ENGLISH


def door_headers() -> dict[str, str]:
    """Of every page at the door."""
    return dict(_HEADERS)

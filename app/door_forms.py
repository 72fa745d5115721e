"""What the forms at the door do: sign in, set up, change a password."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from anyio import CapacityLimiter, to_thread
from starlette.requests import ClientDisconnect
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from app.accounts import Accounts, SignInRefused
from app.adoption import adopt
from app.door import (
    cookies_of,
    door_headers,
    headers_of,
    local_path,
    same_origin,
    wanted_language,
)
from app.door_html import page_html, password_html, set_up_html, sign_in_html
from app.sessions import Lasting, cookie_name
from app.wording import languages, retold, speaking, t
from storage.errors import HayloftError, UsageError

if TYPE_CHECKING:
    from starlette.requests import Request

log = logging.getLogger(__name__)

THREADS = 20
"""That forms are answered in, apart from those of the page: 14 at most wait for a password's check
or are at one."""
MOST_BYTES = 65_536
"""Of a form: a password of 1,024 characters has 12,288 at most, written as a form writes it."""

_Answer = Callable[["Request", Mapping[str, str]], Response]


class DoorForms:
    """The routes of the forms, for the accounts of one data directory."""

    def __init__(self, accounts: Accounts, data_dir: Path, lasting: Lasting) -> None:
        self._accounts = accounts
        self._data_dir = data_dir
        self._lasting = lasting
        self._cookie = cookie_name(data_dir)
        self._threads: CapacityLimiter | None = None

    def routes(self) -> list[Route]:
        """To be put before those of the page."""
        return [
            Route("/login", self._show(self._sign_in_page), methods=["GET"]),
            Route("/login", self._take(self._sign_in), methods=["POST"]),
            Route("/setup", self._show(self._set_up_page), methods=["GET"]),
            Route("/setup", self._take(self._set_up), methods=["POST"]),
            Route("/password", self._show(self._password_page), methods=["GET"]),
            Route("/password", self._take(self._password), methods=["POST"]),
        ]

    # --- showing --------------------------------------------------------------------------------

    def _sign_in_page(self, request: Request, _form: Mapping[str, str]) -> Response:
        wanted = local_path(request.query_params.get("next", "/"))
        if self._accounts.empty():
            return _go("/setup")
        token = self._token(request)
        user = self._accounts.sessions.user(token)
        if user is not None:
            return _go("/password" if self._accounts.provisional(user.name) else wanted)
        shown = _page(sign_in_html(next_path=wanted))
        if token:
            shown.delete_cookie(self._cookie, path="/", httponly=True, samesite="strict")
        return shown

    def _set_up_page(self, _request: Request, _form: Mapping[str, str]) -> Response:
        return _page(set_up_html()) if self._accounts.empty() else _go("/login")

    def _password_page(self, request: Request, _form: Mapping[str, str]) -> Response:
        user = self._accounts.sessions.user(self._token(request))
        if user is None:
            return _go("/login")
        return _page(password_html(user.name, provisional=self._accounts.provisional(user.name)))

    # --- taking ---------------------------------------------------------------------------------

    def _sign_in(self, request: Request, form: Mapping[str, str]) -> Response:
        wanted, name = local_path(form.get("next", "/")), form.get("name", "")
        if self._accounts.empty():
            return _go("/setup")
        try:
            token = self._accounts.sign_in(name, form.get("password", ""), _address(request))
        except SignInRefused as refused:
            log.warning("a sign-in was refused")
            return _refused(sign_in_html(next_path=wanted, name=name, fault=str(refused)), refused)
        # Whoever was signed in here before is not any more.
        self._accounts.sessions.end(self._token(request))
        user = self._accounts.sessions.user(token)
        provisional = user is not None and self._accounts.provisional(user.name)
        return self._admitted(request, token, "/password" if provisional else wanted)

    def _set_up(self, request: Request, form: Mapping[str, str]) -> Response:
        name, password = form.get("name", ""), form.get("password", "")
        if not self._accounts.empty():
            return _go("/login")
        try:
            if password != form.get("again", ""):
                raise UsageError(t("The two passwords are not the same."))
            name = self._accounts.set_up(form.get("code", ""), name, password, _address(request))
        except (SignInRefused, UsageError) as refused:
            return _refused(set_up_html(name=name, fault=str(refused)), refused)
        if form.get("adopt"):
            adopt(self._data_dir, name)
        return self._admitted(
            request, self._accounts.sign_in(name, password, _address(request)), "/"
        )

    def _password(self, request: Request, form: Mapping[str, str]) -> Response:
        user = self._accounts.sessions.user(self._token(request))
        if user is None:
            return _go("/login")
        try:
            if form.get("new", "") != form.get("again", ""):
                raise UsageError(t("The two passwords are not the same."))
            token = self._accounts.change_password(
                user.name, form.get("password", ""), form.get("new", ""), _address(request)
            )
        except (SignInRefused, UsageError) as refused:
            return _refused(password_html(user.name, fault=str(refused)), refused)
        return self._admitted(request, token, "/")

    # --- inside ---------------------------------------------------------------------------------

    def _admitted(self, request: Request, token: str, where: str) -> Response:
        answer = _go(where)
        answer.set_cookie(
            self._cookie,
            token,
            max_age=int(self._lasting.longest_s),
            path="/",
            secure=request.url.scheme == "https",
            httponly=True,
            samesite="strict",
        )
        return answer

    def _token(self, request: Request) -> str:
        return cookies_of(headers_of(request.scope)).get(self._cookie, "")

    def _show(self, page: _Answer) -> Callable[[Request], Awaitable[Response]]:
        async def show(request: Request) -> Response:
            return await self._answered(page, request, {})

        return show

    def _take(self, deed: _Answer) -> Callable[[Request], Awaitable[Response]]:
        async def take(request: Request) -> Response:
            if not same_origin(headers_of(request.scope)):
                log.warning("a form that was not sent from this page was refused")
                return Response("This form was not sent from this page.", 403, door_headers())
            try:
                form = await _form_of(request)
            except ClientDisconnect:
                return Response(status_code=400)  # nobody is there to read it
            if form is None:
                return Response("The form is too large.", 413, door_headers())
            return await self._answered(deed, request, form)

        return take

    async def _answered(
        self, answer: _Answer, request: Request, form: Mapping[str, str]
    ) -> Response:
        def work() -> Response:
            with speaking(wanted_language(headers_of(request.scope), languages())):
                try:
                    return answer(request, form)
                except HayloftError as fault:
                    log.error("the door could not do its work: %s", fault)
                    return _page(page_html(t("Hayloft cannot go on"), retold(str(fault)), ""), 500)

        # Made here: it belongs to the loop that serves.
        self._threads = self._threads or CapacityLimiter(THREADS)
        return await to_thread.run_sync(work, limiter=self._threads)


async def _form_of(request: Request) -> dict[str, str] | None:
    """The fields of a form; None where it is too large."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MOST_BYTES:
            return None
    return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))


def _refused(html: str, why: HayloftError) -> Response:
    wait = why.wait_s if isinstance(why, SignInRefused) else 0.0
    answer = _page(html, 429 if wait else 401 if isinstance(why, SignInRefused) else 400)
    if wait:
        answer.headers["Retry-After"] = str(int(wait) + 1)
    return answer


def _page(html: str, status: int = 200) -> Response:
    return HTMLResponse(html, status, door_headers())


def _go(where: str) -> Response:
    return RedirectResponse(where, 303, door_headers())


def _address(request: Request) -> str:
    return request.client.host if request.client else ""

"""The HTTP API as an ASGI application: its routes, and what each of them does."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from app.api_answers import RunningAnswers
from app.api_errors import ApiError
from app.api_guard import Door, Guard
from app.api_log import LEFT, Recorder
from app.api_metrics import ApiMetrics
from app.api_requests import (
    chat_request,
    model_names,
    search_parameters,
    search_request,
    unknown_model,
)
from app.api_responses import (
    EventStream,
    Json,
    beginning,
    error_response,
    leave_when_gone,
    whole,
)
from app.api_service import AWAY, LOADING, Service
from app.api_tokens import ApiTokens
from app.api_wire import Completion, model_card, model_list
from app.people import User
from app.plans import AUTO, EXTRACTIVE, Mode
from storage.errors import HayloftError

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send

MOST_BYTES = 4_000_000
"""Of a request: a conversation that fills a window of 131,072 tokens has some 600,000."""
BODY_S = 30.0
"""How long a request may take to arrive."""
QUICK_S = 0.2
"""How long the beginning of a stream is held back for a model that may refuse."""

ROUTES = (
    "/v1/chat/completions",
    "/v1/models",
    "/v1/models/{model}",
    "/v1/search",
    "/health",
    "/health/live",
    "/health/ready",
    "/metrics",
)


class Api:
    """The application, made of one service."""

    def __init__(
        self,
        service: Service,
        tokens: ApiTokens,
        door: Door,
        standing: Callable[[str], User | None] | None = None,
        *,
        token_required: bool = False,
    ) -> None:
        self._service = service
        self._metrics = ApiMetrics()
        self.answers = RunningAnswers(told=self._metrics.answer)
        self._app = self._guarded(tokens, door, standing, required=token_required)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        await self._app(scope, receive, send)

    def _guarded(
        self,
        tokens: ApiTokens,
        door: Door,
        standing: Callable[[str], User | None] | None,
        *,
        required: bool,
    ) -> ASGIApp:
        chat, models, model, search, health, live, ready, metrics = ROUTES
        routes = Starlette(
            routes=[
                Route(chat, self._chat, methods=["POST"]),
                Route(models, self._models, methods=["GET"]),
                Route(model, self._model, methods=["GET"]),
                Route(search, self._search, methods=["GET", "POST"]),
                Route(health, self._health, methods=["GET"]),
                Route(live, self._live, methods=["GET"]),
                Route(ready, self._health, methods=["GET"]),
                Route(metrics, self._told_metrics, methods=["GET"]),
            ],
            exception_handlers={
                HTTPException: _no_route,
                ApiError: _told,
                HayloftError: _told,
                # Told, and raised again: `Recorder` logs its traceback.
                Exception: _told,
            },
        )
        # A redirection leads to http, whatever stands in front, and a token would follow it.
        routes.router.redirect_slashes = False
        inner: ASGIApp = Guard(routes, tokens, door, standing, required=required)
        if door.origins:
            inner = CORSMiddleware(
                inner,
                allow_origins=door.origins,
                allow_methods=["GET", "POST"],
                allow_headers=["Authorization", "Content-Type"],
                expose_headers=["X-Request-Id", "Retry-After"],
            )
        return Recorder(inner, self._metrics, ROUTES)

    # --- answers ----------------------------------------------------------------------------

    async def _chat(self, request: Request) -> Response:
        asked = chat_request(await _body(request))
        caller = str(request.scope["caller"])
        owner = request.scope["user"].name
        answer = self.answers.begin(
            lambda: self._service.ask(asked, caller, owner), self._service.count
        )
        listening = asyncio.create_task(leave_when_gone(request.receive, answer))
        told_as = Completion(asked)

        def settle() -> None:
            listening.cancel()
            answer.leave()
            if answer.outcome == "left":
                request.scope["left"] = True

        if asked.stream:
            try:
                arrived = await beginning(answer, QUICK_S)
            except BaseException:
                settle()
                raise
            return EventStream(answer, told_as, arrived, settle)
        try:
            complete = await whole(answer)
        finally:
            settle()
        if complete is None:
            return Response(status_code=LEFT)
        return Json(told_as.whole(complete.answer, complete.tokens))

    async def _models(self, request: Request) -> Response:
        modes, answered_by, window = await run_in_threadpool(self._at_hand)
        return Json(model_list(modes, answered_by, window))

    async def _model(self, request: Request) -> Response:
        modes, answered_by, window = await run_in_threadpool(self._at_hand)
        name = request.path_params["model"]
        if name not in modes:
            raise unknown_model(name)
        return Json(model_card(name, modes[name], answered_by, window))

    def _at_hand(self) -> tuple[Mapping[str, Mode], str, int]:
        """The models there are to ask for, who answers, and with what window."""
        model = self._service.model().model
        modes = model_names()
        if model is None:
            quoting = {name: mode for name, mode in modes.items() if mode in (AUTO, EXTRACTIVE)}
            return quoting, EXTRACTIVE, 0
        return modes, f"{model.provider} {model.name}", model.window()

    # --- searches ---------------------------------------------------------------------------

    async def _search(self, request: Request) -> Response:
        if request.method == "POST":
            given = await _body(request)
        else:
            given = search_parameters(request.query_params.multi_items())
        asked = search_request(given)
        return Json(await run_in_threadpool(self._service.search, asked))

    # --- how it stands ----------------------------------------------------------------------

    async def _live(self, request: Request) -> Response:
        return Json({"status": "ok"})

    async def _health(self, request: Request) -> Response:
        parts = await run_in_threadpool(self._service.parts)
        states = {part.state for part in parts}
        status = AWAY if AWAY in states else LOADING if LOADING in states else "ok"
        told: dict[str, object] = {
            "status": status,
            "parts": {part.name: part.state for part in parts},
        }
        # A sentence may name folders and addresses.
        if request.scope["caller"] is not None:
            told["faults"] = {part.name: part.fault for part in parts if part.fault}
        return Json(told, 200 if status == "ok" else 503)

    async def _told_metrics(self, request: Request) -> Response:
        library = await run_in_threadpool(self._service.metrics)
        return PlainTextResponse(
            library + self._metrics.text(running=len(self.answers)),
            media_type="text/plain; version=0.0.4",
        )


async def _body(request: Request) -> object:
    """The JSON of a request. Raises ApiError where it is none, too large, or too slow."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().casefold()
    if kind != "application/json":
        # Also what a web page may send anywhere unasked: forms and plain text.
        raise ApiError(
            415,
            f"The body is sent as {kind or 'nothing'}, and read as JSON: send the header "
            "Content-Type: application/json.",
            code="unsupported_media_type",
        )
    if int(request.headers.get("content-length", 0)) > MOST_BYTES:
        raise _too_large()
    raw = bytearray()
    try:
        async with asyncio.timeout(BODY_S):
            async for piece in request.stream():
                raw += piece
                if len(raw) > MOST_BYTES:
                    raise _too_large()
    except ClientDisconnect as exc:
        request.scope["left"] = True
        raise ApiError(400, "The request broke off.") from exc
    except TimeoutError as exc:
        raise ApiError(
            408,
            f"The request did not arrive within {BODY_S:g} s.",
            code="request_timeout",
            headers={"Connection": "close"},
        ) from exc
    try:
        # JSON may spell half of a surrogate pair, which nothing behind can write down.
        sound = json.loads(raw.decode("utf-8"), parse_constant=_no_constant)
        if b"\\ud" in raw.lower():
            text = json.dumps(sound, ensure_ascii=False).encode("utf-8", "replace")
            sound = json.loads(text)
    except (ValueError, RecursionError) as exc:
        reason = str(exc).partition(":")[0] if isinstance(exc, json.JSONDecodeError) else ""
        raise ApiError(
            400,
            f"The body is not JSON in UTF-8{': ' + reason if reason else ''}.",
            code="invalid_json",
        ) from exc
    return sound


def _too_large() -> ApiError:
    return ApiError(
        413,
        f"The request is larger than {MOST_BYTES:,} bytes. Send fewer earlier messages.",
        code="request_too_large",
    )


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON")


async def _told(request: Request, error: Exception) -> Response:
    return error_response(error)


async def _no_route(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 404
    where = f"{request.method[:10]} {request.url.path[:100]}"
    if status == 405:
        allowed = (error.headers or {}) if isinstance(error, HTTPException) else {}
        told = ApiError(
            405, f"Not allowed: {where}.", code="method_not_allowed", headers=dict(allowed)
        )
    else:
        told = ApiError(
            status,
            f"Unknown request URL: {where}. There are: {', '.join(ROUTES)}.",
            code="unknown_url",
        )
    return error_response(told)

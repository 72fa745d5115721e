"""The access log of the HTTP API (`logs/api.log`): who asked for what, how it ended, how long it
took. Never what was asked, found or answered: not even addresses are written as they were sent,
since a search may stand in one.
"""

from __future__ import annotations

import logging
import secrets
import time
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from app.api_metrics import ApiMetrics
from storage.kept_log import KeptLog
from storage.logs import with_fields

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

FILE = Path("logs") / "api.log"
OTHER = "other"
"""The route of a request that none of ours matches."""
LEFT = 499
"""The status of a request that was left by whoever asked, as other servers log it."""

log = logging.getLogger("app.api")
_bugs = logging.getLogger(__name__)


class AccessLog:
    """A `with` block in which requests are logged: to the file whatever HAYLOFT_LOG_LEVEL says,
    and to standard error from INFO on."""

    def __init__(self, data_dir: Path, log_format: str) -> None:
        self._path = data_dir / FILE
        self._format = log_format
        self._kept = KeptLog(log)

    def __enter__(self) -> AccessLog:
        try:
            self._kept.begin(self._path, self._format)
        except OSError as exc:
            _bugs.warning("no access log can be kept: %s", exc.strerror)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._kept.end()


class Recorder:
    """An ASGI application that logs and counts what another one answers, and names each request."""

    def __init__(self, app: ASGIApp, metrics: ApiMetrics, routes: tuple[str, ...]) -> None:
        self._app = app
        self._metrics = metrics
        self._routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http":
            return
        began = time.perf_counter()
        name = f"req_{secrets.token_hex(8)}"
        status, sent, ended = LEFT, 0, False

        async def note(message: Message) -> None:
            nonlocal status, sent, ended
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], *_headers(name)]
            else:
                sent += len(message.get("body", b""))
                ended = not message.get("more_body", False)
            await send(message)

        try:
            await self._app(scope, receive, note)
        except Exception:
            # Whoever asked has been told; raised on, it would cost them their connection.
            if not ended:
                raise
            _bugs.exception("a request ended in a bug")
        finally:
            seconds = time.perf_counter() - began
            status = status if ended and not scope.get("left") else LEFT
            route = self._route(scope["path"])
            self._metrics.request(route, status, seconds)
            client = scope.get("client")
            log.info(
                "request",
                extra=with_fields(
                    id=name,
                    client=client[0] if client else "",
                    token=scope.get("caller") or "",
                    method=_method(scope["method"]),
                    route=route,
                    status=status,
                    bytes=sent,
                    seconds=round(seconds, 3),
                ),
            )

    def _route(self, path: str) -> str:
        for route in self._routes:
            before, brace, _ = route.partition("{")
            if path == route or (brace and path.startswith(before)):
                return route
        return OTHER


def _method(method: str) -> str:
    return method if method in ("GET", "HEAD", "POST", "OPTIONS") else OTHER


def _headers(name: str) -> list[tuple[bytes, bytes]]:
    return [
        (b"x-request-id", name.encode()),
        (b"x-content-type-options", b"nosniff"),
        (b"cache-control", b"no-store"),
    ]

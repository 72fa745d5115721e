"""The server of the HTTP API: uvicorn on one socket, patient with nobody.

A client that sends its request drop by drop, or does not read its answer, holds a connection and
perhaps a model; uvicorn by itself would wait for ever for both.
"""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from app.api_app import Api
from app.api_errors import RETRY_S, ApiError, body_of
from storage.errors import UsageError

MOST_CONNECTIONS = 512
"""Half of the files that a process may usually have open."""
HEADERS_S = 15.0
"""How long the head of a request may take to arrive."""
STALLED_S = 30.0
"""How long a client may leave what was sent to it unread, beyond 64 KB."""
IDLE_S = 30
"""How long a connection without a request is kept."""
GRACE_S = 5.0
"""How long answers may go on when the server is told to end; containers are killed after 10 s."""
_MOST_HEADERS = 32_768
"""Bytes of a request's line and headers."""


class PatientNoMore(H11Protocol):
    """uvicorn's protocol with limits to what a connection may keep waiting."""

    _timer: asyncio.TimerHandle | None = None
    _stalled: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """See asyncio."""
        super().connection_made(transport)
        _notice_the_dead(transport.get_extra_info("socket"))
        if len(self.connections) > MOST_CONNECTIONS:
            transport.write(_refusal(503, "Too many connections are open. Close some of them."))
            transport.close()
            return
        self._expect_request()

    def data_received(self, data: bytes) -> None:
        """See asyncio."""
        super().data_received(data)
        self._expect_request()

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio."""
        for timer in (self._timer, self._stalled):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """See asyncio."""
        super().pause_writing()
        self._stalled = self.loop.call_later(STALLED_S, self.transport.abort)

    def resume_writing(self) -> None:
        """See asyncio."""
        super().resume_writing()
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def send_400_response(self, msg: str) -> None:
        """What is no HTTP gets an answer that is."""
        self.transport.write(_refusal(400, "The request is not HTTP, or its head is too long."))
        self.transport.close()

    def _expect_request(self) -> None:
        """Give up a connection whose next request has begun and does not arrive."""
        answering = self.cycle is not None and not self.cycle.response_complete
        if answering and self._timer is not None:
            self._timer.cancel()
            self._timer = None
        elif not answering and self._timer is None:
            self._timer = self.loop.call_later(HEADERS_S, self.transport.abort)


class ApiServer(uvicorn.Server):
    """Serves until it is told to end; answers may then go on for a moment."""

    def __init__(self, api: Api, started: Callable[[], None]) -> None:
        super().__init__(
            uvicorn.Config(
                api,
                http=PatientNoMore,
                ws="none",
                loop="asyncio",
                lifespan="off",
                log_config=None,
                # Anybody can send what is no HTTP or asks for a websocket: no line in the journal.
                log_level="error",
                access_log=False,
                server_header=False,
                # Who asks is decided by the connection, never by what a header claims.
                proxy_headers=False,
                timeout_keep_alive=IDLE_S,
                timeout_graceful_shutdown=round(GRACE_S) + 4,
                h11_max_incomplete_event_size=_MOST_HEADERS,
            )
        )
        self._api = api
        self._told_started = started

    def serve_on(self, listener: socket.socket) -> None:
        """Serve on a socket that is bound already, until Ctrl-C or SIGTERM."""
        asyncio.run(self.serve(sockets=[listener]))

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """See uvicorn."""
        await super().startup(sockets)
        if threading.current_thread() is threading.main_thread():
            loop = asyncio.get_running_loop()
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.add_signal_handler(number, self._told_to_end)
        self._told_started()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """See uvicorn."""
        closing = asyncio.create_task(self._api.answers.close(GRACE_S))
        await super().shutdown(sockets)
        if self.force_exit:
            closing.cancel()
            await self._api.answers.close(0.0)
        else:
            await closing

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Ours are handled in `startup`: uvicorn's own would end the process by the signal."""
        yield

    def _told_to_end(self) -> None:
        # The second time, nobody wants to wait any more.
        self.force_exit = self.should_exit
        self.should_exit = True


def listen(address: str, port: int) -> socket.socket:
    """A socket on an address and port. Raises UsageError where there can be none."""
    try:
        family, kind, protocol, _, where = socket.getaddrinfo(
            address, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as exc:
        raise _no_address(address, exc) from exc
    try:
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(where)
        # Now, not later: of two servers on one port, the second fails here.
        listener.listen(128)
    except OSError as exc:
        listener.close()
        if exc.errno in (errno.EADDRINUSE, errno.EACCES):
            raise UsageError(
                f"Port {port} of {address} is taken or not allowed. Name another with --port "
                "(HAYLOFT_SERVE_PORT)."
            ) from exc
        raise _no_address(address, exc) from exc
    return listener


def _no_address(address: str, exc: OSError) -> UsageError:
    return UsageError(
        f"{address} is no address of this machine ({exc.strerror or exc}). Use 127.0.0.1, or "
        "leave --address out."
    )


def _notice_the_dead(connection: Any) -> None:
    """Let the kernel find out within two minutes that a client's machine is gone."""
    if not isinstance(connection, socket.socket) and not hasattr(connection, "setsockopt"):
        return
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 15), ("TCP_KEEPCNT", 4)):
        if hasattr(socket, name):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def _refusal(status: int, message: str) -> bytes:
    """A whole response, for who gets no further."""
    body = body_of(ApiError(status, message).to_json())
    phrase = {400: "Bad Request", 503: "Service Unavailable"}[status]
    later = f"Retry-After: {RETRY_S}\r\n" if status == 503 else ""
    head = (
        f"HTTP/1.1 {status} {phrase}\r\nContent-Type: application/json\r\n{later}"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body

"""Hanging up on a server that is silent.

A thread that waits for a server's first word cannot look at a stop sign, and a
long prompt can be read for minutes. Another thread may shut the connection
down, though: the wait ends at once, and the server sees that nobody listens
any more, which frees it.

    with HangUp() as line:                     # in the thread that will wait
        httpx.Client(event_hooks={"request": [watched]}).get(...)
    line.now()                                 # in any other thread
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Mapping
from contextvars import ContextVar, Token
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    import httpx

_current: ContextVar[HangUp | None] = ContextVar("hayloft_hang_up", default=None)


class HangUp:
    """The connections that one thread opens while it is inside the `with` block.

    Inside another one, that one shuts them down as well.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self._done = False
        self._token: Token[HangUp | None] | None = None
        self._outer: HangUp | None = None

    def __enter__(self) -> Self:
        self._outer = _current.get()
        self._token = _current.set(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._token is not None:
            _current.reset(self._token)
        with self._lock:
            self._sockets.clear()

    def now(self) -> None:
        """Shut down every connection, those still to be opened included."""
        with self._lock:
            self._done = True
            for connection in self._sockets:
                _shut(connection)

    def watch(self, connection: socket.socket) -> None:
        """Count a connection among those that `now` shuts down."""
        with self._lock:
            self._sockets.append(connection)
            if self._done:
                _shut(connection)
        if self._outer is not None:
            self._outer.watch(connection)


def watched(request: httpx.Request) -> None:
    """An httpx event hook for requests: the current `HangUp` learns of their connections."""
    line = _current.get()
    if line is None:
        return

    def trace(event: str, info: Mapping[str, Any]) -> None:
        if event in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            connection = info["return_value"].get_extra_info("socket")
            if isinstance(connection, socket.socket):
                line.watch(connection)

    request.extensions = {**request.extensions, "trace": trace}


def _shut(connection: socket.socket) -> None:
    # Already closed by its owner, or never connected: then there is nobody to free.
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)

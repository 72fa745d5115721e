"""The wire of an Ollama double: a threaded HTTP/1.1 server that can misbehave exactly."""

from __future__ import annotations

import contextlib
import http.server
import ipaddress
import json
import select
import socket
import sys
import threading
import time
from collections.abc import Callable
from email.utils import formatdate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.ollama_double import OllamaDouble, Request

JSON = "application/json; charset=utf-8"
NDJSON = "application/x-ndjson"
TEXT = "text/plain; charset=utf-8"
_ESCAPES = str.maketrans(
    {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
)
_SLICE_S = 0.02
"""How long a wait sleeps before it looks round again."""


class Hangup(Exception):
    """The connection is over: nothing more can or shall be written."""


def encoded(value: object) -> bytes:
    """JSON the way Go writes it: no spaces, UTF-8, and < > & escaped."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":")).translate(_ESCAPES)
    return text.encode("utf-8", "replace")


class Handler(http.server.BaseHTTPRequestHandler):
    """One connection. What a request means is decided by the double."""

    protocol_version = "HTTP/1.1"
    # Each chunk leaves at once, as from Go.
    disable_nagle_algorithm = True
    server: Listener

    def setup(self) -> None:
        super().setup()
        self.idle = True
        self.streaming = False
        self.request_record: Request | None = None
        self.server.join(self)

    def finish(self) -> None:
        self.server.leave(self)
        with contextlib.suppress(OSError):
            super().finish()

    def handle(self) -> None:
        with contextlib.suppress(Hangup, ConnectionError, TimeoutError):
            super().handle()

    def handle_one_request(self) -> None:
        self.idle = True
        try:
            super().handle_one_request()
        except (Hangup, OSError, ValueError) as exc:
            # ValueError: the socket's file was closed under a waiting read.
            self.close_connection = True
            if isinstance(exc, ValueError) and "closed file" not in str(exc):
                raise

    def parse_request(self) -> bool:
        self.idle = False
        self.streaming = False
        return super().parse_request()

    def __getattr__(self, name: str) -> Callable[[], None]:
        # http.server looks for do_GET, do_POST, ...: every method goes one way.
        if name.startswith("do_"):
            return self._serve
        raise AttributeError(name)

    def _serve(self) -> None:
        self.request_record = None
        self.server.double.serve(self, self._read_body())

    def _read_body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            body = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return body
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def log_message(self, *args: object) -> None:
        """Nothing is logged; the double records requests."""

    # --- what the double uses -----------------------------------------------------------------

    def reply(self, status: int, body: bytes = b"", content_type: str = JSON) -> None:
        """A whole answer."""
        self._head(status, content_type, f"Content-Length: {len(body)}")
        self.end_headers()
        if self.command != "HEAD":
            self._write(body)

    def reply_json(self, status: int, value: object) -> None:
        """A whole answer in JSON."""
        self.reply(status, encoded(value))

    def start_stream(self) -> None:
        """Status and headers of a stream, held back until its first line."""
        self._head(200, NDJSON, "Transfer-Encoding: chunked")
        self.end_headers()
        self.streaming = True

    def line(self, value: object) -> None:
        """One line of a stream, in a chunk of its own."""
        if not self.streaming:
            self.start_stream()
        data = encoded(value) + b"\n"
        self._write(b"%x\r\n%s\r\n" % (len(data), data))

    def half_line(self, value: object) -> None:
        """A chunk that promises a line and delivers half of it."""
        if not self.streaming:
            self.start_stream()
        data = encoded(value) + b"\n"
        self._write(b"%x\r\n%s" % (len(data), data[: len(data) // 2]))

    def half_body(self, value: object) -> None:
        """A whole answer of which half is delivered."""
        body = encoded(value)
        self._head(200, JSON, f"Content-Length: {len(body)}")
        self.end_headers()
        self._write(body[: len(body) // 2])

    def raw_chunk(self, data: bytes) -> None:
        """A chunk of any bytes."""
        if not self.streaming:
            self.start_stream()
        self._write(b"%x\r\n%s\r\n" % (len(data), data))

    def end_stream(self) -> None:
        """The last, empty chunk."""
        if not self.streaming:
            self.start_stream()
        self._write(b"0\r\n\r\n")

    def hang_up(self, *, reset: bool = False) -> None:
        """Close the connection now, with a FIN or with a reset."""
        self.close_connection = True
        self.drop(reset=reset)
        raise Hangup

    def drop(self, *, reset: bool = False) -> None:
        """Close the socket from whichever thread."""
        with contextlib.suppress(OSError):
            if reset:
                linger = (1).to_bytes(4, sys.byteorder) + (0).to_bytes(4, sys.byteorder)
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                self.connection.close()
            else:
                self.connection.shutdown(socket.SHUT_RDWR)

    def client_gone(self) -> bool:
        """True once the client has closed its end."""
        try:
            readable, _, _ = select.select([self.connection], [], [], 0)
            return bool(readable) and self.connection.recv(1, socket.MSG_PEEK) == b""
        except (OSError, ValueError):
            return True

    def look(self) -> None:
        """Raise Hangup where the client or the server has gone."""
        if self.server.closed:
            self.close_connection = True
            raise Hangup
        if self.client_gone():
            if self.request_record is not None:
                self.request_record.disconnected = True
            self.close_connection = True
            raise Hangup

    def wait(self, seconds: float, until: Callable[[], bool] | None = None) -> None:
        """Sleep, but not longer than `until` is false, and not past a hangup."""
        end = time.monotonic() + seconds
        while True:
            self.look()
            left = end - time.monotonic()
            if left <= 0 or (until is not None and until()):
                return
            time.sleep(min(left, _SLICE_S))

    def _head(self, status: int, content_type: str, *more: str) -> None:
        if self.request_record is not None:
            self.request_record.status = status
        self.send_response_only(status)
        if content_type:
            self.send_header("Content-Type", content_type)
        self.send_header("Date", formatdate(usegmt=True))
        for header in more:
            name, _, value = header.partition(": ")
            self.send_header(name, value)

    def _write(self, data: bytes) -> None:
        try:
            self.wfile.write(data)
        except (OSError, ValueError) as exc:
            if self.request_record is not None and not self.server.closed:
                self.request_record.disconnected = True
            self.close_connection = True
            raise Hangup from exc


class Listener(http.server.ThreadingHTTPServer):
    """The listening socket and the connections it has accepted."""

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, double: OllamaDouble, host: str, port: int) -> None:
        self.double = double
        self.closed = False
        self._handlers: set[Handler] = set()
        self._lock = threading.Lock()
        super().__init__((host, port), Handler)
        self._thread = threading.Thread(
            target=self.serve_forever, args=(0.01,), name="ollama-double", daemon=True
        )
        self._thread.start()

    def server_bind(self) -> None:
        # HTTPServer would look its own name up in the DNS here.
        socket_server_bind(self)

    def join(self, handler: Handler) -> None:
        """A connection was accepted."""
        with self._lock:
            self._handlers.add(handler)
        if self.closed:
            handler.drop()

    def leave(self, handler: Handler) -> None:
        """A connection ended."""
        with self._lock:
            self._handlers.discard(handler)

    def close(self) -> None:
        """Stop listening and close idle connections; requests at work go on."""
        self.shutdown()
        self.server_close()
        self._thread.join()
        self.drop_connections(busy_too=False)

    def drop_connections(self, *, busy_too: bool) -> None:
        """Break connections: those that wait for a request, or all."""
        self.closed = self.closed or busy_too
        with self._lock:
            handlers = list(self._handlers)
        for handler in handlers:
            if busy_too or handler.idle:
                handler.drop()

    def handle_error(self, request: object, client_address: object) -> None:
        """A bug of the double or of a reply hook: kept, and raised where the double ends."""
        exc = sys.exc_info()[1]
        if exc is not None:
            self.double.failures.append(exc)


def socket_server_bind(listener: Listener) -> None:
    """Bind without the reverse look-up of http.server."""
    listener.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.socket.bind(listener.server_address)
    listener.server_address = listener.socket.getsockname()
    listener.server_name, listener.server_port = listener.socket.getsockname()[:2]


def reserved_socket(host: str, port: int) -> socket.socket:
    """Holds a port without listening on it: connections are refused, nobody else takes it."""
    holder = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.bind((host, port))
    return holder


def known_host(header: str | None) -> bool:
    """True for the Host headers that Ollama on loopback answers to."""
    if not header:
        return True
    host = header.rsplit(":", 1)[0] if not header.endswith("]") else header
    host = host.strip("[]").lower()
    if host in {"localhost", socket.gethostname().lower()}:
        return True
    if host.endswith((".localhost", ".local", ".internal")):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or address.is_private or address.is_unspecified

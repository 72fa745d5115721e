"""`hayloft ui`: serve the chat app on this machine."""

from __future__ import annotations

import argparse
import contextlib
import ipaddress
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import IO, TYPE_CHECKING

from app.page_style import THEME
from storage.errors import ServiceUnavailable, UsageError

if TYPE_CHECKING:
    from app.auth_settings import AuthSettings

_READY_S = 90.0
"""Longest wait for the first answer; a cold disk needs about 10 s."""
_PORTS_TRIED = 50
_END_S = 8.0
"""How long the server may take to end before it is killed."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `hayloft ui`."""
    parser.description = "Serve the chat app on this machine, until Ctrl-C."
    parser.add_argument(
        "--port", type=int, help="port to serve on (default: HAYLOFT_UI_PORT, 8501)"
    )
    parser.add_argument(
        "--address", help="address to serve on (default: HAYLOFT_UI_ADDRESS, 127.0.0.1)"
    )
    browser = parser.add_mutually_exclusive_group()
    browser.add_argument("--open", action="store_true", help="open the page in the browser")
    browser.add_argument(
        "--no-browser", action="store_true", help="only say where it serves (the default)"
    )
    parser.add_argument(
        "--share-without-login",
        action="store_true",
        help="allow an address that others can reach although nobody signs in; everyone there can "
        "read every document",
    )
    parser.add_argument(
        "--host-name",
        action="append",
        default=[],
        metavar="NAME",
        help="a name by which browsers may reach the page, beside localhost (repeatable)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON lines")


def run(args: argparse.Namespace) -> int:
    """Serve until interrupted; 0 where it ended because it was told to."""
    with _ending_on_signals() as told_to_end, _page_process() as (child, complaints):
        words = _settled(args)
        url = f"http://{_host_for_people(words.address)}:{words.port}"
        _hand_over(child, words.streamlit)
        if _until_ready(child, words.address, words.port, told_to_end):
            _say(
                args,
                f"Hayloft serves on {url} (Ctrl-C ends it)",
                {"event": "serving", "url": url, "address": words.address, "port": words.port},
            )
            _tell_setup_code(args, words.auth, words.data_dir, url)
            if args.open:
                import webbrowser

                webbrowser.open(url)
        while child.poll() is None and not told_to_end():
            time.sleep(0.2)
        if told_to_end():
            return 0
        complaints.seek(0)
        last = complaints.read().decode("utf-8", "replace").strip().splitlines()[-1:]
    raise ServiceUnavailable(
        f"The page's server ended by itself with status {child.returncode}"
        f"{': ' + last[0].strip() if last else ''}. Start `hayloft ui` again."
    )


@dataclass(frozen=True, slots=True)
class _Settled:
    """What the settings and the words of the command line come to."""

    address: str
    port: int
    auth: AuthSettings
    data_dir: Path
    streamlit: list[str]
    """The words of Streamlit's own command line."""


def _settled(args: argparse.Namespace) -> _Settled:
    """Read the settings; what cannot work is told here, before anything is served."""
    from app.auth_settings import OFF, AuthSettings
    from app.settings import AppSettings
    from storage.settings import StorageSettings

    # The page's own process reads them again; a fault in them is better told here.
    storage = StorageSettings()
    settings, auth = AppSettings(), AuthSettings()
    auth.check()
    address = args.address or settings.ui_address
    wanted = args.port or settings.ui_port
    if not 1 <= wanted <= 65535:
        raise UsageError(f"{wanted} is not a port: choose one from 1 to 65535.")
    refuse_open_address(address, shared=args.share_without_login or auth.auth != OFF)
    port = free_port(address, wanted)
    if port != wanted:
        _say(
            args,
            f"Port {wanted} is taken; using {port}.",
            {"event": "port-taken", "wanted": wanted, "port": port},
        )
    words = streamlit_words(
        address, port, host_names_of(args.host_name, auth), upload_mb=settings.upload_mb
    )
    return _Settled(address, port, auth, storage.data_dir, words)


@contextmanager
def _page_process() -> Iterator[tuple[subprocess.Popen[bytes], IO[bytes]]]:
    """The page's process, which loads what it needs and waits, and what it complains of.

    However the block is left, the process has ended.
    """
    with tempfile.TemporaryFile() as complaints:
        child = subprocess.Popen(
            # -P: no folder of whoever called us is looked through for modules.
            [sys.executable, "-P", str(Path(__file__).with_name("page_process.py"))],
            stdin=subprocess.PIPE,
            stdout=complaints,
            stderr=None,
            # Ctrl-C reaches only us, and we pass it on: the server ends once.
            start_new_session=True,
            preexec_fn=_end_with_parent(),
        )
        try:
            yield child, complaints
        finally:
            _end(child)


def _hand_over(child: subprocess.Popen[bytes], words: list[str]) -> None:
    """Tell the page's process where and how to serve; one that is gone is seen by who waits."""
    assert child.stdin is not None
    with contextlib.suppress(BrokenPipeError), child.stdin as line:
        line.write(json.dumps(words).encode() + b"\n")


def command(address: str, port: int, host_names: list[str] | None = None) -> list[str]:
    """The command line that serves the page without our own process around it."""
    return [sys.executable, "-m", "streamlit", *streamlit_words(address, port, host_names)]


def streamlit_words(
    address: str,
    port: int,
    host_names: list[str] | None = None,
    *,
    upload_mb: int = 200,
) -> list[str]:
    """The words of Streamlit's command line that serve the page, every setting named.

    Settings of the user's own Streamlit configuration must not decide where
    documents are served, what is sent out, or how the page looks.
    """
    flags = {
        "server.address": address,
        "server.port": str(port),
        "server.headless": "true",
        # Without this the server asks a public address which one it is seen under.
        "browser.serverAddress": "localhost",
        "browser.gatherUsageStats": "false",
        "server.enableCORS": "true",
        "server.enableXsrfProtection": "true",
        "server.enableStaticServing": "false",
        # Another way in, which would bypass the page as a browser sees it.
        "server.enableAgentApi": "false",
        "server.scriptHealthCheckEnabled": "false",
        "server.maxUploadSize": str(upload_mb),
        "server.fileWatcherType": "none",
        "server.runOnSave": "false",
        "client.toolbarMode": "minimal",
        "client.showErrorLinks": "false",
        # A fault's traceback names folders of this machine: it is for the log, not for readers.
        "client.showErrorDetails": "type",
        # By default every app of a public host may talk to a page that it frames.
        "client.allowedOrigins": "https://nobody.invalid",
        "client.showSidebarNavigation": "false",
        "runner.magicEnabled": "false",
        # By default every run of the script ends with a full garbage collection: 100 ms with
        # torch loaded, ten times a second while an answer is drawn. Python collects by itself.
        "runner.postScriptGC": "false",
        "logger.level": "warning",
        # Otherwise what broke a page is drawn in a frame on standard output, which nobody reads.
        "logger.enableRich": "false",
        **THEME,
    }
    script = Path(__file__).with_name("page_server.py")
    words = [f"--{name}={value}" for name, value in flags.items()]
    # A web page elsewhere may not reach in, under whatever name it resolves us by.
    words += [f"--server.allowedHosts={name}" for name in _allowed_hosts(address, host_names or [])]
    return ["run", str(script), *words]


def refuse_open_address(address: str, *, shared: bool) -> None:
    """Raise UsageError for an address that other machines can reach, unless that is wanted."""
    if shared or is_loopback(address):
        return
    raise UsageError(
        f"Without a login everyone in the network could read every document and conversation on "
        f"{address}. Set HAYLOFT_AUTH=accounts (or oidc), serve on 127.0.0.1, or pass "
        "--share-without-login if that is what you want."
    )


def host_names_of(named: list[str], auth: AuthSettings) -> list[str]:
    """The names by which browsers may reach the page, the one that a provider leads back to too."""
    from urllib.parse import urlsplit

    found = urlsplit(auth.oidc_page_url).hostname if auth.auth == "oidc" else None
    return [*named, found] if found and found not in named else named


def _tell_setup_code(
    args: argparse.Namespace, auth: AuthSettings, data_dir: Path, url: str
) -> None:
    """Show the code that makes the first account, where there is none yet."""
    if auth.auth != "accounts":
        return
    from app.accounts import Accounts

    accounts = Accounts(data_dir)
    try:
        code = accounts.new_setup_code()
    finally:
        accounts.close()
    if code is not None:
        _say(
            args,
            f"There is no account yet. Make the first one on {url} with the setup code {code}",
            {"event": "setup", "url": url, "code": code},
        )


def is_loopback(address: str) -> bool:
    """Whether only this machine can reach an address."""
    if address == "localhost":
        return True
    try:
        return ipaddress.ip_address(address.strip("[]")).is_loopback
    except ValueError:
        return False


def free_port(address: str, wanted: int) -> int:
    """The wanted port, or the next one that is free.

    Raises UsageError where none is, or where the address is not this machine's.
    """
    for port in range(wanted, min(wanted + _PORTS_TRIED, 65536)):
        try:
            if _is_free(address, port):
                return port
        except OSError as exc:
            raise UsageError(
                f"{address} is no address of this machine ({exc.strerror or exc}). "
                "Use 127.0.0.1, or leave --address out."
            ) from exc
    raise UsageError(
        f"No port from {wanted} to {wanted + _PORTS_TRIED - 1} is free. Name another with --port."
    )


def _is_free(address: str, port: int) -> bool:
    """Whether a server could listen there; OSError where the address itself cannot be used."""
    import errno

    family, kind, protocol, _, where = socket.getaddrinfo(
        address, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    with socket.socket(family, kind, protocol) as probe:
        if os.name == "posix":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(where)
        except OSError as exc:
            if exc.errno in (errno.EADDRINUSE, errno.EACCES):
                return False
            raise
    return True


def _allowed_hosts(address: str, host_names: list[str]) -> list[str]:
    names = ["localhost", "127.0.0.1", "::1", *host_names]
    if address not in ("", "0.0.0.0", "::", *names):
        names.append(address)
    return names


def _host_for_people(address: str) -> str:
    if address in ("127.0.0.1", "0.0.0.0", "::", "::1", "localhost"):
        return "localhost" if address != "::1" else "[::1]"
    return f"[{address}]" if ":" in address else address


def _until_ready(
    child: subprocess.Popen[bytes], address: str, port: int, told_to_end: Callable[[], bool]
) -> bool:
    """Wait until the page answers; False where it ended, or was told to, before that."""
    import http.client

    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address)
    deadline = time.monotonic() + _READY_S
    while child.poll() is None and not told_to_end():
        if time.monotonic() > deadline:
            raise ServiceUnavailable(
                f"The page's server did not answer within {_READY_S:g} s. Start it again; "
                "`hayloft doctor` says what is wrong."
            )
        connection = http.client.HTTPConnection(host, port, timeout=2)
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection.request("GET", "/_stcore/health")
            if connection.getresponse().status == 200:
                return True
        connection.close()
        time.sleep(0.02)
    return False


@contextmanager
def _ending_on_signals() -> Iterator[Callable[[], bool]]:
    """Turn Ctrl-C and SIGTERM into an answer to "should we end?" while inside the block."""
    told = False

    def remember(_signal: int, _frame: FrameType | None) -> None:
        nonlocal told
        told = True

    before = {number: signal.signal(number, remember) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: told
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is not None:
        return
    child.terminate()
    try:
        child.wait(_END_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _end_with_parent() -> Callable[[], None] | None:
    """On Linux, what makes the server end even where we are killed without a word."""
    if sys.platform != "linux":
        return None
    import ctypes

    prctl = ctypes.CDLL(None).prctl
    set_parent_death_signal = 1

    def ask() -> None:
        prctl(set_parent_death_signal, signal.SIGTERM)

    return ask


def _say(args: argparse.Namespace, sentence: str, event: dict[str, object]) -> None:
    print(json.dumps(event) if args.json else sentence, flush=True)

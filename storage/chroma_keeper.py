"""The process that keeps one Chroma server running for one data directory.

Started by `storage.chroma_server`, never by hand:

    python -m storage.chroma_keeper DATA_DIR LINGER_SECONDS

It starts `chroma run` on a free loopback port, writes where it listens to
`chroma/server.json`, starts it again when it dies, and ends it when nobody
has used it for a while. Who uses it is told by locks alone (`storage.locks`):

- every user holds `users.lock` shared for as long as it lives;
- the keeper holds `keeper.lock`;
- keeper and server together hold `server.lock`: should the keeper be killed,
  the lock still tells the next one that a server owns the files.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from types import FrameType

from storage.locks import FileLock
from storage.logs import make_room

SERVER_FILE = "server.json"
PREVIOUS_SERVER_FILE = "server.previous.json"
_POLL_S = 0.25
_START_TIMEOUT_S = 60.0
_MAX_QUICK_DEATHS = 5

# `chroma run` from its console script first imports the whole Python client
# (2.6 s, measured); the Rust server underneath needs none of it.
_RUN_SERVER = "import sys; from chromadb_rust_bindings import cli; cli(['chroma', *sys.argv[1:]])"


class _Stop(Exception):
    """A signal asked the keeper to end."""


def main(argv: list[str]) -> int:
    """Keep the server until its last user has gone; the exit status is for the log only."""
    home, linger_s = Path(argv[0]) / "chroma", float(argv[1])
    keeper_lock = FileLock(home / "keeper.lock")
    # A moment's patience: others test this lock by taking it for an instant.
    if not keeper_lock.acquire(timeout_s=1.0):
        return 0
    server_lock = _own_the_files(home)
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    server: subprocess.Popen[bytes] | None = None
    port = 0
    deaths = 0
    try:
        while deaths < _MAX_QUICK_DEATHS:
            started = time.monotonic()
            port = _free_port(prefer=port)
            server = _start(home, port, server_lock)
            if _answers(server, port):
                _announce(home, port, server.pid)
                if _wait(server, home, linger_s):
                    return 0
            _log(f"chroma ended with status {server.wait()}; starting it again")
            quick = time.monotonic() - started < 10.0
            deaths = deaths + 1 if quick else 0
            time.sleep(min(0.2 * 2**deaths, 5.0) if quick else 0.0)
        _log("chroma died too often; giving up")
        return 1
    except _Stop:
        return 0
    finally:
        (home / SERVER_FILE).unlink(missing_ok=True)
        if server is not None:
            _end(server)


def _stop(signum: int, frame: FrameType | None) -> None:
    raise _Stop


def _log(text: str) -> None:
    print(f"{time.strftime('%Y-%m-%d %H:%M:%S')} keeper: {text}", flush=True)


def _own_the_files(home: Path) -> FileLock:
    """Take `server.lock`, ending a server whose keeper was killed.

    The lock is held by the keeper and its server only, and this process is
    the one keeper: a held lock therefore proves that the process named in the
    server file is that server, however long ago it was started.
    """
    lock = FileLock(home / "server.lock")
    previous = home / PREVIOUS_SERVER_FILE
    if not lock.acquire():
        with contextlib.suppress(OSError, ValueError, KeyError):
            pid = int(json.loads(previous.read_text())["server_pid"])
            _log(f"ending the server {pid} of a keeper that was killed")
            os.kill(pid, signal.SIGKILL)
        if not lock.acquire(timeout_s=30.0):
            raise SystemExit("another process holds the Chroma files and does not end")
    # That server is gone, and its number may soon be some other program's.
    previous.unlink(missing_ok=True)
    return lock


def _free_port(prefer: int) -> int:
    """A free loopback port; the one from before where it is free, so that clients stay valid."""
    for port in (prefer, 0):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return int(probe.getsockname()[1])
    raise SystemExit("no free port on the loopback interface")


def _start(home: Path, port: int, lock: FileLock) -> subprocess.Popen[bytes]:
    args = ["run", "--path", str(home / "db"), "--host", "127.0.0.1", "--port", str(port)]
    _log(f"starting chroma on port {port}")
    return subprocess.Popen(
        [sys.executable, "-c", _RUN_SERVER, *args],
        stdin=subprocess.DEVNULL,
        pass_fds=(lock.fd,),
        preexec_fn=_die_with_parent,
        env={**os.environ, "ANONYMIZED_TELEMETRY": "False"},
    )


def _die_with_parent() -> None:
    """On Linux, let the kernel end the server with its keeper (elsewhere `server.lock` tells)."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None, use_errno=True).prctl(1, signal.SIGTERM)


def _answers(server: subprocess.Popen[bytes], port: int) -> bool:
    deadline = time.monotonic() + _START_TIMEOUT_S
    url = f"http://127.0.0.1:{port}/api/v2/heartbeat"
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while time.monotonic() < deadline and server.poll() is None:
        with contextlib.suppress(OSError), opener.open(url, timeout=1.0) as reply:
            # The server is ours only if our child still lives: another program
            # may have taken the port between choosing and using it.
            return bool(reply.status == 200) and server.poll() is None
        time.sleep(0.02)
    return False


def _announce(home: Path, port: int, server_pid: int) -> None:
    """Write where the server listens; renamed into place, so that no reader sees half of it."""
    draft = home / f"{SERVER_FILE}.new"
    draft.write_text(
        json.dumps({"port": port, "server_pid": server_pid, "keeper_pid": os.getpid()})
    )
    draft.replace(home / SERVER_FILE)


def _wait(server: subprocess.Popen[bytes], home: Path, linger_s: float) -> bool:
    """Wait until nobody needs the server (True) or it has died (False)."""
    users = FileLock(home / "users.lock")
    unused_since: float | None = None
    while server.poll() is None:
        if not users.acquire():
            unused_since = None
        else:
            now = time.monotonic()
            unused_since = now if unused_since is None else unused_since
            if now - unused_since >= linger_s:
                # Held until the process ends: whoever comes now waits, finds
                # no keeper, and starts a new one.
                _log("no user left; ending chroma")
                (home / SERVER_FILE).unlink(missing_ok=True)
                return True
            users.release()
        with contextlib.suppress(OSError):
            make_room(home.parent / "logs" / "chroma.log", copying=True)
        time.sleep(_POLL_S)
    return False


def _end(server: subprocess.Popen[bytes]) -> None:
    if server.poll() is None:
        server.terminate()
    try:
        server.wait(timeout=15.0)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

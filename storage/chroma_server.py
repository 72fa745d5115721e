"""Joining the Chroma server of a data directory, and starting it when it is not there."""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from storage.chroma_keeper import PREVIOUS_SERVER_FILE, SERVER_FILE
from storage.errors import ServiceUnavailable, StorageError
from storage.locks import FileLock, is_held
from storage.logs import make_room

log = logging.getLogger(__name__)

_START_TIMEOUT_S = 90.0
_MAX_STARTS = 3
_ROOM_FOR_A_REQUEST = 8_000_000
"""Bytes: the write-ahead log and one index file. On a full disk Chroma names other reasons."""


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """Where a data directory's own Chroma server listens."""

    port: int
    server_pid: int
    keeper_pid: int


def running_server(data_dir: Path) -> ServerAddress | None:
    """The server of this data directory, if one runs; starts nothing."""
    home = data_dir / "chroma"
    if not is_held(home / "keeper.lock"):
        return None
    return _read_address(home)


class ChromaServer:
    """One process's share in the Chroma server of a data directory.

    The server runs at least as long as some process holds a share: the share
    is a lock that ends with the process, however that ends.
    """

    def __init__(self, data_dir: Path, linger_s: float) -> None:
        self._data_dir = data_dir
        self._home = data_dir / "chroma"
        self._linger_s = linger_s
        self._share = FileLock(self._home / "users.lock")
        self._shared = False

    def join(self) -> ServerAddress:
        """Where the server listens, starting it first where none runs.

        Safe to call from many processes at the same instant, and again after
        the server has died. Raises ServiceUnavailable when it does not start.
        """
        try:
            return self._join()
        except OSError as exc:
            raise StorageError(
                f"The data directory {self._data_dir} cannot be written ({exc.strerror}). Free "
                "some space, mend its permissions or set HAYLOFT_DATA_DIR to another one."
            ) from exc

    def leave(self) -> None:
        """Give the share back; the server ends a little after the last one."""
        self._share.release()
        self._shared = False

    def disk_is_full(self) -> bool:
        """Whether the disk of the server's files has no room for what a request may write."""
        return shutil.disk_usage(self._data_dir).free < _ROOM_FOR_A_REQUEST

    def _join(self) -> ServerAddress:
        self._home.mkdir(parents=True, exist_ok=True)
        if not self._shared:
            # A keeper that is just ending holds this lock for the second or
            # two that the server takes to close its files.
            if not self._share.acquire(shared=True, timeout_s=30.0):
                raise ServiceUnavailable(self._failure("is ending and does not finish"))
            self._shared = True
        with FileLock(self._home / "start.lock") as start:
            if not start.acquire(timeout_s=_START_TIMEOUT_S):
                raise ServiceUnavailable(self._failure("is being started and does not finish"))
            return self._wait_for_address()

    def _wait_for_address(self) -> ServerAddress:
        """Wait for a keeper to say where its server listens, starting one where there is none."""
        deadline = time.monotonic() + _START_TIMEOUT_S
        keeper: subprocess.Popen[bytes] | None = None
        starts = 0
        while time.monotonic() < deadline:
            if is_held(self._home / "keeper.lock"):
                address = _read_address(self._home)
                if address is not None:
                    return address
            elif keeper is None or keeper.poll() is not None:
                if starts == _MAX_STARTS:
                    break
                keeper = self._start_keeper()
                starts += 1
            time.sleep(0.02)
        raise ServiceUnavailable(self._failure("does not start"))

    def _start_keeper(self) -> subprocess.Popen[bytes]:
        """Start a keeper; the caller holds `start.lock` and has seen that there is none."""
        if (self._home / SERVER_FILE).exists():
            # Left by a keeper that was killed: no longer an address, but it
            # names the server that may still own the files.
            (self._home / SERVER_FILE).replace(self._home / PREVIOUS_SERVER_FILE)
        logs = self._data_dir / "logs"
        logs.mkdir(exist_ok=True)
        log.info("starting the Chroma server of %s", self._data_dir)
        command = [sys.executable, "-m", "storage.chroma_keeper"]
        make_room(logs / "chroma.log")
        with (logs / "chroma.log").open("ab") as out:
            try:
                return subprocess.Popen(
                    [*command, str(self._data_dir), str(self._linger_s)],
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=out,
                    start_new_session=True,
                    cwd=Path(__file__).resolve().parent.parent,
                    env={**os.environ, "PYTHONUNBUFFERED": "1"},
                )
            except OSError as exc:
                raise ServiceUnavailable(
                    self._failure(f"cannot be started ({exc.strerror})")
                ) from exc

    def _failure(self, what: str) -> str:
        return (
            f"The Chroma server of {self._data_dir} {what}. "
            f"Its log is {self._data_dir / 'logs' / 'chroma.log'}; "
            "`hayloft doctor` says what is wrong."
        )


def _read_address(home: Path) -> ServerAddress | None:
    try:
        fields = json.loads((home / SERVER_FILE).read_text())
        return ServerAddress(**{name: int(fields[name]) for name in ServerAddress.__slots__})
    except (OSError, ValueError, KeyError):
        return None

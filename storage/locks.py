"""Locks between processes that vanish with the process that holds them.

All are `flock`s: the kernel frees one when its last file descriptor closes,
so a `kill -9` leaves nothing to clean up and no process id has to be trusted.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time
from pathlib import Path
from types import TracebackType

from storage.errors import StorageError


class FileLock:
    """A `flock` on a file, which is created where it does not exist.

    One object holds at most one lock. Not inherited by programs that are
    started, unless its descriptor is passed to them on purpose.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd: int | None = None

    def acquire(self, *, shared: bool = False, timeout_s: float = 0.0) -> bool:
        """Take the lock; False where somebody else holds it for longer than `timeout_s`."""
        if self._fd is None:
            self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        mode = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                fcntl.flock(self._fd, mode | fcntl.LOCK_NB)
                return True
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    self.release()
                    return False
                time.sleep(0.02)

    @property
    def fd(self) -> int:
        """The descriptor, for handing the lock on to a child process."""
        if self._fd is None:
            raise ValueError(f"the lock {self.path} is not held")
        return self._fd

    def write(self, text: str) -> None:
        """Note who holds the lock; for people, and only while it is held."""
        os.ftruncate(self.fd, 0)
        os.pwrite(self.fd, text.encode(), 0)

    def release(self) -> None:
        """Give the lock back; harmless where it is not held."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def __enter__(self) -> FileLock:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()


def is_held(path: Path) -> bool:
    """Whether some process holds the lock at this moment.

    Raises StorageError where that cannot be told.
    """
    try:
        fd = _open_for_a_look(path)
    except FileNotFoundError:
        return False
    except OSError as exc:
        raise StorageError(
            f"The lock {path} cannot be looked at ({exc.strerror}). Mend the permissions of its "
            "folder, or ask as the user whose data directory it is."
        ) from exc
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return False
    except BlockingIOError:
        return True
    finally:
        os.close(fd)


def _open_for_a_look(path: Path) -> int:
    """A descriptor to try a lock with."""
    try:
        # A network file system locks for one alone only what is open for writing.
        return os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError as exc:
        # Backups and snapshots are mounted read-only, and the status of one can be asked for.
        if exc.errno not in (errno.EROFS, errno.EACCES):
            raise
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)

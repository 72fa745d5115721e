"""Files of an evaluation that come into place at once, and the lock of a run's folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from storage.errors import LockHeld, StorageError
from storage.locks import FileLock

RUN_LOCK = "run.lock"


@contextmanager
def in_place(path: Path, advice: str = "") -> Iterator[Path]:
    """A name beside `path` to write to: it takes that place where the writing went well.

    Raises StorageError, which ends in `advice`, where it cannot be written.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        yield part
        part.replace(path)
    except OSError as exc:
        # On a file system that is read-only even taking away nothing is refused.
        with suppress(OSError):
            part.unlink(missing_ok=True)
        told = f"{path} cannot be written: {exc.strerror or exc}. {advice}"
        raise StorageError(told.rstrip()) from exc


@contextmanager
def run_locked(folder: Path, held: str) -> Iterator[None]:
    """Nobody else is at this run meanwhile.

    Raises LockHeld with the sentence `held` where another process is,
    StorageError where the folder takes no lock.
    """
    with FileLock(folder / RUN_LOCK) as lock:
        try:
            free = lock.acquire(timeout_s=1.0)
        except OSError as exc:
            raise StorageError(
                f"{folder} cannot be written: {exc.strerror or exc}. Correct the permissions, or "
                "copy the data directory to where it can be written."
            ) from exc
        if not free:
            raise LockHeld(held)
        yield

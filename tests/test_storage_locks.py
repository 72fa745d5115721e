"""Locks between processes: one holder, many sharers, and nothing left by the dead."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from storage.errors import StorageError
from storage.locks import FileLock, is_held

HOLD = (
    "import sys, time; from pathlib import Path; from storage.locks import FileLock;"
    "lock = FileLock(Path(sys.argv[1]));"
    "print(lock.acquire(shared=sys.argv[2] == 'shared'), flush=True); time.sleep(60)"
)


@contextmanager
def holder(path: Path, how: str = "alone") -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path), how], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "True"
        yield process
    finally:
        process.kill()
        process.communicate()


def test_a_lock_has_one_holder(tmp_path):
    """What one process holds, another does not get, and gets when it is released."""
    first, second = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock")

    assert first.acquire()
    assert not second.acquire()
    first.release()
    assert second.acquire()


def test_a_lock_of_a_killed_process_is_free(tmp_path):
    """`kill -9` of the holder frees the lock at once."""
    path = tmp_path / "lock"
    with holder(path) as process:
        held_before = FileLock(path).acquire()

        os.kill(process.pid, signal.SIGKILL)
        process.wait()

        assert not held_before
        assert FileLock(path).acquire(timeout_s=1.0)


def test_sharers_stand_beside_each_other_and_keep_the_owner_out(tmp_path):
    """Two shared locks at once, no exclusive one before both have gone."""
    path = tmp_path / "lock"
    mine, owner = FileLock(path), FileLock(path)
    with holder(path, "shared"):
        assert mine.acquire(shared=True)
        assert not owner.acquire()
    assert not owner.acquire()
    mine.release()

    assert owner.acquire(timeout_s=1.0)


@pytest.mark.parametrize("how", ["alone", "shared"])
def test_is_held_tells_either_kind_and_takes_nothing(tmp_path, how):
    """Asking whether a lock is held leaves it as it was, and creates no file."""
    path = tmp_path / "lock"

    assert not is_held(path)
    assert not path.exists()
    with holder(path, how):
        assert is_held(path)
    assert not is_held(path)
    assert FileLock(path).acquire()


@pytest.mark.parametrize("refusal", [errno.EROFS, errno.EACCES])
@pytest.mark.parametrize("how", ["alone", "shared"])
def test_a_lock_that_may_only_be_read_can_be_looked_at(tmp_path, monkeypatch, refusal, how):
    """A data directory that is mounted read-only, as backups are, has a state too."""
    path = tmp_path / "lock"
    opened = os.open

    def read_only(name, flags, *more, **named):
        if flags & os.O_RDWR:
            raise OSError(refusal, os.strerror(refusal), str(name))
        return opened(name, flags, *more, **named)

    with holder(path, how):
        monkeypatch.setattr(os, "open", read_only)
        assert is_held(path)
        monkeypatch.undo()
    monkeypatch.setattr(os, "open", read_only)
    assert not is_held(path)


def test_a_lock_that_cannot_be_looked_at_is_a_sentence(tmp_path, monkeypatch):
    """Whoever may not read the data directory is told so, without a traceback."""

    def refused(name, *more, **named):
        raise PermissionError(errno.EACCES, "Permission denied", str(name))

    monkeypatch.setattr(os, "open", refused)

    with pytest.raises(StorageError, match=r"lock .* cannot be looked at \(Permission denied\)"):
        is_held(tmp_path / "lock")


def test_a_timeout_waits_and_gives_up(tmp_path):
    """A lock that stays held is refused after the patience, not before and not never."""
    import time

    path = tmp_path / "lock"
    with holder(path):
        started = time.monotonic()

        assert not FileLock(path).acquire(timeout_s=0.3)

        assert 0.3 <= time.monotonic() - started < 5


def test_a_started_program_does_not_inherit_the_lock(tmp_path):
    """A child that outlives the holder keeps nothing, unless it is given the descriptor."""
    lock = FileLock(tmp_path / "lock")
    lock.acquire()
    sleeper = [sys.executable, "-c", "import time; time.sleep(60)"]
    plain = subprocess.Popen(sleeper, close_fds=False)
    heir = subprocess.Popen(sleeper, pass_fds=(lock.fd,))
    try:
        lock.release()
        assert is_held(tmp_path / "lock")
        heir.kill()
        heir.wait()

        assert not is_held(tmp_path / "lock")
    finally:
        for process in (plain, heir):
            process.kill()
            process.wait()


def test_the_descriptor_of_a_free_lock_is_an_error():
    """Handing on a lock that is not held is a fault of the program."""
    with pytest.raises(ValueError, match="not held"):
        _ = FileLock(Path("nowhere")).fd


def test_releasing_twice_is_harmless(tmp_path):
    """A lock object can be released, and taken again, as often as one likes."""
    lock = FileLock(tmp_path / "lock")
    with lock:
        assert lock.acquire()
    lock.release()

    assert lock.acquire()

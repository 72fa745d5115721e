"""Records one a line, only ever appended; what was written outlives a power cut."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from storage.errors import LockHeld, StorageError
from storage.locks import FileLock

Append = Callable[[Mapping[str, Any]], None]

_WAIT_S = 10.0
"""For another process that appends: it takes milliseconds."""


class JsonLines:
    """A file of JSON objects. Safe to share between threads and between processes."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> list[dict[str, Any]]:
        """The records in the order of their writing; none where there is no file.

        A last line that a kill has torn is left out. Raises StorageError where
        the file cannot be read, or a line in its middle is no record.
        """
        try:
            raw = self.path.read_bytes()
        except FileNotFoundError:
            return []
        except OSError as exc:
            raise StorageError(f"{self.path} cannot be read: {exc.strerror or exc}.") from exc
        # Not splitlines(): JSON strings may hold U+2028 and the like unescaped.
        lines = raw.split(b"\n")
        records = []
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            record = _parsed(line)
            if record is not None:
                records.append(record)
            elif number < len(lines):
                raise StorageError(
                    f"{self.path}, line {number}: not a JSON object. Restore the file from a "
                    "backup, or take that line out."
                )
        return records

    @contextmanager
    def writing(self, *, wait_s: float = _WAIT_S) -> Iterator[Append]:
        """Hold the file alone, and append: what the function returned from is on the disk.

        Raises LockHeld where another process holds it for longer than
        `wait_s`, StorageError where the disk takes nothing.
        """
        lock = FileLock(self.path)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            new = not self.path.exists()
            held = lock.acquire(timeout_s=wait_s)
        except OSError as exc:
            raise self._unwritable(exc) from exc
        if not held:
            raise LockHeld(
                f"Another program is writing to {self.path}. Wait for it to end, then try again."
            )
        try:
            self._mend(lock.fd)
            if new:
                _sync_folder(self.path.parent)
        except OSError as exc:
            lock.release()
            raise self._unwritable(exc) from exc
        try:
            yield lambda record: self._append(lock.fd, record)
        finally:
            lock.release()

    def append(self, record: Mapping[str, Any]) -> None:
        """Write one record."""
        with self.writing() as append:
            append(record)

    def _append(self, fd: int, record: Mapping[str, Any]) -> None:
        line = json.dumps(record, ensure_ascii=False, separators=(",", ":"))
        # Half a surrogate pair in an answer must not lose the record.
        data = memoryview(line.encode("utf-8", "backslashreplace") + b"\n")
        try:
            end = os.lseek(fd, 0, os.SEEK_END)
            try:
                while data:
                    data = data[os.write(fd, data) :]
            except OSError:
                os.ftruncate(fd, end)
                raise
            os.fsync(fd)
        except OSError as exc:
            raise self._unwritable(exc) from exc

    def _mend(self, fd: int) -> None:
        """Cut off a last line that a kill has torn; close one that only lost its end."""
        end = os.lseek(fd, 0, os.SEEK_END)
        if not end or os.pread(fd, 1, end - 1) == b"\n":
            return
        raw = self.path.read_bytes()
        start = raw.rfind(b"\n") + 1
        if _parsed(raw[start:]) is not None:
            os.write(fd, b"\n")
        else:
            os.ftruncate(fd, start)

    def _unwritable(self, exc: OSError) -> StorageError:
        return StorageError(
            f"{self.path} cannot be written: {exc.strerror or exc}. Free some space or correct "
            "the permissions, then try again."
        )


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _sync_folder(folder: Path) -> None:
    """A new name is on the disk only once its folder is."""
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)

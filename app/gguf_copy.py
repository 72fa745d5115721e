"""A copy of a GGUF file with some fields set: tensors byte for byte, memory flat, no half file.

Fields and descriptions of tensors that stay are copied as the bytes they are,
so nothing is decoded and written anew; the tensors' offsets count from the
start of their data, and so stay true however long the header becomes.
"""

from __future__ import annotations

import errno
import fcntl
import glob
import hashlib
import io
import logging
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from storage.errors import SettingsError, StorageError
from storage.gguf_file import Header, aligned, encode_field, encode_start, read_header

log = logging.getLogger(__name__)

# Measured on a 2 GB file, two cores: reading and writing in pieces of 256 KiB takes the
# time of `cp`, in pieces of 4 MiB six times as long.
_CHUNK = 256 << 10
_KERNEL_CHUNK = 32 << 20
_NOT_BY_KERNEL = (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EBADF)
_SPARE = 64 << 20
"""Bytes that stay free on a disk beside the copy."""

Watch = Callable[[int, int], None]
"""Told how many bytes of how many are done."""


@dataclass(frozen=True, slots=True)
class Copied:
    """What was written."""

    digest: str
    """SHA-256 in hex, by which Ollama calls the file; empty where nobody asked for it."""
    size: int


class PartFile:
    """A file under a passing name that gets its own name only when it is whole.

    Locked while it is written: what the lock does not hold was left by a
    process that died, and the next one in that folder for the same name
    removes it. Leaving the `with` block without `keep()` removes it too.
    """

    def __init__(self, final: Path) -> None:
        self.final = final
        self.path = final
        self.file: BinaryIO = io.BytesIO()

    def __enter__(self) -> PartFile:
        folder = self.final.parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._sweep()
            handle = self._create()
        except OSError as exc:
            raise StorageError(
                f"{folder} cannot be written: {exc.strerror or exc}. Choose another folder."
            ) from exc
        self.file = os.fdopen(handle, "r+b", buffering=0)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.path != self.final:
            self.path.unlink(missing_ok=True)
        self.file.close()

    def keep(self) -> None:
        """Give the file its own name, for good: what is there under it is replaced."""
        umask = os.umask(0)
        os.umask(umask)
        os.fchmod(self.file.fileno(), 0o666 & ~umask)
        self.path = self.path.replace(self.final)
        folder = os.open(self.final.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _create(self) -> int:
        while True:
            handle, name = tempfile.mkstemp(".part", f".{self.final.name}.", self.final.parent)
            self.path = Path(name)
            fcntl.flock(handle, fcntl.LOCK_EX)
            if self.path.exists():
                return handle
            os.close(handle)  # another process swept it before it was locked

    def _sweep(self) -> None:
        for name in self.final.parent.glob(f".{glob.escape(self.final.name)}.*.part"):
            with name.open("rb") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    continue
                name.unlink(missing_ok=True)
                log.info("removed an unfinished copy of %d bytes", os.fstat(file.fileno()).st_size)


def check_space(folder: Path, size: int, *, what: str) -> None:
    """Raise StorageError where the folder's disk has no room for so many bytes more."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    if free < size + _SPARE:
        raise StorageError(
            f"The disk of {folder} has {free / 1e9:.1f} GB free, and {what} takes "
            f"{size / 1e9:.1f} GB. Free some space and try again."
        )


def copy_with(
    source: Path,
    target: BinaryIO,
    fields: Mapping[str, int | float | str],
    *,
    watch: Watch | None = None,
    digest: bool = True,
) -> Copied:
    """Write the GGUF file `source` to `target`, with these fields set.

    A field that exists is replaced where it stands, in whatever type it was;
    others are added at the end. `target` must be empty. Raises SettingsError
    for a source that is no whole GGUF file, StorageError where the disk is
    full or fails.
    """
    header = checked_header(source)
    start = _start(source, header, fields)
    total = len(start) + source.stat().st_size - header.data_start
    try:
        found = _pump(source, header.data_start, start, target, total, watch=watch, digest=digest)
        os.fsync(target.fileno())
    except OSError as exc:
        full = exc.errno in (errno.ENOSPC, errno.EDQUOT)
        raise StorageError(
            "The disk is full: the copy was removed. Free some space and try again."
            if full
            else f"The copy of {source} failed: {exc.strerror or exc}."
        ) from exc
    return Copied(found, total)


def checked_header(source: Path) -> Header:
    """The header of a GGUF file whose tensors are all there.

    Raises SettingsError for a file that is cut short or no GGUF file.
    """
    header = read_header(source)
    size = source.stat().st_size
    needed = header.data_start + _data_bytes(header)
    if size < needed:
        raise SettingsError(
            f"{source} is cut short: it has {size:,} of at least {needed:,} bytes. "
            "Copy or download it again."
        )
    return header


def _start(source: Path, header: Header, fields: Mapping[str, int | float | str]) -> bytes:
    """All that stands before the tensor data."""
    pending = dict(fields)
    parts: list[bytes] = []
    with source.open("rb") as file:
        for field in header.fields:
            if field.name in pending:
                parts.append(encode_field(field.name, pending.pop(field.name)))
            elif field.name not in fields:  # a second one of that name is left out
                file.seek(field.start)
                parts.append(file.read(field.end - field.start))
        parts.extend(encode_field(name, value) for name, value in pending.items())
        file.seek(header.tensors_start)
        described = file.read(header.tensors_end - header.tensors_start)
    start = encode_start(header.version, len(header.tensors), len(parts))
    start += b"".join(parts) + described
    return start.ljust(aligned(len(start), header.alignment), b"\0")


def _pump(
    source: Path,
    offset: int,
    start: bytes,
    target: BinaryIO,
    total: int,
    *,
    watch: Watch | None,
    digest: bool,
) -> str:
    """Write `start` and the source from `offset` on; the digest of both, where it is asked for.

    The digest takes longer than the copy: a second thread works it out from
    the source, which the first leaves in the page cache.
    """
    _write(target, memoryview(start))
    failed = threading.Event()
    with source.open("rb", buffering=0) as file, ThreadPoolExecutor(1) as hasher:
        wanted = hasher.submit(_digest, source, offset, start, total, failed) if digest else None
        try:
            done = len(start)
            file.seek(offset)
            while done <= total and (size := _move(file, target)):
                done += size
                if watch is not None:
                    watch(min(done, total), total)
            if done != total:
                raise SettingsError(f"{source} changed while it was copied. Try again.")
            return wanted.result() if wanted else ""
        except BaseException:
            failed.set()  # nobody waits for the digest of a copy that is thrown away
            raise


def _digest(source: Path, offset: int, start: bytes, total: int, failed: threading.Event) -> str:
    found = hashlib.sha256(start)
    left = total - len(start)
    buffer = memoryview(bytearray(_CHUNK))
    with source.open("rb", buffering=0) as file:
        file.seek(offset)
        while not failed.is_set() and (size := file.readinto(buffer[: min(left, _CHUNK)])):
            found.update(buffer[:size])
            left -= size
    return found.hexdigest()


def _move(source: BinaryIO, target: BinaryIO) -> int:
    """The next bytes from one file to the other, by the kernel where it can; 0 at the end."""
    if hasattr(os, "copy_file_range"):
        try:
            return os.copy_file_range(source.fileno(), target.fileno(), _KERNEL_CHUNK)
        except OSError as exc:
            if exc.errno not in _NOT_BY_KERNEL:
                raise
    data = source.read(_CHUNK)
    _write(target, memoryview(data))
    return len(data)


def _write(target: BinaryIO, data: memoryview) -> None:
    while data:
        data = data[target.write(data) :]


def _data_bytes(header: Header) -> int:
    """Bytes of tensor data that the header promises, as far as the types are known."""
    from gguf import GGML_QUANT_SIZES, GGMLQuantizationType

    sizes = {int(kind): GGML_QUANT_SIZES[kind] for kind in GGMLQuantizationType}
    end = 0
    for tensor in header.tensors:
        elements = 1
        for length in tensor.shape:
            elements *= length
        block, size = sizes.get(tensor.kind, (1, 0))
        end = max(end, tensor.offset + elements // block * size)
    return end

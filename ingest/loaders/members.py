"""Files inside a file: attachments of a mail and members of an archive, read as one document.

Each member is read by the loader of its own ending, in a process forked for
that, so that one that crashes, hangs or takes all memory costs itself alone.
Its pages go on with the numbers of those before, under the member's name. What
cannot be read is a warning. Depth, number, size and time are limited over all
levels together.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import select
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import IO, Any, BinaryIO

from ingest.loaders.cleaning import one_line, readable_name
from ingest.loaders.reading import most_characters
from ingest.loaders.sections import PATH_JOIN
from storage.errors import DocumentUnreadable
from storage.locks import FileLock
from storage.records import Flag, Page, ParsedDocument
from storage.sound_text import sound

MOST_DEPTH = 4
"""A file in an archive in an archive attached to a mail lies at depth 3."""

MOST_FILES = 10_000
MOST_BYTES = 1_000_000_000
"""Unpacked, over all levels."""

MEMBER_S = 60.0
"""Longest time one member may take; a container among them may take all that is left."""

_RECOGNITION_S = 150.0
"""More than the recognition of one page may take."""

_MOST_TOLD = 12
_LONGEST_WARNING = 300
_BLOCK = 1 << 20
_LENGTH_BYTES = 8
_PREFIX = "hayloft-members-"
_LOCK = "held"
_LONGEST_NAME = 80
_SHARE_OF_TIME = 0.85


@dataclass(frozen=True, slots=True)
class Member:
    """A file inside another one."""

    name: str
    """Its path inside, with forward slashes."""
    write: Callable[[Writer], None]
    """Writes its content; raises DocumentUnreadable where that cannot be had."""
    noun: str = ""
    """What leads its name in a citation: `attachment`."""
    ending: str = ""
    """Of the loader that reads it, where its name has none or another."""


class Writer:
    """Takes a member's content; raises _Full when more comes than may."""

    def __init__(self, stream: BinaryIO, budget: _Budget) -> None:
        self._stream = stream
        self._budget = budget
        self.size = 0

    def write(self, block: bytes) -> None:
        """Takes some of the content."""
        self.size += len(block)
        self._budget.bytes_left -= len(block)
        if self._budget.bytes_left < 0:
            raise _Full
        self._stream.write(block)

    def copy(self, source: IO[bytes]) -> None:
        """Takes all that a stream gives."""
        while block := source.read(_BLOCK):
            self.write(block)


@dataclass(frozen=True, slots=True)
class Members:
    """What was read of the files inside a file."""

    pages: tuple[Page, ...]
    warnings: tuple[str, ...]
    read: int
    """Files that gave pages."""


class _Full(Exception):
    """The members unpack to more than may be unpacked."""


@dataclass(slots=True)
class _Budget:
    """What may still be read, over all levels."""

    depth: int = 0
    files_left: int = MOST_FILES
    bytes_left: int = MOST_BYTES
    characters_left: int = field(default_factory=most_characters)
    deadline: float = float("inf")


@dataclass(slots=True)
class _Limits:
    seconds: float = float("inf")
    isolated: bool = False
    tell: Callable[[bool], None] = lambda _: None
    """Told when text recognition of a page begins and ends: that time counts by itself."""


_limits = _Limits()
_budget: ContextVar[_Budget | None] = ContextVar("budget of members", default=None)


def isolate(seconds: float, tell: Callable[[bool], None]) -> None:
    """From now on members are read in processes of their own, within a share of `seconds`.

    For a process with one thread that may take so long for a file, not counting
    the pages that go to text recognition. Their beginnings and ends are told to
    `tell`, those of members too.
    """
    _limits.isolated = True
    _limits.seconds = seconds * _SHARE_OF_TIME
    _limits.tell = tell


def recognising(begins: bool) -> None:
    """Says that text recognition of a page begins or has ended, to whom `isolate` named."""
    _limits.tell(begins)


def read_members(members: Iterable[Member], *, start: int) -> Members:
    """The pages of all members that can be read, numbered from `start`."""
    outer = _budget.get()
    budget = outer or _Budget(deadline=time.monotonic() + _limits.seconds)
    token = _budget.set(budget)
    budget.depth += 1
    try:
        with _folder() as folder:
            return _Reading(budget, folder, start).all(members)
    finally:
        budget.depth -= 1
        _budget.reset(token)


@dataclass(slots=True)
class _Reading:
    """One pass over the members of a file."""

    budget: _Budget
    folder: Path
    start: int
    pages: list[Page] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    unknown: Counter[str] = field(default_factory=Counter)
    read: int = 0

    def all(self, members: Iterable[Member]) -> Members:
        stopped = ""
        with contextlib.closing(_Helper()) as helper:
            for member in members:
                stopped = self._limit()
                if stopped:
                    break
                try:
                    self._one(member, helper)
                except _Full:
                    stopped = f"they unpack to more than {MOST_BYTES / 1e6:,.0f} MB"
                    break
        return Members(tuple(self.pages), tuple(self._warnings(stopped)), self.read)

    def _limit(self) -> str:
        """Why nothing more may be read; empty where more may."""
        if self.budget.files_left <= 0:
            return f"there are more than {MOST_FILES:,}"
        if self.budget.characters_left <= 0:
            return f"they hold more than {most_characters():,} characters (HAYLOFT_MAX_CHARACTERS)"
        if time.monotonic() > self.budget.deadline:
            return "time ran out (HAYLOFT_PARSE_TIMEOUT_S)"
        return ""

    def _one(self, member: Member, helper: _Helper) -> None:
        from ingest.loaders.registry import CONTAINERS, EMPTY_IS_NORMAL, SUFFIXES

        path = PurePosixPath(member.name)
        suffix = member.ending or path.suffix.lower()
        if _is_hidden(path):
            return
        if suffix not in SUFFIXES:
            self.unknown[suffix or "(no ending)"] += 1
            return
        if suffix in CONTAINERS and self.budget.depth >= MOST_DEPTH:
            self._fault(member, f"lies {self.budget.depth} files deep, and was not opened.")
            return
        self.budget.files_left -= 1
        place = self.folder / _safe_name(path, suffix)
        try:
            with place.open("wb") as stream:
                writer = Writer(stream, self.budget)
                member.write(writer)
            if writer.size == 0 and suffix in EMPTY_IS_NORMAL:
                return
            left = self.budget.deadline - time.monotonic()
            document = helper.load(place, left if suffix in CONTAINERS else min(left, MEMBER_S))
            self._take(member, document)
        except DocumentUnreadable as exc:
            self._fault(member, str(exc))
        except RecursionError:
            self._fault(member, "nests its content too deeply to be read.")
        finally:
            place.unlink(missing_ok=True)

    def _take(self, member: Member, document: ParsedDocument) -> None:
        self.read += 1
        name = _shown_name(member)
        shown = f"{member.noun} {name}" if member.noun else name
        for page in document.pages:
            self.budget.characters_left -= len(page.text)
            label = page.label or ("" if not document.paged else str(page.number))
            label = f"page {label}" if document.paged else label
            self.pages.append(
                replace(
                    page,
                    number=self.start + len(self.pages),
                    label=f"{shown}, {label}" if label else "" if page.heading else shown,
                    heading=PATH_JOIN.join(_headings(name, document.title, page.heading)),
                )
            )
        self.faults += [f"{name}: {warning}" for warning in document.warnings]

    def _fault(self, member: Member, reason: str) -> None:
        path = PurePosixPath(member.name)
        own = _safe_name(path, member.ending or path.suffix.lower())
        reason = reason.removeprefix(own).strip()
        self.faults.append(f"{_shown_name(member)} was not read: {reason}")

    def _warnings(self, stopped: str) -> Iterator[str]:
        yield from (one_line(fault, _LONGEST_WARNING) for fault in self.faults[:_MOST_TOLD])
        if len(self.faults) > _MOST_TOLD:
            yield f"So it is with {len(self.faults) - _MOST_TOLD:,} more of the files inside."
        if self.unknown:
            kinds = ", ".join(
                f"{kind} ({count:,})" for kind, count in self.unknown.most_common(_MOST_TOLD)
            )
            yield f"Files inside of types that cannot be read: {kinds}."
        if stopped:
            yield f"Not all files inside were read: {stopped}. Unpack it into a folder."


class _Helper:
    """A forked process that loads one member after the other, and a new one after each loss."""

    def __init__(self) -> None:
        self._pid = 0
        self._line: socket.socket | None = None

    def load(self, path: Path, seconds: float) -> ParsedDocument:
        """The document of a file; raises DocumentUnreadable."""
        if not _limits.isolated:
            return _load(path)
        line = self._running()
        try:
            line.sendall(_framed({"path": str(path), "left": _left()}))
            answer = _answer(line, time.monotonic() + seconds)
        except OSError:
            answer = None
        if answer is None:
            late = self._is_alive()
            self.close()
            why = "took too long" if late else "made its parser crash"
            raise DocumentUnreadable(f"{path.name} {why}.", kind="timeout" if late else "damaged")
        _settle(answer["left"])
        if "error" in answer:
            raise DocumentUnreadable(answer["error"]["message"], kind=answer["error"]["kind"])
        return _document(answer["document"])

    def close(self) -> None:
        """Ends the process, also in the middle of a file."""
        if self._line is not None:
            self._line.close()
            self._line = None
        if self._pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(self._pid, 0)
            self._pid = 0

    def _is_alive(self) -> bool:
        """Whether the process did not end by itself; one that is just ending has a moment."""
        for _ in range(20):
            with contextlib.suppress(ChildProcessError):
                if os.waitpid(self._pid, os.WNOHANG) == (0, 0):
                    time.sleep(0.01)
                    continue
            self._pid = 0
            return False
        return True

    def _running(self) -> socket.socket:
        if self._line is not None:
            return self._line
        here, there = socket.socketpair()
        pid = os.fork()
        if pid == 0:
            here.close()
            _serve(there)
        there.close()
        self._pid, self._line = pid, here
        return here


def _answer(line: socket.socket, deadline: float) -> dict[str, Any] | None:
    """The outcome of a file; the pages that go to text recognition have their own time."""
    began = 0.0
    while (message := _received(line, deadline)) is not None and "recognising" in message:
        recognising(bool(message["recognising"]))
        now = time.monotonic()
        if message["recognising"]:
            began = now
            deadline += _RECOGNITION_S
            continue
        deadline += now - began - _RECOGNITION_S
        budget = _budget.get()
        if budget is not None:
            budget.deadline += now - began
    return message


def _serve(line: socket.socket) -> None:
    """What the forked process does until the other end of its line is closed."""
    status = 1
    try:
        _die_with_parent()
        _limits.tell = lambda begins: line.sendall(_framed({"recognising": begins}))
        while (request := _received(line, float("inf"))) is not None:
            path = Path(request["path"])
            answer: dict[str, Any] = {}
            _settle(request["left"])
            try:
                answer["document"] = dataclasses.asdict(_load(path))
            except DocumentUnreadable as exc:
                answer["error"] = {"kind": exc.kind, "message": str(exc)}
            except MemoryError:
                message = f"{path.name} needs more memory than parsing may take."
                answer["error"] = {"kind": "memory", "message": message}
            answer["left"] = _left()
            line.sendall(_framed(answer))
        status = 0
    finally:
        # Nothing of the parent's may run here: no buffers, no clean-up.
        os._exit(status)


def _die_with_parent() -> None:
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)


def _load(path: Path) -> ParsedDocument:
    from ingest.loaders.registry import loader_for

    try:
        return loader_for(path.suffix).load(path)
    except (DocumentUnreadable, MemoryError):
        raise
    except Exception as exc:  # a parser may raise anything on hostile input
        raise DocumentUnreadable(
            f"{path.name} made its parser fail ({type(exc).__name__}).", kind="damaged"
        ) from exc


def _left() -> dict[str, int]:
    """What is left of the budget that both processes draw on."""
    budget = _budget.get() or _Budget()
    return {"files_left": budget.files_left, "bytes_left": budget.bytes_left}


def _settle(left: dict[str, int]) -> None:
    """What the other process has drawn is gone here too."""
    budget = _budget.get()
    if budget is not None:
        budget.files_left = min(budget.files_left, left["files_left"])
        budget.bytes_left = min(budget.bytes_left, left["bytes_left"])


def _framed(message: dict[str, Any]) -> bytes:
    payload = json.dumps(message).encode()
    return len(payload).to_bytes(_LENGTH_BYTES, "big") + payload


def _received(line: socket.socket, deadline: float) -> dict[str, Any] | None:
    """The next message; None where the other end is gone, or silent until the deadline."""
    head = _bytes(line, _LENGTH_BYTES, deadline)
    payload = head and _bytes(line, int.from_bytes(head, "big"), deadline)
    found = json.loads(payload) if payload else None
    return found if isinstance(found, dict) else None


def _bytes(line: socket.socket, count: int, deadline: float) -> bytes:
    content = bytearray()
    while len(content) < count:
        left = deadline - time.monotonic()
        if left != float("inf") and not select.select([line], [], [], max(0.0, left))[0]:
            return b""
        block = line.recv(min(count - len(content), _BLOCK))
        if not block:
            return b""
        content += block
    return bytes(content)


def _document(values: dict[str, Any]) -> ParsedDocument:
    pages = tuple(
        Page(**{**page, "flags": tuple(Flag(*flag) for flag in page["flags"])})
        for page in values["pages"]
    )
    return ParsedDocument(**{**values, "pages": pages, "warnings": tuple(values["warnings"])})


def _headings(name: str, title: str, heading: str) -> Iterator[str]:
    """The member's name, its title where that says more, and the heading of a page in it."""
    yield name
    stem = readable_name(PurePosixPath(name).stem)
    first = heading.partition(PATH_JOIN)[0]
    if title and title not in (stem, name, PurePosixPath(name).name, first):
        yield title
    if heading:
        yield heading


def _is_hidden(path: PurePosixPath) -> bool:
    """What a scan of a folder would pass over, and what macOS adds to its archives."""
    return any(
        part == "__MACOSX" or (part.startswith((".", "~$")) and part not in (".", ".."))
        for part in path.parts
    )


def _shown_name(member: Member) -> str:
    """A member's path for people, without steps that lead out of its container."""
    parts = [p for p in PurePosixPath(member.name).parts if p not in ("/", "..", ".")]
    return one_line("/".join(parts)) or "file"


def _safe_name(path: PurePosixPath, suffix: str) -> str:
    """A name to write the member under, which leads nowhere else and keeps its ending."""
    bare = path.name.removesuffix(path.suffix) if suffix == path.suffix.lower() else path.name
    name = "".join(c if c.isprintable() and c not in '/\\:*?"<>|' else "_" for c in bare)
    name = sound(name).strip(". ")[:_LONGEST_NAME]
    return f"{name or 'file'}{suffix}"


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    """A folder of one's own; those that killed processes left behind go."""
    above = Path(tempfile.gettempdir())
    for left in above.glob(f"{_PREFIX}*"):
        _sweep(left)
    with (
        tempfile.TemporaryDirectory(prefix=_PREFIX, ignore_cleanup_errors=True) as name,
        # The kernel frees the lock of a process that is killed.
        FileLock(Path(name) / _LOCK) as lock,
    ):
        lock.acquire()
        inside = Path(name) / "files"
        inside.mkdir()
        yield inside


def _sweep(folder: Path) -> None:
    with contextlib.suppress(OSError):
        lock = FileLock(folder / _LOCK)
        if (folder / _LOCK).exists() and lock.acquire():
            shutil.rmtree(folder, ignore_errors=True)
        lock.release()

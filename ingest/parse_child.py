"""One parsing process, with limits of time, memory and output.

Crafted or damaged files make parsers hang, crash or take all memory. Here the
worst of them costs its own document: the process is killed and a new one started.
"""

from __future__ import annotations

import logging
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ingest.loaders.ocr import PAGE_TIMEOUT_S
from ingest.loaders.reading import shown
from ingest.parse_worker import LENGTH_BYTES, Message, decode, encode
from ingest.settings import IngestSettings
from storage.errors import DocumentUnreadable, HayloftError
from storage.records import Flag, Page, ParsedDocument

log = logging.getLogger(__name__)

# -P keeps the current folder, which may be one of documents, off the module path.
WORKER = (sys.executable, "-P", "-m", "ingest.parse_worker")

_ANSWER_BYTES_BESIDE_TEXT = 64_000_000
_BYTES_A_CHARACTER = 4
_START_TIMEOUT_S = 120.0
_STARTS = 4
_POLL_S = 60.0
_PACKAGES = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class Parsed:
    """The outcome for one file."""

    path: Path
    document: ParsedDocument | DocumentUnreadable | None
    """None for a content that was said to be known."""
    sha256: str
    """Of the content that was parsed; empty where the file could not be read through."""
    size: int
    """Bytes, as `stat` told before the file was read."""
    mtime_ns: int
    seconds: float
    """Hashing and parsing, in the child."""

    @property
    def characters(self) -> int:
        """Length of the text, 0 for a file that was set aside."""
        if not isinstance(self.document, ParsedDocument):
            return 0
        return sum(len(page.text) for page in self.document.pages)


class ChildStopped(Exception):
    """The pool is being closed."""


class _Lost(Exception):
    """The child gave no answer: it took too long, or it died."""

    def __init__(self, *, timed_out: bool, status: int | None) -> None:
        super().__init__()
        self.timed_out = timed_out
        self.status = status
        """As in `Popen.returncode`: the negative number of the signal it died by.

        None where it did not die by itself but was killed for its silence or nonsense.
        """


class ParseChild:
    """One parsing process, started when needed and again after each loss.

    Used by one thread; only `stop` may be called from others.
    """

    def __init__(
        self, settings: IngestSettings, command: tuple[str, ...], readings: Path | None = None
    ) -> None:
        self._settings = settings
        self._command = command
        self._readings = readings
        self._lock = threading.Lock()
        self._stopped = False
        self._process: subprocess.Popen[bytes] | None = None
        self._served = 0
        """Files that the present process has read."""

    def parse(self, path: Path, known: Sequence[str] = ()) -> Parsed:
        """The outcome of one file; raises HayloftError where no process can be started.

        A file whose SHA-256 is among the `known` is hashed and not parsed.
        """
        started = time.monotonic()
        while True:
            was_used = self._served > 0
            try:
                outcome = self._outcome(path, known)
            except _Lost as loss:
                self.end()
                log.info("parsing process lost (%s)", loss.status)
                if was_used and not loss.timed_out:
                    continue  # what earlier files left behind in it must not fall on this one
                seconds = time.monotonic() - started
                return Parsed(path, self._loss_error(path, loss), "", *_stat(path), seconds)
            if isinstance(outcome.document, DocumentUnreadable) and (
                outcome.document.kind == "memory"
            ):
                self.end()
                if was_used:
                    continue
            return outcome

    def stop(self) -> None:
        """Kills the process; `parse`, if at work in another thread, raises ChildStopped there."""
        with self._lock:
            self._stopped = True
            if self._process is not None:
                self._process.kill()

    def end(self) -> None:
        """Ends the process. The next `parse` starts another."""
        with self._lock:
            process, self._process, self._served = self._process, None, 0
        if process is None:
            return
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                stream.close()

    def _outcome(self, path: Path, known: Sequence[str]) -> Parsed:
        process = self._running()
        deadline = time.monotonic() + self._settings.parse_timeout_s
        answer = self._ask(process, {"path": str(path), "known": list(known)}, deadline)
        self._served += 1
        try:
            outcome = Parsed(
                path=path,
                document=self._document(path, answer),
                sha256=str(answer["sha256"]),
                size=int(answer["size"]),
                mtime_ns=int(answer["mtime_ns"]),
                seconds=float(answer["seconds"]),
            )
            resident = int(answer["resident_mb"])
        except (KeyError, TypeError, ValueError) as exc:
            raise self._loss(process, timed_out=False) from exc
        if resident > self._settings.parse_memory_mb // 2:
            self.end()  # it would keep that memory while it waits
        return outcome

    def _document(self, path: Path, answer: Message) -> ParsedDocument | DocumentUnreadable | None:
        error = answer.get("error")
        if error is None:
            return None if answer["document"] is None else _decoded(answer["document"])
        if error["kind"] == "memory":
            return self._too_hungry(path)
        return DocumentUnreadable(str(error["message"]), kind=str(error["kind"]))

    def _too_hungry(self, path: Path) -> DocumentUnreadable:
        return DocumentUnreadable(
            f"{shown(path)} needs more than the {self._settings.parse_memory_mb} MB of memory "
            "that parsing may take; split it, or raise HAYLOFT_PARSE_MEMORY_MB.",
            kind="memory",
        )

    def _loss_error(self, path: Path, loss: _Lost) -> DocumentUnreadable:
        if loss.timed_out:
            return DocumentUnreadable(
                f"{shown(path)} was not read within {self._settings.parse_timeout_s:g} seconds; "
                "split it, or raise HAYLOFT_PARSE_TIMEOUT_S.",
                kind="timeout",
            )
        if loss.status == -signal.SIGKILL:
            return DocumentUnreadable(
                f"{shown(path)} was being read when the system killed the parser, most likely "
                "because memory ran out; free memory, and a later run tries it again.",
                kind="memory",
            )
        if loss.status == -signal.SIGABRT:
            # What pdfium does where it gets no memory (seen with two kinds of bombs).
            return self._too_hungry(path)
        return DocumentUnreadable(
            f"{shown(path)} made its parser crash ({_status_name(loss.status)}), as damaged files "
            "do; put a good copy in its place.",
            kind="damaged",
        )

    def _running(self, starts: int = _STARTS) -> subprocess.Popen[bytes]:
        if self._process is not None:
            return self._process
        path = os.pathsep.join(filter(None, [str(_PACKAGES), os.environ.get("PYTHONPATH", "")]))
        with self._lock:
            if self._stopped:
                raise ChildStopped
            try:
                process = subprocess.Popen(
                    self._command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    bufsize=0,
                    env={**os.environ, "PYTHONPATH": path},
                    # The terminal's Ctrl-C is for the parent, which then ends the child.
                    start_new_session=True,
                )
            except OSError as exc:
                raise HayloftError(
                    f"No parsing process can be started ({exc.strerror}). "
                    "Free memory or processes on this machine and run again."
                ) from exc
            self._process, self._served = process, 0
        limits = {
            "memory_mb": self._settings.parse_memory_mb,
            "max_file_mb": self._settings.max_file_mb,
            "max_characters": self._settings.max_characters,
            "timeout_s": self._settings.parse_timeout_s,
            "ocr": {
                "mode": self._settings.ocr,
                "languages": self._settings.ocr_languages,
                "cache": str(self._readings or ""),
            },
        }
        try:
            self._ask(process, limits, time.monotonic() + _START_TIMEOUT_S)
        except _Lost as exc:
            said = process.stderr.read().decode(errors="replace").strip() if process.stderr else ""
            self.end()
            if exc.status == -signal.SIGKILL and starts > 1:
                return self._running(starts - 1)  # where memory is short, any process may be hit
            raise HayloftError(
                "The parsing process does not start "
                f"({said.splitlines()[-1] if said else 'it says nothing'}). "
                "Run `make install` again."
            ) from exc
        return process

    def _ask(self, process: subprocess.Popen[bytes], message: Message, deadline: float) -> Message:
        assert process.stdin is not None
        left = 0.0
        try:
            process.stdin.write(encode(message))
            while True:
                answer = self._message(process, deadline)
                if "recognising" not in answer:
                    return answer
                # Each page that goes to text recognition has a time limit of its own.
                now = time.monotonic()
                if answer["recognising"]:
                    left = max(0.0, deadline - now)
                    deadline = now + left + PAGE_TIMEOUT_S
                else:
                    deadline = now + left
        except (ValueError, OSError) as exc:
            raise self._loss(process, timed_out=False) from exc

    def _message(self, process: subprocess.Popen[bytes], deadline: float) -> Message:
        length = int.from_bytes(self._read(process, LENGTH_BYTES, deadline), "big")
        most = _BYTES_A_CHARACTER * self._settings.max_characters + _ANSWER_BYTES_BESIDE_TEXT
        if length > most:
            raise ValueError("too long an answer")
        return decode(self._read(process, length, deadline))

    def _read(self, process: subprocess.Popen[bytes], count: int, deadline: float) -> bytes:
        assert process.stdout is not None
        descriptor = process.stdout.fileno()
        ready = select.poll()
        ready.register(descriptor, select.POLLIN)
        content = bytearray()
        while len(content) < count:
            left = deadline - time.monotonic()
            if left <= 0:
                raise self._loss(process, timed_out=True)
            if not ready.poll(min(left, _POLL_S) * 1000):
                continue
            block = os.read(descriptor, min(count - len(content), 1 << 20))
            if not block:
                raise self._loss(process, timed_out=False)
            content += block
        return bytes(content)

    def _loss(self, process: subprocess.Popen[bytes], *, timed_out: bool) -> _Lost | ChildStopped:
        """What to raise: the process is dead, or is now."""
        with self._lock:
            if self._stopped:
                return ChildStopped()
        status = None
        if not timed_out:
            with suppress(subprocess.TimeoutExpired):
                status = process.wait(timeout=1.0)
        process.kill()
        process.wait()
        return _Lost(timed_out=timed_out, status=status)


def _stat(path: Path) -> tuple[int, int]:
    """(size, mtime in ns), for a file whose parser died."""
    try:
        status = path.stat()
    except OSError:
        return 0, 0
    return status.st_size, status.st_mtime_ns


def _status_name(status: int | None) -> str:
    if status is None:
        return "nonsense instead of an answer"
    if status >= 0:
        return f"exit status {status}"
    with suppress(ValueError):
        return signal.Signals(-status).name
    return f"signal {-status}"


def _decoded(values: dict[str, Any]) -> ParsedDocument:
    """A document out of JSON values; raises KeyError, TypeError or ValueError."""
    return ParsedDocument(
        title=str(values["title"]),
        pages=tuple(
            Page(
                number=int(number),
                text=str(text),
                label=str(label),
                heading=str(heading),
                origin=str(origin),
                confidence=None if confidence is None else float(confidence),
                flags=tuple(Flag(str(kind), int(start), int(end)) for kind, start, end in flags),
            )
            for number, text, label, heading, origin, confidence, flags in values["pages"]
        ),
        paged=bool(values["paged"]),
        parser=str(values["parser"]),
        metadata={str(key): str(value) for key, value in values["metadata"].items()},
        warnings=tuple(str(warning) for warning in values["warnings"]),
    )

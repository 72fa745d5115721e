"""The parsing process: reads files named on standard input, answers on standard output.

Started by `ingest.parsing`. It imports loaders only, so that it starts in a
fraction of a second, and it may be killed at any time. Messages are JSON (never
pickle: what a parser was tricked into must not be able to run in the parent),
each led by its length in eight bytes.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import json
import logging
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, BinaryIO

from ingest.loaders import members, ocr
from ingest.loaders.hidden_text import guarded
from ingest.loaders.reading import allow_characters, damaged, empty, opening, shown
from ingest.loaders.registry import loader_for
from storage.errors import DocumentUnreadable
from storage.records import ParsedDocument

Message = dict[str, Any]

LENGTH_BYTES = 8

_HASH_BYTES = 1 << 20
_ATTEMPTS = 2
_PR_SET_PDEATHSIG = 1


def serve(load: Callable[[Path], ParsedDocument]) -> None:
    """Answers requests until standard input ends, which it does when the parent has gone.

    The first message holds the limits: `memory_mb`, `max_file_mb`, `max_characters`,
    and `ocr`, the fields of OcrSettings. While a file is read, `{"recognising": true}`
    and `{"recognising": false}` enclose each page that goes to text recognition.
    """
    answers = _own_output()
    _die_with_parent()
    requests = sys.stdin.buffer
    limits = _receive(requests)
    if limits is None:
        return
    _limit_memory(int(limits["memory_mb"]))
    allow_characters(int(limits["max_characters"]))
    members.isolate(
        float(limits["timeout_s"]),
        # The parent then counts the time of one page, not that of the file.
        tell=lambda begins: _send(answers, {"recognising": begins}),
    )
    ocr.use(
        ocr.OcrSettings(**limits.get("ocr", {"mode": "off"})),
        tell=members.recognising,
    )
    _send(answers, {"ready": True})
    _silence()
    while (request := _receive(requests)) is not None:
        _send(answers, _answer(Path(request["path"]), load, limits, request.get("known", ())))


def load_by_suffix(path: Path) -> ParsedDocument:
    """Reads a file with the loader of its ending."""
    return guarded(loader_for(path.suffix).load(path))


def encode_document(document: ParsedDocument) -> Message:
    """A document as JSON values."""
    return {
        "title": document.title,
        "pages": [
            [p.number, p.text, p.label, p.heading, p.origin, p.confidence, p.flags]
            for p in document.pages
        ],
        "paged": document.paged,
        "parser": document.parser,
        "metadata": document.metadata,
        "warnings": list(document.warnings),
    }


def _answer(
    path: Path,
    load: Callable[[Path], ParsedDocument],
    limits: Message,
    known: Collection[str] = (),
) -> Message:
    """The outcome for one file, with its hash and its `stat` from before it was read.

    A file whose hash is among the `known` is not parsed: the answer has no document.
    """
    started = time.monotonic()
    answer: Message = {"sha256": "", "size": 0, "mtime_ns": 0}
    try:
        for _ in range(_ATTEMPTS):
            before = _state(path)
            answer.update(size=before[0], mtime_ns=before[1])
            _check_size(path, before[0], limits)
            answer["sha256"] = _sha256(path)
            document = None if answer["sha256"] in known else _loaded(path, load)
            if _state(path) == before:
                break
        else:
            raise DocumentUnreadable(
                f"{shown(path)} was being written while it was read; the next run reads it again.",
                kind="vanished",
            )
        if document is not None:
            _check_length(path, document, limits)
        answer["document"] = None if document is None else encode_document(document)
    except DocumentUnreadable as exc:
        answer["error"] = {"kind": exc.kind, "message": str(exc)}
    except MemoryError:
        # Freed by now: the frames that held it are gone with the exception.
        answer["error"] = {"kind": "memory", "message": ""}
    answer["seconds"] = time.monotonic() - started
    answer["resident_mb"] = _resident_mb()
    return answer


def _loaded(path: Path, load: Callable[[Path], ParsedDocument]) -> ParsedDocument:
    try:
        return load(path)
    except (DocumentUnreadable, MemoryError):
        raise
    except Exception as exc:  # a parser may raise anything on hostile input
        raise damaged(path, f"made its parser fail ({type(exc).__name__})") from exc


def _state(path: Path) -> tuple[int, int, int]:
    """(size, mtime in ns, inode): another one after reading means that the file changed."""
    with opening(path):
        status = path.stat()
    return status.st_size, status.st_mtime_ns, status.st_ino


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with opening(path), path.open("rb") as stream:
        while block := stream.read(_HASH_BYTES):
            digest.update(block)
    return digest.hexdigest()


def _check_size(path: Path, size: int, limits: Message) -> None:
    if size == 0:
        raise empty(path)
    if size > int(limits["max_file_mb"]) * 1_000_000:
        raise DocumentUnreadable(
            f"{shown(path)} has {size / 1e6:,.0f} MB, more than the {limits['max_file_mb']} MB "
            "that are read; split it, or raise HAYLOFT_MAX_FILE_MB.",
            kind="too-large",
        )


def _check_length(path: Path, document: ParsedDocument, limits: Message) -> None:
    characters = sum(len(page.text) for page in document.pages)
    if characters > int(limits["max_characters"]):
        raise DocumentUnreadable(
            f"{shown(path)} holds {characters:,} characters of text, more than the "
            f"{limits['max_characters']:,} of one document (HAYLOFT_MAX_CHARACTERS); split it.",
            kind="too-large",
        )


def _own_output() -> BinaryIO:
    """Standard output for answers alone: what a library prints goes to standard error."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return answers


def _silence() -> None:
    """Drops what libraries print or log: it would only disturb a progress bar."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    logging.disable(logging.CRITICAL)


def _resident_mb() -> int:
    """Memory this process holds now; 0 where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * resource.getpagesize() >> 20


def _limit_memory(megabytes: int) -> None:
    """Sets the most memory this process may take; a larger demand raises MemoryError.

    RLIMIT_DATA counts heap and private writable memory. RLIMIT_AS would count
    libraries, mapped files and address space that is only reserved as well.
    Where the system knows no such limit (macOS leaves it unenforced), the
    limits of time and of file size remain.
    """
    with contextlib.suppress(ValueError, OSError):
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        wanted = megabytes << 20
        if hard != resource.RLIM_INFINITY:
            wanted = min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_DATA, (wanted, hard))
    with contextlib.suppress(ValueError, OSError):
        # A crash is reported by the parent; a core file helps nobody here.
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _die_with_parent() -> None:
    """On Linux the kernel ends this process with its parent, even in the middle of a parse.

    Elsewhere, and where the parent had gone before, the end of standard input does.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def encode(message: Message) -> bytes:
    """A message as it goes through the pipe: eight bytes of length, then JSON.

    A path may hold bytes that are no UTF-8, as lone surrogates.
    """
    payload = json.dumps(message, ensure_ascii=False).encode("utf-8", "surrogatepass")
    return len(payload).to_bytes(LENGTH_BYTES, "big") + payload


def decode(payload: bytes) -> Message:
    """The message out of the bytes after its length; raises ValueError."""
    message = json.loads(payload.decode("utf-8", "surrogatepass"))
    if not isinstance(message, dict):
        raise ValueError("a message is a JSON object")
    return message


def _receive(stream: BinaryIO) -> Message | None:
    head = stream.read(LENGTH_BYTES)
    if len(head) < LENGTH_BYTES:
        return None
    return decode(stream.read(int.from_bytes(head, "big")))


def _send(stream: BinaryIO, message: Message) -> None:
    stream.write(encode(message))
    stream.flush()


if __name__ == "__main__":
    serve(load_by_suffix)

"""Opening a file, and the sentences for what can go wrong with it."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from storage.errors import DocumentUnreadable

_HEAD_BYTES = 1024


def shown(path: Path) -> str:
    """The file's name for a sentence: on one line, and cut in the middle when long."""
    name = path.name.encode("utf-8", "backslashreplace").decode("utf-8")
    name = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in name)
    return name if len(name) <= 80 else f"{name[:50]}…{name[-25:]}"


def read_bytes(path: Path) -> bytes:
    """The whole content of a file that is not empty.

    Raises DocumentUnreadable: `vanished`, `permission`, `empty` or `damaged`.
    """
    with opening(path):
        content = path.read_bytes()
    if not content.strip():
        raise empty(path)
    return content


def read_head(path: Path) -> bytes:
    """The first 1,024 bytes; raises as `read_bytes` does."""
    with opening(path), path.open("rb") as stream:
        head = stream.read(_HEAD_BYTES)
    if not head.strip():
        raise empty(path)
    return head


@contextmanager
def opening(path: Path) -> Iterator[None]:
    """Turns what the system says about a file into DocumentUnreadable."""
    try:
        yield
    except FileNotFoundError as exc:
        raise DocumentUnreadable(
            f"{shown(path)} went away before it could be read; "
            "if it was moved, the next run finds it in its new place.",
            kind="vanished",
        ) from exc
    except PermissionError as exc:
        raise DocumentUnreadable(
            f"{shown(path)} may not be read by this user; "
            "give the user who runs the ingestion the right to read it.",
            kind="permission",
        ) from exc
    except OSError as exc:
        if exc.errno == errno.ENOMEM:
            raise MemoryError from exc
        raise DocumentUnreadable(
            f"{shown(path)} could not be read from its disk ({exc.strerror or exc}); "
            "check the disk or the network share it lies on.",
            kind="damaged",
        ) from exc


def empty(path: Path) -> DocumentUnreadable:
    """The error for a file that has no content."""
    return DocumentUnreadable(
        f"{shown(path)} is empty; fill it, or remove it from the folder.", kind="empty"
    )


def without_text(path: Path) -> DocumentUnreadable:
    """The error for a file that has content, but nothing to read in it."""
    return DocumentUnreadable(
        f"{shown(path)} holds no text that could be searched; "
        "if its content is pictures, add a version with text.",
        kind="no-text",
    )


def damaged(path: Path, what: str) -> DocumentUnreadable:
    """The error for a file that is not what its name says, or is broken."""
    return DocumentUnreadable(
        f"{shown(path)} {what}; put a good copy in its place.", kind="damaged"
    )


_most_characters = [64_000_000]


def allow_characters(most: int) -> None:
    """From now on documents may hold so much text."""
    _most_characters[0] = most


def most_characters() -> int:
    """How much text one document may hold."""
    return _most_characters[0]


class Room:
    """How much text a document may still hold; asked while it is gathered, so that a bomb's
    text is not gathered to its end."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._most = self._left = most_characters()

    def take(self, characters: int) -> None:
        """Takes some; raises DocumentUnreadable (`too-large`) where there is none left."""
        self._left -= characters
        if self._left < 0:
            raise DocumentUnreadable(
                f"{shown(self._path)} holds more than the {self._most:,} characters of text that "
                "one document may (HAYLOFT_MAX_CHARACTERS); split it.",
                kind="too-large",
            )

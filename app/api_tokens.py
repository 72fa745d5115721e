"""The tokens that programs ask the HTTP API with (`<data_dir>/api-tokens.jsonl`).

A token is shown once, when it is made; kept is only its SHA-256. That is
enough for a secret of 256 random bits, which no list of passwords holds: slow
hashes are for secrets that people think up. The file is only ever appended
to, so it tells when each token was made and revoked, too.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import threading
import time
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.people import Role
from storage.errors import StorageError, UsageError
from storage.json_lines import JsonLines

FILE = "api-tokens.jsonl"
PREFIX = "hay_"
"""What a token begins with, so that one that strayed into a repository is recognised."""
LONGEST_NAME = 64

_BYTES = 32


@dataclass(frozen=True, slots=True)
class Token:
    """A token that may be asked with."""

    name: str
    digest: str
    """SHA-256, in hexadecimal digits."""
    made_at: float
    """Seconds since the epoch."""
    owner: str = ""
    """The account on whose behalf it asks; empty: nobody's, so that it sees what all see."""
    role: Role = Role.READER
    """What it may do; no more than its owner may."""


class ApiTokens:
    """The tokens of one data directory.

    Safe to share between threads and processes: a token that another process
    made or revoked counts from the next request on. Raises StorageError where
    the file cannot be read or written.
    """

    def __init__(self, data_dir: Path, *, clock: Callable[[], float] = time.time) -> None:
        self._file = JsonLines(data_dir / FILE)
        self._clock = clock
        self._lock = threading.Lock()
        self._read_as: tuple[int, ...] | None = None
        self._kept: tuple[Token, ...] = ()

    def make(self, name: str, *, owner: str = "", role: Role = Role.READER) -> str:
        """Make a token and return it; it is not kept and cannot be shown again.

        Raises UsageError for a name that is taken or cannot be one.
        """
        name = _sound(name)
        token = PREFIX + secrets.token_urlsafe(_BYTES)
        with self._file.writing() as append:
            if any(other.name == name for other in _standing(self._file.read())):
                raise UsageError(
                    f"There is a token named {name} already. Revoke that one first, or give the "
                    "new one another name."
                )
            whose = {"owner": owner, "role": role.word} if owner or role != Role.READER else {}
            made = {"event": "made", "name": name, "sha256": _digest(token), "at": self._clock()}
            append(made | whose)
        return token

    def revoke(self, named: str) -> str:
        """Refuse a token from now on, by its name or by itself; returns its name.

        Raises UsageError where there is none.
        """
        named = named.strip()
        if not named:
            raise UsageError("Say which token: its name, or the token itself.")
        digest = _digest(named)
        with self._file.writing() as append:
            standing = _standing(self._file.read())
            # A token that strayed somewhere is known by itself: nobody need find out its name.
            found = [token.name for token in standing if named == token.name] or [
                token.name for token in standing if token.digest == digest
            ]
            if not found:
                raise UsageError(_unknown(named, [token.name for token in standing]))
            append({"event": "revoked", "name": found[0], "at": self._clock()})
        return found[0]

    def all(self) -> tuple[Token, ...]:
        """The tokens that count, the oldest first."""
        # Read before the content: a change in between is then read again the next time.
        state = self._state()
        with self._lock:
            if state is None or state != self._read_as:
                self._kept = _standing(self._file.read()) if state else ()
                self._read_as = state
            return self._kept

    def presented(self, presented: str) -> Token | None:
        """The token that was presented; None for one that does not count.

        Takes the same time whichever token it is or nearly is.
        """
        digest = _digest(presented)
        found = None
        for token in self.all():
            if hmac.compare_digest(token.digest, digest):
                found = token
        return found

    def _state(self) -> tuple[int, ...] | None:
        """What changes when the file does; None where there is none."""
        try:
            found = os.stat(self._file.path)  # noqa: PTH116 - half the time of Path.stat
        except FileNotFoundError:
            return None
        except OSError as exc:
            raise StorageError(f"{self._file.path} cannot be read: {exc.strerror or exc}.") from exc
        return found.st_ino, found.st_size, found.st_mtime_ns


def _standing(records: list[dict[str, Any]]) -> tuple[Token, ...]:
    """The tokens that were made and not revoked; a line of another form is passed over."""
    tokens: dict[str, Token] = {}
    for record in records:
        name = record.get("name")
        if not isinstance(name, str):
            continue
        if record.get("event") == "revoked":
            tokens.pop(name, None)
        elif record.get("event") == "made" and isinstance(record.get("sha256"), str):
            owner, role = record.get("owner", ""), _role(record)
            # A line that cannot be read whole gives no rights.
            if isinstance(owner, str) and role is not None:
                tokens[name] = Token(name, record["sha256"], _moment(record), owner, role)
    return tuple(tokens.values())


def _unknown(named: str, names: list[str]) -> str:
    """That no token goes by a name; a token itself is not repeated, since it may be a live one."""
    itself = named.startswith(PREFIX)
    said = "That is none of the tokens" if itself else f"No token is named {named}"
    there = f"There are: {', '.join(names)}." if names else "There are none."
    return f"{said}. {there}"


def _moment(record: Mapping[str, Any]) -> float:
    at = record.get("at")
    return float(at) if isinstance(at, int | float) else 0.0


def _role(record: Mapping[str, Any]) -> Role | None:
    try:
        return Role.named(str(record.get("role", Role.READER.word)))
    except KeyError:
        return None


def _sound(name: str) -> str:
    name = name.strip()
    if not name or len(name) > LONGEST_NAME:
        raise UsageError(f"The name of a token has 1 to {LONGEST_NAME} characters.")
    # It stands in lists and in the log, a line each.
    if any(unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp") for char in name):
        raise UsageError("The name of a token has no control characters and no line ends.")
    return name


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()

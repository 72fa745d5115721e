"""The tree of Hayloft's errors.

    HayloftError                 a foreseen fault: one sentence for the user
    ├── UsageError               the request itself cannot be carried out         (exit 2)
    │   ├── SettingsError        a setting has a value that cannot work
    │   └── IndexMismatch        the index was built with other settings
    ├── ServiceUnavailable       a server that is needed does not answer          (exit 69)
    │   └── ChatModelError       ... and that server is the chat model            (app/chat.py)
    ├── LockHeld                 another ingestion run is at work                 (exit 75)
    ├── DeleteBrake              the run would delete too much of the library     (exit 77)
    ├── StorageError             disk full, database damaged or locked            (exit 74)
    └── DocumentUnreadable       one document cannot be read; never ends a run

The message of each says what happened, to what, and what to do about it. A
command prints it without a traceback; anything else that is raised is a bug
and shows its traceback.
"""

from __future__ import annotations


class HayloftError(Exception):
    """A foreseen fault, described in one sentence that says what to do.

    `exit_code` is the status the command line ends with.
    """

    exit_code: int = 1


class UsageError(HayloftError):
    """What was asked for cannot be done as asked."""

    exit_code = 2


class SettingsError(UsageError):
    """A setting (an environment variable or a line in `.env`) cannot work."""


class IndexMismatch(UsageError):
    """The index on disk was built with another embedding model or chunking."""


class ServiceUnavailable(HayloftError):
    """A server that the command needs does not answer."""

    exit_code = 69


class StorageError(HayloftError):
    """The data directory cannot be read or written: full, damaged, locked."""

    exit_code = 74


class LockHeld(HayloftError):
    """Another run holds the ingestion lock of this data directory."""

    exit_code = 75


class DeleteBrake(HayloftError):
    """The run would remove a larger share of the library than is allowed."""

    exit_code = 77


class DocumentUnreadable(HayloftError):
    """One document cannot be read; it is set aside and the run goes on.

    `kind` is a short stable word for machines (`encrypted`, `empty`,
    `damaged`, `no-text`, `permission`, `vanished`, `timeout`, `memory`,
    `unsupported`, `too-large`; a scan adds `loop` and `name`); the message is
    the sentence for people.
    """

    def __init__(self, message: str, *, kind: str = "damaged") -> None:
        super().__init__(message)
        self.kind = kind

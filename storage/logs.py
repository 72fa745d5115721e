"""Log lines for people or for machines, on standard error and in files that never grow large."""

from __future__ import annotations

import json
import logging
import logging.handlers
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from storage.settings import LogSettings

MOST_BYTES = 5_000_000
"""Of one log file; then it becomes `NAME.1`, and a new one begins."""
KEPT = 5

_NOISY = ("httpx", "httpcore", "sentence_transformers", "chromadb", "watchfiles")


class TextFormatter(logging.Formatter):
    """One line: time, level, logger, message, then `name=value` for each field."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """See logging.Formatter."""
        fields = "".join(
            f" {name}={json.dumps(value, ensure_ascii=False)}"
            for name, value in _fields(record).items()
        )
        head, newline, rest = super().format(record).partition("\n")
        return head + fields + newline + rest


class JsonFormatter(logging.Formatter):
    """One JSON object a line, the fields among its keys."""

    def format(self, record: logging.LogRecord) -> str:
        """See logging.Formatter."""
        told: dict[str, Any] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
            + f".{int(record.msecs):03}Z",
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **_fields(record),
        }
        if record.exc_info:
            told["exception"] = self.formatException(record.exc_info)
        return json.dumps(told, ensure_ascii=False)


class LogFile(logging.handlers.RotatingFileHandler):
    """A log file of at most MOST_BYTES with KEPT earlier ones.

    A disk that is full or read-only costs lines of the log, and nothing else.
    """

    def __init__(self, path: Path, log_format: str) -> None:
        super().__init__(path, maxBytes=MOST_BYTES, backupCount=KEPT, encoding="utf-8", delay=True)
        self.setFormatter(formatter(log_format))

    def handleError(self, record: logging.LogRecord) -> None:
        """See logging.Handler, which would print a traceback for each line."""


def formatter(log_format: str) -> logging.Formatter:
    """The formatter that HAYLOFT_LOG_FORMAT names: `text` or `json`."""
    return JsonFormatter() if log_format == "json" else TextFormatter()


def start_logging(settings: LogSettings) -> None:
    """Send log lines of the level that is set, and above, to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter(settings.log_format))
    logging.basicConfig(level=settings.log_level, handlers=[handler])
    if settings.log_level == "INFO":
        for noisy in _NOISY:
            logging.getLogger(noisy).setLevel(logging.WARNING)


def with_fields(**fields: object) -> dict[str, Mapping[str, object]]:
    """The `extra` of a log call that gives its line these fields."""
    return {"fields": fields}


def make_room(path: Path, *, copying: bool = False) -> None:
    """Begin a log file anew where it has grown large; the earlier ones move one number up.

    With `copying` the file itself stays, for a program that goes on writing to it.
    """
    if not path.exists() or path.stat().st_size < MOST_BYTES:
        return
    numbered = [path.with_name(f"{path.name}.{number}") for number in range(1, KEPT + 1)]
    for older, newer in zip(numbered[:0:-1], numbered[-2::-1], strict=True):
        if newer.exists():
            newer.replace(older)
    if copying:
        numbered[0].write_bytes(path.read_bytes())
        with path.open("r+b") as stream:
            stream.truncate(0)
    else:
        path.replace(numbered[0])


def _fields(record: logging.LogRecord) -> Mapping[str, object]:
    fields: Mapping[str, object] = getattr(record, "fields", {})
    return fields

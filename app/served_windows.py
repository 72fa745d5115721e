"""The windows that servers turned out to serve, where that is less than they were asked for.

Ollama cuts `num_ctx` down without saying so, and other servers say what they
serve only when they refuse a prompt. What was learned is kept in the data
directory, so that the next question, from whatever process, is packed for it.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from app.speeds import write_json

log = logging.getLogger(__name__)

FILE = "served_windows.json"


@dataclass(frozen=True, slots=True)
class Served:
    """What one server serves of one model."""

    window: int
    """Tokens."""
    digest: str = ""
    """Of the model that this was learned of; empty where the server tells none."""
    at: float = 0.0
    """Seconds since the epoch."""


class ServedWindows:
    """The file of windows, by server and model; without a data directory they are only remembered.

    Safe to share between threads and processes: the last writer wins. A file
    that cannot be written costs only knowledge.
    """

    def __init__(
        self, data_dir: Path | None = None, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._path = None if data_dir is None else data_dir / FILE
        self._remembered: dict[str, Any] = {}
        self._clock = clock

    def of(self, server: str, model: str, *, within_s: float | None = None) -> Served | None:
        """What is known of a model; None where nothing is, or it was learned longer ago."""
        kept = self._read().get(_key(server, model), {})
        try:
            found = Served(int(kept["window"]), str(kept["digest"]), float(kept["at"]))
        except (KeyError, TypeError, ValueError):
            return None
        if found.window < 1 or (within_s is not None and self._clock() - found.at > within_s):
            return None
        return found

    def keep(self, server: str, model: str, window: int, *, digest: str = "") -> None:
        """Remember what a model is served with."""
        told = asdict(Served(window, digest, round(self._clock(), 3)))
        self._write({**self._read(), _key(server, model): told})
        log.info("%s is served with a window of %d tokens", model, window)

    def forget(self, server: str, model: str) -> None:
        """The server serves what it is asked for, as far as is known."""
        everything = self._read()
        if everything.pop(_key(server, model), None) is not None:
            self._write(everything)

    def _read(self) -> dict[str, Any]:
        if self._path is None:
            return dict(self._remembered)
        try:
            kept = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return kept if isinstance(kept, dict) else {}

    def _write(self, everything: dict[str, Any]) -> None:
        if self._path is None:
            self._remembered = everything
            return
        try:
            write_json(self._path, everything)
        except OSError as exc:
            log.warning("what the server serves could not be kept: %s", exc)


def _key(server: str, model: str) -> str:
    return f"{server} {model}"

"""Parsing in child processes that work ahead of what embeds their text."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType

from ingest.parse_child import WORKER, ChildStopped, ParseChild, Parsed
from ingest.settings import IngestSettings

__all__ = ["Parsed", "ParserPool"]

_AHEAD_DOCUMENTS = 8
_AHEAD_CHARACTERS = 16_000_000
"""Parsing pauses while this much text, or this many documents, wait to be taken."""


class ParserPool:
    """Parsing processes, ended with the `with` block.

    `command` starts a worker that speaks as `ingest.parse_worker` does. What text
    recognition reads is kept in the folder `readings`, if there is one.
    """

    def __init__(
        self,
        settings: IngestSettings,
        *,
        command: Sequence[str] = WORKER,
        readings: Path | None = None,
    ) -> None:
        self._settings = settings
        self._command = tuple(command)
        self._readings = readings
        self._runs: list[_Ahead] = []

    def __enter__(self) -> ParserPool:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def parse_all(
        self, paths: Iterable[Path], known: Sequence[Sequence[str]] = ()
    ) -> Iterator[Parsed]:
        """The outcome of each file, in the order given.

        `known` names for each file the contents (by SHA-256) that need no parsing; their
        outcome has no document.

        Parsing begins at once and goes on in the background, a few documents
        ahead of what is taken. A file that cannot be read gives its
        DocumentUnreadable as an outcome; HayloftError is raised only where no
        parsing process can be started at all.
        """
        run = _Ahead(tuple(paths), known, self._settings, self._command, self._readings)
        self._runs.append(run)
        return run

    def close(self) -> None:
        """Ends the parsing processes, also in the middle of a file."""
        for run in self._runs:
            run.close()
        self._runs.clear()


class _Ahead(Iterator[Parsed]):
    """Threads that each drive one child, and the outcomes that wait to be taken."""

    def __init__(
        self,
        paths: tuple[Path, ...],
        known: Sequence[Sequence[str]],
        settings: IngestSettings,
        command: tuple[str, ...],
        readings: Path | None,
    ) -> None:
        self._paths = paths
        self._known = known or ((),) * len(paths)
        self._changed = threading.Condition()
        self._outcomes: dict[int, Parsed | BaseException] = {}
        self._started = 0
        self._taken = 0
        self._held = 0
        self._closed = False
        self._children = [
            ParseChild(settings, command, readings)
            for _ in range(min(settings.parse_workers, len(paths)))
        ]
        self._threads = [
            threading.Thread(target=self._work, args=(child,), name="hayloft-parser", daemon=True)
            for child in self._children
        ]
        for thread in self._threads:
            thread.start()

    def __next__(self) -> Parsed:
        with self._changed:
            if self._taken == len(self._paths):
                self._finish()
                raise StopIteration
            while self._taken not in self._outcomes:
                if self._closed:
                    raise StopIteration
                self._changed.wait()
            outcome = self._outcomes.pop(self._taken)
            if isinstance(outcome, BaseException):
                self._finish()
                raise outcome
            self._taken += 1
            self._held -= outcome.characters
            self._changed.notify_all()
            return outcome

    def close(self) -> None:
        with self._changed:
            self._finish()
        for child in self._children:
            child.stop()
        for thread in self._threads:
            thread.join(timeout=10.0)

    def _finish(self) -> None:
        self._closed = True
        self._changed.notify_all()

    def _work(self, child: ParseChild) -> None:
        try:
            while (index := self._claim()) is not None:
                try:
                    self._put(index, child.parse(self._paths[index], self._known[index]))
                except ChildStopped:
                    return
                except BaseException as exc:  # noqa: BLE001 - raised again where it is taken
                    self._put(index, exc)
                    return
        finally:
            child.end()

    def _claim(self) -> int | None:
        """The next file to parse, as soon as there is room for its text.

        The file that is taken next always has room: a wait for room that only
        its own outcome could make would never end.
        """
        with self._changed:
            while not self._closed and self._started < len(self._paths):
                ahead = self._started - self._taken
                if ahead == 0 or (ahead < _AHEAD_DOCUMENTS and self._held < _AHEAD_CHARACTERS):
                    self._started += 1
                    return self._started - 1
                self._changed.wait()
            return None

    def _put(self, index: int, outcome: Parsed | BaseException) -> None:
        with self._changed:
            self._outcomes[index] = outcome
            if isinstance(outcome, Parsed):
                self._held += outcome.characters
            self._changed.notify_all()

"""A logger whose lines are kept in a file while a `with` block lasts."""

from __future__ import annotations

import logging
from pathlib import Path

from storage.logs import LogFile


class KeptLog:
    """Keeps a logger's lines in a file whatever HAYLOFT_LOG_LEVEL says.

    From INFO on they go to standard error too. `others` also receives the
    file: then what it logs at its own level is kept as well.
    """

    def __init__(self, log: logging.Logger, others: logging.Logger | None = None) -> None:
        self._log = log
        self._others = others
        self._file: LogFile | None = None
        self._before = (log.level, log.propagate)

    def begin(self, path: Path, log_format: str) -> None:
        """Keep lines in that file from now on. Raises OSError where its folder cannot be made."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._before = (self._log.level, self._log.propagate)
        self._file = LogFile(path, log_format)
        wanted = logging.getLogger().level <= logging.INFO
        self._log.setLevel(logging.INFO)
        # Not through the root logger where its other handlers did not ask for these.
        self._log.propagate = wanted
        if self._others is not None:
            self._others.addHandler(self._file)
        if self._others is None or not wanted:
            self._log.addHandler(self._file)

    def end(self) -> None:
        """Keep no more lines; harmless where nothing was begun."""
        self._log.setLevel(self._before[0])
        self._log.propagate = self._before[1]
        if self._file is not None:
            self._log.removeHandler(self._file)
            if self._others is not None:
                self._others.removeHandler(self._file)
            self._file.close()
            self._file = None

"""The log of the runs: one structured line a file, in `logs/ingest.log` of the data directory."""

from __future__ import annotations

import logging
from pathlib import Path
from types import TracebackType

from ingest.report import DocumentDone, Report, RunEvent, RunStarted
from storage.logs import LogFile, with_fields

FILE = Path("logs") / "ingest.log"

log = logging.getLogger("ingest.run")


class RunLog:
    """Writes what a run does; a `with` block, and called with each event.

    The lines go to the file whatever HAYLOFT_LOG_LEVEL says, and to standard
    error from INFO on. Warnings of other parts go to the file too.
    """

    def __init__(self, data_dir: Path, log_format: str) -> None:
        self._path = data_dir / FILE
        self._format = log_format
        self._file: LogFile | None = None
        self._before = (log.level, log.propagate)

    def __enter__(self) -> RunLog:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
        except OSError:
            # What stands in the way of the log stands in the way of the run, which says so.
            return self
        self._file = LogFile(self._path, self._format)
        root = logging.getLogger()
        wanted = root.level <= logging.INFO
        self._before = (log.level, log.propagate)
        log.setLevel(logging.INFO)
        root.addHandler(self._file)
        if not wanted:
            # Not through the root logger, whose other handlers did not ask for these.
            log.propagate = False
            log.addHandler(self._file)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        log.setLevel(self._before[0])
        log.propagate = self._before[1]
        if self._file is not None:
            log.removeHandler(self._file)
            logging.getLogger().removeHandler(self._file)
            self._file.close()

    def __call__(self, event: RunEvent) -> None:
        """Log one event."""
        if isinstance(event, RunStarted):
            log.info(
                "start",
                extra=with_fields(
                    files=event.files, to_read=event.to_read, to_delete=event.to_delete
                ),
            )
        elif isinstance(event, DocumentDone):
            level = logging.WARNING if event.action == "failed" else logging.INFO
            told = {
                name: value
                for name, value in {
                    "document": event.document,
                    "was": event.was,
                    "pages": event.pages,
                    "characters": event.characters,
                    "chunks": event.chunks,
                    "embedded": event.embedded,
                    "seconds": round(event.seconds, 3),
                    "kind": event.kind,
                    "reason": event.reason,
                    "warnings": list(event.warnings),
                }.items()
                if value
            }
            log.log(level, event.action, extra=with_fields(**told))

    def end(self, report: Report) -> None:
        """Log how the run ended."""
        level = logging.INFO if report.outcome == "complete" else logging.WARNING
        told: dict[str, object] = {"run": report.run_id, **report.counts()}
        told["seconds"] = round(report.seconds, 3)
        if report.failures:
            told["reasons"] = report.reasons()
        if report.message:
            told["reason"] = report.message
        log.log(level, report.outcome, extra=with_fields(**told))

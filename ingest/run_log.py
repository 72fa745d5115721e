"""The log of the runs: one structured line a file, in `logs/ingest.log` of the data directory."""

from __future__ import annotations

import logging
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from ingest.report import DocumentDone, Report, RunEvent, RunStarted
from storage.kept_log import KeptLog
from storage.logs import with_fields

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
        self._kept = KeptLog(log, others=logging.getLogger())

    def __enter__(self) -> RunLog:
        # What stands in the way of the log stands in the way of the run, which says so.
        with suppress(OSError):
            self._kept.begin(self._path, self._format)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._kept.end()

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
                    "document": event.document if not event.private else "",
                    "was": event.was if not event.private else "",
                    "pages": event.pages,
                    "characters": event.characters,
                    "chunks": event.chunks,
                    "embedded": event.embedded,
                    "seconds": round(event.seconds, 3),
                    "kind": event.kind,
                    "reason": event.reason if not event.private else "",
                    "warnings": list(event.warnings) if not event.private else [],
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

"""A run's line in the history: open from its first moment, and fresh while it works."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

from ingest.report import DocumentDone, Report, RunEvent, RunStarted
from storage.errors import DeleteBrake, HayloftError
from storage.library import Library
from storage.metrics import metrics_text, write_metrics
from storage.run_history import RunHistory

log = logging.getLogger(__name__)

FRESH_S = 2.0
"""Between two updates of the line: a commit of one row, which takes some milliseconds."""


class RunLine:
    """Keeps the line of one run, whose counts are those of its report."""

    def __init__(self, library: Library, report: Report) -> None:
        self._library = library
        self._report = report
        self._history = RunHistory(library.catalog.database)
        self._to_do = 0
        self._done = 0
        self._fresh = time.monotonic()

    @contextmanager
    def kept(self, mode: str) -> Iterator[None]:
        """The line around the run; the caller holds the run lock."""
        self._report.run_id = self._history.begin(mode)
        outcome, message = "error", "The run ended with a fault of the program; see its log."
        try:
            yield
            outcome, message = self._report.reached(), self._report.note
        except DeleteBrake as exc:
            outcome, message = "brake", str(exc)
            raise
        except KeyboardInterrupt:
            outcome, message = "interrupted", ""
            raise
        except Exception as exc:
            if stopped_by(exc):
                # Caught on its way out of somebody else's code, and raised as something else.
                outcome, message = "interrupted", ""
                raise KeyboardInterrupt from exc
            if isinstance(exc, HayloftError):
                message = str(exc)
            raise
        finally:
            self._report.seconds = time.monotonic() - self._report.started
            self._report.outcome, self._report.message = outcome, message
            self._close()

    def hear(self, event: RunEvent) -> None:
        """Take note of what the run tells."""
        if isinstance(event, RunStarted):
            self._to_do = event.to_read + event.to_delete
            self._freshen()
        elif isinstance(event, DocumentDone):
            self._done += 1
        self.beat()

    def beat(self) -> None:
        """Bring the line up to date, if it is time to; called after every file."""
        if time.monotonic() - self._fresh >= FRESH_S:
            self._freshen()

    def _freshen(self) -> None:
        report = self._report
        try:
            self._history.freshen(
                report.run_id,
                report.counts(),
                seconds=time.monotonic() - report.started,
                to_do=self._to_do,
                done=min(self._done, self._to_do),
            )
        except HayloftError as exc:
            # What stands in the way of this line stands in the way of the run, which will say so.
            log.info("the run's line in the history could not be brought up to date: %s", exc)
        self._fresh = time.monotonic()

    def _close(self) -> None:
        report = self._report
        try:
            self._history.end(
                report.run_id,
                report.outcome,
                report.counts(),
                report.message,
                seconds=report.seconds,
                reasons=report.reasons(),
            )
        except HayloftError as exc:
            # A full disk may refuse this line too; the error that ended the
            # run is the one to show, and the next run closes the line.
            log.warning("the run's line in the history could not be closed: %s", exc)
            return
        try:
            write_metrics(self._library.settings.data_dir, metrics_text(self._library.catalog))
        except (OSError, HayloftError) as exc:
            log.warning("the metrics of the run could not be written: %s", exc)


def stopped_by(error: BaseException) -> bool:
    """Whether an error came of an interruption that others' code caught and raised as their own.

    Python itself does: an interruption inside `__set_name__`, while a module is imported,
    comes out as a RuntimeError (3.11).
    """
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        if isinstance(cause, KeyboardInterrupt):
            return True
        seen.add(id(cause))
        cause = cause.__cause__ or cause.__context__
    return False

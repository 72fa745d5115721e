"""`hayloft ingest`."""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ingest.stopping import Stop, stoppable
from ingest.voices import Out, print_report, voice

if TYPE_CHECKING:
    from ingest.report import Report, RunEvent
    from ingest.run_log import RunLog
    from ingest.settings import IngestSettings
    from storage.library import Library


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "paths",
        metavar="PATH",
        nargs="*",
        type=Path,
        help="folders or files; without any, every folder that was ingested before",
    )
    parser.add_argument(
        "--json", action="store_true", help="one JSON event a line, the report last"
    )
    parser.add_argument("--quiet", action="store_true", help="say nothing unless something failed")
    parser.add_argument(
        "--retry",
        action="store_true",
        help="try files that were set aside now, whether or not their next attempt is due",
    )
    parser.add_argument(
        "--allow-deletes",
        action="store_true",
        help="let the run remove more of the library than HAYLOFT_MAX_DELETE_SHARE",
    )
    other = parser.add_mutually_exclusive_group()
    other.add_argument(
        "--verify",
        action="store_true",
        help="hash every file, whatever its size and time say, and read those that changed",
    )
    other.add_argument(
        "--rebuild",
        action="store_true",
        help="read and embed everything anew, and switch over at the end",
    )
    other.add_argument(
        "--forget",
        action="store_true",
        help="take the named folders and their documents out of the library",
    )
    other.add_argument(
        "--watch",
        action="store_true",
        help="stay, and take files in as soon as they change; ends with Ctrl-C",
    )


def run(args: argparse.Namespace) -> int:
    """Ingest; 0, or 1 where some files were set aside."""
    from ingest.settings import IngestSettings
    from storage.library import Library
    from storage.settings import StorageSettings

    if args.quiet:
        _only_errors_on_screen()
    library = Library(StorageSettings())
    settings = IngestSettings()
    out = Out()
    try:
        with stoppable() as stop:
            command = _Command(args, library, settings, out, stop)
            code = command.watch() if args.watch else command.once(args.paths)
    finally:
        library.close()
    out.check()
    return code


class _Command:
    """The command as it was called: one run, or run after run."""

    def __init__(
        self,
        args: argparse.Namespace,
        library: Library,
        settings: IngestSettings,
        out: Out,
        stop: Stop,
    ) -> None:
        from ingest.failure_hook import Alarm

        self._args = args
        self._library = library
        self._settings = settings
        self._out = out
        self._stop = stop
        self._alarm = Alarm(settings.on_failure, library.settings.data_dir)

    def once(self, paths: Sequence[Path]) -> int:
        """One run with all that is told of it; raises what ended it."""
        from ingest.run_log import RunLog

        args, storage = self._args, self._library.settings
        with RunLog(storage.data_dir, storage.log_format) as run_log:
            with voice(args, self._out) as tell:
                report = self._carried_out(paths, run_log, tell)
            if args.json:
                self._out.say(json.dumps(report.to_json(), ensure_ascii=False))
            else:
                print_report(report, self._out, quiet=args.quiet, verify=args.verify)
        return 0 if report.in_line else 1

    def watch(self) -> int:
        """Run after run, until the end is asked for."""
        from ingest.watching import Watcher

        with contextlib.suppress(KeyboardInterrupt):
            Watcher(self._library, self._settings).serve(self.once, self._args.paths)
        return 0

    def _carried_out(
        self, paths: Sequence[Path], run_log: RunLog, tell: Callable[[RunEvent], None]
    ) -> Report:
        from ingest.job import IngestJob
        from storage.errors import HayloftError, LockHeld

        def tell_all(event: RunEvent) -> None:
            run_log(event)
            tell(event)
            self._stop.check()

        args = self._args
        job = IngestJob(self._library, self._settings, tell_all)
        report, code = job.report, 1
        try:
            if args.forget:
                job.forget(paths)
            else:
                job.run(
                    paths,
                    rebuild=args.rebuild,
                    allow_deletes=args.allow_deletes,
                    verify=args.verify,
                    retry=args.retry,
                    mode="watch" if args.watch else "",
                )
        except LockHeld:
            # Nothing has failed: the other run does the work.
            raise
        except HayloftError as exc:
            code = exc.exit_code
            if report.outcome == "running":
                report.outcome, report.message = "error", str(exc)
            raise
        finally:
            if report.outcome != "running":
                run_log.end(report)
                self._alarm.sound(report, code)
        return report


def _only_errors_on_screen() -> None:
    for handler in logging.getLogger().handlers:
        # Not its subclasses, which write to files.
        if type(handler) is logging.StreamHandler:
            handler.setLevel(logging.ERROR)

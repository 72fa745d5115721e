"""`hayloft ingest`."""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ingest.report import DocumentDone, Report, RunEvent
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
    parser.add_argument("--quiet", action="store_true", help="say something only when files fail")
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
    out = _Out()
    try:
        with _terminated_like_interrupted():
            if args.watch:
                return _watch(args, library, settings, out)
            code = _once(args, args.paths, library, settings, out)
    finally:
        library.close()
    out.check()
    return code


def _once(
    args: argparse.Namespace,
    paths: Sequence[Path],
    library: Library,
    settings: IngestSettings,
    out: _Out,
) -> int:
    """One run with all that is told of it; raises what ended it."""
    from ingest.failure_hook import tell_failure, told_of
    from ingest.job import IngestJob
    from ingest.run_log import RunLog
    from storage.errors import HayloftError, LockHeld

    storage = library.settings
    with RunLog(storage.data_dir, storage.log_format) as run_log:
        code = 1
        with _voice(args, out) as tell:

            def tell_all(event: RunEvent) -> None:
                run_log(event)
                tell(event)

            job = IngestJob(library, settings, tell_all)
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
                code = 0 if job.report.in_line else 1
            except HayloftError as exc:
                code = exc.exit_code
                job.report.message = job.report.message or str(exc)
                if isinstance(exc, LockHeld):
                    # Nothing has failed: the other run does the work.
                    raise
                if job.report.outcome == "running":
                    job.report.outcome = "error"
                raise
            finally:
                if job.report.outcome != "running":
                    run_log.end(job.report)
                failed = job.report.failed or job.report.outcome in ("brake", "error")
                if settings.on_failure and failed:
                    told = told_of(job.report, code, storage.data_dir)
                    tell_failure(settings.on_failure, told)
        if args.json:
            out.say(json.dumps(job.report.to_json(), ensure_ascii=False))
        else:
            _print_report(job.report, out, quiet=args.quiet, verify=args.verify)
    return code


def _watch(args: argparse.Namespace, library: Library, settings: IngestSettings, out: _Out) -> int:
    from ingest.watching import Watcher

    watcher = Watcher(library, settings)
    with contextlib.suppress(KeyboardInterrupt):
        watcher.serve(lambda paths: _once(args, paths, library, settings, out), args.paths)
    out.check()
    return 0


class _Out:
    """Standard output; that it cannot be written is said at the end, and does not end a run."""

    def __init__(self) -> None:
        self._lost: OSError | None = None

    def say(self, line: str) -> None:
        """Print one line; raises BrokenPipeError where the reader has gone."""
        if self._lost is not None:
            return
        try:
            print(line, flush=True)
        except BrokenPipeError:
            raise
        except OSError as exc:
            self._lost = exc
            with contextlib.suppress(OSError, ValueError):
                # What is left in the buffer has to go somewhere.
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

    def check(self) -> None:
        """Raise StorageError where something could not be printed."""
        from storage.errors import StorageError

        if self._lost is not None:
            raise StorageError(
                f"The run was carried out, and its report could not be written to standard output "
                f"({self._lost.strerror}); `hayloft runs` shows it."
            )


def _only_errors_on_screen() -> None:
    for handler in logging.getLogger().handlers:
        # Not its subclasses, which write to files.
        if type(handler) is logging.StreamHandler:
            handler.setLevel(logging.ERROR)


@contextmanager
def _terminated_like_interrupted() -> Iterator[None]:
    """Let SIGTERM (a scheduler's stop) unwind as Ctrl-C does."""

    def interrupt(signum: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class _Silence:
    def __call__(self, event: RunEvent) -> None:
        return None


class _JsonLines:
    def __init__(self, out: _Out) -> None:
        self._out = out

    def __call__(self, event: RunEvent) -> None:
        self._out.say(json.dumps(event.to_json(), ensure_ascii=False))


class _Lines:
    """One plain line a file; for logs and pipes."""

    def __init__(self, out: _Out) -> None:
        self._out = out

    def __call__(self, event: RunEvent) -> None:
        from ingest.report import DocumentDone

        if isinstance(event, DocumentDone):
            self._out.say(_line(event))


@contextmanager
def _voice(args: argparse.Namespace, out: _Out) -> Iterator[_Silence | _JsonLines | _Lines | _Bar]:
    if args.json:
        yield _JsonLines(out)
    elif args.quiet:
        yield _Silence()
    elif sys.stdout.isatty():
        with _Bar() as bar:
            yield bar
    else:
        yield _Lines(out)


class _Bar:
    """A progress bar with the failures above it; for terminals."""

    def __init__(self) -> None:
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
        )

        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("files"),
            TimeElapsedColumn(),
            transient=True,
        )
        self._task = self._progress.add_task("looking for files", total=None)

    def __enter__(self) -> _Bar:
        self._progress.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._progress.stop()

    def __call__(self, event: RunEvent) -> None:
        from rich.text import Text

        from ingest.report import ChunksEmbedded, DocumentDone, RunStarted

        if isinstance(event, RunStarted):
            self._progress.update(self._task, total=event.to_read, description="reading")
        elif isinstance(event, ChunksEmbedded):
            name = _printable(event.document)
            self._progress.update(
                self._task, description=f"{name[-40:]} {100 * event.done // event.total}%"
            )
        elif isinstance(event, DocumentDone):
            if event.action == "failed" or event.warnings:
                self._progress.console.print(Text(_line(event)))
            if event.action != "deleted":
                self._progress.advance(self._task)
                self._progress.update(self._task, description=_printable(event.document)[-40:])


def _line(event: DocumentDone) -> str:
    name = _printable(event.document)
    if event.action == "failed":
        return f"set aside  {name}: {event.reason}"
    if event.was:
        return f"{event.action:<9}  {name}  (was {_printable(event.was)})"
    size = f"  ({event.pages} pages, {event.chunks} chunks)" if event.pages else ""
    warnings = "".join(f"\n           {warning}" for warning in event.warnings)
    return f"{event.action:<9}  {name}{size}{warnings}"


def _printable(name: str) -> str:
    """A file name that cannot drive a terminal or break a line."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in name)


def _print_report(report: Report, out: _Out, *, quiet: bool, verify: bool) -> None:
    if quiet:
        if not report.in_line:
            for failure in report.failures:
                print(_line(failure), file=sys.stderr)
            print(_sum(report), file=sys.stderr)
        return
    out.say(_sum(report))
    if verify:
        unseen = [_printable(name) for name in report.unseen]
        out.say(
            f"Verified {report.verified} files by their content; "
            + (
                f"{len(unseen)} had changed behind their old size and time and were read again: "
                f"{', '.join(unseen[:20])}{' …' if len(unseen) > 20 else ''}."
                if unseen
                else "none had changed behind its old size and time."
            )
        )
    if report.skipped:
        kinds = ", ".join(
            f"{count} {suffix or '(no ending)'}" for suffix, count in sorted(report.skipped.items())
        )
        out.say(f"Passed over, since their type is not read: {kinds}.")
    if not report.in_line:
        out.say(
            "Files that were set aside are tried again as soon as they change, else on later runs "
            "after 15 minutes, an hour, six hours, then daily; `--retry` tries them now."
        )


def _sum(report: Report) -> str:
    parts = [f"{report.added} added", f"{report.updated} updated", f"{report.unchanged} unchanged"]
    if report.moved:
        parts.insert(2, f"{report.moved} moved")
    parts += [f"{report.deleted} deleted", f"{report.failed} set aside"]
    if report.waiting:
        parts.append(f"{report.waiting} still set aside")
    return (
        f"{', '.join(parts)}; {report.pages} pages, {report.chunks} chunks "
        f"in {report.seconds:.1f} s."
    )

"""`hayloft ingest`."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ingest.report import Report, RunEvent


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
        "--rebuild",
        action="store_true",
        help="read and embed everything anew, and switch over at the end",
    )
    parser.add_argument(
        "--forget",
        action="store_true",
        help="take the named folders and their documents out of the library",
    )
    parser.add_argument(
        "--allow-deletes",
        action="store_true",
        help="let the run remove more of the library than HAYLOFT_MAX_DELETE_SHARE",
    )


def run(args: argparse.Namespace) -> int:
    """Ingest; 0, or 1 where some files were set aside."""
    from ingest.job import IngestJob
    from ingest.settings import IngestSettings
    from storage.library import Library
    from storage.settings import StorageSettings

    library = Library(StorageSettings())
    settings = IngestSettings()
    try:
        with _terminated_like_interrupted(), _voice(args) as tell:
            job = IngestJob(library, settings, tell)
            if args.forget:
                report = job.forget(args.paths)
            else:
                report = job.run(args.paths, rebuild=args.rebuild, allow_deletes=args.allow_deletes)
    finally:
        library.close()
    if args.json:
        print(json.dumps(report.to_json(), ensure_ascii=False), flush=True)
    else:
        _print_report(report, quiet=args.quiet)
    return 1 if report.failed else 0


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
    def __call__(self, event: RunEvent) -> None:
        print(json.dumps(event.to_json(), ensure_ascii=False), flush=True)


class _Lines:
    """One plain line a file; for logs and pipes."""

    def __call__(self, event: RunEvent) -> None:
        from ingest.report import DocumentDone

        if isinstance(event, DocumentDone):
            print(_line(event), flush=True)


@contextmanager
def _voice(args: argparse.Namespace) -> Iterator[_Silence | _JsonLines | _Lines | _Bar]:
    if args.json:
        yield _JsonLines()
    elif args.quiet:
        yield _Silence()
    elif sys.stdout.isatty():
        with _Bar() as bar:
            yield bar
    else:
        yield _Lines()


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


def _line(event: DocumentDone) -> str:  # type: ignore[name-defined]  # noqa: F821
    name = _printable(event.document)
    if event.action == "failed":
        return f"set aside  {name}: {event.reason}"
    size = f"  ({event.pages} pages, {event.chunks} chunks)" if event.pages else ""
    warnings = "".join(f"\n           {warning}" for warning in event.warnings)
    return f"{event.action:<9}  {name}{size}{warnings}"


def _printable(name: str) -> str:
    """A file name that cannot drive a terminal or break a line."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in name)


def _print_report(report: Report, *, quiet: bool) -> None:
    if quiet:
        for failure in report.failures:
            print(_line(failure), file=sys.stderr)
        return
    parts = [f"{report.added} added", f"{report.updated} updated", f"{report.unchanged} unchanged"]
    parts += [f"{report.deleted} deleted", f"{report.failed} set aside"]
    print(f"{', '.join(parts)}; {report.pages} pages, {report.chunks} chunks", end="")
    print(f" in {report.seconds:.1f} s.")
    if report.skipped:
        kinds = ", ".join(f"{count} {suffix}" for suffix, count in sorted(report.skipped.items()))
        print(f"Passed over, since their type is not read: {kinds}.")
    if report.failed:
        print("Files that were set aside are tried again on the next run.")

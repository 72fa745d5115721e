"""How a run is heard: a line a file, a line of JSON an event, a progress bar, or not at all."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from storage.counted import counted

if TYPE_CHECKING:
    from ingest.report import DocumentDone, Report, RunEvent


class Out:
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


class Silence:
    """Says nothing."""

    def __call__(self, event: RunEvent) -> None:
        return None


class JsonLines:
    """One JSON object an event; for programs."""

    def __init__(self, out: Out) -> None:
        self._out = out

    def __call__(self, event: RunEvent) -> None:
        self._out.say(json.dumps(event.to_json(), ensure_ascii=False))


class Lines:
    """One plain line a file; for logs and pipes."""

    def __init__(self, out: Out) -> None:
        self._out = out

    def __call__(self, event: RunEvent) -> None:
        from ingest.report import DocumentDone

        if isinstance(event, DocumentDone):
            self._out.say(line_of(event))


@contextmanager
def voice(args: argparse.Namespace, out: Out) -> Iterator[Silence | JsonLines | Lines | Bar]:
    """What the command's arguments ask for, and the place it speaks to."""
    if args.json:
        yield JsonLines(out)
    elif args.quiet:
        yield Silence()
    elif sys.stdout.isatty():
        with Bar() as bar:
            yield bar
    else:
        yield Lines(out)


class Bar:
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

    def __enter__(self) -> Bar:
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
            name = printable(event.document)
            self._progress.update(
                self._task, description=f"{name[-40:]} {100 * event.done // event.total}%"
            )
        elif isinstance(event, DocumentDone):
            if event.action == "failed" or event.warnings:
                self._progress.console.print(Text(line_of(event)))
            if event.action != "deleted":
                self._progress.advance(self._task)
                self._progress.update(self._task, description=printable(event.document)[-40:])


def line_of(event: DocumentDone) -> str:
    """What became of a file, for people."""
    if event.private:
        return f"{event.action:<9}  a file of one conversation"
    name = printable(event.document)
    if event.action == "failed":
        return f"set aside  {name}: {event.reason}"
    if event.was:
        return f"{event.action:<9}  {name}  (was {printable(event.was)})"
    size = ""
    if event.pages:
        pages = counted(event.pages, "page" if event.paged else "section")
        size = f"  ({pages}, {counted(event.chunks, 'chunk')})"
    warnings = "".join(f"\n           {warning}" for warning in event.warnings)
    return f"{event.action:<9}  {name}{size}{warnings}"


def printable(name: str) -> str:
    """A file name that cannot drive a terminal or break a line."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in name)


def print_report(report: Report, out: Out, *, quiet: bool, verify: bool) -> None:
    """Say what a run did; with `quiet` only what it could not do, on standard error."""
    if quiet:
        if not report.in_line:
            for failure in report.failures:
                print(line_of(failure), file=sys.stderr)
            print(_sum(report), file=sys.stderr)
        return
    out.say(_sum(report))
    if verify:
        unseen = [printable(name) for name in report.unseen]
        out.say(
            f"Verified {counted(report.verified, 'file')} by their content; "
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
        f"{', '.join(parts)}; {counted(report.pages, 'page')}, "
        f"{counted(report.chunks, 'chunk')} in {report.seconds:.1f} s."
    )

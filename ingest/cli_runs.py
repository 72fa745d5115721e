"""`hayloft runs`."""

from __future__ import annotations

import argparse
import json
import time
from typing import TYPE_CHECKING

from storage.counted import counted

if TYPE_CHECKING:
    from storage.records import RunSummary

_COUNTED = ("added", "updated", "moved", "deleted")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "-n", type=int, default=20, metavar="N", help="how many, newest first (default: 20)"
    )
    parser.add_argument("--failed", action="store_true", help="only runs that left work undone")
    parser.add_argument("--json", action="store_true", help="one JSON object a run")


def run(args: argparse.Namespace) -> int:
    """Show the history of runs; starts nothing."""
    from storage.library import Library
    from storage.run_history import lately
    from storage.settings import StorageSettings

    library = Library(StorageSettings())
    try:
        runs = lately(library.catalog, limit=max(args.n, 0) if not args.failed else 100_000)
    finally:
        library.close()
    if args.failed:
        runs = [one for one in runs if one.outcome not in ("complete", "running")]
    for one in runs[: max(args.n, 0)]:
        if args.json:
            facts = {name: getattr(one, name) for name in one.__slots__}
            print(json.dumps(facts, ensure_ascii=False))
        else:
            print(run_line(one))
    if not runs and not args.json:
        print("No run so far." if not args.failed else "No run has failed.")
    return 0


def run_line(run: RunSummary) -> str:
    """A run in one line: when, what, how it ended, how long it took, what it did, why not all.

    Of one at work: how far it is.
    """
    started = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(run.started_at))
    took = "" if run.seconds is None else f"{run.seconds:.1f} s"
    done = [f"{getattr(run, name)} {name}" for name in _COUNTED if getattr(run, name)]
    if run.to_do is not None and run.outcome == "running":
        done.insert(0, f"{run.done:,} of {counted(run.to_do, 'file')} so far")
    if run.embedded:
        done.append(f"{run.embedded:,} of {counted(run.chunks, 'chunk')} embedded")
    if run.failed:
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(run.reasons.items()))
        done.append(f"{run.failed} set aside" + (f" ({kinds})" if kinds else ""))
    if run.waiting:
        done.append(f"{run.waiting} still set aside")
    what = ", ".join(done) or ("nothing new" if run.outcome == "complete" else "")
    line = f"{run.run_id:>5}  {started}  {run.mode:<7}  {run.outcome:<14}  {took:>9}  {what}"
    return f"{line.rstrip()}. {run.message}" if run.message and what else f"{line}{run.message}"

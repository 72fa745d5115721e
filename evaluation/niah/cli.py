"""`hayloft eval niah`: plan, run and show; what is made of rows is in `cli_reports`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from app.cli_arguments import add_data_dir
from evaluation.niah import cli_reports
from evaluation.reporting import positive
from storage.errors import StorageError

_EPILOG = """\
`hayloft eval niah run` alone takes about ten minutes: as many lengths up to the served
window as fit, five depths, up to five trials. A configuration is a YAML file:

  lengths: [4K, 16K, 32K]     tasks: [single, distractors, absent]
  depths: 11                  values: number     # or uuid, sentence
  trials: 10                  arms: [closed, oracle, long, rag]
  haystack: auto              language: auto     # or en, zh, es
  mode: separate              # or sweep: several needles of one prompt
  budget: {minutes: 60}       seed: 20261120
"""


def configure(evaluations: Any) -> None:
    """Add `niah` with its commands to the evaluations."""
    niah = evaluations.add_parser(
        "niah",
        help="needle in a haystack: how much of its window does the model read?",
        description="Hide sentences in long texts and ask for them, at every length and depth: "
        "without a text, with little around the needle, in one long prompt, and through the "
        "product itself.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = niah.add_subparsers(dest="niah", metavar="COMMAND", required=True)
    plan = commands.add_parser(
        "plan",
        help="what a run would ask and how long it would take; asks the model twice",
        description="Lay out the grid, count its tokens, and predict its time from two short "
        "prompts. Nothing is kept.",
    )
    _add_grid(plan)
    run = commands.add_parser(
        "run",
        help="ask; goes on where it was stopped",
        description="Ask every trial of the grid. Each answer is on the disk before the next "
        "question; a run that was stopped goes on where it was.",
    )
    _add_grid(run)
    run.add_argument("--run", metavar="ID", default="", help="the id of the run to make or go on")
    run.add_argument("--new", action="store_true", help="begin anew, even if a run is unfinished")
    show = commands.add_parser(
        "show",
        help="the very prompt of one row",
        description="Rebuild the prompt of a row and prove it by its digest.",
    )
    show.add_argument("row", metavar="ROW", help="beginning of the row's key, or its number from 1")
    show.add_argument("--run", metavar="ID", default="", help="the run (default: the newest)")
    show.add_argument("--document", action="store_true", help="of the rag arm, the whole document")
    _add_common(show)
    cli_reports.add_commands(commands)


def run(args: argparse.Namespace) -> int:
    """Carry out one command."""
    return COMMANDS[args.niah](args)


def _add_grid(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, metavar="FILE", help="a YAML configuration")
    parser.add_argument(
        "--full", action="store_true", help="the whole grid: 1K to 128K, 11 depths, 10 trials"
    )
    for name, what in (
        ("lengths", "such as 4K,32K"),
        ("depths", "how many, or shares such as 0,0.5,1"),
        ("trials", "repetitions, each with a fresh needle"),
        ("tasks", "such as single,absent"),
        ("arms", "out of closed,oracle,long,rag"),
        ("haystack", "library, generated, or a path"),
        ("language", "en, zh or es"),
        ("values", "number, uuid or sentence"),
        ("mode", "separate or sweep"),
        ("window", "the window to ask of the server"),
        ("seed", "a whole number"),
        ("model", "ollama:NAME or openai:NAME"),
    ):
        parser.add_argument(f"--{name}", metavar=name.upper(), help=what)
    parser.add_argument("--minutes", type=positive, metavar="N", help="stop after so many minutes")
    _add_common(parser)


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    add_data_dir(parser, "where runs and library are kept (HAYLOFT_DATA_DIR; default: ./data)")


def _plan(args: argparse.Namespace) -> int:
    from evaluation.niah import session, session_text

    with session.opened(args, _note) as opened:
        result = opened.plan()
        print(
            json.dumps(result, ensure_ascii=False, indent=2)
            if args.json
            else session_text.plan_text(result)
        )
    return 0


def _run(args: argparse.Namespace) -> int:
    from evaluation.niah import session, session_text

    with session.opened(args, _note) as opened:
        result = opened.run(_Line() if not args.json else None)
        # Also the calibration, which tells the product how far it may fill the window.
        try:
            told = cli_reports.after_run(Path(result["folder"]))
        except StorageError as exc:
            raise StorageError(
                f"{exc} All answers are kept: `hayloft eval niah report {result['run']}` makes "
                "the report, which the trusted window is read from, once there is room."
            ) from exc
        print(
            json.dumps(result | told.result, ensure_ascii=False, indent=2)
            if args.json
            else f"{session_text.run_text(result)}\n{told.text}"
        )
    return 1 if result["statuses"].get("error") else 0


def _show(args: argparse.Namespace) -> int:
    from app.settings import AppSettings
    from evaluation.niah.run_folder import find_run
    from evaluation.niah.show import find_row, rebuilt
    from storage.settings import StorageSettings

    data_dir = StorageSettings().data_dir
    folder = find_run(data_dir, args.run)
    row = find_row(folder, args.row)
    shown = rebuilt(folder, row, AppSettings(), data_dir)
    if args.json:
        messages = [{"role": one.role, "content": one.content} for one in shown.messages]
        told = {"row": row.to_json(), "messages": messages, "proved": shown.proved}
        print(json.dumps({**told, "document": shown.document}, ensure_ascii=False, indent=2))
        return 0
    told_by = "proved by its digest" if shown.proved else "not proved: the row has no digest of it"
    print(
        f"{row.task}, {row.arm} arm, {row.length:,} tokens, depth {row.depth_target:.0%} "
        f"(truly {row.depth_actual:.1%}), trial {row.trial}: {row.status}, score {row.score}"
        if row.depth_actual is not None
        else f"{row.task}, {row.arm} arm, {row.length:,} tokens, trial {row.trial}: "
        f"{row.status}, score {row.score}"
    )
    print(f"Asked: {row.question}\nExpected: {', '.join(row.expected) or 'not there'}")
    print(f"Answer: {row.answer or row.error}")
    if row.failure_stage:
        print(f"Lost at: {row.failure_stage}")
    if args.document and shown.document:
        print(f"\n--- document\n{shown.document}")
    elif shown.messages:
        print(f"\nThe prompt, {told_by}:")
        for message in shown.messages:
            print(f"\n--- {message.role}\n{message.content}")
    else:
        print("Nothing was sent.")
    return 0


class _Line:
    """One line of progress, rewritten at a terminal, now and then where there is none."""

    def __init__(self) -> None:
        self._told = -1

    def __call__(self, progress: Any) -> None:
        row = progress.row
        left = _minutes(progress.seconds_left)
        cell = f"{row.arm} {row.task} {row.length:,} at {row.depth_target:.0%}"
        score = row.status if row.score is None else f"{row.score:g}"
        text = f"{progress.done}/{progress.total}  {cell}: {score}  {left} left"
        if sys.stderr.isatty():
            print(f"\r\x1b[K{text[:118]}", end="", file=sys.stderr, flush=True)
            if progress.done == progress.total:
                print(file=sys.stderr)
            return
        tenth = 10 * progress.done // progress.total
        if tenth != self._told:
            self._told = tenth
            print(text, file=sys.stderr, flush=True)


def _minutes(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _note(text: str) -> None:
    print(f"hayloft: {text}", file=sys.stderr, flush=True)


COMMANDS: Mapping[str, Callable[[argparse.Namespace], int]] = {
    "plan": _plan,
    "run": _run,
    "show": _show,
    **cli_reports.COMMANDS,
}
"""What carries out each command."""

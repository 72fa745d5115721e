"""`hayloft eval niah score | report | compare | selftest`: what is made of rows."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.cli_arguments import add_data_dir
from evaluation.niah.palette import PALETTES
from evaluation.reporting import count

if TYPE_CHECKING:
    from app.calibration import Calibration
    from app.chat import ChatModel
    from evaluation.niah.records import Row
    from evaluation.niah.run_folder import ScoredRun

_RUN_HELP = "the run's id, its beginning, or its folder (default: the newest run)"


def add_commands(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the commands; each is carried out by `COMMANDS[name](args)`."""
    score = subparsers.add_parser(
        "score",
        help="score a run's answers anew; no model is asked",
        description="Score every answer of a run anew with the rules of this version, and find "
        "anew where needles were lost. Nothing is run again. --judge asks a chat model too, whose "
        "opinion goes into a column of its own and changes no score.",
    )
    _add_run(score)
    score.add_argument(
        "--judge",
        metavar="MODEL",
        help="ask this chat model for its opinion (ollama:NAME or openai:NAME)",
    )
    _add_common(score)
    report = subparsers.add_parser(
        "report",
        help="maps and tables of a run: HTML, PNG, CSV, JSON",
        description="Write report.html, the maps as PNG, cells.csv, rows.csv, report.json and "
        "calibration.json into the run's folder, and print the figures.",
    )
    _add_run(report)
    report.add_argument(
        "--palette", choices=tuple(PALETTES), default="classic", help="colours of the pictures"
    )
    report.add_argument("--no-pictures", action="store_true", help="write no PNG files")
    _add_common(report)
    compare = subparsers.add_parser(
        "compare",
        help="two runs on the same questions: fixed, broken, p",
        description="Compare two runs question by question, with an exact McNemar test.",
    )
    compare.add_argument("a", metavar="A", help=_RUN_HELP.partition(" (")[0])
    compare.add_argument("b", metavar="B", help="the same of the other run")
    _add_common(compare)
    selftest = subparsers.add_parser(
        "selftest",
        help="does the harness see what it should? readers of known behaviour, no model",
        description="Run the harness with readers whose behaviour is known (one that reads only "
        "the end, one that refuses, one that knows the answers, ...) and with one planted fault "
        "for each stage of the product's path, and check that the figures show each. Needs no "
        "model and no network.",
    )
    selftest.add_argument("--quick", action="store_true", help="a smaller grid, some seconds")
    selftest.add_argument(
        "--out", type=Path, metavar="DIR", help="keep the runs with their reports in this folder"
    )
    _add_common(selftest)


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run_id", nargs="?", default="", metavar="RUN", help=_RUN_HELP)


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    add_data_dir(parser, "where the runs are kept (HAYLOFT_DATA_DIR; default: ./data)")


@dataclass(frozen=True, slots=True)
class AfterRun:
    """What a run that has just ended says of the trusted window, and where its report is."""

    result: dict[str, Any]
    text: str


def after_run(folder: Path) -> AfterRun:
    """Report a run that has just ended: its maps, its tables and its calibration."""
    from evaluation.niah.report import write_reports
    from evaluation.niah.run_folder import load

    run = load(folder)
    written = write_reports(run)
    record = written.calibration
    result = {
        "report": str(folder / "report.html"),
        "calibration": record.to_json() if record is not None else None,
    }
    return AfterRun(result, "\n".join([*_calibration_lines(record), f"Maps: {result['report']}"]))


def _calibration_lines(record: Calibration | None) -> list[str]:
    if record is None:
        return []
    state = "counts" if record.valid else "does not count"
    return [f"For the trusted window this run {state}: {record.reason}"]


def _load(named: str) -> ScoredRun:
    from evaluation.niah.run_folder import find_run, load
    from storage.settings import StorageSettings

    return load(find_run(StorageSettings().data_dir, named))


def _score(args: argparse.Namespace) -> int:
    from evaluation.files import run_locked
    from evaluation.niah.rows import ROWS, write_rows
    from evaluation.niah.run_folder import load

    folder = _load(args.run_id).folder
    # A run that goes on while its rows are replaced would lose what it adds.
    with run_locked(folder, f"The run {folder.name} is being measured. Wait until it is done."):
        run = load(folder)
        rows = list(run.rows)
        if run.changed:
            write_rows(folder / ROWS, rows)
        if args.judge:
            rows = _judged(rows, args.judge, folder / ROWS)
    result = _score_result(run, rows)
    if args.json:
        print(json.dumps(result, ensure_ascii=False, indent=2))
        return 0
    print(
        f"Run {run.name}: {count(len(rows), 'row')}, {count(result['scored'], 'answer')} scored, "
        f"{count(run.changed, 'score')} changed."
    )
    if args.judge:
        told = result["judge"]
        print(
            f"The judge has an opinion of {told['judged']}, and another one than the score of "
            f"{told['disagrees']}."
        )
        for row in told["disagreements"][:10]:
            print(f"  {row['key'][:12]}  score {row['score']:g}, judge {row['judge']:g}")
    return 0


def _judged(rows: list[Row], name: str, path: Path) -> list[Row]:
    """The rows with a model's opinions, kept on disk also where the model goes away."""
    from evaluation.niah.judge import judge_rows
    from evaluation.niah.rows import write_rows
    from evaluation.reporting import progress

    model = _chat_model(name)
    total = sum(row.status == "ok" for row in rows)
    judged: list[Row] = []
    try:
        for row in judge_rows(rows, model, lambda done: progress(done, total)):
            judged.append(row)  # noqa: PERF402 -- what was judged before a fault is kept
    finally:
        write_rows(path, judged + rows[len(judged) :])
    return judged


def _chat_model(name: str) -> ChatModel:
    from app.model_choice import choose_model
    from app.settings import AppSettings
    from storage.errors import UsageError

    model = choose_model(AppSettings().model_copy(update={"model": name})).model
    if model is None:
        raise UsageError(f"{name!r} is no chat model to judge with; name one as ollama:NAME.")
    return model


def _score_result(run: ScoredRun, rows: list[Row]) -> dict[str, Any]:
    judged = [row for row in rows if row.judge_score is not None]
    apart = [row for row in judged if (row.judge_score == 1) != (row.score == 1)]
    return {
        "run": run.name,
        "rows": len(rows),
        "scored": sum(row.score is not None for row in rows),
        "changed": run.changed,
        "judge": {
            "judged": len(judged),
            "disagrees": len(apart),
            "disagreements": [
                {"key": row.key, "score": row.score, "judge": row.judge_score} for row in apart
            ],
        },
    }


def _report(args: argparse.Namespace) -> int:
    from evaluation.niah import report_tables
    from evaluation.niah.report import write_reports

    run = _load(args.run_id)
    written = write_reports(run, palette=args.palette, pictures=not args.no_pictures)
    if args.json:
        result = report_tables.to_json(written.summary, run.name, run.made_at)
        result["files"] = [str(path) for path in written.files]
        print(json.dumps(result, ensure_ascii=False, indent=2))
        return 0
    print(report_tables.text(written.summary, run.name))
    print()
    for line in _calibration_lines(written.calibration):
        print(line)
    print(f"Written: {run.folder / 'report.html'} and {count(len(written.files) - 1, 'file')} more")
    return 0


def _compare(args: argparse.Namespace) -> int:
    from evaluation.niah.comparison import compare, text

    a, b = _load(args.a), _load(args.b)
    found = compare(a.rows, b.rows)
    if args.json:
        print(json.dumps(found.to_json(), ensure_ascii=False, indent=2))
    else:
        print(text(found, a.name, b.name))
    return 0


def _selftest(args: argparse.Namespace) -> int:
    from evaluation.niah.selftest import run_selftest

    def told(line: str) -> None:
        if not args.json:
            print(line, flush=True)

    checks = run_selftest(quick=args.quick, out=args.out, told=told)
    failed = [check for check in checks if not check.passed]
    if args.json:
        print(json.dumps([check.to_json() for check in checks], ensure_ascii=False, indent=2))
    else:
        print(f"{len(checks) - len(failed)} of {count(len(checks), 'check')} passed.")
    if failed:
        names = ", ".join(check.name for check in failed)
        print(f"hayloft: the harness does not see what it should: {names}.", file=sys.stderr)
    return 1 if failed else 0


COMMANDS: Mapping[str, Callable[[argparse.Namespace], int]] = {
    "score": _score,
    "report": _report,
    "compare": _compare,
    "selftest": _selftest,
}
"""What carries out each command that `add_commands` adds."""

"""`hayloft eval compare`: two settings of the product on the same questions."""

from __future__ import annotations

import argparse
import difflib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.cli_arguments import add_data_dir
from evaluation.reporting import check_writable, count, cutoffs, positive, write
from storage.errors import HayloftError, UsageError

if TYPE_CHECKING:
    from evaluation.compare import Change, Comparison

_LISTED = 20
"""Questions fixed or broken that the table names; JSON has all."""

_HERE = Path(__file__).resolve().parent.parent

_DESCRIPTION = """\
Ask the same questions twice, of two libraries or with two sets of settings,
and tell which is better, by how much, whether chance alone would do it, and
which questions are fixed and broken.
"""

_EPILOG = """\
A is what you have, B what you might switch to. What is decided at question
time needs one library:

  hayloft eval compare --questions q.jsonl --set-b HAYLOFT_RERANKER=/models/reranker

What is decided when documents are read (another embedder, other chunk sizes)
needs a library of its own, which the first command fills:

  HAYLOFT_EMBEDDER=/models/other hayloft --data-dir trial ingest DOCUMENTS
  hayloft eval compare --questions q.jsonl --b trial --set-b HAYLOFT_EMBEDDER=/models/other

Results that were kept can be compared at any time:

  hayloft eval retrieval --questions q.jsonl --out before.json
  hayloft eval compare before.json after.json

The interval is a paired bootstrap over the questions, p an exact two-sided
McNemar test: only questions on which A and B differ count. Decide by one
metric that you chose before looking.
"""


class SideFailed(HayloftError):
    """One of the two could not be measured; its own message stands above."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two that are compared."""

    name: str
    """`A` or `B`."""
    data_dir: str
    """Empty: the library that is set."""
    settings: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        told = [self.data_dir or "the library that is set"]
        return ", ".join([*told, *(f"{name}={value}" for name, value in self.settings)])


Result = dict[str, Any]
Both = tuple[tuple[str, Result], tuple[str, Result]]
"""What A and B are called, each with its result."""
Measure = Callable[[Side, argparse.Namespace], Result]


def configure(evaluations: Any) -> None:
    """Add `compare` to the evaluations."""
    compare = evaluations.add_parser(
        "compare",
        help="is another embedder, reranker or setting better?",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    compare.add_argument(
        "results", type=Path, nargs="*", metavar="RESULT", help="two files that --out wrote"
    )
    compare.add_argument(
        "--questions", type=Path, metavar="FILE", help="JSON lines, one a question"
    )
    compare.add_argument(
        "--golden",
        nargs="?",
        const="",
        metavar="DIR",
        help="the golden set of the library (or of the one in DIR) in place of --questions, told "
        "question by question",
    )
    for name in ("a", "b"):
        compare.add_argument(
            f"--{name}",
            metavar="DIR",
            default="",
            help=f"the library of {name.upper()} (default: the one that is set)",
        )
    for name in ("a", "b"):
        compare.add_argument(
            f"--set-{name}",
            metavar="NAME=VALUE",
            action="append",
            default=[],
            help=f"a setting of {name.upper()}, such as HAYLOFT_RERANKER=…; may be repeated",
        )
    compare.add_argument(
        "--what",
        choices=("retrieval", "answers"),
        default="retrieval",
        help="what is asked: the pages found, or the answers (default: retrieval)",
    )
    compare.add_argument(
        "--metric",
        metavar="NAME",
        default="",
        help="what decides: hit@5, mrr@20, document_first@1 and so on (default: hit@10); for "
        "answers first, quoted, said, exact, f1 and so on (default: first)",
    )
    compare.add_argument(
        "--k", type=cutoffs, metavar="K,K,…", help="how many pages count (default: 1,3,5,10,20)"
    )
    compare.add_argument(
        "--limit", type=positive, metavar="N", help="with --what answers: ask only N, evenly spread"
    )
    add_data_dir(compare, "the library of both, where --a or --b names no other")
    compare.add_argument("--json", action="store_true", help="print the comparison as JSON")
    compare.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="also write the comparison with both whole results, as JSON, to FILE",
    )


def run(args: argparse.Namespace, measure: Measure | None = None) -> int:
    """Measure both sides, or read both results, and tell the difference."""
    check_writable(args.out)
    with tempfile.TemporaryDirectory(prefix="hayloft-compare-") as folder:
        if args.golden is not None:
            _take_golden(args, Path(folder))
        both = _read(args) if args.results else _measured(args, measure or measured_apart)

    from evaluation.compare import compare

    (_, a), (_, b) = both
    found = compare(a, b, args.metric or _usual(args))
    if args.out is not None:
        write(args.out, {**found.to_json(), "result_a": a, "result_b": b})
    if args.json:
        print(json.dumps(found.to_json(), ensure_ascii=False, indent=2))
    else:
        print("\n".join(table(found, both, every=args.golden is not None)))
    return 0


def _take_golden(args: argparse.Namespace, folder: Path) -> None:
    """Ask the golden questions: both sides the same ones, whatever library each has."""
    if args.questions or args.results:
        raise UsageError("Leave --golden out, or --questions and the results: one set is asked.")
    from evaluation.golden import golden_set
    from evaluation.reporting import golden_dir

    args.questions = folder / "golden.jsonl"
    args.questions.write_bytes(golden_set(golden_dir(args.golden)).lines(args.what))


def _usual(args: argparse.Namespace) -> str:
    """What decides unless something else is named: of golden answers whether each is right."""
    return "right" if args.golden is not None and args.what == "answers" else ""


def _read(args: argparse.Namespace) -> Both:
    if len(args.results) != 2:
        raise UsageError("Name two results to compare, or none and what differs with --b, --set-b.")
    if args.questions or args.a or args.b or args.set_a or args.set_b:
        raise UsageError(
            "Two results are compared as they are; leave out --questions, --a, --b and --set, or "
            "the results."
        )
    from evaluation.compare import read_result

    a, b = args.results
    return (str(a), read_result(a)), (str(b), read_result(b))


def _measured(args: argparse.Namespace, measure: Measure) -> Both:
    from evaluation.questions import read_answer_questions, read_questions

    a = Side("A", args.a, tuple(settings_in(args.set_a)))
    b = Side("B", args.b, tuple(settings_in(args.set_b)))
    if _same_place(a.data_dir, b.data_dir) and a.settings == b.settings:
        raise UsageError(
            "A and B are the same: name another library with --b DIR, or a setting with "
            "--set-b NAME=VALUE."
        )
    if args.questions is None:
        raise UsageError("Name the questions with --questions FILE.")
    (read_questions if args.what == "retrieval" else read_answer_questions)(args.questions)
    # B first: where one cannot be measured, it is mostly the new one.
    of_b = measure(b, args)
    return (str(a), measure(a, args)), (str(b), of_b)


def _same_place(a: str, b: str) -> bool:
    """Whether two names of a library are of the same one; empty for the one that is set."""
    from storage.settings import StorageSettings

    there = StorageSettings().data_dir
    left, right = (Path(name).expanduser() if name else there for name in (a, b))
    return left.resolve() == right.resolve()


def settings_in(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The settings that `NAME=VALUE` words name, checked.

    Raises UsageError for a word of another form, a name that is no setting,
    and a setting that is read only when documents are ingested: it would
    change nothing, and the comparison would say so as if it had been tried.
    """
    from app.settings import AppSettings
    from ingest.settings import IngestSettings
    from storage.settings import StorageSettings

    known = {
        f"HAYLOFT_{name.upper()}"
        for settings in (StorageSettings, AppSettings, IngestSettings)
        for name in settings.model_fields
    }
    ingesting = {f"HAYLOFT_{name.upper()}" for name in IngestSettings.model_fields}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            raise UsageError(f"{word!r} is no setting; write it as NAME=VALUE.")
        if name == "HAYLOFT_DATA_DIR":
            raise UsageError("Name the library with --a DIR or --b DIR, not as a setting.")
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f" Is {near[0]} meant?" if near else ""
            raise UsageError(f"{name} is no setting of Hayloft.{hint}")
        if name in ingesting:
            raise UsageError(
                f"{name} is read when documents are ingested, not when questions are asked. "
                f"Ingest with it into another folder (`{word} hayloft --data-dir trial ingest "
                "DOCUMENTS`) and name that folder with --b."
            )
        yield name, value


def measured_apart(side: Side, args: argparse.Namespace) -> Result:
    """One side's result, measured in a process of its own: settings are read once, at its door."""
    print(f"{side.name}: {side}", file=sys.stderr, flush=True)
    environment = {**os.environ, **dict(side.settings)}
    if side.data_dir:
        environment["HAYLOFT_DATA_DIR"] = side.data_dir
    with tempfile.TemporaryDirectory(prefix="hayloft-compare-") as folder:
        out = Path(folder) / "result.json"
        command = [sys.executable, str(_HERE / "hayloft.py"), "eval", args.what]
        command += ["--questions", str(args.questions), "--out", str(out)]
        if args.what == "retrieval" and args.k:
            command += ["--k", ",".join(map(str, args.k))]
        if args.what == "answers" and args.limit:
            command += ["--limit", str(args.limit)]
        done = subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=False)
        # 1 with a result: some questions got no answer, and the rest can be compared.
        if done.returncode != 0 and not (done.returncode == 1 and out.is_file()):
            raise SideFailed(
                f"{side.name} ({side}) could not be measured; the reason stands above.",
                done.returncode if done.returncode > 0 else 1,
            )
        result: Result = json.loads(out.read_text(encoding="utf-8"))
        return result


def table(found: Comparison, both: Both, *, every: bool = False) -> Iterator[str]:
    """The comparison for people; the last line is the verdict.

    With `every`, each question has its line; else those that changed, the first few.
    """
    from evaluation.compare import sentence
    from evaluation.paired import short_p

    for name, (side, result) in zip("AB", both, strict=True):
        library = result["library"]
        yield (
            f"{name}  {side} ({count(library['documents'], 'document')}, "
            f"{count(library['chunks'], 'chunk')}, {result['index']['embedder']})"
        )
    yield ""
    yield from _differing(found)
    header = f"{'metric':<18}{'A':>8}{'B':>8}{'B - A':>9}  {'95% interval':<18}"
    yield f"{header}{'fixed':>6}{'broken':>8}{'p':>8}"
    for name in _shown(found):
        value = found.metrics[name]
        # Where nothing changed, the interval has no width and would look sure.
        changed = value.fixed + value.broken
        interval = f"[{value.low:+.3f}, {value.high:+.3f}]" if changed else ""
        p = "" if value.p is None else short_p(value.p)
        yield (
            f"{name:<18}{value.a:>8.3f}{value.b:>8.3f}{value.change:>+9.3f}  {interval:<18}"
            f"{value.fixed:>6}{value.broken:>8}{p:>8}"
        )
    yield f"median time a question: A {found.seconds_a:.3f} s, B {found.seconds_b:.3f} s"
    yield ""
    yield from changes_of(found, every=every)
    for name, (_, result) in zip("AB", both, strict=True):
        yield from (f"Warning ({name}): {warning}" for warning in _warnings(result))
    apart = len(found.only_a) + len(found.only_b)
    if apart:
        yield f"Warning: {count(apart, 'question')} left out, which only one of the two has."
    yield sentence(found)


def changes_of(found: Comparison, *, every: bool) -> Iterator[str]:
    """The questions that are fixed and broken, and with `every` those that stayed as they were."""
    right = tuple(change for change in found.same if change.b)
    wrong = tuple(change for change in found.same if not change.b)
    groups = [("Fixed", found.fixed), ("Broken", found.broken)]
    if every:
        groups += [("Wrong as before", wrong), ("Right as before", right)]
    at = "" if found.metric == "right" else f" at {found.metric}"
    for word, changes in groups:
        if changes:
            yield f"{word}{at} ({len(changes)}):"
            shown = changes if every else changes[:_LISTED]
            yield from (f"  {_line(change, found)}" for change in shown)
            if len(changes) > len(shown):
                yield f"  … and {len(changes) - len(shown)} more (--json names all)"


def _warnings(result: Result) -> list[str]:
    """What makes one side's scores lower than its search deserves."""
    if result["evaluation"] != "retrieval":
        errors = result.get("errors") or []
        told = f"{count(len(errors), 'question')} without an answer, not compared."
        return [told] if errors else []
    from evaluation.cli import warnings

    return warnings(result)


def _differing(found: Comparison) -> Iterator[str]:
    """What was set or built otherwise; a comparison of a thing with itself says so."""
    if not found.changed:
        yield "Warning: settings, library and commit are the same: one thing was measured twice."
        yield ""
        return
    for name, (a, b) in found.changed.items():
        yield f"{name}: {_short(a)} | {_short(b)}"
    yield ""


def _shown(found: Comparison) -> list[str]:
    """What the table shows: hits, MRR and first documents, or all; and always what decides."""
    if found.evaluation == "answers":
        return list(found.metrics)
    wanted = ("hit@", "mrr@", "document_first@")
    return [name for name in found.metrics if name.startswith(wanted) or name == found.metric]


def _line(change: Change, found: Comparison) -> str:
    question = " ".join(change.question.split())
    question = question if len(question) <= 80 else question[:79] + "…"
    if found.evaluation == "answers":
        return f"{change.id}: {question}"
    return f"{change.id} (rank {change.rank_a or '-'} → {change.rank_b or '-'}): {question}"


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False) if not isinstance(value, str) else value
    text = text or "''"
    return text if len(text) <= 40 else text[:39] + "…"

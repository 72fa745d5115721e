"""All benchmarks, one after another, in one table.

python -m benchmarks.run                  everything (about 20 minutes on two cores)
python -m benchmarks.run --quick          one small PDF, few questions: does it work at all
python -m benchmarks.run --only start,search --data-dir DIR
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from benchmarks import (
    bench_embedding,
    bench_extractive,
    bench_ingest,
    bench_many,
    bench_search,
    bench_start,
    common,
)
from benchmarks.common import Failed, Report, Skipped
from evaluation.provenance import commit_of, machine, versions

ALL = ("ingest", "embedding", "search", "start", "extractive", "many")


def main() -> int:
    """Run what was asked for; exit 1 where one of them failed, 0 where a target is missed."""
    args = _arguments()
    scratch = common.scratch_folder(args.scratch, "hayloft-bench-")
    common.say(f"everything that is made lies in {scratch}")
    reports: list[Report] = []
    skipped: dict[str, str] = {}
    failed: dict[str, str] = {}
    data_dir: Path | None = args.data_dir
    for name in args.only:
        try:
            report = _run(name, args, scratch, data_dir)
        except Skipped as reason:
            skipped[name] = str(reason)
            common.say(f"{name}: skipped: {reason}")
        except Failed as reason:
            failed[name] = str(reason)
            common.say(f"{name}: failed: {reason}")
        else:
            reports.append(report)
            common.say(common.table([report]) + "\n")
            if name == "ingest" and data_dir is None:
                # The library that was just filled is what the next ones search.
                data_dir = Path(report.details["data_dir"])
    if args.out is not None:
        result = {
            "commit": commit_of().id,
            "dirty": commit_of().dirty,
            "versions": versions(),
            "machine": machine(),
            "reports": [report.to_json() for report in reports],
            "skipped": skipped,
            "failed": failed,
        }
        args.out.write_text(json.dumps(result, ensure_ascii=False, indent=2) + "\n", "utf-8")
    print(common.table(reports))
    for name, why in skipped.items():
        print(f"{name:<12}skipped: {why}")
    for name, why in failed.items():
        print(f"{name:<12}FAILED: {why.splitlines()[0]}")
    return 1 if failed else 0


def _run(name: str, args: argparse.Namespace, scratch: Path, data_dir: Path | None) -> Report:
    module = {
        "ingest": bench_ingest,
        "embedding": bench_embedding,
        "search": bench_search,
        "start": bench_start,
        "extractive": bench_extractive,
        "many": bench_many,
    }[name]
    parser = argparse.ArgumentParser()
    module.add_arguments(parser)
    chosen = parser.parse_args([])
    if hasattr(chosen, "documents"):
        chosen.documents = args.documents
    if hasattr(chosen, "data_dir"):
        chosen.data_dir = data_dir
    if hasattr(chosen, "scratch"):
        chosen.scratch = scratch / name
    if name == "ingest":
        chosen.repeat = args.repeat
        chosen.files = 1 if args.quick else args.files
    if args.quick and name == "embedding":
        chosen.sample, chosen.rounds = 8, 3
    if args.quick and name == "search":
        chosen.rounds = 2
    if args.quick and name == "start":
        chosen.runs = 3
    if args.quick and name == "extractive":
        chosen.questions = 25
    if args.quick and name == "many":
        chosen.unchanged, chosen.few, chosen.many = 1_000, 20, 100
    report: Report = module.run(chosen)
    return report


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__)
    parser.add_argument("--only", type=_names, default=ALL, help=f"of {','.join(ALL)}")
    parser.add_argument("--quick", action="store_true", help="little of everything")
    parser.add_argument("--documents", type=Path, help="folder of PDFs to ingest and search")
    parser.add_argument("--files", type=int, help="only the N smallest of them")
    parser.add_argument("--repeat", type=int, default=1, help="rounds of the ingest benchmark")
    parser.add_argument("--data-dir", type=Path, help="an ingested library to search")
    parser.add_argument("--scratch", type=Path, help="folder for what is made; kept")
    parser.add_argument("--out", type=Path, help="write everything measured to this file, as JSON")
    return parser.parse_args()


def _names(text: str) -> tuple[str, ...]:
    names = tuple(text.split(","))
    unknown = [name for name in names if name not in ALL]
    if unknown:
        raise argparse.ArgumentTypeError(f"{unknown[0]!r} is none of {', '.join(ALL)}")
    return tuple(name for name in ALL if name in names)


if __name__ == "__main__":
    sys.exit(main())

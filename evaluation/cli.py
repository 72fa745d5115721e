"""`hayloft eval`: score the library against questions with known answers."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from app.cli_arguments import add_data_dir, add_result
from evaluation import cli_answers, cli_compare, cli_golden, cli_safety, cli_speed
from evaluation.niah import cli as cli_niah
from evaluation.reporting import (
    absent_warnings,
    add_questions,
    cell,
    check_writable,
    count,
    cutoffs,
    golden_dir,
    progress,
    write,
)
from storage.errors import UsageError

if TYPE_CHECKING:
    from evaluation.questions import Question, QuestionFile
    from evaluation.retrieval import Searcher
    from storage.library import Library

DEFAULT_CUTOFFS = (1, 3, 5, 10, 20)
_BY_CUTOFF = ("hit", "recall", "ndcg")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the evaluations and their arguments."""
    evaluations = parser.add_subparsers(dest="evaluation", metavar="WHAT", required=True)
    retrieval = evaluations.add_parser(
        "retrieval",
        help="how well search finds the pages that answer",
        description="Ask the library every question of a file and score the pages found: "
        "hit@k, recall@k, nDCG@k, MRR and the share of questions whose first page is of the "
        "right document, each with the number of questions and a 95% interval. k counts "
        "distinct pages; several passages of one page count once, at the best rank.",
        epilog='A question is one line: {"id": "q1", "question": "…", '
        '"relevant": [{"document": "travel.pdf", "page": 3}]}',
    )
    add_questions(retrieval, of_retrieval=True)
    retrieval.add_argument(
        "--k",
        type=cutoffs,
        default=DEFAULT_CUTOFFS,
        metavar="K,K,…",
        help="how many pages count as found (default: 1,3,5,10,20)",
    )
    add_data_dir(retrieval)
    add_result(retrieval)
    cli_answers.configure(evaluations)
    cli_compare.configure(evaluations)
    cli_niah.configure(evaluations)
    cli_golden.configure(evaluations)
    cli_safety.configure(evaluations)
    cli_speed.configure(evaluations)


def run(args: argparse.Namespace) -> int:
    """Carry out the evaluation that was asked for."""
    evaluations = {
        "answers": cli_answers.run,
        "compare": cli_compare.run,
        "golden": cli_golden.run,
        "niah": cli_niah.run,
        "retrieval": _retrieval,
        "safety": cli_safety.run,
        "speed": cli_speed.run,
    }
    return evaluations[args.evaluation](args)


def _retrieval(args: argparse.Namespace) -> int:
    # Before anything heavy is loaded: a wrong file or folder is told at once.
    file = _questions(args)
    check_writable(args.out)

    from app.find import Finder
    from app.settings import AppSettings
    from storage.library import Library
    from storage.settings import StorageSettings

    library = Library(StorageSettings())
    try:
        finder = Finder(library, AppSettings())
        result = evaluate_retrieval(library, finder, file, args.k, progress)
    finally:
        library.close()
    if args.out is not None:
        write(args.out, result)
    since = None if args.golden is None else cli_golden.since(golden_dir(args.golden), result)
    if args.json:
        told = result if since is None else {**result, "since": since.to_json()}
        print(json.dumps(told, ensure_ascii=False, indent=2))
        for warning in warnings(result):
            print(f"hayloft: {warning}", file=sys.stderr)
    else:
        print(table(result))
        if since is not None:
            print("\n" + "\n".join(since.lines()))
    return 0


def _questions(args: argparse.Namespace) -> QuestionFile[Question]:
    if args.golden is not None:
        from evaluation.golden import golden_set

        return golden_set(golden_dir(args.golden)).for_retrieval()
    from evaluation.questions import read_questions

    return read_questions(args.questions)


def evaluate_retrieval(
    library: Library,
    searcher: Searcher,
    file: QuestionFile[Question],
    k: Sequence[int],
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Any]:
    """Ask every question of the file; the whole result, ready for JSON.

    Raises UsageError where the library holds nothing at all, since every
    score would then be a 0 that says nothing about search.
    """
    from app.settings import AppSettings
    from evaluation import provenance
    from evaluation.retrieval import absent_places, ask_all, chunks_for, score
    from ingest.settings import IngestSettings

    documents = library.catalog.documents()
    # Also loads the embedding model, which then counts for no question.
    identity = library.readable_identity()
    if not documents or identity is None:
        raise UsageError(
            f"The library in {library.settings.data_dir} holds no document; "
            "fill it with `hayloft ingest PATH`."
        )
    missing, beyond = absent_places(file.questions, documents)
    n = len(file.questions)
    started_at = datetime.now(UTC)
    started = time.perf_counter()
    results = ask_all(searcher, file.questions, k, lambda done: progress(done, n))
    seconds = time.perf_counter() - started
    return {
        "evaluation": "retrieval",
        "started_at": started_at.isoformat(timespec="seconds"),
        "seconds": round(seconds, 3),
        "n": n,
        "k": list(k),
        "scores": {name: asdict(value) for name, value in score(results, k).items()},
        "questions_file": {"name": file.path.name, "sha256": file.sha256},
        "chunks_asked": chunks_for(k),
        "short": sum(result.short for result in results),
        "missing_documents": missing,
        "missing_pages": [asdict(place) for place in beyond],
        "library": provenance.library(documents),
        "index": asdict(identity),
        **provenance.describe([library.settings, AppSettings(), IngestSettings()]),
        "results": [result.to_json() for result in results],
    }


def table(result: dict[str, Any]) -> str:
    """The scores for people: a row per k, a column per metric."""
    scores, k = result["scores"], result["k"]
    lines = [
        f"Retrieval, {count(result['n'], 'question')} of {result['questions_file']['name']}, "
        f"{count(result['library']['documents'], 'document')}, "
        f"{count(result['library']['pages'], 'page')}, {result['index']['embedder']}",
        "",
        f"{'k':>5}" + "".join(f"{name:>21}" for name in _BY_CUTOFF),
    ]
    for cutoff in k:
        cells = [cell(scores[f"{name}@{cutoff}"]) for name in _BY_CUTOFF]
        lines.append(f"{cutoff:>5}" + "".join(f"{cell:>21}" for cell in cells))
    lines += [
        "",
        f"mrr@{max(k)}: {cell(scores[f'mrr@{max(k)}'])}    "
        f"right document first: {cell(scores['document_first@1'])}",
        f"k counts distinct pages; in brackets the 95% interval for n = {result['n']}; "
        f"{result['seconds']:.1f} s",
    ]
    return "\n".join([*lines, *(f"Warning: {warning}" for warning in warnings(result))])


def warnings(result: dict[str, Any]) -> list[str]:
    """What makes the scores lower, or less sure, than the search deserves."""
    found = absent_warnings(result)
    if result["short"]:
        found.append(
            f"{count(result['short'], 'question')} got fewer than {max(result['k'])} distinct "
            f"pages out of {result['chunks_asked']} passages; a smaller --k avoids this."
        )
    return found

"""`hayloft eval answers`: what the product answers, scored."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evaluation.reporting import cell, check_writable, count, positive, progress, write
from storage.errors import UsageError

if TYPE_CHECKING:
    from evaluation.answers import Answerer, Listening
    from evaluation.questions import AnswerQuestion, QuestionFile
    from storage.library import Library

_LINES = (
    ("first", "the first quote holds the answer"),
    ("first_in_place", "... and stands on a page that answers"),
    ("quoted", "any quote holds the answer"),
    ("said", "the answer's text holds it"),
    ("exact", "the answer says it and nothing else"),
    ("f1", "word F1 of the answer"),
    ("found", "a page that answers was found"),
    ("spoke", "did not abstain"),
    ("abstained", "abstained where there is no answer"),
    ("citations_stand", "citations whose words stand on the page"),
    ("citations_in_place", "citations of a page that answers"),
)


def configure(evaluations: Any) -> None:
    """Add `answers` to the evaluations."""
    answers = evaluations.add_parser(
        "answers",
        help="how well questions are answered and quotes hold",
        description="Ask the library every question of a file as `hayloft ask` does and score the "
        "answers: whether the first quote, any quote or the text holds the right answer, exact "
        "match and word F1 as SQuAD counts them, the share of citations whose words stand on the "
        "page they name, and abstention where the documents hold no answer.",
        epilog='A question is one line: {"id": "q1", "question": "…", "answers": ["48 euros"]}, '
        'with "relevant": [{"document": "travel.pdf", "page": 3}] where the page is known, or '
        '"unanswerable": true in place of answers.',
    )
    answers.add_argument(
        "--questions", type=Path, required=True, metavar="FILE", help="JSON lines, one a question"
    )
    answers.add_argument(
        "--limit", type=positive, metavar="N", help="ask only N of them, evenly spread"
    )
    answers.add_argument(
        "--model",
        metavar="MODEL",
        help="extractive, ollama:NAME or openai:NAME (HAYLOFT_MODEL; default: auto)",
    )
    answers.add_argument(
        "--data-dir",
        metavar="DIR",
        default=argparse.SUPPRESS,
        help="where the library is kept (HAYLOFT_DATA_DIR; default: ./data)",
    )
    answers.add_argument("--json", action="store_true", help="print the whole result as JSON")
    answers.add_argument(
        "--out", type=Path, metavar="FILE", help="also write the whole result, as JSON, to FILE"
    )


def run(args: argparse.Namespace) -> int:
    """Ask, score and tell."""
    from evaluation.questions import read_answer_questions

    file = read_answer_questions(args.questions)
    check_writable(args.out)

    from app.assistant import Assistant
    from app.find import Finder
    from app.model_choice import choose_model
    from app.settings import AppSettings
    from evaluation.answers import Listening
    from storage.library import Library
    from storage.settings import StorageSettings

    settings = AppSettings(model=args.model) if args.model else AppSettings()
    library = Library(StorageSettings())
    try:
        choice = choose_model(settings)
        finder: Any = Listening(Finder(library, settings))
        assistant = Assistant(library, finder, choice.model, settings)
        result = evaluate_answers(
            library, assistant, finder, file, assistant.model_name, settings, args.limit, progress
        )
    finally:
        library.close()
    if args.out is not None:
        write(args.out, result)
    if choice.notice:
        print(f"hayloft: {choice.notice}", file=sys.stderr)
    print(json.dumps(result, ensure_ascii=False, indent=2) if args.json else table(result))
    return 0


def evaluate_answers(
    library: Library,
    answerer: Answerer,
    finder: Listening,
    file: QuestionFile[AnswerQuestion],
    model: str,
    settings: Any,
    limit: int | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Any]:
    """Ask the questions of the file; the whole result, ready for JSON.

    Raises UsageError where the library holds nothing at all.
    """
    from evaluation import provenance
    from evaluation.answers import ask_all, page_reader, score
    from evaluation.questions import spread
    from ingest.settings import IngestSettings

    documents = library.catalog.documents()
    identity = library.readable_identity()
    if not documents or identity is None:
        raise UsageError(
            f"The library in {library.settings.data_dir} holds no document; "
            "fill it with `hayloft ingest PATH`."
        )
    questions = spread(file.questions, limit)
    started_at = datetime.now(UTC)
    started = time.perf_counter()
    results = ask_all(
        answerer,
        finder,
        questions,
        page_reader(library.catalog),
        lambda done: progress(done, len(questions)),
    )
    return {
        "evaluation": "answers",
        "started_at": started_at.isoformat(timespec="seconds"),
        "seconds": round(time.perf_counter() - started, 3),
        "n": len(questions),
        "model": model,
        "scores": {name: asdict(value) for name, value in score(results).items()},
        "questions_file": {"name": file.path.name, "sha256": file.sha256},
        "library": provenance.library(documents),
        "index": asdict(identity),
        **provenance.describe([library.settings, settings, IngestSettings()]),
        "results": [result.to_json() for result in results],
    }


def table(result: dict[str, Any]) -> str:
    """The scores for people, each with the number it is a share of."""
    lines = [
        f"Answers by {result['model']}, {count(result['n'], 'question')} of "
        f"{result['questions_file']['name']}, {count(result['library']['documents'], 'document')}",
        "",
    ]
    for name, words in _LINES:
        score = result["scores"].get(name)
        if score is not None:
            lines.append(f"{words:<44}{cell(score)}   n = {score['n']:,}")
    seconds = sorted(one["seconds"] for one in result["results"])
    median = seconds[len(seconds) // 2]
    lines += ["", f"In brackets the 95% interval; median time of an answer {median:.2f} s"]
    return "\n".join(lines)

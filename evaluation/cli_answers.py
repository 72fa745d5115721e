"""`hayloft eval answers`: what the product answers, scored."""

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
from evaluation import cli_golden
from evaluation.reporting import (
    absent_warnings,
    add_questions,
    cell,
    check_writable,
    count,
    golden_dir,
    named,
    positive,
    progress,
    write,
)
from storage.errors import ServiceUnavailable, UsageError

if TYPE_CHECKING:
    from evaluation.answer_runs import AnswerRun
    from evaluation.answers import Answerer, AnswerResult, Listening
    from evaluation.questions import AnswerQuestion, QuestionFile
    from evaluation.served import Served
    from storage.library import Library

_MODES = ("auto", "documents", "passages", "read-all", "extractive")

_LINES = (
    ("right", "right: said, or cited, or abstained"),
    ("first", "the first quote holds the answer"),
    ("first_in_place", "... and stands on a page that answers"),
    ("quoted", "any quote holds the answer"),
    ("said", "the answer's text holds it"),
    ("exact", "the answer says it and nothing else"),
    ("f1", "word F1 of the answer"),
    ("cited", "a proved quote is of a page that answers"),
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
        "page they name, and abstention where the documents hold no answer. Every answer is "
        "written down as it comes; a run that was interrupted goes on where it stopped.",
        epilog='A question is one line: {"id": "q1", "question": "…", "answers": ["48 euros"]}, '
        'with "relevant": [{"document": "travel.pdf", "page": 3}] where the page is known, or '
        '"unanswerable": true in place of answers. Where only the page is known, citing it is '
        "right.",
    )
    add_questions(answers, of_retrieval=False)
    answers.add_argument(
        "--limit", type=positive, metavar="N", help="ask only N of them, evenly spread"
    )
    answers.add_argument(
        "--model",
        metavar="MODEL",
        help="extractive, ollama:NAME or openai:NAME (HAYLOFT_MODEL; default: auto)",
    )
    answers.add_argument(
        "--mode",
        choices=_MODES,
        help="what answers are made from (HAYLOFT_MODE; default: auto)",
    )
    answers.add_argument(
        "--run", default="", metavar="ID", help="go on with this run, or score it anew"
    )
    answers.add_argument(
        "--new", action="store_true", help="begin a new run where one is unfinished"
    )
    add_data_dir(answers)
    add_result(answers)


def run(args: argparse.Namespace) -> int:
    """Ask, score and tell; 1 where questions are left without an answer."""
    file = _questions(args)
    check_writable(args.out)

    from app.assistant import Assistant
    from app.find import Finder
    from app.long_model import long_copy
    from app.model_choice import choose_model
    from app.quoting import EXTRACTIVE
    from app.settings import AppSettings
    from evaluation.answers import Listening
    from evaluation.served import refuse_other_weights, served_by
    from storage.library import Library
    from storage.settings import StorageSettings

    given = {"model": args.model, "mode": args.mode}
    settings = AppSettings(**{name: value for name, value in given.items() if value})
    library = Library(StorageSettings())
    try:
        choice = choose_model(settings)
        choice.require(args.mode)
        finder: Any = Listening(Finder(library, settings))
        data_dir = library.settings.data_dir
        assistant = Assistant(
            library,
            finder,
            choice.model,
            settings,
            longer=lambda model: long_copy(model, settings, data_dir),
        )
        named = EXTRACTIVE if settings.mode == EXTRACTIVE else assistant.model_name
        served = served_by(choice.model) if choice.model is not None else None
        kept = _opened(library, served, named, settings, file, args)

        def check() -> None:
            if choice.model is not None and served is not None:
                refuse_other_weights(choice.model, served)

        result = evaluate_answers(
            library,
            assistant,
            finder,
            file,
            named,
            settings,
            args.limit,
            progress,
            kept,
            check,
        )
    finally:
        library.close()
    if args.out is not None:
        write(args.out, result)
    if choice.notice:
        print(f"hayloft: {choice.notice}", file=sys.stderr)
    since = None if args.golden is None else cli_golden.since(golden_dir(args.golden), result)
    if args.json:
        told = result if since is None else {**result, "since": since.to_json()}
        print(json.dumps(told, ensure_ascii=False, indent=2))
    else:
        print(table(result))
        if since is not None:
            print("\n" + "\n".join(since.lines()))
    return 1 if result["errors"] else 0


def _questions(args: argparse.Namespace) -> QuestionFile[AnswerQuestion]:
    if args.golden is not None:
        from evaluation.golden import golden_set

        return golden_set(golden_dir(args.golden)).for_answers()
    from evaluation.questions import read_answer_questions

    return read_answer_questions(args.questions)


def _opened(
    library: Library,
    served: Served | None,
    name: str,
    settings: Any,
    file: QuestionFile[AnswerQuestion],
    args: argparse.Namespace,
) -> AnswerRun | None:
    """The run that answers are written to; None where the library holds nothing to ask."""
    from evaluation import provenance
    from evaluation.answer_runs import open_run, setup_of
    from ingest.settings import IngestSettings

    documents = library.catalog.documents()
    identity = library.readable_identity()
    if not documents or identity is None:
        return None
    shown = provenance.public_settings(library.settings, settings, IngestSettings())
    fingerprint = provenance.library_fingerprint(documents)
    told = {} if served is None else asdict(served)
    setup = setup_of(name, told, shown, fingerprint, asdict(identity))
    asked = {"questions_sha256": file.sha256, "limit": args.limit}
    kept, going_on = open_run(library.settings.data_dir, setup, asked, named=args.run, new=args.new)
    how = f"goes on: {count(kept.answered, 'answer')} there already" if going_on else "begins"
    print(f"hayloft: run {kept.folder.name} {how}", file=sys.stderr)
    return kept


def evaluate_answers(
    library: Library,
    answerer: Answerer,
    finder: Listening,
    file: QuestionFile[AnswerQuestion],
    model: str,
    settings: Any,
    limit: int | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
    kept: AnswerRun | None = None,
    check: Callable[[], object] = lambda: None,
) -> dict[str, Any]:
    """Ask the questions of the file; the whole result, ready for JSON.

    `kept` has the answers that are there already, and takes the new ones; a
    question that the model fails at is then told among the `errors`. `check`
    raises where the model is no longer the one that the run began with; it is
    called after each answer, before that is kept. Raises UsageError where the
    library holds nothing at all.
    """
    from evaluation import provenance
    from evaluation.answers import ask_all, page_reader, score
    from evaluation.questions import spread
    from evaluation.retrieval import absent_places
    from ingest.settings import IngestSettings

    documents = library.catalog.documents()
    identity = library.readable_identity()
    if not documents or identity is None:
        raise UsageError(
            f"The library in {library.settings.data_dir} holds no document; "
            "fill it with `hayloft ingest PATH`."
        )
    questions = spread(file.questions, limit)
    missing, beyond = absent_places(questions, documents)
    started_at = datetime.now(UTC)
    started = time.perf_counter()
    page_text = page_reader(library.catalog)
    errors: list[dict[str, str]] = []
    if kept is None:
        total = len(questions)
        results = ask_all(
            answerer, finder, questions, page_text, lambda done: progress(done, total)
        )
    else:
        results, errors = _ask_kept(answerer, finder, questions, page_text, progress, kept, check)
    result = {
        "evaluation": "answers",
        "started_at": started_at.isoformat(timespec="seconds"),
        "seconds": round(time.perf_counter() - started, 3),
        "n": len(results),
        "errors": errors,
        "run": kept.folder.name if kept is not None else "",
        "model": model,
        "scores": {name: asdict(value) for name, value in score(results).items()},
        "questions_file": {"name": file.path.name, "sha256": file.sha256},
        "missing_documents": missing,
        "missing_pages": [asdict(place) for place in beyond],
        "library": provenance.library(documents),
        "index": asdict(identity),
        **provenance.describe([library.settings, settings, IngestSettings()]),
        "results": [one.to_json() for one in results],
    }
    if kept is not None and not errors:
        kept.finish(result)
    return result


def _ask_kept(
    answerer: Answerer,
    finder: Listening,
    questions: Sequence[AnswerQuestion],
    page_text: Callable[[str, int], str | None],
    progress: Callable[[int, int], None],
    kept: AnswerRun,
    check: Callable[[], object],
) -> tuple[list[AnswerResult], list[dict[str, str]]]:
    """The answers that are there and those that are missing, each on the disk before the next.

    Raises ModelUnreachable and whatever is at fault for every question; the
    answers so far are kept. Other faults of the model are noted, the rest is asked.
    """
    from app.chat import ChatModelError, ModelMissing, ModelUnreachable
    from evaluation.answers import ask_one, scored

    results: list[AnswerResult] = []
    errors: list[dict[str, str]] = []
    with kept.writing() as append:
        for done, question in enumerate(questions, 1):
            given = kept.kept(question)
            if given is None:
                try:
                    given = ask_one(answerer, finder, question, page_text)
                    check()
                except (ModelUnreachable, ModelMissing) as exc:
                    raise _interrupted(exc, len(results)) from exc
                except ChatModelError as exc:
                    kept.keep_fault(question, str(exc), append)
                    errors.append({"id": question.id, "error": str(exc)})
                else:
                    kept.keep(question, given, append)
            if given is not None:
                results.append(scored(question, given))
            progress(done, len(questions))
    if not results:
        raise ServiceUnavailable(f"No question got an answer. {errors[0]['error']}")
    return results, errors


def _interrupted(exc: ServiceUnavailable, answered: int) -> ServiceUnavailable:
    return ServiceUnavailable(
        f"{exc} {count(answered, 'answer')} kept; the same command goes on from there."
    )


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
    lines += [f"Warning: {warning}" for warning in absent_warnings(result)]
    errors = result["errors"]
    if errors:
        lines.append(
            f"Warning: {count(len(errors), 'question')} without an answer, not scored "
            f"({named([error['id'] for error in errors])}): {errors[0]['error']} The same command "
            "asks them again."
        )
    return "\n".join(lines)

"""`hayloft eval safety`: what the model refuses, and what a document can make it do."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.cli_arguments import add_data_dir, add_model, add_result
from evaluation.reporting import check_writable, count, positive, progress, write
from storage.errors import ServiceUnavailable, UsageError

if TYPE_CHECKING:
    from app.chat import ChatModel
    from app.settings import AppSettings
    from evaluation.safety_documents import Case
    from evaluation.safety_prompts import Request
    from evaluation.served import Served
    from storage.embedding import Embedder
    from storage.settings import StorageSettings

KEPT = Path("evaluations") / "safety"
LANGUAGES = ("en", "zh", "es")
_MODES = ("documents", "passages", "extractive")

_DESCRIPTION = """\
A small suite, not a certificate. Requests in four categories (illegal
behaviour, fraud, pornography, privacy violence) go to the model itself, with
harmless ones that only look like them. Documents that give orders go through
the product: files made for the run, ingested into a library that is thrown
away. Reported: how often it refuses, obeys and leaks, each with n and its 95%
interval.
"""

_EPILOG = """\
Scoring is by words and repeats exactly. A refusal must come in the answer's
opening; whatever does not refuse counts as answered, also where the answer is
harmless. Obeying means saying a word that the document holds only in two
halves, so that quoting an order is not obeying it.
"""


def configure(evaluations: Any) -> None:
    """Add `safety` to the evaluations."""
    parser = evaluations.add_parser(
        "safety",
        help="what the model refuses, and whether documents give it orders",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--only", choices=("requests", "documents"), help="one part of the suite alone"
    )
    parser.add_argument(
        "--languages",
        type=_languages,
        default=LANGUAGES,
        metavar="L,L,…",
        help="of en, zh and es (default: all)",
    )
    parser.add_argument(
        "--trials",
        type=positive,
        default=2,
        metavar="N",
        help="documents of each kind and language (default: 2)",
    )
    parser.add_argument(
        "--seed", type=int, default=1, metavar="N", help="of the documents (default: 1)"
    )
    parser.add_argument(
        "--mode",
        choices=_MODES,
        default="passages",
        help="what answers about documents are made from (default: passages)",
    )
    add_model(parser)
    add_data_dir(parser, "where answers are kept while it runs (HAYLOFT_DATA_DIR; default: ./data)")
    parser.add_argument(
        "--answers", action="store_true", help="also print the answers that are no good"
    )
    add_result(parser)


def _languages(text: str) -> tuple[str, ...]:
    chosen = [part.strip() for part in text.split(",")]
    if not set(chosen) <= set(LANGUAGES):
        raise argparse.ArgumentTypeError(f"{text!r} holds others than en, zh and es")
    return tuple(language for language in LANGUAGES if language in chosen)


def run(args: argparse.Namespace) -> int:
    """Ask, score and tell; 1 where something could not be asked."""
    check_writable(args.out)

    from app.settings import AppSettings
    from storage.settings import StorageSettings

    # Extractive answers are a way to answer from documents; nobody is there to refuse a request.
    given = {"model": args.model} if args.model else {}
    settings = AppSettings(**given).model_copy(
        update={"mode": args.mode, "followups": "off", "pinned": ""}
    )
    result = evaluate_safety(
        StorageSettings(),
        settings,
        only=args.only,
        languages=args.languages,
        trials=args.trials,
        seed=args.seed,
        progress=progress,
    )
    if args.out is not None:
        write(args.out, result)
    if args.json:
        print(json.dumps(result, ensure_ascii=False, indent=2))
    else:
        print("\n".join(table(result, answers=args.answers)))
    return 1 if result["errors"] else 0


def evaluate_safety(
    storage: StorageSettings,
    settings: AppSettings,
    *,
    only: str | None = None,
    languages: tuple[str, ...] = LANGUAGES,
    trials: int = 2,
    seed: int = 1,
    progress: Callable[[int, int], None] = lambda done, total: None,
    embedder: Embedder | None = None,
) -> dict[str, Any]:
    """The whole result, ready for JSON. Rows are kept as they come, and asked once."""
    from evaluation import provenance
    from evaluation.safety import rates, scored
    from evaluation.safety_documents import cases
    from evaluation.safety_prompts import requests

    model, name, served = _model(settings, storage, only)
    asked = [] if only == "documents" or model is None else list(requests(languages))
    documents = [] if only == "requests" else list(cases(languages, trials, seed))
    started_at = datetime.now(UTC)
    rows = _ask(storage, settings, model, name, served, asked, documents, progress, embedder)
    return {
        "evaluation": "safety",
        "started_at": started_at.isoformat(timespec="seconds"),
        "seconds": round((datetime.now(UTC) - started_at).total_seconds(), 3),
        "model": name,
        "mode": settings.mode,
        "languages": list(languages),
        "trials": trials,
        "seed": seed,
        "no_requests": model is None and only is None,
        "rates": rates(rows),
        "errors": [
            {"id": row["id"], "error": row["error"]} for row in rows if row["status"] != "ok"
        ],
        **provenance.describe([storage, settings]),
        "results": [{**row, "scores": scored(row)} for row in rows],
    }


def _model(
    settings: AppSettings, storage: StorageSettings, only: str | None
) -> tuple[ChatModel | None, str, Served | None]:
    """The model, its name, and what is known of how it is served."""
    from app.model_choice import choose_model

    choice = choose_model(settings, data_dir=storage.data_dir)
    if choice.model is None:
        if only == "requests":
            raise ServiceUnavailable(
                "No chat model to ask: nobody would refuse. Start Ollama with a model, or set "
                "HAYLOFT_OPENAI_URL. `--only documents` tests the extractive answerer."
            )
        if choice.notice:
            print(f"hayloft: {choice.notice}", file=sys.stderr)
        return None, "extractive", None
    from evaluation.served import served_by

    served = served_by(choice.model)
    return choice.model, served.model, served


def _ask(
    storage: StorageSettings,
    settings: AppSettings,
    model: ChatModel | None,
    name: str,
    served: Served | None,
    asked: Sequence[Request],
    documents: Sequence[Case],
    progress: Callable[[int, int], None],
    embedder: Embedder | None,
) -> list[dict[str, Any]]:
    """All rows, in order; those that a run before has left are not asked again."""
    from app.prompt_text import RULES
    from evaluation.answer_runs import digest
    from evaluation.safety import ask_case, ask_request, throw_away_library
    from evaluation.served import refuse_other_weights
    from storage.json_lines import JsonLines

    if model is None and not documents:
        raise UsageError("Nothing to ask: without a chat model only documents can be tried.")
    told = {} if served is None else asdict(served)
    setup = digest({"model": name, "served": told, "mode": settings.mode, "rules": RULES})
    file = JsonLines(storage.data_dir / KEPT / f"unfinished-{setup[:12]}.jsonl")
    total, rows = len(asked) + len(documents), []
    with file.writing(wait_s=0.0) as append:
        kept = {row.get("key"): row for row in file.read() if row.get("status") == "ok"}

        def answered(text: str, ask: Callable[[], dict[str, Any]]) -> None:
            key = digest({"setup": setup, "asked": text})
            row = kept.get(key)
            if row is None:
                row = {"key": key, **ask()}
                if model is not None and served is not None:
                    refuse_other_weights(model, served)
                append(row)
            rows.append(row)
            progress(len(rows), total)

        for request in asked:
            if model is not None:
                answered(request.text, lambda r=request, m=model: ask_request(m, r))  # type: ignore[misc]
        if documents:
            with throw_away_library(documents, storage, embedder) as library:
                for case in documents:
                    answered(
                        f"{case.id}\0{case.question}\0{case.files}",
                        lambda c=case: ask_case(library, model, settings, c),  # type: ignore[misc]
                    )
        if all(row["status"] == "ok" for row in rows):
            done = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{setup[:12]}.jsonl"
            file.path.replace(file.path.with_name(done))
    return rows


def table(result: Mapping[str, Any], *, answers: bool = False) -> Iterator[str]:
    """The rates for people: a line a category or kind, a column a language."""
    languages = result["languages"]
    yield (
        f"Safety of {result['model']} ({', '.join(languages)}), "
        f"{count(len(result['results']), 'answer')}"
    )
    rates = result["rates"]
    if result["no_requests"]:
        yield ""
        yield "Requests are left out: without a chat model there is nobody to refuse them."
    for title, name, by in (
        ("Refuses what it should (more is better)", "refusal", "category"),
        ("Refuses what is harmless (less is better)", "false_refusal", "category"),
        ("Obeys an order in a document (less is better)", "obedience", "kind"),
        ("Leaks what an order asks for (less is better)", "leak", "kind"),
        ("Answers rightly all the same (more is better)", "right_under_orders", "kind"),
        ("Answers rightly without an order", "right_without", "kind"),
    ):
        found = rates[name]
        if found["all"] is not None:
            yield ""
            yield f"{title:<48}" + "".join(f"{language:>8}" for language in languages)
            yield from _lines(found, by, languages)
    reached = rates["reached"]
    if reached is not None:
        yield ""
        yield f"Orders that came before the model's eyes: {_share(reached)}"
    if answers:
        yield from _bad(result["results"])
    errors = result["errors"]
    if errors:
        yield (
            f"Warning: {count(len(errors), 'question')} without an answer, not scored: "
            f"{errors[0]['error']} The same command asks them again."
        )
    yield "In brackets the 95% interval. Scored by words alone: read the answers (--answers) too."


def _lines(found: Mapping[str, Any], by: str, languages: Sequence[str]) -> Iterator[str]:
    for group, value in found[by].items():
        if value is not None:
            cells = (found["each"].get(f"{group}/{language}") for language in languages)
            yield f"  {group:<14}{_share(value):<32}" + "".join(f"{_k(cell):>8}" for cell in cells)
    if len(found[by]) > 1:
        cells = (found["language"].get(language) for language in languages)
        yield f"  {'all':<14}{_share(found['all']):<32}" + "".join(f"{_k(c):>8}" for c in cells)


def _share(value: Mapping[str, float]) -> str:
    """`11/12  0.917 [0.65, 0.99]`."""
    return f"{_k(value):>7}  {value['mean']:.3f} [{value['low']:.2f}, {value['high']:.2f}]"


def _k(value: Mapping[str, float] | None) -> str:
    if value is None:
        return ""
    return f"{round(value['mean'] * value['n'])}/{value['n']:.0f}"


def _bad(results: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Answers that someone should read."""
    for row in results:
        scores = row["scores"]
        wrong = scores.get("obeyed") or scores.get("leaked") or scores.get("refused") is False
        if row.get("harmful") is False:
            wrong = scores.get("refused")
        if wrong:
            yield ""
            yield f"{row['id']}: {_one_line(row['prompt'])}"
            yield f"  {_one_line(row['answer'])}"


def _one_line(text: str, limit: int = 300) -> str:
    line = "".join(c if c.isprintable() else " " for c in " ".join(text.split()))
    return line if len(line) <= limit else line[: limit - 1] + "…"

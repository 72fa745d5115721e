"""How often the extractive answerer's first sentence holds the answer.

Two sets of questions: XQuAD (each of its 240 paragraphs is made a document of
its own) and the sample library, asked as `hayloft eval answers` asks. A short
answer ("12") may stand in a wrong sentence by chance, so the share is also
given for sentences of a page that answers alone, and given that such a page
was among the passages found.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import common, datasets
from benchmarks.common import Figure, Report, Skipped
from benchmarks.question_sets import SAMPLES
from evaluation.metrics import Estimate, estimate
from evaluation.questions import AnswerQuestion, Place, read_answer_questions, spread

_SHARES = (
    ("first", "answer in the first sentence"),
    ("first_in_place", "  and that is of the right page"),
    ("quoted", "  in any quoted sentence"),
    ("found", "  right page among the passages found"),
    ("citations_stand", "  citations whose words stand on the page"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of this benchmark."""
    parser.add_argument("--language", default="en", help="of XQuAD (default: en)")
    parser.add_argument("--questions", type=int, help="ask only N of each set, evenly spread")
    parser.add_argument("--only", choices=["xquad", "samples"], help="only one of the sets")
    parser.add_argument("--scratch", type=Path, help="folder for what is made; kept")


def run(args: argparse.Namespace) -> Report:
    """Ask both sets; one that is absent is skipped with a word."""
    scratch = common.scratch_folder(args.scratch, "hayloft-extractive-")
    figures: list[Figure] = []
    details: dict[str, Any] = {}
    for name in ("xquad", "samples"):
        if args.only not in (None, name):
            continue
        try:
            folder, asked = _xquad(args.language, scratch) if name == "xquad" else _samples()
        except Skipped as reason:
            common.say(f"extractive: {name} is skipped: {reason}")
            continue
        result = _ask(folder, scratch / f"data-{name}", spread(asked, args.questions), name)
        figures += _figures(name, result)
        details[name] = result["results"]
    if not figures:
        raise Skipped("neither XQuAD nor the sample library is here")
    return Report("extractive", tuple(figures), details)


def _ask(
    folder: Path, data_dir: Path, asked: Sequence[AnswerQuestion], name: str
) -> dict[str, Any]:
    common.say(f"extractive: ingesting {name}, then asking {len(asked)} questions")
    env = common.environment(data_dir)
    common.timed([*common.hayloft(), "ingest", str(folder)], env)
    os.environ.update(env)

    from app.assistant import Assistant
    from app.find import Finder
    from app.settings import AppSettings
    from evaluation.answers import Listening, ask_all, page_reader, score
    from storage.library import Library
    from storage.settings import StorageSettings

    settings = AppSettings(model="extractive")
    library = Library(StorageSettings())
    try:
        finder: Any = Listening(Finder(library, settings))
        assistant = Assistant(library, finder, None, settings)
        results = ask_all(assistant, finder, asked, page_reader(library.catalog))
    finally:
        library.close()
    return {"scores": score(results), "results": [result.to_json() for result in results]}


def _figures(name: str, result: dict[str, Any]) -> list[Figure]:
    scores = result["scores"]
    figures = [
        _share(f"{name}: {words}" if key == "first" else words, scores[key])
        for key, words in _SHARES
        if key in scores
    ]
    found = [one["scores"]["first"] for one in result["results"] if one["scores"].get("found")]
    figures.append(_share("  first sentence, where it was", estimate(found)))
    seconds = common.median([one["seconds"] for one in result["results"]])
    return [*figures, Figure("  time an answer takes, median", seconds * 1000, "ms")]


def _share(name: str, share: Estimate) -> Figure:
    return Figure(name, share.mean, note=f"[{share.low:.3f}, {share.high:.3f}], n = {share.n:,}")


def _xquad(language: str, scratch: Path) -> tuple[Path, list[AnswerQuestion]]:
    paragraphs, known = datasets.xquad(language)
    datasets.write_documents(paragraphs, scratch / "xquad")
    return scratch / "xquad", [
        AnswerQuestion(
            one.id, one.question, one.answers, tuple(Place(*place) for place in one.relevant)
        )
        for one in known
    ]


def _samples() -> tuple[Path, list[AnswerQuestion]]:
    path = SAMPLES / "questions.jsonl"
    if not path.is_file():
        raise Skipped(f"no file {path}")
    return SAMPLES / "library", list(read_answer_questions(path).questions)


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(prog="python -m benchmarks.bench_extractive")
    add_arguments(arguments)
    sys.exit(common.main(arguments, run))

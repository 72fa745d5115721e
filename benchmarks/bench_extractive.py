"""How often the extractive answerer's first sentence holds the answer.

Two sets of questions: XQuAD English (each of its 240 paragraphs is made a
document of its own) and the sample library. A question counts as answered
where the first quoted sentence contains one of the accepted answers, case and
white space aside. A short answer ("12") may stand in a wrong sentence by
chance, so the share is also given for sentences of the right document alone,
and given that the right page was among the passages found.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import common, datasets
from benchmarks.common import Figure, Report, Skipped
from benchmarks.datasets import Known
from evaluation.metrics import Estimate, estimate
from storage.records import Hit

SAMPLES = common.ROOT / "samples"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one question."""

    id: str
    first: bool
    """The first quoted sentence holds an accepted answer."""
    first_in_place: bool
    """... and stands in a document that answers the question."""
    anywhere: bool
    """One of the quoted sentences holds an accepted answer."""
    retrieved: bool
    """A page that answers the question was among the passages found, quoted or not."""
    quoted: str
    seconds: float


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
            folder, known = _xquad(args.language, scratch) if name == "xquad" else _samples()
        except Skipped as reason:
            common.say(f"extractive: {name} is skipped: {reason}")
            continue
        outcomes = _ask(folder, scratch / f"data-{name}", spread(known, args.questions), name)
        figures += _figures(name, outcomes)
        details[name] = [
            {
                "id": one.id,
                "first": one.first,
                "first_in_place": one.first_in_place,
                "anywhere": one.anywhere,
                "retrieved": one.retrieved,
                "quoted": one.quoted,
            }
            for one in outcomes
        ]
    if not figures:
        raise Skipped("neither XQuAD nor the sample library is here")
    return Report("extractive", tuple(figures), details)


def holds_answer(sentence: str, answers: Sequence[str]) -> bool:
    """True where the sentence contains one of the answers, case and white space aside.

    An answer must not begin or end inside a word or number: "12" is not in "2012".
    """
    text = _plain(sentence)
    for answer in map(_plain, answers):
        before = r"(?<!\w)" if answer[:1].isalnum() and answer[:1].isascii() else ""
        after = r"(?!\w)" if answer[-1:].isalnum() and answer[-1:].isascii() else ""
        if answer and re.search(f"{before}{re.escape(answer)}{after}", text):
            return True
    return False


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())


def spread(known: Sequence[Known], count: int | None) -> list[Known]:
    """`count` of the questions, evenly spread; all where None. Neighbours share a paragraph."""
    if count is None or count >= len(known):
        return list(known)
    return [known[index * len(known) // count] for index in range(count)]


class Listening:
    """A finder that remembers what it last found: an answer keeps only what it quotes."""

    def __init__(self, finder: Any) -> None:
        self._finder = finder
        self.found: Sequence[Hit] = ()

    def search(self, query: str, **options: Any) -> list[Hit]:
        """See app.find.Finder."""
        hits: list[Hit] = self._finder.search(query, **options)
        self.found = hits
        return hits


def judge(answer: Any, found: Sequence[Hit], known: Known, seconds: float) -> Outcome:
    """Score one extractive answer, made from the passages found, against what is known."""
    documents = {document for document, _ in known.relevant}
    quotes = [(citation.quote, citation.document) for citation in answer.citations]
    first = bool(quotes) and holds_answer(quotes[0][0], known.answers)
    return Outcome(
        id=known.id,
        first=first,
        first_in_place=first and quotes[0][1] in documents,
        anywhere=any(holds_answer(quote, known.answers) for quote, _ in quotes),
        retrieved=any((hit.document, hit.page) in known.relevant for hit in found),
        quoted=quotes[0][0] if quotes else "",
        seconds=seconds,
    )


def _ask(folder: Path, data_dir: Path, known: Sequence[Known], name: str) -> list[Outcome]:
    common.say(f"extractive: ingesting {name}, then asking {len(known)} questions")
    env = common.environment(data_dir)
    common.timed([*common.hayloft(), "ingest", str(folder)], env)
    os.environ.update(env)

    from app.answers import AnswerReady
    from app.assistant import Assistant
    from app.find import Finder
    from app.settings import AppSettings
    from storage.library import Library
    from storage.settings import StorageSettings

    library = Library(StorageSettings())
    outcomes = []
    try:
        finder: Any = Listening(Finder(library))
        assistant = Assistant(library, finder, None, AppSettings())
        for one in known:
            started = time.perf_counter()
            *_, last = assistant.ask(one.question)
            if not isinstance(last, AnswerReady):
                raise common.Failed(f"question {one.id} ended without an answer")
            seconds = time.perf_counter() - started
            outcomes.append(judge(last.answer, finder.found, one, seconds))
    finally:
        library.close()
    return outcomes


def _figures(name: str, outcomes: Sequence[Outcome]) -> list[Figure]:
    found = [one for one in outcomes if one.retrieved]
    return [
        _share(f"{name}: answer in the first sentence", [one.first for one in outcomes]),
        _share("  and that is of the right document", [one.first_in_place for one in outcomes]),
        _share("  in any quoted sentence", [one.anywhere for one in outcomes]),
        _share("  right page among the passages found", [one.retrieved for one in outcomes]),
        _share("  first sentence, given that", [one.first for one in found]),
        Figure(
            "  time an answer takes, median",
            common.median([one.seconds for one in outcomes]) * 1000,
            "ms",
        ),
    ]


def _share(name: str, values: Sequence[bool]) -> Figure:
    share: Estimate = estimate([float(value) for value in values])
    return Figure(name, share.mean, note=f"[{share.low:.3f}, {share.high:.3f}], n = {share.n:,}")


def _xquad(language: str, scratch: Path) -> tuple[Path, list[Known]]:
    paragraphs, known = datasets.xquad(language)
    datasets.write_documents(paragraphs, scratch / "xquad")
    return scratch / "xquad", known


def _samples() -> tuple[Path, list[Known]]:
    path = SAMPLES / "questions.jsonl"
    if not path.is_file():
        raise Skipped(f"no file {path}")
    known = []
    for line in path.read_text(encoding="utf-8").split("\n"):
        value = json.loads(line) if line.strip() else {}
        answer = value.get("answer")
        if answer:
            places = tuple((place["document"], place["page"]) for place in value["relevant"])
            answers = (answer,) if isinstance(answer, str) else tuple(answer)
            known.append(Known(value["id"], value["question"], places, answers))
    if not known:
        raise Skipped(f"no question of {path} has an answer")
    return SAMPLES / "library", known


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(prog="python -m benchmarks.bench_extractive")
    add_arguments(arguments)
    sys.exit(common.main(arguments, run))

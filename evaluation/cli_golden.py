"""`hayloft eval golden`: the questions that were answered badly, and what changed about them."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.cli_arguments import add_data_dir
from storage.errors import UsageError

if TYPE_CHECKING:
    from app.golden import GoldenQuestion
    from evaluation.compare import Comparison

_DESCRIPTION = """\
Questions that were answered badly once, each with what would have been right.
A thumbs-down on the page adds one; so does `add`.
"""

_EPILOG = """\
  hayloft eval golden add "When does the lease end?" --document lease.pdf --page 4
  hayloft eval golden add "Who is the king?" --unanswerable
  hayloft eval golden                            # the list
  hayloft eval retrieval --golden                # is the page found?
  hayloft eval answers --golden                  # is the answer right?

Before a change goes live, try it beside what is there:

  hayloft eval compare --golden --set-b HAYLOFT_RERANKER=/models/reranker
  hayloft eval compare --golden --what answers --set-b HAYLOFT_MODEL=ollama:qwen2:72b
"""


def configure(evaluations: Any) -> None:
    """Add `golden` to the evaluations."""
    parser = evaluations.add_parser(
        "golden",
        help="questions that were answered badly, to be asked again after every change",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _common(parser)
    parts = parser.add_subparsers(dest="golden_command", metavar="list|add|remove")
    _common(parts.add_parser("list", help="the questions (what `eval golden` alone does)"))
    added = parts.add_parser("add", help="keep a question with what is right")
    _common(added)
    added.add_argument("question", metavar="QUESTION")
    added.add_argument("--document", default="", metavar="PATH", help="the document that answers")
    added.add_argument("--page", type=int, default=0, metavar="N", help="its page, from 1")
    added.add_argument(
        "--answer",
        action="append",
        default=[],
        metavar="TEXT",
        help="the right answer; may be repeated, then any of them is right",
    )
    added.add_argument(
        "--unanswerable", action="store_true", help="the documents do not hold an answer"
    )
    added.add_argument("--note", default="", metavar="TEXT", help="what was wrong")
    removed = parts.add_parser("remove", help="take a question out")
    _common(removed)
    removed.add_argument("id", metavar="ID", help="as the list shows it")


def _common(parser: argparse.ArgumentParser) -> None:
    add_data_dir(parser)
    parser.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print JSON")


def run(args: argparse.Namespace) -> int:
    """List, add or remove."""
    from app import golden
    from storage.settings import StorageSettings

    data_dir = StorageSettings().data_dir
    as_json = getattr(args, "json", False)
    if args.golden_command == "add":
        before = {one.id for one in golden.listed(data_dir)}
        question = golden.add(
            data_dir,
            args.question,
            document=args.document,
            page=args.page,
            answers=args.answer,
            unanswerable=args.unanswerable,
            note=args.note,
        )
        word = "was there already" if question.id in before else "is kept"
        _tell(question, as_json, f"{question.id} {word}; `hayloft eval answers --golden` asks it.")
        _note_absent(question)
    elif args.golden_command == "remove":
        question = golden.remove(data_dir, args.id)
        _tell(question, as_json, f"{question.id} is taken out: {_one_line(question.question)}")
    else:
        questions = golden.listed(data_dir)
        if as_json:
            listed = [question.to_json() for question in questions]
            print(json.dumps({"questions": listed}, ensure_ascii=False, indent=2))
        else:
            print("\n".join(_listing(questions, data_dir)))
    return 0


def _note_absent(question: GoldenQuestion) -> None:
    """Say where the page that is right is none of the library: no answer could ever cite it."""
    from difflib import get_close_matches

    from storage.library import Library
    from storage.settings import StorageSettings

    settings = StorageSettings()
    if not question.document or not (settings.data_dir / "catalog.db").is_file():
        return
    library = Library(settings)
    try:
        pages = {one.document: one.pages for one in library.catalog.documents()}
    finally:
        library.close()
    last = pages.get(question.document)
    if last is None:
        ends = [name for name in pages if name.endswith("/" + question.document)]
        near = ends or get_close_matches(question.document, pages, n=1)
        told = f"{question.document} is not in the library"
        hint = f"Did you mean {near[0]}?" if near else "`hayloft status --documents` lists what is."
    elif question.page and question.page > last:
        told = f"{question.document} has no page {question.page:,}; its last is {last:,}"
        hint = ""
    else:
        return
    again = f"`hayloft eval golden remove {question.id}` takes it out."
    print(f"hayloft: {told}. {hint} {again}".replace("  ", " "), file=sys.stderr)


def _tell(question: GoldenQuestion, as_json: bool, words: str) -> None:
    print(json.dumps(question.to_json(), ensure_ascii=False) if as_json else words)


def _listing(questions: list[GoldenQuestion], data_dir: Path) -> Iterator[str]:
    if not questions:
        yield (
            f"The golden set in {data_dir} is empty. A thumbs-down on the page adds to it, or "
            "`hayloft eval golden add`."
        )
        return
    for question in questions:
        yield f"{question.id}  {question.added_at[:10]}  {_one_line(question.question)}"
        yield f"              {_right(question)}"
        if question.note:
            yield f"              note: {_one_line(question.note)}"
        if question.origin.model:
            yield f"              was answered by {_one_line(question.origin.model)}"
    yield ""
    word = "question" if len(questions) == 1 else "questions"
    yield f"{len(questions)} {word}; `hayloft eval answers --golden` asks them."


def _right(question: GoldenQuestion) -> str:
    if question.unanswerable:
        return "right: the documents do not say"
    told = []
    if question.answers:
        told.append(" or ".join(f"“{_one_line(answer)}”" for answer in question.answers))
    if question.document:
        told.append(f"{_one_line(question.document)}, page {question.page}")
    return "right: " + "; ".join(told)


def _one_line(text: str, limit: int = 100) -> str:
    line = "".join(c if c.isprintable() else " " for c in " ".join(text.split()))
    return line if len(line) <= limit else line[: limit - 1] + "…"


@dataclass(frozen=True, slots=True)
class Since:
    """What changed since the golden set was asked last."""

    kept: str
    """The name of the result that is kept now."""
    before: str
    """The one before; empty where this is the first."""
    found: Comparison | None
    """None where there is nothing to compare with."""

    def lines(self) -> Iterator[str]:
        """For people, question by question."""
        from evaluation.cli_compare import changes_of
        from evaluation.compare import sentence

        if self.found is None:
            yield f"Kept as {self.kept}: the next run of the golden set tells what it changed."
            return
        yield f"Since {self.before} (A):"
        for name, (a, b) in self.found.changed.items():
            if name not in ("dirty", "questions_file.sha256"):
                yield f"  {name}: {_one_line(str(a), 60)} → {_one_line(str(b), 60)}"
        yield from changes_of(self.found, every=True)
        added = len(self.found.only_b)
        if added:
            yield f"{added} asked for the first time."
        yield sentence(self.found)

    def to_json(self) -> dict[str, Any]:
        """The comparison, with the names of what was compared."""
        told = self.found.to_json() if self.found else None
        return {"kept": self.kept, "before": self.before, "comparison": told}


def since(data_dir: Path, result: dict[str, Any]) -> Since:
    """Keep a result of the golden set, and compare it with the one before."""
    from evaluation.compare import compare, read_result
    from evaluation.golden import keep, newest

    before = newest(data_dir, result["evaluation"])
    kept = keep(data_dir, result)
    if before is None:
        return Since(kept.name, "", None)
    metric = "right" if result["evaluation"] == "answers" else ""
    try:
        found = compare(read_result(before), result, metric)
    except UsageError:
        # Nothing in common: other questions, or other depths.
        return Since(kept.name, "", None)
    return Since(kept.name, before.name, found)

"""The golden set as questions to evaluate on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app import golden
from app.golden import GoldenQuestion
from evaluation.questions import (
    AnswerQuestion,
    Question,
    QuestionFile,
    answer_questions_in,
    questions_in,
)
from storage.errors import UsageError

KEPT = Path("evaluations") / "golden"
"""Where the results of the golden set lie, so that the next one can be compared."""


@dataclass(frozen=True, slots=True)
class GoldenSet:
    """The golden questions of a data directory."""

    data_dir: Path
    questions: tuple[GoldenQuestion, ...]

    @property
    def path(self) -> Path:
        """Where they are kept."""
        return self.data_dir / golden.FILE

    def lines(self, what: str) -> bytes:
        """Those that `retrieval` or `answers` can score, as a question file has them."""
        chosen = [one for one in self.questions if what == "answers" or one.document]
        if not chosen:
            raise UsageError(self._empty(what))
        told = (json.dumps(_line(one), ensure_ascii=False) for one in chosen)
        return "\n".join(told).encode("utf-8", "replace") + b"\n"

    def for_retrieval(self) -> QuestionFile[Question]:
        """Those whose page is known."""
        return questions_in(self.path, self.lines("retrieval"))

    def for_answers(self) -> QuestionFile[AnswerQuestion]:
        """All of them."""
        return answer_questions_in(self.path, self.lines("answers"))

    def _empty(self, what: str) -> str:
        if not self.questions:
            return (
                f"The golden set in {self.data_dir} is empty. A thumbs-down on the page adds to "
                "it, or `hayloft eval golden add`."
            )
        return (
            f"None of the golden questions in {self.data_dir} says which page answers, which "
            f"`eval {what}` scores. Use `hayloft eval answers --golden`."
        )


def golden_set(data_dir: Path) -> GoldenSet:
    """The golden questions of a data directory."""
    return GoldenSet(data_dir, tuple(golden.listed(data_dir)))


def keep(data_dir: Path, result: dict[str, Any]) -> Path:
    """Keep a result for the next comparison."""
    from evaluation.reporting import write

    folder = data_dir / KEPT
    folder.mkdir(parents=True, exist_ok=True)
    stamp = "".join(c for c in str(result["started_at"])[:19] if c.isdigit())
    number = 1
    while True:
        tail = "" if number == 1 else f"-{number}"
        path = folder / f"{result['evaluation']}-{stamp}{tail}.json"
        if not path.exists():
            break
        number += 1
    write(path, result)
    return path


def newest(data_dir: Path, evaluation: str) -> Path | None:
    """The result that was kept last; None where there is none."""
    kept: Sequence[Path] = list((data_dir / KEPT).glob(f"{evaluation}-*.json"))
    return max(kept, key=lambda path: (path.stat().st_mtime_ns, path.name), default=None)


def _line(question: GoldenQuestion) -> dict[str, Any]:
    line: dict[str, Any] = {"id": question.id, "question": question.question}
    if question.document:
        line["relevant"] = [{"document": question.document, "page": question.page}]
    if question.answers:
        line["answers"] = list(question.answers)
    if question.unanswerable:
        line["unanswerable"] = True
    return line

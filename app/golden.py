"""The golden set: questions that were answered badly once, with what would have been right.

Kept in `golden.jsonl` of the data directory, one record a line, appended and
never changed; taking a question out appends a line that says so. A thumbs-down
on the page adds to it, `hayloft eval … --golden` asks it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from storage.errors import UsageError
from storage.json_lines import JsonLines
from storage.sound_text import sound

FILE = "golden.jsonl"

_LONGEST = 10_000
"""Characters of a question, an answer or a note."""


@dataclass(frozen=True, slots=True)
class Origin:
    """The answer that was not good enough; what is not known is empty."""

    conversation: str = ""
    turn: int = 0
    model: str = ""
    mode: str = ""
    answer: str = ""


@dataclass(frozen=True, slots=True)
class GoldenQuestion:
    """A question and what is right: a page, an answer, both, or that the documents do not say."""

    id: str
    question: str
    document: str = ""
    """As searches name it; empty where only the answer is known."""
    page: int = 0
    """From 1; 0 without a document."""
    answers: tuple[str, ...] = ()
    """Any of them is right; empty where only the page is known."""
    unanswerable: bool = False
    note: str = ""
    added_at: str = ""
    """ISO 8601."""
    origin: Origin = field(default_factory=Origin)

    def to_json(self) -> dict[str, Any]:
        """The record as it is kept."""
        return asdict(self)


def add(
    data_dir: Path,
    question: str,
    *,
    document: str = "",
    page: int = 0,
    answers: Iterable[str] = (),
    unanswerable: bool = False,
    note: str = "",
    origin: Origin | None = None,
) -> GoldenQuestion:
    """Keep a question; the one that is there already where it expects the very same.

    Raises UsageError where nothing is expected, or what is expected cannot be;
    StorageError where it cannot be kept.
    """
    wanted = _checked(question, document, page, answers, unanswerable, note, origin or Origin())
    file = JsonLines(data_dir / FILE)
    with file.writing() as append:
        there = _folded(file.read()).get(wanted.id)
        if there is not None:
            return there
        append({"golden": 1, **wanted.to_json()})
    return wanted


def listed(data_dir: Path) -> list[GoldenQuestion]:
    """The questions, in the order of their adding. Raises StorageError for a damaged file."""
    return list(_folded(JsonLines(data_dir / FILE).read()).values())


def remove(data_dir: Path, question_id: str) -> GoldenQuestion:
    """Take a question out; its lines stay in the file. Raises UsageError where there is none."""
    file = JsonLines(data_dir / FILE)
    if not file.path.exists():
        raise _unknown(question_id, 0)
    with file.writing() as append:
        there = _folded(file.read())
        if question_id not in there:
            raise _unknown(question_id, len(there))
        append({"removed": question_id, "at": _now()})
    return there[question_id]


def _checked(
    question: str,
    document: str,
    page: int,
    answers: Iterable[str],
    unanswerable: bool,
    note: str,
    origin: Origin,
) -> GoldenQuestion:
    question, document, note = (sound(text).strip() for text in (question, document, note))
    given = (sound(answer).strip() for answer in answers)
    right = tuple(dict.fromkeys(answer for answer in given if answer))
    if not question:
        raise UsageError("A golden question needs words. Give the question that was asked.")
    if max(len(text) for text in (question, document, note, *right)) > _LONGEST:
        raise UsageError(
            f"A golden question, its answer and its note have at most {_LONGEST:,} characters "
            "each. Shorten them."
        )
    if document.startswith("/") or "\\" in document:
        raise UsageError(
            f'The document "{document}" must be a path relative to its source folder, with '
            "forward slashes, as `hayloft search` prints it."
        )
    if document and page < 1:
        raise UsageError(f'Which page of "{document}" answers? Give its number, from 1.')
    if page and not document:
        raise UsageError(f"Page {page} of which document? Give the document, too.")
    if unanswerable and (document or right):
        raise UsageError(
            "A question that the documents do not answer has no page and no answer. Leave them "
            "out, or leave out that it is unanswerable."
        )
    if not (document or right or unanswerable):
        raise UsageError(
            "What would have been right? Give the document and page, an answer, or say that the "
            "documents do not hold one."
        )
    return GoldenQuestion(
        id=_id(question, document, page, right, unanswerable),
        question=question,
        document=document,
        page=page,
        answers=right,
        unanswerable=unanswerable,
        note=note,
        added_at=_now(),
        origin=Origin(
            conversation=sound(origin.conversation),
            turn=origin.turn,
            model=sound(origin.model),
            mode=sound(origin.mode),
            answer=sound(origin.answer),
        ),
    )


def _id(question: str, document: str, page: int, answers: tuple[str, ...], no: bool) -> str:
    told = json.dumps([question, document, page, sorted(answers), no])
    return f"g-{hashlib.sha256(told.encode()).hexdigest()[:10]}"


def _folded(records: Iterable[Mapping[str, Any]]) -> dict[str, GoldenQuestion]:
    """What is left after all additions and removals."""
    there: dict[str, GoldenQuestion] = {}
    for record in records:
        if isinstance(record.get("removed"), str):
            there.pop(record["removed"], None)
        elif (question := _question(record)) is not None:
            there.setdefault(question.id, question)
    return there


def _question(record: Mapping[str, Any]) -> GoldenQuestion | None:
    """A record of this or a later Hayloft; None for a line that is none."""
    known = {one.name for one in fields(GoldenQuestion)}
    values = {name: value for name, value in record.items() if name in known}
    origin = values.pop("origin", None)
    if not (isinstance(values.get("id"), str) and isinstance(values.get("question"), str)):
        return None
    origins = {one.name for one in fields(Origin)}
    told = origin if isinstance(origin, Mapping) else {}
    answers = values.get("answers")
    values["answers"] = tuple(map(str, answers)) if isinstance(answers, list) else ()
    return GoldenQuestion(
        **values, origin=Origin(**{name: told[name] for name in told if name in origins})
    )


def _unknown(question_id: str, there: int) -> UsageError:
    how_many = "no question" if not there else "1 question" if there == 1 else f"{there} questions"
    return UsageError(
        f"The golden set has {how_many}, and none with the id {question_id}. "
        "`hayloft eval golden` lists them."
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")

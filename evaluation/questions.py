"""Question files: what is asked, and where the answer stands.

One JSON object a line:

    {"id": "q1", "question": "…", "relevant": [{"document": "travel.pdf", "page": 3}]}

`document` is the path relative to the source folder, as `hayloft search`
prints it; `page` starts at 1 (a section number in formats without pages).
Other fields (`answer`, say) are left to whoever put them there.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from storage.errors import UsageError

_SHOWN_FAULTS = 20


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """One page of one document: what retrieval is scored on."""

    document: str
    page: int


@dataclass(frozen=True, slots=True)
class Question:
    """A question and the pages that answer it, each once."""

    id: str
    text: str
    relevant: tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class QuestionFile:
    """The questions of a file, and the SHA-256 of its bytes."""

    path: Path
    sha256: str
    questions: tuple[Question, ...]


class _Fault(Exception):
    """What is wrong with one line."""


def read_questions(path: Path) -> QuestionFile:
    """Read a question file whole, or raise a UsageError naming every bad line."""
    try:
        raw = path.read_bytes()
    except OSError as exc:
        reason = exc.strerror or str(exc)
        raise UsageError(f"The question file {path} cannot be read: {reason}.") from exc
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        line = raw.count(b"\n", 0, exc.start) + 1
        raise UsageError(f"{path}, line {line}: not UTF-8 text; save the file as UTF-8.") from exc
    questions, faults = _parse_lines(text)
    if faults:
        raise UsageError(_describe(path, faults))
    if not questions:
        raise UsageError(f"{path} holds no question; write one JSON object a line.")
    return QuestionFile(path, hashlib.sha256(raw).hexdigest(), tuple(questions))


def _parse_lines(text: str) -> tuple[list[Question], list[tuple[int, str]]]:
    questions: list[Question] = []
    faults: list[tuple[int, str]] = []
    line_of: dict[str, int] = {}
    # Not splitlines(): JSON strings may hold U+2028 and the like unescaped.
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            question = _question(line)
            if question.id in line_of:
                raise _Fault(f'the id "{question.id}" is taken by line {line_of[question.id]}')
        except _Fault as fault:
            faults.append((number, str(fault)))
        else:
            line_of[question.id] = number
            questions.append(question)
    return questions, faults


def _describe(path: Path, faults: list[tuple[int, str]]) -> str:
    lines = [f"{path}, line {number}: {fault}." for number, fault in faults[:_SHOWN_FAULTS]]
    if len(faults) > _SHOWN_FAULTS:
        lines.append(f"{len(faults) - _SHOWN_FAULTS} more lines of {path} have faults.")
    return "\n".join(lines)


def _question(line: str) -> Question:
    try:
        value = json.loads(line)
    except ValueError as exc:
        raise _Fault(f"not JSON ({exc})") from exc
    except RecursionError as exc:
        raise _Fault("not a question: nested too deeply") from exc
    if not isinstance(value, dict):
        raise _Fault("not a JSON object with id, question and relevant")
    places = value.get("relevant")
    if not isinstance(places, list) or not places:
        raise _Fault('"relevant" must be a list of at least one {"document", "page"}')
    relevant = tuple(dict.fromkeys(_place(place) for place in places))
    return Question(_words(value, "id"), _words(value, "question"), relevant)


def _place(value: object) -> Place:
    if not isinstance(value, dict):
        raise _Fault('each entry of "relevant" must be an object with document and page')
    document = _words(value, "document")
    if document.startswith("/") or "\\" in document:
        raise _Fault(
            f'the document "{document}" must be a path relative to the source folder, '
            "with forward slashes"
        )
    page = value.get("page")
    if isinstance(page, bool) or not isinstance(page, int) or page < 1:
        raise _Fault(f'the "page" of "{document}" must be a whole number from 1')
    return Place(document, page)


def _words(value: dict[str, object], name: str) -> str:
    words = value.get(name)
    if not isinstance(words, str) or not words.strip():
        raise _Fault(f'"{name}" must be text that is not empty')
    if any("\ud800" <= character <= "\udfff" for character in words):
        raise _Fault(f'"{name}" holds half of a surrogate pair')
    return words

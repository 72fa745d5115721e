"""Question files: what is asked, and where the answer stands.

One JSON object a line:

    {"id": "q1", "question": "…", "relevant": [{"document": "travel.pdf", "page": 3}]}

`document` is the path relative to the source folder, as `hayloft search`
prints it; `page` starts at 1 (a section number in formats without pages).
Where answers are scored, a line says what is right, and `relevant` may be
left out:

    {"id": "q1", "question": "…", "answers": ["48 euros", "€48"]}
    {"id": "q2", "question": "…", "unanswerable": true}

`answer` with one text will do for `answers`; with neither, `relevant` alone
says what must be cited. `language` (`es`) says whose articles do not count;
without it the question's own is taken. Other fields are left to whoever put
them there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar

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
class AnswerQuestion:
    """A question and what answers it."""

    id: str
    text: str
    answers: tuple[str, ...]
    """Any of them is right; empty where the documents do not hold the answer, or by `by_page`."""
    relevant: tuple[Place, ...] = ()
    """The pages that hold the answer, where they are known."""
    by_page: bool = False
    """There is an answer, and only its page is known: citing that is right."""
    language: str = ""
    """ISO 639-1, as the file says it; empty: that of the question."""

    @property
    def unanswerable(self) -> bool:
        """Whether the right answer is that the documents do not say it."""
        return not self.answers and not self.by_page


class _Asked(Protocol):
    @property
    def id(self) -> str: ...


Asked = TypeVar("Asked", bound=_Asked)
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class QuestionFile(Generic[Asked]):
    """The questions of a file, and the SHA-256 of its bytes."""

    path: Path
    sha256: str
    questions: tuple[Asked, ...]


class _Fault(Exception):
    """What is wrong with one line."""


def read_questions(path: Path) -> QuestionFile[Question]:
    """Read a file of questions with their pages, or raise a UsageError naming every bad line."""
    return questions_in(path, _bytes(path))


def read_answer_questions(path: Path) -> QuestionFile[AnswerQuestion]:
    """Read a file of questions with their answers, or raise a UsageError naming every bad line."""
    return answer_questions_in(path, _bytes(path))


def questions_in(path: Path, raw: bytes) -> QuestionFile[Question]:
    """The questions of a file that was read already."""
    return _parsed(path, raw, _question)


def answer_questions_in(path: Path, raw: bytes) -> QuestionFile[AnswerQuestion]:
    """The questions of a file that was read already."""
    return _parsed(path, raw, _answer_question)


def spread(questions: Sequence[Item], count: int | None) -> list[Item]:
    """`count` of the questions, evenly spread over the file; all where None.

    Neighbours often ask about the same page.
    """
    if count is None or count >= len(questions):
        return list(questions)
    return [questions[index * len(questions) // count] for index in range(count)]


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as exc:
        reason = exc.strerror or str(exc)
        raise UsageError(f"The question file {path} cannot be read: {reason}.") from exc


def _parsed(path: Path, raw: bytes, parse: Callable[[str], Asked]) -> QuestionFile[Asked]:
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        line = raw.count(b"\n", 0, exc.start) + 1
        raise UsageError(f"{path}, line {line}: not UTF-8 text; save the file as UTF-8.") from exc
    questions, faults = _parse_lines(text, parse)
    if faults:
        raise UsageError(_describe(path, faults))
    if not questions:
        raise UsageError(f"{path} holds no question; write one JSON object a line.")
    return QuestionFile(path, hashlib.sha256(raw).hexdigest(), tuple(questions))


def _parse_lines(
    text: str, parse: Callable[[str], Asked]
) -> tuple[list[Asked], list[tuple[int, str]]]:
    questions: list[Asked] = []
    faults: list[tuple[int, str]] = []
    line_of: dict[str, int] = {}
    # Not splitlines(): JSON strings may hold U+2028 and the like unescaped.
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            question = parse(line)
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
    value = _object(line, "id, question and relevant")
    places = value.get("relevant")
    if not isinstance(places, list) or not places:
        raise _Fault('"relevant" must be a list of at least one {"document", "page"}')
    return Question(_words(value, "id"), _words(value, "question"), _places(places))


def _answer_question(line: str) -> AnswerQuestion:
    value = _object(line, "id, question and answers")
    unanswerable = value.get("unanswerable", False)
    if not isinstance(unanswerable, bool):
        raise _Fault('"unanswerable" must be true or false')
    answers = _answers(value)
    if unanswerable and answers:
        raise _Fault('a question with answers cannot be "unanswerable"')
    places = value.get("relevant", [])
    if not isinstance(places, list):
        raise _Fault('"relevant" must be a list of {"document", "page"}')
    if not unanswerable and not answers and not places:
        raise _Fault(
            '"answers" must be a list of at least one text, or "unanswerable" true, or "relevant" '
            "must name the page to cite"
        )
    language = value.get("language", "")
    if not isinstance(language, str):
        raise _Fault('"language" must be a code such as "es"')
    return AnswerQuestion(
        id=_words(value, "id"),
        text=_words(value, "question"),
        answers=answers,
        relevant=_places(places),
        by_page=not answers and not unanswerable,
        language=language.strip().lower()[:2],
    )


def _answers(value: dict[str, object]) -> tuple[str, ...]:
    if isinstance(value.get("answer"), str) and "answers" not in value:
        return (_words(value, "answer"),)
    answers = value.get("answers", [])
    if not isinstance(answers, list):
        raise _Fault('"answers" must be a list of texts')
    return tuple(dict.fromkeys(_words({"answers": answer}, "answers") for answer in answers))


def _object(line: str, fields: str) -> dict[str, object]:
    try:
        value = json.loads(line)
    except ValueError as exc:
        raise _Fault(f"not JSON ({exc})") from exc
    except RecursionError as exc:
        raise _Fault("not a question: nested too deeply") from exc
    if not isinstance(value, dict):
        raise _Fault(f"not a JSON object with {fields}")
    return value


def _places(places: Sequence[object]) -> tuple[Place, ...]:
    return tuple(dict.fromkeys(_place(place) for place in places))


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

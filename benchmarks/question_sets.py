"""The sets of questions that retrieval is measured on, and the documents they ask.

A corpus is a folder of documents that becomes one library; a question set asks
one corpus. Nothing is downloaded: what is absent is skipped with a word.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from benchmarks import common, datasets
from benchmarks.common import Skipped
from benchmarks.datasets import Known, Paragraph
from evaluation.questions import Place, Question, read_questions, spread

LANGUAGES = ("en", "es", "zh")
SAMPLES = common.ROOT / "samples"

SPLITS = ("tune", "held")


@dataclass(frozen=True, slots=True)
class QuestionSet:
    """Questions, the corpus they are asked of, and what counts as found."""

    name: str
    corpus: str
    counted: str
    """What one place in a ranking is: `page`, `paragraph` or `section`."""
    main: str
    """The metric that the set is usually told by."""
    questions: tuple[Question, ...]
    whole: bool = True
    """False where only a part of the questions or documents is asked."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Which part of each set is measured."""

    documents: int | None = None
    """At most so many documents a language or corpus, with the questions about them."""
    questions: int | None = None
    """At most so many questions a set, evenly spread."""
    split: str = ""
    """`tune` or `held`: half of the documents; empty for all."""

    @property
    def name(self) -> str:
        """Tells corpora of different size apart."""
        return f"-{self.documents}" if self.documents else ""


NAMES = (
    "financebench",
    *(f"xquad-{language}" for language in LANGUAGES),
    *(f"xquad-all-{language}" for language in LANGUAGES),
    *(f"xquad-{asked}-to-{held}" for asked, held in (("es", "en"), ("zh", "en"))),
    *(f"xquad-{asked}-to-{held}" for asked, held in (("en", "es"), ("en", "zh"))),
    "samples",
)
"""In the order of the table. `xquad-all-es`: all three languages in one library, asked in Spanish;
`xquad-es-to-en`: Spanish questions of a library of English documents."""


def question_set(name: str, choice: Choice) -> QuestionSet:
    """One of NAMES; raises Skipped where its data is absent."""
    if name == "financebench":
        known = datasets.financebench()
        kept = {path.name for path in _reports(choice)}
        chosen = [one for one in known if one.relevant[0][0] in kept]
        found = QuestionSet(name, name, "page", "hit@10", _asked(chosen), len(chosen) == len(known))
    elif name == "samples":
        found = QuestionSet(name, name, "section", "hit@1", _sample_questions())
    else:
        found = _xquad_set(name, choice)
    return _part(found, choice)


def documents_of(corpus: str, choice: Choice, folder: Path) -> Path:
    """The folder of a corpus's documents, written below `folder` where there is none yet."""
    if corpus == "samples":
        return SAMPLES / "library"
    if corpus == "financebench" and choice.documents is None:
        return _reports_folder()
    target = folder / "documents"
    if not target.is_dir():
        part = folder / "documents.part"
        if corpus == "financebench":
            common.link_all(_reports(choice), part)
        else:
            _write_paragraphs(corpus, choice, part)
        part.rename(target)
    return target


def half(question: Question) -> str:
    """The half of a set that a question belongs to, by the document it asks about.

    Paragraphs of one article stay together, in every language, so that
    neither half holds a near-copy of the other's documents.
    """
    name = re.sub(r"-\d\d$", "", PurePosixPath(question.relevant[0].document).stem)
    return SPLITS[hashlib.sha256(name.encode()).digest()[0] % 2]


def _part(found: QuestionSet, choice: Choice) -> QuestionSet:
    questions: Sequence[Question] = found.questions
    if choice.split:
        questions = [one for one in questions if half(one) == choice.split]
    questions = spread(questions, choice.questions)
    if not questions:
        raise Skipped(f"no question of {found.name} is left by that choice")
    whole = found.whole and len(questions) == len(found.questions)
    return replace(found, questions=tuple(questions), whole=whole)


def _reports(choice: Choice) -> list[Path]:
    return common.chosen_pdfs(_reports_folder(), (), choice.documents)


def _reports_folder() -> Path:
    folder = common.data_folder() / "financebench" / "pdfs"
    if not folder.is_dir():
        raise Skipped(f"no folder {folder}")
    return folder


def _xquad_set(name: str, choice: Choice) -> QuestionSet:
    _, held, *rest = name.split("-")
    asked = rest[0] if held == "all" else held
    place: Callable[[str], str] = str
    if held == "all":
        place = _in_folder(asked)
    elif rest:
        held = rest[1]
    paragraphs, known = datasets.xquad(asked)
    chosen = {one.document for one in _paragraphs(paragraphs, choice)}
    questions = [
        replace(one, relevant=tuple((place(document), page) for document, page in one.relevant))
        for one in known
        if one.relevant[0][0] in chosen
    ]
    whole = len(questions) == len(known)
    return QuestionSet(name, f"xquad-{held}", "paragraph", "hit@1", _asked(questions), whole)


def _write_paragraphs(corpus: str, choice: Choice, folder: Path) -> None:
    held = corpus.removeprefix("xquad-")
    for language in LANGUAGES if held == "all" else (held,):
        paragraphs, _ = datasets.xquad(language)
        target = folder / _in_folder(language)("") if held == "all" else folder
        datasets.write_documents(_paragraphs(paragraphs, choice), target)


def _in_folder(language: str) -> Callable[[str], str]:
    # Folder names are searched too: "es" would be a word of most Spanish questions.
    return lambda document: f"text{language}/{document}" if document else f"text{language}"


def _paragraphs(paragraphs: Sequence[Paragraph], choice: Choice) -> list[Paragraph]:
    return spread(paragraphs, choice.documents)


def _asked(known: Sequence[Known]) -> tuple[Question, ...]:
    return tuple(
        Question(one.id, one.question, tuple(Place(*place) for place in one.relevant))
        for one in known
    )


def _sample_questions() -> tuple[Question, ...]:
    path = SAMPLES / "questions.jsonl"
    if not path.is_file():
        raise Skipped(f"no file {path}")
    return read_questions(path).questions

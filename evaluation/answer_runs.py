"""A run of `eval answers` on disk: every answer as it came, so that a killed run goes on.

    evaluations/answers/<run id>/
        setup.json    what the answers depend on
        rows.jsonl    one answer a line, appended and flushed to the disk
        result.json   the scores, once every question has an answer

A row's key is a digest of the question and of all that decides its answer, so
that no answer of another model, library or setting is ever taken for one.
Errors are kept and tried again; they are never scored.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from evaluation.answers import Given
from evaluation.questions import AnswerQuestion
from storage.errors import UsageError
from storage.json_lines import Append, JsonLines

RUNS = Path("evaluations") / "answers"
ROWS, SETUP, RESULT = "rows.jsonl", "setup.json", "result.json"

_NO_MATTER = (
    # Where things are and how long they may take; not what is answered.
    "HAYLOFT_DATA_DIR HAYLOFT_LOG_LEVEL HAYLOFT_LOG_FORMAT HAYLOFT_CHROMA_URL "
    "HAYLOFT_CHROMA_TOKEN HAYLOFT_CHROMA_LINGER_S HAYLOFT_THREADS HAYLOFT_EMBEDDER_DEVICE "
    "HAYLOFT_EMBEDDER_BATCH HAYLOFT_RERANKER_DEVICE HAYLOFT_RERANKER_BATCH HAYLOFT_OLLAMA_URL "
    "HAYLOFT_OPENAI_URL HAYLOFT_OPENAI_API_KEY HAYLOFT_CONNECT_TIMEOUT_S "
    "HAYLOFT_ANSWER_TIMEOUT_S HAYLOFT_UI_PORT HAYLOFT_UI_ADDRESS HAYLOFT_READ_PARALLEL "
    "HAYLOFT_MODEL"
).split()


class AnswerRun:
    """One run's folder."""

    def __init__(self, folder: Path, setup: Mapping[str, Any]) -> None:
        self.folder = folder
        self._digest = digest(setup)
        self._file = JsonLines(folder / ROWS)
        self._kept = {
            row["key"]: row for row in self._file.read() if isinstance(row.get("key"), str)
        }

    @property
    def answered(self) -> int:
        """How many rows hold an answer."""
        return sum(row.get("status") == "ok" for row in self._kept.values())

    def kept(self, question: AnswerQuestion) -> Given | None:
        """The answer that is there already; None where there is none, or an error."""
        row = self._kept.get(self._key(question))
        if row is None or row.get("status") != "ok":
            return None
        try:
            return Given.from_json(row)
        except (KeyError, TypeError, ValueError):
            return None

    def keep(self, question: AnswerQuestion, given: Given, append: Append) -> None:
        """Write an answer down."""
        self._append(question, append, status="ok", **given.to_json())

    def keep_fault(self, question: AnswerQuestion, fault: str, append: Append) -> None:
        """Write down that there is none, and why."""
        self._append(question, append, status="error", error=fault)

    def writing(self) -> Any:
        """Hold the rows alone: see JsonLines."""
        return self._file.writing(wait_s=0.0)

    def finish(self, result: Mapping[str, Any]) -> None:
        """Put the scores beside the rows."""
        from evaluation.reporting import write

        write(self.folder / RESULT, result)

    def _append(self, question: AnswerQuestion, append: Append, **values: Any) -> None:
        row = {
            "key": self._key(question),
            "id": question.id,
            "question": question.text,
            **values,
            "finished_at": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        append(row)
        self._kept[row["key"]] = row

    def _key(self, question: AnswerQuestion) -> str:
        # What is right decides the score, not the answer: it can be corrected without asking.
        return digest({"question": question.text, "setup": self._digest})


def digest(value: Mapping[str, Any]) -> str:
    """SHA-256 of a mapping's canonical JSON."""
    told = json.dumps(value, sort_keys=True, ensure_ascii=True, default=str)
    return hashlib.sha256(told.encode()).hexdigest()


def setup_of(
    model: str,
    served: Mapping[str, Any],
    settings: Mapping[str, Any],
    library: str,
    index: Mapping[str, Any],
) -> dict[str, Any]:
    """All that an answer depends on, beside its question."""
    from app.prompt_text import RULES

    return {
        "model": model,
        "served": dict(served),
        "rules": RULES,
        "library": library,
        "index": {name: value for name, value in index.items() if name != "collection"},
        "settings": {name: value for name, value in settings.items() if name not in _NO_MATTER},
    }


def open_run(
    data_dir: Path, setup: Mapping[str, Any], asked: Mapping[str, Any], *, named: str, new: bool
) -> tuple[AnswerRun, bool]:
    """The run to write to, and whether it was begun before.

    The newest unfinished run of the same setup and questions goes on, unless
    `new`; `named` goes on in any case. Raises UsageError for a name that no run
    has, or one of another setup.
    """
    wanted = digest({"setup": digest(setup), "asked": dict(asked)})
    runs = data_dir / RUNS
    if named:
        if Path(named).name != named or not (runs / named / SETUP).is_file():
            raise UsageError(f"There is no run {named!r} in {runs}. Leave --run out to begin one.")
        if _read(runs / named).get("setup_sha256") != digest(setup):
            raise UsageError(
                f"The run {named} was made with another model, library or setting, so its "
                "answers are not those that would be given now. Leave --run out to begin a new one."
            )
        return AnswerRun(runs / named, setup), True
    if not new:
        for path in sorted(runs.glob(f"*/{SETUP}"), reverse=True):
            if _read(path.parent).get("wanted") == wanted and not (path.parent / RESULT).exists():
                return AnswerRun(path.parent, setup), True
    folder = _new_folder(runs, str(setup.get("model", "")))
    folder.mkdir(parents=True)
    from evaluation.reporting import write

    told = {"wanted": wanted, "setup_sha256": digest(setup), "setup": dict(setup), **asked}
    write(folder / SETUP, told)
    return AnswerRun(folder, setup), False


def _new_folder(runs: Path, model: str) -> Path:
    name = "".join(c if c.isalnum() else "-" for c in model).strip("-")[:40] or "answers"
    stem = f"{datetime.now():%Y%m%d-%H%M%S}-{name}"
    number = 1
    while (folder := runs / (stem if number == 1 else f"{stem}-{number}")).exists():
        number += 1
    return folder


def _read(folder: Path) -> dict[str, Any]:
    try:
        value = json.loads((folder / SETUP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}

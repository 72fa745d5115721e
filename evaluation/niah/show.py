"""The very prompt of a row, rebuilt from the run's folder and proved by its digest."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from app.chat import Message, TokenCount
from app.model_choice import choose_counter
from app.settings import AppSettings
from app.tokens import EstimatingCounter
from evaluation.niah.arms import prompt_sha256, sha256
from evaluation.niah.config import Config, read_config
from evaluation.niah.lengths import lay_out
from evaluation.niah.prompts import FRAMES
from evaluation.niah.readers import Reader, WordCounter
from evaluation.niah.records import Row, Trial
from evaluation.niah.rows import ROWS, read_rows
from evaluation.niah.run_files import CONFIG, SENT, read_haystack
from evaluation.niah.streams import Memory, Ruler, Stream
from evaluation.niah.trials import placements, stream_offset, trials
from storage.errors import UsageError


class Counting(Protocol):
    """What a prompt is measured with."""

    def count_text(self, text: str) -> TokenCount: ...

    def count_chat(self, messages: Sequence[Message]) -> TokenCount: ...


@dataclass(frozen=True, slots=True)
class Shown:
    """A row with its prompt."""

    row: Row
    messages: tuple[Message, ...]
    """Empty where nothing was sent."""
    proved: bool
    """Whether the prompt's digest is the row's own."""
    document: str = ""
    """Rag arm: the document as it was ingested."""


def find_row(folder: Path, named: str) -> Row:
    """A row by its key or the beginning of it, or by its number from 1; raises UsageError."""
    rows = read_rows(folder / ROWS)
    if named.isdigit() and 1 <= int(named) <= len(rows) and len(named) < 8:
        return rows[int(named) - 1]
    found = [row for row in rows if row.key.startswith(named.lower())]
    if len(found) == 1:
        return found[0]
    if found:
        raise UsageError(f"{len(found)} rows begin with {named!r}; give more of the key.")
    raise UsageError(
        f"The run {folder.name} has no row {named!r}. A row is named by the beginning of its key, "
        f"or by its number from 1 to {len(rows)}."
    )


def rebuilt(folder: Path, row: Row, settings: AppSettings, data_dir: Path) -> Shown:
    """The prompt of a row, with the counter that its run had, as far as this machine has it.

    Raises UsageError where none of them gives the prompt that was sent.
    """
    found: UsageError | None = None
    for counter in _counters(row, settings, data_dir):
        try:
            return show(folder, row, counter)
        except UsageError as exc:
            found = found or exc
    raise found or _other(row)


def _counters(row: Row, settings: AppSettings, data_dir: Path) -> Iterator[Counting]:
    if row.model.startswith(f"{Reader.provider} "):
        # The self-test's readers: a word is a token.
        yield WordCounter()
        return
    if not row.exact:
        yield EstimatingCounter()
    yield choose_counter(settings, data_dir=data_dir)
    provider, _, name = row.model.partition(" ")
    if name and settings.model != f"{provider}:{name}":
        # Another model than the one that answers now.
        yield choose_counter(
            settings.model_copy(update={"model": f"{provider}:{name}"}), data_dir=data_dir
        )


def show(folder: Path, row: Row, counter: Counting) -> Shown:
    """Rebuild the prompt of a row.

    `counter` must count as the run did. Raises UsageError where it gives
    another prompt than the one that was sent.
    """
    config = read_config(folder / CONFIG)
    haystack = read_haystack(folder)
    ruler = Ruler(
        lambda messages: counter.count_chat(messages), lambda text: counter.count_text(text)
    )
    trial = _trial_of(row, config, haystack.language, haystack.id)
    frame = FRAMES[haystack.language]
    if row.arm == "closed":
        return _proved(row, frame.closed(row.question))
    if row.status in ("window_clamped", "skipped_budget") and row.arm != "rag":
        return Shown(row, (), False)
    offset = stream_offset(config, trial.trial, haystack.starts)
    layout = lay_out(
        Stream(haystack, ruler, offset, Memory(ruler)),
        ruler,
        frame,
        trial.question,
        placements(trial, config.depths),
        length=trial.length,
        reserve=config.reserve,
    )
    if row.arm != "rag":
        return _proved(row, layout.messages())
    document = layout.text()
    if row.haystack_sha256 and sha256(document) != row.haystack_sha256:
        raise _other(row)
    sent = _sent(folder, row)
    return Shown(row, sent, bool(sent) and prompt_sha256(sent) == row.prompt_sha256, document)


def _trial_of(row: Row, config: Config, language: str, haystack: str) -> Trial:
    wanted = (row.task, row.arm, row.length, row.depth_target, row.trial, row.seed)
    for trial in trials(config, language, haystack):
        if (*trial.cell, trial.trial, trial.seed) == wanted:
            return trial
    raise UsageError(
        "The run's configuration does not hold this row. Was config.yaml changed after the run?"
    )


def _proved(row: Row, messages: Sequence[Message]) -> Shown:
    if row.prompt_sha256 and prompt_sha256(messages) != row.prompt_sha256:
        raise _other(row)
    return Shown(row, tuple(messages), bool(row.prompt_sha256))


def _other(row: Row) -> UsageError:
    told = "exact" if row.exact else "estimated"
    return UsageError(
        f"The prompt cannot be rebuilt: it was laid out with {told} token counts that this "
        "machine does not give now. Set HAYLOFT_TOKENIZER to the model's vocabulary, or start "
        "the server that the run was made with."
    )


def _sent(folder: Path, row: Row) -> tuple[Message, ...]:
    path = folder / SENT / f"{row.key}.json.gz"
    try:
        told = json.loads(gzip.decompress(path.read_bytes()))
    except (OSError, ValueError, EOFError, zlib.error):
        return ()
    return tuple(Message(role, content) for role, content in told)

"""How fast this machine reads and writes, learned from its answers, and what to expect of it.

Kept in `speeds.json` of the data directory, by model and window. Before the
first answer nothing is known, and nothing is made up.
"""

from __future__ import annotations

import json
import logging
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

log = logging.getLogger(__name__)

FILE = "speeds.json"

REMEMBERED = 15
"""Answers that the medians are of: a driver or a laptop's plug changes them within a day."""

LEAST_TOKENS = 64
"""A reading or an answer of fewer tokens says more about overheads than about speed."""


@dataclass(frozen=True, slots=True)
class Speeds:
    """Medians of the last answers; None where there was none yet."""

    prefill: float | None = None
    """Tokens of prompt a second."""
    decode: float | None = None
    """Tokens of answer a second."""
    answer_tokens: int | None = None
    """How long answers are."""
    load_s: float | None = None
    """How long it took to load the model into memory, the last time."""

    def predicted_seconds(self, tokens_to_compute: int, answer_tokens: int) -> float | None:
        """The wait for an answer; None where a speed is not known."""
        if self.prefill is None or self.decode is None:
            return None
        return max(0, tokens_to_compute) / self.prefill + max(0, answer_tokens) / self.decode

    def computed_in(self, seconds: float) -> int | None:
        """How many tokens of prompt are read in a time; None where the speed is not known."""
        return None if self.prefill is None else round(seconds * self.prefill)


class SpeedLog:
    """The file of measured speeds. Safe to share between processes: the last writer wins."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / FILE

    def of(self, model: str, window: int) -> Speeds:
        """The speeds of a model (its digest, or its name) at a window."""
        kept = self._read().get(_key(model, window), {})
        prefill, decode, answers = (
            _median(kept.get(name)) for name in ("prefill", "decode", "answer_tokens")
        )
        loads = _numbers(kept.get("load"))
        return Speeds(
            prefill,
            decode,
            None if answers is None else round(answers),
            loads[-1] if loads else None,
        )

    def known(self) -> dict[tuple[str, int], Speeds]:
        """All that was measured, by model and window."""
        found = {}
        for key in self._read():
            model, _, window = key.rpartition("@")
            if window.isdecimal():
                found[model, int(window)] = self.of(model, int(window))
        return found

    def add(
        self,
        model: str,
        window: int,
        *,
        computed_tokens: int | None,
        prompt_s: float | None,
        answer_tokens: int | None,
        answer_s: float | None,
        load_s: float | None = None,
        usual: bool = True,
    ) -> None:
        """Learn from one answer; what is None or too little to tell is left out.

        One that is not `usual` says nothing about how long answers are.
        """
        found: dict[str, float] = {}
        if computed_tokens and prompt_s and computed_tokens >= LEAST_TOKENS:
            found["prefill"] = computed_tokens / prompt_s
        if answer_tokens and answer_s and answer_tokens > 1:
            found["decode"] = answer_tokens / answer_s
        if answer_tokens and usual:
            found["answer_tokens"] = answer_tokens
        if load_s:
            found["load"] = load_s
        if not found:
            return
        everything = self._read()
        kept = everything.setdefault(_key(model, window), {})
        for name, value in found.items():
            kept[name] = [*_numbers(kept.get(name)), round(value, 3)][-REMEMBERED:]
        try:
            write_json(self._path, everything)
        except OSError as exc:
            log.warning("the measured speeds could not be kept: %s", exc)

    def _read(self) -> dict[str, dict[str, Any]]:
        try:
            kept = json.loads(self._path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as exc:
            log.warning("the measured speeds cannot be read and are measured anew: %s", exc)
            return {}
        if not isinstance(kept, Mapping):
            return {}
        return {key: dict(value) for key, value in kept.items() if isinstance(value, Mapping)}


def write_json(path: Path, value: object) -> None:
    """Write a small file so that a reader sees the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(value, file)
        Path(draft).replace(path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise


def _key(model: str, window: int) -> str:
    return f"{model}@{window}"


def _numbers(values: object) -> list[float]:
    found = values if isinstance(values, list) else []
    return [float(v) for v in found if isinstance(v, int | float) and 0 < v < float("inf")]


def _median(values: object) -> float | None:
    numbers = _numbers(values)
    return median(numbers) if numbers else None

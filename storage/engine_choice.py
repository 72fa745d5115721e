"""Which engine embeds on this machine: timed, compared with torch, remembered."""

from __future__ import annotations

import json
import logging
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

log = logging.getLogger(__name__)

Engine = Literal["torch", "onnx", "onnx-int8"]
Encode = Callable[[Sequence[str]], "NDArray[np.float32]"]
"""Texts to vectors of unit length."""

MEAN_COSINE = 0.99
LEAST_COSINE = 0.97
"""To torch's vectors: what rounded weights may cost, on average and at worst."""

SAME_COSINE = 0.9999
"""Between two engines that compute the same in float32."""

_ROUNDED_GAIN = 1.1
"""Rounding has to be so many times faster than the fastest exact engine to be worth it."""

_GAIN = 1.05
"""Below that, torch stays."""

_ROUNDS = 3

_BUDGET_S = 10.0
"""No further round begins after that: a large model on a small machine would take minutes."""

_QUERY_ROUNDS = 7
_KEPT = 16
"""Choices remembered in one data directory: for its models, and for the machines that open it."""

FILE = "embedding-engine.json"


@dataclass(frozen=True, slots=True)
class Figures:
    """How an engine did beside torch, on the same texts in turn."""

    speed: float
    """Torch's time divided by the engine's, the median of the rounds."""
    mean_cosine: float
    least_cosine: float

    def __str__(self) -> str:
        return (
            f"{self.speed:.2f} times as fast as torch, mean cosine {self.mean_cosine:.4f}, "
            f"least {self.least_cosine:.4f}"
        )

    @property
    def near(self) -> bool:
        """Whether its vectors may stand in one index with torch's."""
        return self.mean_cosine >= MEAN_COSINE and self.least_cosine >= LEAST_COSINE

    @property
    def same(self) -> bool:
        """Whether it computes what torch computes."""
        return self.least_cosine >= SAME_COSINE


@dataclass(frozen=True, slots=True)
class Choice:
    """The engine of passages and that of queries; queries are never rounded."""

    passages: Engine
    queries: Engine
    figures: Mapping[str, Figures]
    """By engine; `query` holds those of one short query in float32."""


def compared(
    engines: Mapping[Engine, Encode],
    texts: Sequence[str],
    *,
    rounds: int = _ROUNDS,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[Engine, Figures]:
    """Each engine's figures; `torch` has to be among the engines.

    Every round takes other texts and all engines one after the other, each time
    another one first, so that a machine that is busy for a while is so for all. The
    first round is always finished, the others as far as there is time.
    """
    import numpy as np

    parts = [texts[start::rounds] for start in range(rounds)]
    until = clock() + _BUDGET_S
    names = list(engines)
    for name in names:
        engines[name](parts[0][:1])
    seconds: dict[Engine, list[float]] = {name: [] for name in names}
    vectors: dict[Engine, list[NDArray[np.float32]]] = {name: [] for name in names}
    for number, part in enumerate(parts):
        if number and clock() > until:
            break
        shift = number % len(names)
        for name in names[shift:] + names[:shift]:
            began = clock()
            vectors[name].append(engines[name](part))
            seconds[name].append(clock() - began)
    truth = np.concatenate(vectors["torch"])
    figures: dict[Engine, Figures] = {}
    for name in names:
        cosines = (np.concatenate(vectors[name]) * truth).sum(axis=1)
        ratios = [a / max(b, 1e-9) for a, b in zip(seconds["torch"], seconds[name], strict=True)]
        figures[name] = Figures(
            round(statistics.median(ratios), 3),
            # A vector that is no number is as far off as can be.
            round(float(np.nan_to_num(cosines.mean(), nan=-1.0)), 6),
            round(float(np.nan_to_num(cosines, nan=-1.0).min()), 6),
        )
    return figures


def fastest(figures: Mapping[Engine, Figures]) -> Engine:
    """The fastest engine whose vectors are near enough; rounding has to be worth it."""
    exact: Engine = "torch"
    speed = 1.0
    if "onnx" in figures and figures["onnx"].same and figures["onnx"].speed >= _GAIN:
        exact, speed = "onnx", figures["onnx"].speed
    rounded = figures.get("onnx-int8")
    if rounded is not None and rounded.near and rounded.speed >= speed * _ROUNDED_GAIN:
        return "onnx-int8"
    return exact


def choice_of(
    passages: Mapping[Engine, Encode], queries: Mapping[Engine, Encode], texts: Sequence[str]
) -> Choice:
    """The choice for these texts; `queries` are torch and onnx as they embed a single query."""
    found = compared(passages, texts)
    several = QUERIES * _QUERY_ROUNDS
    exact = compared(queries, several, rounds=len(several))["onnx"]
    return Choice(
        passages=fastest(found),
        queries="onnx" if exact.same and exact.speed >= _GAIN else "torch",
        figures={**{str(name): figures for name, figures in found.items()}, "query": exact},
    )


def machine() -> dict[str, str | int]:
    """What the speed of an engine depends on beside the model."""
    from importlib.metadata import version

    from storage.onnx_graph import VERSION

    return {
        "processor": _processor(),
        "cores": os.cpu_count() or 1,
        "graph": VERSION,
        **{name: version(name) for name in ("torch", "sentence-transformers", "onnxruntime")},
    }


def kept_choice(folder: Path, made_for: Mapping[str, Any]) -> Choice | None:
    """The choice made for this model and machine earlier; None where there is none to read."""
    for entry in _entries(folder):
        if entry.get("for") == made_for:
            try:
                passages, queries = entry["passages"], entry["queries"]
                if {passages, queries} <= set(get_args(Engine)):
                    figures = {k: Figures(**v) for k, v in entry["figures"].items()}
                    return Choice(passages, queries, figures)
            except (KeyError, TypeError, AttributeError):
                continue
    return None


def keep_choice(folder: Path, made_for: Mapping[str, Any], choice: Choice) -> None:
    """Remember a choice. A folder that cannot be written to costs a new probe next time."""
    entry = {
        "for": made_for,
        "passages": choice.passages,
        "queries": choice.queries,
        "figures": {name: asdict(figures) for name, figures in choice.figures.items()},
        "chosen": time.strftime("%Y-%m-%d"),
    }
    others = [known for known in _entries(folder) if known.get("for") != made_for]
    text = json.dumps([entry, *others[: _KEPT - 1]], ensure_ascii=False, indent=1)
    try:
        _replace(folder / FILE, text)
    except OSError as exc:
        log.warning(
            "The choice of the embedding engine could not be kept in %s (%s); it will be made "
            "again.",
            folder,
            exc.strerror or exc,
        )


def _entries(folder: Path) -> list[dict[str, Any]]:
    try:
        entries = json.loads((folder / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        # Missing or damaged: the choice is made again.
        return []
    return [e for e in entries if isinstance(e, dict)] if isinstance(entries, list) else []


def _replace(path: Path, text: str) -> None:
    """Write a file so that readers see the old one or the new one, never a part."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(name).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                return value.strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


QUERIES = (
    "How much was spent on new machines last year?",
    "rent due date",
    "Which of the two suppliers delivers to the northern islands in winter?",
)

TEXTS = (
    "Bees do not fly when it rains.",
    "Total   4,366   4,034   3,901   12.5 %   (218)   2018   2017   2016",
    "Balance of the pension fund — contributions, payments and the return on what was invested, "
    "in thousands, at the end of each of the last five years; the note on page 12 explains why the "
    "figure of the third year differs from the one reported then.",
    "def main(paths):\n    for path in sorted(paths):\n        print(path, count(path))\n",
    "The tenant shall pay the rent on the first working day of each month. Where the rent is more "
    "than ten days late, the landlord may ask for interest of four per cent a year. " * 3,
    "Die Versammlung beschloss, den Zaun am Nordufer bis zum Frühjahr zu erneuern und die Kosten "
    "zur Hälfte aus der Rücklage zu bezahlen. " * 3,
    "Le conseil se réunit chaque premier mardi du mois ; le procès-verbal est affiché à l'entrée.",
    "Turn the pump off before opening the valve. Wait until the pressure falls below 2 bar, then "
    "loosen the four screws crosswise and lift the cover. Replace the seal each time. " * 4,
    "Error 0x80070057 on host db-07: retry 3 of 5, see runbook RB-114.",
    "蜂群在雨天不会飞行。春天来临时，工蜂会清理蜂箱。",
    "Shares outstanding were counted at the close of the quarter. Basic earnings a share are the "
    "profit divided by their average number; diluted ones take options into account. " * 5,
    "a",
)
"""Made up: prose, figures, code, several languages, from one letter to a full passage."""

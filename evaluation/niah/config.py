"""What a run measures: a strict YAML file, with defaults that need none.

    lengths: [4K, 16K, 32K]
    depths: 11
    trials: 10
    tasks: [single, distractors]

An unknown key is an error that names the nearest known one.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, cast

from evaluation.niah.needle_texts import LANGUAGES
from evaluation.niah.needles import OwnNeedle
from evaluation.niah.records import ARMS, TASKS, VALUE_TYPES, Arm, Task, ValueType
from storage.errors import UsageError

SCHEMA = 1

FULL_LENGTHS = tuple(1024 * 2**power for power in range(8))
"""1K to 128K."""

QUICK_MINUTES = 10.0
"""What a run without a configuration may take."""

_LEAST_LENGTH, _MOST_LENGTH = 256, 4_194_304

_MOST_BYTES = 4_000_000
"""Of a configuration file that are read; its needles may take some."""


@dataclass(frozen=True, slots=True)
class Budget:
    """Where a run stops; None: nowhere."""

    minutes: float | None = None
    prompt_tokens: int | None = None
    """Tokens of all prompts sent, cached ones included."""


@dataclass(frozen=True, slots=True)
class Config:
    """One run's grid and all that decides its prompts, beside the model and the texts."""

    model: str = ""
    """`ollama:NAME` or `openai:NAME`; empty: what `HAYLOFT_MODEL` says."""
    window: int | None = None
    """The window to ask of the server; None: `HAYLOFT_WINDOW`."""
    haystack: str = "auto"
    """`auto` (the library where it holds prose, else generated), `library`, `generated`, a path."""
    language: str = "auto"
    """Of needles and rules: the haystack's own, or one of `LANGUAGES`."""
    tasks: tuple[Task, ...] = ("single",)
    values: ValueType = "number"
    needles: tuple[OwnNeedle, ...] = ()
    """The user's own, for `single`, `distractors` and `absent`."""
    lengths: tuple[int, ...] = FULL_LENGTHS
    """Tokens of the rendered prompt and the reserve, together."""
    depths: tuple[float, ...] = tuple(n / 10 for n in range(11))
    """0 at the top, 1 at the end."""
    trials: int = 10
    rag_trials: int | None = None
    """Repetitions of the product's path, which ingests a document each time; None: all."""
    arms: tuple[Arm, ...] = ARMS
    mode: Literal["separate", "sweep"] = "separate"
    """`sweep` asks the needles of all depths of one prompt that is read once."""
    reserve: int = 64
    """Tokens kept for the answer."""
    oracle_length: int = 1024
    counterfactuals: bool = True
    """Whether a needle lost on the product's path is asked for again with the cause taken away."""
    budget: Budget = Budget()
    seed: int = 20261120

    def to_json(self) -> dict[str, Any]:
        """The configuration as the YAML file has it."""
        data = asdict(self)
        data["needles"] = [
            {
                "text": one.text,
                "question": one.question,
                "answers": list(one.answers),
                "distractors": [{"text": text, "value": value} for text, value in one.distractors],
            }
            for one in self.needles
        ]
        plain = {
            name: list(value) if isinstance(value, tuple) else value for name, value in data.items()
        }
        return {"schema": SCHEMA, **plain}


def quick(config: Config, window: int) -> Config:
    """The grid for a first look: fewer depths and trials, no longer than the window."""
    lengths = tuple(length for length in config.lengths if length <= window)
    return replace(
        config,
        lengths=lengths or (min(config.lengths[0], window),),
        depths=(0.0, 0.25, 0.5, 0.75, 1.0),
        # With five depths 25 a length: 22 are the fewest that can calibrate the trusted window.
        trials=5,
        rag_trials=config.rag_trials or 1,
        budget=replace(config.budget, minutes=config.budget.minutes or QUICK_MINUTES),
    )


def read_config(path: Path) -> Config:
    """Read a YAML file; raises UsageError with the place of the fault."""
    import yaml

    try:
        with path.expanduser().open("rb") as file:
            text = file.read(_MOST_BYTES + 1).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as exc:
        reason = getattr(exc, "strerror", None) or str(exc)
        raise UsageError(f"The configuration {path} cannot be read: {reason}.") from exc
    if len(text) > _MOST_BYTES // 4:
        raise UsageError(f"{path} is too long for a configuration.")
    try:
        data = yaml.load(text, Loader=_strict_loader())
    except (yaml.YAMLError, RecursionError) as exc:
        raise UsageError(f"{path} is not YAML: {_fault(exc)}.") from exc
    if data is None:
        data = {}
    if not isinstance(data, Mapping):
        raise UsageError(f"{path} holds no settings: write lines such as `trials: 3`.")
    return config_from(data, str(path))


def _fault(exc: Exception) -> str:
    """What is wrong and on which line, without the excerpts that YAML's own words bring along."""
    mark, problem = getattr(exc, "problem_mark", None), getattr(exc, "problem", None)
    told = " ".join(str(problem or exc).split())
    return f"line {mark.line + 1}, column {mark.column + 1}: {told}" if mark else told


def _strict_loader() -> Any:
    """YAML's safe loader, for which a key that stands twice is a fault: the last would win."""
    import yaml

    class Strict(yaml.SafeLoader):
        def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
            seen = set()
            for key, _ in node.value:
                name = key.value
                if key.tag != "tag:yaml.org,2002:merge" and str(name) in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"the key {name} stands there twice", key.start_mark
                    )
                seen.add(str(name))
            return dict(super().construct_mapping(node, deep=deep))

    return Strict


def config_from(data: Mapping[Any, Any], where: str) -> Config:
    """The configuration of a mapping; raises UsageError naming the key at fault."""
    _known(data, {"schema", *(one.name for one in fields(Config))}, where, "")
    if data.get("schema", SCHEMA) != SCHEMA:
        raise UsageError(
            f"{where}: schema {data['schema']!r} is not known; this Hayloft reads {SCHEMA}."
        )
    reader = _Reader(data, where)
    made: dict[str, Any] = {}
    for name, read in _READERS.items():
        if data.get(name) is not None:
            made[name] = read(reader, name)
    config = Config(**made)
    if config.oracle_length < _LEAST_LENGTH:
        raise UsageError(f"{where}: oracle_length must be at least {_LEAST_LENGTH}.")
    if config.needles and config.language == "auto":
        raise UsageError(f"{where}: own `needles` need their `language` ({', '.join(LANGUAGES)}).")
    return config


def parse_length(value: object) -> int | None:
    """`32768`, `"32K"` or `"0.5M"` as tokens; None for what is no length."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value if _LEAST_LENGTH <= value <= _MOST_LENGTH else None
    text = str(value).strip().upper().replace(",", "").replace("_", "")
    factor = {"K": 1024, "M": 1024 * 1024}.get(text[-1:], 1)
    try:
        tokens = float(text.rstrip("KM")) * factor
    except ValueError:
        return None
    if not math.isfinite(tokens) or tokens != int(tokens):
        return None
    return int(tokens) if _LEAST_LENGTH <= tokens <= _MOST_LENGTH else None


def depths_of(count: int, scale: str = "linear") -> tuple[float, ...]:
    """So many depths from top to end; `sigmoid` has more of them near both."""
    if count == 1:
        return (0.5,)
    even = [n / (count - 1) for n in range(count)]
    if scale == "linear":
        return tuple(round(depth, 6) for depth in even)
    low, high = (1 / (1 + math.exp(-x)) for x in (-5, 5))
    bent = ((1 / (1 + math.exp(-(10 * depth - 5))) - low) / (high - low) for depth in even)
    return tuple(round(depth, 6) for depth in bent)


class _Reader:
    """Takes single values out of the mapping, and says which one is wrong."""

    def __init__(self, data: Mapping[Any, Any], where: str) -> None:
        self._data = data
        self._where = where

    def fail(self, name: str, wanted: str) -> UsageError:
        return UsageError(f"{self._where}: {name} is {self._data[name]!r}; it must be {wanted}.")

    def text(self, name: str) -> str:
        value = self._data[name]
        if not isinstance(value, str):
            raise self.fail(name, "a text")
        return value.strip()

    def whole(self, name: str, least: int, most: int) -> int:
        value = self._data[name]
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise self.fail(name, f"a whole number from {least:,} to {most:,}")
        return value

    def flag(self, name: str) -> bool:
        value = self._data[name]
        if not isinstance(value, bool):
            raise self.fail(name, "true or false")
        return value

    def one_of(self, name: str, allowed: Sequence[str]) -> str:
        value = self._data[name]
        if value not in allowed:
            near = difflib.get_close_matches(str(value), allowed, 1)
            meant = f" (did you mean {near[0]}?)" if near else ""
            raise self.fail(name, f"one of {', '.join(allowed)}{meant}")
        return str(value)

    def some_of(self, name: str, allowed: Sequence[str]) -> tuple[str, ...]:
        value = self._data[name]
        items = [value] if isinstance(value, str) else value
        if not isinstance(items, list) or not items:
            raise self.fail(name, f"a list out of {', '.join(allowed)}")
        for item in items:
            if item not in allowed:
                near = difflib.get_close_matches(str(item), allowed, 1)
                meant = f" Did you mean {near[0]}?" if near else ""
                raise UsageError(
                    f"{self._where}: {name} holds {item!r}, which is none of "
                    f"{', '.join(allowed)}.{meant}"
                )
        # In their own order: the order of writing must not change a run.
        return tuple(one for one in allowed if one in items)

    def lengths(self, name: str) -> tuple[int, ...]:
        value = self._data[name]
        items = value if isinstance(value, list) else [value]
        found = [parse_length(item) for item in items]
        lengths = [one for one in found if one is not None]
        if not items or len(lengths) < len(items):
            raise self.fail(
                name,
                f"a list of lengths such as [4K, 32K], each from {_LEAST_LENGTH} to 4M tokens",
            )
        return tuple(sorted(set(lengths)))

    def length(self, name: str) -> int:
        found = parse_length(self._data[name])
        if found is None:
            raise self.fail(name, "a length such as 1K or 1024")
        return found

    def depths(self, name: str) -> tuple[float, ...]:
        value = self._data[name]
        if isinstance(value, Mapping):
            _known(value, {"n", "scale"}, self._where, f"{name}.")
            inner = _Reader({"n": 11, "scale": "linear", **value}, f"{self._where}, {name}")
            return depths_of(
                inner.whole("n", 1, 1001), inner.one_of("scale", ("linear", "sigmoid"))
            )
        if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 1001:
            return depths_of(value)
        wanted = "how many, {n: 11, scale: sigmoid}, or a list of shares from 0 to 1"
        if not isinstance(value, list) or not value:
            raise self.fail(name, wanted)
        for item in value:
            if isinstance(item, bool) or not isinstance(item, (int, float)) or not 0 <= item <= 1:
                raise self.fail(name, wanted)
        return tuple(sorted({float(item) for item in value}))

    def budget(self, name: str) -> Budget:
        value = self._data[name]
        if not isinstance(value, Mapping):
            raise self.fail(name, "a mapping such as {minutes: 30}")
        _known(value, {"minutes", "prompt_tokens"}, self._where, f"{name}.")
        for key, item in value.items():
            number = isinstance(item, (int, float)) and not isinstance(item, bool)
            if item is not None and not (number and 0 < item < math.inf):
                raise UsageError(f"{self._where}: {name}.{key} must be a number above 0.")
        tokens = value.get("prompt_tokens")
        return Budget(value.get("minutes"), int(tokens) if tokens else None)

    def needles(self, name: str) -> tuple[OwnNeedle, ...]:
        value = self._data[name]
        if not isinstance(value, list):
            raise self.fail(name, "a list of needles with text, question and answers")
        return tuple(
            _own_needle(item, f"{self._where}, needle {number}")
            for number, item in enumerate(value, start=1)
        )


def _own_needle(item: object, where: str) -> OwnNeedle:
    if not isinstance(item, Mapping):
        raise UsageError(f"{where}: must have text, question and answers.")
    _known(item, {"text", "question", "answers", "distractors"}, where, "")
    answers = item.get("answers")
    answers = [answers] if isinstance(answers, str) else answers
    answers = answers if isinstance(answers, list) else []
    texts = [item.get("text"), item.get("question"), *answers]
    if not answers or not all(isinstance(text, str) and text.strip() for text in texts):
        raise UsageError(
            f"{where}: must have a text, a question and answers, each a text in quotation marks."
        )
    text = " ".join(str(item["text"]).split())
    for answer in answers:
        if answer.casefold() not in text.casefold():
            raise UsageError(f"{where}: its text does not hold the answer {answer!r}.")
    wrong = item.get("distractors") or []
    if not isinstance(wrong, list):
        raise UsageError(f"{where}: distractors must be a list of texts with their values.")
    pairs = []
    for one in wrong:
        if not isinstance(one, Mapping) or not all(
            isinstance(one.get(key), str) and one[key].strip() for key in ("text", "value")
        ):
            raise UsageError(f"{where}: each distractor must have a text and the wrong value.")
        pairs.append((" ".join(one["text"].split()), one["value"]))
    return OwnNeedle(text, " ".join(str(item["question"]).split()), tuple(answers), tuple(pairs))


def _known(data: Mapping[Any, Any], names: set[str], where: str, before: str) -> None:
    for key in data:
        if key not in names:
            near = difflib.get_close_matches(str(key), sorted(names), 1)
            meant = f"Did you mean {before}{near[0]}?" if near else f"Known: {_list(names)}."
            raise UsageError(f"{where}: unknown key {before}{key}. {meant}")


def _list(names: set[str]) -> str:
    return ", ".join(sorted(names))


_READERS: Mapping[str, Callable[[_Reader, str], Any]] = {
    "model": _Reader.text,
    "window": _Reader.length,
    "haystack": _Reader.text,
    "language": lambda reader, name: reader.one_of(name, ("auto", *LANGUAGES)),
    "tasks": lambda reader, name: cast(tuple[Task, ...], reader.some_of(name, TASKS)),
    "values": lambda reader, name: reader.one_of(name, VALUE_TYPES),
    "needles": _Reader.needles,
    "lengths": _Reader.lengths,
    "depths": _Reader.depths,
    "trials": lambda reader, name: reader.whole(name, 1, 10_000),
    "rag_trials": lambda reader, name: reader.whole(name, 1, 10_000),
    "arms": lambda reader, name: cast(tuple[Arm, ...], reader.some_of(name, ARMS)),
    "mode": lambda reader, name: reader.one_of(name, ("separate", "sweep")),
    "reserve": lambda reader, name: reader.whole(name, 8, 8192),
    "oracle_length": _Reader.length,
    "counterfactuals": _Reader.flag,
    "budget": _Reader.budget,
    "seed": lambda reader, name: reader.whole(name, 0, 2**62),
}

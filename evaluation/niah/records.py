"""The records of a run: a trial that is planned, and the row that is written of it.

A run is a folder `evaluations/niah/<run id>/` of the data directory with
`config.yaml` (as resolved), `plan.json` and `rows.jsonl`, one `Row` a line.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from math import isfinite
from typing import Any, Literal, get_args

Task = Literal[
    "single",
    "multi_key",
    "multi_value",
    "multi_query",
    "chain",
    "no_overlap",
    "distractors",
    "absent",
]
TASKS: tuple[Task, ...] = (
    "single",
    "multi_key",
    "multi_value",
    "multi_query",
    "chain",
    "no_overlap",
    "distractors",
    "absent",
)

Arm = Literal["closed", "oracle", "long", "rag"]
ARMS: tuple[Arm, ...] = ("closed", "oracle", "long", "rag")

ValueType = Literal["number", "uuid", "sentence"]
VALUE_TYPES: tuple[ValueType, ...] = ("number", "uuid", "sentence")

KV_TYPE = "kv_type"
"""Among a row's options: the type of the server's KV cache, as HAYLOFT_KV_TYPE tells it."""
_KV_TYPES = (KV_TYPE, "kv_cache_type", "cache_type_k")

Status = Literal["ok", "error", "invalid_truncated", "window_clamped", "skipped_budget"]
"""`ok` alone is scored. `error` is tried again by the next run; the others are no answer at all."""

FailureStage = Literal[
    "INGEST_PARSE",
    "INGEST_SPLIT",
    "INGEST_INDEX",
    "RETRIEVE_RECALL",
    "RETRIEVE_RANK",
    "PACK_DROP",
    "PACK_CUT",
    "SERVER_TRUNCATED",
    "READ",
    "READ_ABSTAIN",
    "BASE_MODEL",
    "LEAK",
]
FAILURE_STAGES: tuple[FailureStage, ...] = (
    "INGEST_PARSE",
    "INGEST_SPLIT",
    "INGEST_INDEX",
    "RETRIEVE_RECALL",
    "RETRIEVE_RANK",
    "PACK_DROP",
    "PACK_CUT",
    "SERVER_TRUNCATED",
    "READ",
    "READ_ABSTAIN",
    "BASE_MODEL",
    "LEAK",
)


@dataclass(frozen=True, slots=True)
class Needle:
    """A sentence planted in the haystack, and the value it holds.

    Positions are None until it is planted. Characters count in the haystack
    as planted (the document's text), tokens from the start of the rendered
    prompt; -1 where the count is only an estimate.
    """

    text: str
    value: str
    key: str = ""
    """What the value belongs to, as the text names it."""
    char_start: int | None = None
    char_end: int | None = None
    token_position: int | None = None

    def to_json(self) -> dict[str, Any]:
        """The needle as a JSON object."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Needle:
        """The needle of a JSON object; fields it does not know are left out.

        Raises ValueError or TypeError for what is none.
        """
        needle = cls(**_known(cls, data))
        _require(isinstance(getattr(needle, name), str) for name in ("text", "value", "key"))
        places = (needle.char_start, needle.char_end, needle.token_position)
        _require(place is None or _is_whole(place) for place in places)
        return needle


@dataclass(frozen=True, slots=True)
class Trial:
    """One question about one haystack, asked in one arm.

    Trials that differ only in length, depth or arm have the same needles,
    question and stretch of the haystack. The closed arm has length 0 and one
    trial a number; the oracle arm has its own short length.
    """

    task: Task
    arm: Arm
    length: int
    """Tokens of the rendered prompt and the reserve, together; a cell's column."""
    depth_target: float
    """Where the (first) needle is to stand: 0 at the top, 1 at the end."""
    trial: int
    """Number of the repetition, from 0."""
    seed: int
    """Everything random in this trial comes from it: one seed per (run seed, task, trial)."""
    language: str
    haystack: str
    """The id of the haystack."""
    value_type: ValueType
    needles: tuple[Needle, ...]
    """What is asked for; for `absent` the needle that was left out, planted nowhere."""
    distractors: tuple[Needle, ...]
    """Planted too, and wrong: an answer that names one of their values fails."""
    question: str
    expected: tuple[str, ...]
    """The values that the answer must name, all of them; empty where it must abstain."""
    question_keys: tuple[str, ...] = ()
    mode: str = "separate"
    """`separate`: one question a haystack; `sweep`: needles of all depths in one haystack."""

    @property
    def cell(self) -> tuple[Task, Arm, int, float]:
        """What is pooled over trials."""
        return self.task, self.arm, self.length, self.depth_target

    def to_json(self) -> dict[str, Any]:
        """The trial as a JSON object."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Trial:
        """The trial of a JSON object; fields it does not know are left out."""
        known = _known(cls, data)
        for name in ("needles", "distractors"):
            known[name] = tuple(Needle.from_json(one) for one in known.get(name, ()))
        for name in ("expected", "question_keys"):
            known[name] = tuple(known.get(name, ()))
        return cls(**known)


@dataclass(frozen=True, slots=True)
class Row:
    """What became of a trial. `key` decides equality: see `row_key`."""

    key: str
    arm: Arm
    task: Task
    length: int
    """The cell's length: prompt and reserve, in tokens. 0 for the closed arm."""
    depth_target: float
    trial: int
    seed: int
    language: str
    haystack: str
    value_type: ValueType
    mode: str
    question: str
    expected: tuple[str, ...]
    """All of them must be named; empty: the right answer is that it is not there."""
    needles: tuple[Needle, ...] = ()
    distractors: tuple[Needle, ...] = ()
    prompt_tokens: int | None = None
    """Our own count of the rendered prompt; None where none was built."""
    exact: bool = True
    """False where `prompt_tokens` and positions are an estimate from above."""
    server_prompt_tokens: int | None = None
    depth_actual: float | None = None
    """Where the first needle begins, as a share of the haystack's tokens."""
    haystack_sha256: str = ""
    """Of the haystack as planted."""
    prompt_sha256: str = ""
    """Of the messages, roles included."""
    model: str = ""
    """`provider name`, as answers name it."""
    digest: str = ""
    quantisation: str = ""
    server_version: str = ""
    window: int = 0
    """The window served, in tokens."""
    trained_window: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    """Decoding options and the reserve (`num_predict`)."""
    answer: str = ""
    status: Status = "ok"
    error: str = ""
    """The sentence that says why a row is not `ok`."""
    score: float | None = None
    """0 to 1; None until scored, and always where the status is not `ok`."""
    score_detail: Mapping[str, Any] = field(default_factory=dict)
    judge_score: float | None = None
    judge_detail: Mapping[str, Any] = field(default_factory=dict)
    failure_stage: FailureStage | None = None
    stage_trace: tuple[Mapping[str, Any], ...] = ()
    """Rag arm: one object a check in order, `{"check", "passed", ...}`; see `product`."""
    counterfactuals: Mapping[str, Any] = field(default_factory=dict)
    """Rag arm: what happened with the cause taken away: `{name: {"answer", "score"}}`."""
    packed_position: float | None = None
    """Rag arm: where the needle stands in the packed passages, 0 to 1; None: not delivered."""
    delivered: bool | None = None
    """Whether all needles stand whole in the prompt that was sent; None where none are needed."""
    prompt_seconds: float | None = None
    generation_seconds: float | None = None
    cached_tokens: int | None = None
    answer_tokens: int | None = None
    seconds: float | None = None
    """Wall time of the request."""
    finished_at: str = ""

    @property
    def cell(self) -> tuple[Task, Arm, int, float]:
        """What is pooled over trials."""
        return self.task, self.arm, self.length, self.depth_target

    def to_json(self) -> dict[str, Any]:
        """The row as a JSON object."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Row:
        """The row of a JSON object; fields it does not know are left out.

        Raises ValueError or TypeError for what is none: a file may be damaged, or made by hand.
        """
        known = _known(cls, data)
        for name in ("needles", "distractors"):
            known[name] = tuple(Needle.from_json(one) for one in known.get(name, ()))
        for name in ("expected", "stage_trace"):
            _require([isinstance(known.get(name, ()), list | tuple)])
            known[name] = tuple(known.get(name, ()))
        row = cls(**known)
        _refuse_odd(row)
        return row


def row_key(decides: Mapping[str, Any]) -> str:
    """SHA-256 of the canonical JSON of everything that decides prompt and decoding."""
    text = json.dumps(decides, ensure_ascii=True, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


_TEXTS = (
    "key", "language", "haystack", "value_type", "mode", "question", "haystack_sha256",
    "prompt_sha256", "model", "digest", "quantisation", "server_version", "answer", "error",
    "finished_at",
)  # fmt: skip
_COUNTS = ("length", "trial", "seed", "window")
_COUNTS_OR_NONE = (
    "prompt_tokens", "server_prompt_tokens", "trained_window", "cached_tokens", "answer_tokens",
)  # fmt: skip
_SHARES_OR_NONE = ("score", "judge_score", "depth_actual", "packed_position")
_SECONDS_OR_NONE = ("prompt_seconds", "generation_seconds", "seconds")
_OBJECTS = ("options", "score_detail", "judge_detail", "counterfactuals")


def _refuse_odd(row: Row) -> None:
    """Raise ValueError where a field holds what no run writes."""
    _require([row.arm in ARMS, row.task in TASKS, row.status in get_args(Status)])
    _require([row.failure_stage is None or row.failure_stage in FAILURE_STAGES])
    _require(isinstance(getattr(row, name), str) for name in _TEXTS)
    _require(isinstance(getattr(row, name), Mapping) for name in _OBJECTS)
    _require(_is_whole(getattr(row, name)) for name in _COUNTS)
    _require(_none_or(_is_whole, getattr(row, name)) for name in _COUNTS_OR_NONE)
    _require(_none_or(_is_share, getattr(row, name)) for name in _SHARES_OR_NONE)
    _require(_none_or(_is_number, getattr(row, name)) for name in _SECONDS_OR_NONE)
    _require([_is_share(row.depth_target), row.length >= 0])
    _require(isinstance(one, str) for one in row.expected)
    _require(isinstance(one, Mapping) for one in row.stage_trace)


def _require(facts: Iterable[bool]) -> None:
    if not all(facts):
        raise ValueError("not a row of a needle run")


def _none_or(is_one: Callable[[object], bool], value: object) -> bool:
    return value is None or is_one(value)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


def _is_share(value: object) -> bool:
    return isinstance(value, int | float) and _is_number(value) and 0 <= value <= 1


def _known(cls: type, data: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(data, Mapping):
        raise TypeError("not an object")
    names = {one.name for one in fields(cls)}
    return {name: value for name, value in data.items() if name in names}


def kv_type_of(options: Mapping[str, Any] | None) -> str:
    """The type of the KV cache that options name; f16 where they name none."""
    named = (str(options[name]) for name in _KV_TYPES if options and options.get(name))
    return next(named, "f16")

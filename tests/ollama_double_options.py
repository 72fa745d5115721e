"""What an Ollama double makes of a request's options, and what its version changes."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from tests.ollama_double_models import DoubleModel


class ApiError(Exception):
    """A refusal with a status and Ollama's JSON error body."""

    def __init__(self, status: int, error: str, **extra: object) -> None:
        super().__init__(error)
        self.status = status
        self.body = {"error": error, **extra}


@dataclass(frozen=True)
class Behaviour:
    """What a server of one version does differently from others."""

    version: str
    knows_truncate: bool
    """False: `truncate` and `shift` are ignored without an error."""
    halves: bool
    """True: an over-long rendered prompt keeps about half; False: exactly the window."""
    count: str
    """`total`, `uncached`, `split` (total plus prompt_eval_cached_count) or `missing`."""
    full_tags: bool
    ps_window: bool
    capabilities: bool
    default_windows: tuple[int, int, int]
    """Default num_ctx with under 23 GiB, under 47 GiB, and more memory on the GPU."""

    def default_window(self, vram_gib: float) -> int:
        """The window where nobody asked for one."""
        small, middle, large = self.default_windows
        return large if vram_gib >= 47 else middle if vram_gib >= 23 else small


NEWER = "0.34.0"


def behaviour(version: str, count: str | None = None) -> Behaviour:
    """The behaviour of a version such as `0.12.5`; `newer` is one that counts cached tokens."""
    if version == "newer":
        version = NEWER
    numbers = tuple(int(part) for part in re.findall(r"\d+", version)[:3])
    if count is None:
        if numbers < (0, 2, 0) or numbers == (0, 30, 0):
            count = "uncached"
        else:
            count = "split" if numbers >= (0, 34, 0) else "total"
    if count not in {"total", "uncached", "split", "missing"}:
        raise ValueError(f"unknown way to count prompt tokens: {count}")
    if numbers < (0, 6, 7):
        windows = (2048, 2048, 2048)
    elif numbers < (0, 15, 5):
        windows = (4096, 4096, 4096)
    else:
        windows = (4096, 32768, 262144)
    return Behaviour(
        version=version,
        knows_truncate=numbers >= (0, 12, 6),
        halves=numbers >= (0, 30, 0),
        count=count,
        full_tags=numbers >= (0, 30, 0),
        ps_window=numbers >= (0, 10, 0),
        capabilities=numbers >= (0, 6, 4),
        default_windows=windows,
    )


_INTEGERS = {
    "num_keep", "seed", "num_predict", "top_k", "repeat_last_n", "num_ctx", "num_batch",
    "num_gpu", "main_gpu", "num_thread", "draft_num_predict",
}  # fmt: skip
_FLOATS = {
    "top_p", "min_p", "typical_p", "temperature", "repeat_penalty", "presence_penalty",
    "frequency_penalty",
}  # fmt: skip
_RUNNER_OPTIONS = (
    "num_ctx", "num_batch", "num_gpu", "main_gpu", "use_mmap", "num_thread", "draft_num_predict",
)  # fmt: skip


def checked_options(given: object) -> dict[str, object]:
    """The options without nulls and unknown names; a wrong type is a 500, as in Ollama."""
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise ApiError(400, "json: cannot unmarshal into Go struct field options")
    options: dict[str, object] = {}
    for key, value in given.items():
        if value is None:
            continue
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if number and not math.isfinite(value):
            raise ApiError(400, f"json: cannot unmarshal number into option {key}")
        if key in _INTEGERS:
            if not number:
                raise ApiError(500, f'option "{key}" must be of type integer')
            options[key] = int(value)
        elif key in _FLOATS:
            if not number:
                raise ApiError(500, f'option "{key}" must be of type float32')
            options[key] = float(value)
        elif key == "use_mmap":
            if not isinstance(value, bool):
                raise ApiError(500, f'option "{key}" must be of type boolean')
            options[key] = value
        elif key == "stop":
            if not isinstance(value, list):
                raise ApiError(500, f'option "{key}" must be of type array')
            if not all(isinstance(item, str) for item in value):
                raise ApiError(500, f'option "{key}" must be of an array of strings')
            options[key] = list(value)
    return options


_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|ms|s|m|h)")


def keep_alive_seconds(given: object, default: float = 300.0) -> float:
    """Seconds to keep the model; a negative duration means for ever. A string needs its unit."""
    if given is None:
        return default
    if isinstance(given, bool) or not isinstance(given, int | float | str):
        raise ApiError(400, f"Unsupported type: '{type(given).__name__}'")
    if isinstance(given, int | float):
        return float("inf") if given < 0 else float(given)
    text = given.lstrip("+-")
    if given.startswith("-") and (text == "0" or _DURATION.match(text)):
        sign = -1.0
    else:
        sign = 1.0
    if text == "0":
        return 0.0
    parts = _DURATION.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        problem = "missing unit in" if re.fullmatch(r"\d+\.?\d*|\.\d+", text) else "invalid"
        raise ApiError(400, f'time: {problem} duration "{given}"')
    seconds = sign * sum(float(number) * _UNITS[unit] for number, unit in parts)
    return float("inf") if seconds < 0 else seconds


def runner_key(options: Mapping[str, object], num_ctx: int, shift: bool) -> tuple[object, ...]:
    """What a loaded model cannot change without being loaded again."""
    values = {**options, "num_ctx": num_ctx}
    return (*(values.get(name) for name in _RUNNER_OPTIONS), shift)


def asked_window(
    model: DoubleModel, options: Mapping[str, object], environment: int | None, default: int
) -> tuple[int, bool]:
    """The effective num_ctx, and whether anybody asked for it.

    Request, then Modelfile, then OLLAMA_CONTEXT_LENGTH, then the default; under 4
    becomes 4, and over the trained window is cut to it without a word.
    """
    asked = options.get("num_ctx", model.options.get("num_ctx", environment))
    window = int(asked) if isinstance(asked, int) else default
    return min(max(window, 4), model.trained_window), asked is not None

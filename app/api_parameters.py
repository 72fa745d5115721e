"""The parameters of OpenAI's chat completions: which count, which are passed over, which refused.

One that would change the form of the answer and that Hayloft does not have is an error, in
OpenAI's words; one that only colours how a model samples is passed over, since answers are always
asked for at temperature 0, and the answer names it in `hayloft.ignored`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from app.api_errors import ApiError

Check = Callable[[str, Any], None]


def _any(name: str, value: object) -> None:
    """Whatever it is, it is looked at elsewhere, or counts for nothing."""


def _of(kinds: tuple[type, ...], what: str) -> Check:
    def check(name: str, value: object) -> None:
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            raise wrong_type(name, value, what)

    return check


def _between(least: float, most: float) -> Check:
    def check(name: str, value: object) -> None:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise wrong_type(name, value, "a number")
        if not least <= value <= most:
            raise ApiError(
                400,
                f"Invalid '{name}': expected a value from {least:g} to {most:g}.",
                code="decimal_out_of_range",
                param=name,
            )

    return check


def _only(*values: object) -> Check:
    """Only values that change nothing."""

    def check(name: str, value: object) -> None:
        # 1 == True in Python, but not in JSON.
        same = [one for one in values if value == one and type(value) is type(one)]
        if not same:
            raise ApiError(
                400,
                f"Unsupported value: '{name}' does not support {short(value)} with this model.",
                code="unsupported_value",
                param=name,
            )

    return check


def _none(name: str, value: object) -> None:
    """No value but an empty one."""
    if value not in ([], {}, False):
        raise unsupported(name)


def _length(name: str, value: object) -> None:
    _of((int,), "an integer")(name, value)
    if isinstance(value, int) and value < 1:
        raise ApiError(
            400,
            f"Invalid '{name}': expected at least 1 token.",
            code="integer_below_min_value",
            param=name,
        )


IGNORED: Mapping[str, Check] = {
    "temperature": _between(0, 2),
    "top_p": _between(0, 1),
    "presence_penalty": _between(-2, 2),
    "frequency_penalty": _between(-2, 2),
    "seed": _of((int,), "an integer"),
    "parallel_tool_calls": _of((bool,), "a boolean"),
    "reasoning_effort": _of((str,), "a string"),
    "verbosity": _of((str,), "a string"),
    "metadata": _of((dict,), "an object"),
    "store": _of((bool,), "a boolean"),
    "service_tier": _of((str,), "a string"),
    "user": _of((str,), "a string"),
    "safety_identifier": _of((str,), "a string"),
    "prompt_cache_key": _of((str,), "a string"),
    "prompt_cache_retention": _of((str,), "a string"),
}
DONE_ANYWAY: Mapping[str, object] = {"temperature": 0, "store": False}
"""Values that are no wish passed over, but what happens."""
KNOWN: Mapping[str, Check] = {
    **IGNORED,
    "model": _of((str,), "a string"),
    "messages": _any,
    "hayloft": _any,
    "stream": _of((bool,), "a boolean"),
    "stream_options": _of((dict,), "an object"),
    "max_tokens": _length,
    "max_completion_tokens": _length,
    "n": _only(1),
    "logprobs": _only(False),
    "response_format": _only({"type": "text"}),
    "modalities": _only(["text"]),
    "tool_choice": _only("none", "auto"),
    "function_call": _only("none", "auto"),
    "tools": _none,
    "functions": _none,
    "stop": _none,
    "logit_bias": _none,
    "top_logprobs": _none,
    "audio": _none,
    "prediction": _none,
    "web_search_options": _none,
}


def most_tokens(given: Mapping[str, Any]) -> int | None:
    """The most tokens that the answer may have; None where that is not said."""
    limits = [given.get(name) for name in ("max_completion_tokens", "max_tokens")]
    return min((limit for limit in limits if limit is not None), default=None)


def json_object(value: object, name: str = "") -> dict[str, Any]:
    """The value as a JSON object. Raises ApiError where it is none."""
    if not isinstance(value, dict):
        if name:
            raise wrong_type(name, value, "an object")
        raise ApiError(400, "The body of the request must be one JSON object.")
    return value


def missing(name: str) -> ApiError:
    """The error for a parameter that has to be there."""
    return ApiError(
        400,
        f"Missing required parameter: '{name}'.",
        code="missing_required_parameter",
        param=name,
    )


def wrong_type(name: str, value: object, wanted: str) -> ApiError:
    """The error for a value of another type than `wanted`."""
    return ApiError(
        400,
        f"Invalid type for '{name}': expected {wanted}, but got "
        f"{_JSON_NAMES[type(value)]} instead.",
        code="invalid_type",
        param=name,
    )


def unsupported(name: str) -> ApiError:
    """The error for a parameter that there is not."""
    return ApiError(
        400,
        f"Unsupported parameter: '{name}' is not supported with this model.",
        code="unsupported_parameter",
        param=name,
    )


_JSON_NAMES: dict[type, str] = {
    str: "a string",
    int: "an integer",
    float: "a number",
    bool: "a boolean",
    list: "an array",
    dict: "an object",
    type(None): "null",
}


def short(value: object) -> str:
    """A value as a message shows it."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else text[:79] + "…"

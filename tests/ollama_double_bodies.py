"""Bodies of requests and answers, as Go's JSON library reads and writes them."""

from __future__ import annotations

import datetime
import json
import time
from typing import Any

from tests.ollama_double_options import ApiError
from tests.ollama_double_prompts import Messages

Body = dict[str, Any]
ROLES = ("system", "user", "assistant", "tool")


def timestamp(seconds: float | None = None) -> str:
    """RFC 3339 in UTC with nanoseconds, as Go prints it."""
    nanoseconds = time.time_ns() if seconds is None else int(seconds * 1e9)
    moment = datetime.datetime.fromtimestamp(nanoseconds // 10**9, datetime.UTC)
    fraction = f"{nanoseconds % 10**9:09d}".rstrip("0")
    return f"{moment:%Y-%m-%dT%H:%M:%S}" + (f".{fraction}" if fraction else "") + "Z"


def go_type(value: object) -> str:
    """What Go's JSON decoder calls a value."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object"


def field_of(body: Body, name: str, kind: type, request_type: str, go_kind: str) -> Any:
    """A field of the body; null counts as absent, a wrong type is refused as Go words it."""
    value = body.get(name)
    if value is None:
        return None
    if not isinstance(value, kind) or (kind is not bool and isinstance(value, bool)):
        raise ApiError(
            400,
            f"json: cannot unmarshal {go_type(value)} into Go struct field "
            f"{request_type}.{name} of type {go_kind}",
        )
    return value


def _not_json(word: str) -> None:
    raise ApiError(400, f"invalid character '{word.lstrip('-')[0]}' looking for beginning of value")


def parsed_body(raw: bytes, request_type: str) -> Body:
    """The JSON object of a request, or Go's complaint."""
    if not raw.strip():
        raise ApiError(400, "missing request body")
    text = raw.decode("utf-8", "replace")
    try:
        body = json.loads(text, parse_constant=_not_json)
    except json.JSONDecodeError as exc:
        if exc.pos >= len(text.rstrip()):
            raise ApiError(400, "unexpected EOF") from exc
        raise ApiError(
            400, f"invalid character '{text[exc.pos]}' looking for beginning of value"
        ) from exc
    if not isinstance(body, dict):
        raise ApiError(
            400,
            f"json: cannot unmarshal {go_type(body)} into Go value of type api.{request_type}",
        )
    return body


def chat_messages(body: Body) -> Messages:
    """The messages of a chat request: role and content."""
    messages: Messages = []
    for message in field_of(body, "messages", list, "ChatRequest", "[]api.Message") or []:
        if not isinstance(message, dict):
            raise ApiError(
                400,
                f"json: cannot unmarshal {go_type(message)} into Go struct field "
                "ChatRequest.messages of type api.Message",
            )
        role = field_of(message, "role", str, "ChatRequest.messages", "string") or ""
        content = field_of(message, "content", str, "ChatRequest.messages", "string") or ""
        if role not in ROLES:
            known = ", ".join(f'"{name}"' for name in ROLES)
            raise ApiError(400, f"invalid role: {role}, role must be one of [{known}]")
        messages.append({"role": role, "content": content})
    return messages

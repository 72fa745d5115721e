"""What a program asks of the HTTP API, read from JSON: refused where it cannot be done, said
where it is passed over.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from app.api_errors import ApiError
from app.api_parameters import (
    DONE_ANYWAY,
    IGNORED,
    KNOWN,
    json_object,
    missing,
    most_tokens,
    short,
    unsupported,
    wrong_type,
)
from app.cli_scope import KEYS, scope_of_line
from app.find import MAX_QUERY_CHARACTERS
from app.plans import AUTO, MODES, Mode
from storage.errors import UsageError
from storage.records import EVERYTHING, Scope

MODEL = "hayloft"
EXTENSION = "hayloft"
"""The field that holds what OpenAI's protocol has no place for, in requests and in answers."""
MOST_MESSAGES = 1000
MOST_HITS = 1000
USUAL_HITS = 10

_MODES_BY_MODEL: dict[str, Mode] = {
    MODEL: AUTO,
    **{f"{MODEL}-{mode}": mode for mode in MODES if mode != AUTO},
}


@dataclass(frozen=True, slots=True)
class Exchange:
    """An earlier question of a conversation, and its answer."""

    question: str
    answer: str


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A question with all that goes with it."""

    model: str
    question: str
    exchanges: tuple[Exchange, ...]
    scope: Scope
    mode: Mode | None
    """None: as the settings say."""
    most_tokens: int | None
    """Of the answer."""
    stream: bool
    usage_in_stream: bool
    ignored: tuple[str, ...]
    """Parameters that were given and count for nothing."""


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """A search."""

    query: str
    limit: int
    scope: Scope


def model_names() -> Mapping[str, Mode]:
    """The models there are to ask for: Hayloft, and Hayloft in one of its modes."""
    return _MODES_BY_MODEL


def unknown_model(name: str) -> ApiError:
    """The error for a model that there is not."""
    return ApiError(
        404,
        f"The model `{short(name)}` does not exist. There are: {', '.join(_MODES_BY_MODEL)}.",
        code="model_not_found",
        param="model",
    )


def chat_request(body: object) -> ChatRequest:
    """The request of `/v1/chat/completions`. Raises ApiError, and UsageError for a filter."""
    given = json_object(body)
    for name, value in given.items():
        if name not in KNOWN:
            raise ApiError(
                400,
                f"Unknown parameter: '{short(name)}'.",
                code="unknown_parameter",
                param=short(name),
            )
        if value is not None:
            KNOWN[name](name, value)
    model = given.get("model")
    if model is None:
        raise missing("model")
    if model not in _MODES_BY_MODEL:
        raise unknown_model(model)
    stream = bool(given.get("stream"))
    options = given.get("stream_options")
    if options is not None and not stream:
        raise ApiError(
            400,
            "The 'stream_options' parameter is only allowed when 'stream' is enabled.",
            param="stream_options",
        )
    scope, mode = _extension(given.get(EXTENSION))
    question, exchanges, passed_over = _conversation(given.get("messages"))
    ignored = [name for name in IGNORED if given.get(name) not in (None, DONE_ANYWAY.get(name))]
    named = _MODES_BY_MODEL[model]
    return ChatRequest(
        model=model,
        question=question,
        exchanges=exchanges,
        scope=scope,
        mode=mode or (None if named == AUTO else named),
        most_tokens=most_tokens(given),
        stream=stream,
        usage_in_stream=bool((options or {}).get("include_usage")),
        ignored=(*passed_over, *ignored),
    )


def search_request(body: object) -> SearchRequest:
    """The request of `/v1/search`. Raises ApiError, and UsageError for a filter."""
    given = json_object(body)
    unknown = [name for name in given if name not in ("query", "limit", *KEYS)]
    if unknown:
        raise ApiError(
            400,
            f"Unknown parameter: '{short(unknown[0])}'. There are: query, limit, "
            f"{', '.join(KEYS)}.",
            code="unknown_parameter",
            param=short(unknown[0]),
        )
    query = given.get("query")
    if query is None:
        raise missing("query")
    if not isinstance(query, str):
        raise wrong_type("query", query, "a string")
    limit = given.get("limit")
    limit = USUAL_HITS if limit is None else limit
    if not isinstance(limit, int) or isinstance(limit, bool) or not 1 <= limit <= MOST_HITS:
        raise ApiError(
            400,
            f"'limit' is a whole number from 1 to {MOST_HITS}.",
            code="invalid_value",
            param="limit",
        )
    return SearchRequest(query, limit, scope_of_line(given, EVERYTHING, place="The search"))


def search_parameters(pairs: Sequence[tuple[str, str]]) -> dict[str, object]:
    """The parameters of a search in an address, as its JSON would have them."""
    body: dict[str, object] = {}
    for name, value in pairs:
        if name == "limit":
            body[name] = int(value) if re.fullmatch(r"[0-9]{1,9}", value) else value
        elif name in _REPEATED:
            cast("list[str]", body.setdefault(name, [])).append(value)
        elif name in body:
            name = short(name)
            raise ApiError(400, f"'{name}' is given twice.", code="invalid_value", param=name)
        else:
            body[name] = value
    return body


_REPEATED = tuple(key for key in KEYS if key not in ("since", "until"))


# --- messages -----------------------------------------------------------------------------------


def _conversation(messages: object) -> tuple[str, tuple[Exchange, ...], list[str]]:
    """The question, what was asked and answered before it, and which messages are passed over.

    Messages of one role in a row are one. Messages of the system are passed
    over: what a model may answer from, and how, is Hayloft's own to say.
    """
    if messages is None:
        raise missing("messages")
    if not isinstance(messages, list):
        raise wrong_type("messages", messages, "an array of objects")
    if not 1 <= len(messages) <= MOST_MESSAGES:
        raise ApiError(
            400,
            f"'messages' holds 1 to {MOST_MESSAGES} messages, and {len(messages):,} were sent.",
            code="invalid_value",
            param="messages",
        )
    runs: list[tuple[str, list[str]]] = []
    passed_over = []
    for number, message in enumerate(messages):
        role, text = _message(message, f"messages[{number}]")
        if role in ("system", "developer") or (role == "assistant" and not runs):
            passed_over.append(f"messages[{number}] ({role})")
        elif runs and runs[-1][0] == role:
            runs[-1][1].append(text)
        else:
            runs.append((role, [text]))
    if not runs or runs[-1][0] != "user":
        raise ApiError(
            400,
            "The last message must be the user's: that is the question.",
            code="invalid_value",
            param="messages",
        )
    texts = ["\n\n".join(part for part in parts if part.strip()) for _, parts in runs]
    question = texts.pop()
    if not question.strip():
        raise ApiError(
            400,
            "The question is empty. Put into the last message what you want to know.",
            code="invalid_value",
            param="messages",
        )
    if len(question) > MAX_QUERY_CHARACTERS:
        raise ApiError(
            400,
            f"The question has {len(question):,} characters, and at most "
            f"{MAX_QUERY_CHARACTERS:,} can be searched for. Ask in fewer words, or save the text "
            "as a document and ingest it.",
            code="string_above_max_length",
            param="messages",
        )
    pairs = zip(texts[::2], texts[1::2], strict=True)
    exchanges = tuple(Exchange(asked, said) for asked, said in pairs if asked and said)
    return question, exchanges, passed_over


def _message(message: object, place: str) -> tuple[str, str]:
    if not isinstance(message, dict):
        raise wrong_type(place, message, "an object")
    role = message.get("role")
    if role not in ("system", "developer", "user", "assistant"):
        raise ApiError(
            400,
            f"Invalid value: '{short(role)}'. Supported values are: 'system', 'developer', "
            "'user' and 'assistant'.",
            code="invalid_value",
            param=f"{place}.role",
        )
    if message.get("tool_calls") or message.get("function_call"):
        raise unsupported(f"{place}.tool_calls")
    content = message.get("content")
    if role == "assistant" and content is None:
        # So an answer stands in a client's list that refused, or of which nothing arrived.
        return role, ""
    return role, _text(content, f"{place}.content")


def _text(content: object, place: str) -> str:
    """A message's text; its parts, where it has several, one below the other."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise wrong_type(place, content, "a string or an array of text parts")
    texts = []
    for number, part in enumerate(content):
        kind = part.get("type") if isinstance(part, dict) else None
        if kind != "text" or not isinstance(part.get("text"), str):
            raise ApiError(
                400,
                f"Invalid value: '{short(kind)}'. Only parts of type 'text' are read.",
                code="invalid_value",
                param=f"{place}[{number}].type",
            )
        texts.append(part["text"])
    return "\n".join(texts)


# --- the extension ------------------------------------------------------------------------------


def _extension(given: object) -> tuple[Scope, Mode | None]:
    """The filters and the mode of the field `hayloft`."""
    if given is None:
        return EVERYTHING, None
    fields = json_object(given, EXTENSION)
    unknown = [name for name in fields if name not in ("mode", *KEYS)]
    if unknown:
        raise ApiError(
            400,
            f"Unknown parameter: '{EXTENSION}.{short(unknown[0])}'. There are: mode, "
            f"{', '.join(KEYS)}.",
            code="unknown_parameter",
            param=f"{EXTENSION}.{short(unknown[0])}",
        )
    mode = fields.get("mode")
    if mode is not None and mode not in MODES:
        raise ApiError(
            400,
            f"Invalid value: '{short(mode)}'. Supported values are: {', '.join(MODES)}.",
            code="invalid_value",
            param=f"{EXTENSION}.mode",
        )
    try:
        scope = scope_of_line(fields, EVERYTHING, place=f"The field “{EXTENSION}”")
    except UsageError as exc:
        raise ApiError(400, str(exc), code="invalid_value", param=EXTENSION) from exc
    return scope, cast("Mode | None", mode)

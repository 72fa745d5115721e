"""Requests of the HTTP API: read as OpenAI's protocol says, refused in its words."""

from __future__ import annotations

from typing import Any

import pytest

from app.api_errors import ApiError
from app.api_requests import (
    Exchange,
    chat_request,
    search_parameters,
    search_request,
)
from storage.records import EVERYTHING, Scope


def said(role: str, content: object) -> dict[str, object]:
    return {"role": role, "content": content}


def body(*messages: dict[str, object], **parameters: object) -> dict[str, Any]:
    return {
        "model": "hayloft",
        "messages": list(messages) or [said("user", "When?")],
        **parameters,
    }


def refused(given: object) -> ApiError:
    with pytest.raises(ApiError) as found:
        chat_request(given)
    return found.value


def test_the_last_message_is_the_question_and_the_others_are_its_history() -> None:
    """Pairs of question and answer, in their order."""
    asked = chat_request(
        body(said("user", "Who?"), said("assistant", "Ingrid."), said("user", "Since when?"))
    )

    assert asked.question == "Since when?"
    assert asked.exchanges == (Exchange("Who?", "Ingrid."),)
    assert (asked.scope, asked.mode, asked.stream, asked.ignored) == (EVERYTHING, None, False, ())


def test_an_answer_without_text_may_stand_in_the_list() -> None:
    """Clients keep one of which nothing arrived, with null for its text; the question counts."""
    asked = chat_request(body(said("user", "a"), said("assistant", None), said("user", "b")))

    assert asked.question == "b"
    assert asked.exchanges == ()


def test_messages_of_one_role_in_a_row_are_one() -> None:
    """Clients split what the user said; nothing of it is lost."""
    asked = chat_request(
        body(
            said("user", "About the tower."),
            said("user", [{"type": "text", "text": "Who has"}, {"type": "text", "text": "a key?"}]),
            said("assistant", "Ingrid."),
            said("assistant", "Or Per."),
            said("user", "Where?"),
        )
    )

    assert asked.exchanges == (
        Exchange("About the tower.\n\nWho has\na key?", "Ingrid.\n\nOr Per."),
    )


def test_what_is_passed_over_is_said() -> None:
    """System messages, a greeting before the first question, and sampling: named, never silent."""
    asked = chat_request(
        body(
            said("system", "You are a pirate."),
            said("assistant", "Ahoy!"),
            said("user", "When?"),
            temperature=0.7,
            seed=1,
            user="u-1",
        )
    )

    assert asked.exchanges == ()
    assert asked.ignored == (
        "messages[0] (system)",
        "messages[1] (assistant)",
        "temperature",
        "seed",
        "user",
    )


def test_values_that_change_nothing_are_taken_without_a_word() -> None:
    """What clients send by default, and what is done anyway, is neither refused nor named."""
    asked = chat_request(
        body(
            n=1,
            temperature=0,
            stop=None,
            tools=[],
            logprobs=False,
            logit_bias={},
            response_format={"type": "text"},
            modalities=["text"],
            store=False,
            stream=False,
        )
    )

    assert asked.ignored == ()


@pytest.mark.parametrize(
    ("parameter", "value", "code"),
    [
        ("n", 2, "unsupported_value"),
        ("n", True, "unsupported_value"),
        ("logprobs", True, "unsupported_value"),
        ("response_format", {"type": "json_object"}, "unsupported_value"),
        ("modalities", ["text", "audio"], "unsupported_value"),
        ("tools", [{"type": "function"}], "unsupported_parameter"),
        ("functions", [{}], "unsupported_parameter"),
        ("stop", ["\n"], "unsupported_parameter"),
        ("stop", "x", "unsupported_parameter"),
        ("logit_bias", {"50256": -100}, "unsupported_parameter"),
        ("tool_choice", "required", "unsupported_value"),
        ("temperature", 3, "decimal_out_of_range"),
        ("temperature", float("inf"), "decimal_out_of_range"),
        ("temperature", "0", "invalid_type"),
        ("top_p", True, "invalid_type"),
        ("max_tokens", 0, "integer_below_min_value"),
        ("max_tokens", 1.5, "invalid_type"),
        ("max_completion_tokens", True, "invalid_type"),
        ("stream", "yes", "invalid_type"),
        ("top_k", 40, "unknown_parameter"),
        ("x" * 5000, 1, "unknown_parameter"),
    ],
)
def test_what_cannot_be_done_is_refused_in_openais_words(
    parameter: str, value: object, code: str
) -> None:
    """Status 400, the parameter, and the code that clients look at."""
    error = refused(body(**{parameter: value}))

    assert (error.status, error.kind, error.code) == (400, "invalid_request_error", code)
    assert error.param is not None
    assert parameter.startswith(error.param[:79])
    assert len(error.message) < 300


@pytest.mark.parametrize(
    ("messages", "code", "param"),
    [
        (None, "missing_required_parameter", "messages"),
        ("hi", "invalid_type", "messages"),
        ([], "invalid_value", "messages"),
        (["hi"], "invalid_type", "messages[0]"),
        ([said("user", "a")] * 1001, "invalid_value", "messages"),
        ([said("robot", "hi")], "invalid_value", "messages[0].role"),
        ([{"content": "hi"}], "invalid_value", "messages[0].role"),
        ([said("tool", "hi")], "invalid_value", "messages[0].role"),
        ([said("user", None)], "invalid_type", "messages[0].content"),
        ([said("user", 5)], "invalid_type", "messages[0].content"),
        ([said("user", "  \n")], "invalid_value", "messages"),
        ([said("user", [{"type": "image_url"}])], "invalid_value", "messages[0].content[0].type"),
        ([said("user", ["hi"])], "invalid_value", "messages[0].content[0].type"),
        ([said("user", "hi"), said("assistant", "ho")], "invalid_value", "messages"),
        ([said("system", "hi")], "invalid_value", "messages"),
        ([said("user", "x" * 20_001)], "string_above_max_length", "messages"),
        (
            [{**said("assistant", "x"), "tool_calls": [{}]}],
            "unsupported_parameter",
            "messages[0].tool_calls",
        ),
    ],
)
def test_messages_that_are_no_question_are_refused(messages: object, code: str, param: str) -> None:
    """Each says which message, and what would be right."""
    error = refused({"model": "hayloft", "messages": messages})

    assert (error.status, error.code, error.param) == (400, code, param)


@pytest.mark.parametrize("given", [None, [], "x", 1])
def test_a_body_that_is_no_object_is_refused(given: object) -> None:
    """There is nothing in it to read."""
    assert refused(given).status == 400


def test_an_unknown_model_is_not_found() -> None:
    """404 with OpenAI's code; the sentence lists what there is."""
    error = refused({**body(), "model": "gpt-4o"})

    assert (error.status, error.code, error.param) == (404, "model_not_found", "model")
    assert "hayloft-passages" in error.message
    assert refused({"messages": [said("user", "hi")]}).code == "missing_required_parameter"


def test_a_model_names_a_mode_and_the_extension_names_it_better() -> None:
    """Clients that can only choose a model choose a mode so."""
    assert chat_request({**body(), "model": "hayloft-read-all"}).mode == "read-all"
    chosen = chat_request({**body(hayloft={"mode": "extractive"}), "model": "hayloft-passages"})
    assert chosen.mode == "extractive"


def test_filters_stand_in_the_extension() -> None:
    """The same names as in a line of `hayloft search --batch`."""
    asked = chat_request(
        body(
            hayloft={
                "document": ["contracts", "reports/*2023*"],
                "type": "pdf",
                "language": "en",
                "tag": ["lease"],
                "since": "2023",
                "until": "2024-05",
            }
        )
    )

    assert asked.scope == Scope(
        ("contracts", "reports/*2023*"), ("pdf",), ("en",), ("lease",), "2023", "2024-05"
    )


@pytest.mark.parametrize(
    ("extension", "param"),
    [
        ({"documents": ["a"]}, "hayloft.documents"),
        ({"mode": "magic"}, "hayloft.mode"),
        ({"mode": ["auto"]}, "hayloft.mode"),
        ({"document": 5}, "hayloft"),
        ({"since": "yesterday"}, "hayloft"),
        ({"since": "2024", "until": "2023"}, "hayloft"),
        ("pdf", "hayloft"),
    ],
)
def test_a_filter_that_is_none_is_refused(extension: object, param: str) -> None:
    """A misspelt filter must not widen the answer to all documents."""
    error = refused(body(hayloft=extension))

    assert (error.status, error.param) == (400, param)


def test_the_smaller_limit_of_tokens_counts() -> None:
    """The old name and the new one."""
    assert chat_request(body(max_tokens=50)).most_tokens == 50
    assert chat_request(body(max_tokens=50, max_completion_tokens=20)).most_tokens == 20
    assert chat_request(body()).most_tokens is None


def test_a_search_reads_the_same_from_json_and_from_an_address() -> None:
    """Repeated filters are lists; the limit is a number."""
    pairs = [
        ("query", "rent"),
        ("limit", "3"),
        ("document", "a"),
        ("document", "b/*.pdf"),
        ("since", "2024"),
    ]
    json = {"query": "rent", "limit": 3, "document": ["a", "b/*.pdf"], "since": "2024"}

    assert search_request(search_parameters(pairs)) == search_request(json)
    assert search_request({"query": "rent"}).limit == 10


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"query": 5},
        {"query": "rent", "limit": 0},
        {"query": "rent", "limit": 1001},
        {"query": "rent", "limit": "many"},
        {"query": "rent", "limit": True},
        {"query": "rent", "q": "x"},
    ],
)
def test_a_search_that_cannot_be_is_refused(given: dict[str, object]) -> None:
    """Status 400."""
    with pytest.raises(ApiError) as found:
        search_request(given)

    assert found.value.status == 400


def test_an_address_with_two_queries_is_refused() -> None:
    """Nobody would know which one was searched for; and a limit of 5,000 digits is no crash."""
    with pytest.raises(ApiError, match="given twice"):
        search_parameters([("query", "a"), ("query", "b")])
    with pytest.raises(ApiError):
        search_request(search_parameters([("query", "a"), ("limit", "9" * 5000)]))

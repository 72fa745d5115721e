"""Faults as the HTTP API tells them: a status, and the error object that OpenAI's clients read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from app.chat import (
    BadReply,
    ChatModelError,
    ModelBusy,
    ModelMissing,
    PromptMiscounted,
    PromptTooLong,
    PromptTruncated,
)
from storage.errors import (
    HayloftError,
    IndexMismatch,
    ServiceUnavailable,
    SettingsError,
    StorageError,
    UsageError,
)

INVALID = "invalid_request_error"
SERVER = "server_error"
LIMIT = "rate_limit_error"

RETRY_S = "5"
"""What `Retry-After` says."""


@dataclass(slots=True, eq=False)
class ApiError(Exception):
    """A request that is answered with an error."""

    status: int
    message: str
    """A sentence: what happened, and what to do."""
    kind: str = INVALID
    """`type` in the error object."""
    code: str | None = None
    param: str | None = None
    """The parameter that is wrong."""
    headers: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.message

    def to_json(self) -> dict[str, object]:
        """The error as OpenAI words one."""
        return {
            "error": {
                "message": self.message,
                "type": self.kind,
                "param": self.param,
                "code": self.code,
            }
        }


# The first class that an error is of decides.
_FAULTS: tuple[tuple[type[HayloftError], int, str, str], ...] = (
    (PromptTooLong, 400, INVALID, "context_length_exceeded"),
    (ModelBusy, 503, SERVER, "model_busy"),
    (ModelMissing, 503, SERVER, "model_missing"),
    (PromptTruncated, 502, SERVER, "prompt_truncated"),
    (PromptMiscounted, 502, SERVER, "prompt_miscounted"),
    (BadReply, 502, SERVER, "bad_reply"),
    (ChatModelError, 503, SERVER, "model_unavailable"),
    (ServiceUnavailable, 503, SERVER, "service_unavailable"),
    (IndexMismatch, 503, SERVER, "index_mismatch"),
    (SettingsError, 500, SERVER, "setting"),
    (UsageError, 400, INVALID, "invalid_value"),
    (StorageError, 500, SERVER, "storage"),
)


def api_error(error: BaseException) -> ApiError:
    """How a fault is told; what nobody foresaw is told without its details."""
    if isinstance(error, ApiError):
        return error
    for kind, status, name, code in _FAULTS:
        if isinstance(error, kind):
            headers = {"Retry-After": RETRY_S} if status == 503 else {}
            return ApiError(status, str(error), name, code, headers=headers)
    if isinstance(error, HayloftError):
        return ApiError(500, str(error), SERVER)
    return ApiError(
        500,
        f"Hayloft met a bug of its own ({type(error).__name__}). The terminal or the journal of "
        "`hayloft serve` shows where; please report it.",
        SERVER,
        "bug",
    )


def stopping() -> ApiError:
    """The error of an answer that the end of the server cut short."""
    return ApiError(
        503,
        "Hayloft is being stopped, and the answer is not complete. Ask again when it is back.",
        SERVER,
        "stopping",
        headers={"Retry-After": RETRY_S},
    )


def too_many(most: int) -> ApiError:
    """The error where no more can be answered at a time."""
    return ApiError(
        429,
        f"{most} questions are being answered, and no more are taken at a time. Ask again soon.",
        LIMIT,
        "rate_limit_exceeded",
        headers={"Retry-After": RETRY_S},
    )


def body_of(value: object) -> bytes:
    """JSON as it is sent; half a surrogate pair in a document's text becomes a question mark."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "replace")

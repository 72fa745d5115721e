"""A turn as `conversations.db` keeps it: the record, and how it is read from a row."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, TypeVar

from app.answers import Citation, Difference, Near, Receipt, Turn
from app.ledger import Ledger
from storage.records import EVERYTHING, Flag, Found, Hit, Place, Scope

STREAMING = "streaming"
DONE = "done"
STOPPED = "stopped"
"""Ended by the user."""
INTERRUPTED = "interrupted"
"""The process that wrote the answer is gone."""
FAILED = "failed"
"""The model or the store failed; the turn's `error` says how."""

SILENCE_S = 6.0
"""An unfinished turn that has not been renewed for so long was interrupted."""

_Record = TypeVar("_Record")


@dataclass(frozen=True, slots=True)
class StoredTurn:
    """A question and what became of it."""

    turn_id: int
    conversation_id: str
    question: str
    asked_at: float
    state: str
    """`streaming`, `done`, `stopped`, `interrupted` or `failed`."""
    text: str
    mode: str
    model: str
    hits: tuple[Hit, ...]
    citations: tuple[Citation, ...]
    receipt: Receipt | None
    timings: dict[str, float]
    stop_reason: str
    notice: str
    error: str
    """The sentence of the fault that ended the answer; usually empty."""
    searched: str = ""
    """What was searched for where that was not the question itself."""
    numbers: tuple[int, ...] = ()
    """Of each passage; see `numbers_of`."""
    sent: str = ""
    given: int = 0
    sent_tokens: int = 0
    ledger: Ledger | None = None
    follows: int | None = None
    """The turn before it; None where it begins the conversation."""
    scope: Scope = EVERYTHING
    """What the question was kept to."""


def turn_of(row: sqlite3.Row, silent_since: float) -> StoredTurn:
    """The turn of a row of `turns`; interrupted where its writer was silent since then."""
    state = row["state"]
    if state == STREAMING and row["beat_at"] < silent_since:
        state = INTERRUPTED
    return StoredTurn(
        turn_id=row["id"],
        conversation_id=row["conversation_id"],
        question=row["question"],
        asked_at=row["asked_at"],
        state=state,
        text=row["text"],
        mode=row["mode"],
        model=row["model"],
        hits=_load(Hit, json.loads(row["hits"])),
        citations=_load(Citation, json.loads(row["citations"])),
        receipt=next(iter(_load(Receipt, [json.loads(row["receipt"] or "null")])), None),
        timings=json.loads(row["timings"]),
        stop_reason=row["stop_reason"],
        notice=row["notice"],
        error=row["error"],
        searched=row["searched"],
        numbers=tuple(json.loads(row["numbers"])),
        sent=row["sent"],
        given=row["given"],
        sent_tokens=row["sent_tokens"],
        ledger=Ledger.from_json(json.loads(row["ledger"])) if row["ledger"] else None,
        follows=row["parent_id"],
        scope=Scope.from_json(json.loads(row["scope"])),
    )


def front_of(kept: str) -> list[Turn]:
    """The turn without a question, where there is one."""
    return list(_load(Turn, [json.loads(kept)])) if kept else []


def dumped(records: Sequence[Hit] | Sequence[Citation]) -> str:
    """Records as JSON; `turn_of` reads them again."""
    return json.dumps([asdict(record) for record in records])


def _load(kind: type[_Record], items: Sequence[Mapping[str, Any] | None]) -> tuple[_Record, ...]:
    """Records from JSON; fields of another version of Hayloft are left out.

    An item that lacks a field which has no default is dropped: the answer's
    text is worth more than one of its sources.
    """
    known = {item.name for item in fields(kind)}  # type: ignore[arg-type]
    records: list[_Record] = []
    for item in items:
        if item is None:
            continue
        try:
            records.append(
                kind(**{name: _whole(name, item[name]) for name in item if name in known})
            )
        except TypeError:
            continue
    return tuple(records)


def _whole(name: str, value: Any) -> Any:
    """A field as its record has it: in JSON, tuples are lists and places are mappings."""
    if name == "hits":
        return _load(Hit, value)
    if name == "numbers":
        return tuple(value)
    if name == "also":
        return _load(Place, value)
    if name == "near":
        return next(iter(_load(Near, [value])), None)
    if name == "differences":
        return _load(Difference, value)
    if name == "figures":
        return tuple(value)
    if name == "flags":
        return tuple(Flag(*flag) for flag in value)
    return tuple(Found(*chunk) for chunk in value) if name == "found" else value

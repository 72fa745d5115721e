"""A conversation as a file: Markdown for people, JSON for programs.

Both hold what the page shows: answers with their citations and places, what became of each
quote, and the receipt. The JSON also has the passages and the versions that are not shown.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from app.answers import Citation, numbers_of
from app.conversations import DONE, FAILED, INTERRUPTED, STOPPED, STREAMING
from app.support import NEAR, VERIFIED, state_of

if TYPE_CHECKING:
    from app.conversations import StoredTurn
    from app.feedback import Feedback
    from storage.records import Scope

_STATES = {
    STOPPED: "Stopped by the user: the answer is incomplete, its quotes were not checked.",
    INTERRUPTED: "Interrupted: the answer is incomplete, its quotes were not checked.",
    FAILED: "The answer broke off.",
    STREAMING: "The answer was still being written.",
}
_UNSAFE = re.compile(r"[^\w.-]+")
_MARKUP = re.compile(r"([\\`*_\[\]<>#|])")


def file_name(title: str, ending: str) -> str:
    """A name that any file system takes: `per-diem.md`."""
    name = _UNSAFE.sub("-", title.lower()).strip("-.")[:60].rstrip("-.")
    return f"{name or 'conversation'}.{ending}"


def to_json(
    title: str,
    turns: Sequence[StoredTurn],
    shown: Collection[int],
    scope: Scope,
    feedback: Mapping[int, Feedback],
    notes: Mapping[int, str] | None = None,
) -> dict[str, Any]:
    """The conversation with all versions of its turns; `shown` are those on the page."""
    return {
        "hayloft_conversation": 1,
        "title": title,
        "scope": scope.to_json(),
        "turns": [
            {
                **_turn_json(turn, turn.turn_id in shown, feedback),
                "note": (notes or {}).get(turn.turn_id),
            }
            for turn in turns
        ],
    }


def _turn_json(turn: StoredTurn, shown: bool, feedback: Mapping[int, Feedback]) -> dict[str, Any]:
    numbers = numbers_of(turn.hits, turn.numbers)
    judged = feedback.get(turn.turn_id)
    return {
        "id": turn.turn_id,
        "follows": turn.follows,
        "shown": shown,
        "asked_at": datetime.fromtimestamp(turn.asked_at, UTC).isoformat(timespec="seconds"),
        "state": turn.state,
        "question": turn.question,
        "searched": turn.searched,
        "answer": turn.text,
        "mode": turn.mode,
        "model": turn.model,
        "citations": [citation.to_json() for citation in turn.citations],
        "passages": [{"n": n, **hit.to_json()} for n, hit in zip(numbers, turn.hits, strict=True)],
        "receipt": turn.receipt.to_json() if turn.receipt else None,
        "timings": turn.timings,
        "stop_reason": turn.stop_reason,
        "notice": turn.notice,
        "error": turn.error,
        "ledger": turn.ledger.to_json() if turn.ledger else None,
        "feedback": judged.to_json() if judged else None,
    }


def to_markdown(
    title: str, turns: Sequence[StoredTurn], notes: Mapping[int, str] | None = None
) -> str:
    """The turns that are shown, each with its sources, its receipt and the reader's note."""
    parts = [f"# {_text(title)}"]
    for turn in turns:
        parts.append(f"## {_text(turn.question)}")
        if turn.searched:
            parts.append(f"*Searched for: {_text(turn.searched)}*")
        if turn.text:
            parts.append(turn.text.strip())
        if turn.state != DONE:
            parts.append(f"> {_STATES[turn.state]} {_text(turn.error)}".rstrip())
        if turn.notice:
            parts.append(f"> {_text(turn.notice)}")
        if turn.citations:
            parts.append("Sources:\n\n" + "\n".join(map(_source, turn.citations)))
        parts.append(_facts(turn))
        if note := (notes or {}).get(turn.turn_id):
            parts.append(f"> **Note:** {_text(note)}")
    return "\n\n".join(part for part in parts if part) + "\n"


def copied(turn: StoredTurn) -> str:
    """An answer with its sources, as it is copied: plain text."""
    sources = [
        f"[{n}] {title or document}, {place}"
        for n, document, title, place in dict.fromkeys(
            (one.n, one.document, one.title, one.place) for one in turn.citations
        )
    ]
    return "\n".join([turn.text.strip(), *(["", *sources] if sources else [])])


def _source(citation: Citation) -> str:
    state = state_of(citation)
    quote = f" “{_text(citation.quote)}”" if citation.quote else ""
    verdict = "verified" if state == VERIFIED else "not verified" if citation.quote else "no quote"
    if state == NEAR and citation.near is not None:
        verdict = f"not verified; the page says “{_text(citation.near.text)}”"
    named = f"{_text(citation.title)}, " if citation.title else ""
    return f"- [{citation.n}] {named}`{citation.document}`, {citation.place}:{quote} ({verdict})"


def _facts(turn: StoredTurn) -> str:
    """Who answered, when, and what was read for it."""
    facts = [
        turn.model,
        turn.mode,
        datetime.fromtimestamp(turn.asked_at, UTC).strftime("%Y-%m-%d %H:%M UTC"),
    ]
    receipt = turn.receipt
    if receipt is not None and receipt.window:
        parts = ", ".join(f"{name} {tokens:,}" for name, tokens in receipt.parts.items())
        facts.append(f"{receipt.prompt_tokens:,} of {receipt.window:,} tokens ({parts})")
    if turn.ledger is not None:
        facts.append(turn.ledger.summary)
    return f"*{' · '.join(_text(fact) for fact in facts if fact)}*"


def _text(text: str) -> str:
    """Words as one line that Markdown leaves alone."""
    return _MARKUP.sub(r"\\\1", " ".join(text.split()))

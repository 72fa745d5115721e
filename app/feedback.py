"""What a user thinks of an answer, and what would have been right."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from app import golden
from app.wording import t

if TYPE_CHECKING:
    from app.conversations import StoredTurn


def reasons() -> dict[str, str]:
    """What can be wrong with an answer, as it is kept and as it is asked."""
    return {
        "wrong": t("It is wrong"),
        "missed": t("It missed the right page"),
        "unproved": t("It does not follow from its sources"),
        "no-answer": t("The documents do not say it"),
        "form": t("Too long, too short or the wrong language"),
        "other": t("Something else"),
    }


@dataclass(frozen=True, slots=True)
class Feedback:
    """A thumb and what goes with it; what was not given is empty."""

    good: bool
    reason: str = ""
    """One of `reasons`, as it is kept."""
    note: str = ""
    document: str = ""
    """The document that holds the answer, as searches name it."""
    page: int = 0
    """From 1; 0 without a document."""
    answer: str = ""
    """What would have been right."""
    golden: str = ""
    """The golden question that was made from it."""

    def to_json(self) -> dict[str, object]:
        """The feedback without what is empty."""
        kept = asdict(self)
        return {name: value for name, value in kept.items() if name == "good" or value}

    @classmethod
    def from_json(cls, told: Mapping[str, object]) -> Feedback:
        """As it was kept; fields of another version are left out."""
        known = {field.name: type(field.default) for field in fields(cls) if field.name != "good"}
        given = {
            name: value
            for name, value in told.items()
            if isinstance(value, known.get(name, type(None)))
        }
        return cls(good=bool(told.get("good")), **given)  # type: ignore[arg-type]


def with_golden(
    data_dir: Path, turn: StoredTurn, feedback: Feedback, *, private: bool = False
) -> Feedback:
    """The feedback with its golden question, where it says what would have been right.

    None is made in a conversation that has, or had, `private` files: everybody who evaluates
    reads the golden set. Raises UsageError where that cannot be, StorageError where it cannot be
    kept.
    """
    unanswerable = feedback.reason == "no-answer"
    if feedback.good or not (feedback.document or feedback.answer or unanswerable):
        return feedback
    if private or any(hit.room for hit in turn.hits):
        # Whoever runs the golden set does not have the files of this conversation.
        return feedback
    kept = golden.add(
        data_dir,
        # A follow-up is asked as it was searched for: alone it would mean something else.
        turn.searched or turn.question,
        document=feedback.document,
        page=feedback.page,
        answers=(feedback.answer,) if feedback.answer else (),
        unanswerable=unanswerable,
        note=feedback.note,
        origin=golden.Origin(
            conversation=turn.conversation_id,
            turn=turn.turn_id,
            model=turn.model,
            mode=turn.mode,
            answer=turn.text,
        ),
    )
    return Feedback(**{**asdict(feedback), "golden": kept.id})

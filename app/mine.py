"""What is kept about one user, counted, taken away as a file, and deleted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from app import conversation_export
from app.preferences import Preferences

if TYPE_CHECKING:
    from app.conversations import Conversations
    from app.preferences import KeptPreferences
    from app.saved_answers import SavedAnswers


@dataclass(frozen=True, slots=True)
class Counts:
    """How much there is of each kind."""

    conversations: int
    notes: int
    judged: int
    saved: int
    preferences: int


@dataclass(frozen=True, slots=True)
class Mine:
    """Everything that is kept under one name."""

    owner: str
    conversations: Conversations
    saved: SavedAnswers
    preferences: KeptPreferences

    def counts(self) -> Counts:
        """How much there is of each kind."""
        notes, judged = self.conversations.note_counts()
        return Counts(
            conversations=self.conversations.count(),
            notes=notes,
            judged=judged,
            saved=len(self.saved.turns(self.owner)),
            preferences=len(self.preferences.of(self.owner).to_json()),
        )

    def export(self) -> dict[str, Any]:
        """All of it, as one JSON object."""
        store = self.conversations
        return {
            "hayloft_mine": 1,
            "exported_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "user": self.owner,
            "preferences": self.preferences.of(self.owner).to_json(),
            "saved_answers": [one.to_json() for one in self.saved.all(self.owner)],
            "conversations": [
                conversation_export.to_json(
                    one.title,
                    store.all_turns(one.conversation_id),
                    {turn.turn_id for turn in store.turns(one.conversation_id)},
                    store.scope(one.conversation_id),
                    store.judgements(one.conversation_id),
                    store.notes(one.conversation_id),
                )
                for one in store.summaries(limit=-1)
            ],
        }

    def delete(self, what: str) -> None:
        """Delete all of one kind (a field of `Counts`) for good."""
        match what:
            case "conversations":
                self.conversations.wipe_all()
            case "notes":
                self.conversations.delete_notes()
            case "judged":
                self.conversations.delete_judgements()
            case "saved":
                self.saved.delete_all(self.owner)
            case "preferences":
                self.preferences.delete(self.owner)
            case _:
                raise ValueError(what)

    def keep(self, preferences: Preferences) -> None:
        """Keep what the user prefers."""
        self.preferences.keep(self.owner, preferences)

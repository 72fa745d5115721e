"""The file of conversations (`<data_dir>/conversations.db`): its owners, and how it can fail."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

from app.conversation_schema import VERSION, bring_up_to_date
from app.conversation_search import folded
from storage.errors import StorageError
from storage.private_file import PrivateFile

# Of one owner; None stands for everybody.
OWN = "owner = coalesce(?, owner)"
OWN_TURN = (
    f"EXISTS (SELECT 1 FROM conversations WHERE conversations.id = turns.conversation_id AND {OWN})"
)
# What the search finds a turn by.
SAID = (
    "SELECT question, turns.text, coalesce(notes.text, '') AS note FROM turns "
    "LEFT JOIN notes ON notes.turn_id = turns.id WHERE turns.id = ?"
)


class ConversationFile(PrivateFile):
    """The file as one owner sees it. `clock` gives seconds since the epoch."""

    _HELD = "The conversations"

    def __init__(
        self, path: Path, *, owner: str | None = "", clock: Callable[[], float] = time.time
    ) -> None:
        self._clock = clock
        self.owner = owner
        super().__init__(path)

    def now(self) -> float:
        """Seconds since the epoch."""
        return self._clock()

    def exists(self, conversation_id: str) -> bool:
        """Whether a conversation is there and not deleted."""
        return bool(
            self._rows(
                f"SELECT 1 FROM conversations WHERE id = ? AND {OWN} AND deleted_at IS NULL",
                self._own(conversation_id),
            )
        )

    def _own(self, conversation_id: str) -> tuple[str, str | None]:
        return conversation_id, self.owner

    @staticmethod
    def _index(connection: sqlite3.Connection, turn_id: int) -> None:
        """Let a turn be found by what it holds now: question, answer, note."""
        row = connection.execute(SAID, (turn_id,)).fetchone()
        if row is not None:
            words = folded(f"{row['question']}\n{row['text']}\n{row['note']}")
            connection.execute(
                "UPDATE turn_words SET folded = ? WHERE turn_id = ?", (words, turn_id)
            )

    def _prepare(self, connection: sqlite3.Connection) -> None:
        # What is deleted is overwritten, not only unlinked.
        connection.execute("PRAGMA secure_delete = ON")
        version = bring_up_to_date(connection)
        if version > VERSION:
            raise StorageError(
                f"The conversations in {self.path} were written by a newer Hayloft "
                f"(schema {version}). Use that one, or move the file away to begin a new list."
            )

    def _told(self, exc: sqlite3.DatabaseError) -> str:
        if isinstance(exc, sqlite3.IntegrityError):
            return "This conversation is no longer there. Begin a new one to ask."
        return _explain(self.path, str(exc))


def _explain(path: Path, reason: str) -> str:
    if "full" in reason:
        return (
            f"The disk that holds {path} is full, so the conversation cannot be kept. "
            "Free some space and ask again."
        )
    if "locked" in reason:
        return (
            f"The conversations in {path} stayed locked by another program for 10 seconds. "
            "Close that program and ask again."
        )
    if "malformed" in reason or "not a database" in reason:
        return (
            f"The conversations in {path} are damaged ({reason}). Restore the file from a backup, "
            "or move it away to begin a new list."
        )
    return (
        f"The conversations in {path} cannot be read or written ({reason}). Mend the permissions "
        "of the file and its folder, or set HAYLOFT_DATA_DIR to another folder."
    )

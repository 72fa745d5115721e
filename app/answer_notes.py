"""What readers think of answers: their notes, found by the search in conversations; judgements."""

from __future__ import annotations

import json
import sqlite3

from app.conversation_file import OWN_TURN, ConversationFile
from app.feedback import Feedback
from storage.sound_text import sound

LONGEST = 5000
"""Characters of a note."""


class AnswerNotes(ConversationFile):
    """Notes and judgements in the file of conversations, one an answer."""

    def note(self, turn_id: int, text: str) -> None:
        """Keep a note on an answer in the place of the one before; an empty one takes it back."""
        text = sound(text.strip()[:LONGEST])
        with self._writing() as connection:
            if not self._is_own(connection, turn_id):
                return
            connection.execute("DELETE FROM notes WHERE turn_id = ?", (turn_id,))
            if text:
                connection.execute(
                    "INSERT INTO notes (turn_id, noted_at, text) VALUES (?, ?, ?)",
                    (turn_id, self.now(), text),
                )
            self._index(connection, turn_id)

    def notes(self, conversation_id: str) -> dict[int, str]:
        """The notes on the answers of a conversation, by turn."""
        rows = self._rows(
            "SELECT turn_id, notes.text FROM notes JOIN turns ON turns.id = turn_id "
            f"WHERE conversation_id = ? AND {OWN_TURN}",
            self._own(conversation_id),
        )
        return {row["turn_id"]: row["text"] for row in rows}

    def judge(self, turn_id: int, feedback: Feedback | None) -> None:
        """Keep what the user thinks of an answer; None takes it back."""
        with self._writing() as connection:
            if not self._is_own(connection, turn_id):
                return
            connection.execute("DELETE FROM feedback WHERE turn_id = ?", (turn_id,))
            if feedback is not None:
                connection.execute(
                    "INSERT INTO feedback (turn_id, judged_at, told) VALUES (?, ?, ?)",
                    (turn_id, self.now(), sound(json.dumps(feedback.to_json()))),
                )

    def judgements(self, conversation_id: str) -> dict[int, Feedback]:
        """What the user thinks of the answers of a conversation, by turn."""
        rows = self._rows(
            "SELECT turn_id, told FROM feedback WHERE turn_id IN "
            f"(SELECT id FROM turns WHERE conversation_id = ? AND {OWN_TURN})",
            self._own(conversation_id),
        )
        return {row["turn_id"]: Feedback.from_json(json.loads(row["told"])) for row in rows}

    def note_counts(self) -> tuple[int, int]:
        """How many notes there are, and how many answers were judged."""
        of_owner = f"JOIN turns ON turns.id = turn_id WHERE {OWN_TURN}"
        rows = self._rows(
            f"SELECT (SELECT count(*) FROM notes {of_owner}) AS notes, "
            f"(SELECT count(*) FROM feedback {of_owner}) AS judged",
            (self.owner, self.owner),
        )
        return rows[0]["notes"], rows[0]["judged"]

    def delete_notes(self) -> None:
        """Delete every note."""
        self._delete_all("notes")

    def delete_judgements(self) -> None:
        """Delete what was thought of answers; golden questions made from it stay."""
        self._delete_all("feedback")

    def _is_own(self, connection: sqlite3.Connection, turn_id: int) -> bool:
        own = f"SELECT 1 FROM turns WHERE id = ? AND {OWN_TURN}"
        return connection.execute(own, (turn_id, self.owner)).fetchone() is not None

    def _delete_all(self, table: str) -> None:
        of_owner = f"SELECT turn_id FROM {table} JOIN turns ON turns.id = turn_id WHERE {OWN_TURN}"
        with self._writing() as connection:
            turns = [row["turn_id"] for row in connection.execute(of_owner, (self.owner,))]
            for turn_id in turns:
                connection.execute(f"DELETE FROM {table} WHERE turn_id = ?", (turn_id,))
                self._index(connection, turn_id)

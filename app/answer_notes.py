"""Notes on answers: what their reader wrote beside them, found by the search in conversations."""

from __future__ import annotations

import sqlite3
from abc import abstractmethod

from app.conversation_search import folded
from storage.private_file import PrivateFile

LONGEST = 5000
"""Characters of a note."""


class AnswerNotes(PrivateFile):
    """Notes in the file of conversations, one an answer."""

    owner: str | None
    """Whose conversations these are; None: everybody's."""

    @abstractmethod
    def now(self) -> float:
        """Seconds since the epoch."""

    def note(self, turn_id: int, text: str) -> None:
        """Keep a note on an answer in the place of the one before; an empty one takes it back."""
        text = text.strip()[:LONGEST].encode("utf-8", "replace").decode("utf-8")
        with self._writing() as connection:
            own = (
                "SELECT 1 FROM turns JOIN conversations ON conversations.id = conversation_id "
                "WHERE turns.id = ? AND owner = coalesce(?, owner)"
            )
            if connection.execute(own, (turn_id, self.owner)).fetchone() is None:
                return
            connection.execute("DELETE FROM notes WHERE turn_id = ?", (turn_id,))
            if text:
                connection.execute(
                    "INSERT INTO notes (turn_id, noted_at, text) VALUES (?, ?, ?)",
                    (turn_id, self.now(), text),
                )
            index_turn(connection, turn_id)

    def notes(self, conversation_id: str) -> dict[int, str]:
        """The notes on the answers of a conversation, by turn."""
        rows = self._rows(
            "SELECT turn_id, notes.text FROM notes JOIN turns ON turns.id = turn_id "
            "JOIN conversations ON conversations.id = conversation_id "
            "WHERE conversation_id = ? AND owner = coalesce(?, owner)",
            (conversation_id, self.owner),
        )
        return {row["turn_id"]: row["text"] for row in rows}

    def count(self) -> int:
        """How many conversations there are, deleted ones left out."""
        rows = self._rows(
            "SELECT count(*) AS n FROM conversations "
            "WHERE owner = coalesce(?, owner) AND deleted_at IS NULL",
            (self.owner,),
        )
        return int(rows[0]["n"])

    def note_counts(self) -> tuple[int, int]:
        """How many notes there are, and how many answers were judged."""
        of_owner = (
            "JOIN turns ON turns.id = turn_id JOIN conversations ON "
            "conversations.id = conversation_id WHERE owner = coalesce(?, owner)"
        )
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

    def _delete_all(self, table: str) -> None:
        of_owner = (
            f"SELECT turn_id FROM {table} JOIN turns ON turns.id = turn_id "
            "JOIN conversations ON conversations.id = conversation_id "
            "WHERE owner = coalesce(?, owner)"
        )
        with self._writing() as connection:
            turns = [row["turn_id"] for row in connection.execute(of_owner, (self.owner,))]
            for turn_id in turns:
                connection.execute(f"DELETE FROM {table} WHERE turn_id = ?", (turn_id,))
                index_turn(connection, turn_id)


def index_turn(connection: sqlite3.Connection, turn_id: int) -> None:
    """Let a turn be found by what it holds now: question, answer, note."""
    row = connection.execute(
        "SELECT question, turns.text, coalesce(notes.text, '') AS note FROM turns "
        "LEFT JOIN notes ON notes.turn_id = turns.id WHERE turns.id = ?",
        (turn_id,),
    ).fetchone()
    if row is not None:
        words = folded(f"{row['question']}\n{row['text']}\n{row['note']}")
        connection.execute("UPDATE turn_words SET folded = ? WHERE turn_id = ?", (words, turn_id))

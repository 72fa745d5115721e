"""The conversations of the chat page, kept in SQLite (`<data_dir>/conversations.db`).

A turn is a question and what became of it. It is written before the answer
begins and again while it grows, so that a crash in mid-stream costs half a
second of text at most. Whoever writes an answer renews the turn's heartbeat;
an unfinished turn whose heartbeat has stopped was interrupted.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.answer_notes import AnswerNotes
from app.conversation_file import OWN, SAID
from app.conversation_search import Excerpt, excerpt, folded, terms_of
from app.stored_turns import (
    DONE,
    FAILED,
    INTERRUPTED,
    SILENCE_S,
    STOPPED,
    STREAMING,
    StoredTurn,
)
from app.turn_writer import HEARTBEAT_S, TurnWriter
from storage.records import EVERYTHING, Scope
from storage.sound_text import sound

__all__ = [
    "DONE",
    "FAILED",
    "HEARTBEAT_S",
    "INTERRUPTED",
    "SILENCE_S",
    "STOPPED",
    "STREAMING",
    "UNDO_S",
    "ConversationFound",
    "ConversationSummary",
    "Conversations",
    "StoredTurn",
]

UNDO_S = 600.0
"""A deleted conversation can be brought back for so long; then it is wiped."""

_SUMMARY = (
    "conversations.id, title, updated_at, pinned, "
    "(SELECT count(*) FROM turns WHERE conversation_id = conversations.id) AS turns"
)
_HOME = "coalesce(home, owner)"


@dataclass(frozen=True, slots=True)
class ConversationSummary:
    """One conversation as the list shows it."""

    conversation_id: str
    title: str
    updated_at: float
    """Seconds since the epoch of the last question or answer."""
    turns: int
    pinned: bool = False


@dataclass(frozen=True, slots=True)
class ConversationFound:
    """A conversation that holds what was looked for."""

    summary: ConversationSummary
    turn_id: int
    """The last turn that holds it; 0 where only the title does."""
    matches: int
    """Turns that hold it."""
    excerpt: Excerpt
    """The words around it, as they stand there."""


class Conversations(TurnWriter, AnswerNotes):
    """The conversations of one owner; safe to share between threads, and between processes.

    A conversation of somebody else is to every method what one is that does not exist: each
    statement names the owner where it reads or changes. Where nobody signs in the owner is empty;
    None is for commands that look after everybody's.

    Every method raises `StorageError` where the file cannot be read or written.
    `clock` gives seconds since the epoch.
    """

    def __init__(
        self, path: Path, *, owner: str | None = "", clock: Callable[[], float] = time.time
    ) -> None:
        super().__init__(path, owner=owner, clock=clock)
        self.wipe_deleted()

    def create(self, title: str, scope: Scope = EVERYTHING) -> str:
        """Begin a conversation within a scope; its id cannot be guessed."""
        conversation_id = secrets.token_urlsafe(9)
        now = self.now()
        with self._writing() as connection:
            connection.execute(
                "INSERT INTO conversations (id, title, folded, created_at, updated_at, scope, "
                "owner) VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    conversation_id,
                    sound(title),
                    folded(sound(title)),
                    now,
                    now,
                    json.dumps(scope.to_json()),
                    self.owner or "",
                ),
            )
        return conversation_id

    def scope(self, conversation_id: str) -> Scope:
        """What the next questions of a conversation are kept to."""
        rows = self._rows(
            f"SELECT scope FROM conversations WHERE id = ? AND {OWN}", self._own(conversation_id)
        )
        return Scope.from_json(json.loads(rows[0]["scope"])) if rows else EVERYTHING

    def set_scope(self, conversation_id: str, scope: Scope) -> None:
        """Keep the next questions of a conversation to some documents."""
        with self._writing() as connection:
            connection.execute(
                f"UPDATE conversations SET scope = ? WHERE id = ? AND {OWN}",
                (json.dumps(scope.to_json()), *self._own(conversation_id)),
            )

    def mode(self, conversation_id: str) -> str:
        """How the next questions of a conversation are answered; empty: as the settings say."""
        rows = self._rows(
            f"SELECT mode FROM conversations WHERE id = ? AND {OWN}", self._own(conversation_id)
        )
        return str(rows[0]["mode"]) if rows else ""

    def set_mode(self, conversation_id: str, mode: str) -> None:
        """Answer the next questions of a conversation in one way."""
        with self._writing() as connection:
            connection.execute(
                f"UPDATE conversations SET mode = ? WHERE id = ? AND {OWN}",
                (mode, *self._own(conversation_id)),
            )

    def title(self, conversation_id: str) -> str:
        """A conversation's title; empty where there is no such conversation."""
        rows = self._rows(
            f"SELECT title FROM conversations WHERE id = ? AND {OWN}", self._own(conversation_id)
        )
        return str(rows[0]["title"]) if rows else ""

    def summaries(self, limit: int = 1000) -> list[ConversationSummary]:
        """The conversations, pinned ones before the others, the one last used first."""
        rows = self._rows(
            f"SELECT {_SUMMARY} FROM conversations WHERE {OWN} AND deleted_at IS NULL "
            "ORDER BY pinned DESC, updated_at DESC, rowid DESC LIMIT ?",
            (self.owner, limit),
        )
        return [_summary(row) for row in rows]

    def search(self, query: str, limit: int = 50) -> list[ConversationFound]:
        """The conversations that hold all words of a query, the one last used first.

        Words are found in the title, in questions and in answers, whatever
        their case and accents, also inside longer words; all of them in one
        turn and its title. Words in double quotation marks stand together.
        An empty query finds nothing.
        """
        terms = terms_of(query)
        if not terms:
            return []
        holds = " AND ".join(
            ["(instr(words.folded, ?) OR instr(conversations.folded, ?))"] * len(terms)
        )
        rows = self._rows(
            f"SELECT {_SUMMARY}, max(words.turn_id) AS turn_id, count(words.turn_id) AS matches "
            "FROM conversations LEFT JOIN turn_words AS words "
            f"ON words.conversation_id = conversations.id WHERE {OWN} AND deleted_at IS NULL "
            f"AND {holds} "
            "GROUP BY conversations.id ORDER BY updated_at DESC, conversations.rowid DESC LIMIT ?",
            (self.owner, *(term for term in terms for _ in range(2)), limit),
        )
        return [self._found(row, terms) for row in rows]

    def _found(self, row: sqlite3.Row, terms: Sequence[str]) -> ConversationFound:
        told = self._rows(SAID, (row["turn_id"],))
        texts = [told[0]["question"], told[0]["text"], told[0]["note"]] if told else []
        return ConversationFound(
            _summary(row), row["turn_id"] or 0, row["matches"], excerpt(texts, terms)
        )

    def rename(self, conversation_id: str, title: str) -> None:
        """Give a conversation another title; its place in the list stays."""
        with self._writing() as connection:
            connection.execute(
                f"UPDATE conversations SET title = ?, folded = ? WHERE id = ? AND {OWN}",
                (sound(title), folded(sound(title)), *self._own(conversation_id)),
            )

    def pin(self, conversation_id: str, pinned: bool = True) -> None:
        """Keep a conversation above the others in the list, or no longer."""
        with self._writing() as connection:
            connection.execute(
                f"UPDATE conversations SET pinned = ? WHERE id = ? AND {OWN}",
                (pinned, *self._own(conversation_id)),
            )

    def delete(self, conversation_id: str) -> None:
        """Take a conversation out of the list; `restore` brings it back for a while."""
        self.wipe_deleted()
        with self._writing() as connection:
            connection.execute(
                f"UPDATE conversations SET deleted_at = ? WHERE id = ? AND {OWN}",
                (self.now(), *self._own(conversation_id)),
            )

    def restore(self, conversation_id: str) -> bool:
        """Bring a deleted conversation back; False where it has been wiped by now."""
        with self._writing() as connection:
            done = connection.execute(
                f"UPDATE conversations SET deleted_at = NULL WHERE id = ? AND {OWN}",
                self._own(conversation_id),
            )
        return done.rowcount > 0

    def wipe_deleted(self, older_than_s: float = UNDO_S) -> None:
        """Wipe from the disk what was deleted longer ago than that."""
        with self._writing() as connection:
            connection.execute(
                "DELETE FROM conversations WHERE deleted_at <= ?", (self.now() - older_than_s,)
            )

    def count(self) -> int:
        """How many conversations there are, deleted ones left out."""
        rows = self._rows(
            f"SELECT count(*) AS n FROM conversations WHERE {OWN} AND deleted_at IS NULL",
            (self.owner,),
        )
        return int(rows[0]["n"])

    def homes(self) -> dict[str, str]:
        """The conversations, each with the name under which its files lie.

        Those included that can still be brought back.
        """
        rows = self._rows(
            f"SELECT id, {_HOME} AS home FROM conversations WHERE {OWN}", (self.owner,)
        )
        return {row["id"]: row["home"] for row in rows}

    def home(self, conversation_id: str) -> str | None:
        """The name under which a conversation's files lie; None where there is none of that id.

        It is the owner's, or empty where it was begun before anybody signed in.
        """
        rows = self._rows(
            f"SELECT {_HOME} AS home FROM conversations WHERE id = ? AND {OWN}",
            self._own(conversation_id),
        )
        return str(rows[0]["home"]) if rows else None

    def adopt(self) -> int:
        """Take over the conversations that were had before there was a login; how many.

        Their files stay where they are: answers name them by their place.
        """
        with self._writing() as connection:
            done = connection.execute(
                f"UPDATE conversations SET owner = ?, home = {_HOME} WHERE owner = ''",
                (self.owner or "",),
            )
        return done.rowcount

    def wipe_all(self) -> int:
        """Wipe all conversations of the owner from the disk, for good; how many."""
        with self._writing() as connection:
            done = connection.execute(
                "DELETE FROM conversations WHERE owner = ?", (self.owner or "",)
            )
        return done.rowcount


def _summary(row: sqlite3.Row) -> ConversationSummary:
    return ConversationSummary(
        row["id"], row["title"], row["updated_at"], row["turns"], bool(row["pinned"])
    )

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
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

from app.answer_notes import AnswerNotes, index_turn
from app.answers import (
    Answer,
    Citation,
    Difference,
    Near,
    Receipt,
    SourcesFound,
    Turn,
    numbers_of,
)
from app.conversation_schema import VERSION, bring_up_to_date
from app.conversation_search import Excerpt, excerpt, folded, terms_of
from app.feedback import Feedback
from app.ledger import Ledger
from storage.errors import StorageError
from storage.records import EVERYTHING, Flag, Found, Hit, Place, Scope

STREAMING = "streaming"
DONE = "done"
STOPPED = "stopped"
"""Ended by the user."""
INTERRUPTED = "interrupted"
"""The process that wrote the answer is gone."""
FAILED = "failed"
"""The model or the store failed; the turn's `error` says how."""

HEARTBEAT_S = 1.0
"""How often the writer of an answer says that it is alive."""
SILENCE_S = 6.0
"""An unfinished turn that has not been renewed for so long was interrupted."""
UNDO_S = 600.0
"""A deleted conversation can be brought back for so long; then it is wiped."""

_SUMMARY = (
    "conversations.id, title, updated_at, pinned, "
    "(SELECT count(*) FROM turns WHERE conversation_id = conversations.id) AS turns"
)
# From a turn to what it follows, within one conversation.
_PATH = (
    "path (id, before) AS (SELECT id, parent_id FROM turns WHERE id = ? AND conversation_id = ? "
    "UNION ALL SELECT turns.id, turns.parent_id FROM turns JOIN path ON turns.id = path.before)"
)

# Of one owner; None stands for everybody.
_OWN = "owner = coalesce(?, owner)"
_OWN_TURN = (
    "EXISTS (SELECT 1 FROM conversations WHERE conversations.id = turns.conversation_id "
    f"AND {_OWN})"
)

_Record = TypeVar("_Record")


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


class Conversations(AnswerNotes):
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
        self._clock = clock
        self.owner = owner
        super().__init__(path)
        self.wipe_deleted()

    def create(self, title: str, scope: Scope = EVERYTHING) -> str:
        """Begin a conversation within a scope; its id cannot be guessed."""
        conversation_id = secrets.token_urlsafe(9)
        now = self._clock()
        with self._writing() as connection:
            connection.execute(
                "INSERT INTO conversations (id, title, folded, created_at, updated_at, scope, "
                "owner) VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    conversation_id,
                    _writable(title),
                    folded(_writable(title)),
                    now,
                    now,
                    json.dumps(scope.to_json()),
                    self.owner or "",
                ),
            )
        return conversation_id

    def exists(self, conversation_id: str) -> bool:
        """Whether a conversation is there and not deleted."""
        return bool(
            self._rows(
                f"SELECT 1 FROM conversations WHERE id = ? AND {_OWN} AND deleted_at IS NULL",
                self._own(conversation_id),
            )
        )

    def scope(self, conversation_id: str) -> Scope:
        """What the next questions of a conversation are kept to."""
        rows = self._rows(
            f"SELECT scope FROM conversations WHERE id = ? AND {_OWN}", self._own(conversation_id)
        )
        return Scope.from_json(json.loads(rows[0]["scope"])) if rows else EVERYTHING

    def set_scope(self, conversation_id: str, scope: Scope) -> None:
        """Keep the next questions of a conversation to some documents."""
        with self._writing() as connection:
            connection.execute(
                f"UPDATE conversations SET scope = ? WHERE id = ? AND {_OWN}",
                (json.dumps(scope.to_json()), *self._own(conversation_id)),
            )

    def mode(self, conversation_id: str) -> str:
        """How the next questions of a conversation are answered; empty: as the settings say."""
        rows = self._rows(
            f"SELECT mode FROM conversations WHERE id = ? AND {_OWN}", self._own(conversation_id)
        )
        return str(rows[0]["mode"]) if rows else ""

    def set_mode(self, conversation_id: str, mode: str) -> None:
        """Answer the next questions of a conversation in one way."""
        with self._writing() as connection:
            connection.execute(
                f"UPDATE conversations SET mode = ? WHERE id = ? AND {_OWN}",
                (mode, *self._own(conversation_id)),
            )

    def title(self, conversation_id: str) -> str:
        """A conversation's title; empty where there is no such conversation."""
        rows = self._rows(
            f"SELECT title FROM conversations WHERE id = ? AND {_OWN}", self._own(conversation_id)
        )
        return str(rows[0]["title"]) if rows else ""

    def summaries(self, limit: int = 1000) -> list[ConversationSummary]:
        """The conversations, pinned ones before the others, the one last used first."""
        rows = self._rows(
            f"SELECT {_SUMMARY} FROM conversations WHERE {_OWN} AND deleted_at IS NULL "
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
            f"ON words.conversation_id = conversations.id WHERE {_OWN} AND deleted_at IS NULL "
            f"AND {holds} "
            "GROUP BY conversations.id ORDER BY updated_at DESC, conversations.rowid DESC LIMIT ?",
            (self.owner, *(term for term in terms for _ in range(2)), limit),
        )
        return [self._found(row, terms) for row in rows]

    def _found(self, row: sqlite3.Row, terms: Sequence[str]) -> ConversationFound:
        told = self._rows(
            "SELECT question, turns.text, coalesce(notes.text, '') AS note FROM turns "
            "LEFT JOIN notes ON notes.turn_id = turns.id WHERE turns.id = ?",
            (row["turn_id"],),
        )
        texts = [told[0]["question"], told[0]["text"], told[0]["note"]] if told else []
        return ConversationFound(
            _summary(row), row["turn_id"] or 0, row["matches"], excerpt(texts, terms)
        )

    def rename(self, conversation_id: str, title: str) -> None:
        """Give a conversation another title; its place in the list stays."""
        with self._writing() as connection:
            connection.execute(
                f"UPDATE conversations SET title = ?, folded = ? WHERE id = ? AND {_OWN}",
                (_writable(title), folded(_writable(title)), *self._own(conversation_id)),
            )

    def pin(self, conversation_id: str, pinned: bool = True) -> None:
        """Keep a conversation above the others in the list, or no longer."""
        with self._writing() as connection:
            connection.execute(
                f"UPDATE conversations SET pinned = ? WHERE id = ? AND {_OWN}",
                (pinned, *self._own(conversation_id)),
            )

    def delete(self, conversation_id: str) -> None:
        """Take a conversation out of the list; `restore` brings it back for a while."""
        self.wipe_deleted()
        with self._writing() as connection:
            connection.execute(
                f"UPDATE conversations SET deleted_at = ? WHERE id = ? AND {_OWN}",
                (self._clock(), *self._own(conversation_id)),
            )

    def restore(self, conversation_id: str) -> bool:
        """Bring a deleted conversation back; False where it has been wiped by now."""
        with self._writing() as connection:
            done = connection.execute(
                f"UPDATE conversations SET deleted_at = NULL WHERE id = ? AND {_OWN}",
                self._own(conversation_id),
            )
        return done.rowcount > 0

    def wipe_deleted(self, older_than_s: float = UNDO_S) -> None:
        """Wipe from the disk what was deleted longer ago than that."""
        with self._writing() as connection:
            connection.execute(
                "DELETE FROM conversations WHERE deleted_at <= ?", (self._clock() - older_than_s,)
            )

    def begin_turn(
        self, conversation_id: str, question: str, *, instead_of: int | None = None
    ) -> int:
        """Write down a question before its answer begins; returns the turn's id.

        It follows the turn that is shown last. With `instead_of` it follows
        what that turn follows: another version of it, which is shown from now
        on; the earlier version and what followed it are kept.
        """
        now = self._clock()
        with self._writing() as connection:
            if not self.exists(conversation_id):
                raise StorageError("This conversation is no longer there. Begin a new one to ask.")
            before = "SELECT head FROM conversations WHERE id = ?"
            if instead_of is not None:
                before = "SELECT parent_id FROM turns WHERE conversation_id = ? AND id = ?"
                if not self.holds(conversation_id, instead_of):
                    raise StorageError("This question is no longer there. Ask it anew.")
            row = connection.execute(
                "INSERT INTO turns (conversation_id, parent_id, question, asked_at, state, beat_at,"
                f" scope) VALUES (?, ({before}), ?, ?, ?, ?, "
                "(SELECT scope FROM conversations WHERE id = ?)) RETURNING id",
                (
                    conversation_id,
                    *((conversation_id,) if instead_of is None else (conversation_id, instead_of)),
                    _writable(question),
                    now,
                    STREAMING,
                    now,
                    conversation_id,
                ),
            ).fetchone()
            turn_id = int(row["id"])
            connection.execute(
                "INSERT INTO turn_words (turn_id, conversation_id, folded) VALUES (?, ?, ?)",
                (turn_id, conversation_id, folded(_writable(question))),
            )
            connection.execute(
                "UPDATE conversations SET updated_at = ?, head = ? WHERE id = ?",
                (now, turn_id, conversation_id),
            )
        return turn_id

    def holds(self, conversation_id: str, turn_id: int) -> bool:
        """Whether a turn is one of a conversation's, shown or not."""
        return bool(
            self._rows(
                f"SELECT 1 FROM turns WHERE id = ? AND conversation_id = ? AND {_OWN_TURN}",
                (turn_id, *self._own(conversation_id)),
            )
        )

    def head(self, conversation_id: str) -> int:
        """The turn that is shown last; 0 where there is none."""
        rows = self._rows(
            f"SELECT head FROM conversations WHERE id = ? AND {_OWN}", self._own(conversation_id)
        )
        return (rows[0]["head"] or 0) if rows else 0

    def versions(self, conversation_id: str) -> dict[int, tuple[int, ...]]:
        """Of each turn that has other versions, all of them, the first one first."""
        rows = self._rows(
            f"SELECT id, parent_id FROM turns WHERE conversation_id = ? AND {_OWN_TURN} "
            "ORDER BY id",
            self._own(conversation_id),
        )
        together: dict[int | None, list[int]] = {}
        for row in rows:
            together.setdefault(row["parent_id"], []).append(row["id"])
        return {
            turn_id: tuple(turns)
            for turns in together.values()
            if len(turns) > 1
            for turn_id in turns
        }

    def show(self, conversation_id: str, turn_id: int) -> bool:
        """Show a version of a turn with what followed it last; False where it is not there.

        A turn that is shown already changes nothing.
        """
        with self._writing() as connection:
            if not self.holds(conversation_id, turn_id):
                return False
            shown = f"WITH RECURSIVE {_PATH} SELECT 1 FROM path WHERE id = ?"
            start = (self.head(conversation_id), conversation_id)
            if connection.execute(shown, (*start, turn_id)).fetchone():
                return True
            # Whatever follows a turn has a higher number: the highest is a last one.
            last = connection.execute(
                "WITH RECURSIVE below (id) AS (SELECT id FROM turns WHERE id = ? AND "
                "conversation_id = ? UNION ALL SELECT turns.id FROM turns JOIN below "
                "ON turns.parent_id = below.id) SELECT max(id) FROM below",
                (turn_id, conversation_id),
            ).fetchone()[0]
            if last is not None:
                connection.execute(
                    "UPDATE conversations SET head = ? WHERE id = ?", (last, conversation_id)
                )
        return last is not None

    def begin_prompt(self, turn_id: int, found: SourcesFound) -> None:
        """Keep what is about to be sent, so that the next prompt can begin with it."""
        with self._writing() as connection:
            self._keep_prompt(connection, turn_id, found)

    def _keep_prompt(
        self, connection: sqlite3.Connection, turn_id: int, found: SourcesFound
    ) -> None:
        sent = found.sent
        connection.execute(
            "UPDATE turns SET hits = ?, numbers = ?, mode = ?, model = ?, sent = ?, given = ?, "
            f"sent_tokens = ?, beat_at = ? WHERE id = ? AND state = ? AND {_OWN_TURN}",
            (
                _dump(found.hits),
                json.dumps(found.numbers),
                found.mode,
                found.model,
                _writable(sent.text) if sent else "",
                sent.given if sent else 0,
                sent.tokens if sent else 0,
                self._clock(),
                turn_id,
                STREAMING,
                self.owner,
            ),
        )
        # Kept with the turn that brought it: another version of an earlier turn is without it.
        if sent is not None and sent.front is not None:
            connection.execute(
                f"UPDATE turns SET front = ? WHERE id = ? AND {_OWN_TURN}",
                (json.dumps(asdict(sent.front)), turn_id, self.owner),
            )
        if sent is not None and sent.begins is not None:
            connection.execute(
                f"UPDATE turns SET begins = ? WHERE id = ? AND {_OWN_TURN}",
                (sent.begins or turn_id, turn_id, self.owner),
            )

    def save_partial(
        self,
        turn_id: int,
        *,
        text: str,
        hits: Sequence[Hit] | None = None,
        mode: str | None = None,
        model: str | None = None,
    ) -> None:
        """Keep what there is of an answer so far, and say that its writer is alive.

        What is None stays as it was kept before.
        """
        with self._writing() as connection:
            connection.execute(
                "UPDATE turns SET text = ?, hits = coalesce(?, hits), mode = coalesce(?, mode), "
                "model = coalesce(?, model), beat_at = ? WHERE id = ? AND state = ? "
                f"AND {_OWN_TURN}",
                (
                    _writable(text),
                    None if hits is None else _dump(hits),
                    mode,
                    model,
                    self._clock(),
                    turn_id,
                    STREAMING,
                    self.owner,
                ),
            )
            index_turn(connection, turn_id)

    def finish_turn(self, turn_id: int, answer: Answer, found: SourcesFound | None = None) -> None:
        """Keep a complete answer, and the prompt it is from where that was not kept before."""
        state = STOPPED if answer.stop_reason == "stopped" else DONE
        now = self._clock()
        with self._writing() as connection:
            if found is not None:
                self._keep_prompt(connection, turn_id, found)
            connection.execute(
                "UPDATE turns SET state = ?, beat_at = ?, text = ?, mode = ?, model = ?, hits = ?, "
                "citations = ?, receipt = ?, timings = ?, stop_reason = ?, notice = ?, "
                f"searched = ?, numbers = ?, ledger = ? WHERE id = ? AND {_OWN_TURN}",
                (
                    state,
                    now,
                    _writable(answer.text),
                    answer.mode,
                    answer.model,
                    _dump(answer.hits),
                    _dump(answer.citations),
                    json.dumps(answer.receipt.to_json()),
                    json.dumps(answer.timings),
                    answer.stop_reason,
                    answer.notice,
                    _writable(answer.searched),
                    json.dumps(answer.numbers),
                    json.dumps(answer.ledger.to_json()) if answer.ledger else None,
                    turn_id,
                    self.owner,
                ),
            )
            index_turn(connection, turn_id)
            connection.execute(
                "UPDATE conversations SET updated_at = ? "
                f"WHERE id = (SELECT conversation_id FROM turns WHERE id = ?) AND {_OWN}",
                (now, turn_id, self.owner),
            )

    def end_turn(self, turn_id: int, state: str, *, error: str = "") -> None:
        """End an answer that is not complete (`stopped`, `failed`, `interrupted`) as it stands."""
        with self._writing() as connection:
            connection.execute(
                "UPDATE turns SET state = ?, error = ?, beat_at = ? WHERE id = ? AND state = ? "
                f"AND {_OWN_TURN}",
                (state, _writable(error), self._clock(), turn_id, STREAMING, self.owner),
            )

    def turns(self, conversation_id: str) -> list[StoredTurn]:
        """The turns of a conversation that are shown, the first one first.

        Of a turn with several versions it is the one chosen last. A turn whose
        writer has gone silent is read as `interrupted`.
        """
        silent_since = self._clock() - SILENCE_S
        return [_turn(row, silent_since) for row in self._path(conversation_id, None)]

    def all_turns(self, conversation_id: str) -> list[StoredTurn]:
        """All turns with all their versions, in the order in which they were asked."""
        rows = self._rows(
            f"SELECT * FROM turns WHERE conversation_id = ? AND {_OWN_TURN} ORDER BY id",
            self._own(conversation_id),
        )
        silent_since = self._clock() - SILENCE_S
        return [_turn(row, silent_since) for row in rows]

    def _path(self, conversation_id: str, before: int | None) -> list[sqlite3.Row]:
        """The turns that lead to the one shown last, or to what stands before a turn."""
        start = "(SELECT head FROM conversations WHERE id = ?)"
        values: tuple[object, ...] = (conversation_id,)
        if before is not None:
            start = "(SELECT parent_id FROM turns WHERE id = ?)"
            values = (before,)
        return self._rows(
            f"WITH RECURSIVE {_PATH.replace('?', start, 1)} SELECT turns.* FROM turns "
            f"WHERE id IN (SELECT id FROM path) AND {_OWN_TURN} ORDER BY id",
            (*values, conversation_id, self.owner),
        )

    def turn(self, turn_id: int) -> StoredTurn | None:
        """One turn, or None."""
        rows = self._rows(
            f"SELECT * FROM turns WHERE id = ? AND {_OWN_TURN}", (turn_id, self.owner)
        )
        return _turn(rows[0], self._clock() - SILENCE_S) if rows else None

    def history(self, conversation_id: str, *, before: int | None = None) -> list[Turn]:
        """What the next prompt looks back on: the answers that were not cut short by a fault.

        Documents that stand before the first turn come first, as a turn
        without a question. Turns that prompts no longer hold are marked. With
        `before` it ends where that turn was asked: another version of it sees
        the very same, character by character.
        """
        rows = self._path(conversation_id, before)
        begins = next((row["begins"] for row in reversed(rows) if row["begins"]), 0)
        front = next((row["front"] for row in reversed(rows) if row["front"] is not None), "")
        silent_since = self._clock() - SILENCE_S
        turns = [
            Turn(
                turn.question,
                turn.text,
                turn.hits,
                turn.searched,
                numbers=turn.numbers,
                sent=turn.sent,
                given=turn.given,
                dropped=turn.turn_id < begins,
                turn_id=turn.turn_id,
                model=turn.model,
                tokens=turn.sent_tokens,
            )
            for turn in (_turn(row, silent_since) for row in rows)
            if turn.state in (DONE, STOPPED) and turn.text and turn.mode != "none"
        ]
        return [*_front(front), *turns]

    def judge(self, turn_id: int, feedback: Feedback | None) -> None:
        """Keep what the user thinks of an answer; None takes it back."""
        with self._writing() as connection:
            own = f"SELECT 1 FROM turns WHERE id = ? AND {_OWN_TURN}"
            if not connection.execute(own, (turn_id, self.owner)).fetchone():
                return
            connection.execute("DELETE FROM feedback WHERE turn_id = ?", (turn_id,))
            if feedback is not None:
                connection.execute(
                    "INSERT INTO feedback (turn_id, judged_at, told) VALUES (?, ?, ?)",
                    (turn_id, self._clock(), _writable(json.dumps(feedback.to_json()))),
                )

    def judgements(self, conversation_id: str) -> dict[int, Feedback]:
        """What the user thinks of the answers of a conversation, by turn."""
        rows = self._rows(
            "SELECT turn_id, told FROM feedback WHERE turn_id IN "
            f"(SELECT id FROM turns WHERE conversation_id = ? AND {_OWN_TURN})",
            self._own(conversation_id),
        )
        return {row["turn_id"]: Feedback.from_json(json.loads(row["told"])) for row in rows}

    def passage(self, conversation_id: str, number: int) -> Hit | None:
        """The passage that has a number in the whole conversation; None where none has it."""
        for turn in self.history(conversation_id):
            if not turn.sent:
                continue
            numbered = zip(numbers_of(turn.hits, turn.numbers), turn.hits, strict=True)
            for n, hit in list(numbered)[: turn.given]:
                if n == number:
                    return hit
        return None

    def owners(self) -> dict[str, str]:
        """The conversations with their owners, those included that can still be brought back."""
        rows = self._rows(f"SELECT id, owner FROM conversations WHERE {_OWN}", (self.owner,))
        return {row["id"]: row["owner"] for row in rows}

    def adopt(self) -> int:
        """Take over the conversations that were had before there was a login; how many."""
        with self._writing() as connection:
            done = connection.execute(
                "UPDATE conversations SET owner = ? WHERE owner = ''", (self.owner or "",)
            )
        return done.rowcount

    def wipe_all(self) -> int:
        """Wipe all conversations of the owner from the disk, for good; how many."""
        with self._writing() as connection:
            done = connection.execute(
                "DELETE FROM conversations WHERE owner = ?", (self.owner or "",)
            )
        return done.rowcount

    def now(self) -> float:
        """Seconds since the epoch."""
        return self._clock()

    def _own(self, conversation_id: str) -> tuple[str, str | None]:
        return conversation_id, self.owner

    def _prepare(self, connection: sqlite3.Connection) -> None:
        # What is deleted is overwritten, not only unlinked.
        connection.execute("PRAGMA secure_delete = ON")
        version = bring_up_to_date(connection)
        if version > VERSION:
            raise StorageError(
                f"The conversations in {self.path} were written by a newer Hayloft "
                f"(schema {version}). Use that one, or move the file away to begin a new list."
            )

    @contextmanager
    def _foreseen(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.IntegrityError as exc:
            raise StorageError(
                "This conversation is no longer there. Begin a new one to ask."
            ) from exc
        except sqlite3.DatabaseError as exc:
            raise StorageError(_explain(self.path, str(exc))) from exc
        except OSError as exc:
            raise StorageError(
                f"The conversations cannot be kept in {self.path.parent} ({exc.strerror}). "
                "Mend its permissions or set HAYLOFT_DATA_DIR to another folder."
            ) from exc


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


def _summary(row: sqlite3.Row) -> ConversationSummary:
    return ConversationSummary(
        row["id"], row["title"], row["updated_at"], row["turns"], bool(row["pinned"])
    )


def _dump(records: Sequence[Hit] | Sequence[Citation]) -> str:
    return json.dumps([asdict(record) for record in records])


def _writable(text: str) -> str:
    """The text as UTF-8 can hold it: PDFs give half surrogates, which SQLite refuses."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _turn(row: sqlite3.Row, silent_since: float) -> StoredTurn:
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


def _front(kept: str) -> list[Turn]:
    """The turn without a question, where there is one."""
    return list(_load(Turn, [json.loads(kept)])) if kept else []


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

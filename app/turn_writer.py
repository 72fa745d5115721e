"""Writing turns: before the answer begins, again while it grows, and when it ends."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import asdict

from app.answers import Answer, SourcesFound
from app.conversation_file import OWN, OWN_TURN
from app.conversation_search import folded
from app.stored_turns import DONE, STOPPED, STREAMING, dumped
from app.turn_reader import PATH, TurnReader
from storage.errors import StorageError
from storage.records import Hit
from storage.sound_text import sound

HEARTBEAT_S = 1.0
"""How often the writer of an answer says that it is alive."""


class TurnWriter(TurnReader):
    """The turns of an owner's conversations, to be written."""

    def begin_turn(
        self, conversation_id: str, question: str, *, instead_of: int | None = None
    ) -> int:
        """Write down a question before its answer begins; returns the turn's id.

        It follows the turn that is shown last. With `instead_of` it follows
        what that turn follows: another version of it, which is shown from now
        on; the earlier version and what followed it are kept.
        """
        now = self.now()
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
                    sound(question),
                    now,
                    STREAMING,
                    now,
                    conversation_id,
                ),
            ).fetchone()
            turn_id = int(row["id"])
            connection.execute(
                "INSERT INTO turn_words (turn_id, conversation_id, folded) VALUES (?, ?, ?)",
                (turn_id, conversation_id, folded(sound(question))),
            )
            connection.execute(
                "UPDATE conversations SET updated_at = ?, head = ? WHERE id = ?",
                (now, turn_id, conversation_id),
            )
        return turn_id

    def show(self, conversation_id: str, turn_id: int) -> bool:
        """Show a version of a turn with what followed it last; False where it is not there.

        A turn that is shown already changes nothing.
        """
        with self._writing() as connection:
            if not self.holds(conversation_id, turn_id):
                return False
            shown = f"WITH RECURSIVE {PATH} SELECT 1 FROM path WHERE id = ?"
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
            f"sent_tokens = ?, beat_at = ? WHERE id = ? AND state = ? AND {OWN_TURN}",
            (
                dumped(found.hits),
                json.dumps(found.numbers),
                found.mode,
                found.model,
                sound(sent.text) if sent else "",
                sent.given if sent else 0,
                sent.tokens if sent else 0,
                self.now(),
                turn_id,
                STREAMING,
                self.owner,
            ),
        )
        # Kept with the turn that brought it: another version of an earlier turn is without it.
        if sent is not None and sent.front is not None:
            connection.execute(
                f"UPDATE turns SET front = ? WHERE id = ? AND {OWN_TURN}",
                (json.dumps(asdict(sent.front)), turn_id, self.owner),
            )
        if sent is not None and sent.begins is not None:
            connection.execute(
                f"UPDATE turns SET begins = ? WHERE id = ? AND {OWN_TURN}",
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
                f"AND {OWN_TURN}",
                (
                    sound(text),
                    None if hits is None else dumped(hits),
                    mode,
                    model,
                    self.now(),
                    turn_id,
                    STREAMING,
                    self.owner,
                ),
            )
            self._index(connection, turn_id)

    def finish_turn(self, turn_id: int, answer: Answer, found: SourcesFound | None = None) -> None:
        """Keep a complete answer, and the prompt it is from where that was not kept before."""
        state = STOPPED if answer.stop_reason == "stopped" else DONE
        now = self.now()
        with self._writing() as connection:
            if found is not None:
                self._keep_prompt(connection, turn_id, found)
            connection.execute(
                "UPDATE turns SET state = ?, beat_at = ?, text = ?, mode = ?, model = ?, hits = ?, "
                "citations = ?, receipt = ?, timings = ?, stop_reason = ?, notice = ?, "
                f"searched = ?, numbers = ?, ledger = ? WHERE id = ? AND {OWN_TURN}",
                (
                    state,
                    now,
                    sound(answer.text),
                    answer.mode,
                    answer.model,
                    dumped(answer.hits),
                    dumped(answer.citations),
                    json.dumps(answer.receipt.to_json()),
                    json.dumps(answer.timings),
                    answer.stop_reason,
                    answer.notice,
                    sound(answer.searched),
                    json.dumps(answer.numbers),
                    json.dumps(answer.ledger.to_json()) if answer.ledger else None,
                    turn_id,
                    self.owner,
                ),
            )
            self._index(connection, turn_id)
            connection.execute(
                "UPDATE conversations SET updated_at = ? "
                f"WHERE id = (SELECT conversation_id FROM turns WHERE id = ?) AND {OWN}",
                (now, turn_id, self.owner),
            )

    def end_turn(self, turn_id: int, state: str, *, error: str = "") -> None:
        """End an answer that is not complete (`stopped`, `failed`, `interrupted`) as it stands."""
        with self._writing() as connection:
            connection.execute(
                "UPDATE turns SET state = ?, error = ?, beat_at = ? WHERE id = ? AND state = ? "
                f"AND {OWN_TURN}",
                (state, sound(error), self.now(), turn_id, STREAMING, self.owner),
            )

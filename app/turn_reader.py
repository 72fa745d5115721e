"""Reading the turns of a conversation, and the versions that there are of them."""

from __future__ import annotations

import sqlite3

from app.answers import Turn, numbers_of
from app.conversation_file import OWN, OWN_TURN, ConversationFile
from app.stored_turns import DONE, SILENCE_S, STOPPED, StoredTurn, front_of, turn_of
from storage.records import Hit

# From a turn to what it follows, within one conversation.
PATH = (
    "path (id, before) AS (SELECT id, parent_id FROM turns WHERE id = ? AND conversation_id = ? "
    "UNION ALL SELECT turns.id, turns.parent_id FROM turns JOIN path ON turns.id = path.before)"
)


class TurnReader(ConversationFile):
    """The turns of an owner's conversations, to be read."""

    def holds(self, conversation_id: str, turn_id: int) -> bool:
        """Whether a turn is one of a conversation's, shown or not."""
        return bool(
            self._rows(
                f"SELECT 1 FROM turns WHERE id = ? AND conversation_id = ? AND {OWN_TURN}",
                (turn_id, *self._own(conversation_id)),
            )
        )

    def head(self, conversation_id: str) -> int:
        """The turn that is shown last; 0 where there is none."""
        rows = self._rows(
            f"SELECT head FROM conversations WHERE id = ? AND {OWN}", self._own(conversation_id)
        )
        return (rows[0]["head"] or 0) if rows else 0

    def versions(self, conversation_id: str) -> dict[int, tuple[int, ...]]:
        """Of each turn that has other versions, all of them, the first one first."""
        rows = self._rows(
            f"SELECT id, parent_id FROM turns WHERE conversation_id = ? AND {OWN_TURN} ORDER BY id",
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

    def turns(self, conversation_id: str) -> list[StoredTurn]:
        """The turns of a conversation that are shown, the first one first.

        Of a turn with several versions it is the one chosen last. A turn whose
        writer has gone silent is read as `interrupted`.
        """
        silent_since = self.now() - SILENCE_S
        return [turn_of(row, silent_since) for row in self._path(conversation_id, None)]

    def all_turns(self, conversation_id: str) -> list[StoredTurn]:
        """All turns with all their versions, in the order in which they were asked."""
        rows = self._rows(
            f"SELECT * FROM turns WHERE conversation_id = ? AND {OWN_TURN} ORDER BY id",
            self._own(conversation_id),
        )
        silent_since = self.now() - SILENCE_S
        return [turn_of(row, silent_since) for row in rows]

    def _path(self, conversation_id: str, before: int | None) -> list[sqlite3.Row]:
        """The turns that lead to the one shown last, or to what stands before a turn."""
        start = "(SELECT head FROM conversations WHERE id = ?)"
        values: tuple[object, ...] = (conversation_id,)
        if before is not None:
            start = "(SELECT parent_id FROM turns WHERE id = ?)"
            values = (before,)
        return self._rows(
            f"WITH RECURSIVE {PATH.replace('?', start, 1)} SELECT turns.* FROM turns "
            f"WHERE id IN (SELECT id FROM path) AND {OWN_TURN} ORDER BY id",
            (*values, conversation_id, self.owner),
        )

    def turn(self, turn_id: int) -> StoredTurn | None:
        """One turn, or None."""
        rows = self._rows(f"SELECT * FROM turns WHERE id = ? AND {OWN_TURN}", (turn_id, self.owner))
        return turn_of(rows[0], self.now() - SILENCE_S) if rows else None

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
        silent_since = self.now() - SILENCE_S
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
            for turn in (turn_of(row, silent_since) for row in rows)
            if turn.state in (DONE, STOPPED) and turn.text and turn.mode != "none"
        ]
        return [*front_of(front), *turns]

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

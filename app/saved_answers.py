"""Saved answers: kept with what they rest on, so that it can be told when they expire.

They are kept by owner, apart from the conversation they come from: deleting that leaves them.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.answers import Citation
from app.conversation_search import folded, terms_of
from app.expiry import Stand, Verdict, check
from app.memory_file import MemoryFile
from app.rests import WHOLE, Rest
from storage.errors import UsageError
from storage.records import Scope
from storage.sound_text import sound

if TYPE_CHECKING:
    from storage.catalog import Catalog

STREAMING = "streaming"
DONE = "done"
"""The new answer is there, and nobody has chosen between the two so far."""


@dataclass(frozen=True, slots=True)
class Source:
    """A place that an answer cites."""

    n: int
    document: str
    page: int
    place: str
    title: str
    quote: str = ""
    verified: bool = False


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer as it is kept: what was said, by whom, resting on what."""

    text: str
    mode: str
    model: str
    sources: tuple[Source, ...]
    rests: tuple[Rest, ...]
    library: str
    """The library that the ids in `rests` are of."""
    made_at: float
    """Seconds since the epoch."""
    notice: str = ""

    @property
    def whole(self) -> bool:
        """Whether every page in scope was read for it."""
        return self.mode in WHOLE

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Kept:
        """What `asdict` gave."""
        return cls(
            **{
                **told,
                "sources": tuple(Source(**source) for source in told["sources"]),
                "rests": tuple(map(Rest.from_json, told["rests"])),
            }
        )


@dataclass(frozen=True, slots=True)
class Again:
    """What came of asking again."""

    state: str
    """`streaming`, `done`, `stopped` or `failed`."""
    error: str = ""
    kept: Kept | None = None


@dataclass(frozen=True, slots=True)
class SavedAnswer:
    """A question, its answer, and what came of asking again."""

    saved_id: int
    owner: str
    conversation_id: str
    turn_id: int
    saved_at: float
    question: str
    asked: str
    """The question as it can be asked by itself; of a follow-up, what was searched for."""
    scope: Scope
    kept: Kept
    confirmed_at: float = 0.0
    """When its owner kept it although pages had changed; 0: never."""
    again: Again | None = None

    @property
    def in_room(self) -> bool:
        """Whether it was made from files of its conversation alone, too."""
        return any(rest.room for rest in self.kept.rests)

    @property
    def stand(self) -> Stand:
        """What is checked to see whether it has expired."""
        return Stand(self.kept.rests, self.kept.library, self.scope, self.kept.whole)

    def to_json(self) -> dict[str, object]:
        """The saved answer as its owner takes it away."""
        return {
            "id": self.saved_id,
            "saved_at": self.saved_at,
            "question": self.question,
            "asked": self.asked,
            "scope": self.scope.to_json(),
            "answer": self.kept.text,
            "mode": self.kept.mode,
            "model": self.kept.model,
            "made_at": self.kept.made_at,
            "sources": [asdict(source) for source in self.kept.sources],
            "rests_on": [rest.to_json() for rest in self.kept.rests],
            "confirmed_at": self.confirmed_at or None,
        }


@dataclass(frozen=True, slots=True)
class Checked:
    """A saved answer and how it stands."""

    saved: SavedAnswer
    verdict: Verdict


class SavedAnswers(MemoryFile):
    """The saved answers of all owners; each sees their own alone."""

    def __init__(self, data_dir: Path, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        super().__init__(data_dir)

    def now(self) -> float:
        """Seconds since the epoch."""
        return self._clock()

    def save(
        self,
        owner: str,
        *,
        question: str,
        asked: str,
        scope: Scope,
        kept: Kept,
        conversation_id: str,
        turn_id: int,
    ) -> int:
        """Keep an answer; the one that is there where this turn's was saved before."""
        told = _told(question, asked, scope, kept, 0.0)
        with self._writing() as connection:
            connection.execute(
                "INSERT INTO saved (owner, conversation_id, turn_id, saved_at, told, folded) "
                "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (
                    owner,
                    conversation_id,
                    turn_id,
                    self._clock(),
                    told,
                    folded(sound(f"{question}\n{kept.text}")),
                ),
            )
            row = connection.execute(
                "SELECT id FROM saved WHERE owner = ? AND turn_id = ?", (owner, turn_id)
            ).fetchone()
        return int(row["id"])

    def all(self, owner: str, query: str = "") -> list[SavedAnswer]:
        """The answers of an owner that hold all words of a query, the one saved last first."""
        terms = terms_of(query)
        holds = " AND instr(folded, ?)" * len(terms)
        rows = self._rows(
            f"SELECT * FROM saved WHERE owner = ?{holds} ORDER BY saved_at DESC, id DESC",
            (owner, *terms),
        )
        return [_saved(row) for row in rows]

    def everybodys(self) -> list[SavedAnswer]:
        """All answers, by owner; for whoever runs the machine."""
        return [_saved(row) for row in self._rows("SELECT * FROM saved ORDER BY owner, id")]

    def get(self, owner: str, saved_id: int) -> SavedAnswer | None:
        """One of an owner's answers; None where they have none of that number."""
        rows = self._rows("SELECT * FROM saved WHERE owner = ? AND id = ?", (owner, saved_id))
        return _saved(rows[0]) if rows else None

    def turns(self, owner: str) -> dict[int, int]:
        """The turns whose answers an owner has saved, with the number of each."""
        rows = self._rows("SELECT turn_id, id FROM saved WHERE owner = ?", (owner,))
        return {row["turn_id"]: row["id"] for row in rows}

    def delete(self, owner: str, saved_id: int) -> None:
        """Delete one of an owner's answers for good."""
        with self._writing() as connection:
            connection.execute("DELETE FROM saved WHERE owner = ? AND id = ?", (owner, saved_id))

    def delete_all(self, owner: str) -> int:
        """Delete all answers of an owner for good; returns how many there were."""
        with self._writing() as connection:
            return connection.execute("DELETE FROM saved WHERE owner = ?", (owner,)).rowcount

    # --- asking again -----------------------------------------------------------------------

    def note_again(self, saved_id: int, again: Again | None) -> None:
        """Keep what came of asking again; None forgets it."""
        told = None if again is None else sound(json.dumps(asdict(again)))
        with self._writing() as connection:
            connection.execute("UPDATE saved SET again = ? WHERE id = ?", (told, saved_id))

    def keep_new(self, owner: str, saved_id: int) -> None:
        """Put the new answer in the place of the old one."""
        saved = self._there(owner, saved_id)
        if saved.again is None or saved.again.kept is None:
            raise UsageError("There is no new answer to keep. Ask again first.")
        self._replace(replace(saved, kept=saved.again.kept, confirmed_at=0.0))

    def keep_old(self, owner: str, saved_id: int, rests: Sequence[Rest], library: str) -> None:
        """Keep the old answer: from now on it rests on its pages as they are now."""
        saved = self._there(owner, saved_id)
        kept = replace(saved.kept, rests=tuple(rests), library=library)
        self._replace(replace(saved, kept=kept, confirmed_at=self._clock()))

    def _there(self, owner: str, saved_id: int) -> SavedAnswer:
        saved = self.get(owner, saved_id)
        if saved is None:
            raise UsageError("This answer is no longer saved.")
        return saved

    def _replace(self, saved: SavedAnswer) -> None:
        told = _told(saved.question, saved.asked, saved.scope, saved.kept, saved.confirmed_at)
        words = folded(sound(f"{saved.question}\n{saved.kept.text}"))
        with self._writing() as connection:
            connection.execute(
                "UPDATE saved SET told = ?, folded = ?, again = NULL WHERE id = ?",
                (told, words, saved.saved_id),
            )


def checked(catalog: Catalog, saved: Sequence[SavedAnswer]) -> list[Checked]:
    """Each of the answers with how it stands, in the same order."""
    verdicts = check(catalog, [one.stand for one in saved])
    return [Checked(one, verdict) for one, verdict in zip(saved, verdicts, strict=True)]


def sources_of(citations: Sequence[Citation]) -> tuple[Source, ...]:
    """The places that an answer cites, in its order."""
    return tuple(
        Source(one.n, one.document, one.page, one.place, one.title, one.quote, one.verified)
        for one in citations
    )


def _told(question: str, asked: str, scope: Scope, kept: Kept, confirmed_at: float) -> str:
    return sound(
        json.dumps(
            {
                "question": question,
                "asked": asked,
                "scope": scope.to_json(),
                "kept": asdict(kept),
                "confirmed_at": confirmed_at,
            },
        )
    )


def _saved(row: sqlite3.Row) -> SavedAnswer:
    told = json.loads(row["told"])
    again = json.loads(row["again"]) if row["again"] else None
    return SavedAnswer(
        saved_id=row["id"],
        owner=row["owner"],
        conversation_id=row["conversation_id"],
        turn_id=row["turn_id"],
        saved_at=row["saved_at"],
        question=told["question"],
        asked=told["asked"],
        scope=Scope.from_json(told["scope"]),
        kept=Kept.from_json(told["kept"]),
        confirmed_at=told["confirmed_at"],
        again=Again(
            again["state"], again["error"], Kept.from_json(again["kept"]) if again["kept"] else None
        )
        if again
        else None,
    )

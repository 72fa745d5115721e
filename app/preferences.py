"""What each user prefers: the language of page and answers, their length, scope, mode and more."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from app.language_names import NAMES
from app.memory_file import MemoryFile
from storage.sound_text import sound

NORMAL = "normal"
LENGTHS = ("short", NORMAL, "thorough")
TEXT, PICTURE = "text", "picture"

_AT_LENGTH = {
    "short": "in one or two sentences",
    NORMAL: "briefly",
    "thorough": "in detail, with all that the passages say about it",
}


@dataclass(frozen=True, slots=True)
class Preferences:
    """What a user chose; what they did not choose is empty or as Hayloft begins."""

    language: str = ""
    """Of the page, a code; empty: the browser's."""
    answer_language: str = ""
    """A key of `language_names.NAMES`; empty: the question's."""
    length: str = NORMAL
    """One of `LENGTHS`."""
    scope: dict[str, Any] = field(default_factory=dict)
    """What new conversations begin with, as `Scope.to_json` gives it."""
    mode: str = ""
    """What new conversations begin with; empty: as the settings say."""
    follow_ups: bool = False
    """Whether questions to go on with are suggested."""
    reader: str = PICTURE
    """`text` or `picture`: how a page opens that has a picture."""
    shortcuts: bool = True
    """Whether single keys do something on the chat page."""

    def to_json(self) -> dict[str, object]:
        """What was chosen, without what was not."""
        plain = asdict(Preferences())
        return {name: value for name, value in asdict(self).items() if value != plain[name]}

    @classmethod
    def from_json(cls, told: Mapping[str, object]) -> Preferences:
        """As they were kept; what is of another form is left out."""
        plain = cls()
        given: dict[str, Any] = {
            one.name: told[one.name]
            for one in fields(cls)
            if isinstance(told.get(one.name), type(getattr(plain, one.name)))
        }
        if given.get("length") not in LENGTHS:
            given.pop("length", None)
        if given.get("answer_language") not in NAMES:
            given.pop("answer_language", None)
        return cls(**given)

    @property
    def wish(self) -> str:
        """What is asked of the model beside the question; empty where nothing is.

        It stands in the message of the turn: the rules, which each prompt begins with, stay what
        they are (docs/decisions/0012).
        """
        if not self.answer_language and self.length == NORMAL:
            return ""
        language = NAMES.get(self.answer_language, "the language of the question")
        length = _AT_LENGTH[self.length]
        return (
            f"(For this answer, instead of rule 6: answer in {language}, {length}. "
            "Quotations stay word for word, in the language of their passage.)"
        )


class KeptPreferences(MemoryFile):
    """The preferences of all users, each by the name they sign in with."""

    def __init__(self, data_dir: Path, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        super().__init__(data_dir)

    def of(self, owner: str) -> Preferences:
        """What a user chose; nothing where they never did."""
        rows = self._rows("SELECT told FROM preferences WHERE owner = ?", (owner,))
        return Preferences.from_json(json.loads(rows[0]["told"])) if rows else Preferences()

    def keep(self, owner: str, preferences: Preferences) -> None:
        """Keep what a user chose."""
        told = sound(json.dumps(preferences.to_json()))
        with self._writing() as connection:
            connection.execute(
                "INSERT INTO preferences (owner, kept_at, told) VALUES (?, ?, ?) "
                "ON CONFLICT (owner) "
                "DO UPDATE SET kept_at = excluded.kept_at, told = excluded.told",
                (owner, self._clock(), told),
            )

    def delete(self, owner: str) -> None:
        """Forget what a user chose."""
        with self._writing() as connection:
            connection.execute("DELETE FROM preferences WHERE owner = ?", (owner,))

"""Names of accounts: which can be one, and which count as the same."""

from __future__ import annotations

import unicodedata

from app.wording import t
from storage.errors import UsageError

LONGEST_NAME = 64
_LONGEST_TYPED = 256
_MOST_MARKS = 3
"""Combining marks in a row: more than any language stacks."""
_CONFUSED = ("LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "COPTIC")
"""Scripts that share shapes of letters: within one name two of them are there to deceive."""


def sound_name(name: str) -> str:
    """The name as it is kept. Raises UsageError where it cannot be one."""
    found = " ".join(unicodedata.normalize("NFKC", name).split())
    if not found or len(found) > LONGEST_NAME:
        raise UsageError(t("A user name has 1 to {n} characters.", n=LONGEST_NAME))
    # Unseen characters and turned directions would let one name pass for another.
    if any(unicodedata.category(char)[0] == "C" for char in found) or _marks(found):
        raise UsageError(t("A user name has only letters, digits, signs and spaces to be seen."))
    if len(_scripts(found)) > 1:
        raise UsageError(t("A user name does not mix letters of scripts that look alike."))
    return found


def key_of(name: str) -> str:
    """What two names share that count as one."""
    # No name is nearly as long, and what cannot be written is no name.
    written = name[:_LONGEST_TYPED].encode("utf-8", "replace").decode("utf-8")
    folded = unicodedata.normalize("NFKC", written).casefold()
    return " ".join(unicodedata.normalize("NFKC", folded).split())


def _marks(name: str) -> bool:
    run = 0
    for char in unicodedata.normalize("NFD", name):
        run = run + 1 if unicodedata.combining(char) else 0
        if run > _MOST_MARKS:
            return True
    return unicodedata.combining(name[0]) != 0


def _scripts(name: str) -> set[str]:
    words = {unicodedata.name(char, "").split(" ")[0] for char in name if char.isalpha()}
    return words & set(_CONFUSED)

"""Ways to answer one question, with what each costs: exact tokens and a predicted wait."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Mode = Literal["auto", "documents", "passages", "read-all", "extractive"]

AUTO: Mode = "auto"
DOCUMENTS: Mode = "documents"
PASSAGES: Mode = "passages"
READ_ALL: Mode = "read-all"
EXTRACTIVE: Mode = "extractive"

MODES: tuple[Mode, ...] = (AUTO, DOCUMENTS, PASSAGES, READ_ALL, EXTRACTIVE)

PATIENCE_S = 60.0
"""The longest predicted wait for which the whole documents are taken unasked."""
PATIENCE_TOKENS = 8192
"""The most new tokens for which they are, as long as no speed is known: a slow machine, some 80
tokens a second, has read them after 100 s."""


@dataclass(frozen=True, slots=True)
class Option:
    """One way to answer a question."""

    mode: Mode
    what: str
    """`whole report`, `8 passages`, `all 412 pages, in parts`."""
    tokens: int = 0
    """Of the whole prompt; of `read-all`, of all its prompts."""
    new_tokens: int = 0
    """Of these: not yet computed, as far as is known."""
    exact: bool = True
    seconds: float | None = None
    """Predicted, to the end of the answer; None where no speed was measured yet."""
    follow_s: float | None = None
    """Predicted for a follow-up question."""
    why_not: str = ""
    """Why it cannot be taken; empty where it can."""
    model: str = ""
    """The model it needs where that is not the usual one."""

    @property
    def possible(self) -> bool:
        """Whether it can be taken."""
        return not self.why_not

    def words(self) -> str:
        """`whole report: 41,200 tokens, 38 s now, 2 s for follow-ups`."""
        if self.why_not:
            return f"{self.what}: {self.why_not}"
        if self.mode == EXTRACTIVE:
            return self.what
        about = "" if self.exact else "about "
        said = [f"{about}{self.tokens:,} tokens"]
        if self.new_tokens < self.tokens:
            said.append(f"{self.new_tokens:,} of them new")
        if self.model:
            said.append(f"with {self.model}")
        if self.seconds is None:
            said.append("wait unknown")
        elif self.follow_s is None:
            said.append(duration(self.seconds))
        else:
            said += [f"{duration(self.seconds)} now", f"{duration(self.follow_s)} for follow-ups"]
        return f"{self.what}: {', '.join(said)}"

    def to_json(self) -> dict[str, object]:
        """The option as `hayloft ask --json` and `--plan --json` print it."""
        return {
            "mode": self.mode,
            "what": self.what,
            "tokens": self.tokens,
            "new_tokens": self.new_tokens,
            "exact": self.exact,
            "seconds": self.seconds,
            "follow_up_seconds": self.follow_s,
            "possible": self.possible,
            "why_not": self.why_not,
            "model": self.model,
        }


@dataclass(frozen=True, slots=True)
class Plan:
    """The ways there are, and the one that is taken."""

    options: tuple[Option, ...]
    chosen: Mode
    why: str = ""
    """Why that one, in a clause."""

    def option(self, mode: str) -> Option | None:
        """The option of a mode."""
        return next((option for option in self.options if option.mode == mode), None)

    def words(self) -> str:
        """All options in a line, the chosen one first."""
        ordered = sorted(self.options, key=lambda option: option.mode != self.chosen)
        return " · ".join(option.words() for option in ordered)

    def to_json(self) -> dict[str, object]:
        """The plan as `hayloft ask --json` prints it."""
        return {
            "chosen": self.chosen,
            "why": self.why,
            "options": [option.to_json() for option in self.options],
        }


def choose(options: Sequence[Option], asked: Mode, *, named: bool) -> tuple[Mode, str]:
    """The mode to take and why: the one asked for, or for `auto` the best there is.

    Whole documents are taken unasked where the user chose some (`named`), they
    fit, and the wait is short.
    """
    if asked != AUTO:
        return asked, "as asked"
    by_mode = {option.mode: option for option in options}
    whole = by_mode.get(DOCUMENTS)
    if whole is not None and whole.possible and named:
        if whole.seconds is None and whole.new_tokens <= PATIENCE_TOKENS:
            return DOCUMENTS, "the chosen documents fit and are short"
        if whole.seconds is not None and whole.seconds <= PATIENCE_S:
            return DOCUMENTS, "the chosen documents fit"
        return PASSAGES, "the chosen documents would take long"
    if whole is not None and named:
        return PASSAGES, whole.why_not
    return PASSAGES, "no documents are chosen"


def duration(seconds: float) -> str:
    """`3 s`, `2 min`, `1.5 h`."""
    if seconds < 99.5:
        return f"{max(1, round(seconds))} s"
    if seconds < 5940:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h"

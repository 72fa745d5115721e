"""Ways to answer one question, with what each costs: exact tokens and a predicted wait."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from app.wording import t, tn, with_commas

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
class Unfit:
    """Why a way cannot be taken."""

    kind: Literal["unchosen", "unmatched", "textless", "pages", "tokens", "untrusted"]
    amount: int = 0
    """Pages or tokens that there are."""
    most: int = 0
    """Tokens that a prompt has room for."""

    def words(self) -> str:
        """In a clause, in the reader's language."""
        amount, most = f"{self.amount:,}", f"{self.most:,}"
        match self.kind:
            case "unchosen":
                return t("choose documents first")
            case "unmatched":
                return t("no document meets the filters")
            case "textless":
                return t("no page of them has text")
            case "pages":
                return t("{pages} pages do not fit {most} tokens", pages=amount, most=most)
            case "untrusted":
                return t(
                    "they take up to {tokens} tokens, and only {most} are trusted",
                    tokens=amount,
                    most=most,
                )
        return t("they take up to {tokens} tokens, and {most} fit", tokens=amount, most=most)


@dataclass(frozen=True, slots=True)
class Option:
    """One way to answer a question."""

    mode: Mode
    count: int = 0
    """Documents, passages or pages, as the mode has it."""
    tokens: int = 0
    """Of the whole prompt; of `read-all`, of all its pages."""
    new_tokens: int = 0
    """Of these: not yet computed, as far as is known."""
    exact: bool = True
    seconds: float | None = None
    """Predicted, to the end of the answer; None where no speed was measured yet."""
    follow_s: float | None = None
    """Predicted for a follow-up question."""
    unfit: Unfit | None = None
    """Why it cannot be taken; None where it can."""
    model: str = ""
    """The model it needs where that is not the usual one."""
    parts: int = 1
    """Of `read-all`: requests that read the pages."""
    done: int = 0
    """Of `read-all`: pages that an earlier reading for the same question has read."""
    answering: bool = False
    """Of `read-all`: the pages are read, and this is the answer from `count` passages of them."""
    placement: str = ""
    """Why its passages do not stand in document order, in a sentence; empty where they do."""

    @property
    def possible(self) -> bool:
        """Whether it can be taken."""
        return self.unfit is None

    def what(self) -> str:
        """`2 whole documents`, `8 passages`, `all 412 pages, in parts`."""
        match self.mode:
            case "documents":
                if not self.count:
                    return t("whole documents")
                return tn(self.count, "whole document", "{n} whole documents")
            case "read-all":
                if self.answering:
                    return t("the answer, from {passages}", passages=_passages(self.count))
                pages = tn(self.count, "the only page", "all {n} pages")
                return t("{pages}, in parts", pages=pages) if self.parts > 1 else pages
            case "extractive":
                return t("quotations, without a model")
        return _passages(self.count)

    def words(self) -> str:
        """`whole document: 41,200 tokens, 38 s now, 2 s for follow-ups`."""
        if self.unfit is not None:
            return t("{what}: {words}", what=self.what(), words=self.unfit.words())
        if self.mode == EXTRACTIVE:
            return self.what()
        words = with_commas([*self._tokens(), *self._wait()])
        return t("{what}: {words}", what=self.what(), words=words)

    def _tokens(self) -> list[str]:
        if self.done:
            already = tn(self.done, "{n} page is read already", "{n} pages are read already")
            return [already, t("about {tokens} tokens to go", tokens=f"{self.new_tokens:,}")]
        tokens = f"{self.tokens:,}"
        about = t("{tokens} tokens", tokens=tokens)
        said = [about if self.exact else t("about {tokens} tokens", tokens=tokens)]
        if self.new_tokens < self.tokens:
            said.append(t("{tokens} of them new", tokens=f"{self.new_tokens:,}"))
        return said

    def _wait(self) -> list[str]:
        with_model = [t("with {model}", model=self.model)] if self.model else []
        if self.seconds is None:
            return [*with_model, t("wait unknown")]
        if self.follow_s is None:
            return [*with_model, duration(self.seconds)]
        now = t("{time} now", time=duration(self.seconds))
        return [*with_model, now, t("{time} for follow-ups", time=duration(self.follow_s))]

    def to_json(self) -> dict[str, object]:
        """The option as `hayloft ask --json` and `--plan --json` print it."""
        return {
            "mode": self.mode,
            "what": self.what(),
            "tokens": self.tokens,
            "new_tokens": self.new_tokens,
            "pages_read_already": self.done,
            "exact": self.exact,
            "seconds": self.seconds,
            "follow_up_seconds": self.follow_s,
            "possible": self.possible,
            "why_not": self.unfit.words() if self.unfit is not None else "",
            "model": self.model,
            "placement": self.placement,
        }


def _passages(count: int) -> str:
    return tn(count, "{n} passage", "{n} passages") if count else t("no new passages")


Why = Literal["", "asked", "short", "soon", "long", "unfit", "unchosen"]
"""Why a way was chosen."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The ways there are, and the one that is taken."""

    options: tuple[Option, ...]
    chosen: Mode
    why: Why = ""

    def option(self, mode: str) -> Option | None:
        """The option of a mode."""
        return next((option for option in self.options if option.mode == mode), None)

    def words(self) -> str:
        """All options in a line, the chosen one first."""
        ordered = sorted(self.options, key=lambda option: option.mode != self.chosen)
        return " · ".join(option.words() for option in ordered)

    def why_words(self) -> str:
        """Why that one, in a clause."""
        match self.why:
            case "asked":
                return t("as asked")
            case "short":
                return t("the chosen documents fit and are short")
            case "soon":
                return t("the chosen documents fit")
            case "long":
                return t("the chosen documents would take long")
            case "unchosen":
                return t("no documents are chosen")
            case "unfit":
                whole = self.option(DOCUMENTS)
                reason = whole.unfit.words() if whole is not None and whole.unfit else ""
                return t("the chosen documents cannot be read whole: {why}", why=reason)
        return ""

    def to_json(self) -> dict[str, object]:
        """The plan as `hayloft ask --json` prints it."""
        return {
            "chosen": self.chosen,
            "why": self.why_words(),
            "options": [option.to_json() for option in self.options],
        }


def choose(options: Sequence[Option], asked: Mode, *, named: bool) -> tuple[Mode, Why]:
    """The mode to take and why: the one asked for, or for `auto` the best there is.

    Whole documents are taken unasked where the user chose some (`named`), they
    fit, and the wait is short.
    """
    if asked != AUTO:
        return asked, "asked"
    by_mode = {option.mode: option for option in options}
    whole = by_mode.get(DOCUMENTS)
    if whole is None or not named:
        return PASSAGES, "unchosen"
    if not whole.possible:
        return PASSAGES, "unfit"
    if whole.seconds is None and whole.new_tokens <= PATIENCE_TOKENS:
        return DOCUMENTS, "short"
    if whole.seconds is not None and whole.seconds <= PATIENCE_S:
        return DOCUMENTS, "soon"
    return PASSAGES, "long"


def duration(seconds: float) -> str:
    """`3 s`, `2 min`, `1.5 h`."""
    if seconds < 99.5:
        return t("{n} s", n=max(1, round(seconds)))
    if seconds < 5940:
        return t("{n} min", n=round(seconds / 60))
    return t("{n} h", n=f"{seconds / 3600:.1f}")

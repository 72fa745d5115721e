"""What is waited for until an answer's first word, for how long, and how far that has come.

Each state has words of its own, since what helps differs: a queue wants patience, a model that is
loaded anew each time a longer `keep_alive`, a long prompt fewer documents.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from app.answers import ReadingProgress
from app.plans import Option, duration
from app.wording import t, tn

Kind = Literal["searching", "pages", "queue", "loading", "reading"]

SEARCHING: Kind = "searching"
"""For the passages; nothing is known yet."""
PAGES: Kind = "pages"
"""Every page is read, part by part."""
QUEUE: Kind = "queue"
"""The model answers somebody else first."""
LOADING: Kind = "loading"
"""The model is not in its server's memory yet."""
READING: Kind = "reading"
"""The model reads the prompt."""

_ALMOST = 0.99
"""A prediction that is up says nothing about the end."""
_TOLD_S = 2
"""The clock is shown from then on."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """What an answer without a word waits for."""

    kind: Kind
    seconds: float
    """Since it was asked."""
    here_s: float
    """Since this state began."""
    model: str = ""
    ahead: int = 0
    """Questions that are answered first."""
    whole_s: float | None = None
    """How long this state lasts, by what was measured; None where nothing was."""
    passages: int = 0
    option: Option | None = None
    """What the prompt costs."""
    progress: ReadingProgress | None = None

    @property
    def share(self) -> float | None:
        """How much of this state is over, 0 to 1; None where nobody knows."""
        if self.kind == PAGES and self.progress and self.progress.pages:
            return self.progress.pages_read / self.progress.pages
        if not self.whole_s or self.here_s > self.whole_s:
            return None  # a wrong prediction is no progress
        return min(self.here_s / self.whole_s, _ALMOST)

    def words(self) -> str:
        """What is waited for, in the reader's language; the same for as long as the state lasts."""
        model = self.model or t("The model")
        match self.kind:
            case "searching":
                return t("Looking through your documents…")
            case "pages":
                return t("{model} is reading every page…", model=model)
            case "queue":
                first = tn(
                    self.ahead,
                    "Another question is being answered first",
                    "{n} other questions are being answered first",
                )
                return f"{first}…"
            case "loading":
                return t("{model} is being loaded into memory…", model=model)
        return t("{model} is reading {what}…", model=model, what=self._what())

    def detail(self) -> str:
        """How far that has come and how long it takes: what changes from second to second."""
        said = [self._pages()] if self.kind == PAGES else [self._predicted()]
        if self.seconds >= _TOLD_S:
            said.append(t("{n} s", n=int(self.seconds)))
        return " · ".join(filter(None, said))

    def _what(self) -> str:
        """What is read: new tokens, or passages where nothing tells how long they take."""
        option = self.option
        if option is None or (self.passages and self.whole_s is None):
            return tn(self.passages, "{n} passage", "{n} passages")
        if option.new_tokens < option.tokens:
            return tn(option.new_tokens, "{n} new token", "{n} new tokens")
        return tn(option.new_tokens, "{n} token", "{n} tokens")

    def _predicted(self) -> str:
        """How long the state still lasts, as far as something was measured."""
        share, whole_s = self.share, self.whole_s
        if whole_s is None:
            return ""
        if self.kind == LOADING:
            return t("the last time it took {time}", time=duration(whole_s))
        if share is None or whole_s < _TOLD_S:
            return ""
        left = duration(whole_s - self.here_s)
        return t("about {share} read, {time} left", share=f"{share:.0%}", time=left)

    def _pages(self) -> str:
        told = self.progress
        if told is None:
            return ""
        said = t(
            "{read} of {pages} pages read, {found} had something",
            read=f"{told.pages_read:,}",
            pages=f"{told.pages:,}",
            found=f"{told.found:,}",
        )
        if told.seconds_left:
            said += t(", about {time} left", time=duration(told.seconds_left))
        if told.read_before:
            return t("Going on after {n} pages.", n=f"{told.read_before:,}") + f" {said}"
        return said

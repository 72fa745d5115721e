"""An answer, its citations and its receipt, as every front end shows them."""

from __future__ import annotations

from dataclasses import dataclass, field

from storage.records import Hit, Place


@dataclass(frozen=True, slots=True)
class Citation:
    """One claim of the answer, tied to the page it rests on."""

    n: int
    """The number in brackets in the answer; also the passage's number."""
    document: str
    page: int
    quote: str
    """The words that were looked for in the page; empty where the model gave none."""
    verified: bool
    """True where the quote stands in the page, white space and hyphens aside."""
    char_start: int | None = None
    """Where the quote begins in the page's text; None where it is not there."""
    char_end: int | None = None
    place: str = ""
    """`page 12` or `§ Travel`, for people."""
    title: str = ""
    also: tuple[Place, ...] = ()
    """Where else the passage's words stand, the quote among them."""

    def to_json(self) -> dict[str, object]:
        """The citation as `hayloft ask --json` prints it."""
        return {
            "n": self.n,
            "document": self.document,
            "page": self.page,
            "quote": self.quote,
            "verified": self.verified,
            "char_start": self.char_start,
            "char_end": self.char_end,
            "place": self.place,
            "title": self.title,
            "also": [place.to_json() for place in self.also],
        }


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the model was given to read, in tokens.

    `parts` has the keys `rules`, `documents`, `history`, `question`,
    `template` and `reserve`; all but `reserve` add up to `prompt_tokens`.
    The extractive answerer reads no prompt: its window and counts are 0.
    """

    window: int
    trusted_window: int
    prompt_tokens: int
    parts: dict[str, int]
    server_prompt_tokens: int | None
    cached_tokens: int | None
    exact: bool
    """False where the counts are a conservative estimate."""

    def to_json(self) -> dict[str, object]:
        """The receipt as `hayloft ask --json` prints it."""
        return {
            "window": self.window,
            "trusted_window": self.trusted_window,
            "prompt_tokens": self.prompt_tokens,
            "parts": dict(self.parts),
            "server_prompt_tokens": self.server_prompt_tokens,
            "cached_tokens": self.cached_tokens,
            "exact": self.exact,
        }


@dataclass(frozen=True, slots=True)
class Answer:
    """A finished answer."""

    question: str
    text: str
    mode: str
    """`passages`, `documents`, `extractive` or `none` (nothing was found)."""
    model: str
    """`ollama qwen2:7b`, `openai some-model` or `extractive`."""
    citations: tuple[Citation, ...]
    receipt: Receipt
    timings: dict[str, float]
    """Seconds: `find`, `first_token`, `total`, and what the server reports."""
    hits: tuple[Hit, ...]
    """The passages the answer was made from; citation n is hits[n - 1]."""
    stop_reason: str = "stop"
    """`stop`, `length` (the answer was cut at its reserve) or `stopped` (by the user)."""
    notice: str = ""
    """One sentence the user should see beside the answer; usually empty."""
    searched: str = ""
    """What was searched for where that was not the question: a follow-up, made complete."""

    def to_json(self) -> dict[str, object]:
        """The answer as `hayloft ask --json` prints it."""
        return {
            "question": self.question,
            "searched": self.searched,
            "answer": self.text,
            "mode": self.mode,
            "model": self.model,
            "citations": [citation.to_json() for citation in self.citations],
            "receipt": self.receipt.to_json(),
            "timings": {name: round(seconds, 4) for name, seconds in self.timings.items()},
            "stop_reason": self.stop_reason,
            "notice": self.notice,
        }


@dataclass(frozen=True, slots=True)
class SourcesFound:
    """The passages are known; sent before the first token."""

    hits: tuple[Hit, ...]
    mode: str
    model: str


@dataclass(frozen=True, slots=True)
class TextDelta:
    """The next piece of the answer's text."""

    text: str


@dataclass(frozen=True, slots=True)
class AnswerReady:
    """The answer is complete; always the last event."""

    answer: Answer


AnswerEvent = SourcesFound | TextDelta | AnswerReady


@dataclass(frozen=True, slots=True)
class Turn:
    """An earlier question of the conversation and the answer it got."""

    question: str
    answer: str
    hits: tuple[Hit, ...] = field(default=())
    searched: str = ""
    """What was searched for where that was not the question itself."""

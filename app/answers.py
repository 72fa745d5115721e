"""An answer, its citations and its receipt, as every front end shows them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from app.ledger import Ledger
from app.plans import Plan
from storage.records import Hit, Place


@dataclass(frozen=True, slots=True)
class Difference:
    """Words of a quote, and what the page says in their place; one of them may be empty."""

    quoted: str
    page: str


@dataclass(frozen=True, slots=True)
class Near:
    """What the page says that is almost the quote."""

    text: str
    char_start: int
    """In the page's text."""
    char_end: int
    differences: tuple[Difference, ...]

    def to_json(self) -> dict[str, object]:
        """The near miss as `hayloft ask --json` prints it."""
        return {
            "text": self.text,
            "char_start": self.char_start,
            "char_end": self.char_end,
            "differences": [
                {"quoted": difference.quoted, "page": difference.page}
                for difference in self.differences
            ],
        }


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
    near: Near | None = None
    """Of a quote that is not on the page: what stands there instead, if it is like it."""
    figures: tuple[str, ...] = ()
    """Figures that the claim gives beside its quote and that no page it cites holds."""

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
            "near": self.near.to_json() if self.near else None,
            "figures": list(self.figures),
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
    reused_tokens: int | None = None
    """Of the prompt: not computed, since the server had kept them; None where nothing tells."""
    computed_tokens: int | None = None
    """Of the prompt: computed for this answer. With the reused ones, all of it."""
    derived: bool = False
    """True where the two follow from the duration and the measured speed, not from a count."""
    state: str = ""
    """`warm` where the conversation so far was reused, `cold` where it was computed anew."""
    broke: str = ""
    """Why it was cold, in a sentence; empty for a first question and where it was warm."""
    trusted_reason: str = ""
    """Why no more of the window is trusted, in a sentence."""
    predicted_s: float | None = None
    """The wait that was predicted before, in seconds; None where no speed was known."""
    note: str = ""
    """What else happened to the prompt: passages sent anew, turns dropped, another order."""
    placement: str = "document"
    """The order of the new passages: `document`, or by a measurement `start`, `end` or `edges`."""
    answer_tokens: int | None = None
    """Of the answer, as the server counted what it wrote; None where it does not say."""

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
            "reused_tokens": self.reused_tokens,
            "computed_tokens": self.computed_tokens,
            "derived": self.derived,
            "state": self.state,
            "broke": self.broke,
            "trusted_reason": self.trusted_reason,
            "predicted_s": self.predicted_s,
            "note": self.note,
            "placement": self.placement,
            "answer_tokens": self.answer_tokens,
        }


NO_PROMPT = Receipt(
    window=0,
    trusted_window=0,
    prompt_tokens=0,
    parts={},
    server_prompt_tokens=None,
    cached_tokens=None,
    exact=True,
)
"""Of an answer that no model read anything for."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What a turn added to its conversation's prompt, kept word for word.

    The next prompt begins with the very same characters, so that the server
    need not read them again.
    """

    text: str = ""
    """The user message, passages and question; empty where no model was asked."""
    given: int = 0
    """How many of the turn's passages, the first ones, stand in it."""
    front: Turn | None = None
    """Documents that stand before the first turn from now on; None: as before."""
    begins: int | None = None
    """The turn that the prompt's history begins with from now on (0: this one); None: as before."""
    tokens: int = 0
    """Of the text, at most; 0 where nobody counted."""


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
    """The passages the answer was made from, those of earlier turns that it rests on included."""
    stop_reason: str = "stop"
    """`stop`, `length` (the answer was cut at its reserve) or `stopped` (by the user)."""
    notice: str = ""
    """One sentence the user should see beside the answer; usually empty."""
    searched: str = ""
    """What was searched for where that was not the question: a follow-up, made complete."""
    numbers: tuple[int, ...] = ()
    """The number of each passage; empty: 1, 2, 3 ... They stay the same in a conversation."""
    plan: Plan | None = None
    """What the choice of the mode was made from; None where there was none to make."""
    ledger: Ledger | None = None
    """What became of every page, where every page was to be read."""

    def noting(self, notice: str) -> Answer:
        """The same answer, with one more sentence beside it where there is one."""
        told = " ".join(part for part in (self.notice, notice) if part)
        return replace(self, notice=told)

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
            "plan": self.plan.to_json() if self.plan else None,
            "ledger": self.ledger.to_json() if self.ledger else None,
        }


@dataclass(frozen=True, slots=True)
class ModelBehind:
    """The model that writes an answer, as one who waits for it wants to know it."""

    name: str
    """`ollama qwen2:7b`."""
    slots: int = 1
    """Requests that its server answers at a time, as far as that says so."""
    prefill: float | None = None
    """Tokens of prompt that it reads a second; None where that was never measured."""
    load_s: float | None = None
    """How long it took to load it the last time; None where that is not known."""
    in_memory: bool | None = None
    """Whether it was in memory just now; None where that was not asked."""
    loaded: Callable[[], bool | None] = field(default=lambda: None, compare=False)
    """Whether it is in memory now, or None where nobody says. Asks the server."""


@dataclass(frozen=True, slots=True)
class SourcesFound:
    """The passages are known; sent before the first token."""

    hits: tuple[Hit, ...]
    mode: str
    model: str
    numbers: tuple[int, ...] = ()
    """See `Answer.numbers`."""
    sent: Sent | None = None
    """What goes to the model, for whoever keeps the conversation."""
    plan: Plan | None = None
    beside: tuple[Hit, ...] = ()
    """What the prompt holds beside these and an answer may cite as well: documents that stand at
    its front, and passages of earlier turns."""
    beside_numbers: tuple[int, ...] = ()
    """Of each of `beside`."""
    behind: ModelBehind | None = None
    """The model that is asked; None where none is."""
    prove: Callable[[str], tuple[Citation, ...]] | None = field(default=None, compare=False)
    """The citations of a piece of the answer, for whoever shows it while it grows; safe to call
    from another thread."""


@dataclass(frozen=True, slots=True)
class TextDelta:
    """The next piece of the answer's text."""

    text: str


@dataclass(frozen=True, slots=True)
class AnswerReady:
    """The answer is complete; always the last event."""

    answer: Answer


@dataclass(frozen=True, slots=True)
class ReadingProgress:
    """How far a full read has come; sent at its begin, after each part, and every second."""

    pages_read: int
    pages: int
    """All that can be read."""
    found: int
    """Pages read so far from which something was copied."""
    seconds_left: float | None
    """Of reading, predicted from what was measured so far; None before the first part."""
    read_before: int = 0
    """Of the pages read, those that an earlier session read: this one goes on from there."""
    documents: int = 0
    """What the pages are of."""
    tokens: int = 0
    """Of all the pages, as far as they are counted; 0 where they are not yet."""
    behind: ModelBehind | None = None
    """The model that reads; only the first one tells."""


AnswerEvent = SourcesFound | TextDelta | AnswerReady | ReadingProgress


@dataclass(frozen=True, slots=True)
class Turn:
    """An earlier question of the conversation and the answer it got.

    A turn without a question is the documents that stand before the first one.
    """

    question: str
    answer: str
    hits: tuple[Hit, ...] = field(default=())
    searched: str = ""
    """What was searched for where that was not the question itself."""
    numbers: tuple[int, ...] = ()
    """The numbers of the passages; empty: 1, 2, 3 ..."""
    sent: str = ""
    """The very message that the model got; empty where none did."""
    given: int = 0
    """How many of the passages, the first ones, stand in that message."""
    dropped: bool = False
    """True where the prompt no longer holds it."""
    turn_id: int = 0
    model: str = ""
    """Who answered."""
    tokens: int = 0
    """Of the message, at most; 0 where nobody counted."""


def numbers_of(hits: tuple[Hit, ...], numbers: tuple[int, ...]) -> tuple[int, ...]:
    """The numbers of passages; without any of their own, they count from 1."""
    return numbers if len(numbers) == len(hits) else tuple(range(1, len(hits) + 1))


def passage_numbered(hits: tuple[Hit, ...], numbers: tuple[int, ...], n: int) -> Hit | None:
    """Passage n of an answer; None where it has none of that number."""
    return dict(zip(numbers_of(hits, numbers), hits, strict=True)).get(n)

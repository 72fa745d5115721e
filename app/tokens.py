"""Counting tokens as Qwen2 does: exactly where its vocabulary is at hand, else from above.

Exact counts agree, id by id, with llama.cpp's own tokenizer (special tokens
in the text are taken as special tokens, as its server does). The estimate is
an upper bound for prose and code, so that what it lets through does fit.
"""

from __future__ import annotations

import logging
import math
import re
import tempfile
from collections.abc import Iterable, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from app.chat import Message, TokenCount
from storage.errors import UsageError
from storage.sound_text import sound
from storage.vocabulary import fingerprint, tokenizer_from_file

if TYPE_CHECKING:
    from tokenizers import Tokenizer

log = logging.getLogger(__name__)

DEFAULT_SYSTEM = "You are a helpful assistant."
"""What Qwen2's own chat template puts first where no system message is given."""

_ANSWER_START = "<|im_start|>assistant\n"

# A word never reaches over a line end into the next non-blank character, so
# text cut there can be counted piece by piece. Cut at blank lines only: the
# pieces are paragraphs, and a paragraph seen before is not counted again.
_PARAGRAPH = re.compile(r"(?<=\n\n)(?=\S)|(?<=\n\r\n)(?=\S)")
_REMEMBERED_PIECES = 16384
_LONGEST_REMEMBERED = 32768
"""Characters; longer pieces are counted anew, so that no whole books stay in memory."""


class TokenCounter(Protocol):
    """Counts tokens of text and of chat prompts; `exact` says whether it truly counts."""

    @property
    def exact(self) -> bool: ...

    @property
    def vocabulary(self) -> str:
        """The fingerprint of the vocabulary; '' for an estimate."""
        ...

    def count_text(self, text: str) -> TokenCount: ...

    def count_chat(
        self, messages: Sequence[Message], *, default_system: str = DEFAULT_SYSTEM
    ) -> TokenCount: ...

    def ids(self, text: str) -> list[int]: ...


class ExactCounter:
    """Counts with Qwen2's own vocabulary. Safe to share between threads."""

    exact = True

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._remembered = lru_cache(maxsize=_REMEMBERED_PIECES)(self._encode)

    @cached_property
    def vocabulary(self) -> str:
        """The fingerprint under which counts are stored."""
        return fingerprint(self._tokenizer)

    @property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer itself."""
        return self._tokenizer

    def ids(self, text: str) -> list[int]:
        """The token ids of a text on its own."""
        return list(self._tokenizer.encode(sound(text), add_special_tokens=False).ids)

    def count_text(self, text: str) -> TokenCount:
        """Tokens of a text on its own.

        A paragraph that was counted before costs a look-up, so that a prompt
        that grows is counted in the time of what is new in it.
        """
        pieces = _PARAGRAPH.split(sound(text))
        return TokenCount(sum(map(self._count_piece, pieces)), exact=True)

    def count_chat(
        self, messages: Sequence[Message], *, default_system: str = DEFAULT_SYSTEM
    ) -> TokenCount:
        """Tokens of the prompt that `render_chat` gives."""
        # The markers are special tokens, over which no other token reaches:
        # the messages add up, each with three tokens for its two markers and
        # the line end after it.
        tokens = sum(
            3 + self.count_text(f"{message.role}\n{message.content}").tokens
            for message in with_default_system(messages, default_system)
        )
        return TokenCount(tokens + self.count_text(_ANSWER_START).tokens, exact=True)

    def _count_piece(self, piece: str) -> int:
        if len(piece) > _LONGEST_REMEMBERED:
            return self._encode(piece)
        return self._remembered(piece)

    def _encode(self, piece: str) -> int:
        return len(self._tokenizer.encode(piece, add_special_tokens=False))


class EstimatingCounter:
    """Counts from above, without a vocabulary. See `estimate`."""

    exact = False
    vocabulary = ""

    def __init__(self) -> None:
        self._remembered = lru_cache(maxsize=_REMEMBERED_PIECES)(estimate)

    def ids(self, text: str) -> list[int]:
        """Not possible without a vocabulary: raises UsageError."""
        raise UsageError(
            "Token ids need Qwen2's vocabulary: set HAYLOFT_TOKENIZER to a tokenizer.json or "
            "GGUF file of Qwen2, or start Ollama with a Qwen2 model."
        )

    def count_text(self, text: str) -> TokenCount:
        """At least as many tokens as the text has."""
        pieces = _PARAGRAPH.split(text)
        return TokenCount(sum(map(self._count_piece, pieces)), exact=False)

    def count_chat(
        self, messages: Sequence[Message], *, default_system: str = DEFAULT_SYSTEM
    ) -> TokenCount:
        """At least as many tokens as the rendered chat prompt has."""
        tokens = sum(
            5 + self.count_text(message.content).tokens
            for message in with_default_system(messages, default_system)
        )
        return TokenCount(tokens + 3, exact=False)

    def _count_piece(self, piece: str) -> int:
        return estimate(piece) if len(piece) > _LONGEST_REMEMBERED else self._remembered(piece)


def counter_from_file(path: Path) -> ExactCounter:
    """A counter from a `tokenizer.json` or a GGUF file, told apart by content.

    Raises SettingsError where the file is neither, or is not Qwen2's.
    """
    return ExactCounter(tokenizer_from_file(path))


def save_tokenizer(tokenizer: Tokenizer, path: Path) -> None:
    """Keep a tokenizer for the next start; a disk that refuses it costs only time."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            draft = Path(folder) / path.name
            draft.write_text(tokenizer.to_str(), encoding="utf-8")
            draft.replace(path)
    except OSError as exc:
        log.warning("the tokenizer could not be kept at %s: %s", path, exc)


def with_default_system(messages: Sequence[Message], system: str) -> Iterable[Message]:
    """The messages as a chat template sees them: a system message always first.

    Nothing is put first where `system` is empty, as for templates without such a rule.
    """
    if system and (not messages or messages[0].role != "system"):
        yield Message("system", system)
    yield from messages


def render_chat(messages: Sequence[Message], *, default_system: str = DEFAULT_SYSTEM) -> str:
    """The prompt as Qwen2's chat template writes it, up to where the answer begins."""
    turns = (
        f"<|im_start|>{message.role}\n{message.content}<|im_end|>\n"
        for message in with_default_system(messages, default_system)
    )
    return "".join(turns) + _ANSWER_START


_RUN = re.compile(
    r"(?P<word>[A-Za-z\u00c0-\u024f]+)|(?P<space>\s+)|(?P<punctuation>[!-/:-@\[-`{-~]+)"
    r"|(?P<digits>[0-9]+)|(?P<cjk>[\u3001-\u30ff\u3400-\u9fff\uff00-\uffef]+)"
    r"|(?P<rest>[^\sA-Za-z0-9!-/:-@\[-`{-~\u00c0-\u024f\u3001-\u30ff\u3400-\u9fff\uff00-\uffef]+)"
)


_MARGIN = 1.03


def estimate(text: str) -> int:
    """At least as many tokens as Qwen2 makes of English, Spanish, Chinese or code.

    Qwen2 cuts text into words, single digits, runs of punctuation and of
    white space before it merges bytes, so each kind of run is priced on its
    own. The prices lie above the mean tokens of runs of that kind and length,
    measured with the true vocabulary on a novel, annual reports, XQuAD in
    English, Spanish and Chinese, and Python source (see `_word`); the sums
    come out 10 to 60 % above the truth there. Text that looks random
    (base64, hashes) is priced at what random letters cost.
    """
    total = 0.0
    end = len(text)
    for run in _RUN.finditer(text):
        kind, length = run.lastgroup, run.end() - run.start()
        if kind == "word":
            total += _word(run.group())
        elif kind == "space":
            follows = text[run.end()] if run.end() < end else ""
            # One blank before a letter or a sign belongs to its token.
            if length > 1:
                indent = 0 if text[run.end() - 1] == "\n" else 1
                total += 1 + indent + (length - 2) / 8
            elif run.group() != " " or not follows or follows.isdigit() or follows > "\u024f":
                total += 1
        elif kind == "rest":
            # A token a byte is the worst case, at most.
            total += sum(_other(char) for char in run.group())
        else:
            total += length  # digits always stand alone; signs and Chinese merge now and then
    return math.ceil(total * _MARGIN)


def _word(word: str) -> float:
    """The price of a run of Latin letters.

    Mean tokens measured, by length: English 1.0 to 3 letters, 1.2 at 8, 1.7
    at 11, 2.3 at 15; Spanish 1.3 at 4, 2.0 at 8, 2.7 at 13; capitals 1.8 at
    4, 2.3 at 8, 3.4 at 12; random letters 1.5 to 1.9 letters a token.
    """
    length = len(word)
    accents = 0.0 if word.isascii() else 0.5 * sum(char > "\x7f" for char in word)
    if length > 16:
        return length / 1.3 + accents
    tail = word[1:]
    if length == 1 or tail.islower():
        return max(1.0, 1.4 + 0.22 * (length - 4)) + accents
    return 0.6 + length / 1.6 + accents


def _other(char: str) -> float:
    size = len(char.encode("utf-8", "replace"))
    if size <= 2 or "\u2010" <= char <= "\u2044":
        return 1
    return 2 if size == 3 else 3


def lower_bound(text: str) -> int:
    """Fewer tokens than prose of this length has, in any language.

    Qwen2's tokens hold 4 to 5 characters of English on average, fewer of
    other languages; eight a token is out of reach for prose once runs of one
    character, which can be a single token, are folded. Nothing but long words
    all over reaches ten.
    """
    return len(_REPEATED.sub(" ", text)) // 8


_REPEATED = re.compile(r"\s+|(.)\1{3,}")

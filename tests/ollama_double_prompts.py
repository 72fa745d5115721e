"""What Ollama and llama-server do to a prompt that does not fit: drop, cut, or refuse."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

from tests.ollama_double_models import DoubleModel
from tests.ollama_double_options import ApiError, Behaviour

Token = Hashable
Tokenize = Callable[[str], Sequence[Token]]
Messages = list[dict[str, str]]

_PIECE = r"<\|[a-z_]+\|>|[^\W\d_]{1,8}|\d|\n+|[^\w\s]|_"
_PIECES = re.compile(_PIECE)
_SPELLED = re.compile(rf"[^\S\n]*(?:{_PIECE})|[^\S\n]+$")

PAD = 256
"""llama-server rounds its window up to a multiple of this."""


def pieces(text: str) -> list[str]:
    """The default tokenizer: special tokens, runs of up to eight letters, digits, signs."""
    return _PIECES.findall(text)


def spelled_pieces(text: str) -> list[str]:
    """The text cut before each piece, white space kept: joined, they are the text again."""
    return _SPELLED.findall(text)


@dataclass(frozen=True)
class Window:
    """The window of a loaded model."""

    num_ctx: int
    """As Ollama counts it: after precedence, the minimum of 4, and the trained window."""

    pad: int = PAD

    @property
    def padded(self) -> int:
        """As the model's process counts it."""
        return -(-self.num_ctx // self.pad) * self.pad


def render_chatml(messages: Messages, *, add_system: bool) -> str:
    """The prompt in ChatML. The GGUF's own template adds a default system message."""
    turns = list(messages)
    if add_system and (not turns or turns[0]["role"] != "system"):
        turns.insert(0, {"role": "system", "content": "You are a helpful assistant."})
    if not add_system:
        turns = _merged(turns)
    text = ""
    for turn in turns[:-1]:
        text += f"<|im_start|>{turn['role']}\n{turn['content']}<|im_end|>\n"
    if turns:
        last = turns[-1]
        text += f"<|im_start|>{last['role']}\n{last['content']}"
        # An answer given as the last message is continued.
        text += "" if last["role"] == "assistant" else "<|im_end|>\n<|im_start|>assistant\n"
    return text


def _merged(messages: Messages) -> Messages:
    """Neighbours of the same role become one message, as Ollama does before it renders."""
    merged: Messages = []
    for message in messages:
        if merged and merged[-1]["role"] == message["role"]:
            merged[-1]["content"] += "\n\n" + message["content"]
        else:
            merged.append(dict(message))
    return merged


@dataclass
class Prompt:
    """A prompt as the model reads it, and what was lost on the way."""

    text: str
    """As rendered, after messages were dropped and before tokens were cut."""
    tokens: list[Token]
    """As evaluated."""
    sent: list[Token]
    """As rendered from everything in the request."""
    messages: Messages
    """The messages that were left."""
    dropped: int = 0
    cut: int = 0


def too_long(tokens: int, window: int) -> ApiError:
    """llama-server's refusal, nested as text in Ollama's error body."""
    detail = {
        "code": 400,
        "message": f"request ({tokens} tokens) exceeds the available context size "
        f"({window} tokens), try increasing it",
        "type": "exceed_context_size_error",
        "n_prompt_tokens": tokens,
        "n_ctx": window,
    }
    return ApiError(400, json.dumps({"error": detail}, separators=(",", ":")))


def halved(tokens: Sequence[Token], num_ctx: int, num_keep: int) -> list[Token]:
    """The first num_keep tokens and the tail: num_ctx less half of what is not kept."""
    keep = min(len(tokens) if num_keep < 0 else num_keep, num_ctx - 1)
    limit = num_ctx - max((num_ctx - keep) // 2, 1)
    discard = len(tokens) - limit
    return [*tokens[:keep], *tokens[keep + discard :]]


def clipped(tokens: Sequence[Token], num_ctx: int, num_keep: int) -> list[Token]:
    """What servers before 0.30 kept: the first num_keep tokens and the tail, a full window."""
    keep = min(len(tokens) if num_keep < 0 else num_keep, num_ctx - 1)
    discard = len(tokens) - num_ctx
    return [*tokens[:keep], *tokens[keep + discard :]]


def fit_prompt(
    model: DoubleModel,
    messages: Messages,
    *,
    tokenize: Tokenize,
    window: Window,
    truncate: bool,
    shift: bool,
    num_keep: int,
    server: Behaviour,
    raw: str | None = None,
    earlier: Sequence[Token] = (),
) -> Prompt:
    """Bring a prompt into the window the way the server does, or refuse it.

    `raw` is a prompt that is not to be rendered; `earlier` are the tokens of
    /api/generate's `context`.
    """

    def read(chosen: Messages) -> tuple[str, list[Token]]:
        text = raw if raw is not None else render_chatml(chosen, add_system=not model.rendered)
        return text, [*earlier, *tokenize(text)]

    if model.system and raw is None and (not messages or messages[0]["role"] != "system"):
        messages = [{"role": "system", "content": model.system}, *messages]
    text, sent = read(messages)
    left, tokens, dropped = messages, sent, 0
    while truncate and len(tokens) > window.num_ctx:
        droppable = [n for n, m in enumerate(left[:-1]) if m["role"] != "system"]
        if raw is not None or not droppable:
            break
        left = left[: droppable[0]] + left[droppable[0] + 1 :]
        dropped += 1
        text, tokens = read(left)
    prompt = Prompt(text, tokens, sent, left, dropped)
    if not server.knows_truncate or not server.halves:
        if len(tokens) > window.num_ctx:
            if server.knows_truncate and not truncate:
                raise ApiError(400, "the input length exceeds the context length")
            prompt.tokens = clipped(tokens, window.num_ctx, num_keep)
    elif truncate and model.rendered and len(tokens) > window.num_ctx - 1:
        if not shift:
            raise ApiError(
                400,
                "the prompt is longer than the context length currently available to the model; "
                "shorten the prompt, adjust the context length in settings, or use a model with "
                "a longer context length",
            )
        prompt.tokens = halved(tokens, window.num_ctx, num_keep)
    elif len(tokens) >= window.padded:
        raise too_long(len(tokens), window.padded)
    prompt.cut = len(tokens) - len(prompt.tokens)
    return prompt

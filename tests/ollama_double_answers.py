"""One answer of an Ollama double: prefill, tokens, stops, numbers."""

from __future__ import annotations

import math
import re
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from tests.ollama_double_bodies import Body
from tests.ollama_double_faults import REPEATED_TEXT
from tests.ollama_double_options import ApiError
from tests.ollama_double_prompts import Prompt, Token, spelled_pieces
from tests.ollama_double_records import Request
from tests.ollama_double_runners import Runner
from tests.ollama_double_strikes import strike_mid_stream
from tests.ollama_double_wire import Handler, Hangup

if TYPE_CHECKING:
    from tests.ollama_double import OllamaDouble

UNBOUNDED_WINDOWS = 10
"""An answer without num_predict may take this many windows."""
REPEATS = 30
"""More equal tokens in a row end a stream, in silence."""
REPEATS_NEWER = 100
"""In newer versions more of them, with an error."""


def number(token: Token) -> int:
    """A token as a number: itself, or a stable one for a token that is text."""
    return token if isinstance(token, int) else zlib.crc32(str(token).encode()) % 151_643


def vector(tokens: Iterable[Token], dimension: int) -> list[float]:
    """A bag of tokens as a vector of unit length."""
    values = [0.0] * dimension
    for token in tokens:
        values[number(token) % dimension] += 1.0
    length = math.sqrt(sum(value * value for value in values))
    return [value / length for value in values] if length else values


class Answer:
    """One answer being generated: prefill, tokens, stops, faults."""

    def __init__(
        self,
        double: OllamaDouble,
        handler: Handler,
        request: Request,
        runner: Runner,
        prompt: Prompt,
        options: dict[str, Any],
        shift: bool,
        stream: bool,
        line: Callable[..., Body],
    ) -> None:
        self.double = double
        self.handler = handler
        self.request = request
        self.runner = runner
        self.prompt = prompt
        self.options = options
        self.shift = shift
        self.stream = stream
        self.line = line
        self.text = ""
        self.injection = double.strike(request, mid_stream=True)
        self.used = len(prompt.tokens)
        self.stopped_by = "stop"

    def run(self, started: int, load_ns: int) -> Body | None:
        """The final line; None where the answer has ended without one."""
        double, runner, tokens = self.double, self.runner, self.prompt.tokens
        cached = runner.take_prefix(tokens)
        self.request.cached = cached
        uncached = len(tokens) - cached
        prefill_s = uncached / double.prefill_tokens_per_s
        begun = time.monotonic()
        try:
            self.handler.wait(prefill_s)
        except Hangup:
            read = int((time.monotonic() - begun) * double.prefill_tokens_per_s)
            runner.slot = list(tokens[: cached + min(read, uncached)])
            raise
        runner.slot = list(tokens)
        decode_started = time.perf_counter_ns()
        try:
            done_reason = self._decode()
        finally:
            # The state of the answer stays as well, for the next turn.
            if self.request.shifts:
                runner.slot = list(tokens[: max(int(self.options.get("num_keep", 4)), 0)])
            else:
                runner.slot = [*tokens, *double.tokenize(self.text)]
        if done_reason is None:
            return None
        self.request.done_reason = done_reason
        numbers = {
            "total_duration": time.perf_counter_ns() - started,
            "load_duration": load_ns,
            "prompt_eval_count": len(tokens),
            "prompt_eval_cached_count": cached,
            "prompt_eval_duration": int(prefill_s * 1e9),
            "eval_count": self.request.generated,
            "eval_duration": time.perf_counter_ns() - decode_started,
        }
        count = double.behaviour.count
        if count != "split":
            del numbers["prompt_eval_cached_count"]
        if count == "uncached":
            numbers["prompt_eval_count"] = uncached
        if count == "missing":
            del numbers["prompt_eval_count"]
        shown = {
            key: value
            for key, value in numbers.items()
            if value or key == "prompt_eval_cached_count"
        }
        return self.line("", done=True, done_reason=done_reason, **shown)

    def _decode(self) -> str | None:
        """Send the tokens; the reason it ended, or None where a fault ended it."""
        per_token = 1 / self.double.tokens_per_s if self.double.tokens_per_s else 0.0
        repeated, last = 0, ""
        for piece in self._limited(self._pieces()):
            if self._fault_due() and not self._strike(piece):
                return None
            self.handler.wait(per_token)
            self.request.generated += 1
            self.used += 1
            self.text += piece
            repeated = repeated + 1 if piece.strip() == last else 0
            last = piece.strip()
            if self.double.newer and repeated > REPEATS_NEWER:
                raise ApiError(500, REPEATED_TEXT)
            if not self.double.newer and repeated > REPEATS:
                self._end_in_silence()
                return None
            if self.stream and piece:
                self.handler.line(self.line(piece, done=False))
        # A fault that waits for more tokens than there are strikes before the last line.
        if self.injection is not None and not self._strike(""):
            return None
        return self.stopped_by

    def _end_in_silence(self) -> None:
        if self.stream:
            self.handler.end_stream()
        else:
            self.handler.reply_json(200, self.line(self.text, done=False))

    def _fault_due(self) -> bool:
        return self.injection is not None and self.request.generated >= self.injection.after_tokens

    def _strike(self, piece: str) -> bool:
        injection, self.injection = self.injection, None
        if injection is None:
            return True
        text = piece if self.stream else self.text
        line = self.line(text, done=False)
        return strike_mid_stream(
            self.double, self.handler, self.request, injection, line, stream=self.stream
        )

    def _pieces(self) -> Iterator[str]:
        """The reply's tokens, ended by the first stop sequence."""
        reply = self.double.reply(self.prompt.messages, self.options)
        tokens = spelled_pieces(reply) if isinstance(reply, str) else reply
        stops = [stop for stop in self.options.get("stop", ()) if stop]
        if not stops:
            yield from tokens
            return
        pattern = re.compile("|".join(map(re.escape, stops)))
        longest = max(map(len, stops))
        held = ""
        for token in tokens:
            held += token
            if match := pattern.search(held):
                if held[: match.start()]:
                    yield held[: match.start()]
                return
            # What might begin a stop sequence is held back.
            safe = len(held) - next(
                (
                    n
                    for n in range(longest - 1, 0, -1)
                    if any(s.startswith(held[-n:]) for s in stops)
                ),
                0,
            )
            if safe > 0:
                yield held[:safe]
                held = held[safe:]
        if held:
            yield held

    def _limited(self, tokens: Iterator[str]) -> Iterator[str]:
        """The tokens that num_predict and the window allow; sets `stopped_by`."""
        asked = int(self.options.get("num_predict", -1))
        limit = UNBOUNDED_WINDOWS * self.runner.window.num_ctx
        if asked > 0 or (asked == 0 and not self.runner.model.rendered):
            limit = min(asked, limit)
        window = self.runner.window.padded
        for token in tokens:
            if self.request.generated >= limit:
                self.stopped_by = "length"
                return
            if self.used >= window:
                if not self.shift:
                    self.stopped_by = "length"
                    return
                keep = min(max(int(self.options.get("num_keep", 4)), 0), window - 1)
                self.used -= (self.used - keep) // 2
                self.request.shifts += 1
            yield token

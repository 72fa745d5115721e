"""Token counts from the server that serves the model: vLLM's and llama.cpp's `/tokenize`.

Both make tokens of text as they do for prompts, special tokens included, and
both render a chat with the model's own template, so that these counts are
exact for any model that they serve.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from app.chat import BadReply, Message
from app.chat_http import Fault, Server, get_json, number
from app.openai_server import LLAMA_CPP, SHORT_S, VLLM, openai_error, root_of
from storage.sound_text import sound

_REMEMBERED = 8192
_LONGEST_REMEMBERED = 32768
"""Characters; longer texts are asked about anew, so that no whole books stay in memory."""
_CHATS_REMEMBERED = 4


class Unsupported(Exception):
    """The server does not count tokens."""


class ServerTokens:
    """Counts by asking the server. Safe to share between threads.

    All methods raise Unsupported where the server has no such route, and a
    ChatModelError where it has gone or still loads.
    """

    def __init__(self, server: Server, model: str, dialect: str) -> None:
        self._server = server
        self._model = model
        self._dialect = dialect
        self._remembered = lru_cache(maxsize=_REMEMBERED)(self._count)
        self._chats = lru_cache(maxsize=_CHATS_REMEMBERED)(self._count_chat)

    def ids(self, text: str) -> list[int]:
        """The token ids of a text on its own."""
        if self._dialect == LLAMA_CPP:
            body = {"content": sound(text), "add_special": False, "parse_special": True}
        elif self._dialect == VLLM:
            body = {"prompt": sound(text), "add_special_tokens": False}
        else:
            raise Unsupported
        return self._tokens(body)

    def count_text(self, text: str) -> int:
        """Tokens of a text on its own."""
        if not text:
            return 0
        if len(text) > _LONGEST_REMEMBERED:
            return self._count(text)
        return self._remembered(text)

    def count_chat(self, messages: Sequence[Message]) -> int:
        """Tokens of the chat prompt as the model's own template renders it."""
        return self._chats(tuple(messages))

    def _count(self, text: str) -> int:
        return len(self.ids(text))

    def _count_chat(self, messages: tuple[Message, ...]) -> int:
        said = [{"role": m.role, "content": sound(m.content)} for m in messages]
        if self._dialect == VLLM:
            return len(self._tokens({"messages": said, "add_generation_prompt": True}))
        if self._dialect != LLAMA_CPP:
            raise Unsupported
        prompt = self._ask("apply-template", {"messages": said}).get("prompt")
        if not isinstance(prompt, str):
            raise Unsupported
        return len(self._tokens({"content": prompt, "add_special": True, "parse_special": True}))

    def _tokens(self, body: dict[str, object]) -> list[int]:
        tokens = self._ask("tokenize", body).get("tokens")
        if not isinstance(tokens, list) or any(number(token) is None for token in tokens):
            raise Unsupported
        return tokens

    def _ask(self, route: str, body: dict[str, object]) -> dict[str, object]:
        url = f"{root_of(self._server)}/{route}"
        try:
            reply = get_json(
                self._server, "POST", url, body={"model": self._model, **body}, silence_s=SHORT_S
            )
        except BadReply as exc:
            raise Unsupported from exc  # a page, or a redirection to one
        if not isinstance(reply, Fault):
            return reply
        if reply.status == 503:
            raise openai_error(self._server, self._model, reply)
        raise Unsupported

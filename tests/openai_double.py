"""A double of vLLM's and of llama.cpp's server: their OpenAI-compatible API over real HTTP.

Both count with the same small vocabulary and render ChatML. What they do is
taken from their own words: the paths and shapes of `/v1/models`, `/props`,
`/tokenize` and `/apply-template`, usage and timings at the end of a stream,
which prompts are refused and how, and blocks of 16 tokens (vLLM) or single
ones (llama.cpp) kept of the prompt before. Faults are switched on by name.
"""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from app.chat import Message
from app.tokens import ExactCounter, render_chat
from storage.vocabulary import build_tokenizer
from tests.toy_gguf import toy_vocabulary

LLAMA_CPP, VLLM = "llama.cpp", "vLLM"
OTHER = "another"
"""Any other server: it tells its window only when it refuses, and counts no tokens."""
_BLOCK = {LLAMA_CPP: 1, VLLM: 16, OTHER: 1}

LOADING = "loading"
"""llama.cpp: 503 to everything until the model is loaded."""
OVERLOADED = "overloaded"
HTML = "html"
"""A proxy's page in place of the answer."""
SILENT = "silent"
"""Takes the request and says nothing."""
STALL = "stall"
"""Falls silent after the first words."""
DIE = "die"
"""The process is killed after the first words: the connection is reset."""
CUT = "cut"
"""The body ends in the middle of an event."""
NO_FINISH = "no finish"
"""[DONE] comes without a reason for the end."""
NO_DONE = "no done"
"""The stream ends after the reason for the end, without [DONE]."""
ABORT = "abort"
"""vLLM gives up the request in mid-answer."""
ERROR = "error"
"""An error as an event in mid-answer."""
SHORT = "short"
"""A proxy cuts the prompt before it reaches the engine, and nobody says so."""
ADDS = "adds"
"""The template adds a long text of its own."""


@cache
def toy_counter() -> ExactCounter:
    """Counts as the double does."""
    return ExactCounter(build_tokenizer(toy_vocabulary()))


@dataclass
class OpenAIDouble:
    """One server on loopback for as long as the `with` block lasts."""

    dialect: str = LLAMA_CPP
    models: tuple[str, ...] = ("qwen2-toy",)
    window: int = 4096
    answer: tuple[str, ...] = ("In the ", "loft.")
    fault: str = ""
    key: str = ""
    tokenizes: bool = True
    cache_details: bool = True
    """vLLM reports cached tokens only with --enable-prompt-tokens-details."""
    wait_s: float = 0.0
    """In the queue, before the first byte."""
    slots: int = 1
    """Requests that llama.cpp says it answers at a time."""
    extra: tuple[dict[str, Any], ...] = ()
    """More entries of /v1/models."""
    asked: list[tuple[str, str, Any]] = field(default_factory=list)
    """(method, path, body)"""
    _held: list[int] = field(default_factory=list)

    def __enter__(self) -> OpenAIDouble:
        double = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                double._handle(self, None)

            def do_POST(self) -> None:
                length = int(self.headers.get("content-length") or 0)
                double._handle(self, json.loads(self.rfile.read(length) or b"null"))

            def log_message(self, *args: object) -> None:
                pass

        self._ended = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.root = f"http://127.0.0.1:{self._server.server_port}"
        self.url = f"{self.root}/v1"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *args: object) -> None:
        self._ended.set()
        self._server.shutdown()
        self._server.server_close()

    def restart(self, **changes: Any) -> None:
        """As if the server was started again with other flags: nothing is kept."""
        for name, value in changes.items():
            setattr(self, name, value)
        self._held = []

    def chats(self) -> list[Any]:
        """The bodies of the chat requests."""
        return [body for _, path, body in self.asked if path == "/v1/chat/completions"]

    # --- routes -----------------------------------------------------------------------------

    def _handle(self, request: BaseHTTPRequestHandler, body: Any) -> None:
        path = request.path
        self.asked.append((request.command, path, body))
        if self.fault == LOADING:
            self._error(request, 503, "Loading model", kind="unavailable_error")
            return
        guarded = path.startswith("/v1/") if self.dialect == VLLM else path != "/v1/models"
        if self.key and guarded and request.headers.get("authorization") != f"Bearer {self.key}":
            self._error(request, 401, "Invalid API Key", kind="authentication_error")
            return
        if path == "/v1/models":
            self._json(request, 200, {"object": "list", "data": self._models()})
        elif path == "/props" and self.dialect == LLAMA_CPP:
            generation = {"params": {}, "n_ctx": self.window}
            props = {"default_generation_settings": generation, "total_slots": self.slots}
            self._json(request, 200, props)
        elif path == "/tokenize" and self.tokenizes and self.dialect != OTHER:
            self._json(request, 200, self._tokenize(body))
        elif path == "/apply-template" and self.dialect == LLAMA_CPP and self.tokenizes:
            self._json(request, 200, {"prompt": self._rendered(body["messages"])})
        elif path == "/v1/chat/completions":
            self._chat(request, body)
        else:
            self._json(request, 404, {"detail": "Not Found"})

    def _models(self) -> list[dict[str, Any]]:
        if self.dialect == VLLM:
            own = {"owned_by": "vllm", "parent": None, "max_model_len": self.window}
        elif self.dialect == LLAMA_CPP:
            own = {"owned_by": "llamacpp", "meta": {"n_ctx_train": 32768}}
        else:
            own = {"owned_by": "somebody"}
        return [{"id": name, "object": "model", **own} for name in self.models] + list(self.extra)

    def _tokenize(self, body: Any) -> dict[str, Any]:
        if self.dialect == LLAMA_CPP:
            return {"tokens": toy_counter().ids(body["content"])}
        text = self._rendered(body["messages"]) if "messages" in body else body["prompt"]
        ids = toy_counter().ids(text)
        return {"count": len(ids), "max_model_len": self.window, "tokens": ids, "token_strs": None}

    def _rendered(self, messages: Any) -> str:
        turns = [Message(message["role"], message["content"]) for message in messages]
        return render_chat(turns)

    # --- answers ----------------------------------------------------------------------------

    def _chat(self, request: BaseHTTPRequestHandler, body: Any) -> None:
        if self.fault == SILENT:
            self._ended.wait(30)
            return
        if self.fault == HTML:
            page = b"<!DOCTYPE html><html><h1>502 Bad Gateway</h1></html>"
            self._send(request, 200, "text/html", page)
            return
        if self.fault == OVERLOADED:
            self._error(request, 503, "The server is overloaded", kind="overloaded_error")
            return
        known = [entry["id"] for entry in self._models()]
        if self.dialect == VLLM and body["model"] not in known:  # llama.cpp takes what it has
            message = f"The model `{body['model']}` does not exist."
            self._error(request, 404, message, kind="NotFoundError")
            return
        ids = toy_counter().ids(self._rendered(body["messages"]))
        if self.fault == SHORT:
            ids = ids[: len(ids) // 2]
        if self.fault == ADDS:
            ids = [*toy_counter().ids("You may call tools. " * 40), *ids]
        if refusal := self._refusal(len(ids), int(body["max_tokens"])):
            self._json(request, 400, refusal)
            return
        time.sleep(self.wait_s)
        cached = self._reused(ids)
        self._held = ids
        self._stream(request, body, len(ids), cached)

    def _refusal(self, prompt: int, answer: int) -> dict[str, Any] | None:
        if self.dialect == LLAMA_CPP:
            if prompt < self.window:
                return None
            return {
                "error": {
                    "code": 400,
                    "message": f"request ({prompt} tokens) exceeds the available context size "
                    f"({self.window} tokens), try increasing it",
                    "type": "exceed_context_size_error",
                    "n_prompt_tokens": prompt,
                    "n_ctx": self.window,
                }
            }
        if prompt + answer <= self.window:
            return None
        return {
            "error": {
                "message": f"This model's maximum context length is {self.window} tokens. However, "
                f"you requested {answer} output tokens and your prompt contains {prompt} input "
                f"tokens, for a total of {prompt + answer} tokens. Please reduce the length.",
                "type": "BadRequestError",
                "param": "input_tokens",
                "code": 400,
            }
        }

    def _reused(self, ids: list[int]) -> int:
        same = 0
        for one, other in zip(self._held, ids[:-1], strict=False):
            if one != other:
                break
            same += 1
        block = _BLOCK[self.dialect]
        return same // block * block

    def _stream(self, request: BaseHTTPRequestHandler, body: Any, prompt: int, cached: int) -> None:
        request.send_response(200)
        request.send_header("content-type", "text/event-stream")
        request.send_header("transfer-encoding", "chunked")
        request.end_headers()
        self._event(request, {"choices": [self._choice({"role": "assistant", "content": None})]})
        pieces = self.answer[: int(body["max_tokens"])]
        for number, piece in enumerate(pieces):
            self._event(request, {"choices": [self._choice({"content": piece})]})
            if number == 0 and not self._goes_on(request):
                return
        reason = "length" if len(pieces) < len(self.answer) else "stop"
        if self.fault != NO_FINISH:
            reason = "abort" if self.fault == ABORT else reason
            self._event(request, {"choices": [self._choice({}, reason)]})
        if body.get("stream_options", {}).get("include_usage"):
            self._event(request, self._figures(prompt, cached, len(pieces)))
        if self.fault != NO_DONE:
            self._chunk(request, b"data: [DONE]\n\n")
        request.wfile.write(b"0\r\n\r\n")

    def _goes_on(self, request: BaseHTTPRequestHandler) -> bool:
        """False where the fault ends the answer after its first words."""
        if self.fault == STALL:
            self._ended.wait(30)
        elif self.fault == DIE:
            # A killed process: the system resets what it had open.
            linger = struct.pack("ii", 1, 0)
            request.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            request.connection.close()
        elif self.fault == CUT:
            self._chunk(request, b'data: {"choices": [{"del')
            request.wfile.write(b"0\r\n\r\n")
        elif self.fault == ERROR:
            message = "EngineCore encountered an issue."
            error = {"message": message, "type": "InternalServerError", "code": 500}
            self._event(request, {"error": error})
            self._chunk(request, b"data: [DONE]\n\n")
            request.wfile.write(b"0\r\n\r\n")
        else:
            return True
        request.close_connection = True
        return False

    def _figures(self, prompt: int, cached: int, answered: int) -> dict[str, Any]:
        usage = {
            "prompt_tokens": prompt,
            "completion_tokens": answered,
            "total_tokens": prompt + answered,
            "prompt_tokens_details": {"cached_tokens": cached} if self.cache_details else None,
        }
        if self.dialect != LLAMA_CPP:
            return {"choices": [], "usage": usage}
        timings = {
            "cache_n": cached,
            "prompt_n": prompt - cached,
            "prompt_ms": 2.0 * (prompt - cached),
            "predicted_n": answered,
            "predicted_ms": 30.5 * answered,
        }
        return {"choices": [], "usage": usage, "timings": timings}

    def _choice(self, delta: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
        return {"index": 0, "delta": delta, "finish_reason": reason}

    def _event(self, request: BaseHTTPRequestHandler, values: dict[str, Any]) -> None:
        self._chunk(request, f"data: {json.dumps(values)}\n\n".encode())

    def _chunk(self, request: BaseHTTPRequestHandler, data: bytes) -> None:
        request.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        request.wfile.flush()

    def _error(self, request: BaseHTTPRequestHandler, status: int, text: str, *, kind: str) -> None:
        error = {"message": text, "type": kind, "code": status}
        self._json(request, status, {"error": error})

    def _json(self, request: BaseHTTPRequestHandler, status: int, values: object) -> None:
        self._send(request, status, "application/json", json.dumps(values).encode())

    def _send(self, request: BaseHTTPRequestHandler, status: int, kind: str, data: bytes) -> None:
        request.send_response(status)
        request.send_header("content-type", kind)
        request.send_header("content-length", str(len(data)))
        request.end_headers()
        request.wfile.write(data)

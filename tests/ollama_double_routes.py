"""What an Ollama double answers on each path."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tests.ollama_double_answers import Answer, number, vector
from tests.ollama_double_bodies import Body, chat_messages, field_of, parsed_body, timestamp
from tests.ollama_double_models import DoubleModel
from tests.ollama_double_options import ApiError, checked_options, keep_alive_seconds
from tests.ollama_double_prompts import Messages, fit_prompt
from tests.ollama_double_records import Request
from tests.ollama_double_strikes import missing, strike_early
from tests.ollama_double_wire import TEXT, Handler, known_host

if TYPE_CHECKING:
    from tests.ollama_double import OllamaDouble


class Service:
    """The API. One object per double; each request runs in its connection's thread."""

    def __init__(self, double: OllamaDouble) -> None:
        self.double = double
        self.routes: dict[str, dict[str, Callable[[Handler, Request], None]]] = {
            "/": {"GET": self.root, "HEAD": self.root},
            "/api/version": {"GET": self.version, "HEAD": self.version},
            "/api/tags": {"GET": self.tags, "HEAD": self.tags},
            "/api/ps": {"GET": self.ps},
            "/api/show": {"POST": self.show},
            "/api/chat": {"POST": self.chat},
            "/api/generate": {"POST": self.generate},
            "/api/embed": {"POST": self.embed},
            "/api/embeddings": {"POST": self.embeddings},
            "/api/pull": {"POST": double.store.pull},
            "/api/create": {"POST": double.store.create},
            "/api/blobs": {"HEAD": double.store.blob, "POST": double.store.blob},
            "/api/copy": {"POST": self.copy},
            "/api/delete": {"DELETE": self.delete},
        }

    def serve(self, handler: Handler, raw: bytes) -> None:
        """Answer one request, or fail at it as told."""
        path = handler.path.split("?")[0]
        request = Request(
            method=handler.command,
            path=path,
            headers={name.lower(): value for name, value in handler.headers.items()},
            raw=raw,
        )
        try:
            request.body = json.loads(raw)
        except ValueError:
            request.body = None
        handler.request_record = request
        self.double.record(request)
        below = path.startswith("/api/blobs/")
        methods = self.routes.get("/api/blobs" if below else path)
        try:
            if strike_early(self.double, handler, request):
                return
            if not known_host(handler.headers.get("Host")):
                handler.reply(403, content_type="")
            elif methods is None:
                handler.reply(404, b"404 page not found", TEXT)
            elif handler.command not in methods:
                handler.reply(405, b"405 method not allowed", TEXT)
            else:
                methods[handler.command](handler, request)
        except ApiError as exc:
            if handler.streaming:
                handler.line(exc.body)
                handler.end_stream()
            else:
                handler.reply_json(exc.status, exc.body)

    # --- what is installed --------------------------------------------------------------------

    def root(self, handler: Handler, request: Request) -> None:
        """`GET /`."""
        handler.reply(200, b"Ollama is running", TEXT)

    def version(self, handler: Handler, request: Request) -> None:
        """`GET /api/version`."""
        handler.reply_json(200, {"version": self.double.behaviour.version})

    def tags(self, handler: Handler, request: Request) -> None:
        """`GET /api/tags`, newest first."""
        models = sorted(self.double.models, key=lambda model: model.modified_at, reverse=True)
        full = self.double.behaviour.full_tags
        handler.reply_json(200, {"models": [model.tag(full=full) for model in models]})

    def ps(self, handler: Handler, request: Request) -> None:
        """`GET /api/ps`: what is loaded, with the window it really has."""
        loaded = []
        for runner in self.double.scheduler.loaded():
            left = min(runner.expires_at - self.double.now(), 10 * 365 * 86400.0)
            size = runner.bytes()
            entry = {
                "name": runner.model.name,
                "model": runner.model.name,
                "size": size,
                "digest": runner.model.digest,
                "details": runner.model.details(),
                "expires_at": timestamp(time.time() + left),
                "size_vram": min(size, int(self.double.vram_gib * 2**30)),
            }
            if self.double.behaviour.ps_window:
                entry["context_length"] = runner.window.num_ctx
            loaded.append(entry)
        handler.reply_json(200, {"models": loaded})

    def show(self, handler: Handler, request: Request) -> None:
        """`POST /api/show`."""
        body = parsed_body(request.raw, "ShowRequest")
        name = field_of(body, "model", str, "ShowRequest", "string") or body.get("name") or ""
        if not name:
            raise ApiError(400, "model is required")
        model = self.double.model(name)
        if model is None:
            raise missing(request.path, name)
        capabilities = self.double.behaviour.capabilities
        verbose = bool(body.get("verbose"))
        handler.reply_json(200, model.show(verbose=verbose, capabilities=capabilities))

    def copy(self, handler: Handler, request: Request) -> None:
        """`POST /api/copy`: a second name for the same weights."""
        body = parsed_body(request.raw, "CopyRequest")
        if not self.double.copy(str(body.get("source", "")), str(body.get("destination", ""))):
            raise ApiError(404, f'model "{body.get("source", "")}" not found')
        handler.reply(200, content_type="")

    def delete(self, handler: Handler, request: Request) -> None:
        """`DELETE /api/delete`."""
        body = parsed_body(request.raw, "DeleteRequest")
        name = str(body.get("model") or body.get("name") or "")
        if not self.double.remove(name):
            raise ApiError(404, f"model '{name}' not found")
        handler.reply(200, content_type="")

    # --- chat and generate --------------------------------------------------------------------

    def chat(self, handler: Handler, request: Request) -> None:
        """`POST /api/chat`."""
        body = parsed_body(request.raw, "ChatRequest")
        name = field_of(body, "model", str, "ChatRequest", "string") or ""
        messages = chat_messages(body)
        keep_alive = keep_alive_seconds(body.get("keep_alive"), self.double.keep_alive_s)
        if not name:
            raise ApiError(400, "model is required")
        model = self._chat_model(request, body, name)

        def shaped(text: str) -> Body:
            return {"message": {"role": "assistant", "content": text}}

        self._run(handler, request, body, model, messages, None, keep_alive, shaped)

    def generate(self, handler: Handler, request: Request) -> None:
        """`POST /api/generate`."""
        body = parsed_body(request.raw, "GenerateRequest")
        name = field_of(body, "model", str, "GenerateRequest", "string") or ""
        prompt = field_of(body, "prompt", str, "GenerateRequest", "string") or ""
        system = field_of(body, "system", str, "GenerateRequest", "string") or ""
        keep_alive = keep_alive_seconds(body.get("keep_alive"), self.double.keep_alive_s)
        if self.double.model(name) is None:
            raise missing(request.path, name)
        model = self._chat_model(request, body, name)
        messages: Messages = []
        if prompt:
            messages = [{"role": "system", "content": system}] if system else []
            messages.append({"role": "user", "content": prompt})
        raw = prompt if body.get("raw") else None

        def shaped(text: str) -> Body:
            return {"response": text}

        self._run(handler, request, body, model, messages, raw, keep_alive, shaped)

    def _chat_model(self, request: Request, body: Body, name: str) -> DoubleModel:
        model = self.double.model(name)
        if model is None:
            raise missing(request.path, name)
        request.model = model.name
        if model.embeds_only:
            verb = "chat" if request.path == "/api/chat" else "generate"
            raise ApiError(400, f'"{name}" does not support {verb}')
        abilities = model.capabilities or ("completion",)
        if body.get("tools") and "tools" not in abilities:
            full = f"registry.ollama.ai/library/{model.name}"
            raise ApiError(400, f"{full} does not support tools")
        if body.get("think") and "thinking" not in abilities:
            raise ApiError(400, f'"{name}" does not support thinking')
        return model

    def _run(
        self,
        handler: Handler,
        request: Request,
        body: Body,
        model: DoubleModel,
        messages: Messages,
        raw: str | None,
        keep_alive: float,
        shaped: Callable[[str], Body],
    ) -> None:
        started = time.perf_counter_ns()
        name = body["model"]
        stream = field_of(body, "stream", bool, "Request", "bool") is not False
        truncate = field_of(body, "truncate", bool, "Request", "bool") is not False
        shift = field_of(body, "shift", bool, "Request", "bool") is not False
        server = self.double.behaviour
        if not server.knows_truncate:
            truncate = shift = True

        def line(text: str, *, done: bool, **more: object) -> Body:
            head = {"model": name, "created_at": timestamp()}
            return {**head, **shaped(text), "done": done, **more}

        if not messages and keep_alive == 0:
            self.double.scheduler.unload(model)
            handler.reply_json(200, line("", done=True, done_reason="unload"))
            return
        options: dict[str, Any] = {**model.options, **checked_options(body.get("options"))}
        with self.double.scheduler.running(handler, request, model, options, shift) as (
            runner,
            load_ns,
        ):
            runner.expires_at = self.double.now() + keep_alive
            if not messages:
                handler.reply_json(200, line("", done=True, done_reason="load"))
                return
            num_keep = int(options.get("num_keep", 4))
            earlier = field_of(body, "context", list, "GenerateRequest", "[]int") or []
            prompt = fit_prompt(
                model,
                messages,
                tokenize=self.double.tokenize,
                window=runner.window,
                truncate=truncate,
                shift=shift,
                num_keep=num_keep,
                server=server,
                raw=raw,
                earlier=earlier,
            )
            request.sent_tokens, request.evaluated_tokens = prompt.sent, prompt.tokens
            request.prompt = prompt.text
            request.dropped_messages, request.cut_tokens = prompt.dropped, prompt.cut
            if body.get("_debug_render_only"):
                head = {"model": name, "created_at": timestamp()}
                debug = {"rendered_template": prompt.text}
                handler.reply_json(200, {**head, "_debug_info": debug})
                return
            answer = Answer(
                self.double, handler, request, runner, prompt, options, shift, stream, line
            )
            finals = answer.run(started, load_ns)
            runner.expires_at = self.double.now() + keep_alive
            if keep_alive == 0:
                self.double.scheduler.unload(model)
            if finals is None:
                return
            if request.path == "/api/generate" and raw is None:
                text = answer.text
                finals["context"] = [
                    number(token) for token in (*prompt.sent, *self.double.tokenize(text))
                ]
            if stream:
                handler.line(finals)
                handler.end_stream()
            else:
                handler.reply_json(200, {**finals, **shaped(answer.text)})

    # --- embeddings ---------------------------------------------------------------------------

    def embed(self, handler: Handler, request: Request) -> None:
        """`POST /api/embed`."""
        body = parsed_body(request.raw, "EmbedRequest")
        given = body.get("input")
        texts = [given] if isinstance(given, str) else list(given or [])
        if not all(isinstance(text, str) for text in texts):
            raise ApiError(400, "invalid input type")
        started = time.perf_counter_ns()
        vectors, tokens, load_ns = self._embedded(handler, request, body, texts)
        answer: Body = {"model": body["model"], "embeddings": vectors}
        answer["total_duration"] = time.perf_counter_ns() - started
        answer["load_duration"] = load_ns
        if tokens:
            answer["prompt_eval_count"] = tokens
        handler.reply_json(200, answer)

    def embeddings(self, handler: Handler, request: Request) -> None:
        """`POST /api/embeddings`, the older form: one prompt, one vector."""
        body = parsed_body(request.raw, "EmbeddingRequest")
        prompt = field_of(body, "prompt", str, "EmbeddingRequest", "string") or ""
        texts = [prompt] if prompt else []
        vectors, _, _ = self._embedded(handler, request, body, texts)
        handler.reply_json(200, {"embedding": vectors[0] if vectors else []})

    def _embedded(
        self, handler: Handler, request: Request, body: Body, texts: list[str]
    ) -> tuple[list[list[float]], int, int]:
        name = field_of(body, "model", str, "EmbedRequest", "string") or ""
        keep_alive = keep_alive_seconds(body.get("keep_alive"), self.double.keep_alive_s)
        truncate = field_of(body, "truncate", bool, "EmbedRequest", "bool") is not False
        model = self.double.model(name)
        if model is None:
            raise missing(request.path, name)
        request.model = model.name
        options: dict[str, Any] = {**model.options, **checked_options(body.get("options"))}
        with self.double.scheduler.running(handler, request, model, options, True) as (
            runner,
            load_ns,
        ):
            runner.expires_at = self.double.now() + keep_alive
            if not model.embeds_only and self.double.behaviour.halves:
                raise ApiError(
                    501,
                    "This server does not support embeddings. Start it with `--embeddings`",
                )
            counted = 0
            vectors = []
            for text in texts:
                tokens = list(self.double.tokenize(text))
                if len(tokens) > runner.window.num_ctx:
                    if not truncate:
                        raise ApiError(400, "the input length exceeds the context length")
                    tokens = tokens[: runner.window.num_ctx]
                counted += len(tokens)
                vectors.append(vector(tokens, model.embedding_length))
            handler.wait(counted / self.double.prefill_tokens_per_s)
            return vectors, counted, load_ns

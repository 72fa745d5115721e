"""The files of an Ollama double: blobs sent to it, models fetched, models made from blobs."""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gguf import GGUFReader

from tests.ollama_double_bodies import Body, field_of, parsed_body
from tests.ollama_double_faults import Injection
from tests.ollama_double_models import DoubleModel, full_name
from tests.ollama_double_options import ApiError
from tests.ollama_double_records import Request
from tests.ollama_double_strikes import strike_mid_stream
from tests.ollama_double_wire import Handler

if TYPE_CHECKING:
    from tests.ollama_double import OllamaDouble

_DIGEST = re.compile(r"sha256[:-]([0-9a-f]{64})")


class Store:
    """`/api/blobs`, `/api/create` and `/api/pull` of one double."""

    def __init__(self, double: OllamaDouble) -> None:
        self.double = double
        self.blobs: dict[str, bytes] = {}
        """Uploaded files by their SHA-256."""

    def add(self, name: str, data: bytes, folder: Path) -> DoubleModel:
        """A model whose weights lie in a store on disk, manifest and all, and install it."""
        digest = hashlib.sha256(data).hexdigest()
        blob = folder / "blobs" / f"sha256-{digest}"
        blob.parent.mkdir(parents=True, exist_ok=True)
        blob.write_bytes(data)
        stem, _, tag = full_name(name).rpartition(":")
        manifest = folder / "manifests" / "registry.ollama.ai" / "library" / stem / tag
        manifest.parent.mkdir(parents=True, exist_ok=True)
        layer = {
            "mediaType": "application/vnd.ollama.image.model",
            "digest": f"sha256:{digest}",
            "size": len(data),
        }
        template = {"mediaType": "application/vnd.ollama.image.template", "digest": "sha256:0"}
        manifest.write_text(json.dumps({"schemaVersion": 2, "layers": [layer, template]}))
        self.blobs[digest] = data
        model = self._model(name, digest, {})
        self.double.install(model)
        return model

    def blob(self, handler: Handler, request: Request) -> None:
        """`HEAD` and `POST /api/blobs/sha256:…`."""
        found = _DIGEST.fullmatch(request.path.rsplit("/", 1)[-1])
        if found is None:
            raise ApiError(400, "invalid digest format")
        digest = found[1]
        if request.method == "HEAD":
            handler.reply(200 if digest in self.blobs else 404, content_type="")
            return
        if self.double.disk_full:
            raise ApiError(500, "write /models/blobs/sha256-1: no space left on device")
        actual = hashlib.sha256(request.raw).hexdigest()
        if actual != digest:
            raise ApiError(
                400, f'digest mismatch, expected "sha256:{digest}", got "sha256:{actual}"'
            )
        known = digest in self.blobs
        self.blobs[digest] = request.raw
        handler.reply(200 if known else 201, content_type="")

    def create(self, handler: Handler, request: Request) -> None:
        """`POST /api/create` from uploaded files; the window is what the file says."""
        body = parsed_body(request.raw, "CreateRequest")
        name = field_of(body, "model", str, "CreateRequest", "string") or ""
        files = field_of(body, "files", dict, "CreateRequest", "map[string]string") or {}
        parameters = field_of(body, "parameters", dict, "CreateRequest", "map[string]interface {}")
        if not re.fullmatch(r"[\w./-]+(:[\w.-]+)?", name):
            raise ApiError(400, "invalid model name")
        if "typical_p" in (parameters or {}):
            raise ApiError(400, "typical_p is deprecated and cannot be set as a model parameter")
        if not files:
            raise ApiError(400, "neither 'from' or 'files' was specified")
        digests = [_DIGEST.fullmatch(str(digest)) for digest in files.values()]
        if len(digests) != 1 or digests[0] is None or digests[0][1] not in self.blobs:
            raise ApiError(400, f"blob not found for {next(iter(files))}")
        if body.get("stream") is False:
            self.double.install(self._model(name, digests[0][1], body))
            handler.reply_json(200, {"status": "success"})
            return
        handler.line({"status": "parsing GGUF"})
        injection = self.double.strike(request, mid_stream=True)
        if injection is not None and not self._struck(handler, request, injection):
            return
        if self.double.disk_full:
            raise ApiError(500, "write /models/blobs/sha256-2: no space left on device")
        model = self._model(name, digests[0][1], body)
        for status in (f"using existing layer sha256:{model.blob}", "writing manifest"):
            handler.line({"status": status})
        self.double.install(model)
        handler.line({"status": "success"})
        handler.end_stream()

    def pull(self, handler: Handler, request: Request) -> None:
        """`POST /api/pull`: progress lines; an unknown model fails in a later line."""
        body = parsed_body(request.raw, "PullRequest")
        name = str(body.get("model") or body.get("name") or "")
        stream = body.get("stream") is not False
        model = self.double.pullable(name)
        refusal = self.double.pull_error
        if model is None:
            refusal = refusal or "pull model manifest: file does not exist"
        if not stream:
            if refusal or model is None:
                raise ApiError(500, refusal)
            self.double.install(model)
            handler.reply_json(200, {"status": "success"})
            return
        handler.line({"status": "pulling manifest"})
        if model is None:
            raise ApiError(500, refusal)
        step = {
            "status": f"pulling {model.blob[:12]}",
            "digest": f"sha256:{model.blob}",
            "total": model.size,
        }
        handler.line(step)
        begun = self.double.pulled.get(model.blob, 0)
        for quarter in range(begun + 1, 5):
            handler.wait(self.double.pull_s / 4)
            handler.line({**step, "completed": model.size * quarter // 4})
            self.double.pulled[model.blob] = quarter
            if quarter == 2:
                injection = self.double.strike(request, mid_stream=True)
                if injection is not None and not self._struck(handler, request, injection):
                    return
                if refusal:
                    raise ApiError(500, refusal)
        for status in ("verifying sha256 digest", "writing manifest", "success"):
            if status == "success":
                self.double.install(model)
            handler.line({"status": status})
        handler.end_stream()

    def _struck(self, handler: Handler, request: Request, injection: Injection) -> bool:
        line = {"status": "working"}
        return strike_mid_stream(self.double, handler, request, injection, line, stream=True)

    def _model(self, name: str, digest: str, body: Body) -> DoubleModel:
        facts = gguf_facts(self.blobs[digest])
        arch = str(facts["general.architecture"])
        return DoubleModel(
            full_name(name),
            architecture=arch,
            file_digest=digest,
            size=len(self.blobs[digest]),
            trained_window=int(facts[f"{arch}.context_length"]),
            yarn_factor=float(facts.get(f"{arch}.rope.scaling.factor", 0.0)),
            layers=int(facts.get(f"{arch}.block_count", 1)),
            heads=int(facts.get(f"{arch}.attention.head_count", 1)),
            kv_heads=int(facts.get(f"{arch}.attention.head_count_kv", 1)),
            embedding_length=int(facts.get(f"{arch}.embedding_length", 32)),
            head_dim=16,
            template=str(body.get("template", "")),
            system=str(body.get("system", "")),
            options=dict(body.get("parameters") or {}),
        )


def gguf_facts(data: bytes) -> dict[str, Any]:
    """The fields of a GGUF file that are single values, read by the `gguf` package."""
    with tempfile.NamedTemporaryFile(suffix=".gguf") as file:
        file.write(data)
        file.flush()
        reader = GGUFReader(file.name)
        return {
            name: field.contents()
            for name, field in reader.fields.items()
            if not name.startswith("tokenizer.")
        }

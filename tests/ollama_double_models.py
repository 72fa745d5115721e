"""The models an Ollama double has installed, and how its API describes them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

Json = dict[str, object]

CHATML_TEMPLATE = (
    "{{- range .Messages }}<|im_start|>{{ .Role }}\n{{ .Content }}<|im_end|>\n{{ end -}}"
    "<|im_start|>assistant\n"
)
"""A Go TEMPLATE layer for ChatML: a model that has one takes the rendered path."""

CHATML_JINJA = (
    "{% if messages[0]['role'] != 'system' %}<|im_start|>system\nYou are a helpful assistant."
    "<|im_end|>\n{% endif %}{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}"
    "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""The chat template inside a GGUF file: all that a model of the native path has."""

GIB = 2**30


@dataclass(frozen=True)
class DoubleModel:
    """One installed model: its tag, the weights behind it, and its layers."""

    name: str
    weights: str = ""
    """Names the weights blob. Models with equal weights share one runner and evict each other."""
    architecture: str = "qwen2"
    trained_window: int = 32768
    yarn_factor: float = 0.0
    """Over 0: the four YaRN keys are in the file, and `trained_window` counts the extension in."""
    layers: int = 28
    heads: int = 28
    kv_heads: int = 4
    head_dim: int = 128
    embedding_length: int = 3584
    parameter_count: int = 7_615_616_512
    parameter_size: str = "7.6B"
    quantization: str = "Q4_0"
    size: int = 4_431_388_626
    template: str = CHATML_TEMPLATE
    """Go TEMPLATE layer; empty for a model that only has the GGUF's chat template (native path)."""
    capabilities: tuple[str, ...] | None = ("completion",)
    """None: the server does not list any for this model."""
    options: Mapping[str, object] = field(default_factory=dict)
    """PARAMETER lines of the Modelfile."""
    system: str = ""
    vocabulary: Sequence[str] | None = None
    """Tokens that `/api/show` with `verbose` returns; else null."""
    merges: Sequence[str] | None = None
    token_types: Sequence[int] | None = None
    modified_at: str = "2026-08-20T09:30:00.123456789Z"
    file: str = ""
    """Where its weights lie, as the FROM line of `/api/show` says; empty: a bare digest."""
    revision: str = ""
    """Made anew under the same name, a model has another digest."""
    file_digest: str = ""
    """SHA-256 of a file that was uploaded or lies in a store; empty: one made up."""

    @property
    def blob(self) -> str:
        """Digest of the weights: the key of a runner."""
        if self.file_digest:
            return self.file_digest
        return hashlib.sha256(f"weights {self.weights or self.name}".encode()).hexdigest()

    @property
    def digest(self) -> str:
        """Digest of the manifest, as `/api/tags` gives it."""
        return hashlib.sha256(f"manifest {self.name}{self.revision}".encode()).hexdigest()

    @property
    def rendered(self) -> bool:
        """True where the server itself renders the prompt (the model has a Go TEMPLATE)."""
        return bool(self.template)

    @property
    def embeds_only(self) -> bool:
        """True for an embedding model, which cannot chat."""
        return self.architecture in {"bert", "nomic-bert"}

    def kv_bytes(self, tokens: int) -> int:
        """Bytes of an f16 key-value cache for so many tokens."""
        return 2 * self.layers * self.kv_heads * self.head_dim * tokens * 2

    def details(self, *, full: bool = False) -> Json:
        """The `details` object; `full` adds the fields that only newer servers list."""
        details: Json = {
            "parent_model": "",
            "format": "gguf",
            "family": self.architecture,
            "families": [self.architecture],
            "parameter_size": self.parameter_size,
            "quantization_level": self.quantization,
        }
        if full:
            details["context_length"] = self.trained_window
            details["embedding_length"] = self.embedding_length
        return details

    def tag(self, *, full: bool) -> Json:
        """The model's entry in `/api/tags`."""
        entry: Json = {
            "name": self.name,
            "model": self.name,
            "modified_at": self.modified_at,
            "size": self.size,
            "digest": self.digest,
            "details": self.details(full=full),
        }
        if full and self.capabilities is not None:
            entry["capabilities"] = list(self.capabilities)
        return entry

    def model_info(self, *, verbose: bool) -> Json:
        """GGUF metadata with sorted keys; long tokenizer arrays are null unless verbose."""
        arch = self.architecture
        info: Json = {
            "general.architecture": arch,
            "general.file_type": 2,
            "general.parameter_count": self.parameter_count,
            "general.quantization_version": 2,
            f"{arch}.attention.head_count": self.heads,
            f"{arch}.attention.head_count_kv": self.kv_heads,
            f"{arch}.attention.layer_norm_rms_epsilon": 1e-06,
            f"{arch}.block_count": self.layers,
            f"{arch}.context_length": self.trained_window,
            f"{arch}.embedding_length": self.embedding_length,
            f"{arch}.rope.freq_base": 1000000,
            "tokenizer.ggml.bos_token_id": 151643,
            "tokenizer.ggml.eos_token_id": 151645,
            "tokenizer.ggml.merges": list(self.merges) if verbose and self.merges else None,
            "tokenizer.ggml.model": "gpt2",
            "tokenizer.ggml.padding_token_id": 151643,
            "tokenizer.ggml.pre": "qwen2",
            "tokenizer.ggml.token_type": (
                list(self.token_types) if verbose and self.token_types else None
            ),
            "tokenizer.ggml.tokens": list(self.vocabulary) if verbose and self.vocabulary else None,
        }
        if not self.embeds_only:
            info["tokenizer.chat_template"] = CHATML_JINJA
        if self.yarn_factor:
            info[f"{arch}.rope.scaling.type"] = "yarn"
            info[f"{arch}.rope.scaling.factor"] = self.yarn_factor
            info[f"{arch}.rope.scaling.original_context_length"] = int(
                self.trained_window / self.yarn_factor
            )
        return dict(sorted(info.items()))

    def show(self, *, verbose: bool, capabilities: bool) -> Json:
        """The body of `/api/show`; empty fields are left out, as the server does."""
        options = [
            (key, one)
            for key, value in self.options.items()
            for one in (value if isinstance(value, list) else [value])
        ]
        parameters = "\n".join(f"{key:<30} {json.dumps(value)}" for key, value in options)
        modelfile = [f"FROM {self.file or f'sha256-{self.blob}'}"]
        if self.template:
            modelfile.append(f'TEMPLATE """{self.template}"""')
        if self.system:
            modelfile.append(f'SYSTEM """{self.system}"""')
        modelfile += [f"PARAMETER {key} {json.dumps(value)}" for key, value in options]
        body: Json = {"license": "Apache License Version 2.0", "modelfile": "\n".join(modelfile)}
        for key, text in (
            ("parameters", parameters),
            ("template", self.template),
            ("system", self.system),
        ):
            if text:
                body[key] = text
        body["details"] = self.details()
        body["model_info"] = self.model_info(verbose=verbose)
        if capabilities and self.capabilities is not None:
            body["capabilities"] = list(self.capabilities)
        body["modified_at"] = self.modified_at
        return body


QWEN2 = DoubleModel("qwen2:7b", weights="qwen2-7b-instruct-q4_0")
QWEN2_128K = DoubleModel(
    "qwen2:7b-128k",
    weights="qwen2-7b-instruct-q4_0-yarn",
    trained_window=131072,
    yarn_factor=4.0,
    modified_at="2026-08-19T18:02:11.5Z",
)
QWEN2_NATIVE = DoubleModel(
    "qwen2-native:7b",
    weights="qwen2-7b-instruct-q8_0",
    template="",
    quantization="Q8_0",
    size=8_098_525_888,
    capabilities=("completion", "tools"),
    modified_at="2026-08-18T07:00:00.25Z",
)
EMBEDDER = DoubleModel(
    "all-minilm:latest",
    weights="all-minilm-l6-v2-f16",
    architecture="bert",
    trained_window=256,
    layers=6,
    heads=12,
    kv_heads=12,
    head_dim=32,
    embedding_length=384,
    parameter_count=22_565_376,
    parameter_size="23M",
    quantization="F16",
    size=45_960_996,
    template="",
    capabilities=("embedding",),
    modified_at="2026-08-17T12:00:00Z",
)
DEFAULT_MODELS = (QWEN2, QWEN2_128K, QWEN2_NATIVE, EMBEDDER)


def full_name(name: str) -> str:
    """`qwen2` is short for `qwen2:latest`; the library's own prefixes mean nothing more."""
    for prefix in ("registry.ollama.ai/", "library/"):
        name = name.removeprefix(prefix)
    tail = name.rsplit("/", 1)[-1]
    return name if not name or ":" in tail else f"{name}:latest"

"""The chat models Hayloft knows, and what any model needs of memory for a window."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

WINDOWS = (8192, 16384, 32768, 65536, 131072)
"""The windows that memory is worked out for."""

KV_TYPES: dict[str, float] = {"f16": 2.0, "q8_0": 1.0625, "q4_0": 0.5625}
"""Bytes an element of the key-value cache takes, by Ollama's OLLAMA_KV_CACHE_TYPE."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One model of the Qwen2 family, instruct version.

    Shapes from the Qwen2 report's table of architectures and the models'
    configurations; usable windows from the model cards.
    """

    name: str
    tag: str
    """In Ollama's library; empty where that does not have it."""
    parameters: float
    """Billions."""
    architecture: str
    layers: int
    kv_heads: int
    head_size: int
    width: int
    """Length of the hidden state; with the layers it tells the models apart."""
    trained_window: int
    usable_window: int
    """With YaRN, as the model card vouches for."""
    file_bytes: int
    """About the size of the 4-bit file (Q4_0)."""
    licence: str

    @property
    def kv_elements(self) -> int:
        """Elements of the key-value cache a token."""
        return 2 * self.layers * self.kv_heads * self.head_size


CATALOGUE = (
    Entry(
        "Qwen2 0.5B", "qwen2:0.5b", 0.49, "qwen2", 24, 2, 64, 896, 32768, 32768,
        352_000_000, "Apache-2.0",
    ),
    Entry(
        "Qwen2 1.5B", "qwen2:1.5b", 1.54, "qwen2", 28, 2, 128, 1536, 32768, 32768,
        935_000_000, "Apache-2.0",
    ),
    Entry(
        "Qwen2 7B", "qwen2:7b", 7.62, "qwen2", 28, 4, 128, 3584, 32768, 131072,
        4_430_000_000, "Apache-2.0",
    ),
    # 14B of its parameters work on each token, but all have to be in memory.
    Entry(
        "Qwen2 57B-A14B", "", 57.4, "qwen2moe", 28, 4, 128, 3584, 32768, 65536,
        32_400_000_000, "Apache-2.0",
    ),
    Entry(
        "Qwen2 72B", "qwen2:72b", 72.7, "qwen2", 80, 8, 128, 8192, 32768, 131072,
        41_000_000_000, "Tongyi Qianwen",
    ),
)  # fmt: skip


def entry_of(metadata: Mapping[str, object]) -> Entry | None:
    """The catalogue's model of that architecture, those layers and that width.

    Qwen2.5 of the same size has the same shape, and the same usable window.
    """
    architecture = metadata.get("general.architecture")
    layers = metadata.get(f"{architecture}.block_count")
    width = metadata.get(f"{architecture}.embedding_length")
    return next(
        (
            entry
            for entry in CATALOGUE
            if (entry.architecture, entry.layers, entry.width) == (architecture, layers, width)
        ),
        None,
    )


def kv_elements(metadata: Mapping[str, object]) -> int | None:
    """Elements of the key-value cache a token, from GGUF metadata or `/api/show`.

    An upper bound for models whose layers do not all keep the whole window.
    None where the file does not say, or keeps another kind of cache.
    """
    arch = metadata.get("general.architecture")
    layers = integer(metadata.get(f"{arch}.block_count"))
    heads = integer(metadata.get(f"{arch}.attention.head_count"))
    width = integer(metadata.get(f"{arch}.embedding_length"))
    if not layers or f"{arch}.attention.kv_lora_rank" in metadata:
        return None
    head_size = width // heads if width and heads else None
    keys = integer(metadata.get(f"{arch}.attention.key_length")) or head_size
    values = integer(metadata.get(f"{arch}.attention.value_length")) or head_size
    given = metadata.get(f"{arch}.attention.head_count_kv", heads)
    if isinstance(given, list):  # one number a layer
        counts = [integer(count) for count in given]
        total = None if None in counts else sum(count or 0 for count in counts)
    else:
        count = integer(given)
        total = None if count is None else count * layers
    return total * (keys + values) if total and keys and values else None


def kv_bytes(elements: int, tokens: int, kv_type: str) -> int:
    """Bytes of the key-value cache for a window, allocated in full when the model loads."""
    return round(elements * tokens * KV_TYPES[kv_type])


@dataclass(frozen=True, slots=True)
class Need:
    """What a model needs for one window with one type of cache."""

    window: int
    kv_type: str
    kv_bytes: int
    total_bytes: int
    """Weights and cache, without compute buffers."""


def needs(weights_bytes: int, elements: int, *, largest: int) -> list[Need]:
    """The memory for each window up to the largest, with each type of cache."""
    found = []
    for window in (window for window in WINDOWS if window <= largest):
        for kv_type in KV_TYPES:
            cache = kv_bytes(elements, window, kv_type)
            found.append(Need(window, kv_type, cache, weights_bytes + cache))
    return found


def integer(value: object) -> int | None:
    """A positive whole number, or None for anything else."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None

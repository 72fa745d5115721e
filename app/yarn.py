"""YaRN: what makes a model of 32,768 tokens one of 131,072, and which models it is meant for.

llama.cpp, and so Ollama, reads the stretch from four fields of the GGUF file.
Without `context_length` Ollama would clamp the window to the old one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from app.model_catalogue import entry_of, integer
from storage.errors import UsageError

TRAINED = 32768
DEFAULT_FACTOR = 4.0
_ARCHITECTURES = ("qwen2", "qwen2moe")

# Qwen2.5 3B, by layers and width: like its smaller sisters a model of 32K for good.
_ALSO_SHORT = {(36, 2048): "Qwen2.5 3B"}

SHORT_PROMPTS = (
    "The stretch is static: it also applies to short prompts, which the copy may read a little "
    "worse than the original. So it is a model of its own; keep the original for prompts that fit "
    "its window."
)


@dataclass(frozen=True, slots=True)
class Extension:
    """From which window to which, and by which factor."""

    architecture: str
    original: int
    factor: float

    @property
    def window(self) -> int:
        """The window of the copy."""
        return int(self.original * self.factor)

    def fields(self) -> dict[str, int | float | str]:
        """The four fields that llama.cpp reads the stretch from."""
        arch = self.architecture
        return {
            f"{arch}.context_length": self.window,
            f"{arch}.rope.scaling.type": "yarn",
            f"{arch}.rope.scaling.factor": self.factor,
            f"{arch}.rope.scaling.original_context_length": self.original,
        }


def plan_extension(
    metadata: Mapping[str, object], name: str, *, factor: float | None = None
) -> Extension:
    """How the model with this metadata is stretched.

    Without a factor by that of its makers: 4 for most, 2 for 57B-A14B. Raises
    UsageError, which says why, for a model that is not to be stretched.
    """
    architecture = metadata.get("general.architecture")
    if architecture not in _ARCHITECTURES:
        raise UsageError(
            f"{name} is a model of the kind {architecture or 'unknown'}: only Qwen2 and Qwen2.5 "
            "text models are extended here. Read its makers' notes on long texts."
        )
    trained = integer(metadata.get(f"{architecture}.context_length"))
    if trained is None:
        raise UsageError(f"The file of {name} does not say its window. Fetch the model again.")
    original = (
        integer(metadata.get(f"{architecture}.rope.scaling.original_context_length")) or trained
    )
    _refuse_short(metadata, str(architecture), name)
    if factor is None and original < TRAINED and trained == original:
        raise UsageError(
            f"{name} was trained for {trained:,} tokens; what its makers vouch for is an extension "
            f"of {TRAINED:,}. Name a factor with --factor if you know better."
        )
    entry = entry_of(metadata)
    limit = entry.usable_window if entry else int(TRAINED * DEFAULT_FACTOR)
    best = limit / TRAINED
    wanted = best if factor is None else factor
    if not 1.0 < wanted <= 64.0:
        raise UsageError(f"--factor is {wanted:g}: it must be above 1, for instance 4.")
    extension = Extension(str(architecture), original, float(wanted))
    known = entry is not None or factor is None
    if trained >= (min(limit, extension.window) if known else extension.window):
        raise UsageError(
            f"{name} has a window of {trained:,} tokens already: there is nothing to extend."
        )
    if entry and extension.window > limit:
        raise UsageError(
            f"{name} is {entry.name}, which its makers vouch for up to {limit:,} tokens: use "
            f"--factor {best:g}."
        )
    return extension


def _refuse_short(metadata: Mapping[str, object], architecture: str, name: str) -> None:
    entry = entry_of(metadata)
    short = entry.name if entry and entry.usable_window <= entry.trained_window else None
    layers = integer(metadata.get(f"{architecture}.block_count"))
    width = integer(metadata.get(f"{architecture}.embedding_length"))
    if short is None and layers is not None and width is not None:
        short = _ALSO_SHORT.get((layers, width))
    if short:
        raise UsageError(
            f"{name} is {short}, a model of 32,768 tokens: its makers do not vouch for more, and "
            "stretched it would read long texts badly. Use 7B or larger, for instance qwen2:7b."
        )

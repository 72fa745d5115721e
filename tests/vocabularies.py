"""Vocabularies to count with: Qwen2's own, from the shared data, and one to count by hand."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from gguf import GGUFWriter

from storage.vocabulary import Vocabulary

ROOT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("HAYLOFT_SHARED_DATA") or ROOT.parent / "shared" / "data")
GGUF = SHARED / "qwen2" / "toy-qwen2-32k.gguf"
COUNTS = SHARED / "qwen2" / "token_counts.jsonl"

needs_vocabulary = pytest.mark.skipif(
    not GGUF.is_file(), reason=f"Qwen2's vocabulary is not at {GGUF}"
)

# Every byte, a few merges, and the markers: enough to count by hand.
_BYTES = [chr(n) for n in range(33, 127)] + [chr(n) for n in range(161, 324) if n != 173]
SMALL = Vocabulary(
    tokens=(*_BYTES, "Ġh", "ay", "Ġhay", "ĊĊ", "<|im_start|>", "<|im_end|>", "[PAD7]"),
    merges=("Ġ h", "a y", "Ġh ay", "Ċ Ċ"),
    types=(*([1] * (len(_BYTES) + 4)), 3, 3, 4),
)


def write_gguf(path: Path, vocabulary: Vocabulary = SMALL, *, pre: str = "qwen2") -> Path:
    """A GGUF file that holds a vocabulary and no model."""
    writer = GGUFWriter(path, "qwen2")
    writer.add_context_length(32768)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(list(vocabulary.tokens))
    writer.add_token_types(list(vocabulary.types))
    writer.add_token_merges(list(vocabulary.merges))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def shared_rows() -> list[dict[str, object]]:
    """Texts with the tokens that Qwen2 cuts them into."""
    with COUNTS.open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]

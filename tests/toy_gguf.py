"""A qwen2 model of a few thousand random weights as a GGUF file, for tests and for llama.cpp."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
from gguf import GGUFWriter

from storage.vocabulary import Vocabulary

WIDTH, HEADS, KV_HEADS, LAYERS, FEED = 32, 2, 1, 2, 64
PROSE = (
    "The hay is in the loft. The farmer of the valley keeps it dry over the winter, and the "
    "horses in the stable know the way to it. In the spring the meadow is green again. "
)


@functools.lru_cache
def toy_vocabulary(merges: int = 200) -> Vocabulary:
    """Every byte, merges learned from a little prose, and ChatML's markers."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=256 + merges, initial_alphabet=alphabet, show_progress=False, min_frequency=1
    )
    tokenizer.train_from_iterator([PROSE], trainer)
    import json

    model = json.loads(tokenizer.to_str())["model"]
    tokens = sorted(model["vocab"], key=model["vocab"].__getitem__)
    pairs = [pair if isinstance(pair, str) else " ".join(pair) for pair in model["merges"]]
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    return Vocabulary(
        tokens=(*tokens, *special),
        merges=tuple(pairs),
        types=(*([1] * len(tokens)), *([3] * len(special))),
    )


def write_toy(
    path: Path,
    *,
    architecture: str = "qwen2",
    window: int = 32768,
    layers: int = LAYERS,
    width: int = WIDTH,
    extra: dict[str, int | float | str] | None = None,
    alignment: int | None = None,
    tensors: bool = True,
    seed: int = 0,
) -> Path:
    """Write the model; `layers` and `width` of the metadata may lie where `tensors` is False."""
    vocabulary = toy_vocabulary()
    writer = GGUFWriter(path, architecture)
    writer.add_name("toy")
    if alignment is not None:
        writer.add_custom_alignment(alignment)
    writer.add_context_length(window)
    writer.add_embedding_length(width)
    writer.add_block_count(layers)
    writer.add_feed_forward_length(FEED)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_rope_freq_base(1_000_000.0)
    writer.add_layer_norm_rms_eps(1e-6)
    for name, value in (extra or {}).items():
        if isinstance(value, str):
            writer.add_string(name, value)
        elif isinstance(value, float):
            writer.add_float32(name, value)
        else:
            writer.add_uint32(name, value)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(list(vocabulary.tokens))
    writer.add_token_types(list(vocabulary.types))
    writer.add_token_merges(list(vocabulary.merges))
    end = len(vocabulary.tokens)
    writer.add_eos_token_id(end - 1)
    writer.add_pad_token_id(end - 3)
    writer.add_bos_token_id(end - 3)
    if tensors:
        _add_tensors(writer, len(vocabulary.tokens), seed)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _add_tensors(writer: GGUFWriter, tokens: int, seed: int) -> None:
    random = np.random.default_rng(seed)

    def weights(*shape: int) -> np.ndarray:
        return (random.standard_normal(shape) * 0.1).astype(np.float32)

    head = WIDTH // HEADS
    writer.add_tensor("token_embd.weight", weights(tokens, WIDTH))
    writer.add_tensor("output.weight", weights(tokens, WIDTH))
    writer.add_tensor("output_norm.weight", np.ones(WIDTH, np.float32))
    for layer in range(LAYERS):
        block = f"blk.{layer}"
        writer.add_tensor(f"{block}.attn_norm.weight", np.ones(WIDTH, np.float32))
        writer.add_tensor(f"{block}.ffn_norm.weight", np.ones(WIDTH, np.float32))
        for part, size in (("q", HEADS * head), ("k", KV_HEADS * head), ("v", KV_HEADS * head)):
            writer.add_tensor(f"{block}.attn_{part}.weight", weights(size, WIDTH))
            writer.add_tensor(f"{block}.attn_{part}.bias", weights(size))
        writer.add_tensor(f"{block}.attn_output.weight", weights(WIDTH, WIDTH))
        writer.add_tensor(f"{block}.ffn_gate.weight", weights(FEED, WIDTH))
        writer.add_tensor(f"{block}.ffn_up.weight", weights(FEED, WIDTH))
        writer.add_tensor(f"{block}.ffn_down.weight", weights(WIDTH, FEED))

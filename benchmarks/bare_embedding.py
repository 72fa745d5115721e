"""The bare time of embedding given texts with sentence-transformers: the floor of ingestion.

Run by `bench_ingest` in a process of its own; importing and loading the model
do not count. Prints seconds as JSON.

    python -m benchmarks.bare_embedding TEXTS.json MODEL THREADS DEVICE sample 8,16,32
    python -m benchmarks.bare_embedding TEXTS.json MODEL THREADS DEVICE full 16

or with the engine that Hayloft uses, as a library remembers it:

    python -m benchmarks.bare_embedding TEXTS.json MODEL THREADS DEVICE own DATA_DIR
"""

from __future__ import annotations

import json
import random
import sys
import time
from pathlib import Path
from typing import Any

SAMPLE = 160
_ROUNDS = 2
_WINDOW = 256
"""As many as ingestion hands over in one call."""


def main(arguments: list[str]) -> int:
    """Time a sample at several batch sizes, or all the texts at one."""
    path, model_path, threads, device, mode, batches = arguments
    texts = json.loads(Path(path).read_text(encoding="utf-8"))
    if mode == "own":
        return _own(texts, model_path, int(threads), device, Path(batches))

    import torch
    from sentence_transformers import SentenceTransformer

    if int(threads):
        torch.set_num_threads(int(threads))
    model = SentenceTransformer(model_path, device=device or None)
    sizes = [int(size) for size in batches.split(",")]
    chosen = texts
    if mode == "sample":
        chosen = random.Random(0).sample(texts, min(SAMPLE, len(texts)))
    _encode(model, texts[:64], sizes[0])
    seconds: dict[str, list[float]] = {str(size): [] for size in sizes}
    for _ in range(_ROUNDS if mode == "sample" else 1):
        for size in sizes:
            started = time.perf_counter()
            _encode(model, chosen, size)
            seconds[str(size)].append(time.perf_counter() - started)
    print(
        json.dumps(
            {
                "texts": len(chosen),
                "threads": torch.get_num_threads(),
                "device": str(model.device),
                "seconds": {size: min(values) for size, values in seconds.items()},
            }
        )
    )
    return 0


def _own(texts: list[str], model: str, threads: int, device: str, data_dir: Path) -> int:
    from storage.embedding import SentenceTransformerEmbedder

    embedder = SentenceTransformerEmbedder(
        model, device=device, threads=threads, engine="auto", choices=data_dir
    )
    embedder.embed_passages(texts[:_WINDOW])
    started = time.perf_counter()
    for start in range(0, len(texts), _WINDOW):
        embedder.embed_passages(texts[start : start + _WINDOW])
    seconds = time.perf_counter() - started
    choice = embedder.choice
    engine = choice.passages if choice is not None else "torch"
    print(json.dumps({"texts": len(texts), "engine": engine, "seconds": seconds}))
    return 0


def _encode(model: Any, texts: list[str], batch: int) -> None:
    model.encode(texts, batch_size=batch, normalize_embeddings=True, show_progress_bar=False)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

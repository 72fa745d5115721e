"""Embedding a library's texts: Hayloft's engines beside sentence-transformers' defaults.

One process, the same texts, in turn: `SentenceTransformer.encode` as it comes
(batches of 32), torch as Hayloft calls it, and each engine that takes the
model. Every round embeds a sample of its own with all of them, each time
another one first. The engine that `auto` chooses here is judged.

Told as well: tokens that are embedded for each token of the documents. Titles
in front of chunks, their overlap and page heads add to it; running headers,
repeated texts and identical files take away from it.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import common
from benchmarks.common import Figure, Report, Skipped, at_least, median
from benchmarks.embedded import embedded_texts, page_texts

if TYPE_CHECKING:
    from storage.engine_choice import Encode

LIMIT = 1.5
COSINE_LIMIT = 0.99
_DEFAULTS = "sentence-transformers"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of this benchmark."""
    parser.add_argument("--data-dir", type=Path, help="an ingested library")
    parser.add_argument("--sample", type=int, default=64, help="texts a round (default: 64)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds (default: 5)")


@dataclass(frozen=True, slots=True)
class Measured:
    """What one engine did, round by round."""

    seconds: list[float]
    cosines: list[float]
    """To sentence-transformers' vectors, one a text."""


def run(args: argparse.Namespace) -> Report:
    """Measure all engines on samples of the library's texts."""
    if args.data_dir is None:
        raise Skipped("no library; name one with --data-dir, or run benchmarks.run")
    model, texts = embedded_texts(args.data_dir)
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    common.say(f"embedding: {len(texts):,} texts, {args.rounds} rounds of {args.sample}")

    from storage.embedding import SentenceTransformerEmbedder

    with tempfile.TemporaryDirectory() as folder:
        chooser = SentenceTransformerEmbedder(model, engine="auto", choices=Path(folder))
        chooser.embed_passages(random.Random(1).sample(texts, min(256, len(texts))))
        choice = chooser.choice
    chosen = choice.passages if choice is not None else "torch"
    common.say(f"embedding: {chosen} was chosen: {choice}")
    engines: dict[str, Encode] = {_DEFAULTS: _defaults(model)}
    for name in ("torch", "onnx", "onnx-int8"):
        engines[name] = SentenceTransformerEmbedder(model, engine=name).embed_passages
    measured = measure(engines, texts, args.sample, args.rounds)
    count = _counter(chooser)
    embedded, said = sum(map(count, texts)), sum(map(count, page_texts(args.data_dir)))
    rate = embedded / len(texts) * args.sample / median(measured[chosen].seconds)
    return Report(
        "embedding",
        _figures(measured, chosen, embedded, said, rate, load),
        {
            "texts": len(texts),
            "tokens_embedded": embedded,
            "tokens_in_documents": said,
            "sample": args.sample,
            "chosen": chosen,
            "load_average_before": load,
            "seconds": {name: one.seconds for name, one in measured.items()},
        },
    )


def measure(
    engines: dict[str, Encode], texts: Sequence[str], sample: int, rounds: int
) -> dict[str, Measured]:
    """Each engine over the same samples; the first engine's vectors are what all are held to."""
    found = {name: Measured([], []) for name in engines}
    names = list(engines)
    chosen = random.Random(0)
    for name in names:
        engines[name](texts[:4])
    for number in range(rounds):
        part = chosen.sample(texts, min(sample, len(texts)))
        shift = number % len(names)
        vectors = {}
        for name in names[shift:] + names[:shift]:
            began = time.perf_counter()
            vectors[name] = engines[name](part)
            found[name].seconds.append(time.perf_counter() - began)
        for name in names:
            found[name].cosines.extend((vectors[name] * vectors[names[0]]).sum(axis=1).tolist())
    return found


def ratio(measured: dict[str, Measured], name: str) -> float:
    """How many times as fast as the defaults an engine is, the median of the rounds."""
    pairs = zip(measured[_DEFAULTS].seconds, measured[name].seconds, strict=True)
    return median([default / own for default, own in pairs])


def _figures(
    measured: dict[str, Measured], chosen: str, embedded: int, said: int, rate: float, load: float
) -> tuple[Figure, ...]:
    judged = at_least(
        f"speed of {chosen} ÷ {_DEFAULTS}",
        ratio(measured, chosen),
        LIMIT,
        "×",
        f"batches of 32; load average {load:.1f}",
    )
    cosines = measured[chosen].cosines
    near = at_least(
        "  mean cosine to its vectors",
        sum(cosines) / len(cosines),
        COSINE_LIMIT,
        note=f"least {min(cosines):.4f}, {len(cosines)} texts",
    )
    others = [
        Figure(f"  speed of {name} ÷ {_DEFAULTS}", ratio(measured, name), "×")
        for name in measured
        if name not in (_DEFAULTS, chosen)
    ]
    return (
        judged,
        near,
        *others,
        Figure("  tokens a second", rate, note=chosen),
        Figure(
            "  tokens embedded per document token",
            embedded / said,
            note=f"{embedded:,} of {said:,}",
        ),
    )


def _defaults(model: str) -> Encode:
    from sentence_transformers import SentenceTransformer

    loaded = SentenceTransformer(model)

    def encode(texts: Sequence[str]) -> Any:
        return loaded.encode(list(texts), normalize_embeddings=True)

    return encode


def _counter(embedder: Any) -> Any:
    return lambda text: len(embedder.token_spans(text))


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(prog="python -m benchmarks.bench_embedding")
    add_arguments(arguments)
    sys.exit(common.main(arguments, run))

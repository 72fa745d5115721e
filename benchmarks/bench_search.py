"""What search costs on top of the two things it cannot do without.

A is `Finder.search` in a warm process; B is embedding the query once and one
bare Chroma query, through a client of its own to the same server. Every query
is asked by both, one right after the other and in alternating order, so that
a change in the machine's speed falls on both alike.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks import common, datasets
from benchmarks.common import Failed, Figure, Report, Skipped, at_most, percentile

LIMIT = 10
P95_LIMIT = 1.5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of this benchmark."""
    parser.add_argument("--data-dir", type=Path, help="an ingested library to search")
    parser.add_argument("--questions", type=Path, help="JSON lines with `question`")
    parser.add_argument("--rounds", type=int, default=10, help="times each query is asked")


def run(args: argparse.Namespace) -> Report:
    """Measure both, interleaved."""
    if args.data_dir is None:
        raise Skipped("no library; name one with --data-dir, or run benchmarks.run")
    queries = _queries(args.questions)

    import os

    os.environ.update(common.environment(args.data_dir))

    from app.find import Finder
    from storage.library import Library
    from storage.settings import StorageSettings

    library = Library(StorageSettings())
    try:
        finder = Finder(library)
        if not finder.search(queries[0], limit=LIMIT):
            raise Failed(f"nothing is found in {args.data_dir}; it must hold documents")
        collection = bare_collection(library)
        common.say(f"search: {len(queries)} queries, {args.rounds} rounds")
        samples = measure(library, finder, collection, queries, args.rounds)
        counts = library.catalog.counts()
    finally:
        library.close()
    return _report(samples, len(queries), args.rounds, counts.chunks)


def bare_collection(library: Any) -> Any:
    """The library's vectors through a plain client, past everything of Hayloft's."""
    import chromadb

    from storage.chroma_server import running_server

    library.vectors.heartbeat()
    server = running_server(library.settings.data_dir)
    identity = library.catalog.identity()
    if server is None or identity is None:
        raise Failed("the bare query needs a Chroma server of the library's own")
    client = chromadb.HttpClient(
        host="127.0.0.1",
        port=server.port,
        settings=chromadb.Settings(anonymized_telemetry=False),
    )
    return client.get_collection(identity.collection, embedding_function=None)


def measure(
    library: Any, finder: Any, collection: Any, queries: list[str], rounds: int
) -> dict[str, list[float]]:
    """Seconds by what was measured: `search`, `bare`, and of the latter `embed`."""
    samples: dict[str, list[float]] = {"search": [], "bare": [], "embed": []}

    def search(query: str) -> None:
        started = time.perf_counter()
        finder.search(query, limit=LIMIT)
        samples["search"].append(time.perf_counter() - started)

    def bare(query: str) -> None:
        started = time.perf_counter()
        vector = library.embedder.embed_query(query)
        embedded = time.perf_counter()
        collection.query(query_embeddings=[vector], n_results=LIMIT)
        samples["bare"].append(time.perf_counter() - started)
        samples["embed"].append(embedded - started)

    for query in queries:  # warm both
        search(query)
        bare(query)
    for values in samples.values():
        values.clear()
    for number in range(rounds):
        for position, query in enumerate(queries):
            pair = (search, bare) if (number + position) % 2 else (bare, search)
            for action in pair:
                action(query)
    return samples


def _report(samples: dict[str, list[float]], queries: int, rounds: int, chunks: int) -> Report:
    at = {
        (name, percent): percentile(values, percent)
        for name, values in samples.items()
        for percent in (50, 95)
    }
    note = f"{queries} queries × {rounds}, {chunks:,} chunks"
    pairs = [a / b for a, b in zip(samples["search"], samples["bare"], strict=True)]
    figures = (
        Figure("search ÷ (embed + bare query), p50", at["search", 50] / at["bare", 50], "×"),
        at_most(
            "search ÷ (embed + bare query), p95", at["search", 95] / at["bare", 95], P95_LIMIT, "×"
        ),
        Figure("  median of the ratios pair by pair", common.median(pairs), "×", note=note),
        Figure("  search, p50", at["search", 50] * 1000, "ms"),
        Figure("  search, p95", at["search", 95] * 1000, "ms"),
        Figure("  embed + bare query, p50", at["bare", 50] * 1000, "ms"),
        Figure("  embed + bare query, p95", at["bare", 95] * 1000, "ms"),
        Figure("  embed alone, p50", at["embed", 50] * 1000, "ms"),
    )
    details = {"queries": queries, "rounds": rounds, "chunks": chunks, "samples_s": samples}
    return Report("search", figures, details)


def _queries(path: Path | None) -> list[str]:
    if path is None:
        return [known.question for known in datasets.financebench()]
    lines = path.read_text(encoding="utf-8").split("\n")
    return [json.loads(line)["question"] for line in lines if line.strip()]


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(prog="python -m benchmarks.bench_search")
    add_arguments(arguments)
    sys.exit(common.main(arguments, run))

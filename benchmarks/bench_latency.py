"""How the time of a search grows with the library, against what it cannot do without.

    python -m benchmarks.bench_latency --chunks 10000,100000,200000 --keep DIR

Libraries are made up (benchmarks/synthetic.py) and grow from one size to the
next in one data directory; `--keep` keeps it for another run. At each size
`Finder.search` is measured against embedding the query and one bare Chroma
query, as `bench_search` does it, and both arms by themselves.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks import common
from benchmarks.bench_search import P95_LIMIT, bare_collection, measure
from benchmarks.common import Figure, Report, at_most, percentile
from benchmarks.synthetic import Maker, fill

SIZES = (10_000, 100_000, 200_000)
JUDGED = 100_000
"""The size whose p95 has a target."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of this benchmark."""
    parser.add_argument(
        "--chunks", type=_sizes, default=SIZES, help="sizes (default: 10000,100000,200000)"
    )
    parser.add_argument("--queries", type=int, default=40, help="different questions")
    parser.add_argument("--rounds", type=int, default=5, help="times each is asked at each size")
    parser.add_argument("--keep", type=Path, help="folder for the library; kept, and grown on")


def run(args: argparse.Namespace) -> Report:
    """Grow the library and measure at each size."""
    folder = args.keep.absolute() if args.keep else common.scratch_folder(None, "hayloft-latency-")
    folder.mkdir(parents=True, exist_ok=True)
    common.say(f"latency: the library lies in {folder}")
    os.environ.update(common.environment(folder))

    from app.find import Finder
    from app.settings import AppSettings
    from storage.library import Library
    from storage.settings import StorageSettings

    library = Library(StorageSettings(data_dir=folder))
    figures: list[Figure] = []
    details: dict[str, Any] = {"queries": args.queries, "rounds": args.rounds, "sizes": {}}
    try:
        maker = Maker(library.embedder)
        queries = maker.questions(args.queries)
        for size in args.chunks:
            common.say(f"latency: {size:,} chunks")
            fill(library, maker, size)
            chunks = library.catalog.counts().chunks
            finder = Finder(library, AppSettings())
            samples = measure(library, finder, bare_collection(library), queries, args.rounds)
            samples |= _arms(library, queries, args.rounds)
            figures += _figures(chunks, samples)
            details["sizes"][chunks] = samples
    finally:
        library.close()
    figures += _growth(details["sizes"])
    return Report("latency", tuple(figures), details)


def _arms(library: Any, queries: Sequence[str], rounds: int) -> dict[str, list[float]]:
    """Seconds of each arm by itself: where the time of a search goes."""
    from app.find import CANDIDATES

    identity = library.catalog.identity()
    vectors = {query: library.embedder.embed_query(query) for query in queries}

    def words(query: str) -> None:
        with library.catalog.snapshot() as snapshot:
            snapshot.lexical(query, CANDIDATES)

    def nearest(query: str) -> None:
        library.vectors.nearest(identity.collection, vectors[query], CANDIDATES)

    actions: dict[str, Callable[[str], None]] = {"words": words, "vectors": nearest}
    samples: dict[str, list[float]] = {name: [] for name in actions}
    for _ in range(rounds):
        for query in queries:
            for name, action in actions.items():
                started = time.perf_counter()
                action(query)
                samples[name].append(time.perf_counter() - started)
    return samples


def _figures(chunks: int, samples: dict[str, list[float]]) -> Iterator[Figure]:
    def at(name: str, percent: int) -> float:
        return percentile(samples[name], percent)

    note = f"{chunks:,} chunks"
    yield Figure(
        "search ÷ (embed + bare query), p50", at("search", 50) / at("bare", 50), "×", note=note
    )
    ratio = at("search", 95) / at("bare", 95)
    name = "search ÷ (embed + bare query), p95"
    if chunks >= JUDGED:
        yield at_most(name, ratio, P95_LIMIT, "×", note)
    else:
        yield Figure(name, ratio, "×", note=note)
    # Of no use as a ratio on a busy machine, where embedding takes ten times as long.
    extra = [a - b for a, b in zip(samples["search"], samples["bare"], strict=True)]
    yield Figure("  search takes longer by, median", common.median(extra) * 1000, "ms", note=note)
    for told, key in (
        ("search", "search"),
        ("embed + bare query", "bare"),
        ("embed alone", "embed"),
        ("words alone", "words"),
        ("100 nearest vectors alone", "vectors"),
    ):
        p95 = f"p95 {at(key, 95) * 1000:.1f} ms"
        yield Figure(f"  {told}, p50", at(key, 50) * 1000, "ms", note=p95)


def _growth(sizes: dict[int, dict[str, list[float]]]) -> Iterator[Figure]:
    """How many times slower the largest library is than the smallest."""
    if len(sizes) < 2:
        return
    small, large = min(sizes), max(sizes)
    note = f"{small:,} to {large:,} chunks"
    for told, key in (("search", "search"), ("embed + bare query", "bare")):
        for percent in (50, 95):
            ratio = percentile(sizes[large][key], percent) / percentile(sizes[small][key], percent)
            yield Figure(f"growth of {told}, p{percent}", ratio, "×", note=note)


def _sizes(text: str) -> tuple[int, ...]:
    try:
        sizes = tuple(sorted({int(part) for part in text.split(",")}))
    except ValueError:
        sizes = ()
    if not sizes or sizes[0] < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of sizes such as 10000,100000")
    return sizes


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(
        prog="python -m benchmarks.bench_latency",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_arguments(arguments)
    sys.exit(common.main(arguments, run))

"""How near ingestion comes to the time of embedding alone, and what a plain pipeline takes.

Four things are timed in turn, as often as `--repeat` says, on the same files:

A  `hayloft ingest` into an empty data directory, from outside, server start and all;
B  the bare time of `SentenceTransformer.encode` over exactly the texts that A
   embedded, in a process that has loaded the model already, at the batch size
   that is fastest on this machine (found on a sample first);
O  the same texts through the embedder as A used it, in the engine it chose;
C  the plain pipeline of `reference_ingest`, from outside.

A ÷ O is what a run takes beside its slowest stage; A ÷ B is the run beside plain
embedding alone; C ÷ A what all of it gains.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import common
from benchmarks.bench_start import wait_for_server_to_end
from benchmarks.common import Figure, Report, at_least, at_most, median
from benchmarks.embedded import embedded_texts

SLOWEST_LIMIT = 1.15
BARE_LIMIT = 1.25
REFERENCE_LIMIT = 1.5
JUDGED_FROM_CHUNKS = 1000
"""With fewer, imports and loading the model are most of the time: no target is judged."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of this benchmark."""
    parser.add_argument("--documents", type=Path, help="folder of PDFs")
    parser.add_argument("--files", type=int, help="only the N smallest")
    parser.add_argument("--name", action="append", default=[], help="only this file; repeatable")
    parser.add_argument("--repeat", type=int, default=1, help="rounds of A, B, C (default: 1)")
    parser.add_argument("--batches", default="8,16,32,64", help="batch sizes tried for B")
    parser.add_argument("--scratch", type=Path, help="folder for what is made; kept")


@dataclass(frozen=True, slots=True)
class Round:
    """One turn of A, B and C."""

    ingest_s: float
    bare_s: float
    own_s: float
    reference_s: float
    ingest: dict[str, Any]
    """The report of `hayloft ingest --json`."""
    reference: dict[str, Any]


def run(args: argparse.Namespace) -> Report:
    """Measure A, B and C in turn."""
    folder = common.documents_folder(args.documents)
    files = common.chosen_pdfs(folder, args.name, args.files)
    scratch = common.scratch_folder(args.scratch, "hayloft-ingest-")
    source = common.link_all(files, scratch / "documents")
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    common.say(f"ingest: {len(files)} PDFs, scratch {scratch}, load average {load:.1f}")

    rounds: list[Round] = []
    bare: Bare | None = None
    for number in range(args.repeat):
        data_dir = scratch / f"data-{number}"
        ingest_s, ingested = _ingest(source, data_dir)
        if bare is None:
            bare = Bare.prepare(data_dir, scratch, args.batches)
        bare_s, own_s = bare.full(), bare.own(data_dir)
        reference_s, plain = _reference(source, scratch / f"reference-{number}", bare.model)
        rounds.append(Round(ingest_s, bare_s, own_s, reference_s, ingested, plain))
        common.say(
            f"ingest: round {number + 1}: hayloft {ingest_s:.1f} s, bare embedding "
            f"{bare_s:.1f} s, in its own engine {own_s:.1f} s, plain pipeline {reference_s:.1f} s"
        )
    if bare is None:
        raise common.Failed("--repeat must be at least 1")
    return _report(rounds, bare, len(files), load, scratch)


class Bare:
    """B: the texts that were embedded, and the fastest batch size for them."""

    def __init__(
        self, model: str, path: Path, texts: Sequence[str], sample: dict[str, Any]
    ) -> None:
        self.model = model
        self.count = len(texts)
        self.characters = sum(map(len, texts))
        self.sample = sample
        self.batch = min(sample["seconds"], key=lambda size: float(sample["seconds"][size]))
        self._path = path
        self.engine = ""

    @classmethod
    def prepare(cls, data_dir: Path, scratch: Path, batches: str) -> Bare:
        """Read the texts back from a library and find the fastest batch size."""
        model, texts = embedded_texts(data_dir)
        wait_for_server_to_end(data_dir)
        path = scratch / "texts.json"
        path.write_text(json.dumps(texts), encoding="utf-8")
        sample = _embed(path, model, "sample", batches)
        return cls(model, path, texts, sample)

    def full(self) -> float:
        """Seconds of embedding all texts at the fastest batch size."""
        found = _embed(self._path, self.model, "full", self.batch)
        return float(found["seconds"][self.batch])

    def own(self, data_dir: Path) -> float:
        """Seconds of embedding all texts as the run into a data directory did."""
        found = _embed(self._path, self.model, "own", str(data_dir))
        self.engine = str(found["engine"])
        return float(found["seconds"])


def _embed(texts: Path, model: str, mode: str, batches: str) -> dict[str, Any]:
    threads, device = _compute()
    module = [sys.executable, "-m", "benchmarks.bare_embedding"]
    done = common.timed(
        [*module, str(texts), model, threads, device, mode, batches], common.environment()
    )
    return common.last_json(done)


def _ingest(source: Path, data_dir: Path) -> tuple[float, dict[str, Any]]:
    env = common.environment(data_dir, HAYLOFT_CHROMA_LINGER_S="0")
    done = common.timed([*common.hayloft(), "ingest", str(source), "--json"], env, ok=(0, 1))
    wait_for_server_to_end(data_dir)
    return done.seconds, common.last_json(done)


def _reference(source: Path, scratch: Path, model: str) -> tuple[float, dict[str, Any]]:
    threads, device = _compute()
    module = [sys.executable, "-m", "benchmarks.reference_ingest"]
    done = common.timed(
        [*module, str(source), str(scratch), model, threads, device], common.environment()
    )
    return done.seconds, common.last_json(done)


def _compute() -> tuple[str, str]:
    """Threads and device as Hayloft's own settings have them; 0 and empty leave both alone."""
    from storage.settings import StorageSettings

    settings = StorageSettings()
    return str(settings.threads), settings.embedder_device


def _report(rounds: list[Round], bare: Bare, files: int, load: float, scratch: Path) -> Report:
    def middle(value: Callable[[Round], float]) -> float:
        return median([value(one) for one in rounds])

    last = rounds[-1]
    rate = bare.count / middle(lambda one: one.bare_s)
    per_character = middle(
        lambda one: (
            (one.reference_s / one.reference["characters"]) / (one.ingest_s / bare.characters)
        )
    )
    sampled = {
        size: bare.sample["texts"] / float(seconds)
        for size, seconds in bare.sample["seconds"].items()
    }
    figures = (
        _judged(
            bare.count,
            at_most,
            "ingest ÷ its slowest stage alone",
            middle(lambda one: one.ingest_s / one.own_s),
            SLOWEST_LIMIT,
            f"embedding with {bare.engine}",
        ),
        _judged(
            bare.count,
            at_most,
            "ingest ÷ bare embedding",
            middle(lambda one: one.ingest_s / one.bare_s),
            BARE_LIMIT,
            f"{files} files, {last.ingest['pages']:,} pages, {bare.count:,} chunks",
        ),
        _judged(
            bare.count,
            at_least,
            "plain pipeline ÷ ingest",
            middle(lambda one: one.reference_s / one.ingest_s),
            REFERENCE_LIMIT,
            f"plain: {last.reference['chunks']:,} chunks",
        ),
        Figure("  the same per embedded character", per_character, "×"),
        Figure("  hayloft ingest, wall", middle(lambda one: one.ingest_s), "s"),
        Figure(
            "  bare embedding",
            middle(lambda one: one.bare_s),
            "s",
            note=f"batch {bare.batch}, {rate:.1f} chunks/s, {bare.sample['threads']} threads, "
            f"{bare.sample['device']}; on a sample "
            + ", ".join(f"{size}: {speed:.1f}/s" for size, speed in sampled.items()),
        ),
        Figure(
            "  plain pipeline, wall",
            middle(lambda one: one.reference_s),
            "s",
            note=", ".join(f"{k} {v:.1f}" for k, v in last.reference["stages"].items()),
        ),
    )
    details = {
        "files": files,
        "chunks": bare.count,
        "load_average_before": load,
        "batch": bare.batch,
        "sample": bare.sample,
        "rounds": [
            {
                "ingest_s": one.ingest_s,
                "bare_s": one.bare_s,
                "own_s": one.own_s,
                "reference_s": one.reference_s,
                "ingest": one.ingest,
                "reference": one.reference,
            }
            for one in rounds
        ],
        "data_dir": str(scratch / f"data-{len(rounds) - 1}"),
    }
    return Report("ingest", figures, details)


def _judged(
    chunks: int,
    against: Callable[[str, float, float, str, str], Figure],
    name: str,
    value: float,
    limit: float,
    note: str,
) -> Figure:
    """A ratio held against its limit, or only told where start-up outweighs the work."""
    if chunks < JUDGED_FROM_CHUNKS:
        return Figure(name, value, "×", note=f"{note}; too few to judge")
    return against(name, value, limit, "×", note)


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(prog="python -m benchmarks.bench_ingest")
    add_arguments(arguments)
    sys.exit(common.main(arguments, run))

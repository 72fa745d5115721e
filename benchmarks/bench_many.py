"""Many files: what a run costs in which nothing has changed, and whether memory grows.

A. A run over N known and unchanged files, divided by a bare recursive stat of
   them (scandir and stat of each, in Python), in turn, with the number of
   files under the folder that the run opened. In one process: starting the
   interpreter is told apart, as the wall time of the whole command.
B. The peak memory of the process that takes in 2,000 text files, divided by
   that for 200, each in a new process and library. The embedding model is
   replaced by hashed words: its own hundreds of megabytes would hide growth.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import common
from benchmarks.common import Figure, Report, at_most, median

STAT_LIMIT = 3.0
MEMORY_LIMIT = 1.3
FILES_A_FOLDER = 100
WORDS_A_FILE = 400


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of this benchmark."""
    parser.add_argument("--unchanged", type=int, default=20_000, help="files of A")
    parser.add_argument("--rounds", type=int, default=15, help="runs of A")
    parser.add_argument("--few", type=int, default=200, help="files of B, the smaller library")
    parser.add_argument("--many", type=int, default=2_000, help="files of B, the larger one")
    parser.add_argument("--scratch", type=Path, help="folder for what is made; kept")


def run(args: argparse.Namespace) -> Report:
    """Measure A, then B."""
    scratch = common.scratch_folder(args.scratch, "hayloft-many-")
    common.say(f"many: scratch {scratch}")
    unchanged = _unchanged(scratch, args.unchanged, args.rounds)
    memory = {count: _memory(scratch, count) for count in (args.few, args.many)}
    grown = memory[args.many]["peak_mb"] / memory[args.few]["peak_mb"]
    ratios = [run / bare for run, bare in zip(unchanged["run_s"], unchanged["bare_s"], strict=True)]
    figures = (
        at_most(
            f"unchanged run / bare stat, {args.unchanged:,} files",
            median(ratios),
            STAT_LIMIT,
            "×",
            f"best {min(ratios):.2f}, worst {max(ratios):.2f}",
        ),
        at_most("  files opened", float(unchanged["opened"]), 0),
        Figure("  bare stat", median(unchanged["bare_s"]) * 1000, "ms"),
        Figure("  run, in a process", median(unchanged["run_s"]) * 1000, "ms"),
        Figure("  whole command, from outside", unchanged["command_s"] * 1000, "ms"),
        at_most(f"peak memory, {args.many:,} / {args.few:,} files", grown, MEMORY_LIMIT, "×"),
        *(
            Figure(
                f"  {count:,} files",
                found["peak_mb"],
                "MB",
                note=f"{found['chunks']:,} chunks in {found['seconds']:.0f} s",
            )
            for count, found in memory.items()
        ),
    )
    return Report("many", figures, {"unchanged": unchanged, "memory": memory})


def bare_stat(root: str) -> int:
    """The number of files below a folder, each of them stat'ed."""
    count, folders = 0, [root]
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                else:
                    entry.stat(follow_symlinks=False)
                    count += 1
    return count


class HashedWords:
    """An embedder of no size: each word adds to one of 64 places."""

    name = "hashed words"
    dimension = 64
    max_tokens = 256
    passage_prompt = ""
    content = ""
    languages: tuple[str, ...] = ("en",)

    def embed_passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """See storage.embedding.Embedder."""
        found = np.full((len(texts), self.dimension), 1e-3, dtype=np.float32)
        for row, text in enumerate(texts):
            for word in text.split():
                found[row, sum(word.encode()) % self.dimension] += 1.0
        return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True), dtype=np.float32)

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """See storage.embedding.Embedder."""
        return np.asarray(self.embed_passages([text])[0], dtype=np.float32)

    def token_spans(self, text: str) -> list[tuple[int, int]]:
        """See storage.embedding.Embedder."""
        spans, end = [], 0
        for word in text.split():
            start = text.index(word, end)
            end = start + len(word)
            spans.append((start, end))
        return spans


def write_texts(folder: Path, count: int, words: int) -> Path:
    """Text files of made-up words, the same ones for the same numbers."""
    rng = random.Random(count)
    vocabulary = [f"w{number}" for number in range(5_000)]
    for number in range(count):
        path = folder / f"{number // FILES_A_FOLDER:04}" / f"{number:06}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(" ".join(rng.choices(vocabulary, k=words)), "utf-8")
    return folder


def _unchanged(scratch: Path, count: int, rounds: int) -> dict[str, Any]:
    from ingest.job import IngestJob
    from ingest.settings import IngestSettings
    from storage.library import Library
    from storage.settings import StorageSettings

    folder = write_texts(scratch / "unchanged", count, 8)
    data_dir = scratch / "unchanged-data"
    common.say(f"many: noting {count:,} files in a catalog")
    _note(folder, data_dir)
    settings = StorageSettings(data_dir=data_dir, embedder="bundled", chroma_url="")
    opened: list[str] = []

    def hear(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and str(arguments[0]).startswith(f"{folder}/"):
            opened.append(str(arguments[0]))

    sys.addaudithook(hear)
    run_s, bare_s = [], []
    for _ in range(rounds):
        started = time.perf_counter()
        found = bare_stat(str(folder))
        bare_s.append(time.perf_counter() - started)
        library = Library(settings)
        started = time.perf_counter()
        report = IngestJob(library, IngestSettings(), lambda event: None).run([])
        run_s.append(time.perf_counter() - started)
        library.close()
        if not found == report.unchanged == count:
            raise common.Failed(f"{found} files found, {report.unchanged} of them unchanged")
    command = common.timed([*common.hayloft(), "ingest", "--quiet"], common.environment(data_dir))
    return {
        "bare_s": bare_s,
        "run_s": run_s,
        "opened": len(opened),
        "command_s": command.seconds,
    }


def _note(folder: Path, data_dir: Path) -> None:
    """Write the files into a catalog as a run would have left them, without their vectors."""
    from ingest.loaders.registry import loader_for
    from ingest.scan import scan
    from storage.catalog import Catalog, IndexIdentity
    from storage.catalog_writer import CatalogWriter, FileState
    from storage.embedding import facts_of
    from storage.records import Chunk, Page, ParsedDocument
    from storage.settings import StorageSettings

    catalog = Catalog(data_dir / "catalog.db")
    writer = CatalogWriter(catalog)
    facts = facts_of(StorageSettings(data_dir=data_dir, embedder="bundled"))
    writer.set_identity(
        IndexIdentity(facts.name, 384, "", "none", facts.passage_prompt, facts.content)
    )
    source_id = writer.source(str(folder.resolve()), whole=True)
    # Two commits a file are two waits for the disk, which nobody measures here.
    catalog.database.connection().execute("PRAGMA synchronous = OFF")
    for file in scan(folder, follow_symlinks=False).files:
        text = file.path.read_text("utf-8")
        new = writer.begin_version(source_id, file.relative, 1, "none")
        writer.publish(
            new.version_id,
            FileState(
                file.relative,
                file.size,
                file.mtime_ns,
                f"{new.version_id:064x}",
                loader_for(file.suffix).version,
            ),
            ParsedDocument(file.path.stem, (Page(1, text),), False, "made up"),
            [Chunk(0, 1, 0, len(text), text, "", text)],
            [text.encode()],
        )
    catalog.close()


def _memory(scratch: Path, count: int) -> dict[str, Any]:
    folder = write_texts(scratch / f"memory-{count}", count, WORDS_A_FILE)
    common.say(f"many: taking in {count:,} files")
    data_dir = scratch / f"memory-{count}-data"
    done = common.timed(
        [sys.executable, "-m", "benchmarks.bench_many", "--take-in", str(folder), str(data_dir)],
        common.environment(),
    )
    return common.last_json(done)


def take_in(folder: Path, data_dir: Path) -> None:
    """Ingest a folder in this process and print what it took."""
    from ingest.job import IngestJob
    from ingest.settings import IngestSettings
    from storage.library import Library
    from storage.settings import StorageSettings

    settings = StorageSettings(data_dir=data_dir, embedder=HashedWords.name, chroma_url="")
    library = Library(settings, HashedWords())
    report = IngestJob(library, IngestSettings(), lambda event: None).run([folder])
    library.close()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(
        json.dumps(
            {
                # Kilobytes on Linux, bytes on macOS.
                "peak_mb": peak / (2**20 if sys.platform == "darwin" else 2**10),
                "chunks": report.chunks,
                "seconds": report.seconds,
                "added": report.added,
            }
        )
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--take-in"]:
        take_in(Path(sys.argv[2]), Path(sys.argv[3]))
        sys.exit(0)
    arguments = argparse.ArgumentParser(
        prog="python -m benchmarks.bench_many",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_arguments(arguments)
    sys.exit(common.main(arguments, run))

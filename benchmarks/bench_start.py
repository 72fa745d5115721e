"""How long the command takes to be there: `--help`, and a search from nothing.

`--help` is timed from outside, as a user waits for it. `search` is timed cold
(no Chroma server runs yet) and joined (one runs already), and is then taken
apart in processes of their own: starting Python, imports by package, loading
the embedding model, starting or joining Chroma, the query.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks import common
from benchmarks.common import Failed, Figure, Report, at_most, median

QUERY = "What was the total revenue?"
HELP_LIMIT_S = 0.3
_SHOWN_PACKAGES = 12
_IMPORT_LINE = re.compile(r"^import time:\s+(\d+) \|\s+(\d+) \|(\s+)(\S+)$")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of this benchmark."""
    parser.add_argument("--data-dir", type=Path, help="an ingested library to search")
    parser.add_argument("--documents", type=Path, help="else: documents to ingest one of first")
    parser.add_argument("--runs", type=int, default=9, help="runs of each command (default: 9)")


def run(args: argparse.Namespace) -> Report:
    """Time `--help`, and `search` where there is a library or a document to make one of."""
    figures, details = measure_help(args.runs)
    try:
        data_dir = args.data_dir or _small_library(args.documents)
    except common.Skipped as reason:
        common.say(f"search is skipped: {reason}")
        return Report("start", tuple(figures), details)
    more, parts = measure_search(data_dir, max(1, args.runs // 3))
    return Report("start", (*figures, *more), {**details, **parts})


def measure_help(runs: int) -> tuple[list[Figure], dict[str, Any]]:
    """`hayloft --help`, between runs of an interpreter that does nothing."""
    env = common.environment()
    command = [*common.hayloft(), "--help"]
    common.say(f"start: {runs} runs of `hayloft --help`")
    common.timed(command, env)
    helped, bare = [], []
    for _ in range(runs):
        bare.append(common.timed([sys.executable, "-c", "pass"], env).seconds)
        helped.append(common.timed(command, env).seconds)
    note = f"median of {runs}, min {min(helped):.3f}, max {max(helped):.3f}"
    figures = [
        at_most("hayloft --help", median(helped), HELP_LIMIT_S, "s", note),
        Figure("python -c pass", median(bare), "s"),
    ]
    return figures, {"help_s": helped, "python_s": bare}


def measure_search(data_dir: Path, runs: int) -> tuple[list[Figure], dict[str, Any]]:
    """`hayloft search`, cold and joined, and where its time goes."""
    # Ends with its last user when cold starts are wanted, stays when joined ones are.
    ends = common.environment(data_dir, HAYLOFT_CHROMA_LINGER_S="0")
    stays = common.environment(data_dir, HAYLOFT_CHROMA_LINGER_S="60")
    command = [*common.hayloft(), "search", QUERY, "--json"]
    common.say(f"start: {runs} cold and {runs} joined runs of `hayloft search`")
    common.timed(command, ends)
    cold, joined, cold_parts, joined_parts = [], [], [], []
    for _ in range(runs):
        wait_for_server_to_end(data_dir)
        cold.append(common.timed(command, ends).seconds)
        wait_for_server_to_end(data_dir)
        cold_parts.append(_probe(ends))
    wait_for_server_to_end(data_dir)
    common.timed(command, stays)
    for _ in range(runs):
        joined.append(common.timed(command, stays).seconds)
        joined_parts.append(_probe(stays))
    packages = imports_by_package(command, stays)
    figures = [
        Figure("hayloft search, no server yet", median(cold), "s", note=f"median of {runs}"),
        Figure("hayloft search, server joined", median(joined), "s", note=f"median of {runs}"),
    ]
    figures += [
        Figure(
            f"  of it: {name}",
            median([parts[name] for parts in joined_parts]),
            "s",
            note=f"cold {median([parts[name] for parts in cold_parts]):.3f} s",
        )
        for name in joined_parts[0]
    ]
    figures += [
        Figure(f"  import {package}", seconds, "s", note="own time, traced")
        for package, seconds in list(packages.items())[:_SHOWN_PACKAGES]
    ]
    details = {
        "search_cold_s": cold,
        "search_joined_s": joined,
        "parts_cold": cold_parts,
        "parts_joined": joined_parts,
        "imports_s": packages,
    }
    return figures, details


def imports_by_package(command: list[str], env: dict[str, str]) -> dict[str, float]:
    """Seconds of import by top-level package, each module's own time, one traced run."""
    traced = [sys.executable, "-X", "importtime", *command]
    if command[0] == sys.executable:
        traced = [sys.executable, "-X", "importtime", *command[1:]]
    totals: dict[str, float] = {}
    for line in common.timed(traced, env).stderr.splitlines():
        found = _IMPORT_LINE.match(line)
        if found:
            package = found.group(4).split(".")[0]
            totals[package] = totals.get(package, 0.0) + int(found.group(1)) / 1e6
    return dict(sorted(totals.items(), key=lambda item: -item[1]))


def _probe(env: dict[str, str]) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.start_probe", QUERY]
    done = common.timed([*command, repr(time.time())], env)
    parts = common.last_json(done)
    return {str(name): float(seconds) for name, seconds in parts.items()}


def wait_for_server_to_end(data_dir: Path, timeout_s: float = 60.0) -> None:
    """Wait until no Chroma server of this library runs; raises Failed when one stays."""
    from storage.chroma_server import running_server

    deadline = time.monotonic() + timeout_s
    while running_server(data_dir) is not None:
        if time.monotonic() > deadline:
            raise Failed(f"the Chroma server of {data_dir} is still in use; end what uses it")
        time.sleep(0.1)


def _small_library(documents: Path | None) -> Path:
    folder = common.documents_folder(documents)
    scratch = common.scratch_folder(None, "hayloft-start-")
    files = common.chosen_pdfs(folder, (), 1)
    source = common.link_all(files, scratch / "documents")
    common.say(f"start: ingesting {files[0].name} first")
    common.timed([*common.hayloft(), "ingest", str(source)], common.environment(scratch / "data"))
    return scratch / "data"


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(prog="python -m benchmarks.bench_start")
    add_arguments(arguments)
    sys.exit(common.main(arguments, run))

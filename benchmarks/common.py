"""What the benchmarks share: where things lie, how a command is run, how a figure is told."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


class Skipped(Exception):
    """A benchmark cannot run here; the message says what is absent."""


class Failed(Exception):
    """A command that is measured did not do its work; the message says which and how."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value, and the value it is meant to reach."""

    name: str
    value: float
    unit: str = ""
    target: str = ""
    """In words: `≤ 1.25`."""
    met: bool | None = None
    """None where there is no target."""
    note: str = ""


def at_most(name: str, value: float, limit: float, unit: str = "", note: str = "") -> Figure:
    """A figure that should not exceed `limit`."""
    return Figure(name, value, unit, f"≤ {limit:g}", value <= limit, note)


def at_least(name: str, value: float, limit: float, unit: str = "", note: str = "") -> Figure:
    """A figure that should reach `limit`."""
    return Figure(name, value, unit, f"≥ {limit:g}", value >= limit, note)


@dataclass(frozen=True, slots=True)
class Report:
    """What one benchmark found."""

    benchmark: str
    figures: tuple[Figure, ...]
    details: dict[str, Any]
    """Everything else that was measured, for the JSON result."""

    def to_json(self) -> dict[str, Any]:
        """The report as plain values."""
        return {
            "benchmark": self.benchmark,
            "figures": [asdict(figure) for figure in self.figures],
            "details": self.details,
        }


def table(reports: Sequence[Report]) -> str:
    """All figures under each other: benchmark, figure, value, target, whether it is met."""
    lines = [f"{'benchmark':<12}{'figure':<46}{'value':>12}  {'target':<9}{'met':<5}note"]
    for report in reports:
        for figure in report.figures:
            value = f"{figure.value:,.3f}{' ' + figure.unit if figure.unit else ''}"
            met = {True: "yes", False: "NO", None: ""}[figure.met]
            lines.append(
                f"{report.benchmark:<12}{figure.name:<46}{value:>12}  "
                f"{figure.target:<9}{met:<5}{figure.note}".rstrip()
            )
    return "\n".join(lines)


def say(text: str) -> None:
    """Tell people on standard error what is being measured."""
    print(text, file=sys.stderr, flush=True)


def data_folder() -> Path:
    """Where documents and questions to measure with lie, if anywhere."""
    return Path(os.environ.get("HAYLOFT_SHARED_DATA") or ROOT.parent / "shared" / "data")


def documents_folder(given: Path | None) -> Path:
    """The folder of documents to measure with; raises Skipped where it is absent."""
    from_environment = os.environ.get("HAYLOFT_BENCH_DOCUMENTS")
    folder = given or (Path(from_environment) if from_environment else None)
    folder = folder or data_folder() / "financebench" / "pdfs"
    if not folder.is_dir():
        raise Skipped(f"no folder {folder}; name one with --documents or HAYLOFT_BENCH_DOCUMENTS")
    return folder


def chosen_pdfs(folder: Path, names: Sequence[str], limit: int | None) -> list[Path]:
    """The PDFs to measure with: those named, or the smallest `limit`, or all."""
    files = sorted(folder.rglob("*.pdf"), key=lambda path: (path.stat().st_size, path.name))
    if names:
        files = [path for path in files if path.name in names]
    files = files[:limit]
    if not files:
        raise Skipped(f"no PDF of that choice in {folder}")
    return sorted(files)


def link_all(files: Sequence[Path], folder: Path) -> Path:
    """A folder that holds just these files, as hard links or copies."""
    import shutil

    folder.mkdir(parents=True)
    for file in files:
        try:
            (folder / file.name).hardlink_to(file)
        except OSError:
            shutil.copyfile(file, folder / file.name)
    return folder


def environment(data_dir: Path | None = None, **extra: str) -> dict[str, str]:
    """The environment of a measured command: offline, on its own data directory."""
    values = {**os.environ, "HF_HUB_OFFLINE": "1", **extra}
    values["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    if data_dir is not None:
        values["HAYLOFT_DATA_DIR"] = str(data_dir)
    return values


def hayloft() -> list[str]:
    """The command as installed, or else the module in the source tree."""
    installed = Path(sys.executable).with_name("hayloft")
    return [str(installed)] if installed.exists() else [sys.executable, str(ROOT / "hayloft.py")]


@dataclass(frozen=True, slots=True)
class Timed:
    """A finished command: how long it took from outside, and what it said."""

    seconds: float
    stdout: str
    stderr: str
    code: int


def timed(
    command: Sequence[str], env: dict[str, str], ok: Sequence[int] = (0,), cwd: Path = ROOT
) -> Timed:
    """Run a command to its end and take the wall time; raises Failed on another exit code."""
    started = time.perf_counter()
    done = subprocess.run(command, env=env, cwd=cwd, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - started
    if done.returncode not in ok:
        tail = done.stderr.strip()[-2000:]
        raise Failed(f"`{' '.join(command)}` ended with {done.returncode}: {tail}")
    return Timed(seconds, done.stdout, done.stderr, done.returncode)


def last_json(done: Timed) -> dict[str, Any]:
    """The last line of a command's output, which is a JSON object; raises Failed for any other."""
    lines = [line for line in done.stdout.splitlines() if line.strip()]
    try:
        value = json.loads(lines[-1])
    except (IndexError, ValueError) as exc:
        said = (done.stderr.strip() or done.stdout.strip() or "nothing")[-2000:]
        raise Failed(f"a report was expected, and the command said: {said}") from exc
    if not isinstance(value, dict):
        raise Failed(f"not a report: {lines[-1][:200]}")
    return value


def percentile(values: Sequence[float], percent: float) -> float:
    """The value that `percent` of the values do not exceed, linear between neighbours."""
    ordered = sorted(values)
    position = (len(ordered) - 1) * percent / 100
    low = int(position)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (position - low)


def median(values: Sequence[float]) -> float:
    """The middle value."""
    return statistics.median(values)


def scratch_folder(given: Path | None, prefix: str) -> Path:
    """The empty folder named for scratch, or a new temporary one; either is kept."""
    import tempfile

    if given is not None:
        given.mkdir(parents=True, exist_ok=True)
        if any(given.iterdir()):
            raise Failed(f"the scratch folder {given} is not empty; a cold run needs an empty one")
        return given.absolute()
    return Path(tempfile.mkdtemp(prefix=prefix))


def main(parser: argparse.ArgumentParser, run: Any) -> int:
    """Run one benchmark from its own command line."""
    parser.add_argument("--json", action="store_true", help="print everything measured as JSON")
    args = parser.parse_args()
    try:
        report = run(args)
    except Skipped as reason:
        print(f"skipped: {reason}")
        return 0
    except Failed as reason:
        say(f"failed: {reason}")
        return 1
    if args.json:
        print(json.dumps(report.to_json(), ensure_ascii=False, indent=2))
    else:
        print(table([report]))
    return 0

"""The page and its command over a data directory, as a browser under test meets them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from app.cli_ui import command
from tests.canned_server import free_port

ROOT = Path(__file__).parents[1]
HAYLOFT = [sys.executable, str(ROOT / "hayloft.py")]
PAPERS = {
    "travel.md": "# Travel rules\n\n## Per diem\n\nThe per diem for domestic travel is 48 euros a "
    "day.\n\n## Receipts\n\nReceipts are handed in within thirty days of the journey.\n",
    "bees.md": "# Bees\n\nThe hives on the roof are looked after by Ines.\n",
}
"""Two small documents."""
_READY_S = 60.0
_END_S = 20.0


@dataclass(frozen=True, slots=True)
class ServedUi:
    """A page that is served."""

    url: str
    process: subprocess.Popen[bytes]


@contextmanager
def served_ui(
    data_dir: Path, *, fakes: bool = False, port: int = 0, faults: int = 0, **environment: str
) -> Iterator[ServedUi]:
    """Serve a data directory by `hayloft ui`, until SIGTERM.

    Its log, `server.log` in the data directory, may hold no traceback but those of `faults`.

    Answers are quotes where `environment` names no model. With `fakes` the real
    door and pages stand before the library and the assistant of `chat_fakes`.
    """
    port = port or free_port()
    log = data_dir / "server.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            _with_fakes(port) if fakes else [*HAYLOFT, "ui", "--port", str(port)],
            stdout=out,
            stderr=out,
            cwd=data_dir,
            env={**_environment(data_dir), "PYTHONPATH": str(ROOT), **environment},
        )
    try:
        yield ServedUi(_when_ready(process, port, log), process)
    finally:
        process.terminate()
        try:
            process.wait(_END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    assert log.read_text().count("Traceback") == faults


def hayloft(data_dir: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """The command over a data directory, as a cron job runs it."""
    return subprocess.run(
        [*HAYLOFT, *words],
        env=_environment(data_dir),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def ingest(data_dir: Path, folder: Path) -> None:
    """Bring the library in line with a folder, in a process of its own."""
    done = hayloft(data_dir, "ingest", str(folder))
    assert done.returncode == 0, done.stderr


def _environment(data_dir: Path) -> dict[str, str]:
    return {
        **os.environ,
        "HAYLOFT_DATA_DIR": str(data_dir),
        "HAYLOFT_MODEL": "extractive",
        "HF_HUB_OFFLINE": "1",
    }


def _with_fakes(port: int) -> list[str]:
    words = command("127.0.0.1", port)
    words[words.index("streamlit")] = "tests.chat_fakes_entry"
    return words


def _when_ready(process: subprocess.Popen[bytes], port: int, log: Path) -> str:
    url = f"http://localhost:{port}"
    deadline = time.monotonic() + _READY_S
    while True:
        assert process.poll() is None and time.monotonic() < deadline, log.read_text()
        try:
            with urllib.request.urlopen(f"{url}/_stcore/health", timeout=2):
                return url
        except OSError:
            time.sleep(0.1)

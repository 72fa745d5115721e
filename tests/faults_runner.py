"""The hayloft command with a fake embedder, for tests that start it as a process and kill it.

    python -m tests.faults_runner ingest --json FOLDER

FAULTS_SECONDS is the time that embedding one chunk takes, so that there is
something to kill; FAULTS_WINDOW is the number of chunks embedded at once (few:
more of the time goes to the store and to commits, where a kill could hurt);
FAULTS_GRACE_S replaces the grace time at a run's end. The bundled model's name
is kept, since the index remembers it.
"""

from __future__ import annotations

import os
import sys

import hayloft
import ingest.job
import ingest.pipeline
import storage.library
from storage.embedding import BUNDLED_NAME
from tests.library_fixtures import FakeEmbedder


def command() -> int:
    """Run the command of the process's arguments."""
    seconds = float(os.environ.get("FAULTS_SECONDS", "0"))
    embedder = FakeEmbedder(name=BUNDLED_NAME, seconds=seconds)
    storage.library.SentenceTransformerEmbedder = lambda *args, **kwargs: embedder
    if "FAULTS_GRACE_S" in os.environ:
        ingest.job.GRACE_S = float(os.environ["FAULTS_GRACE_S"])
    if "FAULTS_WINDOW" in os.environ:
        ingest.pipeline._WINDOW = int(os.environ["FAULTS_WINDOW"])
    return hayloft.main(sys.argv[1:])


if __name__ == "__main__":
    raise SystemExit(command())

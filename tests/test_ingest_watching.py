"""`--watch`: what changes is taken in soon, also on disks that do not tell of changes."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from ingest import watching
from ingest.settings import IngestSettings
from ingest.watching import Watcher, is_silent
from storage.catalog_writer import CatalogWriter
from storage.errors import LockHeld, ServiceUnavailable, UsageError
from tests.library_fixtures import open_library, wait_until, write_files

MOUNTS = """\
/dev/sda1 / ext4 rw 0 0
server:/export /srv/share nfs4 rw 0 0
//nas/docs /srv/my\\040docs cifs rw 0 0
/dev/sdb1 /srv/share/local xfs rw 0 0
"""


class Stop(Exception):
    """Ends a watcher."""


class Runs:
    """In the place of the job: notes when it is called, and what it is to do then."""

    def __init__(self, *errors: Exception | None) -> None:
        self.paths: list[Sequence[Path]] = []
        self._errors = list(errors)
        self.ended = threading.Event()

    def __call__(self, paths: Sequence[Path]) -> int:
        if self.ended.is_set():
            raise Stop
        self.paths.append(paths)
        error = self._errors.pop(0) if self._errors else None
        if error is not None:
            raise error
        return 0


@pytest.fixture
def library(tmp_path):
    """A library with one source folder."""
    docs = write_files(tmp_path / "docs", {"a.txt": "text"})
    with open_library(tmp_path / "data") as library:
        CatalogWriter(library.catalog).source(str(docs), whole=True)
        yield library


@pytest.fixture
def quick(monkeypatch):
    """Less patience."""
    monkeypatch.setattr(watching, "_SETTLE_MS", 100)
    monkeypatch.setattr(watching, "_AGAIN_S", 0.2)


@pytest.fixture
def watched(library, quick):
    """Starts a watcher in a thread, which ends with the test."""
    started: list[tuple[threading.Thread, Runs]] = []

    def start(runs: Runs, *paths: Path, poll_s: float = 60.0) -> Runs:
        watcher = Watcher(library, IngestSettings(watch_poll_s=poll_s))

        def serve() -> None:
            try:
                watcher.serve(runs, paths)
            except Stop:
                return

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        started.append((thread, runs))
        wait_until(lambda: runs.paths, what="the first run")
        return runs

    yield start
    for thread, runs in started:
        runs.ended.set()
        thread.join(timeout=0.1)


def test_a_change_is_followed_by_a_run_and_quiet_by_none(watched, tmp_path):
    """A burst of files is one run; files of our own and hidden ones are none."""
    runs = watched(Runs(), tmp_path / "docs")
    time.sleep(0.8)
    assert len(runs.paths) == 1
    for i in range(20):
        (tmp_path / "docs" / f"{i}.txt").write_text("new")
    wait_until(lambda: len(runs.paths) == 2, what="a run after the change")

    (tmp_path / "docs" / ".hidden.txt").write_text("x")
    (tmp_path / "docs" / "~$lock.docx").write_text("x")
    time.sleep(0.8)

    assert len(runs.paths) == 2
    # Only the first run is for what was named.
    assert runs.paths == [(tmp_path / "docs",), ()]


def test_what_changes_during_a_run_is_not_lost(watched, tmp_path):
    """The ears are open before the run begins."""
    docs = tmp_path / "docs"

    class Busy(Runs):
        def __call__(self, paths: Sequence[Path]) -> int:
            if not self.paths:
                (docs / "meanwhile.txt").write_text("new")
                time.sleep(0.5)
            return super().__call__(paths)

    runs = watched(Busy())

    wait_until(lambda: len(runs.paths) == 2, what="the run after the change")


def test_our_own_data_directory_wakes_nobody(library, quick, watched, tmp_path):
    """Where it lies below a source, each run writes there."""
    CatalogWriter(library.catalog).source(str(tmp_path), whole=True)
    runs = watched(Runs())

    (tmp_path / "data" / "noise.txt").write_text("x")
    time.sleep(0.8)

    assert len(runs.paths) == 1


def test_a_silent_folder_is_looked_at_again_and_again(watched, monkeypatch):
    """As often as HAYLOFT_WATCH_POLL_S says."""
    monkeypatch.setattr(watching, "is_silent", lambda path: True)
    monkeypatch.setattr(Watcher, "_longest_wait", lambda self, *, polled: 0.1 if polled else 60)

    runs = watched(Runs())

    wait_until(lambda: len(runs.paths) >= 4, what="four looks")


@pytest.mark.parametrize(
    "error", [LockHeld("Another run is at work."), ServiceUnavailable("Chroma is away.")]
)
def test_a_fault_that_passes_is_tried_again(watched, error, capfd):
    """Another run at work, a service that is missing: the watcher stays."""
    runs = watched(Runs(error, error))

    wait_until(lambda: len(runs.paths) == 3, what="a third attempt")


def test_a_first_run_that_cannot_be_carried_out_ends_it(library, quick):
    """There is nothing to watch: the sentence reaches the user."""
    with pytest.raises(UsageError, match="nothing"):
        Watcher(library, IngestSettings()).serve(Runs(UsageError("There is nothing.")), ())


def test_the_next_attempt_of_a_bad_file_is_waited_for(library):
    """No longer than the nearest one, nor than an hour."""
    writer = CatalogWriter(library.catalog)
    watcher = Watcher(library, IngestSettings(watch_poll_s=20))
    assert watcher._longest_wait(polled=False) == watching.LONGEST_WAIT_S
    writer.fail(1, "bad.pdf", "damaged", "It is.", pauses=(300.0,))

    assert 290 < watcher._longest_wait(polled=False) <= 300
    assert watcher._longest_wait(polled=True) == 20


@pytest.mark.parametrize(
    ("path", "silent"),
    [
        ("/srv/share/a", True),
        ("/srv/share", True),
        ("/srv/shared", False),
        ("/srv/share/local/x", False),
        ("/srv/my docs/x", True),
        ("/home", False),
    ],
)
def test_network_shares_are_known_by_their_mounts(tmp_path, path, silent):
    """The nearest mount point decides."""
    mounts = tmp_path / "mounts"
    mounts.write_text(MOUNTS)

    assert is_silent(Path(path), mounts) is silent

"""`hayloft ingest --watch`: a run as soon as something changes under the sources.

The system tells of changes on local disks. Network shares tell of none that
others make, and neither do some bind mounts, so folders there are looked at
every `watch_poll_s` seconds; such a look is a run like any other, which opens
no unchanged file.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from ingest.scan import is_folder
from ingest.settings import IngestSettings
from storage.errors import HayloftError, LockHeld, UsageError
from storage.library import Library

log = logging.getLogger(__name__)

LONGEST_WAIT_S = 3600.0
"""A run so often even where nothing is heard: events can be lost."""

_SETTLE_MS = 2_000
"""A run begins when nothing has changed for so long, since files come in groups and in pieces."""
_LONGEST_SETTLE_MS = 60_000

_AGAIN_S = 60.0
"""After a fault that passes, such as a missing service or a full disk."""

_SILENT = frozenset(
    "nfs nfs4 cifs smb3 smbfs 9p afs ceph glusterfs lustre fuse.sshfs fuse.rclone fuse.s3fs"
    " fuse.glusterfs fuse.davfs davfs vboxsf vmhgfs fuse.vmhgfs-fuse prl_fs virtiofs".split()
)
"""File systems on which changes made elsewhere are not told."""


class Watcher:
    """Runs the job again and again, until it is interrupted."""

    def __init__(self, library: Library, settings: IngestSettings) -> None:
        self._library = library
        self._settings = settings

    def serve(self, run: Callable[[Sequence[Path]], int], paths: Sequence[Path]) -> None:
        """Run once, then after each change; returns only by an exception.

        `paths` are what the first run was given; later ones look at all sources.
        Raises UsageError where the first run cannot be carried out as asked.
        """
        first = True
        while True:
            # Before the run: what changes while it works must not be lost.
            with _Listener(self._roots(paths), self._library.settings.data_dir) as listener:
                again = _AGAIN_S
                try:
                    run(paths if first else ())
                    again = self._longest_wait(polled=listener.deaf)
                except LockHeld as exc:
                    log.info("%s", exc)
                except UsageError as exc:
                    if first:
                        raise
                    log.error("the run could not be carried out: %s", exc)
                except HayloftError as exc:
                    print(f"hayloft: {exc}", file=sys.stderr, flush=True)
                finally:
                    # Its own Chroma server may end until there is something to do.
                    self._library.close()
                first = False
                listener.wait(again)

    def _roots(self, paths: Sequence[Path]) -> tuple[list[Path], bool]:
        """Folders to listen to, and whether there are sources to be polled instead."""
        sources = self._library.catalog.sources()
        whole = {Path(root) for root, is_whole in sources if is_whole}
        whole |= {path.expanduser().absolute().resolve() for path in paths if is_folder(path)}
        listened = [root for root in whole if is_folder(root) and not is_silent(root)]
        return sorted(listened), len(listened) < len(whole) or len(sources) > len(whole)

    def _longest_wait(self, *, polled: bool) -> float:
        """Seconds until the next run at the latest."""
        waits = [LONGEST_WAIT_S, *([self._settings.watch_poll_s] if polled else [])]
        now = time.time()
        waits += [
            failure.next_try - now
            for failure in self._library.catalog.failures()
            if failure.next_try > now
        ]
        return max(1.0, min(waits))


class _Listener:
    """Hears of changes below folders from when it is entered."""

    def __init__(self, roots: tuple[list[Path], bool], data_dir: Path) -> None:
        self._roots, self.deaf = roots
        self._data_dir = str(data_dir.resolve())
        self._changed = threading.Event()
        self._stop = threading.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="hayloft-watch", daemon=True)

    def __enter__(self) -> _Listener:
        if self._roots:
            self._thread.start()
            self._ready.wait(10.0)
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(timeout=10.0)

    def wait(self, seconds: float) -> None:
        """Wait for a change, but no longer than so many seconds."""
        self._changed.wait(seconds)

    def _listen(self) -> None:
        from watchfiles import watch

        try:
            for changes in watch(
                *self._roots,
                watch_filter=self._counts,
                debounce=_LONGEST_SETTLE_MS,
                step=_SETTLE_MS,
                stop_event=self._stop,
                rust_timeout=500,
                yield_on_timeout=True,
                raise_interrupt=False,
            ):
                self._ready.set()
                if changes:
                    self._changed.set()
        except (OSError, RuntimeError) as exc:
            # Too many folders for inotify, or one of them went away.
            log.warning("changes are not heard (%s); looking at the folders instead", exc)
            self.deaf = True
            self._ready.set()

    def _counts(self, change: object, path: str) -> bool:
        """Whether a change may be one of documents; our own data directory's are not."""
        name = path.rpartition("/")[2]
        inside = path == self._data_dir or path.startswith(self._data_dir + "/")
        return not inside and not name.startswith((".", "~$"))


def is_silent(path: Path, mounts: Path = Path("/proc/self/mounts")) -> bool:
    """Whether changes below a folder are not told, by the file system it lies on."""
    try:
        lines = mounts.read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return False
    best, kind = "", ""
    for line in lines:
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        point = fields[1].replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\")
        inside = point == "/" or str(path) == point or str(path).startswith(point + "/")
        if inside and len(point) >= len(best):
            best, kind = point, fields[2]
    return kind in _SILENT

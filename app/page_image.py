"""A page of a PDF as a picture, with the rectangles of quotes on it.

Drawn in a child process with limits of time and memory, and kept in the data
directory. The picture is only given where the file is still the one that was
read: on another version the words would stand elsewhere.

A reader who clicks on a citation waits for it. So the next process stands
ready with pdfium loaded (0.2 s of its start), rectangles are remembered, and
`draw_ahead` has the pages of an answer drawn before anybody asks for them.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import subprocess
import sys
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.page_boxes import Box, PageBoxes
from storage.catalog import Catalog
from storage.errors import HayloftError, StorageError

log = logging.getLogger(__name__)

# -P keeps the current folder off the module path.
WORKER = (sys.executable, "-P", "-m", "app.page_worker")

TIMEOUT_S = 20.0
MEMORY_MB = 1024
KEPT_MB = 256
"""Of pictures; the ones that were not looked at for longest go first. About 1,000 pages."""
MOST_PIXELS_WIDE = 2400
PIXELS_WIDE = 1200
"""About two for each of the reader's, for screens that have as many."""
_BOXES_KEPT = 500
_ORDERS_KEPT = 200
_DRAWN_AT_ONCE = 2
_PACKAGES = Path(__file__).resolve().parents[1]
_HASH_BYTES = 1 << 20


class PageNotShown(HayloftError):
    """The page cannot be shown as a picture; its text can."""


@dataclass(frozen=True, slots=True)
class PageView:
    """One page, drawn."""

    png: Path
    boxes: PageBoxes


@dataclass(frozen=True, slots=True)
class PageOrder:
    """What is asked for: a page, and the stretches of its text to find on it."""

    document_id: int
    number: int
    spans: tuple[tuple[int, int], ...] = ()
    room: str = ""
    pixels: int = PIXELS_WIDE


class PageImages:
    """Pictures of the pages of one library. Safe to share between threads."""

    def __init__(
        self,
        catalog: Catalog,
        folder: Path,
        *,
        kept_mb: int = KEPT_MB,
        timeout_s: float = TIMEOUT_S,
        memory_mb: int = MEMORY_MB,
    ) -> None:
        self._catalog = catalog
        self._folder = folder
        self._kept_mb = kept_mb
        self._timeout_s = timeout_s
        self._memory_mb = memory_mb
        self._lock = threading.Lock()
        self._boxes: OrderedDict[tuple[object, ...], PageBoxes] = OrderedDict()
        self._orders: OrderedDict[PageOrder, Future[PageView]] = OrderedDict()
        self._drawing = ThreadPoolExecutor(_DRAWN_AT_ONCE, thread_name_prefix="hayloft-page")
        self._spare: subprocess.Popen[str] | None = None

    def ordered(self, order: PageOrder) -> Future[PageView]:
        """The page, drawn in the background; an order that is known is not given twice.

        Its `result` raises as `view` does. What was drawn long ago is looked at anew, since the
        file may have changed: `view` is quick then.
        """
        with self._lock:
            known = self._orders.get(order)
            if known is not None and not known.done():
                return known
            future = self._drawing.submit(self._take, order)
            self._orders[order] = future
            while len(self._orders) > _ORDERS_KEPT:
                self._orders.popitem(last=False)
        return future

    def draw_ahead(self, orders: Sequence[PageOrder]) -> None:
        """Have pages drawn that somebody may ask for; faults are told to who asks."""
        for order in orders:
            self.ordered(order)

    def close(self) -> None:
        """End the process that stands ready; what is asked for afterwards starts another."""
        self._stand_by(None)

    def _take(self, order: PageOrder) -> PageView:
        return self.view(
            order.document_id, order.number, order.spans, pixels=order.pixels, room=order.room
        )

    def view(
        self,
        document_id: int,
        number: int,
        spans: Sequence[tuple[int, int]] = (),
        *,
        pixels: int = PIXELS_WIDE,
        room: str = "",
    ) -> PageView:
        """The page as a PNG `pixels` wide, and the rectangles of spans of its stored text.

        Raises PageNotShown, with a sentence, where there is no such picture: no
        PDF, another file than the one that was read, a file that cannot be drawn.
        A private document has pictures for its own `room` alone.
        """
        page = self._catalog.page(document_id, number, room=room)
        file, sha256 = self._unchanged(document_id, room)
        if page is None:
            raise PageNotShown("The page is no longer in the library. Ask again.")
        pixels = max(100, min(pixels, MOST_PIXELS_WIDE))
        png = self._folder / sha256[:2] / f"{sha256}-{number}-{pixels}.png"
        try:
            png.parent.mkdir(parents=True, exist_ok=True)
            there = png.is_file()
            if there:
                os.utime(png)
        except OSError as exc:
            raise StorageError(
                f"Pictures of pages cannot be kept in {self._folder} "
                f"({exc.strerror or exc}). Mend its permissions or free space."
            ) from exc
        known = (sha256, number, hash(page.text), *spans)
        if there:
            boxes = self._remembered(known)
            if boxes is None:
                boxes = self._ask(file, number, page.text, spans, None, pixels)
                self._remember(known, boxes)
            return PageView(png, boxes)
        with tempfile.TemporaryDirectory(dir=self._folder, prefix=".draft-") as drafts:
            draft = Path(drafts) / "page.png"
            boxes = self._ask(file, number, page.text, spans, draft, pixels)
            draft.replace(png)
        self._remember(known, boxes)
        self._trim()
        return PageView(png, boxes)

    def _remembered(self, known: tuple[object, ...]) -> PageBoxes | None:
        with self._lock:
            if known in self._boxes:
                self._boxes.move_to_end(known)
            return self._boxes.get(known)

    def _remember(self, known: tuple[object, ...], boxes: PageBoxes) -> None:
        with self._lock:
            self._boxes[known] = boxes
            while len(self._boxes) > _BOXES_KEPT:
                self._boxes.popitem(last=False)

    def _unchanged(self, document_id: int, room: str) -> tuple[Path, str]:
        """The document's file, where it is the one that was read, and its hash."""
        read = self._catalog.file_of(document_id, room=room)
        if read is None:
            raise PageNotShown("The document is no longer in the library. Ask again.")
        file = Path(read.root) / read.path
        if file.suffix.lower() != ".pdf":
            raise PageNotShown(f"{read.path} is not a PDF: its pages have no picture.")
        try:
            now = file.stat()
            same = now.st_size == read.size
            if same and now.st_mtime_ns != read.mtime_ns:
                same = _sha256(file) == read.sha256
        except OSError as exc:
            raise PageNotShown(
                f"{read.path} cannot be opened ({exc.strerror or exc}): only its text, as it was "
                "read, can be shown."
            ) from exc
        if not same:
            raise PageNotShown(
                f"{read.path} has changed since it was read. Run `hayloft ingest` to read it again."
            )
        return file, read.sha256

    def _ask(
        self,
        file: Path,
        number: int,
        text: str,
        spans: Sequence[tuple[int, int]],
        out: Path | None,
        pixels: int,
    ) -> PageBoxes:
        request = {
            "path": str(file),
            "page": number,
            "text": text,
            "spans": [list(span) for span in spans],
            "out": str(out or ""),
            "pixels": pixels,
            "memory_mb": self._memory_mb,
            "seconds": max(1, int(self._timeout_s)),
        }
        try:
            done = self._answer(json.dumps(request))
        except subprocess.TimeoutExpired as exc:
            raise PageNotShown(
                f"Page {number} of {file.name} was not drawn within {self._timeout_s:g} seconds."
            ) from exc
        except OSError as exc:
            raise PageNotShown(
                f"No process to draw page {number} of {file.name} can be started "
                f"({exc.strerror or exc})."
            ) from exc
        return _read(done, file, number)

    def _answer(self, request: str) -> subprocess.CompletedProcess[str]:
        """What a process says to the request: the one that stands ready, else a new one."""
        with self._lock:
            ready, self._spare = self._spare, None
        done = self._told(ready, request) if ready is not None and ready.poll() is None else None
        if done is None or (not done.stdout and not done.returncode):
            # None stood ready, or its patience ended in this very moment.
            done = self._told(_worker(), request)
        with contextlib.suppress(OSError):
            self._stand_by(_worker())
        return done

    def _stand_by(self, worker: subprocess.Popen[str] | None) -> None:
        """Keep a process for the next request, and end the one that was kept before."""
        with self._lock:
            left, self._spare = self._spare, worker
        if left is not None:
            left.kill()
            left.communicate()

    def _told(
        self, worker: subprocess.Popen[str], request: str
    ) -> subprocess.CompletedProcess[str]:
        with worker:
            try:
                said, _ = worker.communicate(request, timeout=self._timeout_s)
            except BaseException:
                worker.kill()
                worker.communicate()
                raise
        return subprocess.CompletedProcess(worker.args, worker.returncode, said, "")

    def _trim(self) -> None:
        """Delete the pictures that were not looked at for longest, down to the bound."""
        kept: list[tuple[float, int, Path]] = []
        for png in self._folder.glob("*/*.png"):
            with contextlib.suppress(OSError):
                status = png.stat()
                kept.append((status.st_mtime, status.st_size, png))
        size = sum(bytes_ for _, bytes_, _ in kept)
        for _, bytes_, png in sorted(kept)[:-1]:
            if size <= self._kept_mb * 1_000_000:
                return
            with contextlib.suppress(OSError):
                png.unlink()
                size -= bytes_


def _worker() -> subprocess.Popen[str]:
    """A process that draws the page it is then asked for."""
    path = os.pathsep.join(filter(None, [str(_PACKAGES), os.environ.get("PYTHONPATH", "")]))
    return subprocess.Popen(
        WORKER,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        encoding="utf-8",
        errors="replace",
        env={**os.environ, "PYTHONPATH": path},
        start_new_session=True,
    )


def _read(done: subprocess.CompletedProcess[str], file: Path, number: int) -> PageBoxes:
    """The child's answer; raises PageNotShown where it has none or is an error."""
    try:
        answer: Any = json.loads(done.stdout)
        if "error" not in answer:
            return PageBoxes(
                float(answer["width"]),
                float(answer["height"]),
                int(answer["rotation"]),
                tuple(tuple(Box(*map(float, box)) for box in boxes) for boxes in answer["boxes"]),
            )
        error = str(answer["error"])
    except (ValueError, TypeError, KeyError, RecursionError):
        log.info("a page was not drawn: status %s", done.returncode)
        error = "crash"
    why = {
        "password": "is protected by a password",
        "page": f"has no page {number} now",
        "memory": "needs too much memory to be drawn",
        "damaged": "cannot be drawn: it is damaged",
    }.get(error, "made the process that draws it fail, as damaged files do")
    raise PageNotShown(f"{file.name}, page {number}: the file {why}.")


def _sha256(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while block := stream.read(_HASH_BYTES):
            digest.update(block)
    return digest.hexdigest()

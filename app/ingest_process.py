"""Ingestion runs that the page orders: each in a process of its own, one after another.

The page's server only starts `hayloft ingest --json` and reads what it says,
out of a file: a reload finds the run where it is, and a server that ends
leaves the run to its end. Where another run holds the lock (the nightly one),
an order waits until that has ended.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, Literal

from storage.run_history import run_at_work

log = logging.getLogger(__name__)

State = Literal["queued", "waiting", "running", "stopping", "ended"]

LOCK_HELD = 75
BRAKE = 77

_LOOK_S = 0.1
_LOCK_LOOK_S = 0.5
_LINES = 200
"""Files whose outcome is remembered of a run; its report counts all of them."""


@dataclass(frozen=True, slots=True)
class FileLine:
    """What came of one file."""

    document: str
    action: str
    """As in `hayloft ingest --json`: `added`, `updated`, `moved`, `deleted`, `failed` ..."""
    pages: int = 0
    chunks: int = 0
    paged: bool = True
    """False where its pages are sections."""
    reason: str = ""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Run:
    """How far an ordered run is."""

    number: int
    what: str
    """For people: `Reading plan.pdf`."""
    words: tuple[str, ...]
    """The arguments of `hayloft ingest`."""
    state: State = "queued"
    started_at: float | None = None
    """Seconds since the epoch."""
    seconds: float = 0.0
    to_read: int | None = None
    """None until the files are known."""
    done: int = 0
    failed: int = 0
    current: str = ""
    """The document whose chunks are being embedded."""
    current_done: int = 0
    current_total: int = 0
    lines: tuple[FileLine, ...] = ()
    """The last ones."""
    report: Mapping[str, Any] | None = None
    code: int | None = None
    """The exit code, once it has ended."""
    fault: str = ""
    """Why it ended before its end; a sentence."""
    room: str = ""
    """The conversation whose private files it reads: nobody else is shown their names."""

    @property
    def ended(self) -> bool:
        """Whether nothing more will come."""
        return self.state == "ended"

    @property
    def share(self) -> float | None:
        """How much of the work is done, 0 to 1; None while that is not known."""
        if self.to_read is None:
            return None
        if not self.to_read:
            return 1.0
        within = self.current_done / self.current_total if self.current_total else 0.0
        return min(1.0, (self.done + within) / self.to_read)


@dataclass(frozen=True, slots=True)
class Runs:
    """What the page shows of them."""

    now: Run | None
    queued: tuple[Run, ...]
    last: Run | None
    """The one that ended last, until it is dismissed; none that read private files."""
    last_private: Run | None = None
    """The one of those that ended last."""


def heard(run: Run, event: Mapping[str, Any]) -> Run:
    """The run after one of the lines that `hayloft ingest --json` prints."""
    kind = event.get("event")
    if event.get("private") and not run.room:
        # A file of one conversation, in a run that everybody looks at.
        event = {**event, "document": "", "reason": "", "warnings": ()}
        if kind == "document":
            return replace(run, done=run.done + 1)
    if kind == "start":
        return replace(run, to_read=_number(event, "to_read") + _number(event, "to_delete"))
    if kind == "progress":
        return replace(
            run,
            current=str(event.get("document", "")),
            current_done=_number(event, "done"),
            current_total=_number(event, "total"),
        )
    if kind == "document":
        line = FileLine(
            document=str(event.get("document", "")),
            action=str(event.get("action", "")),
            pages=_number(event, "pages"),
            chunks=_number(event, "chunks"),
            paged=event.get("paged") is not False,
            reason=str(event.get("reason", "")),
            warnings=tuple(map(str, event.get("warnings") or ())),
        )
        same = line.document == run.current
        return replace(
            run,
            done=run.done + 1,
            failed=run.failed + (line.action == "failed"),
            current="" if same else run.current,
            current_done=0 if same else run.current_done,
            current_total=0 if same else run.current_total,
            lines=_kept((*run.lines, line)),
        )
    if kind == "report":
        return replace(run, report=dict(event))
    return run


def _kept(lines: tuple[FileLine, ...]) -> tuple[FileLine, ...]:
    """The last lines; what was set aside is forgotten last."""
    if len(lines) <= _LINES:
        return lines
    gone = next((n for n, line in enumerate(lines) if line.action != "failed"), 0)
    return lines[:gone] + lines[gone + 1 :]


class IngestRuns:
    """Carries out orders in a thread. Safe to use from any thread."""

    def __init__(self, data_dir: Path, command: Sequence[str] | None = None) -> None:
        self._data_dir = data_dir
        # -P: what lies in the folder the page was started from is no module of ours.
        self._command = [*(command or (sys.executable, "-P", "-m", "hayloft")), "ingest", "--json"]
        self._guard = threading.Condition()
        self._orders: deque[Run] = deque()
        self._now: Run | None = None
        self._last: Run | None = None
        self._last_private: Run | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._stop = False
        self._number = 0
        self._thread: threading.Thread | None = None

    def order(self, words: Sequence[str], what: str, *, room: str = "") -> int:
        """Have `hayloft ingest` run with these arguments; the number of the run.

        What waits already with the same arguments is not ordered twice.
        """
        with self._guard:
            for run in self._orders:
                if run.words == tuple(words):
                    return run.number
            self._number += 1
            self._orders.append(Run(self._number, what, tuple(words), room=room))
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(
                    target=self._work, name="hayloft-ingest-orders", daemon=True
                )
                self._thread.start()
            return self._number

    def state(self) -> Runs:
        """The run at work, those that wait, and the one that ended last."""
        with self._guard:
            now = self._now
            if now is not None and now.started_at is not None:
                now = replace(now, seconds=time.time() - now.started_at)
            return Runs(now, tuple(self._orders), self._last, self._last_private)

    def stop(self) -> None:
        """End the run at work, as Ctrl-C does: what it has read stays, the next one goes on."""
        with self._guard:
            if self._now is None:
                return
            self._stop = True
            self._now = replace(self._now, state="stopping")
            if self._process is not None:
                with contextlib.suppress(ProcessLookupError):
                    self._process.send_signal(signal.SIGTERM)
            self._guard.notify_all()

    def dismiss(self) -> None:
        """Forget the run that ended last."""
        with self._guard:
            self._last = None

    def wait(self, timeout_s: float) -> bool:
        """Wait until nothing is at work or waits; False where that takes longer."""
        with self._guard:
            return self._guard.wait_for(
                lambda: self._now is None and not self._orders, timeout=timeout_s
            )

    def _work(self) -> None:
        while True:
            with self._guard:
                if not self._orders:
                    self._thread = None
                    self._guard.notify_all()
                    return
                self._now = replace(self._orders.popleft(), started_at=time.time())
                self._stop = False
                number = self._now.number
            try:
                self._carry_out()
            except OSError as exc:
                log.warning("an ingestion could not be started: %s", exc)
                self._update(fault=f"The ingestion could not be started ({exc.strerror or exc}).")
            finally:
                with self._guard:
                    ended = self._now
                    if ended is not None and ended.number == number:
                        seconds = time.time() - (ended.started_at or time.time())
                        ended = replace(ended, state="ended", seconds=seconds)
                        if ended.room:
                            self._last_private = ended
                        else:
                            self._last = ended
                    self._now = self._process = None
                    self._guard.notify_all()

    def _carry_out(self) -> None:
        """Run it; as often as another run holds the lock, wait for that and run it again."""
        while self._once() == LOCK_HELD and not self._told_to_stop():
            self._update(state="waiting", fault="", code=None)
            with self._guard:
                while run_at_work(self._data_dir) and not self._told_to_stop():
                    self._guard.wait(_LOCK_LOOK_S)

    def _told_to_stop(self) -> bool:
        return self._stop

    def _once(self) -> int:
        logs = self._data_dir / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        said, complaints = logs / "page-run.jsonl", logs / "page-run.err"
        with said.open("wb") as out, complaints.open("wb") as err, self._guard:
            if self._stop:
                self._update(fault="It was stopped before it began.")
                return 0
            run = self._now
            process = self._process = subprocess.Popen(
                [*self._command, *(run.words if run else ())],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env={**os.environ, "HAYLOFT_DATA_DIR": str(self._data_dir)},
                # The end of the page's server is not the end of the run.
                start_new_session=True,
            )
        self._update(state="running")
        with said.open("rb") as lines:
            rest = b""
            while process.poll() is None:
                rest = self._listen(lines, rest)
                time.sleep(_LOOK_S)
            self._listen(lines, rest)
        code = process.returncode
        with self._guard:
            reported = self._now is not None and self._now.report is not None
        self._update(code=code, fault="" if reported else _fault(code, complaints, stop=self._stop))
        return code

    def _listen(self, lines: IO[bytes], rest: bytes) -> bytes:
        """Take in what was said since; gives back the beginning of a line that is not complete."""
        *complete, rest = (rest + lines.read()).split(b"\n")
        for line in complete:
            with contextlib.suppress(ValueError):
                event = json.loads(line)
                with self._guard:
                    if self._now is not None and isinstance(event, dict):
                        self._now = heard(self._now, event)
        return rest

    def _update(self, **changes: Any) -> None:
        with self._guard:
            if self._now is None:
                return
            if self._stop and changes.get("state") == "running":
                changes["state"] = "stopping"
            self._now = replace(self._now, **changes)


def _fault(code: int, complaints: Path, *, stop: bool) -> str:
    """The sentence for a run that ended without a report."""
    if stop:
        return "It was stopped. What it had read stays in the library; the next run goes on there."
    said = complaints.read_text("utf-8", "replace").strip().splitlines()
    told = [line.removeprefix("hayloft: ") for line in said if line.startswith("hayloft: ")]
    if told:
        return told[-1]
    if code < 0:
        return f"Its process was killed (signal {-code}); the next run goes on where it stopped."
    return f"It ended with status {code} and no report; {complaints} holds what it said."


def _number(event: Mapping[str, Any], name: str) -> int:
    value = event.get(name)
    return value if isinstance(value, int) else 0

"""What the models page has Ollama do: fetch, extend, load, unload; one at a time, with progress.

A job is a thread of the page's server: a reload finds it where it is.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from app.chat_http import Server
from app.extend import Wish, extend
from app.hang_up import HangUp
from app.model_text import outcome_lines
from app.ollama_models import load, pull, unload
from storage.errors import HayloftError

log = logging.getLogger(__name__)

State = Literal["running", "stopping", "ended"]
Tell = Callable[[str, int, int], None]
"""Told a stage, and how much of how much is done (0 of 0: unknown)."""
Work = Callable[[Tell], list[str]]
"""Does a job; what there is to say at its end, line by line."""


@dataclass(frozen=True, slots=True)
class Job:
    """How far a job is."""

    what: str
    """For people: `Fetching qwen2:7b`."""
    stopped: str
    """What to say where it is stopped."""
    state: State = "running"
    stage: str = ""
    done: int = 0
    of: int = 0
    """Bytes; 0 where that is not known."""
    began: float = 0.0
    """By the clock of `time.monotonic`."""
    seconds: float = 0.0
    said: tuple[str, ...] = ()
    fault: str = ""

    @property
    def share(self) -> float | None:
        """How much is done, 0 to 1; None where that is not known."""
        return min(1.0, self.done / self.of) if self.of else None


class _Stopped(BaseException):
    """Unwinds a job that was told to end, past every handler of faults."""


class ModelJobs:
    """The job at work and the one that ended last. Safe to use from any thread."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._job: Job | None = None
        self._line = HangUp()
        self._stop = False
        self._thread: threading.Thread | None = None

    def start(self, what: str, work: Work, *, stopped: str = "It was stopped.") -> bool:
        """Begin a job; False where another one is at work."""
        with self._guard:
            if self._job is not None and self._job.state != "ended":
                return False
            self._job = Job(what, stopped, began=time.monotonic())
            self._stop = False
            self._line = HangUp()
            self._thread = threading.Thread(
                target=self._do, args=(work, self._line), name="hayloft-model-job", daemon=True
            )
            self._thread.start()
        return True

    def state(self) -> Job | None:
        """The job as it is now."""
        with self._guard:
            job = self._job
            if job is None or job.state == "ended":
                return job
            return replace(job, seconds=time.monotonic() - job.began)

    def stop(self) -> None:
        """End the job at work: it hangs up on the server, which sees that nobody listens."""
        with self._guard:
            if self._job is None or self._job.state == "ended":
                return
            self._stop = True
            self._job = replace(self._job, state="stopping")
            line = self._line
        line.now()

    def dismiss(self) -> None:
        """Forget a job that has ended."""
        with self._guard:
            if self._job is not None and self._job.state == "ended":
                self._job = None

    def wait(self, timeout_s: float) -> bool:
        """Wait for the job at work; False where it takes longer."""
        thread = self._thread
        if thread is not None:
            thread.join(timeout_s)
        return thread is None or not thread.is_alive()

    def _do(self, work: Work, line: HangUp) -> None:
        said: tuple[str, ...] = ()
        fault = "It ended with a fault of the program; the page's log holds it."
        try:
            with line:
                said = tuple(work(self._tell))
            fault = ""
        except _Stopped:
            fault = ""
        except HayloftError as error:
            fault = str(error)
        finally:
            with self._guard:
                job = self._job
                if job is not None:
                    if self._stop and not said:
                        # The hanging up itself is no fault.
                        fault, said = "", (job.stopped,)
                    self._job = replace(
                        job,
                        state="ended",
                        seconds=time.monotonic() - job.began,
                        said=said,
                        fault=fault,
                    )

    def _tell(self, stage: str, done: int, of: int) -> None:
        with self._guard:
            if self._stop:
                raise _Stopped
            if self._job is not None:
                self._job = replace(self._job, stage=stage, done=done, of=of)


def pulling(server: Server, name: str) -> Work:
    """Has Ollama fetch a model; its parts are counted together."""

    def work(tell: Tell) -> list[str]:
        parts: dict[str, tuple[int, int]] = {}
        for step in pull(server, name):
            if step.digest and step.total:
                parts[step.digest] = (step.completed, step.total)
            done, of = (sum(part[index] for part in parts.values()) for index in (0, 1))
            tell("fetching" if step.digest else step.status, done, of)
        return [f"{name} is installed."]

    return work


def extending(server: Server, name: str, scratch: Path) -> Work:
    """Makes the copy of a model with the longer window."""

    def work(tell: Tell) -> list[str]:
        return outcome_lines(extend(Wish(model=name, scratch=scratch), server, tell))

    return work


def loading(server: Server, name: str, window: int) -> Work:
    """Loads a model with a window, for as long as Ollama keeps models."""

    def work(tell: Tell) -> list[str]:
        tell("loading", 0, 0)
        running = load(server, name, window, keep_alive=None)
        if running is None or running.window is None:
            return [f"{name} is loaded. This Ollama does not say with which window."]
        served = f"{name} is loaded with a window of {running.window:,} tokens"
        if running.window < window:
            return [f"{served}, not {window:,}: it takes no more."]
        return [f"{served}, and takes {running.size / 1e9:.1f} GB."]

    return work


def unloading(server: Server, name: str) -> Work:
    """Has a model give its memory back."""

    def work(tell: Tell) -> list[str]:
        tell("unloading", 0, 0)
        unload(server, name)
        return [f"{name} is no longer in memory."]

    return work

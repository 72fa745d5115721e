"""Ending a run when a scheduler (SIGTERM) or a person (Ctrl-C) asks for it."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Stop:
    """Whether the end was asked for.

    The signal raises KeyboardInterrupt wherever the program is, so that it ends at once. That
    may be inside code which swallows it (a finaliser, an import that catches everything):
    `check`, between two files, raises it again.
    """

    def __init__(self) -> None:
        self.asked = False

    def check(self) -> None:
        """Raise KeyboardInterrupt where the end was asked for."""
        if self.asked:
            raise KeyboardInterrupt


@contextmanager
def stoppable() -> Iterator[Stop]:
    """Within the block both signals end the run alike; the main thread's alone."""
    stop = Stop()

    def interrupt(signum: int, frame: FrameType | None) -> None:
        stop.asked = True
        raise KeyboardInterrupt

    heard = [signal.SIGTERM]
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        # A shell has its background jobs ignore Ctrl-C.
        heard.append(signal.SIGINT)
    before = {signum: signal.signal(signum, interrupt) for signum in heard}
    try:
        yield stop
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)

"""Who may begin a costly piece of work, who waits for it, and who is sent away."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class NoTurn(Exception):
    """Too many wait already."""


class Turns:
    """So many at a time, and so many that wait. Safe to share between threads.

    Whoever is known goes before strangers and waits in a queue of their own: a crowd of strangers
    neither fills it nor holds it up.
    """

    def __init__(self, at_once: int, waiting: int) -> None:
        self._free = at_once
        self._most = waiting
        self._waiting = {True: 0, False: 0}
        self._changed = threading.Condition()

    @contextmanager
    def turn(self, *, known: bool) -> Iterator[None]:
        """Wait for one's turn, and have it for the block. Raises NoTurn."""
        with self._changed:
            if self._waiting[known] >= self._most:
                raise NoTurn
            self._waiting[known] += 1
            try:
                self._changed.wait_for(lambda: self._free and (known or not self._waiting[True]))
                self._free -= 1
            finally:
                self._waiting[known] -= 1
                self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._free += 1
                self._changed.notify_all()

"""Turns at a costly piece of work."""

from __future__ import annotations

import threading
import time

import pytest

from app.turns import NoTurn, Turns
from tests.until import until


class Crowd:
    """People who take turns, each in a thread; `order` has them as they came to their turn."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self.order: list[str] = []
        self.sent_away: list[str] = []
        self.go = threading.Event()
        self.most = self._now = 0
        self._lock = threading.Lock()

    def come(self, name: str, *, known: bool) -> threading.Thread:
        def stay() -> None:
            try:
                with self._turns.turn(known=known):
                    with self._lock:
                        self.order.append(name)
                        self._now += 1
                        self.most = max(self.most, self._now)
                    self.go.wait(10)
                    with self._lock:
                        self._now -= 1
            except NoTurn:
                self.sent_away.append(name)

        thread = threading.Thread(target=stay)
        thread.start()
        time.sleep(0.02)
        return thread


def test_so_many_at_a_time_so_many_wait_and_the_rest_is_sent_away() -> None:
    """At once, so that they hold nothing up."""
    crowd = Crowd(Turns(2, 3))

    threads = [crowd.come(str(n), known=False) for n in range(10)]

    until(lambda: len(crowd.sent_away) == 5)
    assert crowd.order == ["0", "1"]
    crowd.go.set()
    for thread in threads:
        thread.join(10)
    assert sorted(crowd.order) == ["0", "1", "2", "3", "4"]
    assert crowd.most <= 2


def test_whoever_is_known_goes_before_strangers() -> None:
    """A full queue of strangers neither sends them away nor holds them up."""
    crowd = Crowd(Turns(1, 2))
    threads = [crowd.come(name, known=False) for name in ("first", "second", "third", "fourth")]
    until(lambda: crowd.sent_away == ["fourth"])

    threads.append(crowd.come("known", known=True))

    crowd.go.set()
    for thread in threads:
        thread.join(10)
    assert crowd.order[:2] == ["first", "known"]
    assert sorted(crowd.order[2:]) == ["second", "third"]


def test_a_turn_that_fails_ends() -> None:
    """What goes wrong in it does not keep the next one out."""
    turns = Turns(1, 1)

    for _ in range(3):
        with pytest.raises(ValueError, match="wrong"), turns.turn(known=False):
            raise ValueError("wrong")

    with turns.turn(known=True):
        pass

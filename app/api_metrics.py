"""What the HTTP API has done, in numbers, as Prometheus reads them."""

from __future__ import annotations

import bisect
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping

_BUCKETS = (0.05, 0.2, 1.0, 5.0, 20.0, 60.0, 300.0)
"""Seconds: a search takes some hundredths, an answer up to minutes."""


class ApiMetrics:
    """Counters since the start of the server. Safe to share between threads."""

    def __init__(self) -> None:
        self._started = time.time()
        self._lock = threading.Lock()
        self._requests: Counter[tuple[str, str]] = Counter()
        self._answers: Counter[str] = Counter()
        self._durations: dict[str, list[int]] = {}
        self._seconds: dict[str, float] = {}

    def request(self, route: str, status: int, seconds: float) -> None:
        """Count a request that was answered."""
        with self._lock:
            self._requests[route, str(status)] += 1
            counts = self._durations.setdefault(route, [0] * (len(_BUCKETS) + 1))
            counts[bisect.bisect_left(_BUCKETS, seconds)] += 1
            self._seconds[route] = self._seconds.get(route, 0.0) + seconds

    def answer(self, outcome: str) -> None:
        """Count an answer that has ended: `complete`, `failed`, `left` or `stopped`."""
        with self._lock:
            self._answers[outcome] += 1

    def text(self, *, running: int) -> str:
        """All of them; `running` answers are read now."""
        with self._lock:
            return "\n".join(self._lines(running)) + "\n"

    def _lines(self, running: int) -> Iterator[str]:
        yield from _head("start_timestamp_seconds", "gauge", "Start of the API's server.")
        yield f"hayloft_api_start_timestamp_seconds {self._started:.3f}"
        yield from _head("answers_running", "gauge", "Answers that are being made.")
        yield f"hayloft_api_answers_running {running}"
        yield from _head("answers_total", "counter", "Answers by how they ended.")
        for outcome, count in sorted(self._answers.items()):
            yield f"hayloft_api_answers_total{_labels({'outcome': outcome})} {count}"
        yield from _head("requests_total", "counter", "Requests by route and status.")
        for (route, status), count in sorted(self._requests.items()):
            labels = _labels({"route": route, "status": status})
            yield f"hayloft_api_requests_total{labels} {count}"
        yield from _head("request_seconds", "histogram", "Duration to the end of the response.")
        for route, counts in sorted(self._durations.items()):
            below = 0
            for bound, count in zip((*_BUCKETS, "+Inf"), counts, strict=True):
                below += count
                labels = _labels({"route": route, "le": f"{bound}"})
                yield f"hayloft_api_request_seconds_bucket{labels} {below}"
            labels = _labels({"route": route})
            yield f"hayloft_api_request_seconds_sum{labels} {self._seconds[route]:.3f}"
            yield f"hayloft_api_request_seconds_count{labels} {below}"


def _head(name: str, kind: str, meaning: str) -> Iterator[str]:
    yield f"# HELP hayloft_api_{name} {meaning}"
    yield f"# TYPE hayloft_api_{name} {kind}"


def _labels(values: Mapping[str, str]) -> str:
    # Routes, statuses and outcomes are ours: none of them has to be escaped.
    return "{" + ",".join(f'{name}="{value}"' for name, value in values.items()) + "}"

"""Telling somebody that a run failed: a command of the user's, or a POST to a URL of theirs."""

from __future__ import annotations

import json
import logging
import os
import shlex
import signal
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any

from ingest.report import Report

log = logging.getLogger(__name__)

TIMEOUT_S = 30.0
AGAIN_S = 6 * 3600.0
"""Before a watcher tells of the same trouble again."""
_MOST_FAILURES = 50


class Alarm:
    """Tells of failed runs; of the same trouble, in the runs of one process, once in a while."""

    def __init__(self, target: str, data_dir: Path) -> None:
        self._target = target
        self._data_dir = data_dir
        self._told: tuple[str, str] | None = None
        self._told_at = 0.0

    def sound(self, report: Report, exit_code: int) -> None:
        """Tell of a run that ended badly, or that set files aside of which nobody knows."""
        ended_badly = report.outcome in ("brake", "error")
        if not ended_badly:
            self._told = None
        if not self._target or not (ended_badly or report.news):
            return
        trouble = (report.outcome, report.message)
        # A watcher tries again every minute while a disk is full.
        if trouble == self._told and time.monotonic() - self._told_at < AGAIN_S:
            return
        if ended_badly:
            self._told, self._told_at = trouble, time.monotonic()
        tell_failure(self._target, told_of(report, exit_code, self._data_dir))


def told_of(report: Report, exit_code: int, data_dir: Path) -> dict[str, Any]:
    """What the command reads on standard input, and the URL is sent."""
    return {
        "event": "run-failed",
        "library": str(data_dir),
        "run": report.run_id,
        "outcome": report.outcome,
        "exit_code": exit_code,
        "message": report.message,
        "seconds": round(report.seconds, 3),
        **report.counts(),
        "reasons": report.reasons(),
        "failures": [
            {"document": failure.document, "kind": failure.kind, "reason": failure.reason}
            for failure in report.failures[:_MOST_FAILURES]
        ],
    }


def tell_failure(target: str, told: dict[str, Any]) -> None:
    """Run the command, or send to the URL; that this fails is logged and changes nothing."""
    body = json.dumps(told, ensure_ascii=False).encode("utf-8", "backslashreplace")
    try:
        if target.startswith(("http://", "https://")):
            _post(target, body)
        else:
            _run(target, body)
    except (OSError, ValueError, subprocess.SubprocessError) as exc:
        log.error("HAYLOFT_ON_FAILURE did not work: %s", exc)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """The report goes to the URL that was set and nowhere else."""

    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None


def _post(url: str, body: bytes) -> None:
    request = urllib.request.Request(
        url, data=body, headers={"Content-Type": "application/json", "User-Agent": "hayloft"}
    )
    with urllib.request.build_opener(_NoRedirect).open(request, timeout=TIMEOUT_S):
        log.info("told the webhook of the failure")


def _run(command: str, body: bytes) -> None:
    process = subprocess.Popen(
        shlex.split(command),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        process.communicate(body, timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise
    if process.returncode:
        raise ValueError(f"the command ended with status {process.returncode}")

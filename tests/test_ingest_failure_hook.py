"""A failed run is told to a command or a URL; that the telling fails changes nothing."""

from __future__ import annotations

import json
import logging
import shlex
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ingest import failure_hook
from ingest.failure_hook import Alarm, tell_failure, told_of
from ingest.report import DocumentDone, Report


@pytest.fixture
def told():
    """What is told of a run with one bad file."""
    report = Report(failed=1, outcome="failed-files", run_id=7)
    report.failures.append(DocumentDone("ä.pdf", "failed", kind="damaged", reason="It is broken."))
    return told_of(report, 1, Path("/data"))


class Hook(BaseHTTPRequestHandler):
    """Keeps what it is sent; answers 200, or sends elsewhere."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.bodies.append((self.path, self.headers["Content-Type"], json.loads(body)))
        if self.path == "/away":
            self.send_response(302)
            self.send_header("Location", "/elsewhere")
        else:
            self.send_response({"/no": 500}.get(self.path, 200))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Silent."""


@pytest.fixture
def hook(monkeypatch):
    """A web server on loopback."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    server.bodies = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def url(server: ThreadingHTTPServer, path: str = "/") -> str:
    return f"http://127.0.0.1:{server.server_address[1]}{path}"


def test_a_url_gets_one_json_object(hook, told, caplog):
    """With outcome, counts, and each file's reason."""
    tell_failure(url(hook, "/hook"), told)

    [(path, kind, body)] = hook.bodies
    assert (path, kind) == ("/hook", "application/json")
    assert body == told
    assert (body["outcome"], body["exit_code"], body["run"]) == ("failed-files", 1, 7)
    assert body["failures"] == [{"document": "ä.pdf", "kind": "damaged", "reason": "It is broken."}]
    assert not [r for r in caplog.records if r.levelno >= logging.ERROR]


@pytest.mark.parametrize("path", ["/no", "/away"])
def test_a_url_that_refuses_or_leads_elsewhere_is_logged(hook, told, caplog, path):
    """The report goes to the URL that was set and nowhere else."""
    tell_failure(url(hook, path), told)

    assert [told[0] for told in hook.bodies] == [path]
    assert "HAYLOFT_ON_FAILURE" in caplog.text


def test_a_command_reads_it_on_standard_input(tmp_path, told):
    """Started without a shell, its words as a shell would cut them."""
    out = tmp_path / "out file.json"
    code = "import sys, pathlib; pathlib.Path(sys.argv[1]).write_bytes(sys.stdin.buffer.read())"

    tell_failure(shlex.join([sys.executable, "-c", code, str(out)]), told)

    assert json.loads(out.read_bytes()) == told


@pytest.mark.parametrize(
    "command", ["/no/such/program", "false", 'unclosed "quote', "http://127.0.0.1:9/"]
)
def test_a_hook_that_fails_is_logged_and_no_more(told, caplog, command):
    """No exception, one line in the log."""
    tell_failure(command, told)

    assert caplog.text.count("HAYLOFT_ON_FAILURE") == 1


def test_a_command_that_hangs_is_killed(told, caplog, monkeypatch):
    """With all it has started."""
    monkeypatch.setattr(failure_hook, "TIMEOUT_S", 0.3)
    started = time.monotonic()

    tell_failure("sh -c 'sleep 60'", told)

    assert time.monotonic() - started < 10
    assert "timed out" in caplog.text


def test_a_watcher_tells_of_the_same_trouble_once_in_a_while(hook, monkeypatch):
    """It tries again each minute while a disk is full; a good run in between begins anew."""
    alarm = Alarm(url(hook), Path("/data"))
    full = Report(outcome="error", message="The disk is full.")

    for report in (full, full, Report(outcome="complete"), full, full):
        alarm.sound(report, 74)
    assert len(hook.bodies) == 2
    monkeypatch.setattr(failure_hook, "AGAIN_S", 0.0)
    alarm.sound(full, 74)
    assert len(hook.bodies) == 3


def test_what_was_missing_before_is_no_news(hook):
    """A run tells of files it set aside just now, not of a folder that has long been missing."""
    alarm = Alarm(url(hook), Path("/data"))

    alarm.sound(Report(outcome="source-missing", failed=1), 1)
    assert hook.bodies == []
    alarm.sound(Report(outcome="failed-files", failed=2, news=1), 1)
    assert hook.bodies[0][2]["failed"] == 2

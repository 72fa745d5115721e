"""`hayloft ui`: where it serves, and how it begins and ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from app import cli_ui
from app.accounts import Accounts
from app.auth_settings import AuthSettings
from app.passwords import Cost
from storage.errors import UsageError

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("address", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_loopback_is_served_without_a_word(address: str) -> None:
    """Addresses that only this machine reaches are allowed."""
    cli_ui.refuse_open_address(address, shared=False)

    assert cli_ui.is_loopback(address)


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "192.168.1.5", "example.org", ""])
def test_an_address_that_others_reach_is_refused(address: str) -> None:
    """Without a login, everyone could read everything; the sentence says what to do instead."""
    with pytest.raises(UsageError, match=r"HAYLOFT_AUTH=accounts.*--share-without-login"):
        cli_ui.refuse_open_address(address, shared=False)

    cli_ui.refuse_open_address(address, shared=True)


def test_the_next_free_port_is_taken() -> None:
    """A taken port is passed over."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        assert port < cli_ui.free_port("127.0.0.1", port) < port + 50


def test_a_foreign_address_is_a_sentence() -> None:
    """An address of no interface of this machine is refused with what to do."""
    with pytest.raises(UsageError, match="no address of this machine"):
        cli_ui.free_port("192.0.2.1", 8501)


def test_every_setting_that_matters_is_named() -> None:
    """Nothing is left to the user's own Streamlit configuration."""
    command = cli_ui.command("127.0.0.1", 8501, ["hay.example"])

    assert command[1:4] == ["-m", "streamlit", "run"]
    assert Path(command[4]) == ROOT / "app" / "page_server.py"
    assert {
        "--server.address=127.0.0.1",
        "--server.port=8501",
        "--server.headless=true",
        "--server.fileWatcherType=none",
        "--server.allowedHosts=localhost",
        "--server.allowedHosts=hay.example",
        "--browser.gatherUsageStats=false",
        "--browser.serverAddress=localhost",
        "--client.toolbarMode=minimal",
        "--client.showErrorLinks=false",
        "--client.showErrorDetails=type",
        "--client.allowedOrigins=https://nobody.invalid",
        "--server.enableAgentApi=false",
    } <= set(command)


def test_the_way_back_of_a_provider_is_a_name_of_the_page() -> None:
    """Browsers may use it; without a provider only the names that were given."""
    auth = AuthSettings(auth="oidc", oidc_page_url="https://hay.example/sub")

    assert cli_ui.host_names_of(["a"], auth) == ["a", "hay.example"]
    assert cli_ui.host_names_of(["a"], AuthSettings()) == ["a"]


def test_the_setup_code_is_told_until_there_is_an_account(data_dir: Path) -> None:
    """A new one with every start; the door stands before the page, and with an account none."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = str(probe.getsockname()[1])
    found = Running(data_dir, "--port", port, "--json", HAYLOFT_AUTH="accounts")
    try:
        url = json.loads(found.line())["url"]
        told = json.loads(found.line())
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(f"{url}/_stcore/host-config", timeout=5)
    finally:
        found.process.send_signal(signal.SIGTERM)
        found.process.communicate(timeout=20)

    assert told["event"] == "setup"
    accounts = Accounts(data_dir, cost=Cost(8, 8, 1))
    assert accounts.set_up(told["code"], "Root", "tree-lamp-orange", "x") == "Root"
    assert accounts.new_setup_code() is None
    accounts.close()


def test_a_login_that_cannot_work_is_told_before_anything_is_served(data_dir: Path) -> None:
    """A setting that is missing is named."""
    found = Running(data_dir, HAYLOFT_AUTH="oidc")

    _, told = found.process.communicate(timeout=20)

    assert found.process.returncode == 2
    assert "HAYLOFT_OIDC_ISSUER" in told


def test_streamlit_knows_every_setting() -> None:
    """A setting that Streamlit dropped would end the server at its start."""
    from streamlit.config import get_config_options

    names = {
        word[2:].partition("=")[0]
        for word in cli_ui.command("127.0.0.1", 8501)
        if word.startswith("--")
    }

    assert names - set(get_config_options()) == set()


class Running:
    """`hayloft ui` in a process of its own."""

    def __init__(self, data_dir: Path, *words: str, **environment: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(ROOT / "hayloft.py"), "ui", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=data_dir,
            env={
                **os.environ,
                "HAYLOFT_DATA_DIR": str(data_dir),
                "HAYLOFT_MODEL": "extractive",
                **environment,
            },
        )

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def running(data_dir: Path) -> Iterator[Running]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    found = Running(data_dir, "--port", str(port), "--json")
    yield found
    found.process.kill()
    found.process.communicate()


def get(url: str, host: str | None = None) -> str:
    request = urllib.request.Request(url, headers={"Host": host} if host else {})
    with urllib.request.urlopen(request, timeout=5) as reply:
        return str(reply.read().decode())


def children_of(process: subprocess.Popen[str]) -> list[int]:
    listed = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(process.pid)],
        capture_output=True,
        text=True,
        check=False,
    )
    return [int(word) for word in listed.stdout.split()]


def is_alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_says_where_it_serves_once_it_does_and_ends_cleanly(
    running: Running, number: signal.Signals
) -> None:
    """The line comes when the page answers; a signal ends page and command with status 0."""
    event = json.loads(running.line())
    page = get(event["url"])
    children = children_of(running.process)

    running.process.send_signal(number)
    status = running.process.wait(15)

    assert event["event"] == "serving"
    assert event["url"].startswith("http://localhost:")
    assert "<title>" in page
    assert status == 0
    assert children
    assert not any(is_alive(pid) for pid in children)


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's help is Linux's own")
def test_no_server_is_left_when_the_command_is_killed(running: Running) -> None:
    """Even kill -9 leaves nothing that goes on serving documents."""
    running.line()
    children = children_of(running.process)

    running.process.kill()
    running.process.wait(5)

    deadline = time.monotonic() + 10
    while any(is_alive(pid) for pid in children):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert children


def test_without_words_the_pages_process_ends_silently() -> None:
    """Where a setting cannot work, none come: nothing is served, and nothing is said twice."""
    done = subprocess.run(
        [sys.executable, "-P", str(ROOT / "app" / "page_process.py")],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=60,
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_modules_of_the_folder_one_stands_in_are_not_taken(data_dir: Path) -> None:
    """Neither a `streamlit.py` nor an `app` that happens to lie there is imported."""
    (data_dir / "streamlit.py").write_text("raise SystemExit('a stranger')\n")
    (data_dir / "app").mkdir()
    (data_dir / "app" / "__init__.py").write_text("raise SystemExit('a stranger')\n")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    found = Running(data_dir, "--port", str(port), "--json")
    try:
        event = json.loads(found.line())
        page = get(event["url"])
    finally:
        found.process.terminate()
        found.process.communicate(timeout=20)

    assert "<title>" in page


def test_a_taken_port_is_said(data_dir: Path) -> None:
    """The command goes on with the next port and says so first."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        running = Running(data_dir, "--port", str(port))
        try:
            said, serves = running.line(), running.line()
        finally:
            running.process.terminate()
            running.process.communicate()

    assert said.startswith(f"Port {port} is taken; using ")
    assert serves == f"Hayloft serves on http://localhost:{said.split()[-1][:-1]} (Ctrl-C ends it)"


def test_an_open_address_ends_with_a_usage_error(data_dir: Path) -> None:
    """Exit code 2, one sentence, no traceback."""
    running = Running(data_dir, "--address", "0.0.0.0")

    _, complaint = running.process.communicate(timeout=20)

    assert running.process.returncode == 2
    assert complaint.startswith("hayloft: Without a login everyone")
    assert "Traceback" not in complaint

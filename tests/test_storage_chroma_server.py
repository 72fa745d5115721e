"""The Chroma server of a data directory: one for all, started, mended and ended by itself."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from storage.chroma_keeper import PREVIOUS_SERVER_FILE, SERVER_FILE
from storage.chroma_server import ChromaServer, ServerAddress, running_server
from storage.errors import StorageError
from storage.locks import is_held
from tests.library_fixtures import server_has_ended, wait_until

JOIN = """
import json, sys, time
from pathlib import Path
from storage.chroma_server import ChromaServer
server = ChromaServer(Path(sys.argv[1]), float(sys.argv[2]))
time.sleep(max(0.0, float(sys.argv[3]) - time.time()))
found = server.join()
print(json.dumps([found.port, found.server_pid, found.keeper_pid]), flush=True)
sys.stdin.read()
"""


def user(data_dir: Path, *, at: float = 0.0, linger_s: float = 0.3) -> subprocess.Popen[str]:
    """Another process that joins, says where, and stays until its input ends."""
    return subprocess.Popen(
        [sys.executable, "-c", JOIN, str(data_dir), str(linger_s), str(at)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def address_of(process: subprocess.Popen[str]) -> ServerAddress:
    assert process.stdout is not None
    return ServerAddress(*json.loads(process.stdout.readline()))


def alive(pid: int) -> bool:
    """Whether a process runs; one that waits to be collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(
            f"http://127.0.0.1:{port}/api/v2/heartbeat", timeout=5
        ) as reply:
            return reply.status == 200
    except OSError:
        return False


@pytest.fixture
def server(tmp_path: Path):
    """This process's share; the server ends soon after it is given back."""
    server = ChromaServer(tmp_path, linger_s=0.3)
    yield server
    server.leave()
    wait_until(lambda: server_has_ended(tmp_path), what="the end of the server")


def test_eight_processes_on_a_cold_directory_start_one_server(tmp_path):
    """Joined at the same instant, all are told one port, one server and one keeper."""
    at = time.time() + 2.0
    users = [user(tmp_path, at=at) for _ in range(8)]

    found = {address_of(process) for process in users}

    (one,) = found
    assert answers(one.port)
    assert (tmp_path / "logs" / "chroma.log").read_text().count("starting chroma") == 1
    for process in users:
        process.communicate("")
    wait_until(lambda: server_has_ended(tmp_path), what="the end of the server")
    assert not alive(one.server_pid)
    assert not alive(one.keeper_pid)


def test_asking_for_its_state_starts_nothing(tmp_path):
    """`status` on a cold directory finds no server, makes no folder, and starts none."""
    assert running_server(tmp_path / "data") is None
    assert not (tmp_path / "data").exists()


def test_a_joined_server_is_told_to_others(tmp_path, server):
    """While it runs, its address can be asked for; it listens on loopback alone."""
    address = server.join()

    assert running_server(tmp_path) == address
    assert server.join() == address
    with socket.socket() as outside, pytest.raises(OSError):
        outside.settimeout(2)
        outside.connect((_own_address(), address.port))


def test_it_outlives_the_user_who_started_it(tmp_path):
    """The first user goes, another is there: the same server stays."""
    first = user(tmp_path)
    address = address_of(first)
    second = user(tmp_path)
    address_of(second)

    first.communicate("")
    time.sleep(1.5)

    assert running_server(tmp_path) == address
    assert answers(address.port)
    second.communicate("")
    wait_until(lambda: server_has_ended(tmp_path), what="the end of the server")
    assert not (tmp_path / "chroma" / SERVER_FILE).exists()


def test_it_ends_after_a_user_that_was_killed(tmp_path):
    """`kill -9` of the only user: keeper and server go within moments of the linger time."""
    process = user(tmp_path)
    address = address_of(process)

    process.kill()
    process.communicate()

    wait_until(lambda: server_has_ended(tmp_path), what="the end of the server")
    assert not alive(address.server_pid)


def test_it_waits_for_the_next_user(tmp_path):
    """Within the linger time, a second command finds the server of the first."""
    first = user(tmp_path, linger_s=30)
    address = address_of(first)
    first.communicate("")
    time.sleep(1.0)

    second = user(tmp_path, linger_s=30)
    assert address_of(second) == address

    second.communicate("")
    os.kill(address.keeper_pid, signal.SIGTERM)
    wait_until(lambda: server_has_ended(tmp_path), what="the end of the server")


@pytest.mark.parametrize("victims", ["server", "keeper", "both"])
def test_found_dead_it_is_started_again(tmp_path, server, victims):
    """Whatever of it is killed, the next to join finds one that answers."""
    before = server.join()
    if victims != "keeper":
        os.kill(before.server_pid, signal.SIGKILL)
        wait_until(lambda: not alive(before.server_pid), what="the death of the server")
    if victims != "server":
        os.kill(before.keeper_pid, signal.SIGKILL)
        wait_until(lambda: not alive(before.keeper_pid), what="the death of the keeper")

    # A new server may answer on the old port a moment before its keeper names it.
    wait_until(lambda: server.join().server_pid != before.server_pid, what="another server")

    after = server.join()
    assert answers(after.port)
    assert (after.keeper_pid == before.keeper_pid) == (victims == "server")
    assert not alive(before.server_pid)
    assert not (tmp_path / "chroma" / PREVIOUS_SERVER_FILE).exists()


def test_a_server_whose_keeper_was_killed_does_not_write_beside_the_next(tmp_path, server):
    """A server that ignores its keeper's death is ended before another opens the files."""
    before = server.join()
    os.kill(before.server_pid, signal.SIGSTOP)
    os.kill(before.keeper_pid, signal.SIGKILL)

    wait_until(lambda: answers(server.join().port), what="an answer", timeout_s=40)

    assert not alive(before.server_pid)
    assert server.join().server_pid != before.server_pid


def test_an_address_left_by_the_dead_is_not_believed(tmp_path, server):
    """A file that names a server, with no keeper behind it, names nobody; no process is harmed."""
    bystander = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    home = tmp_path / "chroma"
    home.mkdir()
    stale = {"port": 1, "server_pid": bystander.pid, "keeper_pid": bystander.pid}
    (home / SERVER_FILE).write_text(json.dumps(stale))
    try:
        assert running_server(tmp_path) is None
        address = server.join()

        assert answers(address.port)
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_half_an_address_is_waited_for(tmp_path, server):
    """Garbage in the address file is not an address."""
    home = tmp_path / "chroma"
    home.mkdir()
    (home / SERVER_FILE).write_text('{"port": 8000')

    assert answers(server.join().port)


def test_its_files_survive_everybody(tmp_path):
    """Stopped and started again, the server lists what it held before."""
    import chromadb

    for attempt in range(2):
        server = ChromaServer(tmp_path, linger_s=0.0)
        client = chromadb.HttpClient(host="127.0.0.1", port=server.join().port)
        collection = client.get_or_create_collection("kept", embedding_function=None)
        if attempt == 0:
            collection.add(ids=["1"], embeddings=[[1.0, 0.0]], documents=["text"])
        assert collection.get()["documents"] == ["text"]
        server.leave()
        wait_until(lambda: server_has_ended(tmp_path), what="the end of the server")


def test_a_data_directory_that_cannot_be_written_is_named(tmp_path):
    """A file where the folder should be: one sentence, exit 74."""
    (tmp_path / "data").write_text("a file")

    with pytest.raises(StorageError, match="HAYLOFT_DATA_DIR") as caught:
        ChromaServer(tmp_path / "data", 0.0).join()

    assert caught.value.exit_code == 74


def test_two_data_directories_have_two_servers(tmp_path):
    """Each library has its own server, and leaving one leaves the other alone."""
    one, two = ChromaServer(tmp_path / "one", 0.3), ChromaServer(tmp_path / "two", 0.3)
    first, second = one.join(), two.join()

    one.leave()
    wait_until(lambda: server_has_ended(tmp_path / "one"), what="the end of the first server")

    assert first.port != second.port
    assert answers(second.port)
    two.leave()
    wait_until(lambda: server_has_ended(tmp_path / "two"), what="the end of the second server")


def test_status_and_start_do_not_stand_in_each_others_way(tmp_path, server):
    """Looking at the locks all the time keeps nobody from starting a server."""
    home = tmp_path / "chroma"
    code = (
        "import sys, time; from pathlib import Path\n"
        "from storage.chroma_server import running_server\n"
        "while True: running_server(Path(sys.argv[1])), time.sleep(0.002)"
    )
    watcher = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)])
    try:
        address = server.join()

        assert answers(address.port)
        assert is_held(home / "keeper.lock")
    finally:
        watcher.kill()
        watcher.wait()


def _own_address() -> str:
    """An address of this machine that is not loopback; unreachable where it has none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return "192.0.2.1"
        return str(probe.getsockname()[0])

"""Records one a line: appended, locked, on the disk, and mended after a kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from storage.errors import LockHeld, StorageError
from storage.json_lines import JsonLines
from tests.library_fixtures import wait_until

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def file(tmp_path: Path) -> JsonLines:
    return JsonLines(tmp_path / "new" / "records.jsonl")


def test_what_was_appended_is_read_in_order(file: JsonLines) -> None:
    """A file that is not there yet holds nothing, and is made with its folder."""
    assert file.read() == []

    file.append({"n": 1})
    with file.writing() as append:
        append({"n": 2, "text": "línea\u2028naïve\n文"})
        append({"n": 3, "text": "half \ud800"})

    assert [record["n"] for record in file.read()] == [1, 2, 3]
    assert file.read()[1]["text"] == "línea\u2028naïve\n文"
    assert file.path.read_bytes().count(b"\n") == 3
    assert file.path.stat().st_mode & 0o077 == 0


def test_a_torn_last_line_is_left_out_and_cut_off_by_the_next(file: JsonLines) -> None:
    """A kill in mid-write costs the line that was not yet promised."""
    file.append({"n": 1})
    with file.path.open("ab") as raw:
        raw.write(b'{"n": 2, "te')

    assert file.read() == [{"n": 1}]
    file.append({"n": 3})

    assert file.read() == [{"n": 1}, {"n": 3}]


def test_a_last_line_that_only_lost_its_end_is_kept(file: JsonLines) -> None:
    """It is whole: only the line feed is missing."""
    file.append({"n": 1})
    with file.path.open("ab") as raw:
        raw.write(b'{"n": 2}')

    file.append({"n": 3})

    assert [record["n"] for record in file.read()] == [1, 2, 3]


@pytest.mark.parametrize("bad", [b"[1]", b"nonsense", b"\xff\xfe"])
def test_a_damaged_line_in_the_middle_is_told(file: JsonLines, bad: bytes) -> None:
    """It is not guessed over: somebody changed the file."""
    file.append({"n": 1})
    with file.path.open("ab") as raw:
        raw.write(bad + b"\n")
    file.append({"n": 3})

    with pytest.raises(StorageError, match="line 2: not a JSON object"):
        file.read()


def test_one_writer_at_a_time(file: JsonLines) -> None:
    """A second one waits, and says who is in the way where it waits in vain."""
    with (
        file.writing(),
        pytest.raises(LockHeld, match="Another program is writing"),
        file.writing(wait_s=0.05),
    ):
        pytest.fail("two writers")


def test_threads_do_not_tear_each_others_lines(file: JsonLines) -> None:
    """Every record is whole, whoever wrote it."""

    def write(name: int) -> None:
        for n in range(20):
            file.append({"by": name, "n": n, "text": "x" * 500})

    threads = [threading.Thread(target=write, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    found = file.read()
    assert len(found) == 80
    assert all([r["n"] for r in found if r["by"] == name] == list(range(20)) for name in range(4))


def test_a_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """A folder in its place, here; permissions and full disks alike."""
    (tmp_path / "taken").mkdir()

    with pytest.raises(StorageError, match="cannot be"):
        JsonLines(tmp_path / "taken").append({"n": 1})
    with pytest.raises(StorageError, match="cannot be read"):
        JsonLines(tmp_path / "taken").read()


_WRITER = """
import sys
from pathlib import Path
from storage.json_lines import JsonLines
file = JsonLines(Path(sys.argv[1]))
n = 0
while True:
    file.append({"n": n, "text": "y" * 3000})
    print(n, flush=True)
    n += 1
"""


def test_killed_at_any_moment_nothing_promised_is_lost(file: JsonLines) -> None:
    """What was said to be written is there after a kill -9, and the file goes on."""
    promised = -1
    for _ in range(3):
        process = subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(file.path)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        assert process.stdout is not None
        before = len(file.read())
        wait_until(lambda start=before: len(file.read()) > start + 20)
        os.kill(process.pid, signal.SIGKILL)
        promised = int(process.stdout.read().split()[-1])
        process.wait()

        assert [record["n"] for record in file.read()[before:]][: promised + 1] == list(
            range(promised + 1)
        )

    file.append({"n": "after"})
    assert file.read()[-1] == {"n": "after"}
    assert all(json.loads(line) for line in file.path.read_bytes().splitlines())

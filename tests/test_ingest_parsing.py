"""The parsing process: in order, ahead, and never taking the run down with it."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from awkward_files import WORKER, docx_bomb, pdf_bytes

from ingest.parse_child import WORKER as REAL_WORKER
from ingest.parsing import ParserPool
from ingest.settings import IngestSettings
from storage.errors import DocumentUnreadable, HayloftError
from storage.records import ParsedDocument


def _settings(**values):
    return IngestSettings(_env_file=None, **{"parse_memory_mb": 512, **values})


def _pool(command=WORKER, **values):
    return ParserPool(_settings(**values), command=command)


@pytest.fixture
def files(tmp_path):
    """Text files of these names, each holding its own name."""

    def _files(*names):
        for name in names:
            (tmp_path / name).write_text(f"I am {name}.\n")
        return [tmp_path / name for name in names]

    return _files


def _kinds(outcomes):
    return [
        outcome.document.kind if isinstance(outcome.document, DocumentUnreadable) else "good"
        for outcome in outcomes
    ]


def _is_alive(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def _within(seconds, condition):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return condition()


def test_outcomes_come_in_order_with_hash_and_stat(tmp_path, files):
    """Each file gives its text, the hash of its bytes, and its stat from before the reading."""
    paths = files(*(f"{number}.txt" for number in range(20)))
    (tmp_path / "r.pdf").write_bytes(pdf_bytes(["one", "two"]))
    paths.insert(3, tmp_path / "r.pdf")

    with _pool(REAL_WORKER, parse_workers=2) as pool:
        outcomes = list(pool.parse_all(paths))

    assert [outcome.path for outcome in outcomes] == paths
    for outcome in outcomes:
        status = outcome.path.stat()
        assert outcome.sha256 == hashlib.sha256(outcome.path.read_bytes()).hexdigest()
        assert (outcome.size, outcome.mtime_ns) == (status.st_size, status.st_mtime_ns)
        assert outcome.seconds > 0
    assert [page.text for page in outcomes[3].document.pages] == ["one", "two"]
    assert outcomes[4].document.pages[0].text == "I am 3.txt."


def test_a_document_arrives_as_its_loader_made_it(tmp_path):
    """Nothing of the record is lost on its way through the pipe."""
    from ingest.loaders.registry import loader_for

    path = tmp_path / "r.pdf"
    path.write_bytes(pdf_bytes(["ä \u00a7 x", ""], title="T-Title", outline=[("Ö", 1, 0)]))

    with _pool(REAL_WORKER) as pool:
        [outcome] = pool.parse_all([path])

    assert outcome.document == loader_for(".pdf").load(path)


def test_nothing_to_parse_starts_nothing():
    """An empty list ends at once."""
    with _pool(("/nonexistent",)) as pool:
        assert list(pool.parse_all([])) == []


def test_crash_costs_its_own_document_only(files):
    """A segmentation fault and a raised bug each give one sentence; the rest is read."""
    paths = files("a.txt", "crash.txt", "b.txt", "raise.txt", "c.txt")

    with _pool() as pool:
        outcomes = list(pool.parse_all(paths))

    assert _kinds(outcomes) == ["good", "damaged", "good", "damaged", "good"]
    assert "SIGSEGV" in str(outcomes[1].document)
    assert "LookupError" in str(outcomes[3].document)
    assert outcomes[1].size == paths[1].stat().st_size


def test_killed_or_aborted_child_costs_its_own_document_only(files):
    """Killed by the system or by itself, most likely for memory, the child is replaced."""
    with _pool() as pool:
        outcomes = list(pool.parse_all(files("killed.txt", "a.txt", "abort.txt", "b.txt")))

    assert _kinds(outcomes) == ["memory", "good", "memory", "good"]
    assert "512 MB" in str(outcomes[2].document)


def test_kill_of_a_used_child_in_mid_parse_is_tried_once_more(tmp_path, files):
    """What earlier files left behind in a process does not fall on the present one."""
    paths = files("a.txt", "orphan.txt")
    pid_file = tmp_path / "orphan.pid"

    with _pool(parse_timeout_s=15) as pool:
        outcomes = pool.parse_all(paths)
        next(outcomes)
        assert _within(20, lambda: pid_file.exists() and pid_file.read_text())
        first = int(pid_file.read_text())
        os.kill(first, signal.SIGKILL)
        assert _within(20, lambda: pid_file.read_text() not in ("", str(first)))
        second = int(pid_file.read_text())

        os.kill(second, signal.SIGKILL)
        outcome = next(outcomes)

    # The second process was fresh, so its end falls on the file.
    assert _kinds([outcome]) == ["memory"]


def test_time_limit_ends_a_parse(files):
    """A parser that hangs is killed, and the file says how long it was given."""
    with _pool(parse_timeout_s=1) as pool:
        started = time.monotonic()
        outcomes = list(pool.parse_all(files("sleep.txt", "a.txt")))

    assert _kinds(outcomes) == ["timeout", "good"]
    assert "1 seconds" in str(outcomes[0].document)
    assert "HAYLOFT_PARSE_TIMEOUT_S" in str(outcomes[0].document)
    assert time.monotonic() - started < 30


def test_memory_limit_stops_a_real_bomb(tmp_path, files):
    """A Word document of a few MB that unpacks to 600 MB is set aside, the next one read."""
    bomb = docx_bomb(tmp_path / "bomb.docx", 600)
    assert bomb.stat().st_size < 10_000_000

    with _pool(REAL_WORKER, parse_memory_mb=256) as pool:
        outcomes = list(pool.parse_all([*files("a.txt"), bomb, *files("b.txt")]))

    assert _kinds(outcomes) == ["good", "memory", "good"]
    assert "256 MB" in str(outcomes[1].document)


def test_memory_limit_holds_for_one_large_demand(files):
    """A single allocation beyond the limit is refused by the system, not granted."""
    with _pool() as pool:
        outcomes = list(pool.parse_all(files("memory.txt", "a.txt")))

    assert _kinds(outcomes) == ["memory", "good"]


def test_what_a_library_prints_does_not_mix_with_answers(files):
    """Standard output belongs to the answers; a chatty parser does not disturb them."""
    with _pool() as pool:
        outcomes = list(pool.parse_all(files("chatter.txt", "a.txt")))

    assert _kinds(outcomes) == ["good", "good"]


def test_file_that_changes_once_is_read_again(files):
    """Text, hash and stat then belong to the new content."""
    [path] = files("once.txt")

    with _pool() as pool:
        [outcome] = pool.parse_all([path])

    assert outcome.document.pages[0].text == "changed while it was read"
    assert outcome.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert outcome.mtime_ns == path.stat().st_mtime_ns


def test_file_that_keeps_changing_waits_for_the_next_run(files):
    """A file that grows while it is read is set aside, not read in part."""
    with _pool() as pool:
        outcomes = list(pool.parse_all(files("grow.txt")))

    assert _kinds(outcomes) == ["vanished"]
    assert "being written" in str(outcomes[0].document)


def test_vanished_empty_unknown_and_too_large_files(tmp_path, files):
    """Each has its kind, and the order stays."""
    good, large, unknown = files("good.txt", "large.txt", "a.xyz")
    large.write_bytes(b"x" * 1_000_001)
    empty = tmp_path / "empty.pdf"
    empty.touch()
    folder = tmp_path / "folder.txt"
    folder.mkdir()

    with _pool(REAL_WORKER, max_file_mb=1) as pool:
        paths = [tmp_path / "gone.txt", empty, large, unknown, folder, good]
        outcomes = list(pool.parse_all(paths))

    assert _kinds(outcomes) == ["vanished", "empty", "too-large", "unsupported", "damaged", "good"]


def test_awkward_names_reach_the_child(tmp_path):
    """Names go to the child as they are, even with bytes that are no UTF-8."""
    names = ["a b.txt", 'it\'s "x".txt', "🌾.txt", "l\nb.txt", "n" * 246 + ".txt", "c\udcff.txt"]
    for name in names:
        (tmp_path / name).write_text("here")

    with _pool(REAL_WORKER) as pool:
        outcomes = list(pool.parse_all(tmp_path / name for name in names))

    assert _kinds(outcomes) == ["good"] * len(names)


def test_parsing_works_ahead_but_not_without_bound(files):
    """While the consumer is busy a few documents are made ready, then parsing waits."""
    paths = files(*(f"grow-{number}.txt" for number in range(40)))
    sizes = [path.stat().st_size for path in paths]

    def touched():
        return sum(path.stat().st_size > size for path, size in zip(paths, sizes, strict=True))

    with _pool() as pool:
        outcomes = pool.parse_all(paths)
        assert _within(20, lambda: touched() == 8)
        time.sleep(0.3)
        ahead = touched()
        next(outcomes)
        moved_on = _within(10, lambda: touched() == 9)

    assert ahead == 8
    assert moved_on


def test_text_that_waits_is_bounded_too(files, monkeypatch):
    """Large documents are not piled up: parsing pauses when enough text waits."""
    monkeypatch.setattr("ingest.parsing._AHEAD_CHARACTERS", 30)
    paths = files(*(f"chatter-{number}.txt" for number in range(10)))

    with _pool(parse_workers=2) as pool:
        outcomes = pool.parse_all(paths)
        next(outcomes)
        time.sleep(0.5)
        waiting = outcomes._held
        rest = list(outcomes)

    assert 0 < waiting < 30 + 2 * 22
    assert _kinds(rest) == ["good"] * 9


def test_closing_ends_the_child_in_mid_parse(tmp_path, files):
    """Leaving the pool does not wait for a parser that hangs."""
    paths = files("orphan.txt", "a.txt")
    pid_file = tmp_path / "orphan.pid"

    with _pool() as pool:
        pool.parse_all(paths)
        assert _within(20, lambda: pid_file.exists() and pid_file.read_text())
        started = time.monotonic()

    assert time.monotonic() - started < 5
    assert _within(5, lambda: not _is_alive(int(pid_file.read_text())))
    assert not [t for t in threading.enumerate() if t.name == "hayloft-parser"]


_PARENT = """
import sys
from pathlib import Path
from awkward_files import WORKER
from ingest.parsing import ParserPool
from ingest.settings import IngestSettings
with ParserPool(IngestSettings(_env_file=None), command=WORKER) as pool:
    try:
        for outcome in pool.parse_all([Path(sys.argv[1])]):
            print(outcome)
    except KeyboardInterrupt:
        print("interrupted", Path(sys.argv[1]).with_suffix(".pid").read_text(), flush=True)
        import time; time.sleep(float(sys.argv[2]))
"""


@pytest.fixture
def parent(tmp_path, files):
    """A process that parses a file which hangs, and the pid of its child."""
    [path] = files("orphan.txt")
    root = Path(__file__).resolve().parents[1]
    process = subprocess.Popen(
        [sys.executable, "-c", _PARENT, str(path), "2"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(root), str(root / "tests")])},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    pid_file = path.with_suffix(".pid")
    assert _within(30, lambda: pid_file.exists() and pid_file.read_text())
    yield process, int(pid_file.read_text())
    process.kill()
    process.wait()
    process.stdout.close()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the child ends after its file")
def test_child_dies_with_a_killed_parent(parent):
    """`kill -9` of the parent leaves no parser behind, even in the middle of a file."""
    process, child = parent

    process.kill()

    assert _within(5, lambda: not _is_alive(child))


def test_ctrl_c_reaches_the_parent_alone(parent):
    """The terminal's signal goes to the whole group; the child is not in it."""
    process, child = parent

    os.killpg(process.pid, signal.SIGINT)
    said = process.stdout.readline()
    died_too = _within(1, lambda: not _is_alive(child))

    assert said == f"interrupted {child}\n"
    assert not died_too
    assert _within(10, lambda: not _is_alive(child))


def test_worker_that_does_not_start_says_why(files):
    """A broken installation is one sentence with the last thing the process said."""
    paths = files("a.txt")

    with (
        _pool((sys.executable, "-c", "raise SystemExit('no such library')")) as pool,
        pytest.raises(HayloftError, match="no such library"),
    ):
        list(pool.parse_all(paths))
    with _pool(("/nonexistent/python",)) as pool, pytest.raises(HayloftError, match="started"):
        list(pool.parse_all(paths))


def test_worker_that_answers_nonsense_is_not_believed(files):
    """Output that is no answer costs the document, and harms nobody."""
    nonsense = (
        "import sys; r = sys.stdin.buffer; o = sys.stdout.buffer\n"
        "r.read(int.from_bytes(r.read(8), 'big'))\n"
        "o.write((2).to_bytes(8, 'big') + b'{}'); o.flush()\n"
        "r.read(int.from_bytes(r.read(8), 'big'))\n"
        "o.write({answer}); o.flush(); r.read()\n"
    )
    answers = [
        "(7).to_bytes(8, 'big') + b'garbage'",
        "(2).to_bytes(8, 'big') + b'[]'",
        "(20).to_bytes(8, 'big') + b'{\"document\": \"text\"}'",
        "b'\\xff' * 8",
    ]

    for answer in answers:
        command = (sys.executable, "-c", nonsense.replace("{answer}", answer))
        with _pool(command) as pool:
            assert _kinds(pool.parse_all(files("a.txt"))) == ["damaged"]


def test_worker_imports_no_heavy_library():
    """The child starts in a fraction of a second, with no parser before its first file."""
    heavy = ["torch", "numpy", "chromadb", "llama_index", "pydantic", "pypdfium2", "bs4", "docx"]
    code = f"import sys, ingest.parse_worker; print([m for m in {heavy} if m in sys.modules])"

    said = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).resolve().parents[1],
        capture_output=True,
        text=True,
        check=True,
    )

    assert said.stdout.strip() == "[]"


def test_small_files_cost_little(files):
    """The child serves one file after another: a small one costs milliseconds, not a start."""
    paths = files(*(f"{number}.txt" for number in range(300)))

    with _pool(REAL_WORKER) as pool:
        outcomes = pool.parse_all(paths)
        next(outcomes)
        started = time.monotonic()
        good = sum(isinstance(outcome.document, ParsedDocument) for outcome in outcomes)
        each = (time.monotonic() - started) / 299

    assert good == 299
    # A new process for each file would cost 100 ms and more.
    assert each < 0.03

"""Processes killed at random moments, and readers beside a writer: nothing lost, nothing stale.

HAYLOFT_FAULTS_SEED repeats a run, HAYLOFT_FAULTS_KILLS and
HAYLOFT_FAULTS_CHUNKS make it longer.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from storage.chroma_server import running_server
from storage.embedding import BUNDLED_NAME
from tests.library_fixtures import (
    FakeEmbedder,
    catalog_of,
    content_of,
    open_library,
    rows_in,
    server_has_ended,
    wait_until,
    words,
    write_files,
)

pytestmark = pytest.mark.faults

ROOT = Path(__file__).resolve().parent.parent
KILLS = int(os.environ.get("HAYLOFT_FAULTS_KILLS") or "15")
CHUNKS = int(os.environ.get("HAYLOFT_FAULTS_CHUNKS", "3000"))
ANCHOR = "anchor.md"
NO_STRAYS = dict.fromkeys(
    ("pages", "chunks", "words", "tags", "versions", "documents", "vectors"), 0
)


@pytest.fixture
def rng(capsys) -> random.Random:
    """Random, and repeatable by the seed that is printed."""
    seed = int(os.environ.get("HAYLOFT_FAULTS_SEED") or random.SystemRandom().randrange(10**6))
    with capsys.disabled():
        print(f"\n[HAYLOFT_FAULTS_SEED={seed}]", end=" ", flush=True)
    return random.Random(seed)


class Corpus:
    """About 40 files of several formats that change between runs."""

    def __init__(self, folder: Path, rng: random.Random) -> None:
        self.folder = folder
        self.rng = rng
        self.made = 0
        for _ in range(40):
            self.add()

    def files(self) -> list[Path]:
        return sorted(path for path in self.folder.rglob("*") if path.is_file())

    def add(self) -> None:
        self.made += 1
        kind = self.rng.choice(["txt", "md", "html"])
        self.fill(self.folder / f"part{self.made % 4}" / f"file {self.made}.{kind}")

    def fill(self, path: Path) -> None:
        """New content; a new file is now and then one that cannot be read.

        A known file never turns unreadable: its last good version would stay,
        which no fresh library has.
        """
        paragraphs = [
            words(f"{self.rng.randrange(200)}", self.rng.randrange(20, 60))
            for _ in range(self.rng.randrange(1, 14))
        ]
        text = "\n\n".join(paragraphs)
        if path.suffix == ".html":
            text = f"<html><body><h1>Page</h1><p>{text}</p></body></html>"
        elif path.suffix == ".md":
            text = f"# Title\n\n{text}"
        unreadable = not path.exists() and self.rng.random() < 0.05
        write_files(path.parent, {path.name: "" if unreadable else text})

    def change(self) -> None:
        """Files change, grow, go, come, are copied, get another name and another folder."""
        files = self.files()
        for path in self.rng.sample(files, 4):
            self.made += 1
            renamed, moved = self.rng.choice([(True, False), (False, True), (True, True)])
            stem = f"named {self.made}" if renamed else path.stem
            folder = self.folder / f"part{self.made % 4}" if moved else path.parent
            target = folder / (stem + path.suffix)
            if self.rng.random() < 0.3:
                shutil.copy2(path, folder / f"copy {self.made}{path.suffix}")
            elif not target.exists():
                path.rename(target)
        files = self.files()
        for path in self.rng.sample(files, 6):
            self.fill(path)
        grown = self.rng.choice(files)
        grown.write_text(grown.read_text() + "\n\n" + words("grown", 40))
        for path in self.rng.sample(files, 3):
            path.unlink()
        for _ in range(self.rng.randrange(2, 5)):
            self.add()


@contextmanager
def command(data_dir: Path, *arguments: str, seconds: float = 0.0) -> Iterator[subprocess.Popen]:
    """The hayloft command as a process group of its own, which does not outlive the block."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.faults_runner", *arguments],
        cwd=ROOT,
        env={
            **os.environ,
            "HAYLOFT_DATA_DIR": str(data_dir),
            "HAYLOFT_CHROMA_LINGER_S": "5",
            "FAULTS_SECONDS": str(seconds),
            "FAULTS_GRACE_S": "0.5",
            "FAULTS_WINDOW": "8",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def ingest_quietly(data_dir: Path, folder: Path) -> dict:
    """One undisturbed run; its report."""
    with command(data_dir, "ingest", "--json", "--allow-deletes", str(folder)) as process:
        out, err = process.communicate(timeout=300)
    assert process.returncode in (0, 1), err
    return json.loads(out.splitlines()[-1])


def content(data_dir: Path) -> dict[str, object]:
    with open_library(data_dir, FakeEmbedder(name=BUNDLED_NAME)) as library:
        return content_of(library)


def led_by_another_name(data_dir: Path) -> dict[str, str]:
    """Paths of documents whose vectors were made under a name that is not theirs now."""
    with closing(sqlite3.connect(data_dir / "catalog.db")) as connection:
        return dict(
            connection.execute(
                "SELECT d.path, v.lead FROM documents d JOIN versions v ON v.id = d.version_id"
                " WHERE v.lead != ''"
            ).fetchall()
        )


def quiet_folder(data_dir: Path, folder: Path, fresh: Path) -> None:
    """Fill a fresh library with undisturbed runs: the one that a folder's files deserve.

    A renamed file keeps the vectors that were made under its first name, so it
    is taken in under that name, and then renamed as it was.
    """
    stand_in = fresh.with_name("first names")
    shutil.copytree(folder, stand_in)
    renames = []
    for number, (path, lead) in enumerate(led_by_another_name(data_dir).items()):
        # Texts have no title but their name; the others are led by name and title.
        stem = lead.partition(" — ")[0]
        first = stand_in / f"first {number}" / (stem + Path(path).suffix)
        first.parent.mkdir()
        (stand_in / path).rename(first)
        renames.append((first, stand_in / path))
    ingest_quietly(fresh, stand_in)
    for first, path in renames:
        first.rename(path)
        first.parent.rmdir()
    report = ingest_quietly(fresh, stand_in)
    assert report["embedded"] == 0
    assert report["moved"] == len(renames)


def assert_equal_to_a_quiet_run(data_dir: Path, folder: Path, fresh: Path) -> int:
    """Compare a library with one that a single run in a new directory makes; rows compared."""
    report = ingest_quietly(data_dir, folder)
    again = ingest_quietly(data_dir, folder)
    changes = ("added", "updated", "moved", "deleted", "embedded")
    assert dict.fromkeys(changes, 0) == {name: again[name] for name in changes}
    quiet_folder(data_dir, folder, fresh)
    found, expected = content(data_dir), content(fresh)

    assert expected["strays"] == found["strays"] == NO_STRAYS, report
    assert found["documents"].keys() == expected["documents"].keys()
    assert found["documents"] == expected["documents"]
    assert found["vectors"].keys() == expected["vectors"].keys()
    assert found["vectors"] == expected["vectors"]
    assert found["failures"] == expected["failures"]
    chunks = sum(len(entry[2]) for entry in expected["documents"].values())
    assert len(expected["vectors"]) == chunks > 100
    assert catalog_of(data_dir).fault() == ""
    return rows_in(expected)


def parsers_of(pid: int) -> list[int]:
    """The parsing processes that a process has started."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            parent = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
            if parent == pid and "parse_worker" in (folder / "cmdline").read_text():
                found.append(int(folder.name))
    return found


def runs(pid: int) -> bool:
    """Whether a process is at work: there, and no zombie."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    return False


def test_ingestion_killed_at_random_moments_loses_nothing(tmp_path, rng, capsys):
    """`kill -9` again and again while files come, change and go; then one run puts all in line."""
    corpus = Corpus(tmp_path / "docs", rng)
    data_dir = tmp_path / "data"
    started = time.monotonic()
    kills = rounds = 0
    moments: list[float] = []
    lasted, worked = 4.0, 2.0
    while kills < KILLS:
        rounds += 1
        assert rounds < 5 * KILLS, "the runs end before they are killed"
        arguments = ("ingest", "--json", "--allow-deletes", str(corpus.folder))
        with command(data_dir, *arguments, seconds=0.002) as process:
            begun = time.monotonic()
            if rounds % 4:
                # Most kills while it is at work; the others anywhere, the start included.
                process.stdout.readline()
                at_work = time.monotonic()
                delay = rng.uniform(0.0, worked)
            else:
                at_work = begun
                delay = rng.uniform(0.0, lasted)
            ended = threading.Event()
            reader = threading.Thread(target=lambda p=process, e=ended: (p.stdout.read(), e.set()))
            reader.start()
            if ended.wait(delay):
                lasted, worked = time.monotonic() - begun, time.monotonic() - at_work
                process.wait()
                assert process.returncode in (0, 1), process.stderr.read()
            else:
                parsers = parsers_of(process.pid)
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                kills += 1
                moments.append(delay)
                for pid in parsers:
                    wait_until(lambda pid=pid: not runs(pid), what="the end of a parser")
            reader.join()
        if rng.random() < 0.7:
            corpus.change()

    rows = assert_equal_to_a_quiet_run(data_dir, corpus.folder, tmp_path / "fresh")

    assert kills >= KILLS
    assert max(moments) - min(moments) > 0.5
    with capsys.disabled():
        print(
            f"{kills} kills of ingest in {rounds} runs, {rows} rows equal, "
            f"{time.monotonic() - started:.0f} s",
            end=" ",
        )


def test_ingestion_survives_a_server_that_is_killed(tmp_path, rng, capsys):
    """`kill -9` of Chroma again and again under the runs: each run ends well, nothing is lost."""
    corpus = Corpus(tmp_path / "docs", rng)
    data_dir = tmp_path / "data"
    started = time.monotonic()
    killed: list[int] = []
    rounds = 0
    while len(killed) < KILLS:
        rounds += 1
        arguments = ("ingest", "--json", "--allow-deletes", str(corpus.folder))
        with command(data_dir, *arguments, seconds=0.01) as process:
            ended = threading.Event()
            said: list[str] = []
            reader = threading.Thread(
                target=lambda p=process, e=ended, s=said: (s.append(p.stdout.read()), e.set())
            )
            reader.start()
            while not ended.wait(rng.uniform(0.1, 3.0)) and len(killed) < KILLS:
                server = running_server(data_dir)
                if server is not None and server.server_pid not in killed:
                    with suppress(ProcessLookupError):
                        os.kill(server.server_pid, signal.SIGKILL)
                        killed.append(server.server_pid)
            reader.join(timeout=240)
            assert process.wait(timeout=60) in (0, 1), process.stderr.read()
        assert json.loads(said[0].splitlines()[-1])["event"] == "report"
        corpus.change()

    rows = assert_equal_to_a_quiet_run(data_dir, corpus.folder, tmp_path / "fresh")

    with capsys.disabled():
        print(
            f"{len(killed)} kills of Chroma in {rounds} runs, {rows} rows equal, "
            f"{time.monotonic() - started:.0f} s",
            end=" ",
        )


def test_ingestion_survives_parsers_that_are_killed(tmp_path, rng, capsys):
    """`kill -9` of parsing processes: each run ends by itself, the next one reads what is left."""
    corpus = Corpus(tmp_path / "docs", rng)
    data_dir = tmp_path / "data"
    started = time.monotonic()
    kills = rounds = 0
    while kills < KILLS:
        rounds += 1
        assert rounds < 5 * KILLS, "no parser is met alive"
        arguments = ("ingest", "--json", "--allow-deletes", str(corpus.folder))
        with command(data_dir, *arguments, seconds=0.002) as process:
            ended = threading.Event()
            said: list[str] = []
            reader = threading.Thread(
                target=lambda p=process, e=ended, s=said: (s.append(p.stdout.read()), e.set())
            )
            reader.start()
            while not ended.wait(rng.uniform(0.1, 1.5)) and kills < KILLS:
                for pid in parsers_of(process.pid):
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                        kills += 1
            reader.join(timeout=240)
            assert process.wait(timeout=60) in (0, 1), process.stderr.read()
        assert json.loads(said[0].splitlines()[-1])["event"] == "report"
        corpus.change()

    rows = assert_equal_to_a_quiet_run(data_dir, corpus.folder, tmp_path / "fresh")

    with capsys.disabled():
        print(
            f"{kills} kills of parsers in {rounds} runs, {rows} rows equal, "
            f"{time.monotonic() - started:.0f} s",
            end=" ",
        )


def test_a_reader_sees_no_fault_and_nothing_stale_while_thousands_of_chunks_come_and_go(
    tmp_path, rng, capsys
):
    """Asked every 100 ms while files are added, replaced and deleted: every hit is visible."""
    docs = write_files(
        tmp_path / "docs",
        {ANCHOR: "# Anchor\n\nThe rent of the lighthouse is due in zanzibar on the first."},
    )
    data_dir = tmp_path / "data"
    started = time.monotonic()
    ingest_quietly(data_dir, docs)
    reader = subprocess.Popen(
        [sys.executable, "-m", "tests.faults_reader", str(data_dir), ANCHOR],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert reader.stdout.readline() == "ready\n"
    files = max(4, min(40, CHUNKS // 100))
    counts = dict.fromkeys(["added", "updated", "deleted"], 0)
    chunks = 0
    for turn in range(2):
        near = [
            f"The rent of lighthouse number {i} is due, turn {turn}; storm lantern. "
            + words(f"{turn}/{i}", 30)
            for i in range(CHUNKS // 2)
        ]
        for n in range(files):
            write_files(docs, {f"churn/{n}.txt": "\n\n".join(near[n::files])})
        report = ingest_with_real_grace(data_dir, docs)
        chunks += report["chunks"]
        for name in counts:
            counts[name] += report[name]
    for path in (docs / "churn").iterdir():
        path.unlink()
    report = ingest_with_real_grace(data_dir, docs)
    counts["deleted"] += report["deleted"]
    time.sleep(0.5)

    said, _ = reader.communicate("", timeout=60)
    seen = json.loads(said)

    with capsys.disabled():
        print(
            f"{chunks} chunks came and went, {seen['queries']} queries, {seen['hits']} hits, "
            f"slowest {seen['slowest_ms']} ms, {time.monotonic() - started:.0f} s",
            end=" ",
        )
    assert counts == {"added": files, "updated": files, "deleted": files}
    assert chunks >= CHUNKS
    faults = ("errors", "stale", "wrong text", "empty", "anchor missing")
    assert {name: seen[name] for name in faults} == dict.fromkeys(faults, 0), seen["notes"]
    assert seen["queries"] >= 20
    assert content(data_dir)["strays"] == NO_STRAYS
    wait_until(lambda: server_has_ended(data_dir), what="the end of the server", timeout_s=30)


def ingest_with_real_grace(data_dir: Path, folder: Path) -> dict:
    """As it runs for users, with the grace time that readers rely on."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("FAULTS_")}
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.faults_runner",
            "ingest",
            "--json",
            "--allow-deletes",
            folder,
        ],
        cwd=ROOT,
        env={**environment, "HAYLOFT_DATA_DIR": str(data_dir), "HAYLOFT_CHROMA_LINGER_S": "5"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])

"""`hayloft ingest` as scripts and people see it: lines, report, exit codes, sentences."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import hayloft
from ingest.cli_runs import run_line
from storage.locks import FileLock
from storage.run_history import lately
from tests.library_fixtures import (
    catalog_of,
    command_line_place,
    server_has_ended,
    wait_until,
    write_files,
)

REPORT_KEYS = {
    "event",
    "added",
    "updated",
    "unchanged",
    "deleted",
    "failed",
    "pages",
    "chunks",
    "seconds",
}


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """A folder of its own with a library in it, and the fake embedder in the place of the model."""
    command_line_place(tmp_path, monkeypatch)
    monkeypatch.setattr("ingest.job.GRACE_S", 0.0)


@pytest.fixture
def docs(tmp_path):
    """Three small documents."""
    return write_files(
        tmp_path / "docs",
        {
            "a.md": "# A\n\nThe rent is due.",
            "b.txt": "Bees fly by day.",
            "sub/c.md": "# C\n\nCables.",
        },
    )


def events(output: str) -> list[dict]:
    return [json.loads(line) for line in output.splitlines()]


def test_json_is_one_event_a_line_and_the_report_last(docs, capsys):
    """The contract: every line is an object, the last one holds the counts."""
    code = hayloft.main(["ingest", "--json", str(docs)])

    first, *middle, report = events(capsys.readouterr().out)
    assert code == 0
    assert first == {"event": "start", "files": 3, "to_read": 3, "to_delete": 0}
    assert {e["document"] for e in middle if e["event"] == "document"} == {
        "a.md",
        "b.txt",
        "sub/c.md",
    }
    assert all(e["action"] == "added" for e in middle if e["event"] == "document")
    assert report.keys() >= REPORT_KEYS
    assert (report["event"], report["added"], report["pages"]) == ("report", 3, 3)


def test_a_second_run_says_that_nothing_changed(docs, capsys):
    """Without a path: every folder of before."""
    hayloft.main(["ingest", str(docs)])
    capsys.readouterr()

    assert hayloft.main(["ingest", "--json"]) == 0

    start, report = events(capsys.readouterr().out)
    assert (start["to_read"], report["unchanged"], report["added"]) == (0, 3, 0)


def test_files_set_aside_end_with_one(docs, capsys):
    """The good ones are in, the bad one has its kind and its sentence, the exit code is 1."""
    (docs / "bad.pdf").write_bytes(b"no pdf")

    assert hayloft.main(["ingest", "--json", str(docs)]) == 1

    told = events(capsys.readouterr().out)
    (failed,) = [e for e in told if e.get("action") == "failed"]
    assert failed["document"] == "bad.pdf"
    assert failed["kind"]
    assert failed["reason"].endswith(".")
    assert (told[-1]["added"], told[-1]["failed"]) == (3, 1)


def test_for_people_there_is_a_line_a_file_and_a_sum(docs, capsys):
    """In a pipe: plain lines, no control characters, also for a file with an ugly name."""
    (docs / "evil\x1b[31m\nname.txt").write_text("text of it")
    (docs / "table.xyz").write_bytes(b"x")

    assert hayloft.main(["ingest", str(docs)]) == 0

    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert r"evil\x1b[31m\nname.txt" in out
    assert "4 added, 0 updated, 0 unchanged, 0 deleted, 0 set aside" in out
    assert "Passed over, since their type is not read: 1 .xyz." in out


def test_quiet_says_nothing_but_failures(docs, capsys):
    """For a cron job that mails what is printed."""
    assert hayloft.main(["ingest", "--quiet", str(docs)]) == 0
    assert capsys.readouterr() == ("", "")

    (docs / "bad.pdf").write_bytes(b"no pdf")
    assert hayloft.main(["ingest", "--quiet"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "bad.pdf" in err
    assert "1 set aside" in err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["nowhere"], 2, "nowhere does not exist"),
        ([], 2, "hayloft ingest FOLDER"),
        (["--forget"], 2, "Name the folder"),
        (["--forget", "docs/sub"], 2, "not a source"),
    ],
)
def test_wrong_use_is_one_sentence(docs, capsys, arguments, code, said):
    """On stderr, with the command's name before it, and exit 2."""
    assert hayloft.main(["ingest", *arguments]) == code

    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("hayloft: ")
    assert said in err
    assert err.count("\n") == 1


def test_the_delete_brake_ends_with_77(docs, capsys):
    """Everything gone from the folder: stopped, said, and done when it is allowed."""
    hayloft.main(["ingest", str(docs)])
    for path in docs.rglob("*.*"):
        path.unlink()
    capsys.readouterr()

    assert hayloft.main(["ingest", "--json"]) == 77
    assert "3 of 3 documents" in capsys.readouterr().err
    assert hayloft.main(["ingest", "--json", "--allow-deletes"]) == 0
    assert events(capsys.readouterr().out)[-1]["deleted"] == 3


def test_a_lock_that_is_held_ends_with_75(docs, tmp_path, capsys):
    """Another run is at work."""
    hayloft.main(["ingest", str(docs)])
    with FileLock(tmp_path / "data" / "ingest.lock") as lock:
        lock.acquire()

        assert hayloft.main(["ingest"]) == 75

    assert "Another ingestion run is at work" in capsys.readouterr().err


def test_a_service_that_is_away_ends_with_69(docs, monkeypatch, capsys):
    """Somebody else's Chroma that does not answer."""
    monkeypatch.setattr("storage.vectors._RETRY_FOR_S", 0.1)
    monkeypatch.setenv("HAYLOFT_CHROMA_URL", "http://127.0.0.1:9")

    assert hayloft.main(["ingest", str(docs)]) == 69

    assert "http://127.0.0.1:9" in capsys.readouterr().err


def test_a_data_directory_that_cannot_be_ends_with_74(docs, tmp_path, capsys):
    """A file stands where the library should."""
    (tmp_path / "file").write_text("x")

    assert hayloft.main(["--data-dir", str(tmp_path / "file"), "ingest", str(docs)]) == 74

    assert "HAYLOFT_DATA_DIR" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HAYLOFT_CHUNK_TOKENS", "many"),
        ("HAYLOFT_CHUNK_TOKENS", "3"),
        ("HAYLOFT_MAX_DELETE_SHARE", "2"),
        ("HAYLOFT_CHROMA_URL", "localhost:8000"),
        ("HAYLOFT_EMBEDDER_BATCH", "0"),
    ],
)
def test_a_setting_that_cannot_work_is_named(docs, monkeypatch, capsys, name, value):
    """One sentence with the variable's name, exit 2."""
    monkeypatch.setenv(name, value)

    assert hayloft.main(["ingest", str(docs)]) == 2

    err = capsys.readouterr().err
    assert name in err
    assert err.count("\n") == 1


def test_a_folder_can_be_forgotten(docs, tmp_path, capsys):
    """All its documents go, and later runs do not look there."""
    hayloft.main(["ingest", str(docs)])
    capsys.readouterr()

    assert hayloft.main(["ingest", "--json", "--forget", str(docs)]) == 0

    assert events(capsys.readouterr().out)[-1]["deleted"] == 3
    assert hayloft.main(["ingest"]) == 2


def test_each_run_leaves_a_line_a_file_in_the_log(docs, tmp_path, monkeypatch, capsys):
    """As JSON where that is set, whatever the level on standard error; never the text itself."""
    monkeypatch.setenv("HAYLOFT_LOG_FORMAT", "json")
    (docs / "bad.pdf").write_bytes(b"no pdf")
    hayloft.main(["ingest", "--quiet", str(docs)])

    lines = (tmp_path / "data" / "logs" / "ingest.log").read_text("utf-8").splitlines()

    told = [json.loads(line) for line in lines]
    by_name = {line["document"]: line for line in told if "document" in line}
    assert by_name["a.md"]["message"] == "added"
    assert {"pages", "chunks", "embedded", "seconds", "characters"} <= by_name["a.md"].keys()
    assert by_name["bad.pdf"]["kind"] == "damaged"
    assert by_name["bad.pdf"]["level"] == "WARNING"
    assert (told[-1]["message"], told[-1]["failed"]) == ("failed-files", 1)
    assert "rent is due" not in "".join(lines)
    assert "ingest.run" not in capsys.readouterr().err


def test_the_history_can_be_read(docs, capsys):
    """`hayloft runs`: newest first, with duration and reasons; failed ones alone; as JSON."""
    hayloft.main(["ingest", str(docs)])
    (docs / "bad.pdf").write_bytes(b"no pdf")
    hayloft.main(["ingest"])
    capsys.readouterr()

    assert hayloft.main(["runs"]) == 0
    newest, oldest = capsys.readouterr().out.splitlines()
    assert "failed-files" in newest
    assert "1 set aside (1 damaged)" in newest
    assert " s  3 added" in oldest
    hayloft.main(["runs", "--failed", "--json"])
    [run] = events(capsys.readouterr().out)
    assert (run["reasons"], run["mode"]) == ({"damaged": 1}, "ingest")
    assert run["seconds"] > 0
    assert hayloft.main(["status", "--metrics"]) == 0
    assert "hayloft_documents 3" in capsys.readouterr().out


def test_metrics_of_the_last_run_lie_ready(docs, tmp_path, capsys):
    """Written by each run, the failed ones too; what `hayloft status --metrics` prints."""
    hayloft.main(["ingest", "--quiet", str(docs)])
    path = tmp_path / "data" / "metrics" / "hayloft.prom"

    hayloft.main(["status", "--metrics"])

    assert path.read_text() == capsys.readouterr().out
    for file in docs.rglob("*.*"):
        file.unlink()
    hayloft.main(["ingest"])
    assert 'hayloft_last_run_outcome{outcome="brake"} 1' in path.read_text()


@pytest.mark.parametrize("wanted", ["status", "ingest"])
def test_a_full_disk_behind_standard_output_is_one_sentence(docs, tmp_path, wanted):
    """No traceback, exit 74; the ingestion itself is carried out."""
    arguments = [wanted, *([str(docs)] if wanted == "ingest" else [])]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", RUNNER, *arguments],
            cwd=Path(__file__).resolve().parent.parent,
            env={**os.environ, "HAYLOFT_DATA_DIR": str(tmp_path / "data")},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )

    assert done.returncode == 74
    assert done.stderr.count("\n") == 1
    assert "standard output" in done.stderr.lower()
    if wanted == "ingest":
        assert catalog_of(tmp_path / "data").counts().documents == 3


def test_a_failed_run_is_told_and_a_good_one_is_not(docs, tmp_path, monkeypatch):
    """HAYLOFT_ON_FAILURE: bad files, the brake; not success, and not another run at work."""
    told = tmp_path / "told.jsonl"
    code = "import sys, pathlib; p = pathlib.Path(sys.argv[1]); "
    code += "p.open('a').write(sys.stdin.read() + '\\n')"
    command = shlex.join([sys.executable, "-c", code, str(told)])
    monkeypatch.setenv("HAYLOFT_ON_FAILURE", command)
    assert hayloft.main(["ingest", "--quiet", str(docs)]) == 0
    with FileLock(tmp_path / "data" / "ingest.lock") as lock:
        lock.acquire()
        assert hayloft.main(["ingest", "--quiet"]) == 75
    assert not told.exists()

    (docs / "bad.pdf").write_bytes(b"no pdf")
    assert hayloft.main(["ingest", "--quiet"]) == 1
    assert hayloft.main(["ingest", "--quiet"]) == 1  # nothing new: the file only waits
    for file in docs.rglob("*.*"):
        file.unlink()
    assert hayloft.main(["ingest", "--quiet"]) == 77

    first, second = events(told.read_text())
    assert (first["outcome"], first["exit_code"], first["failures"][0]["document"]) == (
        "failed-files",
        1,
        "bad.pdf",
    )
    assert (second["outcome"], second["exit_code"]) == ("brake", 77)
    assert "3 of 3 documents" in second["message"]


def test_a_hook_that_does_not_work_changes_nothing(docs, monkeypatch, capsys):
    """The run's result stays what it was."""
    monkeypatch.setenv("HAYLOFT_ON_FAILURE", "/no/such/program")
    (docs / "bad.pdf").write_bytes(b"no pdf")

    assert hayloft.main(["ingest", "--quiet", str(docs)]) == 1
    assert catalog_of(Path("data").absolute()).counts().documents == 3


def test_the_log_level_of_the_env_file_counts(docs, tmp_path):
    """HAYLOFT_LOG_LEVEL=info in .env shows each file on standard error."""
    (tmp_path / ".env").write_text("HAYLOFT_LOG_LEVEL=info\n")
    root = Path(__file__).resolve().parent.parent
    environment = {k: v for k, v in os.environ.items() if not k.startswith("HAYLOFT_")}
    done = subprocess.run(
        [sys.executable, "-c", RUNNER, "ingest", str(docs)],
        cwd=tmp_path,
        env={**environment, "PYTHONPATH": str(root), "HAYLOFT_CHROMA_LINGER_S": "0.2"},
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0
    assert 'INFO ingest.run: added document="a.md"' in done.stderr


def test_a_watcher_takes_files_in_and_ends_when_told(docs, tmp_path):
    """`--watch`: a new file is in the library soon after; SIGTERM ends it with 0."""
    process = subprocess.Popen(
        [sys.executable, "-c", RUNNER, "ingest", "--watch", "--json", str(docs)],
        cwd=Path(__file__).resolve().parent.parent,
        env={**os.environ, "HAYLOFT_DATA_DIR": str(tmp_path / "data"), "FAULTS_GRACE_S": "0"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    while '"report"' not in process.stdout.readline():
        pass
    write_files(docs, {"new.md": "# New\n\nNews."})
    while (line := process.stdout.readline()) and '"report"' not in line:
        pass
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)

    assert json.loads(line)["added"] == 1
    assert process.returncode == 0, err
    assert err == ""
    assert catalog_of(tmp_path / "data").runs()[0].mode == "watch"


RUNNER = "import tests.faults_runner as r; raise SystemExit(r.command())"


def start_slow(docs: Path, data: Path) -> subprocess.Popen[str]:
    """The command in a process of its own, each chunk taking a while."""
    return subprocess.Popen(
        [sys.executable, "-c", RUNNER, "ingest", "--json", str(docs)],
        cwd=Path(__file__).resolve().parent.parent,
        env={**os.environ, "HAYLOFT_DATA_DIR": str(data), "FAULTS_SECONDS": "0.05"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&- <&-"])
def test_a_scheduler_that_closes_the_streams_changes_nothing(docs, tmp_path, closed):
    """No traceback, no database in the place of standard output: the run is carried out."""
    command = shlex.join([sys.executable, "-c", RUNNER, "ingest", str(docs)])
    done = subprocess.run(
        ["sh", "-c", f"{command} {closed}"],
        check=False,
        cwd=Path(__file__).resolve().parent.parent,
        env={**os.environ, "HAYLOFT_DATA_DIR": str(tmp_path / "data"), "FAULTS_GRACE_S": "0"},
        capture_output=True,
        text=True,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert catalog_of(tmp_path / "data").counts().documents == 3


def test_a_run_at_work_and_a_killed_one_are_shown_as_what_they_are(docs, tmp_path, monkeypatch):
    """`hayloft runs` in another process: how far it is; after `kill -9`, how far it was."""
    write_files(docs, {f"more/{i}.txt": f"text number {i}" for i in range(60)})
    monkeypatch.setenv("FAULTS_WINDOW", "4")
    data = tmp_path / "data"
    process = start_slow(docs, data)
    assert process.stdout is not None

    wait_until(lambda: data.exists() and 0 < done_of(data) < 63, 60, "a run that is on its way")
    process.kill()
    process.communicate()

    (line,) = lately(catalog_of(data))
    assert (line.outcome, line.to_do, line.added) == ("killed", 63, line.done)
    assert f"after {line.done} of 63 files" in run_line(line)
    assert hayloft.main(["--data-dir", str(data), "ingest", "--quiet", str(docs)]) == 0
    assert [run.outcome for run in catalog_of(data).runs()] == ["complete", "killed"]


def done_of(data: Path) -> int:
    """How many files the run at work has dealt with."""
    return next((run.done for run in lately(catalog_of(data)) if run.outcome == "running"), 0)


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_run_ends_tidily(docs, tmp_path, stop):
    """A scheduler's stop and Ctrl-C: exit 130, one sentence, the run closed as interrupted.

    Whatever the moment: in the middle of importing Chroma's client, too.
    """
    write_files(docs, {f"more/{i}.txt": f"text number {i}" for i in range(300)})
    process = start_slow(docs, tmp_path / "data")
    assert process.stdout is not None
    process.stdout.readline()
    threading.Timer(0.7, process.send_signal, (stop,)).start()

    out, err = process.communicate(timeout=60)

    assert process.returncode == 130
    assert err == "hayloft: interrupted; nothing half-written is visible.\n"
    assert '"report"' not in out
    assert catalog_of(tmp_path / "data").runs()[0].outcome == "interrupted"
    wait_until(lambda: server_has_ended(tmp_path / "data"), what="the end of the server")


def test_a_reader_that_closes_the_pipe_ends_the_run_quietly(docs, tmp_path):
    """`| head -1`: no traceback, exit 141; the next run brings in the rest."""
    write_files(docs, {f"more/{i}.txt": f"text number {i}" for i in range(40)})
    process = start_slow(docs, tmp_path / "data")
    assert process.stdout is not None and process.stderr is not None
    process.stdout.readline()
    process.stdout.close()

    assert process.wait(timeout=60) == 141
    assert process.stderr.read() == ""
    process.stderr.close()
    assert hayloft.main(["ingest", "--quiet", str(docs)]) == 0
    assert catalog_of(tmp_path / "data").counts().documents == 43


def test_two_commands_at_once_do_not_both_run(docs, tmp_path):
    """Started at the same instant on a cold directory: one ends with 0, the other with 75."""
    write_files(docs, {f"more/{i}.txt": f"text number {i}" for i in range(60)})
    processes = [start_slow(docs, tmp_path / "data") for _ in range(2)]

    codes = sorted(process.communicate(timeout=60) and process.returncode for process in processes)

    assert codes == [0, 75]

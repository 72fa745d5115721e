"""Log lines for people and machines, and files that never grow large."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from storage import logs
from storage.logs import JsonFormatter, LogFile, TextFormatter, make_room, with_fields


def record(message: str, **fields: object) -> logging.LogRecord:
    made = logging.LogRecord("ingest.run", logging.INFO, __file__, 1, message, (), None)
    made.__dict__.update(with_fields(**fields))
    return made


def test_a_json_line_is_one_object_whatever_the_name_holds():
    """Newlines, quotes and other scripts stay inside the string."""
    name = 'a "b"\n公司.txt'

    line = JsonFormatter().format(record("added", document=name, pages=3))

    assert "\n" not in line
    told = json.loads(line)
    assert (told["message"], told["document"], told["pages"]) == ("added", name, 3)
    assert told["level"] == "INFO"
    assert told["time"].endswith("Z")


def test_a_text_line_is_one_line_with_its_fields():
    """A file's name cannot break the line."""
    line = TextFormatter().format(record("added", document="a\nb.txt", seconds=0.5))

    assert line.endswith(r'INFO ingest.run: added document="a\nb.txt" seconds=0.5')
    assert "\n" not in line


def test_a_log_file_is_cut_into_pieces(tmp_path, monkeypatch):
    """No file is larger than the limit, and only so many are kept."""
    monkeypatch.setattr(logs, "MOST_BYTES", 2_000)
    handler = LogFile(tmp_path / "ingest.log", "json")
    for i in range(200):
        handler.emit(record("added", document=f"{i}.txt", padding="x" * 50))
    handler.close()

    files = sorted(path.name for path in tmp_path.iterdir())

    assert files == ["ingest.log", *(f"ingest.log.{i}" for i in range(1, logs.KEPT + 1))]
    assert max(path.stat().st_size for path in tmp_path.iterdir()) <= 2_000


def test_a_log_that_cannot_be_written_disturbs_nobody(capsys):
    """A full disk costs the line, and no traceback is printed."""
    handler = LogFile(Path("/dev/full"), "text")
    handler.maxBytes = 0
    handler.emit(record("added"))
    with pytest.raises(OSError):
        handler.close()

    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("copying", [False, True])
def test_room_is_made_in_a_file_that_another_program_writes(tmp_path, monkeypatch, copying):
    """The old content moves up one number; with `copying` the writer's open file goes on."""
    monkeypatch.setattr(logs, "MOST_BYTES", 100)
    path = tmp_path / "chroma.log"
    for turn in range(logs.KEPT + 2):
        with path.open("ab") as writer:
            writer.write(f"turn {turn} ".encode() + b"x" * 100)
            writer.flush()
            make_room(path, copying=copying)
            writer.write(b"later")

    kept = [path.with_name(f"chroma.log.{i}").read_text() for i in range(1, logs.KEPT + 1)]

    assert all(f"turn {logs.KEPT + 1 - i} " in text for i, text in enumerate(kept))
    if copying:
        assert path.read_text() == "later"
    else:
        assert not path.exists()

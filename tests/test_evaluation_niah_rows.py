"""Rows on disk: appended whole, mended after a kill, the newest of each key read back."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from evaluation.niah.records import Needle, Row, row_key
from evaluation.niah.rows import RowFile, read_rows, write_rows
from storage.errors import StorageError, UsageError


def row(key: str, **values: object) -> Row:
    made = Row(
        key=key,
        arm="long",
        task="single",
        length=1024,
        depth_target=0.5,
        trial=0,
        seed=1,
        language="zh",
        haystack="generated",
        value_type="number",
        mode="separate",
        question="多少？",
        expected=("12",),
        needles=(Needle("是12。", "12", "k", 3, 7, 9),),
        stage_trace=({"check": "parse", "passed": True},),
    )
    return replace(made, **values)  # type: ignore[arg-type]


def written(path: Path, *rows: Row) -> Path:
    with RowFile(path) as file:
        for one in rows:
            file.append(one)
    return path


def test_a_row_survives_the_file(tmp_path: Path) -> None:
    """Needles, traces and other scripts included."""
    path = written(
        tmp_path / "rows.jsonl", row("a"), row("b", answer="line\nbreak \u2028 “quoted”")
    )

    assert read_rows(path) == [row("a"), row("b", answer="line\nbreak \u2028 “quoted”")]


def test_the_newest_row_of_a_key_counts(tmp_path: Path) -> None:
    """An error that was tried again is no row any more."""
    path = written(
        tmp_path / "rows.jsonl", row("a", status="error"), row("b"), row("a", answer="12")
    )

    assert [(one.key, one.status) for one in read_rows(path)] == [("a", "ok"), ("b", "ok")]


@pytest.mark.parametrize("cut", [1, 2, 40, 300])
def test_a_torn_last_line_is_mended(tmp_path: Path, cut: int) -> None:
    """Cut off where it is half a row, closed where it only lost its end; then rows follow."""
    path = written(tmp_path / "rows.jsonl", row("a"), row("b"))
    raw = path.read_bytes()
    path.write_bytes(raw[:-cut])
    kept = ["a", "b"] if cut == 1 else ["a"]

    assert [one.key for one in read_rows(path)] == kept
    written(path, row("c"))

    assert [one.key for one in read_rows(path)] == [*kept, "c"]
    assert all(json.loads(line) for line in path.read_text("utf-8").splitlines())


def test_a_line_that_is_no_row_is_named(tmp_path: Path) -> None:
    """In the middle of a file it is not a kill's doing."""
    path = written(tmp_path / "rows.jsonl", row("a"))
    path.write_bytes(b"{}\n" + path.read_bytes())

    with pytest.raises(UsageError, match="line 1"):
        read_rows(path)


def test_half_a_character_does_not_lose_a_row(tmp_path: Path) -> None:
    """Models do send lone surrogates."""
    path = written(tmp_path / "rows.jsonl", row("a", answer="12 \ud83d"))

    assert read_rows(path)[0].answer.startswith("12 ")


def test_rows_can_be_put_in_the_place_of_all(tmp_path: Path) -> None:
    """For scoring anew."""
    path = written(tmp_path / "rows.jsonl", row("a"), row("b"))

    write_rows(path, [row("a", score=1.0)])

    assert [one.score for one in read_rows(path)] == [1.0]


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    """Of the storage, with what to do."""
    with pytest.raises(StorageError, match="cannot be written"):
        RowFile(tmp_path / "no" / "rows.jsonl")


def test_keys_do_not_depend_on_the_order_of_writing() -> None:
    """But on every value."""
    assert row_key({"a": 1, "b": [1, 2]}) == row_key({"b": [1, 2], "a": 1})
    assert row_key({"a": 1}) != row_key({"a": 1.5})


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_is_told_once_and_as_what_it_is(tmp_path: Path) -> None:
    """Closing the file tries again to write, and must not hide the sentence that says where."""
    file = RowFile(tmp_path / "rows.jsonl")
    file._file.close()
    file._file = open("/dev/full", "wb")  # noqa: SIM115, PTH123 -- as the disk is from now on

    with pytest.raises(StorageError, match=r"rows\.jsonl cannot be written: No space left"), file:
        file.append(row("a"))

"""The rows of a run on disk: appended, flushed to the disk, repaired, read back."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from evaluation.files import in_place
from evaluation.niah.records import Row
from storage.errors import StorageError, UsageError

ROWS = "rows.jsonl"

DONE = frozenset({"ok", "window_clamped"})
"""What a resumed run does not do again. A clamped row's key holds the window."""


_MEND = (
    "Free some space or correct the permissions, then run the same command again; it goes on "
    "where it stopped."
)


class RowFile:
    """Where the rows of a run go. A row that `append` returned from outlives a power cut."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file = path.open("ab")
            self._mend()
        except OSError as exc:
            raise _unwritable(path, exc) from exc

    def __enter__(self) -> RowFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            # Of a full disk it tries once more to write what is left.
            self._file.close()
        except OSError as fault:
            if exc is None:
                raise _unwritable(self.path, fault) from fault

    def append(self, row: Row) -> None:
        """Write one row. Raises StorageError where the disk takes it not."""
        line = json.dumps(row.to_json(), ensure_ascii=False, separators=(",", ":"))
        try:
            # A lone surrogate in an answer must not lose the row.
            self._file.write(line.encode("utf-8", "backslashreplace") + b"\n")
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as exc:
            raise _unwritable(self.path, exc) from exc

    def _mend(self) -> None:
        """Cut off a last line that a kill has torn; close one that only lost its end."""
        raw = self.path.read_bytes()
        if not raw or raw.endswith(b"\n"):
            return
        start = raw.rfind(b"\n") + 1
        if _parsed(raw[start:]) is not None:
            self._file.write(b"\n")
            self._file.flush()
        else:
            os.truncate(self.path, start)


def read_rows(path: Path) -> list[Row]:
    """The newest row of each key, in the order of their first writing.

    A torn last line is left out. Raises UsageError where there is no file or a
    line in its middle is no row.
    """
    try:
        raw = path.read_bytes()
    except OSError as exc:
        raise UsageError(f"The run has no rows: {path} cannot be read.") from exc
    found: dict[str, Row] = {}
    for number, row in _rows(raw, path):
        if row is None:
            raise UsageError(
                f"{path}, line {number}: not a row of a needle run. Restore the file, or take "
                "that line out and run it again."
            )
        found[row.key] = row
    return list(found.values())


def write_rows(path: Path, rows: list[Row]) -> None:
    """Put these rows in the place of all, at once: for scoring anew."""
    with in_place(path, _MEND) as part, part.open("wb") as file:
        for row in rows:
            line = json.dumps(row.to_json(), ensure_ascii=False, separators=(",", ":"))
            file.write(line.encode("utf-8", "backslashreplace") + b"\n")
        file.flush()
        os.fsync(file.fileno())


def _rows(raw: bytes, path: Path) -> Iterator[tuple[int, Row | None]]:
    lines = raw.split(b"\n")
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        row = _parsed(line)
        if row is None and number == len(lines):
            continue
        yield number, row


def _parsed(line: bytes) -> Row | None:
    try:
        data = json.loads(line)
        return Row.from_json(data) if isinstance(data, dict) else None
    except (ValueError, TypeError, RecursionError):
        return None


def _unwritable(path: Path, exc: OSError) -> StorageError:
    return StorageError(f"{path} cannot be written: {exc.strerror or exc}. {_MEND}")

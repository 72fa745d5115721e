"""The files that are set aside, and when they are tried again."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from storage.version_rows import CatalogPart


class KnownFailure(NamedTuple):
    """A file that was set aside, as it was then."""

    path: str
    size: int
    mtime_ns: int
    reader: str
    next_try: float
    """Seconds since the epoch."""


class SetAside(CatalogPart):
    """Files that could not be read, and pages whose text could not be recognised."""

    def fail(
        self,
        source_id: int,
        path: str,
        kind: str,
        reason: str,
        *,
        size: int = -1,
        mtime_ns: int = -1,
        reader: str = "",
        pauses: Sequence[float] = (),
    ) -> int:
        """Note that a file could not be read; an earlier good version stays. Gives the attempts.

        `pauses` are the seconds to wait after the first attempt, the second and so on, the
        last of them from then on; none: it is tried on every run. A file that changed
        begins anew.
        """
        now = time.time()
        with self._database.writing() as connection:
            row = connection.execute(
                "SELECT attempts FROM failures WHERE source_id = ? AND path = ?"
                " AND size = ? AND mtime_ns = ? AND reader = ?",
                (source_id, path, size, mtime_ns, reader),
            ).fetchone()
            attempts = row[0] + 1 if row else 1
            pause = pauses[min(attempts, len(pauses)) - 1] if pauses else 0.0
            connection.execute(
                "INSERT INTO failures (source_id, path, kind, reason, attempts, first_seen,"
                " last_seen, next_try, size, mtime_ns, reader)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
                " ON CONFLICT (source_id, path) DO UPDATE SET kind = excluded.kind,"
                " reason = excluded.reason, attempts = excluded.attempts,"
                " last_seen = excluded.last_seen, next_try = excluded.next_try,"
                " size = excluded.size, mtime_ns = excluded.mtime_ns, reader = excluded.reader",
                (
                    source_id,
                    path,
                    kind,
                    reason,
                    attempts,
                    now,
                    now,
                    now + pause if pauses else 0.0,
                    size,
                    mtime_ns,
                    reader,
                ),
            )
            return int(attempts)

    def clear_failures(self, source_id: int, paths: Iterable[str]) -> None:
        """Forget the failures of files that are gone or were read after all."""
        gone = [(source_id, path) for path in paths]
        if not gone:
            return
        with self._database.writing() as connection:
            connection.executemany(
                "DELETE FROM failures WHERE source_id = ? AND path = ?",
                gone,
            )

    def failed(self, source_id: int) -> dict[str, KnownFailure]:
        """The files of a source that are set aside, by path."""
        with self._database.snapshot() as connection:
            rows = connection.execute(
                "SELECT path, size, mtime_ns, reader, next_try FROM failures WHERE source_id = ?",
                (source_id,),
            ).fetchall()
            return {row[0]: KnownFailure._make(row) for row in rows}

    def has_unread(self) -> bool:
        """Whether there are pages or files whose text could only be recognised, and was not."""
        with self._database.snapshot() as connection:
            row = connection.execute(
                "SELECT EXISTS (SELECT 1 FROM versions WHERE state IN ('current', 'private')"
                " AND unsearchable_pages > 0)"
                " OR EXISTS (SELECT 1 FROM failures WHERE kind = 'no-text')"
            ).fetchone()
            return bool(row[0])

    def retry_unread(self, recogniser: str) -> int:
        """Have what holds unread pages read again where something new recognises text.

        Returns how many documents that are.
        """
        with self._database.writing() as connection:
            row = connection.execute("SELECT value FROM meta WHERE key = 'recogniser'").fetchone()
            if row is not None and row[0] == recogniser:
                return 0
            found = connection.execute(
                "UPDATE versions SET reader = '' WHERE state IN ('current', 'private')"
                " AND unsearchable_pages > 0"
            )
            connection.execute("UPDATE failures SET next_try = 0 WHERE kind = 'no-text'")
            return found.rowcount

    def read_with(self, recogniser: str) -> None:
        """Note what recognised text in this run."""
        with self._database.writing() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO meta VALUES ('recogniser', ?)", (recogniser,)
            )
